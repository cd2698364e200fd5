"""TLS over another transport: on a loop without descriptors, or where the transport was there first (``start_tls``)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from typing import Any

from pyossl.aio.layered import LayeredConnection
from pyossl.aio.transport import FLUSHING, OPEN, Transport
from pyossl.tls.context import Context
from pyossl.tls.session import Session

_GRACE = 1.0
"""How many seconds an aborted transport has to say that it is lost: it takes a turn of the loop."""


class BelowTLS(asyncio.Protocol):
    """The protocol of the transport below: it makes the TLS transport when it is connected.

    ``above`` is the protocol above.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        context: Context,
        above: asyncio.BaseProtocol,
        server_hostname: Any = None,
        session: Session | None = None,
        **options: Any,
    ) -> None:
        self._loop = loop
        self._above = above
        self._options = options
        self._below: asyncio.Transport | None = None
        self.connection = LayeredConnection(context, server_hostname, self._carry, session=session)
        self.transport: LayeredTransport | None = None
        self.keeps: Any = None
        """What would close the transport below in its finaliser, such as a plain stream's writer."""
        self.before: asyncio.BaseProtocol | None = None
        """A stream's protocol that had the transport before, and whose tasks wait for its end."""

    def _carry(self, data: bytes) -> None:
        if self._below is not None:
            self._below.write(data)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._carried_by(transport)._shake_hands()

    def refuse(self, transport: asyncio.BaseTransport, error: BaseException) -> None:
        """In place of ``connection_made``: the handshake fails before it begins, and the transport is closed."""
        self._carried_by(transport)._failed(error, "the TLS handshake")

    def _carried_by(self, transport: Any) -> LayeredTransport:
        self._below = transport
        self.transport = LayeredTransport(self._loop, transport, self.connection, self._above, **self._options)
        return self.transport

    def connection_lost(self, exc: BaseException | None) -> None:
        if self.transport is not None and exc is not None and not self.connection.closed:
            for data in _left_on(self._below):
                self.connection.hear(data)
        transport, before = self.transport, self.before
        self.transport = self._below = self.keeps = self.before = None
        if transport is not None:
            transport._below_lost(exc)
        if before is not None:
            reason = exc or (transport and transport.ended_by)
            before.connection_lost(reason)  # type: ignore[arg-type]  # as asyncio has it, whatever the exception

    def writing_failed(self, exc: BaseException) -> None:
        """The TLS below can be read on."""
        if self.transport is not None:
            self.transport._below_takes_nothing(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport is not None and not self.connection.closed:
            self.connection.hear(data)
            self.transport._below_has_read()

    def eof_received(self) -> bool:
        if self.transport is not None:
            self.transport._below_ended()
        return True  # the TLS transport closes it

    def pause_writing(self) -> None:
        self.connection.is_full = True

    def resume_writing(self) -> None:
        self.connection.is_full = False
        if self.transport is not None:
            self.transport._below_has_room()
            self.transport._hear_on()


_LEFT = 1 << 20


def _left_on(below: Any) -> Iterator[bytes]:
    """What has arrived on the socket of an asyncio transport that is lost, and closes it next.

    It stops reading at once where a write fails: what the peer had sent may not have been read.
    """
    if type(below).__module__ != "asyncio.selector_events":
        return  # nobody knows what is between another one and its socket
    sock, left = below.get_extra_info("socket"), _LEFT
    while left > 0:
        try:
            data = os.read(sock.fileno(), left)
        except OSError:
            return
        if not data:
            return
        left -= len(data)
        yield data


class LayeredTransport(Transport):
    """TLS over a transport, which is closed with it.

    What the connection has heard and no step has taken is to it what a readable descriptor is to a loop: the reader's
    step is taken once in a turn.
    """

    __slots__ = (
        "_below",
        "_below_is_lost",
        "_ending",
        "_has_ended",
        "_reader_step",
        "_will_step",
        "_will_write",
        "_writer_step",
    )

    _connection: LayeredConnection

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        below: Any,
        connection: LayeredConnection,
        protocol: asyncio.BaseProtocol,
        **options: Any,
    ) -> None:
        self._below = below
        self._below_is_lost = self._has_ended = False
        self._ending: tuple[BaseException | None, bool] | None = None
        self._will_step = self._will_write = False
        self._reader_step: Callable[[], object] | None = None
        self._writer_step: Callable[[], object] | None = None
        extra = {name: below.get_extra_info(name) for name in ("socket", "peername", "sockname")}
        super().__init__(loop, connection, protocol, extra, **options)

    def _watch_reader(self, callback: Callable[[], object]) -> None:
        self._reader_step = callback
        self._hear_on()

    def _unwatch_reader(self) -> None:
        self._reader_step = None
        self._hear_on()

    def _watch_writer(self, callback: Callable[[], object]) -> None:
        self._writer_step = callback
        self._write_soon()

    def _unwatch_writer(self) -> None:
        self._writer_step = None

    def _below_has_read(self) -> None:
        if self._reader_step is not None and not self._connection.is_flooded:
            self._reader_step()
        self._hear_on()

    def _hear_on(self) -> None:
        """Sees to it that what has been heard is taken in the next turn, and that nothing comes before it is."""
        goes_on = self._reader_step is not None and not self._connection.is_flooded
        if goes_on and self._connection.has_heard and not self._will_step:
            self._will_step = True
            self._loop.call_soon(self._step_on)
        if self._below_is_lost:
            return
        if goes_on and not self._connection.has_heard:
            self._below.resume_reading()
        else:
            self._below.pause_reading()

    def _step_on(self) -> None:
        self._will_step = False
        if self._connection.has_heard:
            self._below_has_read()
        else:  # another step has taken it
            self._hear_on()

    def _write_soon(self) -> None:
        """As a loop does with a descriptor that is writable: a step each turn, as long as there is room and a step."""
        if self._writer_step is not None and not self._below_is_full() and not self._will_write:
            self._will_write = True
            self._loop.call_soon(self._below_has_room)

    def _below_is_full(self) -> bool:
        return self._connection.is_full

    def _below_has_room(self) -> None:
        self._will_write = False
        if self._writer_step is not None:
            self._writer_step()
            self._write_soon()

    def _below_ended(self) -> None:
        if not self._connection.closed and not self._has_ended:
            self._has_ended = True
            self._connection.hear(b"")
            self._below_has_read()

    def _below_lost(self, error: BaseException | None) -> None:
        if self._below_is_lost:
            return
        self._below_is_lost = True
        self._connection.is_full = False
        if self._ending is not None:
            self._loop.call_soon(self._connection_lost, *self._ending)
        elif error is not None and self._delivers() and not self._eof_received and self._connection.has_heard:
            self._connection.hear(error)  # behind what came before it
            self._below_takes_nothing(error)
            self._hear_on()
        elif error is not None:
            self._failed(error, "the transport below")
        else:
            self._below_ended()
            if self._state >= FLUSHING:
                self._lose(None)

    def _below_takes_nothing(self, error: BaseException) -> None:
        if self._state == OPEN and not self._eof_received:
            self._receive_rest(error)

    def _end(self, error: BaseException | None, made: bool) -> None:
        """The connection is lost when the transport below is."""
        if self._below_is_lost:
            super()._end(error, made)
            return
        self._ending = error, made
        self._below.close()  # an alert may be on its way
        self._timer = self._loop.call_later(self._shutdown_timeout, self._give_below_up)

    @property
    def ended_by(self) -> BaseException | None:
        """What the transport below was closed for, where that was a failure."""
        return None if self._ending is None else self._ending[0]

    def _give_below_up(self) -> None:
        """A transport that never says that it is lost must not keep its users waiting."""
        self._below.abort()
        self._timer = self._loop.call_later(_GRACE, self._below_lost, None)

    def abort(self) -> None:
        self._below.abort()
        super().abort()

    def _drop(self) -> None:
        """The transport below has a finaliser of its own."""

    def _release(self) -> None:
        self._cancel_timer()
        if not self._below_is_lost and not self._loop.is_closed() and not self._is_of_another_process():
            self._below.abort()
