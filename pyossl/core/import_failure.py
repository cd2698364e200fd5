"""Explains why ``import pyossl`` has failed: what cannot be loaded, and how to repair it.

It is imported only after a failure.
"""

from __future__ import annotations

import os
import re
import sys
from importlib.machinery import EXTENSION_SUFFIXES, PathFinder
from pathlib import Path

PACKAGE = Path(sys.modules["pyossl"].__path__[0])
MODULES = ("_openssl", "_fast")
"""The compiled modules."""

# The messages of the dynamic loaders of glibc, musl and macOS, for a function that no loaded library has.
UNDEFINED = r"undefined symbol: |relocating .*: |flat namespace \(?'?|Symbol not found: "
PYTHON_FUNCTION = re.compile(rf"(?:{UNDEFINED})_*Py[A-Z]\w*")
OPENSSL_FUNCTION = r"_*(?:[A-Z]\w*_|[a-z]+2[a-z]+_)"
"""The names of OpenSSL's functions begin so; the C library's do not."""
OPENSSL = re.compile(rf"libssl|libcrypto|OPENSSL_\d|(?:{UNDEFINED}){OPENSSL_FUNCTION}")

# What the loader of one C library says of a module that was compiled for the other one, or for a newer one.
FOR_MUSL = re.compile(r"libc\.musl-")
FOR_GLIBC = re.compile(r"Error loading shared library (?:ld-linux|lib(?:c|m|dl|pthread)\.so\.\d)|Error relocating")
FOR_NEWER_GLIBC = re.compile(r"version [`'](GLIBC_[\d.]+)' not found \(required by ([^)]+)\)")

IN_SUBINTERPRETER = "does not support loading in subinterpreters"
"""What Python says of an extension that is imported in a subinterpreter with a GIL of its own."""

REINSTALL = "pip install --force-reinstall --no-cache-dir pyossl"
"""Without the cache, in which pip keeps the wheel that it once made from source for another Python or OpenSSL."""


def explained(error: ImportError) -> ImportError:
    """The error to raise in place of ``error``, which the import of the compiled module raised."""
    said = str(error)
    if IN_SUBINTERPRETER in said:
        return ImportError(
            "pyossl cannot be imported in an isolated subinterpreter, because the extension modules that cffi makes "
            f"cannot be loaded there ({said}); Python's own ssl works there"
        )
    if error.name == "_cffi_backend":
        return refused(f"pyossl needs cffi, which cannot be imported ({said})", "install it: pip install cffi")
    if "more recent version of cffi" in said:
        return refused(f"pyossl needs a newer cffi ({said})", "upgrade it: pip install --upgrade cffi")
    if isinstance(error, ModuleNotFoundError):
        if others := built_for_other_pythons():
            return refused(
                f"pyossl's extension module is not built for this Python ({this_python()}): "
                f"in {PACKAGE} there is only {', '.join(others)}, which was built for another Python"
            )
        return refused(f"pyossl's extension module is not built ({said})")
    if PYTHON_FUNCTION.search(said):
        return refused(
            f"pyossl's extension module was built for a newer Python than this one ({this_python()}; {said})"
        )
    if misfit := for_another_c_library(said):
        return refused(f"pyossl's extension module was built for {misfit} ({said})")
    if OPENSSL.search(said.replace(str(PACKAGE), "")):
        return refused(f"this system's OpenSSL is not the one that pyossl was built for ({said})")
    return refused(f"pyossl's extension module cannot be loaded on this machine ({said})")


def for_another_c_library(said: str) -> str:
    """Which C library the extension module needs, if the message ``said`` is about that; otherwise empty."""
    if FOR_MUSL.search(said):
        return "musl, the C library of Alpine, which is not the one of this system"
    if (newer := FOR_NEWER_GLIBC.search(said)) and Path(newer[2]).name.startswith(MODULES):
        return f"a newer C library than this system's, with {newer[1]}"
    if FOR_GLIBC.search(said) and not OPENSSL.search(said.replace(str(PACKAGE), "")):
        return "glibc, which is not the C library of this system"
    return ""


def refused(reason: str, remedy: str = "") -> ImportError:
    """The error that gives ``reason``, and then what to do: ``remedy``, or else a new installation of pyossl.

    In a source tree it is a build of that tree, or the import of the pyossl that is installed.
    """
    tree = PACKAGE.resolve().parent
    if not ((tree / "build_ffi.py").is_file() or (PACKAGE / "_c").is_dir()):
        again = f"install pyossl again, on this system and with this Python: {REINSTALL}"
        return ImportError(f"{reason}; {remedy or again}")
    build = f"build it: run pip install -e . in {tree}"
    installed = installed_elsewhere(tree)
    if installed is None:
        return ImportError(f"{reason}; this is the source tree in {tree}, and no other pyossl is installed; {build}")
    return ImportError(
        f"{reason}; this is the source tree in {tree}, which shadows the pyossl that is installed in {installed}; "
        f"to import the installed one, {way_past(tree)}; to use the source tree, {build}"
    )


def this_python() -> str:
    """The running Python, for example ``CPython 3.14, free-threaded``."""
    name = "CPython" if sys.implementation.name == "cpython" else sys.implementation.name
    suffix = ", free-threaded" if "t" in getattr(sys, "abiflags", "") else ""
    return f"{name} {sys.version_info.major}.{sys.version_info.minor}{suffix}"


def built_for_other_pythons() -> list[str]:
    """The file names of compiled modules that this Python does not look for."""
    looked_for = {f"{module}{suffix}" for module in MODULES for suffix in EXTENSION_SUFFIXES}
    return sorted({path.name for module in MODULES for path in PACKAGE.glob(f"{module}.*.so")} - looked_for)


def installed_elsewhere(tree: Path) -> Path | None:
    """The folder of the pyossl that Python would import if ``tree`` were not on its path."""
    entries = [entry for entry in sys.path if not is_folder(entry, tree)]
    for finder in sys.meta_path:
        find = getattr(finder, "find_spec", None)  # an editable install has a finder of its own
        spec = find and find("pyossl", entries if finder is PathFinder else None)
        if spec and spec.origin:
            folder = Path(spec.origin).resolve().parent
            if folder.parent != tree:
                return folder
    return None


def way_past(tree: Path) -> str:
    """How Python is made to import the installed pyossl and not the one in ``tree``."""
    variable = "" if sys.flags.ignore_environment else os.environ.get("PYTHONPATH", "")
    if variable and any(is_folder(entry, tree) for entry in variable.split(os.pathsep)):
        return f"remove {tree} from PYTHONPATH"
    return "run Python from another folder, or as python -P (Python 3.11 or newer)"


def is_folder(entry: str, folder: Path) -> bool:
    """Whether an entry of Python's path is this folder; an empty entry is the current one."""
    try:
        return os.path.samefile(entry or os.curdir, folder)
    except OSError:
        return False
