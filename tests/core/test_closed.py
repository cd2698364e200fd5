"""Each method and property after close(), found by introspection, so that new ones are tested too."""

from __future__ import annotations

import contextlib
import inspect
import io
from collections.abc import Callable
from typing import Any

import pytest
from pairs import shake_hands
from served import SocketPair

import pyossl

# Attributes that work after close(): they belong to the object and not to the connection.
ANSWERED = {
    pyossl.Socket: {
        "close", "connection", "context", "detach", "family", "fileno", "getblocking", "gettimeout", "proto",
        "server_hostname", "setblocking", "settimeout", "timeout", "type",
    },
    pyossl.Connection: {"close", "closed", "context", "failure", "is_inherited", "server_hostname"},
}  # fmt: skip

FAIL_AGAIN = {
    "accept", "decrypt", "encrypt", "handshake", "peek", "read", "read_early_data", "read_into", "renegotiate",
    "request_certificate", "shutdown", "update_keys", "write",
}  # fmt: skip
"""They report the failure of a dead connection again."""

ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "recv": (10,),
    "recv_into": (bytearray(10),),
    "read_into": (bytearray(10),),
    "call": (lambda ssl: None,),
    "encrypt": (b"x",),
    "decrypt": (b"x",),
    "send": (b"x",),
    "sendall": (b"x",),
    "sendfile": (io.BytesIO(b"x"),),
    "write": (b"x",),
    "receive_data": (b"x",),
    "export_keying_material": ("EXPORTER-x", 32),
    "export_early_keying_material": ("EXPORTER-x", 32),
    "shutdown": (1,),
    "getsockopt": (1, 2),
    "setsockopt": (1, 2, 1),
    "settimeout": (1,),
    "setblocking": (True,),
}


def _uses(kind: type) -> list[tuple[str, Callable[[Any], Any]]]:
    """Each public method and property of a class, as a function of the object."""
    uses: list[tuple[str, Callable[[Any], Any]]] = []
    for name in sorted(n for n in dir(kind) if not n.startswith("_")):
        member = inspect.getattr_static(kind, name)
        if inspect.isfunction(member) or (inspect.ismethoddescriptor(member) and not hasattr(member, "__func__")):
            required = [
                p
                for p in list(inspect.signature(member).parameters.values())[1:]
                if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD
            ]
            arguments = ARGUMENTS.get(name, ())
            assert len(arguments) >= len(required), f"{kind.__name__}.{name} is new: give it arguments here"
            # Connection.shutdown takes no argument, Socket.shutdown takes one.
            room = len(inspect.signature(member).parameters) - 1
            variable = any(p.kind is p.VAR_POSITIONAL for p in inspect.signature(member).parameters.values())
            used = arguments if variable else arguments[:room]
            uses.append((name, lambda it, name=name, used=used: getattr(it, name)(*used)))
        elif not isinstance(member, (staticmethod, classmethod)):
            uses.append((name, lambda it, name=name: getattr(it, name)))
    return uses


SOCKET_USES, CONNECTION_USES = _uses(pyossl.Socket), _uses(pyossl.Connection)


def _held(kind: type, name: str, use: Callable[[Any], Any], it: Any) -> None:
    if name in ANSWERED[kind]:
        use(it)
        return
    with pytest.raises(pyossl.UsageError, match="closed") as caught:
        use(it)
    assert isinstance(caught.value, pyossl.Error)


@pytest.mark.parametrize(("name", "use"), SOCKET_USES, ids=[name for name, _ in SOCKET_USES])
def test_a_closed_socket_says_so(sockets: SocketPair, name: str, use: Callable[[Any], Any]) -> None:
    client, _ = sockets
    client.close()
    _held(pyossl.Socket, name, use, client)


@pytest.mark.parametrize(("name", "use"), SOCKET_USES, ids=[name for name, _ in SOCKET_USES])
def test_an_unwrapped_socket_says_so(sockets: SocketPair, name: str, use: Callable[[Any], Any]) -> None:
    client, server = sockets
    server.shutdown(1)
    with client.unwrap():
        _held(pyossl.Socket, name, use, client)


@pytest.mark.parametrize(("name", "use"), CONNECTION_USES, ids=[name for name, _ in CONNECTION_USES])
@pytest.mark.parametrize("finished", [False, True], ids=["before the handshake", "after it"])
def test_a_closed_connection_says_so(
    new_pair: Callable[[], tuple[pyossl.Connection, pyossl.Connection]],
    name: str,
    use: Callable[[Any], Any],
    finished: bool,
) -> None:
    client, server = new_pair()
    if finished:
        shake_hands(client, server)
    for connection in (client, server):
        connection.close()
        if name in ("connect", "accept"):
            with pytest.raises(pyossl.UsageError):
                use(connection)
        elif name == "server_hostname" and connection is server:
            with pytest.raises(pyossl.UsageError, match="closed"):
                use(connection)
        else:
            _held(pyossl.Connection, name, use, connection)


@pytest.mark.parametrize(("name", "use"), CONNECTION_USES, ids=[name for name, _ in CONNECTION_USES])
def test_a_dead_connection_raises_its_failure_or_answers(
    new_pair: Callable[[], tuple[pyossl.Connection, pyossl.Connection]], name: str, use: Callable[[Any], Any]
) -> None:
    """docs/pitfalls.md, 2 and 5: OpenSSL is not called again, and the first outcome is reported again."""
    client, server = new_pair()
    server.receive_data(b"\x16\x03\x01\xff\xff no TLS at all")
    with pytest.raises(pyossl.Error) as first:
        server.handshake()
    if name in FAIL_AGAIN:
        with pytest.raises(pyossl.Error) as again:
            use(server)
        assert type(again.value) is type(first.value)
        assert str(again.value) == str(first.value)
        assert again.value is not first.value, "a raised exception collects tracebacks: each call has its own"
    elif name == "connect":
        with pytest.raises(pyossl.UsageError):
            use(server)
    else:
        has_no_keys = name in ("channel_binding", "export_keying_material", "export_early_keying_material")
        with contextlib.suppress(pyossl.Error if has_no_keys else pyossl.UnsupportedError):
            use(server)
    client.close()


def test_the_closed_have_a_repr(sockets: SocketPair) -> None:
    client, server = sockets
    client.close()
    assert "closed" in repr(client)
    assert "closed" in repr(client.connection)
    with client:
        pass
    assert "TLS" in repr(server)


def test_calls_on_the_wrong_side_or_at_the_wrong_time_say_what_is_wrong(
    new_pair: Callable[[], tuple[pyossl.Connection, pyossl.Connection]],
    client_context: pyossl.Context,
) -> None:
    client, server = new_pair()
    for call, why in (
        (client.accept, "only for servers"),
        (server.connect, "only for clients"),
        (client.shutdown, "not finished"),
        (lambda: pyossl.Connection(client_context), "server_hostname is missing"),
    ):
        with pytest.raises(pyossl.UsageError, match=why):
            call()
    with pytest.raises(pyossl.UsageError, match="made without bio="):
        pyossl.Connection(client_context, "localhost", bio=pyossl.BIO.pair()).receive_data(b"x")
