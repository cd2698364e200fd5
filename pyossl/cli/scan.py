"""``python -m pyossl scan HOST[:PORT]`` finds out what a TLS server has, as far as this OpenSSL can ask for it."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

from pyossl.cli import options
from pyossl.cli.command_parser import EXIT_STATUS, Commands, add_command
from pyossl.cli.host_and_port import server_name
from pyossl.cli.process import FAILED, print_error
from pyossl.cli.scan_probe import Target
from pyossl.cli.scan_progress import ProgressLine
from pyossl.cli.scan_report import show
from pyossl.cli.scan_rounds import Scan
from pyossl.cli.scan_svg import svg
from pyossl.cli.screen import Screen


def add(commands: Commands) -> None:
    """Adds the argument parser of the command."""
    parser = add_command(
        commands,
        "scan",
        "find out which versions, cipher suites, groups and more a TLS server has",
        "Makes a few hundred handshakes, one after the other, and shows which TLS versions, cipher suites, groups, "
        "signature algorithms and ALPN protocols a server has, how it resumes sessions, what it sends about its "
        "certificate, and whether it asks for a client certificate. It also says what this OpenSSL cannot ask for. It "
        "does not verify the server: use certs for that. Scan only servers that you may scan. "
        + EXIT_STATUS.format(
            fine="0 if the server accepts a handshake", failed="if it accepts none, or is no TLS server"
        ),
        """
        python -m pyossl scan example.com
        python -m pyossl scan example.com --svg scan.svg
        python -m pyossl scan mail.example.com --starttls smtp --json
        python -m pyossl scan 192.0.2.1:8443 --servername www.example.com --alpn foo,bar
        """,
    )
    options.add_destination(parser)
    parser.add_argument(
        "--servername", type=server_name, metavar="NAME", help="the name of the server if it is not HOST"
    )
    parser.add_argument(
        "--alpn",
        type=options.protocols,
        metavar="NAMES",
        default=(),
        help="further ALPN protocols to ask for, separated by commas",
    )
    parser.add_argument("--svg", metavar="FILE", help="draw the result into this file")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Runs the command and returns its exit status."""
    if arguments.svg:
        options.check_writable(arguments.svg)
    target = Target(
        arguments.destination.address(arguments.starttls),
        arguments.servername or arguments.destination.host,
        arguments.starttls,
        arguments.timeout,
    )
    with ProgressLine(sys.stderr, shutil.get_terminal_size().columns) as line:
        report = Scan(target, lambda text: line.show(f"{target.handshakes} handshakes, {text}"), arguments.alpn).run()
    if arguments.svg:
        with options.errors_as_wrong_arguments():
            Path(arguments.svg).write_text(svg(report), encoding="utf-8")
    if arguments.json:
        screen.data(json.dumps(report, indent=2))
    else:
        show(report, screen)
        if arguments.svg:
            screen.line()
            screen.text(f"The picture is in {arguments.svg}")
    if not any(found["accepted"] for found in report["versions"]):
        print_error(f"ScanError: the server accepted no handshake that {report['openssl']} can ask for")
        return FAILED
    return 0
