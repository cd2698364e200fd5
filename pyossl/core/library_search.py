"""Finds the OpenSSL for a late-bound build, and remembers why it is that one.

A late-bound extension, as a wheel has it, links to no OpenSSL.  At import these candidates are tried in order, and the
first that is an OpenSSL which pyossl knows is used:

1. ``PYOSSL_LIBSSL``, an absolute path or a name for the dynamic linker.  If it is set, nothing else is tried.  It is
   ignored if Python ignores the environment (``-E``, ``-I``).
2. ``libssl.so.4``, ``libssl.so.3``, ``libssl.so.1.1``, where the dynamic linker finds them.  On macOS, which has no
   OpenSSL of its own, the folders of Homebrew and MacPorts.
3. The one that Python's own ``ssl`` module is linked to.

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
LONGEST_NAME = 200
"""A longer name is shortened in messages."""

passed_over: list[tuple[str, str]] = []
"""The candidates that were tried before the one in use: each name, and why it is not used."""

found_by = "pyossl is linked to it"
"""Why the library in use is that one."""


def find(ffi: Any, compiled: Any) -> Any:
    """Loads the library, and returns ``compiled``, cffi's ``lib``, without the names that this library does not have.

    Raises ``ImportError`` if there is no library that pyossl can use.
    """
    global found_by
    chosen = "" if sys.flags.ignore_environment else os.environ.get(VARIABLE, "")
    for candidate, reason in _chosen(chosen) if chosen else _candidates(ffi, compiled):
        if compiled.pyossl_load(os.fsencode(candidate), reason is _OF_PYTHON):
            found_by = reason
            return Lib(ffi, compiled)
        passed_over.append((_shown(os.fsencode(candidate)), _printable(ffi.string(compiled.pyossl_load_refusal()))))
    raise ImportError(_not_found(chosen))


_OF_PYTHON = "Python's own ssl module uses it"


def _chosen(chosen: str) -> Iterator[tuple[str, str]]:
    if "/" in chosen and not os.path.isabs(chosen):
        shown = _shown(os.fsencode(chosen))
        raise ImportError(f"{VARIABLE} is neither an absolute path nor the name of a library: {shown}")
    if os.path.isabs(chosen) and os.path.isdir(chosen):
        shown = _shown(os.fsencode(chosen))
        raise ImportError(f"{VARIABLE} is the path of a folder, and not of the libssl in it: {shown}")
    yield chosen, f"{VARIABLE} names it"


def _candidates(ffi: Any, compiled: Any) -> Iterator[tuple[str, str]]:
    if sys.platform == "darwin":
        for version in VERSIONS:
            for folder in MACOS_FOLDERS:
                path = f"{folder.format(version)}/libssl.{version}.dylib"
                if os.path.exists(path):
                    yield path, "it is the newest in the folders of Homebrew and MacPorts"
    else:
        for version in VERSIONS:
            yield f"libssl.so.{version}", "it is the newest that the dynamic linker finds"
    if path := _of_python(ffi, compiled):
        yield path, _OF_PYTHON


def _of_python(ffi: Any, compiled: Any) -> str | None:
    """The path of the libssl that Python's ``_ssl`` uses; None if it has none of its own."""
    try:
        import _ssl
    except ImportError:
        return None
    path = compiled.pyossl_libssl_of_python(os.fsencode(getattr(_ssl, "__file__", None) or ""))
    return None if path == ffi.NULL else os.fsdecode(ffi.string(path))


def _printable(encoded: bytes) -> str:
    """The text on one line, whatever bytes it contains."""
    text = encoded.decode("utf-8", "backslashreplace")
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def _shown(name: bytes) -> str:
    text = _printable(name)
    return text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME // 2]}...{text[-LONGEST_NAME // 2 :]}"


def _not_found(chosen: str) -> str:
    if chosen:
        name, reason = passed_over[-1]
        return f"{VARIABLE} names no library that pyossl can use: {name}: {reason}"
    tried = "; ".join(f"{name}: {reason}" for name, reason in passed_over)
    return f"no OpenSSL 1.1.1 or newer was found: install it, or set {VARIABLE} to the path of a libssl ({tried})"


class Lib(type(sys)):  # type: ignore[misc]  # the type of modules
    """``lib``: the names of ``compiled``, which is cffi's ``lib``, that the OpenSSL in use has.  ``ffi`` is cffi's too.

    A name is looked up at its first use, by the ``__getattr__`` that each object has in its dict, as a module can have
    one.  A ``__getattr__`` in the class would make every later use slower than cffi's ``lib``.
    """

    def __init__(self, ffi: Any, compiled: Any) -> None:
        super().__init__("pyossl.lib", "OpenSSL's functions and constants under their own names.")
        known = self.__dict__
        known["_compiled"] = compiled
        lacks = compiled.pyossl_lacks

        def look_up(name: str) -> Any:
            value = getattr(compiled, name)
            if reason := lacks(name.encode()):
                version = ffi.string(compiled.OpenSSL_version(compiled.OPENSSL_VERSION)).decode()
                raise AttributeError(f"{version} has no {name}: {ffi.string(reason).decode()}")
            known[name] = value
            return value

        known["__getattr__"] = look_up

    def __dir__(self) -> list[str]:
        compiled = self._compiled
        lacks = compiled.pyossl_lacks
        return [name for name in dir(compiled) if not lacks(name.encode())]

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"pyossl.lib.{name} cannot be set")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"pyossl.lib.{name} cannot be deleted")

    def __reduce_ex__(self, protocol: object) -> Any:
        raise TypeError("Lib objects cannot be copied or pickled: import pyossl.lib instead")

    def __repr__(self) -> str:
        return "<pyossl.lib: OpenSSL's functions and constants>"
