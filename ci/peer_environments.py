"""What all peers of ci/peers need: virtual environments, kept in the cache, and the rows of ci/matrix."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import matrix


def cache() -> Path:
    """The folder that keeps suites and virtual environments."""
    if chosen := os.environ.get("PYOSSL_PEERS"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pyossl" / "peers"


def run(*command: str | Path) -> None:
    """Runs a command; if it fails, shows its output and exits."""
    done = subprocess.run([str(each) for each in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"ci/peers: {' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")


def environment(requirements: list[str], without: tuple[str, ...] = ()) -> Path:
    """The Python of a virtual environment with these requirements, made once for each Python and each list.

    ``without`` lists packages that are uninstalled again, after the requirements have installed them.
    """
    key = hashlib.sha256("\n".join([sys.version, sys.executable, *requirements, *without]).encode()).hexdigest()[:12]
    folder = cache() / f"venv-{key}"
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        run(sys.executable, "-m", "venv", "--clear", folder)
        run(python, "-m", "pip", "install", "--quiet", *requirements)
        if without:
            run(python, "-m", "pip", "uninstall", "--quiet", "--yes", *without)
        (folder / "complete").touch()
    return python


def unoptimised(facts: dict[str, Any], rows: list[str]) -> list[dict[str, Any]]:
    """The rows.  One that builds is not optimised, which is faster: the code under test is Python."""
    chosen = matrix.chosen(facts, rows, False)
    # By default not the rows that run only some of pyossl's tests.
    chosen = [row for row in chosen if rows or "tests" not in row]
    return [{"build": ["CFLAGS=-O1 -g0"], **row} for row in chosen]
