"""Key updates, renegotiations and requests for a certificate over the streams of anyio, on asyncio and on trio.

pyossl.trio has the same methods over the same ``AsyncStream``.
"""

from __future__ import annotations

import random
from typing import Any

import anyio
import anyio.lowlevel
import pytest
import trio
from pairs import asking_later
from streams import trio_pairs
from streams.anyio_pairs import (
    LIMIT,
    Contexts,
    both,
    close,
    memory_transports,
    read_all,
    send_both_ways,
    tcp_transports,
    wrapped,
)

import pyossl
from pyossl import Context, Version
from pyossl.anyio import TLSStream
from pyossl.errors import NotDueError

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]

SIZE = 1 << 20


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def contexts(client_context: Context, server_context: Context) -> Contexts:
    return client_context, server_context


@pytest.fixture
def renegotiating(authority: pyossl.Authority, credentials: pyossl.Credentials) -> Contexts:
    client = Context.client(trust=authority.certificate, maximum_version=Version.TLSv1_2)
    server = Context.server(credentials.certificate, credentials.private_key)
    for context in (client, server):
        context.allow_renegotiation(100, by_peer=True)
    return client, server


@pytest.fixture
def mine(authority: pyossl.Authority) -> pyossl.Credentials:
    return authority.issue("me.example")


@pytest.fixture
def asking(authority: pyossl.Authority, credentials: pyossl.Credentials, mine: pyossl.Credentials) -> Contexts:
    return asking_later(authority, credentials, mine)


def text(size: int) -> bytes:
    return random.Random(size).randbytes(size)


@pytest.mark.feature("key updates (TLS 1.3)")
@pytest.mark.parametrize("request_peer", [False, True])
async def test_both_sides_update_keys_in_bulk_both_ways(contexts: Contexts, request_peer: bool) -> None:
    there, back = text(SIZE), text(SIZE + 1)

    async def send(stream: TLSStream, data: bytes) -> None:
        for start in range(0, len(data), 40_000):
            await stream.update_keys(request_peer=request_peer)
            await stream.send(data[start : start + 40_000])
        await stream.send_eof()

    await send_both_ways(contexts, send, there, back)


async def test_it_is_a_send_of_which_there_is_one_at_a_time(contexts: Contexts) -> None:
    with anyio.fail_after(LIMIT):
        client, server = await wrapped(contexts, memory_transports())
        async with anyio.create_task_group() as group:
            group.start_soon(client.send, bytes(1 << 20))
            await anyio.lowlevel.checkpoint()
            await anyio.lowlevel.checkpoint()
            with pytest.raises(anyio.BusyResourceError):
                await client.update_keys()
            group.start_soon(read_all, server)
            await anyio.lowlevel.checkpoint()
            while client._async_stream._writing:
                await anyio.lowlevel.checkpoint()
            await client.update_keys()
            await client.send_eof()
        await anyio.aclose_forcefully(client)
        await anyio.aclose_forcefully(server)


async def test_a_stream_that_is_closed_or_whose_sending_side_is_refuses(contexts: Contexts) -> None:
    with anyio.fail_after(LIMIT):
        client, server = await wrapped(contexts, memory_transports(16))
        await client.send_eof()
        with pytest.raises(anyio.ClosedResourceError):
            await client.update_keys()
        await server.update_keys(request_peer=True)
        await server.send(b"still")
        assert await client.receive() == b"still"
        await close(client, server)
        with pytest.raises(anyio.ClosedResourceError):
            await server.update_keys()


async def test_what_openssl_refuses_leaves_the_stream_as_it_is(contexts: Contexts) -> None:
    with anyio.fail_after(LIMIT):
        client, server = await wrapped(contexts, memory_transports(16))
        for begin in (client.renegotiate, server.renegotiate, server.request_certificate):
            with pytest.raises(pyossl.Error):
                await begin()
        with pytest.raises(pyossl.UsageError, match="only for servers"):
            await client.request_certificate()
        for wrong in (None, 1, "yes"):
            with pytest.raises(TypeError, match="request_peer"):
                await client.update_keys(request_peer=wrong)  # type: ignore[arg-type]
        await client.send(b"still here")
        assert await server.receive() == b"still here"
        await close(client, server)


@pytest.mark.feature("renegotiation that is allowed and limited (TLS 1.2)")
async def test_a_client_renegotiates_while_its_server_receives(renegotiating: Contexts) -> None:
    async def renegotiate(stream: TLSStream) -> None:
        for _ in range(5):
            finished = stream.connection.finished
            await stream.renegotiate()
            assert stream.connection.finished != finished
            await stream.send(b"data")

    async def receive(stream: TLSStream) -> None:
        for _ in range(5):
            assert await stream.receive() == b"data"

    with anyio.fail_after(LIMIT):
        client, server = await wrapped(renegotiating, memory_transports(16))
        await both(renegotiate(client), receive(server))
        await close(client, server)


async def test_a_server_asks_while_data_goes_both_ways(renegotiating: Contexts) -> None:
    there, back = text(SIZE), text(SIZE + 1)

    async def send(stream: TLSStream, data: bytes) -> None:
        for start in range(0, len(data), 40_000):
            if start % 400_000 == 0 and stream.connection.context.is_server:
                await stream.renegotiate()
            await stream.send(data[start : start + 40_000])

    async def receive(stream: TLSStream, size: int) -> bytes:
        data = b""
        while len(data) < size:
            data += await stream.receive()
        return data

    with anyio.fail_after(LIMIT):
        async with tcp_transports() as transports:
            client, server = await wrapped(renegotiating, transports)
            finished = client.connection.finished
            results = await both(
                send(client, there), send(server, back), receive(client, len(back)), receive(server, len(there))
            )
            assert results[2:] == [back, there]
            assert client.connection.finished != finished
            await close(client, server)


async def test_a_client_renegotiates_while_a_task_receives_what_the_server_sends(renegotiating: Contexts) -> None:
    data = text(SIZE)

    async def renegotiate(stream: TLSStream) -> None:
        for _ in range(3):
            finished = stream.connection.finished
            try:
                await stream.renegotiate()
            except NotDueError:  # data came while the other task was not in receive(), which goes on
                while not stream.connection.is_handshake_finished or stream.connection.finished == finished:
                    await anyio.lowlevel.checkpoint()
        await stream.send(b"done")

    async def serve(stream: TLSStream) -> None:
        async def listen() -> None:
            assert await stream.receive() == b"done"

        await both(stream.send(data), listen())
        await stream.aclose()

    with anyio.fail_after(LIMIT):
        async with tcp_transports() as transports:
            client, server = await wrapped(renegotiating, transports)
            received, _, _ = await both(read_all(client), renegotiate(client), serve(server))
            assert received == data
            await client.aclose()


async def test_data_that_nobody_receives_has_to_be_received_first(renegotiating: Contexts) -> None:
    with anyio.fail_after(LIMIT):
        client, server = await wrapped(renegotiating, memory_transports(16))
        await server.send(b"on its way")
        with pytest.raises(NotDueError):
            await client.renegotiate()
        assert await client.receive() == b"on its way"

        async def answer() -> None:
            assert await server.receive() == b"there"
            await server.send(b"back")

        async def ask() -> None:
            await client.send(b"there")
            assert await client.receive() == b"back"

        await both(ask(), answer())
        assert client.connection.is_handshake_finished
        await close(client, server)


async def test_a_renegotiation_that_is_cancelled_while_it_waits_goes_on_with_the_next_call(
    renegotiating: Contexts,
) -> None:
    with anyio.fail_after(LIMIT):
        client, server = await wrapped(renegotiating, memory_transports(16))
        with anyio.move_on_after(0.05) as scope:
            await client.renegotiate()
        assert scope.cancelled_caught
        received: list[Any] = await both(client.send(b"data"), server.receive())
        assert received[1] == b"data"
        await close(client, server)


async def test_a_stream_can_be_closed_in_the_middle_of_a_renegotiation(renegotiating: Contexts) -> None:
    with anyio.fail_after(LIMIT):
        client, server = await wrapped(renegotiating, memory_transports(16))
        with anyio.move_on_after(0.05):
            await client.renegotiate()
        assert not client.connection.is_handshake_finished
        await client.aclose()
        await server.aclose()


async def test_a_server_requests_a_certificate(asking: Contexts, mine: pyossl.Credentials) -> None:
    with anyio.fail_after(LIMIT):
        client, server = await wrapped(asking, memory_transports(16))
        await server.request_certificate()
        await server.send(b"who are you?")
        assert await client.receive() == b"who are you?"
        await client.send(b"me")
        assert await server.receive() == b"me"
        assert server.connection.peer_certificate == mine.certificate
        await close(client, server)


async def test_both_streams_have_the_same_channel_binding(contexts: Contexts) -> None:
    with anyio.fail_after(LIMIT):
        client, server = await wrapped(contexts, memory_transports(16))
        assert client.channel_binding() == server.channel_binding()
        assert client.export_keying_material("EXPORTER-x", 32) == server.export_keying_material("EXPORTER-x", 32)
        await close(client, server)


def test_trio_streams_have_the_same_methods(
    contexts: Contexts, asking: Contexts, renegotiating: Contexts, mine: pyossl.Credentials
) -> None:
    async def work() -> None:
        client, server = trio_pairs.streams(*contexts)
        with trio.fail_after(LIMIT):
            await trio_pairs.shake_hands(client, server)
            assert client.channel_binding() == server.channel_binding()
            await trio_pairs.both(
                client.update_keys(request_peer=True), server.receive_some(), client.send_all(b"data")
            )

    with pytest.raises(trio.BusyResourceError):
        trio_pairs.run(work)  # two tasks send

    async def more() -> None:
        client, server = trio_pairs.streams(*asking)
        await trio_pairs.shake_hands(client, server)
        await trio_pairs.both(server.request_certificate(), client.update_keys(request_peer=True))
        await trio_pairs.both(server.send_all(b"who?"), client.receive_some())
        await trio_pairs.both(client.send_all(b"me"), server.receive_some())
        assert server.connection.peer_certificate == mine.certificate
        client, server = trio_pairs.streams(*renegotiating)
        await trio_pairs.shake_hands(client, server)

        async def renegotiate() -> None:
            finished = client.connection.finished
            await client.renegotiate()
            assert client.connection.finished != finished
            await client.send_all(b"done")

        await trio_pairs.both(renegotiate(), server.receive_some())

    trio_pairs.run(more)
