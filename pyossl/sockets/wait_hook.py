"""A function of the program that waits for a descriptor in place of poll(2).  pyossl/greenlets.py sets it.

Code that waits for a descriptor in Python, and not in C, calls ``wait`` if it is set.
"""

from __future__ import annotations

from collections.abc import Callable

from pyossl.core.outcome import Want
from pyossl.sockets.descriptor_connection import seconds_until
from pyossl.tls.suspension import ASK_AGAIN, CALLBACK_WANTS, JOB_WANTS

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
    if want in CALLBACK_WANTS or want in JOB_WANTS:  # this descriptor does not show when there is an answer
        want, left = Want.READ, min(left, ASK_AGAIN)
    wait(descriptor, want, 0.0 if goes_on else min(left, _LONGEST))
