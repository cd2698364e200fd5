"""Two connections in memory, and the bytes carried between them: the tests' shortest way to a real handshake."""

from __future__ import annotations

import pyossl


def carry(client: pyossl.Connection, server: pyossl.Connection) -> None:
    """Carries bytes between the two until neither has any to send."""
    while True:
        to_server, to_client = client.data_to_send(), server.data_to_send()
        if to_server:
            server.receive_data(to_server)
        if to_client:
            client.receive_data(to_client)
        if not to_server and not to_client:
            return


def shake_hands(client: pyossl.Connection, server: pyossl.Connection) -> None:
    """Finishes the handshake of both; what a side raises reaches the caller."""
    for _ in range(10):
        client_wants = client.handshake()
        carry(client, server)
        server_wants = server.handshake()
        carry(client, server)
        if client_wants is None and server_wants is None:
            return
    raise AssertionError("the handshake does not finish")
