"""The attempts to connect to the addresses of one host, each in a task."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from pyossl.aio.happy_eyeballs import first_connected


class _AllAtOnce(asyncio.SelectorEventLoop):
    """Its attempts to connect end in the same turn: as soon as all have begun."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._count = count
        self._begun = asyncio.Event()
        self.sockets: list[socket.socket] = []

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        self.sockets.append(sock)
        if len(self.sockets) == self._count:
            self._begun.set()
        await self._begun.wait()
        await super().sock_connect(sock, address)


@pytest.mark.parametrize("bad", range(4))
def test_a_socket_that_connects_in_the_turn_of_a_failure_is_closed(bad: int) -> None:
    """A port below 0 is an ``OverflowError``, which ends all attempts."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        good = socket.AF_INET, socket.SOCK_STREAM, 0, "", server.getsockname()
        found = [(*good[:4], ("127.0.0.1", -1)) if n == bad else good for n in range(4)]
        loop = _AllAtOnce(len(found))
        try:
            with pytest.raises(OverflowError):
                loop.run_until_complete(first_connected(found, None, 0, all_errors=False))
            loop.run_until_complete(asyncio.sleep(0))
        finally:
            loop.close()
    assert [sock.fileno() for sock in loop.sockets] == [-1] * len(found)
