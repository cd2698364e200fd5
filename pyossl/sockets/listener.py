"""Listening TLS sockets.

Theory of operation
-------------------
A process may share its listening socket with others, since a fork for example: what it does to its copy must not reach
theirs.  So ``close`` does not shut the socket down.  A thread in ``accept`` waits for two things: for the socket, and
for a ``_Wake`` of this process alone, which ``close`` sets.  The descriptor is closed when the threads have left.

Where several wait for a client, one of them has it, and the others wait on.  That needs a descriptor that does not
block, which is so for all who share it, too: ``listen`` makes one, and a socket that is given is left as it is.
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

from pyossl.core.arguments import LARGEST_INT, function, instance, integer, seconds, socket_path
from pyossl.core.copying import Uncopied
from pyossl.core.descriptors import require_plain
from pyossl.core.errors import UsageError
from pyossl.sockets import socket as sockets
from pyossl.sockets.connecting import Address, Place, host_and_port, places_of, send_at_once
from pyossl.sockets.descriptor_connection import deadline_in, forks
from pyossl.sockets.polling import ready, seconds_left
from pyossl.sockets.socket import Socket
from pyossl.tls.context import Context
from pyossl.tls.message import Message

_NOT_HERE = (errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.EADDRNOTAVAIL)
"""The failures of an address that this machine does not have, such as one of IPv6 where that is off."""
_PATIENCE = 1000
"""How long ``close`` waits at most for the threads that it has woken to return, in milliseconds."""


class _Wake:
    """What wakes the threads of one process that wait, once and for all.

    Its descriptors are closed with the last reference: a thread may still wait for them when ``close`` is done.
    """

    def __init__(self) -> None:
        self._descriptors = (os.eventfd(0),) if hasattr(os, "eventfd") else os.pipe()
        self.threads: list[int] = []

    def fileno(self) -> int:
        return self._descriptors[0]

    def set(self) -> None:
        """Wakes the threads, and returns when no other thread than this one is left."""
        os.write(self._descriptors[-1], (1).to_bytes(8, "little"))
        for _ in range(_PATIENCE):
            if not set(self.threads) - {threading.get_ident()}:
                break
            time.sleep(0.001)

    def __del__(self) -> None:
        for descriptor in self.__dict__.pop("_descriptors", ()):
            os.close(descriptor)


_PLAIN_IS_HERE = "a Listener takes the plain listening socket, and its connections speak TLS"

_LONGEST_WAIT = 1e9  # seconds: more is more than a clock of nanoseconds in 64 bits counts


class Listener(Uncopied):
    """A listening socket whose connections speak TLS.  SSL_accept(3)

    ``accept`` never waits for a client's handshake: a client that stalls keeps nobody else out.  The handshake is
    done by the first call on the accepted ``Socket`` (``handshake``, ``recv``, ``sendall``), in the thread that makes
    it and before its deadline; or in a child process that has been forked for it.

    A socket that is given belongs to the ``Listener`` from now on.  If it blocks, and another process accepts from it
    too, a thread whose client that process has taken waits in accept(2), and ``close`` does not end that wait.  Make
    such a socket non-blocking, or call ``settimeout``, which does.

    A server of ``socketserver`` takes one for its socket: ``server.socket = Listener(server.socket, context)``.
    """

    _closed = False

    def __init__(self, sock: socket.socket, context: Context) -> None:
        if not instance(context, Context, "context").is_server:
            raise UsageError("a listener needs a server's context")
        require_plain(sock, _PLAIN_IS_HERE)
        self._sock = sock
        self.context = context
        self._wakes: dict[int, _Wake] = {}
        self._timeout = sock.gettimeout()
        if self._timeout:
            sock.setblocking(False)  # it is non-blocking already: the timeout is counted in _accepted instead

    @property
    def address(self) -> Any:
        """Where the listener listens, as ``socket.socket.getsockname`` says it."""
        return self._sock.getsockname()

    def accept(self, *, message_callback: Callable[[Message], object] | None = None) -> tuple[Socket, Any]:
        """Waits for a client; its ``Socket``, before the handshake, and its address.

        Raises ``TimeoutError`` after ``settimeout``'s seconds, ``OSError`` once the listener is closed.
        """
        function(message_callback, "message_callback")
        sock, address = self._sock.accept() if self._timeout == 0 else self._accepted()
        try:
            send_at_once(sock)
            timeout = sock.gettimeout()
            sock.setblocking(True)  # whatever the system lets it inherit from the listener
            return sockets.socket_class(sock, self.context, None, message_callback, None, timeout), address
        except BaseException:
            sock.close()
            raise

    def _accepted(self) -> tuple[socket.socket, Any]:
        deadline = None if self._timeout is None else deadline_in(self._timeout)
        wake = self._own_wake()
        thread = threading.get_ident()
        try:
            wake.threads.append(thread)
            while not self._closed and (descriptor := self._sock.fileno()) >= 0:
                left = seconds_left(deadline)
                if descriptor not in ready((descriptor, wake.fileno()), (), left):
                    if left == 0 and not self._closed:
                        raise TimeoutError("timed out")
                elif not self._closed:
                    try:
                        return self._sock.accept()
                    except BlockingIOError:  # another thread or process has had the client, or it has left
                        continue
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        finally:
            if thread in wake.threads:
                wake.threads.remove(thread)

    def _own_wake(self) -> _Wake:
        """This process's: a child must not wake its parent's threads."""
        process = forks()
        return self._wakes.get(process) or self._wakes.setdefault(process, _Wake())  # another thread may be the first

    def settimeout(self, timeout: float | None) -> None:
        """How long ``accept`` waits at most, in seconds; None for ever, 0 for not at all."""
        limit = None if timeout is None else min(seconds(timeout, "a timeout"), _LONGEST_WAIT)
        if limit is not None:
            self._sock.setblocking(False)
        self._timeout = limit

    def gettimeout(self) -> float | None:
        """How long ``accept`` waits at most, in seconds; None for ever."""
        return self._timeout

    def setsockopt(self, level: int, option: int, value: Any, *length: int) -> None:
        """As ``socket.socket.setsockopt``."""
        self._sock.setsockopt(level, option, value, *length)

    def bind(self, address: Any) -> None:
        """As ``socket.socket.bind``, where the socket has no address yet."""
        self._sock.bind(address)

    def listen(self, *backlog: int) -> None:
        """As ``socket.socket.listen``, where the socket does not listen yet."""
        self._sock.listen(*backlog)

    def getsockname(self) -> Any:
        """As ``address``."""
        return self._sock.getsockname()

    def fileno(self) -> int:
        """The descriptor, -1 after ``close``."""
        return self._sock.fileno()

    def close(self) -> None:
        """Stops listening in this process; connections that have been accepted go on, and so do other processes that
        have the socket too.  A thread that waits in ``accept`` is woken.
        """
        self._closed = True
        if wake := self._wakes.get(forks()):
            wake.set()
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

    The empty host stands for all IPv4 addresses, ``::`` for all of IPv6.  Of a name's addresses it is the first of IPv4
    that this machine has, or else of IPv6.  A client that connects to the name finds it.

    Raises ``OSError`` when the address cannot be had, ``UsageError`` for a client's context.
    """
    integer(backlog, "backlog", 0, LARGEST_INT)
    if not instance(context, Context, "context").is_server:
        raise UsageError("a listener needs a server's context")
    if isinstance(address, tuple):
        host, port = host_and_port(address)
        integer(port, "the port to listen on", 0, 0xFFFF)
        try:
            sock = _bound((host, port, *address[2:]), backlog)
        except ValueError as error:  # what has a NUL, or cannot be encoded
            raise ValueError(f"{host[:80]!a} is no host to listen on: {error}") from error
    else:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.bind(socket_path(address, "an address that is no host and port"))
            sock.listen(backlog)
        except BaseException:
            sock.close()
            raise
    try:
        listener = Listener(sock, context)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return listener


def _bound(address: tuple[Any, ...], backlog: int) -> socket.socket:
    if address[:1] == ("",):
        places: Sequence[Place] = [Place(socket.AF_INET, socket.SOCK_STREAM, 0, address[:2])]
    else:
        places = places_of(address, socket.AI_PASSIVE)
    problem: OSError | None = None
    for family, _, _, where in sorted(places, key=lambda place: place.family != socket.AF_INET):
        try:
            return socket.create_server(where, family=family, backlog=backlog)
        except OSError as error:
            if error.errno not in _NOT_HERE:
                raise
            problem = problem or error
    assert problem is not None, "getaddrinfo(3) answers with an error or with an address"
    raise problem
