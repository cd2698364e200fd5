"""One message of the TLS protocol as the message callback reports it.  SSL_set_msg_callback(3)"""

from __future__ import annotations

from typing import NamedTuple

from pyossl.core.binding import lib

_HANDSHAKE = {
    0: "HelloRequest",
    1: "ClientHello",
    2: "ServerHello",
    3: "HelloVerifyRequest",
    4: "NewSessionTicket",
    5: "EndOfEarlyData",
    8: "EncryptedExtensions",
    11: "Certificate",
    12: "ServerKeyExchange",
    13: "CertificateRequest",
    14: "ServerHelloDone",
    15: "CertificateVerify",
    16: "ClientKeyExchange",
    20: "Finished",
    22: "CertificateStatus",
    24: "KeyUpdate",
    25: "CompressedCertificate",
    67: "NextProtocol",
    254: "MessageHash",
}

_HELLO_RETRY_REQUEST = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")


class Message(NamedTuple):
    """A handshake message, an alert, a change of cipher spec, or one of OpenSSL's pseudo messages.

    ``outgoing`` tells the direction, ``version`` is the protocol's number on the wire, ``content_type`` an SSL3_RT_x
    (a pseudo content type of 256 or more for a record's header, say), ``data`` the message as it was or will be sent,
    decrypted.
    """

    outgoing: bool
    version: int
    content_type: int
    data: bytes

    @property
    def is_record_header(self) -> bool:
        return self.content_type == lib.SSL3_RT_HEADER

    @property
    def is_protocol(self) -> bool:
        """Whether this is a message of the protocol, and not a pseudo message about one."""
        return self.content_type < lib.SSL3_RT_HEADER

    @property
    def name(self) -> str:
        """The message's name in RFC 8446 and RFC 5246, such as ``ClientHello`` or ``Alert``."""
        if self.content_type == lib.SSL3_RT_HANDSHAKE and self.data:
            if self.data[0] == 2 and self.data[6:38] == _HELLO_RETRY_REQUEST:
                return "HelloRetryRequest"
            return _HANDSHAKE.get(self.data[0], f"handshake message {self.data[0]}")
        if self.content_type == lib.SSL3_RT_CHANGE_CIPHER_SPEC:
            return "ChangeCipherSpec"
        if self.content_type == lib.SSL3_RT_ALERT:
            return "Alert"
        return f"content type {self.content_type}"
