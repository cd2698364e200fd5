"""Contexts: what connections made from one have in common.  SSL_CTX_new(3)

A context is complete when it has been made, and freezes at its first connection: OpenSSL lets a program change an
SSL_CTX under the feet of the SSLs made from it, and says that it must not.
"""

from __future__ import annotations

import datetime
import enum
import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pyossl._lib import ffi, lib, own, text
from pyossl.callbacks import (
    ALPNCallback,
    ContextCallbacks,
    InfoCallback,
    KeylogCallback,
    NewSessionCallback,
    ServernameCallback,
    VerifyCallback,
)
from pyossl.encoding import Password, Source, describe
from pyossl.errors import Error, UsageError, check, check_ptr, failed
from pyossl.flags import Modes, Options, VerifyFlags
from pyossl.keys import PrivateKey
from pyossl.outcome import take_records
from pyossl.store import Store, Trust, purpose_number, seconds_of
from pyossl.x509 import Certificate, load_certificates

if TYPE_CHECKING:
    import socket

    from pyossl.message import Message
    from pyossl.session import Session
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
_HIGHEST_LEVEL = 5


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
        self.callbacks = ContextCallbacks()
        lib.SSL_CTX_set_options(self._ctx, _OPTIONS)
        lib.SSL_CTX_set_mode(self._ctx, _MODES)
        policy = lib.SSL_CTX_get_min_proto_version(self._ctx)
        self._set_versions(max(policy, _FLOOR), None)

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
        for another name.  Raises ``OSError`` for a file that cannot be read, ``DecodeError`` for one that is
        malformed, ``ValueError`` or ``TypeError`` for an argument that cannot be.  SSL_CTX_set_verify(3)
        """
        context = cls(is_server=False)
        context._set_verification(lib.SSL_VERIFY_PEER if verify else lib.SSL_VERIFY_NONE)
        context.checks_hostname = verify and check_hostname
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
        if verify not in (True, False, "optional"):
            raise ValueError(f"verify is True, False or 'optional', not {verify!r}")
        if verify and trust is None:
            raise ValueError("verify needs trust: whose certificates are clients to show?")
        context = cls(is_server=True)
        if verify:
            required = 0 if verify == "optional" else lib.SSL_VERIFY_FAIL_IF_NO_PEER_CERT
            context._set_verification(lib.SSL_VERIFY_PEER | required)
        if trust is not None:
            context._set_trust(trust if isinstance(trust, Store) else Store.of(trust))
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
        session: Session | None = None,
    ) -> Socket:
        """TLS over a connected stream socket, which the ``Socket`` owns from now on, and whose timeout it takes over.

        With ``handshake`` the handshake is finished here; otherwise the first call does it.  When it fails the socket
        is closed, and the error of ``Connection.handshake`` raised.  ``session`` is a client's, offered for
        resumption.  SSL_set_fd(3)
        """
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

    # Algorithms

    @property
    def security_level(self) -> int:
        """The level below which algorithms and keys are refused, 0 to 5; the system's policy sets it.

        SSL_CTX_set_security_level(3)
        """
        return lib.SSL_CTX_get_security_level(self._ctx)

    @security_level.setter
    def security_level(self, level: int) -> None:
        self._change()
        if not 0 <= level <= _HIGHEST_LEVEL:
            raise ValueError(f"a security level is 0 to {_HIGHEST_LEVEL}, not {level}")
        lib.SSL_CTX_set_security_level(self._ctx, level)

    @property
    def ciphers(self) -> tuple[str, ...]:
        """The names of all ciphers that may be used, TLS 1.3's ciphersuites among them.  SSL_CTX_get_ciphers(3)"""
        stack = lib.SSL_CTX_get_ciphers(self._ctx)
        if stack == ffi.NULL:
            return ()
        count = lib.sk_SSL_CIPHER_num(stack)
        return tuple(text(lib.SSL_CIPHER_get_name(lib.sk_SSL_CIPHER_value(stack, n))) for n in range(count))

    def set_cipher_list(self, ciphers: str) -> None:
        """The ciphers of TLS 1.2 and before, such as ``ECDHE+AESGCM``; ``ValueError`` where none remains.

        SSL_CTX_set_cipher_list(3)
        """
        self._choose("cipher list", lib.SSL_CTX_set_cipher_list, ciphers)

    def set_ciphersuites(self, ciphersuites: str) -> None:
        """The ciphersuites of TLS 1.3, colons between; ``ValueError`` for a name that this OpenSSL does not know.

        SSL_CTX_set_ciphersuites(3)
        """
        self._choose("ciphersuites", lib.SSL_CTX_set_ciphersuites, ciphersuites)
        # 1.1.1 refuses an unknown name, later versions leave it out in silence.
        if unknown := set(filter(None, ciphersuites.split(":"))) - set(self.ciphers):
            raise ValueError(f"this OpenSSL does not know these ciphersuites: {', '.join(sorted(unknown))}")

    def set_groups(self, groups: str) -> None:
        """The groups for the key exchange, such as ``X25519MLKEM768:X25519``, in order of preference.

        From OpenSSL 3.5 in the tuple syntax too.  ``ValueError`` for what this OpenSSL cannot.
        SSL_CTX_set1_groups_list(3)
        """
        self._choose("groups", lib.SSL_CTX_set1_groups_list, groups)

    def set_sigalgs(self, algorithms: str) -> None:
        """The signature algorithms, such as ``ECDSA+SHA256:ed25519``.  SSL_CTX_set1_sigalgs_list(3)"""
        self._choose("signature algorithms", lib.SSL_CTX_set1_sigalgs_list, algorithms)

    def set_client_sigalgs(self, algorithms: str) -> None:
        """The signature algorithms for client certificates.  SSL_CTX_set1_client_sigalgs_list(3)"""
        self._choose("client signature algorithms", lib.SSL_CTX_set1_client_sigalgs_list, algorithms)

    def _choose(self, what: str, function: Callable[[Any, bytes], int], value: str) -> None:
        self._change()
        if not isinstance(value, str) or "\0" in value:
            raise ValueError(f"the {what} are text without a NUL, not {value!r}")
        take_records()
        if function(self._ctx, value.encode()) != 1:
            error = failed(f"setting the {what} to {value!r}")
            raise ValueError(str(error)) from error

    # Options and policy

    @property
    def options(self) -> Options:
        """How the protocol is spoken.  SSL_CTX_get_options(3)"""
        return Options(lib.SSL_CTX_get_options(self._ctx))

    @options.setter
    def options(self, options: Options) -> None:
        self._change()
        lib.SSL_CTX_clear_options(self._ctx, lib.SSL_CTX_get_options(self._ctx) & ~options)
        lib.SSL_CTX_set_options(self._ctx, options)

    @property
    def modes(self) -> Modes:
        """How calls behave.  SSL_CTX_get_mode(3)"""
        return Modes(lib.SSL_CTX_get_mode(self._ctx))

    @modes.setter
    def modes(self, modes: Modes) -> None:
        self._change()
        if missing := Modes(_MODES) & ~modes:
            raise ValueError(f"a Connection relies on {missing!r}")
        lib.SSL_CTX_clear_mode(self._ctx, lib.SSL_CTX_get_mode(self._ctx) & ~modes)
        lib.SSL_CTX_set_mode(self._ctx, modes)

    def configure(self, command: str, value: str) -> None:
        """One command of OpenSSL's configuration language, as in openssl.cnf: ``("MinProtocol", "TLSv1.3")``.

        Raises ``ValueError`` for a command that there is not, or a value that it refuses.  SSL_CONF_cmd(3)
        """
        self._change()
        configuration = own(check_ptr(lib.SSL_CONF_CTX_new(), "SSL_CONF_CTX_new"), lib.SSL_CONF_CTX_free)
        side = lib.SSL_CONF_FLAG_SERVER if self.is_server else lib.SSL_CONF_FLAG_CLIENT
        flags = lib.SSL_CONF_FLAG_FILE | lib.SSL_CONF_FLAG_CERTIFICATE | lib.SSL_CONF_FLAG_SHOW_ERRORS | side
        lib.SSL_CONF_CTX_set_flags(configuration, flags)
        lib.SSL_CONF_CTX_set_ssl_ctx(configuration, self._ctx)
        take_records()
        answer = lib.SSL_CONF_cmd(configuration, command.encode(), value.encode())
        if answer <= 0 or lib.SSL_CONF_CTX_finish(configuration) != 1:
            error = failed(f"the configuration command {command!r} with the value {value!r}")
            raise ValueError(str(error)) from error
        self.verifies = lib.SSL_CTX_get_verify_mode(self._ctx) != lib.SSL_VERIFY_NONE

    def configure_section(self, name: str) -> None:
        """A section of the SSL module of the system's openssl.cnf; ``ValueError`` where there is none.

        SSL_CTX_config(3)
        """
        self._change()
        take_records()
        if lib.SSL_CTX_config(self._ctx, name.encode()) != 1:
            error = failed(f"the section {name!r} of the configuration")
            raise ValueError(str(error)) from error
        self.verifies = lib.SSL_CTX_get_verify_mode(self._ctx) != lib.SSL_VERIFY_NONE

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
        lib.SSL_CTX_set_verify_depth(self._ctx, depth)

    @property
    def verify_flags(self) -> VerifyFlags:
        """How a chain is verified.  X509_VERIFY_PARAM_get_flags(3)"""
        return VerifyFlags(lib.X509_VERIFY_PARAM_get_flags(lib.SSL_CTX_get0_param(self._ctx)))

    @verify_flags.setter
    def verify_flags(self, flags: VerifyFlags) -> None:
        self._change()
        parameters = lib.SSL_CTX_get0_param(self._ctx)
        check(lib.X509_VERIFY_PARAM_clear_flags(parameters, self.verify_flags & ~flags), "clearing verify flags")
        check(lib.X509_VERIFY_PARAM_set_flags(parameters, flags), "setting verify flags")

    def set_verify_time(self, moment: datetime.datetime) -> None:
        """Verifies as if it were ``moment``, an aware datetime.  X509_VERIFY_PARAM_set_time(3)"""
        self._change()
        lib.X509_VERIFY_PARAM_set_time(lib.SSL_CTX_get0_param(self._ctx), seconds_of(moment))

    def set_purpose(self, purpose: str) -> None:
        """What the peer's certificate must be for, by OpenSSL's short name: ``sslserver``, ``sslclient``, ``any``, …

        ``ValueError`` for a name that there is not.  X509_VERIFY_PARAM_set_purpose(3)
        """
        self._change()
        number = purpose_number(purpose)
        check(lib.X509_VERIFY_PARAM_set_purpose(lib.SSL_CTX_get0_param(self._ctx), number), "setting the purpose")

    @property
    def verify_callback(self) -> VerifyCallback | None:
        """Called as ``callback(connection, verification)`` for each certificate of the peer's chain; True accepts it
        whatever OpenSSL found, False refuses it.  SSL_CTX_set_verify(3)
        """
        return self.callbacks.verify

    @verify_callback.setter
    def verify_callback(self, callback: VerifyCallback | None) -> None:
        self._change()
        if callback is not None and not self.verifies:
            raise UsageError("this context verifies nobody: a verify callback would not be asked")
        self.callbacks.verify = callback

    # Callbacks

    @property
    def servername_callback(self) -> ServernameCallback | None:
        """A server's, called as ``callback(connection, name)`` with the name that the client means, or None; another
        server ``Context`` that it returns takes over.  SSL_CTX_set_tlsext_servername_callback(3)
        """
        return self.callbacks.servername

    @servername_callback.setter
    def servername_callback(self, callback: ServernameCallback | None) -> None:
        self._server_only("servername_callback")
        self.callbacks.servername = callback
        lib.pyossl_set_callback(self._ctx, lib.PYOSSL_SERVERNAME, callback is not None)

    @property
    def alpn_callback(self) -> ALPNCallback | None:
        """A server's, called as ``callback(connection, offered)``; it returns one of the offered protocols, or None to
        go on without.  It takes the place of ``alpn``.  SSL_CTX_set_alpn_select_cb(3)
        """
        return self.callbacks.alpn

    @alpn_callback.setter
    def alpn_callback(self, callback: ALPNCallback | None) -> None:
        self._server_only("alpn_callback")
        self.callbacks.alpn = callback
        lib.pyossl_set_callback(self._ctx, lib.PYOSSL_ALPN, callback is not None)

    @property
    def info_callback(self) -> InfoCallback | None:
        """Called as ``callback(connection, where, value)`` at each step of a handshake and for alerts.

        SSL_CTX_set_info_callback(3)
        """
        return self.callbacks.info

    @info_callback.setter
    def info_callback(self, callback: InfoCallback | None) -> None:
        self._change()
        self.callbacks.info = callback
        lib.pyossl_set_callback(self._ctx, lib.PYOSSL_INFO, callback is not None)

    @property
    def keylog_callback(self) -> KeylogCallback | None:
        """Called as ``callback(connection, line)`` with each secret, in the format that Wireshark reads.  Whoever has
        these lines can read the connection.  SSL_CTX_set_keylog_callback(3)
        """
        return self.callbacks.keylog

    @keylog_callback.setter
    def keylog_callback(self, callback: KeylogCallback | None) -> None:
        self._change()
        self.callbacks.keylog = callback
        lib.pyossl_set_callback(self._ctx, lib.PYOSSL_KEYLOG, callback is not None)

    @property
    def new_session_callback(self) -> NewSessionCallback | None:
        """Called as ``callback(connection, session)`` with each session that can be resumed: in TLS 1.3 after the
        handshake, as often as the server sends a ticket.  SSL_CTX_sess_set_new_cb(3)
        """
        return self.callbacks.new_session

    @new_session_callback.setter
    def new_session_callback(self, callback: NewSessionCallback | None) -> None:
        self._change()
        self.callbacks.new_session = callback
        if not self.is_server:
            # OpenSSL calls back for what it would cache; a client's cache of its own would never be asked.
            mode = lib.SSL_SESS_CACHE_CLIENT | lib.SSL_SESS_CACHE_NO_INTERNAL if callback else lib.SSL_SESS_CACHE_OFF
            lib.SSL_CTX_set_session_cache_mode(self._ctx, mode)
        lib.pyossl_set_callback(self._ctx, lib.PYOSSL_NEW_SESSION, callback is not None)

    def _server_only(self, what: str) -> None:
        self._change()
        if not self.is_server:
            raise UsageError(f"{what} is a server's: this context is a client's")

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
