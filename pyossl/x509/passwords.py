"""Passwords of encrypted keys and PKCS#12 files, and a limit on the work of hashing them."""

from __future__ import annotations

from collections.abc import Callable

from pyossl.core import lib
from pyossl.core.arguments import utf8
from pyossl.core.errors import DecodeError

Password = str | bytes | Callable[[], str | bytes]
"""A password, or a function that returns it and is called only if a password is needed."""


def password_bytes(password: Password) -> bytes:
    """The bytes of a password: ``str`` is encoded in UTF-8, and a function is called."""
    known = password() if callable(password) else password
    if isinstance(known, str):
        return utf8(known, "a password")
    if isinstance(known, bytes):
        return known
    raise TypeError(f"a password is str or bytes, not {type(known).__name__}")


MOST_ITERATIONS: int = lib.PYOSSL_MOST_ITERATIONS
"""The most work that hashing the passwords of one file may take, in iterations of PBKDF2 with HMAC-SHA-256.

Five million of them take one or two seconds.  Other algorithms are counted by the time that they take.
"""


def check_iterations(iterations: int, what: str) -> None:
    """Raises ``DecodeError`` if a file requires more ``iterations`` than are allowed.  Call it before hashing."""
    if iterations > MOST_ITERATIONS:
        raise DecodeError(
            f"hashing the password of {what} would take as long as {iterations} iterations of PBKDF2 with HMAC-SHA-256 "
            f"or longer, and {MOST_ITERATIONS} are allowed"
        )
