"""Runs CPython's own tests of TLS, and programs that use ``ssl``, over ``pyossl.stdlib``.  See ci/peers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import matrix
from peer_environments import environment, unoptimised
from pyproject import REPOSITORY, load

LIST = REPOSITORY / "ci" / "peers_stdlib.toml"
SUITE = "tests/stdlib/test_cpython_suite.py"
PROGRAMS = ("tests/interop/test_stdlib_programs.py", "tests/stdlib/test_late_install.py")


# Most of CPython's tests wait, so that there may be more processes than processors.
OPTIONS = ["-p", "no:cacheprovider", "-n", "4", "-rA"]


def suite(rows: list[str], arguments: list[str], *, rebuild: bool) -> int:
    """Runs CPython's own tests in these rows of ci/matrix, or in the rows of the five OpenSSLs."""
    facts = {**load(REPOSITORY / "ci" / "matrix.toml"), "extras": ["test"]}
    options: dict[str, Any] = {"tests": [SUITE], "pytest": [*OPTIONS, *arguments]}
    chosen = [{**row, **options} for row in unoptimised(facts, rows)]
    return matrix.run(facts, chosen, rebuild=rebuild, pytest=[])


def suite_here(arguments: list[str]) -> int:
    """Runs CPython's own tests with this machine's OpenSSL and this source tree."""
    command = [sys.executable, "-m", "pytest", "-q", *OPTIONS, *arguments, SUITE]
    return subprocess.run(command, cwd=REPOSITORY).returncode


def programs(arguments: list[str], *, original: bool) -> int:
    """Runs the programs over pyossl, or over Python's own ``_ssl``: what fails then too is not about pyossl."""
    pythons = {name: str(environment(needs)) for name, needs in load(LIST)["programs"].items()}
    settings = {
        "PYOSSL_STDLIB_PROGRAMS": json.dumps(pythons),
        "PYOSSL_STDLIB_OVER": "original" if original else "pyossl",
    }
    tests = [each for each in PROGRAMS if (REPOSITORY / each).exists()]
    command = [sys.executable, "-m", "pytest", "-q", *arguments, *tests]
    return subprocess.run(command, cwd=REPOSITORY, env={**os.environ, **settings}).returncode
