#!/usr/bin/env python3
"""Writes the table in docs/openssl-versions.md: the features of each OpenSSL.

The first release of a feature is in the heading above its flag in pyossl/_c/have.h. Its description is in
pyossl/core/features.py. The columns are the rows of ci/matrix.toml. The text around the table is edited in the page.
``--check`` writes nothing, and fails if the table is out of date.
"""

from __future__ import annotations

import ast
import re
import sys
from dataclasses import dataclass

import pyproject

ROOT = pyproject.REPOSITORY
PAGE = ROOT / "docs" / "openssl-versions.md"
TABLE = re.compile(r"(<!-- table, by ci/openssl_versions\.py -->\n).*?(<!-- end -->)", re.DOTALL)


@dataclass(frozen=True)
class Feature:
    """A flag of have.h: its name in ``pyossl.features``, and its requirements."""

    name: str
    releases: list[str]  # the first release; more than one if several series got it at once
    options: list[str]  # of OpenSSL's build; each of them removes the feature

    def in_series(self, series: str) -> str:
        """The text of a cell: whether that series has the feature."""
        inside = next((r for r in self.releases if r != series and r.startswith(f"{series}.")), None)
        if inside:
            return f"from {inside}"
        return "yes" if numbers(self.releases[0]) <= numbers(series) else "no"


def numbers(release: str) -> list[int]:
    return [int(part) for part in release.split(".")]


def features() -> list[Feature]:
    """The flags for the features of OpenSSL, in the order of have.h."""
    found: dict[str, Feature] = {}
    releases: list[str] = []
    options: list[str] = []
    for line in (ROOT / "pyossl" / "_c" / "have.h").read_text().splitlines():
        if heading := re.match(r"/\* OpenSSL (\d[\d., ]*\d)", line):
            releases = heading[1].split(", ")
        elif line.startswith("#if"):
            options = [name.lower().replace("_", "-") for name in re.findall(r"OPENSSL_(NO_\w+)", line)]
        elif flag := re.match(r"#\s*define HAVE_(\w+) 1", line):
            name = flag[1].lower()
            found.setdefault(name, Feature(name, releases, options))
    return list(found.values())


def words() -> dict[str, str]:
    """``_WORDS`` of pyossl/core/features.py, read without importing pyossl, which may not be built."""
    for node in ast.parse((ROOT / "pyossl" / "core" / "features.py").read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_WORDS":
            said: dict[str, str] = ast.literal_eval(node.value)
            return said
    raise SystemExit("pyossl/core/features.py has no _WORDS")


def series() -> list[str]:
    """The rows of the matrix that are named after an OpenSSL."""
    rows = pyproject.load(ROOT / "ci" / "matrix.toml")["row"]
    return [row["name"] for row in rows if row["name"][0].isdigit()]


def table() -> list[str]:
    columns, said = series(), words()
    lines = [
        f"| feature | `pyossl.features` | {' | '.join(columns)} | since | option that leaves it out |",
        f"|---|---|{'---|' * len(columns)}---|---|",
    ]
    for feature in features():
        cells = " | ".join(feature.in_series(column) for column in columns)
        options = ", ".join(f"`{option}`" for option in feature.options)
        what = said.get(feature.name, feature.name.replace("_", " "))
        lines.append(f"| {what} | `{feature.name}` | {cells} | {', '.join(feature.releases)} | {options} |")
    return lines


def page(text: str) -> str:
    """The text of the page with a new table."""
    return TABLE.sub(lambda old: "\n".join([old[1], *table(), "", old[2]]), text)


def main() -> int:
    text = PAGE.read_text(encoding="utf-8")
    written = page(text)
    if sys.argv[1:] != ["--check"]:
        PAGE.write_text(written, encoding="utf-8")
    elif written != text:
        print("docs/openssl-versions.md is out of date: run python ci/openssl_versions.py")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
