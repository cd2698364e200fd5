"""Runs each without_memory.py in a process of its own: the allocations of all its threads fail."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
ALONE = ["-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:randomly"]


@pytest.mark.parametrize("room", ["core", "stdlib"])
def test_a_call_without_memory_loses_no_bytes_silently(room: str) -> None:
    pytest.importorskip("_testcapi", reason="this Python has no _testcapi, which makes allocations fail")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *ALONE, str(TESTS / room / "without_memory.py")],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
