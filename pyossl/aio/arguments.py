"""Arguments of asyncio's functions: each is checked before anything is done with any."""

from __future__ import annotations

import socket
from typing import Any

from pyossl.core.arguments import LARGEST_INT, c_text, host_name, integer, seconds, utf8
from pyossl.core.descriptors import require_plain
from pyossl.tls.context import Context

HANDSHAKE_TIMEOUT = 60.0
SHUTDOWN_TIMEOUT = 30.0
_INSTEAD = "for TLS inside TLS use start_tls, of a StreamWriter or of pyossl.aio"


def limits(handshake_timeout: float | None, shutdown_timeout: float | None) -> dict[str, float]:
    """The time limits of a transport, in seconds; None for asyncio's."""
    return {
        "handshake_timeout": _seconds(handshake_timeout, HANDSHAKE_TIMEOUT, "ssl_handshake_timeout"),
        "shutdown_timeout": _seconds(shutdown_timeout, SHUTDOWN_TIMEOUT, "ssl_shutdown_timeout"),
    }


def _seconds(timeout: float | None, default: float, what: str) -> float:
    """A time limit of asyncio's, None for the default."""
    if timeout is None:
        return default
    limit = seconds(timeout, what, endless=True)
    if not limit > 0:
        raise ValueError(f"{what} should be a positive number, got {timeout}")
    return limit


def check_place(host: Any, port: Any, family: int = 0, proto: int = 0, flags: int = 0) -> Any:
    """The port as ``loop.getaddrinfo`` takes it; ``TypeError`` or ``ValueError`` for what that does not take."""
    if host is not None:
        host_name(host, "a host")
    if isinstance(port, str):
        c_text(utf8(port, "the name of a service"), "the name of a service")
    elif port is not None:
        port = integer(port, "a port", 0, 0xFFFF)
    for value, what in ((family, "family"), (proto, "proto"), (flags, "flags")):
        integer(value, what, -LARGEST_INT - 1, LARGEST_INT)
    return port


def check_protocol(protocol: Any) -> None:
    """Raises ``TypeError`` for what is no protocol of asyncio's."""
    if isinstance(protocol, type) or not hasattr(protocol, "connection_lost"):
        raise TypeError(f"a protocol of asyncio's is needed, not {type(protocol).__name__}")


def check_factory(protocol_factory: Any) -> None:
    """Raises ``TypeError`` for what makes no protocols."""
    if not callable(protocol_factory):
        raise TypeError(f"protocol_factory is a function, not {type(protocol_factory).__name__}")


def client_context(ssl: Context | bool | None) -> Context:
    """A client's context: the one given, or one that trusts the system, for None and True."""
    if ssl is None or ssl is True:
        return Context.client()
    if not isinstance(ssl, Context):
        raise TypeError(f"ssl is a pyossl.Context, or None for Context.client(), not {ssl!r}")
    if ssl.is_server:
        raise ValueError("ssl is a server's context, and this is a client")
    return ssl


def stream_socket(sock: socket.socket) -> socket.socket:
    """``sock``, which must be a plain stream socket."""
    require_plain(sock, _INSTEAD)
    if not isinstance(sock, socket.socket):
        raise TypeError(f"sock is a socket.socket, not {type(sock).__name__}, which cannot be closed for its owner")
    if sock.type != socket.SOCK_STREAM:
        raise ValueError(f"A Stream Socket was expected, got {sock!r}")
    return sock
