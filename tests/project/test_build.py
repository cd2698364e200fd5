"""A build that lacks something says what, where it looked and what to install; sdist and wheel are complete."""

from __future__ import annotations

import functools
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SYSTEMS = ("Debian, Ubuntu", "Fedora", "Alpine", "macOS")
PACKAGES = ("libssl-dev", "openssl-devel", "openssl-dev", "openssl@3")

# Seconds that the extension may take to compile where others compile too.
COMPILING = 500

pytestmark = [
    pytest.mark.skipif(
        not (ROOT / "build_ffi.py").exists(), reason="the tests run without the source tree: there is nothing to build"
    ),
    pytest.mark.timeout(COMPILING + 100),
]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env={**{k: v for k, v in os.environ.items() if k not in ("PYOSSL_OPENSSL_DIR", "CC")}, **environment},
    )


def check(**environment: str) -> subprocess.CompletedProcess[str]:
    """Looks for the OpenSSL and judges the declarations, as the build does first."""
    return run(str(ROOT / "build_ffi.py"), "--check", **environment)


def refused(done: subprocess.CompletedProcess[str], *said: str) -> None:
    """The build ended with one message: what, where, and how to install it; no traceback."""
    assert done.returncode != 0
    for part in ("pyossl cannot be built: ", "looked for: ", *SYSTEMS, *PACKAGES, *said):
        assert part in done.stderr, f"{part!r} is not in: {done.stderr}"
    assert "Traceback" not in done.stderr
    assert done.stderr.count("pyossl cannot be built") == 1


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder for PATH with a C compiler and pkg-config, and nothing else."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("cc", "gcc", "pkg-config"):
        if found := shutil.which(name):
            (folder / name).symlink_to(found)
    return folder


def fake_prefix(folder: Path, header: str, configuration: str = "") -> Path:
    """An OpenSSL prefix whose headers say what they are; the library is a file of the right name."""
    include = folder / "prefix" / "include" / "openssl"
    include.mkdir(parents=True)
    (include / "opensslv.h").write_text(header)
    (include / "opensslconf.h").write_text(configuration)
    (include / "ssl.h").write_text("")
    (folder / "prefix" / "lib").mkdir()
    (folder / "prefix" / "lib" / "libssl.so").write_text("")
    return folder / "prefix"


def test_without_a_compiler(tmp_path: Path, programs: Path) -> None:
    for name in ("cc", "gcc"):
        (programs / name).unlink(missing_ok=True)
    refused(check(PATH=str(programs), CC="gcc-of-nobody"), "there is no C compiler", "'gcc-of-nobody'", "PATH")


def in_setuptools(tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    folder = str(tmp_path / "built")
    return run("setup.py", "build_ext", "--build-temp", folder, "--build-lib", folder, **environment)


@pytest.fixture(params=["check", "setuptools"])
def build(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The checks that come before the compilation: alone, and in a build."""
    if request.param == "check":
        return check
    return functools.partial(in_setuptools, tmp_path)


def compiler_that(folder: Path, does: str) -> str:
    """A program for CC: a shell script of one line."""
    path = folder / "compiler"
    path.write_text(f"#!/bin/sh\n{does}\n")
    path.chmod(0o755)
    return str(path)


def without_headers_of_python(folder: Path) -> dict[str, str]:
    """The environment in which Python's configuration names an empty folder for its headers."""
    (folder / "include").mkdir()
    (folder / "_configuration_of_this_test.py").write_text(
        "import importlib, os, sysconfig\n"
        "ours = os.environ.pop('_PYTHON_SYSCONFIGDATA_NAME')\n"
        "real = importlib.import_module(sysconfig._get_sysconfigdata_name()).build_time_vars\n"
        "os.environ['_PYTHON_SYSCONFIGDATA_NAME'] = ours\n"
        f"build_time_vars = {{**real, 'INCLUDEPY': {str(folder / 'include')!r}}}\n"
        "build_time_vars['CONFINCLUDEPY'] = build_time_vars['INCLUDEPY']\n"
    )
    return {"PYTHONPATH": str(folder), "_PYTHON_SYSCONFIGDATA_NAME": "_configuration_of_this_test"}


Build = Callable[..., subprocess.CompletedProcess[str]]


def test_without_the_headers_of_python(tmp_path: Path, build: Build) -> None:
    done = build(**without_headers_of_python(tmp_path))
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    refused(done, "the headers of this Python (", version, f"{tmp_path / 'include'}", "Python.h in ")
    for package in ("python3-dev", "python3-devel", f"python{version}-dev", f"python{version}-devel"):
        assert package in done.stderr
    assert "fatal error" not in done.stderr


def test_with_half_of_the_headers_of_python(tmp_path: Path, build: Build) -> None:
    """Distributions keep pyconfig.h in another folder."""
    environment = without_headers_of_python(tmp_path)
    (tmp_path / "include" / "Python.h").write_text('#include "pyconfig.h"\n')
    refused(build(**environment), "the headers of this Python (", "pyconfig.h in ")


@pytest.mark.parametrize(("variable", "option"), [("CC", "-nostdinc"), ("CFLAGS", "--sysroot=/nonexistent")])
def test_without_the_headers_of_the_c_library(option: str, variable: str, build: Build) -> None:
    done = build(**{variable: f"cc {option}" if variable == "CC" else option})
    refused(done, "the C library's headers are missing", "stdlib.h in ", option, "libc6-dev", "musl-dev")
    assert "error: " not in done.stderr


def test_a_missing_header_is_recognised_in_any_language(tmp_path: Path, build: Build) -> None:
    """The compiler translates its messages; one of the C library's headers is enough."""
    (tmp_path / "poll.h").write_text('#include "header_of_this_test.h"\n')
    done = build(CFLAGS=f"-I{tmp_path}", LC_ALL="", LANG="de_DE.UTF-8", LANGUAGE="de")
    refused(done, "the C library's headers are missing", "header_of_this_test.h in ")


def test_a_compiler_that_does_not_work(tmp_path: Path, build: Build) -> None:
    """macOS has a program of that name that asks for the developer tools."""
    program = compiler_that(tmp_path, "echo xcrun: error: no developer tools >&2; exit 1")
    refused(build(CC=program), "the C compiler does not work", program, "xcrun: error: no developer tools")


def test_an_assembler_that_is_missing_is_a_compiler_that_does_not_work(tmp_path: Path, build: Build) -> None:
    program = compiler_that(tmp_path, f'exec cc -B{tmp_path} "$@"')
    (tmp_path / "as").write_text("#!/bin/sh\necho no assembler of this test >&2\nexit 1\n")
    (tmp_path / "as").chmod(0o755)
    refused(build(CC=program), "the C compiler does not work", "no assembler of this test")


def test_without_the_library_of_openssl(tmp_path: Path) -> None:
    """Its headers are there, and pkg-config names a library that is not."""
    import build_ffi

    openssl = build_ffi.find_openssl()
    cflags = shlex.join([*openssl.compile_args, *(f"-I{folder}" for folder in openssl.include_dirs)])
    for name in ("libssl", "libcrypto"):
        (tmp_path / f"{name}.pc").write_text(
            f"Name: {name}\nDescription: x\nVersion: 3.0.0\nLibs: -lssl_of_nobody\nCflags: {cflags}\n"
        )
    done = in_setuptools(tmp_path, PKG_CONFIG_PATH=str(tmp_path))
    refused(done, "OpenSSL's library is missing", "-lssl_of_nobody, found by pkg-config")


def test_a_linker_that_does_not_work(tmp_path: Path) -> None:
    done = in_setuptools(tmp_path, LDFLAGS="-fno-such-option-of-cc")
    refused(done, "the linker does not work", "-fno-such-option-of-cc")


def test_where_the_compiler_of_python_is_missing_setuptools_takes_cc_too(tmp_path: Path) -> None:
    """The message is of the linker, which is tried after the compiler: that one was found."""
    done = in_setuptools(tmp_path, CC="gcc-of-nobody -pthread", LDFLAGS="-fno-such-option-of-cc")
    refused(done, "the linker does not work", "; cc ")


def test_a_missing_cffi_is_named_with_the_command_that_installs_it() -> None:
    done = run("-S", str(ROOT / "build_ffi.py"), "--stubs")
    assert done.returncode == 1
    assert done.stderr.count("pyossl cannot be built: cffi cannot be imported (No module named 'cffi')") == 1
    assert f"{sys.executable} -m pip install cffi" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_pkg_config(programs: Path) -> None:
    (programs / "pkg-config").unlink()
    refused(check(PATH=str(programs)), "there is no pkg-config", "PYOSSL_OPENSSL_DIR", "'pkg-config' on PATH")


def test_where_pkg_config_knows_no_openssl(tmp_path: Path, programs: Path) -> None:
    refused(
        check(PATH=str(programs), PKG_CONFIG_PATH=str(tmp_path), PKG_CONFIG_LIBDIR=str(tmp_path)),
        "pkg-config knows no OpenSSL",
        "libssl.pc",
    )


def test_where_pkg_config_s_headers_are_missing(tmp_path: Path) -> None:
    """The library's package is there, its headers are not where it says."""
    for name in ("libssl", "libcrypto"):
        (tmp_path / f"{name}.pc").write_text(
            f"Name: {name}\nDescription: x\nVersion: 3.0.0\nLibs: -lssl\nCflags: -nostdinc -I{tmp_path}/absent\n"
        )
    done = check(PKG_CONFIG_PATH=str(tmp_path), PKG_CONFIG_LIBDIR=str(tmp_path))
    refused(done, "openssl/opensslv.h", "pkg-config")


def test_a_prefix_without_headers(tmp_path: Path) -> None:
    done = check(PYOSSL_OPENSSL_DIR=str(tmp_path / "absent"))
    refused(done, "holds no OpenSSL headers", f"{tmp_path}/absent/include/openssl/ssl.h")


def test_a_prefix_without_a_library(tmp_path: Path) -> None:
    prefix = fake_prefix(tmp_path, "")
    (prefix / "lib" / "libssl.so").unlink()
    done = check(PYOSSL_OPENSSL_DIR=str(prefix))
    refused(done, "holds no OpenSSL library", f"libssl.* in {prefix}/lib64 and {prefix}/lib")


@pytest.mark.parametrize(
    ("header", "configuration", "said"),
    [
        ("#define OPENSSL_VERSION_NUMBER 0x1010008fL\n", "", "older than 1.1.1"),
        ("#define OPENSSL_VERSION_NUMBER 0x100020bfL\n", "", "older than 1.1.1"),
        ("#define LIBRESSL_VERSION_NUMBER 0x4000000fL\n#define OPENSSL_VERSION_NUMBER 0x20000000L\n", "", "LibreSSL's"),
        ("#define OPENSSL_IS_BORINGSSL\n#define OPENSSL_VERSION_NUMBER 0x1010107f\n", "", "BoringSSL's or AWS-LC's"),
        ("#define OPENSSL_IS_AWSLC\n#define OPENSSL_VERSION_NUMBER 0x1010107f\n", "", "BoringSSL's or AWS-LC's"),
        ("", "#define OPENSSL_IS_BORINGSSL\n", "BoringSSL's or AWS-LC's"),
    ],
    ids=["1.1.0", "1.0.2", "LibreSSL", "BoringSSL", "AWS-LC", "BoringSSL says so elsewhere"],
)
def test_headers_of_something_else(tmp_path: Path, header: str, configuration: str, said: str) -> None:
    prefix = fake_prefix(tmp_path, header, configuration)
    done = check(PYOSSL_OPENSSL_DIR=str(prefix))
    refused(done, said, "OpenSSL 1.1.1" if "older" not in said else said, f"PYOSSL_OPENSSL_DIR={prefix}")


def test_a_build_that_fails_shows_the_same_message_through_setuptools(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "setup.py", "build_ext", "--build-temp", str(tmp_path), "--build-lib", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env=os.environ | {"PYOSSL_OPENSSL_DIR": str(tmp_path / "absent")},
    )
    refused(done, "holds no OpenSSL headers")


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution of this tree, made from a copy: setuptools writes into the folder that it is run in."""
    folder = tmp_path_factory.mktemp("sdist")
    copy = folder / "tree"
    ignored = shutil.ignore_patterns(".git", "__pycache__", "build", "*.so", "*.egg-info", ".*_cache")
    shutil.copytree(ROOT, copy, ignore=ignored)
    _setuptools(copy, "build_sdist", folder)
    (made,) = folder.glob("*.tar.gz")
    return made


def python(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=COMPILING,
        check=False,
        env=os.environ | {"CFLAGS": f"{os.environ.get('CFLAGS', '')} -O0"},
    )


def _setuptools(tree: Path, hook: str, target: Path) -> None:
    """Calls the build backend as a build front end does, without isolation: no network."""
    code = f"from setuptools import build_meta; build_meta.{hook}({str(target)!r})"
    done = python(code, tree)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def test_the_sdist_holds_every_source(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    sources = [
        *ROOT.glob("pyossl/**/*.py"), *ROOT.glob("pyossl/_c/**/*.[ch]"), *ROOT.glob("pyossl/*.pyi"),
        *(ROOT / name for name in ("setup.py", "build_ffi.py", "pyproject.toml", "LICENSE", "pyossl/py.typed")),
        *ROOT.glob("tests/**/*.py"),
    ]  # fmt: skip
    assert len(sources) > 40
    assert {str(path.relative_to(ROOT)) for path in sources} <= held
    assert not [name for name in held if name.endswith((".so", ".pyc", ".o"))]


def test_the_sdist_builds_a_wheel_of_itself_that_works(sdist: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        # 3.14 uses this filter by default, 3.12 and 3.13 warn without a filter, some 3.10 and 3.11 have none.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(tmp_path)
    (tree,) = (path for path in tmp_path.iterdir() if path.is_dir())
    _setuptools(tree, "build_wheel", tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    # A Python without the lock loads no extension of the stable ABI, and 3.10's lacks the buffers that fast.c needs:
    # each has a wheel of its own.
    free_threaded = sysconfig.get_config_var("Py_GIL_DISABLED")
    own = f"-cp3{sys.version_info[1]}t-" if free_threaded else "-cp310-cp310-"
    assert (own if free_threaded or sys.version_info < (3, 11) else "-cp311-abi3-") in wheel.name
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(tmp_path / "installed")
    assert [name for name in names if name.endswith(".so")]
    assert "pyossl/py.typed" in names
    assert "pyossl/_openssl.pyi" in names
    assert not [name for name in names if name.startswith(("tests/", "build_ffi", "ci/")) or "/_c/" in name]
    code = (
        "import sys; sys.meta_path = [f for f in sys.meta_path if 'editable' not in repr(f)]\n"
        f"sys.path.insert(0, {str(tmp_path / 'installed')!r})\n"
        "import pyossl; print(pyossl.__file__); pyossl.Connection(pyossl.Context.client(), 'example.com').handshake()"
    )
    done = python(code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(tmp_path / "installed"))
