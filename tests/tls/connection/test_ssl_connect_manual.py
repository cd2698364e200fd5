"""The manual pages SSL_connect(3) and SSL_accept(3), sentence by sentence: each test's docstring quotes its own.

The two pages say the same of either side, so that each sentence is held by a client and by a server.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from pairs import carry, pump, take_turns, wait

import pyossl
from pyossl import BIO, Want, lib

SECONDS = 30

ALERT_CLOSE_NOTIFY = bytes.fromhex("15030300020100")
ALERT_HANDSHAKE_FAILURE = bytes.fromhex("15030300020228")

sides = pytest.mark.parametrize("side", ["client", "server"])

Connect = Callable[..., pyossl.Connection]


@pytest.fixture
def new_side(client_context: pyossl.Context, server_context: pyossl.Context) -> Connect:
    """Makes a connection of that side over that BIO, or in memory."""

    def make(side: str, bio: BIO | tuple[BIO, BIO] | None = None) -> pyossl.Connection:
        if side == "client":
            return pyossl.Connection(client_context, "example.com", bio=bio)
        return pyossl.Connection(server_context, bio=bio)

    return make


@pytest.fixture
def sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    first, second = socket.socketpair()
    with first, second:
        for each in (first, second):
            each.settimeout(SECONDS)
        yield first, second


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


def start(connection: pyossl.Connection) -> Want | None:
    """SSL_connect(3) of a client, SSL_accept(3) of a server."""
    return connection.accept() if connection.context.is_server else connection.connect()


def other(side: str) -> str:
    return "server" if side == "client" else "client"


def unlimited(sock: socket.socket) -> socket.socket:
    """A socket with a timeout is non-blocking for OpenSSL; this one blocks."""
    sock.setblocking(True)
    return sock


# DESCRIPTION


def test_connect_initiates_the_handshake_with_a_server(new_side: Connect) -> None:
    """SSL_connect(3): "SSL_connect() initiates the TLS/SSL handshake with a server." """
    client = new_side("client")
    assert client.data_to_send() == b""
    assert client.connect() is Want.READ
    hello = client.data_to_send()
    assert hello[0] == lib.SSL3_RT_HANDSHAKE
    assert hello[5] == 1, "a ClientHello"


def test_accept_waits_for_a_client_to_initiate_the_handshake(new_side: Connect) -> None:
    """SSL_accept(3): "SSL_accept() waits for a TLS/SSL client to initiate the TLS/SSL handshake." """
    server = new_side("server")
    assert server.accept() is Want.READ
    assert server.data_to_send() == b""


@sides
def test_the_channel_is_set_by_an_underlying_bio(side: str, new_side: Connect) -> None:
    """ "The communication channel must already have been set and assigned to the ssl by setting an underlying BIO."

    A Connection is never without one: the reader and the writer may be two BIOs of different types.
    """
    reader, (writer, peer) = BIO.memory(), BIO.pair()
    first, second = new_side(side, bio=(reader, writer)), new_side(other(side))
    for _ in range(10):
        wants = first.handshake(), second.handshake()
        while peer.pending:
            data = peer.read()
            assert isinstance(data, bytes)
            second.receive_data(data)
            second.handshake()
        if data := second.data_to_send():
            assert reader.write(data) == len(data)
        if wants == (None, None):
            break
    assert first.is_handshake_finished
    assert second.is_handshake_finished


@pytest.mark.parametrize("no_bio", [None, (BIO.memory(),), "socket"])
def test_what_is_no_bio_is_refused(no_bio: object, server_context: pyossl.Context) -> None:
    """ "... must already have been set": None means BIOs in memory, anything else must be a BIO or two."""
    if no_bio is None:
        assert pyossl.Connection(server_context, bio=None).data_to_send() == b""
        return
    with pytest.raises(TypeError, match="BIO"):
        pyossl.Connection(server_context, bio=no_bio)  # type: ignore[arg-type]


def test_connect_is_a_clients_and_accept_a_servers(new_side: Connect) -> None:
    """The wrong one of the two is refused before OpenSSL turns a client into a server."""
    with pytest.raises(pyossl.UsageError, match="accept"):
        new_side("client").accept()
    with pytest.raises(pyossl.UsageError, match="connect"):
        new_side("server").connect()


# NOTES: a blocking BIO


@pytest.mark.feature("handshake over blocking sockets, non-blocking sockets and BIO pairs")
@sides
def test_a_blocking_call_returns_only_when_the_handshake_is_finished(
    side: str,
    new_side: Connect,
    sockets: tuple[socket.socket, socket.socket],
    threads: ThreadPoolExecutor,
) -> None:
    """ "If the underlying BIO is blocking, SSL_connect() will only return once the handshake has been finished ..."

    One call does all of it, with the peer's bytes coming in small pieces.
    """
    ours, theirs = sockets
    connection = new_side(side, BIO.socket(unlimited(ours)))
    one_call = threads.submit(start, connection)
    peer = new_side(other(side))
    peer_wants: Want | None = Want.READ
    while peer_wants is not None:
        peer_wants = start(peer)
        while chunk := peer.data_to_send(20):
            # Read before the piece is sent: after the last one this side may finish, as a TLS 1.3 client does.
            if peer_wants is Want.READ:
                assert not one_call.done()
            theirs.sendall(chunk)
        if peer_wants is Want.READ:
            peer.receive_data(theirs.recv(65536))
    assert one_call.result(SECONDS) is None
    assert connection.is_handshake_finished


@sides
def test_both_sides_may_block(
    side: str,
    new_side: Connect,
    sockets: tuple[socket.socket, socket.socket],
    threads: ThreadPoolExecutor,
) -> None:
    """As above, with a blocking peer in another thread, and data afterwards."""
    first = new_side(side, BIO.socket(unlimited(sockets[0])))
    second = new_side(other(side), BIO.socket(unlimited(sockets[1])))
    answers = [threads.submit(start, each) for each in (first, second)]
    assert [answer.result(SECONDS) for answer in answers] == [None, None]
    assert first.write(b"over a blocking socket") == 22
    assert second.read() == b"over a blocking socket"


@sides
def test_a_blocking_call_returns_when_an_error_occurred(
    side: str,
    new_side: Connect,
    sockets: tuple[socket.socket, socket.socket],
    threads: ThreadPoolExecutor,
) -> None:
    """ "... or an error occurred." """
    ours, theirs = sockets
    connection = new_side(side, BIO.socket(unlimited(ours)))
    one_call = threads.submit(start, connection)
    theirs.sendall(b"\x00" * 512)
    with pytest.raises(pyossl.Error) as caught:
        one_call.result(SECONDS)
    assert caught.value.records
    assert connection.failure is caught.value.failure


@sides
def test_a_blocking_call_returns_when_the_peer_hangs_up(
    side: str,
    new_side: Connect,
    sockets: tuple[socket.socket, socket.socket],
    threads: ThreadPoolExecutor,
) -> None:
    """ "... or an error occurred." (docs/pitfalls.md, 3: EOF)"""
    ours, theirs = sockets
    one_call = threads.submit(start, new_side(side, BIO.socket(unlimited(ours))))
    theirs.shutdown(socket.SHUT_WR)
    with pytest.raises(pyossl.TruncationError):
        one_call.result(SECONDS)


# NOTES: a non-blocking BIO


@sides
def test_a_nonblocking_call_returns_when_the_bio_cannot_satisfy_it(
    side: str, new_side: Connect, sockets: tuple[socket.socket, socket.socket]
) -> None:
    """ "If the underlying BIO is nonblocking, SSL_connect() will also return when the underlying BIO could not
    satisfy the needs of SSL_connect() to continue the handshake ..."
    """
    sockets[0].setblocking(False)
    connection = new_side(side, BIO.socket(sockets[0]))
    assert [start(connection) for _ in range(3)] == [Want.READ] * 3
    assert not connection.is_handshake_finished
    assert connection.failure is None


@sides
def test_get_error_yields_want_read_or_want_write(
    side: str, new_side: Connect, sockets: tuple[socket.socket, socket.socket]
) -> None:
    """ "In this case a call to SSL_get_error() with the return value of SSL_connect() will yield
    SSL_ERROR_WANT_READ or SSL_ERROR_WANT_WRITE."

    WANT_WRITE comes from a socket whose buffer is full, WANT_READ from a BIO that is empty.
    """
    ours, theirs = sockets
    ours.setblocking(False)
    theirs.setblocking(False)
    junk = fill(ours)
    reader = BIO.memory()
    connection, peer = new_side(side, (reader, BIO.socket(ours))), new_side(other(side))
    if side == "server":
        assert start(connection) is Want.READ
        assert start(peer) is Want.READ
        reader.write(peer.data_to_send())

    assert [start(connection) for _ in range(3)] == [Want.WRITE] * 3
    receive(theirs, junk)
    wait(ours, Want.WRITE)
    assert start(connection) is Want.READ
    assert connection.failure is None

    for _ in range(10):
        if start(connection) is None and start(peer) is None:
            break
        if received := try_to_receive(theirs):
            peer.receive_data(received)
        start(peer)
        if data := peer.data_to_send():
            reader.write(data)
    assert connection.is_handshake_finished
    assert peer.is_handshake_finished


def fill(sock: socket.socket) -> int:
    """Fills the socket's send buffer; returns the number of bytes."""
    filled = 0
    for size in (4096, 1):
        while True:
            try:
                filled += sock.send(b"\x00" * size)
            except BlockingIOError:
                break
    return filled


def receive(sock: socket.socket, size: int) -> None:
    while size:
        size -= len(sock.recv(size))


def try_to_receive(sock: socket.socket) -> bytes:
    try:
        return sock.recv(65536)
    except BlockingIOError:
        return b""


@sides
def test_the_calling_process_repeats_the_call_after_select(
    side: str, new_side: Connect, sockets: tuple[socket.socket, socket.socket]
) -> None:
    """ "The calling process then must repeat the call after taking appropriate action to satisfy the needs of
    SSL_connect(). ... When using a nonblocking socket, nothing is to be done, but select() can be used to check for
    the required condition."

    The peer's bytes come one by one, so that select() and the call are repeated often.
    """
    ours, theirs = sockets
    ours.setblocking(False)
    theirs.setblocking(False)
    connection, peer = new_side(side, BIO.socket(ours)), new_side(other(side))
    waits = 0
    while True:
        want = start(connection)
        if received := try_to_receive(theirs):
            peer.receive_data(received)
        if start(peer) is None and want is None:
            break
        if byte := peer.data_to_send(1):
            theirs.sendall(byte)
        if want is not None:
            wait(ours, want)
            waits += 1
    assert waits > 100
    assert connection.is_handshake_finished


@pytest.mark.feature("handshake over blocking sockets, non-blocking sockets and BIO pairs")
def test_two_nonblocking_sockets_come_to_an_end(
    new_side: Connect, sockets: tuple[socket.socket, socket.socket]
) -> None:
    """As above, with non-blocking sockets on both sides, and data afterwards."""
    for each in sockets:
        each.setblocking(False)
    client, server = new_side("client", BIO.socket(sockets[0])), new_side("server", BIO.socket(sockets[1]))
    take_turns(client, server)
    assert server.write(b"over a non-blocking socket") == 26
    wait(sockets[0], Want.READ)
    assert client.read() in (b"over a non-blocking socket", Want.READ)
    assert client.read() in (b"over a non-blocking socket", Want.READ)


# NOTES: a BIO pair


@pytest.mark.feature("handshake over blocking sockets, non-blocking sockets and BIO pairs")
@sides
def test_data_is_written_into_or_retrieved_out_of_a_pair_before_going_on(side: str, new_side: Connect) -> None:
    """ "When using a buffering BIO, like a BIO pair, data must be written into or retrieved out of the BIO before
    being able to continue."

    A client that is finished goes on reading: the server is not, before its tickets have found room (docs/pitfalls.md,
    9).
    """
    (inside, outside), (peer_inside, peer_outside) = BIO.pair(200, 200), BIO.pair(200, 200)
    connection, peer = new_side(side, inside), new_side(other(side), peer_inside)
    wants: set[Want | None] = set()
    for _ in range(1000):
        want, peer_wants = start(connection), start(peer)
        assert start(connection) is want, "nothing has changed, and so the answer has not"
        wants.add(want)
        if want is Want.WRITE:
            assert inside.room == 0, "it is full"
        elif want is Want.READ:
            assert inside.pending == 0, "it is empty"
        if want is None and peer_wants is None:
            break
        for each, its_want in ((connection, want), (peer, peer_wants)):
            if its_want is None:
                assert each.read() is Want.READ
        pump(outside, peer_outside)
    assert wants == {Want.READ, Want.WRITE, None}, "a pair of 200 bytes is smaller than a ClientHello"
    assert connection.is_handshake_finished
    assert peer.is_handshake_finished


def test_the_halves_of_one_pair_may_be_client_and_server(new_side: Connect) -> None:
    """As above: what one side writes into the pair is what the other retrieves."""
    first, second = BIO.pair()
    client, server = new_side("client", first), new_side("server", second)
    take_turns(client, server)
    assert client.write(b"x" * 100) == 100
    assert server.read() == b"x" * 100


# RETURN VALUES


@sides
def test_1_is_a_handshake_that_was_successfully_completed(side: str, new_side: Connect) -> None:
    """ "1: The TLS/SSL handshake was successfully completed, a TLS/SSL connection has been established."

    Called again, it is still completed.
    """
    first, second = BIO.pair()
    connection, peer = new_side(side, first), new_side(other(side), second)
    take_turns(connection, peer)
    assert start(connection) is None
    assert connection.handshake() is None
    assert connection.version == peer.version
    assert connection.cipher == peer.cipher
    assert connection.version in ("TLSv1.2", "TLSv1.3")


def middle_of_a_handshake(side: str, new_side: Connect) -> pyossl.Connection:
    """A connection that has spoken and waits for an answer, which may be an alert that is not encrypted."""
    connection, peer = new_side(side), new_side(other(side))
    if side == "client":
        assert start(connection) is Want.READ
    else:
        assert start(peer) is Want.READ
        carry(peer, connection)
        assert start(connection) is Want.READ
    assert connection.data_to_send() != b""
    return connection


@pytest.fixture
def new_tls_1_2_side(authority: pyossl.Authority, credentials: pyossl.Credentials) -> Connect:
    """A server of TLS 1.3 wants its alerts encrypted; one of TLS 1.2 takes them plain."""
    newest = pyossl.Version.TLSv1_2
    client_context = pyossl.Context.client(trust=authority.certificate, maximum_version=newest)
    server_context = pyossl.Context.server(credentials.certificate, credentials.private_key, maximum_version=newest)

    def make(side: str) -> pyossl.Connection:
        if side == "client":
            return pyossl.Connection(client_context, "example.com")
        return pyossl.Connection(server_context)

    return make


@sides
def test_0_is_a_handshake_shut_down_controlled(side: str, new_tls_1_2_side: Connect) -> None:
    """ "0: The TLS/SSL handshake was not successful but was shut down controlled and by the specifications of the
    TLS/SSL protocol. Call SSL_get_error() with the return value ret to find out the reason."
    """
    connection = middle_of_a_handshake(side, new_tls_1_2_side)
    connection.receive_data(ALERT_CLOSE_NOTIFY)
    with pytest.raises(pyossl.ClosedError) as caught:
        start(connection)
    assert caught.value.failure is not None
    assert caught.value.failure.error == lib.SSL_ERROR_ZERO_RETURN
    with pytest.raises(pyossl.ClosedError):
        start(connection)


@sides
def test_below_0_is_a_fatal_error_at_the_protocol_level(side: str, new_tls_1_2_side: Connect) -> None:
    """ "<0: The TLS/SSL handshake was not successful, because a fatal error occurred either at the protocol level
    ... Call SSL_get_error() with the return value ret to find out the reason."
    """
    connection = middle_of_a_handshake(side, new_tls_1_2_side)
    connection.receive_data(ALERT_HANDSHAKE_FAILURE)
    with pytest.raises(pyossl.AlertError) as caught:
        start(connection)
    assert caught.value.number == 40
    assert caught.value.failure is not None
    assert caught.value.failure.error == lib.SSL_ERROR_SSL


@sides
def test_below_0_is_a_connection_failure(
    side: str, new_side: Connect, sockets: tuple[socket.socket, socket.socket]
) -> None:
    """ "... or a connection failure occurred. The shutdown was not clean." (docs/pitfalls.md, 3, 22)

    The peer has gone: sending gives EPIPE, and no SIGPIPE.
    """
    ours, theirs = sockets
    reader = BIO.memory()
    connection, peer = new_side(side, (reader, BIO.socket(unlimited(ours)))), new_side(other(side))
    if side == "server":
        assert start(peer) is Want.READ
        reader.write(peer.data_to_send())
    theirs.close()
    with pytest.raises(BrokenPipeError) as caught:
        start(connection)
    assert isinstance(caught.value, pyossl.TransportError)
    assert caught.value.failure.error == lib.SSL_ERROR_SYSCALL


@sides
def test_below_0_is_an_action_that_is_needed_to_continue(side: str, new_side: Connect) -> None:
    """ "It can also occur if action is needed to continue the operation for nonblocking BIOs."

    That is no failure, and no exception.
    """
    connection = new_side(side)
    assert start(connection) is Want.READ
    assert connection.failure is None
