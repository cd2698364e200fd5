"""What programs find that reach below pyOpenSSL's API: the binding, under the names that it has there.

The face itself goes through the core and takes nothing from here.  Such programs, mitmproxy is one, pass
``context._context`` and ``connection._ssl`` to functions of the binding; the first is an object of the core's here, and
its pointer is passed on.  A few functions that ``cryptography`` binds and pyossl does not are made of those it has.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any

import pyossl
from pyossl.generic_context import GenericContext


def _binding(name: str) -> Any:
    return getattr(pyossl, name)


def _pointer(argument: Any) -> Any:
    return argument._ctx if isinstance(argument, GenericContext) else argument


def _set1_ip(parameters: Any, address: bytes, length: int) -> int:
    text = str(ipaddress.ip_address(address[:length])).encode()
    return int(_binding("lib").X509_VERIFY_PARAM_set1_ip_asc(parameters, text))


def _read_dh(bio: Any, *_: Any) -> Any:
    """An EVP_PKEY, which stands for the DH that OpenSSL deprecates."""
    return _binding("lib").PEM_read_bio_Parameters(bio, _binding("ffi").NULL)


def _set_tmp_dh(context: Any, parameters: Any) -> int:
    lib = _binding("lib")
    if not lib.EVP_PKEY_up_ref(parameters):
        return 0
    if lib.pyossl_use_dh(_pointer(context), parameters) == 1:
        return 1
    lib.EVP_PKEY_free(parameters)
    return 0


_MADE: dict[str, Callable[..., Any]] = {
    "DH_free": lambda parameters: _binding("lib").EVP_PKEY_free(parameters),
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
        found = getattr(_binding("lib"), name)
        if not callable(found):
            return found
        return lambda *arguments: found(*map(_pointer, arguments))


library: Any = _Library()
interface: Any = _binding("ffi")


def __getattr__(name: str) -> Any:
    if name in (known := {"lib": library, "ffi": interface}):
        return known[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def exception_from_error_queue(exception_type: type[Exception]) -> None:
    """Empties this thread's error queue into an exception, and raises it."""
    records = pyossl.outcome.take_records()
    raise exception_type([(record.library, "", record.reason) for record in records])


def openssl_assert(ok: bool, exception_type: type[Exception]) -> None:
    """Raises what the error queue says where a call has failed."""
    if ok is not True:
        exception_from_error_queue(exception_type)
