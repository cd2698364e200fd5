"""Chains whose last BIO is a filter are refused, loops over chains end, and an open connection keeps its closed BIO."""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import pyossl
from pyossl import (
    BIO,
    Base64Filter,
    BufferFilter,
    CipherFilter,
    Connection,
    Context,
    DigestFilter,
    Error,
    PrefixFilter,
    PythonBIO,
    UnsupportedError,
    UsageError,
    Want,
    lib,
)


def filters() -> list[BIO]:
    made: list[BIO] = [
        BufferFilter(),
        Base64Filter(),
        DigestFilter("sha256"),
        CipherFilter("aes-128-ctr", b"k" * 16, b"i" * 16),
    ]
    return [*made, PrefixFilter("> ")] if lib.HAVE_API_3_0 else made


# A chain whose last member is a filter


def test_a_lone_filter_is_refused_as_a_connections_transport(client_context: Context) -> None:
    """docs/pitfalls.md, 52."""
    for bio in filters():
        for transport in (bio, (bio, BIO.memory()), (BIO.memory(), bio), BufferFilter().push(bio)):
            with pytest.raises(UsageError, match=f"is not complete: nothing is below {bio.name}"):
                Connection(client_context, "example.com", bio=transport)
        bio.push(BIO.pair()[0])
        assert Connection(client_context, "example.com", bio=(bio, BIO.null())).handshake() is Want.READ


def test_a_refused_connection_leaves_its_other_bio_free(client_context: Context) -> None:
    memory = BIO.memory()
    with pytest.raises(UsageError, match="nothing is below buffer"):
        Connection(client_context, "example.com", bio=(memory, BufferFilter()))
    assert BufferFilter().push(memory).next is memory


def test_a_filter_that_was_left_alone_is_refused_and_goes_on_when_it_has_an_end_again() -> None:
    for bio in filters():
        memory = BIO.memory()
        bio.push(memory)
        assert bio.write(b"x") == 1
        bio.pop()
        for call in (bio.read, bio.flush, bio.handshake, bio.fileno, bio.end, lambda bio=bio: bio.write(b"x")):
            with pytest.raises(UsageError, match=f"{bio.name} is not complete: nothing is below {bio.name}"):
                call()
        with pytest.raises(UsageError, match="not complete"):
            _ = bio.room
        bio.push(memory)
        assert bio.flush() is None


def test_a_lone_filter_returns_its_own_facts() -> None:
    digest = DigestFilter("sha256")
    digest.push(BIO.null()).write(b"text")
    digest.pop()
    assert digest.digest() == hashlib.sha256(b"text").digest()
    assert (digest.name, digest.is_filter, digest.next) == ("digest", True, None)


def test_a_with_statement_closes_a_filter_that_was_never_used() -> None:
    for bio in filters():
        with bio:
            pass
        assert bio.closed


def test_a_filter_written_in_python_with_nothing_below_has_nothing_to_flush_or_to_end() -> None:
    class Filter(PythonBIO):
        filters = True

        def read(self, size: int = -1) -> bytes:
            return b"x"

    bio = Filter()
    for call in (bio.flush, bio.end, bio.readline, bio.handshake, BufferFilter().push(bio).read):
        with pytest.raises(UsageError, match=r"nothing is below Filter|has no lines"):
            call()


def test_a_prefix_filter_has_no_lines_of_its_own() -> None:
    """OpenSSL gives it the type of a buffer, and it would ask the BIO below; a digest would then return its digest."""
    if not lib.HAVE_API_3_0:
        with pytest.raises(UnsupportedError):
            PrefixFilter("> ")
        return
    prefix = PrefixFilter("> ").push(DigestFilter("sha256")).push(BIO.memory())
    assert str(prefix) == "prefix → digest → memory"
    with pytest.raises(UsageError, match="prefix has no lines"):
        prefix.readline()


# Loops


class Endless(PythonBIO):
    """Reads return always the same bytes, and writes fail."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.data = data

    def read(self, size: int = -1) -> bytes:
        return (self.data * (size // len(self.data) + 1))[:size]

    def write(self, data: bytes | bytearray | memoryview) -> int:
        return len(data)


@pytest.mark.parametrize("data", [b"\n", b" \r\n", b"\n\n\n\t"])
def test_base64_that_never_begins_fails_and_stays_failed(data: bytes) -> None:
    chain = Base64Filter().push(Endless(data))
    for _ in range(3):
        with pytest.raises(Error, match="not base64"):
            chain.read()


def test_a_file_without_end_and_without_base64_fails() -> None:
    """docs/pitfalls.md, 39."""
    with Base64Filter().push(BIO.file("/dev/zero")) as chain, pytest.raises(Error, match="not base64"):
        chain.read()


def test_a_connection_over_base64_that_never_begins_fails_and_does_not_say_that_the_peer_has_ended(
    client_context: Context,
) -> None:
    connection = Connection(client_context, "example.com", bio=Base64Filter().push(Endless(b"\n")))
    with pytest.raises(Error, match="not base64") as caught:
        connection.handshake()
    assert not isinstance(caught.value, pyossl.TruncationError)


def test_base64_after_megabytes_of_other_lines_is_found(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"-- not of base64\n" * 200_000 + b"dGV4dA==\n")
    with Base64Filter().push(BIO.file(tmp_path / "file")) as chain:
        assert chain.read() == b"text"


def test_endless_base64_can_be_read_endlessly() -> None:
    """The limit applies to one read."""

    class Lines(Endless):
        place = 0

        def read(self, size: int = -1) -> bytes:
            answer = super().read(size + 65)[self.place :][:size]
            self.place = (self.place + size) % 65
            return answer

    chain = Base64Filter().push(Lines(b"QUJD" * 16 + b"\n"))
    total = 0
    while total < 16 << 20:
        data = chain.read()
        assert isinstance(data, bytes)
        assert not data.strip(b"ABC")
        assert data
        total += len(data)


def test_a_read_inside_a_read_has_its_own_limit() -> None:
    class Inside(Endless):
        def read(self, size: int = -1) -> bytes:
            with pytest.raises(Error, match="not base64"):
                Base64Filter().push(Endless(b"\n")).read()
            return b"dGV4dA==\n"

    assert Base64Filter().push(Inside(b"")).read(4) == b"text"


@pytest.mark.parametrize("prefixed", [False, True])
def test_the_flush_of_base64_over_what_cannot_be_written_fails(prefixed: bool, tmp_path: Path) -> None:
    """docs/pitfalls.md, 39."""
    (tmp_path / "file").write_bytes(b"text")
    chain = Base64Filter()
    if prefixed and lib.HAVE_API_3_0:
        chain.push(PrefixFilter("> "))
    chain.push(BIO.file(tmp_path / "file"))
    chain.write(b"x")
    for _ in range(2):
        with pytest.raises(Error):
            chain.flush()


def test_the_flush_of_base64_under_a_connection_whose_python_bio_was_closed_fails(client_context: Context) -> None:
    chain = Base64Filter().push(Endless(b"QUJD\n"))
    connection = Connection(client_context, "example.com", bio=(BIO.memory(), chain))
    chain.close()
    with pytest.raises(Error):
        connection.handshake()


def test_a_wrong_number_of_pending_bytes_allocates_no_gigabytes() -> None:
    class Lying(Endless):
        asked = 0

        @property
        def pending(self) -> int:
            return 1 << 40

        def read(self, size: int = -1) -> bytes:
            self.asked = size
            return b"x"

    lying = Lying(b"")
    assert DigestFilter("sha256").push(lying).read() == b"x"
    assert lying.asked == 1 << 20


def test_two_threads_that_push_on_each_other_make_no_ring() -> None:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(400):
            first, second = BufferFilter(), BufferFilter()
            together = threading.Barrier(2)

            def push(upper: BIO, lower: BIO, together: threading.Barrier = together) -> None:
                together.wait()
                with contextlib.suppress(UsageError):
                    upper.push(lower)

            threads = [threading.Thread(target=push, args=pair) for pair in ((first, second), (second, first))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert first.next is None or second.next is None
    finally:
        sys.setswitchinterval(before)


# Connections


def test_a_chain_under_two_connections_is_kept_by_either(client_context: Context) -> None:
    chain = BufferFilter().push(BIO.pair()[0])
    first, second = (Connection(client_context, "example.com", bio=chain) for _ in range(2))
    second.close()
    with pytest.raises(UsageError, match="is under a connection"):
        chain.pop()
    assert first.handshake() is Want.READ
    first.close()
    chain.pop()


@pytest.mark.parametrize("below", [False, True])
def test_a_connection_keeps_the_socket_of_its_closed_bio(below: bool) -> None:
    """The bytes of a read-only memory BIO must not be freed while the connection reads them."""
    script = f"""
import gc, os, pyossl, socket
from pyossl import BIO, BufferFilter, Connection, Context
context = Context.client(verify=False)
def chain(bio):
    return BufferFilter().push(bio) if {below} else bio
reader = chain(BIO.memory(os.urandom(3_000_000)))
connection = Connection(context, bio=(reader, BIO.memory()))
reader.close()
del reader
gc.collect()
try:
    connection.handshake()
except pyossl.Error:
    pass
ours, theirs = socket.socketpair()
ours.setblocking(False)
bio = chain(BIO.socket(ours))
connection = Connection(context, bio=bio)
bio.close()
del bio, ours
gc.collect()
connection.handshake()
assert theirs.recv(5)[:1] == b"\\x16"
connection.close()
del connection
gc.collect()
assert theirs.recv(1 << 16) and not theirs.recv(1)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, (done.returncode, done.stderr)


def test_a_bio_closed_in_the_middle_of_a_connections_call_is_a_failure_and_no_crash(client_context: Context) -> None:
    class Closing(Endless):
        def read(self, size: int = -1) -> bytes:
            chain.close()
            return b"\x16" * size

    chain = BufferFilter().push(Closing(b""))
    connection = Connection(client_context, "example.com", bio=chain)
    with pytest.raises(Error):
        connection.handshake()


OWN_CHAIN = """
import sys, pyossl
from pyossl import *
class Recursive(PythonBIO):
    def read(self, size=-1):
        return chain.read(size)
chain = DigestFilter("sha256").push(Recursive())
try:
    answer = chain.read(5)
except (RecursionError, Error):
    sys.exit(0)
sys.exit(f"it answered {answer!r}")
"""

LOST = """
import sys, pyossl
from pyossl import *
from pyossl.bio import python_bio
from pyossl.core import parked_exceptions
def lose(error):
    raise MemoryError
python_bio.park = parked_exceptions.park = lose
class Failing(PythonBIO):
    pass
for call in (BufferFilter().push(Failing()).read, Connection(Context.client(verify=False), bio=Failing()).handshake):
    try:
        answer = call()
    except Error as error:
        assert "its exception was lost" in str(error), error
    else:
        sys.exit(f"it answered {answer!r}")
"""


@pytest.mark.parametrize("script", [OWN_CHAIN, LOST], ids=["a chain in itself", "no memory"])
def test_an_exception_that_python_could_not_keep_does_not_look_like_the_end(script: str) -> None:
    """If the stack or the memory is full, cffi's wrapper fails itself and returns the callback's error value."""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[-2000:]
