"""``Context``: what connections have in common, a translation onto ``MutableContext``."""

from __future__ import annotations

import functools
import os
import sys
import typing
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from pyossl.core import errors
from pyossl.core.copying import Uncopied
from pyossl.pyopenssl import cryptography_binding as binding
from pyossl.pyopenssl.certificates import X509, X509Name
from pyossl.pyopenssl.deprecation import bytes_of, deprecated, warn_about
from pyossl.pyopenssl.failures import Error, ErrorQueue, Translated, queue_of, reason
from pyossl.pyopenssl.keys import (
    FILETYPE_PEM,
    Error as KeyFormError,
    PKey,
    _EllipticCurve,
    checked_passphrase,
    encoded_as,
)
from pyossl.pyopenssl.numbers import (
    DTLS_CLIENT_METHOD,
    DTLS_METHOD,
    DTLS_SERVER_METHOD,
    TLS1_1_VERSION,
    TLS1_2_VERSION,
    TLS1_VERSION,
    TLS_CLIENT_METHOD,
    TLS_METHOD,
    TLS_SERVER_METHOD,
    SSLv23_METHOD,
    TLSv1_1_METHOD,
    TLSv1_2_METHOD,
    TLSv1_METHOD,
)
from pyossl.pyopenssl.stores import StrOrBytesPath, X509Store
from pyossl.tls.callbacks import Verification
from pyossl.tls.mutable_context import Method, MutableContext
from pyossl.x509.certificate import Certificate, load_certificates
from pyossl.x509.keys import PrivateKey
from pyossl.x509.names import Name
from pyossl.x509.passwords import Password

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

    from pyossl.pyopenssl.connections import Connection
    from pyossl.pyopenssl.keys import _PrivateKey
    from pyossl.tls.connection import Connection as CoreConnection

translated = Translated(Error)

_LONGEST_PASSPHRASE = 1024
_F = TypeVar("_F", bound=Callable[..., Any])
_T = TypeVar("_T")

PassphraseCallback = Callable[[int, bool, Any], bytes]
VerifyCallback = Callable[["Connection", X509, int, int, int], bool]
InfoCallback = Callable[["Connection", int, int], None]


def _translated(method: _F) -> _F:
    @functools.wraps(method)
    def guarded(*arguments: Any, **named: Any) -> Any:
        try:
            return method(*arguments, **named)
        except errors.Error as error:
            raise Error(queue_of(error)) from error

    return typing.cast(_F, guarded)


def translates(kind: type, but: frozenset[str] = frozenset()) -> None:
    """Lets the methods of a class raise ``Error`` for what the core raises: it refuses any question about a connection
    that a parent process made.
    """
    for name in [name for name in vars(kind) if not name.startswith("_") and name not in but]:
        setattr(kind, name, _translated(getattr(kind, name)))


class _NoOverlappingProtocols:
    def __reduce__(self) -> str:
        return "NO_OVERLAPPING_PROTOCOLS"  # there is one, and it is known by its identity


NO_OVERLAPPING_PROTOCOLS = _NoOverlappingProtocols()
"""What an ALPN callback answers where it knows none of the protocols."""

ALPNSelectCallback = Callable[["Connection", list[bytes]], bytes | _NoOverlappingProtocols]


def face_of(connection: CoreConnection) -> Connection:
    """The ``Connection`` of this API whose core calls back."""
    face: Connection | None = getattr(connection, "face", lambda: None)()
    if face is None:
        raise Error([("pyossl", "", "the connection that calls back is gone")])
    return face


def verify_callback(callback: VerifyCallback) -> Callable[[CoreConnection, Verification], bool]:
    """pyOpenSSL's verify callback as the core calls one."""

    def verify(connection: CoreConnection, found: Verification) -> bool:
        shown = found.certificate
        certificate = X509() if shown is None else X509._of(shown)
        return bool(callback(face_of(connection), certificate, found.code, found.depth, int(found.ok)))

    return verify


def info_callback(callback: InfoCallback) -> Callable[[CoreConnection, int, int], None]:
    """pyOpenSSL's info callback as the core calls one."""
    return lambda connection, where, value: callback(face_of(connection), int(where), value)


def certificate_of(certificate: X509 | x509.Certificate) -> Certificate:
    """The certificate of this API's object, which is warned about, or of ``cryptography``'s."""
    if isinstance(certificate, X509):
        warn_about(
            "Passing pyOpenSSL X509 objects is deprecated. You should use a cryptography.x509.Certificate instead."
        )
        return certificate._certificate
    return X509.from_cryptography(certificate)._certificate


def private_key_of(key: PKey | _PrivateKey) -> PrivateKey:
    """The key of this API's object, which is warned about, or of ``cryptography``'s."""
    if isinstance(key, PKey):
        warn_about("Passing pyOpenSSL PKey objects is deprecated. You should use a cryptography private key instead.")
        return key._private
    return PKey.from_cryptography_key(key)._private


def protocols_of(protocols: Sequence[bytes]) -> Sequence[bytes]:
    """A list of ALPN protocols, which must not be empty."""
    if not protocols:
        raise ValueError("at least one protocol must be specified")
    return protocols


def _integer(name: str, value: Any) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{name} must be an integer")
    return value


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string")
    return value


def _path(path: StrOrBytesPath) -> bytes:
    return os.fsencode(path)


def _not_opened(error: OSError, behind: ErrorQueue) -> Error:
    """As OpenSSL tells of a file that it cannot open; what stands behind depends on who asks."""
    return Error([("system library", "", error.strerror or str(error)), *behind])


def _not_read(form: int) -> ErrorQueue:
    return reason("PEM lib" if form == FILETYPE_PEM else "ASN1 lib")


def _unused(method: _F) -> _F:
    """A method that changes the context: OpenSSL forbids that once there are connections."""

    @functools.wraps(method)
    def guarded(self: Context, *args: Any, **kwargs: Any) -> Any:
        if self._used:
            raise ValueError("Context has already been used to create a Connection, it cannot be mutated again")
        with translated:
            return method(self, *args, **kwargs)

    return typing.cast(_F, guarded)


_METHODS: dict[int, tuple[Method, int | None]] = {
    SSLv23_METHOD: (Method.TLS, None),
    TLSv1_METHOD: (Method.TLS, TLS1_VERSION),
    TLSv1_1_METHOD: (Method.TLS, TLS1_1_VERSION),
    TLSv1_2_METHOD: (Method.TLS, TLS1_2_VERSION),
    TLS_METHOD: (Method.TLS, None),
    TLS_SERVER_METHOD: (Method.TLS_SERVER, None),
    TLS_CLIENT_METHOD: (Method.TLS_CLIENT, None),
    DTLS_METHOD: (Method.DTLS, None),
    DTLS_SERVER_METHOD: (Method.DTLS_SERVER, None),
    DTLS_CLIENT_METHOD: (Method.DTLS_CLIENT, None),
}


class Context(Uncopied):
    """What connections have in common; it cannot be changed once there is one."""

    _methods = _METHODS

    def __init__(self, method: int) -> None:
        _integer("method", method)
        if method not in self._methods:
            raise ValueError("No such protocol")
        kind, version = self._methods[method]
        with translated:
            self._core = MutableContext(kind)
        self._used = False
        self._app_data: Any = None
        self._ask_passphrase: Password | None = None
        if version is not None:
            self.set_min_proto_version(version)
            self.set_max_proto_version(version)

    # For programs that reach below

    @property
    def _context(self) -> Any:
        """The ``SSL_CTX *``."""
        return binding.context_pointer(self._core)

    @property
    def _info_callback(self) -> Any:
        """The function in C that OpenSSL calls; None for none."""
        return binding.callback_of(self._core, "info")

    @property
    def _keylog_callback(self) -> Any:
        return binding.callback_of(self._core, "keylog")

    # Versions, options, algorithms

    @_unused
    def set_min_proto_version(self, version: int) -> None:
        """The oldest version, as ``TLS1_2_VERSION``; 0 for the oldest there is."""
        self._core.set_minimum(version)

    @_unused
    def set_max_proto_version(self, version: int) -> None:
        """The newest version, as ``TLS1_2_VERSION``; 0 for the newest there is."""
        self._core.set_maximum(version)

    @_unused
    def set_options(self, options: int) -> int:
        """Sets ``OP_x`` besides those that are set; all of them."""
        return self._core.add_options(_integer("options", options))

    @_unused
    def set_mode(self, mode: int) -> int:
        """Sets ``MODE_x`` besides those that are set; all of them."""
        return self._core.add_modes(_integer("mode", mode))

    @_unused
    def clear_mode(self, mode_to_clear: int) -> int:
        """Takes ``MODE_x`` back; those that remain."""
        return self._core.clear_modes(mode_to_clear)

    @_unused
    def set_cipher_list(self, cipher_list: bytes) -> None:
        """The ciphers of TLS 1.2 and before."""
        ciphers = bytes_of("cipher_list", cipher_list)
        if not isinstance(ciphers, bytes):
            raise TypeError("cipher_list must be a byte string.")
        self._core.choose_ciphers(ciphers)

    @_unused
    def set_tls13_ciphersuites(self, ciphersuites: bytes) -> None:
        """The ciphersuites of TLS 1.3."""
        if not isinstance(ciphersuites, bytes):
            raise TypeError("ciphersuites must be a byte string.")
        self._core.choose_ciphersuites(ciphersuites)

    @_unused
    def set_groups(self, groups: str) -> None:
        """The groups for the key exchange, such as ``X25519MLKEM768:X25519``.  Not in pyOpenSSL."""
        self._core.choose_groups(_text("groups", groups))

    @_unused
    def set_sigalgs(self, algorithms: str) -> None:
        """The signature algorithms, such as ``ECDSA+SHA256``.  Not in pyOpenSSL."""
        self._core.choose_sigalgs(_text("algorithms", algorithms))

    @_unused
    def load_tmp_dh(self, dhfile: StrOrBytesPath) -> None:
        """Diffie-Hellman parameters from a PEM file."""
        path = _path(dhfile)
        try:
            self._core.use_dh_parameters(os.fsdecode(path))
        except OSError as error:
            raise _not_opened(error, [("BIO routines", "", "no such file")]) from error

    @_unused
    def set_tmp_ecdh(self, curve: _EllipticCurve | ec.EllipticCurve) -> None:
        """The one curve for the key exchange; one that TLS has not is ignored, as in pyOpenSSL."""
        if isinstance(curve, _EllipticCurve):
            warn_about(
                "Passing pyOpenSSL elliptic curves to set_tmp_ecdh is deprecated. "
                "You should use cryptography's elliptic curve types instead."
            )
        name = {"secp192r1": "prime192v1", "secp256r1": "prime256v1"}.get(curve.name, curve.name)
        self._core.use_group(name)

    # Credentials

    @deprecated(
        "Context.set_passwd_cb is deprecated. You should decrypt and load your private key yourself, with "
        "cryptography's key loading APIs, and then use Context.use_privatekey instead."
    )
    @_unused
    def set_passwd_cb(self, callback: Callable[[int, bool, Any], bytes], userdata: Any = None) -> None:
        """Who is asked for the password of a private key's file."""
        if not callable(callback):
            raise TypeError("callback must be callable")
        self._ask_passphrase = lambda: checked_passphrase(
            callback(_LONGEST_PASSPHRASE, False, userdata), _LONGEST_PASSPHRASE, truncate=True
        )

    @_unused
    def use_certificate_chain_file(self, certfile: StrOrBytesPath) -> None:
        """A PEM file with the certificate and its chain."""
        self._core.use_certificate_chain_file(_path(certfile))

    @_unused
    def use_certificate_chain(self, data: bytes) -> None:
        """The certificate and its chain, from PEM in memory.  Not in pyOpenSSL."""
        certificate, *chain = load_certificates(data)
        self._core.use_certificate(certificate)
        for each in chain:
            self._core.add_extra_chain_certificate(each)

    @_unused
    def use_certificate_file(self, certfile: StrOrBytesPath, filetype: int = FILETYPE_PEM) -> None:
        """A file with the certificate."""
        path = _path(certfile)
        self._core.use_certificate_file(path, _integer("filetype", filetype))

    @_unused
    def use_certificate(self, cert: X509 | x509.Certificate) -> None:
        """The certificate."""
        self._core.use_certificate(certificate_of(cert))

    @_unused
    def add_extra_chain_cert(self, certobj: X509 | x509.Certificate) -> None:
        """One more certificate of the chain."""
        self._core.add_extra_chain_certificate(certificate_of(certobj))

    @_unused
    def use_privatekey_file(self, keyfile: StrOrBytesPath, filetype: int = FILETYPE_PEM) -> None:
        """A file with the private key."""
        path = _path(keyfile)
        _integer("filetype", filetype)
        try:
            with open(path, "rb") as file:
                data = file.read()
        except OSError as error:
            raise _not_opened(error, [("BIO routines", "", "system lib"), *reason("system lib")]) from error
        try:
            encoded_as(filetype, data)
            key = PrivateKey.load(data, self._ask_passphrase)
        except KeyFormError as error:
            raise Error([*error.args[0], *_not_read(filetype)]) from error
        except errors.Error as error:
            raise Error([*queue_of(error), *_not_read(filetype)]) from error
        self._core.use_private_key(key)

    @_unused
    def use_privatekey(self, pkey: _PrivateKey | PKey) -> None:
        """The private key."""
        self._core.use_private_key(private_key_of(pkey))

    def check_privatekey(self) -> None:
        """Raises ``Error`` where certificate and key do not belong together."""
        with translated:
            self._core.check_private_key()

    # Verification

    @_unused
    def load_verify_locations(
        self, cafile: StrOrBytesPath | None = None, capath: StrOrBytesPath | None = None, *, cadata: bytes | None = None
    ) -> None:
        """Trusts the certificates of a PEM file, and those of a directory by their hashes.

        ``cadata``, which pyOpenSSL has not, is PEM or DER in memory.
        """
        if cadata is not None:
            self._core.store.add(bytes(cadata))
        if cadata is None or cafile is not None or capath is not None:
            file = None if cafile is None else _path(cafile)
            self._core.load_verify_locations(file, None if capath is None else _path(capath))

    @_unused
    def set_default_verify_paths(self) -> None:
        """Trusts whom the system trusts."""
        self._core.trust_system()

    @_unused
    def set_verify(self, mode: int, callback: VerifyCallback | None = None) -> None:
        """Whether the peer is verified, and who is asked about each certificate."""
        _integer("mode", mode)
        if callback is not None and not callable(callback):
            raise TypeError("callback must be callable")
        self._core.set_verify(mode, None if callback is None else verify_callback(callback))

    @_unused
    def set_verify_depth(self, depth: int) -> None:
        """How many certificates may stand between the peer's and the trusted one."""
        self._core.verify_depth = _integer("depth", depth)

    def get_verify_mode(self) -> int:
        """Of ``VERIFY_x``."""
        return self._core.verify_mode

    def get_verify_depth(self) -> int:
        """How many certificates may stand between the peer's and the trusted one."""
        return self._core.verify_depth

    def get_cert_store(self) -> X509Store | None:
        """Who is trusted; what is added there is trusted here."""
        return X509Store._of(self._core.store)

    @_unused
    def load_client_ca(self, cafile: bytes) -> None:
        """Names the authorities of a PEM file to clients."""
        self._core.load_client_authorities(bytes_of("cafile", cafile))

    @deprecated("Context.set_client_ca_list is deprecated. X509Name support in pyOpenSSL is deprecated.")
    @_unused
    def set_client_ca_list(self, certificate_authorities: Sequence[X509Name]) -> None:
        """Names these authorities to clients."""
        names: list[Name] = []
        for name in certificate_authorities:
            if not isinstance(name, X509Name):
                raise TypeError(f"client CAs must be X509Name objects, not {type(name).__name__} objects")
            names.append(name._core)
        self._core.set_client_authorities(names)

    @_unused
    def add_client_ca(self, certificate_authority: X509 | x509.Certificate) -> None:
        """Names one more authority to clients."""
        self._core.add_client_authority(certificate_of(certificate_authority))

    # Sessions

    @_unused
    def set_session_id(self, buf: bytes) -> None:
        """Of what this server's sessions are; no other server resumes them."""
        self._core.set_session_id_context(bytes_of("buf", buf))

    @_unused
    def set_session_cache_mode(self, mode: int) -> int:
        """Of ``SESS_CACHE_x``; the mode that it was before."""
        return self._core.set_session_cache_mode(_integer("mode", mode))

    def get_session_cache_mode(self) -> int:
        """Of ``SESS_CACHE_x``."""
        return self._core.session_cache_mode

    @_unused
    def set_timeout(self, timeout: int) -> int:
        """How many seconds a session can be resumed; the seconds that it was before."""
        return self._core.set_session_timeout(_integer("timeout", timeout))

    def get_timeout(self) -> int:
        """How many seconds a session can be resumed."""
        return self._core.session_timeout

    # Protocols and callbacks

    @_unused
    def set_info_callback(self, callback: Callable[[Connection, int, int], None]) -> None:
        """Called at each step of a handshake and for alerts."""
        self._core.info_callback = info_callback(callback)

    @_unused
    def set_keylog_callback(self, callback: Callable[[Connection, bytes], None]) -> None:
        """Called with each secret, in the format that Wireshark reads."""
        self._core.keylog_callback = lambda connection, line: callback(face_of(connection), line.encode())

    @_unused
    def set_tlsext_servername_callback(self, callback: Callable[[Connection], None]) -> None:
        """A server's, called when a client has said whom it means; it may call ``Connection.set_context``."""

        def servername(connection: CoreConnection, _: str | None) -> None:
            try:
                callback(face_of(connection))
            except Exception as error:
                sys.excepthook(type(error), error, error.__traceback__)
                raise Error(reason("callback failed")) from error

        self._core.servername_callback = servername

    @_unused
    def set_tlsext_use_srtp(self, profiles: bytes) -> None:
        """The SRTP profiles, colons between."""
        if not isinstance(profiles, bytes):
            raise TypeError("profiles must be a byte string.")
        self._core.use_srtp(profiles)

    @_unused
    def set_alpn_protos(self, protos: list[bytes]) -> None:
        """The application protocols that a client offers."""
        self._core.offer_protocols(protocols_of(protos))

    @_unused
    def set_alpn_select_callback(self, callback: ALPNSelectCallback) -> None:
        """A server's, called with what the client offers; it answers with one of these."""

        def select(connection: CoreConnection, offered: Sequence[str]) -> str | None:
            answer = callback(face_of(connection), [protocol.encode("latin-1") for protocol in offered])
            if answer is NO_OVERLAPPING_PROTOCOLS:
                return None
            if not isinstance(answer, bytes):
                raise TypeError(
                    "ALPN callback must return a bytestring or the special NO_OVERLAPPING_PROTOCOLS sentinel value."
                )
            selected = answer.decode("latin-1")
            if selected not in offered:
                raise Error([("SSL routines", "", f"the ALPN callback selected {answer!r}, which was not offered")])
            return selected

        self._core.alpn_callback = select

    @_unused
    def set_ocsp_server_callback(
        self, callback: Callable[[Connection, _T | None], bytes], data: _T | None = None
    ) -> None:
        """Called for the response to staple; ``b""`` for none."""

        def staple(connection: CoreConnection) -> bytes:
            response = callback(face_of(connection), data)
            if not isinstance(response, bytes):
                raise TypeError("OCSP callback must return a bytestring.")
            return response

        self._core.set_ocsp_server_callback(staple)

    @_unused
    def set_ocsp_client_callback(
        self, callback: Callable[[Connection, bytes, _T | None], bool], data: _T | None = None
    ) -> None:
        """Called with the response that was stapled; False ends the handshake."""
        self._core.set_ocsp_client_callback(
            lambda connection, response: bool(callback(face_of(connection), response, data))
        )

    @_unused
    def set_cookie_generate_callback(self, callback: Callable[[Connection], bytes]) -> None:
        """Called for the cookie that a DTLS client must send back."""
        self._core.set_cookie_callback(lambda connection: callback(face_of(connection)))

    @_unused
    def set_cookie_verify_callback(self, callback: Callable[[Connection, bytes], bool]) -> None:
        """Called with the cookie that came back; whether it is ours."""
        self._core.set_cookie_verify_callback(lambda connection, cookie: bool(callback(face_of(connection), cookie)))

    def get_app_data(self) -> Any:
        """What ``set_app_data`` was given."""
        return self._app_data

    @_unused
    def set_app_data(self, data: Any) -> None:
        """Anything that goes with the context."""
        self._app_data = data
