"""asyncio waits for the descriptor of a paused handshake, and goes on with other connections."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest

import pyossl
import pyossl.aio
from pyossl import Context


async def wait_for_pause(connection: pyossl.Connection) -> int:
    while not (fds := connection.async_fds):
        await asyncio.sleep(0.001)
    return fds[0]


@pytest.mark.feature("handshakes that an engine or a provider pauses")
def test_two_handshakes_wait_for_the_device(client_context: Context, jobs_context: Context) -> None:
    made: list[pyossl.Connection] = []

    async def serve(reader: Any, writer: Any) -> None:
        writer.write(await reader.readexactly(5))
        writer.close()

    async def visit(address: Any) -> bytes:
        reader, writer = await pyossl.aio.open_connection(*address, ssl=client_context, server_hostname="example.com")
        writer.write(b"hello")
        answer = await reader.read()
        writer.close()
        return bytes(answer)

    async def main() -> None:
        jobs_context.servername_callback = lambda connection, name: made.append(connection)
        async with await pyossl.aio.start_server(serve, "127.0.0.1", 0, ssl=jobs_context) as server:
            address = server.sockets[0].getsockname()[:2]
            visits = [asyncio.create_task(visit(address)) for _ in range(2)]
            while len(made) < 2:
                await asyncio.sleep(0.001)
            fds = [await wait_for_pause(each) for each in made]
            await asyncio.sleep(0.05)
            assert not any(each.done() for each in visits)
            os.eventfd_write(fds[1], 1)
            done, _ = await asyncio.wait(visits, return_when=asyncio.FIRST_COMPLETED, timeout=10)
            assert len(done) == 1
            os.eventfd_write(fds[0], 1)
            assert await asyncio.gather(*visits) == [b"hello"] * 2

    asyncio.run(asyncio.wait_for(main(), 20))


def test_a_device_without_a_descriptor(
    client_context: Context, jobs_context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAUSING_WITHOUT_FD", "1")

    async def main() -> None:
        async with await pyossl.aio.start_server(lambda r, w: w.close(), "127.0.0.1", 0, ssl=jobs_context) as server:
            address = server.sockets[0].getsockname()[:2]
            reader, writer = await pyossl.aio.open_connection(
                *address, ssl=client_context, server_hostname="example.com"
            )
            assert await reader.read() == b""
            writer.close()

    asyncio.run(asyncio.wait_for(main(), 20))


def test_a_handshake_that_the_device_never_answers_times_out(client_context: Context, jobs_context: Context) -> None:
    async def main() -> None:
        descriptors = len(os.listdir("/proc/self/fd"))
        async with await pyossl.aio.start_server(
            lambda r, w: w.close(), "127.0.0.1", 0, ssl=jobs_context, ssl_handshake_timeout=0.2
        ) as server:
            address = server.sockets[0].getsockname()[:2]
            with pytest.raises(pyossl.TLSError):
                await pyossl.aio.open_connection(*address, ssl=client_context, server_hostname="example.com")
        await asyncio.sleep(0.05)
        # Only the descriptor of the device, which the abandoned job keeps.
        assert len(os.listdir("/proc/self/fd")) <= descriptors + 1

    asyncio.run(asyncio.wait_for(main(), 20))
