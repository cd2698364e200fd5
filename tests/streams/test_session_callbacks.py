"""A server's session callbacks with trio: they run in the thread of the loop, inside the handshake."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import trio.testing
from outside_cache import Outside
from streams.trio_pairs import both, run

import pyossl
from pyossl import Session
from pyossl.trio import TLSStream


@pytest.mark.feature("server sessions in an external cache")
def test_sessions_are_kept_outside_and_resumed(client_context: pyossl.Context, server_context: pyossl.Context) -> None:
    outside = Outside()
    outside.serve(server_context)
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
    assert outside.threads == {threading.get_ident()}
