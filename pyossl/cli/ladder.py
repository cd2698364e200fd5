"""A handshake as a ladder: the client at the left, the server at the right, a rung for each message.

``Ladder.take`` is the client's message callback: what it is told covers both directions, so that all times are of
one clock at one end.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from pyossl.cli.screen import Glyphs, Screen, Span, counted
from pyossl.errors import alert_description
from pyossl.message import Message

_TO_SERVER, _TO_CLIENT = "cyan", "magenta"
_CLOCK = len("1234.56 ms")
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

    def take(self, message: Message) -> None:
        """Adds a message; for ``message_callback``."""
        if message.is_protocol:
            now = time.perf_counter()
            if not self.rungs:
                self._start = now
            milliseconds = (now - self._start) * 1000
            self.rungs.append(Rung(message.outgoing, _name(message), len(message.data), milliseconds))

    def draw(self, screen: Screen) -> None:
        """Prints the ladder."""
        indent, bar = "  ", Span(screen.glyphs.vertical, "dim")
        inside = screen.width - len(indent) - _CLOCK - len(" ") - len("||")
        ends = Span("client", _TO_SERVER), Span(f"{'server':>{inside + len('||') - len('client')}}", _TO_CLIENT)
        screen.line(indent, " " * (_CLOCK + 1), *ends)
        for rung in self.rungs:
            clock = Span(f"{rung.milliseconds:{_CLOCK - 3}.2f} ms", "dim")
            screen.line(indent, clock, " ", bar, *_arrow(rung, inside, screen.glyphs), bar)


def _name(message: Message) -> str:
    if message.name == "Alert" and len(message.data) == 2:
        return f"Alert: {alert_description(message.data[1])}"
    return message.name


def _arrow(rung: Rung, room: int, glyphs: Glyphs) -> list[Span]:
    """A rung that fills ``room`` columns: its name at the side of who sent it, the arrow's head at the other."""
    style = _TO_SERVER if rung.outgoing else _TO_CLIENT
    size = f" {glyphs.between} {counted(rung.size, 'byte')}"
    around = len(size) + len(" ") + len(" ") + len(glyphs.right)
    name = rung.name[: room - around - _SHORTEST_SHAFT]
    shaft = glyphs.horizontal * (room - around - len(name))
    if rung.outgoing:
        return [Span(f" {name}", style), Span(size, "dim"), Span(f" {shaft}{glyphs.right}", style)]
    return [Span(f"{glyphs.left}{shaft} {name}", style), Span(f"{size} ", "dim")]
