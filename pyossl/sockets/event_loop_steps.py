"""A connection over a non-blocking descriptor for an event loop, which waits for the descriptor itself.

Each call is one step that never waits.  It returns its result, or the ``Want`` for which the loop must watch the
descriptor.  The next bytes, the peer's close_notify or a failure may have been taken off the descriptor already, by
OpenSSL or by the BIO below.  The loop cannot see them there.  Then ``has_more`` is set, and the loop must read again
before it waits (pyossl/_c/sockets/event_loop_read.c).
"""

from __future__ import annotations

from typing import Any

from pyossl.core import ffi, lib
from pyossl.core.buffers import LARGEST, Buffer, Bytes, readable, writable
from pyossl.core.outcome import Want
from pyossl.sockets.descriptor_connection import DescriptorConnection
from pyossl.tls.connection import Connection

SLICE = 1 << 20
"""The most bytes that one step writes, so that a peer that reads fast does not block the loop's other connections."""
MORE: int = lib.PYOSSL_MORE
"""``read_step`` adds this to the number of bytes if the next read needs no wait."""
read_step, write_step = lib.pyossl_read_step, lib.pyossl_write
"""The functions in C, for code that cannot afford a call in Python.  They take a connection's ``pointer``, a buffer and
a size.  The connection's ``received`` and ``sent`` interpret a result that is not a number of bytes."""


class Destination:
    """A ``bytes`` object of a known length, into which a read decrypts directly.

    No other code sees the object before it is full.
    """

    __slots__ = ("_start", "data", "filled", "size")

    def __init__(self, size: int, begun: Bytes) -> None:
        self.data = bytes(size)
        self.size = size
        self._start = ffi.from_buffer(self.data)
        self.filled = 0
        self.take(begun)

    def next_address(self) -> Any:
        """The address of the first byte that is not filled."""
        return self._start + self.filled

    def rest(self) -> Any:
        """A buffer of the bytes that are not filled, to be written to."""
        return ffi.buffer(self.next_address(), self.size - self.filled)

    def take(self, data: Bytes) -> int:
        """Appends bytes that were read elsewhere; returns their number."""
        ffi.memmove(self.next_address(), data, len(data))
        self.filled += len(data)
        return len(data)

    def filled_bytes(self) -> bytes:
        """The bytes that have been filled, if the rest will not come."""
        return self.data[: self.filled]


class EventLoopConnection(DescriptorConnection):
    """A ``Connection`` over a descriptor, with reads and writes that never wait.  SSL_set_fd(3)"""

    has_more = False
    """Whether the next read needs no wait.  The code that reads sets it to False."""

    @property
    def pointer(self) -> Any:
        """The ``pyossl_connection *``, for ``read_step`` and ``write_step``."""
        return self._c

    def receive(self, room: Buffer) -> bytes | Want:
        """Reads through ``room``, of ``room_to_read()``; ``b""`` after the peer has closed.  SSL_read_ex(3)"""
        return self.received(read_step(self._c, room[0], LARGEST), room)

    def received(self, result: int, room: Buffer) -> bytes | Want:
        """The result of a ``read_step`` into ``room``, in the form that ``receive`` returns or raises."""
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
        return self._unfinished(result, "reading")

    def read_some_into(self, buffer: Any) -> int | Want:
        """Reads into a writable buffer; returns the number of bytes, 0 after the peer has closed.  SSL_read_ex(3)"""
        with writable(buffer) as target:
            return self._read_step(target, len(target))

    def fill(self, destination: Destination) -> int | Want:
        """Reads into the rest of ``destination``; returns the number of bytes, 0 after the peer has closed."""
        result = self._read_step(destination.next_address(), destination.size - destination.filled)
        if isinstance(result, int):
            destination.filled += result
        return result

    def _read_step(self, place: Any, size: int) -> int | Want:
        return self._counted(read_step(self._c, place, size))

    def send(self, data: Bytes, start: int = 0) -> int | Want:
        """Sends at most ``SLICE`` bytes of ``data`` from ``start`` on; returns how many were taken.

        As for ``Connection.write``, the next call must begin with the first byte that was not taken.  SSL_write_ex(3)
        """
        if start == 0 and data.__class__ is bytes:
            return self.sent(write_step(self._c, data, min(len(data), SLICE)))
        with readable(data) as source:
            return self.sent(write_step(self._c, source + start, min(len(source) - start, SLICE)))

    def sent(self, result: int) -> int | Want:
        """The result of a ``write_step``, in the form that ``send`` returns or raises."""
        return result if result >= 0 else self._unfinished(result, "writing")


def cipher_facts(connection: Connection) -> tuple[str, str, int] | None:
    """The cipher's name, the protocol's name and the cipher's secret bits; None before they are negotiated.

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
