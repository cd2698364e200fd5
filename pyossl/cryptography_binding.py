"""The binding as ``cryptography`` shows its own to programs that reach below pyOpenSSL's API.

Such programs, mitmproxy is one, pass ``context._context`` and ``connection._ssl`` to functions of the binding; the
first is an object of the core's here, and its pointer is passed on.  A few functions that ``cryptography`` binds and
pyossl does not are made of those it has.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any

from pyossl._lib import ffi, lib
from pyossl.generic_context import GenericContext


def _pointer(argument: Any) -> Any:
    return argument._ctx if isinstance(argument, GenericContext) else argument


def _set1_ip(parameters: Any, address: bytes, length: int) -> int:
    text = str(ipaddress.ip_address(address[:length])).encode()
    return int(lib.X509_VERIFY_PARAM_set1_ip_asc(parameters, text))


def _read_dh(bio: Any, *_: Any) -> Any:
    """An EVP_PKEY, which stands for the DH that OpenSSL deprecates."""
    return lib.PEM_read_bio_Parameters(bio, ffi.NULL)


def _set_tmp_dh(context: Any, parameters: Any) -> int:
    if not lib.EVP_PKEY_up_ref(parameters):
        return 0
    if lib.pyossl_use_dh(_pointer(context), parameters) == 1:
        return 1
    lib.EVP_PKEY_free(parameters)
    return 0


_MADE: dict[str, Callable[..., Any]] = {
    "DH_free": lib.EVP_PKEY_free,
    "PEM_read_bio_DHparams": _read_dh,
    "SSL_CTX_set_tmp_dh": _set_tmp_dh,
    "X509_VERIFY_PARAM_set1_ip": _set1_ip,
}


class _Library:
    """``pyossl``'s binding, with the names by which ``cryptography``'s tells what it has."""

    Cryptography_HAS_KEYLOG = 1
    Cryptography_HAS_SSL_COOKIE = 1
    Cryptography_HAS_SSL_GET0_GROUP_NAME = 1
    Cryptography_HAS_UNEXPECTED_EOF_WHILE_READING = 1

    def __getattr__(self, name: str) -> Any:
        if made := _MADE.get(name):
            return made
        found = getattr(lib, name)
        if not callable(found):
            return found
        return lambda *arguments: found(*map(_pointer, arguments))


library: Any = _Library()
interface: Any = ffi
