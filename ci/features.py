#!/usr/bin/env python3
"""Writes docs/features.md: each feature in docs/features.toml, its first OpenSSL, and the tests that show it.

It runs no tests.  The first OpenSSL is in the heading above the feature's flag in pyossl/_c/have.h.  A test has a
marker for the feature that it shows, for example ``@pytest.mark.feature("chains of BIOs")``.  ``--check`` writes
nothing.  It fails if the page is out of date, if a feature has no test, or if a test names a feature that is not in the
list.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pyproject

ROOT = pyproject.REPOSITORY
LIST = ROOT / "docs" / "features.toml"
PAGE = ROOT / "docs" / "features.md"
OLDEST = "1.1.1"


def first_releases() -> dict[str, str]:
    """For each flag of have.h, in lower case and without its prefix, the release in the heading above it."""
    releases: dict[str, str] = {}
    release = OLDEST
    for line in (ROOT / "pyossl" / "_c" / "have.h").read_text().splitlines():
        if heading := re.match(r"/\* OpenSSL ([\d.]+)", line):
            release = heading[1]
        elif flag := re.match(r"#\s*define HAVE_(\w+) 1", line):
            releases.setdefault(flag[1].lower(), release)
    return releases


def marked(node: ast.AST) -> Iterator[str]:
    """The features that a marker, or a list of markers, names."""
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "pytest.mark.feature":
            for argument in call.args:
                yield ast.literal_eval(argument)


def tests() -> dict[str, list[tuple[str, str]]]:
    """For each feature, the (file, test) with its marker; a marker for a whole file gives (file, "")."""
    shown: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        file = str(path.relative_to(ROOT))
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef):
                for decorator in node.decorator_list:
                    for feature in marked(decorator):
                        shown[feature].append((file, node.name))
            elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark":
                for feature in marked(node.value):
                    shown[feature].append((file, ""))
    return shown


def page(sections: dict[str, dict[str, str]], shown: dict[str, list[tuple[str, str]]]) -> str:
    releases = first_releases()
    lines = [
        "# Features of pyossl and the tests that show them",
        "",
        "`ci/features.py` writes this page from `docs/features.toml`, `pyossl/_c/have.h` and the markers of the tests:",
        "do not edit it. Using a feature that OpenSSL lacks raises `UnsupportedError`, or `ValueError` if OpenSSL does",
        "not know the name of an algorithm or a group.",
    ]
    for section, features in sections.items():
        lines += ["", f"## {section}", "", "| feature | first OpenSSL | shown by |", "|---|---|---|"]
        for feature, needs in features.items():
            links = [f"[{test or Path(file).stem}](../{file})" for file, test in shown.get(feature, [])]
            lines.append(f"| {feature} | {releases[needs] if needs else OLDEST} | {'<br>'.join(links[:4])} |")
    return "\n".join(lines) + "\n"


def problems(sections: dict[str, dict[str, str]], shown: dict[str, list[tuple[str, str]]]) -> Iterator[str]:
    known = {feature for features in sections.values() for feature in features}
    for feature in known - set(shown):
        yield f"no test shows {feature!r}"
    for feature in set(shown) - known:
        yield f"{shown[feature][0][0]} shows {feature!r}, which is not in docs/features.toml"
    if not PAGE.exists() or PAGE.read_text() != page(sections, shown):
        yield "docs/features.md is out of date: run python ci/features.py"


def main() -> int:
    sections, shown = pyproject.load(LIST), tests()
    if sys.argv[1:] == ["--check"]:
        found = sorted(problems(sections, shown))
        print("\n".join(found) or "docs/features.md is up to date")
        return 1 if found else 0
    PAGE.write_text(page(sections, shown))
    return 0


if __name__ == "__main__":
    sys.exit(main())
