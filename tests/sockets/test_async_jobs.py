"""A blocking socket waits for the descriptor of a paused handshake."""

from __future__ import annotations

import os
import socket
import time

import pytest
from served import Task

import pyossl
from pyossl import Context, Socket, Want


def wrapped(client_context: Context, server_context: Context) -> tuple[Socket, Socket]:
    """The sockets of a client and a server, before their handshake."""
    ours, theirs = socket.socketpair()
    client = client_context.wrap_socket(ours, "example.com", handshake=False)
    return client, server_context.wrap_socket(theirs, handshake=False)


def answer_when_asked(server: Socket) -> None:
    while not (fds := server.connection.async_fds):
        time.sleep(0.001)
    time.sleep(0.02)
    os.eventfd_write(fds[0], 1)


@pytest.mark.feature("handshakes that an engine or a provider pauses")
@pytest.mark.parametrize("by", ["handshake", "recv", "sendall"])
def test_it_waits_until_the_device_answers(by: str, client_context: Context, jobs_context: Context) -> None:
    client, server = wrapped(client_context, jobs_context)
    with client, server:
        peer = Task(lambda: (client.sendall(b"question"), client.recv(100)))
        device = Task(lambda: answer_when_asked(server))
        if by == "handshake":
            server.handshake()
        if by != "sendall":
            assert server.recv(100) == b"question"
        server.sendall(b"answer")
        device.result()
        assert peer.result()[1] == b"answer"


def test_a_device_without_a_descriptor(
    client_context: Context, jobs_context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAUSING_WITHOUT_FD", "1")
    client, server = wrapped(client_context, jobs_context)
    with client, server:
        peer = Task(client.handshake)
        server.handshake()
        peer.result()


def test_the_timeout_of_the_call_holds(client_context: Context, jobs_context: Context) -> None:
    client, server = wrapped(client_context, jobs_context)
    with client, server:
        peer = Task(client.handshake)
        server.settimeout(0.1)
        with pytest.raises(TimeoutError, match=r"after 0\.1 s"):
            server.handshake()
        server.settimeout(0)
        with pytest.raises(pyossl.WouldBlockError) as caught:
            server.handshake()
        assert caught.value.want is Want.ASYNC
        server.settimeout(10)
        answer_when_asked(server)
        server.handshake()
        peer.result()


def test_another_thread_closes_a_socket_whose_handshake_is_paused(
    client_context: Context, jobs_context: Context
) -> None:
    client, server = wrapped(client_context, jobs_context)
    peer = Task(client.handshake)

    def close() -> None:
        while not server.connection.async_fds:
            time.sleep(0.001)
        server.close()

    closing = Task(close)
    with pytest.raises(pyossl.UsageError, match="closed"):
        server.handshake()
    closing.result()
    with pytest.raises(pyossl.TLSError):
        peer.result()
    client.close()


def test_a_listener_accepts_with_pauses(client_context: Context, jobs_context: Context) -> None:
    asked: list[pyossl.Connection] = []

    def device() -> None:
        while not asked or not (fds := asked[0].async_fds):
            time.sleep(0.001)
        os.eventfd_write(fds[0], 1)

    jobs_context.servername_callback = lambda connection, name: asked.append(connection)
    with pyossl.listen(("localhost", 0), jobs_context) as listener:
        peer = Task(lambda: pyossl.connect(("localhost", listener.address[1]), client_context))
        answers = Task(device)
        server, _ = listener.accept()
        with server:
            server.handshake()
            client = peer.result()
            answers.result()
            client.sendall(b"x")
            assert server.recv(1) == b"x"
            client.close()
