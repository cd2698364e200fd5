"""A connection whose bytes another transport carries: a loop without descriptors, or a transport that is given.

The connection has memory BIOs.  After each step what it has to say is handed to the transport below; while that is
full, nothing more is encrypted, so that what waits is counted once, by the transport above.

Bounds
------
*A step is short.*  What the transport below has delivered waits here, and OpenSSL is given a portion of it at a time.
A step goes on to the next portion only as long as they come out as plaintext: records without data, such as KeyUpdates,
cost as much as any, and a peer that sends nothing else must not keep the loop.  While something waits, the transport
below is paused.

*Answers are few.*  A KeyUpdate may ask for one in return, and a renegotiation is refused by an alert: they are made by
reading, and nobody waits for them.  Where the transport below is full, and they come to more than ``_ANSWERS`` bytes
since, the peer asks and does not read: nothing more is read until there is room.  What the program has written does not
count: two peers that both write before they read would wait for each other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from pyossl.core import buffers
from pyossl.core.buffers import Buffer
from pyossl.core.outcome import Want
from pyossl.sockets.event_loop_steps import SLICE, Destination
from pyossl.tls.connection import Bytes, Connection
from pyossl.tls.context import Context
from pyossl.tls.session import Session

_PORTION = 24 * 1024
_ANSWERS = 16 * 1024


class LayeredConnection(Connection):
    """A ``Connection`` with the steps of an ``EventLoopConnection``; ``carry`` takes its bytes to the peer."""

    def __init__(
        self,
        context: Context,
        server_hostname: Any,
        carry: Callable[[bytes], object],
        *,
        session: Session | None = None,
    ) -> None:
        super().__init__(context, server_hostname, session=session)
        self._carry = carry
        self.has_more = False
        self._is_full = self._is_shut = False
        self._answers = 0  # bytes, since the transport below is full
        self._heard: deque[memoryview | BaseException] = deque()
        self._is_drained = True  # OpenSSL has nothing of the peer's that it could go on with
        self._failed_next: BaseException | None = None

    # What comes from the transport below

    def hear(self, data: bytes | BaseException) -> None:
        """Keeps what the peer has sent until a step takes it; ``b""`` is the end, an exception a failure."""
        self._heard.append(data if isinstance(data, BaseException) else memoryview(data))

    @property
    def has_heard(self) -> bool:
        """Whether there is something that no step has taken."""
        return bool(self._heard)

    @property
    def is_full(self) -> bool:
        """Whether the transport below has asked to be given nothing for now."""
        return self._is_full

    @is_full.setter
    def is_full(self, value: bool) -> None:
        self._is_full = value
        self._answers = 0

    @property
    def is_flooded(self) -> bool:
        """Whether the peer asks for answers and does not read them: no step should be taken."""
        return self._is_full and self._answers > _ANSWERS and not self._is_shut

    def _takes_portion(self) -> int:
        """Gives OpenSSL a portion of what waits; how many bytes."""
        if not self._heard:
            return 0
        heard = self._heard.popleft()
        if isinstance(heard, BaseException):
            raise heard
        if len(heard) > _PORTION:
            self._heard.appendleft(heard[_PORTION:])
            heard = heard[:_PORTION]
        self.receive_data(heard)
        self._is_drained = False
        return len(heard)

    # Steps

    def _say(self) -> int:
        """Hands over what OpenSSL has to say; how many bytes."""
        data = self.data_to_send()
        if not data or self._is_shut:
            return 0
        self._carry(data)
        return len(data)

    def handshake(self) -> Want | None:
        try:
            if self._is_drained:
                self._takes_portion()
            want = super().handshake()
            self._is_drained = want is Want.READ
            return want
        finally:  # where it has failed, an alert says so
            self._say()

    def receive(self, room: Buffer) -> bytes | Want:
        got = self.read_some_into(room[1])
        if isinstance(got, Want):
            return got
        data: bytes = room[1][:got]
        return data

    def read_some_into(self, buffer: Any) -> int | Want:
        if self._failed_next is not None:
            error, self._failed_next = self._failed_next, None
            raise error
        self.has_more = False
        try:
            with memoryview(buffer) as view, view.cast("B") as place:
                return self._fills(place)
        finally:
            answers = self._say()
            if self._is_full:
                self._answers += answers

    def _fills(self, place: memoryview) -> int | Want:
        """Reads until ``place`` is full, or nothing waits, or what waits brings little."""
        got = taken = 0
        while True:
            try:
                if self._is_drained:
                    taken += self._takes_portion()
                result = self.read_into(place[got:])
            except BaseException as error:
                if not got:
                    raise
                self._failed_next = error
                self.has_more = True
                return got
            if isinstance(result, Want):
                self._is_drained = result is Want.READ
                if self._is_drained and self._heard and taken - got < _PORTION // 2:
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
        room, view = buffer = buffers.borrow(destination.size - destination.filled)
        try:
            size = min(len(room), destination.size - destination.filled)
            got = self.read_some_into(memoryview(view)[:size])
            return got if isinstance(got, Want) else destination.take(view[:got])
        finally:
            buffers.give_back(buffer)

    def send(self, data: Bytes, start: int = 0) -> int | Want:
        if self._is_full:
            return Want.WRITE
        with memoryview(data) as view, view.cast("B") as octets, octets[start : start + SLICE] as part:
            try:
                return self.write(part)
            finally:
                self._say()

    def shutdown(self) -> bool | Want:
        try:
            if self._is_drained:
                self._takes_portion()
            done = super().shutdown()
            self._is_drained = done is Want.READ
        finally:
            self._say()
        self._is_shut = True  # nothing may follow, and OpenSSL answers a KeyUpdate all the same
        return done
