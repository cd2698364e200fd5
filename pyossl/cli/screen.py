"""What a command prints on: the same lines in colour on a terminal, through ``rich``, and plain everywhere else.

The layout is ours and colour is all that ``rich`` adds, so that both look the same.  On a terminal long text is
wrapped at its width; in a pipe a text stays one line, for whoever searches it.
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
    """A piece of a line, and its style in ``rich``'s words."""

    text: str
    style: str = ""


class Glyphs(NamedTuple):
    """The characters that pictures are made of."""

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
    """Where a command prints."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._console = _rich_console(stream) if self._is_terminal else None
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name in a certificate must not end the program
        self.glyphs = _DRAWN if _can_write("".join(_DRAWN), stream) else _TYPED
        self.width = min(max(shutil.get_terminal_size().columns, _NARROWEST), _WIDEST)
        """How many columns a picture takes."""

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
        """Prints what a program will read: as it is, whatever the screen."""
        print(text, file=self._stream)

    def raw(self, data: bytes) -> None:
        """Writes bytes that are somebody else's, at once and as they are."""
        self._stream.flush()
        buffer = getattr(self._stream, "buffer", None)
        if buffer is None:  # a stream in memory
            self._stream.write(data.decode("utf-8", "backslashreplace"))
        else:
            buffer.write(data)
            buffer.flush()

    def flush(self) -> None:
        """Flushes what was printed, so that a reader of a pipe has it at once."""
        self._stream.flush()

    def entry(self, who: str, what: str, style: str = "") -> None:
        """Prints a line of a log."""
        self.line(Span(who, "dim"), " ", Span(what, style))

    def heading(self, title: str, note: str = "") -> None:
        """Prints an empty line and a title, with a note beside it."""
        self.line()
        self.title(title, note)

    def title(self, title: str, note: str = "") -> None:
        """Prints a title, with a note beside it, or below it where there is no room."""
        beside = not self._is_terminal or len(title) + 2 + len(note) <= self.width
        self.line(Span(title, "bold"), Span(f"  {note}" if note and beside else "", "dim"))
        if not beside:
            self.text(note, style="dim")

    def field(self, key: str, value: str, style: str = "") -> None:
        """Prints a value beside its key, with a hanging indent."""
        first, *rest = self._wrapped(value, 2 + _KEY)
        self.line(Span(f"  {key:<{_KEY}}", "dim"), Span(first, style))
        self._lines(rest, 2 + _KEY, style)

    def text(self, text: str, indent: int = 2, style: str = "") -> None:
        """Prints text, indented."""
        self._lines(self._wrapped(text, indent), indent, style)

    def branch(self, indent: int, branch: str, text: str, mark: str = "") -> None:
        """Prints a branch of a tree, with what is wrong with it, if anything is, behind."""
        sign = f"  {self.glyphs.bad} {mark}" if mark else ""
        first, *rest = self._wrapped(text, indent + len(branch) + len(sign))
        self.line(" " * indent, Span(branch, "dim"), Span(first, "bold"), Span(sign, "bold red"))
        self._lines(rest, indent + len(branch), "bold")

    def verdict(self, good: bool, text: str) -> None:
        """Prints a line that says whether something came out as it should."""
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
    """``text`` with whatever a terminal would obey written out: names and messages come from peers."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def counted(number: int, noun: str) -> str:
    """A number of things, such as ``1 byte`` or ``2 bytes``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _rich_console(stream: TextIO) -> Any:
    """``rich``'s console, or None where the extra ``cli`` is not installed.  It respects NO_COLOR and TERM."""
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
