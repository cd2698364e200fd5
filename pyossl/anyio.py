"""TLS over anyio's streams, on asyncio and on trio.

``TLSStream``, ``TLSListener`` and ``TLSConnectable`` are to a pyossl ``Context`` what those of ``anyio.streams.tls``
are to one of the standard library's, with the same arguments and the same typed attributes: a program changes the
import and the context.  See pyossl/streams/async_stream.py, and docs/anyio.md for what differs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

try:
    import anyio
    import anyio.lowlevel
    from anyio.abc import (
        AnyByteStream,
        AnyByteStreamConnectable,
        ByteStream,
        ByteStreamConnectable,
        Listener,
        SocketAttribute,
        SocketStream,
        TaskGroup,
    )
    from anyio.streams.tls import TLSAttribute
except ModuleNotFoundError as error:
    raise ImportError("pyossl.anyio needs anyio: pip install 'pyossl[anyio]'", name="anyio") from error

from pyossl.core.arguments import flag, function, host_name, index, instance, integer, number_shown, seconds
from pyossl.core.copying import Uncopied
from pyossl.core.errors import Error, TruncationError, UsageError
from pyossl.sockets.descriptor_connection import drain
from pyossl.streams.async_stream import READ, AsyncStream
from pyossl.tls.connection import Connection
from pyossl.tls.context import Context
from pyossl.tls.message import Message
from pyossl.tls.session import Session
from pyossl.x509.peercert import peercert
from pyossl.x509.reference_name import reference_name

__all__ = ["TLSAttribute", "TLSConnectable", "TLSListener", "TLSStream", "connect_tcp"]


class TLSStream(Uncopied, ByteStream):
    """A stream whose bytes go encrypted over ``transport_stream``; made by ``wrap``.

    Every method raises ``anyio.ClosedResourceError`` after ``aclose``, and ``anyio.BrokenResourceError`` when TLS or
    the transport has failed; its ``__cause__`` is the ``pyossl.Error``, if it was TLS.  A ``send`` or ``send_eof`` that
    was cancelled after its first byte leaves the stream broken: all that can be done is ``aclose``.  A cancelled
    ``receive`` loses nothing, and may be repeated, unless it was just sending: a client's does, where the server asks
    for its certificate after the handshake.
    """

    def __init__(
        self,
        transport_stream: AnyByteStream,
        context: Context,
        hostname: Any = None,
        *,
        standard_compatible: bool = True,
        session: Session | None = None,
        message_callback: Callable[[Message], object] | None = None,
    ) -> None:
        _check_stream(transport_stream)
        self.transport_stream = transport_stream
        self.standard_compatible = flag(standard_compatible, "standard_compatible")
        self.connection = Connection(context, hostname, session=session, message_callback=message_callback)
        self._carrier = AsyncStream(
            self.connection,
            anyio,
            self._send,
            self._receive,
            anyio.BusyResourceError,
            forgives_truncation=not standard_compatible,
        )

    @classmethod
    async def wrap(
        cls,
        transport_stream: AnyByteStream,
        *,
        server_side: bool | None = None,
        hostname: Any = None,
        ssl_context: Context | None = None,
        standard_compatible: bool = True,
        session: Session | None = None,
        message_callback: Callable[[Message], object] | None = None,
    ) -> TLSStream:
        """A stream over ``transport_stream``, its handshake finished.

        ``ssl_context`` is ``Context.client()`` unless given, and says whether this is the server's side;
        ``server_side`` may be given besides.  ``hostname`` is whom a client means.  With ``standard_compatible=False``
        no close_notify is sent, and none is missed.

        Raises ``pyossl.Error`` when TLS refuses, ``BrokenResourceError`` when the transport fails or ends; either
        leaves the transport open, for its owner to close.  SSL_do_handshake(3)
        """
        if ssl_context is None:
            if server_side or (server_side is None and hostname is None):
                raise UsageError("ssl_context is missing: a server's certificate cannot be made up")
            ssl_context = Context.client()
        instance(ssl_context, Context, "ssl_context")
        if server_side is not None and flag(server_side, "server_side") != ssl_context.is_server:
            raise UsageError(f"server_side is {server_side}, and the context is the other side's")
        stream = cls(
            transport_stream,
            ssl_context,
            hostname,
            standard_compatible=standard_compatible,
            session=session,
            message_callback=message_callback,
        )
        try:
            await stream._carrier.handshake()
        except anyio.BrokenResourceError as error:
            if isinstance(error.__cause__, Error) and not isinstance(error.__cause__, TruncationError):
                raise error.__cause__ from None
            raise
        return stream

    async def send(self, item: bytes) -> None:
        """Sends all bytes.  SSL_write_ex(3)"""
        await self._carrier.write(item)

    async def receive(self, max_bytes: int = READ) -> bytes:
        """Some of what the peer sent, at most ``max_bytes``; raises ``anyio.EndOfStream`` once it has closed.

        An end without a close_notify raises ``anyio.BrokenResourceError`` from ``TruncationError``, and with
        ``standard_compatible=False`` ``EndOfStream`` like any other.  SSL_read_ex(3)
        """
        max_bytes = index(max_bytes, "max_bytes")
        if max_bytes < 1:
            raise ValueError(f"max_bytes is at least 1, not {number_shown(max_bytes)}")
        if not (data := await self._carrier.read(max_bytes)):
            raise anyio.EndOfStream
        return data

    async def send_eof(self) -> None:
        """Says close_notify; what the peer sends can still be received.  SSL_shutdown(3)

        Raises ``NotImplementedError`` before TLS 1.3, where the peer would have to close too.
        """
        await self._carrier.end()

    async def unwrap(self) -> tuple[AnyByteStream, bytes]:
        """Exchanges close_notify with the peer; the transport, which goes on without TLS, and what has been received
        from it behind the peer's close_notify.

        Raises ``UsageError`` when the peer has sent data that has not been received yet.  SSL_shutdown(3)
        """
        return self.transport_stream, await self._carrier.unwrap()

    async def aclose(self) -> None:
        """Says close_notify, does not wait for the peer's, and closes the transport.

        Where it is cancelled, or cannot be said at once because another task is sending, the transport is closed
        without it.  SSL_shutdown(3)
        """
        carrier = self._carrier
        if carrier.closed:
            await anyio.lowlevel.checkpoint()
            return
        try:
            if self.standard_compatible:
                await carrier.say_goodbye()
        except BaseException:
            carrier.close()
            await anyio.aclose_forcefully(self.transport_stream)
            raise
        carrier.close()
        if isinstance(self.transport_stream, SocketStream):  # of a layer between, the descriptor's bytes are its own
            drain(self.transport_stream.extra(SocketAttribute.raw_socket).fileno())
        await self.transport_stream.aclose()

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        """``TLSAttribute``'s, and the transport's; those only that TLS has agreed on."""
        connection = self.connection
        attributes: dict[Any, Callable[[], Any]] = {
            **self.transport_stream.extra_attributes,
            TLSAttribute.alpn_protocol: lambda: connection.alpn,
            TLSAttribute.cipher: lambda: (connection.cipher, connection.cipher_version, connection.cipher_bits),
            TLSAttribute.peer_certificate: lambda: _peer_certificate(connection),
            TLSAttribute.peer_certificate_binary: lambda: _peer_certificate_binary(connection),
            TLSAttribute.server_side: lambda: connection.context.is_server,
            TLSAttribute.shared_ciphers: lambda: (
                list(connection.shared_ciphers) if connection.context.is_server else None
            ),
            TLSAttribute.ssl_object: lambda: connection,
            TLSAttribute.standard_compatible: lambda: self.standard_compatible,
            TLSAttribute.tls_version: lambda: connection.version,
        }
        if not self._carrier.closed and connection.tls_unique is not None:
            attributes[TLSAttribute.channel_binding_tls_unique] = lambda: connection.tls_unique
        return attributes

    def __repr__(self) -> str:
        return f"<TLSStream {self.connection!r} over {self.transport_stream!r}>"

    async def _send(self, data: bytes) -> None:
        try:
            await self.transport_stream.send(data)
        except OSError as error:
            raise anyio.BrokenResourceError(str(error)) from error

    async def _receive(self) -> bytes:
        try:
            return await self.transport_stream.receive()
        except anyio.EndOfStream:
            return b""
        except OSError as error:
            raise anyio.BrokenResourceError(str(error)) from error


def _check_stream(stream: Any) -> None:
    if isinstance(stream, type) or not hasattr(stream, "send") or not hasattr(stream, "receive"):
        raise TypeError(f"an anyio stream of bytes is needed, not {type(stream).__name__}")


def _peer_certificate(connection: Connection) -> dict[str, Any] | None:
    """As ``getpeercert`` has it: nothing is told of a certificate that was not verified."""
    certificate = connection.peer_certificate
    if certificate is None:
        return None
    return peercert(certificate) if connection.context.verifies else {}


def _peer_certificate_binary(connection: Connection) -> bytes | None:
    certificate = connection.peer_certificate
    return None if certificate is None else certificate.to_der()


class TLSListener(Uncopied, Listener[TLSStream]):
    """A listener whose streams speak TLS, over one whose streams do not.  SSL_accept(3)

    The handshake is done in the task of the connection's own, within ``handshake_timeout`` seconds; one that fails ends
    in ``handle_handshake_error``.  Raises ``UsageError`` for a client's context.
    """

    def __init__(
        self,
        listener: Listener[Any],
        ssl_context: Context,
        standard_compatible: bool = True,
        handshake_timeout: float = 30,
    ) -> None:
        if not instance(ssl_context, Context, "ssl_context").is_server:
            raise UsageError("a listener needs a server's context")
        if isinstance(listener, type) or not hasattr(listener, "serve"):
            raise TypeError(f"an anyio listener is needed, not {type(listener).__name__}")
        self.listener = listener
        self.ssl_context = ssl_context
        self.standard_compatible = flag(standard_compatible, "standard_compatible")
        self.handshake_timeout = seconds(handshake_timeout, "handshake_timeout", endless=True)

    @staticmethod
    async def handle_handshake_error(exc: BaseException, stream: AnyByteStream) -> None:
        """Logs ``exc``, a failure, and closes ``stream``; raises it again where it is none, but a cancellation."""
        instance(exc, BaseException, "exc")
        _check_stream(stream)
        is_failure = isinstance(exc, Exception) and not isinstance(exc, anyio.get_cancelled_exc_class())
        if is_failure:
            logging.getLogger(__name__).error("the TLS handshake failed", exc_info=exc)
        await anyio.aclose_forcefully(stream)
        if not is_failure:
            raise exc

    async def serve(self, handler: Callable[[TLSStream], Any], task_group: TaskGroup | None = None) -> None:
        """Runs ``handler(stream)`` in a task for each client that has finished its handshake; closing the stream is the
        handler's.
        """

        if not callable(handler):
            raise TypeError(f"handler is a function, not {type(handler).__name__}")
        if task_group is not None:
            instance(task_group, TaskGroup, "task_group")  # type: ignore[type-abstract]  # an object of it is meant

        @wraps(handler)
        async def shake_hands_and_handle(stream: AnyByteStream) -> None:
            try:
                with anyio.fail_after(self.handshake_timeout):
                    wrapped = await TLSStream.wrap(
                        stream, ssl_context=self.ssl_context, standard_compatible=self.standard_compatible
                    )
            except BaseException as error:
                await self.handle_handshake_error(error, stream)
            else:
                await handler(wrapped)

        await self.listener.serve(shake_hands_and_handle, task_group)

    async def aclose(self) -> None:
        """Stops listening; streams that have been accepted go on."""
        await self.listener.aclose()

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        """``TLSAttribute.standard_compatible``, and the listener's own."""
        return {
            **self.listener.extra_attributes,
            TLSAttribute.standard_compatible: lambda: self.standard_compatible,
        }


class TLSConnectable(Uncopied, ByteStreamConnectable):
    """Connects through ``connectable`` and finishes a handshake.  SSL_connect(3)

    ``ssl_context`` is ``Context.client()`` unless given; ``hostname`` is whom it means.
    """

    def __init__(
        self,
        connectable: AnyByteStreamConnectable,
        *,
        hostname: Any = None,
        ssl_context: Context | None = None,
        standard_compatible: bool = True,
    ) -> None:
        if hostname is not None:
            reference_name(hostname)
        self.connectable = connectable
        self.ssl_context = Context.client() if ssl_context is None else ssl_context
        if not isinstance(self.ssl_context, Context):
            raise TypeError(f"ssl_context is a pyossl Context, not {type(ssl_context).__name__}")
        if isinstance(connectable, type) or not hasattr(connectable, "connect"):
            raise TypeError(f"an anyio connectable is needed, not {type(connectable).__name__}")
        self.hostname = hostname
        self.standard_compatible = flag(standard_compatible, "standard_compatible")

    async def connect(self) -> TLSStream:
        """A new connection, its handshake finished.  Raises what the connectable raises, and as ``TLSStream.wrap``."""
        return await _wrapped(
            await self.connectable.connect(),
            hostname=self.hostname,
            ssl_context=self.ssl_context,
            standard_compatible=self.standard_compatible,
        )


async def connect_tcp(
    remote_host: Any,
    remote_port: int,
    *,
    ssl_context: Context | None = None,
    tls_hostname: Any = None,
    tls_standard_compatible: bool = True,
    session: Session | None = None,
    message_callback: Callable[[Message], object] | None = None,
    **arguments: Any,
) -> TLSStream:
    """A TLS stream to ``remote_host``, its handshake finished.

    ``ssl_context`` is ``Context.client()`` unless given, ``tls_hostname`` is ``remote_host``; other arguments
    (``local_host``, ``local_port``, ``happy_eyeballs_delay``) are ``anyio.connect_tcp``'s.  Raises ``OSError`` when
    there is no connection, and as ``TLSStream.wrap``.  SSL_connect(3)
    """
    ssl_context = Context.client() if ssl_context is None else instance(ssl_context, Context, "ssl_context")
    function(message_callback, "message_callback")
    if session is not None:
        instance(session, Session, "session")
    flag(tls_standard_compatible, "tls_standard_compatible")
    remote_port = integer(remote_port, "a port", 0, 0xFFFF)
    if isinstance(remote_host, str):
        host_name(remote_host, "a host")
    else:
        reference_name(remote_host)
    return await _wrapped(
        await anyio.connect_tcp(remote_host, remote_port, **arguments),
        hostname=remote_host if tls_hostname is None else tls_hostname,
        ssl_context=ssl_context,
        standard_compatible=tls_standard_compatible,
        session=session,
        message_callback=message_callback,
    )


async def _wrapped(stream: AnyByteStream, **arguments: Any) -> TLSStream:
    """A client's stream over a new connection, which is closed where there is none."""
    try:
        return await TLSStream.wrap(stream, server_side=False, **arguments)
    except BaseException:
        await anyio.aclose_forcefully(stream)
        raise
