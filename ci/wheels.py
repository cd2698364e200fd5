"""Builds the wheels for Linux, for every platform and Python of wheels.toml, on one machine.  See ci/wheels.

Theory of operation
-------------------
The extension modules link to no OpenSSL: they find the machine's library at import.  So a wheel needs only OpenSSL's
headers (newest_headers.py) and a compiler for its platform (PyPI's ziglang, which brings each platform's C library).

setup.py compiles for the Python that runs it, unless it gets the settings of another one.  Python has two variables
for this: ``_PYTHON_SYSCONFIGDATA_NAME`` names the module that holds the settings of the target's Python, and
``_PYTHON_HOST_PLATFORM`` names its platform.  ``Target.settings`` writes that module: the compiler, the options, the
suffix of the modules and the folder of Python's headers.  No setting of the running Python has an effect on the wheel.

Python's headers are copied from a Python of the right version.  Its architecture and its C library need not be the
target's: on 64-bit Linux, pyconfig.h has the same sizes and types everywhere.  A free-threaded Python has the same
headers, with ``Py_GIL_DISABLED`` defined.

The wheel is written here, not by setuptools, which refuses tags that the running Python could not install.  All times
in it are the commit's, and no path of this machine is in it: the same sources and inputs give the same bytes.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matrix
import newest_headers
import pyproject
import pythons
import roots
import wheel_runs

FACTS = pyproject.load(Path(__file__).with_name("wheels.toml"))
SETTINGS = "_sysconfigdata_pyossl"

# zig has no -fsyntax-only: it compiles the file instead, and the result is removed. Some warnings that build_ffi.py
# turns off are GCC's own.
COMPILER = """#!/bin/sh
for argument; do
    shift
    if [ "$argument" = -fsyntax-only ]; then
        unwanted=$(mktemp)
        trap 'rm "$unwanted"' EXIT
        set -- "$@" -c -o "$unwanted"
    else
        set -- "$@" "$argument"
    fi
done
{zig} cc -target {target} "$@" -Wno-unknown-warning-option
"""
OPTIONS = ["-O2", "-g0", "-DNDEBUG", "-fwrapv", "-fno-sanitize=undefined", "-Wall"]


@dataclass(frozen=True)
class Target:
    """A wheel to build: its Python, its platform and the folder of Python's headers."""

    python: str
    platform: str
    headers: Path

    @property
    def tag(self) -> str:
        return f"{FACTS['pythons'][self.python]['tag']}-{self.platform}"

    @property
    def free_threaded(self) -> bool:
        return self.python.endswith("t")

    @property
    def architecture(self) -> str:
        return str(FACTS["platforms"][self.platform]).partition("-")[0]

    @property
    def suffix(self) -> str:
        """The suffix of this Python's extension modules.  Python 3.10 has the same one for musl as for glibc."""
        library = "musl" if "musl" in self.platform and self.python != "cp310" else "gnu"
        return f".cpython-{self.python.removeprefix('cp')}-{self.architecture}-linux-{library}.so"

    def settings(self, folder: Path) -> dict[str, Any]:
        """The values of sysconfig for this target, as far as a build in this folder asks for them."""
        cc = str(folder / "cc")
        options = [*OPTIONS, f"-ffile-prefix-map={folder}=.", *(["-DPy_GIL_DISABLED=1"] if self.free_threaded else [])]
        return {
            "CC": cc,
            "CXX": cc,
            "CFLAGS": shlex.join(options),
            "CCSHARED": "-fPIC",
            "LDSHARED": f"{cc} -shared -s",
            "LDCXXSHARED": f"{cc} -shared -s",
            "LIBDIR": "",
            "AR": "ar",  # asked for, not used
            "ARFLAGS": "rcs",
            "SHLIB_SUFFIX": ".so",
            "SOABI": self.suffix.split(".")[1],
            "EXT_SUFFIX": self.suffix,
            "INCLUDEPY": str(self.headers),
            "CONFINCLUDEPY": str(self.headers),
            "Py_GIL_DISABLED": int(self.free_threaded),
            "Py_ENABLE_SHARED": 0,
        }


def zig() -> Path:
    """The program zig, which is installed into the cache once, with its checksum compared."""
    pins = FACTS["compiler"]
    line = " ".join([pins["requirement"], *(f"--hash={each}" for each in pins["hashes"])])

    def make(target: Path) -> None:
        with tempfile.TemporaryDirectory() as folder:
            listed = Path(folder, "requirements.txt")
            listed.write_text(line + "\n")
            pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
            checked = ["--require-hashes", "--only-binary=:all:", "--target", str(target), "--requirement", str(listed)]
            run([*pip, *checked])

    folder = roots.kept(roots.CACHE / "compilers" / f"ziglang-{roots.key(line)}", make)
    return folder / "ziglang" / "zig"


def run(command: list[str], **more: Any) -> None:
    """Runs a command; if it fails, shows its output and exits."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)
    if done.returncode != 0:
        sys.exit(f"{done.stdout}ci/wheels: this command failed: {shlex.join(command)}")


def python_headers(versions: list[str]) -> Path | None:
    """The folder of the headers of a Python of one of these versions: a Python of this machine, or of ci/matrix."""
    ask = "import sysconfig; print(sysconfig.get_path('include'))"
    for version in versions:
        if python := pythons.find(version):
            return Path(subprocess.check_output([python, "-c", ask], text=True).strip())
    for version in versions:
        for found in sorted((roots.CACHE / "roots").glob(f"*/usr/include/python{version}/Python.h")):
            return found.parent
    return None


def copy_headers(include: Path, target: Path) -> None:
    """Copies Python's headers.  Debian's pyconfig.h includes the one of an architecture, which is copied instead."""
    shutil.copytree(include, target)
    for real in include.parent.glob(f"{platform.machine()}-linux-*/{include.name}/pyconfig.h"):
        shutil.copy2(real, target)


class Build:
    """One run of ci/wheels: the copy of the sources that it builds, and what all wheels have in common."""

    def __init__(self, work: Path, dist: Path, *, or_newer: bool = False) -> None:
        self.work = work
        self.dist = dist
        self.source = work / "source"
        matrix.copy_source(self.source)
        self.zig = zig()
        self.openssl = newest_headers.headers(or_newer=or_newer)
        self.time = int(os.environ.get("SOURCE_DATE_EPOCH") or commit_time())
        self.metadata = self._metadata()

    def _metadata(self) -> Path:
        """The folder *.dist-info, as setuptools writes it."""
        ask = "import sys, setuptools.build_meta as b; print(b.prepare_metadata_for_build_wheel(sys.argv[1]))"
        run([sys.executable, "-c", ask, str(self.work)], cwd=self.source)
        return next(self.work.glob("*.dist-info"))

    def platform(self, targets: list[Target]) -> list[Path]:
        """Builds the wheels of one platform, one after the other.

        They share the folders of the build: so pyossl._openssl, which is the same for 3.10 and for 3.11 and newer, is
        compiled once for both.
        """
        folder = self.work / targets[0].platform
        shutil.copytree(self.source, folder / "source")
        cc = folder / "cc"
        cc.write_text(COMPILER.format(zig=self.zig, target=FACTS["platforms"][targets[0].platform]))
        cc.chmod(0o755)
        return [self.wheel(target, folder) for target in targets]

    def wheel(self, target: Target, folder: Path) -> Path:
        source = folder / "source"
        files = folder / ("free-threaded" if target.free_threaded else "stable")
        for old in files.glob("pyossl/_fast.*"):
            old.unlink()
        settings = target.settings(folder)
        settings_folder = folder / f"{target.python}-settings"
        settings_folder.mkdir()
        (settings_folder / f"{SETTINGS}.py").write_text(f"build_time_vars = {settings!r}\n")
        ours = ("CC", "CFLAGS", "CPPFLAGS", "LDFLAGS", "LDSHARED", "CXX", "SETUPTOOLS_EXT_SUFFIX")
        environment = {name: value for name, value in os.environ.items() if name not in ours} | {
            "_PYTHON_SYSCONFIGDATA_NAME": SETTINGS,
            "_PYTHON_HOST_PLATFORM": f"linux-{target.architecture}",
            "PYTHONPATH": str(settings_folder),
            "PYOSSL_LATE": "1",
            "PYOSSL_OPENSSL_DIR": str(self.openssl),
            "SOURCE_DATE_EPOCH": str(self.time),
            "ZIG_GLOBAL_CACHE_DIR": str(roots.CACHE / "compilers" / "zig"),
            "ZIG_LOCAL_CACHE_DIR": str(folder / "zig"),
        }
        places = [f"--build-lib={files}", f"--build-temp={folder / files.name}-temporary"]
        run([sys.executable, "setup.py", "--quiet", "build", *places], cwd=source, env=environment)
        path = self.dist / f"{self.metadata.name.removesuffix('.dist-info')}-{target.tag}.whl"
        write_wheel(path, list(contents(files, self.metadata, target.tag)), self.time)
        print(path, flush=True)
        return path


def commit_time() -> str:
    git = ["git", "-c", "safe.directory=*", "-C", str(pyproject.REPOSITORY)]
    return subprocess.check_output([*git, "log", "-1", "--format=%ct"], text=True).strip()


def contents(files: Path, metadata: Path, tag: str) -> Iterator[tuple[str, bytes]]:
    """The names of the wheel's files and what is in them, without RECORD."""
    for path in sorted(files.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(files)), path.read_bytes()
    for path in sorted(metadata.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(metadata.parent)), path.read_bytes()
    lines = ["Wheel-Version: 1.0", "Generator: pyossl ci/wheels", "Root-Is-Purelib: false", f"Tag: {tag}"]
    yield f"{metadata.name}/WHEEL", "".join(f"{line}\n" for line in lines).encode()


def write_wheel(path: Path, files: list[tuple[str, bytes]], seconds: int) -> None:
    record = next(name for name, _ in files if name.endswith(".dist-info/WHEEL")).replace("WHEEL", "RECORD")
    lines = []
    for name, data in files:
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(data)}\n")
    text = "".join([*lines, f"{record},,\n"]).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in [*files, (record, text)]:
            entry = zipfile.ZipInfo(name, time.gmtime(max(seconds, 315532800))[:6])  # a zip's times begin in 1980
            entry.external_attr = (0o100755 if name.endswith(".so") else 0o100644) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="ci/wheels",
        usage="ci/wheels [PYTHON...] [--platform PLATFORM] [--dist FOLDER], or ci/wheels run [--dist FOLDER]",
        description="Build the wheels for Linux of every platform and Python in ci/wheels.toml, and check them.",
        epilog="ci/wheels run runs the wheels in FOLDER for ARM, under qemu, and those for musl.",
    )
    parser.add_argument("pythons", nargs="*", metavar="PYTHON", help=f"one of {', '.join(FACTS['pythons'])}")
    parser.add_argument("--platform", action="append", choices=FACTS["platforms"], help="only for this platform")
    parser.add_argument(
        "--dist", type=Path, default=pyproject.REPOSITORY / "dist", metavar="FOLDER", help="for the wheels (dist)"
    )
    parser.add_argument("--or-newer", action="store_true", help="for tests: newer headers, if the pinned ones are gone")
    options = parser.parse_args(arguments)
    if options.pythons == ["run"]:
        return wheel_runs.run(options.dist.resolve(), zig())
    if unknown := set(options.pythons) - set(FACTS["pythons"]):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(FACTS['pythons'])}")

    with tempfile.TemporaryDirectory() as folder:
        headers: dict[str, Path] = {}
        for python in options.pythons or FACTS["pythons"]:
            versions = FACTS["pythons"][python]["headers"]
            if found := python_headers(versions):
                headers[python] = Path(folder, "headers", python)
                copy_headers(found, headers[python])
            else:
                print(
                    f"no wheel for {python}: no Python {' or '.join(versions)} with Python.h on PATH, in pyenv or in "
                    "a root of ci/matrix",
                    file=sys.stderr,
                )
                if options.pythons:
                    return 1
        build = Build(Path(folder), options.dist.resolve(), or_newer=options.or_newer)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            waiting = [
                pool.submit(build.platform, [Target(python, name, headers[python]) for python in headers])
                for name in options.platform or FACTS["platforms"]
            ]
            built = [path for future in waiting for path in future.result()]
    return check(built)


def check(wheels: list[Path]) -> int:
    """Runs the tests that look into built wheels; returns their exit status."""
    environment = {**os.environ, "PYOSSL_WHEELS": os.pathsep.join(map(str, wheels))}
    pytest = [sys.executable, "-m", "pytest", "--quiet", "tests/project/test_wheels.py"]
    return subprocess.run(pytest, cwd=pyproject.REPOSITORY, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
