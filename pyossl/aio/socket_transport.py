"""TLS over a socket that the loop watches: asyncio's selector loops, uvloop, and any other loop with ``add_reader``."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from asyncio import trsock
from collections.abc import Callable
from typing import Any

from pyossl.aio.early_data import EARLY_SLOTS, EarlyDataTransport
from pyossl.aio.transport import Transport
from pyossl.aio.transport_states import OPEN
from pyossl.core.buffers import Bytes
from pyossl.sockets.descriptor_connection import drain
from pyossl.sockets.event_loop_steps import SLICE, EventLoopConnection
from pyossl.sockets.happy_eyeballs import send_at_once


class SocketTransport(Transport):
    """TLS over a connected, non-blocking socket, which the transport owns.  SSL_set_fd(3)

    ``_read_ready`` and ``write`` handle the usual case themselves and leave the others to ``Transport``.  This saves
    one Python call in each direction, a thirtieth of the instructions of an echo.
    """

    __slots__ = ("_fd", "_receive", "_send", "_sock")

    _connection: EventLoopConnection

    wakes_at_once = True

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        connection: EventLoopConnection,
        protocol: asyncio.BaseProtocol,
        **options: Any,
    ) -> None:
        self._sock = sock
        self._fd = sock.fileno()
        self._receive, self._send = connection.receive, connection.send
        super().__init__(loop, connection, protocol, _extra_info_of(sock), **options)

    def _read_ready(self) -> None:
        if self._state != OPEN or self._paused or self._reads_into or self._destination is not None:
            super()._read_ready()
            return
        got: Any
        try:
            got = self._receive()
        except BaseException as error:
            self._fail(error, "reading")
            return
        if got.__class__ is not bytes or not got or self._connection.has_more or self._write_wants_read:
            self._deliver(got)
            return
        try:
            self._protocol.data_received(got)
        except BaseException as error:
            self._protocol_failed(error, "data_received")

    def write(self, data: Bytes) -> None:
        if (
            data.__class__ is not bytes
            or self._write_buffer is not None
            or self._state != OPEN
            or self._eof_written
            or (size := len(data)) > SLICE
        ):
            super().write(data)
            return
        try:
            sent = self._send(data)
        except BaseException as error:
            self._fail_writing(error, "writing")
            return
        if sent != size:
            self._keep_rest(data, sent)

    def _watch_reader(self, callback: Callable[[], object]) -> None:
        self._loop.add_reader(self._fd, callback)

    def _unwatch_reader(self) -> None:
        self._loop.remove_reader(self._fd)

    def _watch_writer(self, callback: Callable[[], object]) -> None:
        self._loop.add_writer(self._fd, callback)

    def _unwatch_writer(self) -> None:
        self._loop.remove_writer(self._fd)

    def _release(self) -> None:
        if not self._is_of_another_process():
            drain(self._sock.fileno())  # -1 if the caller has closed the socket: _fd may be another file's number then
        self._sock.close()

    def _drop(self) -> None:
        self._sock.close()


class EarlySocketTransport(EarlyDataTransport, SocketTransport):
    """TLS over a socket, on a server whose protocol takes early data."""

    __slots__ = EARLY_SLOTS


def _extra_info_of(sock: socket.socket) -> dict[str, Any]:
    extra: dict[str, Any] = {"socket": trsock.TransportSocket(sock), "peername": None}
    try:
        extra["sockname"] = sock.getsockname()
    except OSError:
        extra["sockname"] = None
    with contextlib.suppress(OSError):  # the peer may have closed the connection
        extra["peername"] = sock.getpeername()
    return extra


def tls_over_socket(
    loop: asyncio.AbstractEventLoop,
    sock: socket.socket,
    context: Any,
    protocol: asyncio.BaseProtocol,
    server_hostname: Any = None,
    offered: dict[str, Any] | None = None,
    is_callers: bool = False,
    transport_class: type[SocketTransport] = SocketTransport,
    **options: Any,
) -> SocketTransport:
    """A transport over a connected socket, which begins its handshake.  If that fails, the socket is closed.

    - ``offered``: the other arguments of ``Connection``, for example ``session``.
    - ``is_callers``: the program has the socket object too, and may close it.
    - ``transport_class``: the class of the transport.
    """
    try:
        sock.setblocking(False)
        send_at_once(sock)
        connection = EventLoopConnection(context, server_hostname, sock, **(offered or {}))
        if is_callers:
            connection.check_descriptor()
        transport = transport_class(loop, sock, connection, protocol, **options)
    except BaseException:
        sock.close()
        raise
    if context.is_server:
        transport._start_reader(transport._shake_hands)
    else:
        transport._shake_hands()
    return transport
