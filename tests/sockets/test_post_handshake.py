"""Key updates, renegotiations and requests for a certificate over blocking sockets, while other threads use them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import select
import socket
import time
from collections.abc import Callable
from functools import partial

import pytest
from pairs import asking_later
from served import SECONDS, SocketPair, Task, tcp_pair, tls_pair

import pyossl
import pyossl.greenlets
from pyossl import Context, Version, Want, lib
from pyossl.errors import NotDueError
from pyossl.sockets import wait_hook
from pyossl.sockets.descriptor_connection import WaitingConnection

SIZE = 4 << 20
ALSO_WITH_A_HUB = pytest.mark.usefixtures("waits")
REQUEST = pytest.mark.parametrize("request_peer", [False, True])


@pytest.fixture(params=["in C", "with a hub"])
def waits(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where sockets wait: in C, or in Python as those of gevent and eventlet do."""
    if request.param == "in C":
        return

    def wait(descriptor: int, want: Want, seconds: float | None) -> None:
        readers, writers = ([descriptor], []) if want is Want.READ else ([], [descriptor])
        select.select(readers, writers, [], seconds)

    monkeypatch.setattr("pyossl.sockets.socket.socket_class", pyossl.sockets.socket.socket_class)
    monkeypatch.setattr(wait_hook, "wait", None)
    pyossl.greenlets.wait_with(wait)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def received(tls: pyossl.Socket, size: int = SIZE) -> str:
    """The digest of the next ``size`` bytes."""
    got = hashlib.sha256()
    while size:
        data = tls.recv(min(size, 65536))
        assert data
        got.update(data)
        size -= len(data)
    return got.hexdigest()


def again_and_again(work: Callable[[], object]) -> None:
    while True:
        work()


def each_way(client: pyossl.Socket, server: pyossl.Socket, meanwhile: Callable[[], object]) -> None:
    """Sends in both directions at once, with a thread for each; ``meanwhile`` runs in this thread."""
    there, back = os.urandom(SIZE), os.urandom(SIZE)
    readers = [Task(lambda: received(server)), Task(lambda: received(client))]
    writers = [Task(lambda: client.sendall(there)), Task(lambda: server.sendall(back))]
    meanwhile()
    for writer in writers:
        writer.result()
    assert [reader.result() for reader in readers] == [digest(there), digest(back)]


@pytest.mark.feature("key updates (TLS 1.3)")
@REQUEST
def test_both_sides_update_keys_while_two_threads_read_and_two_write(sockets: SocketPair, request_peer: bool) -> None:
    client, server = sockets

    def update() -> None:
        for _ in range(100):
            client.update_keys(request_peer=request_peer)
            server.update_keys(request_peer=request_peer)

    each_way(client, server, update)


@ALSO_WITH_A_HUB
def test_a_peer_that_does_not_read_makes_it_wait_and_nothing_is_kept_without_end(
    client_context: Context, server_context: Context
) -> None:
    first, second = tcp_pair()
    first.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    second.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client, server = tls_pair(client_context, server_context, (first, second))
    client.settimeout(0.2)
    with pytest.raises(TimeoutError):
        again_and_again(partial(client.update_keys, request_peer=True))
    client.settimeout(0)
    with pytest.raises(pyossl.WouldBlockError) as caught:
        client.update_keys()
    assert caught.value.want is Want.WRITE
    client.settimeout(SECONDS)
    with client, server:
        reading = Task(lambda: received(server, 4))
        client.sendall(b"data")
        assert reading.result() == digest(b"data")


@ALSO_WITH_A_HUB
def test_a_close_ends_the_wait(sockets: SocketPair) -> None:
    client, _ = sockets
    updating = Task(lambda: again_and_again(client.update_keys))
    time.sleep(0.3)
    client.close()
    with pytest.raises(pyossl.UsageError, match="closed"):
        updating.result()


@ALSO_WITH_A_HUB
def test_the_peer_that_has_gone_is_an_os_error(sockets: SocketPair) -> None:
    client, server = sockets
    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    os.close(server.detach())
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        again_and_again(client.update_keys)


@pytest.fixture
def renegotiating(
    authority: pyossl.Authority, credentials: pyossl.Credentials, waits: None
) -> Callable[[], SocketPair]:
    client_context = Context.client(trust=authority.certificate, maximum_version=Version.TLSv1_2)
    server_context = Context.server(credentials.certificate, credentials.private_key)
    for context in (client_context, server_context):
        context.allow_renegotiation(100, by_peer=True)

    def pair() -> SocketPair:
        client, server = tls_pair(client_context, server_context)
        client.settimeout(SECONDS)
        server.settimeout(SECONDS)
        return client, server

    return pair


@pytest.mark.feature("renegotiation that is allowed and limited (TLS 1.2)")
def test_a_client_renegotiates_while_its_server_reads(renegotiating: Callable[[], SocketPair]) -> None:
    client, server = renegotiating()
    with client, server:
        for _ in range(5):
            reading = Task(lambda: server.recv(100))
            finished = client.connection.finished
            client.renegotiate()
            assert client.connection.finished != finished
            client.sendall(b"data")
            assert reading.result() == b"data"


def test_a_server_asks_and_the_client_answers_in_its_read(renegotiating: Callable[[], SocketPair]) -> None:
    client, server = renegotiating()
    with client, server:
        for _ in range(5):
            finished = client.connection.finished
            server.renegotiate()
            reading, serving = Task(lambda: client.recv(100)), Task(lambda: server.recv(100))
            while client.connection.finished == finished or not client.connection.is_handshake_finished:
                time.sleep(0.001)
            client.sendall(b"there")
            assert serving.result() == b"there"
            server.sendall(b"back")
            assert reading.result() == b"back"


def test_a_client_renegotiates_while_a_thread_reads_what_the_server_sends(
    renegotiating: Callable[[], SocketPair],
) -> None:
    """The reader takes the data that comes before the server's answer, docs/pitfalls.md, 46."""
    client, server = renegotiating()
    data = os.urandom(SIZE)

    def renegotiate() -> None:
        step, end = client.renegotiate, time.monotonic() + 2 * SECONDS
        while True:
            try:
                step()
                return
            except NotDueError:  # there is data, and just now the other thread does not wait for it
                if time.monotonic() > end:
                    for task in (reading, serving, writing):
                        task.result(0.1)  # raises what has ended it
                    raise
                time.sleep(0.001)
                step = client.handshake

    with client, server:
        reading, serving = Task(lambda: received(client)), Task(lambda: received(server, 4))
        writing = Task(lambda: server.sendall(data))
        for _ in range(10):
            finished = client.connection.finished
            renegotiate()
            assert client.connection.finished != finished
        writing.result()
        assert reading.result() == digest(data)
        client.sendall(b"done")
        assert serving.result() == digest(b"done")


def test_data_that_nobody_reads_has_to_be_read_first_and_then_the_renegotiation_goes_on(
    renegotiating: Callable[[], SocketPair],
) -> None:
    client, server = renegotiating()
    with client, server:
        server.sendall(b"on its way")
        serving = Task(lambda: server.recv(100))
        with pytest.raises(NotDueError, match="read it before"):
            client.renegotiate()
        assert client.recv(100) == b"on its way"
        client.handshake()
        client.sendall(b"done")
        assert serving.result() == b"done"


@pytest.mark.parametrize("waits", ["with a hub"], indirect=True)
def test_a_read_takes_the_data_that_a_renegotiation_meets_just_before_the_read_waits(
    renegotiating: Callable[[], SocketPair], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if another thread renegotiated between the read's last step and its wait."""
    client, server = renegotiating()
    asks = WaitingConnection.is_paused
    steps = [lambda: client.connection._post_handshake(lib.PYOSSL_RENEGOTIATE), lambda: server.sendall(b"data")]

    def is_paused(connection: WaitingConnection) -> bool:
        with contextlib.suppress(NotDueError):
            while steps:
                steps.pop()()
        assert asks.fget is not None
        return bool(asks.fget(connection))

    monkeypatch.setattr(WaitingConnection, "is_paused", property(is_paused))
    with client, server:
        assert client.recv(100) == b"data"
        assert not steps


def test_without_a_timeout_to_wait_handshake_goes_on(renegotiating: Callable[[], SocketPair]) -> None:
    client, server = renegotiating()
    with client, server:
        client.settimeout(0)
        with pytest.raises(pyossl.WouldBlockError) as caught:
            client.renegotiate()
        assert caught.value.want is Want.READ
        client.settimeout(SECONDS)
        serving = Task(lambda: server.recv(100))
        client.handshake()
        client.sendall(b"done")
        assert serving.result() == b"done"


def test_a_server_that_does_not_answer_is_a_timeout(renegotiating: Callable[[], SocketPair]) -> None:
    client, server = renegotiating()
    with client, server:
        client.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.renegotiate()


def test_a_socket_can_be_closed_in_the_middle_of_a_renegotiation(renegotiating: Callable[[], SocketPair]) -> None:
    client, server = renegotiating()
    client.settimeout(0)
    with pytest.raises(pyossl.WouldBlockError):
        client.renegotiate()
    client.close()
    with pytest.raises((pyossl.TruncationError, ConnectionResetError)):
        server.recv(100)
    server.close()


@ALSO_WITH_A_HUB
def test_a_server_requests_a_certificate_that_comes_with_a_later_read(
    authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    mine = authority.issue("me.example")
    client_context, server_context = asking_later(authority, credentials, mine)
    client, server = tls_pair(client_context, server_context)
    with client, server:
        server.settimeout(SECONDS)
        with pytest.raises(pyossl.UsageError, match="only for servers"):
            client.request_certificate()
        server.request_certificate()
        reading = Task(lambda: client.recv(100))
        server.sendall(b"who are you?")
        assert reading.result() == b"who are you?"
        client.sendall(b"me")
        assert server.recv(100) == b"me"
        assert server.connection.peer_certificate == mine.certificate
