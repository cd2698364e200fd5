"""Arguments on their way to C: cffi's own refusals name neither the argument nor what it may be.

Each kind of argument has one function here.  It returns the value in the form that C takes, and raises ``TypeError``
or ``ValueError`` in a sentence that names the argument.
"""

from __future__ import annotations

import math
import operator
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from pyossl.core.binding import ffi

_T = TypeVar("_T")

LARGEST_INT = 2**31 - 1
_MOST_SECONDS = sys.float_info.max
_SHOWN_BITS = 128


def integer(value: Any, what: str, least: int, most: int) -> int:
    """``value``, an ``int`` from ``least`` to ``most``; ``TypeError`` or ``ValueError`` for any other.

    What stands for an ``int`` by ``__index__`` is one, as for sockets; True and False are none.
    """
    if isinstance(value, bool):
        raise TypeError(f"{what} is an int, not bool")
    value = index(value, what)
    if not least <= value <= most:
        raise ValueError(f"{what} is {least} to {most}, not {number_shown(value)}")
    return int(value)


def number_shown(value: int) -> str:
    """An ``int`` for a message, by its size where it is a long one."""
    size = int(value).bit_length()
    return str(int(value)) if size <= _SHOWN_BITS else f"a number of {size} bits"


def index(value: Any, what: str) -> int:
    """``value``, an ``int`` or what stands for one (``__index__``); ``TypeError`` for any other."""
    try:
        return operator.index(value)
    except Exception:  # whatever an __index__ raises
        raise TypeError(f"{what} is an int, not {type(value).__name__}") from None


def number(value: Any, what: str) -> int:
    """``value``, an ``int`` of any size; ``TypeError`` for any other."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{what} is an int, not {type(value).__name__}")
    return int(value)


def flag(value: Any, what: str) -> bool:
    """``value``, True or False; ``TypeError`` for any other: None and 0 are no way to say what must be said."""
    if not isinstance(value, bool):
        raise TypeError(f"{what} is True or False, not {type(value).__name__}")
    return value


def switch(value: Any, what: str) -> bool:
    """``value``, True or False, or 1 or 0, where the standard library takes those; ``TypeError`` for any other."""
    return bool(value) if type(value) is int and value in (0, 1) else flag(value, what)


def seconds(value: Any, what: str, *, endless: bool = False) -> float:
    """``value``, a number of seconds, 0 or more, infinity where ``endless``; ``TypeError`` or ``ValueError`` else.

    Whatever ``float`` takes is a number, but for text, and for True and False.
    """
    try:
        if isinstance(value, (bool, str, bytes, bytearray, memoryview)):
            raise TypeError
        number = float(value)
    except OverflowError:
        shown = number_shown(value) if isinstance(value, int) else "a larger number"
        raise ValueError(f"{what} is a number of seconds, not {shown}") from None
    except Exception:  # whatever a __float__ raises
        raise TypeError(f"{what} is a number of seconds, not {type(value).__name__}") from None
    if not 0 <= number <= (math.inf if endless else _MOST_SECONDS):
        raise ValueError(f"{what} is at least 0 seconds, and not without end, not {value!r:.80}")
    return number


def function(value: Any, what: str) -> Callable[..., Any] | None:
    """``value``, something that can be called, or None; ``TypeError`` for any other."""
    if value is not None and not callable(value):
        raise TypeError(f"{what} is a function or None, not {type(value).__name__}")
    return value  # type: ignore[no-any-return]  # what is callable


def iterated(value: Iterable[_T], what: str) -> Iterable[_T]:
    """``value``, of which there can be several; ``TypeError`` for what cannot be iterated, and for text and bytes."""
    try:
        if isinstance(value, (str, bytes, bytearray, memoryview)):
            raise TypeError
        iter(value)
    except TypeError:
        raise TypeError(f"{what} cannot be of type {type(value).__name__}") from None
    return value


def utf8(value: Any, what: str) -> bytes:
    """``value``, a ``str``, in UTF-8; ``TypeError`` for any other, ``ValueError`` for what UTF-8 cannot encode."""
    if not isinstance(value, str):
        raise TypeError(f"{what} is a str, not {type(value).__name__}")
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        at = error.start
        raise ValueError(f"{what} cannot contain {value[at]!a}, which is no character: {value[:80]!a}") from None


def email_address(value: Any) -> bytes:
    """``value``, for a function that takes it up to a NUL, and for which an empty one is none at all."""
    encoded = c_text(utf8(value, "an email address"), "an email address")
    if not encoded:
        raise ValueError("an email address cannot be empty")
    return encoded


def host_name(value: Any, what: str) -> str:
    """``value``, the name or the address of a host as a resolver takes it; ``TypeError`` or ``ValueError`` else."""
    c_text(utf8(value, what), what)
    try:
        value.encode("idna")
    except UnicodeError as error:
        raise ValueError(f"{what} cannot be {value[:80]!a}: {error}") from None
    return str(value)


def octets(value: Any, what: str) -> bytes:
    """``value``, which is ``bytes``; ``TypeError`` for any other."""
    if not isinstance(value, bytes):
        raise TypeError(f"{what} is bytes, not {type(value).__name__}")
    return value


def c_text(value: bytes, what: str) -> bytes:
    """``value`` for a function that takes it up to a NUL; ``ValueError`` where that would cut it."""
    if b"\0" in octets(value, what):
        raise ValueError(f"{what} cannot contain a NUL: {value[:80]!r}")
    return value


def c_string(value: str, what: str) -> bytes:
    """``value`` for a function that takes it up to a NUL; ``ValueError`` where that would cut it."""
    encoded = utf8(value, what)
    if b"\0" in encoded:
        raise ValueError(f"{what} cannot contain a NUL: {value[:80]!r}")
    return encoded


def security_level(value: int) -> int:
    """A security level from 0 to 5.  SSL_CTX_set_security_level(3)"""
    return integer(value, "a security level", 0, 5)


def path(value: Any, what: str) -> str | bytes:
    """``value``, the path of a file; ``TypeError`` for any other, a descriptor too, ``ValueError`` for what is none."""
    try:
        given: str | bytes = os.fspath(value)
    except TypeError:
        raise TypeError(f"{what} is the path of a file, not {type(value).__name__}") from None
    try:
        encoded = os.fsencode(given)
    except UnicodeEncodeError:
        raise ValueError(f"{what} is a path that this system cannot encode: {given[:80]!a}") from None
    c_text(encoded, what)
    return given


def socket_path(value: Any, what: str) -> str | bytes:
    """``value``, the path of a Unix socket, or a name that begins with a NUL, which Linux keeps without a file.

    ``TypeError`` or ``ValueError`` for any other.  unix(7)
    """
    if isinstance(value, (str, bytes)) and value[:1] in ("\0", b"\0"):
        path(value.replace(b"\0", b"") if isinstance(value, bytes) else value.replace("\0", ""), what)
        return value
    return path(value, what)


def instance(value: Any, kind: type[_T], what: str) -> _T:
    """``value``, of that kind; ``TypeError`` for any other."""
    if not isinstance(value, kind):
        raise TypeError(f"{what} is a {kind.__name__}, not {type(value).__name__}")
    return value


def instances(values: Iterable[_T], kind: type[_T], what: str) -> tuple[_T, ...]:
    """``values``, each of that kind; ``TypeError`` for any other."""
    return tuple(instance(value, kind, f"each of {what}") for value in iterated(values, what))


def pointer(value: Any, kind: str, instead: str) -> Any:
    """``value``, a pointer of that type of C's; ``TypeError``, which says what to do instead, for any other."""
    if not isinstance(value, ffi.CData) or ffi.typeof(value) is not ffi.typeof(kind):
        raise TypeError(f"{instead}: what is made of an {kind} of OpenSSL's is not made of a {type(value).__name__}")
    return value
