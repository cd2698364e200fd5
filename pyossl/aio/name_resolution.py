"""The addresses of a host."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from typing import Any


async def addresses_of(loop: asyncio.AbstractEventLoop, host: Any, port: Any, **hints: Any) -> Sequence[Any]:
    """The results of ``loop.getaddrinfo``.

    An IPv6 address with a scope (``fe80::1%eth0``) needs no look-up, and uvloop would lose the scope.
    """
    if isinstance(host, str) and "%" in host:
        options = {**hints, "flags": hints["flags"] | socket.AI_NUMERICHOST}
        return socket.getaddrinfo(host, port, **options)
    return await loop.getaddrinfo(host, port, **hints)
