"""A message of the TLS protocol, as the message callback gets it.  SSL_set_msg_callback(3)"""

from __future__ import annotations

from typing import NamedTuple

from pyossl.core import lib

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
    """A message of the protocol: a handshake message, an alert, a ChangeCipherSpec, or a pseudo message of OpenSSL.

    OpenSSL reports pseudo messages about the protocol, such as the header of a record.  SSL_set_msg_callback(3)
    """

    outgoing: bool
    version: int
    content_type: int
    data: bytes

    @property
    def is_record_header(self) -> bool:
        """Whether this is the pseudo message with the header of a record."""
        return self.content_type == lib.SSL3_RT_HEADER

    @property
    def is_protocol(self) -> bool:
        """Whether this is a message of the protocol, and not a pseudo message."""
        return self.content_type < lib.SSL3_RT_HEADER

    @property
    def name(self) -> str:
        """The name of the message in RFC 8446 and RFC 5246, for example ``ClientHello`` or ``Alert``."""
        if self.content_type == lib.SSL3_RT_HANDSHAKE and self.data:
            if self.data[0] == 2 and self.data[6:38] == _HELLO_RETRY_REQUEST:
                return "HelloRetryRequest"
            return _HANDSHAKE.get(self.data[0], f"handshake message {self.data[0]}")
        if self.content_type == lib.SSL3_RT_CHANGE_CIPHER_SPEC:
            return "ChangeCipherSpec"
        if self.content_type == lib.SSL3_RT_ALERT:
            return "Alert"
        return f"content type {self.content_type}"


Message.outgoing.__doc__ = "True if this side sends the message, False if the peer sent it."
Message.version.__doc__ = "The number of the version on the wire."
Message.content_type.__doc__ = "The content type, an ``SSL3_RT_x``; 256 or more for a pseudo message."
Message.data.__doc__ = "The bytes of the message, not encrypted."
