"""Early data over asyncio: read apart by streams and protocols, answered at once, and ended in every way."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import looped
import pytest
from early_sessions import REQUEST, early_server, first_flight, session_for
from looped import Run, close, port_of, until
from marks import needs

import pyossl
import pyossl.aio
from pyossl import Context

pytestmark = needs("tls1_3")
HOST = "127.0.0.1"
Streams = tuple[pyossl.aio.StreamReader, pyossl.aio.StreamWriter]


@pytest.fixture(params=looped.KINDS)
def run(request: pytest.FixtureRequest) -> Iterator[Run[Any]]:
    yield from looped.running(request.param)


@pytest.fixture
def server_context(credentials: pyossl.Credentials) -> Context:
    return early_server(credentials)


async def opened(server: pyossl.aio.Server, context: Context, session: pyossl.Session, **options: Any) -> Streams:
    return await pyossl.aio.open_connection(
        HOST,
        port_of(server),
        ssl=context,
        server_hostname="example.com",
        session=session,
        early_data=REQUEST,
        **options,
    )


def is_accepted(writer: pyossl.aio.StreamWriter) -> bool | None:
    connection: pyossl.Connection = writer.get_extra_info("connection")
    return connection.early_data_accepted


@pytest.mark.feature("early data, sent by a client and read apart by a server")
def test_a_stream_reads_early_data_and_answers_before_the_handshake_is_finished(
    run: Run[Any], client_context: Context, server_context: Context
) -> None:
    seen: list[Any] = []

    async def serve(reader: pyossl.aio.StreamReader, writer: pyossl.aio.StreamWriter) -> None:
        seen.append(await reader.read_early_data(3))
        seen.append(await reader.read_early_data())
        seen.append(writer.get_extra_info("connection").is_handshake_finished)
        writer.write(b"early answer\n")
        seen.append(await reader.read_early_data())
        seen.append(await reader.readline())
        writer.write(b"late answer\n")
        await close(writer)

    async def main() -> None:
        session = session_for(client_context, server_context)
        async with await pyossl.aio.start_server(serve, HOST, 0, ssl=server_context, early_data=True) as server:
            reader, writer = await opened(server, client_context, session)
            assert is_accepted(writer) is True
            assert await reader.readline() == b"early answer\n"
            writer.write(b"not early\n")
            assert await reader.read() == b"late answer\n"
            await close(writer)
        assert seen == [REQUEST[:3], REQUEST[3:], False, b"", b"not early\n"]

    run(main())


def test_a_server_without_the_word_refuses_early_data(
    run: Run[Any], client_context: Context, server_context: Context
) -> None:
    async def serve(reader: pyossl.aio.StreamReader, writer: pyossl.aio.StreamWriter) -> None:
        with pytest.raises(pyossl.UsageError, match="early_data=True"):
            await reader.read_early_data()
        writer.write(await reader.read(100))
        await close(writer)

    async def main() -> None:
        session = session_for(client_context, server_context)
        async with await pyossl.aio.start_server(serve, HOST, 0, ssl=server_context) as server:
            reader, writer = await opened(server, client_context, session)
            assert is_accepted(writer) is False
            writer.write(b"again")
            assert await reader.read() == b"again"
            await close(writer)

    run(main())


def test_a_client_without_early_data_is_served_after_its_handshake(
    run: Run[Any], client_context: Context, server_context: Context
) -> None:
    async def serve(reader: pyossl.aio.StreamReader, writer: pyossl.aio.StreamWriter) -> None:
        assert writer.get_extra_info("connection").is_handshake_finished
        assert await reader.read_early_data() == b""
        writer.write(await reader.read(100))
        await close(writer)

    async def main() -> None:
        async with await pyossl.aio.start_server(serve, HOST, 0, ssl=server_context, early_data=True) as server:
            reader, writer = await pyossl.aio.open_connection(
                HOST, port_of(server), ssl=client_context, server_hostname="example.com"
            )
            assert is_accepted(writer) is None
            writer.write(b"hello")
            assert await reader.read() == b"hello"
            await close(writer)

    run(main())


@pytest.mark.parametrize("end", ["close", "write_eof"])
@pytest.mark.parametrize("reads", [True, False])
def test_an_answer_and_the_end_after_it_wait_for_the_handshake_and_arrive(
    reads: bool, end: str, run: Run[Any], client_context: Context, server_context: Context
) -> None:
    """A server closes at once: the client gets all bytes and a close_notify."""
    answer = bytes(1_000_000)

    async def serve(reader: pyossl.aio.StreamReader, writer: pyossl.aio.StreamWriter) -> None:
        if reads:
            assert await reader.read_early_data() == REQUEST
        writer.write(answer)
        if end == "write_eof":
            writer.write_eof()
            assert await reader.read() == b""
        await close(writer)

    async def main() -> None:
        session = session_for(client_context, server_context)
        async with await pyossl.aio.start_server(serve, HOST, 0, ssl=server_context, early_data=True) as server:
            reader, writer = await opened(server, client_context, session)
            assert await reader.read() == answer
            await close(writer)

    run(main())


class Recorder(pyossl.aio.EarlyDataProtocol):
    def __init__(self, told: list[Any]) -> None:
        self.told = told

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.told.append("made")

    def early_data_received(self, data: bytes) -> None:
        self.told.append(data)
        self.transport.write(b"early")

    def early_data_ended(self) -> None:
        self.told.append("early data ended")

    def data_received(self, data: bytes) -> None:
        self.told.append(data)
        self.transport.close()

    def connection_lost(self, exc: BaseException | None) -> None:
        self.told.append(exc)


@pytest.mark.parametrize("is_accepted", [True, False])
def test_a_protocol_gets_early_data_apart(
    is_accepted: bool, run: Run[Any], client_context: Context, server_context: Context
) -> None:
    told: list[Any] = []
    server_context.allow_early_data_callback = lambda connection, client_random: is_accepted

    async def main() -> None:
        session = session_for(client_context, server_context)
        async with await pyossl.aio.create_server(lambda: Recorder(told), HOST, 0, ssl=server_context) as server:
            reader, writer = await opened(server, client_context, session)
            if is_accepted:
                assert await reader.read(100) == b"early"
            writer.write(b"late")
            assert await reader.read() == b""
            await close(writer)
            await until(lambda: told[-1] is None)

    run(main())
    if is_accepted:
        assert told == ["made", REQUEST, "early data ended", b"late", None]
    else:
        assert told == ["early data ended", "made", b"late", None]


@pytest.mark.parametrize("where", ["connection_made", "early_data_received", "early_data_ended"])
def test_a_protocol_that_pauses_does_not_stop_the_handshake(
    where: str, run: Run[Any], client_context: Context, server_context: Context
) -> None:
    """Otherwise its time limit would end the connection of a client that has done nothing wrong."""
    told: list[Any] = []
    made: list[Recorder] = []

    class Pausing(Recorder):
        def __init__(self) -> None:
            super().__init__(told)
            made.append(self)

    def pause(self: Pausing, *given: Any) -> None:
        getattr(Recorder, where)(self, *given)
        self.transport.pause_reading()

    setattr(Pausing, where, pause)

    async def main() -> None:
        session = session_for(client_context, server_context)
        options = {"ssl": server_context, "ssl_handshake_timeout": 0.3}
        async with await pyossl.aio.create_server(Pausing, HOST, 0, **options) as server:
            reader, writer = await opened(server, client_context, session)
            assert await reader.read(100) == b"early"
            writer.write(b"late")
            await asyncio.sleep(0.5)
            assert told == ["made", REQUEST, "early data ended"]
            assert made[0].transport.get_extra_info("connection").is_handshake_finished
            made[0].transport.resume_reading()
            assert await reader.read() == b""
            await close(writer)
            await until(lambda: told[-1] is None)

    run(main())
    assert told == ["made", REQUEST, "early data ended", b"late", None]


def test_the_time_limit_of_the_handshake_goes_on_while_early_data_is_read(
    client_context: Context, server_context: Context
) -> None:
    """A client that sends early data, and then nothing."""
    told: list[dict[str, Any]] = []
    ended: list[BaseException] = []

    async def serve(reader: pyossl.aio.StreamReader, writer: pyossl.aio.StreamWriter) -> None:
        assert await reader.read_early_data() == REQUEST
        try:
            await reader.read_early_data()
        except ConnectionAbortedError as error:
            ended.append(error)
        writer.close()
        with contextlib.suppress(ConnectionAbortedError):
            await writer.wait_closed()

    async def main() -> None:
        session = session_for(client_context, server_context)
        flight = first_flight(pyossl.Connection(client_context, "example.com", session=session, early_data=REQUEST))
        options = {"ssl_handshake_timeout": 0.2, "early_data": True}
        async with await pyossl.aio.start_server(serve, HOST, 0, ssl=server_context, **options) as server:
            reader, writer = await asyncio.open_connection(HOST, port_of(server))
            writer.write(flight)
            while await reader.read(10_000):
                pass
            writer.close()
            await writer.wait_closed()

    runner = looped.running("asyncio", told)
    next(runner)(main())
    assert next(runner, None) is None
    assert "handshake" in str(ended[0])


@pytest.mark.parametrize("cut", [10, -1, None])
def test_a_client_that_stops_in_the_middle_ends_the_reads(
    cut: int | None, client_context: Context, server_context: Context
) -> None:
    told: list[dict[str, Any]] = []
    ended: list[BaseException] = []

    async def serve(reader: pyossl.aio.StreamReader, writer: pyossl.aio.StreamWriter) -> None:
        try:
            while True:
                assert await reader.read_early_data() == REQUEST
        except OSError as error:
            ended.append(error)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    async def main() -> None:
        session = session_for(client_context, server_context)
        flight = first_flight(pyossl.Connection(client_context, "example.com", session=session, early_data=REQUEST))
        async with await pyossl.aio.start_server(serve, HOST, 0, ssl=server_context, early_data=True) as server:
            _, writer = await asyncio.open_connection(HOST, port_of(server))
            writer.write(flight[:cut])
            await asyncio.sleep(0.05)
            writer.close()
            await writer.wait_closed()
            if cut != 10:
                await until(lambda: ended)

    runner = looped.running("asyncio", told)
    next(runner)(main())
    assert next(runner, None) is None
    assert all(isinstance(error, pyossl.TruncationError) for error in ended)


def test_a_cancelled_read_loses_nothing_and_two_at_once_are_refused(
    run: Run[Any], client_context: Context, server_context: Context
) -> None:
    async def serve(reader: pyossl.aio.StreamReader, writer: pyossl.aio.StreamWriter) -> None:
        assert await reader.read_early_data() == REQUEST
        waiting = asyncio.ensure_future(reader.read_early_data())
        await asyncio.sleep(0)
        if not waiting.done():
            with pytest.raises(RuntimeError, match="already waiting"):
                await reader.read_early_data()
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
        assert await reader.read_early_data() == b""
        with pytest.raises(ValueError, match="at least 1"):
            await reader.read_early_data(0)
        await close(writer)

    async def main() -> None:
        session = session_for(client_context, server_context)
        async with await pyossl.aio.start_server(serve, HOST, 0, ssl=server_context, early_data=True) as server:
            reader, writer = await opened(server, client_context, session)
            assert await reader.read() == b""
            await close(writer)

    run(main())


def test_a_task_that_waits_for_early_data_is_told_that_another_one_has_closed(
    run: Run[Any], client_context: Context, server_context: Context
) -> None:
    """Also if the client closes too: what it had sent early was dropped."""
    told: list[BaseException] = []

    async def wait(reader: pyossl.aio.StreamReader) -> None:
        try:
            await reader.read_early_data()
        except ConnectionAbortedError as error:
            told.append(error)

    async def serve(reader: pyossl.aio.StreamReader, writer: pyossl.aio.StreamWriter) -> None:
        assert await reader.read_early_data() == REQUEST
        waiting = asyncio.ensure_future(wait(reader))
        await asyncio.sleep(0)
        writer.close()
        await asyncio.wait_for(waiting, 10)

    async def main() -> None:
        session = session_for(client_context, server_context)
        async with await pyossl.aio.start_server(serve, HOST, 0, ssl=server_context, early_data=True) as server:
            reader, writer = await opened(server, client_context, session)
            assert await reader.read() == b""
            await close(writer)
            await until(lambda: told)

    run(main())
    assert "closed" in str(told[0])


def test_a_file_is_sent_as_an_answer_to_early_data(
    client_context: Context, server_context: Context, tmp_path: Path
) -> None:
    """Meanwhile ``sendfile`` has another protocol, and reading is paused."""
    file, seen = tmp_path / "file", list[bytes]()
    file.write_bytes(bytes(1_000_000))

    async def serve(reader: pyossl.aio.StreamReader, writer: pyossl.aio.StreamWriter) -> None:
        assert await reader.read_early_data() == REQUEST
        with file.open("rb") as opened_file:
            await asyncio.get_running_loop().sendfile(writer.transport, opened_file)
        seen.append(await reader.read_early_data())
        seen.append(await reader.readline())
        await close(writer)

    async def main() -> None:
        session = session_for(client_context, server_context)
        async with await pyossl.aio.start_server(serve, HOST, 0, ssl=server_context, early_data=True) as server:
            reader, writer = await opened(server, client_context, session)
            writer.write(b"not early\n")
            assert await reader.read() == bytes(1_000_000)
            await close(writer)

    runner = looped.running("asyncio")
    next(runner)(main())
    assert next(runner, None) is None
    assert seen == [b"", b"not early\n"]
