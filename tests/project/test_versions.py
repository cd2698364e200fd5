"""Only pyossl/_c/have.h and pyossl/_c/compat.h name OpenSSL's versions; all other code uses ``lib.HAVE_x``."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import build_ffi
import pyossl
from pyossl import lib

FILES_WITH_VERSIONS = {"have.h", "compat.h"}
VERSION_NUMBER = re.compile(r"OPENSSL_VERSION_(NUMBER|MAJOR|MINOR|PREREQ)|0x[1-9]0[01][0-9a-f]{5}L?\b|PYOSSL_SINCE")

C_FILES = [path for path in build_ffi.SOURCES if path.suffix in (".c", ".h")]
PACKAGE = build_ffi.ROOT / "pyossl"
PYTHON_FILES = sorted(PACKAGE.rglob("*.py"))

FILES_WITH_THE_NUMBER = {
    "_c/decl/crypto.h",
    "_c/core/initialise.c",
    "core/__init__.py",
    "pyopenssl/SSL.py",
    "pyopenssl/constants.py",
    "stdlib/constants.py",
}
"""They show the version of the headers; initialise.c compares it with the library's, with the macros of have.h.  In
pyopenssl/ it is one of pyOpenSSL's constants."""


def without_comments(path: Path) -> str:
    return re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)


@pytest.mark.parametrize("path", C_FILES, ids=lambda path: path.name)
def test_c_asks_what_there_is_and_not_which_version(path: Path) -> None:
    """``OPENSSL_VERSION_NUMBER`` is named in have.h, and in the few files that show it."""
    if path.name in FILES_WITH_VERSIONS:
        assert "PYOSSL_SINCE" in path.read_text(), "a file in FILES_WITH_VERSIONS must need to be there"
        return
    conditions = re.findall(r"^\s*#\s*(?:el)?if.*", without_comments(path), re.MULTILINE)
    assert not [line for line in conditions if VERSION_NUMBER.search(line)]
    found = {match[0] for match in VERSION_NUMBER.finditer(without_comments(path))}
    assert not found or (
        str(path.relative_to(PACKAGE)) in FILES_WITH_THE_NUMBER and found == {"OPENSSL_VERSION_NUMBER"}
    )


@pytest.mark.parametrize("path", [path for path in C_FILES if path.parent.name != "decl"], ids=lambda path: path.name)
def test_c_asks_for_a_feature_when_it_runs(path: Path) -> None:
    """A late-bound build does not know its library when it is compiled.  ``#if COMPILES(HAVE_x)`` is always true there,
    and ``if (HAVE_x)`` asks."""
    if path.name not in FILES_WITH_VERSIONS:
        conditions = re.findall(r"^\s*#\s*(?:el)?if.*", without_comments(path), re.MULTILINE)
        assert not [line for line in conditions if "HAVE_" in re.sub(r"COMPILES\(HAVE_\w+\)", "", line)]


def versions_named(node: ast.AST) -> bool:
    return any(
        (isinstance(each, ast.Attribute) and VERSION_NUMBER.match(each.attr))
        or (isinstance(each, ast.Attribute) and each.attr in ("OpenSSL_version_num", "OPENSSL_VERSION_INFO"))
        or (
            isinstance(each, ast.Constant)
            and isinstance(each.value, int)
            and VERSION_NUMBER.fullmatch(f"{each.value:#x}")
        )
        for each in ast.walk(node)
    )


@pytest.mark.parametrize("path", PYTHON_FILES, ids=lambda path: str(path.relative_to(build_ffi.ROOT)))
def test_python_never_compares_versions(path: Path) -> None:
    """Python asks ``pyossl.features`` or ``lib.HAVE_x``."""
    tree = ast.parse(path.read_text())
    compared = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Compare) and versions_named(node)]
    assert not compared, f"{path.name} compares versions: {compared}"
    assert str(path.relative_to(PACKAGE)) in FILES_WITH_THE_NUMBER or not VERSION_NUMBER.search(path.read_text())


def test_the_comparison_that_the_test_above_looks_for_would_be_found() -> None:
    for text in ("lib.OPENSSL_VERSION_NUMBER >= n", "x < 0x30000000", "lib.OpenSSL_version_num() == 3"):
        assert versions_named(ast.parse(text))
    assert not versions_named(ast.parse("lib.HAVE_QUIC == 1"))


def test_every_have_is_0_or_1() -> None:
    """As the comment at the top of have.h says."""
    flags = {flag: getattr(lib, flag) for flag in build_ffi.flags()}
    assert len(flags) > 10
    assert {flag for flag, value in flags.items() if value not in (0, 1)} == set()


def test_every_have_that_python_asks_for_is_one_of_have_h() -> None:
    asked = {name for path in PYTHON_FILES for name in re.findall(r"\bHAVE_[A-Z0-9_]+\b", path.read_text())}
    assert asked <= set(build_ffi.flags())


def number(major: int, minor: int, fix: int = 0) -> int:
    return major << 28 | minor << 20 | fix << 12 if major < 3 else major << 28 | minor << 20 | fix << 4


@pytest.mark.skipif(
    bool(lib.PYOSSL_LATE), reason="only of builds that are linked to OpenSSL: late-bound builds use any OpenSSL"
)
def test_the_guard_refuses_another_major_version_and_an_older_library() -> None:
    """The import fails with a clear message if the library at run time does not match the headers.
    pyossl_library_refused() decides."""
    refused, headers = lib.pyossl_library_refused, lib.OPENSSL_VERSION_NUMBER
    major, minor = headers >> 28, headers >> 20 & 0xFF
    assert refused(headers) == 0
    assert refused(lib.OpenSSL_version_num()) == 0
    assert refused(number(major + 1, 0)) == 1
    assert refused(number(major - 1, 9)) == 1
    assert refused(number(major, minor + 1, headers >> 12 & 0xFF)) == 0
    if major < 3:
        assert refused(number(major, minor, (headers >> 12 & 0xFF) - 1)) == 2
    elif minor > 0:
        assert refused(number(major, minor - 1, 15)) == 2
    if major >= 3:
        assert refused(headers & ~0xFFFFF) == 0, "the first fix of a release has all its functions"


def test_the_library_in_use_is_that_of_the_headers() -> None:
    assert lib.OpenSSL_version_num() >> 28 == lib.OPENSSL_VERSION_NUMBER >> 28
    assert pyossl.core.text(lib.OpenSSL_version(lib.OPENSSL_VERSION)).startswith("OpenSSL ")
