"""asyncio's streams over TLS."""

from __future__ import annotations

import asyncio
import inspect
import os
import sys
import warnings
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from pyossl.aio.arguments import limits
from pyossl.aio.connecting import create_connection, create_unix_connection, over_transport
from pyossl.aio.reader import StreamReader
from pyossl.aio.server import Server, create_server, create_unix_server
from pyossl.aio.transport import OPEN, Transport
from pyossl.core.arguments import instance, integer
from pyossl.core.copying import Uncopied
from pyossl.tls.context import Context
from pyossl.tls.session import Session

LIMIT = 1 << 16
"""The default limit of a line, in bytes, as asyncio has it; twice as much is buffered."""

ClientConnected = Callable[[StreamReader, "StreamWriter"], "Awaitable[None] | None"]


class StreamProtocol(Uncopied, asyncio.Protocol):
    """What joins a transport to a ``StreamReader`` and a ``StreamWriter``."""

    def __init__(
        self,
        reader: StreamReader,
        loop: asyncio.AbstractEventLoop,
        client_connected: ClientConnected | None = None,
    ) -> None:
        self._reader = reader
        self._loop = loop
        self._client_connected = client_connected
        self._task: asyncio.Future[None] | None = None
        self._is_paused = False
        self._is_lost = False
        self._error: BaseException | None = None
        self._drainers: list[asyncio.Future[None]] = []
        self._closers: list[asyncio.Future[None]] = []
        self.buffer_updated = reader.filled
        self.data_received = reader.received  # type: ignore[method-assign]  # a call less for each read

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._reader.set_transport(transport)
        if self._client_connected is not None:
            assert isinstance(transport, Transport), "pyossl.aio's server made it"
            answer = self._client_connected(self._reader, StreamWriter(transport, self, self._reader, self._loop))
            if inspect.isawaitable(answer):
                self._task = asyncio.ensure_future(answer, loop=self._loop)
                self._task.add_done_callback(lambda task: self._client_done(task, transport))

    def _client_done(self, task: asyncio.Future[None], transport: Transport) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._loop.call_exception_handler(
                {"message": "Unhandled exception in client_connected_cb", "exception": error, "transport": transport}
            )
        if error is not None or task.cancelled():
            transport.close()

    def eof_received(self) -> bool:
        self._reader.feed_eof()
        return True  # half-closed: the writer goes on until it is closed

    def connection_lost(self, exc: BaseException | None) -> None:
        self._is_lost = True
        self._error = exc
        if exc is None:
            self._reader.feed_eof()
        else:
            self._reader.set_exception(exc)
        for waiter in (*self._drainers, *self._closers):
            if not waiter.done():
                if exc is None:
                    waiter.set_result(None)
                else:
                    waiter.set_exception(exc)
        self._drainers, self._closers = [], []
        self._task = None

    def pause_writing(self) -> None:
        self._is_paused = True

    def writing_failed(self, exc: BaseException) -> None:
        """What is written is lost from now on; what the peer has sent is still to come."""
        drainers, self._drainers = self._drainers, []
        for waiter in drainers:
            if not waiter.done():
                waiter.set_exception(exc)

    def resume_writing(self) -> None:
        self._is_paused = False
        drainers, self._drainers = self._drainers, []
        for waiter in drainers:
            if not waiter.done():
                waiter.set_result(None)

    async def drained(self) -> None:
        """Waits until the transport takes more; ``ConnectionResetError`` where it never will."""
        if self._is_lost:
            raise ConnectionResetError("Connection lost")
        if self._is_paused:
            waiter = self._loop.create_future()
            self._drainers.append(waiter)
            await waiter

    async def closed(self) -> None:
        """Waits until the connection is lost; raises what it was lost by."""
        if not self._is_lost:
            waiter = self._loop.create_future()
            self._closers.append(waiter)
            await waiter
        elif self._error is not None:
            raise self._error


class StreamWriter(Uncopied, asyncio.StreamWriter):
    """As ``asyncio.StreamWriter``, over TLS.  ``write_eof`` sends close_notify; what the peer sends can be read on."""

    _transport: Transport
    _protocol: StreamProtocol
    _reader: StreamReader
    _loop: asyncio.AbstractEventLoop

    def __init__(
        self,
        transport: Transport,
        protocol: StreamProtocol,
        reader: StreamReader,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(transport, protocol, reader, loop)
        self.write = transport.write  # type: ignore[method-assign]  # as data_received above

    async def drain(self) -> None:
        """Waits until what was written has gone far enough to write more; raises what the connection was lost by."""
        failure, protocol = self._reader._failure, self._protocol
        if failure is not None:
            raise failure
        if self._transport._state != OPEN:
            if self._transport._write_failure is not None:
                raise self._transport._write_failure
            await asyncio.sleep(0)  # so that connection_lost comes first, and a loop of writes ends
        if protocol._is_lost or protocol._is_paused:
            await protocol.drained()

    async def wait_closed(self) -> None:
        """Waits until the connection is closed; raises what it was lost by."""
        await self._protocol.closed()

    async def start_tls(
        self,
        sslcontext: Context,
        *,
        server_hostname: str | None = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
    ) -> None:
        """TLS inside this connection's TLS, for this writer and its reader.  SSL_do_handshake(3)"""
        instance(sslcontext, Context, "sslcontext")
        await self.drain()
        options = limits(ssl_handshake_timeout, ssl_shutdown_timeout)
        below, protocol = self._transport, self._protocol
        try:
            side = sslcontext.is_server
            self._transport = await over_transport(
                below, protocol, sslcontext, side, server_hostname, None, None, options
            )
        except BaseException as error:
            is_told = protocol._is_lost or below.get_protocol() is protocol
            if below.is_closing() and not is_told:  # nobody else will tell who waits for the end
                protocol.connection_lost(error if isinstance(error, Exception) else None)
            raise
        self.write = self._transport.write  # type: ignore[method-assign]  # as above

    def __del__(self, _warn: Callable[..., None] = warnings.warn) -> None:
        transport = getattr(self, "_transport", None)
        if transport is None or transport.is_closing() or transport._is_of_another_process():
            return
        if transport.get_protocol() is not self._protocol:  # TLS inside has the transport now: ``open_over``
            return
        description = transport._description()
        if not self._loop.is_closed():
            transport._close_dropped()
        _warn(f"unclosed <{type(self).__name__} {description}>", ResourceWarning, source=self)


async def open_connection(
    host: str | None = None,
    port: int | str | None = None,
    *,
    limit: int = LIMIT,
    ssl: Context | bool | None = None,
    **options: Any,
) -> tuple[StreamReader, StreamWriter]:
    """A reader and a writer over a TLS connection, its handshake finished.

    As ``asyncio.open_connection``; ``options`` are those of ``create_connection``.  SSL_connect(3)
    """
    loop = asyncio.get_running_loop()
    reader = StreamReader(limit, loop)
    protocol = StreamProtocol(reader, loop)
    transport, _ = await create_connection(lambda: protocol, host, port, ssl=ssl, **options)
    return reader, StreamWriter(transport, protocol, reader, loop)


async def open_unix_connection(
    path: str | os.PathLike[str] | None = None,
    *,
    limit: int = LIMIT,
    ssl: Context | bool | None = None,
    **options: Any,
) -> tuple[StreamReader, StreamWriter]:
    """As ``open_connection``, over a Unix socket; ``server_hostname`` must be given.  SSL_connect(3)"""
    loop = asyncio.get_running_loop()
    reader = StreamReader(limit, loop)
    protocol = StreamProtocol(reader, loop)
    transport, _ = await create_unix_connection(lambda: protocol, path, ssl=ssl, **options)
    return reader, StreamWriter(transport, protocol, reader, loop)


async def open_over(
    transport: asyncio.BaseTransport | asyncio.StreamWriter,
    sslcontext: Context,
    *,
    limit: int = LIMIT,
    server_hostname: str | None = None,
    ssl_handshake_timeout: float | None = None,
    ssl_shutdown_timeout: float | None = None,
    session: Session | None = None,
) -> tuple[StreamReader, StreamWriter]:
    """A reader and a writer over TLS over a transport that is there, as the side that the context is for.

    Give it a stream's writer, such as a plain one after STARTTLS: it is kept for as long as there is the connection,
    which its finaliser would close.  Who gives ``writer.transport`` keeps the writer himself.  Raises as ``start_tls``.
    SSL_do_handshake(3)
    """
    loop = asyncio.get_running_loop()
    reader = StreamReader(limit, loop)
    protocol = StreamProtocol(reader, loop)
    options = limits(ssl_handshake_timeout, ssl_shutdown_timeout)
    below: Any = transport
    if isinstance(transport, asyncio.StreamWriter):
        below = transport.transport
    side = instance(sslcontext, Context, "sslcontext").is_server
    above = await over_transport(below, protocol, sslcontext, side, server_hostname, session, transport, options)
    protocol.connection_made(above)
    return reader, StreamWriter(above, protocol, reader, loop)


async def start_server(
    client_connected_cb: ClientConnected,
    host: str | Sequence[str] | None = None,
    port: int | str | None = None,
    *,
    ssl: Context,
    limit: int = LIMIT,
    **options: Any,
) -> Server:
    """A server that calls ``client_connected_cb(reader, writer)`` for each client whose handshake is finished.

    As ``asyncio.start_server``; ``options`` are those of ``create_server``.  SSL_accept(3)
    """
    return await create_server(_factory(client_connected_cb, limit), host, port, ssl=ssl, **options)


async def start_unix_server(
    client_connected_cb: ClientConnected,
    path: str | os.PathLike[str] | None = None,
    *,
    ssl: Context,
    limit: int = LIMIT,
    **options: Any,
) -> Server:
    """As ``start_server``, on the path of a Unix socket.  SSL_accept(3)"""
    return await create_unix_server(_factory(client_connected_cb, limit), path, ssl=ssl, **options)


def _factory(client_connected: ClientConnected, limit: int) -> Callable[[], StreamProtocol]:
    if not callable(client_connected):
        raise TypeError(f"client_connected_cb is a function, not {type(client_connected).__name__}")
    integer(limit, "limit", 1, sys.maxsize)
    loop = asyncio.get_running_loop()
    return lambda: StreamProtocol(StreamReader(limit, loop), loop, client_connected)
