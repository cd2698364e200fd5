"""The startup file: a ``.pth`` file that puts ``ssl`` over pyossl in each process with ``PYOSSL_STDLIB=1``.

``python -m pyossl.stdlib --enable`` writes it into the ``site-packages`` of this Python, and nothing else does.  Python
executes it at the start of each process, also of those that other programs start: the children of multiprocessing's
methods ``spawn`` and ``forkserver``, gunicorn's and celery's workers.

Without the variable, the line looks it up in the environment, and that is all.  With it, a process that cannot be over
pyossl does not start: Python alone would print an error in such a file, and go on with the other OpenSSL.

``python -I`` and ``python -E`` heed the variable too.  They ignore Python's own variables, but they execute ``.pth``
files, and the variable can do only what the owner of this Python has enabled.  ``PYOSSL_LIBSSL``, which names a file to
load, is ignored there.  ``python -S`` executes no ``.pth`` files, and so nothing happens.  Python executes them in each
subinterpreter too: an isolated one, where pyossl cannot be imported, keeps the original ``ssl``.
"""

from __future__ import annotations

import os
import site
import subprocess
import sys
import sysconfig
from pathlib import Path

VARIABLE = "PYOSSL_STDLIB"
NAME = "pyossl_stdlib.pth"

# One line, because Python executes a line of such a file that begins with "import", and no other.
_PROGRAM = f"""\
try:
    import pyossl.stdlib.startup
except ImportError as error:
    if "isolated subinterpreter" not in str(error):
        import sys
        sys.stderr.write("{VARIABLE} is set, but pyossl cannot be imported: " + str(error) + chr(10))
        sys.stderr.flush()
        os._exit(1)
"""
CONTENT = f"import os; os.environ.get({VARIABLE!r}, '') in ('', '0') or exec({_PROGRAM!r})\n"


def path() -> Path:
    """Where the file is, or would be."""
    return Path(sysconfig.get_path("purelib")) / NAME


def is_enabled() -> bool:
    """Whether the file is there."""
    return path().is_file()


def command(option: str) -> int:
    """Does what ``--enable``, ``--disable`` or ``--status`` says, and returns the exit status."""
    if option == "--status":
        return _status()
    try:
        if option == "--enable":
            return _enable()
        path().unlink(missing_ok=True)
        print(f"{path()} is removed")
    except OSError as error:
        print(f"{path()} cannot be changed: {error.strerror}", file=sys.stderr)
        return 1
    return 0


def _enable() -> int:
    folder = path().parent
    if str(folder) not in [*site.getsitepackages(), site.getusersitepackages()]:
        print(f"this Python does not execute startup files in {folder}", file=sys.stderr)
        return 1
    new = path().with_suffix(".new")
    new.write_text(CONTENT, encoding="utf-8")
    os.replace(new, path())
    print(f"{path()} is installed: a process of this Python with {VARIABLE}=1 is over pyossl")
    return 0 if _works() else 1


def _status() -> int:
    if not is_enabled():
        print(f"disabled: {path()} does not exist")
        return 1
    if path().read_text(encoding="utf-8") != CONTENT:
        print(f"out of date: {path()} is of another pyossl; --enable writes it again")
        return 1
    print(f"enabled: {path()}")
    return 0 if _works() else 1


def _works() -> bool:
    """Whether a new process is over pyossl."""
    program = "import pyossl.stdlib, sys; sys.exit(not pyossl.stdlib.is_installed())"
    done = subprocess.run([sys.executable, "-c", program], env={**os.environ, VARIABLE: "1"}, check=False)
    if done.returncode:
        print(f"but a process with {VARIABLE}=1 is not over pyossl", file=sys.stderr)
    return done.returncode == 0
