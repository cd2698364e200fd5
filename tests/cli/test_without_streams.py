"""The command line with standard streams that are closed, full, or a pipe that its reader has closed."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli.cli_runs import PATIENCE, Ran
from served import serving

import pyossl

COMMANDS = [
    "--version",
    "--help",
    "info",
    "demo",
    "client",
    "certs no-such-file.pem",
    "client nowhere.invalid",
    "trace",
]
NAMES = ("input", "output", "error")
CLOSED = pytest.mark.parametrize(
    "closed", [(0,), (1,), (2,), (0, 1, 2)], ids=lambda numbers: "-".join(NAMES[number] for number in numbers)
)


def run_in_shell(command: str, redirections: str) -> Ran:
    line = f'"{sys.executable}" -m pyossl {command} {redirections}'
    done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, timeout=PATIENCE, input=b"", cwd="/")
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())


def closing(numbers: tuple[int, ...]) -> str:
    return " ".join(("<&-", ">&-", "2>&-")[number] for number in numbers)


@functools.cache
def with_every_stream(command: str) -> Ran:
    """A usual run, with which several are compared."""
    return run_in_shell(command, "")


@CLOSED
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_without_a_stream_has_the_same_exit_status(command: str, closed: tuple[int, ...]) -> None:
    usual, ran = with_every_stream(command), run_in_shell(command, closing(closed))
    assert ran.status == usual.status
    assert "Traceback" not in ran.errors
    assert bool(ran.output) == (bool(usual.output) and 1 not in closed)
    assert bool(ran.errors) == (bool(usual.errors) and 2 not in closed)


@CLOSED
def test_output_is_not_sent_to_a_socket_with_the_number_of_a_missing_stream(
    closed: tuple[int, ...], server_context: pyossl.Context, authority: pyossl.Authority, tmp_path: Path
) -> None:
    """The client prints information about the connection, and an error, while the socket is open."""
    ca = tmp_path / "ca.pem"
    ca.write_bytes(authority.certificate.to_pem())
    received = []

    def echo(tls: pyossl.Socket) -> None:
        while data := tls.recv(1000):
            received.append(data)
            tls.sendall(data)

    with serving(server_context, echo) as (_, port):
        line = f'printf hello | "{sys.executable}" -m pyossl client localhost:{port} --ca {ca} {closing(closed)}'
        done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    assert b"".join(received) == (b"" if 0 in closed else b"hello")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no /dev/full")
@pytest.mark.parametrize("command", ["--version", "info", "demo"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_an_output_that_is_full_is_status_1_and_one_line(
    command: str, unbuffered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    ran = run_in_shell(command, ">/dev/full")
    assert ran.status == 1
    assert ran.errors.startswith("OSError: ")
    assert ran.errors.count("\n") == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no /dev/full")
def test_an_error_that_cannot_be_printed_keeps_its_status() -> None:
    assert run_in_shell("client nowhere.invalid", "2>/dev/full").status == 1
    assert run_in_shell("client", "2>/dev/full").status == 2
    assert run_in_shell("info", "2>/dev/full").status == 0


@pytest.mark.parametrize("command", ["--version", "--help", "info", "demo", "info 2>&1"])
def test_nothing_is_printed_after_the_reader_has_closed_the_pipe(command: str) -> None:
    ran = run_in_shell(command, "| true")
    assert ran.errors == ""
    assert ran.output == ""


STREAMS = """
import os, stat, sys
from pyossl.cli.process import run

def main():
    return sum(stat.S_ISFIFO(os.fstat(number).st_mode) << number for number in map(int, sys.argv[1:]))

run(main)
"""


@CLOSED
def test_the_number_of_a_missing_stream_is_not_given_to_a_pipe_of_the_command_line_s_own(
    closed: tuple[int, ...],
) -> None:
    numbers = map(str, closed)
    line = " ".join(['exec "$0" "$@"', closing(closed)])
    done = subprocess.run(["/bin/sh", "-c", line, sys.executable, "-c", STREAMS, *numbers], timeout=PATIENCE)
    assert done.returncode == 0
