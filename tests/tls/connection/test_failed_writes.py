"""If a write fails, the data that the peer had sent before can still be read."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from marks import VERSIONS
from pairs import shake_hands
from pyopenssl.pyopenssl_pairs import AUTHORITY, CREDENTIALS
from served import Task, tcp_pair, until
from tls.connection.early_answers import ANSWER, Peer, answer_and_go, met, send_at_once

import pyossl
from pyossl import BIO, Connection, Context, Version, lib
from pyossl.pyopenssl import SSL

BAD_RECORD_MAC, HANDSHAKE_FAILURE = 20, 40
ENDS = pytest.mark.parametrize("fin", [False, True], ids=["reset", "end and reset"])


def failing(write: Callable[[], object], kind: type[BaseException] = pyossl.TransportError) -> Any:
    """Writes until a write fails; returns its exception."""

    def fails() -> bool:
        try:
            write()
        except kind as error:
            raised.append(error)
        return bool(raised)

    raised: list[BaseException] = []
    until(fails)
    return raised[0]


@pytest.fixture
def new(client_context: Context, server_context: Context) -> Iterator[Callable[..., tuple[pyossl.Socket, Peer]]]:
    """Makes a client's ``Socket`` and its peer."""
    with contextlib.ExitStack() as stack:

        def make(**options: Any) -> tuple[pyossl.Socket, Peer]:
            if "version" in options:
                client_context.maximum_version = options.pop("version")
            clients: list[pyossl.Socket] = []

            def client(sock: socket.socket) -> None:
                clients.append(stack.enter_context(client_context.wrap_socket(sock, "example.com")))

            peer = met(server_context, client, **options)
            stack.callback(peer.sock.close)
            return clients[0], peer

        yield make


New = Callable[..., tuple[pyossl.Socket, Peer]]


# Sockets


@VERSIONS
@ENDS
def test_an_early_answer_is_read_after_the_write_that_failed(new: New, version: Version, fin: bool) -> None:
    """docs/pitfalls.md, 45."""
    tls, peer = new(version=version)
    answer_and_go(peer, fin=fin)
    assert isinstance(failing(lambda: tls.sendall(bytes(50_000))), ConnectionError)
    assert tls.recv(1000) == ANSWER
    assert tls.recv(1000) == b""
    assert tls.recv(1000) == b""


def test_an_answer_of_many_records_is_read_whole(new: New) -> None:
    tls, peer = new()
    answer = bytes(range(256)) * 100
    answer_and_go(peer, answer)
    failing(lambda: tls.sendall(bytes(50_000)))
    assert b"".join(iter(lambda: tls.recv(1000), b"")) == answer


def test_what_has_been_decrypted_and_not_read_is_kept(new: New) -> None:
    tls, peer = new()
    peer.send(ANSWER)
    assert tls.recv(1) == ANSWER[:1]
    peer.reset()
    failing(lambda: tls.sendall(bytes(50_000)))
    assert tls.pending == len(ANSWER) - 1
    assert tls.recv(1000) == ANSWER[1:]


@ENDS
def test_no_close_notify_is_no_end_and_is_told_after_the_data(new: New, fin: bool) -> None:
    """The kernel reports a reset once, to the write; the end that the reader gets after it is the same reset."""
    tls, peer = new()
    answer_and_go(peer, ends=False, fin=fin)
    failing(lambda: tls.sendall(bytes(50_000)))
    assert tls.recv(1000) == ANSWER
    for _ in range(2):
        with pytest.raises(pyossl.TruncationError if fin else ConnectionResetError, match="reading failed"):
            tls.recv(1000)


def test_each_later_write_fails_as_the_first_did(new: New) -> None:
    tls, peer = new()
    answer_and_go(peer)
    first = failing(lambda: tls.sendall(bytes(50_000)))
    again = (lambda: tls.sendall(b"x"), lambda: tls.send(b"x"), lambda: tls.shutdown(socket.SHUT_WR), tls.unwrap)
    for call in (*again, lambda: tls.recv(1000), *again, lambda: tls.recv(1000), *again):
        if call in again:
            with pytest.raises(type(first)) as caught:
                call()
            assert str(caught.value) == str(first)
            assert caught.value.failure == first.failure
        else:
            call()
    assert "can only be read" in repr(tls)


def test_a_write_that_failed_is_the_failure_until_a_read_fails(new: New) -> None:
    tls, peer = new()
    answer_and_go(peer, ends=False, fin=True)
    error = failing(lambda: tls.sendall(bytes(50_000)))
    assert tls.connection.failure == error.failure
    assert error.failure.errno == error.errno
    tls.recv(1000)
    with pytest.raises(pyossl.TruncationError):
        tls.recv(1000)
    assert tls.connection.failure.is_truncation
    with pytest.raises(type(error)):
        tls.sendall(b"x")


def test_a_shutdown_that_fails_leaves_the_answer_to_be_read(new: New) -> None:
    tls, peer = new()
    peer.send(ANSWER)
    tls.sendall(b"unread")
    peer.reset()
    with pytest.raises(ConnectionError):
        tls.shutdown(socket.SHUT_WR)
    assert tls.recv(1000) == ANSWER


def test_an_alert_that_comes_next_is_what_the_write_tells(new: New) -> None:
    tls, peer = new()
    peer.send_alert()
    peer.reset()
    error = failing(lambda: tls.sendall(bytes(50_000)), pyossl.Error)
    assert isinstance(error, pyossl.AlertError)
    for call in (lambda: tls.recv(1), lambda: tls.sendall(b"x")):
        with pytest.raises(pyossl.AlertError, match=r"alert 20 "):
            call()


def test_an_alert_behind_data_is_told_by_the_read_that_meets_it(new: New) -> None:
    tls, peer = new()
    peer.send(ANSWER)
    peer.send_alert()
    peer.reset()
    assert isinstance(failing(lambda: tls.sendall(bytes(50_000))), ConnectionError)
    assert tls.recv(1000) == ANSWER
    with pytest.raises(pyossl.AlertError, match=r"alert 20 "):
        tls.recv(1000)


def test_a_file_reads_the_answer_after_its_write_has_failed(new: New) -> None:
    tls, peer = new()
    with tls.makefile("rwb", buffering=0) as file:
        answer_and_go(peer)
        failing(lambda: file.write(bytes(50_000)))
        assert file.readline() == ANSWER[: ANSWER.index(b"\n") + 1]
        assert file.read() == b"\r\n"


def test_a_socket_that_never_waits_reads_the_answer(new: New) -> None:
    tls, peer = new()
    tls.settimeout(0)
    answer_and_go(peer)
    failing(lambda: tls.send(bytes(50_000)))
    assert tls.recv(1000) == ANSWER
    assert tls.recv(1000) == b""


def test_a_peer_that_reads_no_more_goes_on_sending(new: New) -> None:
    """Over a Unix socket it can say so alone; the reader waits for it, and has what time there is."""
    tls, peer = new(sockets=socket.socketpair())
    peer.sock.shutdown(socket.SHUT_RD)
    assert isinstance(failing(lambda: tls.sendall(b"x")), BrokenPipeError)
    tls.settimeout(0.05)
    with pytest.raises(TimeoutError):
        tls.recv(1000)
    tls.settimeout(20)
    answer = Task(lambda: tls.recv(1000))
    peer.send(ANSWER)
    assert answer.result() == ANSWER
    peer.end()
    assert tls.recv(1000) == b""


def test_nothing_follows_a_record_that_was_lost(new: New) -> None:
    """A direction that is closed and opens again, as only a test's does, gets nothing of a later record."""
    tls, peer = new(version=Version.TLSv1_3)
    tls.sendall(b"before")
    peer.tls.receive_data(peer.sock.recv(65536))
    lib.SSL_key_update(peer.tls._c.ssl, lib.SSL_KEY_UPDATE_REQUESTED)
    tls._c.write_errno = 32
    peer.send(ANSWER)
    assert tls.recv(1000) == ANSWER  # and the answer to the KeyUpdate is dropped
    with pytest.raises(BrokenPipeError):
        tls.sendall(b"lost")
    tls.close()
    assert peer.sock.recv(65536) == b""


def test_a_key_update_whose_answer_cannot_be_sent_keeps_nothing_from_being_read(new: New) -> None:
    """Nothing was written by the user: the read's own answer is what fails."""
    tls, peer = new(version=Version.TLSv1_3)
    tls.sendall(b"unread")
    for _ in range(5):
        lib.SSL_key_update(peer.tls._c.ssl, lib.SSL_KEY_UPDATE_REQUESTED)
        peer.send(ANSWER)
    peer.end()
    peer.reset()
    assert b"".join(iter(lambda: tls.recv(1000), b"")) == ANSWER * 5
    with pytest.raises(ConnectionError):
        tls.sendall(b"x")


@VERSIONS
@pytest.mark.parametrize("ends", [True, False], ids=["close_notify", "reset alone"])
def test_a_session_is_resumed_after_a_write_that_failed(
    new: New, client_context: Context, server_context: Context, version: Version, ends: bool
) -> None:
    """A fatal alert ends a session (RFC 5246, 7.2.1), and no failure of the transport does."""
    tls, peer = new(version=version)
    answer_and_go(peer, ends=ends)
    failing(lambda: tls.sendall(bytes(50_000)))
    assert tls.recv(1000) == ANSWER
    session = tls.connection.session
    with contextlib.suppress(ConnectionResetError):
        tls.recv(1)
    tls.close()
    client, server = Connection(client_context, "example.com", session=session), Connection(server_context)
    shake_hands(client, server)
    assert client.session_reused


def test_closing_after_a_write_that_failed_raises_nothing(new: New) -> None:
    tls, peer = new()
    answer_and_go(peer)
    failing(lambda: tls.sendall(bytes(50_000)))
    tls.close()
    assert tls.fileno() == -1


# Handshakes


def test_a_handshake_that_cannot_be_sent_tells_the_alert_that_has_come(client_context: Context) -> None:
    ours, theirs = tcp_pair()
    theirs.sendall(bytes([0x15, 3, 3, 0, 2, 2, HANDSHAKE_FAILURE]))
    theirs.shutdown(socket.SHUT_WR)
    ours.sendall(b"unread")
    theirs.close()
    with pytest.raises(pyossl.AlertError) as caught:
        client_context.wrap_socket(ours, "example.com")
    assert caught.value.number == HANDSHAKE_FAILURE


def test_a_handshake_that_cannot_be_sent_is_the_transports_error_where_nothing_is_said(client_context: Context) -> None:
    ours, theirs = tcp_pair()
    ours.sendall(b"unread")
    theirs.close()
    with pytest.raises(ConnectionResetError, match="the handshake failed"):
        client_context.wrap_socket(ours, "example.com")


def test_a_handshake_that_cannot_be_sent_does_not_wait(client_context: Context) -> None:
    ours, theirs = tcp_pair()
    ours.shutdown(socket.SHUT_WR)
    ours.settimeout(None)
    with theirs, pytest.raises(BrokenPipeError, match="the handshake failed"):
        Task(lambda: client_context.wrap_socket(ours, "example.com")).result()


def test_the_last_flight_of_a_client_that_cannot_be_sent_tells_the_alert_that_has_come(
    client_context: Context, server_context: Context
) -> None:
    """The client has finished as far as it knows, and the server has not."""
    ours, theirs = tcp_pair()
    send_at_once(theirs)
    peer = Peer(server_context, theirs)
    client = Connection(client_context, "example.com", bio=BIO.socket(ours))
    ours.setblocking(False)
    client.handshake()
    peer.tls.receive_data(theirs.recv(65536))
    peer.tls.handshake()
    peer.flush()
    peer.send_alert()
    ours.send(b"unread")
    peer.reset()
    with ours, pytest.raises(pyossl.AlertError, match=r"handshake failed: the peer sent alert "):
        client.handshake()


def test_a_server_reads_a_client_that_was_gone_before_the_tickets(
    client_context: Context, server_context: Context
) -> None:
    """TLS 1.3: it has finished its handshake without them, as SSL_accept(3) has it."""
    ours, theirs = tcp_pair()
    send_at_once(ours)
    client = Peer(client_context, ours, "example.com")
    client.tls.handshake()
    client.flush()
    server = Connection(server_context, bio=BIO.socket(theirs))
    theirs.setblocking(False)
    with theirs:
        assert server.handshake() is pyossl.Want.READ
        client.tls.receive_data(ours.recv(65536))
        client.tls.handshake()
        client.send(b"fire and forget")
        client.end()
        theirs.send(b"unread")
        client.reset()
        assert server.handshake() is None
        assert server.read() == b"fire and forget"
        assert server.read() == b""
        with pytest.raises(ConnectionError):
            server.write(b"x")


# BIOs and pyOpenSSL's face


@pytest.mark.parametrize("make", [BIO.socket, lambda sock: BIO.fd(sock.fileno())], ids=["socket", "fd"])
def test_a_connection_over_a_bio_reads_the_answer(
    make: Callable[[socket.socket], BIO], client_context: Context, server_context: Context
) -> None:
    ours, theirs = tcp_pair()
    send_at_once(theirs)
    ours.setblocking(True)
    with ours:
        tls = Connection(client_context, "example.com", bio=make(ours))
        peer = met(server_context, lambda sock: tls.handshake(), (ours, theirs))
        answer_and_go(peer)
        failing(lambda: tls.write(bytes(50_000)))
        assert tls.read() == ANSWER
        assert tls.read() == b""


@pytest.mark.parametrize("blocks", [True, False])
@pytest.mark.parametrize("whole", [True, False], ids=["sendall", "send"])
def test_the_pyopenssl_face_reads_the_answer(blocks: bool, whole: bool) -> None:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    server_context = Context.server(CREDENTIALS.certificate, CREDENTIALS.private_key)
    assert AUTHORITY is not None
    clients: list[SSL.Connection] = []

    def connect(sock: socket.socket) -> None:
        tls = SSL.Connection(context, sock)
        tls.set_connect_state()
        tls.do_handshake()
        sock.setblocking(blocks)
        clients.append(tls)

    sockets = tcp_pair()
    with sockets[0]:
        sockets[0].settimeout(None)
        send_at_once(sockets[1])
        peer = met(server_context, connect, sockets)
        tls = clients[0]
        answer_and_go(peer)
        write = tls.sendall if whole else tls.send
        error = failing(lambda: write(bytes(16_000)), SSL.SysCallError)
        assert error.args[1] in ("EPIPE", "ECONNRESET")
        assert tls.recv(1000) == ANSWER
        with pytest.raises(SSL.ZeroReturnError):
            tls.recv(1000)
        with pytest.raises(SSL.SysCallError) as again:
            tls.send(b"x")
        assert again.value.args == error.args
