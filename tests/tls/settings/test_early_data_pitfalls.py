"""How OpenSSL's own functions for early data behave (docs/pitfalls.md, 69 to 72)."""

from __future__ import annotations

import pytest
from early_sessions import REQUEST, early_pair, early_server, first_flight, session_for
from marks import needs
from pairs import carry, shake_hands

import pyossl
from pyossl import Connection, Context, Want, ffi, lib

pytestmark = needs("tls1_3")


@pytest.fixture
def server_context(credentials: pyossl.Credentials) -> Context:
    return early_server(credentials)


def raw_early_read(server: Connection, size: int) -> tuple[int, bytes]:
    room, got = ffi.new("char[]", size), ffi.new("size_t *")
    result = lib.SSL_read_early_data(server._c.ssl, room, size, got)
    lib.pyossl_clear_errors()
    return result, bytes(ffi.buffer(room, got[0]))


def raw_read(connection: Connection, size: int) -> bytes:
    room, got = ffi.new("char[]", size), ffi.new("size_t *")
    lib.SSL_read_ex(connection._c.ssl, room, size, got)
    lib.pyossl_clear_errors()
    return bytes(ffi.buffer(room, got[0]))


def test_openssls_plain_read_returns_early_data(client_context: Context, server_context: Context) -> None:
    """docs/pitfalls.md, 69: after the first SSL_read_early_data(3), which may return nothing yet."""
    client, server = early_pair(client_context, server_context)
    server.receive_data(first_flight(client))
    assert raw_early_read(server, 3) == (lib.SSL_READ_EARLY_DATA_SUCCESS, REQUEST[:3])
    assert raw_read(server, 100) == REQUEST[3:]


def test_openssls_client_that_only_reads_does_not_finish_its_handshake(
    client_context: Context, server_context: Context
) -> None:
    """docs/pitfalls.md, 70: it gets the early answer, and the server waits for the end of the early data."""
    session = session_for(client_context, server_context)
    client, server = Connection(client_context, "example.com", session=session), Connection(server_context)
    written = ffi.new("size_t *")
    assert lib.SSL_write_early_data(client._c.ssl, REQUEST, len(REQUEST), written) == 1
    carry(client, server)
    assert server.read_early_data() == REQUEST
    server.write(b"answer")
    carry(client, server)
    assert raw_read(client, 100) == b"answer"
    assert raw_read(client, 100) == b""
    carry(client, server)
    assert server.read_early_data() is Want.READ
    assert not client.is_handshake_finished


def test_openssls_write_of_early_data_fails_without_a_reason_if_the_session_is_used_up(
    client_context: Context, server_context: Context
) -> None:
    """docs/pitfalls.md, 71"""
    client_context.new_session_callback = lambda connection, session: None
    session = session_for(client_context, server_context)
    first, second = (Connection(client_context, "example.com", session=session) for _ in range(2))
    shake_hands(first, Connection(server_context))
    assert not session.is_resumable
    written = ffi.new("size_t *")
    lib.pyossl_clear_errors()
    assert lib.SSL_write_early_data(second._c.ssl, REQUEST, len(REQUEST), written) == 0
    if lib.HAVE_API_3_0:
        assert lib.ERR_peek_error() == 0
    lib.pyossl_clear_errors()


def test_a_hello_retry_request_uses_up_the_ticket(client_context: Context, server_context: Context) -> None:
    """docs/pitfalls.md, 72: the second ClientHello has the same ticket."""
    server_context.set_groups("P-384")
    client_context.set_groups("P-256:P-384")
    session = session_for(client_context, server_context)
    client = Connection(client_context, "example.com", session=session)
    shake_hands(client, Connection(server_context))
    assert not client.session_reused
