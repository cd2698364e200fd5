"""``create_connection`` and ``create_unix_connection``: clients that connect to a host, to a path, or over a socket."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Any, TypeVar

from pyossl.aio.arguments import check_factory, check_place, client_context, limits, stream_socket
from pyossl.aio.event_loop import has_descriptors
from pyossl.aio.happy_eyeballs import first_connected
from pyossl.aio.name_resolution import addresses_of
from pyossl.aio.socket_transport import tls_over_socket
from pyossl.aio.transport import Transport
from pyossl.aio.transport_over_transport import ProtocolBelowTLS
from pyossl.core.arguments import LARGEST_INT, integer, seconds, socket_path, switch
from pyossl.core.buffers import Bytes
from pyossl.sockets.happy_eyeballs import ATTEMPT_DELAY, by_turns
from pyossl.tls.authentication.dane import Records, records_of
from pyossl.tls.connection.session import Session
from pyossl.tls.context.context import Context
from pyossl.tls.ech.ech import Offered, offer_of

P = TypeVar("P", bound=asyncio.BaseProtocol)


async def create_connection(
    protocol_factory: Callable[[], P],
    host: str | None = None,
    port: int | str | None = None,
    *,
    ssl: Context | bool | None = None,
    family: int = 0,
    proto: int = 0,
    flags: int = 0,
    sock: socket.socket | None = None,
    local_addr: tuple[str, int] | None = None,
    server_hostname: str | None = None,
    ssl_handshake_timeout: float | None = None,
    ssl_shutdown_timeout: float | None = None,
    happy_eyeballs_delay: float | None = ATTEMPT_DELAY,
    interleave: int | None = None,
    all_errors: bool = False,
    session: Session | None = None,
    early_data: Bytes | None = None,
    ech: Offered | None = None,
    dane: Records | None = None,
) -> tuple[Transport, P]:
    """Connects to a host and port, does the TLS handshake, and returns the transport and the protocol.

    It is like ``loop.create_connection``.

    - ``protocol_factory``: a function without arguments that returns an asyncio protocol.
    - ``host``, ``port``: a name or an IP address, and a number or the name of a service.
    - ``ssl``: a client's ``Context``.  None and True mean ``Context.client()``, which verifies the server.
    - ``family``, ``proto``, ``flags``: passed to ``getaddrinfo``.
    - ``sock``: a connected socket, instead of ``host`` and ``port``.  The transport owns it and closes it.
    - ``local_addr``: the host and port to bind the socket to.
    - ``server_hostname``: the name that the server's certificate must be for, ``host`` if None.
    - ``ssl_handshake_timeout``, ``ssl_shutdown_timeout``: seconds, 60 and 30 if None.
    - ``happy_eyeballs_delay``: after how many seconds the next address of the host is tried too.  The default is 0.25.
      With None, which is asyncio's default, the next address is tried only when the one before has failed.
    - ``interleave``: how many addresses of the first family are tried before the families alternate.
    - ``all_errors``: if no address answers, raise an ``ExceptionGroup`` (Python 3.11 or newer).
    - ``session``: a session of the same context and name, which is offered for resumption.
    - ``early_data``: bytes to send before the server answers, if the session's ``max_early_data`` allows it, and that
      may be done twice.  The connection's ``early_data_accepted`` says whether the server has taken them.
    - ``ech``: the server's list of configurations for Encrypted Client Hello, or an ``ECHOffer``.
    - ``dane``: the server's TLSA records, as in ``Connection``.

    Raises ``OSError`` if no address can be connected to, ``ConnectionAbortedError`` if the handshake takes too long,
    ``TypeError`` or ``ValueError`` for unsuitable arguments, and the exceptions of ``Connection.handshake``.
    SSL_connect(3)
    """
    loop = asyncio.get_running_loop()
    context = client_context(ssl)
    if ech is not None:
        ech = offer_of(ech)
    if dane is not None:
        dane = records_of(dane)
    options = limits(ssl_handshake_timeout, ssl_shutdown_timeout)
    if is_callers := sock is not None:
        stream_socket(sock)
    check_factory(protocol_factory)
    port = check_place(host, port, family, proto, flags)
    all_errors = switch(all_errors, "all_errors")
    if interleave is not None:
        integer(interleave, "interleave", 0, LARGEST_INT)
    if happy_eyeballs_delay is not None:
        happy_eyeballs_delay = seconds(happy_eyeballs_delay, "happy_eyeballs_delay", endless=True)
    if local_addr is not None:
        check_place(*_host_and_port(local_addr))
    if (host is not None or port is not None) == (sock is not None):
        raise ValueError("pass either host and port, or sock")
    if server_hostname is None:
        if not host:
            raise ValueError("You must set server_hostname when using ssl without a host")
        server_hostname = host
    if sock is None:
        hints: dict[str, Any] = {"family": family, "type": socket.SOCK_STREAM, "proto": proto, "flags": flags}
        found: list[Any] = list(await addresses_of(loop, host, port, **hints))
        if not found:
            raise OSError("getaddrinfo() returned empty list")
        local: list[Any] | None = None
        if local_addr is not None:
            local = list(await loop.getaddrinfo(*local_addr, **hints))
        if interleave is None and happy_eyeballs_delay is not None:
            interleave = 1
        if interleave:
            found = by_turns(found, interleave)
        sock = await first_connected(found, local, happy_eyeballs_delay, all_errors)
    offered = {"session": session, "early_data": early_data, "ech": ech, "dane": dane}
    return await _over_socket(protocol_factory, sock, is_callers, context, server_hostname, offered, options)


def _host_and_port(address: Any) -> tuple[Any, Any]:
    if not isinstance(address, (tuple, list)) or len(address) != 2:
        raise TypeError(f"local_addr is a host and a port, not {address!r:.80}")
    return address[0], address[1]


async def create_unix_connection(
    protocol_factory: Callable[[], P],
    path: str | os.PathLike[str] | None = None,
    *,
    ssl: Context | bool | None = None,
    sock: socket.socket | None = None,
    server_hostname: str | None = None,
    ssl_handshake_timeout: float | None = None,
    ssl_shutdown_timeout: float | None = None,
    session: Session | None = None,
    early_data: Bytes | None = None,
    ech: Offered | None = None,
    dane: Records | None = None,
) -> tuple[Transport, P]:
    """Connects to a Unix socket, does the TLS handshake, and returns the transport and the protocol.

    It is like ``loop.create_unix_connection``.

    - ``protocol_factory``: a function without arguments that returns an asyncio protocol.
    - ``path``: the path of the socket.
    - ``ssl``: a client's ``Context``.  None and True mean ``Context.client()``, which verifies the server.
    - ``sock``: a connected socket, instead of ``path``.  The transport owns it and closes it.
    - ``server_hostname``: the name that the server's certificate must be for.  It is required.
    - ``ssl_handshake_timeout``, ``ssl_shutdown_timeout``: seconds, 60 and 30 if None.
    - ``session``: a session of the same context and name, which is offered for resumption.
    - ``early_data``: bytes to send before the server answers, if the session's ``max_early_data`` allows it, and that
      may be done twice.  The connection's ``early_data_accepted`` says whether the server has taken them.
    - ``ech``: the server's list of configurations for Encrypted Client Hello, or an ``ECHOffer``.
    - ``dane``: the server's TLSA records, as in ``Connection``.

    Raises the same exceptions as ``create_connection``.  SSL_connect(3)
    """
    loop = asyncio.get_running_loop()
    context = client_context(ssl)
    if ech is not None:
        ech = offer_of(ech)
    if dane is not None:
        dane = records_of(dane)
    if server_hostname is None:
        raise ValueError("you have to pass server_hostname when using ssl")
    check_factory(protocol_factory)
    if path is not None:
        where = socket_path(path, "the path of a socket")
    if (path is None) == (sock is None):
        raise ValueError("pass either path or sock")
    if is_callers := sock is not None:
        stream_socket(sock)
    options = limits(ssl_handshake_timeout, ssl_shutdown_timeout)
    if sock is None:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            await loop.sock_connect(sock, where)
        except BaseException:
            sock.close()
            raise
    offered = {"session": session, "early_data": early_data, "ech": ech, "dane": dane}
    return await _over_socket(protocol_factory, sock, is_callers, context, server_hostname, offered, options)


async def _over_socket(
    protocol_factory: Callable[[], P],
    sock: socket.socket,
    is_callers: bool,
    context: Context,
    server_hostname: str,
    offered: dict[str, Any],
    options: dict[str, Any],
) -> tuple[Transport, P]:
    """Does the handshake over a connected socket.  If it fails, the socket is closed."""
    loop = asyncio.get_running_loop()
    waiter = loop.create_future()
    try:
        protocol = protocol_factory()
        if has_descriptors(loop):
            transport = tls_over_socket(
                loop, sock, context, protocol, server_hostname, offered, is_callers, waiter=waiter, **options
            )
        else:
            below = ProtocolBelowTLS(loop, context, protocol, server_hostname, offered, waiter=waiter, **options)
    except BaseException:
        sock.close()
        raise
    if not has_descriptors(loop):
        return await _over_plain_transport(below, sock, waiter), protocol
    try:
        await waiter
    except BaseException:
        transport.abort()
        raise
    return transport, protocol


async def _over_plain_transport(
    below: ProtocolBelowTLS, sock: socket.socket, waiter: asyncio.Future[None]
) -> Transport:
    """Has the loop make a plain transport over the socket, and does the handshake over that."""
    try:
        await asyncio.get_running_loop().create_connection(lambda: below, sock=sock)
    except BaseException:
        waiter.cancel()
        if below.transport is not None:
            below.transport.abort()
        raise
    return await below.finished(waiter)
