"""What programs find that reach below pyOpenSSL's API, under the names that it has there.

The face itself goes through the core and takes nothing from here but what warns and refuses.
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
    """The text at a ``char *``; the empty one for NULL."""
    return interface.string(charp).decode("utf-8") if charp else ""


def exception_from_error_queue(exception_type: type[Exception]) -> NoReturn:
    """Empties this thread's error queue into an exception, and raises it."""
    records = outcome.take_records()
    raise exception_type([(record.library, "", record.reason) for record in records])


def openssl_assert(ok: bool, exception_type: type[Exception]) -> None:
    """Raises what the error queue says where a call has failed."""
    if ok is not True:
        exception_from_error_queue(exception_type)


def make_assert(error: type[Exception]) -> Callable[[bool], Any]:
    """``openssl_assert`` for one type of exception."""
    return lambda ok: openssl_assert(ok, error)


def path_bytes(s: StrOrBytesPath) -> bytes:
    """A path as OpenSSL takes it."""
    return os.fsencode(s)


def byte_string(s: str) -> bytes:
    """ASCII, or Latin-1, as bytes."""
    return s.encode("charmap")
