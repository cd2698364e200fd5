"""Runs the command line: ``python -m pyossl``."""

from pyossl.cli.process import run


def main() -> int:
    """Imports the command line, which takes most of a second on a slow machine, and runs it.

    Returns the exit status.
    """
    from pyossl.cli.commands import main

    return main()


if __name__ == "__main__":
    run(main)
