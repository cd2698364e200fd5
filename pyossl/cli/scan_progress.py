"""The line on a terminal that says what a scan is doing."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TextIO

from pyossl.cli.screen import printable

_INTERVAL = 0.05
"""The least time in seconds between two changes of the line."""


class ProgressLine:
    """One line on standard error that changes while a command runs.  In a pipe, it prints nothing.

    Use it in a ``with`` block: the line is erased at the end.
    """

    def __init__(self, stream: TextIO, columns: int) -> None:
        self._stream = stream
        self._columns = columns
        self._is_shown = stream.isatty()
        self._last = 0.0
        self._length = 0

    def show(self, text: str) -> None:
        """Replaces the line by ``text``."""
        now = time.monotonic()
        if self._is_shown and now - self._last >= _INTERVAL:
            self._last = now
            self._write(printable(text)[: self._columns - 1])

    def _write(self, text: str) -> None:
        self._stream.write(f"\r{text:<{self._length}}")
        self._length = len(text)
        self._stream.flush()

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._length:
            self._write("")
            self._stream.write("\r")
            self._stream.flush()
