"""What is wrong with the arguments, and how a command describes them."""

from __future__ import annotations

import argparse
import textwrap
from typing import TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

EXIT_STATUS = "Exit status: {fine}; 1 {failed}; 2 for wrong usage."


class WrongArgumentError(Exception):
    """Arguments that cannot be, which only shows when they are used: a file that is not there, a cipher unknown."""


def command(commands: Commands, name: str, summary: str, description: str, examples: str) -> argparse.ArgumentParser:
    """A parser for one command, whose ``--help`` ends with ``examples``, a command and what it does on each line."""
    return commands.add_parser(
        name,
        help=summary,
        description=textwrap.fill(description, 100),
        epilog=f"examples:\n{textwrap.indent(textwrap.dedent(examples).strip(), '  ')}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
