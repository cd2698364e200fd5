"""Peers in threads, for the tests of sockets."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

import pyossl
from pyossl.core.lock import TakenError, ask

SECONDS = 20
"""The most seconds that a test waits for something that should happen at once."""

T = TypeVar("T")
SocketPair = tuple[pyossl.Socket, pyossl.Socket]


def child_that_does(work: Callable[[], object]) -> int:
    """Forks a child and returns its process id; its exit status is 0 if ``work`` raised nothing."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return child


class Task(Generic[T]):
    """A function that runs in a thread; ``result`` returns its result or raises its exception."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._result: T
        self._error: BaseException | None = None
        self._thread.start()

    def _run(self) -> None:
        try:
            self._result = self._work()
        except BaseException as error:
            self._error = error

    def result(self, seconds: float = SECONDS) -> T:
        self._thread.join(seconds)
        assert not self._thread.is_alive(), f"{self._work} is still at work after {seconds} s"
        if self._error is not None:
            raise self._error
        return self._result


def in_a_child(work: Callable[[], object], meanwhile: Callable[[], object] = lambda: None) -> None:
    """Runs ``work`` in a forked child, which must exit with 0, and ``meanwhile`` in this process."""
    child = child_that_does(work)
    meanwhile()
    waiting = Task(lambda: os.waitpid(child, 0))
    try:
        _, status = waiting.result()
    except AssertionError:
        os.kill(child, 9)
        raise
    assert os.waitstatus_to_exitcode(status) == 0


def until(condition: Callable[[], object]) -> None:
    """Waits until a condition holds, which another thread makes true."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, f"never came true: {condition}"
        time.sleep(0.001)


@contextlib.contextmanager
def serving(context: pyossl.Context, work: Callable[[pyossl.Socket], Any], address: Any = None) -> Iterator[Any]:
    """A listener that passes one client to ``work`` in a thread; yields the listener's address."""
    with pyossl.listen(("127.0.0.1", 0) if address is None else address, context) as listener:
        listener.settimeout(SECONDS)

        def serve() -> None:
            tls, _ = listener.accept()
            with tls:
                tls.settimeout(SECONDS)
                work(tls)

        task = Task(serve)
        yield listener.address
        task.result()


@contextlib.contextmanager
def serving_plain(work: Callable[[socket.socket], Any]) -> Iterator[Any]:
    """As ``serving``, without TLS."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(SECONDS)

        def serve() -> None:
            sock, _ = listener.accept()
            with sock:
                sock.settimeout(SECONDS)
                work(sock)

        task = Task(serve)
        yield listener.getsockname()
        task.result()


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    """Two connected TCP sockets on the loopback: a socketpair has no resets and no half-open connections."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        first = socket.create_connection(listener.getsockname(), SECONDS)
        second, _ = listener.accept()
        second.settimeout(SECONDS)
        return first, second


def tls_pair(
    client_context: pyossl.Context,
    server_context: pyossl.Context,
    sockets: tuple[socket.socket, socket.socket] | None = None,
) -> SocketPair:
    """The ``Socket`` of a client and of a server, after their handshake."""
    first, second = sockets or tcp_pair()
    server = Task(lambda: server_context.wrap_socket(second))
    client = client_context.wrap_socket(first, "example.com")
    return client, server.result()


def read_all(tls: pyossl.Socket) -> bytes:
    """The bytes that the peer sends until its close_notify."""
    return b"".join(iter(lambda: tls.recv(65536), b""))


def is_free(lock: Any) -> bool:
    """Whether another thread can take a ``pyossl_lock *`` at once."""

    def enter() -> bool:
        try:
            return ask(pyossl.lib.pyossl_under_lock_if_free, lock, lambda: True)
        except TakenError:
            return False

    return Task(enter).result()
