"""Finds the Pythons of this machine by version, on PATH and in pyenv."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

# A row can use a Python that has the GIL and Python.h, and that can make virtual environments.
USABLE = """
import ensurepip, os, sys, sysconfig, venv
assert not sysconfig.get_config_var("Py_GIL_DISABLED")
assert os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h"))
print(f"{sys.version_info[0]}.{sys.version_info[1]}")
"""


def candidates(version: str) -> Iterator[Path]:
    if found := shutil.which(f"python{version}"):
        yield Path(found)
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from pyenv.glob(f"versions/{version}.*/bin/python{version}")


def find(version: str) -> str | None:
    """The path of this machine's Python of that version ("3.12"); None if no such Python can build extensions."""
    for python in candidates(version):
        # pyenv puts a script on PATH for each version, but a script works only if its version is activated.
        answer = subprocess.run([str(python), "-c", USABLE], capture_output=True, text=True)
        if answer.returncode == 0 and answer.stdout.strip() == version:
            return str(python)
    return None
