"""asyncio over TLS: the functions of ``asyncio`` and of its loops, with a ``pyossl.Context`` for ``ssl=``.

- Streams: ``open_connection``, ``open_unix_connection``, ``start_server``, ``start_unix_server``, and ``open_over`` for
  TLS over an existing transport.
- Protocols: ``create_connection``, ``create_unix_connection``, ``create_server``, ``create_unix_server``, and
  ``start_tls`` for TLS over an existing transport.

On a loop with ``add_reader`` (asyncio's selector loops, uvloop) OpenSSL reads and writes the sockets itself.  On any
other loop, and over an existing transport, that transport carries the bytes.
"""

from pyossl.aio.connecting import create_connection, create_unix_connection
from pyossl.aio.early_data import EarlyDataProtocol
from pyossl.aio.server import Server, create_server, create_unix_server
from pyossl.aio.stream_reader import StreamReader
from pyossl.aio.streams import (
    StreamWriter,
    open_connection,
    open_over,
    open_unix_connection,
    start_server,
    start_unix_server,
)
from pyossl.aio.tls_upgrade import start_tls
from pyossl.aio.transport import Transport

__all__ = [
    "EarlyDataProtocol",
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
