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
from pyossl.core.buffers import RECORD
from pyossl.core.copying import Uncopied
from pyossl.core.outcome import Want
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
from pyossl.tls.mutable_connection import MutableConnection

_Buffer = bytes | bytearray | memoryview
_T = TypeVar("_T")
_LARGEST = 2**31 - 1
_HAS_SOCKET = "Connection sock was not None"
_WRITABLE = (bytearray, memoryview)
"""The types that OpenSSL can read into directly; for any other type the bytes are read first and copied then."""


def _first_record(data: Any) -> Any:
    """The bytes that one call sends, one record at most.

    If the transport takes less than a program sends, only this record has to be sent again, with no other behind it.
    """
    if len(data) > _LARGEST:
        raise ValueError("Cannot send more than 2**31-1 bytes at once.")
    return data if len(data) <= RECORD else memoryview(data).cast("B")[:RECORD]


class ConnectionIO(Uncopied):
    """The data, the handshake and the end of a ``Connection``."""

    if TYPE_CHECKING:
        _tls: MutableConnection
        _socket: Any

    def _call(self, call: Callable[..., _T | Want], *arguments: Any) -> _T:
        """What a call of the core's came to, told as pyOpenSSL tells it; what is called often does that itself."""
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
        return queue_with("bad write retry") if "to be repeated" in str(error) else queue_of(error)

    @property
    def _sock(self) -> Any:
        return self._socket

    # Data

    def pending(self) -> int:
        """How many bytes can be read without the transport."""
        return self._tls.pending

    def send(self, buf: _Buffer, flags: int = 0) -> int:
        """Sends bytes; how many were taken."""
        if type(buf) is not bytes or len(buf) > RECORD:
            buf = _first_record(text_to_bytes_and_warn("buf", buf))
        try:
            sent = self._tls.write(buf)
        except errors.Error as error:
            raise self._exception(error) from error
        if isinstance(sent, int):
            return sent
        raise exception_for_want(sent)

    write = send

    def sendall(self, buf: _Buffer, flags: int = 0) -> int:
        """Sends every byte; how many there were."""
        if type(buf) is not bytes:
            buf = memoryview(text_to_bytes_and_warn("buf", buf)).cast("B")
        try:
            sent = self._tls.write(buf)
        except errors.Error as error:
            raise self._exception(error) from error
        if isinstance(sent, int):
            return sent
        raise exception_for_want(sent)

    def recv(self, bufsiz: int, flags: int | None = None) -> bytes:
        """Up to so many bytes; ``ZeroReturnError`` once the peer has closed."""
        try:
            peeks = flags is not None and flags & socket.MSG_PEEK
            data = self._tls.peek(bufsiz) if peeks else self._tls.read(bufsiz)
        except errors.Error as error:
            raise self._exception(error) from error
        if not isinstance(data, bytes):
            raise exception_for_want(data)
        if not data and bufsiz:
            raise ZeroReturnError
        return data

    read = recv

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int | None = None) -> int:
        """As ``recv``, into a buffer; how many bytes."""
        size = len(buffer)
        if nbytes is not None and nbytes < size:
            size = nbytes
        if flags is not None or size <= 0 or type(buffer) not in _WRITABLE:
            data = self.recv(size, flags)
            buffer[: len(data)] = memoryview(data)
            return len(data)
        try:
            received = self._tls.read_into(buffer, size)
        except errors.Error as error:
            raise self._exception(error) from error
        if not isinstance(received, int):
            raise exception_for_want(received)
        if not received:
            raise ZeroReturnError
        return received

    def bio_read(self, bufsiz: int) -> bytes:
        """Up to so many bytes for the peer; ``WantReadError`` where there are none."""
        if self._socket is not None:
            raise TypeError(_HAS_SOCKET)
        if not isinstance(bufsiz, int):
            raise TypeError("bufsiz must be an integer")
        if bufsiz < 0:
            raise ValueError("bufsiz cannot be negative")
        try:
            data = self._tls.data_to_send(bufsiz)
        except errors.Error as error:
            raise self._exception(error) from error
        if not data:
            raise WantReadError
        return data

    def bio_write(self, buf: _Buffer) -> int:
        """Takes bytes from the peer; how many."""
        if type(buf) is not bytes:
            buf = text_to_bytes_and_warn("buf", buf)
        if self._socket is not None:
            raise TypeError(_HAS_SOCKET)
        size = len(buf)
        if size > 0:
            try:
                self._tls.receive_data(buf)
            except errors.Error as error:
                raise self._exception(error) from error
        return size

    def bio_shutdown(self) -> None:
        """Says that the peer's bytes have ended."""
        if self._socket is not None:
            raise TypeError(_HAS_SOCKET)
        self._call(self._tls.end_of_transport)

    # The handshake and the end

    def do_handshake(self) -> None:
        """Goes on with the handshake."""
        try:
            want = self._tls.handshake()
        except errors.Error as error:
            raise self._exception(error) from error
        if want is not None:
            raise exception_for_want(want)

    def shutdown(self) -> bool:
        """Sends our close_notify, after the record of a ``send`` that waits; whether the peer's is here."""
        try:
            is_whole = self._tls.finish_write() or self._tls.shutdown()
        except errors.Error as error:
            raise self._exception(error) from error
        if isinstance(is_whole, bool):
            return is_whole
        raise exception_for_want(is_whole)

    def sock_shutdown(self, *args: Any, **kwargs: Any) -> None:
        """The socket's own ``shutdown``."""
        self._sock.shutdown(*args, **kwargs)

    def get_shutdown(self) -> int:
        """Of ``SENT_SHUTDOWN`` and ``RECEIVED_SHUTDOWN``."""
        return self._tls.shutdown_state

    def set_shutdown(self, state: int) -> None:
        """Of ``SENT_SHUTDOWN`` and ``RECEIVED_SHUTDOWN``."""
        if not isinstance(state, int):
            raise TypeError("state must be an integer")
        self._tls.set_shutdown_state(state)

    def makefile(self, *args: Any, **kwargs: Any) -> NoReturn:
        """There is none."""
        raise NotImplementedError("Cannot make file object of OpenSSL.SSL.Connection")

    # New keys

    def renegotiate(self) -> bool:
        """Asks for another handshake; whether none was under way."""
        if self.renegotiate_pending():
            return False
        with translated:
            self._tls.renegotiate()
        return True

    def renegotiate_pending(self) -> bool:
        """Whether another handshake has been asked for and is not finished."""
        return self._tls.is_renegotiating

    def total_renegotiations(self) -> int:
        """How many there have been."""
        return self._tls.renegotiations

    def key_update(self, request_peer: bool = False) -> None:
        """New keys for what is sent, and on request for what is received; TLS 1.3.  Not in pyOpenSSL."""
        with translated:
            self._tls.update_keys(request=request_peer)

    # The reason to wait

    def want_read(self) -> bool:
        """Whether the last call waits for the peer's bytes."""
        return self._tls.wants is Want.READ

    def want_write(self) -> bool:
        """Whether the last call waits for room."""
        return self._tls.wants is Want.WRITE

    # Datagrams

    def get_cleartext_mtu(self) -> int:
        """How many bytes of data fit the largest datagram."""
        return self._tls.data_mtu

    def DTLSv1_listen(self) -> None:  # noqa: N802 - pyOpenSSL's, as the two below
        """Waits for a client that brings our cookie back."""
        self._call(self._tls.listen)

    def DTLSv1_get_timeout(self) -> int | None:  # noqa: N802
        """Seconds until ``DTLSv1_handle_timeout`` is due, None while no timer runs."""
        return typing.cast("int | None", self._tls.timeout)  # a float: so pyOpenSSL calls its own

    def DTLSv1_handle_timeout(self) -> bool:  # noqa: N802
        """Sends the last flight again if it is time; whether it was."""
        return self._call(self._tls.handle_timeout)


# These methods translate exceptions themselves: they are called often, or warn about the line that called them.
_TRANSLATE = frozenset(
    ("bio_read", "bio_write", "do_handshake", "read", "recv", "recv_into", "send", "sendall", "shutdown", "write")
)
translate_methods(ConnectionIO, but=_TRANSLATE)
