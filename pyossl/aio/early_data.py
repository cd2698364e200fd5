"""A server's transport that delivers early data: ``EarlyDataProtocol``, ``EarlyDataTransport``.

Theory of operation
-------------------
The protocol gets its transport (``connection_made``) as soon as the client's early data is accepted, before the
handshake is finished.  What it writes answers the client at once.  There are three phases:

``READING``    Early data is read and delivered by ``early_data_received``, and nothing else.
``FINISHING``  All early data has been delivered (``early_data_ended``).  The rest of the handshake is awaited.
``OVER``       The transport is as any other.  It begins here if there is no early data, or if it is refused: then the
               protocol gets its transport after the handshake, and ``early_data_ended`` has been called before.

The time limit of the handshake goes on until the handshake is finished.  ``close`` and ``write_eof`` wait for that too,
because a close_notify cannot be sent earlier: early data that comes after ``close`` is dropped.  No flow control is
needed: the context limits the number of bytes.  So ``pause_reading`` does not stop the handshake, whose time limit goes
on, but only what comes after it.

``EarlyDataTransport`` is for both kinds of transports, over a socket and over another transport.  Over a program's
transport, the protocol has no transport until ``start_tls`` returns, in the next turn of the loop.  So early data is
delivered after that.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from pyossl.aio.transport import Transport
from pyossl.aio.transport_states import CLOSED, FLUSHING, HANDSHAKE, OPEN, RECEIVING
from pyossl.core.copying import Uncopied
from pyossl.core.outcome import Want

READING, FINISHING, OVER = range(3)
_PIECE = 16384


class EarlyDataProtocol(Uncopied, asyncio.Protocol):
    """A protocol of a server that takes early data.  ``create_server`` and ``start_tls`` look for this base class.

    The context's ``max_early_data`` must allow early data too.  If early data is accepted, ``connection_made`` is
    called, or ``start_tls`` returns, before the handshake is finished.  What ``early_data_received`` gets may be a
    replay.  SSL_read_early_data(3)
    """

    def early_data_received(self, data: bytes) -> None:
        """Called with ``data``, early data.  What is written meanwhile answers the client at once."""

    def early_data_ended(self) -> None:
        """Called once: all early data has been delivered, or there is none.  ``data_received`` gets what follows."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}, a protocol with early data>"


EARLY_SLOTS = ("_early", "_early_protocol", "_early_timer", "_first_early")
"""The slots of ``EarlyDataTransport``: a class with slots of its own cannot have two bases that have some."""


class EarlyDataTransport(Transport):
    """The part of a server's transport whose protocol takes early data.  Its subclasses have ``EARLY_SLOTS``."""

    if not TYPE_CHECKING:  # mypy knows no slots of subclasses
        __slots__ = ()

    _early: int
    _early_timer: asyncio.TimerHandle | None
    _first_early: bytes | Want | None
    """What came when the early data was accepted, until it is delivered to a protocol of ``start_tls``."""
    _early_protocol: Any
    """The protocol that early data is delivered to: the last one that takes it.  ``loop.sendfile`` sets another one."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._early = READING
        self._early_timer = self._first_early = None
        super().__init__(*arguments, **options)

    def _shake_hands(self) -> None:
        if self._state != HANDSHAKE:
            return
        if self._early == OVER:
            super()._shake_hands()
            return
        try:
            got = self._connection.read_early_data(_PIECE)
            is_accepted = self._connection.early_data_accepted
        except BaseException as error:  # of any kind: the connection ends, and ``_fail`` sorts them
            self._fail(error, "the TLS handshake")
            return
        if is_accepted:
            self._open_early(got)
        elif isinstance(got, Want):
            self._wait_for(got, self._shake_hands, "the handshake")
        else:
            self._early = OVER
            self._tell_end()
            super()._shake_hands()

    def _open_early(self, got: bytes | Want) -> None:
        """Gives the protocol its transport before the handshake is finished, and the first early data."""
        timer, self._timer = self._timer, None
        is_over_programs = self._is_announced  # start_tls: the program gets the transport in the loop's next turn
        self._handshake_finished()
        if self._state == CLOSED and timer is not None:
            timer.cancel()
        else:
            self._early_timer = timer
            self._start_reader(self._read_ready)
            if is_over_programs:
                self._first_early = got
                self._call_soon(self._read_ready)
            else:
                self._take_early(got)

    def _read_ready(self) -> None:
        if self._early == OVER:
            super()._read_ready()
            return
        if not OPEN <= self._state <= FLUSHING:
            return
        got: bytes | Want | None
        if self._first_early is not None:
            got, self._first_early = self._first_early, None
            self._take_early(got)
            return
        try:
            is_reading = self._early == READING
            got = self._connection.read_early_data(_PIECE) if is_reading else self._connection.handshake()
        except BaseException as error:  # of any kind: the connection ends, and ``_fail`` sorts them
            self._fail(error, "the TLS handshake")
            return
        if got is None:
            self._end_early()
        else:
            self._take_early(got)

    def _take_early(self, got: bytes | Want) -> None:
        """Takes the result of a step of the early phases."""
        if isinstance(got, Want):
            self._wait_to_read(got)
            return
        if got == b"":
            self._early = FINISHING
            self._tell_end()
        elif self._state in (OPEN, RECEIVING):  # after ``close`` it is dropped
            try:
                self._early_protocol.early_data_received(got)
            except BaseException as error:  # the program's, of any kind
                self._protocol_failed(error, "early_data_received")
        self._call_soon(self._read_ready)

    def _tell_end(self) -> None:
        if self._state == FLUSHING:
            return
        try:
            self._early_protocol.early_data_ended()
        except BaseException as error:  # the program's, of any kind
            self._protocol_failed(error, "early_data_ended")

    def _end_early(self) -> None:
        """The handshake is finished: does what waited for that."""
        self._early = OVER
        self._cancel_early_timer()
        if self._state == FLUSHING:
            self._write_ready()
            return
        if self._eof_written and self._write_buffer is None and self._state == OPEN:
            self._send_close_notify()
        if self._paused:
            self._stop_reader()
        else:
            self._call_soon(self._read_ready)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Delivers to ``protocol`` from now on; early data only if it is an ``EarlyDataProtocol``.

        Raises ``TypeError`` if it is not an asyncio protocol.
        """
        super().set_protocol(protocol)
        if isinstance(protocol, EarlyDataProtocol):
            self._early_protocol = protocol

    def pause_reading(self) -> None:
        """Stops delivering data until ``resume_reading`` is called.  Early data is delivered all the same."""
        if self._early == OVER:
            super().pause_reading()
        elif self.is_reading():
            self._paused = True

    def _read_to_flush(self) -> None:
        if self._early == OVER:
            super()._read_to_flush()
        else:
            self._read_ready()

    # The end

    def _shut_down(self) -> None:
        if self._early == OVER or self._state == CLOSED:
            super()._shut_down()
        else:  # close() was called
            self._start_reader(self._read_ready)
            self._call_soon(self._read_ready)

    def _send_close_notify(self) -> None:
        if self._early == OVER:
            super()._send_close_notify()

    def _cancel_early_timer(self) -> None:
        if self._early_timer is not None:
            self._early_timer.cancel()
            self._early_timer = None

    def _lose(self, error: BaseException | None) -> None:
        self._cancel_early_timer()
        super()._lose(error)

    def _free(self) -> None:
        self._early_protocol = self._first_early = None
        super()._free()
