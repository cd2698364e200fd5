"""Connections over sockets that block: calls wait as in pyOpenSSL, and a waiting thread does not stop the others."""

from __future__ import annotations

import signal
import socket
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import pytest
from pyopenssl.pyopenssl_pairs import contexts

from pyossl.pyopenssl import SSL

LIMIT = 60
"""Seconds after which a call counts as hanging."""


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as threads:
        yield threads


@pytest.fixture
def both(pool: ThreadPoolExecutor) -> Iterator[list[SSL.Connection]]:
    """A client and a server over sockets that block; their handshake is finished."""
    with ExitStack() as stack:
        ends = [stack.enter_context(end) for end in socket.socketpair()]
        pair = [SSL.Connection(context, end) for context, end in zip(contexts(), ends, strict=True)]
        pair[0].set_connect_state()
        pair[1].set_accept_state()
        server = pool.submit(pair[1].do_handshake)
        pair[0].do_handshake()
        server.result(LIMIT)
        yield pair
        for end in ends:  # threads that still wait end
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def test_a_thread_that_reads_does_not_keep_another_from_writing(
    both: list[SSL.Connection], pool: ThreadPoolExecutor
) -> None:
    """docs/pitfalls.md, 15: the reader waits for the answer to what the writer sends."""
    client, server = both
    for _ in range(20):  # a writer that starts before its reader would prove nothing
        answer = pool.submit(client.recv, 100)
        assert client.sendall(b"question") == 8
        assert server.recv(100) == b"question"
        server.sendall(b"answer")
        assert answer.result(LIMIT) == b"answer"


@pytest.mark.feature("one thread reads while another one writes")
def test_both_directions_are_full_at_once_and_everything_arrives(
    both: list[SSL.Connection], pool: ThreadPoolExecutor
) -> None:
    """docs/pitfalls.md, 15: two threads wait for room to write, and two others read and so make room."""
    size = 4_000_000

    def read(connection: SSL.Connection) -> bytes:
        got = bytearray()
        while len(got) < size:
            got += connection.recv(65536)
        return bytes(got)

    data = [bytes([n]) * size for n in range(2)]
    writers = [pool.submit(each.sendall, data[n]) for n, each in enumerate(both)]
    readers = [pool.submit(read, each) for each in reversed(both)]
    assert [writer.result(LIMIT) for writer in writers] == [size, size]
    assert [reader.result(LIMIT) for reader in readers] == data


def test_two_threads_that_send_do_not_mix_what_they_send(both: list[SSL.Connection], pool: ThreadPoolExecutor) -> None:
    """A record that waits for room is finished before the other thread's record starts: never "bad write retry"."""
    client, server = both
    size = 1_500_000
    writers = [pool.submit(client.sendall, bytes([n]) * size) for n in range(2)]
    got = bytearray()
    while len(got) < 2 * size:
        got += server.recv(65536)
    assert [writer.result(LIMIT) for writer in writers] == [size, size]
    first, second = bytes(got[:size]), bytes(got[size:])
    assert {first, second} == {b"\0" * size, b"\1" * size}


def test_a_shutdown_waits_for_the_peers(both: list[SSL.Connection], pool: ThreadPoolExecutor) -> None:
    client, server = both
    assert client.shutdown() is False
    whole = pool.submit(client.shutdown)
    with pytest.raises(SSL.ZeroReturnError):
        server.recv(1)
    assert server.shutdown() is True
    assert whole.result(LIMIT) is True


def test_a_part_of_a_record_does_not_keep_a_writer_out(pool: ThreadPoolExecutor) -> None:
    """A thread has read a record's header and waits for the rest; another thread can send."""
    with ExitStack() as stack:
        ends = [stack.enter_context(end) for end in socket.socketpair()]
        client_context, server_context = contexts()
        client, server = SSL.Connection(client_context, ends[0]), SSL.Connection(server_context)
        client.set_connect_state()
        server.set_accept_state()
        shaken = pool.submit(client.do_handshake)
        while True:
            try:
                server.do_handshake()
                break
            except SSL.WantReadError:
                try_to_send(server, ends[1])
                server.bio_write(ends[1].recv(65536))
        try_to_send(server, ends[1])
        shaken.result(LIMIT)
        server.send(b"whole")
        record = server.bio_read(65536)
        ends[1].sendall(record[:7])
        reader = pool.submit(client.recv, 100)
        assert client.send(b"meanwhile") == 9
        received = b""
        while not received:
            server.bio_write(ends[1].recv(65536))
            try:
                received = server.recv(100)
            except SSL.WantReadError:
                continue
        assert received == b"meanwhile"
        assert not reader.done()
        ends[1].sendall(record[7:])
        assert reader.result(LIMIT) == b"whole"


def try_to_send(connection: SSL.Connection, end: socket.socket) -> None:
    """The bytes that a connection in memory has for its peer."""
    with suppress(SSL.WantReadError):
        end.sendall(connection.bio_read(1 << 20))


@pytest.mark.parametrize("timeout", [0, 5])
def test_a_socket_that_does_not_block_or_has_a_timeout_raises_at_once(both: list[SSL.Connection], timeout: int) -> None:
    """As in pyOpenSSL: the descriptor of a socket with a timeout does not block."""
    client, server = both
    client.settimeout(timeout)
    with pytest.raises(SSL.WantReadError):
        client.recv(1)
    client.settimeout(None)
    server.send(b"x")
    assert client.recv(1) == b"x"


def test_a_closed_socket_is_a_system_call_error(both: list[SSL.Connection]) -> None:
    client, server = both
    client.close()
    with pytest.raises(SSL.SysCallError) as caught:
        client.recv(1)
    assert caught.value.args == (9, "EBADF")
    assert server.get_shutdown() == 0


def test_a_signal_handler_runs_while_a_call_waits(both: list[SSL.Connection]) -> None:
    """PEP 475: an exception of the handler ends the wait."""

    def ring(number: int, frame: object) -> None:
        raise LookupError

    def read() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        both[0].recv(1)

    before = signal.signal(signal.SIGALRM, ring)
    try:
        with pytest.raises(LookupError):
            read()
    finally:
        signal.signal(signal.SIGALRM, before)
    both[1].send(b"after")
    assert both[0].recv(10) == b"after"


def test_bytes_after_a_record_stay_on_the_descriptor(both: list[SSL.Connection]) -> None:
    """The program receives the records that it has not read yet, and bytes that are not TLS, from the socket."""
    client, server = both
    server.send(b"one")
    server.send(b"two")
    ends = client._socket, server._socket
    assert ends[0] is not None
    assert ends[1] is not None
    ends[1].sendall(b"plain")
    assert client.recv(16384) == b"one"
    assert client.pending() == 0
    assert client.recv_into(bytearray(16384)) == 3
    assert ends[0].recv(100) == b"plain"


def test_a_read_waits_no_longer_than_the_sockets_own_limit(both: list[SSL.Connection]) -> None:
    """A descriptor that blocks may have SO_RCVTIMEO: as in pyOpenSSL the program has to repeat the read."""
    client, server = both
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 10_000))
    for _ in range(2):
        with pytest.raises(SSL.WantReadError):
            client.recv(1)
        assert client.want_read()
    server.send(b"x")
    assert client.recv(1) == b"x"


def test_a_buffer_that_cannot_be_written_costs_no_bytes(both: list[SSL.Connection]) -> None:
    client, server = both
    server.send(b"bytes")
    with pytest.raises(TypeError):
        client.recv_into(memoryview(b"12345"))
    buffer = bytearray(10)
    assert client.recv_into(memoryview(buffer)[2:], 4) == 4
    assert client.recv_into(buffer, 1) == 1
    assert bytes(buffer) == b"s\0byte\0\0\0\0"


def send_until_there_is_no_room(connection: SSL.Connection, record: bytes) -> int:
    """How many records were sent before one had to wait."""
    connection.setblocking(False)
    sent = 0
    with suppress(SSL.WantWriteError):
        while True:
            connection.send(record)
            sent += 1
    assert connection.want_write()
    connection.setblocking(True)
    return sent


def test_a_write_ended_by_a_signal_lets_other_threads_write(
    both: list[SSL.Connection], pool: ThreadPoolExecutor
) -> None:
    """An exception of the handler ends the wait for room; another thread repeats the record that waits."""

    def ring(number: int, frame: object) -> None:
        raise LookupError

    def write() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        client.send(record)

    client, server = both
    record = b"r" * 16384
    sent = send_until_there_is_no_room(client, record)
    before = signal.signal(signal.SIGALRM, ring)
    try:
        with pytest.raises(LookupError):
            write()
    finally:
        signal.signal(signal.SIGALRM, before)
    again = pool.submit(client.send, record)
    left = (sent + 1) * len(record)
    while left:
        left -= len(server.recv(16384))
    assert again.result(LIMIT) == len(record)


def test_a_write_after_the_peers_refusal_is_a_system_call_error(pool: ThreadPoolExecutor) -> None:
    """As in pyOpenSSL, although the alert is there, unread.  pyossl's own connections raise the alert."""
    client_context, server_context = contexts()
    server_context.set_min_proto_version(SSL.TLS1_3_VERSION)
    server_context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT)
    ends = socket.socketpair()
    with ends[0], ends[1]:
        client, server = SSL.Connection(client_context, ends[0]), SSL.Connection(server_context, ends[1])
        client.set_connect_state()
        server.set_accept_state()
        refused = pool.submit(server.do_handshake)
        client.do_handshake()
        assert isinstance(refused.exception(LIMIT), SSL.Error)
        server.close()
        for _ in range(2):
            with pytest.raises(SSL.SysCallError) as caught:
                client.send(b"x")
            assert caught.value.args == (32, "EPIPE")


def set_limit(sock: socket.socket, option: int, seconds: float) -> None:
    whole, rest = divmod(seconds, 1)
    sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("@ll", int(whole), int(rest * 1_000_000)))


@pytest.mark.parametrize("seconds", [0.1, 1.1], ids=["within a wait", "over several"])
def test_a_handshake_waits_no_longer_than_the_socket(seconds: float) -> None:
    """Programs for pyOpenSSL set SO_RCVTIMEO on a socket that blocks, so that a silent peer cannot stop them."""
    silent, end = socket.socketpair()
    with silent, end:
        set_limit(end, socket.SO_RCVTIMEO, seconds)
        connection = SSL.Connection(SSL.Context(SSL.TLS_METHOD), end)
        connection.set_connect_state()
        with pytest.raises(SSL.WantReadError):
            connection.do_handshake()


def test_the_rest_of_a_record_is_waited_for_no_longer_than_the_socket_does(both: list[SSL.Connection]) -> None:
    client, server = both
    set_limit(client._socket, socket.SO_RCVTIMEO, 0.1)
    server._socket.send(b"\x17\x03\x03\x00\x20")
    for _ in range(2):
        with pytest.raises(SSL.WantReadError):
            client.recv(100)


def test_a_write_waits_for_room_no_longer_than_the_socket(both: list[SSL.Connection]) -> None:
    client, _ = both
    set_limit(client._socket, socket.SO_SNDTIMEO, 0.1)
    with pytest.raises(SSL.WantWriteError):
        client.sendall(bytes(20_000_000))
