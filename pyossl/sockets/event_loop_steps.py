"""A connection over a non-blocking descriptor for an event loop, which waits for the descriptor itself.

Each call is one step that never waits.  It returns its result, or the ``Want`` for which the loop must watch the
descriptor.  The next bytes, the peer's close_notify or a failure may have been taken off the descriptor already, by
OpenSSL or by the BIO below.  The loop cannot see them there.  Then ``has_more`` is set, and the loop must read again
before it waits (pyossl/_c/sockets/event_loop_read.c).
"""

from __future__ import annotations

from typing import Any

from pyossl.core import ffi, lib
from pyossl.core.buffers import Bytes
from pyossl.core.methods_in_c import EventLoopMethods
from pyossl.core.outcome import Want
from pyossl.sockets.descriptor_connection import DescriptorConnection
from pyossl.tls.connection.connection import Connection

SLICE: int = lib.PYOSSL_SLICE
"""The most bytes that one step writes, so that a peer that reads fast does not block the loop's other connections."""


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


class EventLoopConnection(EventLoopMethods, DescriptorConnection):
    """A ``Connection`` over a descriptor, with reads and writes that never wait.  SSL_set_fd(3)"""

    _awaits = True
    has_more = False
    """Whether the next read needs no wait.  The code that reads sets it to False."""

    # receive, read_some_into and send are in C (pyossl/_c/fast/event_loop_methods.c)

    def fill(self, destination: Destination) -> int | Want:
        """Reads into the rest of ``destination``; returns the number of bytes, 0 after the peer has closed."""
        result = self.read_some_into(destination.rest())
        if isinstance(result, int):
            destination.filled += result
        return result

    def _unfinished(self, result: int, operation: str) -> Want:
        if result == lib.PYOSSL_PAUSED:
            self.has_more = True
            return Want.READ
        return super()._unfinished(result, operation)


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
