"""A child never sends on a connection of its parent, and never waits for a thread that exists in the parent only
(docs/pitfalls.md, 23)."""

from __future__ import annotations

import contextlib
import gc
import os
import socket
import socketserver
import struct
import threading
from typing import Any

import pytest
from pairs import shake_hands
from pyopenssl.pyopenssl_pairs import contexts
from served import SECONDS, SocketPair, Task, in_a_child, read_all, tcp_pair, tls_pair, until

import pyossl
from pyossl.pyopenssl import SSL

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system"),
    pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning"),  # Python 3.12 warns about threads
]


@pytest.mark.feature("a child process does not use its parent's connections")
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


def test_a_child_that_closes_or_drops_sends_nothing_to_the_peer(sockets: SocketPair) -> None:
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
    """The thread waits in recv(2) with the connection's lock, and does not exist in the child."""
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
    """OpenSSL reseeds after a fork: otherwise the two processes would have the same keys."""
    reader, writer = os.pipe()

    def child() -> None:
        os.write(writer, pyossl.PrivateKey.generate().to_pem())

    pyossl.PrivateKey.generate()
    in_a_child(child)
    assert os.read(reader, 10_000) != pyossl.PrivateKey.generate().to_pem()
    os.close(reader)
    os.close(writer)


# A connection whose handshake has not begun has no keys


def test_a_child_serves_what_its_parent_has_accepted_and_closed(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    """The client has begun its handshake when the parent closes: the child receives its bytes."""
    with pyossl.listen(("127.0.0.1", 0), server_context) as listener:
        listener.settimeout(SECONDS)
        calling = Task(lambda: pyossl.connect(listener.address, client_context, timeout=SECONDS))
        tls, _ = listener.accept()
        assert tls._sock.recv(5, socket.MSG_PEEK | socket.MSG_WAITALL)
        goes_on, say = os.pipe()

        def child() -> None:
            os.read(goes_on, 1)
            assert not tls.connection.is_inherited
            tls.settimeout(SECONDS)
            tls.sendall(b"served by the child")
            tls.close()

        def parent() -> None:
            tls.close()
            os.write(say, b"x")

        in_a_child(child, parent)
        with calling.result() as client:
            assert client.recv(100) == b"served by the child"
            assert client.recv(100) == b""
        os.close(goes_on)
        os.close(say)


def test_a_child_serves_what_its_parent_has_detached(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    with pyossl.listen(("127.0.0.1", 0), server_context) as listener:
        listener.settimeout(SECONDS)
        calling = Task(lambda: pyossl.connect(listener.address, client_context, timeout=SECONDS))
        tls, _ = listener.accept()
        descriptor = tls.detach()

        def child() -> None:
            with server_context.wrap_socket(socket.socket(fileno=descriptor)) as mine:
                mine.sendall(b"served by the child")

        in_a_child(child, lambda: os.close(descriptor))
        with calling.result() as client:
            assert client.recv(100) == b"served by the child"


def test_socketserver_forks_a_child_for_each_connection(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.settimeout(SECONDS)
            self.request.sendall(b"%d serves " % os.getpid() + self.request.recv(100))

    class Server(socketserver.ForkingTCPServer):
        def get_request(self) -> Any:
            return self.listener.accept()

        def server_activate(self) -> None:
            super().server_activate()
            self.listener = pyossl.Listener(self.socket, server_context)

    with Server(("127.0.0.1", 0), Handler) as server:
        serving = Task(server.serve_forever)
        answers = []
        for n in range(3):
            with pyossl.connect(server.server_address, client_context, timeout=SECONDS) as client:
                client.sendall(b"%d" % n)
                answers.append(read_all(client).split())
        server.shutdown()
        serving.result()
    assert [answer[2] for answer in answers] == [b"0", b"1", b"2"]
    assert len({answer[0] for answer in answers} - {b"%d" % os.getpid()}) == 3


def test_connections_without_a_socket_are_a_child_s_too_before_they_begin(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    client, server = pyossl.Connection(client_context, "example.com"), pyossl.Connection(server_context)

    def child() -> None:
        assert "process" not in repr(client)
        shake_hands(client, server)

    in_a_child(child)
    shake_hands(client, server)


def test_the_face_s_connection_is_a_child_s_too_before_it_begins() -> None:
    client_context, server_context = contexts()
    with socket.create_server(("127.0.0.1", 0)) as below:

        def call() -> bytes:
            client = SSL.Connection(client_context, socket.create_connection(below.getsockname(), SECONDS))
            client._socket.setblocking(True)
            client.set_connect_state()
            received: bytes = client.recv(100)
            client.close()
            return received

        calling = Task(call)
        tls, _ = SSL.Connection(server_context, below).accept()

        def child() -> None:
            tls.sendall(b"served by the child")

        in_a_child(child, tls.close)
        assert calling.result() == b"served by the child"


def test_a_client_that_has_sent_its_hello_is_the_parent_s(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    first, second = tcp_pair()
    client = client_context.wrap_socket(first, "example.com", handshake=False)
    client.settimeout(0)
    with pytest.raises(pyossl.WouldBlockError):
        client.handshake()
    client.settimeout(SECONDS)

    def child() -> None:
        assert client.connection.is_inherited
        for call in (client.handshake, lambda: client.recv(1), lambda: client.shutdown(socket.SHUT_RD)):
            with pytest.raises(pyossl.UsageError, match="forked"):
                call()
        client.close()

    in_a_child(child)
    server = Task(lambda: server_context.wrap_socket(second))
    client.handshake()
    server.result().close()
    client.close()


def test_a_server_that_waits_for_a_hello_is_the_parent_s(server_context: pyossl.Context) -> None:
    """Its handshake has begun: the next step of its thread in the parent is not known."""
    first, second = tcp_pair()
    server = server_context.wrap_socket(second, handshake=False)
    server.settimeout(0)
    with first, server:
        with pytest.raises(pyossl.WouldBlockError):
            server.handshake()

        def child() -> None:
            with pytest.raises(pyossl.UsageError, match="forked"):
                server.handshake()

        in_a_child(child)


def test_questions_begin_nothing(client_context: pyossl.Context, server_context: pyossl.Context) -> None:
    first, second = tcp_pair()
    server = server_context.wrap_socket(second, handshake=False)
    assert (server.version, server.pending) is not None
    client = Task(lambda: client_context.wrap_socket(first, "example.com"))

    def child() -> None:
        server.sendall(b"the child's")

    in_a_child(child, server.close)
    with client.result() as tls:
        assert tls.recv(100) == b"the child's"


def test_a_connection_whose_lock_a_thread_held_at_the_fork_is_refused(server_context: pyossl.Context) -> None:
    """The thread does not exist in the child, and its change of the connection is half done."""
    connection = pyossl.Connection(server_context)
    entered, leave = threading.Event(), threading.Event()

    def question(ssl: Any) -> None:
        entered.set()
        leave.wait(SECONDS)

    asking = Task(lambda: connection._ask(question))
    entered.wait(SECONDS)

    def child() -> None:
        with pytest.raises(pyossl.UsageError, match="forked"):
            connection.handshake()
        assert "process" in repr(connection)
        connection.close()

    in_a_child(child)
    leave.set()
    asking.result()
    assert connection.handshake() is pyossl.Want.READ


def test_two_threads_of_a_child_begin_at_once(client_context: pyossl.Context, server_context: pyossl.Context) -> None:
    """The first of them that has the lock makes it a lock of this process."""
    pairs = [tcp_pair() for _ in range(4)]
    servers = [server_context.wrap_socket(second, handshake=False) for _, second in pairs]

    def child() -> None:
        for (first, _), server in zip(pairs, servers, strict=True):
            client = Task(lambda first=first: client_context.wrap_socket(first, "example.com"))
            both = [Task(server.handshake), Task(server.handshake), Task(lambda server=server: repr(server))]
            for each in both:
                each.result()
            client.result()

    in_a_child(child)
    for (first, _), server in zip(pairs, servers, strict=True):
        server.close()
        first.close()


def test_close_does_not_reach_the_copy_of_another_process_though_a_thread_waits(sockets: SocketPair) -> None:
    """The thread is woken without shutdown(2), which would end the socket in all processes."""
    client, _ = sockets
    reading = Task(lambda: client.recv(1))
    until(lambda: client.connection.waiters)
    goes_on, say = os.pipe()
    number = client.fileno()

    def child() -> None:
        os.read(goes_on, 1)
        with socket.socket(fileno=os.dup(number)) as mine:
            assert mine.send(b"x", socket.MSG_NOSIGNAL) == 1
            size = struct.calcsize("@ll")
            assert mine.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, size) == bytes(size)

    def parent() -> None:
        client.close()
        os.write(say, b"x")

    in_a_child(child, parent)
    with pytest.raises(pyossl.UsageError, match="closed"):
        reading.result()
    os.close(goes_on)
    os.close(say)


def test_a_child_that_drops_a_bio_does_not_end_its_parent_s_socket() -> None:
    """BIO_s_accept(3) and BIO_s_connect(3) call shutdown(2) when they are freed.  docs/pitfalls.md, 44"""
    listening = pyossl.AcceptBIO(("127.0.0.1", 0))
    calling = [pyossl.ConnectBIO(listening.address)]
    calling[0].handshake()
    accepted = listening.accepted()
    bios = [listening, accepted]

    def child() -> None:
        calling.clear()
        bios.clear()
        nonlocal listening, accepted
        del listening, accepted
        gc.collect()

    in_a_child(child)
    calling[0].write(b"goes on")
    assert bios[1].read(100) == b"goes on"
    again = pyossl.ConnectBIO(listening.address)
    again.handshake()
    bios[0].accepted().close()
    for each in (again, *calling, *bios):
        each.close()


@pytest.mark.parametrize("is_used", [False, True], ids=["new", "written to"])
def test_a_child_that_closes_a_bio_drops_its_copy_and_ends_as_it_meant_to(is_used: bool) -> None:
    """A prefork worker leaves its parent's ``with`` statement, by ``sys.exit`` or at its end."""
    listening = pyossl.AcceptBIO(("127.0.0.1", 0))
    calling = pyossl.ConnectBIO(listening.address)
    calling.handshake()
    accepted = listening.accepted()
    first, second = socket.socketpair()
    chain = pyossl.Base64Filter()
    chain.push(pyossl.BIO.memory())
    bios = [listening, calling, accepted, pyossl.BIO.socket(first), pyossl.BIO.memory(b"read"), chain]
    if is_used:
        calling.write(b"parent's, ")
        bios[3].write(b"parent's, ")
        chain.write(b"half of it")

    def child() -> None:
        for each in bios:
            with contextlib.suppress(KeyError), each:
                raise KeyError
            assert each.closed
            each.close()
            with pytest.raises(pyossl.UsageError):
                each.read(1)
        bios.clear()
        gc.collect()

    def child_without_an_exception() -> None:
        for each in bios:
            with each:
                pass
            assert each.closed

    for work in (child, child_without_an_exception):
        in_a_child(work)
    calling.write(b"goes on")
    assert accepted.read(100) == (b"parent's, " if is_used else b"") + b"goes on"
    bios[3].write(b"goes on")
    assert second.recv(100) == (b"parent's, " if is_used else b"") + b"goes on"
    assert bios[4].read() == b"read"
    for each in bios:
        each.close()
    first.close()
    second.close()
