"""TLS over another transport: on a loop without descriptors, or over a program's transport (``start_tls``)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from typing import Any

from pyossl.aio.closing import EndNotifications
from pyossl.aio.connection_over_transport import ConnectionOverTransport
from pyossl.aio.early_data import EARLY_SLOTS, EarlyDataProtocol, EarlyDataTransport
from pyossl.aio.transport import Transport
from pyossl.aio.transport_states import FLUSHING, OPEN
from pyossl.tls.context.context import Context

_ABORT_TIMEOUT = 1.0
"""How many seconds a transport has after ``abort`` to call ``connection_lost``, which takes one turn of the loop."""
_MOST_UNREAD = 1 << 20


class ProtocolBelowTLS(EndNotifications, asyncio.Protocol):
    """The protocol of the transport below.  It makes the TLS transport when that transport is connected.

    ``above`` is the protocol of the TLS transport, ``offered`` the other arguments of ``Connection``.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        context: Context,
        above: asyncio.BaseProtocol,
        server_hostname: Any = None,
        offered: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        self._loop = loop
        self._above = above
        self._options = options
        self._below: asyncio.Transport | None = None
        self.connection = ConnectionOverTransport(context, server_hostname, self._send_below, **(offered or {}))
        self.transport: TransportOverTransport | None = None
        self.kept_alive: Any = None
        """An object whose finaliser would close the transport below, for example the writer of a plain stream."""
        self.former_protocol: asyncio.BaseProtocol | None = None
        """The stream's protocol that the transport below had before.  Its tasks wait for the transport's end."""

    def _send_below(self, data: bytes) -> None:
        if self._below is not None:
            self._below.write(data)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._made_over(transport)._shake_hands()

    def refuse(self, transport: asyncio.BaseTransport, error: BaseException) -> None:
        """Replaces ``connection_made``: the handshake fails before it begins, and the transport is closed."""
        self._made_over(transport)._fail(error, "the TLS handshake")

    def _made_over(self, transport: Any) -> TransportOverTransport:
        self._below = transport
        takes_early_data = isinstance(self._above, EarlyDataProtocol) and self.connection.context.is_server
        kind = EarlyTransportOverTransport if takes_early_data else TransportOverTransport
        self.transport = kind(self._loop, transport, self.connection, self._above, **self._options)
        return self.transport

    async def finished(self, waiter: asyncio.Future[None]) -> TransportOverTransport:
        """Waits for the handshake, of which ``waiter`` gets the result, and returns the TLS transport."""
        transport = self.transport  # None if it is already lost: then the waiter has the reason or will get it
        try:
            await waiter
        except BaseException:
            if transport is not None:
                transport.abort()
            raise
        assert transport is not None, "its handshake is finished"
        return transport

    def connection_lost(self, exc: BaseException | None) -> None:
        if self.transport is not None and exc is not None and not self.connection.closed:
            for data in _unread_bytes(self._below):
                self.connection.add_input(data)
        transport, former = self.transport, self.former_protocol
        self.transport = self._below = self.kept_alive = self.former_protocol = None
        if transport is not None:
            transport._below_lost(exc)
        if former is not None:
            reason = exc or (transport and transport.ended_by)
            former.connection_lost(reason)  # type: ignore[arg-type]  # asyncio passes any exception, too

    def writing_failed(self, exc: BaseException) -> None:
        if self.transport is not None:
            self.transport._below_cannot_write(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport is not None and not self.connection.closed:
            self.connection.add_input(data)
            self.transport._below_has_read()

    def eof_received(self) -> bool:
        if self.transport is not None:
            self.transport._below_ended()
        return True  # the TLS transport closes the transport below

    def pause_writing(self) -> None:
        self.connection.is_full = True

    def resume_writing(self) -> None:
        self.connection.is_full = False
        if self.transport is not None:
            self.transport._below_has_room()
            self.transport._schedule_reading()


def _unread_bytes(below: Any) -> Iterator[bytes]:
    """The bytes that an asyncio transport has not read from its socket.  It is lost, and closes the socket next.

    asyncio stops reading at once when a write fails.  So bytes of the peer may be unread.
    """
    if type(below).__module__ != "asyncio.selector_events":
        return  # another transport may not pass on the bytes of its socket unchanged
    sock, left = below.get_extra_info("socket"), _MOST_UNREAD
    while left > 0:
        try:
            data = os.read(sock.fileno(), left)
        except OSError:
            return
        if not data:
            return
        left -= len(data)
        yield data


class TransportOverTransport(Transport):
    """TLS over another transport, which is closed together with this one.

    The input of the connection plays the part of a readable descriptor: while there is input, the reader's step is
    called once in each turn of the loop.
    """

    __slots__ = (
        "_below",
        "_below_is_lost",
        "_ending",
        "_has_ended",
        "_read_step_due",
        "_reader_step",
        "_write_step_due",
        "_writer_step",
    )

    _connection: ConnectionOverTransport

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        below: Any,
        connection: ConnectionOverTransport,
        protocol: asyncio.BaseProtocol,
        **options: Any,
    ) -> None:
        self._below = below
        self._below_is_lost = self._has_ended = False
        self._ending: tuple[BaseException | None, bool] | None = None
        self._read_step_due = self._write_step_due = False
        self._reader_step: Callable[[], object] | None = None
        self._writer_step: Callable[[], object] | None = None
        extra = {name: below.get_extra_info(name) for name in ("socket", "peername", "sockname")}
        super().__init__(loop, connection, protocol, extra, **options)

    # Reading

    def _watch_reader(self, callback: Callable[[], object]) -> None:
        self._reader_step = callback
        self._schedule_reading()

    def _unwatch_reader(self) -> None:
        self._reader_step = None
        self._schedule_reading()

    def _below_has_read(self) -> None:
        if self._reader_step is not None and not self._connection.is_flooded:
            self._reader_step()
        self._schedule_reading()

    def _schedule_reading(self) -> None:
        """Schedules a reading step if there is input.  Pauses the transport below unless the input is used up."""
        can_read = self._reader_step is not None and not self._connection.is_flooded
        if can_read and self._connection.has_input and not self._read_step_due:
            self._read_step_due = True
            self._loop.call_soon(self._read_input)
        if self._below_is_lost:
            return
        if can_read and not self._connection.has_input:
            self._below.resume_reading()
        else:
            self._below.pause_reading()

    def _read_input(self) -> None:
        self._read_step_due = False
        if self._connection.has_input:
            self._below_has_read()
        else:  # another step has taken it
            self._schedule_reading()

    # Writing

    def _watch_writer(self, callback: Callable[[], object]) -> None:
        self._writer_step = callback
        self._schedule_writing()

    def _unwatch_writer(self) -> None:
        self._writer_step = None

    def _schedule_writing(self) -> None:
        """Schedules a writing step while there is room below, as a loop does while a descriptor is writable."""
        if self._writer_step is not None and not self._below_is_full() and not self._write_step_due:
            self._write_step_due = True
            self._loop.call_soon(self._below_has_room)

    def _below_is_full(self) -> bool:
        return self._connection.is_full

    def _below_has_room(self) -> None:
        self._write_step_due = False
        if self._writer_step is not None:
            self._writer_step()
            self._schedule_writing()

    # The end

    def _below_ended(self) -> None:
        if not self._connection.closed and not self._has_ended:
            self._has_ended = True
            self._connection.add_input(b"")
            self._below_has_read()

    def _below_lost(self, error: BaseException | None) -> None:
        if self._below_is_lost:
            return
        self._below_is_lost = True
        self._connection.is_full = False
        if self._ending is not None:
            self._loop.call_soon(self._connection_lost, *self._ending)
        elif error is not None and self._delivers() and not self._eof_received and self._connection.has_input:
            self._connection.add_input(error)  # after the bytes that came before it
            self._below_cannot_write(error)
            self._schedule_reading()
        elif error is not None:
            self._fail(error, "the transport below")
        else:
            self._below_ended()
            if self._state >= FLUSHING:
                self._lose(None)

    def _below_cannot_write(self, error: BaseException) -> None:
        if self._state == OPEN and not self._eof_received:
            self._receive_rest(error)

    def _call_connection_lost_soon(self, error: BaseException | None, is_announced: bool) -> None:
        """Closes the transport below.  The connection is lost when that transport is lost."""
        if self._below_is_lost:
            super()._call_connection_lost_soon(error, is_announced)
            return
        self._ending = error, is_announced
        self._below.close()  # not abort: an alert may be in its write buffer
        self._timer = self._loop.call_later(self._shutdown_timeout, self._abort_below)

    @property
    def ended_by(self) -> BaseException | None:
        """The failure for which the transport below was closed, None if there was none."""
        return None if self._ending is None else self._ending[0]

    def _abort_below(self) -> None:
        """Ends the wait for a transport below that does not call ``connection_lost``."""
        self._below.abort()
        self._timer = self._loop.call_later(_ABORT_TIMEOUT, self._below_lost, None)

    def abort(self) -> None:
        self._below.abort()
        super().abort()

    def _drop(self) -> None:
        """Does nothing: the transport below has its own finaliser."""

    def _release(self) -> None:
        self._cancel_timer()
        if not self._below_is_lost and not self._loop.is_closed() and not self._is_of_another_process():
            self._below.abort()


class EarlyTransportOverTransport(EarlyDataTransport, TransportOverTransport):
    """TLS over another transport, on a server whose protocol takes early data."""

    __slots__ = EARLY_SLOTS
