"""Whom the command line connects to, and how it gets there: a TCP connection, a STARTTLS dialogue, a handshake."""

from __future__ import annotations

import argparse
import contextlib
import socket
import time
from collections.abc import Callable
from typing import NamedTuple

from pyossl import Context, Error, Message, Session, Socket
from pyossl.cli import starttls
from pyossl.sockets.connecting import connected
from pyossl.sockets.descriptor_connection import deadline_in
from pyossl.x509.reference_name import reference_name

HTTPS = 443
_CHUNK = 65536
_PORTS = range(1, 0x10000)


class Destination(NamedTuple):
    """A host and a port; the port is None where it goes by the protocol."""

    host: str
    port: int | None

    @classmethod
    def parsed(cls, argument: str) -> Destination:
        """``HOST``, ``HOST:PORT``, ``[IPv6]:PORT`` or a bare IPv6 address; for ``argparse``."""
        host, port = argument, ""
        if argument.startswith("["):
            host, closed, rest = argument[1:].partition("]")
            if not closed or (rest and not rest.startswith(":")):
                raise argparse.ArgumentTypeError(f"this is no HOST[:PORT]: {argument!r}")
            port = rest[1:] if rest else ""
        elif argument.count(":") == 1:
            host, _, port = argument.partition(":")
        try:
            reference_name(host)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error
        if argument.endswith(":") or (port and not (port.isascii() and port.isdigit() and int(port) in _PORTS)):
            raise argparse.ArgumentTypeError(f"a port is a number from 1 to 65535, not {port!r}")
        return cls(host, int(port) if port else None)

    def address(self, protocol: str | None) -> tuple[str, int]:
        """Where to connect to for a protocol of STARTTLS, or for TLS from the first byte."""
        default = starttls.PROTOCOLS[protocol].port if protocol else HTTPS
        return self.host, self.port or default


class Arrival(NamedTuple):
    """A connection after its handshake, and what came before it, in seconds."""

    tls: Socket
    peer: str
    tcp_seconds: float
    dialogue_seconds: float


def arrive(
    address: tuple[str, int],
    context: Context,
    name: str,
    *,
    protocol: str | None = None,
    timeout: float,
    message_callback: Callable[[Message], object] | None = None,
    session: Session | None = None,
) -> Arrival:
    """Connects, speaks the plain-text protocol if there is one, and shakes hands.

    Raises ``OSError``, ``starttls.StartTLSError``, and as ``Context.wrap_socket`` does.
    """
    start = time.perf_counter()
    sock = _connected(address, timeout)
    with contextlib.ExitStack() as on_failure:
        on_failure.callback(sock.close)
        connected = time.perf_counter()
        if protocol is not None:
            starttls.negotiate(protocol, sock, name, timeout)
        ready = time.perf_counter()
        peer = _written(sock.getpeername())
        tls = context.wrap_socket(sock, name, message_callback=message_callback, session=session)
        on_failure.pop_all()
    return Arrival(tls, peer, connected - start, ready - connected)


def take_leave(tls: Socket, timeout: float) -> None:
    """Sends close_notify and reads until the peer's, for ``timeout`` seconds in all, however much it sends.

    How the peer ends, and whether it does, is nothing to whoever leaves.
    """
    deadline = time.monotonic() + timeout
    with contextlib.suppress(Error, OSError):
        tls.settimeout(timeout)
        tls.shutdown(socket.SHUT_WR)
        while (left := deadline - time.monotonic()) > 0:
            tls.settimeout(left)
            if not tls.recv(_CHUNK):
                break


def _connected(address: tuple[str, int], timeout: float) -> socket.socket:
    try:
        sock = connected(address, timeout, deadline_in(timeout))
    except OSError as error:
        where, cause = f"connecting to {_written(address)}", error.__cause__ or error
        if isinstance(error, TimeoutError) and error.errno is None:
            raise TimeoutError(f"{where} timed out after {timeout:g} s") from error
        raise type(error)(error.errno, f"{where}: {getattr(cause, 'strerror', None) or cause}") from error
    sock.settimeout(timeout)
    return sock


def _written(address: tuple[str, int]) -> str:
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
