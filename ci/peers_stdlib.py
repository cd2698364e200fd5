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
PROGRAMS = "tests/interop/test_stdlib_programs.py"


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
    """Runs the programs over pyossl, or over Python's own ``_ssl``: what fails then too is not about pyossl.

    Then it runs the tests of tests/stdlib that import other projects' packages, with a Python that has them.
    """
    table = load(LIST)
    pythons = {name: str(environment(needs)) for name, needs in table["programs"].items()}
    over = "original" if original else "pyossl"
    settings = {"PYOSSL_STDLIB_PROGRAMS": json.dumps(pythons), "PYOSSL_STDLIB_OVER": over}
    pytest = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "3"]
    command = [sys.executable, *pytest, *arguments, PROGRAMS]
    status = subprocess.run(command, cwd=REPOSITORY, env={**os.environ, **settings}).returncode
    if arguments or original:  # they choose tests of the programs
        return status
    beside = [pythons["clients_and_servers"], *pytest, "-k", table["beside"], "tests/stdlib"]
    return subprocess.run(beside, cwd=REPOSITORY, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}).returncode | status
