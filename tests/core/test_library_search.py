"""The search of a late-bound build for its OpenSSL: each unusable library is refused in one sentence (issue 16).

The libraries of other projects and of other versions are small C files, which the tests compile.
"""

from __future__ import annotations

import os
import platform
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

import pyossl
from pyossl import lib
from pyossl.core import library_search, text

pytestmark = [
    pytest.mark.skipif(
        not lib.PYOSSL_LATE, reason="a linked build does not search: the dynamic linker loads its OpenSSL"
    ),
]
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the files are ELF")
glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the message is that of glibc's dynamic linker")

IMPORT = "import pyossl; print(pyossl.core.text(pyossl.lib.OpenSSL_version(0)))"
IN_USE = text(lib.OpenSSL_version(0))


def python(
    code: str, *options: str, chosen: str | bytes | None = None, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Runs code in a new Python, with ``chosen`` as PYOSSL_LIBSSL unless it is None."""
    variables = {**os.environ, **environment}
    if chosen is not None:
        variables["PYOSSL_LIBSSL"] = os.fsdecode(chosen)
    return subprocess.run(
        [sys.executable, *options, "-c", code],
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=60,
        check=False,
        env=variables,
        cwd=cwd or Path(__file__).parent,
    )


def without_choice() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYOSSL_LIBSSL"}


def compiled(path: Path, source: str, *options: str) -> Path:
    """The path of a library, which is compiled from this C source."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.with_name("source.c")
    file.write_text(source)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(path), str(file), *options], check=True, capture_output=True)
    return path


def refusal(chosen: str | bytes | Path) -> str:
    """What the ImportError says about this value of PYOSSL_LIBSSL.  Python ends with status 1."""
    done = python("import pyossl", chosen=str(chosen) if isinstance(chosen, Path) else chosen)
    assert done.returncode == 1, (done.returncode, done.stderr)
    *_, before, last = done.stderr.rstrip("\n").split("\n")
    assert before.startswith("    "), f"more than one line: {done.stderr}"
    assert last.startswith("ImportError: "), last
    assert "PYOSSL_LIBSSL" in last, last
    assert len(last) < 1000
    return last


FAKE = """
unsigned long OpenSSL_version_num(void) { return %s; }
const char *OpenSSL_version(int what) { return what == 0 ? "the library of this test" : ""; }
void *SSL_new(void *context) { return context; }
"""


# Files that are no library


@linux
@glibc
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "file too short"),
        (b"GROUP ( libssl.so.3 )\n" * 100, "invalid ELF header"),
        (b"\x7fELF", "file too short"),
        (b"\0" * 5000, "invalid ELF header"),
    ],
    ids=["empty", "a linker script", "the first bytes of a library", "zeros"],
)
def test_a_file_that_is_no_library_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "libssl.so.3"
    path.write_bytes(content)
    assert refusal(path).endswith(f" {path}: {reason}")


@linux
def test_a_path_without_a_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "libssl.so.3"
    said = refusal(path)
    assert said.count(str(path)) == 1
    assert "No such file" in said


@linux
def test_a_name_that_the_dynamic_linker_does_not_find_is_refused() -> None:
    said = refusal("libssl-of-nobody.so.3")
    assert said.count("libssl-of-nobody.so.3") == 1
    assert "No such file" in said


def test_a_folder_is_refused(tmp_path: Path) -> None:
    said = refusal(tmp_path)
    assert said.endswith(f"PYOSSL_LIBSSL is the path of a folder, and not of the libssl in it: {tmp_path}")


@linux
def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    """Root may read every file, so the process becomes another user for it."""
    path = tmp_path / "libssl.so.3"
    shutil.copy(text(lib.pyossl_ssl_library()), path)
    path.chmod(0)
    tmp_path.chmod(0o700)
    code = (
        "import os\n"
        f"os.environ['PYOSSL_LIBSSL'] = {str(path)!r}\n"
        "if os.geteuid() == 0: os.seteuid(65534)\n"
        "import pyossl"
    )
    done = python(code)
    if "No module named 'pyossl'" in done.stderr:
        pytest.skip("other users may not read the folder that pyossl is installed in")
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: ")
    assert "PYOSSL_LIBSSL" in last
    assert str(path) in last
    assert "Permission denied" in last


# Libraries for another machine

ELF_MACHINE = struct.unpack("H", Path(sys.executable).read_bytes()[18:20])[0] if sys.platform.startswith("linux") else 0


def elf(bits: int, machine: int) -> bytes:
    """The header of a shared library without content."""
    word = "I" if bits == 32 else "Q"
    identification = b"\x7fELF" + bytes([bits // 32, 1 if sys.byteorder == "little" else 2, 1]) + bytes(9)
    size = 52 if bits == 32 else 64
    rest = struct.pack(f"=HHI{word}{word}{word}IHHHHHH", 3, machine, 1, 0, size, 0, 0, size, 32, 0, 40, 0, 0)
    return (identification + rest).ljust(4096, b"\0")


@linux
@glibc
def test_a_library_of_32_bits_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "libssl.so.3"
    path.write_bytes(elf(32 if sys.maxsize > 2**32 else 64, 3))
    assert "ELFCLASS" in refusal(path)


@linux
def test_a_library_for_another_processor_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "libssl.so.3"
    path.write_bytes(elf(64, 183 if ELF_MACHINE != 183 else 62))
    assert str(path) in refusal(path)


# Libraries that are not OpenSSL, or not one that pyossl knows


@linux
def test_a_library_that_is_not_openssl_is_refused(tmp_path: Path) -> None:
    assert refusal("libm.so.6").endswith(" libm.so.6: it is not OpenSSL")
    path = compiled(tmp_path / "libssl.so.3", "int nothing_of_openssl;")
    assert refusal(path).endswith(f" {path}: it is not OpenSSL")


@linux
def test_a_libcrypto_in_place_of_a_libssl_is_refused() -> None:
    crypto = Path(text(lib.pyossl_ssl_library()).replace("libssl", "libcrypto"))
    assert refusal(crypto).endswith(f" {crypto}: it has no SSL_new: it is not libssl")


@linux
@pytest.mark.parametrize(
    ("number", "more", "reason"),
    [
        ("0x20000000UL", "", "it is LibreSSL, not OpenSSL"),
        ("0x1010107fUL", "void SSL_CTX_set_custom_verify(void) {}", "it is BoringSSL or AWS-LC, not OpenSSL"),
        (
            "0x1010107fUL",
            "const char *awslc_version_string(void) { return 0; }",
            "it is BoringSSL or AWS-LC, not OpenSSL",
        ),
        ("0x100020ffUL", "", "it is older than OpenSSL 1.1.1"),
        ("0x101000cfUL", "", "it is older than OpenSSL 1.1.1"),
        ("0UL", "", "it is older than OpenSSL 1.1.1"),
        ("0x50000000UL", "", "it is of a newer major version than this pyossl knows"),
        ("0xf0000000UL", "", "it is of a newer major version than this pyossl knows"),
        ("~0UL", "", "it is of a newer major version than this pyossl knows"),
    ],
    ids=["LibreSSL", "BoringSSL", "AWS-LC", "1.0.2", "1.1.0", "zero", "5.0", "15.0", "no version"],
)
def test_a_library_with_another_version_is_refused(tmp_path: Path, number: str, more: str, reason: str) -> None:
    path = compiled(tmp_path / "libssl.so.3", FAKE % number + more)
    assert f" {path}: {reason}" in refusal(path)


@linux
def test_a_library_with_the_number_of_openssl_but_not_its_functions_is_refused(tmp_path: Path) -> None:
    path = compiled(tmp_path / "libssl.so.3", FAKE % "0x30000000UL")
    assert refusal(path).endswith(f" {path}: it lacks functions that every OpenSSL has")


@linux
def test_openssl_1_0_2_which_has_its_number_under_another_name_is_refused(tmp_path: Path) -> None:
    source = "unsigned long SSLeay(void) { return 0x100020ffUL; } void *SSL_new(void *c) { return c; }"
    path = compiled(tmp_path / "libssl.so.1.0.0", source)
    assert refusal(path).endswith(f" {path}: it is older than OpenSSL 1.1.1")


# The libcrypto that a libssl needs


@linux
def test_a_libssl_without_its_libcrypto_is_refused(tmp_path: Path) -> None:
    crypto = compiled(tmp_path / "libcrypto-odd.so.3", FAKE % "0x30000000UL", "-Wl,-soname,libcrypto-odd.so.3")
    path = compiled(tmp_path / "libssl-odd.so.3", "", "-Wl,--no-as-needed", str(crypto))
    crypto.unlink()
    said = refusal(path)
    assert str(path) in said
    assert "libcrypto-odd.so.3" in said


@linux
@glibc
def test_a_libcrypto_of_another_version_beside_the_libssl_is_refused(tmp_path: Path) -> None:
    script = tmp_path / "versions"
    named = ["-Wl,-soname,libcrypto-odd.so.3", f"-Wl,--version-script={script}"]
    script.write_text("OPENSSL_3.7.0 { OpenSSL_version_num; };")
    crypto = compiled(tmp_path / "libcrypto-odd.so.3", FAKE % "0x30700000UL", *named)
    source = "extern unsigned long OpenSSL_version_num(void); unsigned long use(void) { return OpenSSL_version_num(); }"
    path = compiled(tmp_path / "libssl-odd.so.3", source, str(crypto))
    script.write_text("OPENSSL_3.0.0 { OpenSSL_version_num; };")
    compiled(crypto, FAKE % "0x30000000UL", *named)
    said = refusal(path)
    assert str(path) in said
    assert "version `OPENSSL_3.7.0' not found" in said


@linux
def test_a_libssl_that_got_the_libcrypto_of_another_folder_is_refused(tmp_path: Path) -> None:
    """The dynamic linker gives a library the one that is loaded already under that name.  docs/pitfalls.md, 55"""
    source = (
        "extern unsigned long OpenSSL_version_num(void); void *SSL_new(void *c) { OpenSSL_version_num(); return c; }"
    )
    for folder in ("first", "second"):
        crypto = tmp_path / folder / "libcrypto-odd.so.3"
        compiled(crypto, FAKE.replace("SSL_new", "of_crypto") % "0x30000000UL", "-Wl,-soname,libcrypto-odd.so.3")
        path = compiled(tmp_path / folder / "libssl-odd.so.3", source, str(crypto))
    first = tmp_path / "first" / "libcrypto-odd.so.3"
    done = python(f"import ctypes; ctypes.CDLL({str(first)!r}); import pyossl", chosen=str(path))
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert f" {path}: it uses {first}, not the libcrypto beside it: import pyossl first, or " in last


@linux
def test_a_name_gives_the_libssl_beside_a_libcrypto_that_is_loaded_already(tmp_path: Path) -> None:
    """A Python with an OpenSSL of its own may have loaded it for hashlib.  The system's libssl may be older."""
    ssl, crypto = (Path(text(path)) for path in (lib.pyossl_ssl_library(), lib.pyossl_crypto_library()))
    copies = [Path(shutil.copy(file, tmp_path)) for file in (ssl, crypto)]
    code = (
        f"import ctypes; ctypes.CDLL({str(copies[1])!r}); from pyossl import lib; from pyossl.core import text\n"
        "print(text(lib.pyossl_ssl_library()), text(lib.pyossl_crypto_library()))"
    )
    done = python(code, chosen=ssl.name)
    assert (done.returncode, done.stderr, done.stdout.split()) == (0, "", [str(copy) for copy in copies])


# The value of PYOSSL_LIBSSL


def test_an_empty_value_is_as_none() -> None:
    empty = python(IMPORT, chosen="")
    assert (empty.returncode, empty.stderr) == (0, "")
    unset = subprocess.run(
        [sys.executable, "-c", IMPORT], capture_output=True, text=True, env=without_choice(), timeout=60, check=True
    )
    assert empty.stdout == unset.stdout


@pytest.mark.parametrize("value", ["./libssl.so.3", "lib/libssl.so.3", "../libssl.so.3", "./", "~/libssl.so.3"])
def test_a_relative_path_is_refused(value: str) -> None:
    said = refusal(value)
    assert said.endswith(f"is neither an absolute path nor the name of a library: {value}")


def test_the_path_and_the_name_of_the_library_in_use_are_accepted() -> None:
    path = text(lib.pyossl_ssl_library())
    done = python(IMPORT, chosen=path)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, IN_USE, "")
    if not os.environ.get("PYOSSL_LIBSSL"):  # else the dynamic linker may not find that name
        done = python(IMPORT, chosen=Path(path).name)
        assert (done.returncode, done.stdout.strip(), done.stderr) == (0, IN_USE, "")


@linux
@pytest.mark.parametrize("name", [b"\xff\xfe", "schlüssel é 鍵".encode(), b"a\nb", b"a b\tc", b"100%s%n"])
def test_a_library_in_a_folder_with_an_odd_name_is_used_and_refused_as_any_other(tmp_path: Path, name: bytes) -> None:
    folder = os.fsencode(tmp_path) + b"/" + name
    os.mkdir(folder)
    said = refusal(folder + b"/libssl.so.3")
    assert "No such file" in said
    path = os.path.realpath(text(lib.pyossl_ssl_library()))
    for file in (path, path.replace("libssl", "libcrypto")):
        shutil.copy(file, os.fsdecode(folder))
    done = python(IMPORT, chosen=folder + b"/" + os.fsencode(Path(path).name))
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, IN_USE, "")


@linux
@pytest.mark.parametrize("length", [255, 4095, 4096, 5000, 100_000])
@pytest.mark.parametrize("begin", ["/", "lib"])
def test_a_long_value_is_refused_and_shortened(length: int, begin: str) -> None:
    said = refusal(begin.ljust(length, "x"))
    assert begin + "xxx" in said
    assert "File name too long" in said or "No such file" in said


# What is not searched


@pytest.mark.parametrize("option", ["-E", "-I"])
def test_the_variable_is_ignored_if_python_ignores_the_environment(option: str) -> None:
    done = python(IMPORT, option, chosen="/nowhere/libssl.so.3")
    assert (done.returncode, done.stderr) == (0, "")


@linux
@pytest.mark.parametrize("library_path", [None, ""])
def test_the_current_folder_is_not_searched(tmp_path: Path, library_path: str | None) -> None:
    for name in ("libssl.so.4", "libssl.so.3", "libssl.so.1.1", "libssl.so"):
        compiled(tmp_path / name, "__attribute__((constructor)) static void begin(void) { __builtin_trap(); }")
    environment = without_choice()
    environment.pop("LD_LIBRARY_PATH", None)
    if library_path is not None:
        environment["LD_LIBRARY_PATH"] = library_path
    done = subprocess.run(
        [sys.executable, "-c", IMPORT],
        capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


# Without a library that has a usual name

FIRST = f"""
import importlib.util, os, sys
os.environ.pop("PYOSSL_LIBSSL", None)
spec = importlib.util.spec_from_file_location("pyossl.core.library_search", {library_search.__file__!r})
search = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(search)
search.VERSIONS = ("of-nobody",)
search.MACOS_FOLDERS = ()
"""
"""A process searches once.  So the module is changed before pyossl is imported."""


def test_the_library_of_python_s_own_ssl_is_the_last_candidate() -> None:
    done = python(f"{FIRST}import pyossl, ssl\nprint(search.found_by)\n"
                  "print(pyossl.openssl_version == ssl.OPENSSL_VERSION)")  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "Python's own ssl module uses it\nTrue\n"), done.stderr


def test_without_any_libssl_the_import_says_what_was_looked_for() -> None:
    done = python(f"{FIRST}sys.modules['_ssl'] = None\nimport pyossl")
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(
        "ImportError: no OpenSSL 1.1.1 or newer was found: install it, or set PYOSSL_LIBSSL to the path"
    )
    if sys.platform.startswith("linux"):
        assert "libssl.so.of-nobody: " in last


def test_a_library_that_is_refused_is_passed_over_and_named(tmp_path: Path) -> None:
    """An unusable libssl.so.4 comes before a usable one of an older version."""
    compiled(tmp_path / "libssl.so.4", FAKE % "0x20000000UL")
    environment = without_choice() | {"LD_LIBRARY_PATH": str(tmp_path)}
    code = "import pyossl; from pyossl.core import library_search as search; print(search.passed_over)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "('libssl.so.4', 'it is LibreSSL, not OpenSSL')" in done.stdout
    assert vars(pyossl)["__version__"]
