"""Blocking sockets: deadlines, resumed writes, both directions at once (docs/pitfalls.md, 7, 8, 9, 15)."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import select
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from served import SECONDS, SocketPair, Task, read_all, serving, serving_plain, tcp_pair, until

import pyossl


@contextlib.contextmanager
def timing_out(seconds: float) -> Iterator[None]:
    """The body must raise TimeoutError, not before its deadline and not long after, even on a loaded machine."""
    start = time.monotonic()
    with pytest.raises(TimeoutError, match=rf"timed out after {seconds} s"):
        yield
    took = time.monotonic() - start
    assert seconds * 0.9 <= took < seconds + SECONDS / 2, f"took {took} s"


# Connecting


def test_connect_over_ipv4_ipv6_and_a_unix_socket(
    client_context: pyossl.Context, server_context: pyossl.Context, tmp_path: Path
) -> None:
    path = tmp_path / "listener"
    for address, name, family in (
        (("127.0.0.1", 0), "127.0.0.1", socket.AF_INET),
        (("::1", 0), "::1", socket.AF_INET6),
        (path, "example.com", socket.AF_UNIX),
    ):
        with serving(server_context, lambda tls: tls.sendall(tls.recv(100)), address) as where:
            target = where[:2] if isinstance(where, tuple) else where
            with pyossl.connect(target, client_context, server_hostname=name, timeout=SECONDS) as tls:
                assert tls.family == family
                tls.sendall(b"over the family's own socket")
                assert read_all(tls) == b"over the family's own socket"


def test_connect_without_a_name_checks_the_host_of_the_address(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    with serving(server_context, lambda tls: tls.recv(1)) as address:
        assert address[0] == "127.0.0.1"
        with pyossl.connect(address, client_context, timeout=SECONDS) as tls:
            assert tls.connection.server_hostname == "127.0.0.1"


def test_connect_where_no_socket_listens_is_an_oserror_that_names_the_address(client_context: pyossl.Context) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = free.getsockname()
    with pytest.raises(ConnectionRefusedError, match=r"127\.0\.0\.1"):
        pyossl.connect(address, client_context, timeout=SECONDS)


def test_connect_ends_at_its_deadline_when_the_peer_does_not_answer(client_context: pyossl.Context) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, timing_out(0.3):
        pyossl.connect(silent.getsockname(), client_context, timeout=0.3)


def test_connect_ends_at_its_deadline_when_the_handshake_drips(client_context: pyossl.Context) -> None:
    """Each byte comes in time and the record does not: the deadline is for the whole call."""
    stop = threading.Event()

    def drip(sock: socket.socket) -> None:
        with contextlib.suppress(OSError):
            sock.sendall(b"\x16\x03\x03\x40\x00")
            while not stop.wait(0.02):
                sock.sendall(b"\x02")

    with serving_plain(drip) as address:
        try:
            with timing_out(0.4):
                pyossl.connect(address, client_context, timeout=0.4)
        finally:
            stop.set()


@pytest.mark.feature("deadline for the whole call")
def test_recv_ends_at_its_deadline_when_a_record_drips(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    stop = threading.Event()

    def drip(sock: socket.socket) -> None:
        server = pyossl.Connection(server_context)
        while server.handshake() is not None:
            sock.sendall(server.data_to_send())
            server.receive_data(sock.recv(65536))
        sock.sendall(server.data_to_send())
        assert server.write(bytes(16384)) == 16384
        record = server.data_to_send()
        with contextlib.suppress(OSError):
            for place in range(len(record)):
                sock.sendall(record[place : place + 1])
                if stop.wait(0.02):
                    return

    with serving_plain(drip) as address, pyossl.connect(address, client_context, timeout=SECONDS) as tls:
        tls.settimeout(0.4)
        try:
            with timing_out(0.4):
                tls.recv(1)
        finally:
            stop.set()


def test_sendall_ends_at_its_deadline_when_the_peer_does_not_read(sockets: SocketPair) -> None:
    client, _ = sockets
    client.settimeout(0.3)
    with timing_out(0.3):
        client.sendall(bytes(50_000_000))


def test_a_writer_waits_for_its_turn_no_longer_than_its_deadline(sockets: SocketPair) -> None:
    client, server = sockets
    client.settimeout(None)
    first = Task(lambda: client.sendall(bytes(20_000_000)))
    until(lambda: client.connection.waiters == 1)
    client.settimeout(0.3)
    with timing_out(0.3):
        client.sendall(b"second")
    received = 0
    while received < 20_000_000:
        received += len(server.recv(65536))
    first.result()


def test_a_timeout_of_years_is_accepted(sockets: SocketPair) -> None:
    """poll(2) counts milliseconds in an int: 25 days overflow it."""
    client, server = sockets
    client.settimeout(1e10)
    reading = Task(lambda: client.recv(1))
    until(lambda: client.connection.waiters == 1)
    server.sendall(b"x")
    assert reading.result() == b"x"


def test_a_timeout_that_cannot_be_is_refused(sockets: SocketPair) -> None:
    client, _ = sockets
    for timeout in (-1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="at least 0 seconds"):
            client.settimeout(timeout)
    with pytest.raises(TypeError):
        client.settimeout("1")  # type: ignore[arg-type]  # the point of the test


def test_timeouts_are_returned_in_the_form_of_a_socket_s(sockets: SocketPair) -> None:
    client, _ = sockets
    client.setblocking(False)
    assert (client.gettimeout(), client.timeout, client.getblocking()) == (0.0, 0.0, False)
    client.setblocking(True)
    assert (client.gettimeout(), client.timeout, client.getblocking()) == (None, None, True)
    client.settimeout(5)
    assert (client.gettimeout(), client.getblocking()) == (5.0, True)


# Reading


def test_recv_into_fills_buffers_of_any_type(sockets: SocketPair) -> None:
    client, server = sockets
    server.sendall(b"0123456789")
    buffer = bytearray(4)
    assert (client.recv_into(buffer), buffer) == (4, b"0123")
    assert client.recv_into(buffer, 2) == 2
    assert buffer == b"4523"
    assert client.recv_into(memoryview(buffer)[1:3]) == 2
    assert buffer == b"4673"
    assert client.recv_into(bytearray(0)) == 0
    with pytest.raises(ValueError, match="holds 4 bytes"):
        client.recv_into(buffer, 5)
    assert client.recv_into(buffer, 4) == 2


def test_peeking_leaves_what_it_returns(sockets: SocketPair) -> None:
    client, server = sockets
    server.sendall(b"peeked")
    buffer = bytearray(3)
    assert client.recv(4, socket.MSG_PEEK) == b"peek"
    assert client.recv_into(buffer, 0, socket.MSG_PEEK) == 3
    assert buffer == b"pee"
    assert client.recv(100) == b"peeked"


def test_flags_other_than_peek_are_refused(sockets: SocketPair) -> None:
    client, _ = sockets
    for call in (
        lambda: client.recv(1, socket.MSG_WAITALL),
        lambda: client.recv_into(bytearray(1), 1, socket.MSG_OOB),
        lambda: client.send(b"x", socket.MSG_OOB),
        lambda: client.sendall(b"x", socket.MSG_OOB),
    ):
        with pytest.raises(ValueError, match="flag"):
            call()


def test_pending_counts_bytes_that_the_descriptor_does_not_show(sockets: SocketPair) -> None:
    """docs/pitfalls.md, 9: select() does not see the bytes that OpenSSL has decrypted."""
    client, server = sockets
    server.sendall(b"0123456789")
    assert client.recv(1) == b"0"
    assert client.pending == 9
    client.settimeout(0)
    assert client.recv(100) == b"123456789"


# Writing


def test_sendall_never_loses_its_place(sockets: SocketPair) -> None:
    """docs/pitfalls.md, 7 and 8: 50 MB through small buffers, with a reader of odd sizes.

    If only the send buffer is small, the kernel delays an acknowledgement now and then, by 40 ms.
    """
    client, server = sockets
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    data = random.Random(1).randbytes(50_000_000)
    client.settimeout(60)
    sending = Task(lambda: (client.sendall(data), client.shutdown(socket.SHUT_WR)))
    digest, buffer, sizes = hashlib.sha256(), bytearray(100_000), random.Random(2)
    while count := server.recv_into(buffer, sizes.randrange(1, 100_000)):
        digest.update(memoryview(buffer)[:count])
    sending.result()
    assert digest.digest() == hashlib.sha256(data).digest()


def test_buffers_of_any_type_are_sent(sockets: SocketPair) -> None:
    import array

    client, server = sockets
    numbers = array.array("I", range(10))
    client.sendall(bytearray(b"bytearray,"))
    client.sendall(memoryview(b"-memoryview,-")[1:-1])
    client.sendall(memoryview(numbers))  # items of four bytes
    assert client.send(b"") == 0
    client.sendall(b"")
    client.close()
    assert read_all(server) == b"bytearray,memoryview," + numbers.tobytes()


def test_an_object_that_is_not_contiguous_bytes_is_refused_before_anything_is_sent(sockets: SocketPair) -> None:
    client, server = sockets
    for data in ("text", 5, None, [1, 2], memoryview(b"abcdef")[::2]):
        for send in (client.send, client.sendall):
            with pytest.raises((TypeError, BufferError, ValueError)):
                send(data)
    client.close()
    assert read_all(server) == b""


@pytest.mark.feature("reading and writing from two threads at once")
def test_both_directions_at_once_move_what_was_sent(sockets: SocketPair) -> None:
    """docs/pitfalls.md, 15: a reader that waits does not block writers; a lock held during the wait would hang here."""
    outward, homeward = random.Random(3).randbytes(10_000_000), random.Random(4).randbytes(10_000_000)

    def send(tls: pyossl.Socket, data: bytes) -> None:
        tls.sendall(data)
        tls.shutdown(socket.SHUT_WR)

    client, server = sockets
    tasks = [Task(lambda: send(client, outward)), Task(lambda: send(server, homeward))]
    readers = [Task(lambda: read_all(client)), Task(lambda: read_all(server))]
    for task in tasks:
        task.result(60)
    assert readers[0].result() == homeward
    assert readers[1].result() == outward


@pytest.mark.feature("reading and writing from two threads at once")
def test_a_reader_that_waits_keeps_no_writer_out(sockets: SocketPair) -> None:
    client, server = sockets
    reading = Task(lambda: client.recv(10))
    until(lambda: client.connection.waiters == 1)
    client.sendall(b"ping")
    assert server.recv(10) == b"ping"
    server.sendall(b"pong")
    assert reading.result() == b"pong"


def test_several_writers_at_once_do_not_mix(sockets: SocketPair) -> None:
    """docs/pitfalls.md, 8: the bytes of each sendall stay together, even if it waits."""
    client, server = sockets
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
    size, count, writers = 50_000, 20, 6

    def write(mark: int) -> None:
        for _ in range(count):
            client.sendall(bytes([mark]) * size)

    tasks = [Task(lambda mark=mark: write(mark)) for mark in range(writers)]
    received = bytearray()
    while len(received) < size * count * writers:
        received += server.recv(65536)
    for task in tasks:
        task.result()
    pieces = [bytes(received[n : n + size]) for n in range(0, len(received), size)]
    assert all(piece == piece[:1] * size for piece in pieces)
    assert sorted(piece[0] for piece in pieces) == sorted(list(range(writers)) * count)


def test_other_bytes_than_the_unsent_ones_are_not_sent_in_their_place(sockets: SocketPair) -> None:
    """docs/pitfalls.md, 8: OpenSSL compares only the length, and would silently lose a record of the second write."""
    client, server = sockets
    client.settimeout(0.2)
    with pytest.raises(TimeoutError):
        client.sendall(b"A" * 20_000_000)
    with pytest.raises(pyossl.UsageError, match="must be repeated first"):
        client.sendall(b"B" * 20_000_000)
    client.close()
    with pytest.raises(pyossl.TruncationError):
        assert b"B" not in read_all(server)


# Not waiting


def test_a_call_that_would_wait_raises_a_blockingioerror_with_its_want(sockets: SocketPair) -> None:
    client, server = sockets
    client.settimeout(0)
    for read in (lambda: client.recv(1), lambda: client.recv_into(bytearray(1)), lambda: client.recv(1, 2)):
        with pytest.raises(pyossl.WouldBlockError) as caught:
            read()
        assert isinstance(caught.value, BlockingIOError)
        assert caught.value.want is pyossl.Want.READ
    data, sent = os.urandom(20_000_000), 0

    def send_all_there_is_room_for() -> None:
        nonlocal sent
        while True:
            sent += client.send(data[sent:])

    with pytest.raises(pyossl.WouldBlockError) as caught:
        send_all_there_is_room_for()
    assert caught.value.want is pyossl.Want.WRITE
    assert 0 < sent < len(data)

    def finish() -> None:
        place = sent
        while place < len(data):
            try:
                place += client.send(data[place:])
            except pyossl.WouldBlockError:
                select.select([], [client], [], SECONDS)

    sending = Task(finish)
    received = bytearray()
    while len(received) < len(data):
        received += server.recv(65536)
    sending.result()
    assert received == data


def test_a_handshake_is_driven_by_select(client_context: pyossl.Context, server_context: pyossl.Context) -> None:
    first, second = tcp_pair()
    client = client_context.wrap_socket(first, "example.com", handshake=False)
    server = server_context.wrap_socket(second, handshake=False)

    def drive(tls: pyossl.Socket) -> None:
        while True:
            try:
                return tls.handshake()
            except pyossl.WouldBlockError as error:
                reads = error.want is pyossl.Want.READ
                select.select([tls] if reads else [], [] if reads else [tls], [], SECONDS)

    with client, server:
        for tls in (client, server):
            tls.settimeout(0)
        with pytest.raises(pyossl.WouldBlockError):
            client.handshake()
        accepting = Task(lambda: drive(server))
        drive(client)
        accepting.result()
        assert client.version == server.version


def test_the_first_read_or_write_does_the_handshake(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    first, second = tcp_pair()
    client = client_context.wrap_socket(first, "example.com", handshake=False)
    server = server_context.wrap_socket(second, handshake=False)
    with client, server:
        reading = Task(lambda: server.recv(10))
        client.sendall(b"first")
        assert reading.result() == b"first"


def test_a_record_is_sent_at_once(client_context: pyossl.Context, server_context: pyossl.Context) -> None:
    """SSL_connect(3), NOTES: Nagle's algorithm would hold back what follows the session tickets."""

    def serve() -> int:
        tls, _ = listener.accept()
        with tls:
            tls.handshake()
            return int(tls.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    with pyossl.listen(("127.0.0.1", 0), server_context) as listener:
        serving = Task(serve)
        with pyossl.connect(listener.address, client_context, timeout=SECONDS) as tls:
            assert tls.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert serving.result()


def test_an_address_is_connected_to_as_it_is_and_a_name_is_looked_up(
    client_context: pyossl.Context, server_context: pyossl.Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the current socket.getaddrinfo, which programs replace."""
    looked_up: list[object] = []
    look_up = socket.getaddrinfo

    def replaced(host: object, *arguments: Any, **options: Any) -> Any:
        looked_up.append(host)
        return look_up("127.0.0.1", *arguments, **options)

    def serve(tls: pyossl.Socket) -> None:
        tls.handshake()

    monkeypatch.setattr(socket, "getaddrinfo", replaced)
    for host in ("127.0.0.1", "example.com", "127.1", "::1%1"):
        with serving(server_context, serve) as (_, port):
            pyossl.connect((host, port), client_context, server_hostname="example.com", timeout=SECONDS).close()
    assert looked_up == ["example.com", "127.1", "::1%1"]


@pytest.mark.parametrize("timeout", [None, SECONDS])
def test_connect_leaves_a_blocking_descriptor_and_its_own_timeout(
    client_context: pyossl.Context, server_context: pyossl.Context, timeout: float | None
) -> None:
    """Independently of socket.setdefaulttimeout: a reader waits in recv(2)."""
    socket.setdefaulttimeout(SECONDS / 2)
    try:
        with (
            serving(server_context, lambda tls: tls.handshake()) as address,
            pyossl.connect(address, client_context, timeout=timeout) as tls,
        ):
            assert tls.gettimeout() == timeout
            assert os.get_blocking(tls.fileno())
            assert tls.proto == socket.IPPROTO_TCP
        with (
            serving(server_context, lambda tls: tls.handshake()) as address,
            pyossl.connect(address, client_context) as tls,
        ):
            assert tls.gettimeout() == SECONDS / 2
            assert os.get_blocking(tls.fileno())
    finally:
        socket.setdefaulttimeout(None)


def test_connecting_needs_a_client_s_context(server_context: pyossl.Context, tmp_path: Path) -> None:
    with (
        pyossl.listen(tmp_path / "listener", server_context) as listener,
        pytest.raises(pyossl.UsageError, match="client's context"),
    ):
        pyossl.connect(listener.address, server_context, timeout=SECONDS)


def test_a_host_that_cannot_be_found_is_named(client_context: pyossl.Context) -> None:
    with pytest.raises(socket.gaierror, match=r"no\.such\.invalid"):
        pyossl.connect(("no.such.invalid", 443), client_context, timeout=20)


def test_a_session_is_offered_by_connect_and_by_wrap_socket(
    authority: pyossl.Authority, server_context: pyossl.Context
) -> None:
    context = pyossl.Context.client(trust=authority.certificate)
    sessions: list[pyossl.Session] = []
    context.new_session_callback = lambda connection, session: sessions.append(session)

    def visit(tls: pyossl.Socket) -> bool:
        with tls:
            tls.shutdown(socket.SHUT_WR)
            assert read_all(tls) == b""
            return tls.connection.session_reused

    with serving(server_context, read_all) as address:
        assert not visit(pyossl.connect(address, context, timeout=SECONDS))
    with serving(server_context, read_all) as address:
        assert visit(pyossl.connect(address, context, timeout=SECONDS, session=sessions[-1]))
    with serving(server_context, read_all) as address:
        sock = socket.create_connection(address, SECONDS)
        assert visit(context.wrap_socket(sock, "127.0.0.1", session=sessions[-1]))


def send_without_end(tls: pyossl.Socket) -> None:
    block = bytes(1 << 30)
    while True:
        tls.sendall(block)


def take_all(tls: pyossl.Socket) -> None:
    buffer = bytearray(65536)
    while tls.recv_into(buffer):
        pass


@pytest.mark.feature("deadline for the whole call")
def test_a_write_that_never_has_to_wait_ends_at_its_deadline(sockets: SocketPair) -> None:
    """docs/pitfalls.md, 15: while the peer reads fast enough, there is no wait that could end at the deadline."""
    client, server = sockets
    reading = Task(lambda: take_all(server))
    client.settimeout(0.3)
    started = time.monotonic()
    with pytest.raises(TimeoutError, match=r"writing timed out after 0\.3 s"):
        send_without_end(client)
    assert time.monotonic() - started < SECONDS / 2
    client.close()
    with contextlib.suppress(pyossl.Error):
        reading.result()


def test_a_write_that_never_has_to_wait_sees_signals(sockets: SocketPair) -> None:
    client, server = sockets
    reading = Task(lambda: take_all(server))

    class HandlerError(Exception):
        pass

    def handler(*_: object) -> None:
        raise HandlerError

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(HandlerError):
            send_without_end(client)
    finally:
        signal.signal(signal.SIGALRM, before)
    client.close()
    with contextlib.suppress(pyossl.Error):
        reading.result()
