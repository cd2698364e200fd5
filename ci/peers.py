"""Runs pyOpenSSL's own test suite, and programs made for it, with pyossl in its place.  See ci/peers."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from pathlib import Path

from pyproject import REPOSITORY, load

LIST = REPOSITORY / "ci" / "peers_pyopenssl.toml"
LIMIT = 900
"""Seconds for the whole suite."""


def cache() -> Path:
    """Where suites and virtual environments are kept."""
    if chosen := os.environ.get("PYOSSL_PEERS"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pyossl" / "peers"


def run(*command: str | Path) -> None:
    """Runs a command; what it says is shown only where it fails."""
    done = subprocess.run([str(each) for each in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"ci/peers: {' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")


def environment(requirements: list[str], without: tuple[str, ...] = ()) -> Path:
    """The Python of a virtual environment with these requirements, made once for each Python and each list.

    ``without`` are packages that the requirements bring, and that must not be there.
    """
    key = hashlib.sha256("\n".join([sys.version, sys.executable, *requirements]).encode()).hexdigest()[:12]
    folder = cache() / f"venv-{key}"
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        run(sys.executable, "-m", "venv", "--clear", folder)
        run(python, "-m", "pip", "install", "--quiet", *requirements)
        if without:
            run(python, "-m", "pip", "uninstall", "--quiet", "--yes", *without)
        (folder / "complete").touch()
    return python


def suite(python: Path, requirement: str) -> Path:
    """The folder of the suite, unpacked from the sdist, which is fetched once."""
    folder = cache() / requirement
    if not folder.exists():
        with tempfile.TemporaryDirectory() as place:
            fetch = ["download", "--quiet", "--no-binary", ":all:", "--no-deps", "--dest", place, requirement]
            run(python, "-m", "pip", *fetch)
            (archive,) = Path(place).glob("*.tar.gz")
            unpacked = Path(tempfile.mkdtemp(dir=cache()))
            with tarfile.open(archive) as tar:
                members = [each for each in tar.getmembers() if each.isfile() and "/tests/" in each.name]
                for member in members:
                    member.name = member.name.partition("/")[2]
                    tar.extract(member, unpacked)
            unpacked.rename(folder)
    return folder


def outcomes(python: Path, folder: Path, reasons: dict[str, str], arguments: list[str]) -> dict[str, str]:
    """What became of each test: ``passed``, ``skipped``, ``listed`` (it failed, and may), ``failed`` or ``error``."""
    with tempfile.TemporaryDirectory() as place:
        report = Path(place) / "report.json"
        paths = os.pathsep.join(str(each) for each in (REPOSITORY, REPOSITORY / "ci"))
        settings = {
            "PYTHONPATH": paths,
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYOSSL_PEERS_REPORT": str(report),
            "PYOSSL_PEERS_LISTED": json.dumps(reasons),
        }
        options = ["-p", "peers_pyopenssl", "-p", "no:cacheprovider", "-q", "--tb=short", "-W", "ignore"]
        command = [str(python), "-m", "pytest", *options, *(arguments or ["--no-header", "-r", "N"]), "tests"]
        try:
            subprocess.run(command, cwd=folder, env={**os.environ, **settings}, timeout=LIMIT)
        except subprocess.TimeoutExpired:
            sys.exit(f"ci/peers: the suite has not ended after {LIMIT} s")
        found: dict[str, str] = json.loads(report.read_text()) if report.exists() else {}
        return found


def programs(table: dict[str, list[str]], arguments: list[str]) -> int:
    """Runs tests/interop/test_pyopenssl_programs.py, each program in an environment without pyOpenSSL."""
    pythons = {name: str(environment(needs, without=("pyOpenSSL",))) for name, needs in table.items()}
    command = [sys.executable, "-m", "pytest", "-q", *arguments, "tests/interop/test_pyopenssl_programs.py"]
    settings = {"PYOSSL_PEER_PROGRAMS": json.dumps(pythons)}
    return subprocess.run(command, cwd=REPOSITORY, env={**os.environ, **settings}).returncode


def main() -> int:
    parser = argparse.ArgumentParser(prog="ci/peers", description=__doc__)
    parser.add_argument("peer", choices=["pyopenssl", "programs"])
    parser.add_argument("arguments", nargs="*", metavar="-- ARGUMENT", help="for pytest")
    chosen = parser.parse_args()
    table = load(LIST)
    if chosen.peer == "programs":
        return programs(table["programs"], chosen.arguments)
    reasons = {each["test"]: each["reason"] for each in table["listed"]}
    python = environment(table["requirements"])
    found = outcomes(python, suite(python, table["suite"]), reasons, chosen.arguments)
    if chosen.arguments:
        return 0
    count = Counter(found.values())
    for test, outcome in sorted(found.items()):
        if outcome in ("failed", "error"):
            print(f"FAILED, AND NOT LISTED  {test}")
    for test in sorted(reasons):
        if not any(outcome == "listed" and test in (name, name.partition("[")[0]) for name, outcome in found.items()):
            print(f"listed, but it did not fail here  {test}")
    new = count["failed"] + count["error"]
    print(
        f"{table['suite']}: {count['passed']} passed, {count['listed']} failed and listed, "
        f"{new} failed and not listed, {count['skipped']} skipped"
    )
    if not count["passed"]:
        print("ci/peers: no test was run")
    return int(new > 0 or not count["passed"])


if __name__ == "__main__":
    sys.exit(main())
