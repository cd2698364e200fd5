"""pyossl.trio over several transports: a socket, a ``trio.StapledStream``, and another TLS stream."""

from __future__ import annotations

import hashlib
import random
from typing import Any

import pytest
import trio
from streams.trio_pairs import (
    CancelledAtStep,
    Transports,
    both,
    read_all,
    run,
    shake_hands,
    streams,
    tcp_transports,
    update_keys,
)

import pyossl

Contexts = tuple[pyossl.Context, pyossl.Context]


def text(size: int) -> bytes:
    return random.Random(size).randbytes(size)


@pytest.fixture
def contexts(client_context: pyossl.Context, server_context: pyossl.Context) -> Contexts:
    return client_context, server_context


async def transports(kind: str, contexts: Contexts) -> Transports:
    first, second = await tcp_transports()
    if kind == "stapled":
        return trio.StapledStream(first, first), trio.StapledStream(second, second)
    if kind == "TLS":
        outer = streams(*contexts, (first, second))
        await shake_hands(*outer)
        return outer
    return first, second


@pytest.fixture(params=["socket", "stapled", "TLS"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_new_keys_in_bulk_both_ways_lose_nothing(contexts: Contexts, kind: str) -> None:
    there, back = text(2_000_000), text(2_000_001)

    async def send(stream: Any, data: bytes) -> None:
        for start in range(0, len(data), 50_000):
            update_keys(stream)
            await stream.send_all(data[start : start + 50_000])
        await stream.send_eof()

    async def work() -> None:
        client, server = streams(*contexts, await transports(kind, contexts))
        await shake_hands(client, server)
        results = await both(send(client, there), send(server, back), read_all(client), read_all(server))
        assert [hashlib.sha256(data).digest() for data in results[2:]] == [
            hashlib.sha256(data).digest() for data in (back, there)
        ]
        await both(client.aclose(), server.aclose())

    run(work)


def test_a_receive_that_is_cancelled_at_any_step_loses_no_byte(contexts: Contexts, kind: str) -> None:
    data = text(100_000)

    async def send(server: Any) -> None:
        for start in range(0, len(data), 1000):
            update_keys(server)
            await server.send_all(data[start : start + 1000])
            await trio.lowlevel.checkpoint()
        await server.send_eof()

    async def receive(client: Any) -> bytes:
        received, attempt, cancelled = bytearray(), 0, 0
        while True:
            attempt += 1
            with trio.CancelScope() as scope, CancelledAtStep(scope, attempt % 5):
                piece = await client.receive_some(700)
                if not piece:
                    break
                received += piece
            cancelled += scope.cancelled_caught
        assert cancelled > 10
        return bytes(received)

    async def work() -> None:
        client, server = streams(*contexts, await transports(kind, contexts))
        await shake_hands(client, server)
        _, received = await both(send(server), receive(client))
        assert received == data
        await both(client.aclose(), server.aclose())

    run(work)


def test_a_close_that_is_cancelled_at_any_step_closes_the_transport(contexts: Contexts, kind: str) -> None:
    async def work() -> None:
        for step in range(100):
            client, server = streams(*contexts, await transports(kind, contexts))
            await shake_hands(client, server)
            with trio.CancelScope() as scope, CancelledAtStep(scope, step):
                await client.aclose()
            with pytest.raises(trio.ClosedResourceError):
                await client.transport_stream.send_all(b"x")
            await trio.aclose_forcefully(server)
            if not scope.cancelled_caught:
                return
        pytest.fail("the close was always cancelled")

    run(work)
