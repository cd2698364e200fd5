"""trio, and anyio on asyncio and trio, wait while a handshake is paused."""

from __future__ import annotations

import os

import anyio
import pytest
import trio
from streams import anyio_pairs, trio_pairs
from streams.trio_pairs import run, streams

import pyossl
from pyossl import Context


@pytest.mark.feature("handshakes that an engine or a provider pauses")
def test_trio_goes_on_with_other_tasks(client_context: Context, jobs_context: Context) -> None:
    async def main() -> None:
        client, server = streams(client_context, jobs_context)

        async def device() -> None:
            while not (fds := server.connection.async_fds):
                await trio.sleep(0.001)
            os.eventfd_write(fds[0], 1)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(device)
            nursery.start_soon(trio_pairs.shake_hands, client, server)
        assert client.connection.is_handshake_finished

    run(main)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_anyio_goes_on_with_other_tasks(backend: str, client_context: Context, jobs_context: Context) -> None:
    async def main() -> None:
        async def device(connection: pyossl.Connection) -> None:
            while not (fds := connection.async_fds):
                await anyio.sleep(0.001)
            os.eventfd_write(fds[0], 1)

        async with anyio.create_task_group() as group:

            def named(connection: pyossl.Connection, name: str | None) -> None:
                group.start_soon(device, connection)

            jobs_context.servername_callback = named
            transports = anyio_pairs.memory_transports(10)
            client, server = await anyio_pairs.wrapped((client_context, jobs_context), transports)
        assert client.connection.is_handshake_finished
        assert server.connection.is_handshake_finished
        await anyio_pairs.close(client, server)

    anyio.run(main, backend=backend)


def test_a_task_closes_a_stream_whose_handshake_is_paused(client_context: Context, jobs_context: Context) -> None:
    async def main() -> None:
        client, server = streams(client_context, jobs_context)

        async def close() -> None:
            while not server.connection.async_fds:
                await trio.sleep(0.001)
            await server.aclose()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(close)
            nursery.start_soon(trio_pairs.outcome, client.do_handshake())
            with pytest.raises(trio.ClosedResourceError):
                await server.do_handshake()

    run(main)


def test_a_device_without_a_descriptor(
    client_context: Context, jobs_context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAUSING_WITHOUT_FD", "1")

    async def main() -> None:
        await trio_pairs.shake_hands(*streams(client_context, jobs_context))

    run(main)
