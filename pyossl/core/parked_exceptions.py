"""Exceptions raised in Python code that C has called: kept until C has returned, and raised then by the caller.

There are two places, each by thread.  *Raised* is what a signal's handler, or a function called under a lock, has
raised: the call of C returns a value that says so, and its caller takes the exception and raises it.  *Parked* is what
a callback of the user has raised: on the connection that the call was made for, or here where it was made for a BIO.
"""

from __future__ import annotations

from _thread import get_ident
from typing import Any

from pyossl.core.binding import ffi, lib

_raised: dict[int, list[BaseException]] = {}


def keep_raised(error: BaseException) -> None:
    """Keeps an exception for the call that this thread has made of C, which is to tell that there is one."""
    _raised.setdefault(get_ident(), []).append(error)


def take_raised() -> BaseException:
    """The exception that was kept for the call from which this thread has just returned."""
    thread = get_ident()
    errors = _raised.pop(thread, [])
    if not errors:  # two signals at once: the second came where the first one's exception was being kept
        return SystemError("the exception of a signal's handler was lost")
    error = errors.pop()
    if errors:
        _raised[thread] = errors
    return error


def keep_stray(kind: type[BaseException], error: BaseException, trace: object) -> None:
    """What comes before the first instruction of a callback, or after its last, is nobody else's to catch."""
    keep_raised(error)


_parked: dict[int, BaseException] = {}


def park(error: BaseException) -> None:
    """Keeps what Python raised in a callback for the call that the user made, of a connection or of a BIO."""
    connection = lib.pyossl_park()
    if connection == ffi.NULL:
        _parked.setdefault(get_ident(), error)
    elif connection.handle != ffi.NULL:
        ffi.from_handle(connection.handle).park(error)


def take_parked() -> BaseException:
    """The exception that was parked for the call of a BIO from which this thread has just returned."""
    return _parked.pop(get_ident())


def _park_stray(kind: type[BaseException], error: BaseException, trace: object) -> None:
    park(error)


def callback(failure: int | None = None) -> Any:
    """A decorator for a function that C calls in the middle of a connection's or a BIO's call.

    It catches and parks what the user's function raises; what comes outside of its ``try``, at its first instruction
    or its last, is parked here.  C gets ``failure`` then.
    """
    return ffi.def_extern(error=failure, onerror=_park_stray)


@ffi.def_extern(error=1, onerror=keep_stray)  # type: ignore[untyped-decorator]
def pyossl_on_interrupt() -> int:
    """Python runs the handlers of signals as it enters."""
    return 0
