"""A connection whose bytes another transport carries: on a loop without descriptors, or over a program's transport.

The connection has memory BIOs.  After each step, the bytes that OpenSSL has written are passed to the transport below.
While that transport is full, nothing more is encrypted.  So all bytes that wait are counted once, by the transport
above.

Limits
------
*A step is short.*  Bytes from the transport below wait here, and OpenSSL gets one portion at a time.  A step goes on to
the next portion only while the portions bring plaintext.  Records without data, such as KeyUpdates, cost as much as any
other record, and a peer that sends only those must not occupy the loop.  While bytes wait here, the transport below is
paused.

*Answers are few.*  A KeyUpdate may ask for a KeyUpdate in return, and an alert refuses a renegotiation.  Reading
produces these answers, and no task waits until they are sent.  If the transport below is full and more than 16 KiB of
answers were produced since, the peer is asking and not reading.  Then nothing more is read until there is room.  The
bytes that the program has written do not count: otherwise two peers that both write before they read would wait for
each other.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from pyossl.core.buffers import Bytes, room_to_read
from pyossl.core.outcome import Want
from pyossl.sockets.event_loop_steps import SLICE, Destination
from pyossl.tls.connection.connection import Connection
from pyossl.tls.context.context import Context

_threads = threading.local()
"""``room`` is a buffer that all connections of a thread read into, one after the other: an idle one needs none."""

_PORTION = 24 * 1024
_MOST_ANSWERS = 16 * 1024


class ConnectionOverTransport(Connection):
    """A ``Connection`` with the methods of an ``EventLoopConnection``.  ``send_below`` sends its bytes to the peer."""

    _awaits = True

    def __init__(
        self,
        context: Context,
        server_hostname: Any,
        send_below: Callable[[bytes], object],
        **offered: Any,
    ) -> None:
        super().__init__(context, server_hostname, **offered)
        self._send_below = send_below
        self.has_more = False
        """Whether the next read needs no wait."""
        self._is_full = self._is_shut = False
        self._answers = 0  # bytes, since the transport below is full
        self._arrived: deque[memoryview | BaseException] = deque()
        self._needs_input = True  # OpenSSL holds no bytes of the peer that it could go on with
        self._next_failure: BaseException | None = None

    # The bytes from the transport below

    def add_input(self, data: bytes | BaseException) -> None:
        """Keeps bytes of the peer until a step takes them.  ``b""`` is the end, an exception is a failure."""
        self._arrived.append(data if isinstance(data, BaseException) else memoryview(data))

    @property
    def has_input(self) -> bool:
        """Whether there are bytes, an end or a failure that no step has taken."""
        return bool(self._arrived)

    @property
    def is_full(self) -> bool:
        """Whether the transport below has called ``pause_writing``."""
        return self._is_full

    @is_full.setter
    def is_full(self, value: bool) -> None:
        self._is_full = value
        self._answers = 0

    @property
    def is_flooded(self) -> bool:
        """Whether the peer asks for answers and does not read them: the caller should not read."""
        return self._is_full and self._answers > _MOST_ANSWERS and not self._is_shut

    def _take_portion(self) -> int:
        """Passes a portion of the input to OpenSSL.  Returns the number of bytes."""
        if not self._arrived:
            return 0
        arrived = self._arrived.popleft()
        if isinstance(arrived, BaseException):
            raise arrived
        if len(arrived) > _PORTION:
            self._arrived.appendleft(arrived[_PORTION:])
            arrived = arrived[:_PORTION]
        self.receive_data(arrived)
        self._needs_input = False
        return len(arrived)

    # Steps

    def _send_output(self) -> int:
        """Passes the bytes that OpenSSL has written to the transport below.  Returns the number of bytes."""
        data = self.data_to_send()
        if not data or self._is_shut:
            return 0
        self._send_below(data)
        return len(data)

    def handshake(self) -> Want | None:
        try:
            if self._needs_input:
                self._take_portion()
            want = super().handshake()
            self._needs_input = want is Want.READ
            return want
        finally:  # after a failure this sends the alert
            self._send_output()

    def read_early_data(self, size: int = 16384) -> bytes | Want:
        try:
            if self._needs_input:
                self._take_portion()
            got = super().read_early_data(size)
            self._needs_input = got is Want.READ
            return got
        finally:
            self._send_output()

    def _post_handshake(self, what: int) -> Want | None:
        try:
            want = super()._post_handshake(what)
            self._needs_input = self._needs_input or want is Want.READ
            return want
        finally:
            self._send_output()

    def receive(self) -> bytes | Want:
        # Not in the thread's place while it is used: a callback may read another connection.
        room, _threads.room = getattr(_threads, "room", None) or room_to_read()[1], None
        try:
            got = self.read_some_into(room)
            if isinstance(got, Want):
                return got
            data: bytes = room[:got]
            return data
        finally:
            _threads.room = room

    def read_some_into(self, buffer: Any) -> int | Want:
        if self._next_failure is not None:
            error, self._next_failure = self._next_failure, None
            raise error
        self.has_more = False
        try:
            with memoryview(buffer) as view, view.cast("B") as place:
                return self._read_portions_into(place)
        finally:
            answers = self._send_output()
            if self._is_full:
                self._answers += answers

    def _read_portions_into(self, place: memoryview) -> int | Want:
        """Reads until ``place`` is full, there is no input, or the input brings little plaintext."""
        got = taken = 0
        while True:
            try:
                if self._needs_input:
                    taken += self._take_portion()
                result = self.read_into(place[got:])
            except BaseException as error:
                if not got:
                    raise
                self._next_failure = error
                self.has_more = True
                return got
            if isinstance(result, Want):
                self._needs_input = result is Want.READ
                if self._needs_input and self._arrived and taken - got < _PORTION // 2:
                    continue
                return got or result
            if not result:
                self.has_more = got != 0
                return got
            got += result
            if got == len(place):
                self.has_more = True
                return got

    def fill(self, destination: Destination) -> int | Want:
        got = self.read_some_into(destination.rest())
        if isinstance(got, int):
            destination.filled += got
        return got

    def send(self, data: Bytes, start: int = 0) -> int | Want:
        if self._is_full:
            return Want.WRITE
        with memoryview(data) as view, view.cast("B") as octets, octets[start : start + SLICE] as part:
            try:
                return self.write(part)
            finally:
                self._send_output()

    def shutdown(self) -> bool | Want:
        try:
            if self._needs_input:
                self._take_portion()
            done = super().shutdown()
            self._needs_input = done is Want.READ
        finally:
            self._send_output()
        self._is_shut = True  # OpenSSL still answers KeyUpdates, but nothing may follow close_notify
        return done
