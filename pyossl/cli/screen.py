"""Prints a command's output: with colour on a terminal if ``rich`` is installed, and without it everywhere else.

The layout is the same in both cases; ``rich`` adds only the colour.  On a terminal, long text is wrapped to the
terminal's width.  In a pipe, each text stays on one line, so that programs can search it.
"""

from __future__ import annotations

import contextlib
import io
import shutil
import textwrap
from collections.abc import Iterable
from typing import Any, NamedTuple, TextIO

_NARROWEST, _WIDEST = 60, 100
_KEY = 16


class Span(NamedTuple):
    """A part of a line, and its style in the syntax of ``rich``."""

    text: str
    style: str = ""


class Glyphs(NamedTuple):
    """The characters that drawings are made of."""

    vertical: str
    horizontal: str
    right: str
    left: str
    good: str
    bad: str
    branch: str
    between: str


_DRAWN = Glyphs("│", "─", "►", "◄", "✓", "✗", "└─", "·")
_TYPED = Glyphs("|", "-", ">", "<", "+", "!", "`-", ",")


class Screen:
    """Prints on a text stream, which may be a terminal, a pipe or a file."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._console = _rich_console(stream) if self._is_terminal else None
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # so that a name in a certificate cannot cause an exception
        self.glyphs = _DRAWN if _can_write("".join(_DRAWN), stream) else _TYPED
        self.width = min(max(shutil.get_terminal_size().columns, _NARROWEST), _WIDEST)
        """The width of a drawing in columns."""

    def line(self, *spans: str | Span) -> None:
        """Prints one line."""
        given = (span if isinstance(span, Span) else Span(span) for span in spans)
        pieces = [Span(printable(span.text), span.style) for span in given]
        if self._console is None:
            print("".join(piece.text for piece in pieces).rstrip(), file=self._stream)
            return
        from rich.text import Text

        self._console.print(Text.assemble(*((piece.text, piece.style) for piece in pieces)), soft_wrap=True)

    def data(self, text: str) -> None:
        """Prints text for a program, without changes."""
        print(text, file=self._stream)

    def raw(self, data: bytes) -> None:
        """Writes bytes immediately and without changes."""
        self._stream.flush()
        buffer = getattr(self._stream, "buffer", None)
        if buffer is None:  # a stream in memory
            self._stream.write(data.decode("utf-8", "backslashreplace"))
        else:
            buffer.write(data)
            buffer.flush()

    def flush(self) -> None:
        """Flushes the output, so that the reader of a pipe receives it immediately."""
        self._stream.flush()

    def log(self, source: str, event: str, style: str = "") -> None:
        """Prints a line of a log."""
        self.line(Span(source, "dim"), " ", Span(event, style))

    def heading(self, title: str, note: str = "") -> None:
        """Prints an empty line, and a title with a note beside it."""
        self.line()
        self.title(title, note)

    def title(self, title: str, note: str = "") -> None:
        """Prints a title with a note beside it, or below it if the line would be too long."""
        beside = not self._is_terminal or len(title) + 2 + len(note) <= self.width
        self.line(Span(title, "bold"), Span(f"  {note}" if note and beside else "", "dim"))
        if not beside:
            self.text(note, style="dim")

    def field(self, key: str, value: str, style: str = "") -> None:
        """Prints a key and its value.  Further lines of the value are indented."""
        first, *rest = self._wrapped(value, 2 + _KEY)
        self.line(Span(f"  {key:<{_KEY}}", "dim"), Span(first, style))
        self._lines(rest, 2 + _KEY, style)

    def text(self, text: str, indent: int = 2, style: str = "") -> None:
        """Prints indented text."""
        self._lines(self._wrapped(text, indent), indent, style)

    def branch(self, indent: int, branch: str, text: str, error: str = "") -> None:
        """Prints a branch of a tree, followed by its error if there is one."""
        sign = f"  {self.glyphs.bad} {error}" if error else ""
        first, *rest = self._wrapped(text, indent + len(branch) + len(sign))
        self.line(" " * indent, Span(branch, "dim"), Span(first, "bold"), Span(sign, "bold red"))
        self._lines(rest, indent + len(branch), "bold")

    def verdict(self, good: bool, text: str) -> None:
        """Prints a result: a line with a check mark if ``good``, otherwise with a cross."""
        sign = Span(self.glyphs.good, "bold green") if good else Span(self.glyphs.bad, "bold red")
        first, *rest = self._wrapped(text, 4)
        self.line("  ", sign, " ", Span(first, "" if good else "red"))
        self._lines(rest, 4, "" if good else "red")

    def _lines(self, lines: Iterable[str], indent: int, style: str) -> None:
        for line in lines:
            self.line(" " * indent, Span(line, style))

    def _wrapped(self, text: str, indent: int) -> list[str]:
        if not self._is_terminal:
            return [text]
        return textwrap.wrap(text, self.width - indent, break_on_hyphens=False, break_long_words=False) or [""]


def printable(text: str) -> str:
    """``text`` with escape sequences instead of control characters, because peers choose names and messages."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def counted(number: int, noun: str) -> str:
    """A number with its noun, for example ``1 byte`` or ``2 bytes``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _rich_console(stream: TextIO) -> Any:
    """A console of ``rich``, or None if the extra ``cli`` is not installed.  It respects NO_COLOR and TERM."""
    with contextlib.suppress(ImportError):
        from rich.console import Console

        return Console(file=stream, highlight=False, markup=False, emoji=False)
    return None


def _can_write(characters: str, stream: TextIO) -> bool:
    try:
        characters.encode(stream.encoding or "utf-8")  # a stream in memory has none
    except UnicodeEncodeError:
        return False
    return True
