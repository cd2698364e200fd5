"""Contexts of one ``_ssl`` work with the ``MemoryBIO`` of the other one.

``ssl.MemoryBIO`` is a type of ``_ssl``, and a context takes only that of its own.  After a swap a program can have
both: uvloop keeps the type in C, where no swap reaches it; asyncio makes a new ``MemoryBIO`` for a server whose context
is older than the swap.  So the method ``_wrap_bio`` of both kinds of ``SSLContext`` takes a foreign ``MemoryBIO``: it
makes one of its own, and a ``BridgedConnection`` moves the bytes between the two, before and after each call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class _Incoming:
    """Moves what the program puts into its ``MemoryBIO`` to the one that the connection reads."""

    def __init__(self, foreign: Any, own: Any) -> None:
        self._foreign, self._own = foreign, own
        self._has_ended = False

    def move(self) -> None:
        if data := self._foreign.read():
            self._own.write(data)
        if self._foreign.eof and not self._has_ended:
            self._own.write_eof()
            self._has_ended = True

    def give_back(self) -> None:
        """Returns what came after the end of TLS, which is the program's to read."""
        if not self._has_ended and (data := self._own.read()):
            self._foreign.write(data)


class _Outgoing:
    """Moves what the connection has written to the program's ``MemoryBIO``."""

    def __init__(self, foreign: Any, own: Any) -> None:
        self._foreign, self._own = foreign, own

    def move(self) -> None:
        if data := self._own.read():
            self._foreign.write(data)


class BridgedConnection:
    """A ``_SSLSocket`` with the methods that move bytes wrapped.  Every other attribute is the connection's own."""

    _OWN = frozenset({"_connection", "_incoming", "_outgoing"})

    def __init__(self, connection: Any, incoming: _Incoming | None, outgoing: _Outgoing | None) -> None:
        self._connection = connection
        self._incoming, self._outgoing = incoming, outgoing

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self._OWN:
            super().__setattr__(name, value)
        else:
            setattr(self._connection, name, value)

    def do_handshake(self) -> Any:
        return self._call(self._connection.do_handshake)

    def read(self, *arguments: Any) -> Any:
        result = None
        try:
            result = self._call(self._connection.read, *arguments)
            return result
        finally:
            if not result:
                self._give_back()

    def write(self, *arguments: Any) -> Any:
        return self._call(self._connection.write, *arguments)

    def shutdown(self) -> Any:
        result = self._call(self._connection.shutdown)
        self._give_back()
        return result

    def verify_client_post_handshake(self) -> Any:
        return self._call(self._connection.verify_client_post_handshake)

    def _call(self, method: Callable[..., Any], *arguments: Any) -> Any:
        if self._incoming is not None:
            self._incoming.move()
        try:
            return method(*arguments)
        finally:
            if self._outgoing is not None:
                self._outgoing.move()

    def _give_back(self) -> None:
        if self._incoming is not None:
            self._incoming.give_back()


def let_take(context_class: Any, ssl_c: Any, other_ssl_c: Any) -> None:
    """Lets contexts of ``context_class``, the ``SSLContext`` over ``ssl_c``, take the ``MemoryBIO`` of the other one.

    A context class that does so already is left as it is.
    """
    if "_wrap_bio" in vars(context_class):
        return
    own, foreign = ssl_c.MemoryBIO, other_ssl_c.MemoryBIO
    original = context_class._wrap_bio

    def _wrap_bio(self: Any, incoming: Any, outgoing: Any, *arguments: Any, **named: Any) -> Any:
        if not isinstance(incoming, foreign) and not isinstance(outgoing, foreign):
            return original(self, incoming, outgoing, *arguments, **named)
        moves_in = moves_out = None
        ours_in, ours_out = incoming, outgoing
        if isinstance(incoming, foreign):
            ours_in = own()
            moves_in = _Incoming(incoming, ours_in)
        if isinstance(outgoing, foreign):
            ours_out = own()
            moves_out = _Outgoing(outgoing, ours_out)
        connection = original(self, ours_in, ours_out, *arguments, **named)
        return BridgedConnection(connection, moves_in, moves_out)

    context_class._wrap_bio = _wrap_bio
