"""A connection over a non-blocking descriptor that an event loop waits for.

Each call is one step that never waits: what was done, or the ``Want`` that the loop is to watch the descriptor for.
The loop's watch is on the descriptor alone, while the next bytes, the peer's close_notify or a failure may have been
taken off it already, by OpenSSL or by the BIO below: ``has_more`` is set then, and the loop is to read again first
(pyossl/_c/sockets/event_loop_read.c).
"""

from __future__ import annotations

from typing import Any

from pyossl.core import buffers
from pyossl.core.binding import ffi, lib
from pyossl.core.outcome import Want
from pyossl.sockets.descriptor_connection import DescriptorConnection
from pyossl.tls.connection import Bytes, Connection, readable, writable

ROOM = buffers.LARGEST
"""As much as one step reads."""
SLICE = 1 << 20
"""As much as one step writes: a peer that keeps up must not keep the loop from everybody else."""
MORE: int = lib.PYOSSL_MORE
"""What ``read_step`` adds to the number of bytes where the next read needs no wait."""
read_step, write_step = lib.pyossl_read_step, lib.pyossl_write
"""For who has no call of Python's to spare: of a connection's ``pointer``, a place, and a size.  What does not come to
bytes is for ``received`` and ``sent`` of the connection."""


def room_to_read() -> buffers.Buffer:
    """``ROOM`` bytes to receive into, for all the connections of one loop."""
    room = ffi.new("char[]", ROOM)
    return room, ffi.buffer(room)


class Destination:
    """What is to be read, of a length known beforehand, decrypted straight into the ``bytes`` that it becomes.

    Nobody else has seen that object when it is written to, and nobody does before it is full.
    """

    __slots__ = ("_place", "data", "filled", "size")

    def __init__(self, size: int, begun: Bytes) -> None:
        self.data = bytes(size)
        self.size = size
        self._place = ffi.from_buffer(self.data)
        self.filled = 0
        self.take(begun)

    def rest(self) -> Any:
        return self._place + self.filled

    def take(self, data: Bytes) -> int:
        """Takes bytes that were read elsewhere; how many."""
        ffi.memmove(self.rest(), data, len(data))
        self.filled += len(data)
        return len(data)

    def so_far(self) -> bytes:
        """What has been filled, where the rest will not come."""
        return self.data[: self.filled]


class EventLoopConnection(DescriptorConnection):
    """A ``Connection`` over a descriptor, whose reads and writes are a step each.  SSL_set_fd(3)"""

    has_more = False
    """Whether the next read needs no wait; whoever reads sets it back."""

    @property
    def pointer(self) -> Any:
        """The ``pyossl_connection *``, for ``read_step`` and ``write_step``."""
        return self._c

    def receive(self, room: buffers.Buffer) -> bytes | Want:
        """What has come, by way of ``room_to_read()``; ``b""`` once the peer has closed.  SSL_read_ex(3)"""
        return self.received(read_step(self._c, room[0], ROOM), room)

    def received(self, result: int, room: buffers.Buffer) -> bytes | Want:
        """What a ``read_step`` into ``room`` came to, as ``receive`` returns or raises it."""
        count = self._counted(result)
        if count.__class__ is int:
            data: bytes = room[1][:count]
            return data
        return count  # type: ignore[return-value]  # a Want

    def _counted(self, result: int) -> int | Want:
        if result > MORE:
            self.has_more = True
            return result - MORE
        if result >= 0:
            return result
        if result == lib.PYOSSL_PAUSED:
            self.has_more = True
            return Want.READ
        return self._waits(result, "reading")

    def read_some_into(self, buffer: Any) -> int | Want:
        """As ``receive``, into a writable buffer; how many bytes, 0 once the peer has closed.  SSL_read_ex(3)"""
        with writable(buffer) as target:
            return self._read_step(target, len(target))

    def fill(self, destination: Destination) -> int | Want:
        """As ``receive``, into the rest of ``destination``."""
        result = self._read_step(destination.rest(), destination.size - destination.filled)
        if isinstance(result, int):
            destination.filled += result
        return result

    def _read_step(self, place: Any, size: int) -> int | Want:
        return self._counted(read_step(self._c, place, size))

    def send(self, data: Bytes, start: int = 0) -> int | Want:
        """Sends of ``data`` what is from ``start`` on, at most ``SLICE`` bytes; how many were taken.

        As for ``Connection.write``, what was not taken is to be offered next.  SSL_write_ex(3)
        """
        if start == 0 and data.__class__ is bytes:
            return self.sent(write_step(self._c, data, min(len(data), SLICE)))
        with readable(data) as source:
            return self._write(source + start, min(len(source) - start, SLICE))

    def sent(self, result: int) -> int | Want:
        """What a ``write_step`` came to, as ``send`` returns or raises it."""
        return result if result >= 0 else self._waits(result, "writing")


def cipher_facts(connection: Connection) -> tuple[str, str, int] | None:
    """The cipher's name, the protocol's and the cipher's secret bits, None before they are agreed on.

    SSL_CIPHER_get_bits(3)
    """

    def facts(ssl: Any) -> tuple[str, str, int] | None:
        cipher = lib.SSL_get_current_cipher(ssl)
        if cipher == ffi.NULL:
            return None
        bits = lib.SSL_CIPHER_get_bits(cipher, ffi.NULL)
        return str(connection.cipher), str(connection.version), int(bits)

    answer: tuple[str, str, int] | None = connection._ask(facts)
    return answer
