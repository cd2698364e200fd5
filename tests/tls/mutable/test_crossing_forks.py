"""A mutable connection that a child process may go on with."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable

import pytest
from pairs import shake_hands

import pyossl
from pyossl.tls.mutable.mutable_connection import MutableConnection
from pyossl.tls.mutable.mutable_context import Method, MutableContext


def status(child: Callable[[], object]) -> int:
    """Runs ``child`` in a child process; returns 0 if it returned, 1 if it raised ``UsageError``."""
    process = os.fork()
    if process == 0:
        try:
            child()
            os._exit(0)
        except pyossl.UsageError:
            os._exit(1)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def server_of(credentials: pyossl.Credentials, sock: socket.socket | None = None) -> MutableConnection:
    context = MutableContext(Method.TLS_SERVER)
    context.use_credentials(credentials.certificate, credentials.private_key, credentials.chain)
    server = MutableConnection(context, None if sock is None else sock.fileno(), sock)
    server.set_accept_state()
    return server


@pytest.mark.parametrize("crosses", [True, False])
def test_a_child_goes_on_after_the_handshake_only_if_it_is_allowed(
    crosses: bool, client_context: pyossl.Context, credentials: pyossl.Credentials
) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        server = server_of(credentials, theirs)
        if crosses:
            server.may_cross_forks()
        client = client_context.wrap_socket(ours.dup(), "example.com", handshake=False)
        thread = threading.Thread(target=client.handshake)
        thread.start()
        assert server.handshake() is None
        thread.join(30)
        client.settimeout(30)
        client.sendall(b"ping")

        def answer() -> None:
            assert server.read(100) == b"ping"
            server.write(b"pong")

        assert status(answer) == (0 if crosses else 1)
        if crosses:
            server.close()
            assert client.recv(100) == b"pong"
        client.close()


def test_the_child_of_a_child_goes_on_too(client_context: pyossl.Context, credentials: pyossl.Credentials) -> None:
    server = server_of(credentials)
    server.may_cross_forks()
    shake_hands(pyossl.Connection(client_context, "example.com"), server)
    assert status(lambda: status(lambda: server.write(b"x")) == 0 or 1 / 0) == 0


def test_a_connection_of_which_a_thread_was_in_a_call_is_refused(
    client_context: pyossl.Context, credentials: pyossl.Credentials
) -> None:
    entered, leave = threading.Event(), threading.Event()
    server = server_of(credentials)
    server.may_cross_forks()

    def wait(ssl: object) -> None:
        entered.set()
        leave.wait(30)

    shake_hands(pyossl.Connection(client_context, "example.com"), server)
    thread = threading.Thread(target=lambda: server.call(wait))
    thread.start()
    try:
        assert entered.wait(30)
        assert status(lambda: server.write(b"x")) == 1
    finally:
        leave.set()
        thread.join(30)
