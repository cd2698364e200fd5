"""Blocking sockets in a program whose threads are greenlets: gevent's, eventlet's, or those of another hub.

A ``Socket`` waits in C, where no hub can run another greenlet.  After ``use_gevent()``, ``use_eventlet()``, or
``wait_with`` and a wait of the program's own, ``connect``, ``Listener.accept`` and ``Context.wrap_socket`` make sockets
whose calls never wait in C: each takes non-blocking steps, and between two of them the hub waits for the descriptor.
Call it once, before the first socket is made: those that exist already are not changed.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, TypeVar

from pyossl.core.errors import UsageError, WouldBlockError
from pyossl.core.outcome import Want
from pyossl.sockets import socket as sockets, wait_hook
from pyossl.sockets.descriptor_connection import FOREVER, deadline_in
from pyossl.sockets.socket import Socket
from pyossl.sockets.wait_hook import Wait as Wait
from pyossl.tls.connection import Bytes

_T = TypeVar("_T")


def use_gevent() -> None:
    """Waits by gevent's hub, in whichever thread the call is made.  ``ImportError`` where there is no gevent."""
    hub: Any = import_module("gevent.socket")

    def wait(descriptor: int, want: Want, seconds: float | None) -> None:
        with contextlib.suppress(_TimeIsUpError):
            (hub.wait_write if want is Want.WRITE else hub.wait_read)(
                descriptor, timeout=seconds, timeout_exc=_TimeIsUpError()
            )

    wait_with(wait)


def use_eventlet() -> None:
    """Waits by eventlet's hub, in whichever thread the call is made.  ``ImportError`` where there is no eventlet."""
    hub: Any = import_module("eventlet.hubs")

    def wait(descriptor: int, want: Want, seconds: float | None) -> None:
        direction = {"write": True} if want is Want.WRITE else {"read": True}
        with contextlib.suppress(_TimeIsUpError):
            hub.trampoline(descriptor, timeout=seconds, timeout_exc=_TimeIsUpError, **direction)

    wait_with(wait)


def wait_with(wait: Wait | None) -> None:
    """Waits by ``wait``, called as ``wait(descriptor, want, seconds)``; by poll(2) again where it is None.

    ``wait`` returns when the descriptor can be read from (``Want.READ``) or written to (``Want.WRITE``), when
    ``seconds`` have passed, or sooner; what it raises is raised from the call that waits.
    """
    if wait is not None and not callable(wait):
        raise TypeError(f"a wait is a function or None, not {type(wait).__name__}")
    wait_hook.wait = wait
    sockets.socket_class = Socket if wait is None else GreenSocket


class _TimeIsUpError(Exception):
    """Thrown by a hub at the end of a wait."""


class GreenSocket(Socket):
    """A ``Socket`` whose calls wait by the program's wait.

    One greenlet may read while another writes; two that write at once raise ``UsageError``, as two that wait for one
    descriptor do in a hub.
    """

    _limit = FOREVER
    _waiters = 0
    _is_writing = _is_left = False

    # The timeout is kept here: in C it is 0, so that no call waits there.

    def _set_timeout(self, timeout: float) -> None:
        self._limit = timeout
        super()._set_timeout(0.0)

    def gettimeout(self) -> float | None:
        return None if self._limit == FOREVER else self._limit

    timeout = property(gettimeout)

    def getblocking(self) -> bool:
        return self._limit != 0

    # Calls

    def handshake(self) -> None:
        self._in_steps("the handshake", super().handshake)

    def _shake_hands_before(self, deadline: int) -> None:
        step = super().handshake
        self._until("the handshake", None if self._limit == FOREVER else deadline, step)

    def recv(self, size: int, flags: int = 0) -> bytes:
        return self._in_steps("reading", super().recv, size, flags)

    def recv_into(self, buffer: Any, size: int = 0, flags: int = 0) -> int:
        return self._in_steps("reading", super().recv_into, buffer, size, flags)

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
        self._waiters += 1
        try:
            wait_hook.until_ready(self._sock.fileno(), want, deadline, want is Want.READ and self.connection.is_paused)
        except TimeoutError:
            raise TimeoutError(f"{operation} timed out after {self._limit} s") from None
        finally:
            self._waiters -= 1
            if self._is_left and not self._waiters:
                self._sock.close()

    @contextlib.contextmanager
    def _writes(self) -> Iterator[None]:
        if self._is_writing:
            raise UsageError("another greenlet writes to this socket already, and waits")
        self._is_writing = True
        try:
            yield
        finally:
            self._is_writing = False

    def _close(self) -> None:
        """A greenlet that waits is woken, and closes the descriptor as it leaves: the hub still has its number."""
        if not self._waiters or self.connection.is_inherited:
            super()._close()
            return
        raised = self.connection.end()
        self._is_left = True
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        if raised is not None:
            raise raised
