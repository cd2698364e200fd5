"""Ctrl-C ends every command at any time, with status 130 and without a traceback."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.cli_runs import PATIENCE
from served import until

import pyossl

SEED = random.randrange(1 << 32)
MOMENTS = 6
"""The number of random times at which each command is interrupted."""


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that accepts connections and sends nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def started(*arguments: str, code: str = "") -> subprocess.Popen[bytes]:
    """Starts ``python -m pyossl`` with ``code`` before the command, and waits until Ctrl-C can interrupt it."""
    program = (
        "import os, sys, pyossl, pyossl.cli.process\n"
        "def main():\n"
        "    os.write(2, b'+')\n"
        f"    {code or 'pass'}\n"
        "    from pyossl.__main__ import main\n"
        "    return main()\n"
        "pyossl.cli.process.run(main)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stderr is not None
    assert process.stderr.read(1) == b"+"
    return process


def interrupted(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    """Interrupts the process, and returns its exit status and its error output."""
    with process:
        try:
            process.send_signal(signal.SIGINT)
            status = process.wait(PATIENCE)
            assert process.stderr is not None
            return status, process.stderr.read().decode()
        finally:
            process.kill()


@pytest.mark.parametrize("command", ["demo", "info", "client", "trace", "certs", "server"])
def test_at_a_random_moment(command: str, silent: int) -> None:
    arguments = {"demo": [], "info": [], "server": ["--port", "0"]}.get(command, [f"127.0.0.1:{silent}"])
    choose = random.Random(f"{SEED} {command}")
    for _ in range(MOMENTS):
        process = started(command, *arguments)
        moment = choose.uniform(0, 0.7)
        time.sleep(moment)  # the time is random, not a wait for an event
        status, errors = interrupted(process)
        assert "Traceback" not in errors, (SEED, moment)
        assert "Exception ignored" not in errors, (SEED, moment)
        # The command may have ended before Ctrl-C, and a server returns 0 after Ctrl-C.
        assert status in ((130, 0) if command in ("demo", "info", "server") else (130,)), (SEED, moment, errors)


LOST = {
    "in a finaliser": "type('Last', (), {'__del__': lambda self: __import__('time').sleep(60)})(); "
    "import time; time.sleep(60)",
    "in the callback of a weak reference": "import time, weakref; kept = type('Kept', (), {})(); "
    "ref = weakref.ref(kept, lambda _: time.sleep(60)); del kept; time.sleep(60)",
    "where it is swallowed": "import contextlib, time\n"
    "    with contextlib.suppress(BaseException): time.sleep(60)\n"
    "    time.sleep(60)",
    "where a thread is joined at the end": "import threading, time\n"
    "    threading.Thread(target=time.sleep, args=[60]).start()\n"
    "    return 0 if time.sleep(60) else 1",
    "in C, which does not look at signals": "import ctypes; ctypes.CDLL(None).pause() and ctypes.PyDLL(None); "
    "[ctypes.CDLL(None).sleep(60) for _ in range(9)]",
}


@pytest.mark.parametrize("where", LOST)
def test_an_interrupt_that_is_lost_ends_the_process_anyway(where: str) -> None:
    status, errors = interrupted(started("info", code=LOST[where]))
    assert status == 130
    assert errors == ""


def test_an_interrupt_while_a_class_is_made_ends_the_process() -> None:
    """Before 3.12, Python raises ``RuntimeError`` from an exception in ``__set_name__``."""
    code = (
        "import time\n"
        "    wait = lambda *_: (os.write(1, b'?'), time.sleep(60))\n"
        "    type('Owner', (), {'attribute': type('Attribute', (), {'__set_name__': wait})()})"
    )
    process = started("info", code=code)
    assert process.stdout is not None
    assert process.stdout.read(1) == b"?"
    assert interrupted(process) == (130, "")


def test_a_second_interrupt_immediately_ends_a_command_that_cleans_up() -> None:
    code = (
        "import time; pyossl.cli.process._GRACE = 60\n"  # longer than the test, even on a busy machine
        "    try: os.write(1, b'?'); time.sleep(60)\n"
        "    finally: os.write(1, b'!'); time.sleep(60)"
    )
    process = started("info", code=code)
    with process:
        assert process.stdout is not None
        assert process.stdout.read(1) == b"?"
        process.send_signal(signal.SIGINT)
        assert process.stdout.read(1) == b"!"
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130


def test_an_interrupt_that_the_parent_process_ignores_stays_ignored() -> None:
    """nohup(1) ignores it, and so does a script's shell for a command with ``&``."""
    line = (
        "import signal, sys, runpy; signal.signal(signal.SIGINT, signal.SIG_IGN); sys.argv = ['pyossl', '--version']; "
    )
    line += "signal.raise_signal(signal.SIGINT); runpy.run_module('pyossl', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", line], capture_output=True, timeout=PATIENCE)
    assert done.returncode == 0
    assert pyossl.openssl_version in done.stdout.decode()


def test_the_server_removes_its_authority_s_file_before_it_ends(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "pyossl", "server", "--port", "0"],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    with process:
        assert process.stdout is not None
        assert b"Listening" in process.stdout.readline()
        until(lambda: list(tmp_path.iterdir()))
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) in (0, 130)
    assert not list(tmp_path.iterdir())


def test_a_command_that_has_ended_leaves_exit_handlers_to_python() -> None:
    """Coverage and profilers write their files there."""
    process = started("--version", code="import atexit; atexit.register(os.write, 2, b'handled')")
    _, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, errors) == (0, b"handled")


def test_a_program_that_runs_the_command_line_by_runpy_goes_on() -> None:
    line = (
        "import contextlib, runpy, signal, sys; sys.argv = ['pyossl', '--version']\n"
        "with contextlib.suppress(SystemExit): runpy.run_module('pyossl', run_name='__main__')\n"
        "assert signal.getsignal(signal.SIGINT) is signal.default_int_handler\n"
        "sys.exit(7)"
    )
    done = subprocess.run(
        [sys.executable, "-c", line],
        capture_output=True,
        timeout=PATIENCE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert done.returncode == 7, done.stderr
    assert pyossl.openssl_version in done.stdout.decode()
