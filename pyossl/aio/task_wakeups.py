"""Wakes a task that waits for bytes in the same turn of the loop.

asyncio wakes a task through the loop's queue: ``set_result`` puts the task's next step there, and the loop runs it in
its next turn, after it has polled all descriptors again.  If messages come one at a time, as in a dialogue, that turn
costs as much as OpenSSL does.  But when the loop calls a transport because its descriptor is ready, no task is in the
middle of a step, and the context is the loop's own.  So the step can run at once, in the way in which the loop would
run it.

This is done only if the one thing that waits is a task of asyncio's own type.  Anything else is woken through the
queue.
"""

from __future__ import annotations

import asyncio
from typing import Any


def wake_now(waiter: asyncio.Future[None]) -> None:
    """Sets the result of a future and runs the next step of the task that awaits it.

    Only a function that the loop itself has called may call this.  Raises the exceptions that leave a task's step:
    ``KeyboardInterrupt`` and ``SystemExit``.
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


def wake_through_queue(waiter: asyncio.Future[None]) -> None:
    """Sets the result of a future: the task that awaits it runs in the loop's next turn."""
    waiter.set_result(None)
