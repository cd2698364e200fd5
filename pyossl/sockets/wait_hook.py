"""A wait of the program's own in place of poll(2): see pyossl/greenlets.py, which sets it.

Code that waits for a descriptor in Python, and not in C, uses ``wait`` where the program has set one.
"""

from __future__ import annotations

from collections.abc import Callable

from pyossl.core.outcome import Want
from pyossl.sockets.descriptor_connection import seconds_until

Wait = Callable[[int, Want, "float | None"], object]
"""Called as ``wait(descriptor, want, seconds)``: returns when the descriptor can be read from (``Want.READ``) or
written to (``Want.WRITE``), when ``seconds`` have passed (None: there is no limit), or sooner."""

wait: Wait | None = None
"""The program's, None while there is none."""

_LONGEST = 1.0  # seconds: by then it is noticed that the descriptor has been closed


def until_ready(descriptor: int, want: Want, deadline: int | None, goes_on: bool = False) -> None:
    """Waits by ``wait`` until the descriptor may be ready, at most until ``deadline``, of ``deadline_in``.

    Raises ``TimeoutError`` where that has passed.  It may return early, so its caller tries again.  With ``goes_on``
    it does not wait, and only lets other greenlets run.
    """
    assert wait is not None, "its caller has looked"
    left = _LONGEST if deadline is None else seconds_until(deadline)
    if left <= 0:
        raise TimeoutError("timed out")
    wait(descriptor, want, 0.0 if goes_on else min(left, _LONGEST))
