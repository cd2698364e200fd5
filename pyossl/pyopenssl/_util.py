"""What programs find that reach below pyOpenSSL's API: the binding, under the names that it has there.

The face itself goes through the core and takes nothing from here.
"""

from __future__ import annotations

from typing import Any

import pyossl


class _Library:
    """``pyossl``'s binding, with the names by which ``cryptography``'s tells what it has."""

    Cryptography_HAS_KEYLOG = 1
    Cryptography_HAS_SSL_COOKIE = 1
    Cryptography_HAS_SSL_GET0_GROUP_NAME = 1
    Cryptography_HAS_UNEXPECTED_EOF_WHILE_READING = 1

    def __getattr__(self, name: str) -> Any:
        return getattr(_binding("lib"), name)


def _binding(name: str) -> Any:
    return getattr(pyossl, name)


def __getattr__(name: str) -> Any:
    if name == "ffi":
        return _binding(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


globals()["lib"] = _Library()


def exception_from_error_queue(exception_type: type[Exception]) -> None:
    """Empties this thread's error queue into an exception, and raises it."""
    records = pyossl.outcome.take_records()
    raise exception_type([(record.library, "", record.reason) for record in records])
