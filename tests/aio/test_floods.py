"""Peers that send any number of records without data, and peers that do not read the answers.

A turn of the loop takes a bounded part of such a flood, so that other tasks go on.  The memory for a peer that reads
nothing is bounded too.  The tests count turns and not seconds, because machines differ.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any

import pytest
import served
from looped import Run, close, port_of, until
from marks import needs
from served import SECONDS, Task

import pyossl
import pyossl.aio
from pyossl import Options, Version, lib
from pyossl.aio.event_loop import has_descriptors

HOST = "127.0.0.1"
KEPT = 256 * 1024
"""The most bytes of answers that are kept for a peer that does not read, without those in the kernel's buffers."""
A_TURN = 64 * 1024
"""The most bytes without data that a turn of the loop takes.

Off a descriptor it is twice as many: two steps may be due, one of them because of the descriptor.
"""


@pytest.fixture(params=["own", "over"])
def over(request: pytest.FixtureRequest) -> bool:
    """Whether TLS runs over a plain stream (``open_over``), or over the loop's own connection."""
    return request.param == "over"


class Peer:
    """The other end, in a thread: a connection in memory, whose bytes the test sends and receives."""

    def __init__(self, sock: socket.socket, context: pyossl.Context) -> None:
        self.sock = sock
        self.sock.settimeout(SECONDS)
        self.tls = pyossl.Connection(context, None if context.is_server else "localhost")

    def shake_hands(self) -> None:
        while self.tls.handshake() is not None:
            self.send()
            self.tls.receive_data(self.sock.recv(65536))
        self.send()

    def send(self) -> None:
        if data := self.tls.data_to_send():
            self.sock.sendall(data)

    def drain(self) -> None:
        """Reads and drops the answers until the end."""
        with contextlib.suppress(OSError):
            while self.sock.recv(1 << 20):
                pass


def update_keys(tls: pyossl.Connection, how: int) -> bytes:
    """Straight through ``lib``: half of the time would be the connection's methods."""
    ssl = tls._c.ssl
    for _ in range(15_000):
        assert lib.SSL_key_update(ssl, how) == 1
        assert lib.SSL_do_handshake(ssl) == 1
    return tls.data_to_send()


def key_updates(tls: pyossl.Connection) -> bytes:
    return update_keys(tls, lib.SSL_KEY_UPDATE_NOT_REQUESTED)


def key_updates_with_request(tls: pyossl.Connection) -> bytes:
    return update_keys(tls, lib.SSL_KEY_UPDATE_REQUESTED)


def tickets(tls: pyossl.Connection) -> bytes:
    for _ in range(2000):
        assert tls.call(lib.SSL_new_session_ticket) == 1
        assert tls.handshake() is None
    return tls.data_to_send()


def hello_requests(tls: pyossl.Connection) -> bytes:
    for _ in range(15_000):
        assert lib.SSL_renegotiate(tls._c.ssl) == 1
        lib.SSL_do_handshake(tls._c.ssl)
    return tls.data_to_send()


Flood = Callable[[pyossl.Connection], bytes]


async def turns_of_a_flood(reader: asyncio.StreamReader, peer: Peer, flood: bytes) -> int:
    """The number of turns of the loop until the line after a flood is read.  The whole flood is sent first."""
    turns = 0
    sent = _sent_at_once(peer.sock, flood)
    rest = Task(lambda: (peer.sock.sendall(memoryview(flood)[sent:]), peer.drain()))
    line = asyncio.ensure_future(reader.readline())
    while not line.done():
        turns += 1
        await asyncio.sleep(0)
    assert await line == b"here I am\n"
    peer.sock.shutdown(socket.SHUT_RDWR)
    rest.result()
    return turns


def least_turns(flood: bytes, over: bool) -> int:
    by_descriptor = not over and has_descriptors(asyncio.get_running_loop())
    return len(flood) // (2 * A_TURN if by_descriptor else A_TURN)


def _sent_at_once(sock: socket.socket, data: bytes) -> int:
    """Fills the kernel's buffers.  The loop does not run meanwhile."""
    sent = 0
    sock.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while sent < len(data):
            sent += sock.send(memoryview(data)[sent:])
    sock.settimeout(SECONDS)
    return sent


async def a_client_floods(context: pyossl.Context, client: pyossl.Context, flood: Flood, over: bool) -> tuple[int, int]:
    """The number of turns that a server takes for a client's flood, and the least number that is correct."""
    result: asyncio.Future[tuple[int, int]] = asyncio.get_running_loop().create_future()
    peers: list[Peer] = []

    async def serve(reader: Any, writer: Any) -> None:
        if over:
            reader, writer = await pyossl.aio.open_over(writer, context)
        try:
            writer.write(b"welcome\n")
            await until(lambda: peers)
            data = flood(peers[0].tls) + bytes(peers[0].tls.encrypt(b"here I am\n"))  # type: ignore[arg-type]
            result.set_result((await turns_of_a_flood(reader, peers[0], data), least_turns(data, over)))
        except BaseException as error:
            result.set_exception(error)
        writer.transport.abort()

    def visit(port: int) -> Peer:
        peer = Peer(socket.create_connection((HOST, port), SECONDS), client)
        peer.shake_hands()
        return peer

    if over:
        server: Any = await asyncio.start_server(serve, HOST, 0)
    else:
        server = await pyossl.aio.start_server(serve, HOST, 0, ssl=context)
    visitor = Task(lambda: peers.append(visit(port_of(server))))
    turns = await result
    visitor.result()
    peers[0].sock.close()
    server.close()
    await server.wait_closed()
    return turns


async def a_server_floods(context: pyossl.Context, server: pyossl.Context, flood: Flood, over: bool) -> tuple[int, int]:
    """Like ``a_client_floods``, with the roles exchanged."""
    with socket.create_server((HOST, 0)) as listener:
        listener.settimeout(SECONDS)

        def serve() -> Peer:
            peer = Peer(listener.accept()[0], server)
            peer.shake_hands()
            return peer

        served = Task(serve)
        address = listener.getsockname()
        if over:
            _, plain = await asyncio.open_connection(*address)
            reader, writer = await pyossl.aio.open_over(plain, context, server_hostname="localhost")
        else:
            reader, writer = await pyossl.aio.open_connection(*address, ssl=context, server_hostname="localhost")
        peer = served.result()
        data = flood(peer.tls) + bytes(peer.tls.encrypt(b"here I am\n"))  # type: ignore[arg-type]
        turns = await turns_of_a_flood(reader, peer, data)
        peer.sock.close()
        writer.transport.abort()
        with contextlib.suppress(pyossl.Error, OSError):
            await writer.wait_closed()
    return turns, least_turns(data, over)


# Turns


@pytest.mark.parametrize("flood", [key_updates, key_updates_with_request])
def test_the_loop_turns_while_a_client_floods_its_server(
    run: Run, client_context: pyossl.Context, server_context: pyossl.Context, flood: Flood, over: bool
) -> None:
    turns, least = run(a_client_floods(server_context, client_context, flood, over))
    assert turns >= least


@pytest.mark.parametrize("flood", [key_updates, key_updates_with_request])
def test_the_loop_turns_while_a_server_floods_its_client(
    run: Run, client_context: pyossl.Context, server_context: pyossl.Context, flood: Flood, over: bool
) -> None:
    turns, least = run(a_server_floods(client_context, server_context, flood, over))
    assert turns >= least


@needs("new_session_ticket")
def test_the_loop_turns_while_a_server_floods_its_client_with_tickets(
    run: Run, client_context: pyossl.Context, server_context: pyossl.Context, over: bool
) -> None:
    turns, least = run(a_server_floods(client_context, server_context, tickets, over))
    assert turns >= least


def test_the_loop_turns_while_a_client_refuses_one_renegotiation_after_the_other(
    run: Run, authority: pyossl.Authority, credentials: pyossl.Credentials, over: bool
) -> None:
    client = pyossl.Context.client(trust=authority.certificate, maximum_version=Version.TLSv1_2)
    server = pyossl.Context.server((credentials.certificate, *credentials.chain), credentials.private_key)
    server.options &= ~Options.NO_RENEGOTIATION
    turns, least = run(a_server_floods(client, server, hello_requests, over))
    assert turns >= least


# Memory


def test_a_peer_that_asks_for_answers_and_reads_none_is_not_read_any_more(
    run: Run, client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    """Over a transport: its buffer stops growing.  When the peer reads, everything goes on."""
    peers: list[Peer] = []
    most: list[int] = []
    goes_on: list[bool] = []

    async def serve(reader: Any, writer: Any) -> None:
        plain = writer.transport
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        reader, writer = await pyossl.aio.open_over(writer, server_context)
        line = asyncio.ensure_future(reader.readline())
        while plain.get_write_buffer_size() <= KEPT and (plain.is_reading() or plain.get_write_buffer_size() < 65536):
            await asyncio.sleep(0)
        for _ in range(100):
            most.append(plain.get_write_buffer_size())
            await asyncio.sleep(0)
        goes_on.append(True)
        assert await line == b"here I am\n"
        writer.write(b"and you\n")
        writer.transport.close()
        with contextlib.suppress(pyossl.Error, OSError):
            await writer.wait_closed()

    def visit(port: int) -> bytes:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect((HOST, port))
        with sock:
            peer = Peer(sock, client_context)
            peer.shake_hands()
            peers.append(peer)
            data = key_updates_with_request(peer.tls) + bytes(peer.tls.encrypt(b"here I am\n"))  # type: ignore[arg-type]
            sender = Task(lambda: sock.sendall(data))
            served.until(lambda: goes_on)
            answer: Any = None
            while answer is None or isinstance(answer, pyossl.Want):
                answer = peer.tls.decrypt(sock.recv(65536))
            sender.result()
            return bytes(answer)

    async def main() -> None:
        server = await asyncio.start_server(serve, HOST, 0)
        visitor = Task(lambda: visit(port_of(server)))
        await asyncio.get_running_loop().run_in_executor(None, visitor.result, SECONDS)
        assert visitor.result() == b"and you\n"
        server.close()
        await server.wait_closed()

    run(main())
    assert max(most) <= KEPT


def test_two_peers_that_write_much_before_they_read_do_not_wait_for_each_other(
    run: Run, client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    """Over transports with small buffers, and with requests for new keys in between."""
    piece, count = bytes(range(256)) * 256, 60

    async def talk(reader: Any, writer: Any) -> None:
        ssl = writer.get_extra_info("connection")._c.ssl
        for _ in range(count):
            if not writer.transport.get_write_buffer_size():
                lib.SSL_key_update(ssl, lib.SSL_KEY_UPDATE_REQUESTED)
            writer.write(piece)
            await asyncio.sleep(0)
        writer.write_eof()
        assert await reader.read() == piece * count
        await writer.drain()

    async def serve(reader: Any, writer: Any) -> None:
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        reader, writer = await pyossl.aio.open_over(writer, server_context)
        await talk(reader, writer)
        await close(writer)

    async def main() -> None:
        server = await asyncio.start_server(serve, HOST, 0)
        reader, writer = await asyncio.open_connection(HOST, port_of(server))
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        reader, writer = await pyossl.aio.open_over(writer, client_context, server_hostname="localhost")
        await talk(reader, writer)
        await close(writer)
        server.close()
        await server.wait_closed()

    run(main())
