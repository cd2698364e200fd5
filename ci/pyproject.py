"""Reads pyproject.toml for the scripts in this folder.

python ci/pyproject.py cli test     prints the requirements of the build, of the package and of these extras
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:  # the parser inside pip: the scripts must work before anything is installed
    from pip._vendor import tomli as tomllib

REPOSITORY = Path(__file__).resolve().parent.parent


def load(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def requirements(extras: list[str]) -> list[str]:
    """The requirements of the build, and of the package with these extras."""
    table = load(REPOSITORY / "pyproject.toml")
    project = table["project"]
    optional = project.get("optional-dependencies", {})
    found: list[str] = [*table["build-system"]["requires"], *project.get("dependencies", [])]
    waiting = list(extras)
    seen: set[str] = set()
    while waiting:
        extra = waiting.pop(0)
        if extra in seen:
            continue
        seen.add(extra)
        for requirement in optional[extra]:
            itself = re.fullmatch(rf"{re.escape(project['name'])}\[([^]]*)\]", requirement)
            if itself:
                waiting += [name.strip() for name in itself[1].split(",")]
            else:
                found.append(requirement)
    return sorted(set(found))


if __name__ == "__main__":
    try:
        print("\n".join(requirements(sys.argv[1:])))
    except KeyError as lacking:
        sys.exit(f"pyproject.toml has no extra {lacking}")
