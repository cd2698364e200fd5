"""``start_tls``: TLS over a transport that the program already has."""

from __future__ import annotations

import asyncio
from typing import Any

from pyossl.aio.arguments import check_protocol, check_transport, context_for_side, limits
from pyossl.aio.bytes_before_tls import reader_of, refusal, removed_from, resume_writers_of
from pyossl.aio.stream_reader import StreamReader
from pyossl.aio.transport import Transport
from pyossl.aio.transport_over_transport import ProtocolBelowTLS
from pyossl.core.buffers import Bytes
from pyossl.core.errors import UsageError
from pyossl.tls.authentication.dane import Records
from pyossl.tls.connection.session import Session
from pyossl.tls.context.context import Context
from pyossl.tls.ech.ech import Offered


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
    early_data: Bytes | None = None,
    ech: Offered | None = None,
    dane: Records | None = None,
) -> Transport:
    """Does a TLS handshake over ``transport``, and returns the TLS transport, which ``protocol`` must use from then on.

    It is like ``loop.start_tls``, and takes any asyncio transport.  If the handshake fails, ``transport`` is closed.

    - ``protocol``: the protocol to deliver to.  Its ``connection_made`` is not called.  For a server, an
      ``EarlyDataProtocol`` takes early data, if the context's ``max_early_data`` does.
    - ``sslcontext``: a client's context, or a server's with ``server_side=True``.
    - ``server_hostname``: the name that the server's certificate must be for, for a client.
    - ``ssl_handshake_timeout``, ``ssl_shutdown_timeout``: seconds, 60 and 30 if None.
    - ``session``: a session of the same context and name, which a client offers for resumption.
    - ``early_data``: what a client sends before the server answers, as in ``create_connection``.
    - ``ech``: the configurations for Encrypted Client Hello, for a client, as in ``create_connection``.
    - ``dane``: the server's TLSA records, for a client, as in ``create_connection``.

    Unread bytes in a stream's reader were received without TLS.  A server goes on with them if they begin like a
    client's handshake.  Otherwise ``Error`` is raised.  If your own protocol keeps bytes, it must refuse them itself.

    Raises ``ConnectionResetError`` if the transport is closing or lost, ``ConnectionAbortedError`` if the handshake
    takes too long, ``UsageError`` if there is already TLS over the transport, ``TypeError`` or ``ValueError`` for
    unsuitable arguments, and the exceptions of ``Connection.handshake``.  SSL_do_handshake(3)
    """
    options = limits(ssl_handshake_timeout, ssl_shutdown_timeout)
    offered = {"session": session, "early_data": early_data, "ech": ech, "dane": dane}
    return await tls_over_transport(
        transport, protocol, sslcontext, server_side, server_hostname, offered, None, options
    )


async def tls_over_transport(
    transport: Any,
    protocol: asyncio.BaseProtocol,
    sslcontext: Context,
    server_side: bool,
    server_hostname: str | None,
    offered: dict[str, Any],
    kept_alive: Any,
    options: dict[str, float],
) -> Transport:
    """Does the work of ``start_tls``.

    - ``offered``: the other arguments of ``Connection``, for example ``session``.
    - ``kept_alive``: an object that must not be finalised while the transport below is in use.
    """
    context = context_for_side(sslcontext, server_side)
    check_protocol(protocol)
    check_transport(transport)
    loop = asyncio.get_running_loop()
    waiter = loop.create_future()
    former = transport.get_protocol()
    if isinstance(former, ProtocolBelowTLS):
        raise UsageError("there is already TLS over this transport: pass the TLS transport instead")
    given: dict[str, Any] = {"waiter": waiter, "announced": False, **options}
    below = ProtocolBelowTLS(loop, context, protocol, server_hostname, offered, **given)
    _retrieve_end_of(former)
    _retrieve_end_of(protocol)
    if transport.is_closing():
        raise _already_closing(former, protocol)
    below.kept_alive = former, kept_alive
    readers = [reader for reader in map(reader_of, (former, protocol)) if reader]
    if former is not protocol and reader_of(former):
        below.former_protocol = former
    transport.pause_reading()  # the TLS transport resumes it
    transport.set_protocol(below)
    resume_writers_of(former)
    received = removed_from(former, protocol)
    if error := refusal(received, context.is_server):
        below.refuse(transport, error)
    else:
        below.connection_made(transport)
        if received:
            below.data_received(received)
    try:
        above = await below.finished(waiter)
    except Exception as error:
        for reader in readers:
            reader.set_exception(error)  # no other code tells the readers
        raise
    if reader := reader_of(protocol):
        _set_transport_of(reader, above)
    return above


def _already_closing(*protocols: Any) -> OSError:
    """The exception for a transport that is closing.  Its cause is the exception that a stream's reader has."""
    error = ConnectionResetError("the connection was closed or lost before TLS could begin over it")
    for reader in filter(None, map(reader_of, protocols)):
        error.__cause__ = error.__cause__ or reader.exception()
    return error


def _retrieve_end_of(protocol: Any) -> None:
    """Keeps an asyncio stream's protocol from reporting the exception with which its connection is lost.

    The protocol has a future for the end of its connection, and retrieves its exception in a finaliser.  But the
    garbage collector of a free-threaded Python may finalise the future before the protocol.  Then the event loop's
    exception handler is told of an exception that was never retrieved.
    """
    closed = getattr(protocol, "_closed", None)
    if isinstance(protocol, asyncio.StreamReaderProtocol) and isinstance(closed, asyncio.Future):
        closed.add_done_callback(_retrieve)


def _retrieve(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()


def _set_transport_of(reader: Any, transport: Transport) -> None:
    """Sets the transport that a stream's reader pauses."""
    if isinstance(reader, StreamReader):
        reader.set_transport(transport)
    else:
        reader._transport = transport
