"""BIOs written in Python: under connections and in chains, with exceptions and with wrong results (docs/pitfalls.md,
16, 17, 20)."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from pairs import shake_hands, take_turns

import pyossl
from pyossl import (
    BIO,
    Base64Filter,
    BufferFilter,
    PythonBIO,
    SSLFilter,
    Want,
    lib,
)


class Pipe:
    """Two BIOs written in Python; the bytes that are written to one are read from the other."""

    def __init__(self, at_once: int = 1 << 20) -> None:
        to_first, to_second = bytearray(), bytearray()
        self.first, self.second = End(to_first, to_second, at_once), End(to_second, to_first, at_once)


class End(PythonBIO):
    def __init__(self, incoming: bytearray, outgoing: bytearray, at_once: int) -> None:
        super().__init__()
        self.incoming, self.outgoing, self.at_once = incoming, outgoing, at_once
        self.ended = False

    def read(self, size: int = -1) -> bytes | Want:
        if not self.incoming:
            return b"" if self.ended else Want.READ
        taken = bytes(self.incoming[: min(size, self.at_once)])
        del self.incoming[: len(taken)]
        return taken

    def write(self, data: bytes | bytearray | memoryview) -> int | Want:
        if len(self.outgoing) > 5000:
            return Want.WRITE
        self.outgoing += data[: self.at_once]
        return min(len(data), self.at_once)


class Answering(PythonBIO):
    """A BIO whose calls return a given value, or raise it."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer
        self.calls = 0

    def give(self) -> Any:
        self.calls += 1
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer

    def read(self, size: int = -1) -> Any:
        return self.give()

    def write(self, data: object) -> Any:
        return self.give()


# What works


@pytest.mark.feature("a BIO written in Python")
@pytest.mark.parametrize("at_once", [1 << 20, 7])
def test_a_connection_goes_over_bios_written_in_python(
    client_context: pyossl.Context, server_context: pyossl.Context, at_once: int
) -> None:
    pipe = Pipe(at_once)
    client = pyossl.Connection(client_context, "example.com", bio=pipe.first)
    server = pyossl.Connection(server_context, bio=pipe.second)
    take_turns(client, server)
    assert client.write(b"ping") == 4
    assert server.read() == b"ping"
    block = bytes(100_000)
    sent = 0
    received = 0
    while received < len(block):
        done = client.write(block[sent:]) if sent < len(block) else 0
        sent += done if isinstance(done, int) else 0
        data = server.read()
        received += len(data) if isinstance(data, bytes) else 0
    assert client.shutdown() is False
    assert server.read() == b""
    assert server.shutdown() is True


def test_an_end_without_a_close_notify_is_a_truncation(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    """docs/pitfalls.md, 3."""
    pipe = Pipe()
    client = pyossl.Connection(client_context, "example.com", bio=pipe.first)
    take_turns(client, pyossl.Connection(server_context, bio=pipe.second))
    while client.read() is not Want.READ:
        pass
    pipe.first.ended = True
    with pytest.raises(pyossl.TruncationError):
        client.read()


def test_filters_go_over_a_bio_written_in_python() -> None:
    pipe = Pipe(5)
    writing, reading = Base64Filter().push(BufferFilter()).push(pipe.first), BufferFilter().push(pipe.second)
    writing.write(b"hello")
    assert writing.flush() is None
    assert reading.readline() == b"aGVsbG8=\n"
    assert reading.read() is Want.READ
    assert str(writing) == "base64 → buffer → End"


def test_a_filter_is_written_in_python() -> None:
    class Upper(PythonBIO):
        filters = True

        def read(self, size: int = -1) -> bytes | Want:
            assert self.next is not None
            data = self.next.read(size)
            return data if isinstance(data, Want) else data.upper()

        def write(self, data: bytes | bytearray | memoryview) -> int | Want:
            assert self.next is not None
            return self.next.write(bytes(data).upper())

    memory = BIO.memory()
    chain = BufferFilter().push(Upper()).push(BufferFilter()).push(memory)
    chain.write(b"hello")
    assert memory.read() is Want.READ
    assert chain.flush() is None
    assert memory.pending == 5
    assert chain.read(100) == b"HELLO"


@pytest.mark.parametrize("want", [Want.READ, Want.WRITE, Want.CONNECT, Want.ACCEPT])
def test_the_want_of_a_bio_is_the_want_of_its_caller(want: Want, client_context: pyossl.Context) -> None:
    """Each Want stays what it is."""
    bio = Answering(want)
    assert BufferFilter().push(bio).read() is want
    assert Base64Filter().push(Answering(want)).read() is want
    assert pyossl.Connection(client_context, "example.com", bio=Answering(want)).handshake() is want


def test_a_write_that_waits_for_something_to_read_is_repeated_whole(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    """docs/pitfalls.md, 8: a tunnel may have to read before it can write; the record is already encrypted then."""
    pipe = Pipe()
    client = pyossl.Connection(client_context, "example.com", bio=pipe.first)
    server = pyossl.Connection(server_context, bio=pipe.second)
    take_turns(client, server)
    waits: list[Want] = [Want.READ, Want.CONNECT, Want.WRITE]
    write = pipe.first.write
    pipe.first.write = lambda data: waits.pop() if waits else write(data)  # type: ignore[method-assign]
    for want in list(reversed(waits)):
        assert client.write(b"first") is want
        with pytest.raises(pyossl.UsageError, match="must be repeated first"):
            client.write(b"other")
    assert client.write(b"first") == 5
    assert server.read() == b"first"


# Exceptions


class BrokenError(Exception):
    pass


def calls_of_a_connection(context: pyossl.Context, bio: BIO) -> list[Callable[[], object]]:
    connection = pyossl.Connection(context, "example.com", bio=bio)
    return [connection.handshake, connection.read, lambda: connection.write(b"x")]


@pytest.mark.parametrize("kind", [BrokenError, KeyboardInterrupt, BlockingIOError, OSError, SystemExit])
@pytest.mark.parametrize("call", [0, 1, 2])
def test_an_exception_of_a_bio_is_raised_by_the_connections_call(
    kind: type[BaseException], call: int, client_context: pyossl.Context
) -> None:
    """docs/pitfalls.md, 16: the same exception, raised once: then the connection is dead."""
    raised = kind("mine")
    bio = Answering(raised)
    calls = calls_of_a_connection(client_context, bio)
    with pytest.raises(kind) as caught:
        calls[call]()
    assert caught.value is raised
    asked = bio.calls
    for again in calls:
        with pytest.raises(pyossl.Error, match="a callback raised an exception") as later:
            again()
        assert not isinstance(later.value, EOFError)
    assert bio.calls == asked


@pytest.mark.parametrize("operation", ["read", "write", "flush", "pending", "end"])
def test_an_exception_of_a_bio_is_raised_by_the_chains_call(operation: str) -> None:
    class Raising(Answering):
        @property
        def pending(self) -> int:
            return int(self.give())

        def flush(self) -> Any:
            return self.give()

        def end(self) -> None:
            self.give()

    raised = BrokenError()
    bio = Raising(raised)
    chain = BufferFilter().push(bio)
    calls: dict[str, Callable[[], object]] = {
        "read": lambda: chain.read(5),
        "write": lambda: chain.write(bytes(5000)),
        "flush": chain.flush,
        "pending": lambda: chain.pending,
        "end": chain.end,
    }
    with pytest.raises(BrokenError) as caught:
        calls[operation]()
    assert caught.value is raised
    bio.answer = 1 if operation == "pending" else None if operation == "flush" else b"x"
    if operation != "write":
        calls[operation]()
    assert not pyossl.core.parked_exceptions._parked


def test_a_bios_own_exception_goes_to_the_inner_call_and_a_connections_to_the_connection(
    client_context: pyossl.Context,
) -> None:
    """A BIO that uses another chain in its read: it can catch the exceptions of that chain."""
    inner = BufferFilter().push(Answering(BrokenError()))

    class Outer(PythonBIO):
        def read(self, size: int = -1) -> Want:
            with pytest.raises(BrokenError):
                inner.read()
            return Want.READ

        def write(self, data: bytes | bytearray | memoryview) -> int:
            return len(data)

    connection = pyossl.Connection(client_context, "example.com", bio=Outer())
    assert connection.handshake() is Want.READ
    assert connection.handshake() is Want.READ


# Wrong results


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"x" * 100_000, ValueError),
        (memoryview(bytes(800_000)).cast("Q"), ValueError),
        (None, TypeError),
        ("text", TypeError),
        (5, TypeError),
        (Want.X509_LOOKUP, ValueError),
    ],
    ids=["too much", "too much in large items", "None", "str", "a count", "a want of TLS's"],
)
def test_a_read_with_a_wrong_result_fails_closed(
    answer: object, kind: type[Exception], client_context: pyossl.Context
) -> None:
    """docs/pitfalls.md, 17."""
    with pytest.raises(kind, match=r"Answering\.read"):
        BufferFilter().push(Answering(answer)).read(10)
    with pytest.raises(kind, match=r"Answering\.read"):
        pyossl.Connection(client_context, "example.com", bio=(Answering(answer), BIO.memory())).handshake()


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (1 << 20, ValueError),
        (1 << 70, ValueError),
        (0, ValueError),
        (-1, ValueError),
        (-(1 << 70), ValueError),
        (True, TypeError),
        (None, TypeError),
        (b"x", TypeError),
        (1.0, TypeError),
        (Want.RETRY_VERIFY, ValueError),
    ],
)
def test_a_write_with_a_wrong_result_fails_closed(
    answer: object, kind: type[Exception], client_context: pyossl.Context
) -> None:
    """The issue: "a Python BIO that lies about what it wrote"."""
    with pytest.raises(kind, match=r"Answering\.write"):
        BufferFilter().push(Answering(answer)).write(bytes(5000))
    with pytest.raises(kind, match=r"Answering\.write"):
        pyossl.Connection(client_context, "example.com", bio=(BIO.memory(), Answering(answer))).handshake()


@pytest.mark.parametrize("answer", [-1, 1.5, True, None])
def test_a_pending_with_a_wrong_result_fails_closed(answer: object) -> None:
    class Lying(PythonBIO):
        pending = answer  # type: ignore[assignment]

    with pytest.raises(ValueError, match="which is not a number of bytes"):
        _ = BufferFilter().push(Lying()).pending


def test_a_bio_that_defines_nothing_says_so() -> None:
    with pytest.raises(NotImplementedError, match="PythonBIO does not read"):
        BufferFilter().push(PythonBIO()).read()


# Ownership


def test_a_bio_type_is_taken_once_however_many_classes_there_are() -> None:
    """docs/pitfalls.md, 20: 1.1.1 has 127."""
    kinds = [type(f"Kind{n}", (PythonBIO,), {"filters": n % 2 == 0}) for n in range(300)]
    types = {lib.BIO_method_type(kind()._bio) for kind in kinds}
    assert len({each & 0xFF for each in types}) == 1
    assert len(types) == 2


def test_a_chain_keeps_its_bio_and_a_connection_its_chain(client_context: pyossl.Context) -> None:
    """A flush that waits below two buffers, the handshake's and ours, is not an end of the transport."""
    connection = pyossl.Connection(client_context, "example.com", bio=BufferFilter().push(Answering(Want.WRITE)))
    gc.collect()
    assert connection.handshake() is Want.WRITE


def test_a_bio_that_refers_to_its_connection_is_collected() -> None:
    """docs/pitfalls.md, 18: the cycle is freed in any order, and no method of a BIO is called any more."""
    script = """
import gc, pyossl, weakref
from pyossl import BufferFilter, PythonBIO, Want
context = pyossl.Context.client(verify=False)
class Cyclic(PythonBIO):
    def read(self, size=-1):
        return Want.READ
    def write(self, data):
        return len(data)
dead = []
for n in range(1000):
    bio = Cyclic()
    head = BufferFilter().push(bio) if n % 2 else bio
    bio.connection = pyossl.Connection(context, bio=head)
    bio.connection.handshake()
    weakref.finalize(bio, dead.append, n)
    del bio, head
    if n % 10 == 0:
        gc.collect()
gc.collect()
print(len(dead))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "1000\n"), done.stderr


def test_each_thread_finds_its_own_exception() -> None:
    def work(n: int) -> None:
        for _ in range(50):
            mine = BrokenError(n)
            try:
                BufferFilter().push(Answering(mine)).read()
            except BrokenError as error:
                found.append(error is mine)

    found: list[bool] = []
    threads = [threading.Thread(target=work, args=[n]) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 200


# TLS inside TLS


@pytest.mark.feature("SSL filter")
@pytest.mark.feature("TLS inside TLS")
def test_tls_goes_through_tls_by_a_chain(client_context: pyossl.Context, server_context: pyossl.Context) -> None:
    """A tunnel through a proxy: the outer connection is with the proxy, the inner one with the server."""
    one, other = BIO.pair()
    outer = pyossl.Connection(client_context, "localhost", bio=one)
    proxy = pyossl.Connection(server_context, bio=other)
    take_turns(outer, proxy)
    outer.write(b"CONNECT example.com:443")
    assert proxy.read() == b"CONNECT example.com:443"

    tunnel = SSLFilter(outer)
    inner = pyossl.Connection(client_context, "example.com", bio=tunnel)
    server = pyossl.Connection(server_context, bio=SSLFilter(proxy))
    take_turns(inner, server)
    assert str(tunnel) == "ssl"
    block = bytes(range(256)) * 400
    sent, received = 0, b""
    while len(received) < len(block):
        if sent < len(block) and isinstance(done := inner.write(block[sent:]), int):
            sent += done
        data = server.read()
        received += data if isinstance(data, bytes) else b""
    assert received == block
    assert inner.peer_certificate is not None
    assert inner.shutdown() is False
    assert server.read() == b""
    assert (outer.failure, inner.failure) == (None, None)
    outer.shutdown()
    with pytest.raises(pyossl.UsageError, match="has been shut down"):
        tunnel.write(b"x")


def test_a_failure_of_the_outer_connection_is_raised_by_the_inner(
    client_context: pyossl.Context, new_pair: Callable[[], tuple[pyossl.Connection, pyossl.Connection]]
) -> None:
    """The same exception: a failure of the outer connection is not a truncation of the inner one."""
    outer, proxy = new_pair()
    shake_hands(outer, proxy)
    inner = pyossl.Connection(client_context, "example.com", bio=SSLFilter(outer))
    assert inner.handshake() is Want.READ
    outer.receive_data(b"\x17\x03\x03\x00\x20" + bytes(32))
    with pytest.raises(pyossl.Error, match=r"bad record mac|decryption failed") as caught:
        inner.handshake()
    assert caught.value.failure is outer.failure
