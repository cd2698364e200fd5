"""Runs the command line: ``python -m pyossl``, or the installed command ``pyossl``."""

from typing import NoReturn

from pyossl.cli.process import run


def main() -> int:
    """Imports the command line, which takes most of a second on a slow machine, and runs it.

    Returns the exit status.
    """
    from pyossl.cli.commands import main

    return main()


def run_command() -> NoReturn:
    """Runs the command line in the process of the installed command ``pyossl``."""
    run(main, owns_process=True)


if __name__ == "__main__":
    run(main)
