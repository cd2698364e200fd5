"""A forked child closes a server of its parent's loop.  Parent and child share the loop's epoll and the sockets."""

from __future__ import annotations

import asyncio
import os
import warnings

import looped
import pytest
from served import child_that_does

import pyossl
import pyossl.aio

HOST = "127.0.0.1"


async def echo(reader: pyossl.aio.StreamReader, writer: pyossl.aio.StreamWriter) -> None:
    writer.write(await reader.read(100))
    writer.close()
    await writer.wait_closed()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
@pytest.mark.parametrize("kind", looped.KINDS)
def test_a_child_that_closes_leaves_its_parent_s_server_listening(
    kind: str, client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    async def main() -> None:
        async with await pyossl.aio.start_server(echo, HOST, 0, ssl=server_context) as server:
            port = server.sockets[0].getsockname()[1]
            child = child_that_does(server.close)
            assert await asyncio.get_running_loop().run_in_executor(None, os.waitpid, child, 0) == (child, 0)
            reader, writer = await pyossl.aio.open_connection(HOST, port, ssl=client_context)
            writer.write(b"served")
            assert await asyncio.wait_for(reader.read(100), looped.SECONDS / 4) == b"served"
            writer.close()
            await writer.wait_closed()

    for run in looped.running(kind):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # for a fork in a process with threads
            run(main())
