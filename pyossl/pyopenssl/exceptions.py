"""The exceptions of ``OpenSSL.SSL``, and how an exception of ``pyossl.core`` becomes one of them.

Both are made from the same ``Failure``.  ``crypto.Error`` is in keys.py, ``X509StoreContextError`` in stores.py.
"""

from __future__ import annotations

import functools
import typing
from collections.abc import Callable
from errno import errorcode
from types import TracebackType
from typing import Any, TypeVar

from pyossl.core import errors
from pyossl.core.constants import constant
from pyossl.core.outcome import Failure, Want

_READ, _WRITE = Want.READ, Want.WRITE
_F = TypeVar("_F", bound=Callable[..., Any])

ErrorQueue = list[tuple[str, str, str]]


class Error(Exception):
    """An error in OpenSSL's libssl.

    ``args[0]`` is the content of OpenSSL's error queue, oldest entry first: a list of (library, function, reason).
    The function is always empty.  If the queue was empty, the list has one entry of the library ``pyossl``.
    ERR_get_error(3)
    """


class WantReadError(Error):
    """The call needs bytes from the peer: repeat it when some have arrived.  SSL_ERROR_WANT_READ of SSL_get_error(3)"""


class WantWriteError(Error):
    """The transport is full: repeat the call when it takes bytes again.  SSL_ERROR_WANT_WRITE of SSL_get_error(3)"""


class WantX509LookupError(Error):
    """A certificate callback asked to be called again.  SSL_ERROR_WANT_X509_LOOKUP of SSL_get_error(3)"""


class ZeroReturnError(Error):
    """The peer has sent close_notify: no more data follows.  SSL_ERROR_ZERO_RETURN of SSL_get_error(3)"""


class SysCallError(Error):
    """The transport failed or ended without close_notify.

    ``args`` are (errno, the name of that errno, for example ``"ECONNRESET"``).  If the transport ended, they are
    ``(-1, "Unexpected EOF")``.  SSL_ERROR_SYSCALL of SSL_get_error(3)
    """


def queue_of(error: errors.Error) -> ErrorQueue:
    """The entries of OpenSSL's error queue, or pyossl's own message if the queue was empty.

    The function's name is empty, as pyOpenSSL has it on every OpenSSL since 3.0.
    """
    if error.records:
        return [(record.library, "", record.reason) for record in error.records]
    return [("pyossl", "", str(error))]


def queue_with(reason: str) -> ErrorQueue:
    """A queue with one entry of libssl, for a call that pyossl refuses before OpenSSL is called."""
    return [("SSL routines", "", reason)]


def exception_for_want(want: Want) -> Error:
    """The exception that tells the program to repeat its call."""
    if want is _READ:
        return WantReadError()
    if want is _WRITE:
        return WantWriteError()
    if want is Want.X509_LOOKUP:
        return WantX509LookupError()
    return Error(queue_with(f"the operation waits for {want.name}"))


def exception_for_failure(error: errors.Error) -> Error:
    """The exception for a call that failed on a connection."""
    failure = error.failure
    return Error(queue_of(error)) if failure is None else _exception_of(failure, error)


def _exception_of(failure: Failure, error: errors.Error) -> Error:
    if failure.is_truncation:
        return SysCallError(-1, "Unexpected EOF")
    if number := failure.system_errno:
        return SysCallError(number, errorcode.get(number))
    if failure.error == constant("SSL_ERROR_ZERO_RETURN"):
        return ZeroReturnError()
    return Error(queue_of(error))


class Translated:
    """A context manager: an exception of ``pyossl.core`` leaves the ``with`` block as an exception of type ``kind``."""

    def __init__(self, kind: type[Exception]) -> None:
        self._kind = kind

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        if isinstance(error, errors.Error):
            raise self._kind(queue_of(error)) from error


translated = Translated(Error)


def _translated_method(method: _F) -> _F:
    @functools.wraps(method)
    def guarded(*arguments: Any, **named: Any) -> Any:
        try:
            return method(*arguments, **named)
        except errors.Error as error:
            raise Error(queue_of(error)) from error

    return typing.cast(_F, guarded)


def translate_methods(kind: type, but: frozenset[str] = frozenset()) -> None:
    """Makes the public methods of a class raise ``Error`` where ``pyossl.core`` raises, except the methods in ``but``.

    Even a method that only reads can raise: pyossl refuses each call on a connection that a parent process made.
    """
    for name in [name for name in vars(kind) if not name.startswith("_") and name not in but]:
        setattr(kind, name, _translated_method(getattr(kind, name)))
