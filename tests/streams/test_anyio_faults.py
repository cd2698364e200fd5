"""pyossl.anyio when something goes wrong, on asyncio and on trio: peers that stall, peers that do not read, new keys
and tickets in the middle of bulk, cancellation at any step."""

from __future__ import annotations

import hashlib
import random
import tracemalloc
from typing import Any

import anyio
import anyio.abc
import anyio.lowlevel
import pytest
from streams.anyio_pairs import (
    LIMIT,
    Contexts,
    both,
    close,
    memory_transports,
    outcome,
    read_all,
    send_both_ways,
    tcp_transports,
    wrapped,
)

import pyossl
from pyossl import lib
from pyossl.anyio import TLSStream
from pyossl.streams import async_stream

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]

RECORD = 16384
SOON = 0.05
"""Seconds: a deadline that is to be missed."""


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def contexts(client_context: pyossl.Context, server_context: pyossl.Context) -> Contexts:
    return client_context, server_context


def text(size: int) -> bytes:
    return random.Random(size).randbytes(size)


async def turns(number: int) -> None:
    for _ in range(number):
        await anyio.lowlevel.checkpoint()


# Peers that stall


async def test_a_deadline_ends_a_handshake_in_which_the_server_stalls(contexts: Contexts) -> None:
    with anyio.fail_after(LIMIT):
        async with tcp_transports() as (first, _):
            with pytest.raises(TimeoutError), anyio.fail_after(SOON):
                await TLSStream.wrap(first, hostname="example.com", ssl_context=contexts[0])


async def test_a_receive_loses_nothing_if_the_peer_stalls_in_the_middle_of_a_record(contexts: Contexts) -> None:
    """Half of a record has come when the first receive is cancelled, and the rest when the third is not."""
    with anyio.fail_after(LIMIT):
        transports = memory_transports(100)
        client, server = await wrapped(contexts, transports)
        await server.send(b"before")
        assert await client.receive() == b"before"
        server.connection.write(b"x" * 1000)
        record = server.connection.data_to_send()
        await transports[1].send(record[:400])
        for _ in range(2):
            with anyio.move_on_after(SOON) as scope:
                await client.receive()
            assert scope.cancelled_caught
        await transports[1].send(record[400:])
        assert await client.receive() == b"x" * 1000
        await close(client, server)


async def test_a_deadline_ends_a_close_if_the_peer_has_no_room_for_the_close_notify(contexts: Contexts) -> None:
    with anyio.fail_after(LIMIT):
        transports = memory_transports()
        client, server = await wrapped(contexts, transports)
        with anyio.move_on_after(SOON) as scope:
            await client.aclose()
        assert scope.cancelled_caught
        with pytest.raises(anyio.ClosedResourceError):
            await transports[0].send(b"x")
        assert isinstance(await outcome(read_all(server)), anyio.BrokenResourceError)
        await server.aclose()


# Back-pressure


async def test_memory_is_bounded_if_the_peer_does_not_read(contexts: Contexts) -> None:
    """A gibibyte is sent over TCP, in one call and one mebibyte at a time."""
    piece = bytes(1 << 20)

    async def offer(stream: TLSStream) -> None:
        for _ in range(1024):
            await stream.send(piece)

    with anyio.fail_after(LIMIT):
        async with tcp_transports() as transports:
            client, _server = await wrapped(contexts, transports)
            tracemalloc.start()
            try:
                with anyio.move_on_after(1) as scope:
                    await offer(client)
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
            assert scope.cancelled_caught
            assert peak < 8 * async_stream.CHUNK


async def test_a_slow_reader_gets_every_byte_and_little_is_kept_for_it(contexts: Contexts) -> None:
    data = text(4 << 20)
    received = hashlib.sha256()

    async def slowly(stream: TLSStream) -> None:
        try:
            while True:
                received.update(await stream.receive(5000))
                await turns(3)
        except anyio.EndOfStream:
            pass

    async def send(stream: TLSStream) -> None:
        await stream.send(data)
        await stream.send_eof()

    with anyio.fail_after(LIMIT):
        async with tcp_transports() as transports:
            client, server = await wrapped(contexts, transports)
            tracemalloc.start()
            try:
                await both(send(client), slowly(server))
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
            assert received.digest() == hashlib.sha256(data).digest()
            assert peak < 8 * async_stream.CHUNK
            await close(client, server)


# New keys and tickets


async def test_new_keys_and_tickets_in_bulk_both_ways_lose_nothing(contexts: Contexts) -> None:
    there, back = text(2 << 20), text((2 << 20) + 1)
    tickets = keys = 0

    async def send(stream: TLSStream, data: bytes) -> None:
        nonlocal tickets, keys
        ssl = stream.connection._c.ssl
        makes_tickets = lib.HAVE_NEW_SESSION_TICKET and stream.connection.context.is_server
        for start in range(0, len(data), 3 * RECORD + 1):
            if makes_tickets and start % 2:
                tickets += lib.SSL_new_session_ticket(ssl)  # OpenSSL begins one of the two at a time
            else:
                keys += lib.SSL_key_update(ssl, lib.SSL_KEY_UPDATE_REQUESTED)
            await stream.send(data[start : start + 3 * RECORD + 1])
        await stream.send_eof()

    await send_both_ways(contexts, send, there, back)
    assert keys > 20
    assert tickets > 10 or not lib.HAVE_NEW_SESSION_TICKET


# Cancellation


async def test_a_receive_that_is_cancelled_at_any_step_loses_no_byte_over_tcp(contexts: Contexts) -> None:
    data = text(300_000)

    async def send(stream: TLSStream) -> None:
        for start in range(0, len(data), 1000):
            assert lib.SSL_key_update(stream.connection._c.ssl, lib.SSL_KEY_UPDATE_REQUESTED) == 1
            await stream.send(data[start : start + 1000])
            await turns(2)
        await stream.send_eof()

    async def receive(stream: TLSStream) -> bytes:
        received, cancelled = bytearray(), 0
        for attempt in range(1_000_000):
            ended = await _receive_for(stream, attempt % 5, received)
            if ended is None:
                break
            cancelled += not ended
        assert cancelled > 10
        return bytes(received)

    with anyio.fail_after(LIMIT):
        async with tcp_transports() as transports:
            client, server = await wrapped(contexts, transports)
            _, received = await both(send(server), receive(client))
            assert received == data
            await close(client, server)


async def _receive_for(stream: TLSStream, steps: int, received: bytearray) -> bool | None:
    """Receives, or is cancelled after ``turns`` turns; whether it received data, None at the end."""
    result: Any = False

    async def receive() -> None:
        nonlocal result
        try:
            received.extend(await stream.receive(700))
            result = True
        except anyio.EndOfStream:
            result = None
        tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(receive)
        await turns(steps)
        tasks.cancel_scope.cancel()
    outcome: bool | None = result
    return outcome


async def test_a_close_that_is_cancelled_at_any_step_closes_the_transport(contexts: Contexts) -> None:
    with anyio.fail_after(LIMIT):
        for step in range(20):
            transports = memory_transports()
            client, server = await wrapped(contexts, transports)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(client.aclose)
                await turns(step)
                tasks.cancel_scope.cancel()
            if step == 0:  # it has not begun
                await anyio.aclose_forcefully(client)
            with pytest.raises(anyio.ClosedResourceError):
                await transports[0].send(b"x")
            with pytest.raises(anyio.ClosedResourceError):
                await client.receive()
            await outcome(read_all(server))
            await server.aclose()


# A buffer of the program's


async def test_a_buffer_cannot_be_resized_while_it_is_being_sent(contexts: Contexts) -> None:
    data = text(4 * async_stream.CHUNK)
    buffer: Any = bytearray(data)

    async def resize() -> None:
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(BufferError):
            buffer.clear()

    with anyio.fail_after(LIMIT):
        client, server = await wrapped(contexts, memory_transports())
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.send, buffer)
            await resize()
            received = b""
            while len(received) < len(data):
                received += await server.receive()
        assert received == data
        buffer.clear()
        await anyio.aclose_forcefully(client)
        await anyio.aclose_forcefully(server)
