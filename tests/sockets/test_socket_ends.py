"""The end of TLS over a socket: one or both directions, unwrap, a reset, a signal (docs/pitfalls.md, 3, 5, 10, 22)."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from served import SECONDS, SocketPair, Task, read_all, tcp_pair, tls_pair, until

import pyossl


def test_eof_without_close_notify_is_a_truncation_on_every_read(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    """docs/pitfalls.md, 2, 3, 4, 5 and 6."""
    plain = tcp_pair()
    client, server = tls_pair(client_context, server_context, plain)
    server.sendall(b"all there was")
    assert client.recv(100) == b"all there was"
    server.shutdown(socket.SHUT_RD)
    server._sock.shutdown(socket.SHUT_WR)
    for call in (lambda: client.recv(1), lambda: client.recv(1), lambda: client.sendall(b"x"), client.unwrap):
        with pytest.raises(pyossl.TruncationError, match="without a close_notify"):
            call()
    client.close()
    server.close()


def test_a_close_notify_is_eof_on_every_read(sockets: SocketPair) -> None:
    client, server = sockets
    server.close()
    assert [client.recv(1), client.recv(1), client.recv_into(bytearray(1))] == [b"", b"", 0]


@pytest.mark.feature("half-close, and the plain socket after TLS")
def test_a_half_close_leaves_the_other_direction_open(sockets: SocketPair) -> None:
    """docs/pitfalls.md, 10: our close_notify is sent, theirs has not come yet."""
    client, server = sockets
    data = os.urandom(2_000_000)
    client.sendall(b"question")
    client.shutdown(socket.SHUT_WR)
    assert read_all(server) == b"question"
    answering = Task(lambda: (server.sendall(data), server.close()))
    assert read_all(client) == data
    answering.result()
    with pytest.raises(pyossl.UsageError, match="shut down"):
        client.sendall(b"more")


def test_a_half_close_waits_for_the_write_of_another_thread(sockets: SocketPair) -> None:
    """docs/pitfalls.md, 8: a close_notify in the middle of an unsent record made it impossible to send the rest."""
    client, server = sockets
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
    writing = Task(lambda: client.sendall(b"d" * 10_000_000))
    until(lambda: client.connection.waiters == 1)
    closing = Task(lambda: client.shutdown(socket.SHUT_WR))
    assert len(read_all(server)) == 10_000_000
    writing.result()
    closing.result()


def test_shutdown_takes_a_direction_and_nothing_else(sockets: SocketPair) -> None:
    client, server = sockets
    with pytest.raises(ValueError, match="SHUT_RD"):
        client.shutdown(7)
    client.shutdown(socket.SHUT_RDWR)
    assert server.recv(1) == b""


@pytest.mark.feature("half-close, and the plain socket after TLS")
def test_unwrap_gives_the_plain_socket_back_and_it_goes_on(sockets: SocketPair) -> None:
    client, server = sockets
    client.settimeout(SECONDS)
    unwrapping = Task(server.unwrap)
    with client.unwrap() as first, unwrapping.result() as second:
        assert (first.gettimeout(), client.fileno()) == (SECONDS, -1)
        first.sendall(b"plain")
        assert second.recv(10) == b"plain"
        with pytest.raises(pyossl.UsageError, match="closed"):
            client.recv(1)
        client.close()
        second.sendall(b"still plain")
        assert first.recv(100) == b"still plain"


def test_an_unwrap_that_another_thread_s_close_ends_raises_a_usage_error(sockets: SocketPair) -> None:
    client, server = sockets
    unwrapping = Task(client.unwrap)  # waits for the peer's close_notify
    until(lambda: client.connection.waiters)
    client.close()
    with pytest.raises(pyossl.UsageError, match="closed"):
        unwrapping.result()
    with pytest.raises(pyossl.UsageError, match="closed"):
        client.unwrap()
    assert server.recv(1) == b""


def test_a_repr_does_not_wait_for_another_thread_s_call(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    """A blocking read over the caller's BIO holds the connection's lock until it returns."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = pyossl.Connection(client_context, "example.com", bio=pyossl.BIO.socket(ours))
        shaking = Task(connection.handshake)
        theirs.recv(1)  # its ClientHello is here, and it waits for an answer
        assert repr(connection) == "<Connection client of 'example.com', in use by another thread>"
        theirs.close()
        with pytest.raises(pyossl.Error):
            shaking.result()


def test_unwrap_refuses_to_lose_data_that_was_not_read(sockets: SocketPair) -> None:
    client, server = sockets
    server.sendall(b"unread")
    with pytest.raises(pyossl.UsageError, match="not read"):
        client.unwrap()
    assert client.recv(100) == b"unread"


def test_a_thread_that_waits_is_woken_by_close(sockets: SocketPair) -> None:
    client, _ = sockets
    for timeout in (None, 1000.0):
        client.settimeout(timeout)
    reading = Task(lambda: client.recv(1))
    until(lambda: client.connection.waiters == 1)
    client.close()
    with pytest.raises(pyossl.UsageError, match="closed"):
        reading.result()
    assert client._sock.fileno() == -1, "the last to wait closes the descriptor"


def test_threads_that_wait_to_write_are_woken_by_close(sockets: SocketPair) -> None:
    client, _ = sockets
    client.settimeout(None)
    writing = [Task(lambda: client.sendall(bytes(50_000_000))) for _ in range(3)]
    until(lambda: client.connection.waiters == 1)
    client.close()
    for task in writing:
        with pytest.raises(pyossl.UsageError, match="closed"):
            task.result()


def test_closing_with_unread_bytes_takes_nothing_from_the_peer(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    """docs/pitfalls.md, 9: a client that only writes has unread tickets, and a close would send a reset."""
    for _ in range(20):
        client, server = tls_pair(client_context, server_context)
        client.sendall(b"d" * 100_000)
        server.sendall(b"never read")
        client.close()
        assert read_all(server) == b"d" * 100_000
        server.close()


def test_closing_after_a_refusal_lets_the_alert_through(
    credentials: pyossl.Credentials, authority: pyossl.Authority, server_context: pyossl.Context
) -> None:
    """A reset would overtake the alert, and the peer would see ConnectionResetError in place of the reason."""
    stranger = pyossl.Context.client(trust=pyossl.Authority("unknown").certificate)
    for _ in range(20):
        first, second = tcp_pair()

        def refuse(sock: socket.socket = first) -> None:
            sock.settimeout(SECONDS)
            with pytest.raises(pyossl.CertificateError):
                stranger.wrap_socket(sock, "example.com")

        refusing = Task(refuse)
        with pytest.raises(pyossl.AlertError) as caught, server_context.wrap_socket(second) as server:
            server.recv(1)
        assert caught.value.number == 48
        refusing.result()


def test_a_reset_is_a_connection_reset_error(sockets: SocketPair) -> None:
    """docs/pitfalls.md, 3: the errno is the transport's."""
    client, server = sockets
    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    server._sock.close()
    with pytest.raises(ConnectionResetError) as caught:
        client.recv(1)
    assert isinstance(caught.value, pyossl.TransportError)
    with pytest.raises(ConnectionResetError):
        client.sendall(b"dead is dead")


def test_wrapping_takes_the_descriptor_over(client_context: pyossl.Context, server_context: pyossl.Context) -> None:
    """A caller's with-statement must not free a descriptor to which OpenSSL goes on writing."""
    first, second = tcp_pair()
    accepting = Task(lambda: server_context.wrap_socket(second))
    with first:
        client = client_context.wrap_socket(first, "example.com")
    strangers = [socket.socketpair() for _ in range(4)]
    with client, accepting.result() as server:
        client.sendall(b"for the server only")
        assert server.recv(100) == b"for the server only"
    for one, other in strangers:
        one.close()
        with other:
            assert other.recv(100) == b""


def test_a_socket_that_is_no_stream_is_refused(client_context: pyossl.Context) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams, pytest.raises(ValueError, match="stream"):
        client_context.wrap_socket(datagrams, "example.com")


def test_a_closed_socket_is_refused(client_context: pyossl.Context) -> None:
    sock = socket.socket()
    sock.close()
    with pytest.raises(pyossl.UsageError, match="closed"):
        client_context.wrap_socket(sock, "example.com")


def test_a_failed_handshake_closes_the_descriptor(client_context: pyossl.Context) -> None:
    first, second = tcp_pair()
    second.close()
    number = first.fileno()
    with pytest.raises(pyossl.Error):
        client_context.wrap_socket(first, "example.com")
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(number)


# Signals


@pytest.fixture
def alarm() -> Iterator[Callable[[Callable[[], object]], None]]:
    """Calls a function from a signal handler, once, a moment from now."""
    before = signal.getsignal(signal.SIGALRM)

    def arm(handler: Callable[[], object]) -> None:
        signal.signal(signal.SIGALRM, lambda *_: handler())
        signal.setitimer(signal.ITIMER_REAL, 0.1)

    yield arm
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_a_signal_does_not_end_a_recv(sockets: SocketPair, alarm: Callable[[Callable[[], object]], None]) -> None:
    """EINTR: the handler runs while recv waits, and recv goes on."""
    client, server = sockets
    alarm(lambda: server.sendall(b"sent by the handler"))
    assert client.recv(100) == b"sent by the handler"


def test_a_handler_that_raises_ends_a_recv_and_harms_nothing(
    sockets: SocketPair, alarm: Callable[[Callable[[], object]], None]
) -> None:
    class HandlerError(Exception):
        pass

    def handler() -> None:
        raise HandlerError

    client, server = sockets
    alarm(handler)
    with pytest.raises(HandlerError):
        client.recv(100)
    server.sendall(b"unharmed")
    assert client.recv(100) == b"unharmed"


def test_a_timeout_of_centuries_is_waited_for(
    client_context: pyossl.Context,
    server_context: pyossl.Context,
    alarm: Callable[[Callable[[], object]], None],
) -> None:
    """64 bits of nanoseconds overflow after 292 years, and so did the deadline after a signal."""
    first, second = tcp_pair()
    client = client_context.wrap_socket(first, "example.com", handshake=False)
    client.settimeout(1e11)
    servers: list[Task[pyossl.Socket]] = []
    alarm(lambda: servers.append(Task(lambda: server_context.wrap_socket(second))))
    client.handshake()
    server = servers[0].result()
    alarm(lambda: server.sendall(b"sent by the handler"))
    assert client.recv(100) == b"sent by the handler"
    client.close()
    server.close()


SIGPIPE_AT_DEFAULT = """
import os, signal, socket, sys
import pyossl
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
ca = pyossl.Authority()
mine = ca.issue("localhost")
first, second = socket.socketpair()
client = pyossl.Connection(pyossl.Context.client(trust=ca.certificate), "localhost", bio=pyossl.BIO.socket(first))
server = pyossl.Connection(pyossl.Context.server(mine.certificate, mine.private_key), bio=pyossl.BIO.socket(second))
first.setblocking(False); second.setblocking(False)
while [side.handshake() for side in (client, server)] != [None, None]:
    pass
second.close()
try:
    while True:
        client.write(b"x" * 16384)
except BrokenPipeError as error:
    print("BrokenPipeError")
"""


@pytest.mark.feature("socket BIO without SIGPIPE")
def test_a_peer_that_hung_up_is_an_exception_and_not_a_sigpipe() -> None:
    """docs/pitfalls.md, 22: an embedding program may leave SIGPIPE at its default, which ends the process."""
    done = subprocess.run(
        [sys.executable, "-c", SIGPIPE_AT_DEFAULT], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "BrokenPipeError\n", "")


# Closing from a callback, and with one that raises


class CallbackError(Exception):
    pass


def test_a_callback_cannot_close_its_socket_and_its_caller_can(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    """docs/pitfalls.md, 16: no bytes are taken off the descriptor, and no descriptor stays open."""
    refused: list[pyossl.UsageError] = []

    def close(message: pyossl.Message) -> None:
        if not client.connection.is_handshake_finished:
            with pytest.raises(pyossl.UsageError, match="cannot close") as caught:
                client.close()
            refused.append(caught.value)

    first, second = tcp_pair()
    client = client_context.wrap_socket(first, "example.com", handshake=False, message_callback=close)
    serving = Task(lambda: server_context.wrap_socket(second))
    client.handshake()
    assert refused
    number = client.fileno()
    client.close()
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(number)
    serving.result().close()


def test_an_exception_of_a_callback_in_close_is_raised_and_the_descriptor_closed(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    """docs/pitfalls.md, 16: "re-raise from the call the user made"."""

    def look(message: pyossl.Message) -> None:
        if armed:
            raise CallbackError

    armed = False
    first, second = tcp_pair()
    serving = Task(lambda: server_context.wrap_socket(second))
    client = client_context.wrap_socket(first, "example.com", message_callback=look)
    number, armed = client.fileno(), True
    with pytest.raises(CallbackError):
        client.close()
    client.close()
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(number)
    with pytest.raises(pyossl.UsageError, match="closed"):
        client.recv(1)
    serving.result().close()
