"""Waiting for several descriptors at once, where no connection is there yet to wait for."""

from __future__ import annotations

import select
from collections.abc import Collection

from pyossl.waiting import seconds_until

LONGEST_WAIT = 1e6  # seconds: poll(2) counts milliseconds in an int


def seconds_left(deadline: int | None) -> float | None:
    """How long it is to ``deadline``, of ``deadline_in``, at least 0; None where there is none."""
    return None if deadline is None else min(max(seconds_until(deadline), 0.0), LONGEST_WAIT)


def ready(readers: Collection[int], writers: Collection[int], timeout: float | None) -> set[int]:
    """The descriptors that can be read or written, or have failed; none where ``timeout`` seconds have passed first.

    The functions of ``select`` are looked up at each call: gevent and eventlet put others in their place.  poll(2)
    """
    if not hasattr(select, "poll"):  # eventlet takes it away
        found = select.select(readers, writers, writers, timeout)
        return {fd for each in found for fd in each}
    poller = select.poll()
    for fd in readers:
        poller.register(fd, select.POLLIN)
    for fd in writers:
        poller.register(fd, select.POLLOUT)
    milliseconds = None if timeout is None else int(timeout * 1000) + (timeout > 0)
    return {fd for fd, _ in poller.poll(milliseconds)}
