"""The benchmark of a fleet: no handshake fails when Redis stops, and those before it are resumed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from interop.programs import where_installed

import pyossl

ROOT = Path(__file__).resolve().parents[2]


@where_installed("redis-server")
@pytest.mark.skipif(not (ROOT / "benchmarks").is_dir(), reason="benchmarks/ is part of the source tree")
@pytest.mark.skipif(Path(pyossl.__file__).parent.parent != ROOT, reason="it imports pyossl from the source tree")
def test_no_handshake_fails_while_redis_stops_and_ends() -> None:
    command = [sys.executable, "-m", "benchmarks.fleet", "--processes", "2", "--connections", "60", "--threads", "2"]
    measured = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    rows = re.findall(r"^\| ([a-z ]+) \| (\d+) \| ([\d.]+) % \| (\d+) \|", measured.stdout, re.MULTILINE)
    assert [row[0] for row in rows] == ["runs", "hangs after half a second", "hangs", "runs again", "has ended"]
    assert {(row[1], row[3]) for row in rows} == {("60", "0")}
    assert float(rows[0][2]) > 0
    assert float(rows[2][2]) == float(rows[4][2]) == 0
