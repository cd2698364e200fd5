"""Exceptions that are raised in Python code called by C: they are kept until C has returned, and raised then.

Theory of operation
-------------------
An exception cannot pass through the C code of OpenSSL.  So it is kept, C gets a return value that means failure, and
the Python code that called C raises the same exception object again.  There are two kinds:

*Raised.*  A signal handler raised the exception while C was waiting, or at the first or last instruction of a callback.
It is kept here, by thread (``keep_raised``, ``keep_stray``).  The return value of the C function says that there is
one, and its caller takes it (``take_raised``).

*Parked.*  A callback of the user raised the exception.  It is kept by the connection that C was called for, or here, by
thread, if C was called for a BIO (``park``).  The call that the user made takes it (``take_parked`` for a BIO).
"""

from __future__ import annotations

from _thread import get_ident
from collections.abc import Callable
from typing import Any, TypeVar

from pyossl.core import ffi, lib

_F = TypeVar("_F", bound=Callable[..., Any])

_raised: dict[int, list[BaseException]] = {}


def keep_raised(error: BaseException) -> None:
    """Keeps an exception for this thread's call of C; the return value of that call must say that there is one."""
    _raised.setdefault(get_ident(), []).append(error)


def take_raised() -> BaseException:
    """Returns the exception that was kept for the C call from which this thread has just returned, and forgets it."""
    thread = get_ident()
    errors = _raised.pop(thread, [])
    if not errors:  # a second signal came while the first one's exception was being kept
        return SystemError("the exception of a signal handler was lost")
    error = errors.pop()
    if errors:
        _raised[thread] = errors
    return error


def keep_stray(kind: type[BaseException], error: BaseException, trace: object) -> None:
    """cffi's onerror: keeps an exception that came at the first or the last instruction of a callback."""
    keep_raised(error)


_parked: dict[int, BaseException] = {}


def park(error: BaseException) -> None:
    """Keeps an exception of a callback for the call that the user made, of a connection or of a BIO."""
    connection = lib.pyossl_park()
    if connection == ffi.NULL:
        _parked.setdefault(get_ident(), error)
    elif connection.handle != ffi.NULL:
        ffi.from_handle(connection.handle).park(error)


def take_parked() -> BaseException:
    """Returns the exception that was parked for the BIO's call from which this thread has just returned."""
    return _parked.pop(get_ident())


def _park_stray(kind: type[BaseException], error: BaseException, trace: object) -> None:
    park(error)


def callback(failure: int | None = None) -> Callable[[_F], _F]:
    """A decorator for a function that C calls during a call of a connection or of a BIO.

    The function catches and parks the exceptions of the user's code itself.  A signal handler can raise outside of its
    ``try``, at its first or last instruction: the decorator parks that exception and returns ``failure`` to C.
    """
    extern: Callable[[_F], _F] = ffi.def_extern(error=failure, onerror=_park_stray)
    return extern


@ffi.def_extern(error=1, onerror=keep_stray)  # type: ignore[untyped-decorator]
def pyossl_on_interrupt() -> int:
    """Called by C while it waits: Python runs the pending signal handlers as it enters this function."""
    return 0
