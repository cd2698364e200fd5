"""Files over a connection: they have the classes of io, and lose nothing and send nothing twice."""

from __future__ import annotations

import contextlib
import io
import os
import random

import pytest
from served import SocketPair, Task, read_all, until

import pyossl


def test_lines_of_text_go_both_ways(sockets: SocketPair) -> None:
    client, server = sockets
    with client.makefile("rw", encoding="utf-8", newline="\r\n") as ours, server.makefile("rwb") as theirs:
        ours.write("grüße\n")
        ours.flush()
        assert theirs.readline() == "grüße\r\n".encode()
        theirs.write("zurück\r\n".encode())
        theirs.flush()
        assert ours.readline() == "zurück\r\n"


@pytest.mark.parametrize(
    ("mode", "buffering", "kind"),
    [
        ("rb", None, io.BufferedReader),
        ("wb", None, io.BufferedWriter),
        ("rwb", 100, io.BufferedRWPair),
        ("rb", 0, io.RawIOBase),
        ("rwb", 0, io.RawIOBase),
        ("r", None, io.TextIOWrapper),
        ("w", -1, io.TextIOWrapper),
    ],
)
def test_each_mode_has_io_s_class(sockets: SocketPair, mode: str, buffering: int | None, kind: type) -> None:
    client, server = sockets
    with client.makefile(mode, buffering, encoding=None if "b" in mode else "ascii") as file:
        assert isinstance(file, kind)
        assert (file.readable(), file.writable()) == ("r" in mode, "w" in mode)
        if kind is not io.BufferedRWPair:  # it has two files below, and so no descriptor
            assert file.fileno() == client.fileno()
        if not file.writable():
            with pytest.raises(io.UnsupportedOperation):
                file.write(b"x" if "b" in mode else "x")
        if not file.readable():
            with pytest.raises(io.UnsupportedOperation):
                file.read()
        if file.writable():
            file.write(b"x" if "b" in mode else "x")
            file.flush()
            assert server.recv(1) == b"x"


@pytest.mark.parametrize("mode", ["", "b", "a", "r+", "x", "rt"])
def test_a_mode_that_does_not_exist_is_refused(sockets: SocketPair, mode: str) -> None:
    with pytest.raises(ValueError, match="mode is made of"):
        sockets[0].makefile(mode)


def test_an_unbuffered_text_file_is_refused_and_leaves_nothing_open(sockets: SocketPair) -> None:
    client, server = sockets
    with pytest.raises(ValueError, match="always buffered"):
        client.makefile("r", 0)
    client.close()
    assert server.recv(1) == b""


def test_large_writes_arrive_whole(sockets: SocketPair) -> None:
    client, server = sockets
    data = random.Random(5).randbytes(5_000_000)

    def write() -> None:
        with client.makefile("wb") as file:
            for place in range(0, len(data), 70_001):
                file.write(data[place : place + 70_001])
        client.close()

    writing = Task(write)
    with server.makefile("rb") as file:
        assert file.read() == data
    writing.result()


def test_the_connection_lives_until_its_last_file_is_closed(sockets: SocketPair) -> None:
    client, server = sockets
    reader, writer = client.makefile("rb"), client.makefile("wb")
    client.close()
    server.sendall(b"to a file")
    assert reader.read(9) == b"to a file"
    reader.close()
    writer.write(b"from a file")
    writer.close()
    assert read_all(server) == b"from a file"
    assert client.fileno() == -1


def test_closing_a_file_leaves_the_connection_open(sockets: SocketPair) -> None:
    client, server = sockets
    client.makefile("rwb").close()
    client.sendall(b"open")
    assert server.recv(10) == b"open"


def test_a_file_closed_after_unwrap_does_not_close_the_plain_socket(sockets: SocketPair) -> None:
    client, server = sockets
    file = client.makefile("rb")
    unwrapping = Task(server.unwrap)
    with client.unwrap() as first, unwrapping.result() as second:
        file.close()
        first.sendall(b"plain")
        assert second.recv(10) == b"plain"


def test_a_truncation_is_not_an_end_of_file(sockets: SocketPair) -> None:
    """docs/pitfalls.md, 2 and 6: read() of a body that was cut off must not return it as if it were complete."""
    client, server = sockets
    server.sendall(b"half of a body")
    server._sock.shutdown(2)
    with client.makefile("rb") as file, pytest.raises(pyossl.TruncationError):
        file.read()


def test_a_file_that_does_not_wait_returns_none(sockets: SocketPair) -> None:
    client, server = sockets
    client.settimeout(0)
    with client.makefile("rwb", 0) as file:
        assert file.readinto(bytearray(10)) is None
        sent = 0
        while (count := file.write(bytes(100_000))) is not None:
            sent += count
    assert sent > 0
    received = 0
    while received < sent:
        received += len(server.recv(65536))


def test_a_file_is_not_read_again_after_a_timeout(sockets: SocketPair) -> None:
    """io.BufferedReader drops the data that it has read if a read raises, so reading on would leave a gap."""
    client, server = sockets
    with client.makefile("rb") as file:
        server.sendall(b"first half")
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            file.read(20)
        client.settimeout(5)
        server.sendall(b"other half")
        with pytest.raises(OSError, match="timed out"):
            file.read(10)


def test_a_flush_repeated_after_a_timeout_sends_nothing_twice(sockets: SocketPair) -> None:
    """io.BufferedWriter writes again all bytes that were not reported as written."""
    client, server = sockets
    data = os.urandom(10_000_000)
    client.settimeout(0.2)
    file = client.makefile("wb", len(data) + 1)
    file.write(data)
    with pytest.raises(TimeoutError):
        file.flush()
    client.settimeout(20)
    reading = Task(lambda: read_all(server))
    file.close()
    client.close()
    assert reading.result() == data


def test_a_reader_of_a_file_is_woken_when_the_last_file_is_closed(sockets: SocketPair) -> None:
    client, _ = sockets
    file = client.makefile("rb", 0)
    reading = Task(lambda: client.recv(1))
    until(lambda: client.connection.waiters == 1)
    client.close()
    file.close()
    with pytest.raises(pyossl.UsageError, match="closed"):
        reading.result()


def test_an_encoding_that_does_not_exist_leaves_no_file_open(sockets: SocketPair) -> None:
    client, server = sockets
    with contextlib.suppress(LookupError):
        client.makefile("r", encoding="no such encoding")
        pytest.fail("it has no such encoding")
    client.close()
    server.settimeout(5)
    assert server.recv(1) == b""
