"""What a failed `import pyossl` says: which compiled module is missing or unfit, and how to repair it.

Each test makes a folder with a copy of the package and imports it in a new interpreter.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import pyossl
from pyossl.core import import_failure

PACKAGE = Path(pyossl.__file__).parent
EXTENSION = Path(str(sys.modules["pyossl._openssl"].__file__))

# Without it an editable install of pyossl would lend its compiled module to the copies.
WITHOUT_SITE_PACKAGES = "-S"

ANOTHER_PYTHONS = "_openssl.cpython-399t-x86_64-linux-gnu.so"
OF_A_NEWER_PYTHON = """
extern void *PyUnstable_FunctionOfANewerPython(void);
void *PyInit__openssl(void) { return PyUnstable_FunctionOfANewerPython(); }
"""
OF_A_NEWER_CFFI = """
extern void *PyImport_ImportModule(const char *), *PyLong_FromVoidPtr(void *);
extern void *PyObject_CallMethod(void *, const char *, const char *, ...);
static const void *raw[4] = {"pyossl._openssl", (void *)0x9999};
void *PyInit__openssl(void)
{
    void *cffi = PyImport_ImportModule("_cffi_backend");
    return PyObject_CallMethod(cffi, "_init_cffi_1_0_external_module", "O", PyLong_FromVoidPtr(raw));
}
"""


def copy_of_the_package(folder: Path) -> Path:
    """A folder for Python's path, with pyossl's Python files."""
    shutil.copytree(PACKAGE, folder / "pyossl", ignore=shutil.ignore_patterns("*.so", "__pycache__", "_c"))
    return folder


def source_tree(folder: Path) -> Path:
    """A checkout in which nothing was built: the files by which it is recognised."""
    copy_of_the_package(folder)
    (folder / "pyossl" / "_c").mkdir()
    (folder / "build_ffi.py").write_text("")
    return folder


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return source_tree(tmp_path / "checkout")


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder as site-packages is: with a package that works."""
    folder = copy_of_the_package(tmp_path / "site")
    shutil.copy(EXTENSION, folder / "pyossl")
    return folder


def python(*arguments: str, cwd: Path, path: tuple[Path, ...] = ()) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONSAFEPATH")}
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment | ({"PYTHONPATH": os.pathsep.join(map(str, path))} if path else {}),
        cwd=cwd,
    )


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of the ImportError."""
    assert done.returncode == 1, done
    return done.stderr.strip().splitlines()[-1]


def refused_in(folder: Path, *options: str) -> str:
    return refusal(python(*options, "-c", "import pyossl", cwd=folder))


def compiled(source: str, into: Path, *options: str) -> None:
    """Compiles an extension module that every Python looks for."""
    path = into.parent / "source.c"
    path.write_text(source)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(into), str(path), *options], check=True)


# A source tree


@pytest.mark.parametrize("how", [("-c", "import pyossl"), ("-m", "pyossl"), ("-m", "pyossl.pyopenssl.debug")])
def test_a_source_tree_that_shadows_the_installed_package_is_named_with_both_folders(
    how: tuple[str, str], tree: Path, installed: Path
) -> None:
    said = refusal(python(WITHOUT_SITE_PACKAGES, *how, cwd=tree, path=(installed,)))
    assert "pyossl's extension module is not built" in said
    assert f"the source tree in {tree}, which shadows the pyossl that is installed in {installed}/pyossl" in said
    assert "run Python from another folder, or as python -P (Python 3.11 or newer)" in said
    assert f"run pip install -e . in {tree}" in said


def test_the_advice_for_a_shadowing_source_tree_imports_the_installed_package(tree: Path, installed: Path) -> None:
    code = "import pyossl; print(pyossl.__file__)"
    elsewhere = python("-c", code, cwd=tree.parent, path=(installed,))
    assert elsewhere.stdout == f"{installed}/pyossl/__init__.py\n", elsewhere.stderr
    if sys.version_info >= (3, 11):
        safe = python("-P", "-c", code, cwd=tree, path=(installed,))
        assert safe.stdout == elsewhere.stdout, safe.stderr


def test_a_script_beside_a_source_tree_is_told_the_same(tree: Path, installed: Path) -> None:
    (tree / "script.py").write_text("import pyossl\n")
    said = refusal(python(WITHOUT_SITE_PACKAGES, str(tree / "script.py"), cwd=tree.parent, path=(installed,)))
    assert f"the source tree in {tree}, which shadows the pyossl that is installed in {installed}/pyossl" in said


def test_a_source_tree_on_pythonpath_is_to_be_removed_from_it(tree: Path, installed: Path) -> None:
    said = refusal(python(WITHOUT_SITE_PACKAGES, "-c", "import pyossl", cwd=tree.parent, path=(tree, installed)))
    assert f"which shadows the pyossl that is installed in {installed}/pyossl" in said
    assert f"remove {tree} from PYTHONPATH" in said
    assert "python -P" not in said


def test_a_source_tree_without_an_installed_package_is_to_be_built(tree: Path) -> None:
    said = refused_in(tree, WITHOUT_SITE_PACKAGES)
    assert said.startswith("ImportError: pyossl's extension module is not built")
    assert f"this is the source tree in {tree}, and no other pyossl is installed; " in said
    assert said.endswith(f"run pip install -e . in {tree}")


def test_another_source_tree_that_is_installed_editable_counts_as_installed(tree: Path, installed: Path) -> None:
    code = (
        "import sys, importlib.util\n"
        "class Finder:\n"
        "    @staticmethod\n"
        "    def find_spec(name, path=None, target=None):\n"
        "        if name == 'pyossl':\n"
        f"            return importlib.util.spec_from_file_location(name, {str(installed / 'pyossl/__init__.py')!r})\n"
        "class OldFinder:\n"
        "    find_module = staticmethod(lambda name, path=None: None)\n"
        "sys.meta_path += [Finder, OldFinder]\n"
        "import pyossl"
    )
    said = refusal(python(WITHOUT_SITE_PACKAGES, "-c", code, cwd=tree))
    assert f"which shadows the pyossl that is installed in {installed}/pyossl" in said


def test_a_source_tree_built_for_another_python_says_both(tree: Path, installed: Path) -> None:
    (tree / "pyossl" / ANOTHER_PYTHONS).write_bytes(b"")
    said = refusal(python(WITHOUT_SITE_PACKAGES, "-c", "import pyossl", cwd=tree, path=(installed,)))
    assert f"only {ANOTHER_PYTHONS}, which was built for another Python; this is the source tree in {tree}" in said


# A compiled module that this Python cannot load


def test_a_compiled_module_of_another_python_alone_is_named(tmp_path: Path) -> None:
    folder = copy_of_the_package(tmp_path / "site")
    (folder / "pyossl" / ANOTHER_PYTHONS).write_bytes(b"")
    said = refused_in(folder, WITHOUT_SITE_PACKAGES)
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert said.startswith("ImportError: pyossl's extension module is not built for this Python (")
    assert f" {version}" in said.partition(")")[0]
    assert f"in {folder}/pyossl there is only {ANOTHER_PYTHONS}" in said
    assert "; install pyossl again, on this system and with this Python: pip install --force-reinstall " in said
    assert "OpenSSL is not the one" not in said


def test_a_compiled_module_of_a_newer_python_is_not_blamed_on_openssl(tmp_path: Path) -> None:
    folder = copy_of_the_package(tmp_path / "site")
    compiled(OF_A_NEWER_PYTHON, folder / "pyossl" / "_openssl.so")
    said = refused_in(folder)
    assert said.startswith("ImportError: pyossl's extension module was built for a newer Python than this one (")
    assert "PyUnstable_FunctionOfANewerPython" in said
    assert "pip install" in said


def test_a_compiled_module_that_the_loader_refuses_is_not_blamed_on_openssl(tmp_path: Path) -> None:
    folder = copy_of_the_package(tmp_path / "site")
    (folder / "pyossl" / "_openssl.so").write_bytes(b"")
    said = refused_in(folder)
    assert said.startswith("ImportError: pyossl's extension module cannot be loaded on this machine (")
    assert "pip install" in said


def test_a_libssl_that_is_gone_is_another_openssl(tmp_path: Path) -> None:
    folder = copy_of_the_package(tmp_path / "site")
    library = tmp_path / "libssl.so.99"
    compiled("int SSL_of_this_test(void) { return 1; }\n", library, "-Wl,-soname,libssl.so.99")
    compiled(
        "int SSL_of_this_test(void);\nvoid *PyInit__openssl(void) { return (void *)(long)SSL_of_this_test(); }\n",
        folder / "pyossl" / "_openssl.so",
        str(library),
    )
    library.unlink()
    said = refused_in(folder)
    assert said.startswith("ImportError: this system's OpenSSL is not the one that pyossl was built for (libssl.so.99")


# A compiled module for another C library

USES_ONE_FUNCTION = "int %s(void);\nvoid *PyInit__openssl(void) { return (void *)(long)%s(); }\n"


def test_a_module_that_was_built_for_musl_is_not_blamed_on_openssl(tmp_path: Path) -> None:
    folder = copy_of_the_package(tmp_path / "site")
    library = tmp_path / "libc.musl-x86_64.so.1"
    compiled("int function_of_musl(void) { return 1; }\n", library, f"-Wl,-soname,{library.name}")
    source = USES_ONE_FUNCTION % (("function_of_musl",) * 2)
    compiled(source, folder / "pyossl" / "_openssl.so", str(library))
    library.unlink()
    said = refused_in(folder)
    assert said.startswith(
        "ImportError: pyossl's extension module was built for musl, the C library of Alpine, which is not the one of "
        "this system (libc.musl-x86_64.so.1: "
    )
    assert "pip install" in said


@pytest.mark.skipif(sys.platform != "linux" or not os.confstr_names.get("CS_GNU_LIBC_VERSION"), reason="not glibc")
def test_a_module_that_needs_a_newer_glibc_names_its_version(tmp_path: Path) -> None:
    folder = copy_of_the_package(tmp_path / "site")
    library, versions = tmp_path / "libc.so.6", tmp_path / "versions"
    versions.write_text("GLIBC_2.999 { global: *; };\n")
    options = [f"-Wl,-soname,{library.name}", f"-Wl,--version-script={versions}"]
    compiled("int function_of_glibc(void) { return 1; }\n", library, *options)
    compiled(USES_ONE_FUNCTION % (("function_of_glibc",) * 2), folder / "pyossl" / "_openssl.so", str(library))
    said = refused_in(folder)
    assert said.startswith(
        "ImportError: pyossl's extension module was built for a newer C library than this system's, with GLIBC_2.999 ("
    )


@pytest.mark.parametrize(
    "said",
    [
        "Error loading shared library ld-linux-x86-64.so.2: No such file or directory (needed by /a/_openssl.abi3.so)",
        "Error relocating /a/pyossl/_openssl.abi3.so: __memcpy_chk: symbol not found",
    ],
)
def test_a_module_that_was_built_for_glibc_is_known_by_the_message_of_musl(said: str) -> None:
    error = import_failure.explained(ImportError(said))
    assert str(error).startswith(
        f"pyossl's extension module was built for glibc, which is not the C library of this system ({said}); "
    )


def test_a_function_that_the_c_library_lacks_is_not_blamed_on_openssl(tmp_path: Path) -> None:
    folder = copy_of_the_package(tmp_path / "site")
    compiled(USES_ONE_FUNCTION % (("function_of_another_system",) * 2), folder / "pyossl" / "_openssl.so")
    said = refused_in(folder)
    assert said.startswith("ImportError: pyossl's extension module cannot be loaded on this machine (")


@pytest.mark.parametrize("name", ["SSL_new", "d2i_X509", "PEM_read_bio_X509", "i2d_SSL_SESSION"])
def test_a_function_that_openssl_lacks_is_blamed_on_openssl(tmp_path: Path, name: str) -> None:
    folder = copy_of_the_package(tmp_path / "site")
    source = USES_ONE_FUNCTION % ((f"{name}_of_another_release",) * 2)
    compiled(source, folder / "pyossl" / "_openssl.so")
    assert refused_in(folder).startswith(
        "ImportError: this system's OpenSSL is not the one that pyossl was built for ("
    )


# cffi


def test_methods_in_c_that_are_not_built_are_said_to_be_so(installed: Path) -> None:
    """The binding alone can be imported; the first class that needs them cannot."""
    here = "import sys; sys.meta_path = [each for each in sys.meta_path if 'editable' not in repr(each)]; import pyossl"
    assert python("-c", f"{here}; pyossl.lib.SSL_new", cwd=installed).returncode == 0
    said = refusal(python("-c", f"{here}; pyossl.Connection", cwd=installed))
    assert said.startswith("ImportError: pyossl's extension module is not built (No module named 'pyossl._fast')")
    assert "pip install" in said


def test_methods_in_c_of_another_build_are_refused(installed: Path) -> None:
    source = "from pyossl import _fast, ffi, lib; _fast.use_calls({})"
    shutil.copy(str(sys.modules["pyossl._fast"].__file__), installed / "pyossl")
    assert python("-c", source.format("lib.pyossl_hot_calls_address()"), cwd=installed).returncode == 0
    other = source.format("int(ffi.cast('uintptr_t', kept := ffi.new('size_t[100]')))")
    said = refusal(python("-c", other, cwd=installed))
    assert said == "ImportError: pyossl._fast and pyossl._openssl come from different builds of pyossl"


def test_a_missing_cffi_is_named(installed: Path) -> None:
    said = refused_in(installed, WITHOUT_SITE_PACKAGES)
    assert said == (
        "ImportError: pyossl needs cffi, which cannot be imported (No module named '_cffi_backend'); "
        "install it: pip install cffi"
    )


def test_a_cffi_that_is_too_old_is_named(tmp_path: Path) -> None:
    folder = copy_of_the_package(tmp_path / "site")
    compiled(OF_A_NEWER_CFFI, folder / "pyossl" / "_openssl.so")
    said = refused_in(folder)
    assert said.startswith("ImportError: pyossl needs a newer cffi (")
    assert said.endswith("; upgrade it: pip install --upgrade cffi")
