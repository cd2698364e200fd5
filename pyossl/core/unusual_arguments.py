"""The arguments of the frequent methods that are not of the plain kind.

The methods in C (pyossl/_c/fast.c) take an ``int`` of a usual size and any object with a buffer.  They pass everything
else on to the methods here, which return it in that form or raise.
"""

from __future__ import annotations

from typing import Any

from pyossl.core import lib
from pyossl.core.arguments import index, number_shown
from pyossl.core.buffers import LARGEST, readable, writable


class UnusualArguments:
    """The methods that the methods in C call."""

    __slots__ = ()

    _readable = staticmethod(readable)
    _writable = staticmethod(writable)

    @staticmethod
    def _size_to_read(size: Any) -> int:
        number = index(size, "the number of bytes to read")
        if number < 0:
            raise ValueError(f"size cannot be negative: {number_shown(number)}")
        return min(number, LARGEST)

    def _size_to_send(self, size: Any) -> int:
        """A number of bytes; -1 for all of them."""
        size = index(size, "the number of bytes to send")
        return -1 if size < 0 else int(min(size, lib.PYOSSL_MORE))

    @staticmethod
    def _size_in_buffer(size: Any, room: int) -> int:
        """At most ``room`` bytes; 0 for all of them."""
        number = index(size, "size")
        if not 0 <= number <= room:
            raise ValueError(f"size is {number_shown(number)}, and the buffer holds {room} bytes")
        return number
