"""Numbers for C types, converted as the C functions of ``_ssl`` convert their arguments."""

from __future__ import annotations

import operator

from pyossl.stdlib import python_versions
from pyossl.stdlib.deprecation import deprecated

TYPE_CHECKING = False  # as in typing, which takes longer to import than this module
if TYPE_CHECKING:
    from typing import Any


def signed(value: Any, bits: int, kind: str) -> int:
    """``value`` as a C type of this size.  Raises ``TypeError``, and ``OverflowError`` if it does not fit."""
    number = operator.index(value)
    if not -(1 << bits - 1) <= number < 1 << bits - 1:
        raise OverflowError(f"Python int too large to convert to C {kind}")
    return number


def c_int(value: Any) -> int:
    """``value`` as a C int; raises ``TypeError`` or ``OverflowError``."""
    return signed(value, 32, "int")


def c_long(value: Any) -> int:
    """``value`` as a C long of 64 bits; raises ``TypeError`` or ``OverflowError``."""
    return signed(value, 64, "long")


def cut(value: Any, bits: int) -> int:
    """The lowest bits of ``value``, for a C type that is filled without a check; raises ``TypeError``."""
    number = operator.index(value)
    if python_versions.WARNS_OF_LOST_BITS and number >> bits not in (0, -1):
        deprecated("integer value out of range")
    return number & (1 << bits) - 1
