"""Contexts: what connections made from one have in common.  SSL_CTX_new(3)

A context is complete when it has been made, and freezes at its first connection: OpenSSL lets a program change an
SSL_CTX under the feet of the SSLs made from it, and says that it must not.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pyossl.core.arguments import LARGEST_INT, email_address, flag, function, instance, instances, integer, iterated
from pyossl.core.binding import ffi, lib, own
from pyossl.core.errors import Error, UsageError, check, check_ptr, failed
from pyossl.core.flags import Options, VerifyFlags
from pyossl.core.outcome import take_records
from pyossl.tls.callbacks import (
    ALPNCallback,
    ContextCallbacks,
    InfoCallback,
    KeylogCallback,
    NewSessionCallback,
    ServernameCallback,
    VerifyCallback,
)
from pyossl.tls.session_cache import SessionCache
from pyossl.tls.settings import DEFAULT_MODES, Version
from pyossl.x509.certificate import Certificate, borrowed, load_certificates
from pyossl.x509.encoding import Source, describe
from pyossl.x509.keys import PrivateKey
from pyossl.x509.names import Name, names_in, stack_of_names
from pyossl.x509.passwords import Password
from pyossl.x509.store import Store, Trust, purpose_number, seconds_of

if TYPE_CHECKING:
    import socket

    from pyossl.sockets.socket import Socket
    from pyossl.tls.message import Message
    from pyossl.tls.session import Session


CertificateSource = Source | Certificate | Sequence[Certificate]
ClientVerification = bool | Literal["optional"]

_FLOOR = Version.TLSv1_2
_OPTIONS = Options.NO_COMPRESSION | Options.NO_RENEGOTIATION
_LONGEST_PROTOCOL = 255


class Context(SessionCache):
    """What the connections of one client or one server have in common.  SSL_CTX_new(3)

    Made by ``Context.client`` or ``Context.server``.  The system's policy (openssl.cnf, security level) holds;
    on top of it TLS 1.2 is the floor, and there is no compression and no renegotiation.  It may be used by any number
    of threads at once.
    """

    # A setting whose name is misspelt must be an error, not an attribute that nobody reads.
    __slots__ = (
        "__weakref__",
        "_alpn",
        "_callbacks",
        "_configured",
        "_ctx",
        "_frozen",
        "_is_server",
        "_purpose",
        "_sessions",
        "_trust",
        "_verify_time",
        "_wants_hostname",
    )

    def __init__(self, *, is_server: bool) -> None:
        self._check_new()
        flag(is_server, "is_server")
        method = lib.TLS_server_method() if is_server else lib.TLS_client_method()
        take_records()
        self._ctx = own(check_ptr(lib.SSL_CTX_new(method), "SSL_CTX_new"), lib.SSL_CTX_free)
        self._is_server = is_server
        self._wants_hostname = not is_server
        self._frozen = False
        self._alpn: Any = None
        self._trust: Store | None = None
        self._configured = []
        self._groups = None
        self._keeps_default = True
        self._session_id_context = self._sessions = b""
        self._purpose: str | None = None
        self._verify_time: int | None = None
        self._callbacks = ContextCallbacks()
        lib.SSL_CTX_set_options(self._ctx, _OPTIONS)
        lib.SSL_CTX_set_mode(self._ctx, DEFAULT_MODES)
        lib.SSL_CTX_set_default_passwd_cb(self._ctx, lib.pyossl_password_callback)
        policy = lib.SSL_CTX_get_min_proto_version(self._ctx)
        self._set_versions(max(policy, _FLOOR), None)

    def _check_new(self) -> None:
        if hasattr(self, "_ctx"):
            raise UsageError("this context has been made already: it does not change into another")

    @classmethod
    def client(
        cls,
        *,
        trust: Trust | Store = None,
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
        for another name.  Both are True or False and nothing that only counts as such.  Raises ``OSError`` for a file
        that cannot be read, ``DecodeError`` for one that is malformed, ``ValueError`` or ``TypeError`` for an argument
        that cannot be.  SSL_CTX_set_verify(3)
        """
        flag(verify, "verify")
        flag(check_hostname, "check_hostname")
        context = cls(is_server=False)
        context._set_verification(lib.SSL_VERIFY_PEER if verify else lib.SSL_VERIFY_NONE)
        context._wants_hostname = check_hostname
        if verify or trust is not None:
            context._set_trust(trust if isinstance(trust, Store) else Store.of(trust))
        context._configure(certificate, private_key, password, alpn, minimum_version, maximum_version)
        return context

    @classmethod
    def server(
        cls,
        certificate: CertificateSource,
        private_key: Source | PrivateKey,
        *,
        password: Password | None = None,
        trust: Trust | Store = None,
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
        if not isinstance(verify, bool) and verify != "optional":
            kind = ValueError if isinstance(verify, str) else TypeError
            raise kind(f"verify is True, False or 'optional', not {verify!r}")
        if verify and trust is None:
            raise ValueError("verify needs trust: whose certificates are clients to show?")
        context = cls(is_server=True)
        if verify:
            required = 0 if verify == "optional" else lib.SSL_VERIFY_FAIL_IF_NO_PEER_CERT
            context._set_verification(lib.SSL_VERIFY_PEER | required)
        if trust is not None:
            context._set_trust(trust if isinstance(trust, Store) else Store.of(trust))
        context._configure(certificate, private_key, password, alpn, minimum_version, maximum_version)
        return context

    @property
    def is_server(self) -> bool:
        """Whether the context's connections are servers'."""
        return self._is_server

    socket_face: ClassVar[Callable[..., Socket] | None] = None
    """Who makes a ``Socket``: pyossl/sockets/socket.py, a floor above, says so when it is loaded."""

    def wrap_socket(
        self,
        sock: socket.socket,
        server_hostname: str | None = None,
        *,
        handshake: bool = True,
        message_callback: Callable[[Message], object] | None = None,
        session: Session | None = None,
    ) -> Socket:
        """TLS over a connected stream socket, which the ``Socket`` owns from now on, and whose timeout it takes over.

        With ``handshake`` the handshake is finished here; otherwise the first call does it.  When it fails the socket
        is closed, and the error of ``Connection.handshake`` raised.  ``session`` is a client's, offered for
        resumption.  SSL_set_fd(3)
        """
        if self.socket_face is None:
            import_module("pyossl.sockets.socket")
        assert self.socket_face is not None
        return self.socket_face(
            self, sock, server_hostname, handshake=handshake, message_callback=message_callback, session=session
        )

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

    def _set_trust(self, store: Store) -> None:
        self._trust = store
        lib.SSL_CTX_set1_cert_store(self._ctx, store._store)

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
            self._select_alpn()
        elif lib.SSL_CTX_set_alpn_protos(self._ctx, protocols, len(protocols)) != 0:
            raise failed("SSL_CTX_set_alpn_protos")

    def _select_alpn(self) -> None:
        if self._alpn is not None:
            lib.pyossl_set_alpn_select(self._ctx, self._alpn[0])

    def _freeze(self) -> Any:
        """The ``SSL_CTX *``, for a connection: no change from now on, of what the context stands on neither."""
        if not self._frozen:
            if self._callbacks.verify is not None and not self.verifies:
                raise UsageError("this context verifies nobody: its verify callback would not be heeded")
            self._refuse_anonymous()
            if self._trust is not None:
                self._trust._freeze()
            if self.is_server:
                self._bound_sessions()
                self._sessions = self._session_id_context or self._sessions_digest()
                check(
                    lib.SSL_CTX_set_session_id_context(self._ctx, self._sessions, len(self._sessions)),
                    "SSL_CTX_set_session_id_context",
                )
            self._frozen = True
        return self._ctx

    def _refuse_anonymous(self) -> None:
        """Raises ``UsageError`` where a peer that must show a certificate could do without, by a cipher that has none.

        Other levels than 0 refuse these ciphers whatever the list; those of pre-shared keys and of SRP come to nothing
        without callbacks that a context has not.  See pyossl/_c/tls/required_certificate.c for the second wall.
        docs/pitfalls.md, 33
        """
        if self.security_level == 0 and self._requires_certificate() and (names := self._anonymous_ciphers()):
            raise UsageError(
                f"this context verifies its peers, and these of its ciphers let in one that shows no certificate: "
                f"{', '.join(names)}; add ':!aNULL' to the cipher list"
            )

    def _requires_certificate(self) -> bool:
        """Whether a handshake fails when the peer shows no certificate: a client's does unless it verifies nobody, and
        a server's with ``verify=True``.
        """
        mode = lib.SSL_CTX_get_verify_mode(self._ctx)
        return self.verifies and (not self.is_server or bool(mode & lib.SSL_VERIFY_FAIL_IF_NO_PEER_CERT))

    def _sessions_digest(self) -> bytes:
        """What tells whose sessions a server context may resume: those of a context that shows the same certificate
        and verifies in the same way, in this process or in another that has the same ticket keys.

        Resuming a session takes the place of verifying the peer, so that a session of a context that asks less must
        not be resumed by one that asks more.  What a verify callback asks nobody can tell: a context that has one
        resumes its own sessions only.  (And without any session id context, a server that verifies clients refuses
        every resumption.)  docs/pitfalls.md, 12
        """
        certificate = borrowed(lib.SSL_CTX_get0_certificate(self._ctx))
        parts = [
            b"pyossl",
            certificate.to_der() if certificate else b"",
            repr(self._configured).encode(),
        ]
        if self.verifies:
            mode = lib.SSL_CTX_get_verify_mode(self._ctx)
            asked = mode, self.verify_depth, int(self.verify_flags), self._purpose, self._verify_time
            parts.append(repr((*asked, self.security_level)).encode())
            if self._callbacks.verify is not None:
                parts.append(os.urandom(16))
            if self._trust is not None:
                parts.append(self._trust.identity)
        return digest_of(*parts)

    def sessions_with(self, email: str) -> bytes:
        """The session id context of the connections whose peer must have an email address besides.  docs/pitfalls.md,
        12
        """
        return digest_of(b"pyossl", self._sessions, email_address(email))

    @property
    def verifies(self) -> bool:
        """Whether a handshake fails when the peer shows a certificate that does not verify.  A server whose context
        has ``verify="optional"`` verifies, and takes clients without a certificate too.  SSL_CTX_get_verify_mode(3)
        """
        mode = lib.SSL_CTX_get_verify_mode(self._ctx)
        # In TLS 1.3 a server that is to ask after the handshake does not ask in it.
        return bool(mode & lib.SSL_VERIFY_PEER and not (self.is_server and mode & lib.SSL_VERIFY_POST_HANDSHAKE))

    @property
    def checks_hostname(self) -> bool:
        """Whether a client compares the server's name with its certificate; never without verifying that."""
        return self._wants_hostname and self.verifies

    # Verification

    @property
    def verify_depth(self) -> int:
        """How many certificates may stand between the peer's and the trusted one, -1 for OpenSSL's limit of 100.

        SSL_CTX_set_verify_depth(3)
        """
        return lib.SSL_CTX_get_verify_depth(self._ctx)

    @verify_depth.setter
    def verify_depth(self, depth: int) -> None:
        self._change()
        lib.SSL_CTX_set_verify_depth(self._ctx, integer(depth, "a verification depth", -1, LARGEST_INT))

    @property
    def verify_flags(self) -> VerifyFlags:
        """How a chain is verified.  X509_VERIFY_PARAM_get_flags(3)"""
        return VerifyFlags(lib.X509_VERIFY_PARAM_get_flags(lib.SSL_CTX_get0_param(self._ctx)))

    @verify_flags.setter
    def verify_flags(self, flags: VerifyFlags) -> None:
        self._change()
        integer(flags, "verify flags", 0, LARGEST_INT)
        parameters = lib.SSL_CTX_get0_param(self._ctx)
        if self._verify_time is not None:
            flags |= VerifyFlags.USE_CHECK_TIME  # without it the time would not be heeded
        check(lib.X509_VERIFY_PARAM_clear_flags(parameters, self.verify_flags & ~flags), "clearing verify flags")
        check(lib.X509_VERIFY_PARAM_set_flags(parameters, flags), "setting verify flags")

    def set_verify_time(self, moment: datetime.datetime) -> None:
        """Verifies as if it were ``moment``, an aware datetime, whatever the store's time.

        X509_VERIFY_PARAM_set_time(3)
        """
        self._change()
        self._verify_time = seconds_of(moment)
        lib.pyossl_set_verify_time(self._ctx, self._verify_time)

    def set_purpose(self, purpose: str) -> None:
        """What the peer's certificate must be for, by OpenSSL's short name: ``sslserver``, ``sslclient``, ``any``, …

        ``ValueError`` for a name that there is not.  X509_VERIFY_PARAM_set_purpose(3)
        """
        self._change()
        number = purpose_number(purpose)
        self._purpose = purpose
        check(lib.X509_VERIFY_PARAM_set_purpose(lib.SSL_CTX_get0_param(self._ctx), number), "setting the purpose")

    @property
    def ca_names(self) -> tuple[Name, ...]:
        """The names of the authorities that the peer is told to choose its certificate by: a server's for clients, and
        in TLS 1.3 a client's for servers.  Set from names or certificates; they are no trust.  SSL_CTX_set0_CA_list(3)
        """
        return names_in(lib.SSL_CTX_get0_CA_list(self._ctx))

    @ca_names.setter
    def ca_names(self, authorities: Iterable[Name | Certificate]) -> None:
        self._change()
        names = [
            each.subject_name if isinstance(each, Certificate) else instance(each, Name, "an authority")
            for each in iterated(authorities, "the names of authorities")
        ]
        lib.SSL_CTX_set0_CA_list(self._ctx, stack_of_names(names))

    @property
    def verify_callback(self) -> VerifyCallback | None:
        """Called as ``callback(connection, verification)`` for each certificate of the peer's chain; True accepts it
        whatever OpenSSL found, False refuses it.  SSL_CTX_set_verify(3)
        """
        return self._callbacks.verify

    @verify_callback.setter
    def verify_callback(self, callback: VerifyCallback | None) -> None:
        self._change()
        function(callback, "a verify callback")
        if callback is not None and not self.verifies:
            raise UsageError("this context verifies nobody: a verify callback would not be asked")
        self._callbacks.verify = callback

    # Callbacks

    @property
    def servername_callback(self) -> ServernameCallback | None:
        """A server's, called as ``callback(connection, name)`` with the name that the client means, or None; another
        server ``Context`` that it returns takes over, and what it refuses is refused: its versions, ciphers, groups,
        signature algorithms, options and verification hold.  Only groups that this context has set, and the other one
        has not, hold on; and groups of a section of the configuration are this context's.
        SSL_CTX_set_tlsext_servername_callback(3)
        """
        return self._callbacks.servername

    @servername_callback.setter
    def servername_callback(self, callback: ServernameCallback | None) -> None:
        self._server_only("servername_callback")
        function(callback, "a server name callback")
        self._callbacks.servername = callback
        lib.pyossl_set_callback(self._ctx, lib.PYOSSL_SERVERNAME, callback is not None)

    @property
    def alpn_callback(self) -> ALPNCallback | None:
        """A server's, called as ``callback(connection, offered)``; it returns one of the offered protocols, or None to
        go on without.  It takes the place of ``alpn``, which None restores.  SSL_CTX_set_alpn_select_cb(3)
        """
        return self._callbacks.alpn

    @alpn_callback.setter
    def alpn_callback(self, callback: ALPNCallback | None) -> None:
        self._server_only("alpn_callback")
        function(callback, "an ALPN callback")
        self._callbacks.alpn = callback
        lib.pyossl_set_callback(self._ctx, lib.PYOSSL_ALPN, callback is not None)
        if callback is None:
            self._select_alpn()

    @property
    def info_callback(self) -> InfoCallback | None:
        """Called as ``callback(connection, where, value)`` at each step of a handshake and for alerts.

        SSL_CTX_set_info_callback(3)
        """
        return self._callbacks.info

    @info_callback.setter
    def info_callback(self, callback: InfoCallback | None) -> None:
        self._change()
        function(callback, "an info callback")
        self._callbacks.info = callback
        lib.pyossl_set_callback(self._ctx, lib.PYOSSL_INFO, callback is not None)

    @property
    def keylog_callback(self) -> KeylogCallback | None:
        """Called as ``callback(connection, line)`` with each secret, in the format that Wireshark reads.  Whoever has
        these lines can read the connection.  SSL_CTX_set_keylog_callback(3)
        """
        return self._callbacks.keylog

    @keylog_callback.setter
    def keylog_callback(self, callback: KeylogCallback | None) -> None:
        self._change()
        function(callback, "a keylog callback")
        self._callbacks.keylog = callback
        lib.pyossl_set_callback(self._ctx, lib.PYOSSL_KEYLOG, callback is not None)

    @property
    def new_session_callback(self) -> NewSessionCallback | None:
        """Called as ``callback(connection, session)`` with each session that can be resumed: in TLS 1.3 after the
        handshake, as often as the server sends a ticket.  SSL_CTX_sess_set_new_cb(3)
        """
        return self._callbacks.new_session

    @new_session_callback.setter
    def new_session_callback(self, callback: NewSessionCallback | None) -> None:
        self._change()
        function(callback, "a new session callback")
        self._callbacks.new_session = callback
        if not self.is_server:
            # OpenSSL calls back for what it would cache; a client's cache of its own would never be asked.
            mode = lib.SSL_SESS_CACHE_CLIENT | lib.SSL_SESS_CACHE_NO_INTERNAL if callback else lib.SSL_SESS_CACHE_OFF
            lib.SSL_CTX_set_session_cache_mode(self._ctx, mode)
        lib.pyossl_set_callback(self._ctx, lib.PYOSSL_NEW_SESSION, callback is not None)

    def __repr__(self) -> str:
        return f"<Context {'server' if self.is_server else 'client'}{'' if self.verifies else ' that verifies nobody'}>"


def digest_of(*parts: bytes) -> bytes:
    """The SHA-256 of several byte strings, told apart.  EVP_Digest(3)"""
    data = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    digest, length = ffi.new("unsigned char[]", lib.EVP_MAX_MD_SIZE), ffi.new("unsigned int *")
    check(lib.EVP_Digest(data, len(data), digest, length, lib.EVP_sha256(), ffi.NULL), "EVP_Digest")
    return bytes(ffi.buffer(digest, length[0]))


def _mismatch(message: str) -> Error:
    take_records()
    return Error(message)


def _chain(certificate: CertificateSource) -> Sequence[Certificate]:
    if isinstance(certificate, Certificate):
        return (certificate,)
    if isinstance(certificate, (str, bytes, os.PathLike)):
        return load_certificates(certificate)
    chain = instances(certificate, Certificate, "the certificates of a chain")
    if not chain:
        raise ValueError("the chain is empty")
    return chain


def _protocols(alpn: Iterable[str]) -> bytes:
    """The protocols in SSL_CTX_set_alpn_protos(3)'s format."""
    if isinstance(alpn, (str, bytes)):
        raise TypeError(f"alpn is a sequence of protocol names, not one {type(alpn).__name__}")
    out = bytearray()
    for protocol in iterated(alpn, "alpn"):
        if not isinstance(protocol, str):
            raise TypeError(f"an ALPN protocol is a str, not {type(protocol).__name__}")
        if not protocol.isascii():
            raise ValueError(f"an ALPN protocol is ASCII, not {protocol[:80]!a}")
        name = protocol.encode("ascii")
        if not 1 <= len(name) <= _LONGEST_PROTOCOL:
            raise ValueError(f"an ALPN protocol has 1 to {_LONGEST_PROTOCOL} characters: {protocol[:80]!r}")
        out += bytes([len(name)]) + name
    if len(out) > 0xFFFF:
        raise ValueError(f"the ALPN protocols take {len(out)} bytes together, more than 65535")
    return bytes(out)
