"""docs/openssl-versions.md agrees with have.h for each OpenSSL, and with ``pyossl.features`` for the one in use."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import pyossl

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "openssl-versions.md"


def table() -> list[dict[str, str]]:
    """The rows of the table of features: each maps the headings to its cells."""
    lines = re.findall(r"^\| (.+) \|$", PAGE.read_text(encoding="utf-8").partition("<!-- end -->")[0], re.MULTILINE)
    heading, *rows = [[cell.strip() for cell in line.split(" | ")] for line in lines]
    return [dict(zip(heading, row, strict=True)) for row in rows]


def series() -> str:
    """The column of the OpenSSL that pyossl was linked to, or of the one in use if it is bound late."""
    number = pyossl.lib.OPENSSL_VERSION_NUMBER
    major, minor, fix = number >> 28, number >> 20 & 0xFF, number >> 12 & 0xFF
    return f"{major}.{minor}.{fix}" if major == 1 else f"{major}.{minor}"


def test_the_table_agrees_with_have_h() -> None:
    command = [sys.executable, "-B", str(ROOT / "ci" / "openssl_versions.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_feature_of_this_openssl_is_in_the_table() -> None:
    listed = {row["`pyossl.features`"].strip("`") for row in table()}
    assert listed == {name for name in pyossl.features if not name.startswith("api_")}


def test_this_openssl_has_and_lacks_the_features_that_the_table_says() -> None:
    rows = table()
    if series() not in rows[0]:
        pytest.skip(f"OpenSSL {series()} is not in ci/matrix.toml, so it has no column on the page")
    for row in rows:
        name, cell = row["`pyossl.features`"].strip("`"), row[series()]
        if cell == "no":
            assert not pyossl.features[name], f"{name} came with {row['since']}"
        elif cell == "yes" and not row["option that leaves it out"]:
            assert pyossl.features[name], f"{name} came with {row['since']}"
