"""Buffers to read into, shared by all connections: most connections are idle, and one of each its own would be memory
for nothing."""

from __future__ import annotations

from typing import Any

from pyossl._lib import ffi

RECORD = 16384
"""A record carries at most so much plaintext."""
ENCRYPTED = RECORD + 1024
"""No record is longer, with its header and whatever encryption adds.  SSL3_RT_MAX_PACKET_SIZE"""
LARGEST = 262144
"""As much as one call reads, however much is asked for."""

_KEPT = 8
small: list[Any] = []
"""Buffers of ``ENCRYPTED`` bytes that nobody uses."""
_large: list[Any] = []


def borrow(size: int) -> Any:
    """A ``char[]`` of at least ``min(size, LARGEST)`` bytes; ``ValueError`` for a negative size."""
    if size < 0:
        raise ValueError(f"size cannot be negative: {size}")
    try:
        return (small if size <= ENCRYPTED else _large).pop()
    except IndexError:
        return ffi.new("char[]", ENCRYPTED if size <= ENCRYPTED else LARGEST)


def give_back(buffer: Any) -> None:
    """Takes a buffer back, for the next one who borrows."""
    pool = small if len(buffer) == ENCRYPTED else _large
    if len(pool) < _KEPT:
        pool.append(buffer)
