"""pyossl.trio and pyossl.anyio after a send that failed: data that the peer sent before is received."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial
from typing import Any

import anyio
import anyio.streams.stapled
import pytest
import trio
from served import SECONDS, tcp_pair
from tls.connection.early_answers import ANSWER, Peer, answer_and_go, send_at_once

import pyossl
import pyossl.anyio
import pyossl.trio
from pyossl import Context

LIMIT = 3 * SECONDS
BAD_RECORD_MAC = 20

Adopt = Callable[[socket.socket], Any]


def trio_stream(sock: socket.socket) -> trio.SocketStream:
    sock.setblocking(False)
    return trio.SocketStream(trio.socket.from_stdlib_socket(sock))


async def send_on(send: Callable[[bytes], Any]) -> None:
    while True:
        await send(bytes(50_000))


async def fail_to_send(send: Callable[[bytes], Any], broken: type[Exception]) -> None:
    """Sends until a send fails; later sends fail too."""
    with pytest.raises(broken):
        await send_on(send)
    with pytest.raises(broken):
        await send(b"x")


async def trio_met(client_context: Context, server_context: Context) -> tuple[Any, Peer]:
    ours, theirs = tcp_pair()
    send_at_once(theirs)
    peer = Peer(server_context, theirs)
    stream = pyossl.trio.TLSStream(trio_stream(ours), client_context, "example.com")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, peer.shake_hands)
        await stream.do_handshake()
    return stream, peer


def test_trio_receives_an_early_answer_after_the_send_that_failed(
    client_context: Context, server_context: Context
) -> None:
    async def main() -> None:
        with trio.fail_after(LIMIT):
            stream, peer = await trio_met(client_context, server_context)
            answer_and_go(peer)
            await fail_to_send(stream.send_all, trio.BrokenResourceError)
            assert await stream.receive_some() == ANSWER
            assert await stream.receive_some() == b""
            await fail_to_send(stream.send_all, trio.BrokenResourceError)
            for call in (stream.wait_send_all_might_not_block, stream.send_eof, stream.unwrap):
                with pytest.raises(trio.BrokenResourceError):
                    await call()
            await stream.aclose()

    trio.run(main)


def test_trio_raises_the_alert_after_the_data(client_context: Context, server_context: Context) -> None:
    async def main() -> None:
        with trio.fail_after(LIMIT):
            stream, peer = await trio_met(client_context, server_context)
            peer.send(ANSWER)
            peer.send_alert()
            peer.reset()
            await fail_to_send(stream.send_all, trio.BrokenResourceError)
            assert await stream.receive_some() == ANSWER
            for _ in range(2):
                with pytest.raises(trio.BrokenResourceError) as caught:
                    await stream.receive_some()
                assert isinstance(caught.value.__cause__, pyossl.AlertError)
            await stream.aclose()

    trio.run(main)


def test_trio_raises_the_alert_that_came_before_its_handshake_could_be_sent(client_context: Context) -> None:
    async def main() -> None:
        with trio.fail_after(LIMIT):
            ours, theirs = tcp_pair()
            theirs.sendall(bytes([0x15, 3, 3, 0, 2, 2, BAD_RECORD_MAC]))
            theirs.shutdown(socket.SHUT_WR)
            ours.sendall(b"unread")
            theirs.close()
            stream = pyossl.trio.TLSStream(trio_stream(ours), client_context, "example.com")
            with pytest.raises(trio.BrokenResourceError) as caught:
                await stream.do_handshake()
            assert isinstance(caught.value.__cause__, pyossl.AlertError)
            await stream.aclose()

    trio.run(main)


def test_trio_ends_a_handshake_that_cannot_be_sent_if_no_alert_comes(client_context: Context) -> None:
    async def main() -> None:
        with trio.fail_after(LIMIT):
            ours, theirs = tcp_pair()
            ours.shutdown(socket.SHUT_WR)
            stream = pyossl.trio.TLSStream(trio_stream(ours), client_context, "example.com")
            with theirs, pytest.raises(trio.BrokenResourceError):
                await stream.do_handshake()
            await stream.aclose()

    trio.run(main)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_anyio_receives_an_early_answer_after_the_send_that_failed(
    backend: str, client_context: Context, server_context: Context
) -> None:
    """Over a transport that returns the data that it has received; anyio's own on asyncio drops it at a failure."""

    async def main() -> None:
        with anyio.fail_after(LIMIT):
            to_server, from_client = anyio.create_memory_object_stream[bytes](10)
            to_client, from_server = anyio.create_memory_object_stream[bytes](10)
            ours = anyio.streams.stapled.StapledObjectStream(to_server, from_server)
            theirs = anyio.streams.stapled.StapledObjectStream(to_client, from_client)
            both: dict[str, pyossl.anyio.TLSStream] = {}

            async def wrap(side: str, transport: Any, **options: Any) -> None:
                both[side] = await pyossl.anyio.TLSStream.wrap(transport, **options)

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(partial(wrap, "client", ours, ssl_context=client_context, hostname="example.com"))
                tasks.start_soon(partial(wrap, "server", theirs, ssl_context=server_context))
            client, server = both["client"], both["server"]
            await server.send(ANSWER)
            await server.send_eof()
            await from_client.aclose()
            await fail_to_send(client.send, anyio.BrokenResourceError)
            assert await client.receive() == ANSWER
            with pytest.raises(anyio.EndOfStream):
                await client.receive()
            await client.aclose()
            await server.aclose()

    anyio.run(main, backend=backend)
