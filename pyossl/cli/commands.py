"""The list of commands, and ``main``, which runs one of them.

Each command is a module with two functions: ``add`` adds its argument parser, and ``run`` runs it and returns the exit
status.  A command raises its errors.  ``main`` turns them into a message and an exit status.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import sys
from collections.abc import Sequence
from typing import TextIO

import pyossl
from pyossl.cli import certs, client, completion, demo, info, request, scan, server, trace
from pyossl.cli.command_parser import CommandParser, WrongArgumentError, program_name
from pyossl.cli.package_version import package_version
from pyossl.cli.process import FAILED, INTERRUPTED, discard, open_missing_streams, print_error
from pyossl.cli.screen import Screen, printable

COMMANDS = (demo, info, client, server, certs, request, trace, scan, completion)

FINE, USAGE = 0, 2


def main(arguments: Sequence[str] | None = None, stream: TextIO | None = None) -> int:
    """Runs one command and returns its exit status.

    The exit status is 0 on success, 1 if TLS or a connection fails, 2 for wrong usage, and 130 after Ctrl-C.
    ``arguments`` defaults to the arguments in ``sys.argv``, and ``stream`` to ``sys.stdout``.  Raises ``SystemExit``
    after ``--help`` and for arguments that cannot be parsed.
    """
    open_missing_streams()
    stream = stream or sys.stdout
    arguments_of = parser()
    chosen, others = arguments_of.parse_known_args(arguments)
    if others:
        arguments_of.error(f"unrecognized arguments: {' '.join(others)}{_address_hint(chosen, others)}")
    for name, value in vars(chosen).items():
        if value == [] or (isinstance(value, list) and [] in value):  # argparse's result for "--option=--"
            arguments_of.error(f"argument --{name.replace('_', '-')}: expected one argument")
        if value == "" or (isinstance(value, list) and "" in value):  # for example a variable that a script has not set
            arguments_of.error(f"the value of {name.replace('_', '-')} is empty")
    if chosen.command is None and not chosen.version:
        arguments_of.print_help(sys.stderr)
        return USAGE
    try:
        status: int = _show_versions(stream) if chosen.version else chosen.run(chosen, Screen(stream))
        stream.flush()
        return status
    except KeyboardInterrupt:
        return INTERRUPTED
    except WrongArgumentError as error:
        command = f"{program_name()} {chosen.command}"
        print_error(f"usage: {command} --help\n{command}: error: {error}")
        return USAGE
    except BrokenPipeError as error:
        if isinstance(error, pyossl.Error):  # the peer's doing
            return _failed(error, chosen, stream)
        discard(stream)  # the reader of our output has closed the pipe
        return FAILED
    except (pyossl.Error, OSError) as error:
        return _failed(error, chosen, stream)


def _failed(error: Exception, chosen: argparse.Namespace, stream: TextIO) -> int:
    """Prints an error, with ``--json`` also as JSON on standard output."""
    if getattr(chosen, "json", False):
        from pyossl.cli.failure_report import failure_report

        with contextlib.suppress(OSError):
            print(json.dumps({"error": failure_report(error)}, indent=2), file=stream, flush=True)
    print_error(printable(f"{type(error).__name__}: {error}"))
    return FAILED


def _address_hint(chosen: argparse.Namespace, others: list[str]) -> str:
    """The address to write instead of ``HOST PORT``."""
    destination = getattr(chosen, "destination", None)
    if destination is None or destination.port is not None or not re.fullmatch("[0-9]+", others[0]):
        return ""
    host = f"[{destination.host}]" if ":" in destination.host else destination.host
    return f"; write {host}:{others[0]}"


def _show_versions(stream: TextIO) -> int:
    print(f"pyossl {package_version('pyossl')}, {pyossl.openssl_version}", file=stream)
    return FINE


def parser() -> argparse.ArgumentParser:
    """The argument parser of all commands."""
    every = CommandParser(
        prog=program_name(),
        description="TLS with the operating system's OpenSSL.",
        epilog="Exit status: 0 on success, 1 if TLS or a connection fails, 2 for wrong usage, 130 after Ctrl-C.",
    )
    every.add_argument("--version", action="store_true", help="show the versions of pyossl and OpenSSL")
    commands = every.add_subparsers(title="commands", metavar="COMMAND", dest="command")
    for command in COMMANDS:
        command.add(commands)
    every.set_defaults(parser=every)  # for the command "completion"
    return every
