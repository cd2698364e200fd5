"""Faults: peers that stall, vanish or flood, tasks that are cancelled, loops that end."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import os
import socket
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import looped
import pytest
from looped import Run, close, port_of, until
from served import Task, child_that_does

import pyossl
import pyossl.aio
from pyossl import lib

HOST = "127.0.0.1"
SOON = 0.2
"""A time limit in seconds, which the test exceeds."""


Start = Callable[..., Any]


Opener = Callable[..., Any]


# Peers that stall


def test_a_server_that_stalls_in_the_handshake_is_given_up(run: Run, client_context: pyossl.Context) -> None:
    async def main() -> None:
        slow = pytest.raises(ConnectionAbortedError, match=r"handshake is taking longer")
        with socket.create_server((HOST, 0)) as silent, slow:
            port = silent.getsockname()[1]
            await pyossl.aio.open_connection(HOST, port, ssl=client_context, ssl_handshake_timeout=SOON)

    run(main())


@pytest.mark.parametrize("begun", [b"", b"\x16\x03\x01\x02\x00\x01"], ids=["silent", "in the middle of a record"])
def test_clients_that_stall_in_the_handshake_delay_no_others_and_are_dropped(
    run: Run, start: Start, connect: Opener, begun: bytes
) -> None:
    async def main() -> None:
        async with await start(ssl_handshake_timeout=10) as server:
            stalled = [socket.create_connection((HOST, port_of(server))) for _ in range(20)]
            for sock in stalled:
                sock.sendall(begun)
            reader, writer = await connect(server)
            writer.write(b"hello\n")
            assert await reader.readline() == b"hello\n"
            await close(writer)
            for sock in stalled:
                sock.close()
        async with await start(ssl_handshake_timeout=SOON) as server:
            with socket.create_connection((HOST, port_of(server))) as sock:
                sock.sendall(begun)
                sock.setblocking(False)
                assert await asyncio.get_running_loop().sock_recv(sock, 100) == b""

    run(main())


def test_a_peer_that_stalls_in_the_middle_of_a_record_costs_a_cancelled_read_nothing(
    run: Run, client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    with socket.create_server((HOST, 0)) as listener:
        finish = Task(lambda: _send_half_a_record(listener, server_context))

        async def main() -> None:
            reader, writer = await pyossl.aio.open_connection(
                HOST, listener.getsockname()[1], ssl=client_context, server_hostname="localhost"
            )
            for _ in range(3):
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(reader.readexactly(1), SOON)
            writer.write(b"go on\n")
            assert await reader.readexactly(16_000) == b"x" * 16_000
            assert await reader.read() == b""
            await close(writer)

        run(main())
        finish.result()


def _send_half_a_record(listener: socket.socket, context: pyossl.Context) -> None:
    sock, _ = listener.accept()
    with sock:
        tls = pyossl.Connection(context)
        while tls.handshake() is not None:
            sock.sendall(tls.data_to_send())
            tls.receive_data(sock.recv(65536))
        tls.write(b"x" * 16_000)
        record = tls.data_to_send()
        sock.sendall(record[:9_000])
        while tls.read() is pyossl.Want.READ:  # until the client allows it
            tls.receive_data(sock.recv(65536))
        sock.sendall(record[9_000:])
        tls.shutdown()
        sock.sendall(tls.data_to_send())
        while sock.recv(65536):
            pass


def test_a_peer_that_never_answers_a_close_notify_is_given_up(
    run: Run, start: Start, client_context: pyossl.Context
) -> None:
    ended: list[type[BaseException]] = []

    async def serve(reader: asyncio.StreamReader, writer: pyossl.aio.StreamWriter) -> None:
        try:
            await close(writer)
        except Exception as error:
            ended.append(type(error))

    async def main() -> None:
        server = await start(serve, ssl_shutdown_timeout=SOON)
        address = HOST, port_of(server)
        client = await asyncio.get_running_loop().run_in_executor(None, pyossl.connect, address, client_context)
        await until(lambda: ended)
        client.close()
        server.close()
        await server.wait_closed()

    run(main())
    assert ended == [TimeoutError]


def test_a_close_with_a_backlog_gives_up_a_peer_that_does_not_read(run: Run, start: Start, connect: Opener) -> None:
    deaf: list[pyossl.aio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: pyossl.aio.StreamWriter) -> None:
        writer.transport.pause_reading()
        deaf.append(writer)

    async def main() -> None:
        server = await start(serve)
        _, writer = await connect(server, ssl_shutdown_timeout=SOON)
        writer.write(bytes(50_000_000))
        with pytest.raises(TimeoutError, match=r"shutdown timed out"):
            await close(writer)
        server.abort_clients()
        server.close()
        await server.wait_closed()

    run(main())


# Peers that flood, or do not read


def test_a_gibibyte_offered_to_a_peer_that_reads_slowly_never_is_in_memory(
    run: Run, start: Start, connect: Opener
) -> None:
    piece = bytes(1 << 20)
    taken = 0

    async def slow(reader: asyncio.StreamReader, writer: pyossl.aio.StreamWriter) -> None:
        nonlocal taken
        for _ in range(50):
            taken += len(await reader.read(100_000))
            await asyncio.sleep(0)
        writer.transport.abort()

    async def main() -> None:
        async with await start(slow) as server:
            _, writer = await connect(server)
            with pytest.raises((pyossl.Error, ConnectionError)):
                await _offer(writer, piece)
            with pytest.raises((pyossl.Error, ConnectionError)):
                await close(writer)

    tracemalloc.start()
    try:
        run(main())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert taken > 0
    assert peak < 16 << 20


def test_a_gibibyte_sent_to_a_reader_that_does_not_read_waits_at_the_sender(
    run: Run, client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    """The reader keeps no more bytes than its limit and one step of the transport allow."""
    kept: list[Any] = []

    async def main() -> None:
        server = await pyossl.aio.start_server(
            lambda reader, writer: kept.extend([reader, writer]), HOST, 0, ssl=server_context, limit=65_536
        )
        _, writer = await pyossl.aio.open_connection(HOST, port_of(server), ssl=client_context)
        piece = bytes(1 << 20)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(_offer(writer, piece), 5 * SOON)
        held = kept[0]
        assert 0 < len(held._fresh) + len(held._buffer) <= 2 * 65_536 + 262_144
        server.abort_clients()
        writer.transport.abort()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()

    run(main())


async def _offer(writer: pyossl.aio.StreamWriter, piece: bytes) -> None:
    """Writes a GiB, one MiB at a time."""
    for _ in range(1024):
        writer.write(piece)
        await writer.drain()


# Records without data between records with data


def test_key_updates_and_tickets_in_the_middle_of_bulk_lose_nothing(run: Run, start: Start, connect: Opener) -> None:
    """In both directions at once.  Each side asks the other for new keys.  Its answers come between its own data."""
    pieces = [os.urandom(50_000) for _ in range(100)]
    sent = hashlib.sha256(b"".join(pieces)).digest()
    begun = {"keys": 0, "tickets": 0}

    async def send(writer: pyossl.aio.StreamWriter) -> None:
        connection = writer.get_extra_info("connection")
        makes_tickets = lib.HAVE_NEW_SESSION_TICKET and connection.context.is_server
        for number, piece in enumerate(pieces):
            if (
                not writer.transport.get_write_buffer_size()
            ):  # no record is partly sent: the next record is the KeyUpdate or the ticket
                ssl = connection._c.ssl
                if makes_tickets and number % 2:  # OpenSSL does not begin both at the same time
                    begun["tickets"] += lib.SSL_new_session_ticket(ssl)
                else:
                    begun["keys"] += lib.SSL_key_update(ssl, lib.SSL_KEY_UPDATE_REQUESTED)
            writer.write(piece)
            await writer.drain()
        writer.write_eof()

    async def receive(reader: asyncio.StreamReader) -> bytes:
        received = hashlib.sha256()
        while data := await reader.read(70_000):
            received.update(data)
        return received.digest()

    async def serve(reader: asyncio.StreamReader, writer: pyossl.aio.StreamWriter) -> None:
        received, _ = await asyncio.gather(receive(reader), send(writer))
        assert received == sent
        await close(writer)

    async def main() -> None:
        async with await start(serve) as server:
            reader, writer = await connect(server)
            received, _ = await asyncio.gather(receive(reader), send(writer))
            assert received == sent
            await close(writer)

    run(main())
    assert begun["keys"] > 10
    assert begun["tickets"] > 5 or not lib.HAVE_NEW_SESSION_TICKET


def test_a_buffer_cannot_be_resized_while_it_is_being_filled(run: Run, start: Start, connect: Opener) -> None:
    """The buffer is exported while C writes into it.  During that time Python can try only in a callback of OpenSSL."""
    tried: list[str] = []

    class Resizing(asyncio.BufferedProtocol):
        def __init__(self) -> None:
            self.buffer = bytearray(1000)
            self.data = b""

        def get_buffer(self, sizehint: int) -> bytearray:
            return self.buffer

        def buffer_updated(self, nbytes: int) -> None:
            self.data += self.buffer[:nbytes]
            self.buffer = bytearray(len(self.buffer) + 1)  # between two reads the buffer may change

    async def main() -> None:
        async with await start() as server:
            protocol = Resizing()
            context = pyossl.Context.client(verify=False)

            def ticket(connection: pyossl.Connection, session: pyossl.Session) -> None:
                with pytest.raises(BufferError):
                    protocol.buffer.clear()
                tried.append("ticket")

            context.new_session_callback = ticket
            transport, _ = await pyossl.aio.create_connection(lambda: protocol, HOST, port_of(server), ssl=context)
            transport.write(b"x" * 5000)
            await until(lambda: protocol.data == b"x" * 5000)
            transport.close()
        assert tried

    run(main())


# Loops that end


@pytest.mark.parametrize("kind", looped.WITH_DESCRIPTORS)
def test_a_loop_closed_with_connections_open_leaves_no_descriptor(kind: str, start: Start, connect: Opener) -> None:
    before = looped.open_sockets()
    loop = looped.KINDS[kind]()
    kept: list[Any] = []

    async def main() -> None:
        server = await start(lambda reader, writer: kept.append(writer))
        reader, writer = await connect(server)
        writer.write(bytes(20_000_000))  # so that the write buffer is not empty
        kept.extend([server, reader, writer])
        await until(lambda: len(kept) > 3)

    loop.run_until_complete(main())
    loop.close()
    writers = [each for each in kept if isinstance(each, pyossl.aio.StreamWriter)]
    writers[0].close()
    writers[1].transport.abort()
    assert all(writer.is_closing() for writer in writers)
    next(each for each in kept if isinstance(each, pyossl.aio.Server)).close()
    gc.collect()
    assert looped.open_sockets().items() <= before.items()


def test_a_connection_that_is_dropped_with_its_loop_warns_and_closes_its_descriptor(
    start: Start, connect: Opener
) -> None:
    before = looped.open_sockets()

    async def main() -> tuple[Any, ...]:
        server = await start(lambda reader, writer: None)
        return server, *await connect(server)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        loop = asyncio.SelectorEventLoop()
        kept = loop.run_until_complete(main())
        kept[0].close()
        loop.close()
        del kept, loop
        gc.collect()
        assert {warning.category for warning in caught} == {ResourceWarning}
        caught.clear()  # a warning refers to its source
        gc.collect()
    assert looped.open_sockets().items() <= before.items()


def test_a_connection_that_outlives_its_transport_writes_to_no_descriptor(
    start: Start, connect: Opener, tmp_path: Path
) -> None:
    """It is closed before its descriptor.  Another file may have the descriptor's number afterwards."""

    async def main() -> None:
        server = await start(lambda reader, writer: None)
        reader, writer = await connect(server)
        connection = writer.get_extra_info("ssl_object")
        number = writer.get_extra_info("socket").fileno()
        writer.transport.pause_reading()  # a watched transport is referred to by the loop
        for _ in range(3):
            await asyncio.sleep(0)
        del reader, writer
        gc.collect()
        with open(tmp_path / "stranger", "wb") as stranger:
            assert stranger.fileno() == number
            with pytest.raises(pyossl.UsageError, match="closed"):
                connection.write(b"for the peer alone")
        assert (tmp_path / "stranger").read_bytes() == b""
        server.close()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        loop = asyncio.SelectorEventLoop()
        loop.run_until_complete(main())
        loop.close()
        gc.collect()


def test_the_end_of_a_connection_whose_socket_was_closed_reads_nothing_from_its_old_descriptor_number(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    async def main() -> None:
        given, of_peer = socket.socketpair()
        serving = Task(lambda: server_context.wrap_socket(of_peer))
        transport, _ = await pyossl.aio.create_connection(
            asyncio.Protocol, ssl=client_context, sock=given, server_hostname="example.com"
        )
        transport.pause_reading()
        server = await asyncio.to_thread(serving.result)
        number = given.fileno()
        given.close()
        pairs = [socket.socketpair() for _ in range(2)]
        taken = next(pair for pair in pairs if number in (pair[0].fileno(), pair[1].fileno()))
        new, sender = sorted(taken, key=lambda sock: sock.fileno() != number)
        sender.send(b"somebody else's")
        transport.abort()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert new.recv(100, socket.MSG_DONTWAIT) == b"somebody else's"
        server.close()
        for sock in (sock for pair in pairs for sock in pair):
            sock.close()

    for run in looped.running("asyncio"):
        run(main())


@pytest.mark.parametrize("kind", looped.WITH_DESCRIPTORS)
def test_a_child_that_closes_its_parents_connections_does_not_disturb_them(
    kind: str, start: Start, connect: Opener
) -> None:
    """docs/pitfalls.md, 23: the child would encrypt with the parent's keys, and both share the loop's epoll."""

    async def main() -> None:
        async with await start() as server:
            reader, writer = await connect(server)
            connection = writer.get_extra_info("connection")
            writer.write(b"before\n")
            assert await reader.readline() == b"before\n"

            def work() -> None:
                with pytest.raises(pyossl.UsageError):
                    connection.write(b"x")
                writer.write(b"from the child\n")
                writer.close()
                for transport in tuple(server._transports):
                    transport.abort()

            child = child_that_does(work)
            assert await asyncio.get_running_loop().run_in_executor(None, os.waitpid, child, 0) == (child, 0)
            writer.write(b"after\n")
            assert await reader.readline() == b"after\n"
            await close(writer)

    for run in looped.running(kind):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # for a fork in a process with threads
            run(main())
