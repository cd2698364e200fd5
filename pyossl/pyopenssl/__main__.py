"""``python -m pyossl.pyopenssl (script.py | -m module) ...`` runs a program with pyossl in place of pyOpenSSL."""

from __future__ import annotations

import os
import runpy
import sys

from pyossl.pyopenssl import install

_USAGE = "usage: python -m pyossl.pyopenssl (script.py | -m module) [argument ...]"


def main(arguments: list[str]) -> None:
    """Calls ``install()`` and runs the program that the arguments name."""
    if not arguments or arguments == ["-m"]:
        sys.exit(_USAGE)
    if arguments[0] in ("-h", "--help"):
        print(_USAGE)
        return
    install()
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        # As with python itself, the script's folder comes first, not the current folder.
        sys.path[0] = os.path.dirname(os.path.abspath(arguments[0]))
        runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
