"""What a stream's reader reports after this program has closed or aborted the connection.

``b""`` says that the peer has ended its data.  A relay that takes a local abort for that end passes on data that was
cut off as complete.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from looped import Run, echo, until

import pyossl.aio

Start = Callable[..., Any]
Connect = Callable[..., Any]
ABORTED = "this program has closed or aborted the connection"

READS: list[Callable[[pyossl.aio.StreamReader], Any]] = [
    lambda reader: reader.read(100),
    lambda reader: reader.read(),
    lambda reader: reader.readline(),
    lambda reader: reader.readuntil(b"end"),
    lambda reader: reader.readexactly(100),
    lambda reader: reader.readexactly(1 << 20),
]


class Handler:
    """A server's callback that keeps its stream, and waits until the test lets it end."""

    def __init__(self) -> None:
        self.reader: Any = None
        self.writer: Any = None
        self.ended = asyncio.Event()

    async def __call__(self, reader: Any, writer: Any) -> None:
        self.reader, self.writer = reader, writer
        await self.ended.wait()


@contextlib.asynccontextmanager
async def half_sent(start: Start, connect: Connect) -> AsyncIterator[tuple[Any, Handler, Any]]:
    """A server, its handler, and the writer of a client of which the handler has bytes that it has not read."""
    handler = Handler()
    async with await start(handler) as server:
        _, client = await connect(server)
        client.write(b"half of")
        await until(lambda: handler.reader is not None and handler.reader._fresh)
        yield server, handler, client
        handler.ended.set()
        client.transport.abort()


@pytest.mark.parametrize("end", ["abort_clients", "transport.abort"])
@pytest.mark.parametrize("read", READS, ids=["read", "read all", "readline", "readuntil", "readexactly", "straight"])
def test_a_read_that_waits_at_a_local_abort_raises(
    run: Run[Any], start: Start, connect: Connect, read: Callable[[Any], Any], end: str
) -> None:
    async def main() -> None:
        async with half_sent(start, connect) as (server, handler, _):
            reading = asyncio.ensure_future(read(handler.reader))
            if read is READS[0]:
                assert await reading == b"half of"
                reading = asyncio.ensure_future(read(handler.reader))
            await asyncio.sleep(0)
            if end == "abort_clients":
                server.abort_clients()
            else:
                handler.writer.transport.abort()
            with pytest.raises(ConnectionAbortedError, match=ABORTED):
                await reading
            assert not handler.reader.at_eof()
            with pytest.raises(ConnectionAbortedError, match=ABORTED):
                await handler.reader.readexactly(1000)
            await handler.writer.wait_closed()

    run(main())


def test_a_read_after_a_local_abort_returns_what_came_before_and_then_raises(
    run: Run[Any], start: Start, connect: Connect
) -> None:
    async def main() -> None:
        async with half_sent(start, connect) as (_, handler, _):
            handler.writer.transport.abort()
            assert await handler.reader.read(100) == b"half of"
            with pytest.raises(ConnectionAbortedError, match=ABORTED):
                await handler.reader.read(100)

    run(main())


def test_a_read_after_the_peers_end_and_a_local_abort_returns_the_end(
    run: Run[Any], start: Start, connect: Connect
) -> None:
    async def main() -> None:
        async with half_sent(start, connect) as (server, handler, client):
            client.write_eof()
            await until(lambda: handler.reader._eof)
            server.abort_clients()
            await handler.writer.wait_closed()
            assert await handler.reader.read() == b"half of"
            assert handler.reader.at_eof()

    run(main())


def test_a_protocol_of_the_program_is_told_only_what_asyncio_tells(
    run: Run[Any], server_context: pyossl.Context, client_context: pyossl.Context
) -> None:
    """It may have methods with the names that pyossl's own protocols have."""

    class Mine(asyncio.Protocol):
        def __init__(self) -> None:
            self.told: list[str] = []
            self.lost = asyncio.Event()

        def peer_closed(self) -> None:
            self.told.append("peer_closed")

        def writing_failed(self, exc: BaseException) -> None:
            self.told.append("writing_failed")

        def connection_lost(self, exc: BaseException | None) -> None:
            self.lost.set()

    async def main() -> None:
        async with await pyossl.aio.create_server(asyncio.Protocol, "127.0.0.1", 0, ssl=server_context) as server:
            address = server.sockets[0].getsockname()
            transport, mine = await pyossl.aio.create_connection(
                Mine, *address, ssl=client_context, server_hostname="localhost"
            )
            transport.close()
            await mine.lost.wait()
            assert mine.told == []

    run(main())


@pytest.mark.parametrize("peers_last", ["close_notify", "data and close_notify", "no close_notify"])
def test_a_read_that_waits_at_close_clients_returns_an_end_only_if_the_peer_has_sent_one(
    run: Run[Any], start: Start, connect: Connect, peers_last: str
) -> None:
    async def main() -> None:
        handler = Handler()
        async with await start(handler) as server:
            client_reader, client = await connect(server)
            await until(lambda: handler.reader is not None)
            reading = asyncio.ensure_future(handler.reader.read(100))
            await asyncio.sleep(0)
            server.close_clients()
            assert await client_reader.read() == b""
            if peers_last == "no close_notify":
                client.transport.abort()
            elif peers_last == "data and close_notify":
                client.write(b"more")
            client.close()
            if peers_last == "close_notify":
                assert await reading == b""
                assert handler.reader.at_eof()
            else:
                with pytest.raises(ConnectionAbortedError, match=ABORTED):
                    await reading
            await handler.writer.wait_closed()
            handler.ended.set()

    run(main())


def test_a_handler_that_the_servers_abort_has_ended_is_not_reported(
    run: Run[Any], start: Start, connect: Connect
) -> None:
    """The fixture ``run`` fails if the loop's exception handler is called."""

    async def main() -> None:
        handlers: list[Any] = []

        async def serve(reader: Any, writer: Any) -> None:
            handlers.append(asyncio.current_task())
            await echo(reader, writer)

        async with await start(serve) as server:
            _, client = await connect(server)
            await until(lambda: handlers)
            server.abort_clients()
            await asyncio.wait(handlers)
            assert isinstance(handlers[0].exception(), ConnectionAbortedError)
            client.transport.abort()

    run(main())
