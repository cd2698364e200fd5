"""Arguments on their way to C: cffi's own refusals name neither the argument nor what it may be."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

_T = TypeVar("_T")

LARGEST_INT = 2**31 - 1


def integer(value: Any, what: str, least: int, most: int) -> int:
    """``value``, an ``int`` from ``least`` to ``most``; ``TypeError`` or ``ValueError`` for any other."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{what} is an int, not {type(value).__name__}")
    if not least <= value <= most:
        raise ValueError(f"{what} is {least} to {most}, not {value}")
    return int(value)


def flag(value: Any, what: str) -> bool:
    """``value``, True or False; ``TypeError`` for any other: None and 0 are no way to say what must be said."""
    if not isinstance(value, bool):
        raise TypeError(f"{what} is True or False, not {value!r}")
    return value


def function(value: Any, what: str) -> Callable[..., Any] | None:
    """``value``, something that can be called, or None; ``TypeError`` for any other."""
    if value is not None and not callable(value):
        raise TypeError(f"{what} is a function or None, not {type(value).__name__}")
    return value  # type: ignore[no-any-return]  # what is callable


def iterated(value: Iterable[_T], what: str) -> Iterable[_T]:
    """``value``, of which there can be several; ``TypeError`` for what cannot be iterated."""
    try:
        iter(value)
    except TypeError:
        raise TypeError(f"{what} cannot be of type {type(value).__name__}") from None
    return value


def c_text(value: bytes, what: str) -> bytes:
    """``value`` for a function that takes it up to a NUL; ``ValueError`` where that would cut it."""
    if b"\0" in value:
        raise ValueError(f"{what} cannot contain a NUL: {value!r}")
    return value


def instance(value: Any, kind: type[_T], what: str) -> _T:
    """``value``, of that kind; ``TypeError`` for any other."""
    if not isinstance(value, kind):
        raise TypeError(f"{what} is a {kind.__name__}, not {type(value).__name__}")
    return value


def instances(values: Iterable[_T], kind: type[_T], what: str) -> tuple[_T, ...]:
    """``values``, each of that kind; ``TypeError`` for any other."""
    return tuple(instance(value, kind, f"each of {what}") for value in iterated(values, what))
