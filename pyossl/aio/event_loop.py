"""The differences between event loops."""

from __future__ import annotations

import asyncio


def has_descriptors(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether the loop can watch a descriptor (``add_reader``).  Windows' proactor loop cannot."""
    return type(loop).add_reader is not asyncio.AbstractEventLoop.add_reader
