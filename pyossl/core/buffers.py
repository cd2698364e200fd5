"""Buffers to read into, shared by all connections: most connections are idle, and one of each its own would be memory
for nothing."""

from __future__ import annotations

from collections import deque
from typing import Any

from pyossl.core.binding import ffi

RECORD = 16384
"""A record carries at most so much plaintext."""
ENCRYPTED = RECORD + 1024
"""No record is longer, with its header and whatever encryption adds.  SSL3_RT_MAX_PACKET_SIZE"""
LARGEST = 262144
"""As much as one call reads, however much is asked for."""

Buffer = tuple[Any, Any]
"""A buffer as C fills it, a ``char[]``, and as Python reads it: slices of that are bytes.  ffi.unpack() is dearer."""

_KEPT = 8
small: deque[Buffer] = deque()  # a list whose only item comes and goes allocates each time
"""Buffers of ``ENCRYPTED`` bytes that nobody uses."""
_large: deque[Buffer] = deque()


def borrow(size: int) -> Buffer:
    """A buffer of at least ``min(size, LARGEST)`` bytes; ``ValueError`` for a negative size."""
    if size < 0:
        raise ValueError(f"size cannot be negative: {size}")
    try:
        return (small if size <= ENCRYPTED else _large).pop()
    except IndexError:
        room = ffi.new("char[]", ENCRYPTED if size <= ENCRYPTED else LARGEST)
        return room, ffi.buffer(room)


def give_back(buffer: Buffer) -> None:
    """Takes a buffer back, for the next one who borrows."""
    pool = small if len(buffer[0]) == ENCRYPTED else _large
    if len(pool) < _KEPT:
        pool.append(buffer)
