"""BIOs: the byte transports that OpenSSL reads from and writes to.

A ``BIO`` owns one reference to its ``BIO *``.  Whoever hands the pointer to OpenSSL for keeping takes a reference of
its own first (``reference``), because SSL_set_bio(3) and its kin take over what they are given.  The two halves of a
pair touch each other's memory: they share one lock, and a ``Connection`` over a BIO works under that BIO's lock.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from pyossl._lib import ffi, lib, own, text
from pyossl.errors import UsageError, check, check_ptr, failed, transport_error
from pyossl.outcome import Failure, Want, take_records

if TYPE_CHECKING:
    import socket

_CHUNK = 16384


INHERITED = "it was made before this process was forked, and is the parent's"


class Lock:
    """Whose turn it is, for a ``with`` statement; re-entrant.  See pyossl/_c/lock.c."""

    __slots__ = ("pointer",)

    def __init__(self) -> None:
        self.pointer = own(check_ptr(lib.pyossl_lock_new(), "making a lock"), lib.pyossl_lock_free)

    def acquire(self, blocking: bool = True) -> bool:
        """Whether the lock is ours now, until ``release``; raises ``UsageError`` where it is a parent process's."""
        if lib.pyossl_lock_is_inherited(self.pointer):
            raise UsageError(f"the BIO cannot be used: {INHERITED}")
        return bool((lib.pyossl_lock_acquire if blocking else lib.pyossl_lock_try)(self.pointer))

    def release(self) -> None:
        lib.pyossl_lock_release(self.pointer)

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        lib.pyossl_lock_release(self.pointer)


class BIO:
    """A transport of bytes.  bio(7)

    Made by ``BIO.memory``, ``BIO.pair`` and ``BIO.socket``; a BIO is given to ``Connection(context, bio=…)`` or read
    and written directly.
    """

    def __init__(self, pointer: Any, *, keep: object = None, lock: Lock | None = None) -> None:
        self._bio = pointer
        self._keep = keep
        self.lock = lock if lock is not None else Lock()

    @classmethod
    def memory(cls, data: bytes | None = None) -> BIO:
        """A BIO whose bytes are kept in memory: what is written to it can be read from it.

        With ``data`` it is read-only, holds these bytes and then is at its end; without, an empty one answers
        ``Want.READ``.  BIO_s_mem(3)
        """
        if data is None:
            return cls(own(check_ptr(lib.BIO_new(lib.BIO_s_mem()), "BIO_new"), lib.BIO_free))
        if not isinstance(data, bytes):
            raise TypeError(f"a memory BIO is made from bytes, not {type(data).__name__}")
        if len(data) > 0x7FFFFFFF:
            raise ValueError(f"a memory BIO holds at most 2 GiB, not {len(data)} bytes")
        # BIO_new_mem_buf(3) borrows the bytes: they live as long as the BIO.
        copy = ffi.from_buffer(data)
        return cls(own(check_ptr(lib.BIO_new_mem_buf(copy, len(data)), "BIO_new_mem_buf"), lib.BIO_free), keep=copy)

    @classmethod
    def pair(cls, first_size: int = 0, second_size: int = 0) -> tuple[BIO, BIO]:
        """Two BIOs, each of which reads what was written to the other.

        Each holds at most so many unread bytes that were written to it (0: OpenSSL's default, 17 KiB); a full one
        answers ``Want.WRITE``.  BIO_new_bio_pair(3)
        """
        if first_size < 0 or second_size < 0:
            raise ValueError(f"a BIO's size cannot be negative: {first_size}, {second_size}")
        halves = ffi.new("BIO *[2]")
        check(lib.BIO_new_bio_pair(halves, first_size, halves + 1, second_size), "BIO_new_bio_pair")
        first, second = own(halves[0], lib.BIO_free), own(halves[1], lib.BIO_free)
        lock = Lock()
        # Each keeps both: to free a half writes into the other, which a thread may be using.
        return cls(first, keep=second, lock=lock), cls(second, keep=first, lock=lock)

    @classmethod
    def socket(cls, sock: socket.socket | int) -> BIO:
        """A BIO over a connected socket, or over its descriptor, which stays the caller's to close.

        Whether its calls wait is the socket's own setting: a blocking socket's calls do, and hold the connection's
        lock meanwhile.  A peer that has hung up is an error and never a SIGPIPE.  BIO_s_socket(3)
        """
        fd = sock if isinstance(sock, int) else sock.fileno()
        if fd < 0:
            raise UsageError("the socket is closed")
        pointer = check_ptr(lib.pyossl_socket_bio(fd), "BIO_new")
        return cls(own(pointer, lib.BIO_free), keep=sock)

    def reference(self) -> Any:
        """The ``BIO *`` with a reference more, for an OpenSSL function that takes it over.  BIO_up_ref(3)"""
        check(lib.BIO_up_ref(self._bio), "BIO_up_ref")
        return self._bio

    def read(self, size: int = -1) -> bytes | Want:
        """At most ``size`` bytes, or all that are there; ``b""`` at the end, a ``Want`` where there is none yet.

        Raises ``Error`` or ``TransportError``.  BIO_read_ex(3)
        """
        with self.lock:
            there = max(lib.BIO_ctrl_pending(self._bio), _CHUNK)
            size = there if size < 0 else min(size, there)
            if size == 0:
                return b""
            buffer, done = ffi.new("unsigned char[]", size), ffi.new("size_t *")
            lib.pyossl_clear_errors()
            if lib.BIO_read_ex(self._bio, buffer, size, done) == 1:
                return bytes(ffi.buffer(buffer, done[0]))
            return self._waits("BIO_read_ex") or b""

    def write(self, data: bytes | bytearray | memoryview) -> int | Want:
        """Writes ``data``; the number of bytes taken, or a ``Want`` where there is no room.

        Raises ``TypeError`` for anything but bytes, ``Error`` or ``TransportError``.  BIO_write_ex(3)
        """
        if isinstance(data, str):
            raise TypeError("a BIO takes bytes, not str")
        with self.lock, ffi.from_buffer(data) as buffer:
            if len(buffer) == 0:
                return 0
            done = ffi.new("size_t *")
            lib.pyossl_clear_errors()
            if lib.BIO_write_ex(self._bio, buffer, len(buffer), done) == 1:
                return int(done[0])
            if want := self._waits("BIO_write_ex"):
                return want
            raise failed("BIO_write_ex")

    def _waits(self, operation: str) -> Want | None:
        """Why a call did not succeed: a ``Want``, or None at the end of the data; raises when it has failed."""
        if lib.BIO_should_retry(self._bio):
            take_records()
            return Want.WRITE if lib.BIO_should_write(self._bio) else Want.READ
        number = lib.pyossl_bio_errno(self._bio)
        if lib.ERR_peek_error() != 0:
            raise failed(operation)
        if number != 0:
            raise transport_error(
                number, f"{os.strerror(number)}: {operation} failed", Failure(operation, errno=number)
            )
        return None

    @property
    def pending(self) -> int:
        """How many bytes can be read now.  BIO_ctrl_pending(3)"""
        with self.lock:
            return int(lib.BIO_ctrl_pending(self._bio))

    @property
    def room(self) -> int:
        """How many bytes a half of a pair is certain to take now.  BIO_ctrl_get_write_guarantee(3)"""
        with self.lock:
            return int(lib.BIO_ctrl_get_write_guarantee(self._bio))

    def end(self) -> None:
        """Says that no more will be written: the reader of a memory BIO, or of the other half, then sees the end.

        BIO_set_mem_eof_return(3), BIO_shutdown_wr(3)
        """
        with self.lock:
            if text(lib.BIO_method_name(self._bio)) == "memory buffer":
                lib.BIO_set_mem_eof_return(self._bio, 0)
            else:
                lib.BIO_shutdown_wr(self._bio)

    def __repr__(self) -> str:
        return f"<BIO {text(lib.BIO_method_name(self._bio))}>"
