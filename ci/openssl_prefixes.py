"""The headers and the libraries of the five OpenSSLs of ci/matrix, for the scripts that compare them.

They come from the roots and prefixes in the cache of ci/matrix, which are made if they are missing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import matrix
import pyproject
import roots


def run(what: str, command: list[str]) -> None:
    print(what, file=sys.stderr, flush=True)
    subprocess.run(command, stdout=sys.stderr, check=True)


def system(row: dict[str, Any], facts: dict[str, Any]) -> Path:
    """The folder with the Debian of the row: this machine's own, or its root."""
    if row["place"] == "machine" and row["suite"] == matrix.machine_suite():
        return Path("/")
    return roots.root(row, facts["root_packages"], run)


def write_prefixes(folder: Path) -> list[Path]:
    """Writes a prefix for each OpenSSL into ``folder``, with include/openssl and lib.  The oldest is the first."""
    facts = pyproject.load(Path(__file__).with_name("matrix.toml"))
    written = []
    for row in facts["row"]:
        if not row["name"][0].isdigit():
            continue
        target = folder / row["name"]
        if row["place"] == "prefix":
            source = roots.prefix(row, run)
            roots.copy_headers(source / "include", target)
            libraries = (source / "lib").glob("lib*.so")
        else:
            source = system(row, facts)
            roots.copy_headers(source / "usr" / "include", target)
            libraries = (source / "usr" / "lib").glob("*-linux-*/lib*.so")
        (target / "lib").mkdir()
        for library in libraries:  # the links that the linker uses lead to the libraries of these headers
            if library.name in ("libssl.so", "libcrypto.so"):
                real = library.with_name(os.readlink(library))
                shutil.copy2(real.with_name(os.readlink(real)) if real.is_symlink() else real, target / "lib")
        written.append(target)
    return written
