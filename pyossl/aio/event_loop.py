"""The differences between event loops, and the read buffer of each loop."""

from __future__ import annotations

import asyncio
import weakref

from pyossl.core.buffers import Buffer, room_to_read

_read_buffers: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Buffer] = weakref.WeakKeyDictionary()


def has_descriptors(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether the loop can watch a descriptor (``add_reader``).  Windows' proactor loop cannot."""
    return type(loop).add_reader is not asyncio.AbstractEventLoop.add_reader


def read_buffer_of(loop: asyncio.AbstractEventLoop) -> Buffer:
    """The buffer that all transports of one loop read into.

    They read one after the other, so one buffer is enough, and an idle transport needs none.
    """
    buffer = _read_buffers.get(loop)
    if buffer is None:
        buffer = _read_buffers[loop] = room_to_read()
    return buffer
