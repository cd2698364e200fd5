"""Waiting for the descriptors of a paused handshake, in an event loop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence


async def until_one_is_readable(loop: asyncio.AbstractEventLoop, fds: Sequence[int]) -> None:
    """Waits until one of ``fds`` is readable.

    It watches copies: a loop has one callback for each descriptor, and several connections may wait for the same one.
    dup(2)
    """
    readable = loop.create_future()
    copies: list[int] = []
    try:
        for fd in fds:
            copies.append(os.dup(fd))
            loop.add_reader(copies[-1], _finish, readable)
        await readable
    finally:
        for copy in copies:
            loop.remove_reader(copy)
            os.close(copy)


def _finish(readable: asyncio.Future[None]) -> None:
    if not readable.done():
        readable.set_result(None)
