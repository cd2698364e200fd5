"""BIOs written in Python, and the one that is a TLS connection.

An exception in one follows the seven steps at the top of pyossl/tls/callbacks.py, with one question more: whose call is
it? OpenSSL may have been called for a connection over the chain, or for the chain itself; C knows which
(``pyossl_calling`` in pyossl/_c/bio/python_bio.c), and the exception is parked there: on the connection's callbacks, or
by thread, in pyossl/core/lock.py.  An answer that cannot be (more bytes than were asked for, a count below 0, another
type) is an exception like any other: what a BIO says of bytes is never believed further than the bytes.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, ClassVar

from pyossl.bio.bio import BIO
from pyossl.core.binding import ffi, lib, own
from pyossl.core.errors import UsageError, check_ptr
from pyossl.core.outcome import Want
from pyossl.core.parked_exceptions import callback, park

_FAILED = -lib.SSL_ERROR_SSL
_BELIEVED = 1 << 20
"""So many pending bytes, and no more, are made room for on the word of a BIO."""

_WAITS = (Want.READ, Want.WRITE, Want.CONNECT, Want.ACCEPT)


class PythonBIO(BIO):
    """A BIO whose ``read`` and ``write`` a subclass defines, in Python.  BIO_meth_new(3)

    It can be under a ``Connection`` and in chains.  Its methods are called under the lock of both, by one thread at a
    time; what they raise is raised by the call that the user made, and ends the connection.  A subclass whose
    ``filters`` is true is a filter, and finds the BIO below as ``next``; one that needs none below is no filter.
    ``__init__`` is to be called before anything else.
    """

    filters: ClassVar[bool] = False

    def __init__(self) -> None:
        self._handle = ffi.new_handle(weakref.ref(self))
        pointer = check_ptr(lib.pyossl_python_bio(self._handle, self.filters), "BIO_new")
        super().__init__(own(pointer, lib.pyossl_python_bio_free))

    def read(self, size: int = -1) -> bytes | Want:
        """From 1 to ``size`` bytes, ``b""`` at the end, or the ``Want`` to be called again after.  BIO_read_ex(3)

        OpenSSL always asks for a size above 0.
        """
        raise NotImplementedError(f"{type(self).__name__} does not read")

    def write(self, data: bytes | bytearray | memoryview) -> int | Want:
        """Takes ``data``, of which there is at least one byte; how many bytes were taken, or the ``Want`` to be called
        again after.  BIO_write_ex(3)
        """
        raise NotImplementedError(f"{type(self).__name__} does not write")

    def flush(self) -> Want | None:
        """Sends on what is held back; None when done, or a ``Want``.  BIO_flush(3)"""
        self._require_end()
        return None if self.next is None else self.next.flush()

    @property
    def pending(self) -> int:
        """How many bytes can be read without waiting; 0 where that is not known.  BIO_ctrl_pending(3)

        A read of a connection over a BIO that defines this gives control back after 32 KiB that brought no data, when
        nothing is pending; over one that does not, it goes on as long as the BIO gives bytes.
        """
        return 0

    def end(self) -> None:
        """Says that no more will be written.  BIO_shutdown_wr(3)"""
        self._require_end()
        if self.next is not None:
            self.next.end()

    @property
    def name(self) -> str:
        """The name of the class."""
        return "closed" if self.closed else type(self).__name__


def _ask(handle: Any, question: Callable[[PythonBIO], int]) -> int:
    try:
        bio: PythonBIO | None = ffi.from_handle(handle)()
        if bio is None:
            raise UsageError("the BIO is gone")
        return question(bio)
    except BaseException as error:  # raised again by the call that the user made
        park(error)
        return _FAILED


def _want(bio: PythonBIO, method: str, answer: Any) -> int:
    """The answer of a method that has done nothing: a ``Want``, or it is not right."""
    if not isinstance(answer, Want):
        raise TypeError(f"{type(bio).__name__}.{method} answered with {type(answer).__name__}")
    if answer not in _WAITS:
        raise ValueError(f"{type(bio).__name__}.{method} answered {answer!r}, for which OpenSSL cannot wait below TLS")
    return -int(answer.value)


@callback(_FAILED)  # type: ignore[untyped-decorator]  # cffi's own
def pyossl_on_bio_read(handle: Any, buffer: Any, size: int) -> int:
    def question(bio: PythonBIO) -> int:
        data = bio.read(size)
        if not isinstance(data, (bytes, bytearray, memoryview)):
            return _want(bio, "read", data)
        length = memoryview(data).nbytes
        if length > size:
            raise ValueError(f"{type(bio).__name__}.read was asked for {size} bytes and answered with {length}")
        ffi.memmove(buffer, data, length)
        return length

    return _ask(handle, question)


@callback(_FAILED)  # type: ignore[untyped-decorator]
def pyossl_on_bio_write(handle: Any, data: Any, size: int) -> int:
    def question(bio: PythonBIO) -> int:
        taken = bio.write(bytes(ffi.buffer(data, size)))
        if not isinstance(taken, int) or isinstance(taken, bool):
            return _want(bio, "write", taken)
        if not 0 < taken <= size:
            raise ValueError(f"{type(bio).__name__}.write was given {size} bytes and says that it took {taken}")
        return taken

    return _ask(handle, question)


@callback(_FAILED)  # type: ignore[untyped-decorator]
def pyossl_on_bio_control(handle: Any, command: int) -> int:
    def question(bio: PythonBIO) -> int:
        if command == lib.BIO_CTRL_FLUSH:
            answer = bio.flush()
            return 1 if answer is None else _want(bio, "flush", answer)
        if command == lib.BIO_C_SHUTDOWN_WR:
            bio.end()
            return 1
        if command == lib.PYOSSL_HOLDS and type(bio).pending is PythonBIO.pending:
            return 1  # it does not say
        count = bio.pending
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            raise ValueError(f"{type(bio).__name__}.pending is {count!r}, which is no number of bytes")
        return min(count, _BELIEVED)

    return _ask(handle, question)
