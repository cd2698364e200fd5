"""The bytes that a stream received before TLS began over its transport, and that the program has not read.

They were not protected, so they must not be read as if TLS had protected them (CVE-2011-0411): a command that an
attacker added after STARTTLS would be executed as one of the peer's.  Therefore they are removed from the reader.

- A server may have received the beginning of the client's handshake.  Bytes that begin like a TLS record are passed to
  OpenSSL, which checks them like all bytes from the transport.
- Any other bytes end the connection with an exception.  So do all bytes that a client has received: a server sends
  nothing before the ClientHello.  Dropping the bytes silently would lose data of an honest peer, and hide an attack.
"""

from __future__ import annotations

import asyncio
from typing import Any

from pyossl.aio.stream_reader import StreamReader
from pyossl.core.errors import TLSError

_ALERT, _HANDSHAKE = b"\x15", b"\x16"
_VERSION = b"\x03"


def reader_of(protocol: Any) -> Any:
    """The ``asyncio.StreamReader`` of asyncio's or pyossl's stream protocol, None for any other protocol."""
    for name in ("_stream_reader", "_reader"):
        reader = getattr(protocol, name, None)
        if isinstance(reader, asyncio.StreamReader):
            return reader
    return None


def resume_writers_of(protocol: Any) -> None:
    """Wakes the tasks that await a stream's ``drain``.

    From now on its transport calls ``resume_writing`` of another protocol.
    """
    is_paused = getattr(protocol, "_paused", False) or getattr(protocol, "_is_paused", False)
    if reader_of(protocol) and is_paused:
        protocol.resume_writing()


def removed_from(*protocols: Any) -> bytes:
    """Removes the unread bytes from the readers of these protocols, and returns them."""
    return b"".join(_removed(reader_of(protocol)) for protocol in protocols)


def _removed(reader: Any) -> bytes:
    if isinstance(reader, StreamReader):
        return reader.taken()
    if reader is None:
        return b""
    received = bytes(reader._buffer)
    reader._buffer.clear()
    return received


def refusal(received: bytes, is_server: bool) -> TLSError | None:
    """The exception if TLS must not begin after these bytes were received, None if it may."""
    if not received:
        return None
    begins_tls = received[:1] in (_HANDSHAKE, _ALERT) and received[1:2] in (b"", _VERSION)
    if is_server and begins_tls:
        return None
    return TLSError(
        f"{len(received)} bytes that were received in the clear had not been read when TLS began: "
        "an attacker may have inserted them"
    )
