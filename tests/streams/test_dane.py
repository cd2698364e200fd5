"""DANE with blocking sockets, asyncio, trio and anyio."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import anyio
import pytest
import trio

import pyossl
import pyossl.aio
import pyossl.anyio
import pyossl.trio
from pyossl import CertificateError, Context, DANEMatch, DecodeError, TLSARecord

HOST, NAME = "127.0.0.1", "secure.example"


@pytest.fixture(scope="module")
def certificate() -> Iterator[tuple[int, pyossl.Certificate]]:
    """The port of a server that nobody has to trust, and its certificate."""
    made = pyossl.self_signed(NAME)
    context = Context.server(made)

    def answer() -> None:
        with contextlib.suppress(OSError):  # the listener has been closed: the tests are over
            for tls, _ in listener:
                with tls, contextlib.suppress(pyossl.TLSError):
                    tls.settimeout(10)
                    tls.handshake()
                    tls.sendall(b"hello")

    listener = pyossl.listen((HOST, 0), context)
    thread = threading.Thread(target=answer)
    thread.start()
    yield listener.address[1], made.certificate
    listener.close()
    thread.join(10)


def over_connect(port: int, context: Context, dane: Any) -> tuple[DANEMatch | None, bytes]:
    with pyossl.connect((HOST, port), context, server_hostname=NAME, timeout=60, dane=dane) as tls:
        return tls.dane_match, tls.recv(100)


def over_wrap_socket(port: int, context: Context, dane: Any) -> tuple[DANEMatch | None, bytes]:
    with socket.create_connection((HOST, port), timeout=60) as sock, context.wrap_socket(sock, NAME, dane=dane) as tls:
        return tls.dane_match, tls.recv(100)


async def over_asyncio(port: int, context: Context, dane: Any) -> tuple[DANEMatch | None, bytes]:
    reader, writer = await pyossl.aio.open_connection(HOST, port, ssl=context, server_hostname=NAME, dane=dane)
    match = writer.transport.get_extra_info("connection").dane_match
    data = await reader.read(100)
    writer.close()
    await writer.wait_closed()
    return match, data


async def over_asyncio_transport(port: int, context: Context, dane: Any) -> tuple[DANEMatch | None, bytes]:
    _, plain = await asyncio.open_connection(HOST, port)
    try:
        reader, writer = await pyossl.aio.open_over(plain, context, server_hostname=NAME, dane=dane)
        match = writer.transport.get_extra_info("connection").dane_match
        data = await reader.read(100)
        writer.close()
        await writer.wait_closed()
        return match, data
    finally:
        plain.close()


async def over_start_tls(port: int, context: Context, dane: Any) -> tuple[DANEMatch | None, bytes]:
    arrived = asyncio.get_running_loop().create_future()

    class Protocol(asyncio.Protocol):
        def data_received(self, data: bytes) -> None:
            arrived.set_result(data)

    protocol = Protocol()
    below, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, HOST, port)
    try:
        above = await pyossl.aio.start_tls(below, protocol, context, server_hostname=NAME, dane=dane)
        match = above.get_extra_info("connection").dane_match
        data = await arrived
        above.close()
        return match, data
    finally:
        below.close()


async def over_trio(port: int, context: Context, dane: Any) -> tuple[DANEMatch | None, bytes]:
    async with await pyossl.trio.open_tcp_stream(HOST, port, context, server_hostname=NAME, dane=dane) as stream:
        data = await stream.receive_some(100)
        return stream.dane_match, data


async def over_anyio(port: int, context: Context, dane: Any) -> tuple[DANEMatch | None, bytes]:
    async with await pyossl.anyio.connect_tcp(HOST, port, ssl_context=context, tls_hostname=NAME, dane=dane) as stream:
        data = await stream.receive(100)
        return stream.dane_match, data


def run_asyncio(fetch: Callable[..., Awaitable[Any]], *given: Any) -> Any:
    async def fetched() -> Any:
        return await fetch(*given)

    return asyncio.run(fetched())


def run_blocking(fetch: Callable[..., Any], *given: Any) -> Any:
    return fetch(*given)


@pytest.mark.parametrize(
    ("run", "fetch"),
    [
        (run_blocking, over_connect),
        (run_blocking, over_wrap_socket),
        (run_asyncio, over_asyncio),
        (run_asyncio, over_asyncio_transport),
        (run_asyncio, over_start_tls),
        (trio.run, over_trio),
        (anyio.run, over_anyio),
    ],
    ids=lambda value: value.__name__.removeprefix("over_"),
)
def test_the_record_decides(
    run: Callable[..., Any], fetch: Callable[..., Any], certificate: tuple[int, pyossl.Certificate]
) -> None:
    port, own = certificate
    context, record = Context.client(trust=pyossl.Store.empty()), TLSARecord.of(own)
    assert run(fetch, port, context, str(record)) == (DANEMatch(record, 0, own), b"hello")
    with pytest.raises((CertificateError, trio.BrokenResourceError)) as caught:
        run(fetch, port, context, [TLSARecord(3, 1, 1, bytes(32))])
    error = caught.value if isinstance(caught.value, CertificateError) else caught.value.__cause__
    assert isinstance(error, CertificateError)
    with pytest.raises(DecodeError, match="no TLSA record can be used"):
        run(fetch, port, context, "3 1 1 abcd")


@pytest.mark.parametrize(
    ("run", "fetch"),
    [(run_blocking, over_connect), (run_asyncio, over_asyncio), (trio.run, over_trio), (anyio.run, over_anyio)],
    ids=lambda value: value.__name__.removeprefix("over_"),
)
def test_records_that_cannot_be_used_are_refused_before_anything_is_connected(
    run: Callable[..., Any], fetch: Callable[..., Any]
) -> None:
    with socket.create_server((HOST, 0)) as listener:
        listener.settimeout(0)
        with pytest.raises(DecodeError):
            run(fetch, listener.getsockname()[1], Context.client(trust=pyossl.Store.empty()), ["3 1 1 abcd"])
        with pytest.raises(BlockingIOError):
            listener.accept()
