"""Sessions that allow early data, and the exchanges that tests of early data begin with."""

from __future__ import annotations

from pairs import carry, meet

import pyossl

REQUEST = b"GET /early HTTP/1.1\r\nHost: example.com\r\n\r\n"
LIMIT = 16384


def early_server(credentials: pyossl.Credentials, limit: int = LIMIT) -> pyossl.Context:
    """A server's context that takes early data."""
    context = pyossl.Context.server(credentials.certificate, credentials.private_key)
    context.max_early_data = limit
    return context


def session_for(client_context: pyossl.Context, server_context: pyossl.Context) -> pyossl.Session:
    """A session of a connection between the two."""
    client, server = meet(client_context, server_context)
    server.write(b"x")
    carry(server, client)
    assert client.read(1) == b"x"
    session = client.session
    assert session is not None
    return session


def early_pair(
    client_context: pyossl.Context, server_context: pyossl.Context, data: bytes = REQUEST
) -> tuple[pyossl.Connection, pyossl.Connection]:
    """A client with early data and a server, before the handshake."""
    session = session_for(client_context, server_context)
    client = pyossl.Connection(client_context, "example.com", session=session, early_data=data)
    return client, pyossl.Connection(server_context)


def first_flight(client: pyossl.Connection) -> bytes:
    """The client's first bytes: ClientHello and early data."""
    assert client.handshake() is pyossl.Want.READ
    return client.data_to_send()


def read_to_end(client: pyossl.Connection, server: pyossl.Connection) -> bytes:
    """All early data that the server accepts, up to its end; the handshake of both is finished then."""
    early = b""
    while (got := server.read_early_data()) != b"":
        if isinstance(got, bytes):
            early += got
        else:
            carry(client, server)
            client.handshake()
            carry(client, server)
    for _ in range(3):
        client.handshake()
        carry(client, server)
        server.handshake()
        carry(client, server)
    assert client.is_handshake_finished
    assert server.is_handshake_finished
    return early
