"""Client connections: a protocol over TLS to a host, over a socket, over a path, or over a transport that is there."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from pyossl.aio.arguments import check_factory, check_place, check_protocol, client_context, limits, stream_socket
from pyossl.aio.descriptor import tls_over
from pyossl.aio.loops import has_descriptors
from pyossl.aio.over_transport import BelowTLS
from pyossl.aio.plaintext import reader_of, refusal, resume_writers_of, taken_from
from pyossl.aio.reader import StreamReader
from pyossl.aio.transport import Transport
from pyossl.core.arguments import LARGEST_INT, integer, seconds, socket_path, switch
from pyossl.core.errors import UsageError
from pyossl.sockets.connecting import ATTEMPT_DELAY, by_turns
from pyossl.tls.context import Context
from pyossl.tls.session import Session

P = TypeVar("P", bound=asyncio.BaseProtocol)
AddressInfo = tuple[int, int, int, str, Any]


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
) -> tuple[Transport, P]:
    """A TLS connection to a host and port, or over ``sock``, its handshake finished: the transport and the protocol.

    As ``loop.create_connection``, but that ``ssl`` is a ``Context``, None for one that trusts the system.
    ``server_hostname`` is ``host`` unless given; ``session``, of the same context and name, is offered for resumption.
    ``happy_eyeballs_delay`` is 0.25 seconds, and not asyncio's None, with which a silent address has all the time.
    ``ssl_handshake_timeout`` (60) and ``ssl_shutdown_timeout`` (30) are in seconds.

    Raises ``OSError`` when there is no connection, ``ConnectionAbortedError`` when the handshake takes too long, and as
    ``Connection.handshake`` does.  SSL_connect(3)
    """
    loop = asyncio.get_running_loop()
    context = client_context(ssl)
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
        raise ValueError("either host and port or sock are to be given, and not both")
    if server_hostname is None:
        if not host:
            raise ValueError("You must set server_hostname when using ssl without a host")
        server_hostname = host
    if sock is None:
        hints: dict[str, Any] = {"family": family, "type": socket.SOCK_STREAM, "proto": proto, "flags": flags}
        found: list[Any] = list(await looked_up(loop, host, port, **hints))
        if not found:
            raise OSError("getaddrinfo() returned empty list")
        local: list[Any] | None = None
        if local_addr is not None:
            local = list(await loop.getaddrinfo(*local_addr, **hints))
        if interleave is None and happy_eyeballs_delay is not None:
            interleave = 1
        if interleave:
            found = by_turns(found, interleave)
        sock = await _first_connected(found, local, happy_eyeballs_delay, all_errors)
    return await _over_socket(protocol_factory, sock, is_callers, context, server_hostname, session, options)


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
) -> tuple[Transport, P]:
    """As ``create_connection``, over a Unix socket; ``server_hostname`` must be given.  SSL_connect(3)"""
    if server_hostname is None:
        raise ValueError("you have to pass server_hostname when using ssl")
    check_factory(protocol_factory)
    if path is not None:
        where = socket_path(path, "the path of a socket")
    if (path is None) == (sock is None):
        raise ValueError("either path or sock is to be given, and not both")
    if is_callers := sock is not None:
        stream_socket(sock)
    loop = asyncio.get_running_loop()
    context = client_context(ssl)
    options = limits(ssl_handshake_timeout, ssl_shutdown_timeout)
    if sock is None:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            await loop.sock_connect(sock, where)
        except BaseException:
            sock.close()
            raise
    return await _over_socket(protocol_factory, sock, is_callers, context, server_hostname, session, options)


async def start_tls(
    transport: asyncio.BaseTransport,
    protocol: asyncio.BaseProtocol,
    sslcontext: Context,
    *,
    server_side: bool = False,
    server_hostname: str | None = None,
    ssl_handshake_timeout: float | None = None,
    ssl_shutdown_timeout: float | None = None,
    session: Session | None = None,
) -> Transport:
    """TLS over a transport that is there, whatever it is; the new one, which ``protocol`` is to use from now on.

    As ``loop.start_tls``.  Where the handshake fails the transport is closed.  Raises ``ConnectionResetError`` where it
    is closing or lost before, ``UsageError`` where there is TLS over it already, and ``Error`` where a stream's reader
    has bytes that nobody has read and that are no beginning of a client's handshake: they came in the clear.
    What a protocol of the program's own has received before and kept is the program's to refuse.  SSL_do_handshake(3)
    """
    options = limits(ssl_handshake_timeout, ssl_shutdown_timeout)
    return await over_transport(transport, protocol, sslcontext, server_side, server_hostname, session, None, options)


async def over_transport(
    transport: Any,
    protocol: asyncio.BaseProtocol,
    sslcontext: Context,
    server_side: bool,
    server_hostname: str | None,
    session: Session | None,
    keeps: Any,
    options: dict[str, float],
) -> Transport:
    """As ``start_tls``; ``keeps`` is what must not be finalised as long as there is the transport below."""
    if not isinstance(sslcontext, Context):
        raise TypeError(f"sslcontext is a pyossl.Context, not {sslcontext!r:.80}")
    server_side = switch(server_side, "server_side")
    check_protocol(protocol)
    if isinstance(transport, type) or not hasattr(transport, "set_protocol"):
        raise TypeError(f"a transport of asyncio's is needed, not {type(transport).__name__}")
    if server_side != sslcontext.is_server:
        raise ValueError(f"server_side is {server_side}, and the context is not for that side")
    loop = asyncio.get_running_loop()
    waiter = loop.create_future()
    before = transport.get_protocol()
    if isinstance(before, BelowTLS):
        raise UsageError("there is TLS over this transport already: wrap the transport that it gave")
    below = BelowTLS(loop, sslcontext, protocol, server_hostname, session, waiter=waiter, announced=False, **options)
    if transport.is_closing():
        raise _too_late(before, protocol)
    below.keeps = before, keeps
    readers = [reader for reader in map(reader_of, (before, protocol)) if reader]
    if before is not protocol and reader_of(before):
        below.before = before
    transport.pause_reading()  # until the protocol below is there to be given it
    transport.set_protocol(below)
    resume_writers_of(before)
    received = taken_from(before, protocol)
    if error := refusal(received, server_side):
        below.refuse(transport, error)
    else:
        below.connection_made(transport)
        if received:
            below.data_received(received)
    try:
        above = await _finished(below, waiter)
    except Exception as error:
        for reader in readers:
            reader.set_exception(error)  # nothing else will come, and nobody else tells it
        raise
    if reader := reader_of(protocol):
        _pauses_from_now_on(reader, above)
    return above


def _too_late(*protocols: Any) -> OSError:
    """Why TLS cannot begin over a transport that is closing; its end is the business of its own protocol."""
    error = ConnectionResetError("the connection was closed or lost before TLS could begin over it")
    for reader in filter(None, map(reader_of, protocols)):
        error.__cause__ = error.__cause__ or reader.exception()
    return error


def _pauses_from_now_on(reader: Any, transport: Transport) -> None:
    """A stream's reader pauses the transport that its bytes come from."""
    if isinstance(reader, StreamReader):
        reader.set_transport(transport)
    else:
        reader._transport = transport


async def _over_socket(
    protocol_factory: Callable[[], P],
    sock: socket.socket,
    is_callers: bool,
    context: Context,
    server_hostname: str,
    session: Session | None,
    options: dict[str, float],
) -> tuple[Transport, P]:
    """By the descriptor, or by a transport of the loop's own; the socket is closed where there is no connection."""
    loop = asyncio.get_running_loop()
    waiter = loop.create_future()
    try:
        protocol = protocol_factory()
        if has_descriptors(loop):
            given: dict[str, Any] = {"is_callers": is_callers, "waiter": waiter, **options}
            transport = tls_over(loop, sock, context, protocol, server_hostname, session, **given)
        else:
            below = BelowTLS(loop, context, protocol, server_hostname, session, waiter=waiter, **options)
    except BaseException:
        sock.close()
        raise
    if not has_descriptors(loop):
        return await _carried(below, sock, waiter), protocol
    try:
        await waiter
    except BaseException:
        transport.abort()
        raise
    return transport, protocol


async def _carried(below: BelowTLS, sock: socket.socket, waiter: asyncio.Future[None]) -> Transport:
    """By a transport of the loop's own, which it makes over the socket, and closes where that fails."""
    try:
        await asyncio.get_running_loop().create_connection(lambda: below, sock=sock)
    except BaseException:
        waiter.cancel()
        if below.transport is not None:
            below.transport.abort()
        raise
    return await _finished(below, waiter)


async def _finished(below: BelowTLS, waiter: asyncio.Future[None]) -> Transport:
    transport = below.transport  # None where it is lost already: then the waiter has, or gets, the reason
    try:
        await waiter
    except BaseException:
        if transport is not None:
            transport.abort()
        raise
    assert transport is not None, "it has finished a handshake"
    return transport


async def looked_up(loop: asyncio.AbstractEventLoop, host: Any, port: Any, **hints: Any) -> Sequence[Any]:
    """As ``loop.getaddrinfo``; uvloop's loses the scope of an IPv6 address, for which there is nothing to look up."""
    if isinstance(host, str) and "%" in host:
        options = {**hints, "flags": hints["flags"] | socket.AI_NUMERICHOST}
        return socket.getaddrinfo(host, port, **options)
    return await loop.getaddrinfo(host, port, **hints)


async def _first_connected(
    found: Sequence[AddressInfo], local: Sequence[AddressInfo] | None, delay: float | None, all_errors: bool
) -> socket.socket:
    """The first socket that connects, each address tried when the one before has failed, or ``delay`` seconds later."""
    problems: list[OSError] = []
    attempts: set[asyncio.Task[socket.socket]] = set()
    winner: socket.socket | None = None
    waiting = list(found)
    try:
        while winner is None and (waiting or attempts):
            if waiting:
                attempts.add(asyncio.create_task(_connected(waiting.pop(0), local)))
            done, attempts = await asyncio.wait(
                attempts, timeout=delay if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                error = task.exception()
                if error is None and winner is None:
                    winner = task.result()
                elif error is None:
                    task.result().close()
                elif isinstance(error, OSError):
                    problems.append(error)
                else:
                    raise error
    except BaseException:
        if winner is not None:
            winner.close()
        raise
    finally:
        for task in attempts:
            task.add_done_callback(_drop)
            task.cancel()
    if winner is not None:
        return winner
    if all_errors:
        raise _group(problems)
    if len(problems) == 1 or len({str(problem) for problem in problems}) == 1:
        raise problems[0]
    raise OSError(f"Multiple exceptions: {', '.join(str(problem) for problem in problems)}")


def _group(problems: Sequence[OSError]) -> BaseException:
    import builtins

    group: Any = getattr(builtins, "ExceptionGroup", None)
    if group is None:  # Python 3.10
        return OSError(f"Multiple exceptions: {', '.join(str(problem) for problem in problems)}")
    error: BaseException = group("create_connection failed", problems)
    return error


def _drop(task: asyncio.Task[socket.socket]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()


async def _connected(info: AddressInfo, local: Sequence[AddressInfo] | None) -> socket.socket:
    family, kind, proto, _, address = info
    if family == socket.AF_INET6 and len(address) > 3 and address[3]:
        address = f"{address[0]}%{address[3]}", address[1]  # uvloop looks at no more than a host and a port
    sock = socket.socket(family, kind, proto)
    try:
        sock.setblocking(False)
        if local is not None:
            _bind(sock, [where for of, _, _, _, where in local if of == family])
        await asyncio.get_running_loop().sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock


def _bind(sock: socket.socket, addresses: Sequence[Any]) -> None:
    problem = OSError(f"no matching local address with family={sock.family!r} found")
    for address in addresses:
        try:
            sock.bind(address)
            return
        except OSError as error:
            problem = OSError(error.errno, f"error while attempting to bind on address {address!r}: {error.strerror}")
    raise problem
