"""Puts ``ssl`` over pyossl when it is imported.  The startup file imports it (pyossl/stdlib/startup_file.py).

If that is not possible, it says why in one sentence and ends the process: the variable asks for the system's OpenSSL,
and to go on with another one would fail open.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from pyossl.stdlib.startup_file import VARIABLE


def _end(reason: object) -> NoReturn:
    sys.stderr.write(f"{VARIABLE} is set, but {reason}\n")
    sys.stderr.flush()
    os._exit(1)


def _start() -> None:
    if (value := os.environ.get(VARIABLE, "")) != "1":
        _end(f"not to 1 or 0: {value!r}")
    try:
        from pyossl.stdlib import install

        install()
    except Exception as error:
        _end(f"ssl cannot be put over pyossl: {error}")


_start()
