"""Client connections: a protocol over TLS to a host, over a socket, over a path, or over a transport that is there."""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from pyossl.aio.descriptor import tls_over
from pyossl.aio.loops import has_descriptors
from pyossl.aio.over_transport import BelowTLS
from pyossl.aio.plaintext import reader_of, refusal, taken_from
from pyossl.aio.reader import StreamReader
from pyossl.aio.transport import Transport
from pyossl.arguments import (
    LARGEST_INT,
    c_text,
    flag,
    host_name,
    instance,
    integer,
    path as checked_path,
    seconds,
    utf8,
)
from pyossl.context import Context
from pyossl.session import Session

P = TypeVar("P", bound=asyncio.BaseProtocol)
HANDSHAKE_TIMEOUT = 60.0
SHUTDOWN_TIMEOUT = 30.0
AddressInfo = tuple[int, int, int, str, Any]


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
    if not seconds(timeout, what, endless=True) > 0:
        raise ValueError(f"{what} should be a positive number, got {timeout}")
    return timeout


def check_place(
    host: Any, port: Any, family: int = 0, proto: int = 0, flags: int = 0, sock: socket.socket | None = None
) -> None:
    """Raises ``TypeError`` or ``ValueError`` for what ``loop.getaddrinfo`` does not take, and for no socket."""
    if sock is not None:
        instance(sock, socket.socket, "sock")
    if host is not None:
        host_name(host, "a host")
    if isinstance(port, str):
        c_text(utf8(port, "the name of a service"), "the name of a service")
    elif port is not None:
        integer(port, "a port", 0, 0xFFFF)
    for value, what in ((family, "family"), (proto, "proto"), (flags, "flags")):
        integer(value, what, -LARGEST_INT - 1, LARGEST_INT)


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
    happy_eyeballs_delay: float | None = None,
    interleave: int | None = None,
    all_errors: bool = False,
    session: Session | None = None,
) -> tuple[Transport, P]:
    """A TLS connection to a host and port, or over ``sock``, its handshake finished: the transport and the protocol.

    As ``loop.create_connection``, but that ``ssl`` is a ``Context``, None for one that trusts the system.
    ``server_hostname`` is ``host`` unless given; ``session``, of the same context and name, is offered for resumption.
    ``ssl_handshake_timeout`` (60) and ``ssl_shutdown_timeout`` (30) are in seconds.

    Raises ``OSError`` when there is no connection, ``ConnectionAbortedError`` when the handshake takes too long, and as
    ``Connection.handshake`` does.  SSL_connect(3)
    """
    loop = asyncio.get_running_loop()
    context = client_context(ssl)
    options = limits(ssl_handshake_timeout, ssl_shutdown_timeout)
    check_factory(protocol_factory)
    check_place(host, port, family, proto, flags, sock)
    flag(all_errors, "all_errors")
    if interleave is not None:
        integer(interleave, "interleave", 0, LARGEST_INT)
    if happy_eyeballs_delay is not None:
        seconds(happy_eyeballs_delay, "happy_eyeballs_delay", endless=True)
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
        found: list[Any] = list(await loop.getaddrinfo(host, port, **hints))
        if not found:
            raise OSError("getaddrinfo() returned empty list")
        local: list[Any] | None = None
        if local_addr is not None:
            local = list(await loop.getaddrinfo(*local_addr, **hints))
        if interleave is None and happy_eyeballs_delay is not None:
            interleave = 1
        if interleave:
            found = interleaved(found, interleave)
        sock = await _first_connected(found, local, happy_eyeballs_delay, all_errors)
    elif sock.type != socket.SOCK_STREAM:
        raise ValueError(f"A Stream Socket was expected, got {sock!r}")
    return await _over_socket(protocol_factory, sock, context, server_hostname, session, options)


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
    check_place(None, None, sock=sock)
    if path is not None:
        checked_path(path, "the path of a socket")
    if (path is None) == (sock is None):
        raise ValueError("either path or sock is to be given, and not both")
    loop = asyncio.get_running_loop()
    context = client_context(ssl)
    options = limits(ssl_handshake_timeout, ssl_shutdown_timeout)
    if sock is None:
        assert path is not None, "checked above"
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            await loop.sock_connect(sock, os.fspath(path))
        except BaseException:
            sock.close()
            raise
    return await _over_socket(protocol_factory, sock, context, server_hostname, session, options)


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

    As ``loop.start_tls``.  Where the handshake fails the transport is closed.  Raises ``Error``, too, where a stream's
    reader has bytes that nobody has read and that are no beginning of a client's handshake: they came in the clear.
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
    flag(server_side, "server_side")
    check_protocol(protocol)
    if isinstance(transport, type) or not hasattr(transport, "set_protocol"):
        raise TypeError(f"a transport of asyncio's is needed, not {type(transport).__name__}")
    if server_side != sslcontext.is_server:
        raise ValueError(f"server_side is {server_side}, and the context is not for that side")
    loop = asyncio.get_running_loop()
    waiter = loop.create_future()
    below = BelowTLS(loop, sslcontext, protocol, server_hostname, session, waiter=waiter, announced=False, **options)
    before = transport.get_protocol()
    below.keeps = before, keeps
    transport.pause_reading()  # until the protocol below is there to be given it
    transport.set_protocol(below)
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
        for reader in filter(None, map(reader_of, (before, protocol))):
            reader.set_exception(error)  # nothing else will come, and nobody else tells it
        raise
    if reader := reader_of(protocol):
        _pauses_from_now_on(reader, above)
    return above


def _pauses_from_now_on(reader: Any, transport: Transport) -> None:
    """A stream's reader pauses the transport that its bytes come from."""
    if isinstance(reader, StreamReader):
        reader.set_transport(transport)
    else:
        reader._transport = transport


async def _over_socket(
    protocol_factory: Callable[[], P],
    sock: socket.socket,
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
            transport = tls_over(loop, sock, context, protocol, server_hostname, session, waiter=waiter, **options)
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


def interleaved(found: Iterable[AddressInfo], first_family_count: int) -> list[AddressInfo]:
    """The addresses by turns of their families, the first family first and so many times.  RFC 8305, 4"""
    families: dict[int, list[AddressInfo]] = {}
    for each in found:
        families.setdefault(each[0], []).append(each)
    lists = list(families.values())
    if not lists:
        return []
    first, lists[0] = lists[0][: first_family_count - 1], lists[0][first_family_count - 1 :]
    return first + [each for turn in itertools.zip_longest(*lists) for each in turn if each is not None]


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
