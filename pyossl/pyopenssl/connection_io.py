"""``ConnectionIO``: the data, the handshake and the end of a ``Connection``, over ``MutableConnection``.

A ``Want`` that the core returns is raised here as ``WantReadError`` or ``WantWriteError``.  An exception of the core is
raised as the exception of ``OpenSSL.SSL`` for the same ``Failure``.  A call on a connection that has failed raises the
same exception again.
"""

from __future__ import annotations

import socket
import typing
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from pyossl.core import errors
from pyossl.core.copying import Uncopied
from pyossl.core.methods_in_c import FaceMethods
from pyossl.core.outcome import Want
from pyossl.core.unusual_arguments import UnusualArguments
from pyossl.pyopenssl.constants import SENT_SHUTDOWN
from pyossl.pyopenssl.deprecation import text_to_bytes_and_warn
from pyossl.pyopenssl.exceptions import (
    Error,
    WantReadError,
    ZeroReturnError,
    exception_for_failure,
    exception_for_want,
    queue_of,
    queue_with,
    translate_methods,
    translated,
)
from pyossl.tls.mutable.mutable_connection import MutableConnection

_T = TypeVar("_T")
_HAS_SOCKET = "Connection sock was not None"


class ConnectionIO(FaceMethods, UnusualArguments, Uncopied):
    """The data, the handshake and the end of a ``Connection``."""

    if TYPE_CHECKING:
        _tls: MutableConnection
        _socket: Any

    def _call(self, call: Callable[..., _T | Want], *arguments: Any) -> _T:
        """Calls a method of the core and raises what pyOpenSSL raises.  The hot methods do it themselves."""
        try:
            result = call(*arguments)
        except errors.Error as error:
            raise self._exception(error) from error
        if isinstance(result, Want):
            raise exception_for_want(result)
        return result

    def _exception(self, error: errors.Error) -> Error:
        return (
            Error(self._queue_of_misuse(error))
            if isinstance(error, errors.UsageError)
            else exception_for_failure(error)
        )

    def _queue_of_misuse(self, error: errors.UsageError) -> list[tuple[str, str, str]]:
        if self._tls.is_inherited:
            return queue_of(error)
        if not self._tls.is_handshake_finished:
            return queue_with("shutdown while in init")
        if self._tls.shutdown_state & SENT_SHUTDOWN:
            return queue_with("protocol is shutdown")
        return queue_with("bad write retry") if "must be repeated" in str(error) else queue_of(error)

    @property
    def _sock(self) -> Any:
        return self._socket

    # Data

    def pending(self) -> int:
        """How many decrypted bytes are buffered: they can be read without the transport.  SSL_pending(3)"""
        return self._tls.pending

    # send, sendall, recv, recv_into, bio_read and bio_write are in C (pyossl/_c/fast.c), and the other cases are here

    write = FaceMethods.send
    read = FaceMethods.recv

    def _unfinished(self, result: int, operation: str) -> Any:
        if self._socket is not None and operation in ("sending", "receiving"):
            raise TypeError(_HAS_SOCKET)
        if result == 0:
            return self._ended(operation)
        try:
            want = self._tls._unfinished(result, operation)
        except errors.Error as error:
            raise self._exception(error) from error
        raise exception_for_want(want)

    def _ended(self, operation: str) -> int:
        """What a read, ``bio_read`` or ``bio_write`` of no bytes returns or raises."""
        if operation == "reading":
            raise ZeroReturnError
        if operation == "sending":
            raise WantReadError
        return 0

    def _bytes_of_text(self, text: str) -> Any:
        return text_to_bytes_and_warn("buf", text)

    def _recv_with_flags(self, bufsiz: Any, flags: Any) -> bytes:
        if not flags & socket.MSG_PEEK:
            return self.recv(bufsiz)
        data = self._call(self._tls.peek, bufsiz)
        if not data and bufsiz:
            raise ZeroReturnError
        return data

    def _recv_into_unusual(self, buffer: Any, nbytes: int | None, flags: int | None) -> int:
        """``recv_into`` for other arguments.

        OpenSSL cannot read into a buffer of another type: the bytes are read first, and copied.
        """
        size = len(buffer)
        if nbytes is not None and nbytes < size:
            size = nbytes
        if flags is None and size > 0 and type(buffer) is memoryview:  # its items are larger, or it has dimensions
            with buffer.cast("B") as view:
                return self.recv_into(view, size)
        data = self.recv(size, flags)
        buffer[: len(data)] = memoryview(data)
        return len(data)

    def _size_to_send(self, size: Any) -> int:
        if self._socket is not None:
            raise TypeError(_HAS_SOCKET)
        if not isinstance(size, int):
            raise TypeError("bufsiz must be an integer")
        if size < 0:
            raise ValueError("bufsiz cannot be negative")
        return super()._size_to_send(size)

    def bio_shutdown(self) -> None:
        """Tells a connection in memory that no more bytes come from the peer.

        Raises ``TypeError`` if the connection has a socket.  BIO_set_mem_eof_return(3)
        """
        if self._socket is not None:
            raise TypeError(_HAS_SOCKET)
        self._call(self._tls.end_of_transport)

    # The handshake and the end

    def do_handshake(self) -> None:
        """Does the handshake, or continues it.

        Raises ``Error`` if it fails, for example because the peer's certificate is not trusted.  SSL_do_handshake(3)
        """
        try:
            want = self._tls.handshake()
        except errors.Error as error:
            raise self._exception(error) from error
        if want is not None:
            raise exception_for_want(want)

    def shutdown(self) -> bool:
        """Sends close_notify, after the rest of an unfinished ``send``; returns whether the peer's has arrived.

        SSL_shutdown(3)
        """
        try:
            is_whole = self._tls.finish_write() or self._tls.shutdown()
        except errors.Error as error:
            raise self._exception(error) from error
        if isinstance(is_whole, bool):
            return is_whole
        raise exception_for_want(is_whole)

    def sock_shutdown(self, *args: Any, **kwargs: Any) -> None:
        """Calls ``shutdown`` of the socket with the same arguments (``args``, ``kwargs``).  shutdown(2)"""
        self._sock.shutdown(*args, **kwargs)

    def get_shutdown(self) -> int:
        """Which close_notify alerts were sent and received.

        A combination of ``SENT_SHUTDOWN`` and ``RECEIVED_SHUTDOWN``.  SSL_get_shutdown(3)
        """
        return self._tls.shutdown_state

    def set_shutdown(self, state: int) -> None:
        """Sets which close_notify alerts count as sent and received.

        ``state`` is a combination of ``SENT_SHUTDOWN`` and ``RECEIVED_SHUTDOWN``; ``TypeError`` if it is no ``int``.
        SSL_set_shutdown(3)
        """
        if not isinstance(state, int):
            raise TypeError("state must be an integer")
        self._tls.set_shutdown_state(state)

    def makefile(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Always raises ``NotImplementedError``, as in pyOpenSSL, whatever ``args`` and ``kwargs`` are."""
        raise NotImplementedError("Cannot make file object of OpenSSL.SSL.Connection")

    # New keys

    def renegotiate(self) -> bool:
        """Asks for a new handshake, in TLS 1.2 and older; False if one was asked for already and is not finished.

        Raises ``Error`` if renegotiation is not possible.  SSL_renegotiate(3)
        """
        if self.renegotiate_pending():
            return False
        with translated:
            self._tls.renegotiate()
        return True

    def renegotiate_pending(self) -> bool:
        """Whether a new handshake was asked for and is not finished.  SSL_renegotiate_pending(3)"""
        return self._tls.is_renegotiating

    def total_renegotiations(self) -> int:
        """How many renegotiations there were.  SSL_total_renegotiations(3)"""
        return self._tls.renegotiations

    def key_update(self, request_peer: bool = False) -> None:
        """Changes the key of the sent data, and with ``request_peer`` that of the received data too.  TLS 1.3 only.

        Raises ``Error`` in older versions.  Not in pyOpenSSL.  SSL_key_update(3)
        """
        with translated:
            self._tls.update_keys(request_peer=request_peer)

    # The reason to wait

    def want_read(self) -> bool:
        """Whether the last call needs bytes from the peer.  SSL_want_read(3)"""
        return self._tls.wants is Want.READ

    def want_write(self) -> bool:
        """Whether the last call needs room for bytes to the peer.  SSL_want_write(3)"""
        return self._tls.wants is Want.WRITE

    # Datagrams

    def get_cleartext_mtu(self) -> int:
        """How many bytes of data fit into the largest datagram; 0 if the connection is not DTLS.

        DTLS_get_data_mtu(3)
        """
        return self._tls.data_mtu

    def DTLSv1_listen(self) -> None:  # noqa: N802 - pyOpenSSL's, as the two below
        """Waits for a client that sends the right cookie back; for a DTLS server.  DTLSv1_listen(3)"""
        self._call(self._tls.listen)

    def DTLSv1_get_timeout(self) -> int | None:  # noqa: N802
        """Seconds, a float, until ``DTLSv1_handle_timeout`` has to be called; None if no timer runs.

        DTLSv1_get_timeout(3)
        """
        return typing.cast("int | None", self._tls.timeout)  # a float: so pyOpenSSL calls its own

    def DTLSv1_handle_timeout(self) -> bool:  # noqa: N802
        """Sends the last flight of the handshake again if its timer has expired; returns whether it had.

        DTLSv1_handle_timeout(3)
        """
        return self._call(self._tls.handle_timeout)


# These methods translate exceptions themselves: they are called often, or warn about the line that called them.
_TRANSLATE = frozenset(
    ("bio_read", "bio_write", "do_handshake", "read", "recv", "recv_into", "send", "sendall", "shutdown", "write")
)
translate_methods(ConnectionIO, but=_TRANSLATE)
