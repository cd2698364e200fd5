"""Flow control: asyncio's own implementation, with the types that typeshed leaves out.

``transport.py`` and ``closing.py`` call ``_maybe_pause_protocol`` and ``_maybe_resume_protocol`` when the size of the
write buffer changes.  In the other direction, ``stream_reader.py`` pauses a transport whose bytes are not read.
"""

from __future__ import annotations

import asyncio
from asyncio import transports
from typing import TYPE_CHECKING, Any

from pyossl.core.copying import Uncopied

HIGH_WATER = 512 * 1024
"""A transport pauses its protocol when more bytes than this are unsent, unless a program sets other limits."""


class FlowControl(Uncopied, transports._FlowControlMixin, asyncio.Transport):
    """Calls the protocol's ``pause_writing`` and ``resume_writing`` as the write buffer grows and shrinks."""

    __slots__ = ()

    if TYPE_CHECKING:
        _extra: dict[str, Any]
        _loop: asyncio.AbstractEventLoop
        _low_water: int

        def _set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...
        def _maybe_pause_protocol(self) -> None: ...
        def _maybe_resume_protocol(self) -> None: ...
