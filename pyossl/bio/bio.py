"""BIOs: the byte transports that OpenSSL reads from and writes to, and the chains that they form.

Theory of operation
-------------------
A chain begins with filters, which change the bytes on their way, and ends in a BIO that is their source and sink.
``a.push(b)`` puts b below a.  A read of a, or a write to a, passes through all BIOs below a.

*Ownership.*  A ``BIO`` owns one reference to its ``BIO *``.  In a chain each ``BIO *`` owns one reference to the next.
Each is freed by BIO_free_all(3), which drops these references.  So no BIO is freed while another BIO, an SSL or Python
refers to it, in whatever order they are dropped.  In Python a BIO has a reference to the BIO below it, and a weak
reference to the BIO above.  OpenSSL's own pointer to the BIO above, ``prev_bio``, is not reliable: it is never used,
and BIO_pop(3), which uses it, is not called.  A function of OpenSSL that keeps a pointer, for example SSL_set_bio(3),
takes over a reference: it gets an additional one (``reference``, and BIO_up_ref(3) in C).

*Locks.*  The two halves of a pair use each other's memory, and one call uses all members of a chain.  So they share one
lock, and a ``Connection`` over a BIO uses that BIO's lock.  A chain is changed only while no thread is in a call of it
and no open connection uses it.

*Ends.*  OpenSSL's filters use the BIO below without a check that there is one.  So C refuses each call of a chain whose
last member is a filter (``PYOSSL_INCOMPLETE`` in pyossl/_c/bio/bio_read_and_write.c), and no connection is made over
one.  While a connection uses a chain, the chain cannot be changed.

*Waiting.*  A call that would have to wait returns a ``Want``.  Repeat the call, a write with the same bytes.
"""

from __future__ import annotations

import os
import re
import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from pyossl.bio.bio_type_names import name_of
from pyossl.core import ffi, lib, own, release
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
        """The part of ``Connection`` that a BIO uses."""

        @property
        def closed(self) -> bool: ...


_CHUNK = 16384
_MODE = re.compile(r"[rwa][b+a-z]{1,6}")
_T = TypeVar("_T")
_B = TypeVar("_B", bound="BIO")

_WANTS = {-want.value: want for want in Want}


class BIO(Uncopied):
    """A transport of bytes, or a filter above one.

    Make a BIO with ``BIO.memory``, ``BIO.pair``, ``BIO.socket``, ``BIO.fd``, ``BIO.file`` or ``BIO.null``, or with the
    classes ``ConnectBIO``, ``AcceptBIO``, ``DatagramBIO``, ``PythonBIO`` and those whose name ends in ``Filter``.  Pass
    it to ``Connection(context, bio=…)``, or read and write it directly.

    A ``with`` statement closes the BIO at its end, with all BIOs below; if bytes were written, it flushes them before.
    bio(7)
    """

    def __init__(self, pointer: Any, *, keep: object = None, lock: Lock | None = None) -> None:
        """Makes a BIO of OpenSSL's own, for example one that a function of ``lib`` returned.

        - ``pointer``: a ``BIO *``, which is freed with its last reference, as by ``ffi.gc``.
        - ``keep``: an object that must live as long as this BIO.
        - ``lock``: the lock of a chain that exists already; None for a new one.

        Raises ``TypeError`` for another ``pointer``.
        """
        self._bio = checked_pointer(pointer, "BIO *", "a BIO is made by BIO.memory, BIO.socket and the like")
        self._keep = keep
        self._above: weakref.ref[BIO] | None = None
        self._below: BIO | None = None
        self._connections: list[weakref.ref[_Connection]] = []
        self._was_read = self._was_written = False
        self.lock = instance(lock, Lock, "a BIO's lock") if lock is not None else Lock()

    @classmethod
    def memory(cls, data: bytes | None = None) -> BIO:
        """A BIO that keeps its bytes in memory: the bytes that are written to it can be read from it.

        With ``data`` it is read-only and contains these bytes, at most 2 GiB; a read after them returns ``b""``.
        Without ``data`` a read of the empty BIO returns ``Want.READ``.  Raises ``TypeError`` unless ``data`` is
        ``bytes``, and ``ValueError`` if it is too long.  BIO_s_mem(3), BIO_new_mem_buf(3)
        """
        if data is None:
            return BIO(own(check_ptr(lib.BIO_new(lib.BIO_s_mem()), "BIO_new"), lib.BIO_free_all))
        if not isinstance(data, bytes):
            raise TypeError(f"a memory BIO is made from bytes, not {type(data).__name__}")
        if len(data) > 0x7FFFFFFF:
            raise ValueError(f"a memory BIO holds at most 2 GiB, not {len(data)} bytes")
        # BIO_new_mem_buf(3) does not copy the bytes: they must live as long as the BIO.
        borrowed = ffi.from_buffer(data)
        pointer = check_ptr(lib.BIO_new_mem_buf(borrowed, len(data)), "BIO_new_mem_buf")
        return BIO(own(pointer, lib.BIO_free_all, borrowed), keep=borrowed)

    @classmethod
    def pair(cls, first_size: int = 0, second_size: int = 0) -> tuple[BIO, BIO]:
        """Two BIOs; the bytes that are written to one are read from the other.

        ``first_size`` and ``second_size`` are the sizes of their buffers in bytes: how much can be written to the
        first, or the second, before it is read from the other.  0 is OpenSSL's default, 17 KiB.  A write to a full BIO
        returns ``Want.WRITE``.  Raises ``TypeError`` or ``ValueError`` for a size that is not 0 to 2^31 - 1.
        BIO_new_bio_pair(3)
        """
        for size in (first_size, second_size):
            integer(size, "a BIO's size", 0, LARGEST_INT)
        halves = ffi.new("BIO *[2]")
        check(lib.BIO_new_bio_pair(halves, first_size, halves + 1, second_size), "BIO_new_bio_pair")
        first, second = own(halves[0], lib.BIO_free_all), own(halves[1], lib.BIO_free_all)
        lock = Lock()
        # Each keeps both alive: freeing one half writes into the other, which a thread may be using.
        return BIO(first, keep=second, lock=lock), BIO(second, keep=first, lock=lock)

    @classmethod
    def socket(cls, sock: socket.socket | int) -> BIO:
        """A BIO over ``sock``, a connected socket or its descriptor.  The caller closes the socket.

        If the socket is blocking, the calls of the BIO wait, and hold the BIO's lock while they wait.  A write after
        the peer has closed the connection is an error and causes no SIGPIPE.  If the socket was closed, and its
        descriptor's number now belongs to another file, that file is not used: each call raises ``TransportError`` with
        EBADF.  (A thread that closes the socket during the call is not noticed.)

        Raises ``TypeError`` for an object that is not a plain socket, for example a TLS socket, and ``UsageError`` if
        it is closed.  BIO_s_socket(3)
        """
        pointer = lib.pyossl_bounded(lib.pyossl_socket_bio(socket_descriptor(sock), False))
        return BIO(own(check_ptr(pointer, "BIO_new"), lib.BIO_free_all, sock), keep=sock)

    @classmethod
    def own_socket(cls, descriptor: int) -> BIO:
        """A BIO whose calls never wait, over a socket that pyossl made.  BIO_s_socket(3)

        ``descriptor`` is the socket's descriptor, which blocks.
        """
        return BIO(own(check_ptr(lib.pyossl_socket_bio(descriptor_of(descriptor), True), "BIO_new"), lib.BIO_free_all))

    @classmethod
    def fd(cls, file: Any, *, close: bool = False) -> BIO:
        """A BIO over a descriptor of any kind (a pipe, a terminal), or over a Python file that has one.

        With ``close=True`` the descriptor is closed with the BIO.  A write after the reader has closed its end is an
        error and causes no SIGPIPE.  As for ``BIO.socket``, a number that now belongs to another file is not used, and
        not closed.  Raises ``TypeError`` if ``file`` has no descriptor or is a TLS connection, and ``UsageError`` if it
        is closed.  BIO_s_fd(3)
        """
        how = lib.BIO_CLOSE if flag(close, "close") else lib.BIO_NOCLOSE
        descriptor = descriptor_of(file)
        guarded = lib.pyossl_guarded_of_caller(lib.BIO_new_fd(descriptor, how), descriptor)
        return BIO(own(check_ptr(guarded, "BIO_new_fd"), lib.BIO_free_all, file), keep=file)

    @classmethod
    def file(cls, path: str | bytes | os.PathLike[str] | os.PathLike[bytes], mode: str = "rb") -> BIO:
        """A BIO over the file at ``path``, which it opens; closing the BIO closes the file.

        ``mode`` is that of fopen(3), with a ``b``: ``rb``, ``wb``, ``ab``, ``r+b`` and so on.  If the file cannot
        be opened, raises ``TransportError``, which is also a ``FileNotFoundError`` or the like; for another mode,
        ``ValueError``.  BIO_new_file(3)
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
        """A BIO that discards all bytes that are written to it; a read returns ``b""``.  BIO_s_null(3)"""
        return BIO(own(check_ptr(lib.BIO_new(lib.BIO_s_null()), "BIO_new"), lib.BIO_free_all))

    # Bytes

    def read(self, size: int = -1) -> bytes | Want:
        """Reads at most ``size`` bytes; with a negative ``size``, the bytes that are available.

        Returns the bytes, ``b""`` at the end, or a ``Want`` if no byte is available yet.  Raises ``Error``,
        ``TransportError``, ``UsageError``, or the exception of a BIO written in Python.  BIO_read_ex(3)
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
        return self._unfinished(result, "BIO_read_ex")

    def write(self, data: bytes | bytearray | memoryview) -> int | Want:
        """Writes ``data``, or its beginning; a filter may keep bytes until ``flush``.

        Returns the number of bytes that were written, or a ``Want`` if there is no room.  Raises ``TypeError`` for an
        argument other than bytes, ``Error``, ``TransportError``, ``UsageError``, or the exception of a BIO written in
        Python.  BIO_write_ex(3)
        """
        if isinstance(data, str):
            raise TypeError("a BIO takes bytes, not str")
        try:
            given = ffi.from_buffer(data)
        except BufferError as error:
            raise TypeError(f"a BIO takes contiguous bytes: {error}") from error
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
        """Reads a line with its line feed, or its first ``size`` bytes (1 byte to 1 GiB).

        Returns the bytes, ``b""`` at the end, or a ``Want`` if no byte is available yet.  Only a memory BIO and a
        ``BufferFilter`` have lines: other BIOs would read byte by byte, or stop at a NUL, and raise ``UsageError``.
        Raises ``ValueError`` for another ``size``, ``Error`` or ``TransportError``.  BIO_gets(3)
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
        """Writes the bytes that the filters have kept; base64 and cipher filters also write the end of their data.

        Returns None if all bytes were written, or a ``Want``.  Raises as ``write``.  BIO_flush(3)
        """
        result = self._do("BIO_flush", lib.pyossl_bio_control, lib.BIO_CTRL_FLUSH, 0, 1)
        return result if isinstance(result, Want) else None

    def handshake(self) -> Want | None:
        """Makes the connection if the chain ends in a ``ConnectBIO``; accepts one if it ends in an ``AcceptBIO``.

        Returns None if that is done, or a ``Want``.  Raises ``TransportError``.  BIO_do_handshake(3)
        """
        result = self._do("BIO_do_handshake", lib.pyossl_bio_control, lib.BIO_C_DO_STATE_MACHINE, 0, 1)
        return result if isinstance(result, Want) else None

    @property
    def pending(self) -> int:
        """The number of bytes that the BIO holds and that can be read now.  BIO_ctrl_pending(3)"""
        return self._in_turn(self._pending)

    @property
    def room(self) -> int:
        """The number of bytes that can be written now to a half of a pair; ``Error`` for others.
        BIO_ctrl_get_write_guarantee(3)
        """
        command = lib.BIO_C_GET_WRITE_GUARANTEE
        return int(self._do("BIO_ctrl_get_write_guarantee", lib.pyossl_bio_control, command, 0, 0))

    def end(self) -> None:
        """Ends the data: a read of the memory BIO, or of the pair's other half, returns ``b""`` after the last byte.

        Call ``flush`` before it if there are filters.  BIO_set_mem_eof_return(3), BIO_shutdown_wr(3)
        """
        last = self._last()
        if lib.BIO_method_type(last._pointer) == lib.BIO_TYPE_MEM:
            last._do("BIO_set_mem_eof_return", lib.BIO_set_mem_eof_return, 0)
        else:
            self._do("BIO_shutdown_wr", lib.pyossl_bio_control, lib.BIO_C_SHUTDOWN_WR, 0, 0)

    def seek(self, offset: int) -> None:
        """Moves to ``offset`` in the file, in bytes from its start; at most 2 GiB, else ``ValueError``.  BIO_seek(3)"""
        offset = index(offset, "an offset")
        if not 0 <= offset <= 0x7FFFFFFF:
            raise ValueError(f"an offset is from 0 to 2 GiB, not {number_shown(offset)}")
        self._do("BIO_seek", lib.pyossl_bio_control, lib.BIO_C_FILE_SEEK, offset, 0)

    def tell(self) -> int:
        """The position in the file, in bytes from its start.  BIO_tell(3)"""
        return int(self._do("BIO_tell", lib.pyossl_bio_control, lib.BIO_C_FILE_TELL, 0, 0))

    def fileno(self) -> int:
        """The descriptor of the last BIO of the chain, for select(2); ``UsageError`` if it has none.  BIO_get_fd(3)"""

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
        """Whether the BIO is a filter, which needs another BIO below it (``push``).  BIO_method_type(3)"""
        return bool(lib.BIO_method_type(self._pointer) & lib.BIO_TYPE_FILTER)

    @property
    def next(self) -> BIO | None:
        """The BIO below this one; None if it is the last of its chain.  BIO_next(3)"""
        return self._below

    def push(self: _B, below: BIO) -> _B:
        """Appends ``below``, with all BIOs below it, to the end of this chain, and returns this BIO.

        Raises ``UsageError`` if another BIO is above ``below``, if the last BIO of this chain is not a filter, and
        while a connection or a call uses either chain.  BIO_push(3)
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
        """Removes this BIO from its chain; the BIOs above and below it are joined.  Returns the BIO below it, or None.

        Raises ``UsageError`` while a connection or a call uses the chain.  BIO_pop(3)
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
        """Iterates over this BIO and the BIOs below it, in order.  BIO_next(3)"""
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
        """Frees the BIO and all BIOs below; bytes that are not flushed are lost.  Later calls raise ``UsageError``.

        An open connection over the BIO has a reference of its own, and continues to work.  Raises ``UsageError`` if
        another BIO is above, or during a call of the BIO.  In a process that was forked after the BIO was made, only
        that process's copy is dropped, and nothing is sent.  BIO_free_all(3)
        """
        if self.lock.is_inherited:
            self._bio = None
        elif self._bio is not None:
            self._in_turn(lambda: self._close(1))

    def _close(self, depth: int, is_served: bool = False) -> None:
        """``close``, under the lock; ``depth`` is the number of calls of ``close`` that are running under it."""
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
        # A connection over the chain refers to this object alone, and uses sockets and files of all members.
        self._keep = (self._keep, below) if is_served else None

    def __enter__(self: _B) -> _B:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            # In 1.1.1 the flush of a decrypting filter writes to the BIO below, which may be open for reading only.
            is_used = self._was_written or (not self._was_read and not self._last().is_filter)
            flushes = kind is None and self._bio is not None and is_used and not self.lock.is_inherited
            if flushes and isinstance(want := self.flush(), Want):
                raise UsageError(f"{self} cannot be closed yet: flush() returned {want!r}")
        finally:
            self.close()

    def reference(self) -> Any:
        """The ``BIO *`` with one more reference, for a function of ``lib`` that takes it over.  BIO_up_ref(3)"""
        check(lib.BIO_up_ref(self._pointer), "BIO_up_ref")
        return self._bio

    def serve(self, connection: _Connection) -> None:
        """Called by ``Connection``: the chain cannot be changed until ``connection`` is closed."""

        def note() -> None:
            self._require_end()
            self._connections = [each for each in self._connections if _is_open(each())] + [weakref.ref(connection)]

        self._in_turn(note)

    def kept(self) -> list[Any]:
        """Called by ``Connection``: the sockets, files and bytes that this BIO and the BIOs below use."""
        return [member._keep for member in self]

    def transport(self) -> Any:
        """Called by ``Connection``: the ``BIO *``, borrowed; ``UsageError`` if nothing is below the last filter."""
        pointer = self._pointer
        self._require_end()
        return pointer

    # How it is done

    @property
    def name(self) -> str:
        """The kind of BIO, for example ``memory`` or ``base64``; ``closed`` after ``close``.  BIO_method_name(3)"""
        return "closed" if self._bio is None else name_of(self._bio)

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
        """Calls ``function`` under the lock and returns its result; a push in another thread may replace the lock."""
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
            return result if result >= 0 else self._unfinished(result, operation)

        return self._in_turn(call)

    def _pending(self) -> int:
        result = lib.pyossl_bio_control(self._bio, lib.BIO_CTRL_PENDING, 0, 0)
        if result in (lib.PYOSSL_PARKED, lib.PYOSSL_INCOMPLETE):
            self._unfinished(result, "BIO_ctrl_pending")
        return max(result, 0)

    def _unfinished(self, result: int, operation: str) -> Want:
        """The ``Want`` for a negative result; raises the exception for any other failure."""
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
        """Raises ``Error`` if the data ended in the wrong place, for example inside an encrypted block."""
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
    """The result of a function that did not run, because the BIO has another lock now."""


_MOVED = _Moved()


def _change(bios: list[BIO], function: Callable[[], _T], held: tuple[Lock, ...] = ()) -> _T:
    """Calls ``function``, which changes the chains of these BIOs, under the locks of all of them.

    Raises ``UsageError`` if a call or a connection uses one.  It does not wait: two threads could wait for each other.
    """
    bio, *others = bios
    lock = bio.lock

    def change() -> _T:
        if lock is not bio.lock or lock.calls > 1 + held.count(lock):  # another thread has changed it, or a call runs
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
