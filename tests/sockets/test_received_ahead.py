"""Bytes that a socket receives beyond the record that is read, and bytes that it keeps of a long write.

Neither may be visible: in select(2), to a peer that goes on without TLS, or in the order of the bytes.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import select
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from served import SocketPair, Task, tls_pair, until

import pyossl
from pyossl import Want, lib

SECONDS = 20
RECORD = 16384

Peer = tuple[pyossl.Socket, pyossl.Connection, socket.socket]


@pytest.fixture
def peer(client_context: pyossl.Context, server_context: pyossl.Context) -> Iterator[Peer]:
    """A client's socket, and its peer, whose bytes the test itself sends."""
    ours, theirs = socket.socketpair()
    server = pyossl.Connection(server_context)
    with theirs, ThreadPoolExecutor(1) as threads:
        shaking = threads.submit(client_context.wrap_socket, ours, "example.com")
        while server.handshake() is not None:
            theirs.sendall(server.data_to_send())
            server.receive_data(theirs.recv(65536))
        theirs.sendall(server.data_to_send())
        with shaking.result() as client:
            client.settimeout(SECONDS)
            theirs.sendall(records(server, 5))
            assert len(client.recv(RECORD)) == 5, "the tickets are read with it"
            yield client, server, theirs


@pytest.fixture
def new_sockets(client_context: pyossl.Context, server_context: pyossl.Context) -> Iterator[Callable[[], SocketPair]]:
    """Makes pairs of connected sockets."""
    with contextlib.ExitStack() as stack:

        def make() -> SocketPair:
            client, server = tls_pair(client_context, server_context)
            return stack.enter_context(client), stack.enter_context(server)

        yield make


def records(server: pyossl.Connection, *sizes: int) -> bytes:
    """The encrypted records, one for each size."""
    for size in sizes:
        assert server.write(os.urandom(size)) == size
    return server.data_to_send()


def is_readable(sock: pyossl.Socket) -> bool:
    return bool(select.select([sock], [], [], 0)[0])


@pytest.mark.parametrize("size", [RECORD, 65536, 262144])
def test_select_is_enough_for_a_program_that_reads_a_record_or_more_at_a_time(peer: Peer, size: int) -> None:
    """As the standard library promises: such a program does not need ``pending``."""
    client, server, theirs = peer
    lengths = [random.Random(size).choice([1, 2, 300, 5000, RECORD]) for _ in range(300)]
    data = records(server, *lengths)
    sending = threading.Thread(target=theirs.sendall, args=(data,))
    sending.start()
    left = sum(lengths)
    while left:
        assert select.select([client], [], [], SECONDS)[0], f"{left} bytes have come, and select(2) does not know"
        left -= len(client.recv(size))
    sending.join()


@pytest.mark.parametrize("size", [1, 7, 100, 5000])
def test_pending_shows_what_is_left_to_a_program_that_reads_less(peer: Peer, size: int) -> None:
    client, server, theirs = peer
    lengths = [random.Random(size).choice([1, 2, 30]) for _ in range(200)]
    theirs.sendall(records(server, *lengths))
    left = sum(lengths)
    while left:
        if not client.pending:
            assert select.select([client], [], [], SECONDS)[0]
        left -= len(client.recv(size))
    assert client.pending == 0


def test_pending_is_1_before_an_end_that_has_been_received(peer: Peer) -> None:
    client, server, theirs = peer
    data = records(server, 1)
    server.shutdown()
    theirs.sendall(data + server.data_to_send())
    assert len(client.recv(1)) == 1
    assert client.pending == 1
    assert client.recv(1) == b""


def test_pending_is_1_before_an_end_that_came_with_the_last_data(peer: Peer) -> None:
    client, server, theirs = peer
    data = records(server, 100)
    server.shutdown()
    theirs.sendall(data + server.data_to_send())
    assert len(client.recv(65536)) == 100
    assert client.pending == 1
    assert client.recv(1) == b""


def test_pending_is_1_before_a_failure_that_has_been_received(peer: Peer) -> None:
    client, server, theirs = peer
    data, bad = records(server, 1), bytearray(records(server, 5))
    bad[-1] ^= 1
    theirs.sendall(data + bad)
    assert len(client.recv(1)) == 1
    assert client.pending == 1
    with pytest.raises(pyossl.Error, match="bad record mac"):
        client.recv(1)


def test_pending_is_0_while_a_record_has_come_in_part(peer: Peer) -> None:
    client, server, theirs = peer
    data, rest = records(server, 1), records(server, 100)
    theirs.sendall(data + rest[:50])
    assert len(client.recv(1)) == 1
    assert client.pending == 0
    theirs.sendall(rest[50:])
    assert is_readable(client)
    assert len(client.recv(200)) == 100


def goes_on_without_tls(peer: Peer) -> pyossl.Socket:
    client, server, theirs = peer
    data = records(server, 5)
    server.shutdown()
    theirs.sendall(data + server.data_to_send() + b"220 plain")
    assert len(client.recv(65536)) == 5
    assert client.recv(65536) == b""
    return client


def test_unwrap_is_refused_if_bytes_after_the_close_notify_have_been_received_already(peer: Peer) -> None:
    client = goes_on_without_tls(peer)
    with pytest.raises(pyossl.UsageError, match=r"9 bytes that came without TLS.*keeps_to_records"):
        client.unwrap()


def test_bytes_after_the_close_notify_stay_on_the_descriptor_with_keeps_to_records(peer: Peer) -> None:
    client = peer[0]
    assert not client.keeps_to_records
    client.keeps_to_records = True
    plain = goes_on_without_tls(peer).unwrap()
    with plain:
        assert plain.recv(100) == b"220 plain"


def test_bytes_after_the_answer_to_our_close_notify_stay_on_the_descriptor(peer: Peer) -> None:
    client, server, theirs = peer

    def answer() -> None:
        while server.read() is Want.READ:
            server.receive_data(theirs.recv(65536))
        server.shutdown()
        theirs.sendall(server.data_to_send() + b"220 plain")

    answering = threading.Thread(target=answer)
    answering.start()
    with client.unwrap() as plain:
        answering.join()
        assert plain.recv(100) == b"220 plain"


def test_an_unwrapped_socket_waits_as_long_as_it_is_told(peer: Peer) -> None:
    """The reader sets a limit for its wait in recv(2), which must not stay with the descriptor."""
    client, server, theirs = peer
    theirs.sendall(records(server, 5))
    client.recv(5)
    server.shutdown()
    theirs.sendall(server.data_to_send())
    client.settimeout(None)
    with client.unwrap() as plain:
        size = struct.calcsize("@ll")
        assert plain.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, size) == bytes(size)
        assert plain.gettimeout() is None


def test_a_reset_that_comes_while_a_reader_waits_is_a_connection_reset_error(sockets: SocketPair) -> None:
    client, server = sockets

    def reset() -> None:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(server._sock.detach())

    resetting = threading.Timer(0.2, reset)
    resetting.start()
    with pytest.raises(pyossl.TransportError, match="reset"):
        client.recv(1)
    resetting.join()


def test_a_descriptor_that_the_program_made_non_blocking_is_waited_for_too(sockets: SocketPair) -> None:
    client, server = sockets
    os.set_blocking(client.fileno(), False)
    writing = threading.Timer(0.2, server.sendall, args=(b"late",))
    writing.start()
    assert client.recv(10) == b"late"
    writing.join()


def test_two_readers_lose_no_byte(sockets: SocketPair) -> None:
    client, server = sockets
    size = 3_000_000
    got: list[int] = []

    def read() -> None:
        while data := client.recv(1 + len(got) % 30000):
            got.append(len(data))

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    server.sendall(bytes(size))
    server.shutdown(socket.SHUT_WR)
    for reader in readers:
        reader.join(SECONDS)
        assert not reader.is_alive()
    assert sum(got) == size


def digest_of(sock: pyossl.Socket, pause: Callable[[], object] = lambda: None) -> str:
    digest = hashlib.sha256()
    while data := sock.recv(50_000):
        digest.update(data)
        pause()
    return digest.hexdigest()


@pytest.mark.parametrize("timeout", [None, 20.0, 0.0])
def test_a_long_write_arrives_whole_whenever_the_descriptor_stops_taking_it(
    sockets: SocketPair, timeout: float | None
) -> None:
    """docs/pitfalls.md, 8: many records are sent in one call, and the call is repeated with all of them."""
    client, server = sockets
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 10_000)
    client.settimeout(timeout)
    random_sizes, data, sent = random.Random(1), os.urandom(6_000_000), 0
    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(digest_of, server)
        while sent < len(data):
            end = sent + random_sizes.choice([1, 5000, RECORD, RECORD + 1, 130_000, 2_000_000])
            piece = data[sent:end]
            while piece:
                try:
                    taken = client.send(piece)
                except pyossl.WouldBlockError:
                    select.select([], [client], [], SECONDS)
                    continue
                sent, piece = sent + taken, piece[taken:]
        client.settimeout(SECONDS)
        client.shutdown(socket.SHUT_WR)
        assert reading.result(SECONDS) == hashlib.sha256(data).hexdigest()


def test_bytes_that_are_gathered_and_unsent_are_not_replaced_by_others(sockets: SocketPair) -> None:
    """docs/pitfalls.md, 8: in its second record either, which a comparison with the first does not show."""
    client, _ = sockets
    client.settimeout(0)
    data = bytes(3_000_000)

    def send_all_there_is_room_for() -> None:
        while True:
            client.send(data)

    with pytest.raises(pyossl.WouldBlockError):
        send_all_there_is_room_for()
    other = bytearray(data)
    other[RECORD + 100] = 1
    with pytest.raises(pyossl.UsageError, match="must be repeated first"):
        client.send(other)
    with pytest.raises(pyossl.WouldBlockError):
        client.send(data)


def test_reads_go_on_while_a_long_write_waits(sockets: SocketPair) -> None:
    client, server = sockets
    client.settimeout(0)
    data = os.urandom(3_000_000)
    sent = client.send(data)
    server.sendall(b"question")
    assert select.select([client], [], [], SECONDS)[0]
    assert client.recv(100) == b"question"
    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(digest_of, server)
        client.settimeout(SECONDS)
        client.sendall(data[sent:])
        client.shutdown(socket.SHUT_WR)
        assert reading.result(SECONDS) == hashlib.sha256(data).hexdigest()


# Signals in the middle of a call


@pytest.fixture
def alarm() -> Iterator[Callable[[Callable[[], object]], None]]:
    """Calls a function in a signal handler, a moment from now."""
    before = signal.getsignal(signal.SIGALRM)

    def arm(function: Callable[[], object]) -> None:
        signal.signal(signal.SIGALRM, lambda *_: function())
        signal.setitimer(signal.ITIMER_REAL, 0.3)

    yield arm
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_a_handler_that_writes_elsewhere_leaves_the_deadline_and_the_place_of_the_write_it_interrupted(
    new_sockets: Callable[[], SocketPair], alarm: Callable[[Callable[[], object]], None]
) -> None:
    (client, server), (other, its_peer) = new_sockets(), new_sockets()
    other.settimeout(500)
    data = os.urandom(8_000_000)
    alarm(lambda: other.sendall(b"x" * 100_000))
    with ThreadPoolExecutor(2) as threads:
        other_reads = threads.submit(digest_of, its_peer)
        late = threading.Event()
        reading = threads.submit(lambda: late.wait(SECONDS) and digest_of(server))
        threading.Timer(0.8, late.set).start()
        client.settimeout(SECONDS)
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        other.shutdown(socket.SHUT_WR)
        assert reading.result(SECONDS) == hashlib.sha256(data).hexdigest()
        assert other_reads.result(SECONDS) == hashlib.sha256(b"x" * 100_000).hexdigest()


def test_a_handler_that_waits_elsewhere_does_not_lengthen_the_wait_that_it_interrupted(
    new_sockets: Callable[[], SocketPair], alarm: Callable[[Callable[[], object]], None]
) -> None:
    (client, _), (other, _) = new_sockets(), new_sockets()

    def wait_elsewhere() -> None:
        other.settimeout(0.1)
        with pytest.raises(TimeoutError):
            other.recv(1)
        other.settimeout(500)

    alarm(wait_elsewhere)
    client.settimeout(1.5)
    begun = time.monotonic()
    with pytest.raises(TimeoutError, match=r"after 1\.5 s"):
        client.recv(1)
    assert time.monotonic() - begun >= 1.5


def test_a_handler_that_writes_into_the_write_it_interrupted_gets_an_exception(
    sockets: SocketPair, alarm: Callable[[Callable[[], object]], None]
) -> None:
    """It would wait for itself for ever."""
    client, server = sockets
    data, told = os.urandom(8_000_000), []

    def write() -> None:
        with pytest.raises(pyossl.UsageError, match="this signal handler interrupted a write"):
            client.sendall(b"in between")
        told.append(True)

    alarm(write)
    with ThreadPoolExecutor(1) as threads:
        late = threading.Event()
        reading = threads.submit(lambda: late.wait(SECONDS) and digest_of(server))
        threading.Timer(0.8, late.set).start()
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        assert reading.result(SECONDS) == hashlib.sha256(data).hexdigest()
    assert told


def test_a_write_whose_handler_raised_lets_other_writers_have_their_turn(
    sockets: SocketPair, alarm: Callable[[Callable[[], object]], None]
) -> None:
    client, _ = sockets
    data = os.urandom(8_000_000)

    def give_up() -> None:
        raise InterruptedError("enough")

    alarm(give_up)
    with pytest.raises(InterruptedError, match="enough"):
        client.sendall(data)
    with ThreadPoolExecutor(1) as threads:
        # The unsent record comes first: this is not a wait for the lock, and it ends.
        writing = threads.submit(client.sendall, b"something else")
        with pytest.raises(pyossl.UsageError, match="must be repeated first"):
            writing.result(SECONDS)


def test_key_updates_in_the_middle_of_a_long_transfer_lose_nothing(sockets: SocketPair) -> None:
    client, server = sockets
    piece = os.urandom(1_000_000)
    with ThreadPoolExecutor(1) as threads:
        reading = threads.submit(digest_of, server)
        for _ in range(8):
            assert lib.SSL_key_update(client.connection.pointer.ssl, lib.SSL_KEY_UPDATE_REQUESTED) == 1
            client.sendall(piece)
        client.shutdown(socket.SHUT_WR)
        assert reading.result(SECONDS) == hashlib.sha256(piece * 8).hexdigest()


# Bytes that a read leaves


def is_left_to_be_seen(client: pyossl.Socket, size: int, total: int) -> None:
    while total:
        assert is_readable(client), f"{total} bytes have come, and select(2) does not know"
        total -= len(client.recv(size))


@pytest.mark.parametrize("lengths", [(5, RECORD), (5, RECORD - 405, 100, 200, 79, 50, 50), (RECORD - 1, 1, 1)])
def test_a_record_that_does_not_fit_is_left_on_the_descriptor(peer: Peer, lengths: tuple[int, ...]) -> None:
    client, server, theirs = peer
    theirs.sendall(records(server, *lengths))
    is_left_to_be_seen(client, RECORD, sum(lengths))


@pytest.mark.parametrize("part", [1, 5, 6, 16000])
def test_the_part_of_a_record_that_openssl_holds_counts_as_received(peer: Peer, part: int) -> None:
    client, server, theirs = peer
    first, second = records(server, RECORD), records(server, 100, 1)
    client.settimeout(0)
    theirs.sendall(first[:part])
    with pytest.raises(pyossl.WouldBlockError):
        client.recv(RECORD)
    theirs.sendall(first[part:] + second)
    is_left_to_be_seen(client, RECORD, RECORD + 101)


def test_a_peek_takes_no_more_than_the_read_after_it_has_room_for(peer: Peer) -> None:
    client, server, theirs = peer
    theirs.sendall(records(server, 5, 6000, 6000, 6000))
    assert len(client.recv(65536, socket.MSG_PEEK)) == 5
    is_left_to_be_seen(client, RECORD, 18005)


# The end of a connection that other threads use


def test_a_connection_that_was_closed_while_a_reader_waited_refuses_every_later_call(sockets: SocketPair) -> None:
    client, server = sockets
    server.sendall(b"tickets have come")
    client.recv(100)
    reading = Task(lambda: client.recv(1))
    until(lambda: client.connection.waiters)
    client.close()
    for task in reading, Task(lambda: client.recv(1)), Task(lambda: client.sendall(b"x")):
        with pytest.raises(pyossl.UsageError, match="closed"):
            task.result()


def test_a_file_that_is_closed_after_unwrap_takes_nothing_off_the_callers_descriptor(peer: Peer) -> None:
    client, server, theirs = peer
    file = client.makefile("rb")
    server.shutdown()
    theirs.sendall(server.data_to_send())
    with client.unwrap() as plain:
        theirs.sendall(b"220 plain")
        file.close()
        assert plain.recv(100) == b"220 plain"


def test_a_handler_that_raises_while_a_shutdown_waits_for_its_turn_lets_others_write(
    sockets: SocketPair, alarm: Callable[[Callable[[], object]], None]
) -> None:
    client, server = sockets
    size = 8_000_000
    writing = Task(lambda: client.sendall(bytes(size)))
    until(lambda: client.connection.waiters)

    def give_up() -> None:
        raise InterruptedError("enough")

    def read() -> int:
        time.sleep(0.6)
        return sum(iter(lambda: len(server.recv(65536)), 0))

    alarm(give_up)
    reading = Task(read)
    with pytest.raises(InterruptedError, match="enough"):
        client.shutdown(socket.SHUT_WR)
    writing.result()
    Task(lambda: client.sendall(b"x")).result()
    client.shutdown(socket.SHUT_WR)
    assert reading.result() == size + 1


def test_an_unwrap_sees_at_once_what_a_waiting_reader_has_received(peer: Peer) -> None:
    client, server, theirs = peer
    with contextlib.ExitStack() as stack:
        reading = Task(lambda: client.recv(10))
        until(lambda: client.connection.waiters)
        unwrapping = Task(lambda: (stack.enter_context(client.unwrap()), time.monotonic())[1])
        server.receive_data(theirs.recv(65536))
        assert server.read() == b""
        time.sleep(0.1)
        server.shutdown()
        answered = time.monotonic()
        theirs.sendall(server.data_to_send())
        assert unwrapping.result() - answered < 0.95, "a poll(2) that nobody ends takes a second"
        with contextlib.suppress(pyossl.UsageError):
            assert reading.result() == b""


class Transfer:
    """One direction of a transfer that never waits."""

    def __init__(self, source: pyossl.Socket, target: pyossl.Socket, size: int) -> None:
        self.source, self.target = source, target
        self.data = os.urandom(size)
        self.sent, self.piece, self.received = 0, b"", bytearray()

    def write(self, size: int) -> None:
        self.piece = self.piece or self.data[self.sent : self.sent + size]
        with contextlib.suppress(pyossl.WouldBlockError):
            taken = self.source.send(self.piece)
            self.sent, self.piece = self.sent + taken, self.piece[taken:]

    def read(self, size: int) -> None:
        with contextlib.suppress(pyossl.WouldBlockError):
            self.received += self.target.recv(size)


@pytest.mark.parametrize("seed", range(4))
def test_key_updates_that_want_an_answer_lose_nothing_while_writes_wait_on_both_sides(
    client_context: pyossl.Context, server_context: pyossl.Context, seed: int
) -> None:
    """If OpenSSL itself holds an unsent record, a read that must answer fails for ever with "bad length".

    docs/pitfalls.md, 47
    """
    choice = random.Random(seed)
    client, server = tls_pair(client_context, server_context)
    with client, server:
        for each in (client, server):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8000)
            each.settimeout(0)
        there, back = Transfer(client, server, 500_000), Transfer(server, client, 500_000)
        end = time.monotonic() + SECONDS
        while len(there.received) + len(back.received) < 1_000_000:
            assert time.monotonic() < end, (len(there.received), len(back.received))
            way = choice.choice((there, back))
            if (
                choice.random() < 0.05
                and lib.SSL_key_update(way.source.connection.pointer.ssl, lib.SSL_KEY_UPDATE_REQUESTED) != 1
            ):
                pyossl.outcome.take_records()  # OpenSSL has an unsent record of its own
            way.write(choice.choice([10, 5000, RECORD, 40_000, 140_000]))
            way.read(choice.choice([1, 100, 20_000, 70_000]))
        assert (bytes(there.received), bytes(back.received)) == (there.data, back.data)


def test_a_close_notify_for_which_there_is_no_room_is_sent_by_the_next_call(sockets: SocketPair) -> None:
    client, server = sockets
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8000)
    client.settimeout(0)
    data, sent = os.urandom(20_000), 0
    with contextlib.suppress(pyossl.WouldBlockError):
        while True:
            sent += client.send(data)
    waiting = data
    with ThreadPoolExecutor(1) as threads:
        while waiting:
            server.settimeout(0)
            with contextlib.suppress(pyossl.WouldBlockError):
                sent_now = client.send(waiting)
                waiting = waiting[sent_now:]
                sent += sent_now
            with contextlib.suppress(pyossl.WouldBlockError):
                sent -= len(server.recv(5000))
        server.settimeout(SECONDS)
        client.settimeout(SECONDS)
        closing = threads.submit(client.shutdown, socket.SHUT_WR)
        while piece := server.recv(65536):
            sent -= len(piece)
        closing.result(SECONDS)
    assert sent == 0
