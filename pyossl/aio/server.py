"""Servers: listening sockets of a loop whose connections use TLS."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import stat
from asyncio import trsock
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pyossl.aio.arguments import check_factory, check_place, limits, server_context, stream_socket
from pyossl.aio.early_data import EarlyDataProtocol
from pyossl.aio.event_loop import has_descriptors
from pyossl.aio.fork_count import fork_count
from pyossl.aio.name_resolution import addresses_of
from pyossl.aio.socket_transport import EarlySocketTransport, tls_over_socket
from pyossl.aio.transport import Transport
from pyossl.aio.transport_over_transport import ProtocolBelowTLS
from pyossl.core.arguments import LARGEST_INT, instances, integer, socket_path, switch
from pyossl.core.copying import Uncopied
from pyossl.sockets.listener import OUT_OF_RESOURCES
from pyossl.tls.context.context import Context

_RETRY_DELAY = 1.0


class Server(Uncopied, asyncio.AbstractServer):
    """A TLS server, like ``asyncio.Server``.  ``create_server`` and ``start_server`` make it.

    As a context manager (``async with``) it is closed at the end, and its connections are waited for.  SSL_accept(3)
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        listeners: Sequence[socket.socket],
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        context: Context,
        backlog: int,
        options: dict[str, float],
    ) -> None:
        """Makes a server that does not listen yet; ``create_server`` calls it.

        - ``loop``: the event loop.
        - ``listeners``: the bound sockets.
        - ``protocol_factory``, ``context``, ``backlog``: those of ``create_server``, where ``context`` is ``ssl``.
        - ``options``: the timeouts of the transports, in seconds.
        """
        self._loop = loop
        self._listeners: Sequence[socket.socket] | None = listeners
        self._protocol_factory = protocol_factory
        self._context = context
        self._backlog = backlog
        self._options = options
        self._transports: set[Transport] = set()
        self._waiters: list[asyncio.Future[None]] = []
        self._serves = False
        self._forever: asyncio.Future[None] | None = None
        self._plain_servers: list[asyncio.AbstractServer] = []
        self._forks = fork_count()

    def _attach(self, transport: Transport) -> None:
        self._transports.add(transport)

    def _detach(self, transport: Transport) -> None:
        self._transports.discard(transport)
        self._wake()

    def _wake(self) -> None:
        if self._listeners is None and not self._transports:
            waiters, self._waiters = self._waiters, []
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)

    @property
    def sockets(self) -> tuple[trsock.TransportSocket, ...]:
        """The listening sockets.  An empty tuple after the server is closed."""
        return tuple(trsock.TransportSocket(sock) for sock in self._listeners or ())

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The loop that the server runs in."""
        return self._loop

    def is_serving(self) -> bool:
        """Whether the server accepts connections."""
        return self._serves

    async def start_serving(self) -> None:
        """Begins to accept connections.  Does nothing if the server already does.

        Raises ``RuntimeError`` if the server is closed, ``OSError`` if it cannot listen on an address.  listen(2)
        """
        await self._start()
        await asyncio.sleep(0)

    async def _start(self) -> None:
        if self._listeners is None:
            raise RuntimeError(f"server {self!r} is closed")
        if self._serves:
            return
        self._serves = True
        try:
            for sock in self._listeners:
                await self._listen(sock)
        except BaseException:
            self._stop(self._listeners or ())
            raise

    async def _listen(self, sock: socket.socket) -> None:
        if has_descriptors(self._loop):
            sock.listen(self._backlog)
            self._loop.add_reader(sock.fileno(), self._accept, sock)
            return
        options: dict[str, Any] = {"backlog": self._backlog, "start_serving": False}
        plain = await self._loop.create_server(self._protocol_below, sock=sock.dup(), **options)
        self._plain_servers.append(plain)  # before a wait that can be cancelled
        await plain.start_serving()

    def _stop(self, listeners: Iterable[socket.socket]) -> None:
        self._serves = False
        if self._forks != fork_count():  # the parent uses the same epoll
            return
        if has_descriptors(self._loop) and not self._loop.is_closed():
            for sock in listeners:
                self._loop.remove_reader(sock.fileno())
        servers, self._plain_servers = self._plain_servers, []
        for server in servers:
            server.close()

    async def serve_forever(self) -> None:
        """Accepts connections until the task is cancelled or the server is closed.

        Then it closes the server, waits as ``wait_closed`` does, and raises ``CancelledError``.  The connections are
        not closed: a program that should end soon calls ``close_clients`` or ``abort_clients``, or ends their tasks.
        A second cancellation ends the wait.

        Raises ``RuntimeError`` if the server is closed or another task awaits ``serve_forever``.
        """
        if self._forever is not None:
            raise RuntimeError(f"server {self!r} is already being awaited on serve_forever()")
        self._forever = self._loop.create_future()
        try:
            await self._start()
            await self._forever
        except asyncio.CancelledError:
            self.close()
            await self.wait_closed()
            raise
        finally:
            self._forever = None

    def close(self) -> None:
        """Stops listening.  Existing connections go on, and so do other processes that share the sockets."""
        listeners, self._listeners = self._listeners, None
        if listeners is None:
            return
        self._stop(listeners)
        for sock in listeners:
            sock.close()
        if self._forever is not None and not self._forever.done():
            self._forever.cancel()
        self._wake()

    def close_clients(self) -> None:
        """Closes every connection with a close_notify, as ``Transport.close`` does.  Unfinished handshakes are aborted.

        It does not wait.  A connection ends when its peer has answered with its close_notify, or when nothing could be
        sent or received for ``ssl_shutdown_timeout`` (30 seconds by default).  It may be called before and after
        ``close``.  A read of a ``StreamReader`` that waits raises ``ConnectionAbortedError``, unless the peer answers
        with a close_notify and has sent no more data before it.  SSL_shutdown(3)
        """
        for transport in tuple(self._transports):
            transport.close()

    def abort_clients(self) -> None:
        """Closes every connection and aborts every unfinished handshake at once, without a close_notify.

        The peers raise an error for the truncation.  A read of a ``StreamReader`` that waits raises
        ``ConnectionAbortedError``: the peer's data had not ended.
        """
        for transport in tuple(self._transports):
            transport.abort()

    async def wait_closed(self) -> None:
        """Waits until the server is closed, and its connections and unfinished handshakes have ended.

        It ends nothing itself: a connection can stay open without a limit, and a handshake for up to
        ``ssl_handshake_timeout`` (60 seconds by default).  Call ``close_clients`` or ``abort_clients`` to end them.
        asyncio's own servers wait for the connections from Python 3.12 on.
        """
        if self._listeners is None and not self._transports:
            return
        waiter = self._loop.create_future()
        self._waiters.append(waiter)
        await waiter

    def _accept(self, listener: socket.socket) -> None:
        options: dict[str, Any] = {"server": self, **self._options}
        for _ in range(self._backlog + 1):
            try:
                sock, _address = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in OUT_OF_RESOURCES:
                    raise
                self._report("socket.accept() out of system resource", error)
                self._loop.remove_reader(listener.fileno())
                self._loop.call_later(_RETRY_DELAY, self._accept_again, listener)
                return
            try:
                protocol = self._protocol_factory()
            except Exception as error:
                sock.close()
                self._report("the protocol's factory failed", error)
                continue
            try:
                if isinstance(protocol, EarlyDataProtocol):
                    tls_over_socket(
                        self._loop, sock, self._context, protocol, transport_class=EarlySocketTransport, **options
                    )
                else:
                    tls_over_socket(self._loop, sock, self._context, protocol, **options)
            except Exception as error:
                self._report("accepting a connection failed", error)

    def _accept_again(self, listener: socket.socket) -> None:
        if self._serves:
            self._loop.add_reader(listener.fileno(), self._accept, listener)

    def _protocol_below(self) -> ProtocolBelowTLS:
        options: dict[str, Any] = {"server": self, **self._options}
        protocol = self._protocol_factory()
        return ProtocolBelowTLS(self._loop, self._context, protocol, **options)

    def _report(self, message: str, error: Exception) -> None:
        self._loop.call_exception_handler({"message": message, "exception": error})

    async def __aenter__(self) -> Server:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()
        await self.wait_closed()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} sockets={self.sockets!r}>"


async def create_server(
    protocol_factory: Callable[[], asyncio.BaseProtocol],
    host: str | Sequence[str] | None = None,
    port: int | str | None = None,
    *,
    ssl: Context,
    family: int = socket.AF_UNSPEC,
    flags: int = socket.AI_PASSIVE,
    sock: socket.socket | None = None,
    backlog: int = 100,
    reuse_address: bool | None = None,
    reuse_port: bool | None = None,
    keep_alive: bool | None = None,
    ssl_handshake_timeout: float | None = None,
    ssl_shutdown_timeout: float | None = None,
    start_serving: bool = True,
) -> Server:
    """Starts a TLS server and returns it.  It is like ``loop.create_server``.

    - ``protocol_factory``: a function without arguments that returns an asyncio protocol, called for each client.  The
      protocol's ``connection_made`` is called when the handshake is finished.
    - ``host``, ``port``: a host name or address, or several, and a number or the name of a service.  With None or
      ``""`` as the host it listens on all addresses.
    - ``ssl``: a server's ``Context``.
    - ``family``, ``flags``: passed to ``getaddrinfo``.
    - ``sock``: a bound socket, instead of ``host`` and ``port``.  The server owns it and closes it.
    - ``backlog``: how many connections the kernel queues.  listen(2)
    - ``reuse_address``, ``reuse_port``, ``keep_alive``: the socket options of socket(7).  ``reuse_address`` is set on
      POSIX systems unless it is False, the others if they are true.
    - ``ssl_handshake_timeout``, ``ssl_shutdown_timeout``: seconds, 60 and 30 if None.
    - ``start_serving``: if it is False, call ``start_serving`` or ``serve_forever`` of the server later.

    A client that stalls in its handshake does not delay other clients.  Raises ``OSError`` if an address cannot be
    bound, ``TypeError`` or ``ValueError`` for unsuitable arguments.  SSL_accept(3)
    """
    loop = asyncio.get_running_loop()
    context, options = server_context(ssl), limits(ssl_handshake_timeout, ssl_shutdown_timeout)
    _check(protocol_factory, backlog, start_serving)
    hosts = [host or None] if host is None or isinstance(host, str) else list(instances(host, str, "host"))
    for each in hosts:
        check_place(each, port, family, 0, flags)
    for value, what in ((reuse_address, "reuse_address"), (reuse_port, "reuse_port"), (keep_alive, "keep_alive")):
        if value is not None:
            switch(value, what)
    if sock is not None and (host is not None or port is not None):
        raise ValueError("host/port and sock can not be specified at the same time")
    if sock is None:
        if host is None and port is None:
            raise ValueError("Neither host/port nor sock were specified")
        listeners = await _bound(loop, hosts, port, family, flags, reuse_address, reuse_port, keep_alive)
    else:
        listeners = [stream_socket(sock)]
    return await _served(Server(loop, listeners, protocol_factory, context, backlog, options), start_serving)


async def create_unix_server(
    protocol_factory: Callable[[], asyncio.BaseProtocol],
    path: str | os.PathLike[str] | None = None,
    *,
    ssl: Context,
    sock: socket.socket | None = None,
    backlog: int = 100,
    ssl_handshake_timeout: float | None = None,
    ssl_shutdown_timeout: float | None = None,
    start_serving: bool = True,
) -> Server:
    """Starts a TLS server on a Unix socket and returns it.

    It is like ``loop.create_unix_server``.

    - ``protocol_factory``: a function without arguments that returns an asyncio protocol, called for each client.
    - ``path``: the path of the socket.  A socket that another server has left there is replaced.
    - ``ssl``: a server's ``Context``.
    - ``sock``: a bound socket, instead of ``path``.  The server owns it and closes it.
    - ``backlog``: how many connections the kernel queues.  listen(2)
    - ``ssl_handshake_timeout``, ``ssl_shutdown_timeout``: seconds, 60 and 30 if None.
    - ``start_serving``: if it is False, call ``start_serving`` or ``serve_forever`` of the server later.

    Raises the same exceptions as ``create_server``.  SSL_accept(3)
    """
    loop = asyncio.get_running_loop()
    context, options = server_context(ssl), limits(ssl_handshake_timeout, ssl_shutdown_timeout)
    _check(protocol_factory, backlog, start_serving)
    if path is not None:
        socket_path(path, "the path of a socket")
    if (path is None) == (sock is None):
        raise ValueError("pass either path or sock")
    if sock is None:
        assert path is not None, "checked above"
        path = os.fsdecode(path)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            if path[:1] not in ("", "\0"):
                with contextlib.suppress(FileNotFoundError):
                    if stat.S_ISSOCK(os.stat(path).st_mode):
                        os.remove(path)
            sock.bind(path)
        except BaseException:
            sock.close()
            raise
    listeners = [stream_socket(sock)]
    return await _served(Server(loop, listeners, protocol_factory, context, backlog, options), start_serving)


def _check(protocol_factory: Any, backlog: Any, start_serving: Any) -> None:
    check_factory(protocol_factory)
    integer(backlog, "backlog", 0, LARGEST_INT)
    switch(start_serving, "start_serving")


async def _served(server: Server, start_serving: bool) -> Server:
    try:
        for sock in server._listeners or ():
            sock.setblocking(False)
        if start_serving:
            await server.start_serving()
    except BaseException:
        server.close()
        raise
    return server


async def _bound(
    loop: asyncio.AbstractEventLoop,
    hosts: Sequence[str | None],
    port: int | str | None,
    family: int,
    flags: int,
    reuse_address: bool | None,
    reuse_port: bool | None,
    keep_alive: bool | None,
) -> list[socket.socket]:
    """One bound socket for each address of each host."""
    addresses: dict[tuple[int, int, Any], None] = {}
    for each in hosts:
        found = await addresses_of(loop, each, port, family=family, type=socket.SOCK_STREAM, flags=flags)
        addresses.update(dict.fromkeys((of, proto, where) for of, _, proto, _, where in found))
    sockets: list[socket.socket] = []
    try:
        for of, proto, where in addresses:
            try:
                sock = socket.socket(of, socket.SOCK_STREAM, proto)
            except OSError:  # the kernel does not have this address family
                continue
            sockets.append(sock)
            if reuse_address is not False and os.name == "posix":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if reuse_port:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if keep_alive:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if of == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                sock.bind(where)
            except OSError as error:
                if error.errno == errno.EADDRNOTAVAIL and len(addresses) > 1:  # IPv6 is off on this machine
                    sockets.pop().close()
                    continue
                message = f"error while attempting to bind on address {where!r}: {error.strerror}"
                raise OSError(error.errno, message) from None
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    if not sockets:
        raise OSError(f"could not bind on any address out of {[where for _, _, where in addresses]!r}")
    return sockets
