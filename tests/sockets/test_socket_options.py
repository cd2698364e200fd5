"""A socket is returned as it was given: with its limits and its blocking mode, and ``detach`` sends nothing."""

from __future__ import annotations

import errno
import os
import socket
import struct
import time
from typing import Any

import pytest
from served import SECONDS, SocketPair, Task, tcp_pair, tls_pair, until

import pyossl

LIMITS = [socket.SO_RCVTIMEO, socket.SO_SNDTIMEO]
TIMEVAL = "@ll"
each_limit = pytest.mark.parametrize("option", LIMITS, ids=["SO_RCVTIMEO", "SO_SNDTIMEO"])


def set_limit(sock: Any, option: int, seconds: int, microseconds: int = 0) -> None:
    sock.setsockopt(socket.SOL_SOCKET, option, struct.pack(TIMEVAL, seconds, microseconds))


def limit(sock: Any, option: int) -> tuple[int, int]:
    seconds, microseconds = struct.unpack(TIMEVAL, sock.getsockopt(socket.SOL_SOCKET, option, struct.calcsize(TIMEVAL)))
    return seconds, microseconds


def read_something(client: pyossl.Socket, server: pyossl.Socket) -> None:
    """The reader waits in recv(2)."""
    reading = Task(lambda: client.recv(10))
    until(lambda: client.connection.waiters)
    server.sendall(b"x")
    assert reading.result() == b"x"


@each_limit
@pytest.mark.parametrize("timeout", [None, SECONDS])
def test_unwrap_gives_a_socket_back_with_its_own_limits(
    option: int, timeout: float | None, client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    first, second = tcp_pair()
    first.settimeout(None)
    set_limit(first, option, 7)
    client, server = tls_pair(client_context, server_context, (first, second))
    client.settimeout(timeout)
    read_something(client, server)
    ending = Task(server.unwrap)
    with client.unwrap() as plain, ending.result():
        assert limit(plain, option) == (7, 0)
        assert plain.gettimeout() == timeout


@each_limit
def test_detach_gives_a_descriptor_back_with_its_own_limits(
    option: int, client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    first, second = tcp_pair()
    first.settimeout(None)
    set_limit(first, option, 7)
    client, server = tls_pair(client_context, server_context, (first, second))
    read_something(client, server)
    with socket.socket(fileno=client.detach()) as plain, server:
        assert limit(plain, option) == (7, 0)


@each_limit
@pytest.mark.parametrize("timeout", [None, SECONDS])
def test_close_leaves_a_copy_of_the_socket_with_its_own_limits(
    option: int, timeout: float | None, client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    """A copy that the program has made with dup(2) shares the options."""
    first, second = tcp_pair()
    first.settimeout(None)
    set_limit(first, option, 7)
    with first.dup() as copy:
        client, server = tls_pair(client_context, server_context, (first, second))
        client.settimeout(timeout)
        read_something(client, server)
        client.close()
        server.close()
        assert limit(copy, option) == (7, 0)


@each_limit
def test_a_tls_socket_s_limits_are_those_that_it_was_given(sockets: SocketPair, option: int) -> None:
    client, server = sockets
    client.settimeout(SECONDS)
    read_something(client, server)
    assert limit(client, option) == (0, 0)
    set_limit(client, option, 9)
    read_something(client, server)
    assert limit(client, option) == (9, 0)
    read_something(client, server)
    ending = Task(server.unwrap)
    with client.unwrap() as plain, ending.result():
        assert limit(plain, option) == (9, 0)


def test_an_accepted_socket_has_the_limits_of_its_listener(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    """Linux copies them, and other kernels may not: the socket has the same limits as a plain one."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        set_limit(sock, socket.SO_RCVTIMEO, 7)
        calling = Task(lambda: socket.create_connection(sock.getsockname(), SECONDS))
        plain, _ = sock.accept()
        expected = limit(plain, socket.SO_RCVTIMEO)
        plain.close()
        calling.result().close()
        listener = pyossl.Listener(sock, server_context)
        calling_tls = Task(lambda: pyossl.connect(sock.getsockname(), client_context, timeout=SECONDS))
        server, _ = listener.accept()
        server.settimeout(SECONDS)
        server.handshake()
        client = calling_tls.result()
        client.settimeout(SECONDS)
        read_something(server, client)
        ending = Task(client.unwrap)
        with server.unwrap() as back, ending.result():
            assert limit(back, socket.SO_RCVTIMEO) == expected


def test_a_read_without_a_timeout_ends_at_the_socket_s_own_limit(sockets: SocketPair) -> None:
    client, server = sockets
    client.settimeout(None)
    set_limit(client, socket.SO_RCVTIMEO, 0, 300_000)
    start = time.monotonic()
    with pytest.raises(TimeoutError, match="reading timed out at the limit that the socket itself"):
        client.recv(1)
    assert 0.2 < time.monotonic() - start < SECONDS / 4
    server.sendall(b"still there")
    assert client.recv(100) == b"still there"


def test_a_limit_of_more_than_a_second_is_waited_for_in_full(sockets: SocketPair) -> None:
    client, _ = sockets
    client.settimeout(None)
    set_limit(client, socket.SO_RCVTIMEO, 1, 500_000)
    start = time.monotonic()
    with pytest.raises(TimeoutError):
        client.recv(1)
    assert 1.4 < time.monotonic() - start < SECONDS / 2


def test_a_timeout_comes_before_the_socket_s_own_limit(sockets: SocketPair) -> None:
    client, server = sockets
    set_limit(client, socket.SO_RCVTIMEO, 0, 100_000)
    client.settimeout(SECONDS)
    reading = Task(lambda: client.recv(10))
    until(lambda: client.connection.waiters)
    with pytest.raises(AssertionError, match="still at work"):
        reading.result(0.4)
    server.sendall(b"late")
    assert reading.result() == b"late"


def test_a_handshake_without_a_timeout_ends_at_the_socket_s_own_limit(client_context: pyossl.Context) -> None:
    first, second = tcp_pair()
    first.settimeout(None)
    set_limit(first, socket.SO_RCVTIMEO, 0, 300_000)
    with second, pytest.raises(TimeoutError, match="the handshake timed out at the limit"):
        client_context.wrap_socket(first, "example.com")


def test_a_write_without_a_timeout_ends_at_the_socket_s_own_limit(sockets: SocketPair) -> None:
    client, _ = sockets
    client.settimeout(None)
    set_limit(client, socket.SO_SNDTIMEO, 0, 300_000)
    start = time.monotonic()
    with pytest.raises(TimeoutError, match="writing timed out at the limit"):
        client.sendall(bytes(1 << 26))
    assert time.monotonic() - start < SECONDS


@pytest.mark.parametrize("timeout", [None, SECONDS, 0])
def test_a_descriptor_comes_back_blocking_as_it_was(
    timeout: float | None, client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    for way in ("unwrap", "detach"):
        first, second = tcp_pair()
        first.settimeout(timeout)
        blocked = os.get_blocking(first.fileno())
        client = client_context.wrap_socket(first, "example.com", handshake=False)
        client.settimeout(SECONDS)
        accepting = Task(lambda second=second: server_context.wrap_socket(second))
        client.handshake()
        server = accepting.result()
        if way == "detach":
            back = socket.socket(fileno=client.detach())
        else:
            ending = Task(server.unwrap)
            client.settimeout(timeout or SECONDS)
            back = client.unwrap()
            assert back.gettimeout() == (timeout or SECONDS)
            back.settimeout(timeout)
            ending.result().close()
        assert os.get_blocking(back.fileno()) == blocked
        back.close()
        server.close()


# detach


def test_detach_returns_the_descriptor_and_closes_the_socket_without_sending(sockets: SocketPair) -> None:
    client, server = sockets
    number = client.fileno()
    file = client.makefile("rb")
    assert client.detach() == number
    assert client.fileno() == -1
    with socket.socket(fileno=number) as plain:
        for call in (lambda: client.recv(1), lambda: client.sendall(b"x"), client.unwrap, lambda: file.read(1)):
            with pytest.raises(pyossl.UsageError, match="closed"):
                call()
        file.close()
        client.close()
        assert client.detach() == -1
        server.settimeout(0.2)
        with pytest.raises(TimeoutError):
            server.recv(1)
        plain.sendall(b"")
        os.fstat(number)


def test_a_socket_that_is_detached_before_the_handshake_has_sent_and_received_nothing(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    first, second = tcp_pair()
    first.sendall(b"plain")
    with (
        socket.socket(fileno=server_context.wrap_socket(second, handshake=False).detach()) as plain,
        socket.socket(fileno=client_context.wrap_socket(first, "example.com", handshake=False).detach()) as other,
    ):
        assert plain.recv(100) == b"plain"
        plain.sendall(b"too")
        assert other.recv(100) == b"too"


def test_detach_ends_the_wait_of_another_thread_and_not_the_plain_socket(sockets: SocketPair) -> None:
    client, _ = sockets
    client.settimeout(None)
    reading = Task(lambda: client.recv(1))
    until(lambda: client.connection.waiters)
    with socket.socket(fileno=client.detach()) as plain:
        with pytest.raises(pyossl.UsageError, match="closed"):
            reading.result()
        assert plain.send(b"x") == 1


def test_detach_of_a_closed_socket_returns_no_descriptor(sockets: SocketPair) -> None:
    client, server = sockets
    client.close()
    assert client.detach() == -1
    ending = Task(lambda: server.recv(1))
    assert ending.result() == b""
    server.close()
    assert server.detach() == -1


def test_a_callback_cannot_detach_its_own_socket(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    raised: list[BaseException] = []

    def callback(message: pyossl.Message) -> None:
        if not raised:
            try:
                client.detach()
            except pyossl.UsageError as error:
                raised.append(error)

    first, second = tcp_pair()
    client = client_context.wrap_socket(first, "example.com", handshake=False, message_callback=callback)
    accepting = Task(lambda: server_context.wrap_socket(second))
    with client:
        client.handshake()
        accepting.result().close()
        assert raised
        assert client.recv(1) == b""
    with pytest.raises(OSError, match=r".") as caught:
        os.fstat(client.detach())
    assert caught.value.errno == errno.EBADF
