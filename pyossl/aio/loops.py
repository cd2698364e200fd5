"""What a transport has to know of its loop, and of the process that the loop runs in."""

from __future__ import annotations

import asyncio
import os
import weakref

from pyossl.core.buffers import Buffer
from pyossl.sockets.event_loop_steps import room_to_read

_rooms: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Buffer] = weakref.WeakKeyDictionary()
_forks = 0


def has_descriptors(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether the loop can watch a descriptor: Windows' proactor cannot."""
    return type(loop).add_reader is not asyncio.AbstractEventLoop.add_reader


def room_of(loop: asyncio.AbstractEventLoop) -> Buffer:
    """One loop's room to read: its transports read in turn, and an idle one should cost nothing."""
    room = _rooms.get(loop)
    if room is None:
        room = _rooms[loop] = room_to_read()
    return room


def forks() -> int:
    """How many forks there are between this process and the one that imported this module."""
    return _forks


def _forked() -> None:
    global _forks
    _forks += 1


os.register_at_fork(after_in_child=_forked)
