"""The names of the original's classes and functions, which ours have once ``install()`` has been called.

Programs look for ``OpenSSL`` in ``type(context).__module__``, in the text of a type and in tracebacks, and pickle
exceptions by these names.  Before ``install()`` nobody can import what is called so, or it is the original's:
until then a class has the name of the module that it is in.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any

_ROOM = __name__.rpartition(".")[0]
_ORIGINAL = "OpenSSL"
_OF_SSL = ("SSL", "negotiated", "connections", "contexts", "failures", "numbers", "sessions")
_OF_CRYPTO = ("crypto", "below", "certificates", "keys", "stores")
_HOMES = {
    **{f"{_ROOM}.{name}": f"{_ORIGINAL}.SSL" for name in _OF_SSL},
    **{f"{_ROOM}.{name}": f"{_ORIGINAL}.crypto" for name in _OF_CRYPTO},
    **{f"{_ROOM}.{name}": f"{_ORIGINAL}.{name}" for name in ("_util", "debug", "rand", "version")},
}
_RENAMED = {"write_private_key": "dump_privatekey"}


def take_names(original: str, module: ModuleType) -> None:
    """Calls ``module`` ``original``, such as ``OpenSSL.SSL``, and its classes and functions as the original does."""
    for value in {part for each in vars(module).values() for part in _parts(each)}:
        value.__module__ = _HOMES[value.__module__]
        if (name := _RENAMED.get(value.__name__)) is not None:
            value.__name__ = value.__qualname__ = name
    module.__name__ = original


def _parts(value: Any) -> Iterator[Any]:
    """``value`` and what is in it, where it is a class or a function of ours that has not got its name yet."""
    if isinstance(value, property):
        for each in (value.fget, value.fset):
            yield from _parts(each)
    value = getattr(value, "__func__", value)  # of a class method or a static one
    if not isinstance(value, (type, FunctionType)) or value.__module__ not in _HOMES:
        return
    yield value
    if isinstance(value, type):
        for member in [*value.__mro__[1:], *vars(value).values()]:
            yield from _parts(member)
