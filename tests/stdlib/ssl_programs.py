"""Runs programs that put ``ssl`` over pyossl, each in a process of its own: it is for the whole process."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

import pyossl

SECONDS = 120
HERE = Path(__file__).parent
Run = Callable[..., str]
"""``run(program, *arguments)`` runs the text of a program and returns what it printed."""


def completed(
    command: list[str], folder: Path, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs this Python with the arguments; the program can import tests/stdlib/exchanges.py."""
    path = os.pathsep.join([str(HERE), str(Path(pyossl.__file__).parents[1])])
    variables = {name: value for name, value in os.environ.items() if name != "PYOSSL_STDLIB"}
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env={**variables, "PYTHONPATH": path, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path, authority: pyossl.Authority, credentials: pyossl.Credentials) -> Path:
    """A folder with ``chain.pem``, ``key.pem`` and ``ca.pem``, for localhost."""
    (tmp_path / "chain.pem").write_bytes(credentials.certificate_pem())
    (tmp_path / "key.pem").write_bytes(credentials.private_key.to_pem())
    (tmp_path / "ca.pem").write_bytes(authority.certificate.to_pem())
    return tmp_path


@pytest.fixture
def run(folder: Path) -> Run:
    """Runs a program; it must succeed, and write nothing to stderr."""

    def run_program(program: str, *arguments: str, environment: dict[str, str] | None = None) -> str:
        file = folder / "program.py"
        file.write_text(textwrap.dedent(program))
        done = completed([str(file), *arguments], folder, environment)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        assert not done.stderr, done.stderr
        return done.stdout

    return run_program


def needs(*modules: str) -> pytest.MarkDecorator:
    """The test needs other projects' packages."""
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    return pytest.mark.skipif(bool(missing), reason=f"{', '.join(missing)}: ci/peers stdlib installs it and runs this")
