"""The argument parser of one command, and the exception for wrong arguments."""

from __future__ import annotations

import argparse
import textwrap
from typing import TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

EXIT_STATUS = "Exit status: {fine}; 1 {failed}; 2 for wrong usage."


class WrongArgumentError(Exception):
    """An argument turned out to be wrong when it was used, for example a missing file or an unknown cipher."""


def add_command(
    commands: Commands, name: str, summary: str, description: str, examples: str
) -> argparse.ArgumentParser:
    """Adds a command and returns its parser.

    The text of ``--help`` ends with ``examples``.  Each line of it is a command line and a comment.
    """
    return commands.add_parser(
        name,
        help=summary,
        description=textwrap.fill(description, 100),
        epilog=f"examples:\n{textwrap.indent(textwrap.dedent(examples).strip(), '  ')}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
