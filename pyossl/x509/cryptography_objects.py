"""Objects of the package ``cryptography``, which are converted by way of DER."""

from __future__ import annotations

import importlib
from typing import Any

from pyossl.core.arguments import octets


def cryptography_bytes(thing: Any, method: str, what: str, *arguments: Any) -> bytes:
    """The bytes that a method of an object of the package ``cryptography`` returns; ``TypeError`` for other objects."""
    encode = getattr(thing, method, None)
    if isinstance(thing, type) or not callable(encode):
        raise TypeError(f"{what} of the package cryptography is needed, not {type(thing).__name__}")
    try:
        der = encode(*arguments)
    except TypeError as error:
        raise TypeError(f"{what} of the package cryptography is needed, not {type(thing).__name__}") from error
    return octets(der, what)


def cryptography(module: str) -> Any:
    """A module of the package ``cryptography``, imported at the first call that needs it.

    Raises ``ImportError`` if the package is not installed.
    """
    try:
        return importlib.import_module(f"cryptography.{module}")
    except ModuleNotFoundError as error:
        raise ImportError(f"this needs the package cryptography, which is not installed ({error})") from error
