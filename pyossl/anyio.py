"""TLS over anyio's streams, on asyncio and on trio.

``TLSStream``, ``TLSListener`` and ``TLSConnectable`` correspond to those of ``anyio.streams.tls``, with a pyossl
``Context`` in place of an ``ssl.SSLContext``.  The arguments and the typed attributes are the same: a program changes
only the import and the context.  docs/anyio.md has the differences.  The work is done in
pyossl/streams/async_stream.py.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Mapping
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

try:
    import anyio
    import anyio.lowlevel
    from anyio import TypedAttributeSet, typed_attribute
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
from pyossl.core.buffers import Bytes
from pyossl.core.copying import Uncopied
from pyossl.core.errors import Error, TruncationError, UsageError
from pyossl.sockets.address import check_host
from pyossl.sockets.context_side import client_context, server_context
from pyossl.sockets.descriptor_connection import drain
from pyossl.streams.async_stream import READ, AsyncStream
from pyossl.streams.post_handshake import AsyncPostHandshakeMethods
from pyossl.tls.authentication.dane import Records, records_of
from pyossl.tls.callbacks.message import Message
from pyossl.tls.connection.connection import Connection
from pyossl.tls.connection.negotiated_summary import NEGOTIATED
from pyossl.tls.connection.session import Session
from pyossl.tls.context.context import USE_CLIENT, USE_SERVER, Context
from pyossl.tls.ech.ech import Offered, offer_of
from pyossl.x509.peercert import peercert
from pyossl.x509.reference_name import reference_name

__all__ = ["NegotiatedAttribute", "TLSAttribute", "TLSConnectable", "TLSListener", "TLSStream", "connect_tcp"]


if TYPE_CHECKING:

    class _AnyName(type):
        def __getattr__(cls, name: str) -> Any: ...

    class NegotiatedAttribute(TypedAttributeSet, metaclass=_AnyName):
        """A typed attribute for each property of ``pyossl.Connection`` that its handshake determines."""

else:
    NegotiatedAttribute = type(
        "NegotiatedAttribute",
        (TypedAttributeSet,),
        {
            "__doc__": """A typed attribute for each property of ``pyossl.Connection`` that its handshake determines.

    For example ``stream.extra(NegotiatedAttribute.verified_chain)``.  A stream of anyio's over a ``TLSStream`` has them
    too.  The value is that of the connection's property.
    """,
            "__module__": __name__,
            "__annotations__": {name: each.fget.__annotations__["return"] for name, each in NEGOTIATED.items()},
            **{name: typed_attribute() for name in NEGOTIATED},
        },
    )


class TLSStream(AsyncPostHandshakeMethods, ByteStream):
    """A TLS stream over ``transport_stream``.  ``wrap`` and ``connect_tcp`` make it.

    - ``context`` decides whether it is a client or a server.
    - ``hostname``, ``standard_compatible``, ``session``, ``message_callback``, ``early_data``, ``ech`` and ``dane`` are
      those of ``wrap``.

    A server that takes early data calls ``read_early_data`` first.  It makes the stream with this class itself, which
    does no handshake, or gets it from a ``TLSListener`` with ``early_data=True``.

    The attributes ``transport_stream``, ``connection``, a ``pyossl.Connection``, and ``standard_compatible`` are
    public.  The typed attributes of ``TLSAttribute`` are those of anyio's own stream.  What the handshake determined is
    in properties, for example ``version`` and ``verified_chain``, and in the typed attributes of
    ``NegotiatedAttribute``, which streams over this one have too.

    Every method raises ``anyio.ClosedResourceError`` after ``aclose``, and ``anyio.BrokenResourceError`` if TLS or the
    transport has failed.  If TLS failed, its ``__cause__`` is the ``pyossl.Error``.

    A ``send`` or ``send_eof`` that is cancelled after its first byte breaks the stream: then only ``aclose`` is
    possible.  A cancelled ``receive`` loses nothing and may be repeated, unless it was sending.  A client's ``receive``
    sends if the server asks for its certificate after the handshake.
    """

    def __init__(
        self,
        transport_stream: AnyByteStream,
        context: Context,
        hostname: Any = None,
        *,
        standard_compatible: bool = True,
        session: Session | None = None,
        ech: Offered | None = None,
        dane: Records | None = None,
        message_callback: Callable[[Message], object] | None = None,
        early_data: Bytes | None = None,
    ) -> None:
        _check_stream(transport_stream)
        self.transport_stream = transport_stream
        self.standard_compatible = flag(standard_compatible, "standard_compatible")
        self.connection: Connection = Connection(
            context,
            hostname,
            session=session,
            message_callback=message_callback,
            early_data=early_data,
            ech=ech,
            dane=dane,
        )
        self._async_stream = AsyncStream(
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
        ech: Offered | None = None,
        dane: Records | None = None,
        message_callback: Callable[[Message], object] | None = None,
        early_data: Bytes | None = None,
    ) -> TLSStream:
        """Finishes the handshake over ``transport_stream``, and returns the TLS stream.

        - ``ssl_context`` decides whether it is a client or a server; without one, ``Context.client()``.
        - ``server_side`` is optional, and must agree with the context.
        - ``hostname`` is the name or the IP address that the server's certificate must have.
        - With ``standard_compatible=False``, ``aclose`` sends no close_notify, and an end without the peer's is
          accepted.
        - ``session``, ``message_callback``, ``early_data``, ``ech`` and ``dane`` are those of ``pyossl.Connection``.
          Its ``early_data_accepted`` says whether the server has taken the early data.

        Raises ``pyossl.Error`` if TLS fails, ``BrokenResourceError`` if the transport fails or ends, ``UsageError`` if
        the context is missing or for the other side.  The transport stays open: its owner closes it.
        SSL_do_handshake(3)
        """
        if ssl_context is None:
            if server_side or (server_side is None and hostname is None):
                raise UsageError(f"ssl_context is missing: a server needs one; {USE_SERVER}")
            ssl_context = Context.client()
        if not isinstance(ssl_context, Context):
            raise TypeError(f"ssl_context is a pyossl Context, not {type(ssl_context).__name__}")
        if server_side is not None and flag(server_side, "server_side") != ssl_context.is_server:
            given, use = ("server", USE_CLIENT) if ssl_context.is_server else ("client", USE_SERVER)
            raise UsageError(f"server_side is {server_side}, and ssl_context is a {given}'s: {use}")
        stream = cls(
            transport_stream,
            ssl_context,
            hostname,
            standard_compatible=standard_compatible,
            session=session,
            ech=ech,
            dane=dane,
            message_callback=message_callback,
            early_data=early_data,
        )
        await _handshaken(stream._async_stream.handshake())
        return stream

    async def read_early_data(self, max_bytes: int = 16384) -> bytes:
        """On a server, waits for early data, and returns up to ``max_bytes``; ``b""`` if no more will come.

        Call it before any other method, until it returns ``b""``.  Meanwhile ``send`` answers the client at once.  What
        it returns may be a replay: see ``Context.max_early_data``.  Finish the handshake with a ``send`` or ``receive``
        after that ``b""``, before ``aclose``: otherwise the client gets no close_notify.

        Raises ``UsageError`` on a client and after the handshake has begun without it, ``ValueError`` for ``max_bytes``
        below 1.  SSL_read_early_data(3)
        """
        return await self._async_stream.read_early_data(max_bytes)

    async def send(self, item: bytes) -> None:
        """Sends all bytes of ``item``.  SSL_write_ex(3)"""
        await self._async_stream.write(item)

    async def receive(self, max_bytes: int = READ) -> bytes:
        """Receives at least one byte and at most ``max_bytes``.

        Raises ``anyio.EndOfStream`` after the peer has closed.  If the transport ends without a close_notify, it raises
        ``anyio.BrokenResourceError`` from ``TruncationError``, or ``EndOfStream`` with ``standard_compatible=False``.
        SSL_read_ex(3)
        """
        max_bytes = index(max_bytes, "max_bytes")
        if max_bytes < 1:
            raise ValueError(f"max_bytes is at least 1, not {number_shown(max_bytes)}")
        if not (data := await self._async_stream.read(max_bytes)):
            raise anyio.EndOfStream
        return data

    async def send_eof(self) -> None:
        """Sends close_notify; the peer's data can still be received.

        Raises ``NotImplementedError`` before TLS 1.3, in which the peer would have to close too.  SSL_shutdown(3)
        """
        await self._async_stream.send_eof()

    async def unwrap(self) -> tuple[AnyByteStream, bytes]:
        """Exchanges close_notify with the peer.

        Returns the transport, for use without TLS, and the bytes that were received after the peer's close_notify.
        Raises ``UsageError`` if the peer has sent data that was not received.  SSL_shutdown(3)
        """
        return self.transport_stream, await self._async_stream.unwrap()

    async def aclose(self) -> None:
        """Sends close_notify, does not wait for the peer's, and closes the transport.

        If it is cancelled, or if another task is sending, it closes the transport without a close_notify.
        SSL_shutdown(3)
        """
        stream = self._async_stream
        if stream.closed:
            await anyio.lowlevel.checkpoint()
            return
        try:
            if self.standard_compatible:
                await stream.send_close_notify()
        except BaseException:
            stream.close()
            await anyio.aclose_forcefully(self.transport_stream)
            raise
        stream.close()
        if isinstance(self.transport_stream, SocketStream):  # a layer in between needs the descriptor's bytes
            drain(self.transport_stream.extra(SocketAttribute.raw_socket).fileno())
        await self.transport_stream.aclose()

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        """The attributes of ``TLSAttribute`` that have been negotiated, and those of the transport."""
        connection = self.connection
        attributes: dict[Any, Callable[[], Any]] = {
            **self.transport_stream.extra_attributes,
            **{getattr(NegotiatedAttribute, name): partial(getattr, connection, name) for name in NEGOTIATED},
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
        if not self._async_stream.closed and connection.tls_unique is not None:
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


async def _handshaken(work: Coroutine[Any, Any, None]) -> None:
    """Awaits the work of a handshake; if TLS fails, raises the ``pyossl.Error`` itself."""
    try:
        await work
    except anyio.BrokenResourceError as error:
        if isinstance(error.__cause__, Error) and not isinstance(error.__cause__, TruncationError):
            raise error.__cause__ from None
        raise


def _check_stream(stream: Any) -> None:
    if isinstance(stream, type) or not hasattr(stream, "send") or not hasattr(stream, "receive"):
        raise TypeError(f"an anyio stream of bytes is needed, not {type(stream).__name__}")


def _peer_certificate(connection: Connection) -> dict[str, Any] | None:
    """The certificate in the form of ``ssl.SSLSocket.getpeercert``: an empty dict if it was not verified."""
    certificate = connection.peer_certificate
    if certificate is None:
        return None
    return peercert(certificate) if connection.context.verifies else {}


def _peer_certificate_binary(connection: Connection) -> bytes | None:
    certificate = connection.peer_certificate
    return None if certificate is None else certificate.to_der()


class TLSListener(Uncopied, Listener[TLSStream]):
    """A listener whose streams are ``TLSStream``s over the streams of ``listener``.

    - ``ssl_context`` is a server's: ``Context.server(certificate, private_key)``.
    - ``standard_compatible`` is that of ``TLSStream.wrap``.
    - ``handshake_timeout``, in seconds, is the time for a client's handshake, which is done in the client's own task.
    - ``early_data``: True takes early data, if the context's ``max_early_data`` does.  If early data has come, the
      handler is called before the handshake is finished, and ``stream.read_early_data`` returns it.  Other clients are
      handled as without it.  ``aclose`` drops early data that was not read, and finishes the handshake.  If the client
      does not finish it within ``handshake_timeout``, methods of the stream raise ``anyio.BrokenResourceError``.

    The attributes have the names of the arguments.  Raises ``UsageError`` for a client's context.  SSL_accept(3)
    """

    def __init__(
        self,
        listener: Listener[Any],
        ssl_context: Context,
        standard_compatible: bool = True,
        handshake_timeout: float = 30,
        *,
        early_data: bool = False,
    ) -> None:
        self.ssl_context = server_context(ssl_context, "a TLSListener", "ssl_context")
        if isinstance(listener, type) or not hasattr(listener, "serve"):
            raise TypeError(f"an anyio listener is needed, not {type(listener).__name__}")
        self.listener = listener
        self.standard_compatible = flag(standard_compatible, "standard_compatible")
        self.handshake_timeout = seconds(handshake_timeout, "handshake_timeout", endless=True)
        self.early_data = flag(early_data, "early_data")

    @staticmethod
    async def handle_handshake_error(exc: BaseException, stream: AnyByteStream) -> None:
        """Logs the failure ``exc`` and closes ``stream``.  If ``exc`` is a cancellation, it is raised again."""
        instance(exc, BaseException, "exc")
        _check_stream(stream)
        is_failure = isinstance(exc, Exception) and not isinstance(exc, anyio.get_cancelled_exc_class())
        if is_failure:
            logging.getLogger(__name__).error("the TLS handshake failed", exc_info=exc)
        await anyio.aclose_forcefully(stream)
        if not is_failure:
            raise exc

    async def serve(self, handler: Callable[[TLSStream], Any], task_group: TaskGroup | None = None) -> None:
        """Runs ``handler(stream)`` in a task for each client, after its handshake, or with its early data.

        The handler must close the stream.  The tasks run in ``task_group``; without one, in a group of this method.  If
        a handshake fails, or takes longer than ``handshake_timeout``, ``handle_handshake_error`` is called.
        SSL_accept(3)
        """
        if not callable(handler):
            raise TypeError(f"handler is a function, not {type(handler).__name__}")
        if task_group is not None:
            instance(task_group, TaskGroup, "task_group")  # type: ignore[type-abstract]  # an object of it is meant

        @wraps(handler)
        async def shake_hands_and_handle(stream: AnyByteStream) -> None:
            try:
                with anyio.fail_after(self.handshake_timeout):
                    wrapped = TLSStream(stream, self.ssl_context, standard_compatible=self.standard_compatible)
                    work = wrapped._async_stream
                    await _handshaken(
                        work.handshake_or_early_data(self.handshake_timeout) if self.early_data else work.handshake()
                    )
            except BaseException as error:
                await self.handle_handshake_error(error, stream)
            else:
                await handler(wrapped)

        await self.listener.serve(shake_hands_and_handle, task_group)

    async def aclose(self) -> None:
        """Stops listening; accepted streams go on."""
        await self.listener.aclose()

    def __repr__(self) -> str:
        return f"<TLSListener {self.ssl_context!r} over {self.listener!r}>"

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        """``TLSAttribute.standard_compatible``, and the attributes of the listener."""
        return {
            **self.listener.extra_attributes,
            TLSAttribute.standard_compatible: lambda: self.standard_compatible,
        }


class TLSConnectable(Uncopied, ByteStreamConnectable):
    """Connects through ``connectable`` and finishes the handshake.

    - ``connectable`` makes the transport, for example an ``anyio.TCPConnectable``.
    - ``hostname`` is the name or the IP address that the server's certificate must have.
    - ``ssl_context`` is a client's; without one, ``Context.client()``.
    - ``standard_compatible`` is that of ``TLSStream.wrap``.

    The attributes have the names of the arguments.  Raises ``UsageError`` for a server's context.  SSL_connect(3)
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
        self.ssl_context = client_context(ssl_context, "a TLSConnectable", "ssl_context")
        if isinstance(connectable, type) or not hasattr(connectable, "connect"):
            raise TypeError(f"an anyio connectable is needed, not {type(connectable).__name__}")
        self.hostname = hostname
        self.standard_compatible = flag(standard_compatible, "standard_compatible")

    async def connect(self) -> TLSStream:
        """Makes a new connection and finishes the handshake.

        Raises the errors of the connectable and of ``TLSStream.wrap``.
        """
        return await _wrapped(
            await self.connectable.connect(),
            hostname=self.hostname,
            ssl_context=self.ssl_context,
            standard_compatible=self.standard_compatible,
        )

    def __repr__(self) -> str:
        return f"<TLSConnectable {self.ssl_context!r} over {self.connectable!r}>"


async def connect_tcp(
    remote_host: Any,
    remote_port: int,
    *,
    ssl_context: Context | None = None,
    tls_hostname: Any = None,
    tls_standard_compatible: bool = True,
    session: Session | None = None,
    ech: Offered | None = None,
    dane: Records | None = None,
    message_callback: Callable[[Message], object] | None = None,
    early_data: Bytes | None = None,
    **arguments: Any,
) -> TLSStream:
    """Connects to ``remote_host``, finishes the handshake, and returns the TLS stream.

    - ``remote_host`` is a name or an IP address, ``remote_port`` a number.
    - ``ssl_context`` is a client's; without one, ``Context.client()``.
    - ``tls_hostname`` is the name or the IP address that the server's certificate must have; without one,
      ``remote_host``.
    - ``tls_standard_compatible``, ``session``, ``message_callback``, ``early_data``, ``ech`` and ``dane`` are those
      of ``TLSStream.wrap``.
    - Other arguments are those of ``anyio.connect_tcp``: ``local_host``, ``local_port``, ``happy_eyeballs_delay``.

    Raises ``OSError`` if no connection can be made, ``UsageError`` for a server's context, ``TypeError`` or
    ``ValueError`` for other arguments that cannot be used, and the errors of ``TLSStream.wrap``.  SSL_connect(3)
    """
    ssl_context = client_context(ssl_context, "connect_tcp()", "ssl_context")
    function(message_callback, "message_callback")
    if session is not None:
        instance(session, Session, "session")
    if ech is not None:
        ech = offer_of(ech)
    if dane is not None:
        dane = records_of(dane)
    flag(tls_standard_compatible, "tls_standard_compatible")
    remote_port = integer(remote_port, "a port", 0, 0xFFFF)
    if isinstance(remote_host, str):
        check_host(host_name(remote_host, "a host"))
    else:
        reference_name(remote_host)
    return await _wrapped(
        await anyio.connect_tcp(remote_host, remote_port, **arguments),
        hostname=remote_host if tls_hostname is None else tls_hostname,
        ssl_context=ssl_context,
        standard_compatible=tls_standard_compatible,
        session=session,
        ech=ech,
        dane=dane,
        message_callback=message_callback,
        early_data=early_data,
    )


async def _wrapped(stream: AnyByteStream, **arguments: Any) -> TLSStream:
    """A client's TLS stream over a new connection, which is closed if the handshake fails."""
    try:
        return await TLSStream.wrap(stream, server_side=False, **arguments)
    except BaseException:
        await anyio.aclose_forcefully(stream)
        raise
