"""Checks that a context is for the right side: a client for ``connect``, a server for ``listen``.

pyossl.trio and pyossl.anyio make the same checks.
"""

from __future__ import annotations

from typing import Any

from pyossl.core.errors import UsageError
from pyossl.tls.context.context import USE_CLIENT, USE_SERVER, Context


def client_context(context: Any, function: str, what: str = "context") -> Context:
    """The client's context for ``function``: ``context``, or ``Context.client()`` for None.

    Raises ``UsageError`` for a server's context, ``TypeError`` for another object.
    """
    checked = Context.client() if context is None else _checked(context, what)
    if checked.is_server:
        raise UsageError(f"{function} needs a client's context, and this one is a server's: {USE_CLIENT}")
    return checked


def server_context(context: Any, function: str, what: str = "context") -> Context:
    """The server's context for ``function``.

    Raises ``UsageError`` for a client's context, ``TypeError`` for another object.
    """
    checked = _checked(context, what)
    if not checked.is_server:
        raise UsageError(f"{function} needs a server's context, and this one is a client's: {USE_SERVER}")
    return checked


def _checked(context: Any, what: str) -> Context:
    if not isinstance(context, Context):
        raise TypeError(f"{what} is a pyossl Context, not {type(context).__name__}")
    return context
