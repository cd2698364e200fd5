"""Checks of the arguments of asyncio's functions.  All are made before a function does anything else."""

from __future__ import annotations

import socket
from typing import Any

from pyossl.core.arguments import LARGEST_INT, c_text, host_name, integer, seconds, switch, utf8
from pyossl.core.descriptors import require_plain
from pyossl.sockets.address import check_host
from pyossl.tls.context.context import USE_CLIENT, USE_SERVER, Context

HANDSHAKE_TIMEOUT = 60.0
SHUTDOWN_TIMEOUT = 30.0
_TLS_INSIDE_TLS = "for TLS inside TLS use start_tls, of a StreamWriter or of pyossl.aio"


def limits(handshake_timeout: float | None, shutdown_timeout: float | None) -> dict[str, float]:
    """The time limits of a transport, in seconds.  None means asyncio's default."""
    return {
        "handshake_timeout": _seconds(handshake_timeout, HANDSHAKE_TIMEOUT, "ssl_handshake_timeout"),
        "shutdown_timeout": _seconds(shutdown_timeout, SHUTDOWN_TIMEOUT, "ssl_shutdown_timeout"),
    }


def _seconds(timeout: float | None, default: float, what: str) -> float:
    if timeout is None:
        return default
    limit = seconds(timeout, what, endless=True)
    if not limit > 0:
        raise ValueError(f"{what} should be a positive number, got {timeout}")
    return limit


def check_place(host: Any, port: Any, family: int = 0, proto: int = 0, flags: int = 0) -> Any:
    """The port in the form that ``loop.getaddrinfo`` takes.

    Raises ``TypeError`` or ``ValueError`` if ``loop.getaddrinfo`` does not take one of the arguments.
    """
    if host is not None:
        check_host(host_name(host, "a host"))
    if isinstance(port, str):
        c_text(utf8(port, "the name of a service"), "the name of a service")
    elif port is not None:
        port = integer(port, "a port", 0, 0xFFFF)
    for value, what in ((family, "family"), (proto, "proto"), (flags, "flags")):
        integer(value, what, -LARGEST_INT - 1, LARGEST_INT)
    return port


def check_protocol(protocol: Any) -> None:
    """Raises ``TypeError`` if ``protocol`` is not an asyncio protocol."""
    if isinstance(protocol, type) or not hasattr(protocol, "connection_lost"):
        raise TypeError(f"an asyncio protocol is needed, not {_shown(protocol)}")


def check_factory(protocol_factory: Any) -> None:
    """Raises ``TypeError`` if ``protocol_factory`` cannot be called."""
    if not callable(protocol_factory):
        raise TypeError(f"protocol_factory is a function, not {_shown(protocol_factory)}")


def check_transport(transport: Any) -> None:
    """Raises ``TypeError`` if ``transport`` is not an asyncio transport whose protocol can be set."""
    if isinstance(transport, type) or not hasattr(transport, "set_protocol"):
        advice = ": use open_over" if hasattr(transport, "transport") else ""
        raise TypeError(f"an asyncio transport is needed, not {_shown(transport)}{advice}")


def client_context(ssl: Any) -> Context:
    """A client's context: ``ssl``, or ``Context.client()`` for None and True.

    Raises ``TypeError`` for another object, ``ValueError`` for a server's context.
    """
    if ssl is None or ssl is True:
        return Context.client()
    if not isinstance(ssl, Context):
        raise _no_context("ssl", ssl, f"{USE_CLIENT}, or leave ssl out")
    if ssl.is_server:
        raise ValueError(f"this is a client, and ssl is a server's context: {USE_CLIENT}")
    return ssl


def server_context(ssl: Any) -> Context:
    """A server's context: ``ssl``.  Raises ``TypeError`` for another object, ``ValueError`` for a client's context."""
    if not isinstance(ssl, Context):
        raise _no_context("ssl", ssl, USE_SERVER)
    if not ssl.is_server:
        raise ValueError(f"this is a server, and ssl is a client's context: {USE_SERVER}")
    return ssl


def any_context(sslcontext: Any) -> Context:
    """A context for either side: ``sslcontext``.  Raises ``TypeError`` for another object."""
    if not isinstance(sslcontext, Context):
        raise _no_context("sslcontext", sslcontext, "make one with Context.client or Context.server")
    return sslcontext


def context_for_side(sslcontext: Any, server_side: Any) -> Context:
    """A context for the side that ``server_side`` says: ``sslcontext``.

    Raises ``TypeError`` for another object, ``ValueError`` for a context of the other side.
    """
    context = any_context(sslcontext)
    if switch(server_side, "server_side") and not context.is_server:
        raise ValueError(f"server_side is True, and sslcontext is a client's context: {USE_SERVER}")
    if not server_side and context.is_server:
        raise ValueError(
            f"server_side is False, and sslcontext is a server's context: {USE_CLIENT}, or server_side=True"
        )
    return context


def _no_context(what: str, value: Any, advice: str) -> TypeError:
    if value is False:
        advice = "pyossl.aio always uses TLS; for a connection without it use asyncio"
    return TypeError(f"{what} is a pyossl.Context, not {_shown(value)}: {advice}")


def _shown(value: Any) -> str:
    """A value for a message: None, True and False themselves, a class, or the type of anything else."""
    if value is None or isinstance(value, bool):
        return repr(value)
    kind = value if isinstance(value, type) else type(value)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return f"the class {name}" if isinstance(value, type) else name


def stream_socket(sock: socket.socket) -> socket.socket:
    """``sock``, if it is a plain stream socket.  Raises ``TypeError`` or ``ValueError`` if not."""
    require_plain(sock, _TLS_INSIDE_TLS)
    if not isinstance(sock, socket.socket):
        raise TypeError(f"sock is a socket.socket, not {type(sock).__name__}, which cannot be closed for its owner")
    if sock.type != socket.SOCK_STREAM:
        raise ValueError(f"A Stream Socket was expected, got {sock!r}")
    return sock
