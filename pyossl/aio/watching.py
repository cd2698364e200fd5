"""What a transport has the loop watch, and the steps that it takes without being called for."""

from __future__ import annotations

from collections.abc import Callable

from pyossl.aio.flow_control import FlowControl


class Watching(FlowControl):
    """Steps of reading and of writing, taken when there is something to read, room to write, or neither is needed."""

    __slots__ = ("_step_due", "_watches_reader", "_watches_writer")

    _step_due: Callable[[], object] | None

    # What the subclasses do

    def _watch_reader(self, callback: Callable[[], object]) -> None:
        """Calls ``callback`` whenever there is something to read, in place of the one before."""
        raise NotImplementedError

    def _unwatch_reader(self) -> None:
        raise NotImplementedError

    def _watch_writer(self, callback: Callable[[], object]) -> None:
        """Calls ``callback`` whenever there is room to write, in place of the one before."""
        raise NotImplementedError

    def _unwatch_writer(self) -> None:
        raise NotImplementedError

    # What a transport calls

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

    def _take_soon(self, step: Callable[[], object]) -> None:
        """Takes a step of reading in the loop's next turn, once however many ask for it.

        The loop takes another where there is something to read: were each to ask for one more, turns would grow.
        """
        if self._step_due is None:
            self._loop.call_soon(self._take_step)
        self._step_due = step

    def _take_step(self) -> None:
        step, self._step_due = self._step_due, None
        if step is not None:
            step()
