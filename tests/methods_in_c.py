"""The methods in C, found by introspection, and objects on which each of them can be called."""

from __future__ import annotations

import contextlib
import inspect
import socket
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from odd_values import CLIENT, SERVER
from pairs import meet
from pyopenssl.pyopenssl_pairs import pair as face_pair
from served import SECONDS, Task, tls_pair, until

import pyossl
from pyossl import Connection, _fast
from pyossl.pyopenssl import SSL
from pyossl.sockets.event_loop_steps import EventLoopConnection

CLASSES: dict[str, Any] = {
    "ConnectionMethods": Connection,
    "SocketMethods": pyossl.Socket,
    "EventLoopMethods": EventLoopConnection,
    "FaceMethods": SSL.Connection,
}
METHODS = [(kind, name) for kind in CLASSES for name in vars(getattr(_fast, kind)) if not name.startswith("__")]
PUBLIC = [(kind, name) for kind, name in METHODS if not name.startswith("_")]


def parameters_of(kind: str, name: str) -> list[str]:
    return list(inspect.signature(getattr(CLASSES[kind], name)).parameters)[1:]


def each(methods: list[tuple[str, str]]) -> pytest.MarkDecorator:
    """Runs a test, which takes ``kind`` and ``name``, for each of these methods."""
    return pytest.mark.parametrize(("kind", "name"), methods, ids=[f"{kind}.{name}" for kind, name in methods])


def with_parameter(*names: str) -> list[tuple[str, str]]:
    """The methods that have a parameter of one of these names as the first."""
    return [method for method in METHODS if parameters_of(*method)[:1] and parameters_of(*method)[0] in names]


OF_A_SIZE = with_parameter("size", "bufsiz")
OF_DATA = with_parameter("data", "buf")
OF_A_BUFFER = with_parameter("buffer")
WITHOUT = [method for method in METHODS if not parameters_of(*method)]
TAKE_RECORDS = ("decrypt", "receive_data", "bio_write")
"""The methods whose data are bytes of the peer; the others send their data."""


class Ready(NamedTuple):
    """An object with a method in C, and its peer.

    ``fill`` makes that the next read of the object finds these bytes; ``record`` are bytes of the peer that contain its
    argument; ``sent`` are the bytes that the peer has received.
    """

    subject: Any
    fill: Callable[[bytes], object]
    record: Callable[[bytes], bytes]
    sent: Callable[[int], bytes]


@contextlib.contextmanager
def ready(kind: str, **settings: Any) -> Iterator[Ready]:
    """An open connection of this kind; its reads find nothing."""
    with contextlib.ExitStack() as stack:
        yield MAKERS[kind](stack, **settings)


def _connection(_: contextlib.ExitStack, **settings: Any) -> Ready:
    if settings:
        client, server = Connection(CLIENT, "example.com", **settings), Connection(SERVER)
        until(lambda: _turn(client, server))
    else:
        client, server = meet(CLIENT, SERVER)

    def record(data: bytes) -> bytes:
        made = server.encrypt(data)
        assert isinstance(made, bytes)
        return made

    def sent(_: int) -> bytes:
        got = server.decrypt(client.data_to_send())
        return got if isinstance(got, bytes) else b""

    return Ready(client, lambda data: client.receive_data(record(data)), record, sent)


def _turn(client: Connection, server: Connection) -> bool:
    wants = [client.handshake()]
    server.receive_data(client.data_to_send())
    wants.append(server.handshake())
    client.receive_data(server.data_to_send())
    return wants == [None, None]


def _socket(stack: contextlib.ExitStack) -> Ready:
    tls, peer = tls_pair(CLIENT, SERVER)
    stack.enter_context(peer)
    stack.enter_context(tls)
    tls.settimeout(SECONDS)
    peer.settimeout(SECONDS)
    return Ready(tls, peer.sendall, _no_record, lambda size: _received(peer, size))


def _event_loop(stack: contextlib.ExitStack, **settings: Any) -> Ready:
    first, second = socket.socketpair()
    peer = stack.enter_context(SERVER.wrap_socket(second, handshake=False))
    peer.settimeout(SECONDS)
    first.setblocking(False)
    subject = EventLoopConnection(CLIENT, "example.com", stack.enter_context(first), **settings)
    accepting = Task(peer.handshake)
    until(lambda: subject.handshake() is None)
    accepting.result()
    subject.receive()  # the session tickets
    return Ready(subject, peer.sendall, _no_record, lambda size: _received(peer, size))


def _face(_: contextlib.ExitStack) -> Ready:
    face, peer = face_pair()
    with contextlib.suppress(SSL.WantReadError):
        face.bio_write(peer.bio_read(1 << 16))

    def record(data: bytes) -> bytes:
        peer.send(data)
        return peer.bio_read(1 << 20)

    def sent(size: int) -> bytes:
        with contextlib.suppress(SSL.WantReadError):
            peer.bio_write(face.bio_read(1 << 20))
            return peer.recv(size)
        return b""

    return Ready(face, lambda data: face.bio_write(record(data)), record, sent)


MAKERS: dict[str, Callable[..., Ready]] = {
    "ConnectionMethods": _connection,
    "SocketMethods": _socket,
    "EventLoopMethods": _event_loop,
    "FaceMethods": _face,
}


def _no_record(data: bytes) -> bytes:
    raise AssertionError("this object takes its bytes from a descriptor")


def _received(peer: pyossl.Socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        received += peer.recv(size - len(received))
    return received
