"""Pairs of ``pyossl.trio`` streams, and functions to run tests with them."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import trio
import trio.testing
from served import SECONDS

import pyossl
from pyossl import lib
from pyossl.trio import TLSStream

LIMIT = 3 * SECONDS
"""How long a test of many steps may take on a machine that is busy, or under a sanitizer."""

T = TypeVar("T")
Stream = TLSStream[Any]
Transports = tuple[trio.abc.Stream, trio.abc.Stream]


def run(work: Callable[[], Awaitable[T]], **options: Any) -> T:
    """Runs ``work`` under trio, with a deadline, and returns its result."""

    async def in_time() -> T:
        with trio.fail_after(LIMIT):
            return await work()

    return trio.run(in_time, **options)


async def both(*works: Awaitable[Any]) -> list[Any]:
    """Awaits all at once; their results, or the first exception that one of them raises."""
    results: list[Any] = [None] * len(works)
    errors: list[Exception] = []

    async with trio.open_nursery() as nursery:

        async def keep(number: int, work: Awaitable[Any]) -> None:
            try:
                results[number] = await work
            except Exception as error:
                errors.append(error)
                nursery.cancel_scope.cancel()

        for number, work in enumerate(works):
            nursery.start_soon(keep, number, work)
    if errors:
        raise errors[0]
    return results


async def outcome(work: Awaitable[T]) -> T | Exception:
    """What ``work`` returns, or the exception that it raises."""
    try:
        return await work
    except Exception as error:
        return error


def streams(
    client_context: pyossl.Context,
    server_context: pyossl.Context,
    transports: Transports | None = None,
    **options: Any,
) -> tuple[Stream, Stream]:
    """A client's and a server's stream over memory, before their handshake."""
    client, server = transports or trio.testing.memory_stream_pair()
    session = options.pop("session", None)
    return (
        TLSStream(client, client_context, "example.com", session=session, **options),
        TLSStream(server, server_context, **options),
    )


async def shake_hands(client: Stream, server: Stream) -> None:
    await both(client.do_handshake(), server.do_handshake())


async def tcp_transports() -> Transports:
    """Two connected TCP streams."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        first, second = await both(trio.testing.open_stream_to_socket_listener(listener), listener.accept())
    return first, second


async def read_all(stream: trio.abc.ReceiveStream) -> bytes:
    """All that the peer sends before its close_notify."""
    return b"".join([data async for data in stream])


def update_keys(stream: Any) -> None:
    """Asks for new keys before the next record, in both directions."""
    assert lib.SSL_key_update(stream.connection._c.ssl, lib.SSL_KEY_UPDATE_REQUESTED) == 1


class Metered(trio.abc.Stream):
    """A transport that counts the bytes that it sends, and takes no more after ``room`` bytes."""

    def __init__(self, stream: trio.abc.Stream, room: float = math.inf) -> None:
        self._stream, self.room, self.sent = stream, room, 0
        self._emptied = trio.Event()

    async def send_all(self, data: Any) -> None:
        self.sent += len(data)
        await self._wait_for_room()
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._wait_for_room()
        await trio.lowlevel.checkpoint()

    async def _wait_for_room(self) -> None:
        while self.sent > self.room:
            await self._emptied.wait()

    def make_room(self) -> None:
        self.room = math.inf
        self._emptied.set()

    async def receive_some(self, max_bytes: int | None = None) -> Any:
        return await self._stream.receive_some(max_bytes)

    async def aclose(self) -> None:
        await self._stream.aclose()


class CancelledAtStep(trio.abc.Instrument):
    """Cancels a scope when the task that made this has been scheduled for the n-th time."""

    def __init__(self, scope: trio.CancelScope, step: int) -> None:
        self._scope, self._left = scope, step
        self._task = trio.lowlevel.current_task()
        if step == 0:
            scope.cancel()

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        if task is self._task:
            self._left -= 1
            if self._left == 0:
                self._scope.cancel()

    def __enter__(self) -> None:
        trio.lowlevel.add_instrument(self)

    def __exit__(self, *_: object) -> None:
        trio.lowlevel.remove_instrument(self)
