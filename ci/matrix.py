"""Runs pyossl's tests on every OpenSSL of matrix.toml.  See ci/matrix.

Theory of operation. Row.run() does these steps for each row:

  place    takes the row's root folder or prefix from the cache, or makes it (roots.py)
  source   copies the files of the working tree that git does not ignore into the row's work folder, so that
           nothing is built in the user's tree
  wheels   takes the wheels that pip needs from the cache, or downloads them with this machine's pip
  venv     makes a virtual environment with the row's own Python, and installs pyossl into it: the wheel of ci/wheels,
           or one that the row builds for its own OpenSSL
  facts    asks a process of the row for the version and the file of the libssl that it has loaded; the row is
           red if they differ from matrix.toml
  suite    runs pytest; the numbers of the table come from its JUnit file
  reports  reads the reports of a sanitizer or valgrind (reports.py)

From "venv" on, a row needs no network, and a row in a root folder has none (ci/enter). If a step fails, it
raises RowError; the other rows continue. Two rows run at a time.

The rows with `wheel` share the wheels of ci/wheels. The first row that needs a wheel builds it, and the cache keeps it
until a source changes. These are the files that are published: one file for every OpenSSL and for every Python from
3.11 on.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import xml.etree.ElementTree as ElementTree
from collections import Counter
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import newest_headers
import pyproject
import pythons
import reports
import roots
import trimmed

ROWS_AT_A_TIME = 2

# The sources of a wheel, and what builds it.
WHEEL_SOURCES = (
    *("pyossl", "setup.py", "build_ffi.py", "build_late.py", "pyproject.toml", "README.md", "LICENSE"),
    *("ci/wheels", "ci/wheels.py", "ci/wheels.toml", "ci/newest_headers.py"),
)

# A line with the reason of a failure of a compiler, apt, pip, Python or pytest. It need not be the last line.
REASON = re.compile(r"\berror: (?!subprocess-exited)|^E: |^E   |^\s*[\w.]*Error: ")

# Run with the row's Python before the tests: prints the libssl in the memory map of the process.
FACTS = """
import ctypes, json, sys
from pyossl import lib
gil = getattr(sys, "_is_gil_enabled", lambda: True)()
with open("/proc/self/maps") as maps:
    files = sorted({line.split()[-1] for line in maps if "/libssl" in line})
def version(file):
    text = ctypes.CDLL(file.replace("libssl", "libcrypto")).OpenSSL_version
    text.restype = ctypes.c_char_p
    return text(0).decode().split()[1]
python = sys.version.split()[0] + ("" if gil else "t")
print(json.dumps({"python": python, "files": files, "openssl": [version(f) for f in files]}))
"""


class RowError(Exception):
    """The reason why a row is red."""


class Processes:
    """The running programs of all rows, so that they can be stopped."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._stopped = False

    def run(self, command: list[str], log: Path, *, until: float) -> int:
        """Runs command, appends its output to log, and returns its exit status."""
        with open(log, "ab") as output:
            with self._lock:
                if self._stopped:
                    raise CancelledError
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                    cwd=pyproject.REPOSITORY,
                )
                self._running.add(process)
            try:
                status = process.wait(until - time.monotonic())
            except subprocess.TimeoutExpired:
                self._kill(process)
                raise
            finally:
                with self._lock:
                    self._running.discard(process)
        if self._stopped:
            raise CancelledError
        return status

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            for process in self._running:
                self._kill(process)

    @staticmethod
    def _kill(process: subprocess.Popen[bytes]) -> None:
        # The whole session, because tests start servers. In a root, the namespace of ci/enter ends all processes.
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@dataclass
class Result:
    openssl: str = ""
    python: str = ""
    passed: int = 0
    failed: list[str] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    reason: str | None = None
    expected: bool = False  # red for the reason given in matrix.toml

    def numbers(self) -> dict[str, int]:
        """The counts in the table, by the headings of its columns."""
        return {"passed": self.passed, "failed": len(self.failed), "skipped": self.skipped.total()}

    @property
    def verdict(self) -> str:
        return "green" if self.reason is None else "as expected" if self.expected else "RED"


@dataclass(frozen=True)
class Matrix:
    """The data that all rows share."""

    facts: dict[str, Any]
    source: Path
    work: Path
    logs: Path
    processes: Processes
    rebuild: bool
    pytest: list[str]  # the user's arguments
    wheel: Path | None  # the user's own


class Row:
    outcome = Result

    def __init__(self, row: dict[str, Any], matrix: Matrix) -> None:
        self.row = row
        self.name: str = row["name"]
        self.matrix = matrix
        self.work = matrix.work / self.name
        self.log = matrix.logs / f"{self.name}.log"
        self.limit: int = row.get("limit", matrix.facts["limit"])
        self.deadline = 0.0
        here = pythons.find(row["python"]) if row["place"] == "python" else None
        is_it = row["place"] == "machine" and row["suite"] == machine_suite()
        self.on_machine = is_it or here is not None or row["place"] == "prefix"
        this = f"{sys.base_prefix}/bin/python{machine_python()}"
        # The row's own Python, which makes the virtual environment, and its version.
        self.interpreter = here or (this if self.on_machine else row.get("interpreter", "/usr/bin/python3"))
        self.python: str = row["python"] if here or not self.on_machine else machine_python()
        self.root: Path | None = None
        self.prefix: Path | None = None
        # The path of the work folder for the row's programs.
        self.seen = self.work if self.on_machine else Path("/mnt")

    def run(self) -> Result:
        began = time.monotonic()
        self.deadline = began + self.limit
        result = self.outcome()
        try:
            self.prepare()
            self._install()
            self._ask(result)
            try:
                self._test(result)
            finally:  # a report explains why a test failed, so it is the better reason
                self._judge_reports()
        except RowError as red:
            result.reason = str(red)
            result.expected = "expected" in self.row and re.search(self.row["expected"], result.reason) is not None
        except CancelledError:
            raise
        except Exception as error:  # an error in this program makes only this row red
            self._note(traceback.format_exc())
            result.reason = f"{type(error).__name__}: {error}"
        finally:
            self._keep_artifacts()
            shutil.rmtree(self.work, ignore_errors=True)
        result.seconds = time.monotonic() - began
        print(f"{self.name}: {result.verdict}{f': {result.reason}' if result.reason else ''}", flush=True)
        return result

    def _keep_artifacts(self) -> None:
        """Keeps what the tests have left for people to see, for example screenshots, beside the row's log."""
        artifacts = self.work / "artifacts"
        if artifacts.is_dir() and any(artifacts.iterdir()):
            shutil.copytree(artifacts, self.matrix.logs / f"{self.name}-artifacts")

    def prepare(self) -> None:
        for folder in ("home", "tmp", "reports", "artifacts"):
            (self.work / folder).mkdir(parents=True)
        (self.work / "tmp").chmod(0o1777)
        shutil.copytree(self.matrix.source, self.work / "source", symlinks=True)
        again = self.matrix.rebuild
        if self.row["place"] == "prefix":
            prefix = trimmed.prefix if "configure" in self.row else roots.prefix
            self.prefix = prefix(self.row, self._make, again=again)
        elif not self.on_machine:
            if "suite" not in self.row:
                raise RowError(f"found no Python {self.python} on PATH or in pyenv")
            if os.geteuid() != 0:
                raise RowError("using another Debian with chroot needs root: sudo ci/matrix")
        # Before the root is made, which may take long and is useless without the wheels.
        pip = self.interpreter if self.on_machine else sys.executable
        wheels = roots.wheelhouse(self.python, self._requirements(), self._make, interpreter=pip)
        shutil.copytree(wheels, self.work / "wheels", copy_function=os.link)
        if not self.prefix and not self.on_machine:
            self.root = roots.root(self.row, self.matrix.facts["root_packages"], self._make, again=again)

    def _requirements(self) -> list[str]:
        """The requirements that pip installs for the row."""
        return [*pyproject.requirements(self.matrix.facts["extras"]), *self.row.get("requirements", [])]

    def _build_wheel(self) -> Path:
        """Builds the wheel in the row's virtual environment, for the OpenSSL of the row."""
        source, dist = str(self.seen / "source"), str(self.seen / "dist")
        build = ["env", *self.row.get("build", []), *self._pip("wheel"), "--no-deps", f"--wheel-dir={dist}", source]
        self._do("building the wheel", build)
        return next((self.work / "dist").glob("*.whl"))

    def _shared_wheel(self, python: str) -> Path:
        """The wheel of ci/wheels for this machine and ``python``, a key in wheels.toml."""
        built_from = wheel_sources(self.matrix.source)

        def make(target: Path) -> None:
            wanted = [python, f"--platform=manylinux_2_17_{platform.machine()}", f"--dist={target}", "--or-newer"]
            self._make(f"building the wheel for {python}", ["ci/wheels", *wanted])
            if wheel_sources(pyproject.REPOSITORY) != built_from:
                raise RowError("the sources have changed since the matrix was started")

        folder = roots.CACHE / "wheels" / f"{python}-{built_from}"
        wheel: Path = next(roots.kept(folder, make).glob("*.whl"))
        return wheel

    def _install(self) -> None:
        self._make_environment()
        if "wheel" in self.row:
            (self.work / "dist").mkdir()
            # For tests/project/test_symbols.py: the headers that the wheel was compiled with.
            try:
                shutil.copytree(newest_headers.headers(or_newer=True), self.work / "newest-headers")
            except SystemExit as error:
                raise RowError(str(error)) from None
            built = Path(shutil.copy(self.matrix.wheel or self._shared_wheel(self.row["wheel"]), self.work / "dist"))
        else:
            built = self._build_wheel()
        wheel = self.seen / "dist" / built.name
        extras = ",".join(self.matrix.facts["extras"])
        wanted = [f"pyossl[{extras}] @ {wheel.as_uri()}", *self.row.get("requirements", [])]
        self._do("installing the wheel", [*self._pip("install"), *wanted])
        # Tests import build_ffi from the source tree, which is last on the path, after the installed pyossl.
        site_packages = next((self.work / "venv" / "lib").glob("python*/site-packages"))
        (site_packages / "source.pth").write_text(f"{self.seen / 'source'}\n")

    def _make_environment(self) -> None:
        self._do("making the virtual environment", [self.interpreter, "-m", "venv", str(self.seen / "venv")])

    def _pip(self, command: str) -> list[str]:
        pip = [str(self.seen / "venv/bin/python"), "-m", "pip", "--no-cache-dir"]
        return [*pip, command, "--no-index", f"--find-links={self.seen / 'wheels'}"]

    def _ask(self, result: Result) -> None:
        answer = self.work / "facts.json"
        python = [*self._under(), str(self.seen / "venv/bin/python")]
        self._do("importing pyossl", [*python, "-c", FACTS], output=answer)
        facts = json.loads(answer.read_text())
        result.python, result.openssl = facts["python"], " and ".join(facts["openssl"])
        self._note(f"facts: {facts}")
        if not result.openssl.startswith(self.row["openssl"]) or len(facts["files"]) != 1:
            found = result.openssl or "no libssl"
            raise RowError(f"runs with {found} ({', '.join(facts['files'])}), not {self.row['openssl']}")
        if self.prefix and not facts["files"][0].startswith(str(self.prefix)):
            raise RowError(f"runs with {facts['files'][0]}, not with the libssl of the prefix")
        wanted, free_threaded = self.python.removesuffix("t") + ".", self.python.endswith("t")
        if not result.python.startswith(wanted) or result.python.endswith("t") != free_threaded:
            raise RowError(f"runs with Python {result.python}, not {self.python}")

    def _test(self, result: Result) -> None:
        junit = self.work / "junit.xml"
        command = [*self._under(), str(self.seen / "venv/bin/python"), "-m", "pytest"]
        options = [f"--junitxml={self.seen / 'junit.xml'}", *self.row.get("pytest", self.matrix.facts["pytest"])]
        status = self._enter([*command, *options, *self._arguments()])
        if not junit.exists():
            raise RowError(f"pytest ended with status {status} and no report: {decisive(self.log)[0].strip()}")
        for case in ElementTree.parse(junit).iter("testcase"):
            outcome = next((child for child in case if child.tag in ("failure", "error", "skipped")), None)
            if outcome is None:
                result.passed += 1
            elif outcome.tag == "skipped":
                result.skipped[outcome.get("message") or "no reason given"] += 1
            else:
                # If a module cannot be collected, the reason is only at the end of the text.
                said = (outcome.get("message") or "").strip().split("\n")[0]
                text = (outcome.text or said).strip().split("\n")[-1]
                where = "::".join(filter(None, (case.get("classname"), case.get("name"))))
                result.failed.append(f"{where}: {text if said == 'collection failure' else said}")
        if result.failed:
            raise RowError(f"{len(result.failed)} failed")
        if result.passed == 0:
            raise RowError("no test passed")
        if status != 0:
            raise RowError(f"pytest ended with status {status}: {decisive(self.log)[0].strip()}")

    def _arguments(self) -> list[str]:
        """The user's arguments for pytest, with paths in the source folder; without a path, the row's tests are added.

        Only these are without the tests that need no row: pytest would run nothing of a path that it is to ignore.
        """
        named = {
            argument for argument in self.matrix.pytest if (self.work / "source" / argument.split("::")[0]).exists()
        }
        source = self.seen / "source"
        asked = [str(source / argument) if argument in named else argument for argument in self.matrix.pytest]
        tests = self.row.get("tests", ["tests"])
        tests = self.matrix.facts["tests"][tests] if isinstance(tests, str) else tests
        without = (f"--ignore={source / test}" for test in self.matrix.facts["without"])
        return asked if named else [*asked, *(str(source / test) for test in tests), *without]

    def _under(self) -> list[str]:
        """The script that runs the row's tests."""
        return [str(self.seen / "source" / self.row["under"])] if "under" in self.row else []

    def _judge_reports(self) -> None:
        ours = reports.ours(self.work / "reports")
        for report in ours:
            self._note(f"\nerror: a report about the extension\n{report}")
        if ours:
            raise RowError(f"{len(ours)} reports about the extension, the first: {reports.headline(ours[0])}")

    def _environment(self) -> list[str]:
        """All environment variables of the row's programs, as arguments of env(1)."""
        path = f"{self.seen / 'venv/bin'}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        variables = {
            "HOME": str(self.seen / "home"),
            # The path of a Unix socket must be short.
            "TMPDIR": "/tmp",
            "LANG": "C.UTF-8",
            "PATH": path,
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "REPORTS": str(self.seen / "reports"),
            "PYOSSL_ARTIFACTS": str(self.seen / "artifacts"),
        }
        if self.root and "programs" in self.row:
            variables["PYOSSL_ROW_PACKAGES"] = " ".join(self.row["programs"])
        if "wheel" in self.row:
            variables["PYOSSL_NEWEST_HEADERS"] = str(self.seen / "newest-headers")
        if self.prefix:
            variables["PYOSSL_OPENSSL_DIR"] = str(self.prefix)
            variables["PATH"] = f"{self.prefix / 'bin'}:{path}"
            if "wheel" in self.row:
                variables["PYOSSL_LIBSSL"] = str(next((self.prefix / "lib").glob("libssl*.so.*")))
            # By default the library of the prefix would read this machine's openssl.cnf, which is for another version.
            variables["OPENSSL_CONF"] = str(self.prefix / "ssl" / "openssl.cnf")
        return [f"{name}={value}" for name, value in variables.items()]

    def _enter(self, command: list[str], output: Path | None = None) -> int:
        """Runs command in the row's root, with the row's environment.

        The current folder is empty: in the source folder, Python would import the pyossl there, which is not
        built, instead of the installed one.
        """
        env = ["env", "--ignore-environment", f"--chdir={self.seen / 'home'}", *self._environment()]
        command = [*env, *command]
        if self.root:
            command = ["ci/enter", str(self.root), str(self.work), sys.executable, *command]
        if output:
            command = ["sh", "-c", 'output=$1; shift; exec "$@" >"$output"', "sh", str(output), *command]
        return self._run(command)

    def _do(self, what: str, command: list[str], output: Path | None = None) -> None:
        if self._enter(command, output) != 0:
            raise RowError(f"{what} failed: {decisive(self.log)[0].strip()}")

    def _make(self, what: str, command: list[str]) -> None:
        """Runs a command of roots.py on this machine, to make something for the row."""
        print(f"{self.name}: {what}", flush=True)
        if self._run(command) != 0:
            raise RowError(f"{what} failed: {decisive(self.log)[0].strip()}")

    def _run(self, command: list[str]) -> int:
        self._note("$ " + " ".join(command))
        try:
            return self.matrix.processes.run(command, self.log, until=self.deadline)
        except subprocess.TimeoutExpired:
            raise RowError(f"did not finish in {self.limit} seconds") from None

    def _note(self, text: str) -> None:
        with open(self.log, "a", encoding="utf-8") as log:
            log.write(text + "\n")


def machine_suite() -> str:
    """The codename of this machine's Debian; "" on another system."""
    release = platform.freedesktop_os_release()
    return release.get("VERSION_CODENAME", "") if release.get("ID") == "debian" else ""


def machine_python() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def copy_source(target: Path) -> None:
    """Copies the files of the working tree that git does not ignore."""
    # With sudo, the tree belongs to another user; by default git refuses to read such a tree.
    git = ["git", "-c", "safe.directory=*", "-C", str(pyproject.REPOSITORY)]
    listed = subprocess.check_output([*git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"])
    for name in filter(None, os.fsdecode(listed).split("\0")):
        file = pyproject.REPOSITORY / name
        if file.is_symlink() or file.is_file():  # not files that are deleted but still in the index
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, target / name, follow_symlinks=False)


def wheel_sources(folder: Path) -> str:
    """A hash of the sources of a wheel in this folder."""
    files = [path for name in WHEEL_SOURCES for path in (folder / name, *sorted((folder / name).rglob("*")))]
    texts = [path for path in files if path.is_file() and path.suffix not in (".so", ".pyc")]
    return roots.key(*(part for path in texts for part in (str(path.relative_to(folder)), path.read_text("utf-8"))))


def decisive(log: Path) -> list[str]:
    """The line with the reason of the last program in a row's log, and the lines after it."""
    text = log.read_text(encoding="utf-8", errors="replace")
    lines = [line.rstrip()[:200] for line in text[text.rfind("\n$ ") + 1 :].split("\n")[1:] if line.strip()]
    first = next((i for i, line in enumerate(lines) if REASON.search(line)), len(lines) - 1)
    return lines[first : first + 6] or ["it printed nothing"]


def table(results: dict[str, Result], logs: Path) -> str:
    columns = next(iter(results.values())).numbers()
    lines: list[tuple[str, ...]] = [("row", "OpenSSL", "Python", *columns, "seconds", "")]
    for name, result in results.items():
        numbers = (*result.numbers().values(), round(result.seconds))
        lines.append((name, result.openssl or "-", result.python or "-", *map(str, numbers), result.verdict))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = []
    for line in lines:
        left = [cell.ljust(width) for cell, width in zip(line[:3], widths, strict=False)]
        right = [cell.rjust(width) for cell, width in zip(line[3:-1], widths[3:], strict=False)]
        text.append("  ".join([*left, *right, line[-1]]).rstrip())

    skipped = {reason for result in results.values() for reason in result.skipped}
    if skipped:
        text += ["", "skipped:"]
        for reason in sorted(skipped):
            counts = {name: result.skipped[reason] for name, result in results.items()}
            where = ", ".join(f"{name} ({count})" for name, count in counts.items() if count)
            text.append(f"  {reason}: {where}")
    for name, result in results.items():
        if result.reason is not None:
            what = "red as expected" if result.expected else "red"
            text += ["", f"{name} is {what}: {result.reason}", f"  the whole log: {logs / name}.log"]
            text += [f"  {line}" for line in result.failed or decisive(logs / f"{name}.log")]
    return "\n".join(text)


def chosen(facts: dict[str, Any], names: list[str], everything: bool) -> list[dict[str, Any]]:
    rows = {row["name"]: row for row in facts["row"]}
    unknown = [name for name in names if name not in rows]
    if unknown:
        sys.exit(f"ci/matrix has no row {', '.join(unknown)}; its rows are {', '.join(rows)}")
    if names:
        return [rows[name] for name in names]
    return [row for row in rows.values() if everything or not row.get("all")]


def list_rows(facts: dict[str, Any]) -> None:
    for row in facts["row"]:
        suite = row.get("suite", "this machine") + (f" with {row['over']}" if "over" in row else "")
        python = f"Python {row['python']}" if "python" in row else "this machine's Python"
        only = "  (only with --all)" if row.get("all") else ""
        openssl = row["openssl"].rstrip(".")
        print(f"{row['name']:<18}OpenSSL {openssl:<8}{row['place']:<9}{suite}, {python}{only}")


def new_logs() -> Path:
    """A folder for this run's logs."""
    parent = roots.CACHE / "logs"
    parent.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=f"{datetime.datetime.now():%Y-%m-%d-%H%M%S}-", dir=parent))


def run(
    facts: dict[str, Any],
    rows: list[dict[str, Any]],
    *,
    rebuild: bool,
    pytest: list[str],
    wheel: Path | None = None,
    kind: type[Row] = Row,
) -> int:
    processes = Processes()
    results: dict[str, Result] = {}
    roots.forget()
    logs = new_logs()
    runs = roots.CACHE / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=runs, ignore_cleanup_errors=True) as folder:
        source = Path(folder, "source")
        copy_source(source)
        matrix = Matrix(facts, source, Path(folder), logs, processes, rebuild, pytest, wheel)
        with ThreadPoolExecutor(ROWS_AT_A_TIME) as pool:
            waiting = {row["name"]: pool.submit(kind(row, matrix).run) for row in rows}
            try:
                for name, future in waiting.items():
                    results[name] = future.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                processes.stop()
                raise
    print(f"\n{table(results, logs)}")
    return 1 if any(result.verdict == "RED" for result in results.values()) else 0


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="ci/matrix",
        usage="ci/matrix [--all] [--list | --json] [--rebuild] [--wheel FILE] [ROW...] [-- PYTEST ARGUMENTS]",
        description="Run pyossl's tests on every OpenSSL of ci/matrix.toml.",
    )
    parser.add_argument("rows", nargs="*", metavar="ROW", help="run only this row; the default is the five OpenSSLs")
    parser.add_argument("--all", action="store_true", help="run every row, not only those of the five OpenSSLs")
    parser.add_argument("--list", action="store_true", help="list the rows and exit")
    parser.add_argument("--json", action="store_true", help="print the rows' names as JSON, for a workflow, and exit")
    parser.add_argument("--rebuild", action="store_true", help="make the rows' root folders again")
    parser.add_argument("--wheel", type=Path, metavar="FILE", help="test this wheel instead of one of ci/wheels")
    end = arguments.index("--") if "--" in arguments else len(arguments)
    options, pytest = parser.parse_args(arguments[:end]), arguments[end + 1 :]
    facts = pyproject.load(Path(__file__).with_name("matrix.toml"))
    if options.list:
        list_rows(facts)
        return 0
    rows = chosen(facts, options.rows, options.all)
    if options.json:
        print(json.dumps([row["name"] for row in rows]))
        return 0
    try:
        return run(facts, rows, rebuild=options.rebuild, pytest=pytest, wheel=options.wheel)
    except KeyboardInterrupt:
        print("ci/matrix was stopped", file=sys.stderr)
        return 130


def stop(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)
    sys.exit(main(sys.argv[1:]))
