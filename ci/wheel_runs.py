"""Runs built wheels on platforms that this machine is not: see ci/wheels run.

manylinux, aarch64   under qemu, with the Python and the OpenSSL of Debian's packages for arm64
musllinux, x86-64    with a Python and an OpenSSL that are compiled for musl from Debian's sources

Both are kept in the cache.  In each, wheel_program.py compares every constant with that OpenSSL's headers, does a
handshake and sends data.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import changed_constants
import newest_headers
import pyproject
import roots

import build_ffi

PROGRAM = Path(__file__).with_name("wheel_program.py")
VERSION = "3.13"
"""Python's version in both places."""

ARM_PACKAGES = ["python3", "libssl-dev"]

# Without the parts of both that pyossl does not use. The wheel of cffi has libffi in it.
MUSL = """set -eu
prefix=$1 target=$2 work=$3 cc=$4 zig=$5
quick='-DNDEBUG -O1 -g0'
export CC="$cc" AR="$zig ar" RANLIB="$zig ranlib" PKG_CONFIG=false
cd "$work/openssl"
./Configure linux-x86_64 --prefix="$prefix" --libdir=lib --openssldir="$prefix/ssl" \\
    no-asm no-tests no-docs no-apps no-legacy no-engine CFLAGS="$quick"
# Only the shared libraries: with the static ones, each file would be compiled twice.
make --silent build_generated
make --silent --jobs="$(nproc)" libssl.so
mkdir -p "$work/installed$prefix/lib" "$work/installed$prefix/include"
cp -P libssl.so* libcrypto.so* "$work/installed$prefix/lib"
cp -R include/openssl "$work/installed$prefix/include"
cd "$work/python"
# The test of getaddrinfo(3) needs a network. The compiler knows functions that an older musl lacks.
./configure --quiet --prefix="$prefix" --disable-test-modules --without-ensurepip \\
    ac_cv_buggy_getaddrinfo=no ac_cv_func_preadv2=no ac_cv_func_pwritev2=no
# configure does not see that the compiler is for musl, which the names of cffi's modules have in them.
name=cpython-313-x86_64-linux-musl
make --silent --jobs="$(nproc)" OPT="$quick" SOABI="$name" EXT_SUFFIX=".$name.so"
make --silent install OPT="$quick" SOABI="$name" EXT_SUFFIX=".$name.so" DESTDIR="$work/installed"
mv "$work/installed$prefix" "$target"
"""


class RunError(Exception):
    """Why a wheel could not be run, or what is wrong with it."""


@dataclass(frozen=True)
class Place:
    """A Python of another platform: its command, its environment, and the headers of its OpenSSL."""

    python: list[str]
    environment: dict[str, str]
    headers: list[Path]


def arm() -> Place:
    """Debian's Python for arm64, under qemu."""
    row = {"suite": "trixie"}
    command = roots.bootstrap("extract", ARM_PACKAGES, row)
    command.insert(-1, "--architectures=arm64")

    def make(target: Path) -> None:
        call([*command, str(target)], "fetching Debian's packages for arm64")
        (target / "lib").symlink_to("usr/lib")  # an installation of the packages would make it

    root = roots.kept(roots.CACHE / "roots" / f"trixie-arm64-{roots.key(*command)}", make)
    include = root / "usr" / "include"
    python = ["qemu-aarch64", "-L", str(root), str(root / "usr" / "bin" / f"python{VERSION}")]
    return Place(python, {}, [include, include / "aarch64-linux-gnu"])


def musl(zig: Path) -> Place:
    """A Python and an OpenSSL for musl, compiled here."""
    pins: dict[str, dict[str, str]] = pyproject.load(newest_headers.PINS)["musl"]
    facts = [str(zig), MUSL, *(pin["sha256"] for pin in pins.values())]
    folder = roots.CACHE / "musl" / roots.key(*facts)

    def make(target: Path) -> None:
        with tempfile.TemporaryDirectory() as temporary:
            work = Path(temporary)
            for name, pin in pins.items():
                archive = work / f"{name}.tar"
                advice = f"then write the file and the checksum of another version under [musl.{name}]"
                newest_headers.fetch(pin["file"], pin["sha256"], archive, advice)
                (work / name).mkdir()
                call(["tar", "-xf", str(archive), "-C", str(work / name), "--strip-components=1"])
            cc = work / "cc"
            # zig refuses the date of the build, which Python's version has in it.
            cc.write_text(f'#!/bin/sh\nexec {zig} cc -target x86_64-linux-musl -dynamic "$@" -Wno-date-time\n')
            cc.chmod(0o755)
            cache = {
                "ZIG_GLOBAL_CACHE_DIR": str(roots.CACHE / "compilers" / "zig"),
                "ZIG_LOCAL_CACHE_DIR": str(work / "zig"),
            }
            command = ["sh", "-c", MUSL, "sh", *map(str, (folder, target, work, cc, zig))]
            call(command, "compiling OpenSSL and Python for musl, which takes ten minutes", **cache)

    roots.kept(folder, make)
    environment = {"LD_LIBRARY_PATH": str(folder / "lib")}
    return Place([str(folder / "bin" / f"python{VERSION}")], environment, [folder / "include"])


def call(command: list[str], what: str = "", **environment: str) -> str:
    if what:
        print(f"ci/wheels: {what}", flush=True)
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env={**os.environ, **environment}
    )
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip().splitlines()
        raise RunError("\n".join([f"{what or command[0]} failed:", *said[-30:]]))
    return done.stdout


def values(headers: list[Path]) -> dict[str, int]:
    """The value of each constant and enumerator that pyossl declares, according to these headers of OpenSSL.

    The compiler reads them: so neither a program nor a library of the other platform is needed.
    """
    openssl = build_ffi.OpenSSL("ci/wheels", [str(folder) for folder in headers])
    cc = build_ffi.Compiler(openssl, ["cc"])
    return changed_constants.values(cc, changed_constants.names(cc))


def dependencies(tag: str) -> Path:
    """The folder with the wheels of cffi and its requirements for that platform."""
    requirements = pyproject.load(pyproject.REPOSITORY / "pyproject.toml")["project"]["dependencies"]
    plain = sorted({each.partition(";")[0].strip() for each in requirements if "< '3.14'" in each})
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--only-binary=:all:"]
    interface = [f"--python-version={VERSION}", "--implementation=cp", f"--abi=cp{VERSION.replace('.', '')}"]
    command = [*pip, *interface, f"--platform={tag}", *plain, "--dest"]

    def make(target: Path) -> None:
        call([*command, str(target)], f"downloading cffi for {tag}")

    return roots.kept(roots.CACHE / "wheelhouses" / f"{tag}-{roots.key(*command)}", make)


def try_wheel(wheel: Path, tag: str, place: Place) -> str:
    """Runs the program with the wheel; returns what it found in one line."""
    with tempfile.TemporaryDirectory() as folder:
        site, expected = Path(folder, "site"), Path(folder, "values.json")
        for each in (wheel, *dependencies(tag).glob("*.whl")):
            with zipfile.ZipFile(each) as archive:
                archive.extractall(site)
        expected.write_text(json.dumps(values(place.headers)))
        environment = {**place.environment, "PYTHONPATH": str(site)}
        printed = call([*place.python, "-B", str(PROGRAM), str(expected)], **environment)
    report: dict[str, Any] = json.loads(printed)
    if report["wrong"]:
        raise RunError(f"constants with a wrong value, and the right one: {report['wrong']}")
    where = f"Python {report['python']}, {report['openssl']}"
    found = f"{report['values']} constants have the values of its headers; {report['talk']}"
    return f"{wheel.name}: {where}: {found}; {' and '.join(report['modules'])}"


def run(dist: Path, zig: Path) -> int:
    """Runs the wheels in ``dist`` for which there is a place; returns the exit status."""
    places: dict[str, Callable[[], Place]] = {"manylinux_2_17_aarch64": arm}
    if platform.machine() == "x86_64":
        places["musllinux_1_2_x86_64"] = lambda: musl(zig)
    status = 0
    for tag, make in places.items():
        wheels = sorted(dist.glob(f"pyossl-*-cp311-abi3-{tag}.whl"))
        if not wheels:
            print(f"{tag}: no wheel in {dist}: ci/wheels cp311 builds it", file=sys.stderr)
            status = 1
        for wheel in wheels:
            try:
                print(try_wheel(wheel, tag, make()), flush=True)
            except RunError as error:
                print(f"{wheel.name}: {error}", file=sys.stderr)
                status = 1
    return status
