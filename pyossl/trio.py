"""TLS over trio's streams.

``TLSStream`` corresponds to ``trio.SSLStream``, with a pyossl ``Context`` in place of an ``ssl.SSLContext``.  It is a
stream over any other stream, and follows trio's rules.  Every method that waits is a checkpoint.  One task may send
while another receives.  If two tasks send, or two receive, the second raises ``trio.BusyResourceError``.  After a
failure, or a cancellation in the middle of an operation, methods raise ``trio.BrokenResourceError``.  The work is done
in pyossl/streams/async_stream.py.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

try:
    import trio
except ModuleNotFoundError as error:
    raise ImportError("pyossl.trio needs trio: pip install 'pyossl[trio]'", name="trio") from error

from pyossl.core.arguments import (
    LARGEST_INT,
    flag,
    function,
    host_name,
    index,
    instance,
    integer,
    number_shown,
    seconds,
)
from pyossl.core.buffers import Bytes
from pyossl.core.copying import Uncopied
from pyossl.sockets.address import check_host
from pyossl.sockets.context_side import client_context, server_context
from pyossl.sockets.descriptor_connection import drain
from pyossl.streams.async_stream import READ, AsyncStream
from pyossl.streams.post_handshake import AsyncPostHandshakeMethods
from pyossl.tls.authentication.dane import Records, records_of
from pyossl.tls.callbacks.message import Message
from pyossl.tls.connection.connection import Connection
from pyossl.tls.connection.session import Session
from pyossl.tls.context.context import Context
from pyossl.tls.ech.ech import Offered, offer_of

__all__ = ["TLSListener", "TLSStream", "open_tcp_listeners", "open_tcp_stream", "serve_tcp"]

_Stream = TypeVar("_Stream", bound=trio.abc.Stream)
_log = logging.getLogger(__name__)
_HAPPY_EYEBALLS_DELAY = 0.25  # seconds, as in trio and RFC 8305


class TLSStream(AsyncPostHandshakeMethods, trio.abc.HalfCloseableStream, Generic[_Stream]):
    """A TLS stream over ``transport_stream``.

    - ``context`` decides whether it is a client or a server.
    - ``server_hostname``, ``session``, ``message_callback``, ``early_data``, ``ech`` and ``dane`` are those of
      ``pyossl.Connection``.
    - With ``https_compatible``, ``aclose`` sends no close_notify, and an end without the peer's is accepted.  Use it
      only for protocols that mark the end of a message themselves.

    The attributes ``transport_stream`` and ``connection``, a ``pyossl.Connection``, are public.  The first method that
    needs the handshake does it.

    Every method raises ``trio.ClosedResourceError`` after ``aclose``, and ``trio.BrokenResourceError`` if TLS or the
    transport has failed.  If TLS failed, its ``__cause__`` is the ``pyossl.Error``.

    A ``send_all`` or ``send_eof`` that is cancelled after its first byte breaks the stream: then only ``aclose`` is
    possible.  A cancelled ``receive_some`` or handshake loses nothing and may be repeated, unless it was sending.  A
    client's ``receive_some`` sends if the server asks for its certificate after the handshake.
    """

    def __init__(
        self,
        transport_stream: _Stream,
        context: Context,
        server_hostname: Any = None,
        *,
        session: Session | None = None,
        ech: Offered | None = None,
        dane: Records | None = None,
        message_callback: Callable[[Message], object] | None = None,
        https_compatible: bool = False,
        early_data: Bytes | None = None,
    ) -> None:
        self.transport_stream: _Stream = transport_stream
        self.connection = Connection(
            context,
            server_hostname,
            session=session,
            message_callback=message_callback,
            early_data=early_data,
            ech=ech,
            dane=dane,
        )
        self._https_compatible = flag(https_compatible, "https_compatible")
        if isinstance(transport_stream, type) or not hasattr(transport_stream, "send_all"):
            raise TypeError(f"a trio stream is needed, not {type(transport_stream).__name__}")
        self._async_stream = AsyncStream(
            self.connection,
            trio,
            transport_stream.send_all,
            transport_stream.receive_some,
            _busy,
            forgives_truncation=https_compatible,
        )

    async def do_handshake(self) -> None:
        """Finishes the handshake, or waits for another task that is doing it.  SSL_do_handshake(3)"""
        await self._async_stream.handshake()

    async def read_early_data(self, max_bytes: int = 16384) -> bytes:
        """On a server, waits for early data, and returns up to ``max_bytes``; ``b""`` if no more will come.

        Call it before any other method, until it returns ``b""``.  Meanwhile ``send_all`` answers the client at once.
        What it returns may be a replay: see ``Context.max_early_data``.  Finish the handshake with ``do_handshake``
        before ``aclose``: otherwise the client gets no close_notify.

        Raises ``UsageError`` on a client and after the handshake has begun without it, ``ValueError`` for ``max_bytes``
        below 1.  SSL_read_early_data(3)
        """
        return await self._async_stream.read_early_data(max_bytes)

    async def send_all(self, data: Bytes) -> None:
        """Sends all bytes of ``data``.  SSL_write_ex(3)"""
        await self._async_stream.write(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Waits until the transport may take bytes, like the method of ``trio.abc.SendStream``.

        It may return too early, but not too late.
        """
        await self._async_stream.wait_writable(self.transport_stream.wait_send_all_might_not_block)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Receives at least one byte and at most ``max_bytes``; ``b""`` after the peer has closed.

        If the transport ends without a close_notify, the data may have been cut off: it raises
        ``trio.BrokenResourceError`` from ``TruncationError``, or returns ``b""`` with ``https_compatible``.  Without
        ``max_bytes`` it returns up to 64 KiB.  SSL_read_ex(3)
        """
        size = READ if max_bytes is None else index(max_bytes, "max_bytes")
        if size < 1:
            raise ValueError(f"max_bytes is at least 1, not {number_shown(size)}")
        return await self._async_stream.read(size)

    async def send_eof(self) -> None:
        """Sends close_notify; the peer's data can still be received.

        Raises ``NotImplementedError`` before TLS 1.3, in which the peer would have to close too.  SSL_shutdown(3)
        """
        await self._async_stream.send_eof()

    async def unwrap(self) -> tuple[_Stream, bytes]:
        """Exchanges close_notify with the peer.

        Returns the transport, for use without TLS, and the bytes that were received after the peer's close_notify.
        Raises ``UsageError`` if the peer has sent data that was not received.  SSL_shutdown(3)
        """
        return self.transport_stream, await self._async_stream.unwrap()

    async def aclose(self) -> None:
        """Sends close_notify, does not wait for the peer's, and closes the transport.

        If it is cancelled, if another task is sending, or if the handshake is not finished, it closes the transport
        without a close_notify.  SSL_shutdown(3)
        """
        stream = self._async_stream
        if stream.closed:
            await trio.lowlevel.checkpoint()
            return
        try:
            if not self._https_compatible:
                await stream.send_close_notify()
        except BaseException:
            stream.close()
            await trio.aclose_forcefully(self.transport_stream)
            raise
        stream.close()
        if isinstance(self.transport_stream, trio.SocketStream):
            drain(self.transport_stream.socket.fileno())
        await self.transport_stream.aclose()

    def __repr__(self) -> str:
        return f"<TLSStream {self.connection!r} over {self.transport_stream!r}>"


def _busy(action: str) -> trio.BusyResourceError:
    return trio.BusyResourceError(f"another task is already {action} this stream")


class TLSListener(Uncopied, trio.abc.Listener[TLSStream[_Stream]]):
    """A listener whose streams are ``TLSStream``s over the streams of ``transport_listener``.

    ``context`` is a server's; ``https_compatible`` is that of ``TLSStream``.  The attributes ``transport_listener`` and
    ``context`` are public.  ``accept`` does not wait for a client's handshake: the first method of the stream does it,
    in the task that handles the client.  Raises ``UsageError`` for a client's context.  SSL_accept(3)
    """

    def __init__(
        self, transport_listener: trio.abc.Listener[_Stream], context: Context, *, https_compatible: bool = False
    ) -> None:
        self.context = server_context(context, "a TLSListener")
        if isinstance(transport_listener, type) or not hasattr(transport_listener, "accept"):
            raise TypeError(f"a trio listener is needed, not {type(transport_listener).__name__}")
        self.transport_listener = transport_listener
        self._https_compatible = flag(https_compatible, "https_compatible")

    async def accept(self) -> TLSStream[_Stream]:
        """Waits for a client and returns its stream, before the handshake."""
        stream = await self.transport_listener.accept()
        try:
            return TLSStream(stream, self.context, https_compatible=self._https_compatible)
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise

    async def aclose(self) -> None:
        """Stops listening; accepted streams go on."""
        await self.transport_listener.aclose()

    def __repr__(self) -> str:
        return f"<TLSListener {self.context!r} over {self.transport_listener!r}>"


async def open_tcp_stream(
    host: str,
    port: int,
    context: Context | None = None,
    *,
    server_hostname: Any = None,
    session: Session | None = None,
    ech: Offered | None = None,
    dane: Records | None = None,
    message_callback: Callable[[Message], object] | None = None,
    https_compatible: bool = False,
    early_data: Bytes | None = None,
    happy_eyeballs_delay: float | None = _HAPPY_EYEBALLS_DELAY,
    local_address: str | None = None,
) -> TLSStream[trio.SocketStream]:
    """Connects to ``host`` and returns a TLS stream, before its handshake.

    - ``host`` is a name or an IP address, ``port`` a number.
    - ``context`` is a client's; without one, ``Context.client()``.
    - ``server_hostname`` is the name or the IP address that the server's certificate must have; without one, ``host``.
    - ``session``, ``message_callback``, ``https_compatible``, ``early_data``, ``ech`` and ``dane`` are those of
      ``TLSStream``.
      After ``do_handshake``, ``early_data_accepted`` says whether the server has taken the early data.
    - ``happy_eyeballs_delay``, in seconds, and ``local_address`` are those of ``trio.open_tcp_stream``.

    Raises ``OSError`` if no connection can be made, ``UsageError`` for a server's context, ``TypeError`` or
    ``ValueError`` for other arguments that cannot be used.  SSL_connect(3)
    """
    context = client_context(context, "open_tcp_stream()")
    function(message_callback, "message_callback")
    if session is not None:
        instance(session, Session, "session")
    if ech is not None:
        ech = offer_of(ech)
    if dane is not None:
        dane = records_of(dane)
    flag(https_compatible, "https_compatible")
    check_host(host_name(host, "a host"))
    port = integer(port, "a port", 0, 0xFFFF)
    if local_address is not None:
        host_name(local_address, "a local address")
        await trio.socket.getaddrinfo(local_address, None)  # trio raises what this raises in an ExceptionGroup
    if happy_eyeballs_delay is not None:
        happy_eyeballs_delay = seconds(happy_eyeballs_delay, "happy_eyeballs_delay", endless=True)
    stream = await trio.open_tcp_stream(
        host, port, happy_eyeballs_delay=happy_eyeballs_delay, local_address=local_address
    )
    try:
        return TLSStream(
            stream,
            context,
            host if server_hostname is None else server_hostname,
            session=session,
            ech=ech,
            dane=dane,
            message_callback=message_callback,
            https_compatible=https_compatible,
            early_data=early_data,
        )
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise


async def open_tcp_listeners(
    port: int,
    context: Context,
    *,
    host: str | None = None,
    backlog: int | None = None,
    https_compatible: bool = False,
) -> list[TLSListener[trio.SocketStream]]:
    """Listens on every address of ``host``, and returns the listeners.

    - ``port`` is a number; 0 is any free port.
    - ``context`` is a server's: ``Context.server(certificate, private_key)``.
    - ``host`` is a name or an IP address; None is every address of this machine.
    - ``backlog`` is that of ``trio.open_tcp_listeners``, ``https_compatible`` that of ``TLSStream``.

    Raises ``OSError`` if it cannot listen on an address, ``UsageError`` for a client's context.
    SSL_accept(3), listen(2)
    """
    server_context(context, "open_tcp_listeners()")
    flag(https_compatible, "https_compatible")
    port = integer(port, "a port", 0, 0xFFFF)
    if backlog is not None:
        integer(backlog, "backlog", 0, LARGEST_INT)
    if host is not None:
        check_host(host_name(host, "a host"))
    listeners = await trio.open_tcp_listeners(port, host=host, backlog=backlog)
    return [TLSListener(each, context, https_compatible=https_compatible) for each in listeners]


async def serve_tcp(
    handler: Callable[[TLSStream[trio.SocketStream]], Awaitable[object]],
    port: int,
    context: Context,
    *,
    host: str | None = None,
    backlog: int | None = None,
    https_compatible: bool = False,
    handshake_timeout: float = 30,
    early_data: bool = False,
    handler_nursery: trio.Nursery | None = None,
    task_status: trio.TaskStatus[list[TLSListener[trio.SocketStream]]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Listens, and runs ``handler(stream)`` in a task for each client, until it is cancelled.

    - ``port``, ``context``, ``host``, ``backlog`` and ``https_compatible`` are those of ``open_tcp_listeners``.
    - ``handshake_timeout``, in seconds, is the time for a client's handshake.  The handler is called after it.  A
      client that fails the handshake, or does not finish it in time, is logged and dropped.
    - ``early_data``: True takes early data, if the context's ``max_early_data`` does.  If early data has come, the
      handler is called before the handshake is finished, and ``stream.read_early_data`` returns it.  Other clients are
      handled as without it.  ``aclose`` drops early data that was not read, and finishes the handshake.  If the client
      does not finish it within ``handshake_timeout``, methods of the stream raise ``trio.BrokenResourceError``.
    - The handlers run in ``handler_nursery``; without one, in a nursery of this function.
    - ``task_status`` is for ``nursery.start``, which returns the list of listeners.

    When a handler returns, its stream is closed.  When it raises, the stream is closed without a close_notify, and the
    exception is raised in the nursery.  Raises ``OSError`` if it cannot listen on an address, ``UsageError`` for a
    client's context.  SSL_accept(3)
    """
    handshake_timeout = seconds(handshake_timeout, "handshake_timeout", endless=True)
    flag(early_data, "early_data")
    if not callable(handler):
        raise TypeError(f"handler is a function, not {type(handler).__name__}")
    if handler_nursery is not None:
        instance(handler_nursery, trio.Nursery, "handler_nursery")
    if isinstance(task_status, type) or not hasattr(task_status, "started"):
        raise TypeError(f"task_status is the one that nursery.start passes, not {type(task_status).__name__}")

    async def shake_hands_and_handle(stream: TLSStream[trio.SocketStream]) -> None:
        try:
            with trio.fail_after(handshake_timeout):
                if early_data:
                    await stream._async_stream.handshake_or_early_data(handshake_timeout)
                else:
                    await stream.do_handshake()
        except (trio.BrokenResourceError, trio.TooSlowError) as error:
            _log.warning("the handshake with a client failed: %s", error or "it took too long")
            return
        await handler(stream)
        await stream.aclose()

    listeners = await open_tcp_listeners(port, context, host=host, backlog=backlog, https_compatible=https_compatible)
    await trio.serve_listeners(
        shake_hands_and_handle, listeners, handler_nursery=handler_nursery, task_status=task_status
    )
