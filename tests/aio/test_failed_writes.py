"""After a failed write, the bytes that the peer has sent are delivered.  Then the connection is lost."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import looped
import pytest
from looped import Run
from served import SECONDS
from tls.connection.early_answers import ANSWER, Inside, Peer, answer_and_go, send_at_once

import pyossl
import pyossl.aio
from pyossl import Context

HOST = "127.0.0.1"


@pytest.fixture
def selector_run() -> Iterator[Run]:
    yield from looped.running("asyncio")


async def in_thread(work: Callable[[], Any], meanwhile: Coroutine[Any, Any, Any]) -> Any:
    done = asyncio.get_running_loop().run_in_executor(None, work)
    result = await meanwhile
    await done
    return result


def accepted(listener: socket.socket) -> socket.socket:
    sock, _ = listener.accept()
    sock.settimeout(SECONDS)
    send_at_once(sock)
    return sock


Meet = Callable[..., Any]


@pytest.fixture
def meet(client_context: Context, server_context: Context) -> Meet:
    """Opens a connection to a peer: a reader, a writer, the peer."""

    async def met(**options: Any) -> Any:
        peers: list[Peer] = []
        with socket.create_server((HOST, 0)) as listener:

            def serve() -> None:
                peers.append(Peer(server_context, accepted(listener)))
                peers[0].shake_hands()

            port = listener.getsockname()[1]
            opening = pyossl.aio.open_connection(
                HOST, port, ssl=client_context, server_hostname="example.com", **options
            )
            reader, writer = await in_thread(serve, opening)
        return reader, writer, peers[0]

    return met


async def lost(writer: pyossl.aio.StreamWriter) -> None:
    """Closes the writer.  Returns the exception with which the connection was lost."""
    writer.close()
    with pytest.raises(ConnectionError):
        await writer.wait_closed()


async def write_and_drain(writer: pyossl.aio.StreamWriter) -> None:
    while True:
        writer.write(bytes(50_000))
        await writer.drain()
        await asyncio.sleep(0)  # a drain that need not wait does not let the loop run


async def written_to_the_end(writer: pyossl.aio.StreamWriter) -> None:
    with pytest.raises(ConnectionError):
        await write_and_drain(writer)


def test_an_early_answer_is_read_after_the_write_that_failed(run: Run, meet: Meet) -> None:
    async def main() -> None:
        reader, writer, peer = await meet()
        answer_and_go(peer)  # the loop does not run meanwhile, and has read nothing
        await written_to_the_end(writer)
        assert await reader.read() == ANSWER
        with pytest.raises(ConnectionError):
            await writer.drain()
        await lost(writer)

    run(main())


def test_bytes_for_a_slow_reader_are_kept(run: Run, meet: Meet) -> None:
    """The transport is paused when the write fails."""

    async def main() -> None:
        reader, writer, peer = await meet(limit=1000)
        answer = bytes(range(256)) * 125
        for start in range(0, len(answer), 6400):
            peer.send(answer[start : start + 6400])
            await asyncio.sleep(0)
        answer_and_go(peer, b"")
        await written_to_the_end(writer)
        assert writer.transport.is_closing()
        assert await reader.read() == answer
        await lost(writer)

    run(main())


def test_no_close_notify_is_an_exception_after_the_data(run: Run, meet: Meet) -> None:
    async def main() -> None:
        reader, writer, peer = await meet()
        answer_and_go(peer, ends=False)
        await written_to_the_end(writer)
        assert await reader.readexactly(len(ANSWER)) == ANSWER
        with pytest.raises(ConnectionError):
            await reader.read(1)
        await lost(writer)

    run(main())


def test_an_alert_behind_the_data_is_what_the_connection_is_lost_by(run: Run, meet: Meet) -> None:
    async def main() -> None:
        reader, writer, peer = await meet()
        peer.send(ANSWER)
        peer.send_alert()
        peer.reset()
        await written_to_the_end(writer)
        assert await reader.readexactly(len(ANSWER)) == ANSWER
        with pytest.raises(pyossl.AlertError):
            await reader.read(1)
        writer.close()
        with pytest.raises(pyossl.AlertError):
            await writer.wait_closed()

    run(main())


def test_a_drain_that_waits_ends_when_the_write_fails(run: Run, meet: Meet) -> None:
    async def main() -> None:
        reader, writer, peer = await meet()
        writer.write(bytes(30_000_000))
        drain = asyncio.ensure_future(writer.drain())
        await asyncio.sleep(0)
        peer.send(ANSWER)
        peer.reset()
        with pytest.raises(ConnectionError):
            await drain
        assert await reader.read(1000) == ANSWER
        await lost(writer)

    run(main())


def test_closing_after_a_write_that_failed_does_not_wait(run: Run, meet: Meet) -> None:
    async def main() -> None:
        _, writer, peer = await meet()
        answer_and_go(peer)
        await written_to_the_end(writer)
        await lost(writer)

    run(main())


class Recording(asyncio.Protocol):
    def __init__(self) -> None:
        self.told: list[Any] = []
        self.lost = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self.told.append(data)

    def eof_received(self) -> bool:
        self.told.append("the end")
        return True

    def connection_lost(self, exc: BaseException | None) -> None:
        self.told.append(type(exc))
        self.lost.set_result(None)


def test_a_protocol_is_told_the_data_the_end_and_the_failure_in_that_order(
    run: Run, client_context: Context, server_context: Context
) -> None:
    async def main() -> None:
        peers: list[Peer] = []
        with socket.create_server((HOST, 0)) as listener:

            def serve() -> None:
                peers.append(Peer(server_context, accepted(listener)))
                peers[0].shake_hands()

            port = listener.getsockname()[1]
            opening = pyossl.aio.create_connection(
                Recording, HOST, port, ssl=client_context, server_hostname="example.com"
            )
            transport, protocol = await in_thread(serve, opening)
        answer_and_go(peers[0])
        while not transport.is_closing():
            transport.write(bytes(50_000))
            await asyncio.sleep(0)
        await protocol.lost
        assert protocol.told[:2] == [ANSWER, "the end"]
        assert issubclass(protocol.told[2], ConnectionError)

    run(main())


def test_over_a_plain_transport_of_asyncio_the_answer_is_read(
    selector_run: Run, client_context: Context, server_context: Context
) -> None:
    """asyncio's transport stops reading when a write fails, and closes its socket."""

    async def main() -> None:
        with socket.create_server((HOST, 0)) as listener:
            port = listener.getsockname()[1]
            _, plain = await asyncio.open_connection(HOST, port)
            peer = Peer(server_context, accepted(listener))
        opening = pyossl.aio.open_over(plain, client_context, server_hostname="example.com")
        reader, writer = await in_thread(peer.shake_hands, opening)
        answer_and_go(peer)
        await written_to_the_end(writer)
        assert await reader.read() == ANSWER
        await lost(writer)

    selector_run(main())


def test_inside_another_tls_the_answer_is_read(
    run: Run, meet: Meet, client_context: Context, server_context: Context
) -> None:
    async def main() -> None:
        reader, writer, outer = await meet()
        inner = Peer(server_context, Inside(outer))
        await in_thread(inner.shake_hands, writer.start_tls(client_context, server_hostname="example.com"))
        inner.send(ANSWER)
        inner.end()
        outer.end()
        outer.reset()
        await written_to_the_end(writer)
        assert await reader.read() == ANSWER
        await lost(writer)

    run(main())
