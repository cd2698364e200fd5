"""A server's session callbacks with trio: they run in the thread of the loop, inside the handshake."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import trio.testing
from streams.trio_pairs import both, run

import pyossl
from pyossl import Connection, Options, Session
from pyossl.trio import TLSStream


@pytest.mark.feature("server sessions in an external cache")
def test_sessions_are_kept_outside_and_resumed(client_context: pyossl.Context, server_context: pyossl.Context) -> None:
    stored: dict[bytes, bytes] = {}
    threads: set[int] = set()

    def new(connection: Connection, session: Session) -> None:
        stored[session.id] = session.to_der()

    def get(connection: Connection, session_id: bytes) -> Session | None:
        threads.add(threading.get_ident())
        return Session.load(stored[session_id], connection.context) if session_id in stored else None

    server_context.options |= Options.NO_TICKET
    server_context.new_session_callback, server_context.get_session_callback = new, get
    sessions: list[Session] = []
    client_context.new_session_callback = lambda connection, session: sessions.append(session)
    reused: list[bool] = []

    async def main() -> None:
        for _ in range(3):
            ours, theirs = trio.testing.memory_stream_pair()
            session = sessions[-1] if sessions else None
            client: TLSStream[Any] = TLSStream(ours, client_context, "example.com", session=session)
            server: TLSStream[Any] = TLSStream(theirs, server_context)
            await both(client.do_handshake(), server.do_handshake())
            await both(server.send_all(b"x"), client.receive_some(1))
            reused.append(client.connection.session_reused)
            await both(client.aclose(), server.aclose())

    run(main)
    assert reused == [False, True, True]
    assert threads == {threading.get_ident()}
