"""A function of the program that waits for a descriptor in place of poll(2).  pyossl/greenlets.py sets it.

Code that waits for a descriptor in Python, and not in C, calls ``wait`` if it is set.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from pyossl.core.outcome import Want
from pyossl.sockets.descriptor_connection import seconds_until
from pyossl.tls.callbacks.suspension import ASK_AGAIN, CALLBACK_WANTS, JOB_WANTS

Wait = Callable[[int, Want, "float | None"], object]
"""``wait(descriptor, want, seconds)`` returns when the descriptor can be read (``Want.READ``) or written
(``Want.WRITE``), when ``seconds`` have passed (None: no limit), or sooner."""

wait: Wait | None = None
"""The program's function; None if it has set none."""

_LONGEST = 1.0  # seconds, after which a descriptor that was closed is noticed


def until_ready(descriptor: int, want: Want, deadline: int | None, goes_on: bool = False) -> None:
    """Calls ``wait`` until the descriptor may be ready, at most until ``deadline``, of ``deadline_in``.

    Raises ``TimeoutError`` after the deadline.  It may return early, so the caller tries again.  With ``goes_on`` it
    does not wait, and only lets other greenlets run.
    """
    assert wait is not None, "the caller checks it"
    left = _LONGEST if deadline is None else seconds_until(deadline)
    if left <= 0:
        raise TimeoutError("timed out")
    if want in CALLBACK_WANTS or want in JOB_WANTS:
        _pause(wait, min(left, ASK_AGAIN))
    else:
        wait(descriptor, want, 0.0 if goes_on else min(left, _LONGEST))


def _pause(wait: Wait, seconds: float) -> None:
    """Lets other greenlets run for a while.  It waits for a pipe, to which nobody writes: the connection's descriptor
    does not show when there is an answer, and bytes of the peer would end the wait at once."""
    reader, writer = os.pipe()
    try:
        wait(reader, Want.READ, seconds)
    finally:
        os.close(reader)
        os.close(writer)
