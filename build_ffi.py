"""Compiles the cffi declarations of pyossl/_c/decl against the system's OpenSSL.

Theory of operation
-------------------
Each fragment ``pyossl/_c/decl/*.h`` is plain C: prototypes as the manual pages print them, types, and
``#define NAME ...`` for constants.  A declaration that some versions of OpenSSL lack stands inside
``#if HAVE_x`` … ``#endif``.

1. *Select the lines.*  ``cc -E`` decides the ``#if`` lines, with OpenSSL's headers included.  It must not see the
   declarations: macros would rewrite the prototypes, and every ``#define`` would be removed.  So each line that is
   not a conditional is replaced by a token, and cffi gets the lines whose token is in the compiler's output.
2. *Check the prototypes.*  cffi's generated code calls each function, so C converts the arguments silently: a
   declaration with an ``int`` where the header has a ``long`` compiles.  Every prototype is therefore compiled once
   more as a redeclaration, ``R (f)(arguments);``, which the compiler compares with the header.  For this check
   ``const`` is defined as nothing: 4.0 changed it in 171 signatures, and it does not change how a function is called.
3. *Build the extension.*  cffi writes one C file that begins with ``pyossl/_c/pyossl.c``; setup.py compiles it.

Before that, small files are compiled and linked to find out whether the compiler, the C library's headers, Python's
headers and OpenSSL are there.  If one is missing, the build ends with one message: see ``fail``.

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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from setuptools import Extension
    from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
C = ROOT / "pyossl" / "_c"
FRAGMENTS = sorted((C / "decl").glob("*.h"))
SOURCES = [*sorted(ROOT.glob("build_*.py")), *sorted(C.rglob("*.[ch]")), *C.rglob("*.txt")]
MODULE = "pyossl._openssl"

# A wrong declaration must not compile.  Differences of const are allowed: see step 2 above.
STRICT = [
    "-Werror=implicit-function-declaration",
    "-Werror=int-conversion",
    "-Werror=incompatible-pointer-types",
]
# Without this, GCC does not report an error inside a macro that a system header defines.
STRICT_MACROS = "-ftrack-macro-expansion=0"
# clang counts const among the incompatible pointer types, and has its own name for it; GCC ignores that name.
LENIENT = [
    "-Wno-deprecated-declarations",
    "-Wno-discarded-qualifiers",
    "-Wno-incompatible-pointer-types-discards-qualifiers",
    "-Wno-unused-function",
]

PACKAGES = {
    "Debian, Ubuntu": "apt-get install gcc libc6-dev python3-dev libssl-dev pkg-config",
    "Fedora": "dnf install gcc python3-devel openssl-devel pkgconf-pkg-config",
    "Alpine": "apk add gcc musl-dev python3-dev openssl-dev pkgconf",
    "macOS": "xcode-select --install; brew install openssl@3 pkgconf",
}

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
PYTHON_NOTE = f"""\
python3-dev and python3-devel belong to the system's default Python.  If this Python is another version from the
  system's packages, install python{VERSION}-dev or python{VERSION}-devel.  If it is not from the system's packages,
  its headers come with it: install it again."""


def fail(what: str, looked: str, note: str = "", install: Mapping[str, str] = PACKAGES) -> NoReturn:
    """Ends the build with one message: what is missing, where it was looked for, and how to install it."""
    commands = "\n".join(f"    {system:<15} {command}" for system, command in install.items())
    note = note and f"  {note}\n"
    raise SystemExit(f"\npyossl cannot be built: {what}\n  looked for: {looked}\n  to install it:\n{commands}\n{note}")


@dataclass(frozen=True)
class OpenSSL:
    """Where the headers and the library of the chosen OpenSSL are: arguments for the compiler and the linker."""

    found_by: str
    include_dirs: list[str] = field(default_factory=list)
    library_dirs: list[str] = field(default_factory=list)
    runtime_dirs: list[str] = field(default_factory=list)
    libraries: list[str] = field(default_factory=lambda: ["ssl", "crypto"])
    compile_args: list[str] = field(default_factory=list)
    link_args: list[str] = field(default_factory=list)


def compiler() -> list[str]:
    """The C compiler: ``CC``, or the one that built Python, or ``cc`` if that one is not on PATH."""
    command = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    if shutil.which(command[0]) is None:
        if shutil.which("cc") is None:
            fail(
                "there is no C compiler",
                f"{command[0]!r} (from CC or from Python's own build) and 'cc', on PATH",
            )
        command = ["cc"]
    return command


def flags_of(*variables: str) -> list[str]:
    """The options in these environment variables, which setuptools gives to the compiler and the linker too."""
    return [flag for variable in variables for flag in shlex.split(os.environ.get(variable, ""))]


def python_include_dirs() -> list[str]:
    """The folders of Python's headers: the ones that setuptools chooses."""
    folders = []
    for variable, path in (("INCLUDEPY", "include"), ("CONFINCLUDEPY", "platinclude")):
        configured = sysconfig.get_config_var(variable)
        folders.append(configured if configured and os.path.exists(configured) else sysconfig.get_path(path))
    return list(dict.fromkeys(folders))


def this_python() -> str:
    """The running Python, for example ``CPython 3.14, free-threaded, in /usr``."""
    name = "CPython" if sys.implementation.name == "cpython" else sys.implementation.name
    threads = ", free-threaded" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""
    return f"{name} {VERSION}{threads}, in {sys.base_prefix}"


def find_openssl() -> OpenSSL:
    """The OpenSSL that ``PYOSSL_OPENSSL_DIR`` names, or else the one that pkg-config finds."""
    prefix = os.environ.get("PYOSSL_OPENSSL_DIR")
    return openssl_in(Path(prefix)) if prefix else openssl_by_pkg_config()


def is_late() -> bool:
    """Whether the extension is bound late, as ``PYOSSL_LATE=1`` asks: see build_late.py."""
    return os.environ.get("PYOSSL_LATE", "") not in ("", "0")


def late_builder() -> Any:
    """The module build_late, which imports this one."""
    import build_late

    return build_late


def openssl_in(prefix: Path) -> OpenSSL:
    by = f"PYOSSL_OPENSSL_DIR={prefix}"
    if not (prefix / "include" / "openssl" / "ssl.h").is_file():
        fail("PYOSSL_OPENSSL_DIR holds no OpenSSL headers", f"{prefix}/include/openssl/ssl.h")
    if is_late():
        return OpenSSL(by, [str(prefix.resolve() / "include")])
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
        # Homebrew does not put OpenSSL on pkg-config's default path, because macOS once had its own.
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


MISSING_HEADER = re.compile(
    r"error: (?:no include path in which to search for )?'?([\w./+-]+\.h)'?(?:: No such file| file not found|$)", re.M
)
MISSING_LIBRARY = re.compile(r"(?:cannot find|not found for|find library) -l([\w.+-]+)|library '([\w.+-]+)' not found")


class Compiler:
    """The C compiler, with the headers of one OpenSSL.  ``command`` is the compiler and its options."""

    def __init__(self, openssl: OpenSSL, command: Sequence[str] = ()) -> None:
        self.openssl = openssl
        self.command = list(command) or [*compiler(), *flags_of("CPPFLAGS", "CFLAGS")]
        self.flags = [*openssl.compile_args, *(f"-I{d}" for d in openssl.include_dirs), f"-I{C}"]

    def run(self, *arguments: str, source: str, output: Path | None = None) -> subprocess.CompletedProcess[str]:
        return run_on_source([*self.command, *self.flags, *arguments], source, output=output)

    def accepts(self, flag: str) -> bool:
        return self.run("-fsyntax-only", "-Werror", flag, source="").returncode == 0

    def check_installation(self, python: Sequence[str]) -> None:
        """Ends the build if the compiler does not work, or the C library's or Python's headers are missing.

        ``python`` is the folders of Python's headers.  OpenSSL's own are not looked for here: ``preprocess`` does that.
        """
        shown = shlex.join(self.command)
        done = run_on_source([*self.command, "-c"], "int pyossl;\n")
        if done.returncode != 0:
            fail("the C compiler does not work", f"{shutil.which(self.command[0])}; {shown} says:\n{done.stderr}")
        done = run_on_source([*self.command, "-fsyntax-only"], "#include <stdlib.h>\n#include <sys/socket.h>\n")
        if done.returncode != 0:
            self.fail_on_header(done.stderr)
            fail("the compiler cannot compile the C library's headers", f"{shown}; it says:\n{done.stderr}")
        folders = [f"-I{folder}" for folder in python]
        done = run_on_source([*self.command, *folders, "-fsyntax-only"], "#include <Python.h>\n")
        if done.returncode != 0:
            of_this = f"this Python ({this_python()})"
            if missing := MISSING_HEADER.search(done.stderr):
                if re.search(r"(?i)\bpy|python", missing[1]):
                    fail(f"the headers of {of_this} are missing", f"{missing[1]} in {', '.join(python)}", PYTHON_NOTE)
                self.fail_on_header(done.stderr)
            fail(f"the compiler cannot compile the headers of {of_this}", f"{shown}; it says:\n{done.stderr}")

    def fail_on_header(self, said: str) -> None:
        """Ends the build if the compiler's messages ``said`` name a header that is missing."""
        if missing := MISSING_HEADER.search(said):
            name = missing[1]
            if name.startswith("openssl/"):
                fail(f"the header {name} is missing", f"headers found by {self.openssl.found_by}")
            folders = ", ".join(self.system_include_dirs()) or "no folder"
            fail("the C library's headers are missing", f"{name} in {folders} ({shlex.join(self.command)})")

    def system_include_dirs(self) -> list[str]:
        """The folders in which the compiler looks for ``<stdlib.h>``."""
        said = run_on_source([*self.command, "-E", "-v"], "").stderr
        _, _, searched = said.partition("#include <...> search starts here:\n")
        return [line.strip() for line in searched.partition("End of search list")[0].splitlines()]

    def preprocess(self, source: str) -> str:
        done = self.run("-E", "-P", source=source)
        if done.returncode != 0:
            # have.h refuses headers that are not OpenSSL's, or are too old, with an #error that says so.
            if refusal := re.search(r'#error:?\s+"?pyossl: ([^"\n]*)', done.stderr):
                fail(refusal[1], f"headers found by {self.openssl.found_by}")
            self.fail_on_header(done.stderr)
            fail(
                "the compiler cannot preprocess OpenSSL's headers",
                f"{' '.join(self.command)} -E with {self.openssl.found_by}; it says:\n{done.stderr}",
            )
        return done.stdout

    def check(self, declarations: Sequence[Line]) -> None:
        """Compares every prototype with the headers, except for const; one that differs ends the build."""
        source = ['#include "pyossl.c"', *redeclarations(declarations)]
        done = self.run("-fsyntax-only", "-w", "-Dconst=", source="\n".join(source))
        if done.returncode != 0:
            self.fail_on_header(done.stderr)
            raise SystemExit(f"\npyossl cannot be built: declarations differ from the headers\n{done.stderr}")

    def check_linking(self, linker: Sequence[str]) -> None:
        """Ends the build if ``linker``, the command that links an extension, cannot link one with OpenSSL."""
        openssl = self.openssl
        folders = [f"-L{folder}" for folder in openssl.library_dirs]
        libraries = [*openssl.link_args, *(f"-l{name}" for name in openssl.libraries)]
        source = "int SSL_connect(void *);\nint pyossl(void *ssl) { return SSL_connect(ssl); }\n"
        done = run_on_source([*linker, "-fPIC"], source, *folders, *libraries)
        if done.returncode != 0:
            missing = {f"-l{gnu or apple}" for gnu, apple in MISSING_LIBRARY.findall(done.stderr)}
            what = "OpenSSL's library is missing" if missing & {*libraries} else "the linker does not work"
            looked = f"{shlex.join([*folders, *libraries])}, found by {openssl.found_by}"
            fail(what, f"{looked}; {shlex.join(linker)} says:\n{done.stderr}")


def run_on_source(
    command: Sequence[str], source: str, *more: str, output: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs the compiler on a file that holds ``source``; ``more`` are arguments that follow the file's name.

    What it compiles goes to ``output``, or to a file that is removed.

    Its messages are in English, because their text is examined.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "source.c"
        path.write_text(source)
        to = [] if {"-E", "-fsyntax-only"} & set(command) else ["-o", str(output or Path(folder) / "output")]
        return subprocess.run(
            [*command, str(path), *to, *more],
            capture_output=True,
            text=True,
            errors="replace",
            env={**os.environ, "LC_ALL": "C"},
        )


@dataclass(frozen=True)
class Line:
    """One line of a fragment: its file, its number and its text."""

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
    """The names ``HAVE_x`` that have.h defines, sorted."""
    return sorted(set(re.findall(r"#\s*define\s+(HAVE_\w+)", (C / "have.h").read_text())))


def surviving(cc: Compiler) -> list[Line]:
    """The lines of the fragments whose ``#if`` is true for this OpenSSL."""
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
    """``R (f)(arguments);`` for each prototype: the parentheses prevent the expansion of a macro of that name.

    If the headers did not declare ``f``, this would declare it and compile.  So, unless ``f`` is a macro, a line that
    needs an earlier declaration comes first.
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


def import_cffi() -> Any:
    try:
        import cffi
    except ImportError as error:
        pip = {"pip": f"{sys.executable} -m pip install cffi"}
        fail(f"cffi cannot be imported ({error})", f"cffi in this Python ({this_python()})", install=pip)
    return cffi


def builder(cc: Compiler) -> Any:
    """The cffi builder for this OpenSSL.  The declarations have been checked."""
    cffi = import_cffi()
    lines = surviving(cc)
    cc.check(lines)
    ffi = cffi.FFI()
    ffi.cdef(late_builder().cdef() if is_late() else cdef(lines))
    ffi.set_source(MODULE, '#include "pyossl.c"\n')
    return ffi


def prepare(command: build_ext, extension: Extension) -> None:
    """Writes the extension's C file, and completes ``extension`` with it and with OpenSSL's flags.

    ``command`` is the command of setuptools that will compile it: its compiler and its linker are tried first.
    """
    tools, folder = command.compiler, Path(command.build_temp)
    openssl = find_openssl()
    cc = Compiler(openssl, tools.compiler_so)
    cc.check_installation(command.include_dirs)
    ffi = builder(cc)
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / "_openssl.c"
    extension.include_dirs = [str(C), *openssl.include_dirs]
    extension.extra_compile_args = [*(strict(cc)), *LENIENT, *openssl.compile_args]
    if is_late():
        late_builder().write_headers(folder / "late")
        extension.include_dirs.insert(0, str(folder / "late"))
        extension.define_macros = [*extension.define_macros, ("PYOSSL_LATE", "1")]
        extension.extra_compile_args.append("-fvisibility=hidden")
        extension.libraries = [] if sys.platform == "darwin" else ["dl"]
    else:
        cc.check_linking(tools.linker_so)
        extension.library_dirs = openssl.library_dirs
        extension.runtime_library_dirs = openssl.runtime_dirs
        extension.libraries = openssl.libraries
        extension.extra_link_args = openssl.link_args
    ffi.emit_c_code(str(source))
    extension.sources = [str(source)]


def strict(cc: Compiler) -> list[str]:
    """The options with which a wrong declaration does not compile."""
    return [*STRICT, STRICT_MACROS] if cc.accepts(STRICT_MACROS) else STRICT


def stubs() -> str:
    """The text of ``pyossl/_openssl.pyi``: the names of all versions of OpenSSL."""
    cffi = import_cffi()
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
        cc = Compiler(find_openssl())
        cc.check_installation(python_include_dirs())
        lines = surviving(cc)
        cc.check(lines)
        count = sum(line.startswith("#ifndef") for line in redeclarations(lines))
        print(f"{count} prototypes agree with the headers of this OpenSSL")
    else:
        raise SystemExit("usage: python build_ffi.py --stubs | --check")


if __name__ == "__main__":
    main()
