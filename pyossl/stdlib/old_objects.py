"""What was made over the other ``_ssl`` before a swap, and goes on over it."""

from __future__ import annotations

import gc
import sys
import types
from _socket import SO_ACCEPTCONN, SOL_SOCKET, socket
from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

from pyossl.stdlib.frozen_objects import unfrozen
from pyossl.stdlib.references import LEFT_ALONE, attributes_of, dict_of

_STEPS = 16
"""The most references from a module to a context.  requests.Session() in a module is 9 away from its contexts."""
_MOST_OBJECTS = 5_000
"""The most objects from which the search goes on."""


class LeftBehind(NamedTuple):
    """Something that goes on over the original ``_ssl``."""

    what: str
    thing: object


LeftBehind.what.__doc__ = "What it is, for example ``a context (SSLContext), made before install()``."
LeftBehind.thing.__doc__ = "The context, connection or class."


def instances(kinds: tuple[type, ...]) -> list[Any]:
    """The objects of these types.  It asks ``type()`` alone: ``isinstance`` may run code of a proxy's."""
    with unfrozen():
        return [each for each in gc.get_objects() if issubclass(type(each), kinds)]


def made_with(names: dict[str, Any]) -> list[LeftBehind]:
    """The contexts, connections and classes that were made with these names of ``ssl``."""
    context, tls_socket, tls_object = names["SSLContext"], names["SSLSocket"], names["SSLObject"]
    found = [LeftBehind(_described(each, names), each) for each in instances((names["_ssl"]._SSLContext,))]
    found += [LeftBehind(_described(each, names), each) for each in instances((tls_socket, tls_object))]
    for base in (context, tls_socket, tls_object):
        found += [
            LeftBehind(
                f"the class {each.__module__}.{each.__qualname__}, derived from the original {base.__name__}", each
            )
            for each in _subclasses(base)
        ]
    return found


def _described(thing: Any, names: dict[str, Any]) -> str:
    if isinstance(thing, names["_ssl"]._SSLContext):
        kind = "a context"
    elif is_listening(thing):
        kind = "a listening socket"
    else:
        kind = "a connection"
    return f"{kind} ({type(thing).__qualname__}), made before install()"


def _subclasses(base: type) -> Iterator[type]:
    derived: list[type] = type.__subclasses__(base)
    for each in derived:
        yield each
        yield from _subclasses(each)


def is_listening(thing: object) -> bool:
    """Whether this is a socket that accepts new connections."""
    if not isinstance(thing, socket):
        return False
    try:
        return bool(socket.getsockopt(thing, SOL_SOCKET, SO_ACCEPTCONN))
    except OSError:
        return False


def contexts_in_modules(names: dict[str, Any]) -> list[str]:
    """Where modules hold contexts that were made with these names, for example ``requests.adapters._context``.

    A context that is reachable from a module is one that new connections use.  The context of a connection is not: it
    is held by that connection alone, unless the connection is a listening socket.
    """
    with unfrozen():
        contexts = instances((names["_ssl"]._SSLContext,))
        if not contexts:
            return []
        return sorted(_Search(names).paths(contexts))


class _Search:
    """Goes from contexts back to the modules that hold them, by the garbage collector's list of what refers to what."""

    def __init__(self, names: dict[str, Any]) -> None:
        self._connections = (names["SSLSocket"], names["SSLObject"], names["_ssl"]._SSLSocket)
        self._module_names = {
            id(vars(module)): name for name, module in list(sys.modules.items()) if isinstance(module, types.ModuleType)
        }
        self._holds: dict[int, object] = {}
        """What each object that was found holds on the way to a context."""

    def paths(self, contexts: list[Any]) -> set[str]:
        found = set()
        seen = {id(each): each for each in contexts}
        level: list[Any] = contexts
        for _ in range(_STEPS):
            following: list[Any] = []
            ours = {id(each) for each in (level, following, contexts, seen, self._holds, vars(self))}
            level_ids = {id(each) for each in level}
            for holder in gc.get_referrers(*level):
                if id(holder) in seen or id(holder) in ours or not self._is_followed(holder):
                    continue
                parts = [part for part in gc.get_referents(holder) if id(part) in level_ids]
                if not parts:
                    continue
                seen[id(holder)] = holder
                self._holds[id(holder)] = parts[0]
                if (start := self._start(holder)) is None:
                    following.append(holder)
                    continue
                for part in parts:  # a module can hold several contexts
                    self._holds[id(holder)] = part
                    found.add(start + self._path(holder))
            if not following or len(seen) > _MOST_OBJECTS:
                break
            level = following
        return found

    def _start(self, holder: Any) -> str | None:
        """How a path from this object begins, if it is the dict of a module, or a class."""
        if id(holder) in self._module_names:
            return self._module_names[id(holder)]
        return f"{holder.__module__}.{holder.__qualname__}" if isinstance(holder, type) else None

    def _is_followed(self, holder: Any) -> bool:
        kind = type(holder)
        if issubclass(kind, self._connections):
            return is_listening(holder)
        if issubclass(kind, LEFT_ALONE):
            return False
        # One connection of an event loop's, as asyncio and uvloop name it.
        return kind.__name__ != "SSLProtocol"

    def _path(self, holder: Any) -> str:
        """How a program would write the way from a module's dict, or from a class, to the context."""
        parts = []
        is_attributes = True
        while id(holder) in self._holds:
            held = self._holds[id(holder)]
            is_default = isinstance(holder, types.FunctionType) and isinstance(held, tuple)
            parts.append("()" if is_default else _step(holder, held, is_attributes))
            if is_default:
                held = self._holds[id(held)]
            is_attributes = isinstance(holder, type) or dict_of(holder) is held
            holder = held
        return "".join(parts)


def _step(holder: Any, held: object, is_attributes: bool) -> str:
    if isinstance(holder, dict):
        key = next((key for key, value in list(holder.items()) if value is held), None)
        if is_attributes and isinstance(key, str):
            return f".{key}"
        shown = repr(key) if isinstance(key, (str, int, bytes)) else "..."
        return f"[{shown}]"
    if isinstance(holder, (list, tuple, deque)):
        return f"[{next((n for n, value in enumerate(list(holder)) if value is held), 0)}]"
    if isinstance(holder, (type, types.CellType)) or dict_of(holder) is held:
        return ""  # the next step gives the name
    if isinstance(holder, types.FunctionType):
        return "()"
    return next((f".{name}" for name, value in attributes_of(holder) if value is held), "")
