"""TLS over a stream that is there already, whose peer may have spoken before; and what fails before it begins."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import looped
import pytest
from looped import Run, close, echo, port_of

import pyossl
import pyossl.aio

HOST = "127.0.0.1"


@pytest.fixture(params=looped.KINDS)
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    yield from looped.running(request.param)


# What has been received before


def test_a_peer_that_begins_its_tls_before_us_is_heard(
    run: Run, client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    """A plain stream's reader has taken the ClientHello off the transport, in part or whole."""

    async def serve(reader: Any, writer: Any) -> None:
        first = await reader.readexactly(5)  # such as the line of a proxy
        assert first == b"PROXY"
        while len(reader._buffer) < 100:
            await asyncio.sleep(0)
        above = await pyossl.aio.open_over(writer.transport, server_context)
        await echo(*above)

    async def main() -> None:
        server = await asyncio.start_server(serve, HOST, 0)
        _, plain = await asyncio.open_connection(HOST, port_of(server))  # type: ignore[arg-type]
        plain.write(b"PROXY")
        reader, writer = await pyossl.aio.open_over(plain.transport, client_context, server_hostname="localhost")
        writer.write(b"hello\n")
        assert await reader.readline() == b"hello\n"
        await close(writer)
        server.close()
        await server.wait_closed()

    run(main())


def test_a_client_may_begin_tls_inside_tls_at_once(
    run: Run, client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    async def serve(reader: Any, writer: pyossl.aio.StreamWriter) -> None:
        while not reader._fresh:  # the inner ClientHello
            await asyncio.sleep(0)
        await writer.start_tls(server_context)
        await echo(reader, writer)

    async def main() -> None:
        async with await pyossl.aio.start_server(serve, HOST, 0, ssl=server_context) as server:
            reader, writer = await pyossl.aio.open_connection(HOST, port_of(server), ssl=client_context)
            await writer.start_tls(client_context, server_hostname="localhost")
            writer.write(b"hello\n")
            assert await reader.readline() == b"hello\n"
            await close(writer)

    run(main())


def test_what_comes_before_the_inner_handshake_is_not_read_as_if_it_came_under_it(
    run: Run, client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    """CVE-2011-0411: a command that follows STARTTLS in the clear must not be carried out as one that was protected."""
    answers: list[Any] = []

    async def serve(reader: Any, writer: pyossl.aio.StreamWriter) -> None:
        assert await reader.readline() == b"STARTTLS\n"
        while not reader._fresh and not reader._buffer:
            await asyncio.sleep(0)
        try:
            await writer.start_tls(server_context)
            answers.append(await reader.readline())
        except pyossl.Error as error:
            answers.append(error)

    async def main() -> None:
        async with await pyossl.aio.start_server(serve, HOST, 0, ssl=server_context) as server:
            _, writer = await pyossl.aio.open_connection(HOST, port_of(server), ssl=client_context)
            writer.write(b"STARTTLS\nDELETE EVERYTHING\n")
            with pytest.raises(pyossl.TruncationError):
                await writer.start_tls(client_context, server_hostname="localhost")
            writer.close()
            with pytest.raises(pyossl.TruncationError):
                await writer.wait_closed()
            while not answers:
                await asyncio.sleep(0)

    run(main())
    assert isinstance(answers[0], pyossl.Error)


# What fails before it begins


def test_a_factory_that_raises_closes_the_socket(
    run: Run, client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    def factory() -> asyncio.Protocol:
        raise ZeroDivisionError

    async def main() -> None:
        async with await pyossl.aio.start_server(echo, HOST, 0, ssl=server_context) as server:
            with pytest.raises(ZeroDivisionError):
                await pyossl.aio.create_connection(factory, HOST, port_of(server), ssl=client_context)

    run(main())


def test_a_time_limit_that_is_none_closes_the_socket_of_a_path(
    run: Run, tmp_path: Path, client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    path, options = tmp_path / "socket", {"ssl": client_context, "server_hostname": "localhost"}

    async def main() -> None:
        async with await pyossl.aio.start_unix_server(echo, path, ssl=server_context):
            with pytest.raises(ValueError, match=r"positive"):
                await pyossl.aio.open_unix_connection(path, ssl_handshake_timeout=0, **options)

    run(main())


def test_a_handshake_that_fails_in_its_first_step_tells_why(
    run: Run, authority: pyossl.Authority, server_context: pyossl.Context
) -> None:
    context = pyossl.Context.client(trust=authority.certificate)
    context.options |= pyossl.Options.NO_TLSv1_2 | pyossl.Options.NO_TLSv1_3

    async def main() -> None:
        fails = pytest.raises(pyossl.Error, match=r"no protocols available")
        with socket.create_server((HOST, 0)) as listener, fails:
            await pyossl.aio.open_connection(HOST, listener.getsockname()[1], ssl=context)

    run(main())
