"""The tests pass where a script starts them in the background: SIGINT is ignored, and there is no terminal."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from project.documents import ROOT

TESTS = [
    "tests/cli/test_server.py::test_write_ca_keeps_the_authority_where_it_is_said",
    "tests/cli/test_interrupts.py::test_a_second_interrupt_immediately_ends_a_command_that_cleans_up",
    "tests/cli/test_interrupts.py::test_a_program_that_runs_the_command_line_by_runpy_goes_on",
    "tests/cli/test_installed_command.py",
]
PATIENCE = 500


IN_PROCESSES = pytest.param(
    ("-n", "2"),
    id="in processes of xdist",
    marks=pytest.mark.skipif(not (ROOT / ".git").exists(), reason="ci/matrix itself starts all tests so"),
)


@pytest.mark.timeout(PATIENCE + 40)
@pytest.mark.parametrize("workers", [pytest.param((), id="in one process"), IN_PROCESSES])
def test_the_tests_of_ctrl_c_pass_where_it_is_ignored_and_nothing_is_a_terminal(
    workers: tuple[str, ...], tmp_path: Path
) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout=200", *workers]
    command += [str(ROOT / test) for test in TESTS]
    with (tmp_path / "output").open("w+") as output:
        process = subprocess.Popen(
            command,
            cwd=tmp_path,  # in the source tree, its pyossl would be found instead of the installed one
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            start_new_session=True,  # without a terminal
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
        )
        try:
            status = process.wait(PATIENCE)
        finally:
            with contextlib.suppress(ProcessLookupError):  # the programs that a failed test has left
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        output.seek(0)
        printed = output.read()
    failed = [line for line in printed.splitlines() if line.startswith(("FAILED", "ERROR"))]
    assert status == 0, "; ".join(failed) + "\n" + printed[-5000:]
    assert " passed" in printed
