"""``pyossl``, the command that an installer makes from pyproject.toml, is the same program as ``python -m pyossl``."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cli.cli_runs import PATIENCE, Ran, in_a_pipe
from project.documents import ROOT

import pyossl
from pyossl.cli.commands import COMMANDS

NAMES = [command.__name__.rpartition(".")[2] for command in COMMANDS]


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, as pip writes it."""
    entry = re.search(
        r'^\[project\.scripts\]\npyossl = "([\w.]+):(\w+)"$',
        (ROOT / "pyproject.toml").read_text(encoding="utf-8"),
        re.M,
    )
    assert entry
    module, function = entry.groups()
    path = tmp_path_factory.mktemp("bin") / "pyossl"
    path.write_text(
        f"#!{sys.executable}\nimport sys\nfrom {module} import {function}\n"
        f"if __name__ == '__main__':\n    sys.exit({function}())\n"
    )
    return path


def ran(command: Path, *arguments: str) -> Ran:
    done = subprocess.run(
        [sys.executable, str(command), *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def test_it_shows_the_versions(command: Path) -> None:
    assert ran(command, "--version") == in_a_pipe("--version")


@pytest.mark.parametrize("name", NAMES)
def test_its_help_has_its_own_name_in_usage_and_examples(command: Path, name: str) -> None:
    shown = ran(command, name, "--help")
    assert shown.status == 0
    assert shown.output.startswith(f"usage: pyossl {name} ")
    assert f"  pyossl {name}" in shown.output
    assert "python -m" not in shown.output


def test_its_errors_have_its_own_name(command: Path) -> None:
    missing = ran(command, "client", "localhost", "--cert", "no-such-file.pem")
    assert missing.status == 2
    assert missing.errors.startswith("usage: pyossl client --help\npyossl client: error: ")
    unknown = ran(command, "no-such-command")
    assert unknown.status == 2
    assert unknown.errors.startswith("usage: pyossl ")
    assert "\npyossl: error: " in unknown.errors


@contextmanager
def started(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_ctrl_c_ends_it_without_a_traceback_as_it_ends_the_module(command: Path) -> None:
    with started(str(command), "server", "--port", "0") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert b"Listening" in process.stdout.readline()
        assert b" pyossl client " in next(line for line in process.stdout if b"pyossl client" in line)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) in (0, 130)
        assert process.stderr.read() == b""


def test_it_ends_a_process_that_ctrl_c_does_not_end_by_an_exception(command: Path, tmp_path: Path) -> None:
    """The command owns its process, so that the handler of pyossl.cli.process is installed."""
    (tmp_path / "pyossl").write_text(
        command.read_text().replace("if __name__", "import pyossl.cli.commands, contextlib, os, time\n"
        "def main(*_):\n    with contextlib.suppress(BaseException): os.write(1, b'+'); time.sleep(60)\n"
        "    time.sleep(60)\n"
        "pyossl.cli.commands.main = main\nif __name__")
    )  # fmt: skip
    with started(str(tmp_path / "pyossl")) as process:
        assert process.stdout is not None
        assert process.stdout.read(1) == b"+"
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130


def test_the_version_names_the_openssl_that_is_loaded(command: Path) -> None:
    assert ran(command, "--version").output.rstrip().endswith(pyossl.openssl_version)
