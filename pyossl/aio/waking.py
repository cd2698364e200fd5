"""Waking the task that waits for bytes.

asyncio's way is by the loop's queue: ``set_result`` puts the task's next step there, and the loop takes it in its next
turn, after another look at every descriptor.  Where a message comes alone, as in a dialogue, that turn costs as much as
OpenSSL does.  But where the loop calls a transport because of its descriptor, no task is in the middle of a step, and
the queue's context is nobody's: the step can be taken there and then, as the loop would.

That is done for the step of a task of asyncio's own that waits alone.  Whatever else waits is woken asyncio's way.
"""

from __future__ import annotations

import asyncio
from typing import Any


def wake(waiter: asyncio.Future[None]) -> None:
    """Finishes a wait, and takes the next step of the task that waits; for a caller that the loop has called.

    Raises what escapes a task: ``KeyboardInterrupt`` and ``SystemExit``.
    """
    step: Any
    try:
        ((step, context),) = waiter._callbacks
        is_of_task = isinstance(step.__self__, asyncio.Task)
    except (AttributeError, TypeError, ValueError):
        is_of_task = False
    if is_of_task:
        waiter.remove_done_callback(step)
        waiter.set_result(None)
        context.run(step, waiter)
    else:
        waiter.set_result(None)
