"""Runs the benchmark in the Debian of a row of ci/matrix: ``python -m benchmarks --root 3.5``.

There Python's ``ssl``, pyOpenSSL, uvloop and the C client are Debian's own packages, and pyossl is built with Debian's
headers.  So all of them load the libssl of that Debian, and a run fails if one does not (``--one-libssl``).

ci/roots makes the root and keeps it in the cache; ci/enter runs the programs in it, without a network.  The files of
the working tree are copied, and built in the copy.
"""

from __future__ import annotations

import argparse
import importlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.measuring import REPOSITORY
from benchmarks.results import Results, machine

PACKAGES = [
    *("python3-openssl", "python3-cryptography", "python3-uvloop", "python3-cffi", "python3-setuptools"),
    *("valgrind", "strace", "libc6-dbg"),
]
"""The contenders, what the build needs, the counters, and the names of libc's functions for callgrind."""


def run(chosen: argparse.Namespace) -> int:
    """Runs the benchmark in the root ``chosen.root`` with the other arguments, and writes ``chosen.output``."""
    sys.path.append(str(REPOSITORY / "ci"))
    matrix, pyproject, roots = map(importlib.import_module, ("matrix", "pyproject", "roots"))
    facts = pyproject.load(REPOSITORY / "ci" / "matrix.toml")
    row = row_named(chosen.root, facts["row"])
    if os.geteuid() != 0:
        sys.exit("using another Debian with chroot needs root")
    made = roots.root({**row, "programs": PACKAGES}, facts["root_packages"], make)
    runs = roots.CACHE / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=runs, ignore_cleanup_errors=True) as place:
        work = Path(place)
        (work / "tmp").mkdir()
        (work / "tmp").chmod(0o1777)
        matrix.copy_source(work / "source")
        make(
            "building pyossl in the root", [*entered(made, work), "python3", "setup.py", "-q", "build_ext", "--inplace"]
        )
        found = work / "results.json"
        if chosen.again:
            shutil.copy(chosen.output, found)
        before = found.read_text() if chosen.again else ""
        status = subprocess.run([*entered(made, work), "python3", "-m", "benchmarks", *passed_on(chosen)]).returncode
        if found.exists() and found.read_text() != before:
            results = Results.read(found)
            results.machine["commit"] = machine()["commit"]  # the root has no git
            results.write(chosen.output)
            print(f"copied from the root {chosen.root} to {chosen.output}")
    return status


def row_named(name: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The row of ci/matrix with this name, if its root has Debian's own Python."""
    suited = {row["name"]: row for row in rows if row["place"] == "root" and "interpreter" not in row}
    if name not in suited:
        sys.exit(f"there is no root {name}; the roots are {', '.join(suited)}")
    return suited[name]


def passed_on(chosen: argparse.Namespace) -> list[str]:
    """The arguments for the benchmark in the root."""
    arguments = ["--one-libssl", "--output", "/mnt/results.json"]
    arguments += [f"--{flag}" for flag in ("quick", "again") if getattr(chosen, flag)]
    for several in ("only", "contenders", "meters"):
        arguments += [f"--{several}", *getattr(chosen, several)] if getattr(chosen, several) else []
    return [*arguments, *(["--turns", str(chosen.turns)] if chosen.turns else [])]


def entered(root: Path, work: Path) -> list[str]:
    """The beginning of a command that runs in the root, in the copy of the working tree."""
    variables = {"HOME": "/tmp", "LANG": "C.UTF-8", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    env = [
        "env",
        "--ignore-environment",
        "--chdir=/mnt/source",
        *(f"{name}={value}" for name, value in variables.items()),
    ]
    return [str(REPOSITORY / "ci" / "enter"), str(root), str(work), sys.executable, *env]


def make(what: str, command: list[str]) -> None:
    """Runs a command that prepares the root; shows its output if it fails."""
    print(what, flush=True)
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode != 0:
        sys.exit(f"{done.stdout}\n{what} failed")
