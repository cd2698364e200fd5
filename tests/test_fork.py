"""A child never sends on what its parent made, never waits for a thread that it does not have (PITFALLS 23)."""

from __future__ import annotations

import os
import socket
import sys
import traceback
from collections.abc import Callable

import pytest
from pairs import shake_hands
from served import SocketPair, Task, tls_pair, until

import pyossl

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system"),
    pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning"),  # Python 3.12 warns of threads
]


def in_a_child(work: Callable[[], object]) -> None:
    """Runs ``work`` in a forked child, which must end by itself, and well."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    waiting = Task(lambda: os.waitpid(child, 0))
    try:
        _, status = waiting.result()
    except AssertionError:
        os.kill(child, 9)
        raise
    assert os.waitstatus_to_exitcode(status) == 0


@pytest.mark.feature("a child process never touches its parent's connections")
def test_a_child_is_refused_every_call_that_would_send_or_read(sockets: SocketPair) -> None:
    client, server = sockets

    def child() -> None:
        for call in (
            lambda: client.recv(1),
            lambda: client.send(b"from the child"),
            lambda: client.sendall(b"from the child"),
            lambda: client.recv_into(bytearray(1)),
            lambda: client.shutdown(socket.SHUT_WR),
            client.unwrap,
            client.connection.handshake,
            client.connection.shutdown,
        ):
            with pytest.raises(pyossl.UsageError, match="forked"):
                call()

    in_a_child(child)
    client.sendall(b"from the parent")
    assert server.recv(100) == b"from the parent"


def test_a_child_that_closes_or_drops_says_nothing_to_the_peer(sockets: SocketPair) -> None:
    client, server = sockets

    def child() -> None:
        assert repr(client)
        client.close()
        assert client.fileno() == -1
        client.close()

    in_a_child(child)
    client.sendall(b"the parent's goes on")
    assert server.recv(100) == b"the parent's goes on"


def test_a_child_does_not_wait_for_a_lock_that_a_thread_of_its_parent_held(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    """The thread is in recv(2), with the connection's lock, and is not there in the child."""
    first, second = socket.socketpair()
    client = pyossl.Connection(client_context, "example.com", bio=pyossl.BIO.socket(first))
    server = server_context.wrap_socket(second, handshake=False)
    accepting = Task(server.handshake)
    assert client.handshake() is None
    accepting.result()
    reading = Task(lambda: client.read(10))
    until(lambda: client._c.busy)

    def child() -> None:
        for call in (lambda: client.read(1), lambda: client.write(b"x"), lambda: client.version):
            with pytest.raises(pyossl.UsageError, match="forked"):
                call()
        client.close()

    in_a_child(child)
    server.sendall(b"for the parent")
    while not isinstance(read := reading.result(), bytes):  # the tickets of TLS 1.3 come first
        reading = Task(lambda: client.read(10))
    assert read == b"for the pa"
    server.close()
    first.close()


def test_a_child_makes_connections_of_its_own(
    client_context: pyossl.Context, server_context: pyossl.Context, sockets: SocketPair
) -> None:
    def child() -> None:
        client, server = tls_pair(client_context, server_context)
        with client, server:
            client.sendall(b"the child's own")
            assert server.recv(100) == b"the child's own"
        one, other = pyossl.Connection(client_context, "example.com"), pyossl.Connection(server_context)
        shake_hands(one, other)

    in_a_child(child)


def test_parent_and_child_draw_different_random_bytes() -> None:
    """OpenSSL reseeds after a fork: the two would otherwise share keys."""
    reader, writer = os.pipe()

    def child() -> None:
        os.write(writer, pyossl.PrivateKey.generate().to_pem())

    pyossl.PrivateKey.generate()
    in_a_child(child)
    assert os.read(reader, 10_000) != pyossl.PrivateKey.generate().to_pem()
    os.close(reader)
    os.close(writer)
