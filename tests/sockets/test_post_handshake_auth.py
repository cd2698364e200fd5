"""A client that only reads answers a server that asks for its certificate after the handshake (RFC 8446, 4.6.2)."""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import anyio
import looped
import pytest
import trio
from served import SECONDS, serving_plain

import pyossl
import pyossl.aio
import pyossl.anyio
import pyossl.trio
from pyossl import Connection, Context, Want, lib
from pyossl.pyopenssl import SSL

TIMES = 5
"""How often the server asks."""
Address = tuple[str, int]


@pytest.fixture
def mine(authority: pyossl.Authority) -> pyossl.Credentials:
    return authority.issue("me.example")


@pytest.fixture
def context(authority: pyossl.Authority, mine: pyossl.Credentials) -> Context:
    """A client's context with a certificate, which it sends after the handshake too."""
    context = Context.client(trust=authority.certificate, certificate=mine.certificate, private_key=mine.private_key)
    lib.SSL_CTX_set_post_handshake_auth(context._ctx, 1)
    return context


@pytest.fixture
def asking(
    authority: pyossl.Authority, credentials: pyossl.Credentials, mine: pyossl.Credentials, tmp_path: Path
) -> Iterator[Address]:
    """The address of a server that asks, without sending data, and sends ``welcome`` after the answer."""
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(credentials.certificate.to_pem())
    key.write_bytes(credentials.private_key.to_pem())
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(chain, key)
    server.load_verify_locations(cadata=authority.certificate.to_pem().decode())
    server.verify_mode = ssl.CERT_REQUIRED
    server.post_handshake_auth = True

    def take(tls: ssl.SSLSocket) -> None:
        assert select.select([tls], [], [], SECONDS)[0], "the client does not answer"
        with contextlib.suppress(ssl.SSLWantReadError):
            tls.recv(100)

    def serve(sock: socket.socket) -> None:
        with server.wrap_socket(sock, server_side=True) as tls:
            tls.settimeout(0)
            tls.verify_client_post_handshake()
            for _ in range(TIMES):
                tls.do_handshake()  # sends the request
                while not _asks_again(tls):
                    take(tls)
            tls.do_handshake()
            assert tls.getpeercert(binary_form=True) == mine.certificate.to_der()
            tls.sendall(b"welcome")
            tls.settimeout(SECONDS)
            with contextlib.suppress(OSError):
                while tls.recv(4096):  # closing with unread bytes would reset the connection
                    pass

    with serving_plain(serve) as address:
        yield address


def _asks_again(tls: ssl.SSLSocket) -> bool:
    """Begins another request, which OpenSSL refuses while one has not been answered."""
    try:
        tls.verify_client_post_handshake()
    except ssl.SSLError:
        return False
    return True


async def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    try:
        return await reader.readexactly(7)
    finally:
        writer.transport.abort()
        await writer.wait_closed()


@pytest.mark.parametrize("kind", looped.KINDS)
def test_an_asyncio_reader_answers(kind: str, asking: Address, context: Context) -> None:
    async def main() -> bytes:
        reader, writer = await pyossl.aio.open_connection(*asking, ssl=context, server_hostname="example.com")
        return await welcome(reader, writer)

    for run in looped.running(kind):
        assert run(main()) == b"welcome"


@pytest.mark.parametrize("kind", looped.KINDS)
def test_an_asyncio_reader_answers_over_a_transport(kind: str, asking: Address, context: Context) -> None:
    async def main() -> bytes:
        _, plain = await asyncio.open_connection(*asking)
        reader, writer = await pyossl.aio.open_over(plain, context, server_hostname="example.com")
        return await welcome(reader, writer)

    for run in looped.running(kind):
        assert run(main()) == b"welcome"


def test_a_trio_reader_answers(asking: Address, context: Context) -> None:
    async def main() -> bytes:
        with trio.fail_after(SECONDS):
            stream = await pyossl.trio.open_tcp_stream(*asking, context, server_hostname="example.com")
            async with stream:
                return await stream.receive_some(7)

    assert trio.run(main) == b"welcome"


def test_a_trio_reader_answers_while_a_writer_waits(asking: Address, context: Context) -> None:
    """The writer sends the reader's answer with its own bytes, or the reader sends it after them."""

    async def main() -> bytes:
        with trio.fail_after(SECONDS):
            stream = await pyossl.trio.open_tcp_stream(*asking, context, server_hostname="example.com")

            async def write() -> None:
                for _ in range(50):
                    await stream.send_all(bytes(100))

            async with stream, trio.open_nursery() as nursery:
                nursery.start_soon(write)
                return await stream.receive_some(7)

    assert trio.run(main) == b"welcome"


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_anyio_reader_answers(backend: str, asking: Address, context: Context) -> None:
    async def main() -> bytes:
        with anyio.fail_after(SECONDS):
            tcp = await anyio.connect_tcp(*asking)
            stream = await pyossl.anyio.TLSStream.wrap(tcp, hostname="example.com", ssl_context=context)
            async with stream:
                return await stream.receive(7)

    assert anyio.run(main, backend=backend) == b"welcome"


def test_a_blocking_reader_answers(asking: Address, context: Context) -> None:
    with pyossl.connect(asking, context, server_hostname="example.com", timeout=SECONDS) as tls:
        assert tls.recv(100) == b"welcome"


def test_a_reader_that_does_not_block_answers(asking: Address, context: Context) -> None:
    with pyossl.connect(asking, context, server_hostname="example.com", timeout=SECONDS) as tls:
        tls.settimeout(0)
        while True:
            assert select.select([tls], [], [], SECONDS)[0]
            with contextlib.suppress(BlockingIOError):
                assert tls.recv(100) == b"welcome"
                return


def test_a_reader_without_a_transport_has_the_answer_to_send(asking: Address, context: Context) -> None:
    connection = Connection(context, "example.com")
    with socket.create_connection(asking, SECONDS) as sock:
        while connection.handshake() is not None:
            sock.sendall(connection.data_to_send())
            connection.receive_data(sock.recv(65536))
        sock.sendall(connection.data_to_send())
        while (got := connection.read()) is Want.READ:
            sock.sendall(connection.data_to_send())
            connection.receive_data(sock.recv(65536))
        assert got == b"welcome"


def test_a_reader_of_the_pyopenssl_face_answers(asking: Address, mine: pyossl.Credentials, tmp_path: Path) -> None:
    face = SSL.Context(SSL.TLS_CLIENT_METHOD)
    (tmp_path / "mine.pem").write_bytes(mine.certificate.to_pem() + mine.private_key.to_pem())
    face.use_certificate_file(str(tmp_path / "mine.pem"))
    face.use_privatekey_file(str(tmp_path / "mine.pem"))
    lib.SSL_CTX_set_post_handshake_auth(face._context, 1)
    with socket.create_connection(asking, SECONDS) as sock:
        sock.setblocking(True)
        tls = SSL.Connection(face, sock)
        tls.set_connect_state()
        tls.do_handshake()
        assert tls.recv(100) == b"welcome"
