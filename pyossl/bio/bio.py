"""BIOs: the byte transports that OpenSSL reads from and writes to, and the chains that they form.

Theory of operation
-------------------
A chain is a row of BIOs: filters, each of which changes the bytes on their way, and at its end a BIO that is their
source and their sink.  ``a.push(b)`` puts b below a; who reads from or writes to a does so through all that is below.

*Ownership.*  A ``BIO`` owns one reference to its ``BIO *``, and in a chain each ``BIO *`` owns one to the next, which
is what BIO_free_all(3), by which every one is freed, gives back.  So nothing is freed that is still pointed to,
whichever is dropped first, by Python or by an SSL.  In Python a BIO keeps the one below it, and knows the one above
while somebody keeps that.  OpenSSL's way back up, ``prev_bio``, is not kept right and never followed: BIO_pop(3) is not
used.  A function of OpenSSL's that keeps a pointer, such as SSL_set_bio(3), takes over a reference: it is given one of
its own (``reference``, and BIO_up_ref(3) in C).

*Locks.*  The two halves of a pair touch each other's memory, and the members of a chain are used by one call: they
share one lock, and a ``Connection`` over a BIO works under that BIO's lock.  A chain is changed only while nobody uses
it: no thread is in a call of it, and no open connection is over it.

*Ends.*  OpenSSL's filters use the BIO below without asking whether there is one.  A chain whose last member is a filter
is refused by C, in every call (``PYOSSL_INCOMPLETE`` in pyossl/_c/bio/bio_io.c), and when a connection is made over it;
the connection then keeps it from being changed.

*Waiting.*  A call that cannot go on now returns a ``Want``; it is to be repeated, a write with the same bytes.
"""

from __future__ import annotations

import os
import re
import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from pyossl.core.arguments import (
    LARGEST_INT,
    flag,
    index,
    instance,
    integer,
    number_shown,
    path as checked_path,
    pointer as checked_pointer,
)
from pyossl.core.binding import ffi, lib, own, release, text
from pyossl.core.copying import Uncopied
from pyossl.core.descriptors import descriptor_of, socket_descriptor
from pyossl.core.errors import Error, TLSError, UsageError, check, check_ptr, failed, transport_error
from pyossl.core.lock import Lock, TakenError
from pyossl.core.outcome import Failure, Want
from pyossl.core.parked_exceptions import take_parked

if TYPE_CHECKING:
    import socket
    from typing import Protocol

    class _Connection(Protocol):
        """A connection over a BIO, as far as the BIO knows it."""

        @property
        def closed(self) -> bool: ...


_CHUNK = 16384
_MODE = re.compile(r"[rwa][b+a-z]{1,6}")
_T = TypeVar("_T")
_B = TypeVar("_B", bound="BIO")

_WANTS = {-want.value: want for want in Want}

_NAMES = {
    lib.BIO_TYPE_ACCEPT: "accept",
    lib.BIO_TYPE_BASE64: "base64",
    lib.BIO_TYPE_BIO: "pair",
    lib.BIO_TYPE_BUFFER: "buffer",
    lib.BIO_TYPE_CIPHER: "cipher",
    lib.BIO_TYPE_CONNECT: "connect",
    lib.BIO_TYPE_DGRAM: "datagram",
    lib.BIO_TYPE_FD: "fd",
    lib.BIO_TYPE_FILE: "file",
    lib.BIO_TYPE_MD: "digest",
    lib.BIO_TYPE_MEM: "memory",
    lib.BIO_TYPE_NULL: "null",
    lib.BIO_TYPE_SOCKET: "socket",
}
"""The names of types by which the manual pages call them; OpenSSL's own are longer."""


class BIO(Uncopied):
    """A transport of bytes, or a filter on the way to one.  bio(7)

    Made by ``BIO.memory``, ``BIO.pair``, ``BIO.socket``, ``BIO.fd``, ``BIO.file`` and ``BIO.null``, and by the classes
    of pyossl/bio/network.py, pyossl/bio/filters.py and pyossl/bio/python.py; a BIO is given to ``Connection(context,
    bio=…)`` or read and written directly.  A ``with`` statement flushes and closes it, with all that is below.
    """

    def __init__(self, pointer: Any, *, keep: object = None, lock: Lock | None = None) -> None:
        self._bio = checked_pointer(pointer, "BIO *", "a BIO is made by BIO.memory and its like")
        self._keep = keep
        self._above: weakref.ref[BIO] | None = None
        self._below: BIO | None = None
        self._connections: list[weakref.ref[_Connection]] = []
        self._was_read = self._was_written = False
        self.lock = instance(lock, Lock, "a BIO's lock") if lock is not None else Lock()

    @classmethod
    def memory(cls, data: bytes | None = None) -> BIO:
        """A BIO whose bytes are kept in memory: what is written to it can be read from it.

        With ``data`` it is read-only, holds these bytes and then is at its end; without, an empty one answers
        ``Want.READ``.  BIO_s_mem(3)
        """
        if data is None:
            return BIO(own(check_ptr(lib.BIO_new(lib.BIO_s_mem()), "BIO_new"), lib.BIO_free_all))
        if not isinstance(data, bytes):
            raise TypeError(f"a memory BIO is made from bytes, not {type(data).__name__}")
        if len(data) > 0x7FFFFFFF:
            raise ValueError(f"a memory BIO holds at most 2 GiB, not {len(data)} bytes")
        # BIO_new_mem_buf(3) borrows the bytes: they live as long as the BIO.
        borrowed = ffi.from_buffer(data)
        pointer = check_ptr(lib.BIO_new_mem_buf(borrowed, len(data)), "BIO_new_mem_buf")
        return BIO(own(pointer, lib.BIO_free_all, borrowed), keep=borrowed)

    @classmethod
    def pair(cls, first_size: int = 0, second_size: int = 0) -> tuple[BIO, BIO]:
        """Two BIOs, each of which reads what was written to the other.

        Each holds at most so many unread bytes that were written to it (0: OpenSSL's default, 17 KiB); a full one
        answers ``Want.WRITE``.  BIO_new_bio_pair(3)
        """
        for size in (first_size, second_size):
            integer(size, "a BIO's size", 0, LARGEST_INT)
        halves = ffi.new("BIO *[2]")
        check(lib.BIO_new_bio_pair(halves, first_size, halves + 1, second_size), "BIO_new_bio_pair")
        first, second = own(halves[0], lib.BIO_free_all), own(halves[1], lib.BIO_free_all)
        lock = Lock()
        # Each keeps both: to free a half writes into the other, which a thread may be using.
        return BIO(first, keep=second, lock=lock), BIO(second, keep=first, lock=lock)

    @classmethod
    def socket(cls, sock: socket.socket | int) -> BIO:
        """A BIO over a connected socket, or over its descriptor, which stays the caller's to close.

        Whether its calls wait is the socket's own setting: a blocking socket's calls do, and hold the connection's
        lock meanwhile.  A peer that has hung up is an error and never a SIGPIPE.  Where the socket has been closed, and
        its descriptor's number is another's by now, that other is neither written to nor read from: every call raises
        ``TransportError`` with ``EBADF``, unless a thread closes the socket in that very moment.  BIO_s_socket(3)
        """
        pointer = lib.pyossl_bounded(lib.pyossl_socket_bio(socket_descriptor(sock), False))
        return BIO(own(check_ptr(pointer, "BIO_new"), lib.BIO_free_all, sock), keep=sock)

    @classmethod
    def own_socket(cls, descriptor: int) -> BIO:
        """A BIO over the blocking descriptor of a socket of pyossl's own: its calls never wait.  BIO_s_socket(3)"""
        return BIO(own(check_ptr(lib.pyossl_socket_bio(descriptor_of(descriptor), True), "BIO_new"), lib.BIO_free_all))

    @classmethod
    def fd(cls, file: Any, *, close: bool = False) -> BIO:
        """A BIO over a descriptor of any kind (a pipe, a terminal), or over a Python file that has one.

        With ``close`` it is closed with the BIO. A reader that has hung up is an error and never a SIGPIPE.  As for
        ``BIO.socket``, a number that is another file's by now is not used, and not closed.  BIO_s_fd(3)
        """
        how = lib.BIO_CLOSE if flag(close, "close") else lib.BIO_NOCLOSE
        descriptor = descriptor_of(file)
        guarded = lib.pyossl_guarded_of_caller(lib.BIO_new_fd(descriptor, how), descriptor)
        return BIO(own(check_ptr(guarded, "BIO_new_fd"), lib.BIO_free_all, file), keep=file)

    @classmethod
    def file(cls, path: str | bytes | os.PathLike[str] | os.PathLike[bytes], mode: str = "rb") -> BIO:
        """A BIO over a file that it opens, and closes with itself; ``mode`` is ``rb``, ``wb``, ``ab``, ``r+b`` or the
        like.

        Raises ``FileNotFoundError`` or another ``TransportError``.  BIO_new_file(3)
        """
        instance(mode, str, "the mode of a file")
        if "b" not in mode:
            raise ValueError(f"a BIO moves bytes: the mode is {mode[:9] + 'b'!a}, not {mode[:9]!a}")
        if not _MODE.fullmatch(mode):
            raise ValueError(f"the mode of a file is 'rb', 'wb', 'ab', 'r+b' or the like, not {mode[:9]!a}")
        name = os.fsencode(checked_path(path, "a BIO's file"))
        lib.pyossl_clear_errors()
        pointer = lib.pyossl_guarded(lib.BIO_new_file(name, mode.encode("ascii")))
        return BIO(own(check_ptr(pointer, f"opening {os.fsdecode(name)!r}"), lib.pyossl_guarded_free))

    @classmethod
    def null(cls) -> BIO:
        """A BIO that takes everything and gives nothing but its end.  BIO_s_null(3)"""
        return BIO(own(check_ptr(lib.BIO_new(lib.BIO_s_null()), "BIO_new"), lib.BIO_free_all))

    # Bytes

    def read(self, size: int = -1) -> bytes | Want:
        """At most ``size`` bytes, or all that are there; ``b""`` at the end, a ``Want`` where there is none yet.

        Raises ``Error`` or ``TransportError``, or what a BIO written in Python raised.  BIO_read_ex(3)
        """
        size = index(size, "the number of bytes to read")
        return self._in_turn(lambda: self._read(size))

    def _read(self, size: int) -> bytes | Want:
        there = _CHUNK if 0 <= size <= _CHUNK else max(self._pending(), _CHUNK)
        size = there if size < 0 else min(size, there)
        if size == 0:
            return b""
        self._was_read = True
        buffer = ffi.new("unsigned char[]", size)
        result = lib.pyossl_bio_read(self._bio, buffer, size)
        if result > 0:
            return bytes(ffi.buffer(buffer, result))
        if result == 0:
            self._check_end()
            return b""
        return self._waits(result, "BIO_read_ex")

    def write(self, data: bytes | bytearray | memoryview) -> int | Want:
        """Writes ``data``; the number of bytes taken, or a ``Want`` where there is no room.

        What a filter was given may stay in it until ``flush``.  Raises ``TypeError`` for anything but bytes, ``Error``
        or ``TransportError``, or what a BIO written in Python raised.  BIO_write_ex(3)
        """
        if isinstance(data, str):
            raise TypeError("a BIO takes bytes, not str")
        try:
            given = ffi.from_buffer(data)
        except BufferError as error:
            raise TypeError(f"a BIO takes bytes that follow one another: {error}") from error
        except ValueError as error:
            raise ValueError("a BIO takes bytes, and this memoryview has been released") from error
        with given as source:
            size = len(source)
            if size == 0:
                return 0
            self._was_written = True
            result = self._do("BIO_write_ex", lib.pyossl_bio_write, source, size)
            return result if isinstance(result, Want) else int(result)

    def readline(self, size: int = _CHUNK) -> bytes | Want:
        """A line with its end, or as much of it as ``size`` bytes hold; ``b""`` at the end, or a ``Want``.

        For a memory BIO or a ``BufferFilter``: the others would read byte by byte, or stop at a NUL.  BIO_gets(3)
        """
        kind = lib.BIO_method_type(self._pointer)
        if kind not in (lib.BIO_TYPE_MEM, lib.BIO_TYPE_BUFFER) or self.name == "prefix":  # OpenSSL's type is buffer's
            raise UsageError(f"{self.name} has no lines: push a BufferFilter on it")
        size = index(size, "the length of a line")
        if not 0 < size < 1 << 30:
            raise ValueError(f"a line has at least 1 byte and less than 1 GiB, not {number_shown(size)}")
        buffer = ffi.new("char[]", size + 1)
        result = self._do("BIO_gets", lib.pyossl_bio_line, buffer, size + 1)
        return result if isinstance(result, Want) else bytes(ffi.buffer(buffer, result))

    def flush(self) -> Want | None:
        """Sends on what the filters hold back, and says to those that have an end of their own (base64, cipher) that it
        is here; None when done, or a ``Want``.  BIO_flush(3)
        """
        result = self._do("BIO_flush", lib.pyossl_bio_control, lib.BIO_CTRL_FLUSH, 0, 1)
        return result if isinstance(result, Want) else None

    def handshake(self) -> Want | None:
        """Connects a chain that ends in a ``ConnectBIO``, or accepts for an ``AcceptBIO``; None when done, or a
        ``Want``.

        Raises ``TransportError``.  BIO_do_handshake(3)
        """
        result = self._do("BIO_do_handshake", lib.pyossl_bio_control, lib.BIO_C_DO_STATE_MACHINE, 0, 1)
        return result if isinstance(result, Want) else None

    @property
    def pending(self) -> int:
        """How many bytes can be read now.  BIO_ctrl_pending(3)"""
        return self._in_turn(self._pending)

    @property
    def room(self) -> int:
        """How many bytes a half of a pair is certain to take now.  BIO_ctrl_get_write_guarantee(3)"""
        command = lib.BIO_C_GET_WRITE_GUARANTEE
        return int(self._do("BIO_ctrl_get_write_guarantee", lib.pyossl_bio_control, command, 0, 0))

    def end(self) -> None:
        """Says that no more will be written: the reader of a memory BIO, or of the other half, then sees the end.

        What filters hold back is to be flushed before.  BIO_set_mem_eof_return(3), BIO_shutdown_wr(3)
        """
        last = self._last()
        if lib.BIO_method_type(last._pointer) == lib.BIO_TYPE_MEM:
            last._do("BIO_set_mem_eof_return", lib.BIO_set_mem_eof_return, 0)
        else:
            self._do("BIO_shutdown_wr", lib.pyossl_bio_control, lib.BIO_C_SHUTDOWN_WR, 0, 0)

    def seek(self, offset: int) -> None:
        """Goes on at ``offset``, in bytes from the start of a file, at most 2 GiB.  BIO_seek(3)"""
        offset = index(offset, "an offset")
        if not 0 <= offset <= 0x7FFFFFFF:
            raise ValueError(f"an offset is from 0 to 2 GiB, not {number_shown(offset)}")
        self._do("BIO_seek", lib.pyossl_bio_control, lib.BIO_C_FILE_SEEK, offset, 0)

    def tell(self) -> int:
        """Where in its file the BIO is, in bytes from the start.  BIO_tell(3)"""
        return int(self._do("BIO_tell", lib.pyossl_bio_control, lib.BIO_C_FILE_TELL, 0, 0))

    def fileno(self) -> int:
        """The descriptor at the chain's end, to wait for; raises ``UsageError`` where there is none.  BIO_get_fd(3)"""

        def descriptor() -> int:
            self._require_end()
            return self._last()._descriptor()

        fd = self._in_turn(descriptor)
        if fd < 0:
            raise UsageError(f"{self} has no descriptor")
        return fd

    # Chains

    @property
    def is_filter(self) -> bool:
        """Whether the BIO changes bytes on their way to another, which is to be pushed under it.  BIO_method_type(3)"""
        return bool(lib.BIO_method_type(self._pointer) & lib.BIO_TYPE_FILTER)

    @property
    def next(self) -> BIO | None:
        """The BIO below this one, None at the chain's end.  BIO_next(3)"""
        return self._below

    def push(self: _B, below: BIO) -> _B:
        """Puts ``below``, with all below that, at the end of this chain; returns this BIO.

        Raises ``UsageError`` where ``below`` is in another chain, where this one has an end already, and while either
        is in use, by a connection or by a call.  BIO_push(3)
        """
        if not isinstance(below, BIO):
            raise TypeError(f"a BIO is pushed, not {type(below).__name__}")
        _change([self, below], lambda: self._push(below))
        return self

    def _push(self, below: BIO) -> None:
        last = self._last()
        if not last.is_filter:
            raise UsageError(f"{self} is complete: {last.name} is a source and a sink, and nothing goes below it")
        if below._upper() is not None:
            raise UsageError(f"{below.name} is in another chain: {below._head()}")
        if below is self._head():
            raise UsageError(f"{below} cannot be below itself")
        check(lib.pyossl_push(last._pointer, below._pointer), "BIO_push")
        last._below, below._above = below, weakref.ref(last)
        for member in self._head():
            member.lock = below.lock

    def pop(self) -> BIO | None:
        """Takes this BIO alone out of its chain, whose parts then are joined; returns the one that was below, or None.

        Raises ``UsageError`` while the chain is in use, by a connection or by a call.  BIO_pop(3)
        """
        return _change([self], self._pop)

    def _pop(self) -> BIO | None:
        above, below = self._upper(), self._below
        lib.pyossl_pop(ffi.NULL if above is None else above._pointer, self._pointer)
        if above is not None:
            above._below = below
        if below is not None:
            below._above = None if above is None else weakref.ref(above)
        self._above = self._below = None
        if self.is_filter:
            self.lock = Lock()
        elif above is not None:
            lock = Lock()
            for member in above._head():
                member.lock = lock
        return below

    def __iter__(self) -> Iterator[BIO]:
        """This BIO and those below, in order.  BIO_next(3)"""
        member: BIO | None = self
        while member is not None:
            yield member
            member = member._below

    # Lifetime

    @property
    def closed(self) -> bool:
        """Whether ``close`` has been called."""
        return self._bio is None

    def close(self) -> None:
        """Frees the BIO and all that is below; what is not flushed is lost.  Every later call raises ``UsageError``.

        Of a connection's it drops our reference: the connection goes on with its own.  Raises ``UsageError`` where
        another BIO is above, and in the middle of a call.  In a child process it only drops the child's copy, as the
        collector would: nothing is sent.  BIO_free_all(3)
        """
        if self.lock.is_inherited:
            self._bio = None
        elif self._bio is not None:
            self._in_turn(lambda: self._close(1))

    def _close(self, depth: int, is_served: bool = False) -> None:
        """Under the lock, in which so many calls of ``close`` are under way."""
        if self._upper() is not None:
            raise UsageError(f"{self.name} is in a chain: close its head, or pop it: {self._head()}")
        if self.lock.calls > depth:
            raise UsageError(f"{self} is in the middle of a call")
        is_served = is_served or self._is_served()
        below, self._below = self._below, None
        pointer, self._bio = self._bio, None
        if below is not None:
            below._above = None
            below._in_turn(lambda: below._close(depth + 1, is_served))
        release(pointer)
        # A connection over the chain keeps this object alone, and uses all that is kept until it is closed itself.
        self._keep = (self._keep, below) if is_served else None

    def __enter__(self: _B) -> _B:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            # 1.1.1 writes what a decrypting filter has left below it, which may be open for reading alone.
            is_used = self._was_written or (not self._was_read and not self._last().is_filter)
            flushes = kind is None and self._bio is not None and is_used and not self.lock.is_inherited
            if flushes and isinstance(want := self.flush(), Want):
                raise UsageError(f"{self} cannot be closed yet: flush() came to {want!r}")
        finally:
            self.close()

    def reference(self) -> Any:
        """The ``BIO *`` with a reference more, for an OpenSSL function that takes it over.  BIO_up_ref(3)"""
        check(lib.BIO_up_ref(self._pointer), "BIO_up_ref")
        return self._bio

    def serve(self, connection: _Connection) -> None:
        """Is under ``connection`` from now on, and in no other chain until that is closed."""

        def note() -> None:
            self._require_end()
            self._connections = [each for each in self._connections if _is_open(each())] + [weakref.ref(connection)]

        self._in_turn(note)

    def kept(self) -> list[Any]:
        """What this BIO and those below read from and write to, of Python's: sockets, files and bytes."""
        return [member._keep for member in self]

    def transport(self) -> Any:
        """The ``BIO *``, borrowed, for a connection; raises ``UsageError`` where nothing is below the last filter."""
        pointer = self._pointer
        self._require_end()
        return pointer

    # How it is done

    @property
    def name(self) -> str:
        """What kind of BIO it is, such as ``memory`` or ``base64``.  BIO_method_name(3)"""
        if self._bio is None:
            return "closed"
        return _NAMES.get(lib.BIO_method_type(self._bio)) or text(lib.BIO_method_name(self._bio))

    @property
    def _pointer(self) -> Any:
        if self._bio is None:
            raise UsageError("the BIO is closed")
        return self._bio

    def _upper(self) -> BIO | None:
        return None if self._above is None else self._above()

    def _head(self) -> BIO:
        head = self
        while (above := head._upper()) is not None:
            head = above
        return head

    def _last(self) -> BIO:
        last = self
        while last._below is not None:
            last = last._below
        return last

    def _is_served(self) -> bool:
        return any(_is_open(each()) for each in self._connections)

    def _require_end(self) -> None:
        if not lib.pyossl_is_complete(self._pointer):
            raise UsageError(f"{self} is not complete: nothing is below {self._last().name}")

    def _in_turn(self, function: Callable[[], _T]) -> _T:
        """Calls ``function`` under the lock and returns its result; another thread's push may exchange the lock."""
        while True:
            lock = self.lock

            def held(lock: Lock = lock) -> _T | _Moved:
                if lock is not self.lock:
                    return _MOVED
                if self._bio is None:
                    raise UsageError("the BIO is closed")
                return function()

            answer = lock.hold(held)
            if not isinstance(answer, _Moved):
                return answer

    def _do(self, operation: str, function: Any, *arguments: Any) -> Any:
        def call() -> Any:
            result = function(self._bio, *arguments)
            return result if result >= 0 else self._waits(result, operation)

        return self._in_turn(call)

    def _pending(self) -> int:
        result = lib.pyossl_bio_control(self._bio, lib.BIO_CTRL_PENDING, 0, 0)
        if result in (lib.PYOSSL_PARKED, lib.PYOSSL_INCOMPLETE):
            self._waits(result, "BIO_ctrl_pending")
        return max(result, 0)

    def _waits(self, result: int, operation: str) -> Want:
        """The ``Want`` of a negative result; raises what any other stands for."""
        if want := _WANTS.get(result):
            return want
        if result == lib.PYOSSL_PARKED:
            raise take_parked()
        if result == lib.PYOSSL_INCOMPLETE:
            raise UsageError(f"{self} is not complete: nothing is below {self._last().name}")
        if result == -lib.SSL_ERROR_SYSCALL:
            number = lib.pyossl_bio_errno(self._bio)
            raise transport_error(
                number, f"{os.strerror(number)}: {operation} failed", Failure(operation, errno=number)
            )
        raise failed(operation, TLSError if self._ends_in_a_descriptor() else Error)

    def _ends_in_a_descriptor(self) -> bool:
        return bool(lib.BIO_method_type(self._last()._bio) & lib.BIO_TYPE_DESCRIPTOR)

    def _check_end(self) -> None:
        """Raises where the end is not that of the data."""
        for member in self:
            member._check_own_end()

    def _check_own_end(self) -> None:
        pass

    def _descriptor(self) -> int:
        is_one = lib.BIO_method_type(self._bio) & lib.BIO_TYPE_DESCRIPTOR
        return int(lib.BIO_get_fd(self._bio, ffi.NULL)) if is_one else -1

    def __str__(self) -> str:
        return " → ".join(member.name for member in self)

    def __repr__(self) -> str:
        return f"<BIO {self}>"


class _Moved:
    """The BIO has another lock now."""


_MOVED = _Moved()


def _change(bios: list[BIO], function: Callable[[], _T], held: tuple[Lock, ...] = ()) -> _T:
    """Calls ``function``, which changes the chains of these BIOs, while nothing else can use them.

    ``UsageError`` where somebody does; nobody is waited for: two threads could wait for each other.
    """
    bio, *others = bios
    lock = bio.lock

    def change() -> _T:
        if lock is not bio.lock or lock.calls > 1 + held.count(lock):  # another's push has changed it, or a call is on
            raise UsageError(f"{bio._head()} is in the middle of a call")
        if any(member._is_served() for member in bio._head()):
            raise UsageError(f"{bio._head()} is under a connection: close that first")
        return _change(others, function, (*held, lock)) if others else function()

    try:
        return lock.hold_if_free(change)
    except TakenError:
        raise UsageError(f"{bio._head()} is in the middle of a call") from None


def _is_open(connection: _Connection | None) -> bool:
    return connection is not None and not connection.closed
