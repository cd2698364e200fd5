"""asyncio's ``StreamReader``, with fewer copies.

The bytes of one read of the transport are kept as they are, in ``_fresh``, and returned in pieces.  A usual ``read``
copies nothing.  The bytes move to ``_buffer``, which is asyncio's, if more bytes arrive before they are used up, or if
asyncio's own code searches them for a separator.  A long ``readexactly`` is decrypted directly into the bytes object
that it returns.  Bytes that arrive wake the task that waits for them at once, if the transport allows it
(task_wakeups.py).

If the connection is lost, all bytes that came before are read first.  Then reads raise the exception.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pyossl.aio.task_wakeups import wake_now, wake_through_queue
from pyossl.core.arguments import index, instances, integer
from pyossl.core.copying import Uncopied
from pyossl.core.errors import UsageError
from pyossl.sockets.event_loop_steps import Destination

_DIRECT = range(32 * 1024, 64 * 1024 * 1024)
"""The numbers of bytes that are decrypted directly into the result.

For fewer bytes it saves nothing.  More bytes are not allocated before they arrive: the peer may have sent a false
length.
"""


class StreamReader(Uncopied, asyncio.StreamReader):
    """Reads from a TLS connection, like ``asyncio.StreamReader``.  ``open_connection`` and ``start_server`` make it.

    ``limit`` is the longest line in bytes.  The transport is paused while more than twice as many bytes are unread.
    Only one task at a time may read: a second one gets a ``RuntimeError``.  A read that is cancelled loses no bytes.
    If the connection is lost, reads return the bytes that came before, and then raise the exception.  If this program
    has closed or aborted it before the peer's close_notify came, that is a ``ConnectionAbortedError``.  ``b""`` always
    means that the peer has ended its data.  SSL_read_ex(3)
    """

    if TYPE_CHECKING:  # asyncio's attributes, which typeshed leaves out
        _buffer: bytearray
        _eof: bool
        _limit: int
        _loop: asyncio.AbstractEventLoop
        _paused: bool
        _transport: Any
        _waiter: asyncio.Future[None] | None

    def __init__(self, limit: int, loop: asyncio.AbstractEventLoop) -> None:
        """Makes a reader without a transport, for lines of up to ``limit`` bytes, on the event loop ``loop``."""
        integer(limit, "limit", 1, sys.maxsize)
        super().__init__(limit, loop)
        self._fresh = b""
        self._start = 0  # the index of the first unread byte of _fresh
        self._destination: Destination | None = None
        self._failure: BaseException | None = None
        self._wake: Callable[[asyncio.Future[None]], object] = wake_through_queue

    _early: bytearray | None = None
    """Unread early data; None if this reader takes none."""
    _early_ended = False
    _early_waiter: asyncio.Future[None] | None = None

    # For the protocol to call

    def take_early_data(self) -> None:
        """Makes ``read_early_data`` wait for early data, which ``early_data_received`` gets."""
        self._early = bytearray()

    def early_data_received(self, data: bytes) -> None:
        """Adds ``data``, early data that the transport has received."""
        assert self._early is not None
        self._early += data
        self._wake_early()

    def early_data_ended(self) -> None:
        """Tells the reader that no more early data will come."""
        self._early_ended = True
        self._wake_early()

    def _wake_early(self) -> None:
        waiter, self._early_waiter = self._early_waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def exception(self) -> Any:
        """The exception with which the connection was lost, None if there is none."""
        return self._failure

    def set_exception(self, exc: BaseException) -> None:
        """Tells the reader that the connection is lost.  Reads raise ``exc`` after all bytes that came before."""
        self._failure = exc
        self._wake_early()
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_exception(exc)

    def set_transport(self, transport: asyncio.BaseTransport) -> None:
        """Sets ``transport``, which the reader pauses while too many bytes are unread."""
        self._transport = transport
        self._wake = wake_now if getattr(transport, "wakes_at_once", False) else wake_through_queue

    def feed_eof(self) -> None:
        """Tells the reader that the peer has closed its direction."""
        self._eof = True
        self._end_wait(wake_through_queue)

    def _has_ended(self) -> bool:
        """Whether the peer has closed its direction, and all its early data has come if this reader takes any."""
        return self._eof and (self._early is None or self._early_ended)

    def feed_data(self, data: Any) -> None:
        """Adds ``data``, received bytes.  Any code may call this."""
        if data:
            waiter, self._waiter = self._waiter, None
            self.received(bytes(data))
            if waiter is not None and not waiter.done():
                waiter.set_result(None)

    def received(self, data: bytes) -> None:
        """Adds ``data``, bytes that the transport has received, without a copy.  Only a transport may call this."""
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
        """Tells the reader that ``size`` bytes were decrypted into the result of ``readexactly``."""
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
        """Whether the peer has closed its direction and all bytes have been read."""
        return self._eof and not self._fresh and not self._buffer

    async def read(self, n: int = -1) -> bytes:
        """Reads at most ``n`` bytes; if ``n`` is negative, all bytes until the peer closes.  ``b""`` at the end.

        Raises the exception with which the connection was lost, ``RuntimeError`` if another task is reading.
        SSL_read_ex(3)
        """
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

    async def read_early_data(self, n: int = 16384) -> bytes:
        """Waits for early data and returns at most ``n`` bytes, on a server that was started with ``early_data=True``.

        Returns ``b""`` if there is no more: the client has sent none, it was refused, or its end has come.  What it
        returns may be a replay: see ``Context.max_early_data``.

        Raises the exception with which the connection was lost, ``UsageError`` on any other reader, ``ValueError`` for
        an ``n`` below 1, ``RuntimeError`` if another task waits.  SSL_read_early_data(3)
        """
        n = index(n, "n")
        if n < 1:
            raise ValueError("at least 1 byte of early data must be read at a time")
        if self._early is None:
            raise UsageError("this reader takes no early data: start_server(..., early_data=True) makes one that does")
        while not self._early and not self._early_ended:
            if self._failure is not None:
                raise self._failure
            if self._early_waiter is not None and not self._early_waiter.done():
                raise RuntimeError("read_early_data() called while another coroutine is already waiting for early data")
            self._early_waiter = self._loop.create_future()
            await self._early_waiter
        data = bytes(self._early[:n])
        del self._early[:n]
        return data

    async def readexactly(self, n: int) -> bytes:
        """Reads exactly ``n`` bytes.

        Raises ``asyncio.IncompleteReadError``, which has the bytes that came, if the peer closes before, and otherwise
        as ``read``.  SSL_read_ex(3)
        """
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
            self._return_filled(destination)
            raise
        self._destination = None
        if destination.filled == n:
            return destination.data
        self._return_filled(destination)
        return await self.readexactly(n)  # the peer has closed: it raises IncompleteReadError

    def _return_filled(self, destination: Destination) -> None:
        """Makes the bytes that came available to the next read."""
        self._destination = self._transport._destination = None
        self._buffer[:0] = destination.filled_bytes()

    async def readuntil(self, separator: Any = b"\n") -> bytes:
        """Reads until ``separator``, and returns the bytes including it.

        ``separator`` is bytes, or from Python 3.13 on a tuple of bytes.  Raises ``asyncio.LimitOverrunError`` if it
        does not come within the limit, ``asyncio.IncompleteReadError`` if the peer closes before, and otherwise as
        ``read``.  SSL_read_ex(3)
        """
        if isinstance(separator, tuple):  # from Python 3.13
            instances(separator, bytes, "separator")
        elif not isinstance(separator, (bytes, bytearray)):
            raise TypeError(f"separator is bytes, not {type(separator).__name__}")
        self._settle()
        return await super().readuntil(separator)

    async def readline(self) -> bytes:
        """Reads a line and returns it with its ``b"\\n"``, which is missing only if the peer has closed before it.

        Raises ``ValueError`` for a line that is longer than the limit, and otherwise as ``read``.  SSL_read_ex(3)
        """
        if not self._buffer:
            end = self._fresh.find(b"\n", self._start)
            if 0 <= end - self._start <= self._limit:
                return self._take(end + 1 - self._start)
        return await super().readline()

    def _take(self, n: int) -> bytes:
        """Removes and returns at most ``n`` of the unread bytes."""
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
        """Removes and returns all unread bytes, for the TLS that begins now."""
        return self._take(len(self._fresh) + len(self._buffer))

    def _resume(self, most: int) -> None:
        if len(self._fresh) - self._start + len(self._buffer) <= most:
            self._paused = False
            self._transport.resume_reading()

    def _settle(self) -> None:
        """Moves the rest of ``_fresh`` to ``_buffer``, where asyncio's code looks for it."""
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
        """A future that is done when more bytes come or the peer closes.

        Raises the exception with which the connection was lost, ``RuntimeError`` if another task waits.
        """
        if self._waiter is not None and not self._waiter.done():  # one that is done was cancelled
            raise RuntimeError(  # asyncio's words
                f"{caller}() called while another coroutine is already waiting for incoming data"
            )
        if self._failure is not None:
            raise self._failure
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        self._waiter = waiter = self._loop.create_future()
        return waiter

    def __repr__(self) -> str:
        unread = len(self._fresh) - self._start + len(self._buffer)
        parts = [type(self).__name__, f"{unread} bytes unread"]
        if self._eof:
            parts.append("eof")
        if self._failure is not None:
            parts.append(f"exception={self._failure!r}")
        if self._transport is not None:
            parts.append(f"transport={self._transport!r}")
        return f"<{' '.join(parts)}>"
