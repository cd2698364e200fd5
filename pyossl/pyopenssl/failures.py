"""From what the core raises to what pyOpenSSL raises: one translation, from the same ``Failure``."""

from __future__ import annotations

from errno import errorcode
from types import TracebackType

from pyossl.core import errors
from pyossl.core.constants import constant
from pyossl.core.outcome import Failure, Want

_READ, _WRITE = Want.READ, Want.WRITE

ErrorQueue = list[tuple[str, str, str]]


class Error(Exception):
    """An error of OpenSSL's; its argument is a list of (library, function, reason)."""


class WantReadError(Error):
    """The peer's bytes are needed first."""


class WantWriteError(Error):
    """Room for bytes to the peer is needed first."""


class WantX509LookupError(Error):
    """A certificate callback asked to be called again."""


class ZeroReturnError(Error):
    """The peer has closed the connection, as it should."""


class SysCallError(Error):
    """The transport failed: (errno, its name), or (-1, "Unexpected EOF") where it ended."""


def queue_of(error: errors.Error) -> ErrorQueue:
    """The entries of OpenSSL's queue as pyOpenSSL shows them; pyossl's own words where the queue was empty.

    The function's name is empty, as in pyOpenSSL on every OpenSSL since 3.0.
    """
    if error.records:
        return [(record.library, "", record.reason) for record in error.records]
    return [("pyossl", "", str(error))]


def reason(text: str) -> ErrorQueue:
    """A queue of one entry of libssl's, for what the core refuses before OpenSSL is asked."""
    return [("SSL routines", "", text)]


def want_error(want: Want) -> Error:
    """The exception for a call that is to be repeated."""
    if want is _READ:
        return WantReadError()
    if want is _WRITE:
        return WantWriteError()
    return WantX509LookupError() if want is Want.X509_LOOKUP else Error(reason(f"the operation waits for {want.name}"))


def connection_error(error: errors.Error) -> Error:
    """The exception for a call on a connection that failed."""
    failure = error.failure
    return Error(queue_of(error)) if failure is None else _of_failure(failure, error)


def _of_failure(failure: Failure, error: errors.Error) -> Error:
    if failure.is_truncation:
        return SysCallError(-1, "Unexpected EOF")
    if number := failure.system_errno:
        return SysCallError(number, errorcode.get(number))
    if failure.error == constant("SSL_ERROR_ZERO_RETURN"):
        return ZeroReturnError()
    return Error(queue_of(error))


class Translated:
    """A ``with`` statement that makes ``kind`` of every exception of the core's."""

    def __init__(self, kind: type[Exception]) -> None:
        self._kind = kind

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        if isinstance(error, errors.Error):
            raise self._kind(queue_of(error)) from error
