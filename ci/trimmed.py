#!/usr/bin/env python3
"""Builds an OpenSSL that lacks optional parts, from Debian's source package, for the rows of ci/matrix.toml that have
the key ``configure``.

    ci/trimmed.py                   prints the prefix of each such row, and builds it first if the cache lacks it
    ci/trimmed.py small-3.5         of this row alone

A prefix has include/openssl, lib/libssl-trimmed.so.3, lib/libcrypto-trimmed.so.3 and ssl/openssl.cnf.  Only the
libraries are built, without assembler, programs, tests and manual pages.  They have names of their own, because a
process cannot load two libraries with the same SONAME, and pytest imports ssl.  roots.py describes the cache.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyproject
import roots

# Fetches the newest source package that the mirror has: its index may be newer than its pool.  "$1" is a folder with
# the sources.list of the suite.
FETCH = """set -eu
export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"
sed 's/^deb /deb-src /' "$1/etc/apt/sources.list" >"$1/etc/apt/sources.list.d/source.list"
apt-get update
mkdir "$1/source"
cd "$1/source"
for version in $(apt-cache showsrc openssl | sed -n 's/^Version: //p' | sort --reverse --version-sort); do
    if apt-get source --download-only --only-source "openssl=$version"; then exit 0; fi
    rm -f -- *
done
echo "E: the mirror has no source of openssl" >&2
exit 1
"""

# The libraries look for certificates where Debian keeps them.  "$1" is the archive, "$2" the prefix; then the options.
BUILD = """set -eu
archive=$1 prefix=$2
shift 2
mkdir -p "$prefix/build" "$prefix/include" "$prefix/lib" "$prefix/ssl"
cd "$prefix/build"
tar --extract --file="$archive" --strip-components=1
sed -i 's/^    "linux-[a-z0-9_]*" => {/&\\n        shlib_variant => "-trimmed",/' Configurations/10-main.conf
./Configure shared no-asm no-tests no-apps no-docs no-legacy --prefix=/usr --openssldir=/usr/lib/ssl "$@" -O1
nice make --silent -j2 build_generated
nice make --silent -j2 libssl.so
cp -R include/openssl "$prefix/include/openssl"
rm "$prefix"/include/openssl/*.in
cp libssl-trimmed.so.[0-9]* libcrypto-trimmed.so.[0-9]* "$prefix/lib"
cp apps/openssl.cnf "$prefix/ssl"
cd "$prefix"
rm -r build
"""


def source(row: dict[str, Any], run: roots.Run, *, again: bool = False) -> Path:
    """The folder with OpenSSL's source archive of the row's suite."""
    *command, suite = roots.bootstrap("extract", ["base-files"], row)  # one package, because mmdebstrap wants one
    command.append(f"--extract-hook={FETCH}")

    def make(target: Path) -> None:
        unpacked = target.with_name(target.name + ".packages")
        shutil.rmtree(unpacked, ignore_errors=True)
        run(f"fetching {suite}'s source of OpenSSL", [*command, suite, str(unpacked)])
        (unpacked / "source").rename(target)
        shutil.rmtree(unpacked)

    return roots.kept(roots.CACHE / "sources" / f"{suite}-{roots.key(*command)}", make, again=again)


def prefix(row: dict[str, Any], run: roots.Run, *, again: bool = False) -> Path:
    """The prefix with the OpenSSL of the row: its suite's source, configured with the row's options."""
    archive = next(source(row, run, again=again).glob("*.orig.tar.*z"))
    options: list[str] = row["configure"]

    def make(target: Path) -> None:
        run(f"building OpenSSL {shlex.join(options)}", ["sh", "-c", BUILD, "sh", str(archive), str(target), *options])
        for library in ("libssl", "libcrypto"):  # for -lssl and -lcrypto
            file = next((target / "lib").glob(f"{library}-trimmed.so.*"))
            (target / "lib" / f"{library}.so").symlink_to(file.name)

    name = f"trimmed-{roots.key(archive.name, BUILD, *options)}"
    return roots.kept(roots.CACHE / "prefixes" / name, make, again=again)


def run_here(what: str, command: list[str]) -> None:
    print(what, file=sys.stderr, flush=True)
    subprocess.run(command, stdout=sys.stderr, check=True)


def main(names: list[str]) -> None:
    rows = pyproject.load(Path(__file__).with_name("matrix.toml"))["row"]
    for row in rows:
        if "configure" in row and (not names or row["name"] in names):
            print(prefix(row, run_here), flush=True)


if __name__ == "__main__":
    os.umask(0o022)
    main(sys.argv[1:])
