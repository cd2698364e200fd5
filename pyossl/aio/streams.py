"""Streams: ``open_connection``, ``start_server``, ``open_over`` and their relatives, and ``StreamWriter``."""

from __future__ import annotations

import asyncio
import inspect
import os
import sys
import warnings
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from pyossl.aio.arguments import any_context, limits
from pyossl.aio.closing import EndNotifications
from pyossl.aio.connecting import create_connection, create_unix_connection
from pyossl.aio.early_data import EarlyDataProtocol
from pyossl.aio.server import Server, create_server, create_unix_server
from pyossl.aio.stream_reader import StreamReader
from pyossl.aio.tls_upgrade import tls_over_transport
from pyossl.aio.transport import Transport
from pyossl.aio.transport_states import OPEN
from pyossl.core.arguments import flag, integer
from pyossl.core.buffers import Bytes
from pyossl.core.copying import Uncopied
from pyossl.tls.authentication.dane import Records
from pyossl.tls.connection.connection import Connection
from pyossl.tls.connection.negotiated_summary import NegotiatedSummary
from pyossl.tls.connection.session import Session
from pyossl.tls.context.context import Context
from pyossl.tls.ech.ech import Offered

LIMIT = 1 << 16
"""The default limit of a line in bytes, which is asyncio's.  A reader buffers twice as much."""

ENDED_HERE = "this program has closed or aborted the connection before the peer's data ended"

ClientConnected = Callable[[StreamReader, "StreamWriter"], "Awaitable[None] | None"]


class StreamProtocol(Uncopied, EndNotifications, asyncio.Protocol):
    """The protocol between a transport on one side and a ``StreamReader`` and a ``StreamWriter`` on the other.

    ``client_connected`` is called with both when the handshake is finished; for servers.
    """

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
        self._ended_here: ConnectionAbortedError | None = None
        """What reads raise after an end that this program has caused, if the peer's data had not ended."""
        self._drainers: list[asyncio.Future[None]] = []
        self._closers: list[asyncio.Future[None]] = []
        self.buffer_updated = reader.filled
        self.data_received = reader.received  # type: ignore[method-assign]  # saves a call for each read

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._reader.set_transport(transport)
        if self._client_connected is not None:
            assert isinstance(transport, Transport), "a server of pyossl.aio made it"
            answer = self._client_connected(self._reader, StreamWriter(transport, self, self._reader, self._loop))
            if inspect.isawaitable(answer):
                self._task = asyncio.ensure_future(answer, loop=self._loop)
                self._task.add_done_callback(lambda task: self._client_done(task, transport))

    def _client_done(self, task: asyncio.Future[None], transport: Transport) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and error is not self._ended_here:
            self._loop.call_exception_handler(
                {"message": "Unhandled exception in client_connected_cb", "exception": error, "transport": transport}
            )
        if error is not None or task.cancelled():
            transport.close()

    def eof_received(self) -> bool:
        self._reader.feed_eof()
        return True  # the writer can go on until the program closes it

    def peer_closed(self) -> None:
        self._reader.feed_eof()

    def connection_lost(self, exc: BaseException | None) -> None:
        self._is_lost = True
        self._error = exc
        if exc is not None:
            self._reader.set_exception(exc)
        elif not self._reader._has_ended():  # b"" would say that the peer had sent everything
            self._ended_here = ConnectionAbortedError(ENDED_HERE)
            self._reader.set_exception(self._ended_here)
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
        """Waits until the transport has room.  Raises ``ConnectionResetError`` if it is lost."""
        if self._is_lost:
            raise ConnectionResetError("Connection lost")
        if self._is_paused:
            waiter = self._loop.create_future()
            self._drainers.append(waiter)
            await waiter

    async def closed(self) -> None:
        """Waits until the connection is lost.  Raises the exception with which it was lost."""
        if not self._is_lost:
            waiter = self._loop.create_future()
            self._closers.append(waiter)
            await waiter
        elif self._error is not None:
            raise self._error


class EarlyStreamProtocol(StreamProtocol, EarlyDataProtocol):
    """The protocol of a server's streams with early data, which the reader keeps apart."""

    def __init__(
        self, reader: StreamReader, loop: asyncio.AbstractEventLoop, client_connected: ClientConnected | None = None
    ) -> None:
        super().__init__(reader, loop, client_connected)
        reader.take_early_data()

    def early_data_received(self, data: bytes) -> None:
        self._reader.early_data_received(data)

    def early_data_ended(self) -> None:
        self._reader.early_data_ended()


class StreamWriter(NegotiatedSummary, asyncio.StreamWriter):
    """Writes to a TLS connection, like ``asyncio.StreamWriter``.  ``open_connection`` and ``start_server`` make it.

    It has the properties of its ``connection``: ``version``, ``alpn``, ``peer_certificate`` and the others.

    A writer that is dropped without ``close`` warns with a ``ResourceWarning`` and closes its connection.
    SSL_write_ex(3)
    """

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
        """Makes the writer of ``transport``, whose ``protocol`` delivers to ``reader`` on the event loop ``loop``."""
        super().__init__(transport, protocol, reader, loop)
        self.write = transport.write  # type: ignore[method-assign]  # saves a call for each write

    @property
    def transport(self) -> Transport:
        """The TLS transport below the stream."""
        return self._transport

    @property
    def connection(self) -> Connection:  # type: ignore[override]  # a property, because start_tls changes the transport
        """The ``pyossl.Connection`` of the stream."""
        return self._transport._connection

    def write(self, data: Bytes) -> None:
        """Encrypts and sends bytes.  It never waits: bytes that cannot be sent at once stay in a buffer.

        Await ``drain`` after it, so that the buffer does not grow without limit.  Raises ``TypeError`` if ``data`` is
        not bytes-like, ``RuntimeError`` after ``write_eof``.  SSL_write_ex(3)
        """
        self._transport.write(data)

    def writelines(self, data: Iterable[Bytes]) -> None:
        """Writes each bytes-like object of ``data``, one after the other, like ``write``."""
        try:
            joined = b"".join(data)
        except (TypeError, NotImplementedError) as error:  # a memoryview of several dimensions cannot be iterated
            raise TypeError("data is an iterable of bytes-like objects") from error
        self._transport.write(joined)

    def can_write_eof(self) -> bool:
        """True: TLS can close one direction and keep the other open."""
        return self._transport.can_write_eof()

    def write_eof(self) -> None:
        """Sends close_notify after the bytes that were written.  Reading goes on.  SSL_shutdown(3)"""
        self._transport.write_eof()

    def close(self) -> None:
        """Sends the written bytes and close_notify, and then closes the connection.  Await ``wait_closed`` after it.

        SSL_shutdown(3)
        """
        self._transport.close()

    def is_closing(self) -> bool:
        """Whether ``close`` was called, a write has failed, or the connection is lost."""
        return self._transport.is_closing()

    def update_keys(self, *, request_peer: bool = False) -> None:
        """``Transport.update_keys``: a new key, with ``request_peer`` of the peer too.  SSL_key_update(3)"""
        self._transport.update_keys(request_peer=request_peer)

    def renegotiate(self) -> None:
        """``Transport.renegotiate``: begins another handshake.  SSL_renegotiate(3)"""
        self._transport.renegotiate()

    def request_certificate(self) -> None:
        """``Transport.request_certificate``: asks the client for one.  SSL_verify_client_post_handshake(3)"""
        self._transport.request_certificate()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Information about the connection: ``name`` is one of ``Transport.get_extra_info``; ``default`` if none."""
        return self._transport.get_extra_info(name, default)

    async def drain(self) -> None:
        """Waits, if more than 512 KiB are unsent, until most of them are sent.

        Raises the exception with which the connection was lost, or with which a write has failed.
        """
        failure, protocol = self._reader._failure, self._protocol
        if failure is not None:
            raise failure
        if self._transport._state != OPEN:
            if self._transport._write_failure is not None:
                raise self._transport._write_failure
            await asyncio.sleep(0)  # connection_lost is called meanwhile, and a loop of writes ends
        if protocol._is_lost or protocol._is_paused:
            await protocol.drained()

    async def wait_closed(self) -> None:
        """Waits until the connection is closed.  Raises the exception with which it was lost."""
        await self._protocol.closed()

    async def start_tls(
        self,
        sslcontext: Context,
        *,
        server_hostname: str | None = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
    ) -> None:
        """Does a second TLS handshake inside this connection's TLS.  This writer and its reader use it from then on.

        - ``sslcontext``: a client's or a server's context, which decides the side.
        - ``server_hostname``: the name that the server's certificate must be for, for a client.
        - ``ssl_handshake_timeout``, ``ssl_shutdown_timeout``: seconds, 60 and 30 if None.

        Raises the same exceptions as ``pyossl.aio.start_tls``.  SSL_do_handshake(3)
        """
        any_context(sslcontext)
        await self.drain()
        options = limits(ssl_handshake_timeout, ssl_shutdown_timeout)
        below, protocol = self._transport, self._protocol
        try:
            side = sslcontext.is_server
            self._transport = await tls_over_transport(
                below, protocol, sslcontext, side, server_hostname, {}, None, options
            )
        except BaseException as error:
            is_told = protocol._is_lost or below.get_protocol() is protocol
            if below.is_closing() and not is_told:  # no other code wakes the tasks that wait for the end
                protocol.connection_lost(error if isinstance(error, Exception) else None)
            raise
        self.write = self._transport.write  # type: ignore[method-assign]

    def __del__(self, _warn: Callable[..., None] = warnings.warn) -> None:
        transport = getattr(self, "_transport", None)
        if transport is None or transport.is_closing() or transport._is_of_another_process():
            return
        if transport.get_protocol() is not self._protocol:  # ``open_over`` has put TLS over the transport
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
    """Connects to a host and port, does the TLS handshake, and returns a reader and a writer.

    It is like ``asyncio.open_connection``.

    - ``host``, ``port``: a name or an IP address, and a number or the name of a service.
    - ``limit``: the longest line that the reader returns, in bytes.  It buffers twice as much.
    - ``ssl``: a client's ``Context``.  None and True mean ``Context.client()``, which verifies the server.
    - ``options``: the other parameters of ``create_connection``, for example ``server_hostname``, ``sock``, ``session``
      and ``early_data``.

    Raises the same exceptions as ``create_connection``.  SSL_connect(3)
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
    """Connects to a Unix socket, does the TLS handshake, and returns a reader and a writer.

    - ``path``: the path of the socket.
    - ``limit``, ``ssl``: as for ``open_connection``.
    - ``options``: the other parameters of ``create_unix_connection``.  ``server_hostname`` is required.

    Raises the same exceptions as ``create_unix_connection``.  SSL_connect(3)
    """
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
    early_data: Bytes | bool | None = None,
    ech: Offered | None = None,
    dane: Records | None = None,
) -> tuple[StreamReader, StreamWriter]:
    """Does a TLS handshake over an existing transport, and returns a reader and a writer.

    - ``transport``: a stream's writer, for example a plain one after STARTTLS, or an asyncio transport.  The finaliser
      of a writer closes its connection.  A writer that is passed here is kept as long as the TLS connection.  If you
      pass ``writer.transport``, keep the writer yourself.
    - ``sslcontext``: a client's or a server's context, which decides the side.
    - ``limit``: the longest line that the reader returns, in bytes.  It buffers twice as much.
    - ``server_hostname``: the name that the server's certificate must be for, for a client.
    - ``ssl_handshake_timeout``, ``ssl_shutdown_timeout``: seconds, 60 and 30 if None.
    - ``session``: a session of the same context and name, which a client offers for resumption.
    - ``early_data``: for a client, bytes that are sent before the server answers, as in ``create_connection``.  For a
      server, True takes early data, as in ``start_server``: it returns before the handshake is finished if early data
      is accepted, and ``reader.read_early_data`` returns it.
    - ``ech``: the configurations for Encrypted Client Hello, for a client, as in ``create_connection``.
    - ``dane``: the server's TLSA records, for a client, as in ``create_connection``.

    Raises the same exceptions as ``start_tls``.  SSL_do_handshake(3)
    """
    loop = asyncio.get_running_loop()
    reader = StreamReader(limit, loop)
    options = limits(ssl_handshake_timeout, ssl_shutdown_timeout)
    below: Any = transport
    if isinstance(transport, asyncio.StreamWriter):
        below = transport.transport
    side = any_context(sslcontext).is_server
    protocol = StreamProtocol(reader, loop)
    if side and isinstance(early_data, bool):
        protocol = EarlyStreamProtocol(reader, loop) if early_data else protocol
        early_data = None
    offered = {"session": session, "early_data": early_data, "ech": ech, "dane": dane}
    above = await tls_over_transport(below, protocol, sslcontext, side, server_hostname, offered, transport, options)
    protocol.connection_made(above)
    return reader, StreamWriter(above, protocol, reader, loop)


async def start_server(
    client_connected_cb: ClientConnected,
    host: str | Sequence[str] | None = None,
    port: int | str | None = None,
    *,
    ssl: Context,
    limit: int = LIMIT,
    early_data: bool = False,
    **options: Any,
) -> Server:
    """Starts a TLS server and returns it.  It is like ``asyncio.start_server``.

    - ``client_connected_cb``: called as ``client_connected_cb(reader, writer)`` for each client whose handshake is
      finished.  If it is a coroutine function, it runs as a task.  If it raises, the connection is closed.
    - ``host``, ``port``: a host name or address, or several, and a number or the name of a service.  With None or
      ``""`` as the host it listens on all addresses.
    - ``ssl``: a server's ``Context``.
    - ``limit``: the longest line that a reader returns, in bytes.  It buffers twice as much.
    - ``early_data``: True takes early data, if the context's ``max_early_data`` does.  Then ``client_connected_cb`` is
      called before the handshake is finished if early data is accepted, and ``reader.read_early_data`` returns it.
      What is written meanwhile answers the client at once.  The other reads return what follows.
    - ``options``: the other parameters of ``create_server``, for example ``sock`` and ``backlog``.

    Raises the same exceptions as ``create_server``.  SSL_accept(3)
    """
    return await create_server(_factory(client_connected_cb, limit, early_data), host, port, ssl=ssl, **options)


async def start_unix_server(
    client_connected_cb: ClientConnected,
    path: str | os.PathLike[str] | None = None,
    *,
    ssl: Context,
    limit: int = LIMIT,
    early_data: bool = False,
    **options: Any,
) -> Server:
    """Starts a TLS server on a Unix socket and returns it.

    - ``client_connected_cb``, ``ssl``, ``limit``, ``early_data``: as for ``start_server``.
    - ``path``: the path of the socket.  A socket that another server has left there is replaced.
    - ``options``: the other parameters of ``create_unix_server``, for example ``sock`` and ``backlog``.

    Raises the same exceptions as ``create_unix_server``.  SSL_accept(3)
    """
    return await create_unix_server(_factory(client_connected_cb, limit, early_data), path, ssl=ssl, **options)


def _factory(client_connected: ClientConnected, limit: int, early_data: bool) -> Callable[[], StreamProtocol]:
    if not callable(client_connected):
        raise TypeError(f"client_connected_cb is a function, not {type(client_connected).__name__}")
    integer(limit, "limit", 1, sys.maxsize)
    loop = asyncio.get_running_loop()
    protocol = EarlyStreamProtocol if flag(early_data, "early_data") else StreamProtocol
    return lambda: protocol(StreamReader(limit, loop), loop, client_connected)
