"""Listening sockets: nobody who stalls keeps others out, and everything that can be said of an end."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest
from served import SECONDS, Task, read_all, until

import pyossl


def test_a_client_that_stalls_keeps_nobody_else_out(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    with pyossl.listen(("127.0.0.1", 0), server_context) as listener:
        listener.settimeout(SECONDS)
        with socket.create_connection(listener.address) as silent:
            stalled, where = listener.accept()
            assert where == silent.getsockname()
            calling = Task(lambda: pyossl.connect(listener.address, client_context, timeout=SECONDS))
            served, _ = listener.accept()
            with stalled, served:
                served.settimeout(SECONDS)
                served.sendall(b"served")
                with calling.result() as client:
                    assert client.recv(10) == b"served"
                stalled.settimeout(0.2)
                with pytest.raises(TimeoutError, match=r"timed out after 0\.2 s"):
                    stalled.handshake()


def test_accept_ends_at_its_deadline(server_context: pyossl.Context) -> None:
    with pyossl.listen(("127.0.0.1", 0), server_context) as listener:
        listener.settimeout(0.2)
        start = time.monotonic()
        with pytest.raises(TimeoutError):
            listener.accept()
        assert time.monotonic() - start < SECONDS / 2


def test_an_accepted_socket_does_not_inherit_the_listener_s_timeout(server_context: pyossl.Context) -> None:
    with pyossl.listen(("127.0.0.1", 0), server_context) as listener:
        listener.settimeout(SECONDS)
        with socket.create_connection(listener.address):
            tls, _ = listener.accept()
            with tls:
                assert tls.gettimeout() is None


def test_a_thread_in_accept_is_woken_by_close(server_context: pyossl.Context) -> None:
    for timeout in (None, 1000):
        listener = pyossl.listen(("127.0.0.1", 0), server_context)
        listener.settimeout(timeout)
        accepting = Task(listener.accept)
        until(lambda task=accepting: _is_in_the_kernel(task))
        listener.close()
        with pytest.raises(OSError, match=r"Invalid argument|descriptor"):
            accepting.result()


def _is_in_the_kernel(task: Task[object]) -> bool:
    """Whether the task's thread sleeps: Linux says so; elsewhere its start has to do."""
    thread = task._thread.native_id
    try:
        return Path(f"/proc/self/task/{thread}/stat").read_text().rpartition(")")[2].split()[0] == "S"
    except OSError:
        return True


def test_iteration_gives_clients_until_the_listener_is_closed(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    listener = pyossl.listen(("127.0.0.1", 0), server_context)
    served = []

    def serve() -> None:
        for tls, _ in listener:
            with tls:
                tls.settimeout(SECONDS)
                served.append(read_all(tls))

    serving = Task(serve)
    for n in range(3):
        with pyossl.connect(listener.address, client_context, timeout=SECONDS) as client:
            client.sendall(b"%d" % n)
    until(lambda: len(served) == 3)
    listener.close()
    with pytest.raises(OSError, match=r"Invalid argument|descriptor"):
        serving.result()
    assert served == [b"0", b"1", b"2"]


def test_connections_outlive_their_listener(client_context: pyossl.Context, server_context: pyossl.Context) -> None:
    with pyossl.listen(("127.0.0.1", 0), server_context) as listener:
        listener.settimeout(SECONDS)
        calling = Task(lambda: pyossl.connect(listener.address, client_context, timeout=SECONDS))
        server, _ = listener.accept()
    with server:
        server.settimeout(SECONDS)
        server.sendall(b"alive")
        with calling.result() as client:
            assert client.recv(10) == b"alive"


def test_close_may_be_repeated_and_says_so_afterwards(server_context: pyossl.Context) -> None:
    listener = pyossl.listen(("127.0.0.1", 0), server_context)
    assert "127.0.0.1" in repr(listener)
    number = listener.fileno()
    listener.close()
    listener.close()
    assert listener.fileno() == -1
    assert repr(listener) == "<Listener closed>"
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(number)
    with pytest.raises(OSError, match="descriptor"):
        listener.accept()


def test_a_client_s_context_cannot_listen(client_context: pyossl.Context) -> None:
    with pytest.raises(pyossl.UsageError, match="server's context"):
        pyossl.listen(("127.0.0.1", 0), client_context)


def test_an_address_that_is_taken_is_an_oserror(server_context: pyossl.Context, tmp_path: Path) -> None:
    path = tmp_path / "taken"
    for address in (("127.0.0.1", 0), path):
        with pyossl.listen(address, server_context) as listener, pytest.raises(OSError, match=r"[Aa]ddress"):
            pyossl.listen(listener.address, server_context)


def test_messages_of_an_accepted_connection_are_seen(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    seen: list[pyossl.Message] = []
    with pyossl.listen(("127.0.0.1", 0), server_context) as listener:
        listener.settimeout(SECONDS)
        calling = Task(lambda: pyossl.connect(listener.address, client_context, timeout=SECONDS))
        server, _ = listener.accept(message_callback=seen.append)
        with server:
            server.settimeout(SECONDS)
            server.handshake()
            calling.result().close()
    assert next(message.name for message in seen if message.is_protocol) == "ClientHello"
