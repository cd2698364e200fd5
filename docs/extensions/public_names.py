"""The public names of pyossl: those in ``__all__`` of each module, and their members."""

from __future__ import annotations

import functools
import importlib
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType
from typing import Any

import pyossl

FOLDER = Path(pyossl.__file__).parent
MANUAL_PAGE = re.compile(r"\b([A-Za-z]\w+)\(3\)")


def public_modules() -> list[str]:
    """The modules of pyossl that have ``__all__``."""
    return [
        ".".join(path.relative_to(FOLDER.parent).with_suffix("").parts).removesuffix(".__init__")
        for path in sorted(FOLDER.rglob("*.py"))
        if re.search("^__all__ = ", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]


@functools.cache
def public_names() -> dict[str, Any]:
    """The public classes and functions by the name that a program imports, and the classes of public objects."""
    seen: set[Any] = set()
    names: dict[str, Any] = {}
    for module_name in public_modules():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # as in pyOpenSSL, for some names
            module = importlib.import_module(module_name)
            found = {name: getattr(module, name) for name in module.__all__}
        for name, each in found.items():
            value = type(each) if type(each).__module__.startswith("pyossl.") else each
            is_own = str(getattr(value, "__module__", "")).startswith("pyossl")
            if is_own and isinstance(value, (type, FunctionType)) and value not in seen:
                seen.add(value)
                names[f"{module_name}.{name}"] = value
    return names


@functools.cache
def names_by_home() -> dict[str, str]:
    """The public name by the name of the place where the code is."""
    return {f"{value.__module__}.{value.__qualname__}": name for name, value in public_names().items()}


def members(kind: type) -> Iterator[tuple[str, Any, type]]:
    """The public members of a class that pyossl defines, each with the class that defines it."""
    for name in dir(kind):
        owner = next((each for each in kind.__mro__ if name in vars(each)), object)
        if not name.startswith("_") and owner.__module__.startswith("pyossl"):
            yield name, vars(owner)[name], owner
