"""Runs pyOpenSSL's own test suite, and programs that use pyOpenSSL, with pyossl instead of it.  See ci/peers.

peers_stdlib.py does the same for the standard library's ``ssl``.

The suite runs in the rows of ci/matrix.  Each row builds pyossl as usual, but runs pyOpenSSL's tests instead of
pyossl's.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matrix
import peers_stdlib
from peer_environments import cache, environment, run, unoptimised
from pyproject import REPOSITORY, load

LIST = REPOSITORY / "ci" / "peers_pyopenssl.toml"
PLUGIN = Path("ci") / "peers_pyopenssl.py"
ENVIRONMENTS = {"original": "original", "face": "venv"}
PEERS = ("pyopenssl", "side-by-side", "typing", "programs", "suites", "stdlib", "stdlib-suite")
LIMIT = 900
"""The time limit of the whole suite, in seconds."""


def suite(requirement: str) -> Path:
    """The folder of the suite, unpacked from the sdist, which is downloaded once."""
    folder = cache() / requirement
    if not folder.exists():
        with tempfile.TemporaryDirectory() as place:
            fetch = ["download", "--quiet", "--no-binary", ":all:", "--no-deps", "--dest", place, requirement]
            run(sys.executable, "-m", "pip", *fetch)
            (archive,) = Path(place).glob("*.tar.gz")
            cache().mkdir(parents=True, exist_ok=True)
            unpacked = Path(tempfile.mkdtemp(dir=cache()))
            with tarfile.open(archive) as tar:
                members = [each for each in tar.getmembers() if each.isfile() and "/tests/" in each.name]
                for member in members:
                    member.name = member.name.partition("/")[2]
                    tar.extract(member, unpacked)
            unpacked.chmod(0o755)
            unpacked.rename(folder)
    return folder


def reasons(table: dict[str, Any], row: str) -> dict[str, str]:
    """The tests that must fail in a row, and the reasons."""
    return {each["test"]: each["reason"] for each in table["listed"] if row in each.get("rows", [row])}


@dataclass
class Peers(matrix.Result):
    """The result of the suite in a row."""

    listed: int = 0

    def numbers(self) -> dict[str, int]:
        """The counts of a row of ci/matrix, and the number of listed tests that failed."""
        numbers = super().numbers()
        return {"passed": numbers.pop("passed"), "listed": self.listed, **numbers}

    def judge(self, found: Mapping[str, str], expected: Mapping[str, str]) -> None:
        """``found`` has the outcome of each test, ``expected`` the tests that must fail; other outcomes are errors."""
        for test, outcome in found.items():
            if outcome == "passed":
                self.passed += 1
            elif outcome == "skipped":
                self.skipped["the suite's own"] += 1
            elif outcome == "listed":
                self.listed += 1
            elif outcome == "unexpected":
                self.failed.append(f"{test} passed, but is listed: remove it from {LIST.name}")
            else:
                self.failed.append(f"{test}: {outcome}, but not listed")
        names = {name for test in found for name in (test, test.partition("[")[0])}
        self.failed += [f"{test} is listed, but does not exist" for test in expected if test not in names]


def command(
    python: str, report: Path, listed: Path, plugin: Path, arguments: list[str], tests: Sequence[str] = ("tests",)
) -> list[str]:
    """The command that runs the suite, in the suite's folder."""
    settings = {
        "PYTHONPATH": str(plugin),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYOSSL_PEERS_REPORT": str(report),
        "PYOSSL_PEERS_LISTED": str(listed),
    }
    options = ["-p", "peers_pyopenssl", "-p", "no:cacheprovider", "-q", "--tb=short", "-W", "ignore"]
    env = ["env", *(f"{name}={value}" for name, value in settings.items())]
    return [*env, python, "-m", "pytest", *options, *(arguments or ["--no-header", "-r", "N"]), *tests]


class PeerRow(matrix.Row):
    """A row of ci/matrix that runs pyOpenSSL's suite."""

    outcome = Peers

    def _requirements(self) -> list[str]:
        return [*super()._requirements(), *self.matrix.facts["peers"]["requirements"]]

    def _install(self) -> None:
        super()._install()
        needs = self.matrix.facts["peers"]["requirements"]
        self._do("installing the requirements of the suite", [*self._pip("install"), *needs])

    def _test(self, result: matrix.Result) -> None:
        assert isinstance(result, Peers)
        table = self.matrix.facts["peers"]
        expected = reasons(table, self.name)
        report, plugin = self.work / "report.json", self.work / "plugin"
        shutil.copytree(suite(table["suite"]), self.work / "suite")
        plugin.mkdir()
        shutil.copy(self.work / "source" / PLUGIN, plugin)
        (self.work / "listed.json").write_text(json.dumps(expected))
        python = str(self.seen / "venv" / "bin" / "python")
        places = (self.seen / report.name, self.seen / "listed.json", self.seen / "plugin")
        started = command(python, *places, self.matrix.pytest)
        status = self._enter(["env", f"--chdir={self.seen / 'suite'}", *started])
        if not report.exists():
            raise matrix.RowError(f"pytest ended with status {status} and no report")
        found = json.loads(report.read_text())
        if self.matrix.pytest:  # for chosen tests, the output is shown and nothing is compared
            print(self.log.read_text(errors="replace").rpartition("\n$ ")[2].partition("\n")[2])
            expected = {}
        result.judge(found, expected)
        if result.failed:
            raise matrix.RowError(f"{len(result.failed)} tests differ from {LIST.name}")
        if not result.passed:
            raise matrix.RowError("no test passed")


class SideBySideRow(matrix.Row):
    """A row of ci/matrix that runs one program with pyOpenSSL and with pyossl."""

    def _requirements(self) -> list[str]:
        table = self.matrix.facts["peers"]
        return [*super()._requirements(), *table["requirements"], table["suite"]]

    def _install(self) -> None:
        super()._install()
        table = self.matrix.facts["peers"]
        original = str(self.seen / "original")
        self._do("installing the requirements of the program", [*self._pip("install"), *table["requirements"]])
        self._do("making pyOpenSSL's virtual environment", [self.interpreter, "-m", "venv", original])
        pip = [f"{original}/bin/python", *self._pip("install")[1:], table["suite"]]
        self._do("installing pyOpenSSL", pip)

    def _environment(self) -> list[str]:
        pythons = {kind: str(self.seen / name / "bin" / "python") for kind, name in ENVIRONMENTS.items()}
        return [*super()._environment(), f"PYOSSL_SIDE_BY_SIDE={json.dumps(pythons)}"]


def everywhere(table: dict[str, Any], rows: list[str], arguments: list[str], *, rebuild: bool) -> int:
    """Runs the suite in these rows of ci/matrix, or in the rows of the five OpenSSLs."""
    suite(table["suite"])
    facts = {**load(REPOSITORY / "ci" / "matrix.toml"), "extras": [], "peers": table}
    return matrix.run(facts, unoptimised(facts, rows), rebuild=rebuild, pytest=arguments, kind=PeerRow)


def side_by_side(table: dict[str, Any], rows: list[str], arguments: list[str], *, rebuild: bool) -> int:
    """Runs tests/interop/test_pyopenssl_side_by_side.py in these rows, or in the row with pyOpenSSL's OpenSSL."""
    facts = {**load(REPOSITORY / "ci" / "matrix.toml"), "extras": ["test"], "peers": table}
    chosen = unoptimised(facts, rows or [table["side_by_side"]])
    options = ["-p", "no:cacheprovider", *arguments]
    chosen = [{**row, "tests": ["tests/interop/test_pyopenssl_side_by_side.py"], "pytest": options} for row in chosen]
    return matrix.run(facts, chosen, rebuild=rebuild, pytest=[], kind=SideBySideRow)


def here(table: dict[str, Any], arguments: list[str]) -> int:
    """Runs the suite on this machine's OpenSSL with this source tree, without building."""
    from pyossl.core.constants import version_text  # pyossl may not be built for the other commands

    rows = load(REPOSITORY / "ci" / "matrix.toml")["row"]
    openssl = version_text(0).decode().split()[1]
    row = next((row["name"] for row in rows if openssl.startswith(row["openssl"])), "")
    python = environment(table["requirements"])
    return tried(table["suite"], python, suite(table["suite"]), reasons(table, row), arguments, ["tests"])


def tried(
    name: str, python: Path, folder: Path, expected: dict[str, str], arguments: list[str], tests: Sequence[str]
) -> int:
    """Runs tests with this source tree and prints the outcomes; returns 0 if all are as expected."""
    result = Peers()
    with tempfile.TemporaryDirectory() as place:
        report, listed = Path(place, "report.json"), Path(place, "listed.json")
        listed.write_text(json.dumps(expected))
        paths = Path(os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "ci")]))
        started = command(str(python), report, listed, paths, arguments, tests)
        try:
            subprocess.run(started, cwd=folder, timeout=LIMIT)
        except subprocess.TimeoutExpired:
            sys.exit(f"ci/peers: the suite did not finish in {LIMIT} s")
        result.judge(json.loads(report.read_text()) if report.exists() else {}, {} if arguments else expected)
    print("\n".join(result.failed))
    print(f"{name}: {', '.join(f'{count} {what}' for what, count in result.numbers().items())}")
    return int(bool(result.failed) or not result.passed)


def suites(table: dict[str, dict[str, Any]], arguments: list[str]) -> int:
    """Runs other projects' tests for pyOpenSSL, each in an environment without pyOpenSSL."""
    status = 0
    with tempfile.TemporaryDirectory() as empty:
        for each in table.values():
            python = environment(each["requirements"], without=("pyOpenSSL",))
            folder = suite(each["suite"]) if each.get("in_sdist") else Path(empty)
            status |= tried(each["suite"], python, folder, {}, arguments, each["tests"])
    return status


def programs(table: dict[str, list[str]], arguments: list[str]) -> int:
    """Runs tests/interop/test_pyopenssl_programs.py, each program in an environment without pyOpenSSL."""
    pythons = {name: str(environment(needs, without=("pyOpenSSL",))) for name, needs in table.items()}
    command = [sys.executable, "-m", "pytest", "-q", *arguments, "tests/interop/test_pyopenssl_programs.py"]
    settings = {"PYOSSL_PEER_PROGRAMS": json.dumps(pythons)}
    return subprocess.run(command, cwd=REPOSITORY, env={**os.environ, **settings}).returncode


def typing(table: dict[str, Any]) -> int:
    """Runs ``mypy --strict`` on the program in tests/typing, with pyOpenSSL's types and with pyossl's."""
    program = REPOSITORY / "tests" / "typing" / "pyopenssl_program.py"
    python = environment([table["suite"], *table["typing"]])
    status = 0
    with tempfile.TemporaryDirectory() as place:
        ours = Path(place, program.name)
        text = program.read_text(encoding="utf-8")
        ours.write_text(text.replace("from OpenSSL", "from pyossl.pyopenssl"), encoding="utf-8")
        for name, path in (("pyOpenSSL", program), ("pyossl.pyopenssl", ours)):
            print(f"{name}: ", end="", flush=True)
            options = ["--strict", "--config-file=", f"--cache-dir={place}/cache"]
            env = {**os.environ, "MYPYPATH": str(REPOSITORY)}
            status |= subprocess.run([python, "-m", "mypy", *options, path], cwd=place, env=env).returncode
    return status


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="ci/peers", usage="ci/peers PEER [--here] [ROW...] [-- PYTEST ARGUMENTS]")
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("rows", nargs="*", metavar="ROW", help="a row of ci/matrix; the default is the five OpenSSLs")
    parser.add_argument("--here", action="store_true", help="use this machine's OpenSSL and this source tree")
    parser.add_argument("--original", action="store_true", help="stdlib: run the programs over Python's own _ssl")
    parser.add_argument("--rebuild", action="store_true", help="make the rows' root folders again")
    end = arguments.index("--") if "--" in arguments else len(arguments)
    chosen, pytest = parser.parse_args(arguments[:end]), arguments[end + 1 :]
    table = load(LIST)
    if chosen.peer == "programs":
        # Arguments for pytest choose tests of the programs, so the suites are not run.
        return programs(table["programs"], pytest) | (0 if pytest else suites(table["suites"], []))
    if chosen.peer == "stdlib":
        return peers_stdlib.programs(pytest, original=chosen.original)
    if chosen.peer == "suites":
        return suites(table["suites"], pytest)
    if chosen.peer == "typing":
        return typing(table)
    if chosen.here:
        return peers_stdlib.suite_here(pytest) if chosen.peer == "stdlib-suite" else here(table, pytest)
    try:
        if chosen.peer == "stdlib-suite":
            return peers_stdlib.suite(chosen.rows, pytest, rebuild=chosen.rebuild)
        in_rows = everywhere if chosen.peer == "pyopenssl" else side_by_side
        return in_rows(table, chosen.rows, pytest, rebuild=chosen.rebuild)
    except KeyboardInterrupt:
        print("ci/peers was stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, matrix.stop)
    sys.exit(main(sys.argv[1:]))
