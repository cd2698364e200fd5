"""docs/features.md lists each feature with its first OpenSSL and the tests that show it."""

from __future__ import annotations

import subprocess
import sys

import build_ffi


def test_every_feature_has_its_release_and_a_test_that_shows_it() -> None:
    command = [sys.executable, "ci/features.py", "--check"]
    done = subprocess.run(command, cwd=build_ffi.ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
