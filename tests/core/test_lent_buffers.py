"""A buffer cannot be resized while a call reads from it or writes to it."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing
from served import SocketPair, Task, read_all, until
from streams.trio_pairs import run, shake_hands, streams

import pyossl


def lent(buffer: bytearray) -> Callable[[], bool]:
    """Returns a function that tests whether the buffer refuses to grow; if it does not refuse, it grows by a byte."""

    def refuses() -> bool:
        try:
            buffer.append(0)
        except BufferError:
            return True
        return False

    return refuses


def test_recv_into_in_a_thread(sockets: SocketPair) -> None:
    client, server = sockets
    buffer = bytearray(10)
    reading = Task(lambda: client.recv_into(buffer, 10))
    until(lent(buffer))
    server.sendall(b"0123456789")
    assert reading.result() == 10
    assert buffer[:10] == b"0123456789"
    buffer.clear()


def test_sendall_in_a_thread(sockets: SocketPair) -> None:
    """The peer does not read: when the buffer is tested, only as much is sent as the kernel's buffers take."""
    client, server = sockets
    buffer = bytearray(os.urandom(20_000_000))
    sending = Task(lambda: (client.sendall(buffer), client.close()))
    until(lent(buffer))
    assert read_all(server) == buffer
    sending.result()
    buffer.clear()


def test_send_all_of_trios_stream(client_context: pyossl.Context, server_context: pyossl.Context) -> None:
    buffer: Any = bytearray(os.urandom(1_000_000))

    async def main() -> None:
        client, server = streams(client_context, server_context, trio.testing.lockstep_stream_pair())
        await shake_hands(client, server)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.send_all, buffer)
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(BufferError):
                buffer.clear()
            received = b""
            while len(received) < len(buffer):
                received += await server.receive_some()
        assert received == buffer
        buffer.clear()
        await trio.aclose_forcefully(client)
        await trio.aclose_forcefully(server)

    run(main)
