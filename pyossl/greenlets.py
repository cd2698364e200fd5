"""Blocking sockets in programs whose threads are greenlets: those of gevent, of eventlet, or of another hub.

A ``Socket`` waits in C, where the hub cannot run another greenlet.  Call ``use_gevent()``, ``use_eventlet()`` or
``wait_with(wait)`` once, before the first socket is made.  From then on ``connect``, ``Listener.accept`` and
``Context.wrap_socket`` make sockets that never wait in C.  Their calls take non-blocking steps, and between two steps
the hub waits for the descriptor.  Sockets that exist already are not changed.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from typing import Any, TypeVar

from pyossl.core.buffers import Bytes
from pyossl.core.errors import UsageError, WouldBlockError
from pyossl.core.outcome import Want
from pyossl.sockets import socket as sockets, wait_hook
from pyossl.sockets.descriptor_connection import FOREVER, deadline_in
from pyossl.sockets.socket import Socket
from pyossl.sockets.wait_hook import Wait as Wait
from pyossl.tls.connection.post_handshake import OPERATIONS

__all__ = ["GreenSocket", "Wait", "use_eventlet", "use_gevent", "wait_with"]

_T = TypeVar("_T")
_READING = "reading"
"""The operation, as errors name it, of a call that reads data."""


def use_gevent() -> None:
    """Makes new sockets wait with the gevent hub of the calling thread.  ``ImportError`` if gevent is not installed."""
    hub: Any = import_module("gevent.socket")

    def wait(descriptor: int, want: Want, seconds: float | None) -> None:
        with contextlib.suppress(_TimeIsUpError):
            (hub.wait_write if want is Want.WRITE else hub.wait_read)(
                descriptor, timeout=seconds, timeout_exc=_TimeIsUpError()
            )

    wait_with(wait)


def use_eventlet() -> None:
    """Makes new sockets wait with the eventlet hub of the calling thread.  ``ImportError`` if it is not installed."""
    hub: Any = import_module("eventlet.hubs")

    def wait(descriptor: int, want: Want, seconds: float | None) -> None:
        direction = {"write": True} if want is Want.WRITE else {"read": True}
        with contextlib.suppress(_TimeIsUpError):
            hub.trampoline(descriptor, timeout=seconds, timeout_exc=_TimeIsUpError, **direction)

    wait_with(wait)


def wait_with(wait: Wait | None) -> None:
    """Makes new sockets wait with the function ``wait``; with None they wait in C again.

    It is called as ``wait(descriptor, want, seconds)``.  It returns when the descriptor can be read (``Want.READ``) or
    written (``Want.WRITE``), when ``seconds`` have passed (None: no limit), or sooner.  An exception that it raises is
    raised from the call that waits.  Raises ``TypeError`` if ``wait`` is not a function.  poll(2)
    """
    if wait is not None and not callable(wait):
        raise TypeError(f"a wait is a function or None, not {type(wait).__name__}")
    wait_hook.wait = wait
    sockets.socket_class = Socket if wait is None else GreenSocket


class _TimeIsUpError(Exception):
    """Thrown by a hub at the end of a wait."""


class GreenSocket(Socket):
    """A ``Socket`` whose calls wait with the function of ``wait_with``, or with gevent's or eventlet's hub.

    One greenlet may read while another writes.  If two write at once, the second raises ``UsageError``.
    """

    _limit = FOREVER
    _waiters = 0
    _is_writing = _closes_last = False

    # The timeout is kept here.  In C it is 0, so that no call waits there.

    def _set_timeout(self, timeout: float) -> None:
        self._limit = timeout
        super()._set_timeout(0.0)

    def gettimeout(self) -> float | None:
        """The timeout in seconds; None if there is none."""
        return None if self._limit == FOREVER else self._limit

    timeout = property(gettimeout)

    def getblocking(self) -> bool:
        return self._limit != 0

    # Calls

    def handshake(self) -> None:
        self._in_steps("the handshake", super().handshake)

    def _handshake_before(self, deadline: int) -> None:
        step = super().handshake
        self._until("the handshake", None if self._limit == FOREVER else deadline, step)

    def read_early_data(self, size: int = 16384) -> bytes:
        return self._in_steps("reading early data", super().read_early_data, size)

    def recv(self, size: int, flags: int = 0) -> bytes:
        return self._in_steps(_READING, super().recv, size, flags)

    def recv_into(self, buffer: Any, size: int = 0, flags: int = 0) -> int:
        return self._in_steps(_READING, super().recv_into, buffer, size, flags)

    def send(self, data: Bytes, flags: int = 0) -> int:
        if self._limit == 0:
            return super().send(data, flags)
        deadline, sent = self._deadline(), 0
        with self._writes(), memoryview(data) as view, view.cast("B") as octets:
            while True:
                with octets[sent:] as rest:
                    sent += self._until("writing", deadline, super().send, rest, flags)
                if sent >= len(octets):
                    return sent

    def sendall(self, data: Bytes, flags: int = 0) -> None:
        if self._limit == 0:
            super().sendall(data, flags)
        else:
            self.send(data, flags)

    def _send_some(self, data: Bytes) -> int:
        with self._writes():
            return self._in_steps("writing", super()._send_some, data)

    def _send_before(self, deadline: int, data: Bytes) -> int:
        with self._writes():
            return self._until("sending a file", deadline or None, super()._send_some, data)

    def _post_handshake(self, what: int) -> None:
        if self._limit == 0:
            super()._post_handshake(what)
            return
        steps = iter((partial(self.connection._post_handshake, what),))

        def step() -> None:
            """Begins in the first call, and goes on in the others."""
            if (want := next(steps, self.connection.handshake)()) is not None:
                raise WouldBlockError(want)

        with self._writes():
            self._in_steps(OPERATIONS[what], step)

    def shutdown(self, how: int) -> None:
        self._in_steps("the shutdown", super().shutdown, how)

    def unwrap(self) -> socket.socket:
        return self._in_steps("the shutdown", super().unwrap)

    # Waiting

    def _deadline(self) -> int | None:
        return None if self._limit == FOREVER else deadline_in(self._limit)

    def _in_steps(self, operation: str, step: Callable[..., _T], *arguments: Any) -> _T:
        return self._until(operation, self._deadline(), step, *arguments)

    def _until(self, operation: str, deadline: int | None, step: Callable[..., _T], *arguments: Any) -> _T:
        """Repeats a step that does not wait until it is done, before the deadline of the whole call."""
        while True:
            try:
                return step(*arguments)
            except WouldBlockError as error:
                if self._limit == 0:
                    raise
                want = error.want
            self._wait(operation, want, deadline)

    def _wait(self, operation: str, want: Want, deadline: int | None) -> None:
        goes_on = want is Want.READ and self.connection.is_paused
        if want is Want.READ and not self._waiters and self.connection.has_data_to_read_first:
            if operation != _READING:
                raise self.connection.data_first_error("waiting")
            goes_on = True  # a renegotiation in another thread has met data meanwhile: the next read takes them
        self._waiters += 1
        try:
            wait_hook.until_ready(self._sock.fileno(), want, deadline, goes_on)
        except TimeoutError:
            raise TimeoutError(f"{operation} timed out after {self._limit} s") from None
        finally:
            self._waiters -= 1
            if self._closes_last and not self._waiters:
                self._sock.close()

    @contextlib.contextmanager
    def _writes(self) -> Iterator[None]:
        if self._is_writing:
            raise UsageError("another greenlet is writing to this socket already")
        self._is_writing = True
        try:
            yield
        finally:
            self._is_writing = False

    def _close(self) -> None:
        """Wakes the greenlets that wait; the last one closes the descriptor, because the hub still has its number."""
        if not self._waiters or self.connection.is_inherited:
            super()._close()
            return
        raised = self.connection.end()
        self._closes_last = True
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        if raised is not None:
            raise raised
