"""A callback that has no answer yet: the handshake stops, and goes on when there is one.  SSL_get_error(3)

Theory of operation
-------------------
OpenSSL can stop a handshake in three callbacks, and calls the same one again when the handshake goes on.  A program
has two ways to say that it has no answer yet:

*A Want.*  The callback returns the ``Want`` of its kind, for example ``Want.X509_LOOKUP``.  ``handshake`` returns it,
and the next call of ``handshake`` asks the callback again.  This works everywhere.  A program that does its own I/O
decides when it repeats the call.  Blocking sockets and streams repeat it every ``ASK_AGAIN`` seconds, until there is an
answer, or their deadline has passed.

*An awaitable.*  On asyncio, trio and anyio, the callback may be an ``async def`` function.  What it returns is kept in
the connection as a ``Suspension``.  The stream, or the transport, awaits it (``finish``), and takes the step again.
OpenSSL asks again, and gets the result, or the exception that was raised, without another call of the program's
function.  If the task that awaits is cancelled, the suspension is forgotten: the next handshake asks from the start.
On other connections an awaitable is refused with ``UsageError``: nothing would await it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pyossl.core.errors import UsageError
from pyossl.core.outcome import Want

ASK_AGAIN = 0.01
"""How often a stream asks again, in seconds, if the callback has returned a ``Want``."""

CALLBACK_WANTS = (Want.CLIENT_HELLO, Want.X509_LOOKUP, Want.RETRY_VERIFY)
"""What a handshake waits for while a callback has no answer."""

JOB_WANTS = (Want.ASYNC, Want.ASYNC_JOB)
"""What a handshake waits for while its asynchronous job is paused, or while there is no job."""


class _NoAnswer:
    def __repr__(self) -> str:
        return "no answer yet"


NO_ANSWER: Final = _NoAnswer()


class Suspension:
    """The answer of a callback, which an awaitable will give."""

    __slots__ = ("_answer", "_awaitable", "_error", "is_awaited", "is_done")

    def __init__(self, awaitable: Any) -> None:
        self._awaitable = awaitable
        self._answer: Any = None
        self._error: Exception | None = None
        self.is_awaited = False
        self.is_done = False

    async def finish(self, connection: Any) -> None:
        """Awaits the answer.  An exception is an answer too; a cancellation makes ``connection`` ask again."""
        self.is_awaited = True
        try:
            self._answer = await self._awaitable
        except Exception as error:
            self._error = error
        except BaseException:  # for example a cancellation, which is no answer
            connection._suspension = None
            raise
        self.is_done = True

    def result(self) -> Any:
        """The answer; raises the exception that the awaitable raised."""
        if self._error is not None:
            raise self._error
        return self._answer

    def drop(self) -> None:
        """Gives up the awaitable, which is not awaited: a coroutine would warn about that."""
        if hasattr(self._awaitable, "close"):
            self._awaitable.close()


def answer_of(connection: Any, want: Want, ask: Callable[[], Any], what: str) -> Any:
    """The program's answer, or ``NO_ANSWER``.  ``ask`` calls the program's function; ``what`` names it."""
    suspension = connection._suspension
    if suspension is not None:
        if not suspension.is_done:
            return NO_ANSWER
        connection._suspension = None
        return _checked(suspension.result(), want, what)
    answer = ask()
    if answer is want:
        return NO_ANSWER
    if hasattr(answer, "__await__"):
        if not connection._awaits:
            Suspension(answer).drop()
            raise UsageError(f"{what} returned {type(answer).__name__}: only asyncio, trio and anyio await it")
        connection._suspension = Suspension(answer)
        return NO_ANSWER
    return _checked(answer, want, what)


def _checked(answer: Any, want: Want, what: str) -> Any:
    if isinstance(answer, Want):
        raise TypeError(f"{what} without an answer returns {want!r}, not {answer!r}")
    return answer
