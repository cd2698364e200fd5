"""A wait of the program's own in place of poll(2): see pyossl/greenlets.py, which sets it.

Whoever waits for a descriptor in Python, rather than in C, asks ``wait`` first: where it is None nothing is different.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from typing import Any

from pyossl.outcome import Want
from pyossl.waiting import deadline_in, seconds_until

Wait = Callable[[int, Want, "float | None"], object]
"""Called as ``wait(descriptor, want, seconds)``: returns when the descriptor can be read from (``Want.READ``) or
written to (``Want.WRITE``), when ``seconds`` have passed (None: there is no limit), or sooner."""

wait: Wait | None = None
"""The program's, None while there is none."""

_LONGEST = 1.0  # seconds: by then it is noticed that the descriptor has been closed
_UNDER_WAY = (errno.EINPROGRESS, errno.EALREADY, errno.EWOULDBLOCK, errno.ENOTCONN)


def until_ready(descriptor: int, want: Want, deadline: int | None, goes_on: bool = False) -> None:
    """Waits by ``wait`` until the descriptor may be ready, at most until ``deadline``, of ``deadline_in``.

    Raises ``TimeoutError`` where that has passed.  It may return early: whoever calls it tries again.  With ``goes_on``
    it only lets others have their turn.
    """
    assert wait is not None, "its caller has looked"
    left = _LONGEST if deadline is None else seconds_until(deadline)
    if left <= 0:
        raise TimeoutError("timed out")
    wait(descriptor, want, 0.0 if goes_on else min(left, _LONGEST))


def connect(sock: socket.socket, address: Any, deadline: int | None) -> None:
    """As ``sock.connect``, waiting by ``wait``; the socket blocks afterwards.  connect(2)"""
    sock.setblocking(False)
    problem = sock.connect_ex(address)
    while problem in _UNDER_WAY:
        until_ready(sock.fileno(), Want.WRITE, deadline)
        problem = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if problem == 0:
            try:
                sock.getpeername()
            except OSError as error:
                problem = error.errno or errno.EIO
    if problem:
        raise OSError(problem, os.strerror(problem))
    sock.setblocking(True)


def accept(sock: socket.socket) -> tuple[socket.socket, Any]:
    """As ``sock.accept``, waiting by ``wait`` within the socket's own timeout.  accept(2)"""
    timeout = sock.gettimeout()
    deadline = None if timeout is None else deadline_in(timeout)
    while True:
        sock.settimeout(0)  # no greenlet runs before it is set back
        try:
            return sock.accept()
        except BlockingIOError:
            if timeout == 0:
                raise
        finally:
            sock.settimeout(timeout)
        until_ready(sock.fileno(), Want.READ, deadline)
