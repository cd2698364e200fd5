"""Event loops to test on, and the proof that nothing is left behind: no task, no descriptor, no error that only the
loop's exception handler saw.
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
"""How long a test waits at most for what should happen at once."""


class LoopWithoutDescriptors(asyncio.SelectorEventLoop):
    """What pyossl.aio sees of Windows' proactor loop: transports, and no ``add_reader``."""

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
    """This process's open sockets: what libuv keeps for all loops, a pipe and an epoll, is none."""
    found = {}
    for fd in os.listdir("/proc/self/fd"):
        try:
            what = os.readlink(f"/proc/self/fd/{fd}")
        except OSError:  # the one that listed them
            continue
        if what.startswith("socket:"):
            found[fd] = what
    return found


def opened_since(before: dict[str, str]) -> dict[str, str]:
    return {fd: what for fd, what in open_sockets().items() if before.get(fd) != what}


def running(kind: str, reported: list[dict[str, Any]] | None = None, seconds: float = SECONDS) -> Iterator[Run[Any]]:
    """For a fixture: a function that runs a coroutine in a loop of that kind, within ``seconds``.

    What the loop's exception handler is told fails the test, unless a list is given for it.
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
        while len(asyncio.all_tasks()) > 1 and loop.time() < end:  # a server's callbacks end a turn or two later
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
    while more and time.monotonic() < end:  # a server in a thread of the test's closes its own a moment later
        time.sleep(0.001)
        more = opened_since(before)
    assert not more, f"left open: {more}"


async def until(condition: Callable[[], object]) -> None:
    """Lets the loop turn until a condition holds; the caller's time limit is the test's."""
    while not condition():
        await asyncio.sleep(0.001)


def port_of(server: pyossl.aio.Server) -> int:
    port: int = server.sockets[0].getsockname()[1]
    return port


Handler = Callable[[asyncio.StreamReader, "pyossl.aio.StreamWriter"], Coroutine[Any, Any, None]]


async def echo(reader: asyncio.StreamReader, writer: pyossl.aio.StreamWriter) -> None:
    """Sends back what comes until the client's close_notify, then closes."""
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    await close(writer)


async def close(writer: pyossl.aio.StreamWriter) -> None:
    writer.close()
    await writer.wait_closed()
