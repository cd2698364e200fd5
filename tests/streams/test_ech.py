"""Encrypted Client Hello with asyncio, trio and anyio."""

from __future__ import annotations

import asyncio
import contextlib
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
from pyossl import Context, DecodeError, ECHError, ECHStatus, ECHStore, lib

TRUE, PUBLIC = "secret.example", "cover.example"
HOST = "127.0.0.1"
pytestmark = pytest.mark.skipif(not lib.HAVE_ECH, reason="this OpenSSL has no Encrypted Client Hello")


@pytest.fixture(scope="module")
def store() -> ECHStore:
    return ECHStore.new(PUBLIC)


@pytest.fixture(scope="module")
def stale() -> bytes:
    return ECHStore.new(PUBLIC).config_list


@pytest.fixture(scope="module")
def port(authority: pyossl.Authority, store: ECHStore) -> Iterator[int]:
    """The port of a server that answers each client with the true name."""
    made = authority.issue(TRUE, PUBLIC)
    context = Context.server(made.certificate, made.private_key)
    context.ech_store = store

    def answer() -> None:
        with contextlib.suppress(OSError):  # the listener has been closed: the tests are over
            for tls, _ in listener:
                with tls, contextlib.suppress(pyossl.TLSError):
                    tls.settimeout(10)
                    tls.handshake()
                    tls.sendall(str(tls.connection.server_hostname).encode())

    listener = pyossl.listen((HOST, 0), context)
    thread = threading.Thread(target=answer)
    thread.start()
    yield listener.address[1]
    listener.close()
    thread.join(10)


async def over_asyncio(port: int, context: Context, ech: bytes) -> tuple[ECHStatus, bytes]:
    reader, writer = await pyossl.aio.open_connection(HOST, port, ssl=context, server_hostname=TRUE, ech=ech)
    status = writer.transport.get_extra_info("connection").ech.status
    data = await reader.read(100)
    writer.close()
    await writer.wait_closed()
    return status, data


async def over_asyncio_transport(port: int, context: Context, ech: bytes) -> tuple[ECHStatus, bytes]:
    _, plain = await asyncio.open_connection(HOST, port)
    try:
        reader, writer = await pyossl.aio.open_over(plain, context, server_hostname=TRUE, ech=ech)
        status = writer.transport.get_extra_info("connection").ech.status
        data = await reader.read(100)
        writer.close()
        await writer.wait_closed()
        return status, data
    finally:
        plain.close()


async def over_trio(port: int, context: Context, ech: bytes) -> tuple[ECHStatus, bytes]:
    async with await pyossl.trio.open_tcp_stream(HOST, port, context, server_hostname=TRUE, ech=ech) as stream:
        data = await stream.receive_some(100)
        return stream.connection.ech.status, data


async def over_anyio(port: int, context: Context, ech: bytes) -> tuple[ECHStatus, bytes]:
    async with await pyossl.anyio.connect_tcp(HOST, port, ssl_context=context, tls_hostname=TRUE, ech=ech) as stream:
        data = await stream.receive(100)
        return stream.connection.ech.status, data


def run_asyncio(fetch: Fetch, *given: Any) -> Any:
    async def fetched() -> Any:
        return await fetch(*given)

    return asyncio.run(fetched())


Fetch = Callable[[int, Context, bytes], Awaitable[tuple[ECHStatus, bytes]]]


@pytest.mark.parametrize(
    ("run", "fetch"),
    [
        (run_asyncio, over_asyncio),
        (run_asyncio, over_asyncio_transport),
        (trio.run, over_trio),
        (anyio.run, over_anyio),
    ],
    ids=lambda value: value.__name__.removeprefix("over_"),
)
def test_a_refused_client_tries_again(
    run: Callable[..., Any],
    fetch: Fetch,
    port: int,
    authority: pyossl.Authority,
    store: ECHStore,
    stale: bytes,
) -> None:
    context = Context.client(trust=authority.certificate)
    assert run(fetch, port, context, store.config_list) == (ECHStatus.SUCCESS, TRUE.encode())
    with pytest.raises((ECHError, trio.BrokenResourceError)) as caught:
        run(fetch, port, context, stale)
    error = caught.value if isinstance(caught.value, ECHError) else caught.value.__cause__
    assert isinstance(error, ECHError)
    assert error.retry_configs == store.config_list
    assert run(fetch, port, context, error.retry_configs)[0] is ECHStatus.SUCCESS
    with pytest.raises(DecodeError):
        run(fetch, port, context, b"no list")
