"""Makes the other Debian systems of ci/matrix, and keeps them in a cache.

mmdebstrap makes a root folder or a prefix once. Its name in the cache contains a hash of the commands that made it.
So a changed row makes a new one, and an unchanged row needs no network. It is made under a temporary name and renamed
when it is complete, so that every root in the cache is usable.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

UNUSED = 30 * 24 * 60 * 60  # seconds

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pyossl"

# The openssl program must use the libraries and the configuration in the prefix, not those in the folders of the
# distribution: the machine's own openssl.cnf is for another version.
OPENSSL_PROGRAM = """#!/bin/sh
prefix=$(cd "$(dirname "$0")/.." && pwd)
export LD_LIBRARY_PATH="$prefix/lib" OPENSSL_CONF="${OPENSSL_CONF:-$prefix/ssl/openssl.cnf}"
exec "$prefix/libexec/openssl" "$@"
"""

# Called with a description of a step and its command; raises an exception if the command fails.
Run = Callable[[str, list[str]], None]


def key(*facts: str) -> str:
    """A short hash of these facts, for the name of what they make."""
    return hashlib.sha256("\0".join(facts).encode()).hexdigest()[:12]


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Locks path, so that other rows and other runs of the matrix wait."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{path}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def kept(path: Path, make: Callable[[Path], None], *, again: bool = False) -> Path:
    """Returns path. If it does not exist, make(unfinished) makes it first."""
    with locked(path):
        if again and path.exists():
            shutil.rmtree(path)
        if not path.exists():
            unfinished = path.with_name(path.name + ".unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            make(unfinished)
            unfinished.rename(path)
        os.utime(path)
    return path


def forget() -> None:
    """Removes everything from the cache that no run has used for a month."""
    for old in CACHE.glob("*/*"):
        # An unfinished root has the date of its base-files package; the date of its lock shows when it was used.
        lock = old.with_name(f"{old.name.partition('.unfinished')[0]}.lock")
        with contextlib.suppress(FileNotFoundError):  # another run has just finished it, or has removed it too
            if time.time() - (lock if lock.exists() else old).stat().st_mtime > UNUSED:
                shutil.rmtree(old) if old.is_dir() else old.unlink()


def bootstrap(variant: str, packages: list[str], row: dict[str, Any], *hooks: str) -> list[str]:
    """The command that makes a folder; the caller appends the folder's path."""
    # In its own namespaces, so that nothing stays mounted or running if it is stopped.
    alone = ["unshare", "--mount", "--pid", "--fork", "--kill-child"] if os.geteuid() == 0 else []
    options = [f"--variant={variant}", f"--include={','.join(packages)}", '--aptopt=Acquire::Retries "3"']
    if row.get("expired"):
        options.append('--aptopt=Acquire::Check-Valid-Until "false"')
    options += [f"--customize-hook={hook}" for hook in hooks]
    return [*alone, "mmdebstrap", *options, row["suite"]]


def lay_over(row: dict[str, Any]) -> str:
    """The shell script that installs a row's packages from the suite in ``over``; "$1" is the root."""
    suite, over, packages = row["suite"], row["over"], " ".join(row["packages"])
    return f"""set -eu
sed 's/ {suite} / {over} /' "$1/etc/apt/sources.list" >"$1/etc/apt/sources.list.d/{over}.list"
chroot "$1" apt-get update
chroot "$1" apt-get install --yes --no-install-recommends --target-release {over} {packages}
"""


def free_threaded(row: dict[str, Any]) -> str:
    """The shell script that builds a row's free-threaded interpreter from the suite's source package.

    If the mirror lacks that source, because its index is newer than its pool, the older source in matrix.toml is used.
    """
    suite, package = row["suite"], f"python{row['python'].removesuffix('t')}"
    prefix = Path(row["interpreter"]).parent.parent
    older = ""
    if source := row.get("source"):
        older = f"""|| {{
    mirror=$(awk '$1 == "deb" {{ print $2; exit }}' /etc/apt/sources.list)
    curl --fail --no-progress-meter --remote-name "$mirror/pool/main/p/{package}/{source["file"]}"
    echo "{source["sha256"]}  {source["file"]}" | sha256sum --check
    tar --extract --file={source["file"]}
}}"""
    return f"""set -eu
sed 's/^deb /deb-src /' "$1/etc/apt/sources.list" >"$1/etc/apt/sources.list.d/{suite}-source.list"
chroot "$1" sh -eu <<'BUILD'
apt-get update
apt-get install --yes --no-install-recommends dpkg-dev make zlib1g-dev libffi-dev libbz2-dev liblzma-dev libsqlite3-dev
mkdir /tmp/build
cd /tmp/build
apt-get source --only-source {package} {older}
cd [Pp]ython*/
./configure --quiet --disable-gil --prefix={prefix}
make --silent -j "$(nproc)"
make --silent install
rm -r /tmp/build
{row["interpreter"]} -c 'import sys, ssl, ctypes, lzma, sqlite3; assert not sys._is_gil_enabled()'
BUILD
"""


def root(row: dict[str, Any], root_packages: list[str], run: Run, *, again: bool = False) -> Path:
    """The root folder of a row: its suite, the packages for the build, and the row's other suite or interpreter."""
    hooks = [lay_over(row)] if "over" in row else []
    hooks += [free_threaded(row)] if row.get("python", "").endswith("t") else []
    command = bootstrap("minbase", [*root_packages, *row.get("programs", [])], row, *hooks)

    def make(target: Path) -> None:
        run(f"making a root of {row['suite']}", [*command, str(target)])

    return kept(CACHE / "roots" / f"{row['suite']}-{key(*command)}", make, again=again)


def prefix(row: dict[str, Any], run: Run, *, again: bool = False) -> Path:
    """A row's packages, unpacked into include/, lib/, bin/ and ssl/, as an OpenSSL that a user has installed."""
    command = bootstrap("extract", row["packages"], row)

    def make(target: Path) -> None:
        unpacked = target.with_name(target.name + ".packages")
        shutil.rmtree(unpacked, ignore_errors=True)
        run(f"fetching {row['suite']}'s packages", [*command, str(unpacked)])
        arrange(unpacked, target)
        shutil.rmtree(unpacked)

    # The layout of the prefix is part of the key too: it depends on this file.
    name = f"{row['suite']}-{key(*command, Path(__file__).read_text(encoding='utf-8'))}"
    return kept(CACHE / "prefixes" / name, make, again=again)


def copy_headers(include: Path, target: Path) -> None:
    """Copies OpenSSL's headers from this folder of Debian's packages to include/openssl in ``target``."""
    shutil.copytree(include / "openssl", target / "include" / "openssl")
    # Debian keeps headers that differ between architectures (opensslconf.h) in another folder.
    for directory in include.glob("*-linux-*/openssl"):
        shutil.copytree(directory, target / "include" / "openssl", dirs_exist_ok=True)


def arrange(unpacked: Path, target: Path) -> None:
    copy_headers(unpacked / "usr" / "include", target)

    (target / "lib").mkdir()
    for pattern in ("lib*ssl.so*", "libcrypto.so*"):
        for library in (unpacked / "usr" / "lib").glob(f"*-linux-*/{pattern}"):
            shutil.copy2(library, target / "lib", follow_symlinks=False)

    (target / "ssl").mkdir()
    shutil.copy2(unpacked / "etc" / "ssl" / "openssl.cnf", target / "ssl")

    (target / "libexec").mkdir()
    shutil.copy2(unpacked / "usr" / "bin" / "openssl", target / "libexec")
    program = target / "bin" / "openssl"
    program.parent.mkdir()
    program.write_text(OPENSSL_PROGRAM)
    program.chmod(program.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)


def wheelhouse(python: str, requirements: list[str], run: Run, *, interpreter: str = sys.executable) -> Path:
    """A folder with wheels that meet these requirements for that Python ("3.13", "3.14t"), for use without a network.

    ``interpreter`` is that Python, if this machine has it: pip evaluates conditions on Python's version for the Python
    that runs pip, not for the Python that it downloads for.
    """
    pip = [interpreter, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    version = python.removesuffix("t")
    # By default pip downloads for the ABI with the GIL; the ABI of a free-threaded Python is another one.
    interface = [f"--abi=cp{python.replace('.', '')}"] if version != python else []
    command = [*pip, "--python-version", version, *interface, "--only-binary=:all:", *requirements, "--dest"]

    def make(target: Path) -> None:
        run(f"downloading wheels for Python {python}", [*command, str(target)])

    return kept(CACHE / "wheelhouses" / f"{python}-{key(interpreter, python, *requirements)}", make)
