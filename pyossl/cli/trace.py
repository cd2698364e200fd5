"""``python -m pyossl trace HOST[:PORT]`` draws a first and a resumed handshake side by side, as text and as SVG."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from pyossl import Context, Session
from pyossl.cli import options
from pyossl.cli.client_connection import close_and_drain, connect
from pyossl.cli.command_parser import EXIT_STATUS, Commands, add_command
from pyossl.cli.connection_report import connection_report
from pyossl.cli.handshake_ladder import Handshake, Ladder, head_line, rung_line
from pyossl.cli.handshake_svg import svg
from pyossl.cli.screen import Screen, Span

_SIDE_BY_SIDE = 78
_GAP = 2
FIRST, RESUMED, NOT_RESUMED = "first handshake", "resumed handshake", "second handshake, not resumed"


def add(commands: Commands) -> None:
    """Adds the argument parser of the command."""
    parser = add_command(
        commands,
        "trace",
        "draw a first and a resumed handshake side by side, as text and as an SVG picture",
        "Connects twice, the second time with the session of the first connection, and draws the messages of both "
        "handshakes with their sizes and times. "
        + EXIT_STATUS.format(fine="0 on success", failed="if TLS or a connection fails"),
        """
        python -m pyossl trace example.com
        python -m pyossl trace example.com --svg handshake.svg
        python -m pyossl trace example.com --max 1.2 --svg handshake-1.2.svg
        python -m pyossl trace mail.example.com --starttls smtp --json
        """,
    )
    options.add_destination(parser)
    options.add_client(parser)
    parser.add_argument("--no-verify", action="store_true", help="accept every certificate")
    parser.add_argument("--svg", metavar="FILE", help="draw the picture into this file")
    parser.add_argument("--json", action="store_true", help="print JSON: a list of the two connections")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Runs the command and returns its exit status."""
    context = options.client_context(arguments, verify=not arguments.no_verify)
    sessions: list[Session] = []
    context.new_session_callback = lambda connection, session: sessions.append(session)
    first = _handshake(arguments, context, FIRST, None)
    handshakes = [first]
    if session := next((each for each in reversed(sessions) if each.is_resumable), None):
        handshakes.append(_handshake(arguments, context, RESUMED, session))
    if arguments.svg:
        with options.errors_as_wrong_arguments():
            Path(arguments.svg).write_text(svg(handshakes), encoding="utf-8")
    if arguments.json:
        screen.data(json.dumps([{"title": each.title, **each.report} for each in handshakes], indent=2))
        return 0
    show(handshakes, screen)
    if arguments.svg:
        screen.line()
        screen.text(f"The picture is in {arguments.svg}")
    return 0


def _handshake(arguments: argparse.Namespace, context: Context, title: str, session: Session | None) -> Handshake:
    ladder = Ladder()
    connected = connect(
        arguments.destination.address(arguments.starttls),
        context,
        arguments.servername or arguments.destination.host,
        protocol=arguments.starttls,
        timeout=arguments.timeout,
        message_callback=ladder.add,
        session=session,
    )
    with connected.tls as tls:
        close_and_drain(tls, arguments.timeout)  # in TLS 1.3, the session tickets arrive after the handshake
        report = connection_report(connected, ladder)
    if session is not None and not report["session"]["resumed"]:
        title = NOT_RESUMED
    return Handshake(title, ladder, report)


def show(handshakes: list[Handshake], screen: Screen) -> None:
    """Prints the handshakes side by side, or one below the other if the screen is too narrow."""
    report = handshakes[0].report
    negotiated = ", ".join(filter(None, (report["version"], report["cipher"], report["group"], report["alpn"])))
    screen.title(f"{report['servername']}", f"{report['peer']}, {negotiated}")
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
        screen.text("The server sent no session that can be resumed.", style="yellow")


def side_by_side(handshakes: list[Handshake], screen: Screen) -> Iterator[list[Span]]:
    """The lines of both ladders, the first one on the left."""
    width = (screen.width - _GAP) // 2
    gap = Span(" " * _GAP)

    def joined(left: list[Span], right: list[Span]) -> list[Span]:
        return [*left, gap, *right]

    first, second = handshakes
    for part, style in (("title", "bold"), ("summary", "dim")):
        left, right = (getattr(each, part)[:width] for each in (first, second))
        yield joined([Span(f"{left:<{width}}", style)], [Span(right, style)])
    yield joined(head_line(width, without_units=True), head_line(width, without_units=True))
    for rungs in zip_longest(first.ladder.rungs, second.ladder.rungs):
        left_row, right_row = (
            [Span(" " * width)] if rung is None else rung_line(rung, width, screen.glyphs, without_units=True)
            for rung in rungs
        )
        yield joined(left_row, right_row)
    yield [Span("times in ms from the ClientHello", "dim")]
