"""The command line as a whole: help, versions, wrong usage, and error messages."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cli.cli_runs import PATIENCE, in_a_pipe

import pyossl
from pyossl.cli.commands import COMMANDS, main


def test_help_names_every_command() -> None:
    ran = in_a_pipe("--help")
    assert ran.status == 0
    for command in COMMANDS:
        assert re.search(rf"\n    {command.__name__.rpartition('.')[2]}\s", ran.output)


@pytest.mark.parametrize("command", [command.__name__.rpartition(".")[2] for command in COMMANDS])
def test_every_command_has_help(command: str) -> None:
    ran = in_a_pipe(command, "--help")
    assert ran.status == 0
    assert ran.output.startswith(f"usage: python -m pyossl {command}")


def test_the_version_is_that_of_the_package_and_of_openssl() -> None:
    ran = in_a_pipe("--version")
    assert ran.status == 0
    assert ran.output.startswith("pyossl ")
    assert ran.output.rstrip().endswith(pyossl.openssl_version)


@pytest.mark.parametrize("arguments", [[], ["no-such-command"], ["demo", "--tls", "1.1"], ["info", "--no-such-option"]])
def test_wrong_usage_is_status_2_with_a_message_on_stderr(arguments: list[str]) -> None:
    ran = in_a_pipe(*arguments)
    assert ran.status == 2
    assert ran.output == ""
    assert ran.errors.startswith("usage: python -m pyossl")


def test_a_failure_of_openssl_is_status_1_and_one_line(tmp_path: Path) -> None:
    """At security level 5, OpenSSL refuses our certificates, because their P-256 keys are too weak."""
    configuration = tmp_path / "openssl.cnf"
    configuration.write_text(
        "openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\nCipherString = DEFAULT@SECLEVEL=5\n"
    )
    ran = in_a_pipe("demo", OPENSSL_CONF=str(configuration))
    assert ran.status == 1
    assert ran.errors.startswith("Error: ")
    assert ran.errors.count("\n") == 1


def test_a_reader_that_closes_the_pipe_causes_no_traceback() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pyossl", "info"], stdout=writer, stderr=subprocess.PIPE, timeout=PATIENCE
        )
    finally:
        os.close(writer)
    assert done.stderr == b""
    assert done.returncode == 1


def test_main_returns_the_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info"]) == 0
    assert pyossl.openssl_version in capsys.readouterr().out
