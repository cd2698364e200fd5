"""``ContextSettings``: the settings of a ``Context`` that need no ``Connection``, over ``MutableContext``.

The callbacks of a context get a ``Connection``: they are in context_and_connection.py.
"""

from __future__ import annotations

import functools
import os
import typing
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from pyossl.core import errors
from pyossl.core.copying import Uncopied
from pyossl.pyopenssl import cryptography_binding as binding
from pyossl.pyopenssl.certificates import X509, X509Name
from pyossl.pyopenssl.constants import (
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
from pyossl.pyopenssl.deprecation import deprecated, text_to_bytes_and_warn, warn_about
from pyossl.pyopenssl.exceptions import Error, ErrorQueue, queue_of, queue_with, translated
from pyossl.pyopenssl.keys import (
    FILETYPE_PEM,
    LONGEST_PASSPHRASE,
    Error as CryptoError,
    PKey,
    _EllipticCurve,
    checked_passphrase,
    data_of_filetype,
)
from pyossl.pyopenssl.stores import StrOrBytesPath, X509Store
from pyossl.tls.mutable.mutable_context import Method, MutableContext
from pyossl.x509.certificate import Certificate, load_certificates
from pyossl.x509.keys import PrivateKey
from pyossl.x509.names import Name
from pyossl.x509.passwords import Password

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

    from pyossl.pyopenssl.keys import _PrivateKey

_F = TypeVar("_F", bound=Callable[..., Any])


def certificate_of(certificate: X509 | x509.Certificate) -> Certificate:
    """The certificate in an ``X509``, with a ``DeprecationWarning``, or in an object of ``cryptography``."""
    if isinstance(certificate, X509):
        warn_about(
            "Passing pyOpenSSL X509 objects is deprecated. You should use a cryptography.x509.Certificate instead."
        )
        return certificate._certificate
    return X509.from_cryptography(certificate)._certificate


def private_key_of(key: PKey | _PrivateKey) -> PrivateKey:
    """The private key in a ``PKey``, with a ``DeprecationWarning``, or in an object of ``cryptography``."""
    if isinstance(key, PKey):
        warn_about("Passing pyOpenSSL PKey objects is deprecated. You should use a cryptography private key instead.")
        return key._private_key
    return PKey.from_cryptography_key(key)._private_key


def checked_protocols(protocols: Sequence[bytes]) -> Sequence[bytes]:
    """A list of ALPN protocols; ``ValueError`` if it is empty."""
    if not protocols:
        raise ValueError("at least one protocol must be specified")
    return protocols


def checked_integer(name: str, value: Any) -> int:
    """``value``; ``TypeError`` if it is no ``int``."""
    if not isinstance(value, int):
        raise TypeError(f"{name} must be an integer")
    return value


def checked_text(name: str, value: Any) -> str:
    """``value``; ``TypeError`` if it is no ``str``."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string")
    return value


def _path(path: StrOrBytesPath) -> bytes:
    return os.fsencode(path)


def _not_opened(error: OSError, other_entries: ErrorQueue) -> Error:
    """The error queue that OpenSSL has after it failed to open a file; the other entries depend on the function."""
    return Error([("system library", "", error.strerror or str(error)), *other_entries])


def _not_read(filetype: int) -> ErrorQueue:
    return queue_with("PEM lib" if filetype == FILETYPE_PEM else "ASN1 lib")


def before_first_connection(method: _F) -> _F:
    """Decorates a method that changes the context: ``ValueError`` if a connection was made from the context.

    An exception of ``pyossl.core`` becomes ``Error``.
    """

    @functools.wraps(method)
    def guarded(self: ContextSettings, *args: Any, **kwargs: Any) -> Any:
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


class ContextSettings(Uncopied):
    """The settings of a ``Context`` that need no ``Connection``."""

    _methods = _METHODS

    def __init__(self, method: int) -> None:
        checked_integer("method", method)
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

    def __repr__(self) -> str:
        if "_core" not in vars(self):
            return object.__repr__(self)
        checks = "" if self._core.verify_mode else "not "
        return f"<Context object, {checks}verifying the peer{', used by a connection' if self._used else ''}>"

    # Pointers, for programs that call OpenSSL themselves

    @property
    def _context(self) -> Any:
        """The ``SSL_CTX *``."""
        return binding.context_pointer(self._core)

    @property
    def _info_callback(self) -> Any:
        """The C function that OpenSSL calls, or None."""
        return binding.c_callback(self._core, "info")

    @property
    def _keylog_callback(self) -> Any:
        """The C function that OpenSSL calls, or None."""
        return binding.c_callback(self._core, "keylog")

    # Versions, options, algorithms

    @before_first_connection
    def set_min_proto_version(self, version: int) -> None:
        """Sets the oldest protocol version that is accepted.

        ``version`` is a constant, for example ``TLS1_2_VERSION``; 0 is the oldest that OpenSSL has.
        SSL_CTX_set_min_proto_version(3)
        """
        self._core.set_minimum(version)

    @before_first_connection
    def set_max_proto_version(self, version: int) -> None:
        """Sets the newest protocol version that is accepted.

        ``version`` is a constant, for example ``TLS1_3_VERSION``; 0 is the newest that OpenSSL has.
        SSL_CTX_set_max_proto_version(3)
        """
        self._core.set_maximum(version)

    @before_first_connection
    def set_options(self, options: int) -> int:
        """Adds ``options``, a combination of ``OP_*``, and returns all options that are set.  SSL_CTX_set_options(3)"""
        return self._core.add_options(checked_integer("options", options))

    @before_first_connection
    def set_mode(self, mode: int) -> int:
        """Adds ``mode``, a combination of ``MODE_*``, and returns all modes that are set.  SSL_CTX_set_mode(3)"""
        return self._core.add_modes(checked_integer("mode", mode))

    @before_first_connection
    def clear_mode(self, mode_to_clear: int) -> int:
        """Removes ``mode_to_clear``, a combination of ``MODE_*``, and returns the modes that remain.

        SSL_CTX_clear_mode(3)
        """
        return self._core.clear_modes(mode_to_clear)

    @before_first_connection
    def set_cipher_list(self, cipher_list: bytes) -> None:
        """Sets the ciphers for TLS 1.2 and older.

        ``cipher_list`` is bytes in OpenSSL's format, for example ``b"ECDHE+AESGCM"``.  ``str`` is accepted with a
        ``DeprecationWarning``.  Raises ``Error`` if no cipher matches.  SSL_CTX_set_cipher_list(3)
        """
        ciphers = text_to_bytes_and_warn("cipher_list", cipher_list)
        if not isinstance(ciphers, bytes):
            raise TypeError("cipher_list must be a byte string.")
        self._core.choose_ciphers(ciphers)

    @before_first_connection
    def set_tls13_ciphersuites(self, ciphersuites: bytes) -> None:
        """Sets the ciphersuites for TLS 1.3.

        ``ciphersuites`` is their names with colons between them, for example ``b"TLS_AES_128_GCM_SHA256"``.  Raises
        ``Error`` if OpenSSL refuses the list.  SSL_CTX_set_ciphersuites(3)
        """
        if not isinstance(ciphersuites, bytes):
            raise TypeError("ciphersuites must be a byte string.")
        self._core.choose_ciphersuites(ciphersuites)

    @before_first_connection
    def set_groups(self, groups: str) -> None:
        """Sets the groups for the key exchange.

        ``groups`` is their names, for example ``"X25519MLKEM768:X25519"``, the preferred one first.  Raises ``Error``
        if OpenSSL refuses the list.  Not in pyOpenSSL.  SSL_CTX_set1_groups_list(3)
        """
        self._core.choose_groups(checked_text("groups", groups))

    @before_first_connection
    def set_sigalgs(self, algorithms: str) -> None:
        """Sets the signature algorithms.

        ``algorithms`` is their names, for example ``"ECDSA+SHA256:RSA-PSS+SHA256"``, the preferred one first.  Raises
        ``Error`` if OpenSSL refuses the list.  Not in pyOpenSSL.  SSL_CTX_set1_sigalgs_list(3)
        """
        self._core.choose_sigalgs(checked_text("algorithms", algorithms))

    @before_first_connection
    def load_tmp_dh(self, dhfile: StrOrBytesPath) -> None:
        """Loads Diffie-Hellman parameters from ``dhfile``, the path of a PEM file.

        Raises ``Error`` if the file cannot be read or has no such parameters.  SSL_CTX_set0_tmp_dh_pkey(3)
        """
        path = _path(dhfile)
        try:
            self._core.use_dh_parameters(os.fsdecode(path))
        except OSError as error:
            raise _not_opened(error, [("BIO routines", "", "no such file")]) from error

    @before_first_connection
    def set_tmp_ecdh(self, curve: _EllipticCurve | ec.EllipticCurve) -> None:
        """Sets the only group for the key exchange to an elliptic curve.

        ``curve`` is an object of ``cryptography``; one from ``crypto.get_elliptic_curve`` is accepted with a
        ``DeprecationWarning``.  A curve that TLS does not have is ignored, as in pyOpenSSL.
        SSL_CTX_set1_groups_list(3)
        """
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
    @before_first_connection
    def set_passwd_cb(self, callback: Callable[[int, bool, Any], bytes], userdata: Any = None) -> None:
        """Sets the callback that returns the passphrase for ``use_privatekey_file``.

        It is called as ``callback(1024, False, userdata)``: the largest length in bytes, and whether the passphrase is
        for writing.  It returns bytes; bytes after the first 1024 are ignored.  Raises ``TypeError`` if ``callback``
        cannot be called.  SSL_CTX_set_default_passwd_cb(3)
        """
        if not callable(callback):
            raise TypeError("callback must be callable")
        self._ask_passphrase = lambda: checked_passphrase(
            callback(LONGEST_PASSPHRASE, False, userdata), LONGEST_PASSPHRASE, truncate=True
        )

    @before_first_connection
    def use_certificate_chain_file(self, certfile: StrOrBytesPath) -> None:
        """Loads the certificate and its chain from a PEM file, the certificate first.

        ``certfile`` is its path.  Raises ``Error`` if the file cannot be read or decoded.
        SSL_CTX_use_certificate_chain_file(3)
        """
        self._core.use_certificate_chain_file(_path(certfile))

    @before_first_connection
    def use_certificate_chain(self, data: bytes) -> None:
        """Loads the certificate and its chain from PEM in memory, the certificate first.

        Raises ``Error`` if ``data`` cannot be decoded.  Not in pyOpenSSL.  SSL_CTX_use_certificate(3)
        """
        certificate, *chain = load_certificates(data)
        self._core.use_certificate(certificate)
        for each in chain:
            self._core.add_extra_chain_certificate(each)

    @before_first_connection
    def use_certificate_file(self, certfile: StrOrBytesPath, filetype: int = FILETYPE_PEM) -> None:
        """Loads the certificate from a file.

        ``certfile`` is its path, ``filetype`` is ``FILETYPE_PEM`` or ``FILETYPE_ASN1`` (DER).  Raises ``Error`` if the
        file cannot be read or decoded.  SSL_CTX_use_certificate_file(3)
        """
        path = _path(certfile)
        self._core.use_certificate_file(path, checked_integer("filetype", filetype))

    @before_first_connection
    def use_certificate(self, cert: X509 | x509.Certificate) -> None:
        """Sets the certificate.

        ``cert`` is an object of ``cryptography``; an ``X509`` is accepted with a ``DeprecationWarning``, anything else
        raises ``TypeError``.  SSL_CTX_use_certificate(3)
        """
        self._core.use_certificate(certificate_of(cert))

    @before_first_connection
    def add_extra_chain_cert(self, certobj: X509 | x509.Certificate) -> None:
        """Adds a certificate to the chain that is sent after the context's own certificate.

        ``certobj`` is an object of ``cryptography``; an ``X509`` is accepted with a ``DeprecationWarning``, anything
        else raises ``TypeError``.  SSL_CTX_add_extra_chain_cert(3)
        """
        self._core.add_extra_chain_certificate(certificate_of(certobj))

    @before_first_connection
    def use_privatekey_file(self, keyfile: StrOrBytesPath, filetype: int = FILETYPE_PEM) -> None:
        """Loads the private key from a file.

        ``keyfile`` is its path, ``filetype`` is ``FILETYPE_PEM`` or ``FILETYPE_ASN1`` (DER).  An encrypted key needs
        ``set_passwd_cb``: pyossl never prompts on the terminal.  Raises ``Error`` if the file cannot be read, decoded
        or decrypted, or if the key does not match the certificate.  SSL_CTX_use_PrivateKey(3)
        """
        path = _path(keyfile)
        checked_integer("filetype", filetype)
        try:
            with open(path, "rb") as file:
                data = file.read()
        except OSError as error:
            raise _not_opened(error, [("BIO routines", "", "system lib"), *queue_with("system lib")]) from error
        try:
            data_of_filetype(filetype, data)
            key = PrivateKey.load(data, self._ask_passphrase)
        except CryptoError as error:
            raise Error([*error.args[0], *_not_read(filetype)]) from error
        except errors.Error as error:
            raise Error([*queue_of(error), *_not_read(filetype)]) from error
        self._core.use_private_key(key)

    @before_first_connection
    def use_privatekey(self, pkey: _PrivateKey | PKey) -> None:
        """Sets the private key.

        ``pkey`` is an object of ``cryptography``; a ``PKey`` is accepted with a ``DeprecationWarning``, anything else
        raises ``TypeError``.  Raises ``Error`` if the key does not match the certificate.  SSL_CTX_use_PrivateKey(3)
        """
        self._core.use_private_key(private_key_of(pkey))

    def check_privatekey(self) -> None:
        """Raises ``Error`` if the private key does not match the certificate.  SSL_CTX_check_private_key(3)"""
        with translated:
            self._core.check_private_key()

    # Verification

    @before_first_connection
    def load_verify_locations(
        self, cafile: StrOrBytesPath | None = None, capath: StrOrBytesPath | None = None, *, cadata: bytes | None = None
    ) -> None:
        """Adds trusted certificates.

        - ``cafile``: the path of a PEM file.
        - ``capath``: the path of a directory with one certificate per file, named by the hash of its subject.
        - ``cadata``: PEM or DER in memory.  Not in pyOpenSSL.

        Raises ``Error`` if a certificate cannot be read or decoded.  SSL_CTX_load_verify_locations(3)
        """
        if cadata is not None:
            self._core.store.add(bytes(cadata))
        if cadata is None or cafile is not None or capath is not None:
            file = None if cafile is None else _path(cafile)
            self._core.load_verify_locations(file, None if capath is None else _path(capath))

    @before_first_connection
    def set_default_verify_paths(self) -> None:
        """Adds the certificates that the system trusts.  SSL_CTX_set_default_verify_paths(3)"""
        self._core.trust_system()

    @before_first_connection
    def set_verify_depth(self, depth: int) -> None:
        """Sets how many certificates may be between the peer's certificate and the trusted one.

        ``depth`` is their number.  SSL_CTX_set_verify_depth(3)
        """
        self._core.verify_depth = checked_integer("depth", depth)

    def get_verify_mode(self) -> int:
        """The verification mode, a combination of ``VERIFY_*``.  SSL_CTX_get_verify_mode(3)"""
        return self._core.verify_mode

    def get_verify_depth(self) -> int:
        """How many certificates may be between the peer's certificate and the trusted one; -1 if no limit is set.

        SSL_CTX_get_verify_depth(3)
        """
        return self._core.verify_depth

    def get_cert_store(self) -> X509Store | None:
        """The trust store of the context: a certificate that is added to it is trusted here.

        SSL_CTX_get_cert_store(3)
        """
        return X509Store._of(self._core.store)

    @before_first_connection
    def load_client_ca(self, cafile: bytes) -> None:
        """Loads the names of the certification authorities that a server sends to its clients.

        ``cafile`` is the path of a PEM file with their certificates.  Raises ``Error`` if it cannot be read.
        SSL_load_client_CA_file(3)
        """
        self._core.load_client_authorities(text_to_bytes_and_warn("cafile", cafile))

    @deprecated("Context.set_client_ca_list is deprecated. X509Name support in pyOpenSSL is deprecated.")
    @before_first_connection
    def set_client_ca_list(self, certificate_authorities: Sequence[X509Name]) -> None:
        """Sets the names of certification authorities that a server sends to its clients.

        ``certificate_authorities`` is a sequence of ``X509Name``; ``TypeError`` if it has another object.
        SSL_CTX_set_client_CA_list(3)
        """
        names: list[Name] = []
        for name in certificate_authorities:
            if not isinstance(name, X509Name):
                raise TypeError(f"client CAs must be X509Name objects, not {type(name).__name__} objects")
            names.append(name._core)
        self._core.set_client_authorities(names)

    @before_first_connection
    def add_client_ca(self, certificate_authority: X509 | x509.Certificate) -> None:
        """Adds the subject of a certificate to the names of authorities that a server sends to its clients.

        ``certificate_authority`` is an object of ``cryptography``; an ``X509`` is accepted with a
        ``DeprecationWarning``.  SSL_CTX_add_client_CA(3)
        """
        self._core.add_client_authority(certificate_of(certificate_authority))

    # Sessions

    @before_first_connection
    def set_session_id(self, buf: bytes) -> None:
        """Sets the session id context: a server resumes only sessions that were made with the same one.

        ``buf`` has 32 bytes at most, or ``Error`` is raised.  SSL_CTX_set_session_id_context(3)
        """
        self._core.set_session_id_context(text_to_bytes_and_warn("buf", buf))

    @before_first_connection
    def set_session_cache_mode(self, mode: int) -> int:
        """Sets the mode of the session cache, and returns the mode before.

        ``mode`` is a combination of ``SESS_CACHE_*``.  SSL_CTX_set_session_cache_mode(3)
        """
        return self._core.set_session_cache_mode(checked_integer("mode", mode))

    def get_session_cache_mode(self) -> int:
        """The mode of the session cache, a combination of ``SESS_CACHE_*``.  SSL_CTX_get_session_cache_mode(3)"""
        return self._core.session_cache_mode

    @before_first_connection
    def set_timeout(self, timeout: int) -> int:
        """Sets how long a session can be resumed, and returns the value before.

        ``timeout`` and the result are in seconds.  SSL_CTX_set_timeout(3)
        """
        return self._core.set_session_timeout(checked_integer("timeout", timeout))

    def get_timeout(self) -> int:
        """How many seconds a session can be resumed.  SSL_CTX_get_timeout(3)"""
        return self._core.session_timeout

    # Protocols

    @before_first_connection
    def set_tlsext_use_srtp(self, profiles: bytes) -> None:
        """Sets the SRTP profiles for DTLS.

        ``profiles`` is their names with colons between them, for example ``b"SRTP_AES128_CM_SHA1_80"``.  Raises
        ``Error`` if OpenSSL refuses the list.  SSL_CTX_set_tlsext_use_srtp(3)
        """
        if not isinstance(profiles, bytes):
            raise TypeError("profiles must be a byte string.")
        self._core.use_srtp(profiles)

    @before_first_connection
    def set_alpn_protos(self, protos: list[bytes]) -> None:
        """Sets the application protocols that a client offers.

        ``protos`` is a list, for example ``[b"h2", b"http/1.1"]``.  Raises ``ValueError`` if the list is empty.
        SSL_CTX_set_alpn_protos(3)
        """
        self._core.offer_protocols(checked_protocols(protos))

    # Data of the program

    def get_app_data(self) -> Any:
        """The object that ``set_app_data`` was given, or None."""
        return self._app_data

    @before_first_connection
    def set_app_data(self, data: Any) -> None:
        """Keeps ``data``, any object of the program, with the context."""
        self._app_data = data
