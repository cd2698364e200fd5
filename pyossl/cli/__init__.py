"""The command line, ``python -m pyossl COMMAND``.

Each command is a module with ``add``, which describes its arguments, and ``run``, which does it and returns the exit
status.  A command raises what goes wrong; what a person reads of it, and the status, is decided here.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import TextIO

import pyossl
from pyossl.cli import certs, client, demo, info, server, trace
from pyossl.cli.installed import version_of
from pyossl.cli.screen import Screen, printable
from pyossl.cli.usage import WrongArgumentError

COMMANDS = (demo, info, client, server, certs, trace)

FINE, FAILED, USAGE = 0, 1, 2
INTERRUPTED = 130
"""What shells call a program that Ctrl-C has ended."""


def main(arguments: Sequence[str] | None = None, stream: TextIO | None = None) -> int:
    """Runs one command; its exit status: 0 when all is fine, 1 for a failure of TLS, 2 for wrong usage.

    ``arguments`` are ``sys.argv``'s and ``stream`` is ``sys.stdout`` unless given.  Raises ``SystemExit`` after
    ``--help``, and for arguments that are wrong.
    """
    stream = stream or sys.stdout
    arguments_of = parser()
    chosen = arguments_of.parse_args(arguments)
    for name, value in vars(chosen).items():
        if value == [] or (isinstance(value, list) and [] in value):  # what argparse makes of "--option=--"
            arguments_of.error(f"argument --{name.replace('_', '-')}: expected one argument")
    if chosen.version:
        print(f"pyossl {version_of('pyossl')}, {pyossl.openssl_version}", file=stream)
        return FINE
    if chosen.command is None:
        arguments_of.print_help(sys.stderr)
        return USAGE
    try:
        status: int = chosen.run(chosen, Screen(stream))
        stream.flush()
        return status
    except KeyboardInterrupt:
        return INTERRUPTED
    except WrongArgumentError as error:
        print(
            f"usage: python -m pyossl {chosen.command} --help\npython -m pyossl {chosen.command}: error: {error}",
            file=sys.stderr,
        )
        return USAGE
    except pyossl.Error as error:
        print(printable(f"{type(error).__name__}: {error}"), file=sys.stderr)
        return FAILED
    except BrokenPipeError:
        # Whoever read our output has had enough; Python would complain of it once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return FAILED
    except OSError as error:
        print(printable(f"{type(error).__name__}: {error}"), file=sys.stderr)
        return FAILED


def parser() -> argparse.ArgumentParser:
    """What reads the arguments of all commands."""
    every = argparse.ArgumentParser(
        prog="python -m pyossl",
        description="The TLS stack of the operating system's own OpenSSL.",
        epilog="Exit status: 0 when all is fine, 1 for a failure of TLS, 2 for wrong usage.",
    )
    every.add_argument("--version", action="store_true", help="show the versions of pyossl and OpenSSL")
    commands = every.add_subparsers(title="commands", metavar="COMMAND", dest="command")
    for command in COMMANDS:
        command.add(commands)
    return every
