"""Contexts: what connections made from one have in common.  SSL_CTX_new(3)

A context is complete when it has been made, and freezes at its first connection: OpenSSL lets a program change an
SSL_CTX under the feet of the SSLs made from it, and says that it must not.
"""

from __future__ import annotations

import enum
import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pyossl._lib import ffi, lib, own
from pyossl.errors import Error, UsageError, check, check_ptr, failed
from pyossl.keys import Password, PrivateKey, Source, describe
from pyossl.outcome import take_records
from pyossl.x509 import Certificate, Store, Trust, load_certificates

if TYPE_CHECKING:
    import socket

    from pyossl.message import Message
    from pyossl.sockets import Socket


class Version(enum.IntEnum):
    """A version of the protocol, by its number on the wire.  SSL_CTX_set_min_proto_version(3)"""

    TLSv1 = lib.TLS1_VERSION
    TLSv1_1 = lib.TLS1_1_VERSION
    TLSv1_2 = lib.TLS1_2_VERSION
    TLSv1_3 = lib.TLS1_3_VERSION


CertificateSource = Source | Certificate | Sequence[Certificate]
ClientVerification = bool | Literal["optional"]

_FLOOR = Version.TLSv1_2
_OPTIONS = lib.SSL_OP_NO_COMPRESSION | lib.SSL_OP_NO_RENEGOTIATION
_MODES = lib.SSL_MODE_ENABLE_PARTIAL_WRITE | lib.SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | lib.SSL_MODE_AUTO_RETRY
_LONGEST_PROTOCOL = 255


class Context:
    """What the connections of one client or one server have in common.  SSL_CTX_new(3)

    Made by ``Context.client`` or ``Context.server``.  The system's policy (openssl.cnf, security level) holds;
    on top of it TLS 1.2 is the floor, and there is no compression and no renegotiation.  It may be used by any number
    of threads at once.
    """

    def __init__(self, *, is_server: bool) -> None:
        method = lib.TLS_server_method() if is_server else lib.TLS_client_method()
        take_records()
        self._ctx = own(check_ptr(lib.SSL_CTX_new(method), "SSL_CTX_new"), lib.SSL_CTX_free)
        self.is_server = is_server
        self.verifies = False
        self.checks_hostname = False
        self._frozen = False
        self._alpn: Any = None
        lib.SSL_CTX_set_options(self._ctx, _OPTIONS)
        lib.SSL_CTX_set_mode(self._ctx, _MODES)
        policy = lib.SSL_CTX_get_min_proto_version(self._ctx)
        self._set_versions(max(policy, _FLOOR), None)

    @classmethod
    def client(
        cls,
        *,
        trust: Trust = None,
        certificate: CertificateSource | None = None,
        private_key: Source | PrivateKey | None = None,
        password: Password | None = None,
        alpn: Iterable[str] = (),
        minimum_version: Version | None = None,
        maximum_version: Version | None = None,
        verify: bool = True,
        check_hostname: bool = True,
    ) -> Context:
        """A client's context, which verifies the server's certificate and its name.

        ``trust`` is None for the system's trust store, else a file, a directory, PEM or DER bytes, a ``Certificate``,
        or several of these.  ``certificate`` (with its chain) and ``private_key`` are for servers that ask for one;
        ``password`` opens the key.  ``alpn`` names the protocols offered, the preferred one first.

        ``verify=False`` accepts any certificate of anybody; ``check_hostname=False`` accepts one that is trusted but
        for another name.  Raises ``OSError`` for a file that cannot be read, ``DecodeError`` for one that is
        malformed, ``ValueError`` or ``TypeError`` for an argument that cannot be.  SSL_CTX_set_verify(3)
        """
        context = cls(is_server=False)
        context._set_verification(lib.SSL_VERIFY_PEER if verify else lib.SSL_VERIFY_NONE)
        context.checks_hostname = verify and check_hostname
        if verify or trust is not None:
            context._set_trust(Store.of(trust))
        context._configure(certificate, private_key, password, alpn, minimum_version, maximum_version)
        return context

    @classmethod
    def server(
        cls,
        certificate: CertificateSource,
        private_key: Source | PrivateKey,
        *,
        password: Password | None = None,
        trust: Trust = None,
        verify: ClientVerification = False,
        alpn: Iterable[str] = (),
        minimum_version: Version | None = None,
        maximum_version: Version | None = None,
    ) -> Context:
        """A server's context.

        ``certificate`` is the server's own followed by its chain, a PEM file or bytes or ``Certificate`` objects.
        ``verify=True`` asks clients for a certificate and refuses those without; ``"optional"`` lets them come
        without; either needs ``trust``, because the system's trust store would let in whoever has any public
        certificate.  With ``alpn``, in the server's order, a client that offers none of the protocols is refused.

        Raises as ``Context.client`` does.  SSL_CTX_set_verify(3)
        """
        if verify not in (True, False, "optional"):
            raise ValueError(f"verify is True, False or 'optional', not {verify!r}")
        if verify and trust is None:
            raise ValueError("verify needs trust: whose certificates are clients to show?")
        context = cls(is_server=True)
        if verify:
            required = 0 if verify == "optional" else lib.SSL_VERIFY_FAIL_IF_NO_PEER_CERT
            context._set_verification(lib.SSL_VERIFY_PEER | required)
        if trust is not None:
            context._set_trust(Store.of(trust))
        # A server that verifies clients and gives no session id context refuses every resumption.
        check(
            lib.SSL_CTX_set_session_id_context(context._ctx, b"pyossl", len(b"pyossl")),
            "SSL_CTX_set_session_id_context",
        )
        context._configure(certificate, private_key, password, alpn, minimum_version, maximum_version)
        return context

    socket_face: ClassVar[Callable[..., Socket]]
    """Who makes a ``Socket``: pyossl/sockets.py, a floor above, which a context must not import."""

    def wrap_socket(
        self,
        sock: socket.socket,
        server_hostname: str | None = None,
        *,
        handshake: bool = True,
        message_callback: Callable[[Message], object] | None = None,
    ) -> Socket:
        """TLS over a connected stream socket, which the ``Socket`` owns from now on, and whose timeout it takes over.

        With ``handshake`` the handshake is finished here; otherwise the first call does it.  When it fails the socket
        is closed, and the error of ``Connection.handshake`` raised.  SSL_set_fd(3)
        """
        return self.socket_face(self, sock, server_hostname, handshake=handshake, message_callback=message_callback)

    def _configure(
        self,
        certificate: CertificateSource | None,
        private_key: Source | PrivateKey | None,
        password: Password | None,
        alpn: Iterable[str],
        minimum_version: Version | None,
        maximum_version: Version | None,
    ) -> None:
        self._set_versions(minimum_version, maximum_version)
        if (certificate is None) != (private_key is None):
            raise ValueError("certificate and private_key go together: one of them is missing")
        if certificate is not None and private_key is not None:
            self._set_credentials(certificate, private_key, password)
        if protocols := _protocols(alpn):
            self._set_alpn(protocols)

    def _set_verification(self, mode: int) -> None:
        lib.SSL_CTX_set_verify(self._ctx, mode, ffi.NULL)
        self.verifies = mode != lib.SSL_VERIFY_NONE

    def _set_trust(self, store: Store) -> None:
        lib.SSL_CTX_set1_cert_store(self._ctx, store._store)

    def _set_versions(self, minimum: int | None, maximum: int | None) -> None:
        if minimum is not None and maximum is not None and minimum > maximum:
            raise ValueError(f"the minimum version {minimum!r} is above the maximum version {maximum!r}")
        if minimum is not None:
            check(
                lib.SSL_CTX_set_min_proto_version(self._ctx, Version(minimum)),
                f"setting the minimum version {Version(minimum).name}",
            )
        if maximum is not None:
            if minimum is None and maximum < lib.SSL_CTX_get_min_proto_version(self._ctx):
                raise ValueError(
                    f"the maximum version {Version(maximum).name} is below the minimum: say minimum_version too"
                )
            check(
                lib.SSL_CTX_set_max_proto_version(self._ctx, Version(maximum)),
                f"setting the maximum version {Version(maximum).name}",
            )

    def _set_credentials(
        self, certificate: CertificateSource, private_key: Source | PrivateKey, password: Password | None
    ) -> None:
        chain = _chain(certificate)
        key = private_key if isinstance(private_key, PrivateKey) else PrivateKey.load(private_key, password)
        take_records()
        check(lib.SSL_CTX_use_certificate(self._ctx, chain[0]._x509), "using the certificate")
        if lib.X509_check_private_key(chain[0]._x509, key._key) != 1:
            named = "" if isinstance(private_key, PrivateKey) else f" in {describe(private_key)}"
            raise _mismatch(f"the private key{named} does not belong to the certificate {chain[0].subject!r}")
        check(lib.SSL_CTX_use_PrivateKey(self._ctx, key._key), "using the private key")
        check(lib.SSL_CTX_clear_chain_certs(self._ctx), "SSL_CTX_clear_chain_certs")
        for issuer in chain[1:]:
            check(lib.SSL_CTX_add1_chain_cert(self._ctx, issuer._x509), "adding a certificate of the chain")

    def _set_alpn(self, protocols: bytes) -> None:
        if self.is_server:
            buffer = ffi.new("unsigned char[]", protocols)
            self._alpn = ffi.new("pyossl_alpn *", {"protocols": buffer, "length": len(protocols)}), buffer
            lib.pyossl_set_alpn_select(self._ctx, self._alpn[0])
        elif lib.SSL_CTX_set_alpn_protos(self._ctx, protocols, len(protocols)) != 0:
            raise failed("SSL_CTX_set_alpn_protos")

    def _freeze(self) -> Any:
        """The ``SSL_CTX *``, for a connection: no change from now on."""
        self._frozen = True
        return self._ctx

    def _change(self) -> None:
        if self._frozen:
            raise UsageError("this context is frozen: a connection has been made from it")

    @property
    def minimum_version(self) -> Version:
        """The oldest version that connections may come to.  SSL_CTX_get_min_proto_version(3)"""
        return Version(lib.SSL_CTX_get_min_proto_version(self._ctx))

    @minimum_version.setter
    def minimum_version(self, version: Version) -> None:
        self._change()
        self._set_versions(version, self.maximum_version)

    @property
    def maximum_version(self) -> Version | None:
        """The newest version that connections may come to, None for the newest there is.

        SSL_CTX_get_max_proto_version(3)
        """
        version = lib.SSL_CTX_get_max_proto_version(self._ctx)
        return Version(version) if version else None

    @maximum_version.setter
    def maximum_version(self, version: Version) -> None:
        self._change()
        self._set_versions(None, version)

    @property
    def security_level(self) -> int:
        """The security level that the system's policy set, 0 to 5.  SSL_CTX_get_security_level(3)"""
        return lib.SSL_CTX_get_security_level(self._ctx)

    def __repr__(self) -> str:
        return f"<Context {'server' if self.is_server else 'client'}{'' if self.verifies else ' that verifies nobody'}>"


def _mismatch(message: str) -> Error:
    take_records()
    return Error(message)


def _chain(certificate: CertificateSource) -> Sequence[Certificate]:
    if isinstance(certificate, Certificate):
        return (certificate,)
    if isinstance(certificate, (str, bytes, os.PathLike)):
        return load_certificates(certificate)
    chain = tuple(certificate)
    for each in chain:
        if not isinstance(each, Certificate):
            raise TypeError(f"a chain is made of Certificate objects, not {type(each).__name__}")
    if not chain:
        raise ValueError("the chain is empty")
    return chain


def _protocols(alpn: Iterable[str]) -> bytes:
    """The protocols in SSL_CTX_set_alpn_protos(3)'s format."""
    if isinstance(alpn, (str, bytes)):
        raise TypeError(f"alpn is a sequence of protocol names, not one {type(alpn).__name__}")
    out = bytearray()
    for protocol in alpn:
        name = protocol.encode("ascii")
        if not 1 <= len(name) <= _LONGEST_PROTOCOL:
            raise ValueError(f"an ALPN protocol has 1 to {_LONGEST_PROTOCOL} characters: {protocol!r}")
        out += bytes([len(name)]) + name
    if len(out) > 0xFFFF:
        raise ValueError(f"the ALPN protocols take {len(out)} bytes together, more than 65535")
    return bytes(out)
