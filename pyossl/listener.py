"""Listening TLS sockets."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

from pyossl.arguments import LARGEST_INT, function, instance, integer, path, seconds
from pyossl.context import Context
from pyossl.copying import Uncopied
from pyossl.errors import UsageError
from pyossl.message import Message
from pyossl.sockets import Address, Socket, host_and_port, send_at_once

_LONGEST_WAIT = 1e9  # seconds: more is more than a clock of nanoseconds in 64 bits counts


class Listener(Uncopied):
    """A listening socket whose connections speak TLS.  SSL_accept(3)

    ``accept`` never waits for a client's handshake: a client that stalls keeps nobody else out.  The handshake is
    done by the first call on the accepted ``Socket`` (``handshake``, ``recv``, ``sendall``), in the thread that makes
    it and before its deadline.
    """

    def __init__(self, sock: socket.socket, context: Context) -> None:
        instance(sock, socket.socket, "what listens")
        if not instance(context, Context, "context").is_server:
            raise UsageError("a listener needs a server's context")
        self._sock = sock
        self.context = context

    @property
    def address(self) -> Any:
        """Where the listener listens, as ``socket.socket.getsockname`` says it."""
        return self._sock.getsockname()

    def accept(self, *, message_callback: Callable[[Message], object] | None = None) -> tuple[Socket, Any]:
        """Waits for a client; its ``Socket``, before the handshake, and its address.

        Raises ``TimeoutError`` after ``settimeout``'s seconds, ``OSError`` once the listener is closed.
        """
        function(message_callback, "message_callback")
        sock, address = self._sock.accept()
        try:
            send_at_once(sock)
            timeout = sock.gettimeout()
            sock.setblocking(True)  # whatever the system lets it inherit from the listener
            return Socket(sock, self.context, None, message_callback, None, timeout), address
        except BaseException:
            sock.close()
            raise

    def settimeout(self, timeout: float | None) -> None:
        """How long ``accept`` waits at most, in seconds; None for ever."""
        self._sock.settimeout(None if timeout is None else min(seconds(timeout, "a timeout"), _LONGEST_WAIT))

    def fileno(self) -> int:
        """The descriptor, -1 after ``close``."""
        return self._sock.fileno()

    def close(self) -> None:
        """Stops listening; connections that have been accepted go on.  A thread that waits in ``accept`` is woken."""
        if self._sock.fileno() >= 0:
            with contextlib.suppress(OSError):  # some systems refuse this on a listening socket
                self._sock.shutdown(socket.SHUT_RDWR)
            self._sock.close()

    def __iter__(self) -> Iterator[tuple[Socket, Any]]:
        while True:
            yield self.accept()

    def __enter__(self) -> Listener:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Listener {self._sock.getsockname() if self._sock.fileno() >= 0 else 'closed'}>"


def listen(address: Address, context: Context, *, backlog: int = 128) -> Listener:
    """A ``Listener`` on a host and port (port 0: any that is free), or on the path of a new Unix socket.

    Raises ``OSError`` when the address cannot be had, ``UsageError`` for a client's context.
    """
    integer(backlog, "backlog", 0, LARGEST_INT)
    if not instance(context, Context, "context").is_server:
        raise UsageError("a listener needs a server's context")
    if isinstance(address, tuple):
        host, port = host_and_port(address)
        integer(port, "the port to listen on", 0, 0xFFFF)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            sock = socket.create_server((host, port), family=family, backlog=backlog)
        except ValueError as error:  # what has a NUL, or cannot be encoded
            raise ValueError(f"{host[:80]!a} is no host to listen on: {error.__class__.__name__}") from error
    else:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.bind(path(address, "an address that is no host and port"))
            sock.listen(backlog)
        except BaseException:
            sock.close()
            raise
    try:
        return Listener(sock, context)
    except BaseException:
        sock.close()
        raise
