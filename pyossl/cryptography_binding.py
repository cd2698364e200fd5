"""The binding under the names by which programs that reach below pyOpenSSL's API know ``cryptography``'s.

What ``cryptography`` binds is in ``lib`` by OpenSSL's own names, what OpenSSL deprecates too.  Here is what
``cryptography`` adds to that, and what makes objects of the core's from pointers that such a program has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pyossl._lib import ffi, lib, own, text
from pyossl.draft import Draft
from pyossl.errors import check, check_ptr
from pyossl.general_names import Name
from pyossl.generic_connection import GenericConnection
from pyossl.keys import Key, PrivateKey, PublicKey
from pyossl.outcome import take_records
from pyossl.store import Store
from pyossl.x509 import Certificate

_HAS = {
    "CUSTOM_EXT": True,
    "DTLS_GET_DATA_MTU": True,
    "ENGINE": False,
    "EVP_PKEY_DHX": True,
    "GET_EXTMS_SUPPORT": True,
    "IMPLICIT_RSA_REJECTION": lib.HAVE_API_3_2,
    "KEYLOG": True,
    "NEXTPROTONEG": False,
    "PRIME_CHECKS": True,
    "PSK": lib.HAVE_PSK,
    "PSK_TLSv1_3": lib.HAVE_PSK and lib.HAVE_TLS1_3,
    "SET_CERT_CB": True,
    "SIGALGS": True,
    "SRTP": True,
    "SSL_COOKIE": True,
    "SSL_GET0_GROUP_NAME": True,
    "SSL_OP_IGNORE_UNEXPECTED_EOF": True,
    "SSL_ST": False,
    "SSL_VERIFY_CLIENT_POST_HANDSHAKE": True,
    "TLS_ST": True,
    "TLSv1_3_FUNCTIONS": lib.HAVE_TLS1_3,
    "TLSv1_3_HS_FUNCTIONS": lib.HAVE_TLS1_3,
    "UNEXPECTED_EOF_WHILE_READING": True,
    "VERIFIED_CHAIN": True,
}


def _dtls_timeout(ssl: Any, seconds: Any, microseconds: Any) -> int:
    left = ffi.new("struct timeval *")
    found = int(lib.DTLSv1_get_timeout(ssl, left))
    if found > 0:
        seconds[0], microseconds[0] = left.tv_sec, left.tv_usec
    return found


_MADE: dict[str, Any] = {
    **{f"Cryptography_HAS_{name}": int(has) for name, has in _HAS.items()},
    "Cryptography_DTLSv1_get_timeout": _dtls_timeout,
    "Cryptography_SSL_SESSION_new": lib.SSL_SESSION_new,
    "EVP_F_EVP_ENCRYPTFINAL_EX": 0,
    "OPENSSL_VERSION_TEXT": lib.OpenSSL_version(lib.OPENSSL_VERSION),
}


class _Library:
    """``lib``, whose names a program may also set, as it may those of ``cryptography``'s."""

    def __getattr__(self, name: str) -> Any:
        return _MADE[name] if name in _MADE else getattr(lib, name)

    def __dir__(self) -> list[str]:
        return sorted({*_MADE, *dir(lib), *vars(self)})


library: Any = _Library()
interface: Any = ffi


class Binding:
    """``cryptography``'s way to its binding."""

    lib = library
    ffi = interface
