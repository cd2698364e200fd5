"""``recv``, ``recv_into``, ``send`` and ``sendall``: the calls that a program makes most.

If nothing goes wrong, each is one Python frame and one function in C.  One more frame would cost as much as a third of
a record's encryption.  Rare cases have methods of their own.
"""

from __future__ import annotations

from _socket import MSG_PEEK  # without the enumerations of socket, a third of the import
from typing import Any

from pyossl.core import buffers, lib
from pyossl.core.arguments import index, number_shown
from pyossl.sockets.descriptor_connection import WaitingConnection
from pyossl.tls.connection import Bytes, readable, writable
from pyossl.tls.negotiated import NegotiatedSummary

_recv, _send = lib.pyossl_recv, lib.pyossl_send
_borrow_record, _give_back_record = buffers.small.pop, buffers.small.append
_RECORD, _LARGEST = buffers.RECORD, buffers.LARGEST


class RecvSendMethods(NegotiatedSummary):
    """The methods of ``Socket`` that read and write."""

    connection: WaitingConnection

    def __init__(self, connection: WaitingConnection, timeout: float) -> None:
        self.connection = connection
        self._c: Any = connection.pointer
        self._set_timeout(timeout)

    def _set_timeout(self, timeout: float) -> None:
        """Sets the timeout in seconds; 0 does not wait, ``FOREVER`` has no deadline."""
        self._timeout = self._c.timeout = timeout

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Reads up to ``size`` bytes; returns ``b""`` after the peer has closed.

        It waits for the first record, and takes more records if they have arrived.  With ``MSG_PEEK`` as ``flags`` the
        bytes stay to be read again; other flags raise ``ValueError``.  Finishes the handshake first, if necessary.

        Raises ``TruncationError`` if the transport ended without a close_notify, ``TimeoutError`` after the timeout,
        ``WouldBlockError`` if the timeout is 0 and there is no data, and the errors of ``Connection.read``.
        SSL_read_ex(3)
        """
        if flags and _peeks(flags):
            return self._peek(size)
        try:
            if 0 < size <= _RECORD:
                try:
                    buffer = _borrow_record()
                except IndexError:
                    buffer = buffers.borrow(size)
                room, view = buffer
                result = _recv(self._c, room, size)
                if result > 0:
                    data: bytes = view[:result]
                    _give_back_record(buffer)
                    return data
            else:
                room, view = buffer = buffers.borrow(size)
                result = _recv(self._c, room, size if size < _LARGEST else _LARGEST)
        except Exception:
            number = index(size, "the number of bytes to read")
            if isinstance(size, int):
                raise
            return self.recv(number)
        if result < 0:
            buffers.give_back(buffer)
            self.connection.checked_read(result, self._timeout)
        data = view[:result] if result else b""
        buffers.give_back(buffer)
        return data

    def recv_into(self, buffer: Any, size: int = 0, flags: int = 0) -> int:
        """Reads into a writable buffer; returns the number of bytes, 0 after the peer has closed.

        It reads at most ``size`` bytes, or as many as the buffer holds if ``size`` is 0.  ``flags`` and the errors are
        those of ``recv``; ``ValueError`` if the buffer is smaller than ``size``.  SSL_read_ex(3)
        """
        if flags and _peeks(flags):
            with writable(buffer), memoryview(buffer).cast("B") as view:
                data = self._peek(index(size, "size") or len(view))
                view[: len(data)] = data
                return len(data)
        with writable(buffer) as target:
            room = len(target)
            if size:
                size = index(size, "size")
                if not 0 < size <= room:
                    raise ValueError(f"size is {number_shown(size)}, and the buffer holds {room} bytes")
                room = size
            result: int = _recv(self._c, target, room)
            return result if result >= 0 else self.connection.checked_read(result, self._timeout)

    def send(self, data: Bytes, flags: int = 0) -> int:
        """Sends ``data``, or its beginning, and returns how many bytes were sent.

        These are all of them, unless the timeout is 0: then it sends at most 1 MiB, and as much of it as the descriptor
        takes.  The next call must begin with the first byte that was not sent.  ``flags`` must be 0.

        Raises ``TimeoutError`` after the timeout, ``WouldBlockError`` if the timeout is 0 and nothing could be sent,
        and the errors of ``Connection.write``.  SSL_write_ex(3)
        """
        if flags:
            raise _no_flags(flags)
        if type(data) is bytes:
            return self.connection.send_all(data, len(data), self._timeout)
        with readable(data) as source:
            return self.connection.send_all(source, len(source), self._timeout)

    def sendall(self, data: Bytes, flags: int = 0) -> None:
        """Sends all bytes of ``data``; the timeout is one deadline for the whole call.

        If it raises ``TimeoutError``, or ``WouldBlockError`` because the timeout is 0, some of the bytes may have been
        sent.  ``flags`` must be 0.  Other errors are those of ``send``.  SSL_write_ex(3)
        """
        if flags:
            raise _no_flags(flags)
        if type(data) is bytes:
            sent = _send(self._c, data, len(data))
            if sent == len(data):
                return
            self.connection.checked_write(sent, self._timeout)
        else:
            sent = self.send(data)
        with readable(data), memoryview(data).cast("B") as view:
            while sent < len(view):
                sent += self.send(view[sent:])

    def _peek(self, size: int) -> bytes:
        return self.connection.peek_waiting(index(size, "the number of bytes to read"), self._timeout)


def _peeks(flags: int) -> bool:
    if index(flags, "flags") & ~MSG_PEEK:
        raise ValueError(f"the only flag of a TLS socket is MSG_PEEK, not {number_shown(flags)}")
    return bool(flags)


def _no_flags(flags: int) -> ValueError:
    return ValueError(f"a TLS socket sends without flags, not with {number_shown(index(flags, 'flags'))}")
