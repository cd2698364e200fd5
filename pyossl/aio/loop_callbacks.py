"""The functions that the loop calls for a transport: when it can read, when it can write, and in its next turn."""

from __future__ import annotations

from collections.abc import Callable

from pyossl.aio.flow_control import FlowControl


class LoopCallbacks(FlowControl):
    """Starts and stops the reader's and the writer's callback, and calls a reading step in the loop's next turn.

    A *step* is a function without arguments that does a bounded amount of work and never waits.
    """

    __slots__ = ("_step_due", "_watches_reader", "_watches_writer")

    _step_due: Callable[[], object] | None

    # For subclasses to implement

    def _watch_reader(self, callback: Callable[[], object]) -> None:
        """Has ``callback`` called whenever there is something to read.  It replaces the callback before it."""
        raise NotImplementedError

    def _unwatch_reader(self) -> None:
        raise NotImplementedError

    def _watch_writer(self, callback: Callable[[], object]) -> None:
        """Has ``callback`` called whenever there is room to write.  It replaces the callback before it."""
        raise NotImplementedError

    def _unwatch_writer(self) -> None:
        raise NotImplementedError

    # For the transport to call

    def _watch_nothing_yet(self) -> None:
        self._step_due = None
        self._watches_reader = self._watches_writer = False

    def _start_reader(self, step: Callable[[], object]) -> None:
        self._watches_reader = True
        self._watch_reader(step)

    def _stop_reader(self) -> None:
        if self._watches_reader:
            self._watches_reader = False
            self._unwatch_reader()

    def _start_writer(self, step: Callable[[], object]) -> None:
        self._watches_writer = True
        self._watch_writer(step)

    def _stop_writer(self) -> None:
        if self._watches_writer:
            self._watches_writer = False
            self._unwatch_writer()

    def _call_soon(self, step: Callable[[], object]) -> None:
        """Calls a reading step once in the loop's next turn, no matter how often this is called before.

        The loop also calls a step when there is something to read.  If each of those steps added one more, the turns
        of the loop would become longer and longer.
        """
        if self._step_due is None:
            self._loop.call_soon(self._call_step)
        self._step_due = step

    def _call_step(self) -> None:
        step, self._step_due = self._step_due, None
        if step is not None:
            step()
