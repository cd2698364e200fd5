"""Warnings about deprecated names, on the line of the program that uses them."""

from __future__ import annotations

import sys
import warnings


def deprecated(message: str) -> None:
    """Warns as ``_ssl`` does: on behalf of the caller of the function in ssl.py, which is the first one outside."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and str(frame.f_globals.get("__name__")).startswith("pyossl."):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, DeprecationWarning, stacklevel=level + 1)
