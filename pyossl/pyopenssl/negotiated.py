"""``Negotiated``: what a ``Connection`` negotiated with its peer, the certificates, and the secrets."""

from __future__ import annotations

import typing
from typing import TYPE_CHECKING, Literal

from pyossl.core.copying import Uncopied
from pyossl.pyopenssl.certificates import X509, X509Name
from pyossl.pyopenssl.constants import TLS1_3_VERSION
from pyossl.pyopenssl.exceptions import translate_methods, translated
from pyossl.tls.mutable.mutable_connection import MutableConnection
from pyossl.x509.certificate import Certificate
from pyossl.x509.cryptography_objects import cryptography

if TYPE_CHECKING:
    from cryptography import x509


class Negotiated(Uncopied):
    """What a ``Connection`` negotiated with its peer, the certificates, and the secrets."""

    if TYPE_CHECKING:
        _tls: MutableConnection

    # The handshake

    def get_servername(self) -> bytes | None:
        """The server's name that the client sent (SNI), None if it sent none.  SSL_get_servername(3)"""
        return self._tls.server_name

    def get_cipher_list(self) -> list[str]:
        """The names of the ciphers that may be used, the preferred one first.  SSL_get_cipher_list(3)"""
        return list(self._tls.cipher_list)

    def get_cipher_name(self) -> str | None:
        """The name of the cipher in use, None before it is negotiated.  SSL_CIPHER_get_name(3)"""
        return self._tls.cipher

    def get_cipher_bits(self) -> int | None:
        """How many secret bits the cipher in use has, None before it is negotiated.  SSL_CIPHER_get_bits(3)"""
        return self._tls.cipher_bits

    def get_cipher_version(self) -> str | None:
        """The protocol version that introduced the cipher in use, None before it is negotiated.

        SSL_CIPHER_get_version(3)
        """
        return self._tls.cipher_version

    def get_protocol_version_name(self) -> str:
        """The name of the protocol version, for example ``TLSv1.3``.  SSL_get_version(3)"""
        return self._tls.protocol_name

    def get_protocol_version(self) -> int:
        """The number of the protocol version, for example ``TLS1_3_VERSION``.  SSL_version(3)"""
        return self._tls.protocol_number

    def get_alpn_proto_negotiated(self) -> bytes:
        """The application protocol, for example ``b"h2"``; ``b""`` if none was negotiated.

        SSL_get0_alpn_selected(3)
        """
        return self._tls.alpn_selected

    def get_selected_srtp_profile(self) -> bytes:
        """The name of the SRTP profile, ``b""`` if none was negotiated.  SSL_get_selected_srtp_profile(3)"""
        return (self._tls.srtp_profile or "").encode()

    def get_group_name(self) -> str | None:
        """The name of the group of the key exchange, for example ``x25519``.

        None before it is negotiated, and for a server on OpenSSL 1.1.1.  SSL_get0_group_name(3)
        """
        return self._tls.group

    def get_state_string(self) -> bytes:
        """The state of the handshake as a text of OpenSSL.  SSL_state_string_long(3)"""
        return self._tls.state.encode()

    def server_random(self) -> bytes | None:
        """The random bytes of the ServerHello, None before the handshake has begun.  SSL_get_server_random(3)"""
        return self._tls.server_random

    def client_random(self) -> bytes | None:
        """The random bytes of the ClientHello, None before the handshake has begun.  SSL_get_client_random(3)"""
        return self._tls.client_random

    def master_key(self) -> bytes | None:
        """The master secret of the session, None before the handshake has begun.  SSL_SESSION_get_master_key(3)"""
        return self._tls.master_key

    def export_keying_material(self, label: bytes, olen: int, context: bytes | None = None) -> bytes:
        """Derives ``olen`` bytes from the connection's secrets, the same on both sides (RFC 5705).

        ``label`` names the purpose; ``context`` is mixed in if it is given, also if it is empty.  Raises ``Error``
        before the handshake is finished.  SSL_export_keying_material(3)
        """
        with translated:
            return self._tls.export_keying_material(label, olen, context)

    def get_finished(self) -> bytes | None:
        """The Finished message that was sent, None if there is none yet.  SSL_get_finished(3)"""
        return self._tls.finished

    def get_peer_finished(self) -> bytes | None:
        """The Finished message that the peer sent, None if there is none yet.  SSL_get_peer_finished(3)"""
        return self._tls.peer_finished

    def session_reused(self) -> bool:
        """Whether the handshake resumed a session.  Not in pyOpenSSL.  SSL_session_reused(3)"""
        return self._tls.session_reused

    def get_channel_binding(self, cb_type: str = "tls-unique") -> bytes | None:
        """The bytes that bind a login to this connection (RFC 5929, RFC 9266); None before the handshake is finished.

        ``cb_type`` is ``tls-exporter`` or ``tls-unique``.  Raises ``ValueError`` for another one, and for
        ``tls-unique`` in TLS 1.3, which does not have it.  Not in pyOpenSSL.  SSL_get_finished(3)
        """
        if cb_type not in ("tls-exporter", "tls-unique"):
            raise ValueError(f"{cb_type!r} channel binding type not implemented")
        if not self._tls.is_handshake_finished:
            return None
        if cb_type == "tls-exporter":
            return self.export_keying_material(b"EXPORTER-Channel-Binding", 32, b"")
        if self.get_protocol_version() == TLS1_3_VERSION:
            raise ValueError("TLS 1.3 has no tls-unique: ask for tls-exporter")
        return self._tls.tls_unique

    # Certificates

    @typing.overload
    def get_client_ca_list(self, *, as_cryptography: Literal[True]) -> list[x509.Name]: ...

    @typing.overload
    def get_client_ca_list(self, *, as_cryptography: Literal[False] = False) -> list[X509Name]: ...

    def get_client_ca_list(self, *, as_cryptography: bool = False) -> list[X509Name] | list[x509.Name]:
        """The names of the authorities that a server sends to its clients, or that a client got from its server.

        A list of ``X509Name``, or of ``cryptography``'s names if ``as_cryptography``.  SSL_get_client_CA_list(3)
        """
        names = self._tls.client_authorities
        if as_cryptography:
            return [cryptography("x509").Name.from_bytes(name.to_der()) for name in names]
        return [X509Name._of(name) for name in names]

    @typing.overload
    def get_certificate(self, *, as_cryptography: Literal[True]) -> x509.Certificate | None: ...

    @typing.overload
    def get_certificate(self, *, as_cryptography: Literal[False] = False) -> X509 | None: ...

    def get_certificate(self, *, as_cryptography: bool = False) -> X509 | x509.Certificate | None:
        """This side's certificate, None if there is none.

        An ``X509``, or an object of ``cryptography`` if ``as_cryptography``.  SSL_get_certificate(3)
        """
        return _x509_of(self._tls.certificate, as_cryptography)

    @typing.overload
    def get_peer_certificate(self, *, as_cryptography: Literal[True]) -> x509.Certificate | None: ...

    @typing.overload
    def get_peer_certificate(self, *, as_cryptography: Literal[False] = False) -> X509 | None: ...

    def get_peer_certificate(self, *, as_cryptography: bool = False) -> X509 | x509.Certificate | None:
        """The peer's certificate, None if it sent none.

        An ``X509``, or an object of ``cryptography`` if ``as_cryptography``.  SSL_get1_peer_certificate(3)
        """
        return _x509_of(self._tls.peer_certificate, as_cryptography)

    @typing.overload
    def get_peer_cert_chain(self, *, as_cryptography: Literal[True]) -> list[x509.Certificate] | None: ...

    @typing.overload
    def get_peer_cert_chain(self, *, as_cryptography: Literal[False] = False) -> list[X509] | None: ...

    def get_peer_cert_chain(self, *, as_cryptography: bool = False) -> list[X509] | list[x509.Certificate] | None:
        """The certificates that the peer sent, None if it sent none.

        A server's list lacks the client's own certificate.  A list of ``X509``, or of ``cryptography``'s objects if
        ``as_cryptography``.  SSL_get_peer_cert_chain(3)
        """
        chain = self._tls.peer_chain
        # On a server the chain lacks the client's own certificate, and may be empty.
        return _x509s_of(chain, as_cryptography) if chain or not self._tls.has_peer_chain else []

    @typing.overload
    def get_verified_chain(self, *, as_cryptography: Literal[True]) -> list[x509.Certificate] | None: ...

    @typing.overload
    def get_verified_chain(self, *, as_cryptography: Literal[False] = False) -> list[X509] | None: ...

    def get_verified_chain(self, *, as_cryptography: bool = False) -> list[X509] | list[x509.Certificate] | None:
        """The chain from the peer's certificate to a trusted one, None if none was verified.

        A list of ``X509``, or of ``cryptography``'s objects if ``as_cryptography``.  SSL_get0_verified_chain(3)
        """
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
