"""The command line, ``python -m pyossl COMMAND``.

Each command is a module with ``add``, which describes its arguments, and ``run``, which does it and returns the exit
status.  A command raises what goes wrong; what a person reads of it, and the status, is decided here.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TextIO

import pyossl
from pyossl.cli import certs, client, demo, info, server, trace
from pyossl.cli.installed import version_of
from pyossl.cli.process import FAILED, INTERRUPTED, drop, open_missing_streams, say
from pyossl.cli.screen import Screen, printable
from pyossl.cli.usage import WrongArgumentError

COMMANDS = (demo, info, client, server, certs, trace)

FINE, USAGE = 0, 2


def main(arguments: Sequence[str] | None = None, stream: TextIO | None = None) -> int:
    """Runs one command and returns its exit status.

    That is 0 when all is fine, 1 for a failure of TLS, 2 for wrong usage, and 130 after Ctrl-C.
    ``arguments`` are ``sys.argv``'s and ``stream`` is ``sys.stdout`` unless given.  Raises ``SystemExit`` after
    ``--help``, and for arguments that are wrong.
    """
    open_missing_streams()
    stream = stream or sys.stdout
    arguments_of = parser()
    chosen = arguments_of.parse_args(arguments)
    for name, value in vars(chosen).items():
        if value == [] or (isinstance(value, list) and [] in value):  # what argparse makes of "--option=--"
            arguments_of.error(f"argument --{name.replace('_', '-')}: expected one argument")
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
        say(f"usage: python -m pyossl {chosen.command} --help\npython -m pyossl {chosen.command}: error: {error}")
        return USAGE
    except pyossl.Error as error:
        say(printable(f"{type(error).__name__}: {error}"))
        return FAILED
    except BrokenPipeError:  # the reader of our output has closed it
        drop(stream)
        return FAILED
    except OSError as error:
        say(printable(f"{type(error).__name__}: {error}"))
        return FAILED


def _show_versions(stream: TextIO) -> int:
    print(f"pyossl {version_of('pyossl')}, {pyossl.openssl_version}", file=stream)
    return FINE


def parser() -> argparse.ArgumentParser:
    """What reads the arguments of all commands."""
    every = argparse.ArgumentParser(
        prog="python -m pyossl",
        description="The TLS stack of the operating system's own OpenSSL.",
        epilog="Exit status: 0 when all is fine, 1 for a failure of TLS, 2 for wrong usage, 130 after Ctrl-C.",
    )
    every.add_argument("--version", action="store_true", help="show the versions of pyossl and OpenSSL")
    commands = every.add_subparsers(title="commands", metavar="COMMAND", dest="command")
    for command in COMMANDS:
        command.add(commands)
    return every
