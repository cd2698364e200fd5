"""Draws a handshake as a ladder: the client on the left, the server on the right, and one rung for each message.

``Ladder.add`` is the client's message callback, which receives the messages of both directions.  So all times come from
the client's clock.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from pyossl.cli.screen import Glyphs, Screen, Span, counted
from pyossl.core.errors import alert_description
from pyossl.tls.callbacks.message import Message

_TO_SERVER, _TO_CLIENT = "cyan", "magenta"
_INDENT = "  "
_CLOCK, _SHORT_CLOCK = len("1234.56 ms"), len("1234.56")
_SHORTEST_ARROW = 2
_RECORD_HEADER = 5
_GOODBYES = ("Alert: close notify", "Alert: user canceled")


class Rung(NamedTuple):
    """One TLS message: its size in bytes, not encrypted, and its time in milliseconds after the first message."""

    outgoing: bool
    name: str
    size: int
    milliseconds: float


class Ladder:
    """The messages of one connection."""

    def __init__(self) -> None:
        self.rungs: list[Rung] = []
        self._start = 0.0
        self._bytes_on_the_wire = {True: 0, False: 0}

    def add(self, message: Message) -> Rung | None:
        """Adds a message and returns its rung.  It returns None for record headers and other data without a rung.

        It can be used as ``message_callback``.
        """
        if message.is_record_header and len(message.data) == _RECORD_HEADER:
            self._bytes_on_the_wire[message.outgoing] += len(message.data) + int.from_bytes(message.data[3:], "big")
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
        """The time of the last Finished message: the length of the handshake."""
        return max((rung.milliseconds for rung in self.rungs if rung.name == "Finished"), default=0.0)

    @property
    def rejection(self) -> str | None:
        """The alert with which the server ended the connection after the handshake, or None.

        In TLS 1.3, the client's handshake is finished before the server has checked the client's certificate.
        """
        later = (rung for rung in self.rungs if not rung.outgoing and rung.milliseconds > self.milliseconds)
        return next((rung.name for rung in later if rung.name.startswith("Alert") and rung.name not in _GOODBYES), None)

    def size(self, *, outgoing: bool) -> int:
        """The number of bytes of one direction on the wire: the records, with their headers and their encryption."""
        return self._bytes_on_the_wire[outgoing]

    def draw(self, screen: Screen) -> None:
        """Prints the ladder."""
        self.draw_head(screen)
        for rung in self.rungs:
            self.draw_rung(rung, screen)

    @staticmethod
    def draw_head(screen: Screen) -> None:
        """Prints the line with the names of the two sides."""
        screen.line(_INDENT, *head_line(screen.width - len(_INDENT)))

    @staticmethod
    def draw_rung(rung: Rung, screen: Screen) -> None:
        """Prints one rung."""
        screen.line(_INDENT, *rung_line(rung, screen.width - len(_INDENT), screen.glyphs))


class Handshake(NamedTuple):
    """A handshake: its title, its messages, and the report of its connection (connection_report.py)."""

    title: str
    ladder: Ladder
    report: dict[str, Any]

    @property
    def negotiated(self) -> str:
        """The version, and the algorithms of the key exchange and of the encryption."""
        return ", ".join(filter(None, (self.report["version"], self.algorithms)))

    @property
    def algorithms(self) -> str:
        """The cipher and the group."""
        return ", ".join(filter(None, (self.report["cipher"], self.report["group"])))

    @property
    def summary(self) -> str:
        """The time and the number of bytes, in one line."""
        sent, received = self.ladder.size(outgoing=True), self.ladder.size(outgoing=False)
        return f"{self.ladder.milliseconds:.2f} ms, {sent} bytes sent, {received} received"

    @property
    def short_summary(self) -> str:
        """The summary for a narrow column, with B for bytes as in the ladder."""
        return self.summary.replace(" bytes ", " B ")


def head_line(width: int, *, without_units: bool = False) -> list[Span]:
    """The line above a ladder that is ``width`` columns wide."""
    clock = _SHORT_CLOCK if without_units else _CLOCK
    server = f"{'server':>{width - clock - 1 - len('client')}}"
    return [Span(" " * (clock + 1)), Span("client", _TO_SERVER), Span(server, _TO_CLIENT)]


def rung_line(rung: Rung, width: int, glyphs: Glyphs, *, without_units: bool = False) -> list[Span]:
    """A rung with its time, ``width`` columns wide.  ``without_units`` makes it short: 1.50 instead of 1.50 ms."""
    bar = Span(glyphs.vertical, "dim")
    if without_units:
        clock, size = f"{rung.milliseconds:{_SHORT_CLOCK}.2f}", f"{rung.size} B"
    else:
        clock, size = f"{rung.milliseconds:{_CLOCK - 3}.2f} ms", counted(rung.size, "byte")
    inside = width - len(clock) - len(" ") - len("||")
    shortest = 1 if without_units else _SHORTEST_ARROW
    return [Span(clock, "dim"), Span(" "), bar, *_arrow(rung, size, inside, shortest, glyphs), bar]


def _name(message: Message) -> str:
    if message.name == "Alert" and len(message.data) == 2:
        return f"Alert: {alert_description(message.data[1])}"
    return message.name


def _arrow(rung: Rung, size: str, room: int, shortest: int, glyphs: Glyphs) -> list[Span]:
    """A rung that fills ``room`` columns, with its name on the sender's side and the arrowhead on the receiver's."""
    style = _TO_SERVER if rung.outgoing else _TO_CLIENT
    size = f" {glyphs.between} {size}"
    around = len(size) + len(" ") + len(" ") + len(glyphs.right)
    name = rung.name[: room - around - shortest]
    line = glyphs.horizontal * (room - around - len(name))
    if rung.outgoing:
        return [Span(f" {name}", style), Span(size, "dim"), Span(f" {line}{glyphs.right}", style)]
    return [Span(f"{glyphs.left}{line} {name}", style), Span(f"{size} ", "dim")]
