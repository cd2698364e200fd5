"""asyncio over TLS: the functions of ``asyncio`` and of its loops, with a ``pyossl.Context`` for ``ssl=``.

``open_connection`` and ``start_server`` give streams; ``create_connection``, ``create_server`` and ``start_tls`` take
protocols.  On a loop that watches descriptors (asyncio's selector loops, uvloop) OpenSSL reads and writes them itself;
on any other, and over a transport that is given, the transport carries the bytes.
"""

from pyossl.aio.connecting import create_connection, create_unix_connection, start_tls
from pyossl.aio.reader import StreamReader
from pyossl.aio.server import Server, create_server, create_unix_server
from pyossl.aio.streams import (
    StreamWriter,
    open_connection,
    open_over,
    open_unix_connection,
    start_server,
    start_unix_server,
)
from pyossl.aio.transport import Transport

__all__ = [
    "Server",
    "StreamReader",
    "StreamWriter",
    "Transport",
    "create_connection",
    "create_server",
    "create_unix_connection",
    "create_unix_server",
    "open_connection",
    "open_over",
    "open_unix_connection",
    "start_server",
    "start_tls",
    "start_unix_server",
]
