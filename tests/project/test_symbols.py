"""Which of OpenSSL's symbols the extension needs: those of late/symbols.txt, each of which has an answer at run time.

A late-bound build has a pointer for each symbol in that file.  The headers that it was compiled with decide which
symbols a function of ``lib`` needs, because many functions are macros or inline functions there.  ci/matrix gives these
headers in ``PYOSSL_NEWEST_HEADERS``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import build_ffi
import build_late
from pyossl import ffi, lib

EXTENSION = str(sys.modules["pyossl._openssl"].__file__)
NEWEST_HEADERS = "PYOSSL_NEWEST_HEADERS"
OF_THE_C_LIBRARY = re.compile(r"(?:libc|libm|libdl|libpthread|ld-linux[\w-]*|libc\.musl-\w+)\.so(?:\.\d+)?")

late = pytest.mark.skipif(not lib.PYOSSL_LATE, reason="only of late-bound builds, which find OpenSSL at import")
linked = pytest.mark.skipif(bool(lib.PYOSSL_LATE), reason="only of builds that are linked to OpenSSL")
on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux's libraries are ELF files")

pytestmark = on_linux


def listed(command: str, *arguments: str) -> list[list[str]]:
    """The words of each line that the command prints."""
    done = subprocess.run([command, *arguments], capture_output=True, text=True, check=True)
    return [line.split() for line in done.stdout.splitlines() if line.strip()]


def undefined(file: str) -> set[str]:
    """The symbols that the file needs from others."""
    return {words[-1].partition("@")[0] for words in listed("nm", "-D", "--undefined-only", file)}


@pytest.fixture(scope="module")
def exported() -> set[str]:
    """The symbols that the libssl and the libcrypto in use export."""
    files = [ffi.string(path()).decode() for path in (lib.pyossl_ssl_library, lib.pyossl_crypto_library)]
    found = {words[-1].partition("@")[0] for file in files for words in listed("nm", "-D", "--defined-only", file)}
    assert {"SSL_new", "OpenSSL_version_num"} <= found
    return found


@linked
def test_symbols_txt_has_every_symbol_that_the_extension_needs_of_this_openssl(exported: set[str]) -> None:
    """Or the older name of a function that has been renamed, which compat.h uses."""
    needed = undefined(EXTENSION) & exported
    assert len(needed) > 800
    assert needed - set(build_late.symbols()) - set(build_late.renamed().values()) == set()


@late
def test_a_late_bound_extension_needs_no_symbol_of_openssl(exported: set[str]) -> None:
    assert undefined(EXTENSION) & exported == set()


@late
def test_a_late_bound_extension_needs_no_library_but_the_c_library_s() -> None:
    needed = [words[-1].strip("[]") for words in listed("readelf", "-d", EXTENSION) if "(NEEDED)" in words]
    assert needed
    assert [name for name in needed if not OF_THE_C_LIBRARY.fullmatch(name)] == []


def test_symbols_txt_is_sorted_and_names_nothing_twice() -> None:
    names = build_late.symbols()
    assert names == sorted(set(names))


# What each function of lib calls


def prototypes() -> dict[str, int]:
    """Each function of OpenSSL in the fragments, and the number of its parameters."""
    found = {}
    for each in build_late.declarations():
        if each.is_function and not each.names[0].startswith("pyossl_"):
            parameters = re.sub(r"\([^()]*\)", "", each.text.partition(each.names[0])[2].strip().strip(";")[1:-1])
            found[each.names[0]] = 0 if parameters.strip() in ("", "void") else parameters.count(",") + 1
    return found


def definitions(text: str) -> dict[str, str]:
    """The body of each function that the preprocessed text defines."""
    text, bodies = re.sub(r'"(?:[^"\\\n]|\\.)*"', '""', text), {}  # a text may have a brace in it
    for match in re.finditer(r"\b(\w+)\s*\((?:[^(){};]|\([^()]*\)(?:\([^()]*\))?)*\)\s*\{", text):
        depth, end = 1, match.end()
        while depth:
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        bodies[match[1]] = text[match.end() : end]
    return bodies


def called(headers: Path, folder: Path) -> dict[str, set[str]]:
    """For each function of the fragments, the symbols that its macro or its inline function calls; or its own."""
    build_late.write_headers(folder)
    compiler = build_ffi.Compiler(build_ffi.OpenSSL("the test", [str(folder), str(headers / "include")]))
    arguments = {name: ", ".join(f"a{n}" for n in range(count)) for name, count in prototypes().items()}
    uses = "\n".join(f"pyossl_use_{name} {name}({each}) pyossl_end" for name, each in arguments.items())
    text = compiler.preprocess(f'#define PYOSSL_LATE 1\n#include "pyossl.c"\n{uses}\n')
    bodies, known = definitions(text), set(build_late.symbols())

    def symbols(expansion: str, seen: set[str]) -> set[str]:
        found = set(re.findall(r"\bpyossl_(?:p|older)_(\w+)", expansion))
        found |= known & set(re.findall(r"\w+", expansion))  # held_functions.h: a pointer with the function's own name
        for name in set(re.findall(r"\b(\w+)\s*\(", expansion)) & set(bodies) - seen:
            # pyossl's own functions ask which OpenSSL it is before they call.
            if not name.startswith("pyossl_"):
                found |= symbols(bodies[name], seen | {name})
        return found

    expansions = dict(re.findall(r"\bpyossl_use_(\w+)\s(.*?)\bpyossl_end\b", text, re.DOTALL))
    assert set(expansions) == set(arguments)
    return {name: symbols(expansion, set()) for name, expansion in expansions.items()}


@late
@pytest.mark.skipif(
    NEWEST_HEADERS not in os.environ, reason=f"needs the headers of the wheel: ci/matrix sets {NEWEST_HEADERS}"
)
def test_each_function_of_lib_has_all_symbols_that_it_calls(exported: set[str], tmp_path: Path) -> None:
    """The library exports the symbol, or has it under its older name, or something stands in for it."""
    calls = called(Path(os.environ[NEWEST_HEADERS]), tmp_path)
    assert calls["SSL_new"] == {"SSL_new"}
    assert calls["SSL_CTX_set_mode"] == {"SSL_CTX_ctrl"}, "a macro"
    assert calls["sk_X509_num"] == {"OPENSSL_sk_num"}, "an inline function"
    renamed, stand_ins = build_late.renamed(), build_late.stand_ins()
    there = exported | stand_ins | {name for name, older in renamed.items() if older in exported}
    missing = {name: calls[name] - there for name in set(dir(lib)) & set(calls) if calls[name] - there}
    assert missing == {}
