"""Deprecated functions, classes and arguments: each use gives a ``DeprecationWarning``, as in pyOpenSSL."""

from __future__ import annotations

import functools
import sys
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import deprecated as deprecated
elif sys.version_info >= (3, 13):
    from warnings import deprecated
else:

    def deprecated(message: str) -> Any:
        """``warnings.deprecated`` of Python 3.13, for functions and classes."""

        def mark(what: Any) -> Any:
            function = what.__init__ if isinstance(what, type) else what

            @functools.wraps(function)
            def warning(*args: Any, **kwargs: Any) -> Any:
                warnings.warn(message, DeprecationWarning, stacklevel=2)
                return function(*args, **kwargs)

            if isinstance(what, type):
                what.__init__ = warning
                return what
            return warning

        return mark


def warn_about(message: str) -> None:
    """Warns about the arguments of the function that called this one."""
    warnings.warn(message, DeprecationWarning, stacklevel=3)


def text_to_bytes_and_warn(label: str, value: Any) -> Any:
    """``value`` as bytes; a ``str``, which pyOpenSSL still accepts, is encoded with a ``DeprecationWarning``."""
    if isinstance(value, str):
        warnings.warn(f"str for {label} is no longer accepted, use bytes", DeprecationWarning, stacklevel=3)
        return value.encode("utf-8")
    return value
