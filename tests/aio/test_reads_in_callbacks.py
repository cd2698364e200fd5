"""A callback in a read over a transport reads another connection of the same thread."""

from __future__ import annotations

from collections.abc import Callable

import pyossl
from pyossl import Connection, Context, Want, lib
from pyossl.aio.connection_over_transport import ConnectionOverTransport


def connected(client_context: Context, server_context: Context) -> tuple[ConnectionOverTransport, Connection]:
    """A client over a transport, which is this list of bytes, and its server in memory."""
    sent: list[bytes] = []
    client, server = ConnectionOverTransport(client_context, "example.com", sent.append), Connection(server_context)
    while client.handshake() is not None or server.handshake() is not None:
        server.receive_data(b"".join(sent))
        sent.clear()
        server.handshake()
        client.add_input(server.data_to_send())
    while isinstance(client.receive(), bytes):
        pass
    return client, server


def test_it_does_not_change_the_data_of_the_first_read(authority: pyossl.Authority, server_context: Context) -> None:
    context = Context.client(trust=authority.certificate)
    reads: list[Callable[[], object]] = []

    def read_another(*_: object) -> None:
        if reads:
            assert reads.pop()() == b"2" * 1000

    context.info_callback = read_another
    first, server = connected(context, server_context)
    second, other = connected(context, server_context)
    other.write(b"2" * 1000)
    second.add_input(other.data_to_send())
    server.write(b"1" * 1000)
    server.call(lib.SSL_key_update, lib.SSL_KEY_UPDATE_NOT_REQUESTED)
    server.write(b"3")
    reads.append(second.receive)
    first.add_input(server.data_to_send())
    assert first.receive() == b"1" * 1000 + b"3"
    assert reads == []
    assert first.receive() is Want.READ
