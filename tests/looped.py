"""Event loops for the tests, and the check that no task, no descriptor and no error of the loop's exception handler is
left behind.
"""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

import pytest

import pyossl.aio

T = TypeVar("T")
Run = Callable[[Coroutine[Any, Any, T]], T]
SECONDS = 60
"""The most seconds that a test waits for something that should happen at once."""


class LoopWithoutDescriptors(asyncio.SelectorEventLoop):
    """Windows' proactor loop as pyossl.aio sees it: transports, and no ``add_reader``."""

    add_reader = asyncio.AbstractEventLoop.add_reader
    add_writer = asyncio.AbstractEventLoop.add_writer


def uvloop_loop() -> asyncio.AbstractEventLoop:
    uvloop = pytest.importorskip("uvloop", reason="uvloop has no wheel for this Python")
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


KINDS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.SelectorEventLoop,
    "uvloop": uvloop_loop,
    "transports": LoopWithoutDescriptors,
}
WITH_DESCRIPTORS = ["asyncio", "uvloop"]


def open_sockets() -> dict[str, str]:
    """The open sockets of this process; not libuv's pipe and epoll, which it keeps for all loops."""
    found = {}
    for fd in os.listdir("/proc/self/fd"):
        try:
            what = os.readlink(f"/proc/self/fd/{fd}")
        except OSError:  # the descriptor that listed them
            continue
        if what.startswith("socket:"):
            found[fd] = what
    return found


def opened_since(before: dict[str, str]) -> dict[str, str]:
    return {fd: what for fd, what in open_sockets().items() if before.get(fd) != what}


def running(kind: str, reported: list[dict[str, Any]] | None = None, seconds: float = SECONDS) -> Iterator[Run[Any]]:
    """For a fixture: yields a function that runs a coroutine in a loop of that kind, within ``seconds``.

    A call of the loop's exception handler fails the test, unless the test passes a list for them.
    """
    before = open_sockets()
    loop = KINDS[kind]()
    told: list[dict[str, Any]] = [] if reported is None else reported
    loop.set_exception_handler(lambda _, context: told.append(context))
    loop.set_debug(kind == "asyncio")
    asyncio.set_event_loop(loop)

    async def limited(main: Coroutine[Any, Any, T]) -> T:
        result = await asyncio.wait_for(main, seconds)
        end = loop.time() + seconds
        while len(asyncio.all_tasks()) > 1 and loop.time() < end:  # a server's callbacks end a little later
            await asyncio.sleep(0.001)
        return result

    def run(main: Coroutine[Any, Any, T]) -> T:
        return loop.run_until_complete(limited(main))

    yield run
    left = asyncio.all_tasks(loop)
    if not loop.is_closed():
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
    asyncio.set_event_loop(None)
    gc.collect()
    assert not left, "a task is left behind"
    assert reported is not None or not told, told
    more = opened_since(before)
    end = time.monotonic() + seconds
    while more and time.monotonic() < end:  # a server in another thread closes its sockets a moment later
        time.sleep(0.001)
        more = opened_since(before)
    assert not more, f"left open: {more}"


async def until(condition: Callable[[], object]) -> None:
    """Runs the loop until a condition holds; the time limit is that of the test."""
    while not condition():
        await asyncio.sleep(0.001)


def port_of(server: asyncio.Server | pyossl.aio.Server) -> int:
    port: int = server.sockets[0].getsockname()[1]
    return port


Handler = Callable[[asyncio.StreamReader, "pyossl.aio.StreamWriter"], Coroutine[Any, Any, None]]


async def echo(reader: asyncio.StreamReader, writer: pyossl.aio.StreamWriter) -> None:
    """Sends the received bytes back until the client's close_notify, and then closes."""
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    await close(writer)


async def close(writer: pyossl.aio.StreamWriter) -> None:
    writer.close()
    await writer.wait_closed()
