"""``help()`` of every public name is enough to use it.  The names are found: those in ``__all__`` of each module."""

from __future__ import annotations

import enum
import importlib
import inspect
import re
from collections.abc import Iterator
from types import MethodDescriptorType
from typing import Any

import pytest
from public_names import members, public_modules, public_names

OWN_USE = {
    "pyossl.aio.Transport.wakes_at_once": "a mark for pyossl's own reader",
}
"""The attributes of public classes that no program uses, and why they are there."""


NAMES = public_names()
CLASSES = {name: value for name, value in NAMES.items() if isinstance(value, type)}
FUNCTIONS = {name: value for name, value in NAMES.items() if not isinstance(value, type)}


def is_plain(member: Any) -> bool:
    """Whether a member of a class is a value, and has the docstring of the value's class."""
    return not (callable(member) or isinstance(member, (classmethod, staticmethod)) or inspect.isdatadescriptor(member))


def each_member() -> Iterator[tuple[str, Any, type]]:
    """The public members of the public classes, from the base classes in pyossl too, with the class of the name."""
    seen = set()
    for name, kind in CLASSES.items():
        for attribute, member, owner in members(kind):
            if (owner, attribute) not in seen:
                seen.add((owner, attribute))
                yield f"{name}.{attribute}", member, kind


MEMBERS = {name: member for name, member, _ in each_member() if not is_plain(member)}
VALUES = {name: kind for name, member, kind in each_member() if is_plain(member)}


def holds_constants(kind: type) -> bool:
    """Whether a class has constants alone.  No program makes an object of it."""
    own = [member for name, member in vars(kind).items() if not name.startswith("_")]
    # A typed attribute of anyio's is a plain object.
    constants = all(isinstance(member, int) or type(member) is object for member in own)
    return issubclass(kind, enum.Enum) or (bool(own) and constants)


def unnamed(function: Any, doc: str) -> list[str]:
    """The parameters that ``doc`` does not name."""
    parameters = [each for each in inspect.signature(function).parameters if each not in ("self", "cls")]
    return [each for each in parameters if not re.search(rf"``[^`]*\b{each}\b[^`]*``", doc)]


def test_every_room_is_found() -> None:
    found = set(public_modules())
    assert {"pyossl", "pyossl.aio", "pyossl.trio", "pyossl.anyio", "pyossl.greenlets", "pyossl.errors"} <= found
    assert {"pyossl.pyopenssl", "pyossl.pyopenssl.SSL", "pyossl.pyopenssl.crypto", "pyossl.tls.system_openssl"} <= found


@pytest.mark.parametrize("room", public_modules())
def test_every_module_with_public_names_says_what_it_has(room: str) -> None:
    assert (importlib.import_module(room).__doc__ or "").partition("\n")[0].endswith((".", ":"))


@pytest.mark.parametrize("name", [*NAMES, *MEMBERS])
def test_every_public_name_has_a_docstring_that_begins_with_a_sentence(name: str) -> None:
    documented = NAMES.get(name, MEMBERS.get(name))
    doc = inspect.getdoc(getattr(documented, "__func__", documented)) or ""
    assert doc
    assert not doc.startswith("Alias for field number"), "namedtuple's own docstring"
    assert not doc.startswith(f"{name.rpartition('.')[2]}("), "namedtuple's own docstring"
    beginning = doc.partition("\n\n")[0]
    assert " " in beginning
    assert re.search(r"[.:)]$", beginning), beginning


@pytest.mark.parametrize("name", [*FUNCTIONS, *MEMBERS])
def test_the_docstring_of_a_function_or_method_names_every_parameter(name: str) -> None:
    documented = FUNCTIONS.get(name, MEMBERS.get(name))
    function = getattr(documented, "__func__", documented)
    if inspect.isfunction(function) or isinstance(function, MethodDescriptorType):  # the last: in C
        assert unnamed(function, inspect.getdoc(function) or "") == []


@pytest.mark.parametrize("name", CLASSES)
def test_the_docstring_of_a_class_or_its_constructor_names_every_parameter(name: str) -> None:
    kind = CLASSES[name]
    constructor = inspect.getattr_static(kind, "__init__")
    if inspect.isfunction(constructor) and constructor.__module__.startswith("pyossl"):
        assert unnamed(constructor, f"{kind.__doc__} {inspect.getdoc(constructor)}") == []


@pytest.mark.parametrize("name", [name for name in VALUES if name not in OWN_USE])
def test_the_docstring_of_a_class_names_its_plain_attributes(name: str) -> None:
    kind = VALUES[name]
    assert holds_constants(kind) or re.search(rf"\b{name.rpartition('.')[2]}\b", kind.__doc__ or "")


@pytest.mark.parametrize("name", CLASSES)
def test_the_docstring_of_a_class_or_its_constructor_names_the_public_attributes_of_its_objects(name: str) -> None:
    kind = CLASSES[name]
    owners = [each for each in kind.__mro__ if each.__module__.startswith("pyossl")]
    classes = " ".join(str(each.__doc__) for each in owners)
    for owner in owners:
        constructor = vars(owner).get("__init__")
        if constructor is not None:
            doc = f"{classes} {inspect.getdoc(constructor)}"
            attributes = re.findall(r"^ +self\.([a-z]\w*)(?:: [^=]+)? = ", inspect.getsource(constructor), re.MULTILINE)
            assert [each for each in attributes if not hasattr(kind, each) and each not in doc] == []


@pytest.mark.parametrize("name", [name for name, kind in CLASSES.items() if not holds_constants(kind)])
def test_every_public_class_has_a_repr_of_its_own(name: str) -> None:
    assert inspect.getattr_static(CLASSES[name], "__repr__") is not object.__repr__
