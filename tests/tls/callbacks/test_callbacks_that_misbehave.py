"""Each callback of a context: it may read the properties of its connection, but may not use it for I/O."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from pairs import carry

import pyossl
from pyossl import Connection, Context, Want

# For each callback: on whose context it is set, and an answer that lets the handshake go on.
CALLBACKS: dict[str, tuple[str, Any]] = {
    "verify_callback": ("client", True),
    "info_callback": ("client", None),
    "keylog_callback": ("client", None),
    "new_session_callback": ("client", None),
    "chain_callback": ("client", True),
    "servername_callback": ("server", None),
    "client_hello_callback": ("server", None),
    "certificate_callback": ("server", None),
    "alpn_callback": ("server", None),
    "generate_ticket_callback": ("server", None),
}

each_callback = pytest.mark.parametrize("name", CALLBACKS)


class Callers:
    """A client and a server, one of whose contexts has a callback."""

    def __init__(
        self, name: str, callback: Callable[..., Any], authority: pyossl.Authority, own: pyossl.Credentials
    ) -> None:
        client = Context.client(trust=authority.certificate, alpn=["h2"])
        server = Context.server(own.certificate, own.private_key)
        setattr(client if CALLBACKS[name][0] == "client" else server, name, callback)
        self.both = [Connection(client, "example.com"), Connection(server)]

    def meet(self) -> None:
        """Does the handshake, and receives the tickets after it."""
        client, server = self.both
        for _ in range(6):
            for connection in (client, server):
                connection.handshake()
                carry(client, server)
        assert client.read() is Want.READ


@each_callback
def test_a_callback_asks_its_connection_but_does_not_drive_it(
    name: str, authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    refused = []

    def callback(connection: Connection, *_: object) -> Any:
        assert connection.state
        for call in (connection.handshake, connection.read, lambda: connection.write(b"x"), connection.close):
            with pytest.raises(pyossl.UsageError, match="callback"):
                call()
            refused.append(call)
        return CALLBACKS[name][1]

    Callers(name, callback, authority, credentials).meet()
    assert len(refused) >= 4


@each_callback
def test_a_callback_may_drop_its_connection(
    name: str, authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    """docs/pitfalls.md, 18: an object that C is using is freed only when C has finished."""
    dropped = []

    def callback(connection: Connection, *_: object) -> Any:
        callers.both.clear()
        del connection
        gc.collect()
        dropped.append(True)
        return CALLBACKS[name][1]

    callers = Callers(name, callback, authority, credentials)
    gone = [weakref.ref(connection) for connection in callers.both]
    callers.meet()
    assert dropped
    gc.collect()
    assert [reference() for reference in gone] == [None, None]


@each_callback
@pytest.mark.parametrize("wrong", [0, 1.5, "nonsense", b"h2", object(), ["h2"], {"h2": 1}, 1 << 100])
def test_an_answer_of_the_wrong_type_never_lets_anything_pass(
    name: str, wrong: object, authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    """The program's call raises an exception if the callback's result is used; otherwise the result is ignored."""
    callers = Callers(name, lambda connection, *_: wrong, authority, credentials)
    is_right = (name, wrong) == ("generate_ticket_callback", b"h2")
    if is_right or name in ("info_callback", "keylog_callback", "new_session_callback"):
        callers.meet()
        return
    with pytest.raises((TypeError, ValueError)):
        callers.meet()
    dead = callers.both[0 if CALLBACKS[name][0] == "client" else 1]
    with pytest.raises(pyossl.Error):
        dead.read()
