"""A connection whose bytes another transport carries: a loop without descriptors, or a transport that is given.

The connection has memory BIOs.  After each step what it has to say is handed to the transport below; while that is
full, nothing more is encrypted, so that what waits is counted once, by the transport above.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyossl.connection import Bytes, Connection
from pyossl.context import Context
from pyossl.evented import ROOM, SLICE, Destination
from pyossl.outcome import Want
from pyossl.scratch import Buffer
from pyossl.session import Session


class LayeredConnection(Connection):
    """A ``Connection`` with the steps of an ``EventedConnection``; ``carry`` takes its bytes to the peer."""

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
        self.is_full = False
        """Whether the transport below has asked to be given nothing for now."""
        self._is_shut = False

    def _say(self) -> None:
        if (data := self.data_to_send()) and not self._is_shut:
            self._carry(data)

    def handshake(self) -> Want | None:
        try:
            return super().handshake()
        finally:  # where it has failed, an alert says so
            self._say()

    def receive(self, room: Buffer) -> bytes | Want:
        return self.receive_up_to(ROOM)

    def receive_up_to(self, size: int) -> bytes | Want:
        try:
            data = self.read(min(size, ROOM))
        finally:
            self._say()
        self.has_more = bool(data) and not isinstance(data, Want)  # what came is all here: until it wants more
        return data

    def read_some_into(self, buffer: Any) -> int | Want:
        try:
            got = self.read_into(buffer)
        finally:
            self._say()
        self.has_more = bool(got) and not isinstance(got, Want)
        return got

    def fill(self, destination: Destination) -> int | Want:
        data = self.receive_up_to(destination.size - destination.filled)
        return destination.take(data) if isinstance(data, bytes) else data

    def send(self, data: Bytes, start: int = 0) -> int | Want:
        if self.is_full:
            return Want.WRITE
        with memoryview(data) as view, view.cast("B") as octets, octets[start : start + SLICE] as part:
            try:
                return self.write(part)
            finally:
                self._say()

    def shutdown(self) -> bool | Want:
        try:
            done = super().shutdown()
        finally:
            self._say()
        self._is_shut = True  # nothing may follow, and OpenSSL answers a KeyUpdate all the same
        return done
