"""Passwords of encrypted keys and PKCS#12 files, and how much work it may be to hash them."""

from __future__ import annotations

from collections.abc import Callable

from pyossl.core.arguments import utf8
from pyossl.core.binding import lib
from pyossl.core.errors import DecodeError

Password = str | bytes | Callable[[], str | bytes]
"""A password, or a function that is asked for it when it turns out to be needed."""


def password_bytes(password: Password) -> bytes:
    """The bytes of a password, in UTF-8 where it is ``str``; a function is asked for it."""
    known = password() if callable(password) else password
    if isinstance(known, str):
        return utf8(known, "a password")
    if isinstance(known, bytes):
        return known
    raise TypeError(f"a password is str or bytes, not {type(known).__name__}")


MOST_ITERATIONS: int = lib.PYOSSL_MOST_ITERATIONS
"""How much work it may be to hash the password for all that one file locks with it, in iterations of PBKDF2 with
HMAC-SHA-256: five million of them, which take a second or two.  Others count by the time that they take."""


def check_iterations(iterations: int, what: str) -> None:
    """Raises ``DecodeError`` for a file that asks for more, before any of them is done."""
    if iterations > MOST_ITERATIONS:
        raise DecodeError(
            f"to hash its password, {what} would take the time of {iterations} iterations of PBKDF2 with HMAC-SHA-256 "
            f"or more, and {MOST_ITERATIONS} are allowed"
        )
