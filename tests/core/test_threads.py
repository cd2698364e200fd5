"""One connection, one context, one BIO pair and many threads (docs/pitfalls.md, 14, 15)."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable, Iterator

import pytest
from pairs import shake_hands
from served import Task

import pyossl
import pyossl.x509.trust_store

Pair = tuple[pyossl.Connection, pyossl.Connection]


@pytest.fixture(autouse=True)
def _switching() -> Iterator[None]:
    """Makes threads switch as often as possible."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_bytes_that_one_thread_writes_are_fetched_once_by_others(connected: Pair) -> None:
    """The connection's lock also protects the memory BIO that OpenSSL writes to: no byte comes out twice or late."""
    client, server = connected
    client.data_to_send()
    done = threading.Event()
    carried: list[bytes] = []
    one_at_a_time = threading.Lock()

    def carry() -> None:
        while True:
            last = done.is_set()
            with one_at_a_time:
                if data := client.data_to_send(5000):
                    carried.append(data)
                    continue
            if last:
                return

    carriers = [Task(carry) for _ in range(2)]
    data = bytes(range(256)) * 1024
    for _ in range(60):
        assert client.write(data) == len(data)
    done.set()
    for carrier in carriers:
        carrier.result()
    received = bytearray()
    for piece in carried:
        server.receive_data(piece)
        while isinstance(read := server.read(), bytes):
            received += read
    assert len(received) == 60 * len(data)
    assert received == data * 60


def test_a_reader_and_a_writer_of_one_connection_share_it(connected: Pair) -> None:
    client, server = connected
    message = bytes(10_000)

    def write() -> None:
        for _ in range(300):
            assert client.write(message) == len(message)

    def read() -> int:
        received = 0
        while received < 300 * len(message):
            if isinstance(data := client.read(), bytes):
                received += len(data)
        return received

    for _ in range(300):
        server.write(message)
    client.receive_data(server.data_to_send())
    writing, reading = Task(write), Task(read)
    asking = Task(lambda: [(client.version, client.pending, client.cipher, repr(client)) for _ in range(300)])
    assert reading.result() == 300 * len(message)
    writing.result()
    assert {version for version, *_ in asking.result()} == {client.version}
    server.receive_data(client.data_to_send())
    received = b""
    while isinstance(data := server.read(), bytes):
        received += data
    assert len(received) == 300 * len(message)


def test_each_thread_reads_into_a_buffer_that_no_other_has(new_pair: Callable[[], Pair]) -> None:
    """The buffers of read() are shared: two threads with the same buffer would see each other's data."""

    def echo(mark: int) -> None:
        client, server = new_pair()
        shake_hands(client, server)
        message = bytes([mark]) * 5000
        for _ in range(200):
            client.write(message)
            server.receive_data(client.data_to_send())
            assert server.read() == message

    for task in [Task(lambda mark=mark: echo(mark)) for mark in range(6)]:
        task.result(60)


def test_a_context_serves_threads_at_once(new_pair: Callable[[], Pair]) -> None:
    """docs/pitfalls.md, 14."""

    def shake() -> None:
        for _ in range(30):
            shake_hands(*new_pair())

    for task in [Task(shake) for _ in range(4)]:
        task.result(60)


def test_threads_that_ask_for_the_system_s_store_at_once_have_it() -> None:
    """docs/pitfalls.md, 28: the store is loaded once and shared; a thread that comes second must get it too."""
    barrier = threading.Barrier(3)

    def ask() -> set[pyossl.Store]:
        stores = set()
        for _ in range(10):
            barrier.wait(20)
            pyossl.x509.trust_store._system_stores.clear()
            stores.add(pyossl.Store.system())
        return stores

    tasks = [Task(ask) for _ in range(3)]
    assert all(task.result(60) for task in tasks)


def test_a_half_of_a_bio_pair_is_freed_only_when_the_other_is_not_in_use(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    """Freeing one half writes into the other: a thread that uses that half would read freed memory."""
    failed = []

    def use(bio: pyossl.BIO, start: threading.Barrier) -> None:
        start.wait(20)
        for _ in range(50):
            bio.write(b"x" * 100)
            bio.read()

    for _ in range(200):
        start = threading.Barrier(2)
        one, other = pyossl.BIO.pair()
        using = Task(lambda bio=one, start=start: use(bio, start))
        start.wait(20)
        del one, other
        gc.collect(0)
        try:
            using.result()
        except pyossl.Error as error:
            failed.append(error)
    assert not failed


def test_close_waits_for_the_call_that_another_thread_makes(new_pair: Callable[[], Pair]) -> None:
    """If an SSL were freed while a thread uses it, the process would crash."""
    for _ in range(50):
        client, server = new_pair()
        shake_hands(client, server)
        start = threading.Barrier(2)

        def write(client: pyossl.Connection = client, start: threading.Barrier = start) -> None:
            start.wait(20)
            while True:
                client.write(bytes(200_000))

        writing = Task(write)
        start.wait(20)
        client.close()
        with pytest.raises(pyossl.UsageError, match="closed"):
            writing.result()


def test_two_bios_with_locks_of_their_own_are_both_held(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    """One thread empties the BIO that OpenSSL writes to, directly, while a call of another thread writes to it."""
    reader, writer = pyossl.BIO.memory(), pyossl.BIO.memory()
    client = pyossl.Connection(client_context, "example.com", bio=(reader, writer))
    server = pyossl.Connection(server_context)
    while client.handshake() is not None:
        server.receive_data(writer.read())
        server.handshake()
        reader.write(server.data_to_send())
    server.receive_data(writer.read())
    assert server.handshake() is None
    done = threading.Event()

    def empty() -> bytes:
        out = bytearray()
        while True:
            last = done.is_set()
            if isinstance(data := writer.read(3000), bytes):
                out += data
            elif last:
                return bytes(out)

    emptying = Task(empty)
    data = bytes(range(256)) * 1024
    for _ in range(40):
        assert client.write(data) == len(data)
    done.set()
    server.receive_data(emptying.result())
    received = bytearray()
    while isinstance(read := server.read(), bytes):
        received += read
    assert received == data * 40


def test_two_connections_that_share_two_bios_the_other_way_round_do_not_deadlock(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    one, other = pyossl.BIO.memory(), pyossl.BIO.memory()
    client = pyossl.Connection(client_context, "example.com", bio=(one, other))
    server = pyossl.Connection(server_context, bio=(other, one))

    def shake(side: pyossl.Connection) -> None:
        while side.handshake() is not None:
            pass

    tasks = [Task(lambda: shake(client)), Task(lambda: shake(server))]
    for task in tasks:
        task.result()
    assert client.version == server.version
