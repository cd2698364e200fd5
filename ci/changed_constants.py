#!/usr/bin/env python3
"""Writes pyossl/_c/changed_constants.h: the constants whose value depends on the OpenSSL in use.

Some of OpenSSL's constants and enumerators have another number in another release.  The extension may run with a newer
minor release than its headers, or with any release if it is bound late.  So these constants are expressions that ask
for the version of the library.

The values come from the headers of the OpenSSLs of ci/matrix.toml (openssl_prefixes.py).  ``--check`` writes nothing,
and fails if the file is out of date.
"""

from __future__ import annotations

import argparse
import itertools
import re
import sys
import tempfile
from pathlib import Path

import openssl_prefixes
import pyproject

sys.path.append(str(pyproject.REPOSITORY))  # after an installed pyossl

import build_ffi
import build_late

FILE = build_ffi.C / "changed_constants.h"
# A change between two rows of the matrix: the release that made it, which is not the newer row's.
BETWEEN = {r"D?TLS_ST_\w+|OPENSSL_TLS_SECURITY_LEVEL": (3, 2)}
# These depend on the library's build, and pyossl.c defines them.
NOT_CONSTANT = re.compile(r"HAVE_\w+|PYOSSL_\w+|OPENSSL_VERSION_NUMBER")

Release = tuple[int, int]


def compiler(prefix: Path | str) -> build_ffi.Compiler:
    """The compiler with the headers in ``prefix``."""
    return build_ffi.Compiler(build_ffi.OpenSSL(str(prefix), [f"{prefix}/include"]))


def names(cc: build_ffi.Compiler) -> list[str]:
    """The constants and enumerators that the fragments declare for these headers."""
    lines = build_ffi.surviving(cc)
    functions = re.findall(r"^#ifndef (\w+)", "\n".join(build_ffi.redeclarations(lines)), re.MULTILINE)
    found = build_ffi.declared(lines) - set(functions)
    return sorted(name for name in found if not NOT_CONSTANT.fullmatch(name))


def values(cc: build_ffi.Compiler, wanted: list[str]) -> dict[str, int]:
    """The values that the headers give.  The compiler writes each as an operand of an instruction."""
    marks = "\n".join(f'    __asm__ volatile("@@{name} %0" :: "i"((long long)({name})));' for name in wanted)
    source = f'#define PYOSSL_CHANGED_CONSTANTS_H\n#include "pyossl.c"\nvoid pyossl_values(void)\n{{\n{marks}\n}}\n'
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "values.s")
        done = cc.run("-O0", "-w", "-S", source=source, output=output)
        if done.returncode != 0:
            sys.exit(f"the constants cannot be compiled: {done.stderr}")
        return {name: int(value) for name, value in re.findall(r"@@(\w+) [$#]?(-?\d+)", output.read_text())}


def release(cc: build_ffi.Compiler) -> Release:
    text = cc.run("-E", "-P", source="#include <openssl/opensslv.h>\nOPENSSL_VERSION_TEXT\n").stdout
    major, minor = re.findall(r'"?OpenSSL (\d+)\.(\d+)', text)[-1]
    return int(major), int(minor)


def literal(value: int) -> str:
    text = str(value) if -(2**31) <= value < 2**31 else f"{value}L"
    return f"({text})" if value < 0 else text


def expression(name: str, known: dict[Release, dict[str, int]]) -> str | None:
    """The constant as a question for the version; None if it never changes."""
    steps = [(since, found[name]) for since, found in sorted(known.items()) if name in found]
    text = literal(steps[0][1])
    for (_, old), (since, new) in itertools.pairwise(steps):
        if old != new:
            made = next((release for pattern, release in BETWEEN.items() if re.fullmatch(pattern, name)), since)
            text = f"(PYOSSL_RUNS({made[0]}, {made[1]}) ? {literal(new)} : {text})"
    return text if "?" in text else None


def page(known: dict[Release, dict[str, int]]) -> str:
    everything = sorted(set().union(*known.values()))
    newest = known[max(known)]
    changed = {name: text for name in everything if (text := expression(name, known))}
    older = {name: known[max(r for r in known if name in known[r])][name] for name in everything if name not in newest}
    older = {name: value for name, value in older.items() if name not in changed}
    return "\n".join(
        [
            "/* The constants whose value depends on the OpenSSL in use.  ci/changed_constants.py writes this file. */",
            "",
            "#ifndef PYOSSL_CHANGED_CONSTANTS_H",
            "#define PYOSSL_CHANGED_CONSTANTS_H",
            "",
            *(f"#undef {name}\n#define {name} {text}" for name, text in changed.items()),
            "",
            "#if PYOSSL_LATE    /* the newest headers do not have these */",
            *(f"#  undef {name}\n#  define {name} {literal(value)}" for name, value in older.items()),
            "#endif",
            "",
            "#endif",
            "",
        ]
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="ci/changed_constants.py", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the file is out of date")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        compilers = [compiler(prefix) for prefix in openssl_prefixes.write_prefixes(Path(folder))]
        known = {release(cc): values(cc, names(cc)) for cc in compilers}
    text = page(known)
    if not arguments.check:
        FILE.write_text(text)
    elif FILE.read_text() != text:
        print(f"{FILE.name} is out of date: run python ci/changed_constants.py")
        return 1
    print(f"{text.count('?')} constants change, {len(build_late.older())} declarations are of older libraries")
    return 0


if __name__ == "__main__":
    sys.exit(main())
