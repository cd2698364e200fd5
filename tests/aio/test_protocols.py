"""Transports and servers, used with asyncio protocols."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from collections.abc import Callable
from typing import Any

import looped
import pytest
from looped import Run, port_of, until

import pyossl
import pyossl.aio

HOST = "127.0.0.1"


class Recorded(asyncio.Protocol):
    """Records its calls."""

    def __init__(self, keeps_open: bool = False) -> None:
        self.calls: list[str] = []
        self.data = bytearray()
        self.transport: pyossl.aio.Transport
        self.error: BaseException | None = None
        self.keeps_open = keeps_open

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.calls.append("connection_made")

    def data_received(self, data: bytes) -> None:
        assert isinstance(data, bytes)
        assert data
        self.data += data
        if self.calls[-1] != "data_received":
            self.calls.append("data_received")

    def eof_received(self) -> bool:
        self.calls.append("eof_received")
        return self.keeps_open

    def connection_lost(self, error: BaseException | None) -> None:
        self.calls.append("connection_lost")
        self.error = error

    def pause_writing(self) -> None:
        self.calls.append("pause_writing")

    def resume_writing(self) -> None:
        self.calls.append("resume_writing")


class Buffered(asyncio.BufferedProtocol):
    """A buffered protocol whose one buffer is smaller than a record."""

    def __init__(self) -> None:
        self.buffer = bytearray(10_001)
        self.data = bytearray()
        self.is_lost = False

    def get_buffer(self, sizehint: int) -> bytearray:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.data += self.buffer[:nbytes]

    def connection_lost(self, error: BaseException | None) -> None:
        self.is_lost = True


Pair = tuple[Recorded, Any, pyossl.aio.Server]
Meet = Callable[..., Any]


@pytest.fixture
def meet(client_context: pyossl.Context, server_context: pyossl.Context) -> Meet:
    """Makes a server and a connection, and returns the server's protocol and the client's."""

    async def connected(
        serving: Callable[[], Any] = Recorded, calling: Callable[[], Any] = Recorded, **options: Any
    ) -> tuple[Any, Any, pyossl.aio.Server]:
        made: list[Any] = []

        def factory() -> Any:
            made.append(serving())
            return made[-1]

        server = await pyossl.aio.create_server(factory, HOST, 0, ssl=server_context, **options)
        _, client = await pyossl.aio.create_connection(calling, HOST, port_of(server), ssl=client_context)
        await until(lambda: made and (isinstance(made[0], Buffered) or made[0].calls))
        return made[0], client, server

    return connected


async def finish(server: pyossl.aio.Server, *transports: asyncio.Transport) -> None:
    for transport in transports:
        transport.close()
    server.close()
    await server.wait_closed()


def test_a_protocol_is_called_in_asyncios_order(run: Run, meet: Meet) -> None:
    async def main() -> None:
        serving, calling, server = await meet()
        calling.transport.write(b"hello")
        await until(lambda: serving.data == b"hello")
        calling.transport.close()
        calling.transport.close()
        assert calling.transport.is_closing()
        await until(lambda: "connection_lost" in calling.calls)
        await finish(server)
        assert serving.calls == ["connection_made", "data_received", "eof_received", "connection_lost"]
        assert calling.calls == ["connection_made", "connection_lost"]
        assert serving.error is calling.error is None

    run(main())


def test_eof_is_received_once_where_it_comes_with_data_to_a_reader_that_resumes(run: Run, meet: Meet) -> None:
    """In that turn of the loop two reading steps are due, and the data makes a third."""

    class Paused(Recorded):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            transport.pause_reading()

    async def main() -> None:
        serving, calling, server = await meet(lambda: Paused(keeps_open=True))
        calling.transport.write(b"all there is")
        calling.transport.write_eof()
        await asyncio.sleep(0)
        serving.transport.resume_reading()
        await until(lambda: "eof_received" in serving.calls)
        serving.transport.write(b"an answer")
        await until(lambda: calling.data == b"an answer")
        assert serving.calls == ["connection_made", "data_received", "eof_received"]
        await finish(server, serving.transport, calling.transport)

    run(main())


def test_eof_received_decides_whether_the_connection_stays_open(run: Run, meet: Meet) -> None:
    async def main() -> None:
        serving, calling, server = await meet(serving=lambda: Recorded(keeps_open=True))
        calling.transport.write_eof()
        await until(lambda: "eof_received" in serving.calls)
        assert not serving.transport.is_closing()
        serving.transport.write(b"still here")
        serving.transport.close()
        await until(lambda: "connection_lost" in calling.calls)
        assert calling.data == b"still here"
        await finish(server)

    run(main())


@pytest.mark.parametrize("size", [1, 16_384, 5_000_000])
def test_a_buffered_protocol_gets_every_byte_in_order(run: Run, meet: Meet, size: int) -> None:
    data = os.urandom(size)

    async def main() -> None:
        serving, calling, server = await meet(serving=Buffered)
        calling.transport.write(data)
        calling.transport.close()
        await until(lambda: serving.is_lost)
        assert serving.data == data
        await finish(server)

    run(main())


def test_nothing_is_delivered_while_reading_is_paused(run: Run, meet: Meet) -> None:
    data = os.urandom(700_000)

    async def main() -> None:
        serving, calling, server = await meet()
        serving.transport.pause_reading()
        assert not serving.transport.is_reading()
        before = len(serving.data)
        calling.transport.write(data)
        for _ in range(50):
            await asyncio.sleep(0.001)
        assert len(serving.data) == before == 0
        serving.transport.resume_reading()
        assert serving.transport.is_reading()
        while len(serving.data) < len(data):  # pauses in each data_received
            serving.transport.pause_reading()
            serving.transport.resume_reading()
            await asyncio.sleep(0)
            await asyncio.sleep(0)  # a transport below reads in the turn after the one in which it resumes
        assert serving.data == data
        await finish(server, calling.transport)

    run(main())


def test_a_protocol_that_pauses_in_connection_made_gets_nothing_before_it_resumes(run: Run, meet: Meet) -> None:
    class Paused(Recorded):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            transport.pause_reading()

    async def main() -> None:
        serving, calling, server = await meet(serving=Paused)
        calling.transport.write(b"early")
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert not serving.data
        serving.transport.resume_reading()
        await until(lambda: serving.data == b"early")
        await finish(server, calling.transport)

    run(main())


def test_a_peer_that_does_not_read_pauses_the_writer_and_a_reader_resumes_it(run: Run, meet: Meet) -> None:
    piece = os.urandom(100_000)

    async def main() -> None:
        serving, calling, server = await meet()
        serving.transport.pause_reading()
        calling.transport.set_write_buffer_limits(high=300_000, low=50_000)
        assert calling.transport.get_write_buffer_limits() == (50_000, 300_000)
        pieces = 0
        while "pause_writing" not in calling.calls:
            calling.transport.write(piece)
            pieces += 1
            await asyncio.sleep(0)
        assert 300_000 < calling.transport.get_write_buffer_size() <= 400_000
        serving.transport.resume_reading()
        await until(lambda: "resume_writing" in calling.calls)
        await until(lambda: len(serving.data) == pieces * len(piece))
        assert serving.data == piece * pieces
        assert calling.transport.get_write_buffer_size() == 0
        await finish(server, calling.transport)

    run(main())


def test_written_bytes_are_sent_before_close_and_dropped_by_abort(run: Run, meet: Meet) -> None:
    data = os.urandom(8_000_000)

    async def main() -> None:
        serving, calling, server = await meet()
        calling.transport.write(data)
        calling.transport.close()
        calling.transport.write(b"too late")
        await until(lambda: "connection_lost" in serving.calls)
        assert serving.data == data
        await finish(server)

        serving, calling, server = await meet()
        serving.transport.pause_reading()
        calling.transport.write(data)
        calling.transport.abort()
        await until(lambda: "connection_lost" in calling.calls)
        assert calling.error is None
        serving.transport.resume_reading()
        await until(lambda: "connection_lost" in serving.calls)
        assert isinstance(serving.error, (pyossl.TruncationError, ConnectionResetError))
        assert data.startswith(bytes(serving.data))
        assert len(serving.data) < len(data)
        await finish(server)

    run(main())


def test_small_writes_behind_a_full_peer_arrive_in_order_and_buffers_of_the_callers_may_change(
    run: Run, meet: Meet
) -> None:
    async def main() -> None:
        serving, calling, server = await meet()
        serving.transport.pause_reading()
        expected = bytearray()
        transport = calling.transport
        while transport.get_write_buffer_size() < 1_000_000:
            piece = bytearray(os.urandom(70_000))
            expected += piece
            transport.write(piece)
            piece[:] = bytes(len(piece))  # the bytes were sent or copied
        for number in range(20_000):
            piece = bytearray(b"%d," % number)
            expected += piece
            transport.write(memoryview(piece) if number % 2 else piece)
            piece[:] = bytes(len(piece))
        transport.writelines([b"the ", b"end"])
        expected += b"the end"
        serving.transport.resume_reading()
        await until(lambda: len(serving.data) >= len(expected))
        assert serving.data == expected
        with pytest.raises(TypeError, match=r"bytes-like"):
            transport.write("text")  # type: ignore[arg-type]
        await finish(server, transport)

    run(main())


def test_an_exception_in_a_protocol_is_told_to_the_handler_and_ends_the_connection(meet: Meet) -> None:
    reported: list[dict[str, Any]] = []

    class Broken(Recorded):
        def data_received(self, data: bytes) -> None:
            raise ZeroDivisionError

    async def main() -> None:
        serving, calling, server = await meet(serving=Broken)
        calling.transport.write(b"x")
        await until(lambda: "connection_lost" in serving.calls)
        assert isinstance(serving.error, ZeroDivisionError)
        await until(lambda: "connection_lost" in calling.calls)
        await finish(server)

    for run in looped.running("asyncio", reported):
        run(main())
    assert [type(context["exception"]) for context in reported] == [ZeroDivisionError]


def test_the_protocol_can_be_exchanged(run: Run, meet: Meet) -> None:
    async def main() -> None:
        serving, calling, server = await meet()
        other = Buffered()
        serving.transport.set_protocol(other)
        assert serving.transport.get_protocol() is other
        calling.transport.write(b"to the other")
        await until(lambda: other.data == b"to the other")
        await finish(server, calling.transport)

    run(main())


@pytest.mark.parametrize("kind", ["asyncio", "transports"])  # uvloop has no sendfile
def test_sendfile_sends_a_file(kind: str, meet: Meet) -> None:
    data = os.urandom(1_500_000)

    async def main() -> None:
        serving, calling, server = await meet()
        with tempfile.TemporaryFile() as file:
            file.write(data)
            sent = await asyncio.get_running_loop().sendfile(calling.transport, file, 100, 1_400_000)
        assert sent == 1_400_000
        calling.transport.write(b"after it")
        await until(lambda: len(serving.data) == sent + 8)
        assert serving.data == data[100 : 100 + sent] + b"after it"
        await finish(server, calling.transport)

    for run in looped.running(kind):
        run(main())


def test_a_server_starts_stops_and_waits_for_its_connections(
    run: Run, client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    async def main() -> None:
        made: list[Recorded] = []

        def factory() -> Recorded:
            made.append(Recorded())
            return made[-1]

        server = await pyossl.aio.create_server(factory, HOST, 0, ssl=server_context, start_serving=False)
        assert not server.is_serving()
        serving = asyncio.create_task(server.serve_forever())
        await until(server.is_serving)
        assert server.get_loop() is asyncio.get_running_loop()
        _, client = await pyossl.aio.create_connection(Recorded, HOST, port_of(server), ssl=client_context)
        await until(lambda: made and made[0].calls)
        server.close()
        assert not server.sockets
        client.transport.close()
        with pytest.raises(asyncio.CancelledError):
            await serving
        assert made[0].calls[-1] == "connection_lost"
        with pytest.raises(RuntimeError, match=r"closed"):
            await server.start_serving()

    run(main())


def test_close_clients_and_abort_clients_end_every_connection(run: Run, meet: Meet) -> None:
    async def main() -> None:
        for close, error in (("close_clients", type(None)), ("abort_clients", pyossl.TruncationError)):
            _, calling, server = await meet()
            getattr(server, close)()
            await until(lambda calling=calling: "connection_lost" in calling.calls)
            assert isinstance(calling.error, error)
            await finish(server)

    run(main())


def test_a_server_listens_on_several_hosts_and_on_all(run: Run, server_context: pyossl.Context) -> None:
    async def main() -> None:
        server = await pyossl.aio.create_server(Recorded, ["127.0.0.1", "127.0.0.2"], 0, ssl=server_context)
        assert [sock.getsockname()[0] for sock in server.sockets] == ["127.0.0.1", "127.0.0.2"]
        await finish(server)
        server = await pyossl.aio.create_server(Recorded, None, 0, ssl=server_context)
        assert "0.0.0.0" in [sock.getsockname()[0] for sock in server.sockets]
        await finish(server)
        with socket.create_server((HOST, 0)) as taken, pytest.raises(OSError, match=r"attempting to bind"):
            await pyossl.aio.create_server(Recorded, HOST, taken.getsockname()[1], ssl=server_context)

    run(main())


def test_unsuitable_arguments_are_refused_before_anything_is_made(
    run: Run, client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    async def main() -> None:
        create_connection: Any = pyossl.aio.create_connection
        create_server: Any = pyossl.aio.create_server
        with pytest.raises(TypeError, match=r"ssl is a pyossl.Context"):
            await create_connection(Recorded, HOST, 1, ssl="yes")
        with pytest.raises(ValueError, match=r"server's context"):
            await create_connection(Recorded, HOST, 1, ssl=server_context)
        with pytest.raises(ValueError, match=r"client's context"):
            await create_server(Recorded, HOST, 0, ssl=client_context)
        with pytest.raises(ValueError, match=r"positive"):
            await create_connection(Recorded, HOST, 1, ssl=client_context, ssl_handshake_timeout=0)
        with pytest.raises(ValueError, match=r"host"):
            await create_connection(Recorded, ssl=client_context)
        with pytest.raises(ValueError, match=r"host"):
            await create_server(Recorded, ssl=server_context)

    run(main())
