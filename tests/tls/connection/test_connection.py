"""The calls of a connection, and their results: done, a ``Want``, or a failure that every later call repeats.

The table in docs/pitfalls.md is about these calls: OpenSSL's versions differ, and pyossl must not.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pairs import carry, pump, shake_hands

import pyossl
from pyossl import BIO, Want, ffi, lib

Pair = tuple[pyossl.Connection, pyossl.Connection]
NewPair = Callable[[], Pair]

READS: list[Callable[[pyossl.Connection], object]] = [
    lambda c: c.read(),
    lambda c: c.peek(),
    lambda c: c.read_into(bytearray(100)),
]
CALLS: list[Callable[[pyossl.Connection], object]] = [*READS, lambda c: c.write(b"x"), lambda c: c.shutdown()]
CALL_NAMES = ["read", "peek", "read_into", "write", "shutdown"]

reads = pytest.mark.parametrize("call", READS, ids=CALL_NAMES[:3])
calls = pytest.mark.parametrize("call", CALLS, ids=CALL_NAMES)


def leave_a_stale_entry() -> None:
    """Leaves an error in this thread's queue, as a careless library in the same process does."""
    pointer = lib.PEM_read_bio_X509(BIO.memory(b"no PEM")._bio, ffi.NULL, ffi.NULL, ffi.NULL)
    assert pointer == ffi.NULL
    assert lib.ERR_peek_error() != 0


def move(sender: pyossl.Connection, receiver: pyossl.Connection) -> None:
    receiver.receive_data(sender.data_to_send())


# The queue, docs/pitfalls.md, 1


@reads
def test_a_stale_entry_is_no_failure_where_there_is_nothing_to_read(
    connected: Pair, call: Callable[[pyossl.Connection], object]
) -> None:
    """docs/pitfalls.md, 1 and the table's first row: before 4.0 plain SSL_read reports a fatal error on a healthy
    connection.
    """
    client, _ = connected
    leave_a_stale_entry()
    assert call(client) is Want.READ
    assert client.failure is None
    assert lib.ERR_peek_error() == 0


def test_a_stale_entry_is_no_failure_of_a_handshake(new_pair: NewPair) -> None:
    """docs/pitfalls.md, 1."""
    client, server = new_pair()
    for each in (client, server):
        leave_a_stale_entry()
        assert each.handshake() is Want.READ
    shake_hands(client, server)


def test_a_stale_entry_is_no_failure_of_a_shutdown(connected: Pair) -> None:
    """docs/pitfalls.md, 1."""
    client, server = connected
    leave_a_stale_entry()
    assert client.shutdown() is False
    leave_a_stale_entry()
    assert client.shutdown() in (False, Want.READ)
    move(client, server)
    leave_a_stale_entry()
    assert server.read() == b""


def test_a_stale_entry_is_no_failure_of_a_write_that_waits(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    """docs/pitfalls.md, 1."""
    (client, _), _ = over_a_pair(client_context, server_context)
    while client.write(b"x" * 1000) is not Want.WRITE:
        pass
    leave_a_stale_entry()
    assert client.write(b"x" * 1000) is Want.WRITE
    assert client.failure is None


def test_a_stale_entry_is_not_among_a_failures_records(new_pair: NewPair) -> None:
    """docs/pitfalls.md, 1: an earlier error is not the reason of this failure."""
    client, _ = new_pair()
    client.receive_data(b"\x00" * 100)
    leave_a_stale_entry()
    with pytest.raises(pyossl.Error) as caught:
        client.handshake()
    assert caught.value.records
    assert {record.library_code for record in caught.value.records} == {lib.ERR_LIB_SSL}
    assert lib.ERR_peek_error() == 0


def test_a_stale_entry_does_not_fail_a_new_connection(client_context: pyossl.Context) -> None:
    """docs/pitfalls.md, 1."""
    leave_a_stale_entry()
    pyossl.Connection(client_context, "example.com")


# The end without a close_notify, docs/pitfalls.md, 2 to 6


@pytest.mark.feature("truncation distinguished from a clean close")
def test_an_end_without_close_notify_is_truncation(connected: Pair) -> None:
    """docs/pitfalls.md, 3, the table: 1.1.1 says SYSCALL with nothing, 3.0 UNEXPECTED_EOF_WHILE_READING."""
    client, _ = connected
    client.receive_data(b"")
    with pytest.raises(pyossl.TruncationError, match=r"ended without a close_notify, with 'example\.com'"):
        client.read()


def test_a_second_read_after_eof_is_still_eof(connected: Pair) -> None:
    """docs/pitfalls.md, 2, the table: the second time 3.x says SYSCALL, 4.0 SSL with an empty queue."""
    client, _ = connected
    client.receive_data(b"")
    for _ in range(3):
        with pytest.raises(pyossl.TruncationError):
            client.read()


@calls
def test_every_call_after_eof_is_that_same_failure(
    connected: Pair, call: Callable[[pyossl.Connection], object]
) -> None:
    """docs/pitfalls.md, 2 and 5, the table: a write after EOF succeeds in 1.1.1, and a shutdown returns 0."""
    client, _ = connected
    client.receive_data(b"")
    with pytest.raises(pyossl.TruncationError):
        client.read()
    client.data_to_send()  # 3.x has an alert for the peer that is not there any more
    with pytest.raises(pyossl.TruncationError) as caught:
        call(client)
    assert caught.value.failure is client.failure
    assert client.data_to_send() == b"", "nothing was sent after the end"


def unread(connection: pyossl.Connection) -> int:
    """How many bytes the connection has been given that OpenSSL has not read."""
    return connection.call(lambda ssl: lib.BIO_ctrl_pending(lib.SSL_get_rbio(ssl)))


@calls
def test_openssl_is_not_called_again_on_a_dead_connection(
    connected: Pair, call: Callable[[pyossl.Connection], object]
) -> None:
    """docs/pitfalls.md, 2: bytes that have arrived since, which OpenSSL would take, are not taken."""
    client, server = connected
    server.write(b"before")
    before = server.data_to_send()
    client.receive_data(b"\x15\x03\x03\x00\x02\x02\x28" * 2)
    with pytest.raises(pyossl.Error) as first:
        client.read()
    client.data_to_send()
    client.receive_data(before)
    waiting = unread(client)
    with pytest.raises(type(first.value)):
        call(client)
    assert unread(client) == waiting
    assert client.data_to_send() == b""


@pytest.mark.parametrize("side", [0, 1], ids=["client", "server"])
def test_an_end_during_the_handshake_is_truncation(new_pair: NewPair, side: int) -> None:
    """docs/pitfalls.md, 3."""
    connection = new_pair()[side]
    assert connection.handshake() is Want.READ
    connection.receive_data(b"")
    for _ in range(2):
        with pytest.raises(pyossl.TruncationError, match="the handshake failed"):
            connection.handshake()


def test_an_end_in_the_middle_of_a_record_is_truncation(connected: Pair) -> None:
    """docs/pitfalls.md, 6: the part of a record is not data."""
    client, server = connected
    server.write(b"all of it")
    client.receive_data(server.data_to_send()[:-1])
    assert client.read() is Want.READ
    client.receive_data(b"")
    with pytest.raises(pyossl.TruncationError):
        client.read()


def test_what_came_before_the_end_is_read_first(connected: Pair) -> None:
    client, server = connected
    server.write(b"the last words")
    move(server, client)
    client.receive_data(b"")
    assert client.read() == b"the last words"
    with pytest.raises(pyossl.TruncationError):
        client.read()


# A close_notify is no failure, docs/pitfalls.md, 10


@pytest.mark.feature("truncation distinguished from a clean close")
def test_a_close_notify_is_the_end_and_no_failure(connected: Pair) -> None:
    client, server = connected
    server.write(b"the last words")
    assert server.shutdown() is False
    move(server, client)
    client.receive_data(b"")
    assert client.read() == b"the last words"
    for _ in range(2):
        assert client.read() == b""
        assert client.peek() == b""
        assert client.read_into(bytearray(10)) == 0
    assert client.failure is None


def test_writes_go_on_after_the_peers_close_notify(connected: Pair) -> None:
    client, server = connected
    server.shutdown()
    move(server, client)
    assert client.read() == b""
    assert client.write(b"still talking") == 13
    move(client, server)
    assert server.read() == b"still talking"


def test_shutdown_is_0_when_ours_is_sent_and_1_when_theirs_is_here(connected: Pair) -> None:
    """docs/pitfalls.md, 10: "0 = ours is sent, theirs is not here yet; call again." """
    client, server = connected
    assert client.shutdown() is False
    move(client, server)
    assert server.shutdown() in (True, False)
    assert server.shutdown() is True
    move(server, client)
    assert client.shutdown() is True
    assert client.shutdown() is True
    assert client.failure is None


def test_shutdown_sends_one_close_notify(connected: Pair) -> None:
    """docs/pitfalls.md, 10."""
    client, _ = connected
    carry(*connected)
    client.shutdown()
    assert len(client.data_to_send()) > 0
    client.shutdown()
    assert client.data_to_send() == b""


def test_after_our_close_notify_the_peer_is_read_to_its_end(connected: Pair) -> None:
    """docs/pitfalls.md, 10."""
    client, server = connected
    assert client.shutdown() is False
    server.write(b"under way")
    server.shutdown()
    move(server, client)
    assert client.read() == b"under way"
    assert client.read() == b""
    assert client.shutdown() is True


def test_nothing_is_written_after_our_close_notify(connected: Pair) -> None:
    client, _ = connected
    client.shutdown()
    client.data_to_send()
    with pytest.raises(pyossl.UsageError, match="shut down"):
        client.write(b"too late")
    assert client.data_to_send() == b""
    assert client.failure is None


@pytest.mark.parametrize("started", [False, True], ids=["before", "during"])
def test_shutdown_before_and_during_the_handshake_is_misuse(new_pair: NewPair, started: bool) -> None:
    """docs/pitfalls.md, 10: "It is an error before and during the handshake." And it does the handshake no harm."""
    client, server = new_pair()
    if started:
        assert client.handshake() is Want.READ
    with pytest.raises(pyossl.UsageError, match="handshake is not finished"):
        client.shutdown()
    shake_hands(client, server)


# Reading and writing, docs/pitfalls.md, 7 to 9


def test_a_zero_length_write_does_nothing(connected: Pair) -> None:
    """docs/pitfalls.md, 7, the table: `SSL_write` says 0 and SYSCALL; pyOpenSSL raises "Unexpected EOF"."""
    client, _ = connected
    client.data_to_send()
    for empty in (b"", bytearray(), memoryview(b"")):
        assert client.write(empty) == 0
    assert client.data_to_send() == b""
    assert client.failure is None


def test_a_zero_length_read_does_nothing(connected: Pair) -> None:
    """docs/pitfalls.md, 7."""
    client, server = connected
    server.write(b"waiting")
    move(server, client)
    assert client.read(0) == b""
    assert client.peek(0) == b""
    assert client.read_into(bytearray()) == 0
    assert client.read() == b"waiting"


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_bytes_are_written(connected: Pair, kind: Callable[[bytes], bytes]) -> None:
    client, server = connected
    assert client.write(kind(b"NUL \x00 and more")) == 14
    move(client, server)
    assert server.read() == b"NUL \x00 and more"


@pytest.mark.parametrize("wrong", ["text", 5, None, ["x"]])
def test_what_is_not_bytes_is_not_written(connected: Pair, wrong: object) -> None:
    """The issue: "`str` for `bytes`"."""
    client, _ = connected
    with pytest.raises(TypeError):
        client.write(wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        client.receive_data(wrong)  # type: ignore[arg-type]
    assert client.read() is Want.READ


def test_text_is_no_end_of_the_transport(connected: Pair) -> None:
    """``receive_data(b"")`` says that the transport has ended; an empty ``str`` is a mistake."""
    client, _ = connected
    with pytest.raises(TypeError):
        client.receive_data("")  # type: ignore[arg-type]
    assert client.read() is Want.READ


@pytest.mark.parametrize("wrong", [b"read-only", memoryview(b"read-only"), "text", None])
def test_read_into_needs_room_that_can_be_written(connected: Pair, wrong: object) -> None:
    """The issue: "a read-only buffer to `recv_into`"."""
    client, server = connected
    server.write(b"kept")
    move(server, client)
    with pytest.raises(TypeError):
        client.read_into(wrong)
    assert client.read() == b"kept"


def test_read_into_fills_what_it_is_given_and_no_more(connected: Pair) -> None:
    client, server = connected
    server.write(b"abcdefgh")
    move(server, client)
    room = bytearray(b"........")
    assert client.read_into(room, 3) == 3
    assert room == b"abc....."
    assert client.read_into(memoryview(room)[4:6]) == 2
    assert room == b"abc.de.."
    assert client.read_into(room) == 3
    assert room == b"fghde"[:3] + b".de.."
    assert client.read_into(room) is Want.READ


@pytest.mark.parametrize("size", [-1, 9])
def test_read_into_refuses_a_size_that_is_not_there(connected: Pair, size: int) -> None:
    client, _ = connected
    with pytest.raises(ValueError, match="size"):
        client.read_into(bytearray(8), size)


def test_read_refuses_a_negative_size(connected: Pair) -> None:
    with pytest.raises(ValueError, match="negative"):
        connected[0].read(-1)


def test_a_peek_leaves_what_it_shows(connected: Pair) -> None:
    client, server = connected
    server.write(b"look")
    move(server, client)
    assert client.peek(2) == b"lo"
    assert client.peek() == b"look"
    assert client.pending == 4
    assert client.read() == b"look"


def test_pending_tells_what_needs_no_transport(connected: Pair) -> None:
    """docs/pitfalls.md, 9: "Check `SSL_pending`/`SSL_has_pending` before waiting on the fd." """
    client, server = connected
    assert (client.pending, client.has_pending) == (0, False)
    server.write(b"abcdef")
    move(server, client)
    assert client.read(2) == b"ab"
    assert (client.pending, client.has_pending) == (4, True)
    assert client.read() == b"cdef"
    assert (client.pending, client.has_pending) == (0, False)


def test_tickets_are_no_data(new_pair: NewPair) -> None:
    """docs/pitfalls.md, 9: in TLS 1.3 "a readable socket can still give WANT_READ"."""
    client, server = new_pair()
    assert client.handshake() is Want.READ
    move(client, server)
    assert server.handshake() is Want.READ
    move(server, client)
    assert client.handshake() is None
    assert client.version == "TLSv1.3"
    move(client, server)
    assert server.handshake() is None
    tickets = server.data_to_send()
    assert len(tickets) > 100
    client.receive_data(tickets)
    assert client.read() is Want.READ
    assert unread(client) == 0, "they were read"


def test_a_read_returns_what_is_there_record_after_record_up_to_its_size(connected: Pair) -> None:
    client, server = connected
    data = bytes(range(250)) * 160
    assert server.write(data) == 40000
    move(server, client)
    assert client.read(30000) == data[:30000]
    assert client.read(1 << 20) == data[30000:]
    assert client.read(1 << 20) is Want.READ


def test_what_came_before_the_end_is_read_before_the_end_is_told(connected: Pair) -> None:
    client, server = connected
    server.write(b"x" * 20000)
    server.shutdown()
    move(server, client)
    assert client.read(1 << 20) == b"x" * 20000
    assert client.read(1 << 20) == b""


def test_what_came_before_a_failure_is_read_before_it_is_raised(connected: Pair) -> None:
    """docs/pitfalls.md, 2: the failure is kept, and raised by every later call."""
    client, server = connected
    server.write(b"x" * 20000)
    move(server, client)
    client.receive_data(b"\x17\x03\x03\x00\x20" + b"?" * 32)
    assert client.read(1 << 20) == b"x" * 20000
    for _ in range(2):
        with pytest.raises(pyossl.Error, match="reading failed"):
            client.read(1 << 20)


@pytest.mark.feature("TLS without I/O")
def test_data_may_finish_the_handshake(new_pair: NewPair) -> None:
    client, server = new_pair()
    for _ in range(5):
        client.write(b"hello") if not client.is_handshake_finished else None
        carry(client, server)
        if isinstance(data := server.read(), bytes):
            assert data == b"hello"
            return
        carry(client, server)
    pytest.fail("nothing arrived")


# A write that waits, docs/pitfalls.md, 7 and 8


def over_a_pair(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> tuple[tuple[pyossl.Connection, pyossl.Connection], tuple[BIO, BIO]]:
    """Connected over two BIO pairs, whose outer halves a test joins when it wants the bytes to move."""
    (inside, outside), (peer_inside, peer_outside) = BIO.pair(), BIO.pair()
    client = pyossl.Connection(client_context, "example.com", bio=inside)
    server = pyossl.Connection(server_context, bio=peer_inside)
    for _ in range(100):
        wants = client.handshake(), server.handshake()
        pump(outside, peer_outside)
        if wants == (None, None):
            break
    assert client.read() is Want.READ
    return (client, server), (outside, peer_outside)


def test_a_write_is_repeated_from_a_moved_buffer(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    """docs/pitfalls.md, 7, the table: "bad write retry" without the mode that the context sets."""
    (client, server), (outside, peer_outside) = over_a_pair(client_context, server_context)
    data = bytes(range(256)) * 1000
    sent, waits, received = 0, 0, bytearray()
    while sent < len(data):
        moved = bytearray(data[sent:])
        result = client.write(moved)
        moved[:] = bytes(len(moved))
        if result is Want.WRITE:
            waits += 1
            while pump(outside, peer_outside):
                while isinstance(chunk := server.read(), bytes):
                    received += chunk
        else:
            assert isinstance(result, int)
            sent += result
    while pump(outside, peer_outside) or server.has_pending:
        while isinstance(chunk := server.read(), bytes):
            received += chunk
    assert waits > 5
    assert received == data


def test_the_write_that_waits_is_repeated_first(client_context: pyossl.Context, server_context: pyossl.Context) -> None:
    """docs/pitfalls.md, 8: "After WANT_WRITE from a write, that same write is repeated first."

    A shorter one is misuse, sends nothing and does no harm; reading meanwhile is fine.
    """
    (client, server), (outside, peer_outside) = over_a_pair(client_context, server_context)
    while client.write(b"x" * 1000) is not Want.WRITE:
        pass
    with pytest.raises(pyossl.UsageError, match="repeated first"):
        client.write(b"short")
    with pytest.raises(pyossl.UsageError, match="repeated first"):
        client.write(b"")
    assert client.read() is Want.READ
    assert client.failure is None
    received = bytearray()
    while (result := client.write(b"x" * 1000)) is Want.WRITE:
        pump(outside, peer_outside)
        while isinstance(chunk := server.read(), bytes):
            received += chunk
    assert result == 1000
    assert client.write(b"short") in (5, Want.WRITE)


def test_a_shutdown_does_not_overtake_a_write_that_waits(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    """docs/pitfalls.md, 8: otherwise the rest of the record would be lost, and the data would look complete."""
    (client, _), _ = over_a_pair(client_context, server_context)
    while client.write(b"x" * 1000) is not Want.WRITE:
        pass
    with pytest.raises(pyossl.UsageError, match="repeated before the shutdown"):
        client.shutdown()
    assert client.write(b"x" * 1000) is Want.WRITE
