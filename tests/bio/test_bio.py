"""BIOs: reads, writes, ends, and the ownership of the ``BIO *`` (docs/pitfalls.md, 20)."""

from __future__ import annotations

import gc
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator

import pytest

import pyossl
from pyossl import BIO, Want, ffi, lib


def leave_a_stale_entry() -> None:
    assert lib.PEM_read_bio_X509(BIO.memory(b"no PEM")._bio, ffi.NULL, ffi.NULL, ffi.NULL) == ffi.NULL


@pytest.fixture
def tcp() -> Iterator[tuple[socket.socket, socket.socket]]:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname(), 10) as ours,
        listener.accept()[0] as theirs,
    ):
        yield ours, theirs


# Memory


@pytest.mark.feature("memory BIO")
def test_a_memory_bio_gives_what_it_was_given() -> None:
    bio = BIO.memory()
    assert bio.read() is Want.READ
    assert bio.write(b"abc\x00def") == 7
    assert bio.pending == 7
    assert bio.read(2) == b"ab"
    assert bio.read() == b"c\x00def"
    assert bio.read() is Want.READ


def test_a_memory_bio_that_is_ended_gives_the_rest_and_then_the_end() -> None:
    bio = BIO.memory()
    bio.write(b"rest")
    bio.end()
    assert bio.read() == b"rest"
    assert bio.read() == bio.read() == b""


def test_a_memory_bio_over_bytes_is_read_only_and_ends() -> None:
    bio = BIO.memory(b"fixed")
    gc.collect()
    assert bio.read() == b"fixed"
    assert bio.read() == b""
    with pytest.raises(pyossl.Error):
        bio.write(b"x")


def test_a_large_block_goes_through_memory_whole() -> None:
    block = bytes(range(256)) * 20000
    bio = BIO.memory()
    assert bio.write(block) == len(block)
    assert bio.read() == block


@pytest.mark.parametrize("wrong", ["text", 5, None])
def test_only_bytes_are_written(wrong: object) -> None:
    with pytest.raises(TypeError):
        BIO.memory().write(wrong)  # type: ignore[arg-type]


def test_only_bytes_are_read_from() -> None:
    with pytest.raises(TypeError):
        BIO.memory("text")  # type: ignore[arg-type]


def test_empty_writes_and_reads_do_nothing() -> None:
    """docs/pitfalls.md, 7."""
    bio = BIO.memory()
    assert bio.write(b"") == 0
    bio.write(b"x")
    assert bio.read(0) == b""
    assert bio.read() == b"x"


def test_a_stale_entry_is_no_failure_of_an_end() -> None:
    """docs/pitfalls.md, 1."""
    bio = BIO.memory(b"")
    leave_a_stale_entry()
    assert bio.read() == b""
    leave_a_stale_entry()
    first, _ = BIO.pair(1, 1)
    leave_a_stale_entry()
    assert first.write(b"xx") == 1
    leave_a_stale_entry()
    assert first.write(b"x") is Want.WRITE


# Pairs


@pytest.mark.feature("BIO pair")
def test_each_half_of_a_pair_reads_what_the_other_was_given() -> None:
    first, second = BIO.pair()
    assert first.read() is second.read() is Want.READ
    assert first.write(b"to second") == 9
    assert second.write(b"to first") == 8
    assert first.read() == b"to first"
    assert second.read() == b"to second"


def test_a_full_half_takes_no_more_until_it_is_read() -> None:
    first, second = BIO.pair(10, 20)
    assert (first.room, second.room) == (10, 20)
    assert first.write(b"x" * 15) == 10
    assert first.room == 0
    assert first.write(b"y") is Want.WRITE
    assert second.pending == 10
    assert second.read(4) == b"xxxx"
    assert first.write(b"yyyyyy") == 4
    assert second.read() == b"xxxxxxyyyy"


def test_the_other_half_sees_the_end_after_the_rest() -> None:
    first, second = BIO.pair()
    first.write(b"rest")
    first.end()
    assert second.read() == b"rest"
    assert second.read() == b""
    with pytest.raises(pyossl.Error):
        first.write(b"more")


def test_bytes_written_to_a_half_can_be_read_after_it_was_dropped() -> None:
    first, second = BIO.pair()
    first.write(b"x")
    del first
    gc.collect()
    assert second.read() == b"x"
    assert second.read() is Want.READ


@pytest.mark.parametrize("sizes", [(-1, 0), (0, -1)])
def test_a_pairs_size_is_not_negative(sizes: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="size is 0 to"):
        BIO.pair(*sizes)


# Sockets


def test_a_socket_bio_moves_bytes_and_waits_as_its_socket_does(tcp: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = tcp
    ours.setblocking(False)
    bio = BIO.socket(ours)
    assert bio.read() is Want.READ
    theirs.sendall(b"hello")
    ours.settimeout(10)
    ours.recv(1, socket.MSG_PEEK)
    assert bio.read() == b"hello"
    assert bio.write(b"back") == 4
    assert theirs.recv(10) == b"back"
    ours.setblocking(False)
    while bio.write(b"x" * 65536) is not Want.WRITE:
        pass


def test_a_socket_bio_sees_the_end(tcp: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = tcp
    ours.setblocking(True)
    theirs.close()
    assert BIO.socket(ours).read() == b""


def test_a_reset_is_an_oserror_and_no_end(tcp: tuple[socket.socket, socket.socket]) -> None:
    """docs/pitfalls.md, 3."""
    ours, theirs = tcp
    ours.setblocking(True)
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    theirs.close()
    bio = BIO.socket(ours)
    with pytest.raises(ConnectionResetError) as caught:
        bio.read()
    assert isinstance(caught.value, pyossl.TransportError)
    with pytest.raises(BrokenPipeError):
        bio.write(b"x")


@pytest.mark.feature("socket BIO without SIGPIPE")
def test_a_peer_that_is_gone_is_no_sigpipe() -> None:
    """docs/pitfalls.md, 22: in a process that does not ignore the signal, as Python does."""
    script = """
import signal, socket, pyossl
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
ours, theirs = socket.socketpair()
theirs.close()
try:
    pyossl.BIO.socket(ours).write(b"x")
except BrokenPipeError:
    print("told")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "told\n"), done.stderr


def test_the_socket_stays_its_owners(tcp: tuple[socket.socket, socket.socket]) -> None:
    """docs/pitfalls.md, 20."""
    ours, theirs = tcp
    bio = BIO.socket(ours)
    del bio
    gc.collect()
    ours.sendall(b"open")
    assert theirs.recv(10) == b"open"


def test_a_closed_socket_has_no_bio(tcp: tuple[socket.socket, socket.socket]) -> None:
    tcp[0].close()
    with pytest.raises(pyossl.UsageError, match="closed"):
        BIO.socket(tcp[0])


def test_a_bio_type_is_registered_once(tcp: tuple[socket.socket, socket.socket]) -> None:
    """docs/pitfalls.md, 20: "BIO_METHOD type indexes run out at 127: create each method once." """
    types = {lib.BIO_method_type(BIO.socket(tcp[0])._bio) for _ in range(300)}
    assert len(types) == 1


# Ownership


def test_a_bio_outlives_its_connection(server_context: pyossl.Context) -> None:
    """docs/pitfalls.md, 20: "`SSL_set_bio` takes ownership by odd rules: `up_ref` each BIO." """
    for same in (True, False):
        reader = BIO.memory()
        writer = reader if same else BIO.memory()
        connection = pyossl.Connection(server_context, bio=(reader, writer))
        connection.close()
        del connection
        gc.collect()
        for each in {id(reader): reader, id(writer): writer}.values():
            assert each.write(b"alive") == 5
            assert each.read() == b"alive"


def test_a_connection_keeps_its_bio_alive(server_context: pyossl.Context) -> None:
    """docs/pitfalls.md, 20."""
    inside, outside = BIO.pair()
    connection = pyossl.Connection(server_context, bio=inside)
    del inside
    gc.collect()
    outside.write(b"\x00" * 100)
    with pytest.raises(pyossl.Error):
        connection.handshake()


def test_a_thousand_connections_leave_no_bio_behind() -> None:
    """docs/pitfalls.md, 20: neither freed twice nor leaked, in either order."""
    script = """
import gc, resource, pyossl
context = pyossl.Context.client(verify=False)
def once(n):
    first, second = pyossl.BIO.pair(1 << 16, 1 << 16)
    bios = [first, (first, pyossl.BIO.memory()), None][n % 3]
    connection = pyossl.Connection(context, bio=bios)
    connection.handshake()
    if n % 2:
        del first, second, bios
    connection.close()
for n in range(600):
    once(n)
gc.collect()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for n in range(3000):
    once(n)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    grown = int(done.stdout) * (1 if sys.platform == "darwin" else 1024)
    assert grown < 8 << 20, "3000 pairs of 128 KiB would be 384 MiB"


def test_the_bytes_under_a_memory_bio_live_as_long_as_its_pointer() -> None:
    """BIO_new_mem_buf(3) does not copy them: they must live as long as the pointer."""
    pointer = BIO.memory(bytes(range(256)) * 4096)._bio
    others = [bytes([n]) * (1 << 20) for n in range(8)]
    buffer, done = ffi.new("char[]", 1 << 20), pyossl.ffi.new("size_t *")
    assert lib.BIO_read_ex(pointer, buffer, 1 << 20, done) == 1
    assert bytes(ffi.buffer(buffer, done[0])) == bytes(range(256)) * 4096
    assert len(others) == 8
