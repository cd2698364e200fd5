"""pyossl.trio with other TLS: the standard library's in a thread, trio's own, and OpenSSL's programs."""

from __future__ import annotations

import random
import shutil
import socket
import ssl
import subprocess
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from served import SECONDS
from streams.trio_pairs import both, read_all, run, tcp_transports

import pyossl
from pyossl.trio import TLSStream

pytestmark = pytest.mark.feature("trio streams and listeners")

Contexts = tuple[pyossl.Context, pyossl.Context]
VERSIONS = {pyossl.Version.TLSv1_2: ssl.TLSVersion.TLSv1_2, pyossl.Version.TLSv1_3: ssl.TLSVersion.TLSv1_3}
DATA = random.Random(1).randbytes(4 << 20)


@pytest.fixture
def contexts(client_context: pyossl.Context, server_context: pyossl.Context) -> Contexts:
    return client_context, server_context


@pytest.fixture(params=VERSIONS, ids=lambda version: version.name)
def version(request: pytest.FixtureRequest) -> pyossl.Version:
    return request.param


@pytest.fixture
def theirs(
    version: pyossl.Version, authority: pyossl.Authority, credentials: pyossl.Credentials, tmp_path: Path
) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The standard library's contexts: a client's and a server's."""
    (tmp_path / "chain.pem").write_bytes(credentials.certificate_pem())
    (tmp_path / "key.pem").write_bytes(credentials.private_key.to_pem())
    client = ssl.create_default_context(cadata=authority.certificate.to_pem().decode())
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(tmp_path / "chain.pem", tmp_path / "key.pem")
    client.maximum_version = server.maximum_version = VERSIONS[version]
    return client, server


async def echo(stream: TLSStream[Any]) -> None:
    """Sends back what the peer sends."""
    async for data in stream:
        await stream.send_all(data)


def read_to_the_end(tls: ssl.SSLSocket) -> bytes:
    return b"".join(iter(lambda: tls.recv(65536), b""))


def test_a_server_works_with_a_client_of_the_stdlib(
    contexts: Contexts, theirs: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    def client(port: int) -> bytes:
        with (
            socket.create_connection(("127.0.0.1", port), SECONDS) as sock,
            theirs[0].wrap_socket(sock, server_hostname="example.com", suppress_ragged_eofs=False) as tls,
        ):
            received = b""
            for start in range(0, len(DATA), 1 << 16):
                piece = DATA[start : start + (1 << 16)]
                tls.sendall(piece)
                while len(received) < start + len(piece):
                    received += tls.recv(65536)
            tls.unwrap()
            return received

    async def work() -> None:
        async with trio.open_nursery() as nursery:
            serve = partial(pyossl.trio.serve_tcp, echo, 0, contexts[1], host="127.0.0.1")
            (listener,) = await nursery.start(serve)
            port = listener.transport_listener.socket.getsockname()[1]
            assert await trio.to_thread.run_sync(client, port) == DATA
            nursery.cancel_scope.cancel()

    run(work)


def test_a_client_works_with_a_server_of_the_stdlib(
    contexts: Contexts, theirs: tuple[ssl.SSLContext, ssl.SSLContext], version: pyossl.Version
) -> None:
    """It sends its tickets at once.  A close that left them unread would be a reset, and the server would lose the
    data that it had no room for yet (docs/pitfalls.md, 9).
    """
    closed = threading.Event()

    def server(listener: socket.socket) -> bytes:
        sock, _ = listener.accept()
        with theirs[1].wrap_socket(sock, server_side=True, suppress_ragged_eofs=False) as tls:
            tls.settimeout(SECONDS)
            received = b""
            while len(received) < len(DATA) - 65536:
                received += tls.recv(16384)
            assert closed.wait(SECONDS)
            return received + read_to_the_end(tls)

    async def client(port: int) -> None:
        stream = await pyossl.trio.open_tcp_stream("127.0.0.1", port, contexts[0], server_hostname="example.com")
        # We keep all bytes that the server does not read.
        stream.transport_stream.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        stream.transport_stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, 1 << 30)
        await stream.send_all(DATA)
        assert stream.version == str(version.name).replace("_", ".")
        await stream.aclose()
        closed.set()

    async def work() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
            listener.settimeout(SECONDS)
            port = listener.getsockname()[1]
            received, _ = await both(trio.to_thread.run_sync(server, listener), client(port))
            assert received == DATA

    run(work)


@pytest.mark.parametrize("side", ["client", "server"])
def test_it_works_with_trios_own_streams(
    side: str, contexts: Contexts, theirs: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    async def send(stream: Any) -> None:
        await stream.send_all(DATA)
        await stream.aclose()

    async def both_ways(ours: Any, others: Any) -> None:
        back = DATA[::-1]
        await both(ours.do_handshake(), others.do_handshake())
        _, _, there_too, here_too = await both(
            ours.send_all(DATA), others.send_all(back), _exactly(others), _exactly(ours)
        )
        assert (there_too, here_too) == (DATA, back)
        _, received = await both(send(ours), read_all(others))
        assert received == DATA
        await others.aclose()

    async def work() -> None:
        first, second = await tcp_transports()
        if side == "client":
            await both_ways(
                TLSStream(first, contexts[0], "example.com"), trio.SSLStream(second, theirs[1], server_side=True)
            )
        else:
            await both_ways(
                TLSStream(first, contexts[1]), trio.SSLStream(second, theirs[0], server_hostname="example.com")
            )

    run(work)


async def _exactly(stream: Any) -> bytes:
    received = bytearray()
    while len(received) < len(DATA):
        received += await stream.receive_some()
    return bytes(received)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl program is not installed")
def test_s_client_is_served(contexts: Contexts, authority: pyossl.Authority, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(authority.certificate.to_pem())

    async def work() -> None:
        async with trio.open_nursery() as nursery:
            serve = partial(pyossl.trio.serve_tcp, echo, 0, contexts[1], host="127.0.0.1")
            (listener,) = await nursery.start(serve)
            port = listener.transport_listener.socket.getsockname()[1]
            command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-quiet", "-verify_return_error"]
            process = await nursery.start(
                partial(
                    trio.run_process,
                    [*command, "-verify_hostname", "example.com", "-CAfile", str(tmp_path / "ca.pem")],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    check=False,
                )
            )
            await process.stdin.send_all(b"an echo of this\n")
            received = b""
            while not received.endswith(b"\n"):
                piece = await process.stdout.receive_some()
                assert piece, f"s_client has ended, after {received!r}"
                received += piece
            assert received == b"an echo of this\n"
            nursery.cancel_scope.cancel()

    run(work)
