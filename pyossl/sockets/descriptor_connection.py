"""A connection over a socket's descriptor, with calls that can wait for the descriptor.

A call takes non-blocking steps under the connection's lock.  Between two steps it waits for the descriptor, without the
lock.  All of this is one C function of pyossl/_c/sockets/wait_for_descriptor.c, which releases the GIL once.  A timeout
is a deadline for the whole call.  If a signal interrupts the wait, Python's handlers run in the middle of the call.
Then the call goes on with the same deadline, or ends with the exception that a handler raised.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyossl.core import ffi, lib
from pyossl.core.buffers import Bytes
from pyossl.core.descriptors import socket_descriptor
from pyossl.core.errors import NotDueError, UsageError, WouldBlockError
from pyossl.core.outcome import Want
from pyossl.tls.authentication.dane import Records
from pyossl.tls.callbacks.callbacks import MessageCallback
from pyossl.tls.callbacks.suspension import CALLBACK_WANTS, JOB_WANTS
from pyossl.tls.connection.connection import Connection
from pyossl.tls.connection.connection_outcome import WANTS
from pyossl.tls.connection.post_handshake import OPERATIONS
from pyossl.tls.connection.session import Session
from pyossl.tls.context.context import Context
from pyossl.tls.ech.ech import Offered

if TYPE_CHECKING:
    import socket

FOREVER = -1.0
"""The timeout of a call without a deadline.  0 is the timeout of a call that does not wait."""

_WAITS = (Want.READ, Want.WRITE, *CALLBACK_WANTS, *JOB_WANTS)
_UNREAD = "the peer has sent data that was not read: read until b'' before unwrap()"


class DescriptorConnection(Connection):
    """A ``Connection`` over a socket.  Its steps do not block, even if the descriptor does.

    It keeps the socket object, so that the descriptor stays open.  If it were closed first, another file could get its
    number, and the connection would write to that file.  SSL_set_fd(3)
    """

    def __init__(
        self,
        context: Context,
        server_hostname: Any,
        sock: socket.socket,
        message_callback: MessageCallback | None = None,
        session: Session | None = None,
        early_data: Bytes | None = None,
        ech: Offered | None = None,
        dane: Records | None = None,
    ) -> None:
        self._refuse_second_init()
        self._kept = [sock]
        self._begin(context, server_hostname, message_callback, session, early_data=early_data, ech=ech, dane=dane)

    def _new(self, ctx: Any) -> Any:
        assert self._kept is not None
        return lib.pyossl_connection_over_socket(ctx, self._takes_side, socket_descriptor(self._kept[0]))

    def check_descriptor(self) -> None:
        """Makes every later call check the descriptor first.  For a socket of the caller's, which may be closed."""
        lib.pyossl_check_descriptor(self._c)

    def keep(self, sock: socket.socket) -> None:
        """Keeps another socket object, which has the descriptor now."""
        assert self._kept is not None
        self._kept[:] = [sock]


class WaitingConnection(DescriptorConnection):
    """A ``Connection`` with methods that can wait for its descriptor.

    They take a timeout in seconds: 0 does not wait, ``FOREVER`` has no deadline.  They raise ``WouldBlockError`` and
    ``TimeoutError`` where the methods of ``Connection`` return a ``Want``.
    """

    @property
    def pointer(self) -> Any:
        """The ``pyossl_connection *``, for the functions of pyossl/_c/sockets/wait_for_descriptor.c."""
        return self._c

    def finish_handshake(self, timeout: float, deadline: int = 0) -> None:
        """Finishes the handshake.  ``deadline``, of ``deadline_in``, replaces the timeout's if it is not 0.

        SSL_do_handshake(3)
        """
        self._checked(lib.pyossl_handshake_waiting(self._c, timeout, deadline), "the handshake", timeout)

    def post_handshake(self, what: int, timeout: float) -> None:
        """Does ``what``, a step of pyossl/tls/connection/post_handshake.py.  SSL_do_handshake(3)"""
        self._checked(lib.pyossl_post_handshake_waiting(self._c, what, timeout), OPERATIONS[what], timeout)

    def wait_for_early_data(self, size: int, timeout: float) -> bytes:
        """Reads up to ``size`` bytes of early data; ``b""`` if no more will come.  SSL_read_early_data(3)"""
        room, most = self._room_for_early_data(size)
        result = lib.pyossl_read_early_data_waiting(self._c, room, most, timeout)
        return bytes(ffi.buffer(room, self._checked(result, "reading early data", timeout)))

    def send_some(self, data: Any, size: int, timeout: float) -> int:
        """Sends at least one byte of ``data`` and returns the number sent.  SSL_write_ex(3)"""
        return self._checked(lib.pyossl_write_some_waiting(self._c, data, size, timeout), "writing", timeout)

    def send_close_notify(self, timeout: float) -> bool:
        """Sends close_notify; the peer's is left to be read.

        False if it cannot be sent: the handshake is not finished, or the connection has failed or is closed.
        SSL_shutdown(3)
        """
        result = lib.pyossl_send_close_notify(self._c, timeout)
        if result in (lib.PYOSSL_TOO_EARLY, lib.PYOSSL_DEAD, lib.PYOSSL_CLOSED):
            return False
        self._checked(result, "the shutdown", timeout)
        return True

    def exchange_close_notify(self, timeout: float) -> None:
        """Sends close_notify and waits for the peer's; ``UsageError`` if the peer sends data first.  SSL_shutdown(3)"""
        result = lib.pyossl_unwrap(self._c, timeout)
        if result == lib.PYOSSL_UNREAD:
            raise NotDueError(_UNREAD)
        self._checked(result, "the shutdown", timeout)

    @property
    def pending(self) -> int:
        """The number of decrypted bytes that can be read without the descriptor; 1 before the end or a failure.

        SSL_pending(3)
        """
        result: int = lib.pyossl_pending(self._c)
        if result < 0:
            raise self._error(result, "looking at the pending bytes")
        return result

    def leave_descriptor(self) -> int:
        """Uses the descriptor no more; returns the number of bytes that were received from it and not read."""
        return int(lib.pyossl_leave_socket(self._c))

    def restore_limits(self) -> None:
        """Restores the SO_RCVTIMEO that the program set; the next call that waits reads it again.  socket(7)"""
        lib.pyossl_restore_limits(self._c)

    def detach(self) -> None:
        """Closes the connection and leaves the descriptor open, as it was given.

        A call that waits in another thread ends within a second.  SSL_free(3)
        """
        if lib.pyossl_detach_socket(self._c) == lib.PYOSSL_BUSY:
            raise self._in_a_callback()
        self._release_kept()

    @property
    def keeps_to_records(self) -> bool:
        """Whether a read takes only the records that it needs off the descriptor."""
        return bool(self._c.keeps_to_records)

    @keeps_to_records.setter
    def keeps_to_records(self, value: bool) -> None:
        self._c.keeps_to_records = bool(value)

    @property
    def is_paused(self) -> bool:
        """Whether a read that would wait must be repeated at once: its data may have been received already."""
        return bool(lib.pyossl_is_paused(self._c))

    @property
    def has_data_to_read_first(self) -> bool:
        """Whether received data must be read before a renegotiation can go on.  SSL_renegotiate(3)"""
        return bool(self._ask(lambda ssl: lib.pyossl_must_read_first(self._c)))

    def data_first_error(self, operation: str) -> BaseException:
        """The ``NotDueError`` of an operation that would wait for the peer while there are data to read first."""
        return self._error(lib.PYOSSL_READ_FIRST, operation)

    @property
    def waiters(self) -> int:
        """The number of threads that wait for the descriptor now."""
        return int(self._c.waiters)

    def end(self) -> BaseException | None:
        """Sends close_notify if that needs no waiting, and closes the connection.

        Ends calls that wait in other threads, so that the descriptor can be closed.  Returns the exception that a
        callback raised meanwhile.  In a child process it does nothing.  SSL_shutdown(3), SSL_free(3)
        """
        result = lib.pyossl_end_socket(self._c)
        if result == lib.PYOSSL_BUSY:
            raise self._in_a_callback()
        self._release_kept()
        return self._error(result, "shutting down") if result == lib.PYOSSL_PARKED else None

    def _checked(self, result: int, operation: str, timeout: float) -> int:
        if result < 0:
            raise self.exception(result, operation, timeout)
        return result

    def exception(self, result: int, operation: str, timeout: float) -> BaseException:
        """The exception for a negative result of a call in C with that timeout in seconds."""
        if result == lib.PYOSSL_TIMED_OUT:
            peer = f", with {self._name!r}" if self._name else ""
            limit = f"after {timeout} s" if timeout >= 0 else "at the limit that the socket itself has been given"
            return TimeoutError(f"{operation} timed out {limit}{peer}")
        want = WANTS.get(result)
        if want is None:
            return self._error(result, operation)
        if want in _WAITS:
            return WouldBlockError(want)
        return UsageError(f"{operation} needs {want!r}, and a blocking socket cannot wait for that")


def drain(descriptor: int) -> None:
    """Receives and drops the bytes that have arrived on a socket that is about to be closed, without waiting.

    If a socket is closed with unread bytes, the kernel sends a reset, and the peer may lose data that it has not read.
    recv(2)
    """
    lib.pyossl_discard_received(descriptor)


def forks() -> int:
    """The number of forks between the process that imported pyossl and this one.  pthread_atfork(3)"""
    return int(lib.pyossl_process())


def deadline_in(timeout: float) -> int:
    """The time in ``timeout`` seconds, in nanoseconds of the clock that the waits use.  clock_gettime(2)"""
    return int(lib.pyossl_deadline(timeout))


def seconds_until(deadline: int) -> float:
    """The seconds until ``deadline``, of ``deadline_in``; negative after it."""
    return (deadline - deadline_in(0)) / 1e9
