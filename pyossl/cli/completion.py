"""``pyossl completion SHELL`` prints a script that makes a shell complete the commands and options of ``pyossl``.

shtab, which is in the extra ``cli``, makes the script from the argument parsers.  Only this command imports it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from pyossl.cli.command_parser import EXIT_STATUS, Commands, add_command
from pyossl.cli.process import FAILED, print_error
from pyossl.cli.screen import Screen

SHELLS = ("bash", "zsh", "tcsh")
_COMMAND = "pyossl"


def add(commands: Commands) -> None:
    """Adds the argument parser of the command."""
    parser = add_command(
        commands,
        "completion",
        "print a script that makes a shell complete commands and options",
        "Prints a script for a shell. With it, the shell completes the commands, options, files and values of "
        "the command pyossl. " + EXIT_STATUS.format(fine="0 on success", failed="if shtab is not installed"),
        """
        python -m pyossl completion bash > ~/.local/share/bash-completion/completions/pyossl
        python -m pyossl completion zsh > ~/.zfunc/_pyossl    # a directory of $fpath
        python -m pyossl completion tcsh > ~/.pyossl-completion    # and "source ~/.pyossl-completion" in ~/.tcshrc
        """,
    )
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help="bash, zsh or tcsh")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Runs the command and returns its exit status."""
    try:
        import shtab
    except ImportError as error:
        print_error(f"shell completion needs shtab ({error}); to install it: {sys.executable} -m pip install shtab")
        return FAILED
    every: argparse.ArgumentParser = arguments.parser
    every.prog = _COMMAND  # a shell completes the command's own name, also if "python -m pyossl" made the script
    files = {"FILE": shtab.FILE, "DIR": shtab.DIRECTORY}
    for action in _actions(every):
        if isinstance(action.metavar, str) and action.metavar in files:
            action.complete = files[action.metavar]  # type: ignore[attr-defined]  # shtab reads this attribute
    screen.data(shtab.complete(every, arguments.shell))
    return 0


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """The arguments of a parser and of the parsers of its commands."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
