"""Contexts of TLS_method(3) and the like, which are set up call by call and serve clients and servers.

A ``Context`` is complete and secure when it is made.  A ``MutableContext`` is an SSL_CTX as OpenSSL makes it: it does
not verify until ``set_verify`` is called, and it has methods for all settings of pyOpenSSL's API.  Its connections are
``MutableConnection``s: their side is set later, and their settings may be changed at any time.  Like every context,
a ``MutableContext`` is frozen at its first connection, unless it is made with ``live=True``: then it may be changed
while connections use it (pyossl/_c/tls/mutable/live_context.c), as a server does that replaces its certificate.
"""

from __future__ import annotations

import enum
import os
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from pyossl.core import ffi, lib, own
from pyossl.core.arguments import c_string, c_text, function as checked_function, integer
from pyossl.core.errors import UsageError, check, check_ptr, failed, require
from pyossl.core.outcome import take_records
from pyossl.core.parked_exceptions import callback
from pyossl.tls.callbacks.callbacks import (
    Callbacks,
    ContextCallbacks,
    ContextMessageCallback,
    IndicatedNameCallback,
    OCSPClientCallback,
    OCSPServerCallback,
    VerifyCallback,
)
from pyossl.tls.mutable.credential_files import dh_parameters, dh_parameters_for_ssl_module, load_credentials
from pyossl.tls.mutable.srtp import SRTPContext
from pyossl.tls.settings.alpn import wire_format
from pyossl.tls.settings.options import refuse_jobs
from pyossl.x509.certificate import Certificate, stack_of_certificates
from pyossl.x509.keys import PrivateKey, check_library
from pyossl.x509.names import Name
from pyossl.x509.passwords import Password
from pyossl.x509.pem_and_der import Source, pem_file, pem_text, source_bytes
from pyossl.x509.trust_store import Store, default_file

if TYPE_CHECKING:
    from pyossl.tls.connection.connection import Connection

_T = TypeVar("_T")
CookieCallback = Callable[["Connection"], bytes]
CookieVerifyCallback = Callable[["Connection", bytes], bool]

LONGEST_COOKIE = 255


class Method(enum.Enum):
    """The protocol, TLS or DTLS, and the side: client, server, or either.  SSL_CTX_new(3)

    The value is the name of the function of OpenSSL that returns the ``SSL_METHOD``.
    """

    TLS = "TLS_method"
    TLS_CLIENT = "TLS_client_method"
    TLS_SERVER = "TLS_server_method"
    DTLS = "DTLS_method"
    DTLS_CLIENT = "DTLS_client_method"
    DTLS_SERVER = "DTLS_server_method"


class MutableContextCallbacks(ContextCallbacks):
    """The callbacks of a ``MutableContext``: those of every context, and those for DTLS cookies."""

    __slots__ = ("cookie", "cookie_verify")

    def __init__(self) -> None:
        super().__init__()
        self.cookie: CookieCallback | None = None
        self.cookie_verify: CookieVerifyCallback | None = None


class MutableContext(SRTPContext):
    """A context that is set up call by call, and whose connections may be clients or servers.  SSL_CTX_new(3)

    - ``method``: the ``Method`` of SSL_CTX_new(3).
    - ``live``: True: the context is never frozen, and any thread may change it.  A change waits until no connection is
      in a step of its handshake.  A connection that has been made keeps the certificate, the versions and the options
      that the context had then.

    Raises ``UnsupportedError`` for DTLS if this OpenSSL has none.
    """

    __slots__ = ("_is_live",)
    _callbacks: MutableContextCallbacks

    def __init__(self, method: Method, *, live: bool = False) -> None:
        self._check_new()
        self._is_dtls = method.name.startswith("DTLS")
        if self._is_dtls:
            require(lib.HAVE_DTLS, "DTLS")
        self._begin(getattr(lib, method.value)(), MutableContextCallbacks(), is_server=False)
        self._is_live = live
        self._srtp_profiles = ()
        if live:
            check(lib.pyossl_make_live(self._ctx), "making a lock")
        lib.SSL_CTX_set_mode(
            self._ctx,
            lib.SSL_MODE_ENABLE_PARTIAL_WRITE | lib.SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | lib.SSL_MODE_AUTO_RETRY,
        )

    def _freeze(self) -> Any:
        # The session id context is what the program sets: programs of pyOpenSSL share their sessions by it.
        self._frozen = not self._is_live
        return self._ctx

    def call(self, function: Callable[..., _T], *arguments: Any) -> _T:
        """As ``Context.call``.  Raises ``UsageError`` on a live context: no lock would keep its connections apart."""
        if self._is_live:
            raise UsageError("a live context has no call(): its connections may be using it")
        return super().call(function, *arguments)

    def _call(self, function: Callable[..., int], *arguments: Any) -> int:
        """Calls a function of OpenSSL that returns 1 or more for success; raises ``Error`` for 0 and below."""
        self._change()
        take_records()
        return check(function(self._ctx, *arguments), getattr(function, "__name__", "a call"))

    def set_minimum(self, version: int) -> None:
        """Sets the oldest version; 0 for the oldest that OpenSSL has.  SSL_CTX_set_min_proto_version(3)"""
        self._call(lib.SSL_CTX_set_min_proto_version, version)

    def set_maximum(self, version: int) -> None:
        """Sets the newest version; 0 for the newest that OpenSSL has.  SSL_CTX_set_max_proto_version(3)"""
        self._call(lib.SSL_CTX_set_max_proto_version, version)

    def add_options(self, options: int) -> int:
        """Sets options in addition to those that are set; returns all of them.  SSL_CTX_set_options(3)"""
        self._change()
        return int(lib.SSL_CTX_set_options(self._ctx, options))

    def add_modes(self, modes: int) -> int:
        """Sets modes in addition to those that are set; returns all of them.  ``ValueError`` for ``Modes.ASYNC``.

        SSL_CTX_set_mode(3)
        """
        self._change()
        refuse_jobs(modes)
        return int(lib.SSL_CTX_set_mode(self._ctx, modes))

    def clear_modes(self, modes: int) -> int:
        """Clears modes; returns those that remain.  SSL_CTX_clear_mode(3)"""
        self._change()
        return int(lib.SSL_CTX_clear_mode(self._ctx, modes))

    # Algorithms

    def choose_ciphers(self, ciphers: bytes) -> None:
        """Sets the ciphers of TLS 1.2 and earlier.  SSL_CTX_set_cipher_list(3)"""
        self._call(lib.SSL_CTX_set_cipher_list, c_text(ciphers, "a cipher list"))

    def choose_ciphersuites(self, ciphersuites: bytes) -> None:
        """Sets the ciphersuites of TLS 1.3.  SSL_CTX_set_ciphersuites(3)"""
        self._call(lib.SSL_CTX_set_ciphersuites, c_text(ciphersuites, "a list of ciphersuites"))

    def choose_groups(self, groups: str) -> None:
        """Sets the groups of the key exchange.  SSL_CTX_set1_groups_list(3)"""
        self._call(lib.SSL_CTX_set1_groups_list, c_string(groups, "a list of groups"))

    def choose_sigalgs(self, algorithms: str) -> None:
        """Sets the signature algorithms.  SSL_CTX_set1_sigalgs_list(3)"""
        self._call(lib.SSL_CTX_set1_sigalgs_list, c_string(algorithms, "a list of signature algorithms"))

    def use_group(self, name: str) -> bool:
        """Sets one group for the key exchange; returns whether OpenSSL took it.  SSL_CTX_set1_groups_list(3)"""
        self._change()
        take_records()
        done = lib.SSL_CTX_set1_groups_list(self._ctx, c_string(name, "a group")) == 1
        take_records()
        return bool(done)

    def use_dh_parameters(self, source: Source) -> None:
        """Sets a server's Diffie-Hellman parameters, in PEM, for TLS 1.2 and earlier.  SSL_CTX_set0_tmp_dh_pkey(3)"""
        self._change()
        self._use_dh(dh_parameters(pem_text(source_bytes(source))))

    def _use_dh(self, pointer: Any) -> None:
        check_ptr(pointer, "reading Diffie-Hellman parameters")
        if lib.pyossl_use_dh(self._ctx, pointer) != 1:
            lib.EVP_PKEY_free(pointer)
            raise failed("SSL_CTX_set0_tmp_dh_pkey")

    def load_dh_parameters(self, path: str | bytes) -> None:
        """As ``use_dh_parameters``, from a PEM file.  Raises ``OSError`` with the path if it cannot be read.

        The records of the ``Error`` for another file are those of PEM_read_bio_DHparams(3).
        """
        self._change()
        with open(_path(path), "rb") as file:
            data = file.read()
        self._use_dh(dh_parameters_for_ssl_module(data))

    # Credentials

    def use_credentials(self, certificate: Certificate, key: PrivateKey, chain: Iterable[Certificate] = ()) -> None:
        """Sets the certificate, its key and its chain, at once: no connection is made with one and without the others.

        They replace those of the same type of key.  Raises ``Error`` if they do not belong together.
        SSL_CTX_use_cert_and_key(3)
        """
        check_library(key, self._library_context, "the context")
        self._call(lib.pyossl_use_credentials, certificate._x509, key._key, stack_of_certificates(tuple(chain)))

    def load_credentials(
        self, certificate_file: str | bytes, key_file: str | bytes | None = None, password: Password | None = None
    ) -> None:
        """Loads the certificate with its chain, and the key, from PEM files.

        - ``certificate_file``: the path of the certificates, the context's own first.
        - ``key_file``: the path of the key; None if it is in the same file.
        - ``password``: the password of an encrypted key, or a function that returns it and is called if it is needed.

        They replace those of the same type of key.  If it fails, the context keeps what it had.  Raises the exception
        of ``password``; ``OSError`` with errno and path for a file that cannot be read; ``ValueError`` for a password
        that is too long; and ``Error`` with OpenSSL's records if a file is malformed, the password is wrong, or key and
        certificate do not belong together.
        SSL_CTX_use_certificate_chain_file(3), SSL_CTX_use_PrivateKey_file(3)
        """
        self._change()
        load_credentials(self._ctx, certificate_file, key_file, password)

    def use_certificate(self, certificate: Certificate) -> None:
        """Sets the certificate.  SSL_CTX_use_certificate(3)"""
        self._call(lib.SSL_CTX_use_certificate, certificate._x509)

    def use_certificate_file(self, path: str | bytes, form: int) -> None:
        """Loads the certificate from a file; ``form`` is SSL_FILETYPE_PEM or SSL_FILETYPE_ASN1.

        SSL_CTX_use_certificate_file(3)
        """
        file = _path(path)
        is_pem = form == lib.SSL_FILETYPE_PEM
        self._call(lib.SSL_CTX_use_certificate_file, pem_file(file) if is_pem else file, form)

    def use_certificate_chain_file(self, path: str | bytes) -> None:
        """Loads the certificate and its chain from a PEM file.  SSL_CTX_use_certificate_chain_file(3)"""
        self._call(lib.SSL_CTX_use_certificate_chain_file, pem_file(_path(path)))

    def add_extra_chain_certificate(self, certificate: Certificate) -> None:
        """Adds a certificate to the chain that is sent.  SSL_CTX_add_extra_chain_cert(3)"""
        check(lib.X509_up_ref(certificate._x509), "X509_up_ref")
        try:
            self._call(lib.SSL_CTX_add_extra_chain_cert, certificate._x509)
        except BaseException:
            lib.X509_free(certificate._x509)
            raise

    def use_private_key(self, key: PrivateKey) -> None:
        """Sets the private key.  SSL_CTX_use_PrivateKey(3)"""
        check_library(key, self._library_context, "the context")
        self._call(lib.SSL_CTX_use_PrivateKey, key._key)

    def check_private_key(self) -> None:
        """Raises ``Error`` if certificate and key do not belong together.  SSL_CTX_check_private_key(3)"""
        take_records()
        check(lib.SSL_CTX_check_private_key(self._ctx), "SSL_CTX_check_private_key")

    # Trust and verification

    def load_verify_locations(self, file: bytes | None, directory: bytes | None) -> None:
        """Trusts the certificates of a PEM file and of a directory.  SSL_CTX_load_verify_locations(3)"""
        self._call(
            lib.SSL_CTX_load_verify_locations,
            ffi.NULL if file is None else pem_file(_path(file)),
            ffi.NULL if directory is None else _path(directory),
        )

    def trust_system(self) -> None:
        """Trusts the authorities of the system's trust store.  SSL_CTX_set_default_verify_paths(3)"""
        self._change()
        take_records()
        check(lib.pyossl_context_trusts_system(self._ctx, default_file()._store), "X509_STORE_set_default_paths")

    @property
    def store(self) -> Store:
        """The context's own trust store.  SSL_CTX_get_cert_store(3)"""
        pointer = lib.SSL_CTX_get_cert_store(self._ctx)
        check(lib.X509_STORE_up_ref(pointer), "X509_STORE_up_ref")
        return Store(own(pointer, lib.X509_STORE_free))

    @property
    def verify_mode(self) -> int:
        """The verification mode, a combination of ``SSL_VERIFY_x``.  SSL_CTX_get_verify_mode(3)"""
        return int(lib.SSL_CTX_get_verify_mode(self._ctx))

    @property
    def host_flags(self) -> int:
        """How new connections compare names, a combination of ``X509_CHECK_FLAG_x``; 0 at the beginning.

        0 lets a certificate without DNS names match by its common name, and a wildcard be a part of a label.  The flags
        are for ``MutableConnection.expect_peer``; other methods compare by whole labels, and with no common name.
        X509_VERIFY_PARAM_set_hostflags(3)
        """
        return int(lib.X509_VERIFY_PARAM_get_hostflags(lib.SSL_CTX_get0_param(self._ctx)))

    @host_flags.setter
    def host_flags(self, flags: int) -> None:
        self._change()
        integer(flags, "host flags", 0, 0xFFFFFFFF)
        lib.X509_VERIFY_PARAM_set_hostflags(lib.SSL_CTX_get0_param(self._ctx), flags)

    def set_verify(self, mode: int, callback: VerifyCallback | None) -> None:
        """Sets the verification mode and the callback for each certificate of the peer's chain.

        SSL_CTX_set_verify(3)
        """
        self._change()
        self._set_verification(mode)
        self._callbacks.verify = callback

    def load_client_authorities(self, path: bytes) -> None:
        """Sends the names of the authorities in a PEM file to clients.  SSL_load_client_CA_file(3)"""
        self._change()
        take_records()
        names = check_ptr(lib.SSL_load_client_CA_file(pem_file(_path(path))), "SSL_load_client_CA_file")
        lib.SSL_CTX_set_client_CA_list(self._ctx, names)

    def set_client_authorities(self, names: Sequence[Name]) -> None:
        """Sends the names of these authorities to clients.  SSL_CTX_set_client_CA_list(3)"""
        self._change()
        stack = check_ptr(lib.sk_X509_NAME_new_null(), "sk_X509_NAME_new_null")
        for name in names:
            lib.sk_X509_NAME_push(stack, lib.X509_NAME_dup(name._name))
        lib.SSL_CTX_set_client_CA_list(self._ctx, stack)

    def add_client_authority(self, certificate: Certificate) -> None:
        """Adds the subject of a certificate to the authorities sent to clients.  SSL_CTX_add_client_CA(3)"""
        self._call(lib.SSL_CTX_add_client_CA, certificate._x509)

    # Sessions

    def set_session_id_context(self, name: bytes) -> None:
        """Sets the bytes that keep sessions apart from other contexts' sessions.  SSL_CTX_set_session_id_context(3)"""
        self._call(lib.SSL_CTX_set_session_id_context, name, len(name))

    @property
    def session_cache_mode(self) -> int:
        """The mode of the session cache, a combination of ``SSL_SESS_CACHE_x``.  SSL_CTX_get_session_cache_mode(3)"""
        return int(lib.SSL_CTX_get_session_cache_mode(self._ctx))

    def set_session_cache_mode(self, mode: int) -> int:
        """Sets the mode of the session cache; returns the previous one.  SSL_CTX_set_session_cache_mode(3)"""
        self._change()
        return int(lib.SSL_CTX_set_session_cache_mode(self._ctx, mode))

    def set_session_timeout(self, seconds: int) -> int:
        """Sets how long new sessions can be resumed; returns the previous time.  SSL_CTX_set_timeout(3)"""
        self._change()
        return int(lib.SSL_CTX_set_timeout(self._ctx, seconds))

    # Protocols and callbacks

    def offer_protocols(self, protocols: Iterable[bytes]) -> None:
        """Sets the application protocols that a client offers.  SSL_CTX_set_alpn_protos(3)"""
        self._change()
        wire = wire_format(protocols)
        if lib.SSL_CTX_set_alpn_protos(self._ctx, wire, len(wire)) != 0:
            raise failed("SSL_CTX_set_alpn_protos")

    def select_protocols(self, protocols: Iterable[bytes] | None) -> None:
        """Sets the application protocols of which a server selects one, the preferred one first; None for none.

        If the client offers none of them, the handshake goes on without a protocol.  SSL_CTX_set_alpn_select_cb(3)
        """
        self._change()
        before = self._alpn  # OpenSSL may use it until the call below has returned
        if protocols is None:
            self._alpn = None
        else:
            self._keep_alpn(wire_format(protocols), goes_on=True)
        lib.pyossl_set_alpn_select(self._ctx, ffi.NULL if self._alpn is None else self._alpn[0])
        del before

    @property
    def indicated_name_callback(self) -> IndicatedNameCallback | None:
        """Called as ``callback(connection, name)`` when the ClientHello has been read; None for none.

        ``name`` is the server name that the client sent, as bytes, or None.  The callback returns None to go on, also
        after it has called ``MutableConnection.change_context``, or the number of the alert to refuse the client with:
        ``Alert.UNRECOGNIZED_NAME``.  OpenSSL has one such callback for a context: it replaces ``servername_callback``.
        SSL_CTX_set_tlsext_servername_callback(3)
        """
        return self._callbacks.indicated_name

    @indicated_name_callback.setter
    def indicated_name_callback(self, callback: IndicatedNameCallback | None) -> None:
        self._change()
        self.servername_callback = None
        self._callbacks.indicated_name = checked_function(callback, "a server name callback")
        lib.pyossl_set_callback(self._ctx, lib.PYOSSL_INDICATED_NAME, callback is not None)

    @property
    def message_callback(self) -> ContextMessageCallback | None:
        """Called as ``callback(connection, message)`` with each ``Message`` of the protocol; None for none.

        Connections that were made before it was set do not call it.  SSL_CTX_set_msg_callback(3)
        """
        return self._callbacks.message

    @message_callback.setter
    def message_callback(self, callback: ContextMessageCallback | None) -> None:
        self._change()
        self._callbacks.message = checked_function(callback, "a message callback")
        lib.pyossl_set_callback(self._ctx, lib.PYOSSL_MESSAGE, callback is not None)

    def _change_server(self, setting: str) -> None:
        # The side of a connection is set later.
        self._change()

    def set_ocsp_server_callback(self, callback: OCSPServerCallback) -> None:
        """Sets a server's callback, which returns the OCSP response to staple; ``b""`` for none.

        SSL_CTX_set_tlsext_status_cb(3)
        """
        self._change()
        self._callbacks.ocsp_server, self._callbacks.ocsp_client = callback, None
        lib.pyossl_set_ocsp_callback(self._ctx)

    def set_ocsp_client_callback(self, callback: OCSPClientCallback) -> None:
        """Sets a client's callback, which gets the stapled OCSP response; ``b""`` if there is none.

        If it returns False, the handshake fails.  SSL_CTX_set_tlsext_status_cb(3)
        """
        self._change()
        self._callbacks.ocsp_client, self._callbacks.ocsp_server = callback, None
        lib.pyossl_set_ocsp_callback(self._ctx)

    def set_cookie_callback(self, callback: CookieCallback) -> None:
        """Sets the callback that returns the cookie for a DTLS client.  SSL_CTX_set_cookie_generate_cb(3)"""
        self._change()
        self._callbacks.cookie = callback
        lib.pyossl_set_cookie_generate_callback(self._ctx)

    def set_cookie_verify_callback(self, callback: CookieVerifyCallback) -> None:
        """Sets the callback that returns whether a DTLS client's cookie is valid.  SSL_CTX_set_cookie_verify_cb(3)"""
        self._change()
        self._callbacks.cookie_verify = callback
        lib.pyossl_set_cookie_verify_callback(self._ctx)

    def __repr__(self) -> str:
        return f"<MutableContext{'' if self.verifies else ', verify=False'}>"


def _path(path: str | bytes) -> bytes:
    return c_text(os.fsencode(path), "a path")


def _of_mutable_context(callbacks: Callbacks) -> MutableContextCallbacks | None:
    of_context = callbacks.of_context
    return of_context if isinstance(of_context, MutableContextCallbacks) else None


@callback(0)
def pyossl_on_cookie_generate(handle: Any, cookie: Any, length: Any) -> int:
    callbacks: Callbacks = ffi.from_handle(handle)
    of_context = _of_mutable_context(callbacks)

    def question(connection: Connection) -> int:
        function = of_context.cookie if of_context else None
        if function is None:
            return 0
        data = function(connection)
        if len(data) > LONGEST_COOKIE:
            raise ValueError(f"Cookie too long (got {len(data)} bytes, max {LONGEST_COOKIE})")
        ffi.memmove(cookie, data, len(data))
        length[0] = len(data)
        return 1

    return int(callbacks.ask(question, 0))


@callback(0)
def pyossl_on_cookie_verify(handle: Any, cookie: Any, length: int) -> int:
    callbacks: Callbacks = ffi.from_handle(handle)
    of_context = _of_mutable_context(callbacks)
    data = bytes(ffi.buffer(cookie, length))

    def question(connection: Connection) -> int:
        function = of_context.cookie_verify if of_context else None
        return 0 if function is None else int(bool(function(connection, data)))

    return int(callbacks.ask(question, 0))
