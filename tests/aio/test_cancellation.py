"""Cancellation: each wait is cancelled after one turn of the loop, after two, and so on, until it finishes first.

Nothing is left behind, no byte is lost, and the next call works.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import itertools
import os
import socket
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import looped
import pytest
from looped import Run, close, echo, port_of

import pyossl
import pyossl.aio

HOST = "127.0.0.1"
MOST = 5000
"""More turns of the loop than any test here takes."""
DATA = os.urandom(400_000)


def gone(context: dict[str, Any]) -> bool:
    """Whether the report to the loop's exception handler is only that a server's callback has lost its client."""
    lost = isinstance(context.get("exception"), (pyossl.TruncationError, ConnectionError))
    return lost and context["message"] == "Unhandled exception in client_connected_cb"


@pytest.fixture(params=looped.KINDS)
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    reported: list[dict[str, Any]] = []
    yield from looped.running(request.param, reported)
    assert all(map(gone, reported)), reported


Start = Callable[..., Any]


Opener = Callable[..., Any]


async def cancelled_after(turns: int, task: asyncio.Future[Any]) -> bool:
    """Cancels the task after ``turns`` turns of the loop.  Returns whether it was cancelled.  Raises its exception."""
    for _ in range(turns):
        if task.done():
            break
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    if task.cancelled():
        return True
    task.result()
    return False


async def at_every_step(work: Callable[[], Coroutine[Any, Any, Any]]) -> None:
    """Runs ``work`` repeatedly, and cancels it a turn later each time, until it finishes first."""
    for turns in range(MOST):
        if not await cancelled_after(turns, asyncio.ensure_future(work())):
            assert turns > 0
            return
    pytest.fail("it was always cancelled")


# Connecting


def test_open_connection(run: Run, start: Start, connect: Opener) -> None:
    async def main() -> None:
        async with await start() as server:

            async def work() -> None:
                _, writer = await connect(server)
                await close(writer)

            await at_every_step(work)
            reader, writer = await connect(server)
            writer.write(b"after them all\n")
            assert await reader.readline() == b"after them all\n"
            await close(writer)

    run(main())


def test_open_connection_where_several_addresses_are_tried_at_once(run: Run, start: Start, connect: Opener) -> None:
    async def main() -> None:
        async with await start() as server:

            async def work() -> None:
                _, writer = await connect(server, happy_eyeballs_delay=1e-9, local_addr=(HOST, 0))
                await close(writer)

            await at_every_step(work)

    run(main())


def test_unix_sockets(run: Run, tmp_path: Path, client_context: pyossl.Context, server_context: pyossl.Context) -> None:
    path = tmp_path / "socket"

    async def main() -> None:
        async with await pyossl.aio.start_unix_server(echo, path, ssl=server_context):

            async def work() -> None:
                _, writer = await pyossl.aio.open_unix_connection(path, ssl=client_context, server_hostname="localhost")
                await close(writer)

            await at_every_step(work)

    run(main())


def test_a_socket_that_is_given_is_closed(run: Run, start: Start, client_context: pyossl.Context) -> None:
    async def main() -> None:
        async with await start() as server:

            async def work() -> None:
                sock = socket.create_connection((HOST, port_of(server)))
                _, writer = await pyossl.aio.open_connection(sock=sock, ssl=client_context, server_hostname=HOST)
                await close(writer)

            # Before the first turn the function has not got the socket.
            for turns in range(1, MOST):
                if not await cancelled_after(turns, asyncio.ensure_future(work())):
                    return
            pytest.fail("it was always cancelled")

    run(main())


@pytest.mark.parametrize("side", ["client", "server"])
def test_start_tls(run: Run, client_context: pyossl.Context, server_context: pyossl.Context, side: str) -> None:
    """Cancels ``start_tls`` of either side while the other side waits for it.  The other side sees the end."""

    async def over(reader: Any, writer: Any, context: pyossl.Context) -> None:
        try:
            if context.is_server:
                writer.write(b"go ahead\n")
                _, above = await pyossl.aio.open_over(writer.transport, context)
            else:
                assert await reader.readline() in (b"go ahead\n", b"")
                _, above = await pyossl.aio.open_over(writer.transport, context, server_hostname="localhost")
        except BaseException:
            writer.close()
            raise
        await close(above)

    async def main() -> None:
        others: list[asyncio.Task[None]] = []
        ours, theirs = (client_context, server_context) if side == "client" else (server_context, client_context)

        def serve(reader: Any, writer: Any) -> None:
            others.append(asyncio.create_task(over(reader, writer, theirs)))

        server = await asyncio.start_server(serve, HOST, 0)

        for turns in range(MOST):
            reader, writer = await asyncio.open_connection(HOST, port_of(server))
            in_time = await cancelled_after(turns, asyncio.ensure_future(over(reader, writer, ours)))
            if turns == 0:  # the task has not begun
                writer.close()
            while not others:
                await asyncio.sleep(0)
            other = others.pop()
            await asyncio.wait({other})
            assert isinstance(other.exception(), (pyossl.Error, OSError, type(None)))
            if not in_time:
                assert other.exception() is None
                break
        else:
            pytest.fail("it was always cancelled")
        server.close()
        await server.wait_closed()

    run(main())


def test_tls_inside_tls(run: Run, start: Start, connect: Opener, client_context: pyossl.Context) -> None:
    """A writer whose ``start_tls`` is cancelled is closed.  The server's ``start_tls`` ends too."""

    async def inner(reader: Any, writer: pyossl.aio.StreamWriter) -> None:
        with contextlib.suppress(pyossl.Error, ConnectionError):
            await writer.start_tls(writer.get_extra_info("sslcontext"))
            await echo(reader, writer)

    async def main() -> None:
        async with await start(inner) as server:

            async def work() -> None:
                reader, writer = await connect(server)
                try:
                    await writer.start_tls(client_context, server_hostname="localhost")
                    writer.write(b"inside\n")
                    assert await reader.readline() == b"inside\n"
                finally:
                    await close(writer)

            await at_every_step(work)

    run(main())


# Servers


def test_start_server(run: Run, start: Start) -> None:
    async def main() -> None:
        async def work() -> None:
            async with await start():
                pass

        await at_every_step(work)

    run(main())


def test_serve_forever_closes_its_server(run: Run, start: Start, connect: Opener) -> None:
    async def main() -> None:
        for turns in range(20):
            server = await start(start_serving=False)
            assert await cancelled_after(turns, asyncio.ensure_future(server.serve_forever()))
            if turns == 0:  # the task has not begun
                server.close()
            assert not server.sockets
            await server.wait_closed()

    run(main())


@pytest.mark.parametrize("end", ["close_clients", "abort_clients"])
@pytest.mark.parametrize(
    "kind", looped.WITH_DESCRIPTORS
)  # asyncio's own server loses a client that it has just accepted
def test_a_server_that_ends_at_any_step_of_a_clients_handshake(
    kind: str, start: Start, client_context: pyossl.Context, end: str
) -> None:
    """The client sees an end or an exception, and the server has nothing left to wait for."""

    async def talk(port: int) -> bytes:
        reader, writer = await pyossl.aio.open_connection(HOST, port, ssl=client_context)
        try:
            writer.write(b"hello\n")
            return bytes(await reader.readline())
        finally:
            writer.transport.abort()

    async def main() -> None:
        for turns in range(MOST):
            server = await start()
            client = asyncio.create_task(talk(port_of(server)))
            for _ in range(turns):
                await asyncio.sleep(0)
            ended_late = client.done()
            server.close()
            getattr(server, end)()
            await server.wait_closed()
            await asyncio.wait({client})
            assert isinstance(client.exception(), (pyossl.Error, OSError, type(None)))
            if ended_late:
                assert client.result() == b"hello\n"
                return
        pytest.fail("the server always ended first")

    reported: list[dict[str, Any]] = []
    for run in looped.running(kind, reported):
        run(main())
    assert all(map(gone, reported)), reported


def test_a_servers_callback_that_is_cancelled_closes_its_connection(run: Run, start: Start, connect: Opener) -> None:
    async def main() -> None:
        callbacks: list[asyncio.Task[Any]] = []

        async def serve(reader: Any, writer: pyossl.aio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            callbacks.append(task)
            await echo(reader, writer)

        async with await start(serve) as server:
            for turns in range(MOST):
                reader, writer = await connect(server)
                while not callbacks:
                    await asyncio.sleep(0)
                callback = callbacks.pop()
                writer.write(DATA[:50_000])
                writer.write_eof()
                in_time = await cancelled_after(turns, callback)
                back = await reader.read()
                assert DATA.startswith(back)
                await close(writer)
                if not in_time:
                    assert back == DATA[:50_000]
                    return
        pytest.fail("it was always cancelled")

    run(main())


# Waits on a connection


Read = Callable[[Any, bytearray], Coroutine[Any, Any, bytes]]


async def read_some(reader: asyncio.StreamReader, so_far: bytearray) -> bytes:
    return await reader.read(2000)


async def read_exactly(reader: asyncio.StreamReader, so_far: bytearray) -> bytes:
    return await reader.readexactly(min(3500, len(DATA) - len(so_far)))


async def read_straight(reader: asyncio.StreamReader, so_far: bytearray) -> bytes:
    """Reads so many bytes that they are decrypted directly into the result."""
    return await reader.readexactly(min(100_000, len(DATA) - len(so_far)))


async def read_until(reader: asyncio.StreamReader, so_far: bytearray) -> bytes:
    """Reads to the separator, or the rest."""
    try:
        return await reader.readuntil(b"\xff")
    except asyncio.IncompleteReadError as error:
        return error.partial


@pytest.mark.parametrize("read", [read_some, read_exactly, read_straight, read_until])
def test_a_read_loses_no_byte(run: Run, start: Start, connect: Opener, read: Read) -> None:
    async def send(reader: asyncio.StreamReader, writer: pyossl.aio.StreamWriter) -> None:
        for begin in range(0, len(DATA), 3000):
            writer.write(DATA[begin : begin + 3000])
            await writer.drain()
            await asyncio.sleep(0)
        await close(writer)

    async def main() -> None:
        async with await start(send) as server:
            reader, writer = await connect(server, limit=1 << 20)
            received, cancelled = bytearray(), 0
            for turns in itertools.cycle(range(4)):
                if reader.at_eof() or len(received) == len(DATA):
                    break
                task = asyncio.ensure_future(read(reader, received))
                if await cancelled_after(turns, task):
                    cancelled += 1
                else:
                    received += task.result()
            assert cancelled > 10
            assert hashlib.sha256(received).digest() == hashlib.sha256(DATA).digest()
            assert await reader.read() == b""
            await close(writer)

    run(main())


def test_a_drain_loses_no_byte(run: Run, start: Start, connect: Opener) -> None:
    """The written bytes are sent although the wait for them is cancelled."""
    received = hashlib.sha256()

    async def serve(reader: asyncio.StreamReader, writer: pyossl.aio.StreamWriter) -> None:
        while data := await reader.read(50_000):
            received.update(data)
        await close(writer)

    async def main() -> None:
        async with await start(serve) as server:
            _, writer = await connect(server)
            cancelled, pieces = 0, 100
            for turns in range(pieces):
                writer.write(DATA)
                cancelled += await cancelled_after(turns % 7, asyncio.ensure_future(writer.drain()))
            assert cancelled > pieces / 7
            await close(writer)
        assert received.digest() == hashlib.sha256(DATA * pieces).digest()

    run(main())


def test_after_a_cancelled_wait_closed_the_next_one_works(run: Run, start: Start, connect: Opener) -> None:
    async def main() -> None:
        async with await start() as server:
            for turns in range(MOST):
                _, writer = await connect(server)
                writer.write(DATA)
                writer.close()
                in_time = await cancelled_after(turns, asyncio.ensure_future(writer.wait_closed()))
                await writer.wait_closed()
                if not in_time:
                    return
        pytest.fail("it was always cancelled")

    run(main())


def test_after_a_servers_cancelled_wait_closed_the_next_one_works(run: Run, start: Start, connect: Opener) -> None:
    async def main() -> None:
        for turns in range(MOST):
            server = await start()
            _, writer = await connect(server)
            server.close()
            writer.close()
            in_time = await cancelled_after(turns, asyncio.ensure_future(server.wait_closed()))
            await server.wait_closed()
            await writer.wait_closed()
            if not in_time:
                return
        pytest.fail("it was always cancelled")

    run(main())


def test_a_whole_conversation(run: Run, start: Start, connect: Opener) -> None:
    async def main() -> None:
        async with await start() as server:

            async def talk() -> None:
                reader, writer = await connect(server)
                try:
                    writer.write(DATA)
                    await writer.drain()
                    assert await reader.readexactly(len(DATA)) == DATA
                    writer.write_eof()
                    assert await reader.read() == b""
                    await close(writer)
                finally:
                    writer.transport.abort()

            await at_every_step(talk)

    run(main())


@pytest.mark.parametrize("kind", ["asyncio", "transports"])  # uvloop has no sendfile
def test_sendfile_gives_the_connection_back(kind: str, start: Start, connect: Opener) -> None:
    """A cancelled call has sent the beginning of the file.  The file's position shows how much."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with await start() as server:
            with tempfile.TemporaryFile() as file:
                file.write(DATA)
                for turns in range(0, MOST, 7):
                    reader, writer = await connect(server)
                    file.seek(0)
                    sending = asyncio.ensure_future(loop.sendfile(writer.transport, file))
                    in_time = await cancelled_after(turns, sending)
                    writer.write(b"after it")
                    writer.write_eof()
                    back = await reader.read()
                    assert back == DATA[: len(back) - 8] + b"after it"
                    await close(writer)
                    if not in_time:
                        assert len(back) == len(DATA) + 8
                        return
        pytest.fail("it was always cancelled")

    for run in looped.running(kind):
        run(main())


def test_wait_for_and_timeouts_are_cancellations_like_any(run: Run, start: Start, connect: Opener) -> None:
    async def main() -> None:
        async with await start() as server:
            reader, writer = await connect(server)
            for number, read in enumerate((reader.readline, reader.read, functools.partial(reader.readexactly, 5))):
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(read(), 0.001)
                line = b"%04d\n" % number
                writer.write(line)
                assert await reader.readline() == line
            await close(writer)

    run(main())
