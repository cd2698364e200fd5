"""Key updates, renegotiations and requests for a certificate over asyncio, on each kind of loop, over sockets and over
other transports.

The loop without descriptors is the one whose connections all use other transports.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from typing import Any

import pytest
from looped import Run, close, echo, port_of, until
from pairs import asking_later

import pyossl
import pyossl.aio
from pyossl import Context, Version
from pyossl.aio.transport import Transport

HOST = "127.0.0.1"
Start = Callable[..., Any]
Opener = Callable[..., Any]


@pytest.fixture
def renegotiating(authority: pyossl.Authority, credentials: pyossl.Credentials) -> tuple[Context, Context]:
    client = Context.client(trust=authority.certificate, maximum_version=Version.TLSv1_2)
    server = Context.server(credentials.certificate, credentials.private_key)
    for context in (client, server):
        context.allow_renegotiation(100, by_peer=True)
    return client, server


def connection_of(writer: pyossl.aio.StreamWriter) -> pyossl.Connection:
    connection: pyossl.Connection = writer.get_extra_info("connection")
    return connection


@pytest.mark.feature("key updates (TLS 1.3)")
@pytest.mark.parametrize("request_peer", [False, True])
def test_both_sides_update_keys_in_bulk_both_ways(
    run: Run[Any], start: Start, connect: Opener, request_peer: bool
) -> None:
    data = os.urandom(2 << 20)

    async def send(writer: pyossl.aio.StreamWriter) -> None:
        for begin in range(0, len(data), 50_000):
            writer.update_keys(request_peer=request_peer)  # also while the write buffer is not empty
            writer.write(data[begin : begin + 50_000])
            writer.update_keys(request_peer=request_peer)
            await writer.drain()
        writer.write_eof()

    async def serve(reader: asyncio.StreamReader, writer: pyossl.aio.StreamWriter) -> None:
        received, _ = await asyncio.gather(reader.read(), send(writer))
        assert received == data
        await close(writer)

    async def main() -> None:
        async with await start(serve) as server:
            reader, writer = await connect(server)
            received, _ = await asyncio.gather(reader.read(), send(writer))
            assert received == data
            await close(writer)

    run(main())


def test_over_another_transport_the_key_update_is_sent_at_once(
    run: Run[Any], start: Start, client_context: Context
) -> None:
    async def main() -> None:
        async with await start() as server:
            _, plain = await asyncio.open_connection(HOST, port_of(server))
            reader, writer = await pyossl.aio.open_over(plain, client_context, server_hostname="example.com")
            for _ in range(5):
                writer.update_keys(request_peer=True)
                assert connection_of(writer).data_to_send() == b""
                writer.write(b"data")
                assert await reader.readexactly(4) == b"data"
            await close(writer)

    run(main())


def test_what_openssl_refuses_leaves_the_connection_as_it_is(run: Run[Any], start: Start, connect: Opener) -> None:
    async def main() -> None:
        async with await start() as server:
            reader, writer = await connect(server)
            with pytest.raises(pyossl.Error):
                writer.renegotiate()
            with pytest.raises(pyossl.UsageError, match="only for servers"):
                writer.request_certificate()
            with pytest.raises(TypeError):
                writer.update_keys(request_peer=1)
            writer.write(b"data")
            assert await reader.readexactly(4) == b"data"
            writer.write_eof()
            with pytest.raises(pyossl.UsageError, match="closing"):
                writer.update_keys()
            await close(writer)
            with pytest.raises(pyossl.UsageError, match="closing"):
                writer.update_keys()

    run(main())


def test_a_peer_that_does_not_read_gets_the_key_updates_when_it_reads(
    run: Run[Any], start: Start, connect: Opener
) -> None:
    """The descriptor is full: the loop sends the KeyUpdate when there is room, although nothing else is written."""

    async def serve(reader: asyncio.StreamReader, writer: pyossl.aio.StreamWriter) -> None:
        writer.transport.pause_reading()
        await resumed.wait()
        writer.transport.resume_reading()
        while await reader.read(65536):
            pass
        seen.append(True)
        await close(writer)

    async def main() -> None:
        async with await start(serve) as server:
            _, writer = await connect(server)
            while not writer.transport.get_write_buffer_size():
                writer.write(bytes(100_000))
            for _ in range(10):
                writer.update_keys(request_peer=True)
            resumed.set()
            await until(lambda: not writer.transport.get_write_buffer_size())
            writer.update_keys()
            writer.write(b"data")
            writer.write_eof()
            await until(lambda: seen)
            await close(writer)

    seen: list[bool] = []
    resumed = asyncio.Event()
    run(main())


@pytest.mark.feature("renegotiation that is allowed and limited (TLS 1.2)")
def test_a_client_renegotiates_while_data_goes_both_ways(run: Run[Any], renegotiating: tuple[Context, Context]) -> None:
    client_context, server_context = renegotiating
    data = os.urandom(1 << 20)

    async def send(writer: pyossl.aio.StreamWriter, reader: asyncio.StreamReader) -> None:
        for begin in range(0, len(data), 50_000):
            if begin % 200_000 == 0:
                finished = connection_of(writer).finished
                writer.renegotiate()
                await until(
                    lambda finished=finished: (
                        connection_of(writer).finished != finished and connection_of(writer).is_handshake_finished
                    )
                )
            writer.write(data[begin : begin + 50_000])
            await writer.drain()

    async def main() -> None:
        async with await pyossl.aio.start_server(echo, HOST, 0, ssl=server_context) as server:
            reader, writer = await pyossl.aio.open_connection(
                HOST, port_of(server), ssl=client_context, server_hostname="example.com"
            )
            received, _ = await asyncio.gather(reader.readexactly(len(data)), send(writer, reader))
            assert received == data
            await close(writer)

    run(main())


def test_a_server_asks_for_a_renegotiation(run: Run[Any], renegotiating: tuple[Context, Context]) -> None:
    client_context, server_context = renegotiating

    async def serve(reader: asyncio.StreamReader, writer: pyossl.aio.StreamWriter) -> None:
        for _ in range(3):
            finished = connection_of(writer).finished
            writer.renegotiate()
            writer.write(b"data")
            assert await reader.readexactly(4) == b"data"
            await until(lambda finished=finished: connection_of(writer).finished != finished)
        await close(writer)

    async def main() -> None:
        async with await pyossl.aio.start_server(serve, HOST, 0, ssl=server_context) as server:
            reader, writer = await pyossl.aio.open_connection(
                HOST, port_of(server), ssl=client_context, server_hostname="example.com"
            )
            while data := await reader.read(100):
                writer.write(data)
            await close(writer)

    run(main())


def test_a_connection_can_be_closed_in_the_middle_of_a_renegotiation(
    run: Run[Any], renegotiating: tuple[Context, Context]
) -> None:
    client_context, server_context = renegotiating

    async def serve(reader: asyncio.StreamReader, writer: pyossl.aio.StreamWriter) -> None:
        writer.transport.pause_reading()
        writer.renegotiate()
        await until(lambda: closed)
        writer.transport.abort()

    async def main() -> None:
        async with await pyossl.aio.start_server(serve, HOST, 0, ssl=server_context) as server:
            _, writer = await pyossl.aio.open_connection(
                HOST, port_of(server), ssl=client_context, server_hostname="example.com"
            )
            await until(lambda: not connection_of(writer).is_handshake_finished)
            writer.close()
            closed.append(True)
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    closed: list[bool] = []
    run(main())


@pytest.mark.parametrize("then", ["nothing", "write_eof", "close"])
@pytest.mark.parametrize("size", [4, 8 << 20], ids=["short", "more than the kernel takes"])
def test_what_was_written_in_a_renegotiation_is_sent_after_it(
    run: Run[Any], renegotiating: tuple[Context, Context], then: str, size: int
) -> None:
    client_context, server_context = renegotiating

    async def serve(reader: asyncio.StreamReader, writer: pyossl.aio.StreamWriter) -> None:
        writer.transport.pause_reading()
        writer.write(b"data that comes before the answer")
        await may_read.wait()
        writer.transport.resume_reading()
        got.append(await reader.readexactly(size))
        if then != "nothing":
            assert await reader.read() == b""
        done.set()
        await close(writer)

    async def main() -> None:
        async with await pyossl.aio.start_server(serve, HOST, 0, ssl=server_context) as server:
            _, writer = await pyossl.aio.open_connection(
                HOST, port_of(server), ssl=client_context, server_hostname="example.com"
            )
            writer.renegotiate()
            writer.write(bytes(size))
            if then == "write_eof":
                writer.write_eof()
            elif then == "close":
                writer.close()
            may_read.set()
            await asyncio.wait_for(done.wait(), 10)
            await close(writer)

    got: list[bytes] = []
    may_read, done = asyncio.Event(), asyncio.Event()
    run(main())
    assert got == [bytes(size)]


def test_an_end_after_the_beginning_of_a_renegotiation_is_sent_after_it(
    run: Run[Any], renegotiating: tuple[Context, Context]
) -> None:
    client_context, server_context = renegotiating

    async def serve(reader: asyncio.StreamReader, writer: pyossl.aio.StreamWriter) -> None:
        received.append(await reader.read())
        writer.write(b"answer")
        await close(writer)

    async def main() -> None:
        async with await pyossl.aio.start_server(serve, HOST, 0, ssl=server_context) as server:
            reader, writer = await pyossl.aio.open_connection(
                HOST, port_of(server), ssl=client_context, server_hostname="example.com"
            )
            writer.renegotiate()
            writer.write_eof()
            assert await reader.read() == b"answer"
            await close(writer)

    received: list[bytes] = []
    run(main())
    assert received == [b""]


def test_the_loop_sleeps_while_the_peer_does_not_answer_a_renegotiation(
    run: Run[Any], renegotiating: tuple[Context, Context], monkeypatch: pytest.MonkeyPatch
) -> None:
    client_context, server_context = renegotiating
    steps: list[object] = []

    def deliver(transport: Transport, got: object) -> None:
        steps.append(got)
        original(transport, got)

    async def serve(reader: asyncio.StreamReader, writer: pyossl.aio.StreamWriter) -> None:
        writer.transport.pause_reading()
        await finished.wait()
        writer.transport.abort()

    async def main() -> None:
        async with await pyossl.aio.start_server(serve, HOST, 0, ssl=server_context) as server:
            _, writer = await pyossl.aio.open_connection(
                HOST, port_of(server), ssl=client_context, server_hostname="example.com"
            )
            writer.renegotiate()
            writer.write(b"data")
            await asyncio.sleep(0.05)
            steps.clear()
            await asyncio.sleep(0.05)
            assert steps == []
            finished.set()
            writer.transport.abort()

    finished = asyncio.Event()
    original = Transport._deliver
    monkeypatch.setattr(Transport, "_deliver", deliver)
    run(main())


def test_a_server_requests_a_certificate(
    run: Run[Any], authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    mine = authority.issue("me.example")
    client_context, server_context = asking_later(authority, credentials, mine)
    shown: list[Any] = []

    async def serve(reader: asyncio.StreamReader, writer: pyossl.aio.StreamWriter) -> None:
        writer.request_certificate()
        writer.write(b"who are you?")
        assert await reader.readexactly(2) == b"me"
        shown.append(writer.get_extra_info("peercert"))
        await close(writer)

    async def main() -> None:
        async with await pyossl.aio.start_server(serve, HOST, 0, ssl=server_context) as server:
            reader, writer = await pyossl.aio.open_connection(
                HOST, port_of(server), ssl=client_context, server_hostname="example.com"
            )
            assert await reader.readexactly(12) == b"who are you?"
            writer.write(b"me")
            assert await reader.read() == b""
            await close(writer)

    run(main())
    assert shown == [mine.certificate]


def test_both_sides_have_the_same_channel_binding(run: Run[Any], start: Start, connect: Opener) -> None:
    bindings: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: pyossl.aio.StreamWriter) -> None:
        bindings.append(connection_of(writer).channel_binding())
        await close(writer)

    async def main() -> None:
        async with await start(serve) as server:
            reader, writer = await connect(server)
            bindings.append(connection_of(writer).channel_binding())
            assert await reader.read() == b""
            await close(writer)

    run(main())
    assert bindings[0] == bindings[1]
