"""What ``ssl.py`` defines over one ``_ssl``, so that two such sets can take turns in the one module ``ssl``.

Python's own ``ssl.py`` is one file of classes and functions over the module ``_ssl``.  For a swap there are two sets of
them: over the original ``_ssl``, and over pyossl's.  The module object ``ssl`` stays the same, because other modules
hold it; its names are those of one set, which is *attached*.

A Python function looks up names in the namespace in which it was made, at each call.  If the names of ``ssl`` were just
replaced, the methods of an old context would use the new classes: ``super(SSLContext, SSLContext)`` would raise
``TypeError``.  So each function of a set exists twice, with the same code:

- attached: its globals are the dict of the module ``ssl``, as Python makes it.  A program that replaces a name of
  ``ssl`` changes what these functions use.
- detached: its globals are a dict of the set's own.  The methods of the set's classes are these while the other set is
  attached, and so its contexts and connections go on over their own ``_ssl``.

``executed`` makes a set without touching the module: everything can fail there, and nothing has changed.
"""

from __future__ import annotations

import builtins
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

_EXECUTING = "pyossl.stdlib.executing_ssl"
"""The name of the module while ``ssl.py`` is executed in it: enum._convert_ looks the module up by its name."""


class Method(NamedTuple):
    """A function in a class of ``ssl.py``, or a property, class method or static method, in both forms."""

    owner: type
    name: str
    attached: Any
    detached: Any


class Namespace:
    """The names, classes and functions of ``ssl.py`` over one ``_ssl``."""

    def __init__(self, ssl_c: types.ModuleType, names: dict[str, Any], detached: dict[str, Any]) -> None:
        self.ssl_c = ssl_c
        """The module ``_ssl`` of this set."""
        self.names = names
        """The names of the module ``ssl`` while this set is attached."""
        self.detached = detached
        """The globals of the functions while it is not."""
        self.methods: list[Method] = []

    def attach(self) -> None:
        """The methods look names up in the module ``ssl``."""
        for method in self.methods:
            setattr(method.owner, method.name, method.attached)

    def detach(self) -> None:
        """The methods look names up in a dict of their own."""
        for method in self.methods:
            setattr(method.owner, method.name, method.detached)

    def classes(self) -> list[type]:
        """The classes that ``ssl.py`` defines."""
        return [value for value in self.names.values() if is_class_of_ssl(value)]


def is_class_of_ssl(value: object) -> bool:
    """Whether this is a class that ``ssl.py`` defines."""
    # "<unknown>" is the module of Purpose in Python 3.10, as of every enumeration whose members cannot be pickled.
    return isinstance(value, type) and value.__module__ in ("ssl", "<unknown>")


def attached_now(ssl: types.ModuleType) -> Namespace:
    """The set whose names the module has now.  Its functions are in the attached form; the other form is made."""
    names, space = dict(vars(ssl)), vars(ssl)
    detached = dict(names)
    result = Namespace(names["_ssl"], names, detached)
    for name, value in names.items():
        if isinstance(value, types.FunctionType) and value.__globals__ is space:
            detached[name] = _with_globals(value, detached)
    for owner, name, value in _methods(result.classes(), space):
        result.methods.append(Method(owner, name, value, _retargeted(value, space, detached)))
    return result


def executed(
    ssl: types.ModuleType, ssl_c: types.ModuleType, finish: Callable[[dict[str, Any]], object] = lambda names: None
) -> Namespace:
    """Executes ``ssl.py`` over ``ssl_c``, beside the module ``ssl``, which stays as it is.

    ``finish`` is called with the names, and may change the classes, before the attached form is made.
    """
    spec = ssl.__spec__
    loader: Any = None if spec is None else spec.loader
    if loader is None or (code := loader.get_code("ssl")) is None:
        raise ImportError("the code of Python's own ssl.py cannot be found")
    module = types.ModuleType(_EXECUTING)
    detached = vars(module)
    for name in ("__doc__", "__file__", "__loader__", "__package__", "__spec__", "__cached__", "__path__"):
        if name in vars(ssl):
            detached[name] = vars(ssl)[name]
    detached["__builtins__"] = {**vars(builtins), "__import__": _import_with(ssl_c)}
    sys.modules[_EXECUTING] = module
    try:
        exec(code, detached)
    finally:
        del sys.modules[_EXECUTING]
    detached["__builtins__"] = vars(builtins)
    detached["__name__"] = "ssl"
    for value in detached.values():
        _say_it_is_of_ssl(value)
    finish(detached)
    return _with_attached_form(ssl, ssl_c, detached)


def _with_attached_form(ssl: types.ModuleType, ssl_c: types.ModuleType, detached: dict[str, Any]) -> Namespace:
    space, names = vars(ssl), dict(detached)
    result = Namespace(ssl_c, names, detached)
    for name, value in detached.items():
        if isinstance(value, types.FunctionType) and value.__globals__ is detached:
            names[name] = _with_globals(value, space)
    # ssl.py gives some functions two names.
    forms = {id(value): names[name] for name, value in detached.items() if getattr(value, "__name__", None) == name}
    names.update({name: forms[id(value)] for name, value in detached.items() if id(value) in forms})
    for owner, name, value in _methods(result.classes(), detached):
        result.methods.append(Method(owner, name, _retargeted(value, detached, space), value))
    return result


def _import_with(ssl_c: types.ModuleType) -> Callable[..., Any]:
    original = builtins.__import__

    def import_(name: str, *arguments: Any, **named: Any) -> Any:
        return ssl_c if name == "_ssl" else original(name, *arguments, **named)

    return import_


def _say_it_is_of_ssl(value: Any) -> None:
    if getattr(value, "__module__", None) != _EXECUTING or not isinstance(value, (type, types.FunctionType)):
        return
    value.__module__ = "ssl"
    if isinstance(value, type):
        for thing in vars(value).values():
            for function in functions_of(thing):
                if function.__module__ == _EXECUTING:
                    function.__module__ = "ssl"


def functions_of(thing: object) -> list[types.FunctionType]:
    """The Python functions in an entry of a class: the function itself, or those of a property or class method."""
    if isinstance(thing, property):
        parts: list[object] = [thing.fget, thing.fset, thing.fdel]
    else:
        parts = [thing.__func__ if isinstance(thing, (classmethod, staticmethod)) else thing]
    return [part for part in parts if isinstance(part, types.FunctionType)]


def _methods(classes: list[type], space: dict[str, Any]) -> Iterator[tuple[type, str, Any]]:
    for owner in classes:
        for name, thing in list(vars(owner).items()):
            if any(function.__globals__ is space for function in functions_of(thing)):
                yield owner, name, thing


def _retargeted(thing: Any, old: dict[str, Any], new: dict[str, Any]) -> Any:
    """The same entry of a class; its functions that look names up in ``old`` look them up in ``new``."""

    def moved(part: Any) -> Any:
        is_ours = isinstance(part, types.FunctionType) and part.__globals__ is old
        return _with_globals(part, new) if is_ours else part

    if isinstance(thing, property):
        return property(moved(thing.fget), moved(thing.fset), moved(thing.fdel), thing.__doc__)
    if isinstance(thing, (classmethod, staticmethod)):
        return type(thing)(moved(thing.__func__))
    return moved(thing)


def _with_globals(function: types.FunctionType, space: dict[str, Any]) -> types.FunctionType:
    """A copy of the function that looks names up in ``space``."""
    copy = types.FunctionType(function.__code__, space, function.__name__, function.__defaults__, function.__closure__)
    copy.__kwdefaults__ = function.__kwdefaults__
    copy.__qualname__, copy.__doc__, copy.__module__ = function.__qualname__, function.__doc__, function.__module__
    vars(copy).update(vars(function))
    return copy
