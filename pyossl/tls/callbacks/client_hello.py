"""The ClientHello: its fields, its extensions in their order, and its JA3 and JA4 fingerprints.

This module only reads bytes, and does not need a connection.  A ``message_callback`` gets these bytes on both sides.

The forms in which a ClientHello comes
--------------------------------------
``ClientHello.parse`` tells them apart by the bytes themselves:

- The handshake message, as a message callback gets it and as QUIC carries it: type 1 and a length of 24 bits.  DTLS
  adds a sequence number, and the offset and the length of a fragment.
- The records that carry the message, as they are on the wire: content type 22.

In DTLS the version has the first byte 0xFE, in TLS 0x03.  Only QUIC has the extension quic_transport_parameters
(RFC 9001, 8.2).  JA4 needs to know which of the three it is.

Fingerprints
------------
A fingerprint is made of what depends on the client's program, and not of what is new in each connection.  JA3 keeps the
order of the extensions; JA4 sorts ciphers and extensions, because browsers send the extensions in random order.  Both
leave out GREASE, which are random values that a client adds so that servers get used to unknown ones (RFC 8701).
"""

from __future__ import annotations

from typing import NamedTuple

from pyossl.core.arguments import flag, octets
from pyossl.core.errors import DecodeError

_CLIENT_HELLO, _HANDSHAKE = 1, 22
_TLS, _DTLS, _QUIC = "t", "d", "q"
_RANDOM_SIZE = 32

_SERVER_NAME, _GROUPS, _POINT_FORMATS, _SIGNATURE_ALGORITHMS, _ALPN = 0, 10, 11, 13, 16
_SUPPORTED_VERSIONS, _QUIC_TRANSPORT_PARAMETERS = 43, 57
_HOST_NAME = 0

_JA4_VERSIONS = {
    0x0002: "s2",
    0x0300: "s3",
    0x0301: "10",
    0x0302: "11",
    0x0303: "12",
    0x0304: "13",
    0xFEFF: "d1",
    0xFEFD: "d2",
    0xFEFC: "d3",
}
_JA4_DIGITS, _JA4_MOST, _JA4_NONE = 12, 99, "0" * 12


class ClientHelloExtension(NamedTuple):
    """One extension of a ``ClientHello``.  SSL_client_hello_get0_ext(3)"""

    type: int
    data: bytes


ClientHelloExtension.type.__doc__ = "The number of the extension, for example 16 for ALPN."
ClientHelloExtension.data.__doc__ = "The bytes of the extension, without type and length."


class ClientHello(NamedTuple):
    """The first message of a client.  SSL_client_hello_get0_ciphers(3)

    A tuple of the message's own fields.  The properties read one extension each: they are empty or None if the client
    did not send it, and raise ``DecodeError`` if it is malformed.  ``ja3`` and ``ja4`` return fingerprints.  GREASE
    values (RFC 8701) are in the fields and properties, and not in the fingerprints.
    """

    protocol: str
    version: int
    random: bytes
    session_id: bytes
    ciphers: tuple[int, ...]
    compression_methods: bytes
    extensions: tuple[ClientHelloExtension, ...]

    @classmethod
    def parse(cls, data: bytes) -> ClientHello:
        """Reads a ClientHello from ``data``: the ``bytes`` of the handshake message, or of the records that carry it.

        ``Message.data`` of a message callback is such a message.  TLS, DTLS and QUIC (the contents of its CRYPTO
        frames) are told apart by their bytes.  A message may be divided among several records of TLS, but not among
        several fragments of DTLS.  Raises ``DecodeError`` if the message is malformed, incomplete, or another one, and
        if bytes follow it.
        """
        reader = _Reader(_handshake_message(octets(data, "a ClientHello")), "the ClientHello")
        version = reader.number(2)
        random, session_id = reader.take(_RANDOM_SIZE), reader.vector(1)
        protocol = _DTLS if version >> 8 == 0xFE else _TLS
        if protocol == _DTLS:
            reader.vector(1)  # the cookie
        ciphers = _numbers(reader.vector(2), 2, "the list of ciphers")
        compression_methods = reader.vector(1)
        extensions = _extensions(reader.vector(2)) if reader.rest else ()
        reader.end()
        if protocol == _TLS and any(each.type == _QUIC_TRANSPORT_PARAMETERS for each in extensions):
            protocol = _QUIC
        return cls(protocol, version, random, session_id, ciphers, compression_methods, extensions)

    def extension(self, type: int) -> bytes | None:
        """The bytes of the first extension with the number ``type``; None if there is none.

        SSL_client_hello_get0_ext(3)
        """
        return next((each.data for each in self.extensions if each.type == type), None)

    @property
    def server_name(self) -> str | None:
        """The name of the server (SNI), or None.  Bytes outside ASCII are written as backslash escapes.

        SSL_get_servername(3)
        """
        reader = self._list_in(_SERVER_NAME, "server_name", 2)
        while reader is not None and reader.rest:
            kind, name = reader.number(1), reader.vector(2)
            if kind == _HOST_NAME:
                return name.decode("ascii", "backslashreplace")
        return None

    @property
    def supported_versions(self) -> tuple[int, ...]:
        """The versions that the client supports, as numbers on the wire; without the extension, ``version`` alone."""
        if self.extension(_SUPPORTED_VERSIONS) is None:
            return (self.version,)
        return self._numbers_in(_SUPPORTED_VERSIONS, "supported_versions", 1, 2)

    @property
    def groups(self) -> tuple[int, ...]:
        """The groups of the key exchange, by number, in the client's order.  SSL_get1_groups(3)"""
        return self._numbers_in(_GROUPS, "supported_groups", 2, 2)

    @property
    def point_formats(self) -> tuple[int, ...]:
        """The formats of points on elliptic curves, by number.  SSL_get0_ec_point_formats(3)"""
        return self._numbers_in(_POINT_FORMATS, "ec_point_formats", 1, 1)

    @property
    def signature_algorithms(self) -> tuple[int, ...]:
        """The signature algorithms, by number, in the client's order.  SSL_get_sigalgs(3)"""
        return self._numbers_in(_SIGNATURE_ALGORITHMS, "signature_algorithms", 2, 2)

    @property
    def alpn(self) -> tuple[bytes, ...]:
        """The application protocols, in the client's order.  SSL_CTX_set_alpn_select_cb(3)"""
        reader = self._list_in(_ALPN, "application_layer_protocol_negotiation", 2)
        names = []
        while reader is not None and reader.rest:
            names.append(reader.vector(1))
        return tuple(names)

    def ja3(self, *, raw: bool = False) -> str:
        """The JA3 fingerprint: the MD5 of ``version,ciphers,extensions,groups,point formats``, in hexadecimal.

        With ``raw``, it is that text itself.  Raises ``DecodeError`` if an extension that it needs is malformed.
        """
        flag(raw, "raw")
        lists = (self.ciphers, (each.type for each in self.extensions), self.groups, self.point_formats)
        text = ",".join(
            [str(self.version), *("-".join(str(each) for each in numbers if not is_grease(each)) for numbers in lists)]
        )
        if raw:
            return text
        import hashlib  # it loads Python's own OpenSSL

        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    def ja4(self, *, raw: bool = False, original_order: bool = False) -> str:
        """The JA4 fingerprint, for example ``t13d1516h2_8daaf6152771_e5627efa2ab1``.

        - ``raw``: the lists themselves instead of the first 12 digits of their SHA-256, which JA4 calls JA4_r.
        - ``original_order``: ciphers and extensions in the client's order, with SNI and ALPN, which JA4 calls JA4_o; or
          JA4_ro together with ``raw``.

        Raises ``DecodeError`` if an extension that it needs is malformed.
        """
        flag(raw, "raw")
        flag(original_order, "original_order")
        ciphers = [each for each in self.ciphers if not is_grease(each)]
        types = [each.type for each in self.extensions if not is_grease(each.type)]
        signatures = [each for each in self.signature_algorithms if not is_grease(each)]
        start = (
            f"{self.protocol}{self._ja4_version()}{'i' if self.extension(_SERVER_NAME) is None else 'd'}"
            f"{min(len(ciphers), _JA4_MOST):02}{min(len(types), _JA4_MOST):02}{self._ja4_alpn()}"
        )
        if not original_order:
            ciphers.sort()
            types = sorted(each for each in types if each not in (_SERVER_NAME, _ALPN))
        extensions = "_".join(filter(None, (_hexadecimal(types), _hexadecimal(signatures))))
        parts = (_hexadecimal(ciphers), extensions)
        return "_".join((start, *(parts if raw else map(_ja4_digest, parts))))

    def _ja4_version(self) -> str:
        newest = min if self.protocol == _DTLS else max  # the numbers of DTLS decrease
        version = newest((each for each in self.supported_versions if not is_grease(each)), default=0)
        return _JA4_VERSIONS.get(version, "00")

    def _ja4_alpn(self) -> str:
        first = next(iter(self.alpn), b"")
        if not first:
            return "00"
        ends = first[:1] + first[-1:]
        text = ends.decode("ascii") if ends.isalnum() else first.hex()
        return text[0] + text[-1]

    def _list_in(self, type: int, name: str, length_size: int) -> _Reader | None:
        """A reader of the one list that an extension consists of; None without the extension."""
        data = self.extension(type)
        if data is None:
            return None
        reader = _Reader(data, f"the extension {name} of the ClientHello")
        found = reader.vector(length_size)
        reader.end()
        if not found:
            raise DecodeError(f"{reader.what} is malformed: its list is empty")
        return _Reader(found, reader.what)

    def _numbers_in(self, type: int, name: str, length_size: int, size: int) -> tuple[int, ...]:
        reader = self._list_in(type, name, length_size)
        return () if reader is None else _numbers(reader.take(reader.rest), size, reader.what)


ClientHello.protocol.__doc__ = "``t`` for TLS, ``d`` for DTLS, ``q`` for QUIC, as in JA4."
ClientHello.version.__doc__ = "The field ``legacy_version``: 0x0303 since TLS 1.2."
ClientHello.random.__doc__ = "32 random bytes."
ClientHello.session_id.__doc__ = "The session to resume; in TLS 1.3, random bytes."
ClientHello.ciphers.__doc__ = "The cipher suites, by number, in the client's order."
ClientHello.compression_methods.__doc__ = "The compression methods, one byte each: 0 for none."
ClientHello.extensions.__doc__ = "The extensions, in the client's order, with their bytes."


def is_grease(value: int) -> bool:
    """Whether a cipher, an extension, a group, an algorithm or a version is a GREASE value.  RFC 8701, 2"""
    return value & 0x0F0F == 0x0A0A and value >> 8 == value & 0xFF


class _Reader:
    """Reads numbers and vectors from bytes, and raises ``DecodeError`` at their end."""

    def __init__(self, data: bytes, what: str) -> None:
        self._data, self._at, self.what = data, 0, what

    @property
    def rest(self) -> int:
        """The number of bytes that are left."""
        return len(self._data) - self._at

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes."""
        if count > self.rest:
            raise DecodeError(f"{self.what} is cut short: it needs {count} more bytes and has {self.rest}")
        self._at += count
        return self._data[self._at - count : self._at]

    def number(self, size: int) -> int:
        """The next ``size`` bytes as a number."""
        return int.from_bytes(self.take(size), "big")

    def vector(self, length_size: int) -> bytes:
        """The next vector, whose length has ``length_size`` bytes."""
        return self.take(self.number(length_size))

    def end(self) -> None:
        """Raises ``DecodeError`` if bytes are left."""
        if self.rest:
            raise DecodeError(f"{self.what} is malformed: {self.rest} bytes follow it")


def _numbers(data: bytes, size: int, what: str) -> tuple[int, ...]:
    if len(data) % size:
        raise DecodeError(f"{what} is malformed: it has {len(data)} bytes, in numbers of {size} bytes")
    return tuple(int.from_bytes(data[at : at + size], "big") for at in range(0, len(data), size))


def _extensions(data: bytes) -> tuple[ClientHelloExtension, ...]:
    reader = _Reader(data, "the list of extensions of the ClientHello")
    found = []
    while reader.rest:
        found.append(ClientHelloExtension(reader.number(2), reader.vector(2)))
    return tuple(found)


def _handshake_message(data: bytes) -> bytes:
    """The body of the ClientHello in a handshake message, or in records."""
    if data[:1] == bytes([_HANDSHAKE]):
        data = _contents_of_records(data)
    reader = _Reader(data, "the handshake message")
    kind = reader.number(1)
    if kind != _CLIENT_HELLO:
        raise DecodeError(f"not a ClientHello, but a handshake message or other data that begins with {kind}")
    length = reader.number(3)
    if _is_dtls_fragment(data):
        reader.take(2)  # the number of the message
        if reader.number(3) != 0 or reader.number(3) != length:
            raise DecodeError("the ClientHello is only one of several fragments")
    body = reader.take(length)
    reader.end()
    return body


def _is_dtls_fragment(message: bytes) -> bool:
    """Whether a handshake message has the header of DTLS.  In TLS the version follows the length."""
    return message[4:5] != b"\x03" and message[12:13] == b"\xfe"


def _contents_of_records(data: bytes) -> bytes:
    reader = _Reader(data, "the record of the ClientHello")
    contents = []
    while reader.rest:
        kind, version = reader.number(1), reader.number(2)
        if kind != _HANDSHAKE or version >> 8 not in (0x03, 0xFE):
            raise DecodeError(f"not a record of a ClientHello: its type is {kind} and its version {version:#06x}")
        if version >> 8 == 0xFE:
            reader.take(8)  # the epoch and the number of the record
        contents.append(reader.vector(2))
    return b"".join(contents)


def _hexadecimal(numbers: list[int]) -> str:
    return ",".join(f"{each:04x}" for each in numbers)


def _ja4_digest(text: str) -> str:
    if not text:
        return _JA4_NONE
    import hashlib  # it loads Python's own OpenSSL

    return hashlib.sha256(text.encode()).hexdigest()[:_JA4_DIGITS]
