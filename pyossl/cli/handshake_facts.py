"""What the messages of a handshake say: what the client offered, what the server chose, asked for and sent.

``HandshakeFacts.add`` is a message callback.  OpenSSL calls it with each message before it is encrypted and after it is
decrypted, so that the messages of TLS 1.3 can be read too, and also when the handshake fails afterwards.  The messages
come from the peer: each field is read with its bounds, and a malformed message is noted in ``malformed`` and otherwise
ignored.  OpenSSL is stricter, and ends the connection.  RFC 8446, 4; RFC 5246, 7.4
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from pyossl import ClientHello, DecodeError
from pyossl.cli import code_points
from pyossl.core.errors import alert_description
from pyossl.tls.callbacks.client_hello import is_grease
from pyossl.tls.callbacks.message import Message
from pyossl.tls.settings.cipher_suite import CipherSuite

_TLS_1_2, _TLS_1_3 = 0x0303, 0x0304
_STATUS, _SIGALGS, _ALPN, _SCTS = 5, 13, 16, 18
_PRE_SHARED_KEY, _EARLY_DATA, _VERSIONS, _AUTHORITIES, _KEY_SHARE = 41, 42, 43, 47, 51
_NAMED_CURVE = 3
_EMPTY_CERTIFICATE = 1 + 3
"""The length of a Certificate message of TLS 1.3 without certificates: an empty context and an empty list."""
_OCSP = 1
_FATAL = 2
# TLS_EMPTY_RENEGOTIATION_INFO_SCSV and TLS_FALLBACK_SCSV: signals to the server that look like cipher suites.
_SIGNALS = frozenset((0x00FF, 0x5600))
_CLOSE_NOTIFY, _USER_CANCELED = 0, 90


class _MalformedError(Exception):
    """A message ends too early, or a length in it is wrong."""


class _Reader:
    """Bytes that are read from the front."""

    def __init__(self, data: bytes) -> None:
        self._data, self._place = data, 0

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes."""
        taken = self._data[self._place : self._place + size]
        if len(taken) < size:
            raise _MalformedError
        self._place += size
        return taken

    def number(self, size: int) -> int:
        """A number of ``size`` bytes."""
        return int.from_bytes(self.take(size), "big")

    def vector(self, size: int) -> bytes:
        """Bytes that follow their length, a number of ``size`` bytes."""
        return self.take(self.number(size))

    @property
    def left(self) -> int:
        """How many bytes have not been read."""
        return len(self._data) - self._place

    def vectors(self, size: int) -> Iterator[bytes]:
        """The vectors up to the end."""
        while self.left:
            yield self.vector(size)

    def extensions(self) -> dict[int, bytes]:
        """The extensions of a message, by number; none if the message ends here, as it may before TLS 1.3."""
        found: dict[int, bytes] = {}
        inside = _Reader(self.vector(2) if self.left else b"")
        while inside.left:
            kind = inside.number(2)
            found[kind] = inside.vector(2)
        return found


def _numbers(data: bytes) -> tuple[int, ...]:
    """The numbers of two bytes in ``data``, without the values of GREASE."""
    if len(data) % 2:
        raise _MalformedError
    return _without_grease(int.from_bytes(data[place : place + 2], "big") for place in range(0, len(data), 2))


def _without_grease(numbers: Iterable[int]) -> tuple[int, ...]:
    return tuple(number for number in numbers if not is_grease(number))


class Offer(NamedTuple):
    """What a ClientHello offers, as numbers; the protocols of ALPN and the server's name as text."""

    versions: tuple[int, ...]
    ciphers: tuple[int, ...]
    groups: tuple[int, ...]
    signature_algorithms: tuple[int, ...]
    alpn: tuple[str, ...]
    extensions: tuple[int, ...]
    server_name: str | None

    def as_json(self, suites: Mapping[int, CipherSuite]) -> dict[str, Any]:
        """The offer with names instead of numbers."""
        return {
            "versions": [code_points.version(number) for number in self.versions],
            "ciphers": [suites[number].name if number in suites else f"{number:#06x}" for number in self.ciphers],
            "groups": [code_points.group(number) for number in self.groups],
            "signature_algorithms": [code_points.signature_algorithm(number) for number in self.signature_algorithms],
            "alpn": list(self.alpn),
            "extensions": [code_points.extension(number) for number in self.extensions],
        }


class CertificateRequest(NamedTuple):
    """A server's request for a client certificate: the signature algorithms that it takes, and how many authorities
    it names.
    """

    signature_algorithms: tuple[int, ...]
    authority_count: int


class Ticket(NamedTuple):
    """A session ticket of TLS 1.3 or 1.2: for how many seconds it is valid, and how much early data it allows."""

    lifetime: int
    early_data: int


class Alert(NamedTuple):
    """An alert that the peer sent."""

    is_fatal: bool
    number: int

    @property
    def text(self) -> str:
        """The alert's name."""
        return alert_description(self.number)


class HandshakeFacts:
    """What the messages of one connection say.  ``suites`` are the cipher suites of the context by number."""

    def __init__(self, suites: Mapping[int, CipherSuite] | None = None) -> None:
        self._suites = suites or {}
        self._client_sends_outgoing: bool | None = None
        self.offer: Offer | None = None
        """What the first ClientHello offers."""
        self.version: int | None = None
        self.cipher: int | None = None
        self.group: int | None = None
        """The group of the key exchange; None for none, and for the Diffie-Hellman of TLS 1.2 without a named group."""
        self.dh_bits: int | None = None
        """The size of the prime of a Diffie-Hellman key exchange of TLS 1.2."""
        self.server_signature_algorithm: int | None = None
        """The algorithm of the server's signature; None before TLS 1.2, and if it signs nothing."""
        self.client_signature_algorithm: int | None = None
        self.alpn: str | None = None
        self.server_extensions: tuple[int, ...] = ()
        """The extensions of the ServerHello and the EncryptedExtensions."""
        self.session_id = b""
        """The session id in the ServerHello; in TLS 1.3 it means nothing."""
        self.has_server_hello = False
        """Whether the server sent a ServerHello that is no HelloRetryRequest: it accepted the offer."""
        self.identity: bytes | None = None
        """The identity of the pre-shared key in use; in TLS 1.3 it may be the session ticket of a resumed session."""
        self._last_hello = b""
        """The ClientHello that the ServerHello answers."""
        self.is_retried = False
        """Whether the server sent a HelloRetryRequest."""
        self.certificates: tuple[bytes, ...] = ()
        """The server's certificates, in DER."""
        self.certificate_request: CertificateRequest | None = None
        self.client_sent_certificate: bool | None = None
        """Whether the client sent a certificate; None if it was not asked."""
        self.scts: bytes | None = None
        """The list of signed certificate timestamps in the server's extension."""
        self.ocsp_response: bytes | None = None
        self.tickets: list[Ticket] = []
        self.alert: Alert | None = None
        """The first alert from the peer that is not a goodbye."""
        self.has_answer = False
        """Whether the peer sent any message of TLS."""
        self.malformed: str | None = None
        """The first message that could not be read."""

    def add(self, message: Message) -> None:
        """Adds a message.  It can be used as ``message_callback``."""
        if not message.is_protocol:
            return
        self.has_answer = self.has_answer or not message.outgoing
        try:
            if message.name == "Alert":
                self._alert(message)
            elif message.name in _READERS:
                _READERS[message.name](self, _Reader(message.data[4:]), message)
        except _MalformedError:
            self.malformed = self.malformed or message.name

    def _alert(self, message: Message) -> None:
        if message.outgoing or len(message.data) != 2 or message.data[1] in (_CLOSE_NOTIFY, _USER_CANCELED):
            return
        self.alert = self.alert or Alert(message.data[0] == _FATAL, message.data[1])

    def _is_clients(self, message: Message) -> bool:
        return message.outgoing == self._client_sends_outgoing

    @property
    def _is_tls_1_3(self) -> bool:
        return self.version is not None and self.version >= _TLS_1_3

    def _client_hello(self, reader: _Reader, message: Message) -> None:
        self._client_sends_outgoing = message.outgoing
        if self.offer is None:
            self.offer = _offer(message.data)
        self._last_hello = message.data

    def _server_hello(self, reader: _Reader, message: Message) -> None:
        self.version = reader.number(2)
        reader.take(32)
        self.session_id = reader.vector(1)
        self.cipher = reader.number(2)
        reader.take(1)
        extensions = reader.extensions()
        if _VERSIONS in extensions:
            self.version = _Reader(extensions[_VERSIONS]).number(2)
        if _KEY_SHARE in extensions:
            self.group = _Reader(extensions[_KEY_SHARE]).number(2)
        if message.name == "HelloRetryRequest":
            self.is_retried = True
        else:
            self.has_server_hello = True
            self._server_answers(extensions)
            if _PRE_SHARED_KEY in extensions:
                self.identity = _identity(self._last_hello, _Reader(extensions[_PRE_SHARED_KEY]).number(2))

    def _encrypted_extensions(self, reader: _Reader, message: Message) -> None:
        self._server_answers(reader.extensions())

    def _server_answers(self, extensions: dict[int, bytes]) -> None:
        """Reads the extensions that a ServerHello, or the EncryptedExtensions of TLS 1.3, may have."""
        self.server_extensions += tuple(extensions)
        if _ALPN in extensions:
            self.alpn = next(iter(_protocols(extensions[_ALPN])), None)
        self.scts = extensions.get(_SCTS, self.scts)

    def _certificate(self, reader: _Reader, message: Message) -> None:
        if self._is_tls_1_3:
            reader.vector(1)
        chain, place = _Reader(reader.vector(3)), 0
        certificates: list[bytes] = []
        while chain.left:
            certificates.append(chain.vector(3))
            extensions = chain.extensions() if self._is_tls_1_3 else {}
            if place == 0 and not self._is_clients(message):
                self.scts = extensions.get(_SCTS, self.scts)
                if _STATUS in extensions:
                    self.ocsp_response = _ocsp(_Reader(extensions[_STATUS]))
            place += 1
        if self._is_clients(message):
            self.client_sent_certificate = bool(certificates)
        else:
            self.certificates = tuple(certificates)

    def _compressed_certificate(self, reader: _Reader, message: Message) -> None:
        """RFC 8879.  It is not decompressed: its length says whether there is a certificate in it."""
        reader.take(2)
        if self._is_clients(message):
            self.client_sent_certificate = reader.number(3) > _EMPTY_CERTIFICATE

    def _certificate_status(self, reader: _Reader, message: Message) -> None:
        self.ocsp_response = _ocsp(reader)

    def _client_key_exchange(self, reader: _Reader, message: Message) -> None:
        if self._exchange.endswith("_PSK"):
            self.identity = reader.vector(2)

    @property
    def _exchange(self) -> str:
        """The key exchange of the cipher suite before TLS 1.3, for example ``TLS_ECDHE_RSA``; ``""`` if unknown."""
        suite = self._suites.get(self.cipher or 0)
        return "" if suite is None else suite.standard_name.partition("_WITH_")[0]

    def _server_key_exchange(self, reader: _Reader, message: Message) -> None:
        exchange = self._exchange
        if exchange.endswith("_PSK"):
            reader.vector(2)  # the hint for the identity, RFC 4279, 2
        if exchange.startswith(("TLS_ECDHE_", "TLS_ECDH_anon")):
            if reader.number(1) != _NAMED_CURVE:
                return
            self.group = reader.number(2)
            reader.vector(1)
        elif exchange.startswith(("TLS_DHE_", "TLS_DH_anon")):
            self.dh_bits = int.from_bytes(reader.vector(2), "big").bit_length()
            reader.vector(2)
            reader.vector(2)
        else:
            return
        if self.version == _TLS_1_2 and not exchange.endswith(("_anon", "_PSK")):
            self.server_signature_algorithm = reader.number(2)

    def _request(self, reader: _Reader, message: Message) -> None:
        if self._is_tls_1_3:
            reader.vector(1)
            extensions = reader.extensions()
            algorithms = _Reader(extensions[_SIGALGS]).vector(2) if _SIGALGS in extensions else b""
            authorities = _Reader(extensions[_AUTHORITIES]).vector(2) if _AUTHORITIES in extensions else b""
        else:
            reader.vector(1)
            algorithms = reader.vector(2) if self.version == _TLS_1_2 else b""
            authorities = reader.vector(2)
        count = sum(1 for _ in _Reader(authorities).vectors(2))
        self.certificate_request = CertificateRequest(_numbers(algorithms), count)

    def _certificate_verify(self, reader: _Reader, message: Message) -> None:
        if self.version is None or self.version < _TLS_1_2:
            return
        algorithm = reader.number(2)
        if self._is_clients(message):
            self.client_signature_algorithm = algorithm
        else:
            self.server_signature_algorithm = algorithm

    def _new_session_ticket(self, reader: _Reader, message: Message) -> None:
        lifetime, early_data = reader.number(4), 0
        if self._is_tls_1_3:
            reader.take(4)
            reader.vector(1)
            reader.vector(2)
            extensions = reader.extensions()
            early_data = _Reader(extensions[_EARLY_DATA]).number(4) if _EARLY_DATA in extensions else 0
        self.tickets.append(Ticket(lifetime, early_data))


_READERS = {
    "ClientHello": HandshakeFacts._client_hello,
    "ServerHello": HandshakeFacts._server_hello,
    "HelloRetryRequest": HandshakeFacts._server_hello,
    "EncryptedExtensions": HandshakeFacts._encrypted_extensions,
    "Certificate": HandshakeFacts._certificate,
    "CompressedCertificate": HandshakeFacts._compressed_certificate,
    "CertificateStatus": HandshakeFacts._certificate_status,
    "ClientKeyExchange": HandshakeFacts._client_key_exchange,
    "ServerKeyExchange": HandshakeFacts._server_key_exchange,
    "CertificateRequest": HandshakeFacts._request,
    "CertificateVerify": HandshakeFacts._certificate_verify,
    "NewSessionTicket": HandshakeFacts._new_session_ticket,
}


def _protocols(extension: bytes) -> tuple[str, ...]:
    return tuple(name.decode("latin-1") for name in _Reader(_Reader(extension).vector(2)).vectors(1))


def _offer(message: bytes) -> Offer:
    try:
        hello = ClientHello.parse(message)
        return Offer(
            _without_grease(hello.supported_versions),
            tuple(number for number in _without_grease(hello.ciphers) if number not in _SIGNALS),
            _without_grease(hello.groups),
            _without_grease(hello.signature_algorithms),
            tuple(name.decode("latin-1") for name in hello.alpn),
            _without_grease(each.type for each in hello.extensions),
            hello.server_name,
        )
    except DecodeError as error:
        raise _MalformedError from error


def _identity(message: bytes, chosen: int) -> bytes:
    """The identity of a pre-shared key, or the session ticket, that a ClientHello of TLS 1.3 offers at a place."""
    try:
        offered = _Reader(_Reader(ClientHello.parse(message).extension(_PRE_SHARED_KEY) or b"").vector(2))
    except DecodeError as error:
        raise _MalformedError from error
    for _ in range(chosen):
        offered.vector(2)
        offered.take(4)
    return offered.vector(2)


def _ocsp(reader: _Reader) -> bytes | None:
    return reader.vector(3) or None if reader.number(1) == _OCSP else None
