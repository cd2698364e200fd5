"""The end of a transport: ``close``, ``abort``, failures, time limits, and a transport that is dropped without a close.

The states are in transport_states.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import warnings
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from pyossl.aio.async_fds import until_one_is_readable
from pyossl.aio.fork_count import fork_count
from pyossl.aio.loop_callbacks import LoopCallbacks
from pyossl.aio.transport_states import CLOSED, FLUSHING, HANDSHAKE, OPEN, RECEIVING, SHUTDOWN, STATE_NAMES
from pyossl.aio.write_buffer import WriteBuffer
from pyossl.core.errors import Error, NotDueError, TransportError, TruncationError, UsageError
from pyossl.core.outcome import Want
from pyossl.sockets.event_loop_steps import Destination, EventLoopConnection
from pyossl.tls.callbacks.suspension import ASK_AGAIN, CALLBACK_WANTS, JOB_WANTS

if TYPE_CHECKING:
    from pyossl.aio.connection_over_transport import ConnectionOverTransport

_log = logging.getLogger("asyncio")


class KeepsTransports(Protocol):
    """A server as its transports see it: it counts the transports that have not ended."""

    def _attach(self, transport: Any) -> None: ...
    def _detach(self, transport: Any) -> None: ...


class EndNotifications:
    """What a transport calls in a protocol of pyossl.aio, besides the methods of asyncio's protocols."""

    __slots__ = ()

    def peer_closed(self) -> None:
        """Called after ``close``, if the peer's close_notify came next and no data was dropped."""

    def writing_failed(self, exc: BaseException) -> None:
        """Called after a failed write, if the peer's bytes can still be read."""


class ClosingTransport(LoopCallbacks):
    """The part of ``Transport`` that ends the connection."""

    __slots__ = (
        "__weakref__",
        "_answer",
        "_connection",
        "_destination",
        "_eof_received",
        "_forks",
        "_has_dropped",
        "_has_flushed",
        "_is_announced",
        "_protocol",
        "_server",
        "_shutdown_timeout",
        "_state",
        "_timer",
        "_waiter",
        "_write_buffer",
        "_write_failure",
    )

    _connection: EventLoopConnection | ConnectionOverTransport
    _protocol: Any

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        connection: EventLoopConnection | ConnectionOverTransport,
        extra: dict[str, Any],
        waiter: asyncio.Future[None] | None,
        server: KeepsTransports | None,
        shutdown_timeout: float,
        announced: bool,
    ) -> None:
        super().__init__(extra, loop)
        self._watch_nothing_yet()
        self._connection = connection
        self._forks = fork_count()
        self._state = HANDSHAKE
        self._timer: asyncio.TimerHandle | None = None
        self._answer: asyncio.Task[None] | None = None
        """Waits for a callback that has no answer yet."""
        self._write_buffer: WriteBuffer | None = None
        self._write_failure: BaseException | None = None
        self._has_flushed = False
        """Whether bytes have been sent since the shutdown's timer was started."""
        self._has_dropped = False
        """Whether data of the peer came after ``close``, and was dropped."""
        self._destination: Destination | None = None
        self._eof_received = False
        self._is_announced = not announced
        """Whether ``connection_made`` has been called, so that ``connection_lost`` must be called at the end."""
        self._waiter = waiter
        self._shutdown_timeout = shutdown_timeout
        self._server = server

    # For subclasses to implement

    def _release(self) -> None:
        """Closes the socket or the transport below at once."""
        raise NotImplementedError

    def _drop(self) -> None:
        """Closes the socket or the transport below, and does not use the connection."""
        raise NotImplementedError

    def _read_ready(self) -> None:
        """Reads and delivers once."""
        raise NotImplementedError

    def _write_ready(self) -> None:
        """Sends from the write buffer; if it is empty after ``close``, shuts down."""
        raise NotImplementedError

    # Waiting

    def _wait_for(self, want: Want, step: Callable[[], object], operation: str) -> None:
        """Calls ``step`` again when it can go on."""
        if want is Want.READ:
            self._stop_writer()
            self._start_reader(step)
            self._read_again_if_needed(step)
        elif want is Want.WRITE:
            self._stop_reader()
            self._start_writer(step)
        elif want in CALLBACK_WANTS or want in JOB_WANTS:
            self._stop_reader()
            self._stop_writer()
            if self._answer is None:
                awaited = self._await_callback() if want in CALLBACK_WANTS else self._await_job()
                self._answer = self._loop.create_task(awaited)
                self._answer.add_done_callback(partial(self._callback_answered, step, operation))
        else:
            self._fail(UsageError(f"{operation} needs {want!r}, which asyncio cannot wait for"), operation)

    async def _await_callback(self) -> None:
        """Waits for a callback that has no answer yet."""
        suspension = self._connection._suspension
        if suspension is not None:
            await suspension.finish(self._connection)
        else:
            await asyncio.sleep(ASK_AGAIN)

    async def _await_job(self) -> None:
        """Waits for an asynchronous job that is paused."""
        if fds := self._connection.async_fds:
            await until_one_is_readable(self._loop, fds)
        else:
            await asyncio.sleep(ASK_AGAIN)

    def _callback_answered(self, step: Callable[[], object], operation: str, task: asyncio.Task[None]) -> None:
        self._answer = None
        if self._state == CLOSED:
            if self._connection._suspension is not None:  # the task was cancelled before it began
                self._connection._suspension.drop()
            return
        if task.cancelled():
            self._fail(ConnectionAbortedError(f"{operation}: what a callback awaits was cancelled"), operation)
        elif (error := task.exception()) is not None:
            self._fail(error, operation)
        else:
            step()

    def _read_again_if_needed(self, step: Callable[[], object]) -> None:
        """Calls a reading step soon if there is more to read and the descriptor will not show it."""
        if self._connection.has_more:
            self._connection.has_more = False
            self._call_soon(step)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # Closing

    def is_closing(self) -> bool:
        """Whether ``close`` or ``abort`` was called, a write has failed, or the connection is lost."""
        return self._state >= RECEIVING

    def close(self) -> None:
        """Sends the write buffer, then close_notify, waits for the peer's, and then calls ``connection_lost(None)``.

        If the peer does nothing for ``ssl_shutdown_timeout`` seconds, ``connection_lost`` gets a ``TimeoutError``.  A
        handshake that is not finished is aborted, unless the write buffer waits for it.  SSL_shutdown(3)
        """
        if self._state >= FLUSHING:
            return
        if self._state == HANDSHAKE or self._is_of_another_process():
            self.abort()
            return
        if self._write_failure is not None:
            self._lose(self._write_failure)
            return
        self._state = FLUSHING
        self._stop_reader()
        if self._loop.is_closed():
            self._lose(None)
            return
        self._timer = self._loop.call_later(self._shutdown_timeout, self._shutdown_timed_out)
        if self._write_buffer is None or not self._watches_writer:
            self._write_ready()

    def _shut_down(self) -> None:
        if self._state == CLOSED:
            return
        self._state = SHUTDOWN
        try:
            done = self._connection.shutdown()
            if done is False:
                self._start_reader(self._await_close_notify)
                self._await_close_notify()
            elif done is True:
                self._peer_closed()
            else:
                self._wait_for(done, self._shut_down, "the shutdown")
        except NotDueError:  # another handshake is not finished
            self._lose(None)
        except BaseException as error:
            self._fail(error, "the shutdown")

    def _await_close_notify(self) -> None:
        """Drops the data that comes before the peer's close_notify.

        The program has closed the connection.  Therefore an end without a close_notify is no failure here.
        """
        if self._state != SHUTDOWN:
            return
        try:
            data = self._connection.receive()
        except (Error, OSError):
            self._lose(None)
            return
        except BaseException as error:
            self._fail(error, "the shutdown")
            return
        if data == b"":
            self._peer_closed()
        else:
            self._has_dropped |= isinstance(data, bytes)
            self._read_again_if_needed(self._await_close_notify)

    def _peer_closed(self) -> None:
        """Ends the connection after both close_notifys."""
        if not self._has_dropped and isinstance(self._protocol, EndNotifications):
            self._protocol.peer_closed()
        self._lose(None)

    def _shutdown_timed_out(self) -> None:
        if self._state == FLUSHING and self._has_flushed:
            self._has_flushed = False
            self._timer = self._loop.call_later(self._shutdown_timeout, self._shutdown_timed_out)
        else:
            self._fail(TimeoutError("SSL shutdown timed out"), "the shutdown")  # asyncio's words

    def abort(self) -> None:
        """Closes at once, without a close_notify, and then calls ``connection_lost(None)``.

        The bytes in the write buffer are dropped.  A ``StreamReader`` raises ``ConnectionAbortedError``, unless the
        peer's close_notify has come.
        """
        self._lose(None)

    # Failures

    def _fail_writing(self, error: BaseException, operation: str) -> None:
        """Ends the writes.  Also ends the connection if nothing more can be read."""
        reads_on = not (self._connection._c.dead or self._eof_received)
        if reads_on and self._state == OPEN and isinstance(error, TransportError):
            self._receive_rest(error)
        else:
            self._fail(error, operation)

    def _receive_rest(self, error: BaseException) -> None:
        """Delivers the bytes that the peer has sent, and then ends the connection with ``error``, a write's failure."""
        self._state = RECEIVING
        self._write_failure = error
        self._write_buffer = None
        self._stop_writer()
        if isinstance(self._protocol, EndNotifications):
            self._protocol.writing_failed(error)
        self._maybe_resume_protocol()
        self._call_soon(self._read_ready)

    def _fail(self, error: BaseException, operation: str) -> None:
        """Ends the connection with an exception of the peer, of the transport, of a callback or of the protocol."""
        if self._state == CLOSED:
            return
        if self._write_failure is not None and isinstance(error, (TruncationError, TransportError)):
            error = self._write_failure  # the first failure
        if isinstance(error, (Error, OSError)):
            if self._loop.get_debug():
                _log.debug("%r: %s failed", self, operation, exc_info=error)
        elif isinstance(error, Exception):
            context = {"message": f"Fatal error: {operation} failed.", "exception": error}
            self._loop.call_exception_handler({**context, "transport": self, "protocol": self._protocol})
        self._lose(error)
        if not isinstance(error, (Exception, asyncio.CancelledError)):
            raise error

    def _lose(self, error: BaseException | None) -> None:
        """Ends the connection: ``connection_lost`` is called with ``error`` soon."""
        if self._state == CLOSED:
            return
        is_announced = self._is_announced and self._state != HANDSHAKE
        self._state = CLOSED
        if self._is_of_another_process() or self._loop.is_closed():
            self._free()
            return
        self._cancel_timer()
        if self._answer is not None:
            self._answer.cancel()
        self._stop_reader()
        self._stop_writer()
        self._write_buffer = None
        self._call_connection_lost_soon(error, is_announced)

    def _call_connection_lost_soon(self, error: BaseException | None, is_announced: bool) -> None:
        self._loop.call_soon(self._connection_lost, error, is_announced)

    def _connection_lost(self, error: BaseException | None, is_announced: bool) -> None:
        waiter, self._waiter = self._waiter, None
        try:
            if is_announced:
                self._protocol.connection_lost(error)
        finally:
            self._free()
            if waiter is not None and not waiter.done():
                waiter.set_exception(error or ConnectionAbortedError("the transport was closed in its handshake"))

    def _free(self) -> None:
        self._protocol = None
        self._destination = None
        self._connection.close()
        self._release()
        self._detach()

    def _detach(self) -> None:
        server, self._server = self._server, None
        if server is not None and not self._is_of_another_process():
            server._detach(self)

    def _is_of_another_process(self) -> bool:
        return self._forks != fork_count()

    # A transport that is dropped without a close

    def _description(self) -> str:
        return f"{type(self).__name__} {STATE_NAMES[self._state]}, with {self._extra.get('peername')!r}"

    def __del__(self, _warn: Callable[..., None] = warnings.warn) -> None:
        if getattr(self, "_state", CLOSED) != CLOSED and not self._is_of_another_process():
            _warn(f"unclosed transport <{self._description()}>", ResourceWarning, source=self)
            self._abandon()

    def _close_dropped(self) -> None:
        """For a finaliser of another object: closes with a close_notify if the loop still refers to this one."""
        if self._watches_reader or self._watches_writer:
            self.close()
        else:
            self._abandon()

    def _abandon(self) -> None:
        """For finalisers: closes the connection and the socket without the loop."""
        self._state = CLOSED
        if self._timer is not None:
            self._timer.cancel()
        with contextlib.suppress(UsageError):  # raised in a callback of this connection, which is the last one
            self._connection.close()  # before the descriptor, whose number another file may get
        self._drop()
        self._detach()
