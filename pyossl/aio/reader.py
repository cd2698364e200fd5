"""asyncio's ``StreamReader``, with fewer copies.

What a read of the transport brought is kept as it is, in ``_fresh``, and is handed out in pieces of it: the ordinary
read copies nothing.  Only where the next arrives before that is used up, or where asyncio's own code is to look for a
separator, do the two go into ``_buffer``, which is asyncio's.  A long ``readexactly`` is decrypted into what it
returns.  What the transport brings wakes the task that waits for it at once, where the transport knows that it may
(waking.py).

The exception that the connection is lost by comes after the bytes that came before it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pyossl.aio.waking import wake
from pyossl.core.arguments import index, instances, integer
from pyossl.core.copying import Uncopied
from pyossl.sockets.event_loop_steps import Destination

_DIRECT = range(32 * 1024, 64 * 1024 * 1024)
"""The lengths that are read straight to their destination: for less it gains nothing, for more nobody should have to
believe in a length before its bytes come."""


def _wake_by_queue(waiter: asyncio.Future[None]) -> None:
    waiter.set_result(None)


class StreamReader(Uncopied, asyncio.StreamReader):
    """As ``asyncio.StreamReader``."""

    if TYPE_CHECKING:  # asyncio's, which typeshed leaves out
        _buffer: bytearray
        _eof: bool
        _limit: int
        _loop: asyncio.AbstractEventLoop
        _paused: bool
        _transport: Any
        _waiter: asyncio.Future[None] | None

    def __init__(self, limit: int, loop: asyncio.AbstractEventLoop) -> None:
        integer(limit, "limit", 1, sys.maxsize)
        super().__init__(limit, loop)
        self._fresh = b""
        self._start = 0  # of what is left of it
        self._destination: Destination | None = None
        self._failure: BaseException | None = None
        self._wake: Callable[[asyncio.Future[None]], object] = _wake_by_queue

    # What the protocol tells

    def exception(self) -> Any:
        """What the connection was lost by, None while it is not."""
        return self._failure

    def set_exception(self, exc: BaseException) -> None:
        """The connection is lost: reads raise once what came before is used up."""
        self._failure = exc
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_exception(exc)

    def set_transport(self, transport: asyncio.BaseTransport) -> None:
        """The transport that is paused when too much waits here; another one after ``start_tls``."""
        self._transport = transport
        self._wake = wake if getattr(transport, "wakes_at_once", False) else _wake_by_queue

    def feed_eof(self) -> None:
        """The peer has closed."""
        self._eof = True
        self._end_wait(_wake_by_queue)

    def feed_data(self, data: Any) -> None:
        """What has been received, by whomever."""
        if data:
            waiter, self._waiter = self._waiter, None
            self.received(bytes(data))
            if waiter is not None and not waiter.done():
                waiter.set_result(None)

    def received(self, data: bytes) -> None:
        """What the transport has received, which is kept as it is."""
        if self._fresh or self._buffer:
            self._settle()
            self._buffer += data
            size = len(self._buffer)
        else:
            self._fresh = data
            size = len(data)
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            self._waiter = None
            self._wake(waiter)
        elif size > 2 * self._limit and self._transport is not None and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def filled(self, size: int) -> None:
        """Bytes have gone where ``readexactly`` wants them."""
        if self._destination is not None and self._destination.filled == self._destination.size:
            self._end_wait(self._wake)

    def _end_wait(self, wake: Callable[[asyncio.Future[None]], object]) -> None:
        if self._transport is not None:
            self._transport._destination = None
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            wake(waiter)

    # Reading

    def at_eof(self) -> bool:
        """Whether the peer has closed and everything has been read."""
        return self._eof and not self._fresh and not self._buffer

    async def read(self, n: int = -1) -> bytes:
        """Up to ``n`` bytes, all until the peer closes where ``n`` is below 0; ``b""`` once it has."""
        if type(n) is not int:
            n = index(n, "n")
        if n < 0:
            pieces = []
            while piece := await self.read(max(self._limit, len(self._fresh))):
                pieces.append(piece)
            return b"".join(pieces)
        if n == 0:
            return b""
        if not self._fresh and not self._buffer and not self._eof:
            await self._wait("read")
        return self._take(n)

    async def readexactly(self, n: int) -> bytes:
        """``n`` bytes; ``IncompleteReadError`` with those that came where the peer closes before."""
        if type(n) is not int:
            n = index(n, "n")
        if n < 0:
            raise ValueError("readexactly size can not be less than zero")
        while (have := len(self._fresh) - self._start + len(self._buffer)) < n:
            if self._eof:
                raise asyncio.IncompleteReadError(self._take(have), n)
            if n - have in _DIRECT and self._failure is None:
                return await self._read_straight(n)
            await self._wait("readexactly")
        return self._take(n)

    async def _read_straight(self, n: int) -> bytes:
        waiter = self._wait("readexactly")
        destination = self._destination = self._transport._destination = Destination(n, self._take(n))
        try:
            await waiter
        except BaseException:
            self._give_up(destination)
            raise
        self._destination = None
        if destination.filled == n:
            return destination.data
        self._give_up(destination)
        return await self.readexactly(n)  # the peer has closed: it says so

    def _give_up(self, destination: Destination) -> None:
        """What came is there to be read."""
        self._destination = self._transport._destination = None
        self._buffer[:0] = destination.so_far()

    async def readuntil(self, separator: Any = b"\n") -> bytes:
        """Everything until ``separator``, and that; ``LimitOverrunError`` and ``IncompleteReadError`` as asyncio's."""
        if isinstance(separator, tuple):  # from Python 3.13
            instances(separator, bytes, "separator")
        elif not isinstance(separator, (bytes, bytearray)):
            raise TypeError(f"separator is bytes, not {type(separator).__name__}")
        self._settle()
        return await super().readuntil(separator)

    async def readline(self) -> bytes:
        """A line with its end; what is left where the peer has closed.  ``ValueError`` for one beyond the limit."""
        if not self._buffer:
            end = self._fresh.find(b"\n", self._start)
            if 0 <= end - self._start <= self._limit:
                return self._take(end + 1 - self._start)
        return await super().readline()

    def _take(self, n: int) -> bytes:
        """Up to ``n`` of the bytes that are here."""
        if self._buffer:
            self._settle()
            data = bytes(memoryview(self._buffer)[:n])
            del self._buffer[:n]
        elif self._start == 0 and len(self._fresh) <= n:
            data, self._fresh = self._fresh, b""
        else:
            data = self._fresh[self._start : self._start + n]
            self._start += len(data)
            if self._start == len(self._fresh):
                self._fresh, self._start = b"", 0
        if self._paused:
            self._resume(self._limit)
        return data

    def taken(self) -> bytes:
        """All that is here, and is not to be read: it is of the TLS that begins now."""
        return self._take(len(self._fresh) + len(self._buffer))

    def _resume(self, most: int) -> None:
        if len(self._fresh) - self._start + len(self._buffer) <= most:
            self._paused = False
            self._transport.resume_reading()

    def _settle(self) -> None:
        """Puts what is left of ``_fresh`` where asyncio's code looks for it."""
        if self._fresh:
            self._buffer += memoryview(self._fresh)[self._start :]
            self._fresh, self._start = b"", 0

    def _maybe_resume_transport(self) -> None:  # asyncio's own code calls it
        if self._paused:
            self._resume(self._limit)

    async def _wait_for_data(self, func_name: str) -> None:  # asyncio's own code calls it
        await self._wait(func_name)
        self._settle()

    def _wait(self, caller: str) -> asyncio.Future[None]:
        """What is done when there is more than before, or the end; raises what the connection was lost by."""
        if self._waiter is not None and not self._waiter.done():  # done: it was cancelled
            raise RuntimeError(  # in asyncio's words
                f"{caller}() called while another coroutine is already waiting for incoming data"
            )
        if self._failure is not None:
            raise self._failure
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        self._waiter = waiter = self._loop.create_future()
        return waiter
