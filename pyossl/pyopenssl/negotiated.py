"""What a ``Connection`` tells of what has been agreed on with the peer, and of certificates."""

from __future__ import annotations

import typing
from typing import TYPE_CHECKING, Literal

from pyossl.core.copying import Uncopied
from pyossl.pyopenssl.certificates import X509, X509Name
from pyossl.pyopenssl.constants import TLS1_3_VERSION
from pyossl.pyopenssl.exceptions import translate_methods, translated
from pyossl.tls.mutable_connection import MutableConnection
from pyossl.x509.certificate import Certificate
from pyossl.x509.encoding import cryptography

if TYPE_CHECKING:
    from cryptography import x509


class Negotiated(Uncopied):
    """The questions that a ``Connection`` answers."""

    if TYPE_CHECKING:
        _tls: MutableConnection

    # What has been agreed on

    def get_servername(self) -> bytes | None:
        """The server's name that the client sent."""
        return self._tls.server_name

    def get_cipher_list(self) -> list[str]:
        """The ciphers that may be used."""
        return list(self._tls.cipher_list)

    def get_cipher_name(self) -> str | None:
        """The cipher's name."""
        return self._tls.cipher

    def get_cipher_bits(self) -> int | None:
        """How many secret bits the cipher has."""
        return self._tls.cipher_bits

    def get_cipher_version(self) -> str | None:
        """The version that the cipher came with."""
        return self._tls.cipher_version

    def get_protocol_version_name(self) -> str:
        """Such as ``TLSv1.3``."""
        return self._tls.protocol_name

    def get_protocol_version(self) -> int:
        """Such as ``TLS1_3_VERSION``."""
        return self._tls.protocol_number

    def get_alpn_proto_negotiated(self) -> bytes:
        """The application protocol, ``b""`` without one."""
        return self._tls.alpn_selected

    def get_selected_srtp_profile(self) -> bytes:
        """The SRTP profile, ``b""`` without one."""
        return self._tls.srtp_profile

    def get_group_name(self) -> str | None:
        """The key exchange's group."""
        return self._tls.group

    def get_state_string(self) -> bytes:
        """Where the handshake is, in OpenSSL's words."""
        return self._tls.state.encode()

    def server_random(self) -> bytes | None:
        """The random of the ServerHello."""
        return self._tls.server_random

    def client_random(self) -> bytes | None:
        """The random of the ClientHello."""
        return self._tls.client_random

    def master_key(self) -> bytes | None:
        """The session's secret."""
        return self._tls.master_key

    def export_keying_material(self, label: bytes, olen: int, context: bytes | None = None) -> bytes:
        """RFC 5705's exporter."""
        with translated:
            return self._tls.export_keying_material(label, olen, context)

    def get_finished(self) -> bytes | None:
        """The Finished message that was sent."""
        return self._tls.finished

    def get_peer_finished(self) -> bytes | None:
        """The Finished message that the peer sent."""
        return self._tls.peer_finished

    def session_reused(self) -> bool:
        """Whether the handshake resumed a session.  Not in pyOpenSSL."""
        return self._tls.session_reused

    def get_channel_binding(self, cb_type: str = "tls-unique") -> bytes | None:
        """What binds a login to this connection, ``tls-exporter`` or ``tls-unique``; None before the handshake ends.

        Raises ``ValueError`` for another type, and for ``tls-unique`` in TLS 1.3, which has none.  Not in pyOpenSSL.
        """
        if cb_type not in ("tls-exporter", "tls-unique"):
            raise ValueError(f"{cb_type!r} channel binding type not implemented")
        if not self._tls.is_handshake_finished:
            return None
        if cb_type == "tls-exporter":
            return self.export_keying_material(b"EXPORTER-Channel-Binding", 32, b"")
        if self.get_protocol_version() == TLS1_3_VERSION:
            raise ValueError("TLS 1.3 has no tls-unique: ask for tls-exporter")
        # The first Finished of the handshake: the client's, or the server's where a session is resumed.
        return self.get_finished() if self._tls.is_client != self._tls.session_reused else self.get_peer_finished()

    # Certificates

    @typing.overload
    def get_client_ca_list(self, *, as_cryptography: Literal[True]) -> list[x509.Name]: ...

    @typing.overload
    def get_client_ca_list(self, *, as_cryptography: Literal[False] = False) -> list[X509Name]: ...

    def get_client_ca_list(self, *, as_cryptography: bool = False) -> list[X509Name] | list[x509.Name]:
        """Whom a server names to its clients, or a client was told of."""
        names = self._tls.client_authorities
        if as_cryptography:
            return [cryptography("x509").Name.from_bytes(name.to_der()) for name in names]
        return [X509Name._of(name) for name in names]

    @typing.overload
    def get_certificate(self, *, as_cryptography: Literal[True]) -> x509.Certificate | None: ...

    @typing.overload
    def get_certificate(self, *, as_cryptography: Literal[False] = False) -> X509 | None: ...

    def get_certificate(self, *, as_cryptography: bool = False) -> X509 | x509.Certificate | None:
        """The connection's own certificate."""
        return _x509_of(self._tls.certificate, as_cryptography)

    @typing.overload
    def get_peer_certificate(self, *, as_cryptography: Literal[True]) -> x509.Certificate | None: ...

    @typing.overload
    def get_peer_certificate(self, *, as_cryptography: Literal[False] = False) -> X509 | None: ...

    def get_peer_certificate(self, *, as_cryptography: bool = False) -> X509 | x509.Certificate | None:
        """The peer's certificate."""
        return _x509_of(self._tls.peer_certificate, as_cryptography)

    @typing.overload
    def get_peer_cert_chain(self, *, as_cryptography: Literal[True]) -> list[x509.Certificate] | None: ...

    @typing.overload
    def get_peer_cert_chain(self, *, as_cryptography: Literal[False] = False) -> list[X509] | None: ...

    def get_peer_cert_chain(self, *, as_cryptography: bool = False) -> list[X509] | list[x509.Certificate] | None:
        """The certificates that the peer sent."""
        chain = self._tls.peer_chain
        # A server's view leaves the client's own certificate out, and may be of none.
        return _x509s_of(chain, as_cryptography) if chain or not self._tls.has_peer_chain else []

    @typing.overload
    def get_verified_chain(self, *, as_cryptography: Literal[True]) -> list[x509.Certificate] | None: ...

    @typing.overload
    def get_verified_chain(self, *, as_cryptography: Literal[False] = False) -> list[X509] | None: ...

    def get_verified_chain(self, *, as_cryptography: bool = False) -> list[X509] | list[x509.Certificate] | None:
        """The chain that was built and verified."""
        return _x509s_of(self._tls.verified_chain, as_cryptography)


def _x509_of(certificate: Certificate | None, as_cryptography: bool) -> X509 | x509.Certificate | None:
    if certificate is None:
        return None
    found = X509._of(certificate)
    return found.to_cryptography() if as_cryptography else found


def _x509s_of(chain: tuple[Certificate, ...], as_cryptography: bool) -> list[X509] | list[x509.Certificate] | None:
    if not chain:
        return None
    found = [X509._of(certificate) for certificate in chain]
    return [each.to_cryptography() for each in found] if as_cryptography else found


translate_methods(Negotiated)
