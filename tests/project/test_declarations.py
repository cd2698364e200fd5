"""The declarations for build_ffi.py: fragments of plain C, checked by the compiler that builds the extension.

Each test checks a declaration of its own against OpenSSL's real headers.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import build_ffi
from build_ffi import Compiler, Line
from pyossl import lib


@pytest.fixture(scope="module")
def compiler() -> Compiler:
    return Compiler(build_ffi.find_openssl())


@pytest.fixture(scope="module")
def survivors(compiler: Compiler) -> list[Line]:
    return build_ffi.surviving(compiler)


def fragment(text: str) -> list[Line]:
    return [Line("wrong.h", number, line) for number, line in enumerate(text.splitlines(), 1)]


def refusal(compiler: Compiler, text: str) -> str:
    with pytest.raises(SystemExit) as ended:
        compiler.check(fragment(text))
    return str(ended.value)


# The compiler's check


def test_the_fragments_agree_with_the_headers(compiler: Compiler, survivors: list[Line]) -> None:
    compiler.check(survivors)
    assert sum(line.startswith("#ifndef") for line in build_ffi.redeclarations(survivors)) > 150


@pytest.mark.parametrize(
    "declaration",
    [
        "long SSL_pending(const SSL *ssl);",
        "int SSL_read_ex(SSL *ssl, void *buffer, unsigned int size, size_t *read);",
        "int SSL_get_shutdown(const BIO *ssl);",
        "int SSL_pending(const SSL *ssl, int more);",
        "void SSL_pending(const SSL *ssl);",
        "int SSL_there_is_no_such_function(SSL *ssl);",
        "long long pyossl_read(pyossl_connection *connection, void *buffer, int size);",
    ],
    ids=["result's width", "argument's width", "argument's type", "arguments' number", "no result", "missing", "ours"],
)
def test_a_wrong_prototype_ends_the_build_naming_file_and_line(compiler: Compiler, declaration: str) -> None:
    """cffi alone accepts wrong widths without a message."""
    text = f"int SSL_connect(SSL *ssl);\n\n{declaration}\nint SSL_accept(SSL *ssl);\n"
    said = refusal(compiler, text)
    name = re.findall(r"(\w+)\(", declaration)[0]
    assert re.search(rf"wrong\.h:3:\d+: error: .*{name}", said), said
    assert not re.search(r"wrong\.h:[124]:\d+: error", said), said


def test_a_prototype_over_several_lines_is_named_by_its_first(compiler: Compiler) -> None:
    said = refusal(compiler, "\n\nint SSL_read_ex(SSL *ssl,\n    void *buffer,\n    int size, size_t *read);\n")
    assert "wrong.h:3:" in said, said


def test_const_alone_is_no_difference(compiler: Compiler) -> None:
    """4.0 changed const in 171 signatures, which changes no call."""
    compiler.check(fragment("int SSL_pending(SSL *ssl);\nchar *SSL_get_version(SSL *ssl);\n"))


def test_a_function_that_is_a_macro_in_some_versions_is_no_error(compiler: Compiler) -> None:
    """44 functions became macros in 3.0 (docs/pitfalls.md, "Where the versions differ")."""
    compiler.check(fragment("X509 *SSL_get1_peer_certificate(const SSL *ssl);\nint BIO_flush(BIO *bio);\n"))


# Which lines are selected


def preprocessed(compiler: Compiler, monkeypatch: pytest.MonkeyPatch, text: str) -> list[str]:
    monkeypatch.setattr(build_ffi, "fragment_lines", lambda: iter(fragment(text)))
    return [line.text for line in build_ffi.surviving(compiler)]


def test_if_selects_the_lines_that_this_openssl_has(compiler: Compiler, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every HAVE_x of the built module is 0 or 1, and selects the lines that it should."""
    for flag in build_ffi.flags():
        text = f"#if {flag}\nthere\n#else\nnot there\n#endif\nalways"
        assert preprocessed(compiler, monkeypatch, text) == ["there" if getattr(lib, flag) else "not there", "always"]


def test_a_macro_does_not_rewrite_what_it_cannot_see(compiler: Compiler, monkeypatch: pytest.MonkeyPatch) -> None:
    """``cc -E`` on the fragments themselves would rewrite prototypes by macros and remove each ``#define``."""
    text = "#define SSL_ERROR_SSL ...\nint BIO_pending(BIO *bio);\nX509 *SSL_get_peer_certificate(const SSL *ssl);"
    assert preprocessed(compiler, monkeypatch, text) == text.splitlines()


# The names in lib


def test_every_declared_name_is_in_lib(survivors: list[Line]) -> None:
    declared = {
        found["name"]
        for line in build_ffi.redeclarations(survivors)
        if (found := re.match(r"#ifndef (?P<name>\w+)", line))
    }
    declared |= {found[1] for line in survivors if (found := re.match(r"#define (\w+)", line.text))}
    assert len(declared) > 200
    assert declared | set(build_ffi.flags()) <= set(dir(lib))


def test_a_name_that_is_not_declared_is_not_in_lib() -> None:
    with pytest.raises(AttributeError):
        lib.SSL_there_is_no_such_function  # noqa: B018  # the attribute access is the test


def test_the_stubs_are_those_of_the_fragments() -> None:
    """To write them again: python build_ffi.py --stubs"""
    assert build_ffi.stubs() == (build_ffi.ROOT / "pyossl" / "_openssl.pyi").read_text()


def test_the_stubs_know_every_name_of_lib() -> None:
    known = set(re.findall(r"^    (?:def )?(\w+)", build_ffi.stubs(), re.MULTILINE))
    assert set(dir(lib)) - known == set()


# Machines without headers, pkg-config or a compiler


def test_a_prefix_without_headers_is_named_with_what_to_install(tmp_path: Path) -> None:
    """One message says what was looked for, where, and which package to install."""
    said = built_with(PYOSSL_OPENSSL_DIR=str(tmp_path))
    assert f"{tmp_path}/include/openssl/ssl.h" in said
    for install in ("apt-get install", "dnf install", "apk add", "brew install"):
        assert install in said
    assert "Traceback" not in said


def test_a_machine_without_pkg_config_is_told_so() -> None:
    said = built_with(PYOSSL_OPENSSL_DIR="", PKG_CONFIG="/no/such/pkg-config")
    assert "there is no pkg-config" in said
    assert "/no/such/pkg-config" in said
    assert "apt-get install" in said


def test_a_machine_without_a_compiler_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "/no/such/cc")
    monkeypatch.setenv("PATH", "/no/such/folder")
    with pytest.raises(SystemExit) as ended:
        build_ffi.compiler()
    assert "there is no C compiler" in str(ended.value)
    assert "/no/such/cc" in str(ended.value)
    assert "apt-get install" in str(ended.value)


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ("#define LIBRESSL_VERSION_NUMBER 0x3090200fL\n#define OPENSSL_VERSION_NUMBER 0x20000000L", "LibreSSL"),
        ("#define OPENSSL_IS_BORINGSSL\n#define OPENSSL_VERSION_NUMBER 0x1010107fL", "BoringSSL"),
        ("#define OPENSSL_VERSION_NUMBER 0x1000214fL", "older than 1.1.1"),
    ],
    ids=["LibreSSL", "BoringSSL", "1.0.2"],
)
def test_headers_of_something_else_are_refused_by_name(headers: str, why: str, tmp_path: Path) -> None:
    """Headers older than 1.1.1, LibreSSL's and BoringSSL's each get one clear message."""
    include, library = tmp_path / "include" / "openssl", tmp_path / "lib"
    include.mkdir(parents=True)
    library.mkdir()
    (library / "libssl.so").touch()
    for name in ("ssl.h", "opensslconf.h"):
        (include / name).touch()
    (include / "opensslv.h").write_text(headers + "\n")
    said = built_with(PYOSSL_OPENSSL_DIR=str(tmp_path))
    assert f"pyossl cannot be built: the headers are {'of an OpenSSL ' if why[0] == 'o' else ''}{why}" in said
    assert str(tmp_path) in said
    assert "apt-get install" in said


def built_with(**environment: str) -> str:
    """The message of the build's first step, in this environment with these changes."""
    done = subprocess.run(
        [sys.executable, str(build_ffi.ROOT / "build_ffi.py"), "--check"],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    assert done.returncode != 0
    assert done.stdout == ""
    return done.stderr
