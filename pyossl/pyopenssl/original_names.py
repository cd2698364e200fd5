"""Gives the classes and functions of this package the names that they have in pyOpenSSL, when ``install()`` is called.

Programs look for ``OpenSSL`` in ``type(context).__module__``, in the text of a type and in tracebacks, and they pickle
exceptions by these names.  Before ``install()`` a class has the name of the file that it is in: a pickle with the
original's name could not be loaded, or the original would load it.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any

_PACKAGE = __name__.rpartition(".")[0]
_ORIGINAL = "OpenSSL"
_FILES_OF_SSL = (
    "SSL",
    "connection_io",
    "connection_settings",
    "constants",
    "context_and_connection",
    "context_settings",
    "exceptions",
    "negotiated",
    "sessions",
)
_FILES_OF_CRYPTO = ("crypto", "certificates", "keys", "private_functions", "stores")
_MODULES = {
    **{f"{_PACKAGE}.{name}": f"{_ORIGINAL}.SSL" for name in _FILES_OF_SSL},
    **{f"{_PACKAGE}.{name}": f"{_ORIGINAL}.crypto" for name in _FILES_OF_CRYPTO},
    **{f"{_PACKAGE}.{name}": f"{_ORIGINAL}.{name}" for name in ("_util", "debug", "rand", "version")},
}
_FUNCTIONS = {"write_private_key": "dump_privatekey"}
_CLASSES = {
    "ConnectionIO": "Connection",
    "ConnectionSettings": "Connection",
    "ContextSettings": "Context",
    "Negotiated": "Connection",
}
"""The classes that the original does not have, and the class that has their methods there."""


def give_original_names(original: str, module: ModuleType) -> None:
    """Renames ``module``, for example to ``OpenSSL.SSL``, and gives its classes and functions their original names."""
    for value in {part for each in vars(module).values() for part in _parts(each)}:
        value.__module__ = _MODULES[value.__module__]
        if (name := _FUNCTIONS.get(value.__name__)) is not None:
            value.__name__ = value.__qualname__ = name
        owner, dot, method = value.__qualname__.partition(".")
        if dot and owner in _CLASSES:
            value.__qualname__ = f"{_CLASSES[owner]}.{method}"
    module.__name__ = original


def _parts(value: Any) -> Iterator[Any]:
    """``value``, if it is a class or function of this package that has no original name yet, and its members."""
    if isinstance(value, property):
        for each in (value.fget, value.fset):
            yield from _parts(each)
    value = getattr(value, "__func__", value)  # the function in a class method or a static method
    if not isinstance(value, (type, FunctionType)) or value.__module__ not in _MODULES:
        return
    yield value
    if isinstance(value, type):
        for member in [*value.__mro__[1:], *vars(value).values()]:
            yield from _parts(member)
