"""A server's session callbacks with asyncio: they run in the loop's thread, inside the handshake."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Any

import pytest
from looped import Run, echo, port_of
from outside_cache import Outside

import pyossl
import pyossl.aio
from pyossl import Connection, Session


@pytest.mark.feature("server sessions in an external cache")
def test_sessions_are_kept_outside_and_resumed(
    run: Run, client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    outside = Outside()
    outside.serve(server_context)
    sessions: list[Session] = []
    client_context.new_session_callback = lambda connection, session: sessions.append(session)
    reused: list[bool] = []

    async def main() -> None:
        async with await pyossl.aio.start_server(echo, "127.0.0.1", 0, ssl=server_context) as server:
            for _ in range(3):
                session = sessions[-1] if sessions else None
                reader, writer = await pyossl.aio.open_connection(
                    "127.0.0.1", port_of(server), ssl=client_context, server_hostname="example.com", session=session
                )
                writer.write(b"x")
                assert await reader.read(1) == b"x"
                reused.append(writer.get_extra_info("ssl_object").session_reused)
                writer.close()
                await writer.wait_closed()

    run(main())
    assert reused == [False, True, True]
    assert outside.threads == {threading.get_ident()}


def test_an_exception_of_a_callback_ends_its_connection_and_no_other(
    run: Run, client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    calls: list[Connection] = []
    told: list[object] = []

    def generate(connection: Connection) -> bytes:
        calls.append(connection)
        if len(calls) == 1:
            raise RuntimeError("on purpose")
        return b"data"

    server_context.generate_ticket_callback = generate

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["exception"]))
        async with await pyossl.aio.start_server(echo, "127.0.0.1", 0, ssl=server_context) as server:
            options: dict[str, Any] = {"ssl": client_context, "server_hostname": "example.com"}
            with contextlib.suppress(OSError):  # in TLS 1.3 the client's handshake ends before the server's
                reader, _ = await pyossl.aio.open_connection("127.0.0.1", port_of(server), **options)
                assert not await reader.read(1)
            reader, writer = await pyossl.aio.open_connection("127.0.0.1", port_of(server), **options)
            writer.write(b"x")
            assert await reader.read(1) == b"x"
            writer.close()
            await writer.wait_closed()

    run(main())
    assert [type(error) for error in told] == [RuntimeError]
