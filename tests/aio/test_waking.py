"""A task that waits for bytes runs in the turn of the loop in which they come (pyossl/aio/task_wakeups.py).

The task must not see a difference.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import looped
import pytest
from looped import Run, close, echo, port_of

import pyossl
import pyossl.aio
from pyossl.aio.task_wakeups import wake_now

HOST = "127.0.0.1"
Streams = tuple[pyossl.aio.StreamReader, pyossl.aio.StreamWriter]
Meet = Callable[[], contextlib.AbstractAsyncContextManager[Streams]]
NAME: contextvars.ContextVar[str] = contextvars.ContextVar("NAME", default="nobody")


@pytest.fixture
def meet(client_context: pyossl.Context, server_context: pyossl.Context) -> Meet:
    """Gives the streams of a client whose server echoes."""

    @contextlib.asynccontextmanager
    async def met() -> AsyncIterator[Streams]:
        async with await pyossl.aio.start_server(echo, HOST, 0, ssl=server_context) as server:
            reader, writer = await pyossl.aio.open_connection(HOST, port_of(server), ssl=client_context)
            try:
                yield reader, writer
            finally:
                await close(writer)

    return met


async def exchange(streams: Streams, message: bytes) -> bytes:
    reader, writer = streams
    writer.write(message)
    await writer.drain()
    return await reader.readexactly(len(message))


class Counting(asyncio.SelectorEventLoop):
    """A loop that counts the callbacks in its queue."""

    queued = 0

    def call_soon(self, *arguments: Any, **keywords: Any) -> asyncio.Handle:
        self.queued += 1
        return super().call_soon(*arguments, **keywords)


@pytest.mark.parametrize("size", [10, 40_000])  # the longer one is decrypted directly into the result
def test_the_loops_queue_is_not_needed(meet: Meet, size: int) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, Counting)
        async with meet() as streams:
            await exchange(streams, bytes(size))
            before = loop.queued
            for _ in range(100):
                await exchange(streams, bytes(size))
            # Through the queue it would be more than 200: the server runs in this loop too.
            assert loop.queued - before < 150

    loop = Counting()
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()


def test_a_step_is_its_tasks_in_its_context(run: Run, meet: Meet) -> None:
    async def main() -> None:
        async def ask(name: str) -> None:
            async with meet() as streams:
                NAME.set(name)  # the loop already watches the descriptor, and keeps another context
                for size in (10, 100_000):
                    assert await exchange(streams, bytes(size)) == bytes(size)
                    assert NAME.get() == name
                    task = asyncio.current_task()
                    assert task is not None
                    assert task.get_name() == name

        await asyncio.gather(*(asyncio.create_task(ask(name), name=name) for name in ("one", "two", "three")))
        assert NAME.get() == "nobody"

    run(main())


@pytest.mark.parametrize("size", [10, 100_000])
@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("kind", looped.KINDS)
def test_what_escapes_a_task_stops_the_loop_and_leaves_the_connection(
    kind: str, error: type[BaseException], size: int, meet: Meet
) -> None:
    loop = looped.KINDS[kind]()
    reported: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: reported.append(context))
    kept: list[Any] = []

    async def leave(streams: Streams) -> None:
        await exchange(streams, bytes(size))
        raise error

    async def begin() -> None:
        stack = contextlib.AsyncExitStack()
        streams = await stack.enter_async_context(meet())
        kept.extend([stack, streams, asyncio.ensure_future(leave(streams))])
        await asyncio.sleep(3600)

    async def go_on() -> None:
        stack, streams, leaver = kept
        assert isinstance(leaver.exception(), error)
        assert await exchange(streams, b"still here") == b"still here"
        await stack.aclose()

    beginning = loop.create_task(begin())
    with pytest.raises(error):
        loop.run_until_complete(beginning)
    loop.run_until_complete(asyncio.wait_for(go_on(), looped.SECONDS))
    beginning.cancel()
    loop.run_until_complete(asyncio.wait([beginning]))
    loop.close()
    assert not reported, reported


def test_a_task_that_feeds_a_reader_runs_no_step_of_another_task(run: Run, meet: Meet) -> None:
    async def main() -> None:
        async with meet() as (reader, _):
            seen: list[bytes] = []

            async def read() -> None:
                seen.append(await reader.read(100))

            reading = asyncio.create_task(read())
            await asyncio.sleep(0)
            reader.feed_data(b"from a task")
            assert seen == []
            await reading
            assert seen == [b"from a task"]

    run(main())


class OwnTask(asyncio.Task[Any]):
    """A subclass of a program."""


def of_python(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> Any:
    return asyncio.tasks._PyTask(coroutine, loop=loop, **options)  # type: ignore[attr-defined]


def of_its_own(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> Any:
    return OwnTask(coroutine, loop=loop, **options)


def eager(loop: asyncio.AbstractEventLoop, coroutine: Any, *, eager_start: bool | None = None, **options: Any) -> Any:
    """asyncio's own task.  In 3.13 it has no ``eager_start``, which uvloop passes."""
    return asyncio.eager_task_factory(loop, coroutine, **options)  # type: ignore[attr-defined, unused-ignore]


FACTORIES: list[Any] = [of_python, of_its_own]
if sys.version_info >= (3, 12):
    FACTORIES.append(eager)


@pytest.mark.parametrize("factory", FACTORIES)
def test_any_kind_of_task_is_woken(run: Run[None], meet: Meet, factory: Any) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(factory)
        try:
            async with meet() as streams:
                for size in (10, 100_000):
                    assert await exchange(streams, bytes(size)) == bytes(size)
        finally:
            loop.set_task_factory(None)

    run(main())


def test_two_that_wait_are_both_woken_by_the_queue(run: Run) -> None:
    async def main() -> None:
        waiter, seen = asyncio.get_running_loop().create_future(), []

        async def wait(name: str) -> None:
            await waiter
            seen.append(name)

        waiting: list[Coroutine[Any, Any, None]] = [wait("one"), wait("two")]
        tasks = [asyncio.create_task(each) for each in waiting]
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(wake_now, waiter)
        await asyncio.gather(*tasks)
        assert seen == ["one", "two"]

    run(main())


def test_a_callback_of_a_program_is_called_through_the_queue(run: Run) -> None:
    """So the loop reports its exception, and the connection goes on."""

    async def main() -> None:
        waiter, seen = asyncio.get_running_loop().create_future(), []
        waiter.add_done_callback(seen.append)
        wake_now(waiter)
        assert seen == []
        await asyncio.sleep(0)
        assert seen == [waiter]

    run(main())
