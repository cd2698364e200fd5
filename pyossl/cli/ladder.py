"""A handshake as a ladder: the client at the left, the server at the right, a rung for each message.

``Ladder.take`` is the client's message callback: what it is told covers both directions, so that all times are of
one clock at one end.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from pyossl.cli.screen import Glyphs, Screen, Span, counted
from pyossl.core.errors import alert_description
from pyossl.tls.message import Message

_TO_SERVER, _TO_CLIENT = "cyan", "magenta"
_INDENT = "  "
_CLOCK, _TERSE_CLOCK = len("1234.56 ms"), len("1234.56")
_SHORTEST_SHAFT = 2


class Rung(NamedTuple):
    """One message of the protocol: its size in bytes, and when it was seen, in milliseconds after the first."""

    outgoing: bool
    name: str
    size: int
    milliseconds: float


class Ladder:
    """The messages of one connection."""

    def __init__(self) -> None:
        self.rungs: list[Rung] = []
        self._start = 0.0

    def take(self, message: Message) -> Rung | None:
        """Adds a message; for ``message_callback``.  What is no message of the protocol adds nothing."""
        if not message.is_protocol:
            return None
        now = time.perf_counter()
        if not self.rungs:
            self._start = now
        milliseconds = (now - self._start) * 1000
        self.rungs.append(Rung(message.outgoing, _name(message), len(message.data), milliseconds))
        return self.rungs[-1]

    @property
    def milliseconds(self) -> float:
        """How long the handshake took: until the last Finished."""
        return max((rung.milliseconds for rung in self.rungs if rung.name == "Finished"), default=0.0)

    def size(self, *, outgoing: bool) -> int:
        """How many bytes the messages of one direction have."""
        return sum(rung.size for rung in self.rungs if rung.outgoing is outgoing)

    def draw(self, screen: Screen) -> None:
        """Prints the ladder."""
        self.draw_head(screen)
        for rung in self.rungs:
            self.draw_rung(rung, screen)

    @staticmethod
    def draw_head(screen: Screen) -> None:
        """Prints whose the two sides are."""
        screen.line(_INDENT, *head(screen.width - len(_INDENT)))

    @staticmethod
    def draw_rung(rung: Rung, screen: Screen) -> None:
        """Prints one rung."""
        screen.line(_INDENT, *row(rung, screen.width - len(_INDENT), screen.glyphs))


def head(width: int, *, tersely: bool = False) -> list[Span]:
    """The line above a ladder ``width`` columns wide."""
    clock = _TERSE_CLOCK if tersely else _CLOCK
    server = f"{'server':>{width - clock - 1 - len('client')}}"
    return [Span(" " * (clock + 1)), Span("client", _TO_SERVER), Span(server, _TO_CLIENT)]


def row(rung: Rung, width: int, glyphs: Glyphs, *, tersely: bool = False) -> list[Span]:
    """A rung with its time, ``width`` columns wide; without its units where it is to be terse."""
    bar = Span(glyphs.vertical, "dim")
    if tersely:
        clock, size = f"{rung.milliseconds:{_TERSE_CLOCK}.2f}", f"{rung.size} B"
    else:
        clock, size = f"{rung.milliseconds:{_CLOCK - 3}.2f} ms", counted(rung.size, "byte")
    inside = width - len(clock) - len(" ") - len("||")
    shortest = 1 if tersely else _SHORTEST_SHAFT
    return [Span(clock, "dim"), Span(" "), bar, *_arrow(rung, size, inside, shortest, glyphs), bar]


def _name(message: Message) -> str:
    if message.name == "Alert" and len(message.data) == 2:
        return f"Alert: {alert_description(message.data[1])}"
    return message.name


def _arrow(rung: Rung, size: str, room: int, shortest: int, glyphs: Glyphs) -> list[Span]:
    """A rung that fills ``room`` columns: its name at the side of who sent it, the arrow's head at the other."""
    style = _TO_SERVER if rung.outgoing else _TO_CLIENT
    size = f" {glyphs.between} {size}"
    around = len(size) + len(" ") + len(" ") + len(glyphs.right)
    name = rung.name[: room - around - shortest]
    shaft = glyphs.horizontal * (room - around - len(name))
    if rung.outgoing:
        return [Span(f" {name}", style), Span(size, "dim"), Span(f" {shaft}{glyphs.right}", style)]
    return [Span(f"{glyphs.left}{shaft} {name}", style), Span(f"{size} ", "dim")]
