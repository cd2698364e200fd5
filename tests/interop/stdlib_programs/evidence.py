"""Which implementation of ``ssl`` the connections of this process have: "pyossl" or "original"."""

from __future__ import annotations

import gc
import ssl
from typing import Any

from pyossl import _fast


def implementation(tls: ssl.SSLSocket | ssl.SSLObject) -> str:
    """By the type of the connection's object in C, of which pyossl knows its own."""
    return _is_ours(tls._sslobj)  # type: ignore[union-attr]  # a private name of ssl.py


def _is_ours(connection: Any) -> str:
    try:
        _fast.state_of(connection)  # type: ignore[attr-defined]  # as long as pyossl has it
    except (AttributeError, TypeError):
        return "original"
    return "pyossl"


def over() -> str:
    """The implementations of all connections that are alive: what made them does not matter."""
    everything = [each for each in gc.get_objects() if isinstance(each, (ssl.SSLSocket, ssl.SSLObject))]
    found = sorted({implementation(each) for each in everything if each._sslobj is not None})
    return "over " + (" and ".join(found) or "nothing")


def record() -> list[str]:
    """A list to which each new connection of this process adds its implementation."""
    made: list[str] = []
    for kind in (ssl.SSLSocket, ssl.SSLObject):

        def do_handshake(self: Any, *arguments: Any, original: Any = kind.do_handshake) -> Any:
            if self._sslobj is not None:
                made.append(_is_ours(self._sslobj))
            return original(self, *arguments)

        kind.do_handshake = do_handshake  # type: ignore[method-assign]  # to see each handshake
    return made
