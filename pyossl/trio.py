"""TLS over trio's streams.

``TLSStream`` is to a pyossl ``Context`` what ``trio.SSLStream`` is to one of the standard library's: a stream over any
other stream.  It keeps trio's rules: every method that waits is a checkpoint; two tasks may send and receive at once,
two that send, or two that receive, raise ``trio.BusyResourceError``; what has failed, or was cancelled half-way, raises
``trio.BrokenResourceError`` from then on.  See pyossl/streams/async_stream.py.
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
from pyossl.core.copying import Uncopied
from pyossl.core.errors import UsageError
from pyossl.sockets.descriptor_connection import drain
from pyossl.streams.async_stream import READ, AsyncStream
from pyossl.tls.connection import Bytes, Connection
from pyossl.tls.context import Context
from pyossl.tls.message import Message
from pyossl.tls.negotiated import NegotiatedSummary
from pyossl.tls.session import Session

_Stream = TypeVar("_Stream", bound=trio.abc.Stream)
_log = logging.getLogger(__name__)
_HAPPY_EYEBALLS_DELAY = 0.25  # seconds: trio's own, RFC 8305's


class TLSStream(NegotiatedSummary, trio.abc.HalfCloseableStream, Generic[_Stream]):
    """A stream whose bytes go encrypted over ``transport_stream``, as client or server according to ``context``.

    ``server_hostname`` and the other arguments are those of ``pyossl.Connection``.  The handshake is done by the first
    method that needs it.  With ``https_compatible`` no close_notify is sent, and none is missed: only for protocols
    that say themselves where a message ends.

    Every method raises ``trio.ClosedResourceError`` after ``aclose``, and ``trio.BrokenResourceError`` when TLS or the
    transport has failed; its ``__cause__`` is the ``pyossl.Error``, if it was TLS.  A ``send_all`` or ``send_eof`` that
    was cancelled after its first byte leaves the stream broken: all that can be done is ``aclose``.  A cancelled
    ``receive_some`` loses nothing, and may be repeated; so may a cancelled handshake; both unless they were just
    sending.  A client's ``receive_some`` sends where the server asks for its certificate after the handshake.
    """

    def __init__(
        self,
        transport_stream: _Stream,
        context: Context,
        server_hostname: Any = None,
        *,
        session: Session | None = None,
        message_callback: Callable[[Message], object] | None = None,
        https_compatible: bool = False,
    ) -> None:
        self.transport_stream: _Stream = transport_stream
        self.connection = Connection(context, server_hostname, session=session, message_callback=message_callback)
        self._https_compatible = flag(https_compatible, "https_compatible")
        if isinstance(transport_stream, type) or not hasattr(transport_stream, "send_all"):
            raise TypeError(f"a trio stream is needed, not {type(transport_stream).__name__}")
        self._carrier = AsyncStream(
            self.connection,
            trio,
            transport_stream.send_all,
            transport_stream.receive_some,
            _busy,
            forgives_truncation=https_compatible,
        )

    async def do_handshake(self) -> None:
        """Finishes the handshake; where another task does so already, waits for it.  SSL_do_handshake(3)"""
        await self._carrier.handshake()

    async def send_all(self, data: Bytes) -> None:
        """Sends all bytes.  SSL_write_ex(3)"""
        await self._carrier.write(data)

    async def wait_send_all_might_not_block(self) -> None:
        """As ``trio.abc.SendStream`` has it: returns, perhaps early and never late, when the transport takes bytes."""
        await self._carrier.wait_writable(self.transport_stream.wait_send_all_might_not_block)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Some of what the peer sent, at most ``max_bytes``; ``b""`` once it has closed.

        An end without a close_notify raises ``trio.BrokenResourceError`` from ``TruncationError``: what was received
        may have been cut short.  With ``https_compatible`` it is ``b""``.  SSL_read_ex(3)
        """
        size = READ if max_bytes is None else index(max_bytes, "max_bytes")
        if size < 1:
            raise ValueError(f"max_bytes is at least 1, not {number_shown(size)}")
        return await self._carrier.read(size)

    async def send_eof(self) -> None:
        """Says close_notify; what the peer sends can still be received.  SSL_shutdown(3)

        Raises ``NotImplementedError`` before TLS 1.3, where the peer would have to close too.
        """
        await self._carrier.end()

    async def unwrap(self) -> tuple[_Stream, bytes]:
        """Exchanges close_notify with the peer; the transport, which goes on without TLS, and what has been received
        from it behind the peer's close_notify.

        Raises ``UsageError`` when the peer has sent data that has not been received yet.  SSL_shutdown(3)
        """
        return self.transport_stream, await self._carrier.unwrap()

    async def aclose(self) -> None:
        """Says close_notify, does not wait for the peer's, and closes the transport.

        Where it is cancelled, where another task is sending, and before the handshake is finished, the transport is
        closed without it.  SSL_shutdown(3)
        """
        carrier = self._carrier
        if carrier.closed:
            await trio.lowlevel.checkpoint()
            return
        try:
            if not self._https_compatible:
                await carrier.say_goodbye()
        except BaseException:
            carrier.close()
            await trio.aclose_forcefully(self.transport_stream)
            raise
        carrier.close()
        if isinstance(self.transport_stream, trio.SocketStream):
            drain(self.transport_stream.socket.fileno())
        await self.transport_stream.aclose()

    def __repr__(self) -> str:
        return f"<TLSStream {self.connection!r} over {self.transport_stream!r}>"


def _busy(action: str) -> trio.BusyResourceError:
    return trio.BusyResourceError(f"another task is already {action} this stream")


def _check_server(context: Any) -> None:
    if not instance(context, Context, "context").is_server:
        raise UsageError("a listener needs a server's context")


class TLSListener(Uncopied, trio.abc.Listener[TLSStream[_Stream]]):
    """A listener whose streams speak TLS, over one whose streams do not.  SSL_accept(3)

    ``accept`` never waits for a client's handshake: the stream's first method does it, in the task of its handler.
    Raises ``UsageError`` for a client's context.
    """

    def __init__(
        self, transport_listener: trio.abc.Listener[_Stream], context: Context, *, https_compatible: bool = False
    ) -> None:
        _check_server(context)
        if isinstance(transport_listener, type) or not hasattr(transport_listener, "accept"):
            raise TypeError(f"a trio listener is needed, not {type(transport_listener).__name__}")
        self.transport_listener = transport_listener
        self.context = context
        self._https_compatible = flag(https_compatible, "https_compatible")

    async def accept(self) -> TLSStream[_Stream]:
        """Waits for a client; its stream, before the handshake."""
        stream = await self.transport_listener.accept()
        try:
            return TLSStream(stream, self.context, https_compatible=self._https_compatible)
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise

    async def aclose(self) -> None:
        """Stops listening; streams that have been accepted go on."""
        await self.transport_listener.aclose()


async def open_tcp_stream(
    host: str,
    port: int,
    context: Context | None = None,
    *,
    server_hostname: Any = None,
    session: Session | None = None,
    message_callback: Callable[[Message], object] | None = None,
    https_compatible: bool = False,
    happy_eyeballs_delay: float | None = _HAPPY_EYEBALLS_DELAY,
    local_address: str | None = None,
) -> TLSStream[trio.SocketStream]:
    """A TLS stream to ``host``, before its handshake.

    ``context`` is ``Context.client()`` unless given, ``server_hostname`` is ``host``; the last two arguments are those
    of ``trio.open_tcp_stream``.  Raises ``OSError`` when there is no connection.  SSL_connect(3)
    """
    context = Context.client() if context is None else instance(context, Context, "context")
    function(message_callback, "message_callback")
    if session is not None:
        instance(session, Session, "session")
    flag(https_compatible, "https_compatible")
    host_name(host, "a host")
    port = integer(port, "a port", 0, 0xFFFF)
    if local_address is not None:
        host_name(local_address, "a local address")
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
            message_callback=message_callback,
            https_compatible=https_compatible,
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
    """Listeners on every address of ``host`` (None: of this machine); port 0 is any that is free.

    Raises ``OSError`` when an address cannot be had, ``UsageError`` for a client's context.
    """
    _check_server(context)
    flag(https_compatible, "https_compatible")
    port = integer(port, "a port", 0, 0xFFFF)
    if backlog is not None:
        integer(backlog, "backlog", 0, LARGEST_INT)
    if host is not None:
        host_name(host, "a host")
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
    handler_nursery: trio.Nursery | None = None,
    task_status: trio.TaskStatus[list[TLSListener[trio.SocketStream]]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Listens, and runs ``handler(stream)`` in a task for each client, until it is cancelled.

    The handler is called when the handshake is finished; a client that fails it, or does not finish it within
    ``handshake_timeout`` seconds, is logged and dropped.  A stream is closed when its handler returns, and without a
    close_notify when it raises; what it raises reaches the nursery.  With ``nursery.start`` it gives the listeners.
    """

    handshake_timeout = seconds(handshake_timeout, "handshake_timeout", endless=True)
    if not callable(handler):
        raise TypeError(f"handler is a function, not {type(handler).__name__}")
    if handler_nursery is not None:
        instance(handler_nursery, trio.Nursery, "handler_nursery")
    if isinstance(task_status, type) or not hasattr(task_status, "started"):
        raise TypeError(f"task_status is what a nursery's start gives, not {type(task_status).__name__}")

    async def shake_hands_and_handle(stream: TLSStream[trio.SocketStream]) -> None:
        try:
            with trio.fail_after(handshake_timeout):
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
