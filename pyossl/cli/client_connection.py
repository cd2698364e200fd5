"""Opens a client's connection: TCP, a STARTTLS dialogue if there is one, and the TLS handshake."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from typing import NamedTuple

from pyossl import DANE, AlertError, Context, ECHOffer, Error, Message, Session, Socket
from pyossl.cli import starttls
from pyossl.cli.handshake_facts import HandshakeFacts
from pyossl.sockets.descriptor_connection import deadline_in
from pyossl.sockets.happy_eyeballs import connected

_CHUNK = 65536


class ClientConnection(NamedTuple):
    """A connection whose handshake is finished, its address, and the times of the steps before the handshake."""

    tls: Socket
    peer: str
    tcp_seconds: float
    dialogue_seconds: float


def connect(
    address: tuple[str, int],
    context: Context,
    name: str,
    *,
    protocol: str | None = None,
    timeout: float,
    message_callback: Callable[[Message], object] | None = None,
    session: Session | None = None,
    early_data: bytes | None = None,
    ech: ECHOffer | None = None,
    dane: DANE | None = None,
) -> ClientConnection:
    """Connects, speaks the STARTTLS dialogue of ``protocol`` if one is given, and performs the handshake.

    ``name`` is the name of the server.  ``timeout`` is in seconds and applies to each step.  Raises ``OSError``,
    ``starttls.StartTLSError``, and the exceptions of ``Context.wrap_socket``.
    """
    start = time.perf_counter()
    sock = _tcp_connection(address, timeout)
    with contextlib.ExitStack() as on_failure:
        on_failure.callback(sock.close)
        connected = time.perf_counter()
        if protocol is not None:
            starttls.negotiate(protocol, sock, name, timeout)
        ready = time.perf_counter()
        peer = _address_text(sock.getpeername())
        tls = context.wrap_socket(
            sock,
            name,
            message_callback=message_callback,
            session=session,
            early_data=early_data,
            ech=ech,
            dane=dane,
        )
        on_failure.pop_all()
    return ClientConnection(tls, peer, connected - start, ready - connected)


def close_and_drain(tls: Socket, timeout: float) -> Exception | None:
    """Sends a close_notify, and discards data until the peer's close_notify.

    Returns the error that ended this, or None.  For most callers it is of no interest, because they need nothing more
    from the peer: see ``refusal``.  It takes at most ``timeout`` seconds, even if the peer goes on sending.
    """
    deadline = time.monotonic() + timeout
    try:
        tls.settimeout(timeout)
        tls.shutdown(socket.SHUT_WR)
        while (left := deadline - time.monotonic()) > 0:
            tls.settimeout(left)
            if not tls.recv(_CHUNK):
                break
    except (Error, OSError) as error:
        return error
    return None


def refusal(error: Exception | None, facts: HandshakeFacts) -> Exception | None:
    """The error if it says that the server refused the client after the handshake, otherwise None.

    ``error`` is the result of ``close_and_drain``.  In TLS 1.3, the client's handshake is finished before the server
    has looked at the client's certificate.  A server that refuses it sends an alert.  A reset takes the place of the
    alert if the server closes before it has read everything.  Many servers close without a close_notify, and that alone
    is no refusal.
    """
    if isinstance(error, AlertError):
        return error
    was_asked = facts.certificate_request is not None and not facts.tickets
    return error if was_asked and isinstance(error, ConnectionResetError) else None


def _tcp_connection(address: tuple[str, int], timeout: float) -> socket.socket:
    try:
        sock = connected(address, timeout, deadline_in(timeout))
    except OSError as error:
        where, cause = f"connecting to {_address_text(address)}", error.__cause__ or error
        if isinstance(error, TimeoutError) and error.errno is None:
            raise TimeoutError(f"{where} timed out after {timeout:g} s") from error
        raise type(error)(error.errno, f"{where}: {getattr(cause, 'strerror', None) or cause}") from error
    sock.settimeout(timeout)
    return sock


def _address_text(address: tuple[str, int]) -> str:
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
