"""asyncio's ``Transport`` over a TLS connection: the handshake, reading and writing.

Theory of operation
-------------------
A transport goes through the states of transport_states.py, and never back to an earlier one.  closing.py has the states
after ``OPEN``.

A subclass moves the bytes.  ``SocketTransport`` uses a descriptor that the loop watches, ``TransportOverTransport``
another transport.  The loop may see nothing to read on a descriptor although OpenSSL or a BIO holds bytes that were
read from it.  Then the connection's ``has_more`` is set, and the transport reads again before it waits
(pyossl/sockets/event_loop_steps.py).

The two directions end separately.  ``write_eof`` sends close_notify, and reading goes on.  On the peer's close_notify
``eof_received`` is called.  If it returns true, writing goes on.  If the bytes end without a close_notify, that is no
EOF: ``connection_lost`` gets a ``TruncationError``.

In a process that was forked while the loop ran, the transport uses neither the connection nor the loop: parent and
child share the loop's epoll.
"""

from __future__ import annotations

import asyncio
import logging
from asyncio import constants
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from pyossl.aio.arguments import check_protocol
from pyossl.aio.closing import ClosingTransport, KeepsTransports
from pyossl.aio.extra_info import EXTRA_INFO
from pyossl.aio.flow_control import HIGH_WATER
from pyossl.aio.transport_states import FLUSHING, HANDSHAKE, OPEN, RECEIVING, SHUTDOWN
from pyossl.aio.write_buffer import WriteBuffer, sized_in_bytes
from pyossl.core.buffers import Bytes
from pyossl.core.errors import NotDueError, UsageError
from pyossl.core.outcome import Want
from pyossl.sockets.event_loop_steps import EventLoopConnection
from pyossl.tls.connection.post_handshake import key_update

if TYPE_CHECKING:
    from pyossl.aio.connection_over_transport import ConnectionOverTransport


_log = logging.getLogger("asyncio")


class Transport(ClosingTransport):
    """A TLS connection as an asyncio transport.  The functions of ``pyossl.aio`` make it.

    The protocol's ``pause_writing`` is called above 512 KiB of unsent bytes, unless ``set_write_buffer_limits`` says
    otherwise.  SSL_read_ex(3), SSL_write_ex(3)
    """

    __slots__ = (
        "_begins",
        "_dropped_writes",
        "_eof_written",
        "_paused",
        "_read_wants_write",
        "_reads_into",
        "_write_wants_read",
    )

    wakes_at_once = False
    """Whether only the loop itself calls the methods that deliver, so that a task may run at once (task_wakeups.py)."""
    _sendfile_compatible = constants._SendfileMode.FALLBACK

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        connection: EventLoopConnection | ConnectionOverTransport,
        protocol: asyncio.BaseProtocol,
        extra: dict[str, Any],
        *,
        waiter: asyncio.Future[None] | None = None,
        server: KeepsTransports | None = None,
        handshake_timeout: float,
        shutdown_timeout: float,
        announced: bool = True,
    ) -> None:
        """Makes a transport and begins its handshake; the functions of ``pyossl.aio`` call it.

        - ``loop``, ``connection``, ``protocol``: the event loop, the connection, and the protocol to deliver to.
        - ``extra``: the information that ``get_extra_info`` returns.
        - ``waiter``: a future that gets the result of the handshake.
        - ``server``: the server that keeps the transport until it is closed.
        - ``handshake_timeout``, ``shutdown_timeout``: in seconds.
        - ``announced``: False if the protocol had a transport before (``start_tls``): no ``connection_made`` then.
        """
        super().__init__(loop, connection, extra, waiter, server, shutdown_timeout, announced)
        self._set_write_buffer_limits(HIGH_WATER)
        self._paused = self._eof_written = False
        self._read_wants_write = self._write_wants_read = self._begins = False
        self._dropped_writes = 0
        self.set_protocol(protocol)
        if server is not None:
            server._attach(self)
        self._timer = loop.call_later(handshake_timeout, self._handshake_timed_out, handshake_timeout)

    # The handshake

    def _shake_hands(self) -> None:
        if self._state != HANDSHAKE:
            return
        try:
            want = self._connection.handshake()
        except BaseException as error:
            self._fail(error, "the TLS handshake")
            return
        if want is None:
            self._handshake_finished()
        else:
            self._wait_for(want, self._shake_hands, "the handshake")

    def _handshake_finished(self) -> None:
        self._cancel_timer()
        self._stop_writer()
        self._state = OPEN
        if not self._is_announced:
            self._is_announced = True
            try:
                self._protocol.connection_made(self)
            except BaseException as error:
                self._fail(error, "protocol.connection_made()")
                return
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
        if self._state == OPEN and not self._paused:
            self._start_reader(self._read_ready)
            self._call_soon(self._read_ready)  # data may have been read from the descriptor with the handshake

    def _handshake_timed_out(self, timeout: float) -> None:
        self._fail(
            ConnectionAbortedError(
                f"SSL handshake is taking longer than {timeout} seconds: aborting the connection"  # asyncio's words
            ),
            "the TLS handshake",
        )

    # Reading

    def _delivers(self) -> bool:
        return OPEN <= self._state <= RECEIVING

    def _read_ready(self) -> None:
        if self._paused or not self._delivers():
            return
        got: Any
        try:
            if self._destination is None and not self._reads_into:
                got = self._connection.receive()
            else:
                got = self._read_into()
        except BaseException as error:
            self._fail(error, "reading")
        else:
            self._deliver(got)

    def _deliver(self, got: Any) -> None:
        """Takes the result of a reading step: bytes, the number of bytes that were read into a buffer, or a Want."""
        self._read_again_if_needed(self._read_ready)
        if got.__class__ is Want:
            self._wait_to_read(got)
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
        if self._write_wants_read and self._answer is None:
            self._write_wants_read = False
            self._write_ready()

    def _protocol_failed(self, error: BaseException, method: str) -> None:
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise error  # it comes from a task that was woken, and does not end the connection
        self._fail(error, f"protocol.{method}()")

    def _read_into(self) -> int | Want:
        """Reads once, into the protocol's buffer or into the bytes that a stream's reader waits for."""
        if self._destination is not None:
            return self._connection.fill(self._destination)
        buffer = self._protocol.get_buffer(-1)
        if not len(buffer):
            raise RuntimeError("get_buffer() returned an empty buffer")
        return self._connection.read_some_into(buffer)

    def _wait_to_read(self, want: Any) -> None:
        if want is Want.WRITE:
            self._read_wants_write = True
            self._start_writer(self._write_ready)
        elif want is not Want.READ:
            self._wait_for(want, self._go_on_after_answer, "reading")

    def _go_on_after_answer(self) -> None:
        """Goes on in both directions: neither was watched while a callback had no answer."""
        if self.is_reading():
            self._start_reader(self._read_ready)
        self._read_ready()
        if self._answer is None:
            self._write_ready()

    def _got_eof(self) -> None:
        if self._eof_received:  # this step was already due when the end was read
            return
        self._eof_received = True
        self._stop_reader()
        try:
            keep_open = self._protocol.eof_received()
        except BaseException as error:
            self._fail(error, "protocol.eof_received()")
            return
        if self._write_failure is not None:
            self._fail(self._write_failure, "writing")
        elif not keep_open:
            self.close()

    def is_reading(self) -> bool:
        """Whether data is delivered: the transport is neither paused nor closing."""
        return self._delivers() and not self._paused

    def pause_reading(self) -> None:
        """Stops delivering data until ``resume_reading`` is called."""
        if self.is_reading():
            self._paused = True
            self._stop_reader()

    def resume_reading(self) -> None:
        """Delivers data again after ``pause_reading``."""
        if self._delivers() and self._paused:
            self._paused = False
            if not self._eof_received:
                self._start_reader(self._read_ready)
                self._call_soon(self._read_ready)  # OpenSSL may hold bytes that the descriptor does not show

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Delivers to ``protocol`` from now on.  Raises ``TypeError`` if it is not an asyncio protocol."""
        check_protocol(protocol)
        self._protocol = protocol
        self._reads_into = isinstance(protocol, asyncio.BufferedProtocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """The protocol that the transport delivers to."""
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol

    # Writing

    def write(self, data: Bytes) -> None:
        """Encrypts and sends bytes.  It never waits: bytes that cannot be sent at once stay in the write buffer.

        Raises ``TypeError`` if ``data`` is not bytes-like, ``RuntimeError`` after ``write_eof``.  On a transport that
        is closing, the bytes are dropped.  SSL_write_ex(3)
        """
        if data.__class__ is not bytes:
            data = sized_in_bytes(data)
        if self._write_buffer is not None or self._state != OPEN or self._eof_written:
            self._write_later(data)
            return
        try:
            sent = self._connection.send(data)
        except BaseException as error:
            self._fail_writing(error, "writing")
        else:
            if sent != len(data):
                self._keep_rest(data, sent)

    def _keep_rest(self, data: Bytes, sent: int | Want) -> None:
        """Puts the bytes that a writing step has not sent into the write buffer."""
        self._queue(data, 0 if isinstance(sent, Want) else sent)
        if isinstance(sent, Want) and sent is not Want.WRITE:
            self._wait_to_write(sent)

    def _wait_to_write(self, want: Want) -> None:
        """Waits for the peer's part of a handshake, or for a callback, before anything can be written."""
        self._stop_writer()
        if want is not Want.READ:
            self._wait_for(want, self._go_on_after_answer, "writing")
            return
        self._write_wants_read = True
        step = self._read_ready
        if self._state == FLUSHING:
            step = self._read_to_flush
            self._start_reader(step)
        if self._connection.pending or self._connection.has_more:  # the write has met data, which must be read first
            self._call_soon(step)

    def _read_to_flush(self) -> None:
        """Goes on with a handshake after ``close``, and drops the data that comes before the peer's part of it."""
        if self._state != FLUSHING or not self._write_wants_read:
            return
        self._write_wants_read = False
        self._stop_reader()  # if the write needs it again, it starts it again
        try:
            got = self._connection.receive()
        except BaseException as error:  # of any kind: the connection ends, and ``_fail`` sorts them
            self._fail(error, "reading")
            return
        self._has_dropped |= isinstance(got, bytes) and got != b""
        self._write_ready()

    def _write_later(self, data: Bytes) -> None:
        if self._eof_written:
            raise RuntimeError("Cannot call write() after write_eof()")
        if self._state != OPEN:
            self._dropped_writes += 1
            if self._dropped_writes >= constants.LOG_THRESHOLD_FOR_CONNLOST_WRITES:
                _log.warning("SSL connection is closed")
        elif data:
            self._queue(data, 0)

    def _queue(self, data: Bytes, start: int) -> None:
        if self._write_buffer is None:
            self._write_buffer = WriteBuffer()
            self._start_writer(self._write_ready)
        self._write_buffer.add(data, start)
        self._maybe_pause_protocol()

    def _write_ready(self) -> None:
        if self._state >= SHUTDOWN:
            return
        if self._read_wants_write:
            self._read_wants_write = False
            self._call_soon(self._read_ready)
        if self._begins and not self._goes_on():
            return
        if self._write_buffer is not None and not self._flush(self._write_buffer):
            return
        self._stop_writer()
        self._maybe_resume_protocol()  # the protocol may write again
        if self._write_buffer is None:
            if self._state == FLUSHING:
                self._shut_down()
            elif self._eof_written and self._state == OPEN:
                self._send_close_notify()

    def _flush(self, buffer: WriteBuffer) -> bool:
        """Sends from the write buffer.  Returns whether it is empty now."""
        try:
            sent, want = buffer.flush(self._connection.send)
        except BaseException as error:
            self._fail_writing(error, "writing")
            return False
        self._has_flushed |= sent > 0
        if not buffer:
            self._write_buffer = None
            return True
        if want is not None and want is not Want.WRITE:
            self._wait_to_write(want)
        elif not self._watches_writer:
            self._start_writer(self._write_ready)
        if buffer.size <= self._low_water:
            self._maybe_resume_protocol()
        return False

    def get_write_buffer_size(self) -> int:
        """The number of bytes that were written and are not yet encrypted and sent."""
        return 0 if self._write_buffer is None else self._write_buffer.size

    def can_write_eof(self) -> bool:
        """True: TLS can close one direction and keep the other open."""
        return True

    def write_eof(self) -> None:
        """Sends close_notify after the bytes that were written.  Reading goes on.  SSL_shutdown(3)"""
        if self._state == OPEN and not self._eof_written:
            self._eof_written = True
            if self._write_buffer is None:
                self._send_close_notify()

    def _send_close_notify(self) -> None:
        try:
            if self._connection.shutdown() is Want.WRITE:
                self._start_writer(self._write_ready)
        except NotDueError:  # another handshake is not finished
            self._wait_to_write(Want.READ)
        except BaseException as error:
            self._fail_writing(error, "the shutdown")

    # Steps after the handshake

    def update_keys(self, *, request_peer: bool = False) -> None:
        """Changes the key with which this side encrypts; with ``request_peer`` the peer changes its key too.

        TLS 1.3 only.  It never waits, like ``write``.  Raises ``UsageError`` if the transport is closing, and the
        errors of ``Connection.update_keys``.  SSL_key_update(3)
        """
        self._begin_step(partial(self._connection._post_handshake, key_update(request_peer)))

    def renegotiate(self) -> None:
        """Begins another handshake, if ``Context.allow_renegotiation`` allows one.  TLS 1.2 and older only.

        It never waits: the handshake goes on while the transport reads and writes.  Data that is written meanwhile is
        sent after it.  Raises ``UsageError`` if the transport is closing, and the errors of
        ``Connection.renegotiate``.  SSL_renegotiate(3)
        """
        self._begin_step(self._connection.renegotiate)

    def request_certificate(self) -> None:
        """On a server with ``verify="later"``, asks the client for its certificate.  TLS 1.3 only.

        The certificate comes with later reads: ``get_extra_info("peercert")`` is None until then.  Raises
        ``UsageError`` if the transport is closing, and the errors of ``Connection.request_certificate``.
        SSL_verify_client_post_handshake(3)
        """
        self._begin_step(self._connection.request_certificate)

    def _begin_step(self, step: Callable[[], Want | None]) -> None:
        if self._state != OPEN or self._eof_written:
            raise UsageError("the transport is closing, or its handshake is not finished")
        try:
            want = step()
        except Exception as error:
            if self._connection.failure is None:
                raise  # OpenSSL has refused it, and the connection goes on
            self._fail_writing(error, "a step after the handshake")
            return
        if want is Want.WRITE:
            self._begins = True
            self._start_writer(self._write_ready)
        elif want is Want.READ:
            self._call_soon(self._read_ready)

    def _goes_on(self) -> bool:
        """Goes on with a step that had to wait for the transport.  Returns whether it waits no more."""
        try:
            self._begins = self._connection.handshake() is Want.WRITE
        except BaseException as error:  # of any kind: the connection ends, and ``_fail`` sorts them
            self._begins = False
            self._fail_writing(error, "a step after the handshake")
            return False
        return not self._begins

    # Information

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Information about the connection, ``default`` if there is none with this name.

        After the end, only the first two are left.

        - ``"socket"``: the socket, an ``asyncio.trsock.TransportSocket``; as in asyncio, one whose ``fileno()`` is -1
          after the end
        - ``"sockname"``, ``"peername"``: the socket's own address and the peer's, also after the end
        - ``"sslcontext"``: the ``pyossl.Context``
        - ``"ssl_object"``, ``"connection"``: the ``pyossl.Connection``
        - ``"peercert"``: the peer's ``pyossl.Certificate``, None if it sent none
        - ``"cipher"``: a tuple of the cipher's name, the protocol version and the number of secret bits
        - ``"compression"``: None
        - the name of each property of ``pyossl.Connection`` that its handshake determines, for example ``"version"``,
          ``"alpn"``, ``"server_hostname"`` and ``"verified_chain"``; ``"cipher"`` is asyncio's, above
        """
        if name in self._extra:
            return self._extra[name]
        question = EXTRA_INFO.get(name)
        if question is None or self._connection.closed or self._is_of_another_process():
            return default
        return question(self._connection)

    def __repr__(self) -> str:
        return f"<{self._description()}, {self._connection!r}>"
