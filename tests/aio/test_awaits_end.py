"""Every await of the streams ends with a result or an exception, also where the transport is closed or lost."""

from __future__ import annotations

import asyncio
import contextlib
import io
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any

import looped
import pytest
from looped import Run, port_of, until

import pyossl
import pyossl.aio

HOST = "127.0.0.1"
BOUND = 30.0
"""An await that should end at once must end within these seconds, also while the others of a test do."""
LIMITS: dict[str, Any] = {"ssl_handshake_timeout": 0.5, "ssl_shutdown_timeout": 0.2}


async def ends(work: Awaitable[Any]) -> Any:
    """The result of an await, or its exception.  The test fails if the await does not end."""
    task = asyncio.ensure_future(work)
    done, _ = await asyncio.wait([task], timeout=BOUND)
    if not done:
        task.cancel()
        await asyncio.wait([task])
        raise AssertionError(f"{work!r} has not ended after {BOUND:g} s")
    return task.exception() or task.result()


class Peer:
    """The other end of the connection, which the test controls."""

    def __init__(self) -> None:
        self.arrived = asyncio.Event()
        self.writer: Any = None
        self.reader: Any = None

    async def serve(self, reader: Any, writer: Any) -> None:
        self.reader, self.writer = reader, writer
        self.arrived.set()

    def reset(self) -> None:
        if self.writer.transport.is_closing():
            return
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


# The ways in which a connection ends

State = Callable[[Peer, Any, Any], Awaitable[None]]


async def closing(peer: Peer, reader: Any, writer: Any) -> None:
    """close() waits for the write buffer, which cannot be sent because the peer does not read."""
    writer.write(bytes(1 << 24))
    writer.close()


async def closed(peer: Peer, reader: Any, writer: Any) -> None:
    writer.close()
    peer.writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def aborted(peer: Peer, reader: Any, writer: Any) -> None:
    writer.transport.abort()


async def aborted_before(peer: Peer, reader: Any, writer: Any) -> None:
    writer.transport.abort()
    await asyncio.sleep(0.01)


async def reset(peer: Peer, reader: Any, writer: Any) -> None:
    peer.reset()
    await until(writer.transport.is_closing)


async def lost(peer: Peer, reader: Any, writer: Any) -> None:
    await reset(peer, reader, writer)
    await asyncio.sleep(0.01)


async def cut_short(peer: Peer, reader: Any, writer: Any) -> None:
    peer.writer.transport.abort()
    await until(lambda: writer.transport.is_closing() or reader.at_eof())


async def closed_by_peer(peer: Peer, reader: Any, writer: Any) -> None:
    peer.writer.close()
    await until(lambda: writer.transport.is_closing() or reader.at_eof())


async def closed_by_peer_in_an_await(peer: Peer, reader: Any, writer: Any) -> None:
    asyncio.get_running_loop().call_later(0.05, peer.writer.close)


async def reset_in_an_await(peer: Peer, reader: Any, writer: Any) -> None:
    asyncio.get_running_loop().call_later(0.05, peer.reset)


async def aborted_in_an_await(peer: Peer, reader: Any, writer: Any) -> None:
    asyncio.get_running_loop().call_later(0.05, writer.transport.abort)


STATES: list[State] = [
    closing,
    closed,
    aborted,
    aborted_before,
    reset,
    lost,
    cut_short,
    closed_by_peer,
    closed_by_peer_in_an_await,
    reset_in_an_await,
    aborted_in_an_await,
]

# The awaits

Wait = Callable[[Any, Any, pyossl.Context], Awaitable[Any]]


async def start_tls(reader: Any, writer: Any, context: pyossl.Context) -> None:
    protocol = writer.transport.get_protocol() or asyncio.Protocol()
    await pyossl.aio.start_tls(writer.transport, protocol, context, server_hostname="localhost", **LIMITS)


async def start_tls_for_another_protocol(reader: Any, writer: Any, context: pyossl.Context) -> None:
    await pyossl.aio.start_tls(writer.transport, asyncio.Protocol(), context, server_hostname="localhost", **LIMITS)


async def open_over(reader: Any, writer: Any, context: pyossl.Context) -> None:
    await pyossl.aio.open_over(writer, context, server_hostname="localhost", **LIMITS)


async def open_over_and_the_end_of_what_is_below(reader: Any, writer: Any, context: pyossl.Context) -> None:
    with contextlib.suppress(OSError, pyossl.Error):
        await open_over(reader, writer, context)
    writer.transport.abort()  # a plain transport that closes waits for its peer without a time limit
    with contextlib.suppress(OSError, pyossl.Error):
        await reader.read()
    await writer.wait_closed()


async def writer_start_tls(reader: Any, writer: Any, context: pyossl.Context) -> None:
    await writer.start_tls(context, server_hostname="localhost", **LIMITS)


async def writer_start_tls_and_its_end(reader: Any, writer: Any, context: pyossl.Context) -> None:
    with contextlib.suppress(OSError, pyossl.Error):
        await writer_start_tls(reader, writer, context)
    writer.close()
    await writer.wait_closed()


async def read(reader: Any, writer: Any, context: pyossl.Context) -> None:
    await reader.read(100)


async def read_to_the_end(reader: Any, writer: Any, context: pyossl.Context) -> None:
    await reader.read()


async def readexactly(reader: Any, writer: Any, context: pyossl.Context) -> None:
    await reader.readexactly(100)


async def readexactly_straight(reader: Any, writer: Any, context: pyossl.Context) -> None:
    await reader.readexactly(1 << 20)


async def readline(reader: Any, writer: Any, context: pyossl.Context) -> None:
    await reader.readline()


async def readuntil(reader: Any, writer: Any, context: pyossl.Context) -> None:
    await reader.readuntil(b"end")


async def drain(reader: Any, writer: Any, context: pyossl.Context) -> None:
    writer.write(bytes(100))
    await writer.drain()


async def drain_much(reader: Any, writer: Any, context: pyossl.Context) -> None:
    if not writer.transport.is_closing():
        writer.write(bytes(1 << 24))
    await writer.drain()


async def write_eof_and_read(reader: Any, writer: Any, context: pyossl.Context) -> None:
    with contextlib.suppress(OSError):
        writer.write_eof()
    await reader.read()


async def wait_closed(reader: Any, writer: Any, context: pyossl.Context) -> None:
    writer.close()
    await writer.wait_closed()


async def sendfile(reader: Any, writer: Any, context: pyossl.Context) -> None:
    loop = asyncio.get_running_loop()
    if type(loop).sendfile is not asyncio.AbstractEventLoop.sendfile:  # uvloop has none
        await loop.sendfile(writer.transport, io.BytesIO(bytes(1 << 24)), fallback=True)


UPGRADES: list[Wait] = [
    start_tls,
    start_tls_for_another_protocol,
    open_over,
    open_over_and_the_end_of_what_is_below,
]
WAITS: list[Wait] = [
    *UPGRADES,
    writer_start_tls,
    writer_start_tls_and_its_end,
    read,
    read_to_the_end,
    readexactly,
    readexactly_straight,
    readline,
    readuntil,
    drain,
    drain_much,
    write_eof_and_read,
    wait_closed,
    sendfile,
]


async def _tried(peer: Peer, reader: Any, writer: Any, state: State, wait: Wait, context: pyossl.Context) -> None:
    await peer.arrived.wait()
    try:
        await state(peer, reader, writer)
        outcome = await ends(wait(reader, writer, context))
        assert outcome is None or isinstance(outcome, (OSError, EOFError, pyossl.Error, RuntimeError, ValueError))
    finally:
        writer.transport.abort()
        peer.writer.transport.abort()
        await asyncio.sleep(0.01)


async def all_at_once(waits: list[Wait], tried: Callable[[Wait], Awaitable[None]]) -> None:
    """Tries each wait, over a connection of its own, while the others wait.  An error is raised when all have ended."""
    for error in await asyncio.gather(*map(tried, waits), return_exceptions=True):
        if error is not None:
            raise error


@pytest.mark.parametrize("state", STATES)
def test_every_upgrade_of_a_plain_transport_ends(run: Run, client_context: pyossl.Context, state: State) -> None:
    async def tried(wait: Wait) -> None:
        peer = Peer()
        server = await asyncio.start_server(peer.serve, HOST, 0)
        try:
            reader, writer = await asyncio.open_connection(HOST, port_of(server))
            await _tried(peer, reader, writer, state, wait, client_context)
        finally:
            server.close()

    run(all_at_once(UPGRADES, tried))


@pytest.mark.parametrize("state", STATES)
def test_every_await_of_a_tls_stream_ends(
    run: Run, client_context: pyossl.Context, server_context: pyossl.Context, state: State
) -> None:
    async def tried(wait: Wait) -> None:
        peer = Peer()
        options: dict[str, Any] = {"ssl_shutdown_timeout": 0.2}
        server = await pyossl.aio.start_server(peer.serve, HOST, 0, ssl=server_context, **options)
        try:
            reader, writer = await pyossl.aio.open_connection(HOST, port_of(server), ssl=client_context, **options)
            await _tried(peer, reader, writer, state, wait, client_context)
        finally:
            server.close()
        assert await ends(server.wait_closed()) is None

    run(all_at_once(WAITS, tried))


def test_a_plain_stream_s_tasks_see_the_end_of_the_transport_that_tls_has_taken(
    run: Run, client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    async def serve(reader: Any, writer: Any) -> None:
        await looped.echo(*await pyossl.aio.open_over(writer, server_context))

    async def main() -> None:
        server = await asyncio.start_server(serve, HOST, 0)
        plain_reader, plain = await asyncio.open_connection(HOST, port_of(server))
        reading = asyncio.ensure_future(plain_reader.read())
        await asyncio.sleep(0)
        _, writer = await pyossl.aio.open_over(plain, client_context, server_hostname="localhost")
        await looped.close(writer)
        assert await ends(reading) == b""
        assert await ends(plain.wait_closed()) is None
        server.close()

    run(main())


def test_a_plain_writer_that_waits_for_room_does_not_wait_for_ever_when_tls_takes_its_transport(
    run: Run, client_context: pyossl.Context
) -> None:
    async def main() -> None:
        peer = Peer()
        server = await asyncio.start_server(peer.serve, HOST, 0, limit=1)
        reader, plain = await asyncio.open_connection(HOST, port_of(server))
        await peer.arrived.wait()
        plain.write(bytes(1 << 24))
        draining = asyncio.ensure_future(plain.drain())
        await asyncio.sleep(0.01)
        assert not draining.done()
        assert isinstance(await ends(open_over(reader, plain, client_context)), OSError)
        assert await ends(draining) is None
        peer.writer.transport.abort()
        server.close()
        await asyncio.sleep(0.01)

    run(main())


def test_tls_twice_over_one_transport_is_refused(run: Run, client_context: pyossl.Context) -> None:
    """The first TLS transport would get nothing more from the transport below."""

    async def main() -> None:
        peer = Peer()
        server = await asyncio.start_server(peer.serve, HOST, 0)
        reader, plain = await asyncio.open_connection(HOST, port_of(server))
        first = asyncio.ensure_future(open_over(reader, plain, client_context))
        await asyncio.sleep(0)
        with pytest.raises(pyossl.UsageError):
            await open_over(reader, plain, client_context)
        assert isinstance(await ends(first), OSError)
        await peer.arrived.wait()
        peer.writer.transport.abort()
        server.close()
        await asyncio.sleep(0.01)

    run(main())


class Forgetful(asyncio.Transport):
    """A transport that never calls ``connection_lost``."""

    def __init__(self) -> None:
        super().__init__()
        self._protocol: asyncio.BaseProtocol = asyncio.Protocol()
        self.is_aborted = False

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def write(self, data: Any) -> None: ...

    def close(self) -> None: ...

    def abort(self) -> None:
        self.is_aborted = True


def test_a_transport_that_never_says_that_it_is_lost_is_given_up(run: Run, client_context: pyossl.Context) -> None:
    async def main() -> None:
        below = Forgetful()
        work = pyossl.aio.start_tls(below, asyncio.Protocol(), client_context, server_hostname="localhost", **LIMITS)
        assert isinstance(await ends(work), ConnectionAbortedError)
        assert below.is_aborted

    run(main())
