"""Failures that a peer or the network can cause, in programs that were written for sockets.

Each is an ``OSError``, and ``shutdown`` and ``close`` after a failure behave like those of a socket.
"""

from __future__ import annotations

import copy
import errno
import pickle
import socket
import struct
from collections.abc import Callable, Iterator

import pytest
from pairs import shake_hands
from served import SocketPair

import pyossl
from pyossl.core import errors

Ends = tuple[pyossl.Socket, socket.socket]
HOWS = pytest.mark.parametrize("how", [socket.SHUT_WR, socket.SHUT_RDWR], ids=["SHUT_WR", "SHUT_RDWR"])
NO_TLS = b"GET / HTTP/1.0\r\n\r\n"


def reset(sock: socket.socket) -> None:
    """Closes so that the other end gets a reset.  socket(7), SO_LINGER"""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


@pytest.fixture
def ends(server_context: pyossl.Context) -> Iterator[Ends]:
    """A server's socket before its handshake, and its client's plain socket."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        accepted, _ = listener.accept()
    with client, server_context.wrap_socket(accepted, handshake=False) as server:
        server.settimeout(20)
        yield server, client


def _says_nothing(client: socket.socket) -> None:
    client.close()


def _resets(client: socket.socket) -> None:
    reset(client)


def _speaks_http(client: socket.socket) -> None:
    client.sendall(NO_TLS)


def _ends_in_the_middle(client: socket.socket) -> None:
    client.sendall(b"\x16\x03\x01\x02\x00\x01")
    client.shutdown(socket.SHUT_WR)


def _sends_garbage(client: socket.socket) -> None:
    client.sendall(bytes(range(256)) * 4)


def _says_close_notify(client: socket.socket) -> None:
    client.sendall(bytes.fromhex("15 0303 0002 01 00"))


def _sends_an_alert(client: socket.socket) -> None:
    client.sendall(bytes.fromhex("15 0303 0002 02 28"))


PEERS = pytest.mark.parametrize(
    "misbehave",
    [
        _says_nothing, _resets, _speaks_http, _ends_in_the_middle, _sends_garbage, _says_close_notify, _sends_an_alert,
    ],
)  # fmt: skip


def _errno_of(call: Callable[[], object]) -> int | None:
    """The errno of the ``OSError`` that a call raises; 0 if it raises none."""
    try:
        call()
    except OSError as error:
        return error.errno
    return 0


def _read_all(tls: pyossl.Socket) -> None:
    while tls.recv(1 << 20):
        pass


# OSError


@PEERS
@pytest.mark.parametrize(
    "call",
    [
        lambda tls: tls.handshake(),
        lambda tls: tls.recv(1),
        lambda tls: tls.sendall(b"x"),
        lambda tls: tls.makefile("rb").readline(),
    ],
    ids=["handshake", "recv", "sendall", "readline"],
)
def test_every_failure_that_a_client_causes_in_a_handshake_is_an_oserror(
    ends: Ends, misbehave: Callable[[socket.socket], None], call: Callable[[pyossl.Socket], object]
) -> None:
    server, client = ends
    misbehave(client)
    for _ in "first", "second":
        with pytest.raises(pyossl.TLSError) as caught:
            call(server)
        assert isinstance(caught.value, OSError)


@PEERS
def test_every_failure_that_a_client_causes_in_wrap_socket_is_an_oserror(
    server_context: pyossl.Context, misbehave: Callable[[socket.socket], None]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        accepted, _ = listener.accept()
    with client:
        misbehave(client)
        with pytest.raises(pyossl.TLSError) as caught:
            server_context.wrap_socket(accepted)
        assert isinstance(caught.value, OSError)


@PEERS
def test_failures_of_a_connection_without_io_are_oserrors_too(
    server_context: pyossl.Context, misbehave: Callable[[socket.socket], None]
) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        misbehave(theirs)
        server = pyossl.Connection(server_context, bio=pyossl.BIO.socket(ours))
        with pytest.raises(pyossl.TLSError) as caught:
            server.handshake()
        assert isinstance(caught.value, OSError)


def test_a_certificate_that_is_refused_is_an_oserror(server_context: pyossl.Context) -> None:
    client = pyossl.Connection(pyossl.Context.client(trust=pyossl.Authority().certificate), "example.com")
    server = pyossl.Connection(server_context)
    with pytest.raises(pyossl.CertificateError) as caught:
        shake_hands(client, server)
    assert isinstance(caught.value, OSError)
    server.receive_data(client.data_to_send())
    with pytest.raises(pyossl.AlertError) as told:
        server.handshake()
    assert isinstance(told.value, OSError)


def test_data_that_a_peer_has_sent_before_an_unwrap_is_an_oserror_and_a_usage_error(sockets: SocketPair) -> None:
    client, server = sockets
    client.sendall(b"unasked")
    with pytest.raises(OSError, match="has sent data that was not read") as caught:
        server.unwrap()
    assert isinstance(caught.value, pyossl.UsageError)
    assert isinstance(caught.value, pyossl.TLSError)
    assert server.recv(100) == b"unasked", "the connection goes on"


def test_a_write_after_one_that_the_peer_did_not_take_is_an_oserror_and_a_usage_error(sockets: SocketPair) -> None:
    """A program that leaves a peer may want to send a last message."""
    client, _ = sockets
    client.settimeout(0.05)
    with pytest.raises(TimeoutError):
        client.sendall(bytes(100_000_000))
    with pytest.raises(OSError, match="must be repeated first") as caught:
        client.sendall(b"sorry")
    assert isinstance(caught.value, pyossl.UsageError)


def test_an_unwrap_in_a_handshake_that_never_ends_is_an_oserror_and_a_usage_error(ends: Ends) -> None:
    server, _ = ends
    server.settimeout(0.05)
    with pytest.raises(TimeoutError):
        server.handshake()
    with pytest.raises(OSError, match="handshake is not finished") as caught:
        server.unwrap()
    assert isinstance(caught.value, pyossl.UsageError)


def test_a_name_that_a_connect_bio_cannot_look_up_is_an_oserror() -> None:
    with pytest.raises(pyossl.TLSError) as caught:
        pyossl.ConnectBIO(("name.invalid", 443)).handshake()
    assert isinstance(caught.value, OSError)


# shutdown


@HOWS
@PEERS
def test_shutdown_after_a_failed_handshake_is_like_a_sockets(
    ends: Ends, misbehave: Callable[[socket.socket], None], how: int
) -> None:
    """For ``socketserver``, ``imaplib`` and ``poplib``: nothing is raised, or ENOTCONN if the peer has gone."""
    server, client = ends
    misbehave(client)
    with pytest.raises(pyossl.TLSError):
        server.handshake()
    assert _errno_of(lambda: server.shutdown(how)) in ((0, errno.ENOTCONN) if misbehave is not _speaks_http else (0,))
    server.close()


@HOWS
def test_shutdown_before_the_handshake_is_like_a_sockets(ends: Ends, how: int) -> None:
    """For ``socketserver``, if ``verify_request`` refuses a client or its handshake was too slow."""
    server, client = ends
    server.shutdown(how)
    client.settimeout(20)
    assert client.recv(1) == b""


@HOWS
def test_shutdown_after_a_handshake_that_took_too_long_is_like_a_sockets(ends: Ends, how: int) -> None:
    server, client = ends
    server.settimeout(0.05)
    with pytest.raises(TimeoutError):
        server.handshake()
    server.shutdown(how)
    client.settimeout(20)
    assert client.recv(1) == b""


def test_shutdown_of_both_directions_raises_enotconn_after_the_peer_s_reset(sockets: SocketPair) -> None:
    """``imaplib`` and ``poplib`` ignore this errno only."""
    client, server = sockets
    reset(server._sock)
    with pytest.raises(OSError, match="not connected") as caught:
        client.shutdown(socket.SHUT_RDWR)
    assert caught.value.errno == errno.ENOTCONN


def test_shutdown_of_both_directions_goes_on_if_a_write_is_unfinished(sockets: SocketPair) -> None:
    """A peer that does not read cannot stop a program from ending the connection."""
    client, server = sockets
    client.settimeout(0.05)
    with pytest.raises(TimeoutError):
        client.sendall(bytes(100_000_000))
    client.shutdown(socket.SHUT_RDWR)
    with pytest.raises(pyossl.TruncationError):
        _read_all(server)


def test_shutdown_of_one_direction_with_a_write_unfinished_is_an_oserror(sockets: SocketPair) -> None:
    """The message says why, and nothing is lost: the write can be repeated."""
    client, _ = sockets
    client.settimeout(0.05)
    with pytest.raises(TimeoutError):
        client.sendall(bytes(100_000_000))
    with pytest.raises(OSError, match="must be repeated before the shutdown") as caught:
        client.shutdown(socket.SHUT_WR)
    assert isinstance(caught.value, pyossl.UsageError)


@HOWS
def test_shutdown_after_close_is_an_oserror_with_ebadf_and_a_usage_error(sockets: SocketPair, how: int) -> None:
    """``socketserver`` shuts down a socket that a handler has closed."""
    client, _ = sockets
    client.close()
    with pytest.raises(OSError, match="closed") as caught:
        client.shutdown(how)
    assert isinstance(caught.value, pyossl.UsageError)
    assert caught.value.errno == errno.EBADF


@pytest.mark.parametrize("way", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))], ids=["copy", "pickle"])
def test_the_exception_of_shutdown_of_a_closed_socket_can_be_pickled(way: Callable[[OSError], OSError]) -> None:
    again = way(errors.ClosedSocketError("the socket is closed"))
    assert (type(again), again.errno, str(again)) == (errors.ClosedSocketError, errno.EBADF, "the socket is closed")


def test_shutdown_after_unwrap_while_a_file_is_open_is_an_oserror(sockets: SocketPair) -> None:
    client, server = sockets
    server.shutdown(socket.SHUT_WR)
    with client.makefile("rb"), client.unwrap(), pytest.raises(OSError, match="closed"):
        client.shutdown(socket.SHUT_WR)


@PEERS
def test_close_after_the_connection_has_died_raises_nothing(
    ends: Ends, misbehave: Callable[[socket.socket], None]
) -> None:
    server, client = ends
    misbehave(client)
    with pytest.raises(pyossl.TLSError):
        server.handshake()
    server.close()
    server.close()


# Listener


def test_a_listener_has_the_methods_that_socketserver_calls_on_its_socket(server_context: pyossl.Context) -> None:
    with pyossl.Listener(socket.socket(), server_context) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen(5)
        assert listener.getsockname() == listener.address
        assert listener.gettimeout() is None
        listener.settimeout(3)
        assert listener.gettimeout() == 3
        with socket.create_connection(listener.address):
            listener.accept()[0].close()
