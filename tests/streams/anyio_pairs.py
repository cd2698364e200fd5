"""Pairs of ``pyossl.anyio`` streams."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import anyio
import anyio.abc
import anyio.streams.stapled
from anyio.abc import SocketAttribute
from served import SECONDS

import pyossl
from pyossl.anyio import TLSStream

Contexts = tuple[pyossl.Context, pyossl.Context]
LIMIT = 3 * SECONDS
"""How long a test of many steps may take on a machine that is busy, or under a sanitizer."""


async def both(*works: Awaitable[Any]) -> list[Any]:
    """Awaits all at once; their results, or the first exception that one of them raises."""
    results: list[Any] = [None] * len(works)
    errors: list[Exception] = []

    async with anyio.create_task_group() as tasks:

        async def keep(number: int, work: Awaitable[Any]) -> None:
            try:
                results[number] = await work
            except Exception as error:
                errors.append(error)
                tasks.cancel_scope.cancel()

        for number, work in enumerate(works):
            tasks.start_soon(keep, number, work)
    if errors:
        raise errors[0]
    return results


async def outcome(work: Awaitable[Any]) -> Any:
    """What ``work`` returns, or the exception that it raises."""
    try:
        return await work
    except Exception as error:
        return error


def memory_transports(room: int = 0) -> tuple[anyio.abc.ObjectStream[bytes], anyio.abc.ObjectStream[bytes]]:
    """Two ends over memory.  A send waits until its bytes are received, except for the first ``room`` sends."""
    to_second, from_first = anyio.create_memory_object_stream[bytes](room)
    to_first, from_second = anyio.create_memory_object_stream[bytes](room)
    stapled = anyio.streams.stapled.StapledObjectStream
    return stapled(to_second, from_second), stapled(to_first, from_first)


@contextlib.asynccontextmanager
async def tcp_transports() -> AsyncIterator[tuple[anyio.abc.SocketStream, anyio.abc.SocketStream]]:
    """Two connected TCP streams."""
    accepted: list[anyio.abc.SocketStream] = []
    came, over = anyio.Event(), anyio.Event()

    async def handle(stream: anyio.abc.SocketStream) -> None:
        accepted.append(stream)
        came.set()
        await over.wait()

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, handle)
        first = await anyio.connect_tcp("127.0.0.1", listener.extra(SocketAttribute.local_port))
        await came.wait()
        async with first, accepted[0]:
            yield first, accepted[0]
        over.set()
        tasks.cancel_scope.cancel()


async def wrapped(contexts: Contexts, transports: Any, **options: Any) -> tuple[TLSStream, TLSStream]:
    first, second = transports
    client, server = await both(
        TLSStream.wrap(first, hostname="example.com", ssl_context=contexts[0], **options),
        TLSStream.wrap(second, ssl_context=contexts[1], **options),
    )
    return client, server


async def read_all(stream: anyio.abc.ByteReceiveStream) -> bytes:
    return b"".join([data async for data in stream])


async def send_both_ways(
    contexts: Contexts, send: Callable[[TLSStream, bytes], Awaitable[None]], there: bytes, back: bytes
) -> None:
    """Over TCP, the client sends ``there`` with ``send``, and the server ``back``; each receives what was sent."""
    with anyio.fail_after(LIMIT):
        async with tcp_transports() as transports:
            client, server = await wrapped(contexts, transports)
            results = await both(send(client, there), send(server, back), read_all(client), read_all(server))
            assert [hashlib.sha256(each).digest() for each in results[2:]] == [
                hashlib.sha256(each).digest() for each in (back, there)
            ]
            await close(client, server)


async def close(*streams: anyio.abc.AsyncResource) -> None:
    await both(*(stream.aclose() for stream in streams))
