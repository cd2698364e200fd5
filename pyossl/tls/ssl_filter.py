"""A BIO that is a TLS connection.  BIO_f_ssl(3)"""

from __future__ import annotations

from pyossl.bio.python import PythonBIO
from pyossl.core.arguments import index
from pyossl.core.outcome import Want
from pyossl.tls.connection import Connection


class SSLFilter(PythonBIO):
    """A connection as a BIO: it encrypts the bytes that are written, and a read returns decrypted bytes.  BIO_f_ssl(3)

    TLS inside TLS, through a proxy's tunnel, is a ``Connection`` over the ``SSLFilter`` of another.  The connection has
    its own transport, so that nothing goes below.  Unlike OpenSSL's, it raises what the connection raises, and sends
    nothing when it is dropped.  It does not close the connection.
    """

    def __init__(self, connection: Connection) -> None:
        if isinstance(connection, type) or not all(hasattr(connection, name) for name in ("_c", "read", "shutdown")):
            raise TypeError(f"an SSLFilter is made from a Connection, not from {type(connection).__name__}")
        super().__init__()
        self.connection: Connection = connection
        """The connection that carries the bytes."""

    def read(self, size: int = -1) -> bytes | Want:
        """As ``Connection.read``.  SSL_read_ex(3)"""
        size = index(size, "the number of bytes to read")
        return self.connection.read() if size < 0 else self.connection.read(size)

    def write(self, data: bytes | bytearray | memoryview) -> int | Want:
        """As ``Connection.write``: after a ``Want``, repeat the same write.  SSL_write_ex(3)"""
        return self.connection.write(data)

    @property
    def pending(self) -> int:
        """How many decrypted bytes are there.  SSL_pending(3)"""
        return self.connection.pending

    def end(self) -> None:
        """Sends a close_notify.  SSL_shutdown(3)"""
        self.connection.shutdown()

    @property
    def name(self) -> str:
        """``ssl``, as BIO_method_name(3) has it."""
        return "closed" if self.closed else "ssl"
