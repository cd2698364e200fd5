"""Waiting for several descriptors at once, before there is a TLS connection: in ``connect`` and ``accept``."""

from __future__ import annotations

import itertools
import select
from collections.abc import Sequence

from pyossl.core.outcome import Want
from pyossl.sockets import wait_hook
from pyossl.sockets.descriptor_connection import deadline_in, seconds_until

LONGEST_WAIT = 1e6  # seconds: poll(2) counts milliseconds in an int
SLICE = 0.05  # seconds


def seconds_left(deadline: int | None) -> float | None:
    """The seconds until ``deadline``, of ``deadline_in``, at least 0; None if there is no deadline."""
    return None if deadline is None else min(max(seconds_until(deadline), 0.0), LONGEST_WAIT)


def ready(readers: Sequence[int], writers: Sequence[int], timeout: float | None) -> set[int]:
    """Waits until a descriptor can be read or written, or has failed, and returns those that can or have.

    The set is empty if ``timeout`` seconds pass first.  If the program has set a wait of its own, that is used.  It
    takes one descriptor: the first of the readers, or each of the writers in turn.  The others are polled every
    ``SLICE`` seconds.  poll(2)
    """
    if wait_hook.wait is None:
        return _polled(readers, writers, timeout)
    deadline = None if timeout is None else deadline_in(timeout)
    turns = itertools.cycle([(fd, Want.READ) for fd in readers[:1]] or [(fd, Want.WRITE) for fd in writers])
    while not (found := _polled(readers, writers, 0)):
        left = seconds_left(deadline)
        if left == 0:
            break
        fd, want = next(turns)
        wait_hook.wait(fd, want, SLICE if left is None else min(left, SLICE))
    return found


def _polled(readers: Sequence[int], writers: Sequence[int], timeout: float | None) -> set[int]:
    """Polls with the functions that ``select`` has now: gevent and eventlet replace them."""
    if not hasattr(select, "poll"):  # eventlet removes it
        found = select.select(readers, writers, writers, timeout)
        return {fd for each in found for fd in each}
    poller = select.poll()
    for fd in readers:
        poller.register(fd, select.POLLIN)
    for fd in writers:
        poller.register(fd, select.POLLOUT)
    milliseconds = None if timeout is None else int(timeout * 1000) + (timeout > 0)
    return {fd for fd, _ in poller.poll(milliseconds)}
