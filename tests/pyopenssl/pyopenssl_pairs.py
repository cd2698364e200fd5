"""Clients and servers of ``pyossl.pyopenssl`` in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyossl
from pyossl.pyopenssl import SSL

AUTHORITY = pyossl.Authority()
CREDENTIALS = AUTHORITY.issue("localhost", "127.0.0.1")


def contexts() -> tuple[SSL.Context, SSL.Context]:
    """A client's and a server's context."""
    client, server = SSL.Context(SSL.TLS_METHOD), SSL.Context(SSL.TLS_METHOD)
    server._core.use_certificate(CREDENTIALS.certificate)
    server._core.use_private_key(CREDENTIALS.private_key)
    return client, server


def carry(*connections: SSL.Connection) -> None:
    """Carries all bytes that each connection has for the other."""
    for source, target in (connections, connections[::-1]):
        try:
            target.bio_write(source.bio_read(1 << 20))
        except SSL.WantReadError:
            continue


def shake_hands(client: SSL.Connection, server: SSL.Connection) -> None:
    """Finishes a handshake in memory, or raises the exception that ends it."""
    client.set_connect_state()
    server.set_accept_state()
    waiting = [client, server]
    while waiting:
        for each in list(waiting):
            try:
                each.do_handshake()
            except SSL.WantReadError:
                pass
            else:
                waiting.remove(each)
        carry(client, server)


def pair(prepare: Callable[[SSL.Context, SSL.Context], Any] = lambda client, server: None) -> list[SSL.Connection]:
    """A client and a server in memory whose handshake is finished."""
    both = contexts()
    prepare(*both)
    client, server = (SSL.Connection(context) for context in both)
    shake_hands(client, server)
    return [client, server]
