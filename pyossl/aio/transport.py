"""asyncio's ``Transport`` over a TLS connection.

Theory of operation
-------------------
A transport is in one of six states, and only ever goes to a later one:

HANDSHAKE   the protocol knows nothing of it yet; ``connection_made`` is its end, or ``waiter`` gets the exception.
OPEN        what is readable is decrypted and delivered; what is written is encrypted and sent at once, as far as it
            goes, and the rest waits in ``_backlog``, which is what flow control counts.
RECEIVING   a write has failed, and whatever is written is dropped; what the peer had sent is delivered to its end, and
            then comes ``connection_lost``, with the write's exception.
FLUSHING    ``close`` was called: nothing is delivered any more, and the backlog is on its way out.
GOODBYE     close_notify has been sent and the peer's is awaited, what comes before it being dropped: a descriptor that
            is closed with unread bytes is reset by the kernel, and the peer would lose what it has not read yet.
CLOSED      ``connection_lost`` has been called, or will be in the loop's next turn; then all is given back.

What carries the bytes, a descriptor that the loop watches or another transport, is the business of the subclasses:
descriptor.py and over_transport.py.  A descriptor may be silent while what was on it has not been read: where the
connection ``has_more``, it is read again before anything is waited for (pyossl/sockets/event_loop_steps.py).

Half-closed: ``write_eof`` sends close_notify, and reading goes on.  The peer's close_notify is ``eof_received``; where
that returns true, writing goes on.  A transport below that ends without a close_notify is no EOF but a
``TruncationError``, given to ``connection_lost``.

In a process that was forked while the loop ran, neither the connection nor the loop is touched: its epoll is the
parent's too.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import warnings
from asyncio import constants
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pyossl.aio.arguments import check_protocol
from pyossl.aio.backlog import Backlog, octets
from pyossl.aio.facts import FACTS
from pyossl.aio.loops import forks, room_of
from pyossl.aio.watching import Watching
from pyossl.core.errors import Error, TransportError, TruncationError, UsageError
from pyossl.core.outcome import Want
from pyossl.sockets.event_loop_steps import Destination, EventLoopConnection
from pyossl.tls.connection import Bytes

if TYPE_CHECKING:
    from pyossl.aio.layered import LayeredConnection
    from pyossl.aio.server import Server

HANDSHAKE, OPEN, RECEIVING, FLUSHING, GOODBYE, CLOSED = range(6)
_HIGH_WATER = 512 * 1024

_log = logging.getLogger("asyncio")


class Transport(Watching):
    """A TLS connection as asyncio's transport.  SSL_read_ex(3), SSL_write_ex(3)

    ``get_extra_info`` knows asyncio's names: ``peername``, ``sockname``, ``socket``, ``sslcontext`` (the ``Context``),
    ``ssl_object`` (the ``Connection``, also ``connection``), ``cipher`` (name, protocol, secret bits), ``compression``
    (None) and ``peercert`` (the peer's ``Certificate``).
    """

    __slots__ = (
        "__weakref__",
        "_backlog",
        "_connection",
        "_destination",
        "_eof_received",
        "_eof_written",
        "_flushed_since",
        "_forks",
        "_lost_writes",
        "_made",
        "_paused",
        "_protocol",
        "_read_wants_write",
        "_reads_into",
        "_room",
        "_server",
        "_shutdown_timeout",
        "_state",
        "_timer",
        "_waiter",
        "_write_failure",
        "_write_wants_read",
    )

    wakes_at_once = False
    """Whether only the loop itself calls for what is delivered, and so a task may be woken at once (waking.py)."""
    _sendfile_compatible = constants._SendfileMode.FALLBACK
    _connection: EventLoopConnection | LayeredConnection

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        connection: EventLoopConnection | LayeredConnection,
        protocol: asyncio.BaseProtocol,
        extra: dict[str, Any],
        *,
        waiter: asyncio.Future[None] | None = None,
        server: Server | None = None,
        handshake_timeout: float,
        shutdown_timeout: float,
        announced: bool = True,
    ) -> None:
        super().__init__(extra, loop)
        self._set_write_buffer_limits(_HIGH_WATER)
        self._connection = connection
        self._forks = forks()
        self._room = room_of(loop)
        self._state = HANDSHAKE
        self._timer: asyncio.TimerHandle | None = None
        self._backlog: Backlog | None = None
        self._flushed_since = False
        self._destination: Destination | None = None
        self._paused = self._eof_received = self._eof_written = False
        self._watch_nothing_yet()
        self._read_wants_write = self._write_wants_read = False
        self._lost_writes = 0
        self._write_failure: BaseException | None = None
        self._made = not announced  # start_tls: the protocol has known a transport all along
        self._waiter = waiter
        self._shutdown_timeout = shutdown_timeout
        self._server = server
        self.set_protocol(protocol)
        if server is not None:
            server._attach(self)
        self._timer = loop.call_later(handshake_timeout, self._handshake_timed_out, handshake_timeout)

    # What the subclasses do

    def _release(self) -> None:
        """Closes what carries the bytes, at once."""
        raise NotImplementedError

    # The handshake

    def _shake_hands(self) -> None:
        if self._state != HANDSHAKE:
            return
        try:
            want = self._connection.handshake()
        except BaseException as error:
            self._failed(error, "the TLS handshake")
            return
        if want is None:
            self._handshake_finished()
        else:
            self._wait_for(want, self._shake_hands, "the handshake")

    def _wait_for(self, want: Want, step: Callable[[], object], operation: str) -> None:
        """Takes ``step`` again when what it wants has come."""
        if want is Want.READ:
            self._stop_writer()
            self._start_reader(step)
            self._go_on(step)
        elif want is Want.WRITE:
            self._stop_reader()
            self._start_writer(step)
        else:
            self._failed(UsageError(f"{operation} came to {want!r}, which asyncio cannot wait for"), operation)

    def _handshake_finished(self) -> None:
        self._cancel_timer()
        self._stop_writer()
        self._state = OPEN
        if not self._made:
            self._made = True
            try:
                self._protocol.connection_made(self)
            except BaseException as error:
                self._failed(error, "protocol.connection_made()")
                return
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
        if self._state == OPEN and not self._paused:
            self._start_reader(self._read_ready)
            self._take_soon(self._read_ready)  # what came on its heels may be off the descriptor already

    def _handshake_timed_out(self, timeout: float) -> None:
        self._failed(
            ConnectionAbortedError(
                f"SSL handshake is taking longer than {timeout} seconds: aborting the connection"  # asyncio's words
            ),
            "the TLS handshake",
        )

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # Reading

    def _delivers(self) -> bool:
        return OPEN <= self._state <= RECEIVING

    def _read_ready(self) -> None:
        if self._paused or not self._delivers():
            return
        got: Any
        try:
            if self._destination is None and not self._reads_into:
                got = self._connection.receive(self._room)
            else:
                got = self._read_into()
        except BaseException as error:
            self._failed(error, "reading")
        else:
            self._take(got)

    def _take(self, got: Any) -> None:
        """What a step of reading came to: bytes, their number where they have been read into a buffer, or a want."""
        self._go_on(self._read_ready)
        if got.__class__ is Want:
            self._read_waits(got)
        elif got:
            try:
                if got.__class__ is bytes:
                    self._protocol.data_received(got)
                else:
                    self._protocol.buffer_updated(got)
            except BaseException as error:
                self._protocol_failed(error, "data_received" if got.__class__ is bytes else "buffer_updated")
        else:
            self._got_eof()
        if self._write_wants_read:
            self._write_wants_read = False
            self._write_ready()

    def _go_on(self, step: Callable[[], object]) -> None:
        """Takes another step of reading soon, where it needs no wait for the descriptor."""
        if self._connection.has_more:
            self._connection.has_more = False
            self._take_soon(step)

    def _protocol_failed(self, error: BaseException, method: str) -> None:
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise error  # out of a task that was woken, and not the connection's end
        self._failed(error, f"protocol.{method}()")

    def _read_into(self) -> int | Want:
        """A step of reading into the protocol's own buffer, or into what a stream's reader waits for."""
        if self._destination is not None:
            return self._connection.fill(self._destination)
        buffer = self._protocol.get_buffer(-1)
        if not len(buffer):
            raise RuntimeError("get_buffer() returned an empty buffer")
        return self._connection.read_some_into(buffer)

    def _read_waits(self, want: Any) -> None:
        if want is Want.WRITE:
            self._read_wants_write = True
            self._start_writer(self._write_ready)

    def _got_eof(self) -> None:
        if self._eof_received:  # a look that was due already when the end was met
            return
        self._eof_received = True
        self._stop_reader()
        try:
            keep_open = self._protocol.eof_received()
        except BaseException as error:
            self._failed(error, "protocol.eof_received()")
            return
        if self._write_failure is not None:
            self._failed(self._write_failure, "writing")
        elif not keep_open:
            self.close()

    def is_reading(self) -> bool:
        """Whether what arrives is delivered."""
        return self._delivers() and not self._paused

    def pause_reading(self) -> None:
        """Delivers nothing until ``resume_reading``."""
        if self.is_reading():
            self._paused = True
            self._stop_reader()

    def resume_reading(self) -> None:
        """Delivers again what arrives."""
        if self._delivers() and self._paused:
            self._paused = False
            if not self._eof_received:
                self._start_reader(self._read_ready)
                self._take_soon(self._read_ready)  # OpenSSL may hold what the descriptor no longer shows

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Delivers to another protocol from now on."""
        check_protocol(protocol)
        self._protocol: Any = protocol
        self._reads_into = isinstance(protocol, asyncio.BufferedProtocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """The protocol in charge."""
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol

    # Writing

    def write(self, data: Bytes) -> None:
        """Encrypts and sends bytes; what does not go at once waits, in memory.

        Raises ``RuntimeError`` after ``write_eof``.  SSL_write_ex(3)
        """
        if data.__class__ is not bytes:
            data = octets(data)
        if self._backlog is not None or self._state != OPEN or self._eof_written:
            self._write_later(data)
            return
        try:
            sent = self._connection.send(data)
        except BaseException as error:
            self._writing_failed(error, "writing")
        else:
            if sent != len(data):
                self._keep_rest(data, sent)

    def _keep_rest(self, data: Bytes, sent: int | Want) -> None:
        """What a step of writing has not taken waits."""
        self._queue(data, 0 if isinstance(sent, Want) else sent)
        if sent is Want.READ:
            self._write_needs_read()

    def _write_needs_read(self) -> None:
        self._write_wants_read = True
        self._stop_writer()
        self._take_soon(self._read_ready)  # in a renegotiation the write may have met data, which comes first

    def _write_later(self, data: Bytes) -> None:
        if self._eof_written:
            raise RuntimeError("Cannot call write() after write_eof()")
        if self._state != OPEN:
            self._lost_writes += 1
            if self._lost_writes >= constants.LOG_THRESHOLD_FOR_CONNLOST_WRITES:
                _log.warning("SSL connection is closed")
        elif data:
            self._queue(data, 0)

    def _queue(self, data: Bytes, start: int) -> None:
        if self._backlog is None:
            self._backlog = Backlog()
            self._start_writer(self._write_ready)
        self._backlog.add(data, start)
        self._maybe_pause_protocol()

    def _write_ready(self) -> None:
        if self._state >= GOODBYE:
            return
        if self._read_wants_write:
            self._read_wants_write = False
            self._take_soon(self._read_ready)
        if self._backlog is not None and not self._flushes(self._backlog):
            return
        self._stop_writer()
        self._maybe_resume_protocol()  # which may write again
        if self._backlog is None:
            if self._state == FLUSHING:
                self._say_goodbye()
            elif self._eof_written and self._state == OPEN:
                self._send_close_notify()

    def _flushes(self, backlog: Backlog) -> bool:
        """Whether the backlog is gone now."""
        try:
            went, want = backlog.flush(self._connection.send)
        except BaseException as error:
            self._writing_failed(error, "writing")
            return False
        self._flushed_since |= went > 0
        if not backlog:
            self._backlog = None
            return True
        if want is Want.READ:
            self._write_needs_read()
        if backlog.size <= self._low_water:
            self._maybe_resume_protocol()
        return False

    def get_write_buffer_size(self) -> int:
        """How many bytes wait to be encrypted and sent."""
        return 0 if self._backlog is None else self._backlog.size

    def can_write_eof(self) -> bool:
        """True: TLS can be half-closed."""
        return True

    def write_eof(self) -> None:
        """Sends close_notify when what was written has gone; reading goes on.  SSL_shutdown(3)"""
        if self._state == OPEN and not self._eof_written:
            self._eof_written = True
            if self._backlog is None:
                self._send_close_notify()

    def _send_close_notify(self) -> None:
        try:
            if self._connection.shutdown() is Want.WRITE:
                self._start_writer(self._write_ready)
        except BaseException as error:
            self._writing_failed(error, "the shutdown")

    # The end

    def is_closing(self) -> bool:
        """Whether ``close`` or ``abort`` was called, a write has failed, or the connection is lost."""
        return self._state >= RECEIVING

    def close(self) -> None:
        """Sends what waits, then close_notify, and awaits the peer's; then ``connection_lost(None)``.

        Where the peer does nothing of its part for ``ssl_shutdown_timeout`` seconds, ``connection_lost`` gets a
        ``TimeoutError``.  SSL_shutdown(3)
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
        if self._backlog is None:
            self._say_goodbye()

    def _say_goodbye(self) -> None:
        if self._state == CLOSED:
            return
        self._state = GOODBYE
        try:
            done = self._connection.shutdown()
            if done is False:
                self._start_reader(self._await_goodbye)
                self._await_goodbye()
            elif done is True:
                self._lose(None)
            else:
                self._wait_for(done, self._say_goodbye, "the shutdown")
        except BaseException as error:
            self._failed(error, "the shutdown")

    def _await_goodbye(self) -> None:
        """Drops what comes until the peer's close_notify: the user has closed, and the end of the transport will do."""
        if self._state != GOODBYE:
            return
        try:
            data = self._connection.receive(self._room)
        except (Error, OSError):
            data = b""
        except BaseException as error:
            self._failed(error, "the shutdown")
            return
        if data == b"":
            self._lose(None)
        else:
            self._go_on(self._await_goodbye)

    def _shutdown_timed_out(self) -> None:
        if self._state == FLUSHING and self._flushed_since:
            self._flushed_since = False
            self._timer = self._loop.call_later(self._shutdown_timeout, self._shutdown_timed_out)
        else:
            self._failed(TimeoutError("SSL shutdown timed out"), "the shutdown")  # asyncio's words

    def abort(self) -> None:
        """Closes at once, without a close_notify; what waits is lost.  Then ``connection_lost(None)``."""
        self._lose(None)

    def _writing_failed(self, error: BaseException, operation: str) -> None:
        """The end of the writes, and of the connection where nothing more can be read."""
        reads_on = not (self._connection._c.dead or self._eof_received)
        if reads_on and self._state == OPEN and isinstance(error, TransportError):
            self._receive_rest(error)
        else:
            self._failed(error, operation)

    def _receive_rest(self, error: BaseException) -> None:
        """Delivers what the peer has sent, and then loses the connection by ``error``, which a write met."""
        self._state = RECEIVING
        self._write_failure = error
        self._backlog = None
        self._stop_writer()
        if (tell := getattr(self._protocol, "writing_failed", None)) is not None:
            tell(error)
        self._maybe_resume_protocol()
        self._take_soon(self._read_ready)

    def _failed(self, error: BaseException, operation: str) -> None:
        """The end by an exception: the peer's, the transport's, or one that a callback or the protocol raised."""
        if self._state == CLOSED:
            return
        if self._write_failure is not None and isinstance(error, (TruncationError, TransportError)):
            error = self._write_failure  # which has ended the connection first
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
        if self._state == CLOSED:
            return
        made = self._made and self._state != HANDSHAKE
        self._state = CLOSED
        if self._is_of_another_process() or self._loop.is_closed():
            self._give_back()
            return
        self._cancel_timer()
        self._stop_reader()
        self._stop_writer()
        self._backlog = None
        self._end(error, made)

    def _end(self, error: BaseException | None, made: bool) -> None:
        """Sees to it that ``_connection_lost`` is called, in a later turn of the loop."""
        self._loop.call_soon(self._connection_lost, error, made)

    def _connection_lost(self, error: BaseException | None, made: bool) -> None:
        waiter, self._waiter = self._waiter, None
        try:
            if made:
                self._protocol.connection_lost(error)
        finally:
            self._give_back()
            if waiter is not None and not waiter.done():
                waiter.set_exception(error or ConnectionAbortedError("the transport was closed in its handshake"))

    def _give_back(self) -> None:
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
        return self._forks != forks()

    # What is known of it

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What is known by a name, see above; ``default`` for what is not, or not any more."""
        if name in self._extra:
            return self._extra[name]
        question = FACTS.get(name)
        if question is None or self._connection.closed or self._is_of_another_process():
            return default
        return question(self._connection)

    def __repr__(self) -> str:
        return f"<{self._description()}, {self._connection!r}>"

    def _description(self) -> str:
        state = ("handshake", "open", "receiving", "flushing", "closing", "closed")[self._state]
        return f"{type(self).__name__} {state}, with {self._extra.get('peername')!r}"

    def __del__(self, _warn: Callable[..., None] = warnings.warn) -> None:
        if getattr(self, "_state", CLOSED) != CLOSED and not self._is_of_another_process():
            _warn(f"unclosed transport <{self._description()}>", ResourceWarning, source=self)
            self._abandon()

    def _close_dropped(self) -> None:
        """Closes what a finaliser has found open: properly, where the loop has a hold on it."""
        if self._watches_reader or self._watches_writer:
            self.close()
        else:
            self._abandon()

    def _abandon(self) -> None:
        """Closes, from a finaliser, what Python has of it."""
        self._state = CLOSED
        if self._timer is not None:
            self._timer.cancel()
        with contextlib.suppress(UsageError):  # in a callback of its own, which is its last
            self._connection.close()  # before the descriptor, whose number is somebody else's then
        self._drop()
        self._detach()

    def _drop(self) -> None:
        """Closes what carries the bytes, without a look at the connection."""
        raise NotImplementedError
