"""A connection over a socket's descriptor, whose calls can wait for it.

Each call takes non-blocking steps under the connection's lock and waits for the descriptor between two of them, outside
of it: one C function of pyossl/_c/sockets/wait.c for all of it, with the GIL given up once.  A timeout is a deadline
over the whole call.  A signal interrupts the wait, Python's handlers run in the middle of the call, and it goes on with
the deadline that it had, or ends with what a handler raised.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyossl.core import buffers
from pyossl.core.binding import lib
from pyossl.core.descriptors import socket_descriptor
from pyossl.core.errors import NotDueError, UsageError, WouldBlockError
from pyossl.core.outcome import Want
from pyossl.tls.callbacks import MessageCallback
from pyossl.tls.connection import Connection
from pyossl.tls.connection_outcome import WANTS
from pyossl.tls.context import Context
from pyossl.tls.session import Session

if TYPE_CHECKING:
    import socket

FOREVER = -1.0
"""The timeout of a call that has none; 0 is that of one that does not wait."""

_FD_WANTS = (Want.READ, Want.WRITE)
_UNREAD = "the peer has sent data that was not read: read until b'' before unwrap()"


class DescriptorConnection(Connection):
    """A ``Connection`` over a socket of pyossl's own, whose descriptor may block: no step here does.

    It keeps the socket open.  If the socket were closed first, its descriptor's number could be another file's, and
    the connection would write to that.  SSL_set_fd(3)
    """

    def __init__(
        self,
        context: Context,
        server_hostname: Any,
        sock: socket.socket,
        message_callback: MessageCallback | None = None,
        session: Session | None = None,
    ) -> None:
        self._kept = [sock]
        self._begin(context, server_hostname, message_callback, session)

    def _new(self, ctx: Any) -> Any:
        assert self._kept is not None
        return lib.pyossl_connection_over_socket(ctx, self._takes_side, socket_descriptor(self._kept[0]))

    def check_descriptor(self) -> None:
        """From now on the descriptor is checked before each use: its socket is the caller's, who may close it."""
        lib.pyossl_check_descriptor(self._c)

    def keep(self, sock: socket.socket) -> None:
        """Keeps another object that has the descriptor now."""
        assert self._kept is not None
        self._kept[:] = [sock]


class WaitingConnection(DescriptorConnection):
    """A ``Connection`` whose calls can wait for its descriptor.

    The methods here take a timeout in seconds, 0 for not to wait and ``FOREVER``; they raise ``WouldBlockError`` and
    ``TimeoutError`` where the others return a ``Want``.
    """

    @property
    def pointer(self) -> Any:
        """The ``pyossl_connection *``, for the functions of pyossl/_c/sockets/wait.c."""
        return self._c

    def shake_hands(self, timeout: float, deadline: int = 0) -> None:
        """Finishes the handshake, before ``deadline``, of ``deadline_in``, where that is not 0.  SSL_do_handshake(3)"""
        self._in_time(lib.pyossl_handshake_waiting(self._c, timeout, deadline), "the handshake", timeout)

    def receive_into(self, target: Any, size: int, timeout: float) -> int:
        """Up to ``size`` bytes into a buffer of cffi's; 0 once the peer has closed.  SSL_read_ex(3)"""
        return self.received(lib.pyossl_read_waiting(self._c, target, size, timeout), timeout)

    def received(self, result: int, timeout: float) -> int:
        """``result`` of a read, or an exception for what it stands for."""
        return self._in_time(result, "reading", timeout)

    def peek_waiting(self, size: int, timeout: float) -> bytes:
        """As ``peek``, waiting.  SSL_peek_ex(3)"""
        room, view = buffer = buffers.borrow(size)
        result = lib.pyossl_peek_waiting(self._c, room, min(size, buffers.LARGEST), timeout)
        data: bytes = view[:result] if result > 0 else b""
        buffers.give_back(buffer)
        self._in_time(result, "peeking", timeout)
        return data

    def send_all(self, data: Any, size: int, timeout: float) -> int:
        """Sends ``size`` bytes of ``data``, bytes or a buffer of cffi's; returns how many: fewer only where the timeout
        is 0.  SSL_write_ex(3)
        """
        return self.sent(lib.pyossl_write_waiting(self._c, data, size, timeout), timeout)

    def send_some(self, data: Any, size: int, timeout: float) -> int:
        """Sends at least one byte of ``data``; returns how many.  SSL_write_ex(3)"""
        return self.sent(lib.pyossl_write_some_waiting(self._c, data, size, timeout), timeout)

    def sent(self, result: int, timeout: float) -> int:
        """``result`` of a write, or an exception for what it stands for."""
        return self._in_time(result, "writing", timeout)

    def say_goodbye(self, timeout: float) -> bool:
        """Sends close_notify; the peer's is left to be read.  False where there can be none: the handshake is not
        finished, or the connection has failed before or is closed.  SSL_shutdown(3)
        """
        result = lib.pyossl_send_close_notify(self._c, timeout)
        if result in (lib.PYOSSL_TOO_EARLY, lib.PYOSSL_DEAD, lib.PYOSSL_CLOSED):
            return False
        self._in_time(result, "the shutdown", timeout)
        return True

    def exchange_goodbye(self, timeout: float) -> None:
        """Sends close_notify and waits for the peer's; ``UsageError`` where data comes first.  SSL_shutdown(3)"""
        result = lib.pyossl_unwrap(self._c, timeout)
        if result == lib.PYOSSL_UNREAD:
            raise NotDueError(_UNREAD)
        self._in_time(result, "the shutdown", timeout)

    @property
    def pending(self) -> int:
        """How many decrypted bytes can be read without the descriptor; 1 where the end, or a failure, comes next.

        SSL_pending(3)
        """
        result: int = lib.pyossl_pending(self._c)
        if result < 0:
            raise self._error(result, "looking at what is pending")
        return result

    def leave(self) -> int:
        """Leaves the descriptor to its owner; how many bytes have been taken off it that no call has read."""
        return int(lib.pyossl_leave_socket(self._c))

    def restore_limits(self) -> None:
        """Sets SO_RCVTIMEO again as the program has set it; the next call that waits looks at it anew.  socket(7)"""
        lib.pyossl_restore_limits(self._c)

    def detach(self) -> None:
        """``close``, but the descriptor stays open, as it was given.  A call that waits in another thread ends within a
        second.  SSL_free(3)
        """
        if lib.pyossl_detach_socket(self._c) == lib.PYOSSL_BUSY:
            raise self._in_a_callback()
        self._let_go()

    @property
    def keeps_to_records(self) -> bool:
        """Whether a read takes nothing off the descriptor but the records that it needs."""
        return bool(self._c.keeps_to_records)

    @keeps_to_records.setter
    def keeps_to_records(self, value: bool) -> None:
        self._c.keeps_to_records = bool(value)

    @property
    def is_paused(self) -> bool:
        """Whether a read that waits is to be repeated at once: what it needs may have been received ahead."""
        return bool(lib.pyossl_is_paused(self._c))

    @property
    def waiters(self) -> int:
        """How many threads wait for the descriptor now."""
        return int(self._c.waiters)

    def end(self) -> BaseException | None:
        """``close``, after our close_notify if that needs no waiting.  Calls that wait in other threads end, so that
        the descriptor can be closed.  Returns what a callback raised meanwhile.  In a child process it does nothing.

        SSL_shutdown(3), SSL_free(3)
        """
        result = lib.pyossl_end_socket(self._c)
        if result == lib.PYOSSL_BUSY:
            raise self._in_a_callback()
        self._let_go()
        return self._error(result, "shutting down") if result == lib.PYOSSL_PARKED else None

    def _in_time(self, result: int, operation: str, timeout: float) -> int:
        if result < 0:
            raise self._not_in_time(result, operation, timeout)
        return result

    def _not_in_time(self, result: int, operation: str, timeout: float) -> BaseException:
        if result == lib.PYOSSL_TIMED_OUT:
            whom = f", with {self._name!r}" if self._name else ""
            limit = f"after {timeout} s" if timeout >= 0 else "at the limit that the socket itself has been given"
            return TimeoutError(f"{operation} timed out {limit}{whom}")
        want = WANTS.get(result)
        if want is None:
            return self._error(result, operation)
        if want in _FD_WANTS:
            return WouldBlockError(want)
        return UsageError(f"{operation} came to {want!r}, which a blocking socket cannot wait for")


def drain(descriptor: int) -> None:
    """Takes what has arrived off a socket's descriptor that is about to be closed, without waiting.

    The kernel answers a close with unread bytes by a reset, which would take from the peer what it has not read yet.
    recv(2)
    """
    lib.pyossl_discard_received(descriptor)


def forks() -> int:
    """How many forks there are between this process and the one that imported pyossl.  pthread_atfork(3)"""
    return int(lib.pyossl_process())


def deadline_in(timeout: float) -> int:
    """The time in ``timeout`` seconds, in nanoseconds by the clock that the waits go by.  clock_gettime(2)"""
    return int(lib.pyossl_deadline(timeout))


def seconds_until(deadline: int) -> float:
    """How long it is to ``deadline``, of ``deadline_in``; below 0 where it has passed."""
    return (deadline - deadline_in(0)) / 1e9
