"""A connection to the first address of a host that answers.  RFC 8305

An address that does not answer must not take all the time, and an address of a family that this kernel lacks must not
end the attempt.  So the attempts alternate between the families.  The next one begins ``ATTEMPT_DELAY`` after the one
before, or as soon as that has failed.  The first socket that is connected is kept, and the others are closed.  It needs
no threads: the sockets do not block while they connect.  If there is only one address, its connect(2) blocks.
"""

from __future__ import annotations

import errno
import itertools
import os
import socket
from collections.abc import Iterable
from typing import Any, TypeVar

from pyossl.sockets import wait_hook
from pyossl.sockets.address import Address, SocketAddress, failed, resolved
from pyossl.sockets.polling import LONGEST_WAIT, ready, seconds_left

ATTEMPT_DELAY = 0.25
"""The time in seconds after which the next address is tried too.  RFC 8305, 5"""

_Tuple = TypeVar("_Tuple", bound=tuple[Any, ...])
_LOCAL_FAILURES = (errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.EADDRNOTAVAIL, errno.ENETUNREACH)
"""Failures of this machine.  A peer's failure says more, and is raised instead."""


def by_turns(addresses: Iterable[_Tuple], first_family_count: int = 1) -> list[_Tuple]:
    """The addresses, alternating between their families.  RFC 8305, 4

    Each is a tuple whose first item is its family.  The list begins with ``first_family_count`` addresses of the first
    family.
    """
    families: dict[int, list[_Tuple]] = {}
    for each in addresses:
        families.setdefault(each[0], []).append(each)
    lists = list(families.values())
    if not lists:
        return []
    first, lists[0] = lists[0][: first_family_count - 1], lists[0][first_family_count - 1 :]
    return first + [each for turn in itertools.zip_longest(*lists) for each in turn if each is not None]


def connected(address: Address, timeout: float | None, deadline: int | None) -> socket.socket:
    """A blocking socket that is connected to ``address``.

    ``deadline`` is a time of ``deadline_in``; ``timeout`` is the same in seconds, for messages.  Raises ``OSError`` if
    no address can be reached, and ``TimeoutError``.  getaddrinfo(3), connect(2)
    """
    addresses = resolved(address)
    try:
        if len(addresses) == 1 and wait_hook.wait is None:
            sock = _connected_blocking(addresses[0], deadline)
        else:
            sock = _Attempts(by_turns(addresses), deadline).connected()
    except OSError as error:
        if isinstance(error, TimeoutError) and error.errno is None:
            raise TimeoutError(f"connecting to {address!r} timed out after {timeout} s") from error
        raise failed("connecting to", address, error) from error
    try:
        send_at_once(sock)
    except BaseException:
        sock.close()
        raise
    return sock


def send_at_once(sock: socket.socket) -> None:
    """Turns Nagle's algorithm off.  SSL_connect(3), NOTES

    A record is complete when it is sent.  With Nagle's algorithm a server's first answer, which follows its session
    tickets, would wait for the client's delayed acknowledgement.
    """
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError:
        return  # not a TCP socket, or the peer has gone: the first read or write reports that


def _connected_blocking(address: SocketAddress, deadline: int | None) -> socket.socket:
    left = seconds_left(deadline)
    if left is not None and left <= 0:
        raise TimeoutError
    sock = socket.socket(*address[:3])
    try:
        if sock.gettimeout() != left:
            sock.settimeout(left)
        sock.connect(address.sockaddr)
        if left is not None:
            sock.settimeout(None)
    except BaseException:
        sock.close()
        raise
    return sock


class _Attempts:
    """Attempts to connect to several addresses; the first socket that is connected is kept."""

    def __init__(self, addresses: list[SocketAddress], deadline: int | None) -> None:
        self._waiting = addresses
        self._deadline = deadline
        self._under_way: dict[int, tuple[socket.socket, SocketAddress]] = {}
        self._failures: list[tuple[SocketAddress, OSError]] = []

    def connected(self) -> socket.socket:
        """The socket; ``OSError`` if no attempt succeeds, ``TimeoutError`` after the deadline."""
        try:
            winner = None
            while winner is None and (self._waiting or self._under_way):
                if self._waiting:
                    winner = self._begin(self._waiting.pop(0))
                if winner is None and self._under_way:
                    winner = self._wait()
            if winner is None:
                raise self._failure()
            sock, _ = self._under_way[winner]
            sock.setblocking(True)
            del self._under_way[winner]
            return sock
        finally:
            for each, _ in self._under_way.values():
                each.close()

    def _begin(self, address: SocketAddress) -> int | None:
        """Begins to connect; returns the descriptor if it is connected at once."""
        try:
            sock = socket.socket(*address[:3])
        except OSError as error:  # the kernel lacks the family, or no descriptor is left
            self._failures.append((address, error))
            return None
        try:
            sock.setblocking(False)
            self._under_way[sock.fileno()] = sock, address
            failure = sock.connect_ex(address.sockaddr)
        except BaseException:
            self._under_way.pop(sock.fileno(), None)
            sock.close()
            raise
        return None if failure == errno.EINPROGRESS else self._ended(sock.fileno(), failure)

    def _wait(self) -> int | None:
        """Waits until attempts end or the next one is due; returns the descriptor of one that is connected."""
        pause = ATTEMPT_DELAY if self._waiting else LONGEST_WAIT
        left = seconds_left(self._deadline)
        if left is not None and left <= 0:
            raise TimeoutError
        for fd in ready((), list(self._under_way), pause if left is None else min(left, pause)):
            sock, _ = self._under_way[fd]
            if self._ended(fd, sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)) is not None:
                return fd
        return None

    def _ended(self, fd: int, failure: int) -> int | None:
        """The descriptor if ``failure``, an errno, is 0; otherwise closes the socket and returns None."""
        if failure == 0:
            return fd
        sock, address = self._under_way.pop(fd)
        sock.close()
        self._failures.append((address, OSError(failure, os.strerror(failure))))
        return None

    def _failure(self) -> OSError:
        """The last failure of a peer, or of this machine if there is no other.  If they differ, the message has all."""
        numbers = [error.errno for _, error in self._failures]
        number = next((each for each in reversed(numbers) if each not in _LOCAL_FAILURES), numbers[-1])
        if len(set(numbers)) == 1:
            return OSError(number, os.strerror(number or 0))
        each = "; ".join(f"{_shown(address)}: {error.strerror}" for address, error in self._failures)
        return OSError(number, f"{os.strerror(number or 0)} ({each})")


def _shown(address: SocketAddress) -> str:
    sockaddr = address.sockaddr
    return str(sockaddr[0]) if isinstance(sockaddr, tuple) and sockaddr else str(sockaddr)
