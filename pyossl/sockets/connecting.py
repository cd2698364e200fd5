"""Which addresses a name has, and a connection to the first of them that answers.  RFC 8305

An address that is silent must not take all the time, nor one whose family this kernel lacks end the attempt.  So the
addresses are tried by turns of their families, the next one ``ATTEMPT_DELAY`` after the one before or as soon as that
has failed, and the first to be connected wins: the others are closed.  No threads are needed: the sockets do not block
while they connect.  Where there is only one address, its connect(2) waits itself.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import itertools
import os
import socket
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

from pyossl.core.arguments import integer, socket_path
from pyossl.sockets import wait_hook
from pyossl.sockets.polling import LONGEST_WAIT, ready, seconds_left

Address = tuple[str, int] | tuple[str, int, int, int] | str | os.PathLike[str]
"""Where a peer is: a host and a port, for IPv6 with flow information and a scope too, or the path of a Unix socket."""

ATTEMPT_DELAY = 0.25
"""How long an address has, in seconds, before the next one is tried beside it.  RFC 8305, 5"""

_REMEMBERED = 256  # addresses: as for names
_Tuple = TypeVar("_Tuple", bound=tuple[Any, ...])
_LARGEST_FLOW = 0xFFFFF
_LACKING = (errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.EADDRNOTAVAIL, errno.ENETUNREACH)
"""Failures of this machine's, which say less than those of a peer."""


class Place(NamedTuple):
    """A socket's family, type and protocol, and the address to connect it to or to bind it to."""

    family: int
    kind: int
    protocol: int
    where: Any


def host_and_port(address: Any) -> tuple[str, int | str]:
    """The first two parts of an address; ``TypeError`` or ``ValueError`` for what is none."""
    is_one = isinstance(address, (tuple, list)) and 2 <= len(address) <= 4 and isinstance(address[0], str)
    if not is_one:
        raise TypeError(f"an address is a host and a port, or a path, not {address!r:.80}")
    host, port = address[:2]
    if not isinstance(port, str):  # the name of a service
        port = integer(port, "a port", 0, 0xFFFF)
    return host, port


def _flow_and_scope(address: Any) -> tuple[int, int]:
    """What an IPv6 address says besides a host and a port, as ``socket.socket.getpeername`` does."""
    if len(address) == 2:
        return 0, 0
    flow, scope = (*address[2:], 0)[:2]
    integer(flow, "the flow information of an IPv6 address", 0, _LARGEST_FLOW)
    integer(scope, "the scope of an IPv6 address", 0, 0xFFFFFFFF)
    return flow, scope


def places_of(address: Address, flags: int = 0) -> Sequence[Place]:
    """Each place that ``address`` may be, in the order of getaddrinfo(3), whose ``flags`` may be ``AI_PASSIVE``."""
    if not isinstance(address, tuple):
        return [
            Place(socket.AF_UNIX, socket.SOCK_STREAM, 0, socket_path(address, "an address that is no host and port"))
        ]
    host, port = host_and_port(address)
    flow, scope = _flow_and_scope(address)
    family = _family_of(host)
    if (flow or scope) and family == socket.AF_INET:
        raise ValueError(f"flow information and a scope are an IPv6 address's, and {host!r} is none")
    if family and type(port) is int:
        where: Any = (host, port, flow, scope) if flow or scope else (host, port)
        return [Place(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, where)]
    wanted = socket.AF_INET6 if flow or scope else socket.AF_UNSPEC
    try:
        found = socket.getaddrinfo(host, port, wanted, socket.SOCK_STREAM, 0, flags)
    except socket.gaierror as error:
        raise socket.gaierror(error.errno, f"{error.strerror}: looking up {host!r}") from error
    except ValueError as error:  # what has a NUL, or cannot be encoded
        raise ValueError(f"{host[:80]!a} and {port!a:.80} are no host and port: {error.__class__.__name__}") from error
    return [Place(of, kind, protocol, _scoped(where, flow, scope)) for of, kind, protocol, _, where in found]


def _scoped(where: Any, flow: int, scope: int) -> Any:
    """An address of getaddrinfo(3), with what it does not say of IPv6 itself."""
    return (*where[:2], flow, scope or where[3]) if flow or scope else where


@functools.lru_cache(_REMEMBERED)
def _family_of(host: str) -> int | None:
    """The family of an IP address, which needs no look-up; None for a name, and where an address has its scope's."""
    for family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError, ValueError):
            socket.inet_pton(family, host)
            return family
    return None


def by_turns(addresses: Iterable[_Tuple], first_family_count: int = 1) -> list[_Tuple]:
    """Tuples that begin with a family, by turns of these; so many of the first family come first.  RFC 8305, 4"""
    families: dict[int, list[_Tuple]] = {}
    for each in addresses:
        families.setdefault(each[0], []).append(each)
    lists = list(families.values())
    if not lists:
        return []
    first, lists[0] = lists[0][: first_family_count - 1], lists[0][first_family_count - 1 :]
    return first + [each for turn in itertools.zip_longest(*lists) for each in turn if each is not None]


def connected(address: Address, timeout: float | None, deadline: int | None) -> socket.socket:
    """A blocking socket that is connected to ``address`` before ``deadline``, which is ``timeout`` seconds away.

    Raises ``OSError`` where no place of it can be reached, and ``TimeoutError``.  getaddrinfo(3), connect(2)
    """
    places = places_of(address)
    try:
        is_alone = len(places) == 1 and wait_hook.wait is None
        sock = _alone(places[0], deadline) if is_alone else _First(by_turns(places), deadline).connected()
    except OSError as error:
        if isinstance(error, TimeoutError) and error.errno is None:
            raise TimeoutError(f"connecting to {address!r} timed out after {timeout} s") from error
        raise OSError(error.errno, f"{error.strerror or error}: connecting to {address!r}") from error
    try:
        send_at_once(sock)
    except BaseException:
        sock.close()
        raise
    return sock


def send_at_once(sock: socket.socket) -> None:
    """Turns Nagle's algorithm off: a record is whole when it is sent, and a server's first answer, on the heels of its
    session tickets, would wait for the client's delayed acknowledgement.  SSL_connect(3), NOTES
    """
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError:
        return  # it is no TCP socket, or its peer has gone, which the first read or write tells


def _alone(place: Place, deadline: int | None) -> socket.socket:
    left = seconds_left(deadline)
    if left is not None and left <= 0:
        raise TimeoutError
    sock = socket.socket(*place[:3])
    try:
        if sock.gettimeout() != left:
            sock.settimeout(left)
        sock.connect(place.where)
        if left is not None:
            sock.settimeout(None)
    except BaseException:
        sock.close()
        raise
    return sock


class _First:
    """Attempts at several places, of which the first that is connected is kept."""

    def __init__(self, places: list[Place], deadline: int | None) -> None:
        self._waiting = places
        self._deadline = deadline
        self._attempts: dict[int, tuple[socket.socket, Place]] = {}
        self._problems: list[tuple[Place, OSError]] = []

    def connected(self) -> socket.socket:
        """The socket; ``OSError`` where none could be connected, ``TimeoutError`` after the deadline."""
        try:
            winner = None
            while winner is None and (self._waiting or self._attempts):
                if self._waiting:
                    winner = self._begin(self._waiting.pop(0))
                if winner is None and self._attempts:
                    winner = self._wait()
            if winner is None:
                raise self._problem()
            sock, _ = self._attempts[winner]
            sock.setblocking(True)
            del self._attempts[winner]
            return sock
        finally:
            for each, _ in self._attempts.values():
                each.close()

    def _begin(self, place: Place) -> int | None:
        """Begins to connect; the descriptor, where it is connected at once."""
        try:
            sock = socket.socket(*place[:3])
        except OSError as error:  # a family that this kernel lacks, or there is no descriptor left
            self._problems.append((place, error))
            return None
        try:
            sock.setblocking(False)
            self._attempts[sock.fileno()] = sock, place
            failure = sock.connect_ex(place.where)
        except BaseException:
            self._attempts.pop(sock.fileno(), None)
            sock.close()
            raise
        return None if failure == errno.EINPROGRESS else self._settled(sock.fileno(), failure)

    def _wait(self) -> int | None:
        """Waits until attempts have ended or it is time for the next one; the descriptor of one that is connected."""
        pause = ATTEMPT_DELAY if self._waiting else LONGEST_WAIT
        left = seconds_left(self._deadline)
        if left is not None and left <= 0:
            raise TimeoutError
        for fd in ready((), list(self._attempts), pause if left is None else min(left, pause)):
            sock, _ = self._attempts[fd]
            if self._settled(fd, sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)) is not None:
                return fd
        return None

    def _settled(self, fd: int, failure: int) -> int | None:
        """What an attempt came to: its descriptor, or None where it has failed."""
        if failure == 0:
            return fd
        sock, place = self._attempts.pop(fd)
        sock.close()
        self._problems.append((place, OSError(failure, os.strerror(failure))))
        return None

    def _problem(self) -> OSError:
        """The last failure of a peer's, or of this machine's where there are no others; the text has them all."""
        numbers = [error.errno for _, error in self._problems]
        number = next((each for each in reversed(numbers) if each not in _LACKING), numbers[-1])
        if len(set(numbers)) == 1:
            return OSError(number, os.strerror(number or 0))
        each = "; ".join(f"{_written(place)}: {error.strerror}" for place, error in self._problems)
        return OSError(number, f"{os.strerror(number or 0)} ({each})")


def _written(place: Place) -> str:
    where = place.where
    return str(where[0]) if isinstance(where, tuple) and where else str(where)
