"""Buffers that C reads from and writes to."""

from __future__ import annotations

from typing import Any

from pyossl.core import ffi, lib

Bytes = bytes | bytearray | memoryview

LARGEST: int = lib.PYOSSL_LARGEST_READ
"""The most bytes that one call reads."""

Buffer = tuple[Any, Any]
"""A ``char[]`` that C fills, and an ``ffi.buffer`` over it, whose slices are bytes; ffi.unpack() is slower."""


def room_to_read() -> Buffer:
    """A new buffer of ``LARGEST`` bytes."""
    room = ffi.new("char[]", LARGEST)
    return room, ffi.buffer(room)


def readable(data: Bytes) -> Any:
    """A view of ``data`` for C, for a ``with`` statement; ``TypeError`` if ``data`` is not bytes-like."""
    if isinstance(data, str):
        raise TypeError("bytes are needed, not str: encode it first")
    try:
        return ffi.from_buffer(data)
    except BufferError as error:
        raise TypeError(f"bytes that follow one another are needed: {error}") from error
    except ValueError as error:
        raise ValueError("bytes are needed, and this memoryview has been released") from error


def writable(buffer: Any) -> Any:
    """A view of ``buffer`` that C can write to, for a ``with`` statement; ``TypeError`` if it cannot be written."""
    try:
        return ffi.from_buffer("char[]", buffer, True)  # positional: keyword arguments cost a thousand instructions
    except BufferError as error:
        raise TypeError(
            f"a writable buffer in one piece is needed, not this {type(buffer).__name__}: {error}"
        ) from error
    except ValueError as error:
        raise ValueError("a writable buffer is needed, and this memoryview has been released") from error
