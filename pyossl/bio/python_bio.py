"""BIOs written in Python.

Theory of operation
-------------------
OpenSSL calls the C methods of pyossl/_c/bio/python_bio.c, and they call the functions at the end of this file, which
call the methods of the ``PythonBIO``.

*Exceptions* follow the seven steps at the top of pyossl/tls/callbacks/callbacks.py, with one addition.  OpenSSL was
called either for a connection over the chain or for the chain itself; C keeps which (``pyossl_calling``).  The
exception is parked for that call: by the connection, or by thread in pyossl/core/parked_exceptions.py.

*Wrong results* of a method (more bytes than were requested, a negative count, another type) raise an exception in the
same way: C never gets a number that does not fit its buffer.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, ClassVar

from pyossl.bio.bio import BIO
from pyossl.core import ffi, lib, own
from pyossl.core.errors import UsageError, check_ptr
from pyossl.core.outcome import Want
from pyossl.core.parked_exceptions import callback, park

_FAILED = -lib.SSL_ERROR_SSL
_BELIEVED = 1 << 20
"""The most bytes for which a read allocates memory because of ``pending``."""

_WAITS = (Want.READ, Want.WRITE, Want.CONNECT, Want.ACCEPT)


class PythonBIO(BIO):
    """A BIO written in Python: a subclass defines ``read`` and ``write``, and if it needs them the other methods.

    It can be used under a ``Connection`` and in chains.  Its methods are called by one thread at a time, under the lock
    of the chain.  An exception in a method ends the connection, and is raised by the call that the user made.

    A subclass that uses a BIO below it, ``next``, is a filter and sets the class attribute ``filters = True``.  A
    subclass with its own ``__init__`` calls ``super().__init__()`` first.  BIO_meth_new(3)
    """

    filters: ClassVar[bool] = False
    """Whether the BIO is a filter: it then needs another BIO below it."""

    def __init__(self) -> None:
        self._handle = ffi.new_handle(weakref.ref(self))
        pointer = check_ptr(lib.pyossl_python_bio(self._handle, self.filters), "BIO_new")
        super().__init__(own(pointer, lib.pyossl_python_bio_free))

    def read(self, size: int = -1) -> bytes | Want:
        """Returns 1 to ``size`` bytes, ``b""`` at the end, or a ``Want``: OpenSSL then calls ``read`` again later.

        OpenSSL passes a ``size`` of 1 or more.  BIO_read_ex(3)
        """
        raise NotImplementedError(f"{type(self).__name__} does not read")

    def write(self, data: bytes | bytearray | memoryview) -> int | Want:
        """Writes ``data``, at least one byte, or its beginning.

        Returns the number of bytes that were written, at least 1, or a ``Want``: OpenSSL then calls ``write`` again
        later.  BIO_write_ex(3)
        """
        raise NotImplementedError(f"{type(self).__name__} does not write")

    def flush(self) -> Want | None:
        """Writes the bytes that the BIO has kept; returns None when done, or a ``Want``.

        Without a definition it flushes the BIO below, if there is one.  BIO_flush(3)
        """
        self._require_end()
        return None if self.next is None else self.next.flush()

    @property
    def pending(self) -> int:
        """The number of bytes that can be read without waiting; 0 if it is not known.

        If a subclass defines it, a read of a connection over the BIO returns a ``Want`` after 32 KiB that contained no
        data, when nothing is pending.  Otherwise the read continues as long as the BIO returns bytes.
        BIO_ctrl_pending(3)
        """
        return 0

    def end(self) -> None:
        """Ends the data: no more bytes will be written.

        Without a definition it calls ``end`` of the BIO below, if there is one.  BIO_shutdown_wr(3)
        """
        self._require_end()
        if self.next is not None:
            self.next.end()

    @property
    def name(self) -> str:
        """The name of the class; ``closed`` after ``close``.  BIO_method_name(3)"""
        return "closed" if self.closed else type(self).__name__


def _ask(handle: Any, question: Callable[[PythonBIO], int]) -> int:
    try:
        bio: PythonBIO | None = ffi.from_handle(handle)()
        if bio is None:
            raise UsageError("the BIO was deleted")
        return question(bio)
    except BaseException as error:  # raised again by the call that the user made
        park(error)
        return _FAILED


def _want(bio: PythonBIO, method: str, answer: Any) -> int:
    """The value for C if a method did nothing and returned a ``Want``; raises for any other result."""
    if not isinstance(answer, Want):
        raise TypeError(f"{type(bio).__name__}.{method} returned an object of type {type(answer).__name__}")
    if answer not in _WAITS:
        raise ValueError(f"{type(bio).__name__}.{method} returned {answer!r}, which a BIO below TLS cannot wait for")
    return -int(answer.value)


@callback(_FAILED)
def pyossl_on_bio_read(handle: Any, buffer: Any, size: int) -> int:
    def question(bio: PythonBIO) -> int:
        data = bio.read(size)
        if not isinstance(data, (bytes, bytearray, memoryview)):
            return _want(bio, "read", data)
        length = memoryview(data).nbytes
        if length > size:
            raise ValueError(f"{type(bio).__name__}.read was called for at most {size} bytes and returned {length}")
        ffi.memmove(buffer, data, length)
        return length

    return _ask(handle, question)


@callback(_FAILED)
def pyossl_on_bio_write(handle: Any, data: Any, size: int) -> int:
    def question(bio: PythonBIO) -> int:
        taken = bio.write(bytes(ffi.buffer(data, size)))
        if not isinstance(taken, int) or isinstance(taken, bool):
            return _want(bio, "write", taken)
        if not 0 < taken <= size:
            raise ValueError(f"{type(bio).__name__}.write was called with {size} bytes and returned {taken}")
        return taken

    return _ask(handle, question)


@callback(_FAILED)
def pyossl_on_bio_control(handle: Any, command: int) -> int:
    def question(bio: PythonBIO) -> int:
        if command == lib.BIO_CTRL_FLUSH:
            answer = bio.flush()
            return 1 if answer is None else _want(bio, "flush", answer)
        if command == lib.BIO_C_SHUTDOWN_WR:
            bio.end()
            return 1
        if command == lib.PYOSSL_HOLDS and type(bio).pending is PythonBIO.pending:
            return 1  # not known
        count = bio.pending
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            raise ValueError(f"{type(bio).__name__}.pending is {count!r}, which is not a number of bytes")
        return min(count, _BELIEVED)

    return _ask(handle, question)
