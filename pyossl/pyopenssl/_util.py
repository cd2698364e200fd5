"""What programs find that reach below pyOpenSSL's API, under the names that it has there.

The face itself goes through the core and takes nothing from here.
"""

from __future__ import annotations

from typing import Any

from pyossl import outcome
from pyossl.cryptography_binding import interface, library


def __getattr__(name: str) -> Any:
    if name in (known := {"lib": library, "ffi": interface}):
        return known[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def exception_from_error_queue(exception_type: type[Exception]) -> None:
    """Empties this thread's error queue into an exception, and raises it."""
    records = outcome.take_records()
    raise exception_type([(record.library, "", record.reason) for record in records])


def openssl_assert(ok: bool, exception_type: type[Exception]) -> None:
    """Raises what the error queue says where a call has failed."""
    if ok is not True:
        exception_from_error_queue(exception_type)
