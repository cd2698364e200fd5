"""The kinds of work with asyncio, written once for every event loop and every TLS implementation.

Measuring starts and ends outside of the loop, so that each kind is a generator as in ``benchmarks.work``.
"""

from __future__ import annotations

import asyncio
import gc
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from benchmarks.work import IDLE_BYTES, Task, Work

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Echo(asyncio.Protocol):
    """Sends a message, and sends it again when it has come back, ``left`` times in all."""

    def __init__(self) -> None:
        self.message, self.missing, self.left = b"", 0, 0
        self.done: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport) or hasattr(transport, "write")
        self.transport: Any = transport

    def start(self, message: bytes, times: int) -> asyncio.Future[None]:
        self.message, self.missing, self.left = message, len(message), times
        self.done = asyncio.get_running_loop().create_future()
        self.transport.write(message)
        return self.done

    def data_received(self, data: bytes) -> None:
        self.missing -= len(data)
        if self.missing > 0:
            return
        self.left -= 1
        if self.left > 0:
            self.missing = len(self.message)
            self.transport.write(self.message)
        elif self.done is not None:
            self.done.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        if self.done is not None and not self.done.done():
            self.done.set_exception(error or EOFError())


class Asynchronous(ABC):
    """One TLS implementation on one event loop."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.loop = self.new_loop()
        asyncio.set_event_loop(self.loop)

    def new_loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.new_event_loop()

    @abstractmethod
    def openssl(self) -> str:
        """The version of the OpenSSL that it uses."""

    @abstractmethod
    async def open_connection(self) -> Streams:
        """Connects to the peer; returns a reader and a writer."""

    @abstractmethod
    async def create_connection(self, factory: Callable[[], Echo]) -> Echo:
        """Connects to the peer; returns the protocol."""

    def protocol_echo(self) -> Work:
        async def connect() -> list[Echo]:
            return [await self.create_connection(Echo) for _ in range(self.task.connections)]

        everyone, message = self.loop.run_until_complete(connect()), bytes(self.task.size)

        async def exchange(times: int) -> None:
            await asyncio.gather(*(each.start(message, times) for each in everyone))

        yield from self._in_loop(exchange)
        for each in everyone:
            each.transport.close()

    def stream_echo(self) -> Work:
        everyone, message = self._streams(), bytes(self.task.size)

        async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, times: int) -> None:
            for _ in range(times):
                writer.write(message)
                await writer.drain()
                await reader.readexactly(len(message))

        async def exchange(times: int) -> None:
            await asyncio.gather(*(one(*each, times) for each in everyone))

        yield from self._in_loop(exchange)
        self._close(everyone)

    def stream_in(self) -> Work:
        ((reader, writer),) = everyone = self._streams()

        async def take(times: int) -> None:
            writer.write((self.task.size * times).to_bytes(8, "big"))
            for _ in range(times):
                await reader.readexactly(self.task.size)

        yield from self._in_loop(take)
        self._close(everyone)

    def stream_out(self) -> Work:
        ((reader, writer),) = everyone = self._streams()
        piece = bytes(self.task.size)

        async def give(times: int) -> None:
            writer.write((self.task.size * times).to_bytes(8, "big"))
            for _ in range(times):
                writer.write(piece)
                await writer.drain()
            await reader.readexactly(1)

        yield from self._in_loop(give)
        self._close(everyone)

    def idle(self) -> Work:
        async def take() -> Streams:
            reader, writer = await self.open_connection()
            writer.write(IDLE_BYTES.to_bytes(8, "big"))
            await reader.readexactly(IDLE_BYTES)
            return reader, writer

        everyone = [self.loop.run_until_complete(take())]
        gc.collect()
        yield
        for _ in range(self.task.count):
            everyone.append(self.loop.run_until_complete(take()))
        yield
        self._close(everyone)

    def _streams(self) -> list[Streams]:
        async def connect() -> list[Streams]:
            return [await self.open_connection() for _ in range(self.task.connections)]

        return self.loop.run_until_complete(connect())

    def _in_loop(self, work: Callable[[int], Any]) -> Work:
        """Runs the work; ``count`` is the total for all connections."""
        self.loop.run_until_complete(work(2))
        yield
        self.loop.run_until_complete(work(self.task.count // self.task.connections))
        yield

    def _close(self, everyone: list[Streams]) -> None:
        for _, writer in everyone:
            writer.close()
