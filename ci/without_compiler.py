"""Installs one wheel in a Debian without compiler and headers, with each OpenSSL.  See ci/without-compiler."""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matrix
import pyproject
import roots

PATIENCE = 10  # seconds for the installation and the demo
PACKAGES = ["python3", "python3-venv"]
COMMANDS = ("cc", "gcc", "clang", "pkg-config")

ROWS: list[dict[str, Any]] = [
    # bullseye, which has 1.1.1, has a Python that is too old. So its libssl is used in bookworm.
    {"name": "1.1.1", "openssl": "1.1.1", "suite": "bookworm", "python": "3.11", "libssl_of": "1.1.1"},
    {"name": "3.0", "openssl": "3.0.", "suite": "bookworm", "python": "3.11"},
    {"name": "3.5", "openssl": "3.5.", "suite": "trixie", "python": "3.13"},
    {"name": "3.6", "openssl": "3.6.", "suite": "sid", "python": "3.14", "expired": True},
    {
        "name": "4.0",
        "openssl": "4.0.",
        "suite": "sid",
        "python": "3.14",
        "expired": True,
        "over": "experimental",
        "packages": ["libssl4"],
    },
]


@dataclass
class Installed(matrix.Result):
    install: float = 0.0
    demo: float = 0.0

    def numbers(self) -> dict[str, int]:
        return {"install ms": round(self.install * 1000), "demo ms": round(self.demo * 1000)}


class BareRow(matrix.Row):
    outcome = Installed

    def __init__(self, row: dict[str, Any], shared: matrix.Matrix) -> None:
        super().__init__({"place": "root", "wheel": "cp311", **row}, shared)
        # Always a root of its own: this machine has a compiler.
        self.on_machine, self.interpreter = False, "/usr/bin/python3"
        self.python, self.seen = row["python"], Path("/mnt")

    def _requirements(self) -> list[str]:
        return pyproject.requirements(["cli"])

    def _install(self) -> None:
        (self.work / "dist").mkdir()
        shutil.copy(self._shared_wheel("cp311"), self.work / "dist")
        if name := self.row.get("libssl_of"):
            known = {row["name"]: row for row in self.matrix.facts["row"]}
            shutil.copytree(roots.prefix(known[name], self._make), self.work / "prefix", symlinks=True)
        self._make_environment()

    def _environment(self) -> list[str]:
        libraries = sorted((self.work / "prefix" / "lib").glob("libssl.so.*"))
        return [*super()._environment(), *(f"PYOSSL_LIBSSL=/mnt/prefix/lib/{file.name}" for file in libraries)]

    def _test(self, result: matrix.Result) -> None:
        """Nothing more than what _ask has done."""

    def _ask(self, result: matrix.Result) -> None:
        assert isinstance(result, Installed)
        for command in COMMANDS:
            if self._enter(["sh", "-c", f"! command -v {command}"]) != 0:
                raise matrix.RowError(f"there is a {command}")
        if self._enter(["sh", "-c", "! test -e /usr/include/openssl/ssl.h"]) != 0:
            raise matrix.RowError("there are OpenSSL's headers")
        wheel = next((self.work / "dist").glob("*.whl")).name
        began = time.monotonic()
        self._do("installing the wheel", [*self._pip("install"), f"pyossl[cli] @ file:///mnt/dist/{wheel}"])
        installed = time.monotonic()
        python = "/mnt/venv/bin/python"
        self._do("the demo", [python, "-m", "pyossl", "demo"])
        result.install, result.demo = installed - began, time.monotonic() - installed
        super()._ask(result)
        if result.install + result.demo > PATIENCE:
            raise matrix.RowError(f"installing and the demo took more than {PATIENCE} seconds")


def main(arguments: list[str]) -> int:
    known = ", ".join(row["name"] for row in ROWS)
    parser = argparse.ArgumentParser(
        prog="ci/without-compiler",
        description="Install the wheel in a Debian without compiler and headers, with each OpenSSL, and run the demo.",
    )
    parser.add_argument("names", nargs="*", metavar="OPENSSL", help=f"one of {known}; the default is all")
    names = parser.parse_args(arguments).names
    facts = pyproject.load(Path(__file__).with_name("matrix.toml"))
    rows = [row for row in ROWS if not names or row["name"] in names]
    if unknown := set(names) - {row["name"] for row in ROWS}:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {known}")
    return matrix.run({**facts, "root_packages": PACKAGES}, rows, rebuild=False, pytest=[], kind=BareRow)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
