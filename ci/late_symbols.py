#!/usr/bin/env python3
"""Writes pyossl/_c/late/symbols.txt: the functions of OpenSSL that the late-bound extension calls.

The extension is compiled without pointers: what the object leaves undefined are these functions.  Compiled again with
the new list, it must leave none.  The headers are those of the newest OpenSSL of ci/matrix.toml; a function counts if
one of the OpenSSLs exports it (openssl_prefixes.py).  ``--check`` writes nothing, and fails if the file is out of date.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

import changed_constants
import openssl_prefixes

import build_ffi
import build_late

HEADING = "# The functions of OpenSSL that the late-bound extension calls.  Written by ci/late_symbols.py.\n"


def names_of(*command: str) -> set[str]:
    """The names of symbols that ``nm`` prints, without their version."""
    listed = subprocess.run(["nm", *command], capture_output=True, text=True, check=True).stdout
    return {line.split()[-1].partition("@")[0] for line in listed.splitlines() if line.strip()}


def exported(prefix: Path) -> set[str]:
    """The names that the libraries of this OpenSSL export."""
    files = [file for file in (prefix / "lib").glob("lib*.so*") if not file.is_symlink()]
    return set().union(*(names_of("-D", "--defined-only", str(file)) for file in files))


def undefined(prefix: Path, wanted: set[str]) -> set[str]:
    """What the late-bound object leaves undefined if it has pointers for ``wanted``."""
    cffi = build_ffi.import_cffi()
    ffi = cffi.FFI()
    ffi.cdef(build_late.cdef())
    ffi.set_source(build_ffi.MODULE, '#include "pyossl.c"\n')
    include = sysconfig.get_path("include")
    with tempfile.TemporaryDirectory() as folder:
        source, output = Path(folder, "_openssl.c"), Path(folder, "_openssl.o")
        ffi.emit_c_code(str(source))
        build_late.SYMBOLS = Path(folder, "symbols.txt")
        build_late.SYMBOLS.write_text("\n".join(sorted(wanted)))
        build_late.write_headers(Path(folder))
        cc = build_ffi.Compiler(build_ffi.OpenSSL(str(prefix), [folder, f"{prefix}/include", include]))
        arguments = ("-O0", "-w", "-fPIC", "-DPYOSSL_LATE=1", "-c", *build_ffi.STRICT)
        done = cc.run(*arguments, source=source.read_text(), output=output)
        if done.returncode != 0:
            sys.exit(f"the late-bound extension cannot be compiled: {done.stderr}")
        return names_of("-u", str(output))


def listed(prefixes: list[Path]) -> str:
    """The text of symbols.txt."""
    newest = max(prefixes, key=lambda prefix: changed_constants.release(changed_constants.compiler(prefix)))
    exports = set().union(*map(exported, prefixes))
    functions = {each.names[0] for each in build_late.declarations() if each.is_function}
    # Some features are in no build of Debian's, so some functions are exported by none of these libraries.
    openssl = exports | {name for name in functions if not name.startswith("pyossl_")}
    older = {each.names[0] for each in build_late.older() if each.is_function} & exports
    wanted = older | set(build_late.older_of_compat()) & exports
    while more := undefined(newest, wanted) & openssl - wanted:
        wanted |= more
    return HEADING + "".join(f"{name}\n" for name in sorted(wanted))


def main() -> int:
    parser = argparse.ArgumentParser(prog="ci/late_symbols.py", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the file is out of date")
    arguments = parser.parse_args()
    file = build_late.SYMBOLS
    with tempfile.TemporaryDirectory() as folder:
        text = listed(openssl_prefixes.write_prefixes(Path(folder)))
    if not arguments.check:
        file.write_text(text)
    elif file.read_text() != text:
        print("symbols.txt is out of date: run python ci/late_symbols.py")
        return 1
    print(f"the late-bound extension calls {len(text.splitlines()) - 1} functions of OpenSSL")
    return 0


if __name__ == "__main__":
    sys.exit(main())
