"""``python -m pyossl trace HOST[:PORT]``: a first and a resumed handshake, side by side, as text and as a picture."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from pyossl import Context, Session
from pyossl.cli import facts, options
from pyossl.cli.destination import arrive, take_leave
from pyossl.cli.ladder import Ladder, head, row
from pyossl.cli.picture import picture
from pyossl.cli.screen import Screen, Span
from pyossl.cli.usage import EXIT_STATUS, Commands, command

_SIDE_BY_SIDE = 78
_GAP = 2
FIRST, RESUMED, REFUSED = "first handshake", "resumed handshake", "second handshake, not resumed"


class Handshake(NamedTuple):
    """One of the two: its title, its messages, and what is known of its connection."""

    title: str
    ladder: Ladder
    facts: dict[str, Any]

    @property
    def summary(self) -> str:
        """The handshake in one line."""
        sent, received = self.ladder.size(outgoing=True), self.ladder.size(outgoing=False)
        return f"{self.ladder.milliseconds:.2f} ms, {sent} bytes sent, {received} received"


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "trace",
        "a first and a resumed handshake side by side, as text and as an SVG picture",
        "Connects twice, the second time with the session of the first, and draws the messages of both handshakes "
        "with their sizes and times. " + EXIT_STATUS.format(fine="0", failed="for a failure of TLS"),
        """
        python -m pyossl trace example.com
        python -m pyossl trace example.com --svg handshake.svg
        python -m pyossl trace example.com --max 1.2 --svg handshake-1.2.svg
        python -m pyossl trace mail.example.com --starttls smtp --json
        """,
    )
    options.add_destination(parser)
    options.add_client(parser)
    parser.add_argument("--no-verify", action="store_true", help="accept anybody's certificate")
    parser.add_argument("--svg", metavar="FILE", help="draw the picture into this file")
    parser.add_argument("--json", action="store_true", help="the same as JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    context = options.client_context(arguments, verify=not arguments.no_verify)
    sessions: list[Session] = []
    context.new_session_callback = lambda connection, session: sessions.append(session)
    first = _shaken(arguments, context, FIRST, None)
    handshakes = [first]
    if session := next((each for each in reversed(sessions) if each.is_resumable), None):
        handshakes.append(_shaken(arguments, context, RESUMED, session))
    if arguments.svg:
        with options.told_as_usage():
            Path(arguments.svg).write_text(picture(handshakes), encoding="utf-8")
    if arguments.json:
        screen.data(json.dumps([{"title": each.title, **each.facts} for each in handshakes], indent=2))
        return 0
    show(handshakes, screen)
    if arguments.svg:
        screen.line()
        screen.text(f"The picture is in {arguments.svg}")
    return 0


def _shaken(arguments: argparse.Namespace, context: Context, title: str, session: Session | None) -> Handshake:
    ladder = Ladder()
    arrival = arrive(
        arguments.destination.address(arguments.starttls),
        context,
        arguments.servername or arguments.destination.host,
        protocol=arguments.starttls,
        timeout=arguments.timeout,
        message_callback=ladder.take,
        session=session,
    )
    with arrival.tls as tls:
        # Taking leave at once, so that the server does: on the way there the tickets of TLS 1.3 arrive.
        take_leave(tls, arguments.timeout)
        known = facts.of_connection(arrival, ladder)
    if session is not None and not known["session"]["resumed"]:
        title = REFUSED
    return Handshake(title, ladder, known)


def show(handshakes: list[Handshake], screen: Screen) -> None:
    """Prints the handshakes: side by side where there is room, else one below the other."""
    known = handshakes[0].facts
    agreed = ", ".join(filter(None, (known["version"], known["cipher"], known["group"], known["alpn"])))
    screen.title(f"{known['servername']}", f"{known['peer']}, {agreed}")
    if len(handshakes) == 2 and screen.width >= _SIDE_BY_SIDE:
        screen.line()
        for spans in side_by_side(handshakes, screen):
            screen.line(*spans)
    else:
        for handshake in handshakes:
            screen.heading(handshake.title, handshake.summary)
            handshake.ladder.draw(screen)
    if len(handshakes) == 1:
        screen.line()
        screen.text("The server gave no session that can be resumed.", style="yellow")


def side_by_side(handshakes: list[Handshake], screen: Screen) -> Iterator[list[Span]]:
    """The lines of both ladders, the first at the left."""
    width = (screen.width - _GAP) // 2
    gap = Span(" " * _GAP)

    def joined(left: list[Span], right: list[Span]) -> list[Span]:
        return [*left, gap, *right]

    first, second = handshakes
    for part, style in (("title", "bold"), ("summary", "dim")):
        left, right = (getattr(each, part)[:width] for each in (first, second))
        yield joined([Span(f"{left:<{width}}", style)], [Span(right, style)])
    yield joined(head(width, tersely=True), head(width, tersely=True))
    for ours, theirs in zip_longest(first.ladder.rungs, second.ladder.rungs):
        left_row, right_row = (
            [Span(" " * width)] if rung is None else row(rung, width, screen.glyphs, tersely=True)
            for rung in (ours, theirs)
        )
        yield joined(left_row, right_row)
    yield [Span("times in ms from the ClientHello", "dim")]
