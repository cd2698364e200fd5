"""Compiles the cffi declarations of pyossl/_c/decl against the OpenSSL of the system.

Theory of operation
-------------------
Each fragment ``pyossl/_c/decl/*.h`` is plain C: prototypes as the manual pages print them, types, and
``#define NAME ...`` for constants.  What not every OpenSSL has stands inside ``#if HAVE_x`` … ``#endif``.

1. *Which lines hold here.*  ``cc -E`` must decide the ``#if`` lines with OpenSSL's own headers in sight, but it
   must not see the declarations, or macros would rewrite the prototypes and every ``#define`` would be eaten.  So
   each line that is not a conditional becomes a token, and the lines whose token survives are handed to cffi.
2. *Are they right.*  cffi's generated code calls a function, so that C converts the arguments in silence: a
   declaration with an ``int`` where the header says ``long`` compiles.  Every prototype is therefore compiled once
   more as a redeclaration, ``R (f)(arguments);``, which the compiler compares with the header.  ``const`` is defined
   away for that one check: 4.0 changed it in 171 signatures, and it changes no call.
3. *The extension.*  cffi writes one C file whose preamble is ``pyossl/_c/pyossl.c``; setup.py compiles it.

``python build_ffi.py --stubs`` writes ``pyossl/_openssl.pyi`` from the same fragments, so that mypy knows every name.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from setuptools import Extension

ROOT = Path(__file__).resolve().parent
C = ROOT / "pyossl" / "_c"
FRAGMENTS = sorted((C / "decl").glob("*.h"))
SOURCES = [Path(__file__), *sorted(C.rglob("*.[ch]"))]
MODULE = "pyossl._openssl"

# A wrong declaration must not compile.  const is left out: see step 2 above.
STRICT = [
    "-Werror=implicit-function-declaration",
    "-Werror=int-conversion",
    "-Werror=incompatible-pointer-types",
]
# GCC keeps silent about what a header's macro does wrong unless the blame goes to where the macro is used.
STRICT_MACROS = "-ftrack-macro-expansion=0"
LENIENT = ["-Wno-deprecated-declarations", "-Wno-discarded-qualifiers", "-Wno-unused-function"]

PACKAGES = {
    "Debian, Ubuntu": "apt-get install gcc libc6-dev python3-dev libssl-dev pkg-config",
    "Fedora": "dnf install gcc python3-devel openssl-devel pkgconf-pkg-config",
    "Alpine": "apk add gcc musl-dev python3-dev openssl-dev pkgconf",
    "macOS": "xcode-select --install; brew install openssl@3 pkgconf",
}


def fail(what: str, looked: str) -> NoReturn:
    """Ends the build with one message: what is missing, where it was looked for, what to install."""
    install = "\n".join(f"    {system:<15} {command}" for system, command in PACKAGES.items())
    raise SystemExit(f"\npyossl cannot be built: {what}\n  looked for: {looked}\n  to install it:\n{install}\n")


@dataclass(frozen=True)
class OpenSSL:
    """Where the chosen OpenSSL's headers and library are, as arguments for the compiler and the linker."""

    found_by: str
    include_dirs: list[str] = field(default_factory=list)
    library_dirs: list[str] = field(default_factory=list)
    runtime_dirs: list[str] = field(default_factory=list)
    libraries: list[str] = field(default_factory=lambda: ["ssl", "crypto"])
    compile_args: list[str] = field(default_factory=list)
    link_args: list[str] = field(default_factory=list)


def compiler() -> list[str]:
    command = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    if shutil.which(command[0]) is None:
        if shutil.which("cc") is None:
            fail(
                "there is no C compiler",
                f"{command[0]!r} (from CC or from Python's own build) and 'cc', on PATH",
            )
        command = ["cc"]
    return command


def find_openssl() -> OpenSSL:
    """The OpenSSL that ``PYOSSL_OPENSSL_DIR`` names, else the one that pkg-config knows."""
    prefix = os.environ.get("PYOSSL_OPENSSL_DIR")
    return openssl_in(Path(prefix)) if prefix else openssl_by_pkg_config()


def openssl_in(prefix: Path) -> OpenSSL:
    by = f"PYOSSL_OPENSSL_DIR={prefix}"
    if not (prefix / "include" / "openssl" / "ssl.h").is_file():
        fail("PYOSSL_OPENSSL_DIR holds no OpenSSL headers", f"{prefix}/include/openssl/ssl.h")
    for folder in (prefix / "lib64", prefix / "lib"):
        if any(folder.glob("libssl.*")):
            directory = str(folder.resolve())
            break
    else:
        fail("PYOSSL_OPENSSL_DIR holds no OpenSSL library", f"libssl.* in {prefix}/lib64 and {prefix}/lib")
    return OpenSSL(by, [str(prefix.resolve() / "include")], [directory], [directory])


def openssl_by_pkg_config() -> OpenSSL:
    program = os.environ.get("PKG_CONFIG", "pkg-config")
    if shutil.which(program) is None:
        fail("there is no pkg-config (and PYOSSL_OPENSSL_DIR is not set)", f"{program!r} on PATH")
    environment = dict(os.environ)
    if sys.platform == "darwin" and shutil.which("brew"):
        # Homebrew keeps OpenSSL out of pkg-config's default path, because macOS once shipped one of its own.
        brew = subprocess.run(["brew", "--prefix", "openssl@3"], capture_output=True, text=True)
        path = [f"{brew.stdout.strip()}/lib/pkgconfig", environment.get("PKG_CONFIG_PATH", "")]
        environment["PKG_CONFIG_PATH"] = os.pathsep.join(filter(None, path))

    def ask(flag: str) -> list[str]:
        answer = subprocess.run([program, flag, "libssl", "libcrypto"], capture_output=True, text=True, env=environment)
        if answer.returncode != 0:
            fail("pkg-config knows no OpenSSL headers", f"libssl.pc; pkg-config says: {answer.stderr.strip()}")
        return shlex.split(answer.stdout)

    compile_args, link_args = ask("--cflags"), ask("--libs")
    return OpenSSL("pkg-config", libraries=[], compile_args=compile_args, link_args=link_args)


class Compiler:
    """The C compiler with one OpenSSL's headers in sight."""

    def __init__(self, openssl: OpenSSL) -> None:
        self.openssl = openssl
        self.command = compiler()
        self.flags = [*openssl.compile_args, *(f"-I{d}" for d in openssl.include_dirs), f"-I{C}"]

    def run(self, *arguments: str, source: str) -> subprocess.CompletedProcess[str]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "source.c"
            path.write_text(source)
            return subprocess.run([*self.command, *self.flags, *arguments, str(path)], capture_output=True, text=True)

    def accepts(self, flag: str) -> bool:
        return self.run("-fsyntax-only", "-Werror", flag, source="").returncode == 0

    def preprocess(self, source: str) -> str:
        done = self.run("-E", "-P", source=source)
        if done.returncode != 0:
            # have.h refuses what is no OpenSSL, or too old, with an #error that reads well.
            if refusal := re.search(r'#error:?\s+"?pyossl: ([^"\n]*)', done.stderr):
                fail(refusal[1], f"headers found by {self.openssl.found_by}")
            if missing := re.search(r"(openssl/[a-z0-9_]+\.h)\W.*(?:No such file|not found)", done.stderr):
                fail(f"the header {missing[1]} is missing", f"headers found by {self.openssl.found_by}")
            fail(
                "the compiler cannot preprocess OpenSSL's headers",
                f"{' '.join(self.command)} -E with {self.openssl.found_by}; it says:\n{done.stderr}",
            )
        return done.stdout

    def check(self, declarations: Sequence[Line]) -> None:
        """Compares every prototype with the headers, const aside; a wrong one ends the build."""
        source = ['#include "pyossl.c"', *redeclarations(declarations)]
        done = self.run("-fsyntax-only", "-w", "-Dconst=", source="\n".join(source))
        if done.returncode != 0:
            raise SystemExit(f"\npyossl cannot be built: declarations differ from the headers\n{done.stderr}")


@dataclass(frozen=True)
class Line:
    """One line of a fragment: where it stands, and its text."""

    file: str
    number: int
    text: str


CONDITIONAL = re.compile(r"\s*#\s*(if|ifdef|ifndef|elif|else|endif)\b")
TOKEN = "pyossl_line_"


def fragment_lines() -> Iterator[Line]:
    for path in FRAGMENTS:
        for number, text in enumerate(path.read_text().splitlines(), 1):
            yield Line(path.name, number, text)


def flags() -> list[str]:
    """Every ``HAVE_x`` that have.h defines, sorted."""
    return sorted(set(re.findall(r"#\s*define\s+(HAVE_\w+)", (C / "have.h").read_text())))


def surviving(cc: Compiler) -> list[Line]:
    """The lines of the fragments whose ``#if`` holds for this OpenSSL."""
    lines = list(fragment_lines())
    source = ["#include <openssl/opensslv.h>", '#include "have.h"']
    for index, line in enumerate(lines):
        source.append(line.text if CONDITIONAL.match(line.text) else f"{TOKEN}{index}")
    kept = re.findall(rf"{TOKEN}(\d+)", cc.preprocess("\n".join(source) + "\n"))
    return [lines[int(index)] for index in kept]


def cdef(lines: Sequence[Line]) -> str:
    constants = [f"#define {flag} ..." for flag in flags()]
    return "\n".join([*constants, *(line.text for line in lines)])


PROTOTYPE = re.compile(
    r"^\s*(?P<result>[A-Za-z_][\w \t]*?[\s*]+(?:\(\s*\*\s*)?)(?P<name>[A-Za-z_]\w*)\s*(?P<arguments>\(.*\))\s*;\s*$"
)


def redeclarations(lines: Sequence[Line]) -> Iterator[str]:
    """``R (f)(arguments);`` for each prototype: the brackets keep a macro of that name from being expanded.

    A redeclaration of what the headers never declared would compile: unless it is a macro, ``f`` must be known before.
    """
    statement, start = "", lines[0]
    external = False
    for line in lines:
        if line.text.lstrip().startswith("#"):
            continue
        if 'extern "Python"' in line.text:
            external = line.text.rstrip().endswith("{")
            continue
        if external:
            external = not line.text.startswith("}")
            continue
        if not statement:
            start = line
        statement = f"{statement} {re.sub(r'/[*].*?[*]/|//.*', '', line.text)}".strip()
        if statement.count("{") == statement.count("}") and statement.endswith(";"):
            found = PROTOTYPE.match(statement)
            if found and "{" not in statement and not statement.startswith("typedef"):
                place, name = f'#line {start.number} "{start.file}"', found["name"]
                yield from (f"#ifndef {name}", place, f"extern __typeof__({name}) {name};", "#endif")
                yield from (place, f"{found['result']} ({name}){found['arguments']};")
            statement = ""


def declared(lines: Sequence[Line]) -> set[str]:
    """The names of ``lib`` that the lines declare: functions, constants and enumerators."""
    functions = re.findall(r"^#ifndef (\w+)", "\n".join(redeclarations(lines)), re.MULTILINE)
    text = "\n".join(line.text for line in lines)
    constants = re.findall(r"^#define (\w+)", text, re.MULTILINE)
    bodies = re.findall(r"\benum\b[^{;]*\{([^}]*)\}", text)
    return {*functions, *constants, *(name for body in bodies for name in re.findall(r"(\w+)\s*(?:,|$)", body.strip()))}


def builder(cc: Compiler) -> Any:
    """The cffi builder for this OpenSSL, its declarations checked."""
    import cffi

    lines = surviving(cc)
    cc.check(lines)
    ffi = cffi.FFI()
    ffi.cdef(cdef(lines))
    ffi.set_source(MODULE, '#include "pyossl.c"\n')
    return ffi


def prepare(extension: Extension, folder: Path) -> None:
    """Writes the extension's C file into ``folder`` and completes ``extension`` with it and the OpenSSL's flags."""
    openssl = find_openssl()
    cc = Compiler(openssl)
    ffi = builder(cc)
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "_openssl.c"
    ffi.emit_c_code(str(source))
    extension.sources = [str(source)]
    extension.include_dirs = [str(C), *openssl.include_dirs]
    extension.library_dirs = openssl.library_dirs
    extension.runtime_library_dirs = openssl.runtime_dirs
    extension.libraries = openssl.libraries
    strict = [*STRICT, STRICT_MACROS] if cc.accepts(STRICT_MACROS) else STRICT
    extension.extra_compile_args = [*strict, *LENIENT, *openssl.compile_args]
    extension.extra_link_args = openssl.link_args


def stubs() -> str:
    """The text of ``pyossl/_openssl.pyi``: every name that any OpenSSL has."""
    import cffi

    names: dict[str, str] = {flag: f"    {flag}: int" for flag in flags()}
    kept: list[str] = []
    depth_of_else: list[bool] = []
    for line in fragment_lines():
        if word := CONDITIONAL.match(line.text):
            if word[1] in ("if", "ifdef", "ifndef"):
                depth_of_else.append(False)
            elif word[1] in ("else", "elif"):
                depth_of_else[-1] = True
            else:
                depth_of_else.pop()
        elif not any(depth_of_else):
            kept.append(line.text)
    ffi = cffi.FFI()
    ffi.cdef("\n".join(kept))
    for declaration, (kind, _) in ffi._parser._declarations.items():
        what, _, name = declaration.partition(" ")
        for enumerator in getattr(kind, "enumerators", ()):
            names[enumerator] = f"    {enumerator}: int"
        if what == "function":
            parameters = [f"a{n}: {annotation(t)}" for n, t in enumerate(kind.args)]
            rest = ["*more: Any"] if kind.ellipsis else []
            signature = ", ".join(["self", *parameters, "/", *rest] if parameters else ["self"])
            names[name] = f"    def {name}({signature}) -> {annotation(kind.result, result=True)}: ..."
        elif what == "extern_python":
            names[name] = f"    {name}: Any"
        elif what in ("macro", "constant", "variable"):
            names[name] = (
                f"    {name}: {'int' if kind is None or isinstance(kind, str) else annotation(kind, result=True)}"
            )
    for name in re.findall(r"^#define (\w+)", "\n".join(kept), re.M):
        names.setdefault(name, f"    {name}: int")
    body = "\n".join(names[name] for name in sorted(names))
    return f'''"""Written by `python build_ffi.py --stubs` from pyossl/_c/decl; not edited by hand."""

from typing import Any, Final

class _Library:
{body}

ffi: Final[Any]
lib: Final[_Library]
'''


def annotation(kind: Any, result: bool = False) -> str:
    """The Python type of a C type, as an argument or as a result."""
    name = kind.get_c_name()
    if name == "void":
        return "None"
    if type(kind).__name__ in ("PrimitiveType", "EnumType", "UnknownIntegerType"):
        return "float" if name in ("double", "float") else "int"
    return "Any"


def main() -> None:
    if sys.argv[1:] == ["--stubs"]:
        (ROOT / "pyossl" / "_openssl.pyi").write_text(stubs())
    elif sys.argv[1:] == ["--check"]:
        lines = surviving(cc := Compiler(find_openssl()))
        cc.check(lines)
        count = sum(line.startswith("#ifndef") for line in redeclarations(lines))
        print(f"{count} prototypes agree with the headers of this OpenSSL")
    else:
        raise SystemExit("usage: python build_ffi.py --stubs | --check")


if __name__ == "__main__":
    main()
