"""``Socket.sendfile``: the bytes that are sent, the file's position, the deadline; and whether the kernel encrypts."""

from __future__ import annotations

import contextlib
import io
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from served import SocketPair, Task, read_all, tls_pair, until

import pyossl
from pyossl import BIO, Connection, Context, Options, lib
from pyossl.greenlets import wait_with

CONTENT = bytes(range(256)) * 5000  # longer than a block


@pytest.fixture
def file(tmp_path: Path) -> Iterator[BinaryIO]:
    (path := tmp_path / "file").write_bytes(CONTENT)
    with path.open("rb") as opened:
        yield opened


@pytest.mark.feature("sendfile")
@pytest.mark.parametrize(
    ("offset", "count"),
    [(0, None), (1000, None), (0, 10), (1_000_000, 300_000), (10, 10**9), (len(CONTENT), None), (10**9, 5)],
)
def test_the_bytes_of_the_range_are_sent(offset: int, count: int | None, sockets: SocketPair, file: BinaryIO) -> None:
    ours, theirs = sockets
    reading = Task(lambda: read_all(theirs))
    expected = CONTENT[offset:] if count is None else CONTENT[offset : offset + count]
    assert ours.sendfile(file, offset, count) == len(expected)
    ours.shutdown(socket.SHUT_WR)
    assert reading.result() == expected
    if expected:
        assert file.tell() == offset + len(expected)


def test_a_file_in_memory_can_be_sent(sockets: SocketPair) -> None:
    ours, theirs = sockets
    file = io.BytesIO(b"0123456789")
    file.seek(3)
    assert ours.sendfile(file) == 10  # the offset counts, not the position, as for a file of a plain socket
    assert theirs.recv(100) == b"0123456789"
    assert file.tell() == 10


def test_a_pipe_is_sent_to_its_end(sockets: SocketPair) -> None:
    ours, theirs = sockets
    reader, writer = os.pipe()
    os.write(writer, b"piped")
    os.close(writer)
    with open(reader, "rb") as pipe:
        with pytest.raises(ValueError, match="positions"):
            ours.sendfile(pipe, 1)
        assert ours.sendfile(pipe) == 5
    assert theirs.recv(100) == b"piped"


class Endless(io.RawIOBase):
    """A file of zero bytes without an end."""

    position = -1

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return bytes(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        self.position = offset
        return offset


@pytest.mark.parametrize("reads", [True, False], ids=["the peer reads", "the peer does not read"])
def test_the_deadline_is_for_the_whole_call_and_the_position_is_kept(reads: bool, sockets: SocketPair) -> None:
    ours, theirs = sockets
    ours.settimeout(0.3)
    reading = Task(lambda: read_all(theirs)) if reads else None
    start, file = time.monotonic(), Endless()
    with pytest.raises(TimeoutError, match=r"sending a file timed out after 0\.3 s"):
        ours.sendfile(file)
    assert 0.2 < time.monotonic() - start < 5
    assert file.position > 0
    ours.close()
    if reading is not None:
        with contextlib.suppress(pyossl.TLSError):  # the end, or a reset
            reading.result()


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ((io.BytesIO(b"x"), -1), ValueError),
        ((io.BytesIO(b"x"), 0, 0), ValueError),
        ((io.BytesIO(b"x"), 0, -1), ValueError),
        ((io.BytesIO(b"x"), "0"), TypeError),
        ((io.BytesIO(b"x"), 0, 1.5), TypeError),
        ((io.StringIO("x"),), TypeError),
        ((b"x",), TypeError),
        ((None,), TypeError),
        ((3,), TypeError),
    ],
)
def test_other_arguments_are_refused(arguments: tuple[Any, ...], kind: type[Exception], sockets: SocketPair) -> None:
    ours, theirs = sockets
    with pytest.raises(kind):
        ours.sendfile(*arguments)
    ours.sendall(b"fine")
    assert theirs.recv(10) == b"fine"


def test_a_text_file_and_a_socket_that_does_not_wait_are_refused(sockets: SocketPair, tmp_path: Path) -> None:
    (path := tmp_path / "text").write_text("text")
    ours, _ = sockets
    with path.open() as text, pytest.raises(ValueError, match="binary"):
        ours.sendfile(text)
    ours.settimeout(0)
    with pytest.raises(ValueError, match="timeout"):
        ours.sendfile(io.BytesIO(b"x"))


def test_a_greenlets_socket_waits_with_its_hub(
    sockets: SocketPair, file: BinaryIO, authority: pyossl.Authority
) -> None:
    waits: list[pyossl.Want] = []

    def wait(descriptor: int, want: pyossl.Want, seconds: float | None) -> None:
        waits.append(want)
        time.sleep(0.001)

    plain, other = socket.socketpair()
    credentials = authority.issue("example.com")
    serving = Context.server(credentials.certificate, credentials.private_key)
    wait_with(wait)
    try:
        accepting = Task(lambda: serving.wrap_socket(other))
        with Context.client(trust=authority.certificate).wrap_socket(plain, "example.com") as ours:
            theirs = accepting.result()
            reading = Task(lambda: read_all(theirs))
            assert ours.sendfile(file) == len(CONTENT)
            ours.shutdown(socket.SHUT_WR)
            assert reading.result() == CONTENT
            theirs.close()
    finally:
        wait_with(None)
    assert pyossl.Want.WRITE in waits


# Kernel TLS


def shake_hands_over(client: Connection, server: Connection) -> None:
    """Finishes the handshake over sockets.  With kernel TLS allowed, OpenSSL sends it in more pieces, which wait."""
    until(lambda: (client.handshake(), server.handshake()) == (None, None))


def kernel_has_tls() -> bool:
    """Whether a socket can be given to the kernel's TLS, which needs the module ``tls``."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as sock:
        try:
            sock.setsockopt(socket.SOL_TCP, 31, b"tls")  # TCP_ULP
        except OSError:
            return False
        return True


@pytest.mark.feature("a truthful answer about kernel TLS")
def test_a_socket_never_uses_kernel_tls(client_context: Context, server_context: Context) -> None:
    if lib.HAVE_API_3_0:
        for context in (client_context, server_context):
            context.options |= Options.ENABLE_KTLS
    ours, theirs = tls_pair(client_context, server_context)
    with ours, theirs:
        for side in (ours, theirs):
            assert not side.connection.uses_ktls_for_send
            assert not side.connection.uses_ktls_for_recv


@pytest.mark.feature("a truthful answer about kernel TLS")
@pytest.mark.parametrize("enabled", [True, False])
def test_over_openssls_own_bio_the_kernel_encrypts_if_it_can_and_may(
    enabled: bool, client_context: Context, server_context: Context
) -> None:
    enabled = enabled and bool(lib.HAVE_API_3_0)
    for context in (client_context, server_context):
        context.maximum_version = pyossl.Version.TLSv1_2
        context.set_cipher_list("ECDHE+AESGCM")
        if enabled:
            context.options |= Options.ENABLE_KTLS
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as first:
        second, _ = listener.accept()
        with second:
            for sock in (first, second):
                sock.setblocking(False)
            ours, theirs = (BIO(lib.BIO_new_socket(sock.fileno(), 0)) for sock in (first, second))
            client, server = Connection(client_context, "example.com", bio=ours), Connection(server_context, bio=theirs)
            shake_hands_over(client, server)
            assert client.uses_ktls_for_send == (enabled and bool(lib.HAVE_KTLS) and kernel_has_tls())
            assert client.write(b"data") == 4
            while (data := server.read(10)) is pyossl.Want.READ:
                pass
            assert data == b"data"
