"""MemoryBIO: bytes between a connection and the program, as those of Python's own ``_ssl``."""

from __future__ import annotations

import contextlib
import gc
import threading
import weakref
from array import array
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from served import Task
from stdlib.original_ssl import original, with_original
from stdlib.ssl_over_pyossl import MemoryPair, ssl

from pyossl.core import ffi
from pyossl.core.methods_in_c import queue_of

CALLS: list[Callable[[Any], Any]] = [
    lambda bio: bio.read(),
    lambda bio: bio.write(b"hello"),
    lambda bio: (bio.pending, bio.eof),
    lambda bio: bio.read(0),
    lambda bio: bio.read(2),
    lambda bio: bio.read(True),
    lambda bio: bio.read(-5),
    lambda bio: bio.write(bytearray(b"xy")),
    lambda bio: bio.write(memoryview(b"abc")[1:]),
    lambda bio: bio.write(array("i", [1, 2])),
    lambda bio: bio.write(b""),
    lambda bio: bio.read(1000),
    lambda bio: bio.write(memoryview(b"abcd")[::2]),
    lambda bio: bio.write("text"),
    lambda bio: bio.write(None),
    lambda bio: bio.write(1),
    lambda bio: bio.write(),
    lambda bio: bio.read(None),
    lambda bio: bio.read("1"),
    lambda bio: bio.read(1.5),
    lambda bio: bio.read(1, 2),
    lambda bio: bio.read(size=1),
    lambda bio: bio.write_eof(1),
    lambda bio: bio.write(b"last"),
    lambda bio: bio.write_eof(),
    lambda bio: (bio.pending, bio.eof),
    lambda bio: bio.write_eof(),
    lambda bio: bio.read(3),
    lambda bio: bio.eof,
    lambda bio: bio.read(3),
    lambda bio: (bio.pending, bio.eof),
    lambda bio: bio.read(),
    lambda bio: setattr(bio, "eof", False),
    lambda bio: setattr(bio, "pending", 0),
]


def answer(bio: Any, call: Callable[[Any], Any]) -> Any:
    try:
        return call(bio)
    except Exception as error:
        return type(error)


@with_original
def test_each_call_has_the_result_of_the_original() -> None:
    ours, theirs = ssl.MemoryBIO(), original.MemoryBIO()
    assert [answer(ours, call) for call in CALLS] == [answer(theirs, call) for call in CALLS]


def test_nothing_can_be_written_after_write_eof() -> None:
    bio = ssl.MemoryBIO()
    bio.write(b"before")
    bio.write_eof()
    with pytest.raises(ssl.SSLError) as caught:
        bio.write(b"")
    assert caught.value.args == ("cannot write() after write_eof()",)
    assert bio.read() == b"before"
    assert bio.eof


def test_a_size_that_no_memory_has_is_an_overflow() -> None:
    with pytest.raises(OverflowError):
        ssl.MemoryBIO().read(1 << 80)


def test_many_bytes_come_out_in_their_order() -> None:
    bio, written, read = ssl.MemoryBIO(), bytearray(), bytearray()
    for n in range(2000):
        piece = bytes([n % 256]) * (n % 37)
        bio.write(piece)
        written += piece
        if n % 3 == 0:
            read += bio.read(n % 50)
    assert bio.pending == len(written) - len(read)
    assert bytes(read) + bio.read() == bytes(written)


def test_threads_neither_lose_nor_repeat_bytes() -> None:
    bio, got, ended = ssl.MemoryBIO(), [], threading.Event()
    pieces = [bytes([n]) * 1000 for n in range(1, 5)]

    def read() -> None:
        while not ended.is_set() or bio.pending:
            got.append(bio.read(700))

    def write(piece: bytes) -> None:
        for _ in range(50):
            bio.write(piece)

    readers = [Task(read) for _ in range(2)]
    for writer in [Task(partial(write, piece)) for piece in pieces]:
        writer.result()
    ended.set()
    for reader in readers:
        reader.result()
    together = b"".join(got) + bio.read()
    assert [together.count(piece[:1]) for piece in pieces] == [50_000] * 4


def test_it_cannot_be_subclassed() -> None:
    with pytest.raises(TypeError, match="not an acceptable base type"):
        type("Own", (ssl.MemoryBIO,), {})


@pytest.mark.parametrize("arguments", [(b"",), (1, 2)])
def test_it_takes_no_arguments(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError, match="takes no arguments"):
        ssl.MemoryBIO(*arguments)


def test_it_lives_as_long_as_its_connection() -> None:
    pair = MemoryPair()
    bios = [weakref.ref(pair.to_client), weakref.ref(pair.to_server)]
    del pair.to_client, pair.to_server
    pair.handshake()
    assert pair.client.version() is not None
    assert all(bio() is not None for bio in bios)
    del pair
    gc.collect()
    assert all(bio() is None for bio in bios)


def test_the_connection_ends_before_it() -> None:
    pair = MemoryPair().handshake()
    pair.client.write(b"to be read later")
    left = pair.to_server
    del pair
    assert left.pending > 16


def test_bytes_after_close_notify_stay_in_it() -> None:
    pair = MemoryPair().handshake()
    for side in pair.client, pair.server:
        with contextlib.suppress(ssl.SSLWantReadError):
            side.unwrap()
    pair.to_client.write(b"not TLS any more")
    assert pair.client.unwrap() is None
    assert pair.to_client.read() == b"not TLS any more"


def test_eof_ends_the_connection_that_reads_it() -> None:
    pair = MemoryPair().handshake()
    pair.server.write(b"last words")
    pair.to_client.write_eof()
    assert pair.client.read(100) == b"last words"
    with pytest.raises(ssl.SSLEOFError):
        pair.client.read(100)


def test_a_child_process_counts_the_bytes_anew_if_a_thread_of_the_parent_was_reading_them_at_the_fork() -> None:
    bio = ssl.MemoryBIO()
    bio.write(b"hello")
    lock, _, length = range(3)
    queue = ffi.cast("size_t *", queue_of(bio))
    assert (queue[lock], queue[length]) == (0, 5)
    queue[lock] = 1 << 30  # a thread of another process has it
    queue[length] = 99  # and had not yet taken off what it had read
    assert bio.pending == 5
    assert bio.read() == b"hello"
    assert bio.write(b"again") == 5
    assert bio.read() == b"again"
