"""Early data under TLS that begins over a transport which the program has: ``open_over`` and ``start_tls``."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import looped
import pytest
from early_sessions import REQUEST, early_server, first_flight, session_for
from looped import Run, close, until
from marks import needs

import pyossl
import pyossl.aio
from pyossl import Context

pytestmark = needs("tls1_3")
HOST = "127.0.0.1"
NAME = "example.com"


@pytest.fixture(params=looped.KINDS)
def run(request: pytest.FixtureRequest) -> Iterator[Run[Any]]:
    yield from looped.running(request.param)


@pytest.fixture
def server_context(credentials: pyossl.Credentials) -> Context:
    return early_server(credentials)


@contextlib.asynccontextmanager
async def serving(handle: Callable[[Any, Any], Awaitable[None]]) -> AsyncIterator[int]:
    """The port of a server without TLS, whose handlers have ended at the end without an exception."""
    tasks: list[asyncio.Task[None]] = []

    async def kept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.ensure_future(handle(reader, writer)))
        await asyncio.wait(tasks[-1:])
        writer.close()

    server = await asyncio.start_server(kept, HOST, 0)
    yield server.sockets[0].getsockname()[1]
    for task in tasks:
        await task
    server.close()
    await server.wait_closed()


@pytest.mark.feature("early data over another transport")
def test_open_over_takes_early_data_once_and_the_program_sends_it_again(
    run: Run[Any], client_context: Context, server_context: Context
) -> None:
    seen: list[Any] = []

    async def serve(plain_reader: Any, plain: asyncio.StreamWriter) -> None:
        reader, writer = await pyossl.aio.open_over(plain, server_context, early_data=True)
        seen.append(writer.connection.is_handshake_finished)
        while early := await reader.read_early_data(30):
            seen.append(early)
            writer.write(b"early answer\n")
        while line := await reader.readline():
            seen.append(line)
            writer.write(b"late answer\n")
        await close(writer)

    async def ask(port: int, session: pyossl.Session) -> bool | None:
        _, plain = await asyncio.open_connection(HOST, port)
        reader, writer = await pyossl.aio.open_over(
            plain, client_context, server_hostname=NAME, session=session, early_data=REQUEST
        )
        accepted = writer.connection.early_data_accepted
        if accepted:
            assert await reader.readline() == b"early answer\n"
        writer.write(b"sent late\n")
        while await reader.readline() != b"late answer\n":
            pass
        await close(writer)
        return accepted

    async def main() -> None:
        session = session_for(client_context, server_context)
        async with serving(serve) as port:
            assert await ask(port, session) is True
            assert await ask(port, session) is False

    run(main())
    assert seen == [False, REQUEST[:30], REQUEST[30:], b"sent late\n", True, b"sent late\n"]


class Recorder(pyossl.aio.EarlyDataProtocol):
    """Answers early data with ``early``, and what follows with ``late``."""

    def __init__(self) -> None:
        self.transport: Any = None
        self.told: list[Any] = []
        self.ended = asyncio.get_running_loop().create_future()

    def early_data_received(self, data: bytes) -> None:
        self.told.append(data)
        self.transport.write(b"early\n")

    def early_data_ended(self) -> None:
        self.told.append("early data ended")

    def data_received(self, data: bytes) -> None:
        self.told.append(data)
        self.transport.write(b"late\n")
        self.transport.close()

    def connection_lost(self, exc: BaseException | None) -> None:
        self.ended.set_result(exc)


@pytest.mark.feature("early data over another transport")
@pytest.mark.parametrize("is_accepted", [True, False])
def test_start_tls_gives_a_protocol_early_data_when_it_has_its_transport(
    is_accepted: bool, run: Run[Any], client_context: Context, server_context: Context
) -> None:
    told: list[Any] = []
    server_context.allow_early_data_callback = lambda connection, client_random: is_accepted

    async def serve(reader: Any, plain: asyncio.StreamWriter) -> None:
        protocol = Recorder()
        protocol.transport = await pyossl.aio.start_tls(plain.transport, protocol, server_context, server_side=True)
        told.append(protocol.transport.get_extra_info("connection").is_handshake_finished)
        assert await protocol.ended is None
        told.extend(protocol.told)

    async def main() -> None:
        session = session_for(client_context, server_context)
        async with serving(serve) as port:
            reader, plain = await asyncio.open_connection(HOST, port)
            transport, protocol = plain.transport, plain.transport.get_protocol()
            above = await pyossl.aio.start_tls(
                transport, protocol, client_context, server_hostname=NAME, session=session, early_data=REQUEST
            )
            assert above.get_extra_info("connection").early_data_accepted is is_accepted
            above.write(b"sent late")
            assert await reader.read() == (b"early\nlate\n" if is_accepted else b"late\n")
            above.close()
            plain.close()
            await plain.wait_closed()

    run(main())
    expected = [False, REQUEST, "early data ended"] if is_accepted else [True, "early data ended"]
    assert told == [*expected, b"sent late"]


def test_early_data_that_came_before_tls_began_is_read(
    run: Run[Any], client_context: Context, server_context: Context
) -> None:
    """The client's first bytes follow a line in the clear at once, and are in the plain reader's buffer."""

    async def serve(plain_reader: Any, plain: asyncio.StreamWriter) -> None:
        assert await plain_reader.readline() == b"PROXY\n"
        await until(lambda: len(plain_reader._buffer) > len(REQUEST))
        reader, writer = await pyossl.aio.open_over(plain, server_context, early_data=True)
        assert await reader.read_early_data() == REQUEST
        writer.write(b"answer")
        await close(writer)

    async def main() -> None:
        session = session_for(client_context, server_context)
        async with serving(serve) as port:
            _, plain = await asyncio.open_connection(HOST, port)
            plain.write(b"PROXY\n")
            reader, writer = await pyossl.aio.open_over(
                plain, client_context, server_hostname=NAME, session=session, early_data=REQUEST
            )
            assert await reader.read() == b"answer"
            await close(writer)

    run(main())


@pytest.mark.parametrize("takes", [None, False, True])
def test_a_server_that_takes_no_early_data_does_the_handshake_first(
    takes: bool | None,
    run: Run[Any],
    client_context: Context,
    server_context: Context,
    credentials: pyossl.Credentials,
) -> None:
    """It has not the argument, or its context has no ``max_early_data``."""
    context = early_server(credentials, 0) if takes else server_context

    async def serve(plain_reader: Any, plain: asyncio.StreamWriter) -> None:
        reader, writer = await pyossl.aio.open_over(plain, context, early_data=takes)
        assert writer.connection.is_handshake_finished
        if takes:
            assert await reader.read_early_data() == b""
        else:
            with pytest.raises(pyossl.UsageError):
                await reader.read_early_data()
        writer.write(await reader.readline())
        await close(writer)

    async def main() -> None:
        session = session_for(client_context, server_context)
        async with serving(serve) as port:
            _, plain = await asyncio.open_connection(HOST, port)
            reader, writer = await pyossl.aio.open_over(
                plain, client_context, server_hostname=NAME, session=session, early_data=REQUEST
            )
            assert writer.connection.early_data_accepted is False
            writer.write(b"again\n")
            assert await reader.read() == b"again\n"
            await close(writer)

    run(main())


@pytest.mark.parametrize("stalls", [True, False])
def test_a_client_that_sends_early_data_and_then_stalls_or_ends_fails_the_reads(
    stalls: bool, run: Run[Any], client_context: Context, server_context: Context
) -> None:
    ended: list[OSError] = []

    async def serve(plain_reader: Any, plain: asyncio.StreamWriter) -> None:
        limit = 0.2 if stalls else 20
        reader, writer = await pyossl.aio.open_over(plain, server_context, early_data=True, ssl_handshake_timeout=limit)
        assert await reader.read_early_data() == REQUEST
        with pytest.raises((ConnectionAbortedError, pyossl.TruncationError)) as failure:
            await reader.read_early_data()
        ended.append(failure.value)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    async def main() -> None:
        session = session_for(client_context, server_context)
        flight = first_flight(pyossl.Connection(client_context, NAME, session=session, early_data=REQUEST))
        async with serving(serve) as port:
            reader, plain = await asyncio.open_connection(HOST, port)
            plain.write(flight)
            if not stalls:
                plain.write_eof()
            with contextlib.suppress(ConnectionError):
                while await reader.read(10_000):
                    pass
            plain.close()
            with contextlib.suppress(ConnectionError):
                await plain.wait_closed()

    run(main())
    assert isinstance(ended[0], ConnectionAbortedError if stalls else pyossl.TruncationError)


def test_a_large_answer_to_early_data_arrives_with_its_close_notify(
    run: Run[Any], client_context: Context, server_context: Context
) -> None:
    body = bytes(3_000_000)

    async def serve(plain_reader: Any, plain: asyncio.StreamWriter) -> None:
        _, writer = await pyossl.aio.open_over(plain, server_context, early_data=True)
        writer.write(body)
        await close(writer)

    async def main() -> None:
        session = session_for(client_context, server_context)
        async with serving(serve) as port:
            _, plain = await asyncio.open_connection(HOST, port)
            reader, writer = await pyossl.aio.open_over(
                plain, client_context, server_hostname=NAME, session=session, early_data=REQUEST
            )
            assert await reader.read() == body
            await close(writer)

    run(main())


def test_early_data_for_the_wrong_side_or_without_its_session_is_refused_before_tls_begins(
    client_context: Context, server_context: Context
) -> None:
    async def serve(plain_reader: Any, plain: asyncio.StreamWriter) -> None:
        assert await plain_reader.readline() == b"still in the clear\n"

    async def main() -> None:
        session: Any = session_for(client_context, server_context)
        async with serving(serve) as port:
            _, plain = await asyncio.open_connection(HOST, port)
            client: dict[str, Any] = {"server_hostname": NAME, "session": session}
            with pytest.raises(pyossl.UsageError, match="for clients"):
                await pyossl.aio.open_over(plain, server_context, early_data=REQUEST)
            with pytest.raises(pyossl.UsageError, match="session"):
                await pyossl.aio.open_over(plain, client_context, server_hostname=NAME, early_data=REQUEST)
            with pytest.raises(TypeError):
                await pyossl.aio.open_over(plain, client_context, early_data=True, **client)
            with pytest.raises(ValueError, match="the session allows"):
                await pyossl.aio.open_over(plain, client_context, early_data=bytes(20_000), **client)
            plain.write(b"still in the clear\n")
            plain.close()
            await plain.wait_closed()

    runner = looped.running("asyncio")
    next(runner)(main())
    assert next(runner, None) is None
