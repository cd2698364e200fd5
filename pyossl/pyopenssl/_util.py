"""``OpenSSL._util``: OpenSSL's functions and small tools, for programs that use pyOpenSSL's private names.

pyossl itself uses the functions for paths, exceptions and deprecated text only.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NoReturn

from pyossl.core import outcome
from pyossl.pyopenssl.cryptography_binding import Binding, interface, library
from pyossl.pyopenssl.deprecation import text_to_bytes_and_warn as text_to_bytes_and_warn

StrOrBytesPath = str | bytes | os.PathLike[str] | os.PathLike[bytes]

binding = Binding()
ffi, lib = interface, library
no_zero_allocator = interface.new_allocator(should_clear_after_alloc=False)
UNSPECIFIED = object()


def text(charp: Any) -> str:
    """The text at a ``char *``, the empty one for NULL."""
    return interface.string(charp).decode("utf-8") if charp else ""


def exception_from_error_queue(exception_type: type[Exception]) -> NoReturn:
    """Empties this thread's error queue and raises its entries as ``exception_type``.  ERR_get_error(3)"""
    records = outcome.take_records()
    raise exception_type([(record.library, "", record.reason) for record in records])


def openssl_assert(ok: bool, exception_type: type[Exception]) -> None:
    """Raises the entries of the error queue as ``exception_type`` if ``ok`` is not True."""
    if ok is not True:
        exception_from_error_queue(exception_type)


def make_assert(error: type[Exception]) -> Callable[[bool], Any]:
    """``openssl_assert`` for one type of exception."""
    return lambda ok: openssl_assert(ok, error)


def path_bytes(s: StrOrBytesPath) -> bytes:
    """A path as the bytes that OpenSSL takes."""
    return os.fsencode(s)


def byte_string(s: str) -> bytes:
    """A text of Latin-1 characters as bytes."""
    return s.encode("charmap")
