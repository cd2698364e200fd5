"""``loop.sendfile``, which reads and encrypts the file, on loops that have it."""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
from typing import Any

import looped
import pytest
from looped import close, echo, port_of, until

import pyossl
import pyossl.aio

HOST = "127.0.0.1"
DATA = os.urandom(3_000_000)


def test_uvloop_says_that_it_has_none_and_the_connection_goes_on(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    async def main() -> None:
        async with await pyossl.aio.start_server(echo, HOST, 0, ssl=server_context) as server:
            reader, writer = await pyossl.aio.open_connection(HOST, port_of(server), ssl=client_context)
            with tempfile.TemporaryFile() as file, pytest.raises(NotImplementedError):
                await asyncio.get_running_loop().sendfile(writer.transport, file)
            writer.write(b"all the same\n")
            assert await reader.readline() == b"all the same\n"
            await close(writer)

    for run in looped.running("uvloop"):
        run(main())


@pytest.mark.parametrize("kind", ["asyncio", "transports"])
def test_a_file_arrives_whole(kind: str, client_context: pyossl.Context, server_context: pyossl.Context) -> None:
    """There is no kernel TLS.  ``fallback=False`` is refused, and the connection goes on."""
    received = hashlib.sha256()

    async def serve(reader: Any, writer: pyossl.aio.StreamWriter) -> None:
        while data := await reader.read(100_000):
            received.update(data)
        await close(writer)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with await pyossl.aio.start_server(serve, HOST, 0, ssl=server_context) as server:
            _, writer = await pyossl.aio.open_connection(HOST, port_of(server), ssl=client_context)
            with tempfile.TemporaryFile() as file:
                file.write(DATA)
                file.seek(0)  # asyncio's own code does not, for an offset of 0
                with pytest.raises(RuntimeError, match=r"fallback is disabled"):
                    await loop.sendfile(writer.transport, file, fallback=False)
                assert await loop.sendfile(writer.transport, file, 0) == len(DATA)
            await close(writer)

    for run in looped.running(kind):
        run(main())
    assert received.digest() == hashlib.sha256(DATA).digest()


@pytest.mark.parametrize("kind", ["asyncio", "transports"])
def test_a_peer_that_vanishes_ends_it(
    kind: str, client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    """The peer does not read at first, and the file is not sent."""
    served: list[Any] = []

    async def serve(reader: Any, writer: pyossl.aio.StreamWriter) -> None:
        writer.transport.pause_reading()
        served.append(writer)

    async def main() -> None:
        async with await pyossl.aio.start_server(serve, HOST, 0, ssl=server_context) as server:
            _, writer = await pyossl.aio.open_connection(HOST, port_of(server), ssl=client_context)
            with tempfile.TemporaryFile() as file:
                file.truncate(100_000_000)
                sending = asyncio.create_task(asyncio.get_running_loop().sendfile(writer.transport, file))
                await until(lambda: served and writer.transport.get_write_buffer_size())
                served[0].transport.abort()
                with pytest.raises((ConnectionError, pyossl.Error)):
                    await sending
            with pytest.raises((ConnectionError, pyossl.Error)):
                await close(writer)

    for run in looped.running(kind):
        run(main())
