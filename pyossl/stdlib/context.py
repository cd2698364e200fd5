"""The state of ``_ssl._SSLContext``: what a context is set to, over a live ``MutableContext`` of pyossl's core.

The C type (pyossl/_c/fast/ssl_types.c) calls the method, or reads or sets the attribute, of the same name here.  The
names, the exceptions and their texts are those of CPython's ``_ssl``; where its releases differ, python_versions.py
says so.  Numbers are in context_settings.py, files and trust in context_credentials.py, callbacks in
context_callbacks.py.
"""

from __future__ import annotations

import os
import weakref
from typing import Any

from pyossl.core import ffi, lib, text
from pyossl.core.outcome import take_records
from pyossl.stdlib import errors
from pyossl.stdlib.c_numbers import c_int
from pyossl.stdlib.connection import wrap_bio, wrap_socket
from pyossl.stdlib.constants import (
    CERT_NONE,
    CERT_REQUIRED,
    OPENSSLS_CIPHERS,
    PROTOCOL_TLS,
    PROTOCOL_TLS_CLIENT,
    PROTOCOL_TLS_SERVER,
    PROTOCOL_TLSv1,
    PROTOCOL_TLSv1_1,
    PROTOCOL_TLSv1_2,
    all_options,
)
from pyossl.stdlib.context_callbacks import ContextCallbackSettings
from pyossl.stdlib.context_credentials import Credentials
from pyossl.stdlib.deprecation import deprecated
from pyossl.tls.settings.options import DEFAULT_MODES

_DEPRECATED = {
    PROTOCOL_TLS: "PROTOCOL_TLS",
    PROTOCOL_TLSv1: "PROTOCOL_TLSv1",
    PROTOCOL_TLSv1_1: "PROTOCOL_TLSv1_1",
    PROTOCOL_TLSv1_2: "PROTOCOL_TLSv1_2",
}
_ONE_VERSION = {
    PROTOCOL_TLSv1: lib.TLS1_VERSION,
    PROTOCOL_TLSv1_1: lib.TLS1_1_VERSION,
    PROTOCOL_TLSv1_2: lib.TLS1_2_VERSION,
}
_OPTIONS = all_options() | lib.SSL_OP_NO_SSLv3 | lib.SSL_OP_NO_COMPRESSION | lib.SSL_OP_CIPHER_SERVER_PREFERENCE
_STATISTICS = """
    number connect connect_good connect_renegotiate accept accept_good accept_renegotiate hits misses timeouts
    cache_full
"""


class Context(Credentials, ContextCallbackSettings):
    """The state of an ``_SSLContext``: ``protocol`` is the constant PROTOCOL_x.  SSL_CTX_new(3)

    - ``ciphers``: the cipher list that this Python uses by default.
    """

    owner: weakref.ref[Any]
    """Set by C: the ``_SSLContext``."""

    def __init__(self, protocol: int, ciphers: str) -> None:
        number = c_int(protocol)
        if number in _DEPRECATED:
            deprecated(f"ssl.{_DEPRECATED[number]} is deprecated")
        elif number not in (PROTOCOL_TLS_CLIENT, PROTOCOL_TLS_SERVER):
            raise ValueError(f"invalid or unsupported protocol version {number}")
        self._begin(number)
        self._begin_callbacks()
        is_client = number == PROTOCOL_TLS_CLIENT
        self.post_handshake_auth = False
        self._checks_hostname = is_client
        self._verify(CERT_REQUIRED if is_client else CERT_NONE)
        self._set_defaults(ciphers)

    def _set_defaults(self, ciphers: str) -> None:
        ctx = self.tls._ctx
        lib.SSL_CTX_set_options(ctx, _OPTIONS)
        lib.SSL_CTX_set_mode(ctx, DEFAULT_MODES)
        if ciphers != OPENSSLS_CIPHERS:  # else OpenSSL's own defaults stay, for ciphers and for versions
            self.set_ciphers(ciphers)
        if self.protocol in _ONE_VERSION:
            version = _ONE_VERSION[self.protocol]
            take_records()
            if not (
                lib.SSL_CTX_set_min_proto_version(ctx, version) and lib.SSL_CTX_set_max_proto_version(ctx, version)
            ):
                raise errors.of_queue()
        elif ciphers != OPENSSLS_CIPHERS:
            take_records()
            if not lib.SSL_CTX_set_min_proto_version(ctx, lib.TLS1_2_VERSION):
                raise errors.of_queue()
        lib.X509_VERIFY_PARAM_set_flags(self._parameters(), lib.X509_V_FLAG_TRUSTED_FIRST)
        self._host_flags = lib.X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS

    @property
    def post_handshake_auth(self) -> bool:
        """Whether a client lets the server ask for its certificate after the handshake, or a server asks then."""
        return self._asks_later

    @post_handshake_auth.setter
    def post_handshake_auth(self, value: object) -> None:
        self._asks_later = bool(value)

    # Connections

    _wrap_socket, _wrap_bio = wrap_socket, wrap_bio

    def session_stats(self) -> dict[str, int]:
        """The counters of the session cache.  SSL_CTX_sess_number(3)"""
        return {name: getattr(lib, f"SSL_CTX_sess_{name}")(self.tls._ctx) for name in _STATISTICS.split()}

    # Algorithms

    def set_ciphers(self, cipherlist: str, /) -> None:
        """Sets the ciphers of TLS 1.2 and earlier.  SSL_CTX_set_cipher_list(3)"""
        encoded = _c_string(cipherlist, "set_ciphers")
        take_records()
        if not lib.SSL_CTX_set_cipher_list(self.tls._ctx, encoded):
            take_records()
            raise errors.SSLError("No cipher can be selected.")

    def set_ciphersuites(self, ciphersuites: str, /) -> None:
        """Sets the ciphersuites of TLS 1.3.  SSL_CTX_set_ciphersuites(3)"""
        encoded = _c_string(ciphersuites, "set_ciphersuites")
        if not lib.SSL_CTX_set_ciphersuites(self.tls._ctx, encoded):
            raise errors.refused("No cipher suite can be selected.")

    def get_ciphers(self) -> list[dict[str, Any]]:
        """The ciphers that may be used.  SSL_CTX_get_ciphers(3)"""
        return [_described(cipher) for cipher in self.tls._ciphers()]

    def set_groups(self, grouplist: str, /) -> None:
        """Sets the groups of the key exchange.  SSL_CTX_set1_groups_list(3)"""
        encoded = _c_string(grouplist, "set_groups")
        if not lib.SSL_CTX_set1_groups_list(self.tls._ctx, encoded):
            raise errors.refused("unrecognized group")

    def get_groups(self, *, include_aliases: object = False) -> list[str]:
        """The names of the groups that may be used.  SSL_CTX_get0_implemented_groups(3)"""
        if not lib.HAVE_API_3_5:
            raise NotImplementedError("Getting implemented groups requires OpenSSL 3.5 or later.")
        return list(self.tls.implemented_groups(with_aliases=bool(include_aliases)))

    def set_client_sigalgs(self, sigalgslist: str, /) -> None:
        """Sets the signature algorithms for clients' certificates.  SSL_CTX_set1_client_sigalgs_list(3)"""
        encoded = _c_string(sigalgslist, "set_client_sigalgs")
        if not lib.SSL_CTX_set1_client_sigalgs_list(self.tls._ctx, encoded):
            raise errors.refused("unrecognized signature algorithm")

    def set_server_sigalgs(self, sigalgslist: str, /) -> None:
        """Sets the signature algorithms for servers' certificates.  SSL_CTX_set1_sigalgs_list(3)"""
        encoded = _c_string(sigalgslist, "set_server_sigalgs")
        if not lib.SSL_CTX_set1_sigalgs_list(self.tls._ctx, encoded):
            raise errors.refused("unrecognized signature algorithm")

    def set_ecdh_curve(self, name: Any, /) -> None:
        """Sets one group for the key exchange.  SSL_CTX_set1_groups(3)"""
        encoded = os.fsencode(name)
        if b"\0" in encoded:
            raise ValueError("embedded null byte")
        number = lib.OBJ_sn2nid(encoded)
        if not number:
            raise ValueError(f"unknown elliptic curve name {os.fspath(name)!r}")
        take_records()
        if not lib.SSL_CTX_set1_groups(self.tls._ctx, ffi.new("int *", number), 1):
            raise errors.of_queue()


def _kind(value: Any) -> str:
    """The type of a wrong argument, as C functions name it."""
    return "None" if value is None else type(value).__name__


def _c_string(value: Any, function: str) -> bytes:
    """A str for C; raises the exceptions of a C function's argument."""
    if not isinstance(value, str):
        raise TypeError(f"{function}() argument must be str, not {_kind(value)}")
    if "\0" in value:
        raise ValueError("embedded null character")
    return value.encode()


def _described(cipher: Any) -> dict[str, Any]:
    """A cipher as ``SSLContext.get_ciphers`` shows it.  SSL_CIPHER_description(3)"""
    description, algorithm_bits = ffi.new("char[]", 512), ffi.new("int *")
    lib.SSL_CIPHER_description(cipher, description, 512)
    strength = lib.SSL_CIPHER_get_bits(cipher, algorithm_bits)
    return {
        "id": lib.SSL_CIPHER_get_id(cipher),
        "name": text(lib.SSL_CIPHER_get_name(cipher)),
        "protocol": text(lib.SSL_CIPHER_get_version(cipher)),
        "description": text(description).rstrip("\n"),
        "strength_bits": strength,
        "alg_bits": algorithm_bits[0],
        "aead": bool(lib.SSL_CIPHER_is_aead(cipher)),
        "symmetric": _long_name(lib.SSL_CIPHER_get_cipher_nid(cipher)),
        "digest": _long_name(lib.SSL_CIPHER_get_digest_nid(cipher)),
        "kea": _long_name(lib.SSL_CIPHER_get_kx_nid(cipher)),
        "auth": _long_name(lib.SSL_CIPHER_get_auth_nid(cipher)),
    }


def _long_name(nid: int) -> str | None:
    return text(lib.OBJ_nid2ln(nid)) if nid else None
