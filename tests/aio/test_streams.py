"""Streams over TLS, on each kind of loop."""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
from pathlib import Path

import looped
import pytest
from looped import Run, close, echo, port_of

import pyossl
import pyossl.aio

HOST = "127.0.0.1"


async def connected(
    server: pyossl.aio.Server, context: pyossl.Context, **options: object
) -> tuple[asyncio.StreamReader, pyossl.aio.StreamWriter]:
    return await pyossl.aio.open_connection(HOST, port_of(server), ssl=context, **options)


@pytest.mark.feature("asyncio streams, protocols and servers, over sockets and other transports")
def test_ten_megabytes_come_back_as_they_went(
    run: Run, client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    data = os.urandom(10_000_000)

    async def main() -> None:
        async with await pyossl.aio.start_server(echo, HOST, 0, ssl=server_context) as server:
            reader, writer = await connected(server, client_context)

            async def send() -> None:
                for start in range(0, len(data), 333_333):
                    writer.write(data[start : start + 333_333])
                    await writer.drain()
                writer.write_eof()

            sending = asyncio.create_task(send())
            digest, size = hashlib.sha256(), 0
            while part := await reader.read(100_000):
                digest.update(part)
                size += len(part)
            await sending
            await close(writer)
            assert size == len(data)
            assert digest.digest() == hashlib.sha256(data).digest()

    run(main())


def test_lines_and_exact_numbers_of_bytes_are_asyncios(
    run: Run, client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: pyossl.aio.StreamWriter) -> None:
        writer.writelines([b"one\n", b"two\r\nthree", b"|", b"x" * 50_000, b"end"])
        await close(writer)

    async def main() -> None:
        async with await pyossl.aio.start_server(serve, HOST, 0, ssl=server_context) as server:
            reader, writer = await connected(server, client_context)
            assert await reader.readline() == b"one\n"
            assert await reader.readuntil(b"\r\n") == b"two\r\n"
            assert await reader.readuntil(b"|") == b"three|"
            assert await reader.readexactly(50_000) == b"x" * 50_000
            with pytest.raises(asyncio.IncompleteReadError) as caught:
                await reader.readexactly(10)
            assert caught.value.partial == b"end"
            assert await reader.read() == b""
            assert reader.at_eof()
            await close(writer)

    run(main())


def test_a_line_beyond_the_limit_is_refused_and_stays_to_be_read(
    run: Run, client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: pyossl.aio.StreamWriter) -> None:
        writer.write(b"x" * 1000 + b"\nrest")
        await close(writer)

    async def main() -> None:
        async with await pyossl.aio.start_server(serve, HOST, 0, ssl=server_context) as server:
            reader, writer = await connected(server, client_context, limit=100)
            with pytest.raises(asyncio.LimitOverrunError):
                await reader.readuntil(b"\n")
            assert await reader.readexactly(1001) == b"x" * 1000 + b"\n"
            assert await reader.read() == b"rest"
            await close(writer)

    run(main())


def test_either_side_may_close_its_half_and_read_on(
    run: Run, client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: pyossl.aio.StreamWriter) -> None:
        question = await reader.read()  # until the client's close_notify
        writer.write(b"you asked: " + question)
        await writer.drain()
        await close(writer)

    async def main() -> None:
        async with await pyossl.aio.start_server(serve, HOST, 0, ssl=server_context) as server:
            reader, writer = await connected(server, client_context)
            assert writer.can_write_eof()
            writer.write(b"what?")
            writer.write_eof()
            with pytest.raises(RuntimeError, match=r"write_eof"):
                writer.write(b"more")
            assert await reader.read() == b"you asked: what?"
            await close(writer)

    run(main())


def test_the_transport_tells_asyncios_names_and_pyossls(
    run: Run, client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    async def main() -> None:
        async with await pyossl.aio.start_server(echo, HOST, 0, ssl=server_context) as server:
            _, writer = await connected(server, client_context)
            info = writer.get_extra_info
            connection = info("connection")
            assert info("peername")[:2] == (HOST, port_of(server))
            assert info("sockname")[:2] == info("socket").getsockname()[:2]
            assert info("sslcontext") is client_context
            assert info("ssl_object") is connection
            assert info("cipher") == (connection.cipher, "TLSv1.3", 256)
            assert info("compression", "none") is None
            assert info("peercert").subject == connection.peer_certificate.subject
            assert info("no such thing", 5) == 5
            await close(writer)
            assert info("peername")[:2] == (HOST, port_of(server))
            assert info("cipher", "gone") == "gone"

    run(main())


def test_a_certificate_that_does_not_verify_ends_open_connection(run: Run, server_context: pyossl.Context) -> None:
    async def main() -> None:
        stranger = pyossl.Context.client(trust=pyossl.Authority().certificate)
        async with await pyossl.aio.start_server(echo, HOST, 0, ssl=server_context) as server:
            with pytest.raises(pyossl.CertificateError):
                await connected(server, stranger)
            with pytest.raises(pyossl.CertificateError, match=r"self.signed|unable to get"):
                await pyossl.aio.open_connection(
                    HOST, port_of(server)
                )  # with the system's trusted certificates, the default

    run(main())


def test_the_name_is_the_hosts_unless_another_is_given(
    run: Run, client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    async def main() -> None:
        async with await pyossl.aio.start_server(echo, HOST, 0, ssl=server_context) as server:
            _, writer = await connected(server, client_context, server_hostname="example.com")
            assert writer.get_extra_info("connection").verified_name == "example.com"
            await close(writer)
            with pytest.raises(pyossl.CertificateError, match=r"(?i)hostname mismatch"):
                await connected(server, client_context, server_hostname="example.org")

    run(main())


def test_a_socket_that_is_connected_already_is_taken_over(
    run: Run, client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    async def main() -> None:
        async with await pyossl.aio.start_server(echo, HOST, 0, ssl=server_context) as server:
            sock = socket.create_connection((HOST, port_of(server)))
            with pytest.raises(ValueError, match=r"server_hostname"):
                await pyossl.aio.open_connection(sock=sock, ssl=client_context)
            reader, writer = await pyossl.aio.open_connection(
                sock=sock, ssl=client_context, server_hostname="localhost"
            )
            writer.write(b"x")
            assert await reader.readexactly(1) == b"x"
            await close(writer)

    run(main())


def test_unix_sockets(run: Run, tmp_path: Path, client_context: pyossl.Context, server_context: pyossl.Context) -> None:
    path = tmp_path / "socket"

    async def main() -> None:
        for _ in range(2):  # the second server replaces the socket of the first
            async with await pyossl.aio.start_unix_server(echo, path, ssl=server_context):
                with pytest.raises(ValueError, match=r"server_hostname"):
                    await pyossl.aio.open_unix_connection(path, ssl=client_context)
                reader, writer = await pyossl.aio.open_unix_connection(
                    path, ssl=client_context, server_hostname="localhost"
                )
                writer.write(b"hello\n")
                assert await reader.readline() == b"hello\n"
                await close(writer)

    run(main())


def test_a_session_is_resumed(run: Run, client_context: pyossl.Context, server_context: pyossl.Context) -> None:
    sessions: list[pyossl.Session] = []
    client_context.new_session_callback = lambda connection, session: sessions.append(session)

    async def main() -> None:
        async with await pyossl.aio.start_server(echo, HOST, 0, ssl=server_context) as server:
            for resumed in (False, True):
                session = sessions[-1] if sessions else None
                reader, writer = await connected(server, client_context, session=session)
                writer.write(b"x")
                await reader.readexactly(1)  # a ticket comes before it
                assert writer.get_extra_info("connection").session_reused == resumed
                await close(writer)

    run(main())


def test_client_certificates_names_and_protocols(
    run: Run, authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    ours, chain = authority.issue("client.example"), (credentials.certificate, *credentials.chain)
    options = {"trust": authority.certificate, "verify": True, "alpn": ["echo/1"]}
    server_context = pyossl.Context.server(chain, credentials.private_key, **options)
    names: list[str | None] = []
    server_context.servername_callback = lambda connection, name: names.append(name)
    client_context = pyossl.Context.client(
        trust=authority.certificate, certificate=ours.certificate, private_key=ours.private_key, alpn=["echo/1"]
    )
    nobody = pyossl.Context.client(trust=authority.certificate, alpn=["echo/1"])

    async def serve(reader: asyncio.StreamReader, writer: pyossl.aio.StreamWriter) -> None:
        writer.write(writer.get_extra_info("peercert").subject.encode())
        await close(writer)

    async def main() -> None:
        async with await pyossl.aio.start_server(serve, HOST, 0, ssl=server_context) as server:
            reader, writer = await connected(server, client_context, server_hostname="example.com")
            assert b"client.example" in await reader.read()
            assert writer.get_extra_info("connection").alpn == "echo/1"
            await close(writer)
            assert names == ["example.com"]
            reader, writer = await connected(server, nobody)  # in TLS 1.3 a client sees it after its handshake
            with pytest.raises(pyossl.AlertError, match=r"certificate required"):
                await reader.read()
            with pytest.raises(pyossl.AlertError):
                await close(writer)

    run(main())


def test_a_transport_that_ends_without_a_close_notify_is_no_eof(
    run: Run, client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    """docs/pitfalls.md, 6: otherwise an attacker who cuts the connection decides where the data ends."""

    async def serve(reader: asyncio.StreamReader, writer: pyossl.aio.StreamWriter) -> None:
        writer.write(b"half of")
        await reader.readexactly(1)
        writer.transport.abort()

    async def main() -> None:
        async with await pyossl.aio.start_server(serve, HOST, 0, ssl=server_context) as server:
            reader, writer = await connected(server, client_context)
            assert await reader.readexactly(7) == b"half of"
            writer.write(b"x")
            with pytest.raises(pyossl.TruncationError):
                await reader.read()
            with pytest.raises(pyossl.TruncationError):
                await close(writer)

    run(main())


def test_two_tasks_in_one_read_is_an_error_and_no_hang(
    run: Run, client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    async def main() -> None:
        async with await pyossl.aio.start_server(echo, HOST, 0, ssl=server_context) as server:
            reader, writer = await connected(server, client_context)
            for read in (lambda: reader.read(10), reader.readline, lambda: reader.readexactly(300_000)):
                first = asyncio.create_task(reader.read(10))
                await asyncio.sleep(0)
                with pytest.raises(RuntimeError, match=r"already waiting"):
                    await read()
                writer.write(b"x")
                assert await first == b"x"
            await close(writer)

    run(main())


@pytest.mark.parametrize("ways", ["read", "readexactly", "readline"])
def test_a_cancelled_read_loses_no_bytes(
    run: Run, client_context: pyossl.Context, server_context: pyossl.Context, ways: str
) -> None:
    data = os.urandom(400_000).replace(b"\n", b" ") + b"\n"

    async def main() -> None:
        async with await pyossl.aio.start_server(echo, HOST, 0, ssl=server_context) as server:
            reader, writer = await connected(server, client_context, limit=1 << 20)
            read = {
                "read": lambda: reader.read(100_000),
                "readexactly": lambda: reader.readexactly(len(data)),
                "readline": reader.readline,
            }[ways]
            got = b""
            for start in range(0, len(data), 10_000):
                task = asyncio.create_task(read())
                await asyncio.sleep(0)
                writer.write(data[start : start + 10_000])
                for _ in range(start // 10_000 % 5):  # after a different number of turns
                    await asyncio.sleep(0)
                task.cancel()
                try:
                    got += await task
                except asyncio.CancelledError:
                    continue
            while len(got) < len(data):
                got += await reader.read(100_000)
            assert got == data
            await close(writer)

    run(main())


def test_a_cancelled_wait_closed_leaves_the_next_one_working(
    run: Run, client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    async def main() -> None:
        async with await pyossl.aio.start_server(echo, HOST, 0, ssl=server_context) as server:
            _, writer = await connected(server, client_context)
            waiting = asyncio.create_task(writer.wait_closed())
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            await close(writer)
            await writer.wait_closed()

    run(main())


def test_an_exception_in_a_servers_callback_closes_that_connection_and_is_told(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    reported: list[dict[str, object]] = []

    async def serve(reader: asyncio.StreamReader, writer: pyossl.aio.StreamWriter) -> None:
        raise ZeroDivisionError

    async def main() -> None:
        async with await pyossl.aio.start_server(serve, HOST, 0, ssl=server_context) as server:
            reader, writer = await connected(server, client_context)
            assert await reader.read() == b""
            await close(writer)

    for run in looped.running("asyncio", reported):
        run(main())
    assert [type(context["exception"]) for context in reported] == [ZeroDivisionError]


def test_a_writer_that_is_dropped_without_close_warns_and_closes(
    run: Run, client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    async def main() -> None:
        async with await pyossl.aio.start_server(echo, HOST, 0, ssl=server_context) as server:
            reader, writer = await connected(server, client_context)
            with pytest.warns(ResourceWarning, match=r"unclosed <StreamWriter"):
                del writer
            assert await reader.read() == b""

    run(main())


def test_starttls_and_tls_inside_tls(run: Run, client_context: pyossl.Context, server_context: pyossl.Context) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readline() == b"STARTTLS\n"
        writer.write(b"go ahead\n")
        await writer.drain()
        inner, answers = await pyossl.aio.open_over(writer.transport, server_context)
        assert await inner.readline() == b"again\n"
        answers.write(b"once more\n")
        await answers.start_tls(server_context)
        await echo(inner, answers)

    async def main() -> None:
        server = await asyncio.start_server(serve, HOST, 0)
        port = server.sockets[0].getsockname()[1]
        plain, commands = await asyncio.open_connection(HOST, port)
        commands.write(b"STARTTLS\n")
        assert await plain.readline() == b"go ahead\n"
        reader, writer = await pyossl.aio.open_over(commands.transport, client_context, server_hostname="localhost")
        assert writer.get_extra_info("peername")[:2] == (HOST, port)
        writer.write(b"again\n")
        assert await reader.readline() == b"once more\n"
        await writer.start_tls(client_context, server_hostname="localhost")
        data = os.urandom(3_000_000)
        writer.write(data)
        writer.write_eof()
        assert await reader.read() == data
        await close(writer)
        server.close()
        await server.wait_closed()

    run(main())


def test_happy_eyeballs_and_local_addresses(
    run: Run, client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    async def main() -> None:
        async with await pyossl.aio.start_server(echo, HOST, 0, ssl=server_context) as server:
            _, writer = await pyossl.aio.open_connection(
                "localhost",
                port_of(server),
                ssl=client_context,
                happy_eyeballs_delay=0.25,
                family=socket.AF_UNSPEC,
                local_addr=None,
            )
            await close(writer)
            _, writer = await connected(server, client_context, local_addr=("127.0.0.2", 0))
            assert writer.get_extra_info("sockname")[0] == "127.0.0.2"
            await close(writer)
        with pytest.raises(ConnectionRefusedError):
            await pyossl.aio.open_connection(HOST, 1, ssl=client_context)

    run(main())
