"""TLS over an existing stream, whose peer may already have sent bytes, and failures before TLS begins."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import socket
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from looped import Run, close, echo, port_of, until

import pyossl
import pyossl.aio

HOST = "127.0.0.1"


# Bytes that were received before


def test_a_peer_that_begins_its_tls_before_us_is_heard(
    run: Run, client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    """The plain stream's reader holds all or part of the ClientHello."""

    async def serve(reader: Any, writer: Any) -> None:
        first = await reader.readexactly(5)  # for example the line of a proxy
        assert first == b"PROXY"
        while len(reader._buffer) < 100:
            await asyncio.sleep(0)
        above = await pyossl.aio.open_over(writer.transport, server_context)
        await echo(*above)

    async def main() -> None:
        server = await asyncio.start_server(serve, HOST, 0)
        _, plain = await asyncio.open_connection(HOST, port_of(server))
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
    """CVE-2011-0411: a plain command that follows STARTTLS must not be executed as if TLS had protected it."""
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


Way = Callable[[Any, Any, pyossl.Context], Coroutine[Any, Any, Any]]


async def by_start_tls(reader: Any, writer: Any, context: pyossl.Context) -> Any:
    """The plain stream's reader goes on."""
    transport, name = writer.transport, None if context.is_server else "localhost"
    side = context.is_server
    await pyossl.aio.start_tls(transport, transport.get_protocol(), context, server_side=side, server_hostname=name)
    return reader, writer


async def by_start_tls_with_another_protocol(reader: Any, writer: Any, context: pyossl.Context) -> Any:
    above = pyossl.aio.StreamReader(1 << 16, asyncio.get_running_loop())
    protocol = asyncio.StreamReaderProtocol(above)
    name = None if context.is_server else "localhost"
    await pyossl.aio.start_tls(writer.transport, protocol, context, server_side=context.is_server, server_hostname=name)
    return above, writer


async def by_open_over(reader: Any, writer: Any, context: pyossl.Context) -> Any:
    name = None if context.is_server else "localhost"
    return await pyossl.aio.open_over(writer, context, server_hostname=name)


async def by_open_over_its_transport(reader: Any, writer: Any, context: pyossl.Context) -> Any:
    name = None if context.is_server else "localhost"
    return await pyossl.aio.open_over(writer.transport, context, server_hostname=name)


every_way = pytest.mark.parametrize(
    "way", [by_start_tls, by_start_tls_with_another_protocol, by_open_over, by_open_over_its_transport]
)


async def read_under_tls(way: Way, reader: Any, writer: Any, context: pyossl.Context) -> Any:
    """A line that is read from the TLS stream, or the exception if there is none."""
    try:
        above, over = await way(reader, writer, context)
        try:
            return await above.readline()
        finally:
            over.transport.abort()
    except (pyossl.Error, OSError) as error:
        return error
    finally:
        writer.transport.abort()


@every_way
def test_a_client_refuses_what_came_in_the_clear_behind_the_go_ahead(
    run: Run, client_context: pyossl.Context, server_context: pyossl.Context, way: Way
) -> None:
    async def serve(reader: Any, writer: Any) -> None:
        await reader.readline()
        writer.write(b"go ahead\nINJECTED IN THE CLEAR\n")
        with contextlib.suppress(pyossl.Error, OSError):
            _, above = await pyossl.aio.open_over(writer, server_context)
            above.write(b"genuine\n")
            await above.drain()
        writer.close()

    async def main() -> Any:
        server = await asyncio.start_server(serve, HOST, 0)
        reader, writer = await asyncio.open_connection(HOST, port_of(server))
        writer.write(b"STARTTLS\n")
        assert await reader.readline() == b"go ahead\n"
        await until(lambda: reader._buffer)  # type: ignore[attr-defined]
        got = await read_under_tls(way, reader, writer, client_context)
        with pytest.raises(pyossl.Error):  # it cannot be read later either
            await reader.read()
        server.close()
        await server.wait_closed()
        return got

    got = run(main())
    assert isinstance(got, pyossl.Error)
    assert isinstance(got, pyossl.TLSError), "somebody on the network has put them there"
    assert "22 bytes that were received in the clear" in str(got)


@every_way
def test_a_server_refuses_a_command_that_came_in_the_clear_behind_starttls(
    run: Run, client_context: pyossl.Context, server_context: pyossl.Context, way: Way
) -> None:
    got: list[Any] = []

    async def serve(reader: Any, writer: Any) -> None:
        assert await reader.readline() == b"STARTTLS\n"
        await until(lambda: reader._buffer)
        got.append(await read_under_tls(way, reader, writer, server_context))

    async def main() -> None:
        server = await asyncio.start_server(serve, HOST, 0)
        _, writer = await asyncio.open_connection(HOST, port_of(server))
        writer.write(b"STARTTLS\nDELETE EVERYTHING\n")
        with pytest.raises((pyossl.TruncationError, OSError)):
            await pyossl.aio.open_over(writer, client_context, server_hostname="localhost")
        await until(lambda: got)
        server.close()
        await server.wait_closed()

    run(main())
    assert isinstance(got[0], pyossl.Error)
    assert "received in the clear" in str(got[0])


@every_way
def test_a_server_goes_on_with_a_handshake_that_began_early(
    run: Run, client_context: pyossl.Context, server_context: pyossl.Context, way: Way
) -> None:
    got: list[Any] = []

    async def serve(reader: Any, writer: Any) -> None:
        assert await reader.readexactly(5) == b"PROXY"
        await until(lambda: len(reader._buffer) > 100)
        got.append(await read_under_tls(way, reader, writer, server_context))

    async def main() -> None:
        server = await asyncio.start_server(serve, HOST, 0)
        _, writer = await asyncio.open_connection(HOST, port_of(server))
        writer.write(b"PROXY")
        _, above = await pyossl.aio.open_over(writer, client_context, server_hostname="localhost")
        above.write(b"hello\n")
        await until(lambda: got)
        above.transport.abort()
        server.close()
        await server.wait_closed()

    run(main())
    assert got == [b"hello\n"]


def test_a_command_in_the_clear_behind_an_early_handshake_is_refused_too(
    run: Run, client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    """OpenSSL checks bytes that begin like a record, and all bytes after them."""
    client = pyossl.Connection(client_context, "localhost")
    client.handshake()
    hello = client.data_to_send()
    got: list[Any] = []

    async def serve(reader: Any, writer: Any) -> None:
        await reader.readline()
        await until(lambda: reader._buffer.endswith(b"EVERYTHING\n"))
        got.append(await read_under_tls(by_start_tls, reader, writer, server_context))

    async def main() -> None:
        server = await asyncio.start_server(serve, HOST, 0)
        _, writer = await asyncio.open_connection(HOST, port_of(server))
        writer.write(b"STARTTLS\n" + hello + b"DELETE EVERYTHING\n")
        await until(lambda: got)
        writer.transport.abort()
        server.close()
        await server.wait_closed()

    run(main())
    assert isinstance(got[0], pyossl.Error)


def test_a_reader_that_start_tls_goes_on_with_pauses_its_new_transport(
    run: Run, client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    """A long readexactly works too, although the transport below also uses TLS."""
    data = bytes(range(256)) * 4096

    async def serve(reader: Any, writer: Any) -> None:
        transport, protocol = writer.transport, writer.transport.get_protocol()
        inner = await pyossl.aio.start_tls(transport, protocol, server_context, server_side=True)
        inner.write(data)
        assert await reader.readline() == b"that is all\n"
        inner.close()
        await writer.wait_closed()

    async def main() -> None:
        async with await pyossl.aio.start_server(serve, HOST, 0, ssl=server_context) as server:
            reader, writer = await pyossl.aio.open_connection(HOST, port_of(server), ssl=client_context)
            transport, protocol = writer.transport, writer.transport.get_protocol()
            inner = await pyossl.aio.start_tls(transport, protocol, client_context, server_hostname="localhost")
            assert await reader.readexactly(len(data)) == data
            inner.write(b"that is all\n")
            assert await reader.read() == b""
            inner.close()
            await writer.wait_closed()

    run(main())


def test_a_failure_is_raised_and_not_also_reported_in_whatever_order_the_stream_is_freed(
    run: Run, client_context: pyossl.Context
) -> None:
    """The garbage collector of a free-threaded Python may free the future of a stream's end before its protocol."""

    async def serve(reader: Any, writer: Any) -> None:
        await reader.read(5)
        writer.transport.abort()

    async def main() -> None:
        server = await asyncio.start_server(serve, HOST, 0)
        reader, writer = await asyncio.open_connection(HOST, port_of(server))
        protocol: Any = writer.transport.get_protocol()
        with pytest.raises((pyossl.TruncationError, OSError)):
            await by_open_over(reader, writer, client_context)
        await until(protocol._closed.done)
        del protocol._closed
        server.close()
        await server.wait_closed()

    run(main())


@pytest.mark.parametrize("gives", ["writer", "transport"])
def test_a_plain_writer_that_is_no_longer_used_does_not_close_the_streams_of_open_over(
    run: Run, client_context: pyossl.Context, server_context: pyossl.Context, gives: str
) -> None:
    """asyncio's writers close their transport in a finaliser from a release of Python 3.11 on, pyossl's always do."""

    async def serve(reader: Any, writer: Any) -> None:
        reader, writer = await pyossl.aio.open_over(writer, server_context)
        gc.collect()
        await echo(reader, writer)

    async def main(opens: Any, serves: Any) -> None:
        server = await serves(serve, HOST, 0)
        reader, writer = await opens(HOST, port_of(server))
        below = writer if gives == "writer" else writer.transport
        reader, writer = await pyossl.aio.open_over(below, client_context, server_hostname="localhost")
        gc.collect()
        writer.write(b"hello\n")
        assert await reader.readline() == b"hello\n"
        await close(writer)
        server.close()
        await server.wait_closed()

    if gives == "writer":
        run(main(asyncio.open_connection, asyncio.start_server))
    opens = functools.partial(pyossl.aio.open_connection, ssl=client_context)
    run(main(opens, functools.partial(pyossl.aio.start_server, ssl=server_context)))


def test_a_socket_reads_no_plain_bytes_as_if_they_came_under_tls(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    """A blocking socket buffers nothing before TLS begins.  All bytes in the kernel are read as TLS."""
    for context, name in ((client_context, "localhost"), (server_context, None)):
        ours, theirs = socket.socketpair()
        with theirs, ours:
            theirs.sendall(b"DELETE EVERYTHING\n")
            with pytest.raises(pyossl.Error):
                context.wrap_socket(ours, name)


# Failures before TLS begins


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
