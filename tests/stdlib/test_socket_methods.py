"""recv, recv_into, send and sendall in C do what ssl.py's own methods do."""

from __future__ import annotations

import inspect
import socket
from array import array
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from served import Task
from stdlib.ssl_over_pyossl import SECONDS, client_context, pair, ssl, ssl_in_python

METHODS = ("recv", "recv_into", "send", "sendall")
each_method = pytest.mark.parametrize("name", METHODS)


class Index:
    """A number of another type."""

    def __index__(self) -> int:
        return 2


CALLS: list[Callable[[Any], Any]] = [
    lambda tls: tls.recv(2),
    lambda tls: tls.recv(buflen=2),
    lambda tls: tls.recv(2, 0),
    lambda tls: tls.recv(2, flags=0),
    lambda tls: tls.recv(2, False),
    lambda tls: tls.recv(Index()),
    lambda tls: tls.recv(True),
    lambda tls: tls.recv(0),
    lambda tls: tls.recv(-1),
    lambda tls: tls.recv(2, socket.MSG_PEEK),
    lambda tls: tls.recv(2, None),
    lambda tls: tls.recv("2"),
    lambda tls: tls.recv(2.0),
    lambda tls: tls.recv(None),
    lambda tls: tls.recv(1, 2, 3),
    lambda tls: tls.recv(size=1),
    lambda tls: tls.recv(1 << 80),
    lambda tls: into(tls, bytearray(3)),
    lambda tls: into(tls, bytearray(3), 2),
    lambda tls: into(tls, bytearray(3), nbytes=2),
    lambda tls: into(tls, bytearray(3), 0),
    lambda tls: into(tls, bytearray(3), 2, 0),
    lambda tls: into(tls, bytearray(3), 9),
    lambda tls: into(tls, bytearray(3), None),
    lambda tls: into(tls, memoryview(bytearray(5))[1:3]),
    lambda tls: into(tls, array("i", [0, 0])),
    lambda tls: into(tls, memoryview(bytearray(8)).cast("i")),
    lambda tls: into(tls, bytearray(3), -1),
    lambda tls: into(tls, bytearray(3), 2, 2),
    lambda tls: into(tls, bytearray(3), "2"),
    lambda tls: into(tls, b"read only"),
    lambda tls: into(tls, "text"),
    lambda tls: into(tls, memoryview(bytearray(8))[::2]),
    lambda tls: tls.recv_into(),
    lambda tls: tls.send(b"abc"),
    lambda tls: tls.send(b"abc", 0),
    lambda tls: tls.send(data=b"abc"),
    lambda tls: tls.send(bytearray(b"abc")),
    lambda tls: tls.send(memoryview(b"abc")),
    lambda tls: tls.send(array("i", [1, 2])),
    lambda tls: tls.send(b""),
    lambda tls: tls.send(memoryview(b"abcdef")[::2]),
    lambda tls: tls.send("text"),
    lambda tls: tls.send(None),
    lambda tls: tls.send(3),
    lambda tls: tls.send(b"abc", 1),
    lambda tls: tls.send(),
    lambda tls: tls.sendall(b"abc"),
    lambda tls: tls.sendall(b"abc", 0),
    lambda tls: tls.sendall(data=b"abc", flags=0),
    lambda tls: tls.sendall(bytearray(b"abc")),
    lambda tls: tls.sendall(memoryview(b"abc")),
    lambda tls: tls.sendall(array("i", [1, 2])),
    lambda tls: tls.sendall(b""),
    lambda tls: tls.sendall(b"x" * 100_000),
    lambda tls: tls.sendall(memoryview(b"abcdef")[::2]),
    lambda tls: tls.sendall("text"),
    lambda tls: tls.sendall(None),
    lambda tls: tls.sendall(b"abc", 1),
    lambda tls: tls.sendall(),
]


def into(tls: Any, buffer: Any, *arguments: Any, **named: Any) -> tuple[Any, bytes]:
    return tls.recv_into(buffer, *arguments, **named), bytes(buffer)


def answers(over: Any) -> Iterator[Any]:
    """The results of the calls, with exceptions as their types and texts; then what the peer has got."""
    with pair(over=over) as (client, server):
        collecting = Task(lambda: _collected(server))
        server.sendall(bytes(range(200)))
        for call in CALLS:
            try:
                yield call(client)
            except Exception as error:
                yield type(error).__mro__[-3:], str(error).replace("SSLSocket.", "")
        client.shutdown(socket.SHUT_WR)
        yield collecting.result()


def _collected(sock: Any) -> bytes:
    got = b""
    while more := sock.recv(65536):
        got += more
    return got


def test_each_call_has_the_result_of_ssl_s_own_method() -> None:
    ours, theirs = list(answers(ssl)), list(answers(ssl_in_python))
    assert len(ours) == len(CALLS) + 1
    for n, (found, expected) in enumerate(zip(ours, theirs, strict=True)):
        assert found == expected, f"call {n}"


@each_method
def test_a_method_is_in_c_and_has_the_parameters_of_ssl_s_own(name: str) -> None:
    method, own = getattr(ssl.SSLSocket, name), getattr(ssl_in_python.SSLSocket, name)
    assert inspect.ismethoddescriptor(method)
    assert inspect.isfunction(own)
    found, expected = (list(inspect.signature(each).parameters.values()) for each in (method, own))
    assert [(each.name, each.default) for each in found] == [(each.name, each.default) for each in expected]


def test_a_subclass_is_asked() -> None:
    asked: list[str] = []

    class Watching(ssl.SSLSocket):  # type: ignore[misc]  # ssl is Any here
        def read(self, *arguments: Any) -> Any:
            asked.append("read")
            return super().read(*arguments)

        def send(self, *arguments: Any) -> Any:
            asked.append("send")
            return super().send(*arguments)

    context = client_context()
    context.sslsocket_class = Watching
    with pair(client=context) as (client, server):
        client.sendall(b"hello")
        server.sendall(b"answer")
        assert server.recv(10) == b"hello"
        assert client.recv(10) == b"answer"
        assert asked == ["send", "read"]


@each_method
def test_a_method_needs_a_socket_of_ssl(name: str) -> None:
    with pytest.raises(TypeError):
        getattr(ssl.SSLSocket, name)(socket.socket, b"")


def test_without_tls_the_socket_s_own_methods_are_called() -> None:
    first, second = socket.socketpair()
    with second, client_context().wrap_socket(first, server_hostname="localhost", do_handshake_on_connect=False) as tls:
        below = tls._sslobj
        tls._sslobj = None
        tls.sendall(b"plain")
        assert second.recv(10) == b"plain"
        second.sendall(b"answer")
        assert tls.recv(10, socket.MSG_PEEK) == b"answer"
        assert tls.recv(10) == b"answer"
        tls._sslobj = below


def test_a_connection_of_another_socket_is_used_as_ssl_does_it() -> None:
    with pair() as (client, server), pair() as (other, _):
        client._sslobj, kept = other._sslobj, client._sslobj
        client.settimeout(SECONDS)
        client.sendall(b"through the other one")
        client._sslobj = kept
        server.settimeout(0)
        with pytest.raises(ssl.SSLWantReadError):
            server.recv(100)


def test_a_closed_socket_has_a_clear_error() -> None:
    with pair() as (client, _):
        client.close()
        for call in (lambda: client.recv(1), lambda: client.send(b"x"), lambda: client.sendall(b"x")):
            with pytest.raises(OSError, match="Bad file descriptor"):
                call()
