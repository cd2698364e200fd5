"""asyncio's own flow control of a transport, with the types that typeshed leaves out."""

from __future__ import annotations

import asyncio
from asyncio import transports
from typing import TYPE_CHECKING, Any

from pyossl.core.copying import Uncopied


class FlowControl(Uncopied, transports._FlowControlMixin, asyncio.Transport):
    """Pauses and resumes the protocol by how much waits to be sent."""

    __slots__ = ()

    if TYPE_CHECKING:
        _extra: dict[str, Any]
        _loop: asyncio.AbstractEventLoop
        _low_water: int

        def _set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...
        def _maybe_pause_protocol(self) -> None: ...
        def _maybe_resume_protocol(self) -> None: ...
