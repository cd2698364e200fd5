"""The argument parser of one command, the program's name, and the exception for wrong arguments."""

from __future__ import annotations

import argparse
import os
import sys
import textwrap
from typing import NoReturn, TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

_MODULE = "python -m pyossl"
EXIT_STATUS = "Exit status: {fine}; 1 {failed}; 2 for wrong usage."


class WrongArgumentError(Exception):
    """An argument turned out to be wrong when it was used, for example a missing file or an unknown cipher."""


class CommandParser(argparse.ArgumentParser):
    """A parser whose errors have their exit status also if they cannot be printed: in Python 3.10 it raises then."""

    def error(self, message: str) -> NoReturn:
        """Prints the usage and the message, and ends with status 2."""
        try:
            super().error(message)
        except OSError:
            sys.exit(2)


def program_name() -> str:
    """The words that start this program: ``pyossl`` if the installed command was started, else ``python -m pyossl``."""
    started = os.path.basename(sys.argv[0]) if sys.argv else ""
    return "pyossl" if started in ("pyossl", "pyossl.exe") else _MODULE


def add_command(
    commands: Commands, name: str, summary: str, description: str, examples: str
) -> argparse.ArgumentParser:
    """Adds a command and returns its parser.

    The text of ``--help`` ends with ``examples``.  Each line of it is a command line and a comment.  They begin with
    ``python -m pyossl``, and are shown with the words that started this program.
    """
    examples = textwrap.dedent(examples).strip().replace(_MODULE, program_name())
    return commands.add_parser(
        name,
        help=summary,
        description=textwrap.fill(description, 100),
        epilog=f"examples:\n{textwrap.indent(examples, '  ')}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
