"""Buffers to read into, shared by all connections: most connections are idle, and need no buffer of their own."""

from __future__ import annotations

from collections import deque
from typing import Any

from pyossl.core import ffi

RECORD = 16384
"""The most bytes of plaintext in a record."""
ENCRYPTED = RECORD + 1024
"""The most bytes of an encrypted record, with its header, or more: SSL3_RT_MAX_PACKET_SIZE."""
LARGEST = 262144
"""The most bytes that one call reads."""

Buffer = tuple[Any, Any]
"""A ``char[]`` that C fills, and an ``ffi.buffer`` over it, whose slices are bytes; ffi.unpack() is slower."""

_KEPT = 8
small: deque[Buffer] = deque()  # a list whose only item comes and goes allocates each time
"""Free buffers of ``ENCRYPTED`` bytes."""
_large: deque[Buffer] = deque()


def borrow(size: int) -> Buffer:
    """Returns a buffer of at least ``min(size, LARGEST)`` bytes; raises ``ValueError`` for a negative size."""
    if size < 0:
        raise ValueError(f"size cannot be negative: {size}")
    try:
        return (small if size <= ENCRYPTED else _large).pop()
    except IndexError:
        room = ffi.new("char[]", ENCRYPTED if size <= ENCRYPTED else LARGEST)
        return room, ffi.buffer(room)


def give_back(buffer: Buffer) -> None:
    """Takes a buffer back, for a later ``borrow``."""
    pool = small if len(buffer[0]) == ENCRYPTED else _large
    if len(pool) < _KEPT:
        pool.append(buffer)
