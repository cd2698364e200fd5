"""``python -m pyossl trace HOST[:PORT]`` draws a first and a resumed handshake, as text and as SVG.

With ``--compare VERSION``, the second handshake is a full one with another TLS version.
"""

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
from pyossl.cli.handshake_ladder import Handshake, head_line, rung_line
from pyossl.cli.handshake_svg import svg
from pyossl.cli.observed_handshake import ObservedHandshake
from pyossl.cli.screen import Screen, Span
from pyossl.cli.tls_versions import ALL_VERSIONS

_SIDE_BY_SIDE = 78
_GAP = 2
FIRST, RESUMED, NOT_RESUMED = "first handshake", "resumed handshake", "second handshake, not resumed"


def add(commands: Commands) -> None:
    """Adds the argument parser of the command."""
    parser = add_command(
        commands,
        "trace",
        "draw two handshakes, a first and a resumed one or two TLS versions, as text and as an SVG picture",
        "Connects twice, the second time with the session of the first connection, and draws the messages of both "
        "handshakes with their sizes and times. With --compare, the second connection has another TLS version instead. "
        + EXIT_STATUS.format(fine="0 on success", failed="if TLS or a connection fails"),
        """
        python -m pyossl trace example.com
        python -m pyossl trace example.com --svg handshake.svg
        python -m pyossl trace example.com --max 1.2 --svg handshake-1.2.svg
        python -m pyossl trace example.com --compare 1.2
        python -m pyossl trace mail.example.com --starttls smtp --json
        """,
    )
    options.add_destination(parser)
    options.add_client(parser)
    parser.add_argument("--no-verify", action="store_true", help="accept every certificate")
    parser.add_argument(
        "--compare",
        choices=ALL_VERSIONS,
        help="instead of a resumed handshake, draw a full one with this as the newest TLS version",
    )
    parser.add_argument("--svg", metavar="FILE", help="draw the picture into this file")
    parser.add_argument("--json", action="store_true", help="print JSON: a list of the two connections")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Runs the command and returns its exit status."""
    handshakes = list(_two_versions(arguments) if arguments.compare else _first_and_resumed(arguments))
    if arguments.svg:
        with options.errors_as_wrong_arguments():
            Path(arguments.svg).write_text(svg(handshakes), encoding="utf-8")
    rejection = next(filter(None, (each.ladder.rejection for each in handshakes)), None)
    status = 0 if rejection is None else 1
    if arguments.json:
        screen.data(json.dumps([{"title": each.title, **each.report} for each in handshakes], indent=2))
        return status
    show(handshakes, screen)
    if rejection is not None:
        screen.line()
        screen.text(f"The server ended the connection after the handshake: {rejection}", style="red")
    elif note := _why_not_two_kinds(handshakes, compare=bool(arguments.compare)):
        screen.line()
        screen.text(note, style="yellow")
    if arguments.svg:
        screen.line()
        screen.text(f"The picture is in {arguments.svg}")
    return status


def _first_and_resumed(arguments: argparse.Namespace) -> Iterator[Handshake]:
    """The first handshake, and the second one if the server sent a session."""
    context = options.client_context(arguments, verify=not arguments.no_verify)
    sessions: list[Session] = []
    context.new_session_callback = lambda connection, session: sessions.append(session)
    yield _handshake(arguments, context, FIRST, None)
    if session := next((each for each in reversed(sessions) if each.is_resumable), None):
        yield _handshake(arguments, context, RESUMED, session)


def _two_versions(arguments: argparse.Namespace) -> Iterator[Handshake]:
    """A full handshake with the newest version of the options, and one with that of ``--compare``."""
    versions = (arguments.max, arguments.compare)
    alike = [argparse.Namespace(**{**vars(arguments), "max": version}) for version in versions]
    contexts = [options.client_context(each, verify=not arguments.no_verify) for each in alike]
    for context in contexts:
        handshake = _handshake(arguments, context, "", None)
        yield handshake._replace(title=f"full handshake, {handshake.report['version']}")


def _why_not_two_kinds(handshakes: list[Handshake], *, compare: bool) -> str | None:
    if len(handshakes) == 1:
        return "The server sent no session that can be resumed."
    first, second = (each.report["version"] for each in handshakes)
    if compare and first == second:
        return f"Both handshakes have {first}."
    return None


def _handshake(arguments: argparse.Namespace, context: Context, title: str, session: Session | None) -> Handshake:
    observed = ObservedHandshake(context)
    connected = connect(
        arguments.destination.address(arguments.starttls),
        context,
        arguments.servername or arguments.destination.host,
        protocol=arguments.starttls,
        timeout=arguments.timeout,
        message_callback=observed.add,
        session=session,
    )
    with connected.tls as tls:
        close_and_drain(tls, arguments.timeout)  # in TLS 1.3, the session tickets arrive after the handshake
        report = connection_report(connected, observed)
    if session is not None and not report["session"]["resumed"]:
        title = NOT_RESUMED
    return Handshake(title, observed.ladder, report)


def show(handshakes: list[Handshake], screen: Screen) -> None:
    """Prints the handshakes side by side, or one below the other if the screen is too narrow."""
    report = handshakes[0].report
    alike = len({(each.report["version"], each.report["cipher"]) for each in handshakes}) == 1
    negotiated = [handshakes[0].negotiated, report["alpn"]] if alike else []
    screen.title(f"{report['servername']}", ", ".join(filter(None, (report["peer"], *negotiated))))
    if len(handshakes) == 2 and screen.width >= _SIDE_BY_SIDE:
        screen.line()
        for spans in side_by_side(handshakes, screen, with_algorithms=not alike):
            screen.line(*spans)
    else:
        for handshake in handshakes:
            screen.heading(handshake.title, handshake.summary)
            if not alike:
                screen.text(handshake.algorithms, style="dim")
            handshake.ladder.draw(screen)


def side_by_side(handshakes: list[Handshake], screen: Screen, *, with_algorithms: bool) -> Iterator[list[Span]]:
    """The lines of both ladders, the first one on the left, ``with_algorithms`` if the title does not have them."""
    width = (screen.width - _GAP) // 2
    gap = Span(" " * _GAP)

    def joined(left: list[Span], right: list[Span]) -> list[Span]:
        return [*left, gap, *right]

    first, second = handshakes
    algorithms = [("algorithms", "dim")] if with_algorithms else []
    for part, style in (("title", "bold"), *algorithms, ("short_summary", "dim")):
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
