"""`import pyossl`: messages if OpenSSL does not fit, no stdlib ssl, no network, cffi only (docs/pitfalls.md, 29)."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import pyossl
from pyossl import lib

linked = pytest.mark.skipif(
    bool(lib.PYOSSL_LATE), reason="only of builds that are linked to OpenSSL: late-bound builds use any OpenSSL"
)


def python(
    code: str, *arguments: str, env: dict[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | (env or {}),
        cwd=cwd,
    )


def test_the_library_in_use_is_not_refused() -> None:
    assert lib.pyossl_library_refused(lib.OpenSSL_version_num()) == 0
    assert lib.pyossl_library_refused(lib.OPENSSL_VERSION_NUMBER) == 0


@linked
def test_a_library_of_another_major_version_is_refused() -> None:
    headers = lib.OPENSSL_VERSION_NUMBER
    for other in (headers + (1 << 28), headers - (1 << 28), 0x10100000, 0x90000000):
        if other >> 28 != headers >> 28:
            assert lib.pyossl_library_refused(other) == 1


@linked
def test_a_library_older_than_its_headers_is_refused_and_a_newer_one_is_not() -> None:
    """Before 3.0 only the letter may differ; since 3.0 minor versions only add functions.  docs/pitfalls.md, 36"""
    headers = lib.OPENSSL_VERSION_NUMBER
    release = 1 << 12 if headers >> 28 < 3 else 1 << 20
    assert lib.pyossl_library_refused(headers + release) == 0
    lowest = headers >> 28 << 28
    if headers - release >= lowest:
        assert lib.pyossl_library_refused(headers - release) == 2


FAKE_LIBRARY = r"""
unsigned long OpenSSL_version_num(void) { return %s; }
const char *OpenSSL_version(int what) { (void)what; return "OpenSSL 0.0.0 of this test"; }
"""


@linked
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="LD_PRELOAD is the loader of Linux's")
@pytest.mark.parametrize(
    ("version", "relation"),
    [("0x%xUL" % (lib.OPENSSL_VERSION_NUMBER + (1 << 28)), "of another major version than")]
    + (
        [("0x%xUL" % (lib.OPENSSL_VERSION_NUMBER >> 28 << 28), "older than")]
        if lib.OPENSSL_VERSION_NUMBER & 0x0FF00000
        else []
    ),
)
def test_another_library_at_run_time_is_refused_in_one_sentence(tmp_path: Path, version: str, relation: str) -> None:
    """A preloaded library reports another version, as after an upgrade of the system."""
    source, library = tmp_path / "fake.c", tmp_path / "libfake.so"
    source.write_text(FAKE_LIBRARY % version)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    done = python("import pyossl", env={"LD_PRELOAD": str(library)})
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: the OpenSSL library at run time (OpenSSL 0.0.0 of this test) is " + relation)
    assert "pip install" in last


@linked
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="LD_LIBRARY_PATH is the loader of Linux's")
def test_a_library_that_lacks_a_function_is_refused_in_one_sentence(tmp_path: Path) -> None:
    """An empty libssl of the right name takes the place of one that is too old to have all functions."""
    extension = sys.modules["pyossl._openssl"].__file__
    assert extension is not None
    library = pyossl.ffi.string(pyossl.lib.pyossl_ssl_library()).decode()
    name = Path(os.path.realpath(library)).name
    source = tmp_path / "empty.c"
    source.write_text("int nothing_of_openssl;\n")
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-o", str(tmp_path / name), f"-Wl,-soname,{name}", str(source)], check=True
    )
    done = python("import pyossl", env={"LD_PRELOAD": str(tmp_path / name)})
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: this system's OpenSSL is not the one that pyossl was built for (")
    assert "pip install" in last


def test_an_extension_that_is_not_built_is_said_to_be_so(tmp_path: Path) -> None:
    package = tmp_path / "pyossl"
    shutil.copytree(Path(pyossl.__file__).parent, package, ignore=shutil.ignore_patterns("*.so", "_c", "__pycache__"))
    done = python(
        "import sys; sys.meta_path = [f for f in sys.meta_path if 'editable' not in repr(f)]\n"
        f"sys.path.insert(0, {str(tmp_path)!r}); import pyossl",
        cwd=tmp_path,
    )
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: pyossl's extension module is not built")
    assert "pip install" in last


def test_an_invalid_openssl_cnf_is_ignored_if_openssl_ignores_it(tmp_path: Path) -> None:
    configuration = tmp_path / "openssl.cnf"
    configuration.write_text("openssl_conf = [[[ no section\n")
    done = python("import pyossl", env={"OPENSSL_CONF": str(configuration)})
    if done.returncode != 0:
        assert done.stderr.strip().splitlines()[-1].startswith("ImportError: OpenSSL cannot be initialised")
        assert "openssl.cnf" in done.stderr


def test_importing_loads_neither_stdlib_ssl_nor_another_package() -> None:
    done = python(
        "import sys; before = set(sys.modules); import pyossl\n"
        "print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))",
        "-I",
    )
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert not loaded & {"ssl", "_ssl", "OpenSSL", "cryptography", "rich", "asyncio", "urllib", "http"}
    assert loaded <= {*sys.stdlib_module_names, "pyossl", "_cffi_backend", "cffi"} | _editable_finders(loaded)


def _editable_finders(loaded: set[str]) -> set[str]:
    return {name for name in loaded if name.startswith("__editable__")}


def test_importing_opens_no_connection_and_starts_no_thread() -> None:
    done = python(
        "import sys, threading\n"
        "def hook(event, arguments):\n"
        "    if event.startswith('socket.') and event not in ('socket.__new__',) or event.startswith('subprocess'):\n"
        "        raise SystemExit(f'{event} {arguments}')\n"
        "sys.addaudithook(hook)\n"
        "import pyossl\n"
        "assert threading.active_count() == 1"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_cffi_is_the_only_dependency() -> None:
    needed = [one for one in metadata.requires("pyossl") or () if "extra ==" not in one]
    assert {re.match(r"[\w-]+", one)[0] for one in needed} == {"cffi"}  # type: ignore[index]  # each has a name


def test_every_public_name_is_there() -> None:
    for name in vars(pyossl)["__all__"]:
        assert getattr(pyossl, name) is not None


def test_the_names_found_on_demand_are_those_that_the_stub_declares() -> None:
    stub = ast.parse(Path(pyossl.__file__).with_suffix(".pyi").read_text())
    declared: dict[str, str | None] = {}
    for node in stub.body:
        if isinstance(node, ast.ImportFrom):
            declared |= {alias.name: node.module for alias in node.names}
    homes = {name: f"pyossl.{home}" for name, home in vars(pyossl)["_HOME"].items()}
    homes |= {"errors": "pyossl", "outcome": "pyossl.core", "ffi": "pyossl.core", "lib": "pyossl.core"}
    assert declared == homes


@pytest.mark.parametrize("name", ["Context", "features", "errors", "connect"])
def test_a_name_is_found_whatever_was_loaded_before_it(name: str) -> None:
    for first in ("pyossl", "pyossl.core.features", "pyossl.tls.context.context", "pyossl.aio"):
        done = python(f"import {first}; from pyossl import {name}; import types; print(type({name}).__name__)")
        assert (done.returncode, done.stdout) == (0, f"{type(getattr(pyossl, name)).__name__}\n"), done.stderr


def test_a_context_alone_knows_how_to_wrap_a_socket() -> None:
    code = """
import socket
from pyossl.tls.context.context import Context
ours, theirs = socket.socketpair()
context = Context.client(verify=False, check_hostname=False)
print(type(context.wrap_socket(ours, "example.com", handshake=False)).__name__)
"""
    done = python(code)
    assert (done.returncode, done.stdout) == (0, "Socket\n"), done.stderr


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'pyossl' has no attribute 'nothing'"):
        pyossl.nothing  # type: ignore[attr-defined]  # noqa: B018  # that is the point


def test_import_pyossl_loads_the_binding_only() -> None:
    """Importing takes less time than the standard library's ssl does (docs/performance.md)."""
    done = python("import sys, pyossl; print(*sorted(name for name in sys.modules if name.startswith('pyossl.')))")
    search = {"pyossl.core.library_search"} if lib.PYOSSL_LATE else set()
    assert set(done.stdout.split()) == {"pyossl.core", "pyossl._openssl", "pyossl._openssl.lib", *search}


def test_the_version_is_that_of_the_distribution_and_of_pyproject() -> None:
    assert pyossl.__version__ == metadata.version("pyossl")
    project = Path(__file__).resolve().parents[2] / "pyproject.toml"
    if project.exists():  # the tests may run without the source tree
        assert re.findall(r'^version = "(.+)"$', project.read_text(), re.M) == [pyossl.__version__]


def test_dir_shows_public_names_and_a_module_s_own_alone() -> None:
    done = python("import pyossl; pyossl.connect; print(*dir(pyossl))")
    shown = done.stdout.split()
    assert shown == sorted(shown)
    assert [name for name in shown if not name.startswith("__")] == sorted(pyossl.__all__)
    assert {"__doc__", "__file__", "__name__", "__version__", "__all__"} <= set(shown)
    assert not [name for name in shown if name.startswith("__") and not name.endswith("__")]


def test_star_imports_the_names_of_all() -> None:
    done = python("from pyossl import *; print(*(name for name in dir() if not name.startswith('__')))")
    assert done.stdout.split() == sorted(pyossl.__all__), done.stderr
