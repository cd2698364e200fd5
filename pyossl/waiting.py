"""A connection over a socket's descriptor, whose calls can wait for it.

Each call takes non-blocking steps under the connection's lock and waits for the descriptor between two of them, outside
of it: one C function of pyossl/_c/wait.c for all of it, with the GIL given up once.  A timeout is a deadline over the
whole call.  A signal interrupts the wait, Python's handlers run, and the call goes on with the deadline that it had.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from pyossl import scratch
from pyossl._lib import ffi, lib
from pyossl.bio import descriptor_of
from pyossl.callbacks import MessageCallback
from pyossl.connection import WANTS, Connection
from pyossl.context import Context
from pyossl.errors import UsageError, WouldBlockError
from pyossl.outcome import Want
from pyossl.session import Session

FOREVER = -1.0
"""The timeout of a call that has none; 0 is that of one that does not wait."""

INTERRUPTED: int = lib.PYOSSL_INTERRUPTED
"""A signal interrupted the call; an answer below it tells the deadline too."""

_T = TypeVar("_T")
_FD_WANTS = (Want.READ, Want.WRITE)


class DescriptorConnection(Connection):
    """A ``Connection`` over a socket of pyossl's own, by its descriptor, which may block: no step here does.

    SSL_set_fd(3)
    """

    def __init__(
        self,
        context: Context,
        server_hostname: Any,
        fd: int,
        message_callback: MessageCallback | None = None,
        session: Session | None = None,
    ) -> None:
        self._fd = descriptor_of(fd)
        self._begin(context, server_hostname, message_callback, session)

    def _new(self, ctx: Any) -> Any:
        return lib.pyossl_connection_over_socket(ctx, self._takes_side, self._fd)


class WaitingConnection(DescriptorConnection):
    """A ``Connection`` whose calls can wait for its descriptor.

    The methods here take a timeout in seconds, 0 for not to wait and ``FOREVER``; they raise ``WouldBlockError`` and
    ``TimeoutError`` where the others return a ``Want``.
    """

    @property
    def pointer(self) -> Any:
        """The ``pyossl_connection *``, for the functions of pyossl/_c/wait.c."""
        return self._c

    def shake_hands(self, timeout: float, deadline: int = 0) -> None:
        """Finishes the handshake, before ``deadline``, of ``deadline_in``, where that is not 0.  SSL_do_handshake(3)"""
        while (result := lib.pyossl_handshake_waiting(self._c, timeout, deadline)) <= INTERRUPTED:
            deadline = INTERRUPTED - result
        if result < 0:
            raise self._not_in_time(result, "the handshake", timeout)

    def receive(self, size: int, timeout: float) -> bytes:
        """Up to ``size`` bytes; ``b""`` once the peer has closed.  SSL_read_ex(3)"""
        room, view = buffer = scratch.borrow(size)
        result = self.receive_into(room, min(size, scratch.LARGEST), timeout)
        data = view[:result] if result else b""
        scratch.give_back(buffer)
        return data

    def receive_into(self, target: Any, size: int, timeout: float) -> int:
        """Up to ``size`` bytes into a buffer of cffi's; 0 once the peer has closed.  SSL_read_ex(3)"""
        result: int = lib.pyossl_read_waiting(self._c, target, size, timeout, 0)
        return result if result >= 0 else self.receive_on(target, size, timeout, result)

    def receive_on(self, target: Any, size: int, timeout: float, result: int) -> int:
        """Goes on with a read that came to ``result``, below 0, if a signal interrupted it; else raises what it is."""
        while result <= INTERRUPTED:
            result = lib.pyossl_read_waiting(self._c, target, size, timeout, INTERRUPTED - result)
        if result < 0:
            raise self._not_in_time(result, "reading", timeout)
        return result

    def send_all(self, data: Any, size: int, timeout: float) -> int:
        """Sends ``size`` bytes of ``data``, bytes or a buffer of cffi's; returns how many: fewer only where the timeout
        is 0.  SSL_write_ex(3)
        """
        try:
            result: int = lib.pyossl_write_waiting(self._c, data, size, timeout, 0, False)
            if result <= INTERRUPTED:
                result = self.send_on(data, size, timeout, result)
        except BaseException:
            self.give_turn()
            raise
        return result if result >= 0 else self.not_sent(result, timeout)

    def send_on(self, data: Any, size: int, timeout: float, result: int) -> int:
        """Goes on with a write that was interrupted, which has kept the turn: whoever calls it gives the turn where a
        signal's handler raises, from before the first step on.
        """
        while result <= INTERRUPTED:
            result = lib.pyossl_write_waiting(self._c, data, size, timeout, INTERRUPTED - result, True)
        return result

    def not_sent(self, result: int, timeout: float) -> NoReturn:
        """Raises what a write came to."""
        raise self._not_in_time(result, "writing", timeout)

    def take_turn(self, timeout: float) -> None:
        """Waits until no other thread writes; until ``give_turn`` none can."""
        deadline = ffi.new("long long *")
        try:
            while (result := lib.pyossl_take_turn(self._c, timeout, deadline)) == INTERRUPTED:
                pass
        except BaseException:  # a signal's handler raised, and the turn may have been had
            self.give_turn()
            raise
        if result < 0:
            raise self._not_in_time(result, "writing", timeout)

    def give_turn(self) -> None:
        """Lets the next thread write."""
        lib.pyossl_give_turn(self._c)

    def finish(self, step: Callable[[], _T | Want], operation: str, timeout: float, deadline: Any = None) -> _T:
        """Repeats ``step`` until it no longer wants the descriptor; returns what it came to.

        ``deadline`` is for a call of several steps, which share one: a ``long long *`` that holds 0 at first.
        """
        deadline = ffi.new("long long *") if deadline is None else deadline
        while isinstance(result := step(), Want):
            if timeout == 0 or result not in _FD_WANTS:
                raise self._not_in_time(-result.value, operation, timeout)
            waited = lib.pyossl_wait(self._c, -result.value, timeout, deadline)
            if waited not in (0, INTERRUPTED):
                raise self._not_in_time(waited, operation, timeout)
        return result

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

    @property
    def keeps_to_records(self) -> bool:
        """Whether a read takes nothing off the descriptor but the records that it needs."""
        return bool(self._c.keeps_to_records)

    @keeps_to_records.setter
    def keeps_to_records(self, value: bool) -> None:
        self._c.keeps_to_records = value

    @property
    def waiters(self) -> int:
        """How many threads wait for the descriptor now."""
        return int(self._c.waiters)

    def end(self) -> BaseException | None:
        """``close``, after our close_notify if that needs no waiting, and lets go whoever waits in another call: the
        descriptor can be closed.  Returns what a callback raised meanwhile.  In a child process it does nothing.

        SSL_shutdown(3), SSL_free(3)
        """
        result = lib.pyossl_end_socket(self._c)
        if result == lib.PYOSSL_BUSY:
            raise self._in_a_callback()
        return self._error(result, "shutting down") if result == lib.PYOSSL_PARKED else None

    def _not_in_time(self, result: int, operation: str, timeout: float) -> BaseException:
        if result == lib.PYOSSL_TIMED_OUT:
            whom = f", with {self._name!r}" if self._name else ""
            return TimeoutError(f"{operation} timed out after {timeout} s{whom}")
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
    lib.pyossl_drain(descriptor)


def new_deadline() -> Any:
    """For several calls of ``finish`` that share a deadline, which the first wait fixes."""
    return ffi.new("long long *")


def deadline_in(timeout: float) -> int:
    """The time in ``timeout`` seconds, in nanoseconds by the clock that the waits go by.  clock_gettime(2)"""
    return int(lib.pyossl_deadline(timeout))


def seconds_until(deadline: int) -> float:
    """How long it is to ``deadline``, of ``deadline_in``; below 0 where it has passed."""
    return (deadline - deadline_in(0)) / 1e9
