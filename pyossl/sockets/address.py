"""The addresses that ``connect`` and ``listen`` take, and the socket addresses that they stand for.  getaddrinfo(3)

A tuple is a host and a port, anything else is the path of a Unix socket.  Programs pass URLs and ``"host:port"`` by
mistake.  The error then shows the tuple that is meant.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import re
import socket
from collections.abc import Sequence
from typing import Any, NamedTuple

from pyossl.core.arguments import integer, number_shown, socket_path

Address = tuple[str, int] | tuple[str, int, int, int] | str | os.PathLike[str]
"""A host and a port, for IPv6 optionally with flow information and a scope; or the path of a Unix socket."""

_REMEMBERED = 256  # hosts
_LARGEST_FLOW = 0xFFFFF
_LARGEST_PORT = 0xFFFF

_EXAMPLE_PORT = 443
_URL = r"(?i)[a-z][a-z0-9+.-]*://(?:[^/?#]*@)?(?P<rest>[^/?#]*)"
_HOST = r"(?i)(?:\[(?P<bracketed>[0-9a-f:.]+(?:%\w+)?)\]|(?P<name>[\w.-]{1,253}))(?::(?P<port>[0-9]{1,5}))?"
_FILE = r"(?i)\.+|.*\.(sock|socket|s|ipc)"
_NOT_FOUND = (errno.ENOENT, errno.ENOTDIR, None)  # None: the path is too long


class SocketAddress(NamedTuple):
    """An address to connect a socket to or to bind it to, with the arguments that ``socket.socket`` takes for it."""

    family: int
    kind: int
    protocol: int
    sockaddr: Any


def _host_meant(text: str) -> tuple[str, int] | None:
    """The host and the port that a URL, ``host:port`` or ``[IPv6]`` means; None for other text."""
    url = re.match(_URL, text)
    found = re.fullmatch(_HOST, url["rest"] if url else text)
    if found is None or not (url or found["port"] or found["bracketed"]):
        return None
    return found["bracketed"] or found["name"], int(found["port"] or _EXAMPLE_PORT)


def failed(action: str, address: Any, failure: OSError) -> OSError:
    """``failure`` with a message that has the address, and the way to write it if it was meant to be a host's."""
    problem = f"{failure.strerror or failure}: {action} {address!r}{_hint(address, failure)}"
    return OSError(problem) if failure.errno is None else OSError(failure.errno, problem)


def _hint(address: Any, failure: OSError) -> str:
    """The end of the message for a path of a Unix socket that was not found, if the string looks like a host."""
    if not isinstance(address, (str, bytes)) or failure.errno not in _NOT_FOUND:
        return ""
    text = os.fsdecode(address)
    meant = _host_meant(text)
    if meant is None and (_family_of(text) or (re.fullmatch(_HOST, text) and not re.fullmatch(_FILE, text))):
        meant = text, _EXAMPLE_PORT
    if meant is None:
        return ""
    return f', as the path of a Unix socket; the address of a host is a tuple: ("{meant[0]}", {meant[1]})'


def check_host(host: str, what: str = "a host") -> str:
    """``host``; ``ValueError`` for a URL, ``host:port`` or ``[IPv6]``, which no resolver takes."""
    if ":" in host and (meant := _host_meant(host)) is not None:
        raise ValueError(f'{what} is a name or an IP address alone: "{meant[0]}", not {host!r:.80}')
    return host


def check_one_argument(address: Any, context: Any) -> None:
    """``TypeError`` if a program has passed the host and the port as two arguments."""
    if isinstance(address, str) and isinstance(context, (int, str)):
        shown = number_shown(context) if isinstance(context, int) else f"{context!a:.80}"
        raise TypeError(f"a host and a port are one argument, a tuple: ({address!a:.80}, {shown})")


def host_and_port(address: Any) -> tuple[str, int | str]:
    """The first two items of an address; ``TypeError`` or ``ValueError`` if they are not a host and a port."""
    is_one = isinstance(address, (tuple, list)) and 2 <= len(address) <= 4 and isinstance(address[0], str)
    if not is_one:
        example = '("localhost", 443)'
        raise TypeError(f"an address is a tuple of a host and a port, as in {example}, or a path, not {address!r:.80}")
    host, port = address[:2]
    if not isinstance(port, str):
        port = integer(port, "a port", 0, _LARGEST_PORT)
    elif port.isascii() and port.isdigit():  # a name of a service otherwise; getaddrinfo(3) takes 65536 for 0
        integer(int(port.lstrip("0")[:9] or "0"), "a port", 0, _LARGEST_PORT)
    return check_host(host), port


def path_of(address: Any) -> str | bytes:
    """The path of a Unix socket; ``TypeError`` or ``ValueError`` for any other object."""
    return socket_path(address, "an address that is not a tuple of a host and a port")


def _flow_and_scope(address: Any) -> tuple[int, int]:
    """The flow information and the scope of an IPv6 address, in the form of ``socket.socket.getpeername``."""
    if len(address) == 2:
        return 0, 0
    flow, scope = (*address[2:], 0)[:2]
    integer(flow, "the flow information of an IPv6 address", 0, _LARGEST_FLOW)
    integer(scope, "the scope of an IPv6 address", 0, 0xFFFFFFFF)
    return flow, scope


def resolved(address: Address, flags: int = 0) -> Sequence[SocketAddress]:
    """The socket addresses of ``address``, in the order of getaddrinfo(3).  ``flags`` may be ``AI_PASSIVE``.

    Raises ``socket.gaierror`` if the host is not found.
    """
    if not isinstance(address, tuple):
        return [SocketAddress(socket.AF_UNIX, socket.SOCK_STREAM, 0, path_of(address))]
    host, port = host_and_port(address)
    flow, scope = _flow_and_scope(address)
    family = _family_of(host)
    if (flow or scope) and family == socket.AF_INET:
        raise ValueError(f"flow information and a scope belong to an IPv6 address, and {host!r} is an IPv4 address")
    if family and type(port) is int:
        sockaddr: Any = (host, port, flow, scope) if flow or scope else (host, port)
        return [SocketAddress(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, sockaddr)]
    wanted = socket.AF_INET6 if flow or scope else socket.AF_UNSPEC
    try:
        found = socket.getaddrinfo(host, port, wanted, socket.SOCK_STREAM, 0, flags)
    except socket.gaierror as error:
        raise socket.gaierror(error.errno, f"{error.strerror}: looking up {host!r}") from error
    except ValueError as error:  # a NUL, or characters that cannot be encoded
        name = error.__class__.__name__
        raise ValueError(f"{host[:80]!a} and {port!a:.80} are not a host and a port: {name}") from error
    return [SocketAddress(of, kind, protocol, _scoped(where, flow, scope)) for of, kind, protocol, _, where in found]


def _scoped(sockaddr: Any, flow: int, scope: int) -> Any:
    """An address of getaddrinfo(3), with the flow information and the scope that the program gave."""
    return (*sockaddr[:2], flow, scope or sockaddr[3]) if flow or scope else sockaddr


@functools.lru_cache(_REMEMBERED)
def _family_of(host: str) -> int | None:
    """The family of an IP address, which needs no look-up; None for a name, and for an address with a scope's name."""
    for family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError, ValueError):
            socket.inet_pton(family, host)
            return family
    return None
