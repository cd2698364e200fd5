"""A BIO that is a TLS connection.  BIO_f_ssl(3)"""

from __future__ import annotations

from pyossl.bio.python_bio import PythonBIO
from pyossl.core.arguments import index
from pyossl.core.outcome import Want
from pyossl.tls.connection.connection import Connection


class SSLFilter(PythonBIO):
    """A ``Connection`` as a BIO, to which plain data is written and from which plain data is read.  BIO_f_ssl(3)

    ``connection`` encrypts the bytes that are written, and decrypts the bytes that are read.  It has a transport of its
    own, so no other BIO is pushed below this one.  Use it for TLS inside TLS, for example through a proxy:
    ``Connection(context, name, bio=SSLFilter(connection_to_proxy))``.

    The methods raise the exceptions of the connection.  Closing this BIO does not close the connection and sends
    nothing.
    """

    def __init__(self, connection: Connection) -> None:
        if isinstance(connection, type) or not all(hasattr(connection, name) for name in ("_c", "read", "shutdown")):
            raise TypeError(f"an SSLFilter is made from a Connection, not from {type(connection).__name__}")
        super().__init__()
        self.connection: Connection = connection
        """The connection that carries the bytes."""

    def read(self, size: int = -1) -> bytes | Want:
        """Reads up to ``size`` decrypted bytes, 16 KiB if it is negative, like ``Connection.read``.  SSL_read_ex(3)"""
        size = index(size, "the number of bytes to read")
        return self.connection.read() if size < 0 else self.connection.read(size)

    def write(self, data: bytes | bytearray | memoryview) -> int | Want:
        """Encrypts and sends ``data``, like ``Connection.write``; after a ``Want`` repeat it.  SSL_write_ex(3)"""
        return self.connection.write(data)

    @property
    def pending(self) -> int:
        """The number of decrypted bytes that can be read without the transport.  SSL_pending(3)"""
        return self.connection.pending

    def end(self) -> None:
        """Sends close_notify on the connection.  SSL_shutdown(3)"""
        self.connection.shutdown()

    @property
    def name(self) -> str:
        """The kind of BIO: ``ssl``; ``closed`` after ``close``.  BIO_method_name(3)"""
        return "closed" if self.closed else "ssl"
