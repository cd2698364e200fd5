"""BIOs over descriptors and files, and BIOs that connect, accept and send datagrams, over the loopback."""

from __future__ import annotations

import os
import select
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pairs import take_turns

import pyossl
from pyossl import BIO, AcceptBIO, BufferFilter, ConnectBIO, DatagramBIO, Want, lib


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    yield reader, writer
    for fd in (reader, writer):
        try:
            os.close(fd)
        except OSError:
            continue  # the test has closed it


def ready(bio: BIO, want: Want) -> None:
    """Waits for the descriptor of a BIO, according to its ``Want``."""
    readers = [bio] if want in (Want.READ, Want.ACCEPT) else []
    writers = [bio] if want in (Want.WRITE, Want.CONNECT) else []
    assert any(select.select(readers, writers, [], 20)), f"never ready: {want}"


def finish(bio: BIO) -> None:
    while (want := bio.handshake()) is not None:
        ready(bio, want)


def read(bio: BIO, size: int = -1) -> bytes:
    while isinstance(data := bio.read(size), Want):
        ready(bio, data)
    return data


# Descriptors and files


@pytest.mark.feature("fd BIO")
def test_a_descriptors_bio_moves_bytes_waits_and_ends(pipe: tuple[int, int]) -> None:
    reading, writing = BIO.fd(pipe[0]), BIO.fd(pipe[1])
    assert reading.read() is Want.READ
    assert writing.write(b"hello\0") == 6
    assert reading.read() == b"hello\0"
    while writing.write(bytes(65536)) is not Want.WRITE:
        pass
    os.close(pipe[1])
    while reading.read() != b"":
        pass
    assert (reading.fileno(), str(reading)) == (pipe[0], "fd")


def test_a_descriptor_is_closed_with_its_bio_where_that_is_said(pipe: tuple[int, int]) -> None:
    kept, closed = BIO.fd(pipe[0]), BIO.fd(pipe[1], close=True)
    kept.close()
    closed.close()
    assert os.read(pipe[0], 1) == b""
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(pipe[1])


def test_a_failed_descriptor_is_an_oserror_and_no_end() -> None:
    """docs/pitfalls.md, 3: the errno is that of the failed call, even if another call has changed errno since."""
    bio = BIO.fd(os.open("/", os.O_RDONLY), close=True)
    with pytest.raises(IsADirectoryError) as caught:
        bio.read()
    assert isinstance(caught.value, pyossl.TransportError)


def test_a_bio_without_a_descriptor_says_so() -> None:
    with pytest.raises(pyossl.UsageError, match="buffer → memory has no descriptor"):
        BufferFilter().push(BIO.memory()).fileno()
    with pytest.raises(pyossl.UsageError, match="the descriptor is closed"):
        BIO.fd(-1)


@pytest.mark.feature("file BIO")
def test_a_file_is_written_sought_and_read(tmp_path: Path) -> None:
    path = tmp_path / "ä file"
    with BIO.file(path, "wb") as bio:
        assert bio.write(b"hello\0\xff") == 7
    with BIO.file(path) as bio:
        assert bio.read(2) == b"he"
        assert bio.tell() == 2
        bio.seek(5)
        assert bio.read() == b"\0\xff"
        assert bio.read() == b""
    assert path.read_bytes() == b"hello\0\xff"


def test_a_file_that_cannot_be_opened_is_an_oserror(tmp_path: Path) -> None:
    """docs/pitfalls.md, 3."""
    with pytest.raises(FileNotFoundError, match="none"):
        BIO.file(tmp_path / "none")
    with pytest.raises(ValueError, match="the mode is 'rb', not 'r'"):
        BIO.file(tmp_path / "none", "r")
    with pytest.raises(ValueError, match="NUL"):
        BIO.file("a\0b")


@pytest.mark.feature("null BIO")
def test_null_discards_writes_and_reads_nothing() -> None:
    bio = BIO.null()
    assert bio.write(b"x" * 100_000) == 100_000
    assert bio.read() == b""
    assert str(bio) == "null"


@pytest.mark.parametrize("popped", [0, 1, 2])
def test_a_popped_bio_is_freed_with_its_last_reference(pipe: tuple[int, int], popped: int) -> None:
    """docs/pitfalls.md, 20: a chain leaves no reference behind: its descriptor gets closed."""
    chain = [BufferFilter(), BufferFilter(), BIO.fd(pipe[1], close=True)]
    chain[0].push(chain[1]).push(chain[2])
    chain[popped].pop()
    assert os.fstat(pipe[1])
    chain.clear()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(pipe[1])


@pytest.mark.parametrize("kind", ["fd", "file", "last bytes", "connect", "accept", "buffered fd", "tls"])
def test_a_reader_that_is_gone_is_no_sigpipe(kind: str, tmp_path: Path) -> None:
    """docs/pitfalls.md, 22: in a process that does not ignore the signal, as Python does; the mask is restored."""
    script = """
import os, signal, socket, struct, sys, pyossl
from pyossl import BIO, AcceptBIO, BufferFilter, ConnectBIO, Want
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
kind = sys.argv[1]
def hang_up(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
def pipe():
    reader, writer = os.pipe()
    os.close(reader)
    return writer
if kind == "fd":
    bio = BIO.fd(pipe())
elif kind == "buffered fd":
    bio = BufferFilter().push(BIO.fd(pipe()))
elif kind in ("file", "last bytes"):
    os.mkfifo(sys.argv[2])
    reader = os.open(sys.argv[2], os.O_RDONLY | os.O_NONBLOCK)
    bio = BIO.file(sys.argv[2], "wb")
    os.close(reader)
    if kind == "last bytes":
        bio.write(b"held back")
        bio.close()
        print("told")
        sys.exit()
elif kind == "connect":
    listener = socket.create_server(("127.0.0.1", 0))
    bio = ConnectBIO(listener.getsockname())
    assert bio.handshake() is None
    hang_up(listener.accept()[0])
elif kind == "accept":
    bio = AcceptBIO(("127.0.0.1", 0))
    client = socket.create_connection(bio.address)
    bio.handshake()
    hang_up(client)
else:
    bio = BIO.fd(pipe())
try:
    if kind == "tls":
        pyossl.Connection(pyossl.Context.client(verify=False), bio=(BIO.memory(), bio)).handshake()
    for _ in range(3):
        bio.write(b"x" * 8192)
        bio.flush()
except (BrokenPipeError, ConnectionResetError):
    try:
        bio.write(b"x" * 8192)
        bio.flush()
    except BrokenPipeError:
        print("told")
assert signal.SIGPIPE not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
assert signal.SIGPIPE not in signal.sigpending()
"""
    done = subprocess.run([sys.executable, "-c", script, kind, str(tmp_path / "fifo")], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "told\n"), done.stderr


# TCP


@pytest.mark.feature("accept BIO")
@pytest.mark.feature("connect BIO")
@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_a_bio_connects_and_another_accepts(host: str) -> None:
    listener = AcceptBIO((host, 0))
    client = ConnectBIO((host, listener.address[1]))
    assert client.handshake() is None
    server = listener.accepted()
    assert isinstance(server, BIO)
    assert client.write(b"ping") == 4
    assert server.read(4) == b"ping"
    assert server.write(b"pong") == 4
    assert client.read(4) == b"pong"
    client.close()
    assert server.read() == b""
    assert [str(bio) for bio in (listener, server)] == ["accept", "socket"]


def test_a_bio_that_connects_or_accepts_without_blocking_returns_its_want() -> None:
    """CONNECT and ACCEPT are results of their own, not READ or WRITE."""
    listener = AcceptBIO(("127.0.0.1", 0), blocking=False)
    assert listener.accepted() is Want.ACCEPT
    assert BufferFilter().push(listener).read() is Want.ACCEPT
    client = BufferFilter().push(ConnectBIO(listener.address, blocking=False))
    assert client.handshake() in (Want.CONNECT, None)
    finish(client)
    ready(listener, Want.ACCEPT)
    server = listener.accepted()
    assert isinstance(server, BIO)
    assert server.read() is client.read() is Want.READ
    client.write(b"x")
    client.flush()
    assert read(server) == b"x"
    assert listener.accepted() is Want.ACCEPT


def test_nobody_listening_is_an_oserror() -> None:
    """docs/pitfalls.md, 3."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    with pytest.raises(ConnectionRefusedError):
        finish(ConnectBIO(address, blocking=False))
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(OSError, match="in use"):
        AcceptBIO(listener.getsockname())


def test_a_reset_of_a_connection_is_an_oserror_and_no_end() -> None:
    """docs/pitfalls.md, 3."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = ConnectBIO(listener.getsockname())
        finish(client)
        theirs = listener.accept()[0]
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        theirs.close()
        with pytest.raises(ConnectionResetError):
            client.read()


@pytest.mark.parametrize("address", [("127.0.0.1", 65536), ("127.0.0.1", -1), ("", 1), ("a]b", 1), ("a\0b", 1)])
def test_an_impossible_address_is_refused(address: tuple[str, int]) -> None:
    for kind in (ConnectBIO, AcceptBIO):
        with pytest.raises(ValueError, match=r"a port is|is not a host"):
            kind(address)


def test_tls_goes_over_bios_that_connect_and_accept(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    listener = AcceptBIO(("127.0.0.1", 0), blocking=False)
    server = pyossl.Connection(server_context, bio=listener)
    assert server.handshake() is Want.ACCEPT
    client = pyossl.Connection(client_context, "localhost", bio=ConnectBIO(listener.address, blocking=False))
    take_turns(client, server)
    client.write(b"ping")
    while isinstance(data := server.read(), Want):
        ready(listener, data)
    assert data == b"ping"
    with pytest.raises(pyossl.UsageError, match="accept is under a connection"):
        listener.accepted()


# Datagrams


@pytest.fixture
def udp() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.socket(type=socket.SOCK_DGRAM) as first, socket.socket(type=socket.SOCK_DGRAM) as second:
        for sock in (first, second):
            sock.bind(("127.0.0.1", 0))
            sock.setblocking(False)
        yield first, second


@pytest.mark.feature("datagram BIO")
@pytest.mark.parametrize("connected", [False, True])
def test_each_write_is_a_datagram_and_each_read_one(udp: tuple[socket.socket, socket.socket], connected: bool) -> None:
    first, second = udp
    if connected:
        first.connect(second.getsockname())
    one = DatagramBIO(first) if connected else DatagramBIO(first, second.getsockname())
    other = DatagramBIO(second)
    assert one.peer == second.getsockname()
    assert other.peer is None
    assert one.read() is Want.READ
    assert one.write(b"one") == 3
    assert one.write(b"two") == 3
    assert [read(other), read(other)] == [b"one", b"two"]
    assert other.peer == first.getsockname()
    other.write(b"back")
    assert read(one) == b"back"
    assert (one.fileno(), str(one)) == (first.fileno(), "datagram")


def test_a_connected_sockets_datagrams_go_to_one_address(udp: tuple[socket.socket, socket.socket]) -> None:
    udp[0].connect(udp[1].getsockname())
    with pytest.raises(pyossl.UsageError, match="the socket is connected"):
        DatagramBIO(udp[0], udp[1].getsockname())


def test_a_pair_of_datagrams_keeps_their_bounds_or_this_openssl_has_none() -> None:
    if not lib.HAVE_API_3_2:
        with pytest.raises(pyossl.UnsupportedError, match="has no BIO_s_dgram_pair"):
            DatagramBIO.pair()
        return
    first, second = DatagramBIO.pair()
    assert second.read() is Want.READ
    first.write(b"one")
    first.write(b"two")
    assert [second.read(), second.read()] == [b"one", b"two"]
    assert second.read() is Want.READ
