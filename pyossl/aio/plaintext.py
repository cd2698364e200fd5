"""What a stream had received before TLS began over its transport, and nobody has read.

It came in the clear, and must never be read as if it had come under TLS (CVE-2011-0411): a command that somebody put
behind STARTTLS would be carried out as one of the peer's.  So it is taken out of the reader.  A client may have begun
its handshake early, and what begins as a record of TLS is a server's to go on with: OpenSSL judges it as it judges
what comes from the transport.  Anything else, and whatever a client has received, as a server waits for the
ClientHello, ends the connection by an exception: to drop the bytes would lose what an honest peer meant, and hide an
attack.
"""

from __future__ import annotations

import asyncio
from typing import Any

from pyossl.aio.reader import StreamReader
from pyossl.core.errors import TLSError

_ALERT, _HANDSHAKE = b"\x15", b"\x16"
_VERSION = b"\x03"


def reader_of(protocol: Any) -> Any:
    """The ``asyncio.StreamReader`` that a stream's protocol, asyncio's or pyossl's, delivers to; None for any other."""
    for name in ("_stream_reader", "_reader"):
        reader = getattr(protocol, name, None)
        if isinstance(reader, asyncio.StreamReader):
            return reader
    return None


def resume_writers_of(protocol: Any) -> None:
    """Wakes the tasks that drain a stream: its transport will tell another protocol when there is room again."""
    is_paused = getattr(protocol, "_paused", False) or getattr(protocol, "_is_paused", False)
    if reader_of(protocol) and is_paused:
        protocol.resume_writing()


def taken_from(*protocols: Any) -> bytes:
    """What the readers of these protocols have, which they have no longer."""
    return b"".join(_taken(reader_of(protocol)) for protocol in protocols)


def _taken(reader: Any) -> bytes:
    if isinstance(reader, StreamReader):
        return reader.taken()
    if reader is None:
        return b""
    received = bytes(reader._buffer)
    reader._buffer.clear()
    return received


def refusal(received: bytes, is_server: bool) -> TLSError | None:
    """Why TLS cannot begin with what was received before it; None where it can."""
    if not received:
        return None
    begins_tls = received[:1] in (_HANDSHAKE, _ALERT) and received[1:2] in (b"", _VERSION)
    if is_server and begins_tls:
        return None
    return TLSError(
        f"{len(received)} bytes that were received in the clear had not been read when TLS began: "
        "somebody may have put them there"
    )
