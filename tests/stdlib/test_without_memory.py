"""Runs without_memory.py in a process of its own: the allocations of all threads fail."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ALONE = ["-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:randomly"]


def test_the_ssl_face_without_memory_loses_no_bytes_silently() -> None:
    pytest.importorskip("_testcapi", reason="this Python has no _testcapi, which makes allocations fail")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *ALONE, str(HERE / "without_memory.py")],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
