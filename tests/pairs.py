"""Two connections, and functions that carry bytes between them: in memory, over sockets, over BIO pairs."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from typing import Any

import pyossl


def carry(client: pyossl.Connection, server: pyossl.Connection) -> None:
    """Carries bytes between the two until neither has more bytes to send."""
    while True:
        to_server, to_client = client.data_to_send(), server.data_to_send()
        if to_server:
            server.receive_data(to_server)
        if to_client:
            client.receive_data(to_client)
        if not to_server and not to_client:
            return


def shake_hands(client: pyossl.Connection, server: pyossl.Connection) -> None:
    """Finishes the handshake of both; passes on the exception of a side."""
    for _ in range(10):
        client_wants = client.handshake()
        carry(client, server)
        server_wants = server.handshake()
        carry(client, server)
        if client_wants is None and server_wants is None:
            return
    raise AssertionError("the handshake does not finish")


def take_turns(client: pyossl.Connection, server: pyossl.Connection) -> None:
    """Finishes the handshake of two that are connected: calls each in turn until both are finished."""
    for _ in range(1000):
        client_wants, server_wants = client.handshake(), server.handshake()
        if client_wants is None and server_wants is None:
            return
    raise AssertionError("the handshake does not finish")


def wait(sock: socket.socket, want: pyossl.Want, seconds: float = 10) -> None:
    """Waits with select(2) until the socket is ready for the ``Want`` of its connection."""
    readers = [sock] if want is pyossl.Want.READ else []
    writers = [sock] if want is pyossl.Want.WRITE else []
    assert readers or writers, f"nothing of a socket's: {want}"
    assert any(select.select(readers, writers, [], seconds)), f"the socket never became ready for {want}"


def pump(first: pyossl.BIO, second: pyossl.BIO) -> int:
    """Moves the bytes of each BIO to the other as far as there is room, and returns their number."""
    moved = 0
    for source, target in ((first, second), (second, first)):
        while (size := min(source.pending, target.room)) > 0:
            data = source.read(size)
            assert isinstance(data, bytes)
            assert target.write(data) == len(data)
            moved += len(data)
    return moved


def meet(
    client_context: pyossl.Context,
    server_context: pyossl.Context,
    name: str | None = "example.com",
    session: pyossl.Session | None = None,
) -> tuple[pyossl.Connection, pyossl.Connection]:
    """A client and a server after the handshake; the client has read the tickets."""
    client, server = pyossl.Connection(client_context, name, session=session), pyossl.Connection(server_context)
    shake_hands(client, server)
    assert client.read() is pyossl.Want.READ
    return client, server


def asking_later(
    authority: pyossl.Authority,
    credentials: pyossl.Credentials,
    answer: pyossl.Credentials | Callable[[pyossl.Connection, pyossl.CertificateDemand], Any],
) -> tuple[pyossl.Context, pyossl.Context]:
    """The contexts of a client, and of a server that asks for the client's certificate after the handshake.

    ``answer`` is what the client has, or a callback that chooses it.
    """
    server = pyossl.Context.server(credentials, trust=authority.certificate, verify="later")
    own = answer if isinstance(answer, pyossl.Credentials) else None
    client = pyossl.Context.client(trust=authority.certificate, credentials=own)
    client.post_handshake_auth = True
    if not isinstance(answer, pyossl.Credentials):
        client.certificate_callback = answer
    return client, server


def pair_with_every_callback(
    authority: pyossl.Authority, credentials: pyossl.Credentials
) -> tuple[pyossl.Connection, pyossl.Connection]:
    """A client and a server before a handshake that calls each of the callbacks."""
    client_context = pyossl.Context.client(trust=authority.certificate, alpn=["h2"])
    server_context = pyossl.Context.server(credentials.certificate, credentials.private_key)
    for context in (client_context, server_context):
        context.info_callback = lambda connection, where, value: None
        context.keylog_callback = lambda connection, line: None
        context.new_session_callback = lambda connection, session: None
    client_context.verify_callback = lambda connection, verification: verification.ok
    server_context.servername_callback = lambda connection, name: None
    client_context.chain_callback = lambda connection, chain: True
    server_context.client_hello_callback = lambda connection, hello: None
    server_context.certificate_callback = lambda connection, demand: credentials
    server_context.alpn_callback = lambda connection, offered: offered[0]
    client = pyossl.Connection(client_context, "example.com", message_callback=lambda message: None)
    return client, pyossl.Connection(server_context, message_callback=lambda message: None)
