"""Runs ``python -m pyossl`` with pipes, or on a terminal with a given width."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from typing import NamedTuple

PATIENCE = 60
_UNSET = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "PYTHONIOENCODING")


class Ran(NamedTuple):
    """The exit status of a command, its output, and its error output."""

    status: int
    output: str
    errors: str = ""


def in_a_pipe(*arguments: str, feed: bytes = b"", **environment: str) -> Ran:
    """Runs the command with its output in a pipe.  ``feed`` is its standard input."""
    status, output, errors = with_bytes(*arguments, feed=feed, **environment)
    return Ran(status, output.decode(), errors.decode())


def with_bytes(*arguments: str, feed: bytes = b"", **environment: str) -> tuple[int, bytes, bytes]:
    """The same as ``in_a_pipe``, for output that is not text."""
    command = [sys.executable, "-m", "pyossl", *arguments]
    done = subprocess.run(command, input=feed, capture_output=True, env=_environment(environment), timeout=PATIENCE)
    return done.returncode, done.stdout, done.stderr


def on_a_terminal(*arguments: str, columns: int = 80, code: str = "pass", **environment: str) -> Ran:
    """Runs the Python ``code`` and then the command, on a terminal with this number of columns."""
    program = f"import sys; {code}; from pyossl.cli.commands import main; sys.exit(main(sys.argv[1:]))"
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=_environment({"TERM": "xterm-256color", **environment}),
    )
    os.close(theirs)
    output = bytearray()
    try:
        while chunk := _read(ours):
            output += chunk
        status = process.wait(PATIENCE)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    return Ran(status, output.decode().replace("\r\n", "\n"))


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, 65536)
    except OSError:  # at the end, Linux raises EIO; other systems return no bytes
        return b""


def _environment(more: dict[str, str]) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if name not in _UNSET}
    return {**ours, "PYTHONUTF8": "1", **more}
