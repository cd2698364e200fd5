"""A client of each API, for arguments that all of them have, and a server in a thread for them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any

import anyio
import pytest
import trio
from served import SECONDS, Task

import pyossl
import pyossl.aio
import pyossl.anyio
import pyossl.trio
from pyossl import Connection, Context

HOST = "127.0.0.1"


@contextlib.contextmanager
def answering(context: Context, answer: Callable[[Connection], bytes]) -> Iterator[int]:
    """The port of a server that sends ``answer(connection)`` to each client after the handshake."""

    def serve() -> None:
        with contextlib.suppress(OSError):  # the listener has been closed: the tests are over
            for tls, _ in listener:
                with tls, contextlib.suppress(pyossl.TLSError):
                    tls.settimeout(SECONDS)
                    tls.handshake()
                    tls.sendall(answer(tls.connection))

    with pyossl.listen((HOST, 0), context) as listener:
        task = Task(serve)
        yield listener.address[1]
    task.result()


# Each client connects to the port, verifies the name, and returns what the connection shows under ``shown``, with the
# bytes that the server has sent.  ``options`` are the arguments under test.


def over_connect(port: int, context: Context, name: str, shown: str, **options: Any) -> tuple[Any, bytes]:
    with pyossl.connect((HOST, port), context, server_hostname=name, timeout=SECONDS, **options) as tls:
        return getattr(tls, shown), tls.recv(100)


def over_wrap_socket(port: int, context: Context, name: str, shown: str, **options: Any) -> tuple[Any, bytes]:
    with (
        socket.create_connection((HOST, port), timeout=SECONDS) as sock,
        context.wrap_socket(sock, name, **options) as tls,
    ):
        return getattr(tls, shown), tls.recv(100)


async def over_asyncio(port: int, context: Context, name: str, shown: str, **options: Any) -> tuple[Any, bytes]:
    reader, writer = await pyossl.aio.open_connection(HOST, port, ssl=context, server_hostname=name, **options)
    value = getattr(writer, shown)
    data = await reader.read(100)
    writer.close()
    await writer.wait_closed()
    return value, data


async def over_asyncio_transport(
    port: int, context: Context, name: str, shown: str, **options: Any
) -> tuple[Any, bytes]:
    _, plain = await asyncio.open_connection(HOST, port)
    try:
        reader, writer = await pyossl.aio.open_over(plain, context, server_hostname=name, **options)
        value = getattr(writer, shown)
        data = await reader.read(100)
        writer.close()
        await writer.wait_closed()
        return value, data
    finally:
        plain.close()


async def over_start_tls(port: int, context: Context, name: str, shown: str, **options: Any) -> tuple[Any, bytes]:
    arrived = asyncio.get_running_loop().create_future()

    class Protocol(asyncio.Protocol):
        def data_received(self, data: bytes) -> None:
            arrived.set_result(data)

    below, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, HOST, port)
    try:
        above = await pyossl.aio.start_tls(below, Protocol(), context, server_hostname=name, **options)
        value = above.get_extra_info(shown)
        data = await arrived
        above.close()
        return value, data
    finally:
        below.close()


async def over_trio(port: int, context: Context, name: str, shown: str, **options: Any) -> tuple[Any, bytes]:
    async with await pyossl.trio.open_tcp_stream(HOST, port, context, server_hostname=name, **options) as stream:
        data = await stream.receive_some(100)
        return getattr(stream, shown), data


async def over_anyio(port: int, context: Context, name: str, shown: str, **options: Any) -> tuple[Any, bytes]:
    async with await pyossl.anyio.connect_tcp(HOST, port, ssl_context=context, tls_hostname=name, **options) as stream:
        data = await stream.receive(100)
        return getattr(stream, shown), data


Fetch = Callable[..., tuple[Any, bytes]]


def run_asyncio(work: Callable[[], Awaitable[Any]]) -> Any:
    async def done() -> Any:
        return await work()

    return asyncio.run(done())


def _in(run: Callable[..., Any], fetch: Callable[..., Awaitable[tuple[Any, bytes]]]) -> Fetch:
    return lambda *arguments, **options: run(partial(fetch, *arguments, **options))


CONNECTING = {
    "connect": over_connect,
    "asyncio": _in(run_asyncio, over_asyncio),
    "trio": _in(trio.run, over_trio),
    "anyio": _in(anyio.run, over_anyio),
}
"""The clients that make their TCP connection themselves."""

OVER_ANOTHER = {
    "wrap_socket": over_wrap_socket,
    "asyncio_transport": _in(run_asyncio, over_asyncio_transport),
    "start_tls": _in(run_asyncio, over_start_tls),
}
"""The clients over a connection that exists."""


def each(clients: dict[str, Fetch]) -> pytest.MarkDecorator:
    """Runs a test with each of the clients, as ``fetch``."""
    return pytest.mark.parametrize("fetch", clients.values(), ids=clients)


@contextlib.contextmanager
def refused(kind: type[pyossl.Error]) -> Iterator[list[Any]]:
    """Requires that a client raises ``kind``, with trio as the cause of another exception; yields a list for it."""
    found: list[Any] = []
    with pytest.raises((kind, trio.BrokenResourceError)) as caught:
        yield found
    error = caught.value if isinstance(caught.value, kind) else caught.value.__cause__
    assert isinstance(error, kind)
    found.append(error)
