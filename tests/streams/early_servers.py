"""Servers of trio and of anyio that take early data, in a thread, for clients of any kind."""

from __future__ import annotations

import concurrent.futures
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, NamedTuple

import anyio
import anyio.abc
import pytest
from anyio.from_thread import start_blocking_portal

import pyossl
import pyossl.anyio
import pyossl.trio

HOST = "127.0.0.1"
Handler = Callable[["Served"], Awaitable[None]]


class Served:
    """A stream of either library, with the names of trio's methods."""

    def __init__(self, stream: Any, is_trio: bool) -> None:
        self.stream, self.connection, self.is_trio = stream, stream.connection, is_trio
        self.read_early_data = stream.read_early_data
        self.send_all = stream.send_all if is_trio else stream.send

    async def receive_some(self, size: int = 1000) -> bytes:
        if self.is_trio:
            return bytes(await self.stream.receive_some(size))
        try:
            return bytes(await self.stream.receive(size))
        except anyio.EndOfStream:
            return b""


class Face(NamedTuple):
    """A library, and the event loop under it."""

    name: str
    backend: str

    @contextlib.contextmanager
    def serving(self, handle: Handler, context: pyossl.Context, **options: Any) -> Iterator[tuple[str, int]]:
        """The address of a server that awaits ``handle(served)`` for each client, and then closes its stream.

        ``options`` are those of ``serve_tcp`` and ``TLSListener``.  An exception of the handler is raised at the end.
        """
        is_trio = self.name == "trio"

        async def handle_and_close(stream: Any) -> None:
            async with stream:
                await handle(Served(stream, is_trio))

        async def serve_anyio(*, task_status: anyio.abc.TaskStatus[int]) -> None:
            async with (
                await anyio.create_tcp_listener(local_host=HOST) as transports,
                pyossl.anyio.TLSListener(transports, context, **options) as listener,
            ):
                task_status.started(listener.extra(anyio.abc.SocketAttribute.local_port))
                await listener.serve(handle_and_close)

        async def serve_trio(*, task_status: Any) -> None:
            await pyossl.trio.serve_tcp(
                handle_and_close, 0, context, host=HOST, task_status=Ports(task_status), **options
            )

        with start_blocking_portal(self.backend) as portal:
            serve: Any = serve_trio if is_trio else serve_anyio
            future, port = portal.start_task(serve)
            try:
                yield HOST, port
            finally:
                future.cancel()
            with contextlib.suppress(concurrent.futures.CancelledError):
                future.result(20)


class Ports(NamedTuple):
    """trio's ``task_status`` that passes on the port of the first listener."""

    status: Any

    def started(self, listeners: list[Any]) -> None:
        self.status.started(listeners[0].transport_listener.socket.getsockname()[1])


FACES = [Face("trio", "trio"), Face("anyio", "asyncio"), Face("anyio", "trio")]
each_face = pytest.mark.parametrize("face", FACES, ids="-".join)
