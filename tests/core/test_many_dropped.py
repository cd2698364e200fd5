"""A hundred connections that are dropped at once, by either side or in their handshake, leave no task, no descriptor
and no warning behind."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import socket
import struct
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import anyio.abc
import looped
import pytest
import trio
from looped import Run, echo, port_of, until

import pyossl
import pyossl.aio
import pyossl.anyio
import pyossl.trio

HOST = "127.0.0.1"
MANY = 100
FD_SETSIZE = 1024
AT_ONCE = 50
"""The number of handshakes at a time; the listener's backlog is larger."""
SECONDS = 250
"""The time limit of a test, in seconds, for a busy machine or a sanitizer."""

pytestmark = [
    pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="the system has no /proc"),
    pytest.mark.usefixtures("_descriptors"),
]


@pytest.fixture
def _descriptors() -> Iterator[None]:
    """Descriptors for both sides of all connections, with numbers that select(2) does not take."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = FD_SETSIZE + 2 * MANY + 500
    if hard != resource.RLIM_INFINITY and hard < needed:
        pytest.skip(f"this process may not have {needed} descriptors")
    if soft != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))
    taken = [os.open(os.devnull, os.O_RDONLY)]
    while taken[-1] < FD_SETSIZE:
        taken.append(os.dup(taken[0]))
    yield
    for number in taken:
        os.close(number)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def is_a_loss(context: dict[str, Any]) -> bool:
    return isinstance(context.get("exception"), (pyossl.TruncationError, ConnectionError))


# asyncio


@pytest.fixture(params=looped.KINDS)
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """A server's callback may get an error because its client has gone."""
    told: list[dict[str, Any]] = []
    yield from looped.running(request.param, told, SECONDS)
    assert all(map(is_a_loss, told)), told[:3]


Start = Callable[[], Any]


@pytest.fixture
def start(server_context: pyossl.Context) -> Start:
    async def started() -> pyossl.aio.Server:
        return await pyossl.aio.start_server(echo, HOST, 0, ssl=server_context, backlog=MANY)

    return started


async def connect_many(server: pyossl.aio.Server, context: pyossl.Context) -> list[Any]:
    """Connections that have each received an answer: both sides are running."""

    async def connected() -> Any:
        reader, writer = await pyossl.aio.open_connection(HOST, port_of(server), ssl=context)
        writer.write(b"hello\n")
        assert await reader.readline() == b"hello\n"
        return reader, writer

    clients: list[Any] = []
    while len(clients) < MANY:
        clients += await asyncio.gather(*(connected() for _ in range(AT_ONCE)))
    assert len(server._transports) == MANY
    return clients


def test_asyncio_clients_that_vanish(run: Run, start: Start, client_context: pyossl.Context) -> None:
    """Half of them while they are sending."""

    async def main() -> None:
        server = await start()
        clients = await connect_many(server, client_context)
        for number, (_, writer) in enumerate(clients):
            if number % 2:
                writer.write(bytes(100_000))
            writer.transport.abort()
        for reader, writer in clients:
            await writer.wait_closed()
            with pytest.raises(ConnectionAbortedError):
                await reader.read()
        server.close()
        await server.wait_closed()

    run(main())


def test_asyncio_servers_that_vanish(run: Run, start: Start, client_context: pyossl.Context) -> None:
    async def main() -> None:
        server = await start()
        clients = await connect_many(server, client_context)
        server.close()
        server.abort_clients()
        await server.wait_closed()
        for reader, writer in clients:
            with pytest.raises((pyossl.TruncationError, ConnectionError)):
                await reader.read()
            with pytest.raises((pyossl.TruncationError, ConnectionError)):
                await writer.wait_closed()

    run(main())


def test_asyncio_clients_that_vanish_in_their_handshake(run: Run, start: Start) -> None:
    """Half of them by a reset."""

    async def main() -> None:
        server = await start()
        address = server.sockets[0].getsockname()
        clients = []
        while len(clients) < MANY:
            for _ in range(AT_ONCE):
                sock = socket.create_connection(address)
                sock.sendall(b"\x16\x03\x01\x02\x00\x01")
                clients.append(sock)
            await until(lambda: len(server._transports) == len(clients))
        for number, sock in enumerate(clients):
            if number % 2:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()
        await until(lambda: not server._transports)
        server.close()
        await server.wait_closed()

    run(main())


# trio and anyio


def descriptors() -> int:
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


def test_trio_clients_that_vanish(client_context: pyossl.Context, server_context: pyossl.Context) -> None:
    clients: list[Any] = []
    ended = 0

    async def echo_until_lost(stream: pyossl.trio.TLSStream[trio.SocketStream]) -> None:
        nonlocal ended
        try:
            async for data in stream:
                await stream.send_all(data)
        except trio.BrokenResourceError:
            ended += 1

    async def connect(port: int) -> None:
        stream = await pyossl.trio.open_tcp_stream(HOST, port, client_context)
        await stream.send_all(b"x")
        assert await stream.receive_some() == b"x"
        clients.append(stream)

    async def serve(task_status: Any) -> None:
        await pyossl.trio.serve_tcp(
            echo_until_lost, 0, server_context, host=HOST, backlog=MANY, task_status=task_status
        )

    async def main() -> None:
        before = descriptors()
        with trio.fail_after(SECONDS):
            async with trio.open_nursery() as serving:
                (listener,) = await serving.start(serve)
                port = listener.transport_listener.socket.getsockname()[1]
                while len(clients) < MANY:
                    async with trio.open_nursery() as connecting:
                        for _ in range(AT_ONCE):
                            connecting.start_soon(connect, port)
                for client in clients:
                    client.transport_stream.socket.close()
                while ended < MANY:
                    await trio.sleep(0.001)
                serving.cancel_scope.cancel()
        for client in clients:
            await client.aclose()
        assert descriptors() == before

    trio.run(main)


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
def test_anyio_clients_that_vanish(
    client_context: pyossl.Context, server_context: pyossl.Context, anyio_backend: str
) -> None:
    clients: list[Any] = []
    ended = 0

    async def echo_until_lost(stream: pyossl.anyio.TLSStream) -> None:
        nonlocal ended
        async with stream:
            try:
                async for data in stream:
                    await stream.send(data)
            except anyio.BrokenResourceError:
                ended += 1

    async def connect(port: int) -> None:
        stream = await pyossl.anyio.connect_tcp(HOST, port, ssl_context=client_context)
        await stream.send(b"x")
        assert await stream.receive() == b"x"
        clients.append(stream)

    async def main() -> None:
        with anyio.fail_after(SECONDS):
            plain = await anyio.create_tcp_listener(local_host=HOST, backlog=MANY)
            port = plain.extra(anyio.abc.SocketAttribute.local_port)
            listener = pyossl.anyio.TLSListener(plain, server_context)
            async with listener, anyio.create_task_group() as serving:
                serving.start_soon(listener.serve, echo_until_lost)
                while len(clients) < MANY:
                    async with anyio.create_task_group() as connecting:
                        for _ in range(AT_ONCE):
                            connecting.start_soon(connect, port)
                for client in clients:
                    await anyio.aclose_forcefully(client.transport_stream)
                while ended < MANY:
                    await anyio.sleep(0.001)
                serving.cancel_scope.cancel()

    before = descriptors()
    anyio.run(main, backend=anyio_backend)
    clients.clear()
    assert descriptors() == before
