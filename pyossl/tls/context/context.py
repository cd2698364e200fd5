"""Contexts: the settings that several connections share.  SSL_CTX_new(3)

``Context.client`` and ``Context.server`` make a complete context.  Its settings may be changed until the first
connection is made from it; then the context is frozen.  OpenSSL would let a program change an SSL_CTX that connections
already use, and its manual says that a program must not.

The settings are in one file for each subject, in the folders pyossl/tls/settings, sessions, authentication and ech.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NoReturn

from pyossl.core import lib
from pyossl.core.arguments import flag
from pyossl.core.buffers import Bytes
from pyossl.core.errors import Error, UsageError, check
from pyossl.core.flags import Options
from pyossl.core.library_context import LibraryContext
from pyossl.core.outcome import take_records
from pyossl.tls.authentication.certificate_callback import CertificateChoice
from pyossl.tls.authentication.certificate_compression import CompressionSettings
from pyossl.tls.authentication.certificate_transparency import TransparencySettings
from pyossl.tls.authentication.chain_callback import ChainSettings
from pyossl.tls.authentication.credentials import CertificateSource, KeySource, credentials_of, shown
from pyossl.tls.authentication.dane import Records
from pyossl.tls.authentication.ocsp_stapling import OCSPSettings
from pyossl.tls.authentication.raw_public_keys import RawPublicKeySettings
from pyossl.tls.callbacks.callbacks import ContextCallbacks
from pyossl.tls.callbacks.message import Message
from pyossl.tls.context.context_call import ContextCall
from pyossl.tls.ech.ech import ECHSettings, Offered
from pyossl.tls.sessions.pre_shared_sessions import PSKSessionSettings
from pyossl.tls.sessions.session_callbacks import SessionCallbackSettings
from pyossl.tls.sessions.session_settings import SessionSettings
from pyossl.tls.settings.alpn import ALPNSettings, checked_protocols
from pyossl.tls.settings.client_hello_callback import ClientHelloSettings
from pyossl.tls.settings.custom_extensions import CustomExtensionSettings
from pyossl.tls.settings.early_data import EarlyDataSettings
from pyossl.tls.settings.info_and_key_log import InfoAndKeyLogSettings
from pyossl.tls.settings.openssl_configuration import ConfigurationSettings
from pyossl.tls.settings.options import DEFAULT_MODES, OptionSettings
from pyossl.tls.settings.record_settings import RecordSettings
from pyossl.tls.settings.versions import Version, VersionSettings
from pyossl.x509.credentials import Credentials
from pyossl.x509.keys import check_library
from pyossl.x509.passwords import Password
from pyossl.x509.trust_store import Store, Trust

if TYPE_CHECKING:
    import socket

    from pyossl.sockets.socket import Socket
    from pyossl.tls.connection.session import Session

ClientVerification = bool | Literal["optional", "later"]

USE_CLIENT = "use Context.client()"
USE_SERVER = "use Context.server(certificate, private_key)"
"""The advice at the end of a message about a context that is missing or for the wrong side."""

_OLDEST_VERSION = Version.TLSv1_2
_OPTIONS = Options.NO_COMPRESSION | Options.NO_RENEGOTIATION


class Context(
    VersionSettings,
    OptionSettings,
    ConfigurationSettings,
    ALPNSettings,
    ClientHelloSettings,
    CertificateChoice,
    InfoAndKeyLogSettings,
    PSKSessionSettings,
    ChainSettings,
    EarlyDataSettings,
    SessionSettings,
    SessionCallbackSettings,
    OCSPSettings,
    TransparencySettings,
    ECHSettings,
    RecordSettings,
    CompressionSettings,
    RawPublicKeySettings,
    CustomExtensionSettings,
    ContextCall,
):
    """The settings that the connections of one client or one server share.  SSL_CTX_new(3)

    ``Context.client()`` and ``Context.server(certificate, private_key)`` make one.  The system's policy (openssl.cnf,
    the security level) is respected; in addition TLS 1.2 is the oldest version, and compression and renegotiation are
    off.  Settings may be changed until the first connection is made from the context: after that every change raises
    ``UsageError``.  Any number of threads may use a context at the same time.
    """

    __slots__ = ()

    def __init__(
        self,
        *misplaced: NoReturn,
        is_server: bool | None = None,
        library_context: LibraryContext | None = None,
    ) -> None:
        """Makes a context that has no certificate and does not verify: use ``client`` or ``server`` instead.

        Only a server without a certificate is made with it, for raw public keys or pre-shared keys.

        ``is_server`` is True or False; ``library_context`` is as in ``client``.  Raises ``TypeError`` without
        ``is_server``, and for other arguments (``misplaced``).
        """
        self._check_new()
        if misplaced or is_server is None:
            raise TypeError("make a Context with Context.client() or Context.server(certificate, private_key)")
        flag(is_server, "is_server")
        method = lib.TLS_server_method() if is_server else lib.TLS_client_method()
        self._begin(method, ContextCallbacks(), is_server=is_server, library_context=library_context)
        self._wants_hostname = not is_server
        lib.SSL_CTX_set_options(self._ctx, _OPTIONS)
        lib.SSL_CTX_set_mode(self._ctx, DEFAULT_MODES)
        policy = lib.SSL_CTX_get_min_proto_version(self._ctx)
        self._set_versions(max(policy, _OLDEST_VERSION), None)

    @classmethod
    def client(
        cls,
        *,
        trust: Trust | Store = None,
        certificate: CertificateSource | None = None,
        private_key: KeySource | None = None,
        password: Password | None = None,
        credentials: Credentials | None = None,
        alpn: Iterable[str] = (),
        minimum_version: Version | None = None,
        maximum_version: Version | None = None,
        verify: bool = True,
        check_hostname: bool = True,
        library_context: LibraryContext | None = None,
    ) -> Context:
        """Makes a client's context, which verifies the server's certificate and compares its name.

        - ``trust``: the trusted authorities.  None for the system's trust store; or the path of a file or directory, a
          URI, PEM or DER bytes, a ``Certificate``, several of these, or a ``Store``.
        - ``certificate``: the client's own certificate followed by its chain, for servers that ask for one: the path
          of a PEM file, a URI, PEM or DER bytes, a ``Certificate``, or a sequence of them.
        - ``private_key``: the key of ``certificate``: the path of a PEM file, a URI such as
          ``pkcs11:token=mine;object=key``, bytes, or a ``PrivateKey``.  The URIs are those of ``load_uri``.
        - ``password``: the password of an encrypted key, the PIN of a token, or a function that returns it.
        - ``credentials``: a ``Credentials``, for example of ``Authority.issue``, instead of the three.
        - ``alpn``: the application protocols to offer, the preferred one first, for example ``["h2", "http/1.1"]``.
        - ``minimum_version``, ``maximum_version``: the oldest and the newest ``Version`` to use.
        - ``verify``: False accepts every certificate, so that anyone can impersonate the server.
        - ``check_hostname``: False accepts a trusted certificate that is for another name.
        - ``library_context``: the ``LibraryContext`` that all algorithms are taken from, for example
          ``LibraryContext(fips=True)``; None for the default one.  A ``PrivateKey`` and a ``Store`` must be of the
          same.

        ``verify`` and ``check_hostname`` must be True or False.  Raises ``OSError`` for a file that cannot be read,
        ``DecodeError`` for a malformed one and for a URI that names no object or several, ``PasswordError`` if the
        password is missing or wrong, ``UnsupportedError`` for a URI that this OpenSSL has no loader for, ``Error`` if
        key and certificate do not belong together, ``TypeError`` or ``ValueError`` for any other invalid argument.
        SSL_CTX_set_verify(3)
        """
        flag(verify, "verify")
        flag(check_hostname, "check_hostname")
        context = cls(is_server=False, library_context=library_context)
        context._set_verification(lib.SSL_VERIFY_PEER if verify else lib.SSL_VERIFY_NONE)
        context._wants_hostname = check_hostname
        if verify or trust is not None:
            context._set_trust(context._store_for(trust))
        own = credentials_of(certificate, private_key, password, credentials, context._library_context)
        context._configure(own, shown(private_key), alpn, minimum_version, maximum_version)
        return context

    @classmethod
    def server(
        cls,
        certificate: CertificateSource | Credentials | None = None,
        private_key: KeySource | None = None,
        *,
        password: Password | None = None,
        credentials: Credentials | None = None,
        trust: Trust | Store = None,
        verify: ClientVerification = False,
        alpn: Iterable[str] = (),
        minimum_version: Version | None = None,
        maximum_version: Version | None = None,
        library_context: LibraryContext | None = None,
    ) -> Context:
        """Makes a server's context.  ``certificate`` and ``private_key`` are required, or ``credentials``.

        - ``certificate``: the server's own certificate followed by its chain: the path of a PEM file, a URI, PEM or DER
          bytes, a ``Certificate``, or a sequence of them.  Or the ``Credentials`` that have the key too, for example of
          ``Authority.issue``.
        - ``private_key``: the key of ``certificate``: the path of a PEM file, a URI such as
          ``pkcs11:token=mine;object=key``, bytes, or a ``PrivateKey``.  The URIs are those of ``load_uri``.
        - ``password``: the password of an encrypted key, the PIN of a token, or a function that returns it.
        - ``credentials``: a ``Credentials`` instead of the three.
        - ``trust``: the authorities of clients' certificates: the path of a file or directory, a URI, PEM or DER bytes,
          a ``Certificate``, several of these, or a ``Store``.
        - ``verify``: False does not ask clients for a certificate.  True asks for one, and refuses clients without
          one.  ``"optional"`` asks for one, and accepts clients without one.  ``"later"`` is as True, but in TLS 1.3
          clients are not asked in the handshake, only when ``Connection.request_certificate`` is called.  All but False
          need ``trust``: the system's trust store would accept every client that has any public certificate.
        - ``alpn``: the application protocols in the server's order of preference, for example ``["h2", "http/1.1"]``.
          A client that offers protocols, but none of these, is refused.
        - ``minimum_version``, ``maximum_version``: the oldest and the newest ``Version`` to use.
        - ``library_context``: as in ``Context.client``.

        Raises the exceptions of ``Context.client``.  SSL_CTX_set_verify(3)
        """
        if not isinstance(verify, bool) and verify not in ("optional", "later"):
            kind = ValueError if isinstance(verify, str) else TypeError
            raise kind(f"verify is True, False, 'optional' or 'later', not {verify!r}")
        if verify and trust is None:
            raise ValueError(
                f"verify={verify!r} needs trust: the authorities whose certificates clients may show, "
                'for example trust="clients-ca.pem"'
            )
        if certificate is None and private_key is None and credentials is None:
            raise TypeError(
                'a server needs its certificate and private key: Context.server("chain.pem", "key.pem"); '
                "pyossl.self_signed() makes both for a test"
            )
        context = cls(is_server=True, library_context=library_context)
        if verify:
            required = 0 if verify == "optional" else lib.SSL_VERIFY_FAIL_IF_NO_PEER_CERT
            later = lib.SSL_VERIFY_POST_HANDSHAKE if verify == "later" else 0
            context._set_verification(lib.SSL_VERIFY_PEER | required | later)
        if trust is not None:
            context._set_trust(context._store_for(trust))
        own = credentials_of(certificate, private_key, password, credentials, context._library_context)
        context._configure(own, shown(private_key), alpn, minimum_version, maximum_version)
        return context

    socket_face: ClassVar[Callable[..., Socket] | None] = None
    """The function that makes a ``Socket``.  pyossl/sockets/socket.py, a floor above, sets it when it is imported."""

    def wrap_socket(
        self,
        sock: socket.socket,
        server_hostname: str | None = None,
        *,
        handshake: bool = True,
        message_callback: Callable[[Message], object] | None = None,
        session: Session | None = None,
        early_data: Bytes | None = None,
        ech: Offered | None = None,
        dane: Records | None = None,
    ) -> Socket:
        """Makes a ``Socket``, which is TLS over a connected stream socket.

        - ``sock``: the plain socket.  The ``Socket`` owns it from now on, and takes over its timeout.
        - ``server_hostname``: on a client the server's DNS name or IP address, as in ``Connection``.
        - ``handshake``: True finishes the handshake here; False leaves it to the first call that reads or writes.
        - ``message_callback``: called with each ``Message`` of the protocol.
        - ``session``: on a client a ``Session`` to resume.
        - ``early_data``: on a client bytes to send before the server answers, as in ``Connection``.
        - ``ech``: on a client the server's configurations for Encrypted Client Hello, as in ``Connection``.
        - ``dane``: on a client the server's TLSA records, as in ``Connection``.

        If the handshake fails, the socket is closed and the error of ``Connection.handshake`` is raised.
        SSL_set_fd(3)
        """
        if self.socket_face is None:
            import_module("pyossl.sockets.socket")
        assert self.socket_face is not None
        return self.socket_face(
            self,
            sock,
            server_hostname,
            handshake=handshake,
            message_callback=message_callback,
            session=session,
            early_data=early_data,
            ech=ech,
            dane=dane,
        )

    def _configure(
        self,
        credentials: Credentials | None,
        where: str,
        alpn: Iterable[str],
        minimum_version: Version | None,
        maximum_version: Version | None,
    ) -> None:
        self._set_versions(minimum_version, maximum_version)
        if credentials is not None:
            self._set_credentials(credentials, where)
        if protocols := checked_protocols(alpn):
            self._set_alpn(protocols)

    def _store_for(self, trust: Trust | Store) -> Store:
        if not isinstance(trust, Store):
            return Store.of(trust, library_context=self._library_context)
        if trust.library_context is not self._library_context:
            raise UsageError("the store and the context have different library contexts: give both the same")
        return trust

    def _set_credentials(self, credentials: Credentials, where: str) -> None:
        certificate, key, chain = credentials
        library_context = self._library_context
        check_library(key, library_context, "the context")
        x509, *issuers = [each._x509_in(library_context) for each in (certificate, *chain)]
        take_records()
        check(lib.SSL_CTX_use_certificate(self._ctx, x509), "using the certificate")
        if lib.X509_check_private_key(x509, key._key) != 1:
            raise _mismatch(f"the private key{where} does not belong to the certificate {certificate.subject!r}")
        check(lib.SSL_CTX_use_PrivateKey(self._ctx, key._key), "using the private key")
        check(lib.SSL_CTX_clear_chain_certs(self._ctx), "SSL_CTX_clear_chain_certs")
        for issuer in issuers:
            check(lib.SSL_CTX_add1_chain_cert(self._ctx, issuer), "adding a certificate of the chain")
        self._log_in = key._log_in

    def _freeze(self) -> Any:
        """Freezes the context and its trust store for a connection; returns the ``SSL_CTX *``."""
        if not self._frozen:
            if (self._callbacks.verify or self._callbacks.chain) and not self.verifies:
                which = "verify" if self._callbacks.verify else "chain"
                raise UsageError(f"this context does not verify: its {which} callback would not be called")
            self._refuse_anonymous()
            if self._trust is not None:
                self._trust._freeze()
            if self.is_server:
                self._freeze_early_data()
                self._freeze_compression()
                self._freeze_extensions()
                self._limit_sessions()
                self._sessions = self._session_id_context or self._sessions_digest()
                check(
                    lib.SSL_CTX_set_session_id_context(self._ctx, self._sessions, len(self._sessions)),
                    "SSL_CTX_set_session_id_context",
                )
            self._frozen = True
        if self._log_in is not None:
            self._log_in()
        return self._ctx

    def __repr__(self) -> str:
        return f"<Context {'server' if self.is_server else 'client'}{'' if self.verifies else ', verify=False'}>"


def _mismatch(message: str) -> Error:
    take_records()
    return Error(message)
