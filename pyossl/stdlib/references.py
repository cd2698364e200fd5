"""Finds what the rest of the process holds of ``ssl``, and replaces it.

``from ssl import SSLContext`` leaves a reference in another module, and a swap of the names in ``ssl`` does not reach
it.  Neither does it reach tuples for ``isinstance``, lists, sets, dicts, default arguments, attributes of classes and
of instances, or closures.  The garbage collector knows every container that refers to an object, so it is asked.

``find`` changes nothing.  It returns the changes, each of which can be made and undone.  What cannot be changed in
place, a tuple for example, is made again, and what refers to it is changed in turn.

What stays as it is: the old classes themselves, with their methods and instances; classes derived from them, which go
on over what they are derived from; the local variables of running functions; what C code holds.
"""

from __future__ import annotations

import functools
import gc
import operator
import types
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from pyossl.stdlib.frozen_objects import unfrozen

_LEVELS = 4
"""How many tuples may be inside of one another."""
LEFT_ALONE = (
    types.FrameType,
    types.GeneratorType,
    types.CoroutineType,
    types.AsyncGeneratorType,
    types.TracebackType,
    types.ModuleType,
)
"""What runs, and modules: their dicts are looked into."""


class Change(NamedTuple):
    """One reference that is replaced."""

    make: Callable[[], None]
    undo: Callable[[], None]


class References:
    """The references to some objects, each of which has a replacement."""

    def __init__(self, replacements: Iterable[tuple[object, object]], keep: Iterable[object]) -> None:
        """``keep`` is what stays as it is: containers, functions and classes that refer to the old objects."""
        self._numbers: dict[int, int] = {}
        """The id of each old object, and where it and its replacement are in the two lists."""
        self._old: list[object] = []
        self._new: list[object] = []
        for old, new in replacements:
            self._replace(old, new)
        self._kept = {id(each): each for each in keep}
        self._class_of_dict: dict[int, type] = {}
        self._changes: list[Change] = []

    def find(self) -> list[Change]:
        """The changes that replace every reference that can be replaced."""
        with unfrozen():
            self._find()
        return self._changes

    def _find(self) -> None:
        for each in gc.get_objects():
            if isinstance(each, type):
                for part in gc.get_referents(each):
                    if type(part) is dict:
                        self._class_of_dict[id(part)] = each
        kept_classes = tuple(each for each in self._kept.values() if isinstance(each, type))
        targets = self._old.copy()
        holders: dict[int, object] = {}
        # What this search makes refers to the old objects too. It is left out here, and the changes, which consist of
        # many objects, are made only when the collector is not asked any more.
        own = {id(each) for each in (self._old, self._new, self._kept, holders)}
        for _ in range(_LEVELS):
            made_again = []
            for holder in gc.get_referrers(*targets):
                if holder is targets or id(holder) in own or id(holder) in self._kept:
                    continue
                if isinstance(holder, LEFT_ALONE):
                    continue
                owner = self._class_of_dict.get(id(holder), type(holder))
                if issubclass(owner, kept_classes):
                    continue
                if (again := self._made_again(holder)) is None:
                    holders[id(holder)] = holder
                elif not self._is_old(holder):
                    self._replace(holder, again)
                    made_again.append(holder)
            if not made_again:
                break
            targets = made_again
        for holder in holders.values():
            self._look_into(holder)

    def _replace(self, old: object, new: object) -> None:
        self._numbers[id(old)] = len(self._old)
        self._old.append(old)
        self._new.append(new)

    def _is_old(self, value: object) -> bool:
        return id(value) in self._numbers

    def _replacement(self, value: Any) -> Any:
        number = self._numbers.get(id(value))
        return value if number is None else self._new[number]

    def _made_again(self, holder: Any) -> object | None:
        """A copy of an immutable object with the new objects in it; None for any other kind of object."""
        if isinstance(holder, tuple):
            again: object = tuple.__new__(type(holder), map(self._replacement, holder))
        elif type(holder) is frozenset:
            again = frozenset(map(self._replacement, holder))
        elif isinstance(holder, types.UnionType):
            again = functools.reduce(operator.or_, map(self._replacement, holder.__args__))
        elif type(holder) is super:
            again = self._super_again(holder)
        else:
            again = None
        return again

    def _super_again(self, holder: Any) -> object | None:
        """A ``super(SSLContext, SSLContext)`` that was kept: truststore's.  None if it is of an old object."""
        of, bound = super.__getattribute__(holder, "__thisclass__"), super.__getattribute__(holder, "__self__")
        new_of, new_bound = self._replacement(of), self._replacement(bound)
        try:
            return super(new_of, new_bound)
        except TypeError:
            return None

    def _look_into(self, holder: Any) -> None:
        if isinstance(holder, dict):
            self._look_into_dict(holder)
        elif isinstance(holder, (list, deque)):
            for n, value in enumerate(list(holder)):
                if self._is_old(value):
                    self._add(holder, n, value, _at, _put_at)
        elif isinstance(holder, set):
            for value in [each for each in holder if self._is_old(each)]:
                self._add_member(holder, value, self._replacement(value))
        elif isinstance(holder, types.CellType):
            self._add(holder, "cell_contents", holder.cell_contents, getattr, setattr)
        elif isinstance(holder, types.FunctionType):
            if self._is_old(holder.__defaults__):
                self._add(holder, "__defaults__", holder.__defaults__, getattr, setattr)
        elif isinstance(holder, functools.partial):
            self._look_into_partial(holder)
        elif not isinstance(holder, type):
            self._look_into_instance(holder)

    def _look_into_dict(self, holder: dict[Any, Any]) -> None:
        owner = self._class_of_dict.get(id(holder))
        for key, value in list(holder.items()):
            if self._is_old(value):
                if owner is None:
                    self._add(holder, key, value, _item, dict.__setitem__)
                elif isinstance(key, str) and not key.startswith("__"):
                    self._add(owner, key, value, _of_class, setattr)
            if self._is_old(key) and owner is None:
                self._add_key(holder, key, self._replacement(key))

    def _look_into_partial(self, holder: functools.partial[Any]) -> None:
        reduced: Any = holder.__reduce__()  # the class, its arguments, and the state
        old = reduced[2]
        function, arguments, named, attributes = old
        new = self._replacement(function), tuple(map(self._replacement, arguments)), named, attributes
        setstate: Any = holder.__setstate__  # type: ignore[attr-defined]  # what pickle uses
        self._changes.append(Change(lambda: setstate(new), lambda: setstate(old)))

    def _look_into_instance(self, holder: Any) -> None:
        if type(holder).__module__ == "typing":
            return  # an annotation, which is a key in typing's caches
        for space_name, value in attributes_of(holder):
            if self._is_old(value):
                self._add(holder, space_name, value, object.__getattribute__, object.__setattr__)

    def _add(
        self,
        holder: Any,
        key: Any,
        old: object,
        get: Callable[[Any, Any], object],
        put: Callable[[Any, Any, Any], object],
    ) -> None:
        """Adds a change that is made only if the place still holds the old object."""
        new = self._replacement(old)

        def exchange(present: object, next_one: object) -> None:
            try:
                if get(holder, key) is present:
                    put(holder, key, next_one)
            except (AttributeError, LookupError, TypeError, ValueError):
                pass  # it is gone since, or it cannot be changed: an attribute of a type in C

        self._changes.append(Change(lambda: exchange(old, new), lambda: exchange(new, old)))

    def _add_member(self, holder: set[Any], old: object, new: object) -> None:
        def exchange(present: object, next_one: object) -> None:
            if present in holder:
                holder.discard(present)
                holder.add(next_one)

        self._changes.append(Change(lambda: exchange(old, new), lambda: exchange(new, old)))

    def _add_key(self, holder: dict[Any, Any], old: object, new: object) -> None:
        def exchange(present: object, next_one: object) -> None:
            if present in holder and next_one not in holder:
                dict.__setitem__(holder, next_one, holder.pop(present))

        self._changes.append(Change(lambda: exchange(old, new), lambda: exchange(new, old)))


def _item(holder: Any, key: Any) -> object:
    return dict.get(holder, key)


def _at(holder: Any, n: int) -> object:
    return holder[n]


def _put_at(holder: Any, n: int, value: object) -> None:
    holder[n] = value


def _of_class(owner: type, name: str) -> object:
    return vars(owner).get(name)


def attributes_of(holder: Any) -> Iterator[tuple[str, object]]:
    """The attributes of an instance: those in its dict, and those in slots."""
    space = dict_of(holder)
    if isinstance(space, dict):
        yield from list(space.items())
    for owner in type(holder).__mro__:
        for name, slot in list(vars(owner).items()):
            if isinstance(slot, types.MemberDescriptorType):
                try:
                    yield name, slot.__get__(holder)
                except Exception:
                    continue


def dict_of(holder: object) -> object:
    """The ``__dict__`` of an instance; None if it has none.

    A proxy may have a property of this name, which runs code of the program's: only Python's own descriptors are asked.
    """
    for owner in type(holder).__mro__:
        descriptor = vars(owner).get("__dict__")
        if isinstance(descriptor, (types.GetSetDescriptorType, types.MemberDescriptorType)):
            try:
                return descriptor.__get__(holder)
            except Exception:
                return None
    return None
