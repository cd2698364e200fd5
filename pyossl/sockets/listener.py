"""Listening TLS sockets.

Theory of operation
-------------------
Processes may share a listening socket, for example after a fork.  A process must not disturb the others when it closes
its copy, so ``close`` does not shut the socket down.  A thread in ``accept`` waits for the socket and for a
``_WakeUp``, which belongs to this process alone and which ``close`` sets.  ``close`` closes the descriptor when the
threads have left ``accept``.

If several threads wait for a client, one of them accepts it, and the others wait again.  For that the descriptor must
not block, and this setting is shared by all processes that have the socket.  ``listen`` makes a non-blocking socket.  A
socket that the program gives is left as it is.
"""

from __future__ import annotations

import errno
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any

from pyossl.core.arguments import LARGEST_INT, function, integer, seconds
from pyossl.core.copying import Uncopied
from pyossl.core.descriptors import require_plain
from pyossl.sockets import socket as sockets
from pyossl.sockets.address import (
    Address,
    SocketAddress,
    check_one_argument,
    failed,
    host_and_port,
    path_of,
    resolved,
)
from pyossl.sockets.context_side import server_context
from pyossl.sockets.descriptor_connection import deadline_in, forks
from pyossl.sockets.happy_eyeballs import send_at_once
from pyossl.sockets.polling import ready, seconds_left
from pyossl.sockets.socket import Socket
from pyossl.tls.callbacks.message import Message
from pyossl.tls.context.context import Context

_NOT_ON_THIS_MACHINE = (errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.EADDRNOTAVAIL)
"""The errors of an address that this machine does not have, for example an IPv6 address where IPv6 is off."""
OUT_OF_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
"""The errors of accept(2) that leave the client waiting, until a descriptor or memory is free again."""
_PAUSE = 0.1  # seconds until an iteration tries that
_LONGEST_CLOSE = 1000  # milliseconds that ``close`` waits for the threads that it has woken


class _WakeUp:
    """Wakes the threads of one process that wait in ``accept``.  Once set, it stays set.

    Its descriptors are closed with the last reference, because a thread may still wait for them after ``close``.
    """

    def __init__(self) -> None:
        self._descriptors = (os.eventfd(0),) if hasattr(os, "eventfd") else os.pipe()
        self.threads: list[int] = []

    def fileno(self) -> int:
        return self._descriptors[0]

    def set(self) -> None:
        """Wakes the threads, and returns when only this thread is left."""
        os.write(self._descriptors[-1], (1).to_bytes(8, "little"))
        for _ in range(_LONGEST_CLOSE):
            if not set(self.threads) - {threading.get_ident()}:
                break
            time.sleep(0.001)

    def __del__(self) -> None:
        for descriptor in self.__dict__.pop("_descriptors", ()):
            os.close(descriptor)


_PLAIN_IS_NEEDED = "a Listener takes the plain listening socket, and its connections speak TLS"

_LONGEST_WAIT = 1e9  # seconds: a longer wait overflows 64 bits of nanoseconds


class Listener(Uncopied):
    """A listening socket whose connections speak TLS.

    ``listen`` makes one.  ``Listener(sock, context)`` makes one of ``sock``, a plain ``socket.socket`` that listens and
    that belongs to the ``Listener`` from now on; ``context`` is a server's.  In a ``for`` loop it gives the results of
    ``accept``; while the process has no free descriptor, it waits within the timeout.  In a ``with`` statement it is
    closed at the end.  A server of ``socketserver`` can use one as its socket:
    ``server.socket = Listener(server.socket, context)``.

    ``accept`` does not do the handshake, so that a client that stalls does not delay the others.  The first call on the
    accepted ``Socket`` does it (``handshake``, ``recv``, ``sendall``), in the thread of that call and within its
    timeout, or in a child process that was forked for the client.

    If ``sock`` blocks and another process accepts from it too, that process may take the client for which a thread here
    has been woken.  Then the thread waits in accept(2), and ``close`` does not end that wait.  Make such a socket
    non-blocking, or call ``settimeout``, which does so.

    Raises ``UsageError`` for a client's context, ``TypeError`` for a TLS socket and for other objects.  SSL_accept(3)
    """

    context: Context
    """The context of the connections."""

    _closed = False

    def __init__(self, sock: socket.socket, context: Context) -> None:
        self.context = server_context(context, "a Listener")
        require_plain(sock, _PLAIN_IS_NEEDED)
        self._sock = sock
        self._wake_ups: dict[int, _WakeUp] = {}  # by process
        self._timeout = sock.gettimeout()
        if self._timeout:
            sock.setblocking(False)  # the descriptor already is: _accepted keeps the timeout

    @property
    def address(self) -> Any:
        """The address of the listener, as ``socket.socket.getsockname`` returns it."""
        return self._sock.getsockname()

    def accept(self, *, message_callback: Callable[[Message], object] | None = None) -> tuple[Socket, Any]:
        """Waits for a client; returns its ``Socket``, before the handshake, and its address.

        ``message_callback`` is called with each ``Message`` of the protocol that the connection sends or receives.

        Raises ``TimeoutError`` after the timeout of ``settimeout``, ``BlockingIOError`` if that is 0 and no client
        waits, and ``OSError`` after ``close``.  accept(2)
        """
        function(message_callback, "message_callback")
        sock, address = self._sock.accept() if self._timeout == 0 else self._accepted()
        try:
            send_at_once(sock)
            timeout = sock.gettimeout()
            sock.setblocking(True)  # on some systems it inherits this from the listener
            return sockets.socket_class(sock, self.context, None, message_callback, None, timeout), address
        except BaseException:
            sock.close()
            raise

    def _accepted(self) -> tuple[socket.socket, Any]:
        deadline = None if self._timeout is None else deadline_in(self._timeout)
        wake_up = self._own_wake_up()
        thread = threading.get_ident()
        try:
            wake_up.threads.append(thread)
            while not self._closed and (descriptor := self._sock.fileno()) >= 0:
                left = seconds_left(deadline)
                if descriptor not in ready((descriptor, wake_up.fileno()), (), left):
                    if left == 0 and not self._closed:
                        raise TimeoutError("timed out")
                elif not self._closed:
                    try:
                        return self._sock.accept()
                    except BlockingIOError:  # another thread or process took the client, or the client has left
                        continue
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        finally:
            if thread in wake_up.threads:
                wake_up.threads.remove(thread)

    def _own_wake_up(self) -> _WakeUp:
        """The one of this process: a child must not wake its parent's threads."""
        process = forks()
        return self._wake_ups.get(process) or self._wake_ups.setdefault(process, _WakeUp())  # threads may race here

    def settimeout(self, timeout: float | None) -> None:
        """Sets how long ``accept`` waits, in seconds; None waits without a limit, 0 does not wait.

        With a number the descriptor becomes non-blocking, for all processes that share it.  Raises ``TypeError`` or
        ``ValueError`` if ``timeout`` is not a number of seconds from 0 on.
        """
        limit = None if timeout is None else min(seconds(timeout, "a timeout"), _LONGEST_WAIT)
        if limit is not None:
            self._sock.setblocking(False)
        self._timeout = limit

    def gettimeout(self) -> float | None:
        """The timeout of ``accept`` in seconds; None if it has no limit."""
        return self._timeout

    def setsockopt(self, level: int, option: int, value: Any, *length: int) -> None:
        """Sets an option of the socket, like ``socket.socket.setsockopt``.  setsockopt(2)

        ``level`` is for example ``SOL_SOCKET``, ``option`` ``SO_KEEPALIVE``; ``value`` is an ``int``, or bytes, or None
        with its ``length``.
        """
        self._sock.setsockopt(level, option, value, *length)

    def bind(self, address: Any) -> None:
        """Binds a socket that has no address yet to ``address``, like ``socket.socket.bind``.  bind(2)"""
        self._sock.bind(address)

    def listen(self, *backlog: int) -> None:
        """Begins to listen, if the socket does not yet, like ``socket.socket.listen``.  listen(2)

        ``backlog`` is the number of clients that may wait to be accepted; without it, Python's default.
        """
        self._sock.listen(*backlog)

    def getsockname(self) -> Any:
        """The same as ``address``.  getsockname(2)"""
        return self._sock.getsockname()

    def fileno(self) -> int:
        """The socket's descriptor; -1 after ``close``."""
        return self._sock.fileno()

    def close(self) -> None:
        """Stops listening in this process.  A thread that waits in ``accept`` is woken, and raises ``OSError``.

        Accepted connections go on, and so do other processes that share the socket.  close(2)
        """
        self._closed = True
        if wake_up := self._wake_ups.get(forks()):
            wake_up.set()
        self._sock.close()

    def __iter__(self) -> Iterator[tuple[Socket, Any]]:
        while True:
            yield self._next()

    def _next(self) -> tuple[Socket, Any]:
        """``accept``, which waits within the timeout while the process has no free descriptor."""
        deadline = None if self._timeout is None else deadline_in(self._timeout)
        while True:
            try:
                return self.accept()
            except ConnectionAbortedError:  # the client has left already
                continue
            except OSError as error:
                left = seconds_left(deadline)
                if error.errno not in OUT_OF_RESOURCES or left == 0:
                    raise
                # ``close`` ends the pause.
                ready((self._own_wake_up().fileno(),), (), _PAUSE if left is None else min(_PAUSE, left))

    def __enter__(self) -> Listener:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Listener {self._sock.getsockname() if self._sock.fileno() >= 0 else 'closed'}>"


def listen(address: Address, context: Context, *, backlog: int = 128) -> Listener:
    """Listens on ``address``, and returns the ``Listener``.

    - ``address`` is a tuple of a host and a port, or the path of a new Unix socket.  Port 0 is any free port.  The host
      ``""`` is all IPv4 addresses, ``"::"`` all IPv6 addresses.  A name is its first IPv4 address that this machine
      has, or else its first IPv6 address: clients that connect to the name find it.
    - ``context`` is a server's: ``Context.server(certificate, private_key)``.
    - ``backlog`` is the number of clients that may wait to be accepted.

    Raises ``OSError`` if it cannot listen on the address, ``UsageError`` for a client's context, ``TypeError`` or
    ``ValueError`` for an address that is neither a host and a port nor a path.  SSL_accept(3), listen(2)
    """
    integer(backlog, "backlog", 0, LARGEST_INT)
    check_one_argument(address, context)
    server_context(context, "listen()")
    if isinstance(address, tuple):
        host, port = host_and_port(address)
        integer(port, "the port to listen on", 0, 0xFFFF)
        try:
            sock = _bound((host, port, *address[2:]), backlog)
        except ValueError as error:  # a NUL, or characters that cannot be encoded
            raise ValueError(f"{host[:80]!a} is not a host to listen on: {error}") from error
    else:
        sock = _bound_to_path(address, backlog)
    try:
        listener = Listener(sock, context)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return listener


def _bound(address: tuple[Any, ...], backlog: int) -> socket.socket:
    if address[:1] == ("",):
        found: Sequence[SocketAddress] = [SocketAddress(socket.AF_INET, socket.SOCK_STREAM, 0, address[:2])]
    else:
        found = resolved(address, socket.AI_PASSIVE)
    problem: OSError | None = None
    for family, _, _, sockaddr in sorted(found, key=lambda each: each.family != socket.AF_INET):
        try:
            return socket.create_server(sockaddr, family=family, backlog=backlog)
        except OSError as error:
            if error.errno not in _NOT_ON_THIS_MACHINE:
                raise
            problem = problem or error
    assert problem is not None, "getaddrinfo(3) returns an address or fails"
    raise problem


def _bound_to_path(address: Address, backlog: int) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(path_of(address))
        sock.listen(backlog)
    except OSError as error:
        sock.close()
        raise failed("listening on", address, error) from error
    except BaseException:
        sock.close()
        raise
    return sock
