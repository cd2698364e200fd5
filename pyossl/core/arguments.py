"""Checks of arguments before they are passed to C: cffi's own messages do not name the argument.

Each kind of argument has one function.  It returns the value in the form that C needs, or raises ``TypeError`` or
``ValueError``.  ``what`` is the name of the argument in the message: "a port", "the server's name".
"""

from __future__ import annotations

import math
import operator
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from pyossl.core import ffi

_T = TypeVar("_T")

LARGEST_INT = 2**31 - 1
_MOST_SECONDS = sys.float_info.max
_SHOWN_BITS = 128


def integer(value: Any, what: str, least: int, most: int) -> int:
    """An ``int`` from ``least`` to ``most``, or an object with ``__index__``, as sockets take it; not a ``bool``."""
    if isinstance(value, bool):
        raise TypeError(f"{what} is an int, not bool")
    value = index(value, what)
    if not least <= value <= most:
        raise ValueError(f"{what} is {least} to {most}, not {number_shown(value)}")
    return int(value)


def number_shown(value: int) -> str:
    """An ``int`` for a message; of a very large one only the size."""
    size = int(value).bit_length()
    return str(int(value)) if size <= _SHOWN_BITS else f"a number of {size} bits"


def index(value: Any, what: str) -> int:
    """An ``int``, or an object with ``__index__``."""
    try:
        return operator.index(value)
    except Exception:  # __index__ may raise anything
        raise TypeError(f"{what} is an int, not {type(value).__name__}") from None


def number(value: Any, what: str) -> int:
    """An ``int`` of any size; not a ``bool``."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{what} is an int, not {type(value).__name__}")
    return int(value)


def flag(value: Any, what: str) -> bool:
    """True or False; not None or 0, so that nothing is switched off by accident."""
    if not isinstance(value, bool):
        raise TypeError(f"{what} is True or False, not {type(value).__name__}")
    return value


def switch(value: Any, what: str) -> bool:
    """True or False, or 1 or 0, for arguments for which the standard library takes these."""
    return bool(value) if type(value) is int and value in (0, 1) else flag(value, what)


def seconds(value: Any, what: str, *, endless: bool = False) -> float:
    """A number of seconds, 0 or more; with ``endless`` also infinity.

    Takes everything that ``float`` takes, except text, bytes, and True and False.
    """
    try:
        if isinstance(value, (bool, str, bytes, bytearray, memoryview)):
            raise TypeError
        number = float(value)
    except OverflowError:
        shown = number_shown(value) if isinstance(value, int) else "a larger number"
        raise ValueError(f"{what} is a number of seconds, not {shown}") from None
    except Exception:  # __float__ may raise anything
        raise TypeError(f"{what} is a number of seconds, not {type(value).__name__}") from None
    if not 0 <= number <= (math.inf if endless else _MOST_SECONDS):
        raise ValueError(f"{what} is at least 0 seconds{'' if endless else ' and finite'}, not {value!r:.80}")
    return number


def function(value: Any, what: str) -> Callable[..., Any] | None:
    """A callable object, or None."""
    if value is not None and not callable(value):
        raise TypeError(f"{what} is a function or None, not {type(value).__name__}")
    return value  # type: ignore[no-any-return]  # a callable object


def iterated(value: Iterable[_T], what: str) -> Iterable[_T]:
    """An iterable, but not text or bytes."""
    try:
        if isinstance(value, (str, bytes, bytearray, memoryview)):
            raise TypeError
        iter(value)
    except TypeError:
        raise TypeError(f"{what} cannot be of type {type(value).__name__}") from None
    return value


def utf8(value: Any, what: str) -> bytes:
    """A ``str``, encoded in UTF-8."""
    if not isinstance(value, str):
        raise TypeError(f"{what} is a str, not {type(value).__name__}")
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        at = error.start
        raise ValueError(f"{what} cannot contain {value[at]!a}, which is not a character: {value[:80]!a}") from None


def email_address(value: Any) -> bytes:
    """A ``str`` that is not empty and has no NUL, encoded in UTF-8: OpenSSL takes an empty address for none."""
    encoded = c_text(utf8(value, "an email address"), "an email address")
    if not encoded:
        raise ValueError("an email address cannot be empty")
    return encoded


def host_name(value: Any, what: str) -> str:
    """The name or the address of a host, as getaddrinfo(3) takes it."""
    c_text(utf8(value, what), what)
    try:
        value.encode("idna")
    except UnicodeError as error:
        raise ValueError(f"{what} cannot be {value[:80]!a}: {error}") from None
    return str(value)


def octets(value: Any, what: str) -> bytes:
    """A ``bytes`` object."""
    if not isinstance(value, bytes):
        raise TypeError(f"{what} is bytes, not {type(value).__name__}")
    return value


def c_text(value: bytes, what: str) -> bytes:
    """``bytes`` without a NUL, for a C function that reads up to the first NUL."""
    if b"\0" in octets(value, what):
        raise ValueError(f"{what} cannot contain a NUL: {value[:80]!r}")
    return value


def c_string(value: str, what: str) -> bytes:
    """A ``str`` without a NUL, encoded in UTF-8, for a C function that reads up to the first NUL."""
    encoded = utf8(value, what)
    if b"\0" in encoded:
        raise ValueError(f"{what} cannot contain a NUL: {value[:80]!r}")
    return encoded


def security_level(value: int) -> int:
    """A security level from 0 to 5.  SSL_CTX_set_security_level(3)"""
    return integer(value, "a security level", 0, 5)


def path(value: Any, what: str) -> str | bytes:
    """The path of a file, a ``str``, ``bytes`` or ``os.PathLike``; not a descriptor."""
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
    """The path of a Unix socket, or the name of an abstract one of Linux, which begins with a NUL.  unix(7)"""
    if isinstance(value, (str, bytes)) and value[:1] in ("\0", b"\0"):
        path(value.replace(b"\0", b"") if isinstance(value, bytes) else value.replace("\0", ""), what)
        return value
    return path(value, what)


def instance(value: Any, kind: type[_T], what: str) -> _T:
    """An instance of ``kind``."""
    if not isinstance(value, kind):
        raise TypeError(f"{what} is a {kind.__name__}, not {type(value).__name__}")
    return value


def instances(values: Iterable[_T], kind: type[_T], what: str) -> tuple[_T, ...]:
    """A tuple of instances of ``kind``, made from an iterable."""
    return tuple(instance(value, kind, f"each of {what}") for value in iterated(values, what))


def pointer(value: Any, kind: str, instead: str) -> Any:
    """A cffi pointer of the C type ``kind``; ``instead``, the beginning of the message, says what to do instead."""
    if not isinstance(value, ffi.CData) or ffi.typeof(value) is not ffi.typeof(kind):
        raise TypeError(f"{instead}: the constructor takes a cffi pointer, {kind!r}, not {type(value).__name__}")
    return value
