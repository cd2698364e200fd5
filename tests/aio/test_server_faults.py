"""Servers without free descriptors, with clients that vanish or stall, and the parameters of ``start_server``."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import socket
import struct
from collections.abc import Callable, Iterator
from typing import Any

import looped
import pytest
from looped import Run, close, echo, port_of, until

import pyossl
import pyossl.aio

HOST = "127.0.0.1"


Start = Callable[..., Any]


Served = Callable[..., Any]


@pytest.fixture
def is_served(client_context: pyossl.Context) -> Served:
    """Checks that the server at the address serves a client."""

    async def served(host: str, port: int) -> None:
        reader, writer = await pyossl.aio.open_connection(host, port, ssl=client_context, server_hostname=HOST)
        writer.write(b"hello\n")
        assert await reader.readline() == b"hello\n"
        await close(writer)

    return served


# Descriptors


@contextlib.contextmanager
def no_more_descriptors() -> Iterator[None]:
    """Uses up the descriptors of this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken: list[int] = []
    highest = max(int(fd) for fd in os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 8, hard))
    try:
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.dup(0))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for fd in taken:
            os.close(fd)


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="the system has no /proc")
@pytest.mark.parametrize("kind", looped.WITH_DESCRIPTORS)
def test_a_server_without_descriptors_says_so_once_and_goes_on_when_there_are_some(
    kind: str, start: Start, is_served: Served
) -> None:
    """asyncio's own server reports it once for each place of its backlog.  Both try again after a second."""
    told: list[dict[str, Any]] = []

    async def main() -> None:
        async with await start() as server:
            address = server.sockets[0].getsockname()
            waiting = [socket.create_connection(address) for _ in range(3)]
            with no_more_descriptors():
                await until(lambda: told)
                for _ in range(100):  # it does not accept again in every turn
                    await asyncio.sleep(0)
                assert len(told) == 1
            await is_served(*address)
            for sock in waiting:
                sock.close()

    for run in looped.running(kind, told):
        run(main())
    assert [context["message"] for context in told] == ["socket.accept() out of system resource"]
    assert isinstance(told[0]["exception"], OSError)


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="the system has no /proc")
@pytest.mark.parametrize("kind", looped.WITH_DESCRIPTORS)
def test_a_server_that_is_closed_while_it_waits_for_descriptors_stays_closed(kind: str, start: Start) -> None:
    told: list[dict[str, Any]] = []

    async def main() -> None:
        server = await start()
        retried = asyncio.Event()
        again = server._accept_again
        server._accept_again = lambda listener: (again(listener), retried.set())
        with socket.create_connection(server.sockets[0].getsockname()), no_more_descriptors():
            await until(lambda: told)
            server.close()
            await server.wait_closed()
            await retried.wait()

    for run in looped.running(kind, told):
        run(main())
    assert len(told) == 1


# Clients


def test_clients_that_close_before_they_are_accepted_do_not_disturb_the_server(
    run: Run, start: Start, is_served: Served
) -> None:
    """After a reset the peer's address is not known any more."""

    async def main() -> None:
        async with await start() as server:
            address = server.sockets[0].getsockname()
            for number in range(50):
                sock = socket.create_connection(address)
                if number % 2:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sock.close()
            await is_served(*address)

    run(main())


def test_a_factory_that_raises_ends_one_client_only(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    class Greeting(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            transport.write(b"hello")
            transport.close()

    factories = [lambda: 1 / 0, Greeting]

    async def main() -> None:
        server = await pyossl.aio.create_server(lambda: factories.pop(0)(), HOST, 0, ssl=server_context)
        with pytest.raises((pyossl.Error, OSError)):
            await pyossl.aio.open_connection(HOST, port_of(server), ssl=client_context)
        reader, writer = await pyossl.aio.open_connection(HOST, port_of(server), ssl=client_context)
        assert await reader.read() == b"hello"
        await close(writer)
        server.close()
        await server.wait_closed()

    for kind in looped.WITH_DESCRIPTORS:
        told: list[dict[str, Any]] = []
        for run in looped.running(kind, told):
            factories[:] = [lambda: 1 / 0, Greeting]
            run(main())
        assert [type(context["exception"]) for context in told] == [ZeroDivisionError]


@pytest.mark.parametrize("begun", [b"", b"\x16\x03\x01\x02\x00\x01"], ids=["silent", "in the middle of a record"])
@pytest.mark.parametrize("end", ["close_clients", "abort_clients", "the time limit"])
def test_a_server_that_closes_with_handshakes_pending(run: Run, start: Start, begun: bytes, end: str) -> None:
    """``wait_closed`` waits for handshakes as for connections, until they end or reach their time limit."""

    async def main() -> None:
        limit = 0.2 if end == "the time limit" else 3600
        server = await start(ssl_handshake_timeout=limit)
        clients = [socket.create_connection(server.sockets[0].getsockname()) for _ in range(5)]
        for sock in clients:
            sock.sendall(begun)
        await until(lambda: len(server._transports) == 5)
        server.close()
        closed = asyncio.create_task(server.wait_closed())
        await asyncio.sleep(0)
        assert not closed.done()
        if end != "the time limit":
            getattr(server, end)()
        await closed
        for sock in clients:
            sock.setblocking(False)
            with contextlib.suppress(ConnectionResetError):  # received bytes were not read
                assert await asyncio.get_running_loop().sock_recv(sock, 1) == b""
            sock.close()

    run(main())


def test_a_closed_server_still_serves_the_clients_that_it_has_accepted(
    run: Run, start: Start, is_served: Served
) -> None:
    async def main() -> None:
        server = await start()
        address = server.sockets[0].getsockname()
        client = asyncio.create_task(is_served(*address))
        await until(lambda: server._transports)
        server.close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)
        await client
        await server.wait_closed()

    run(main())


# Parameters


def test_no_client_is_served_before_the_server_starts(run: Run, start: Start, is_served: Served) -> None:
    async def main() -> None:
        async with await start(start_serving=False) as server:
            address = server.sockets[0].getsockname()
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(address)
            await server.start_serving()
            await server.start_serving()  # a second call does nothing
            await is_served(*address)

    run(main())


def test_keep_alive_and_reuse_port(run: Run, start: Start, is_served: Served) -> None:
    accepted: list[Any] = []

    async def serve(reader: Any, writer: pyossl.aio.StreamWriter) -> None:
        accepted.append(writer.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
        await echo(reader, writer)

    async def main() -> None:
        async with await start(serve, keep_alive=True, reuse_port=True) as server:
            port = port_of(server)
            async with await start(serve, port=port, reuse_port=True) as second:
                assert port_of(second) == port
                with pytest.raises(OSError, match="attempting to bind"):
                    await start(port=port)
            await is_served(HOST, port)
        async with await start(serve) as server:
            await is_served(HOST, port_of(server))

    run(main())
    assert [bool(each) for each in accepted] == [True, False]


@pytest.mark.skipif(not hasattr(socket, "TCP_INFO"), reason="the system does not tell a listener's backlog")
def test_the_backlog_is_the_listeners(run: Run, start: Start, is_served: Served) -> None:
    async def main() -> None:
        for backlog in (1, 7):
            async with await start(backlog=backlog) as server:
                info = server.sockets[0].getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 32)
                assert struct.unpack_from("I", info, 28) == (
                    backlog,
                )  # tcpi_sacked, which is the backlog of a listener
                for _ in range(3):
                    await is_served(*server.sockets[0].getsockname())

    run(main())


def test_every_host_of_a_list_is_served_and_one_that_cannot_be_bound_leaves_none(
    run: Run, start: Start, is_served: Served
) -> None:
    async def main() -> None:
        async with await start(host=["127.0.0.1", "127.0.0.2", "127.0.0.1"]) as server:
            addresses = [sock.getsockname() for sock in server.sockets]
            assert [host for host, _ in addresses] == ["127.0.0.1", "127.0.0.2"]
            for address in addresses:
                await is_served(*address)
        with socket.create_server(("127.0.0.2", 0)) as taken:
            port = taken.getsockname()[1]
            with pytest.raises(OSError, match="attempting to bind"):
                await start(host=["127.0.0.1", "127.0.0.2"], port=port)
            socket.create_server(("127.0.0.1", port)).close()

    run(main())


def test_a_server_that_cannot_start_can_be_closed(run: Run, start: Start, is_served: Served) -> None:
    """Two sockets can bind an address, but only one can listen on it."""

    async def main() -> None:
        first = await start(start_serving=False)
        second = await start(start_serving=False, port=port_of(first))
        await first.start_serving()
        with pytest.raises(OSError, match="in use"):
            await second.start_serving()
        assert first.is_serving()
        assert not second.is_serving()
        second.close()
        await second.wait_closed()
        await is_served(*first.sockets[0].getsockname())
        first.close()
        await first.wait_closed()

    run(main())
