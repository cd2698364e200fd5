"""Finds the OpenSSL for a late-bound build, and says why it is that one.

A late-bound extension, as a wheel has it, links to no OpenSSL.  At import these candidates are tried in order, and the
first that is an OpenSSL which pyossl knows is used:

1. ``PYOSSL_LIBSSL``, an absolute path or a name for the dynamic linker.  If it is set, nothing else is tried.  It is
   ignored if Python ignores the environment (``-E``, ``-I``).
2. ``libssl.so.4``, ``libssl.so.3``, ``libssl.so.1.1``, where the dynamic linker finds them.  On macOS, which has no
   OpenSSL of its own, the folders of Homebrew and MacPorts.
3. The one that Python's own ``ssl`` module uses.

An unversioned name is never tried: on macOS it is a library that ends the process.  The current folder is never
searched.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # as in typing, which takes longer to import than this module
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

VARIABLE = "PYOSSL_LIBSSL"
VERSIONS = ("4", "3", "1.1")
MACOS_FOLDERS = (
    "/opt/homebrew/opt/openssl@{}/lib",
    "/usr/local/opt/openssl@{}/lib",
    "/opt/local/libexec/openssl{}/lib",
)

passed_over: list[tuple[str, str]] = []
"""The candidates that were tried before the one in use: each name, and why it is not used."""

found_by = "linked"
"""Why the library in use was chosen."""


def find(ffi: Any, lib: Any) -> Any:
    """Loads the library, and returns ``lib`` without the names that this library does not have.

    Raises ``ImportError`` if there is no library that pyossl can use.
    """
    global found_by
    chosen = "" if sys.flags.ignore_environment else os.environ.get(VARIABLE, "")
    for candidate, reason in _chosen(chosen) if chosen else _candidates(ffi, lib):
        if lib.pyossl_load(os.fsencode(candidate), reason == "ssl"):
            found_by = _REASONS.get(reason, reason)
            return _Library(ffi, lib)
        name, refusal = os.fsencode(candidate), ffi.string(lib.pyossl_load_refusal())
        passed_over.append((_shortened(_printable(name)), _printable(refusal)))
    raise ImportError(_not_found(chosen))


_REASONS = {"ssl": "Python's own ssl module uses it"}


def _chosen(chosen: str) -> Iterator[tuple[str, str]]:
    if "/" in chosen and not os.path.isabs(chosen):
        shown = _shortened(_printable(os.fsencode(chosen)))
        raise ImportError(f"{VARIABLE} is neither an absolute path nor the name of a library: {shown}")
    yield chosen, f"{VARIABLE} names it"


def _printable(encoded: bytes) -> str:
    """The text on one line, whatever bytes it contains."""
    text = encoded.decode("utf-8", "backslashreplace")
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def _shortened(name: str) -> str:
    return name if len(name) <= 300 else f"{name[:200]}...{name[-100:]}"


def _candidates(ffi: Any, lib: Any) -> Iterator[tuple[str, str]]:
    if sys.platform == "darwin":
        for version in VERSIONS:
            for folder in MACOS_FOLDERS:
                path = f"{folder.format(version)}/libssl.{version}.dylib"
                if os.path.exists(path):
                    yield path, "it is the newest in the folders of Homebrew and MacPorts"
    else:
        for version in VERSIONS:
            yield f"libssl.so.{version}", "it is the newest that the dynamic linker finds"
    if path := _of_python(ffi, lib):
        yield path, "ssl"


def _of_python(ffi: Any, lib: Any) -> str | None:
    """The path of the libssl that Python's ``_ssl`` has loaded; None if it has none of its own."""
    try:
        import _ssl
    except ImportError:
        return None
    path = lib.pyossl_libssl_of_python(os.fsencode(getattr(_ssl, "__file__", None) or ""))
    return None if path == ffi.NULL else os.fsdecode(ffi.string(path))


def _not_found(chosen: str) -> str:
    tried = "; ".join(f"{name}: {reason}" for name, reason in passed_over)
    if chosen:
        return f"{VARIABLE} names no OpenSSL that pyossl can use: {tried}"
    return f"no OpenSSL 1.1.1 or newer was found: install it, or set {VARIABLE} to the path of a libssl ({tried})"


class _Library(type(sys)):  # type: ignore[misc]  # the type of modules, whose attributes are as fast as cffi's
    """``lib``: the names that the OpenSSL in use has.  A name is looked up at its first use."""

    def __init__(self, ffi: Any, compiled: Any) -> None:
        super().__init__("pyossl.lib", "OpenSSL's functions and constants, by their own names.")
        self.__dict__["_ffi"], self.__dict__["_compiled"] = ffi, compiled

    def __getattr__(self, name: str) -> Any:
        compiled = self._compiled
        value = getattr(compiled, name)
        if (lacks := compiled.pyossl_lacks(name.encode())) != self._ffi.NULL:
            version = self._ffi.string(compiled.OpenSSL_version(compiled.OPENSSL_VERSION)).decode()
            raise AttributeError(f"{version} has no {name}: {self._ffi.string(lacks).decode()}", name=name, obj=self)
        self.__dict__[name] = value
        return value

    def __dir__(self) -> list[str]:
        compiled, null = self._compiled, self._ffi.NULL
        return [name for name in dir(compiled) if compiled.pyossl_lacks(name.encode()) == null]
