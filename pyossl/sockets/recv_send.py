"""``recv``, ``recv_into``, ``send`` and ``sendall``: the calls that a program makes most.

If nothing goes wrong, each is one function in C (pyossl/_c/fast.c).  The other cases are here.
"""

from __future__ import annotations

from _socket import MSG_PEEK  # without the enumerations of socket, a third of the import
from typing import Any, NoReturn

from pyossl.core.arguments import index, number_shown
from pyossl.core.buffers import Bytes, readable, writable
from pyossl.core.methods_in_c import SocketMethods
from pyossl.core.unusual_arguments import UnusualArguments
from pyossl.sockets.descriptor_connection import WaitingConnection
from pyossl.tls.connection.negotiated_summary import ChannelBindingsSummary


class RecvSendMethods(SocketMethods, UnusualArguments, ChannelBindingsSummary):
    """The methods of ``Socket`` that read and write."""

    connection: WaitingConnection

    def __init__(self, connection: WaitingConnection, timeout: float) -> None:
        self._share(connection)
        self.connection = connection
        self._set_timeout(timeout)

    def _set_timeout(self, timeout: float) -> None:
        """Sets the timeout in seconds; 0 does not wait, ``FOREVER`` has no deadline."""
        self._timeout = self._c.timeout = timeout

    def _unfinished(self, result: int, operation: str) -> NoReturn:
        raise self.connection.exception(result, operation, self._timeout)

    def _recv_with_flags(self, size: Any, flags: Any) -> bytes:
        return self._peek(size) if _peeks(flags) else self.recv(size)

    def _recv_into_with_flags(self, buffer: Any, size: Any, flags: Any) -> int:
        if not _peeks(flags):
            return self.recv_into(buffer, size)
        with writable(buffer), memoryview(buffer).cast("B") as view:
            most = 0 if size is None else self._size_in_buffer(size, len(view))
            data = self._peek(most or len(view))
            view[: len(data)] = data
            return len(data)

    def _refuse_flags(self, flags: Any) -> NoReturn:
        raise ValueError(f"a TLS socket sends without flags, not with {number_shown(index(flags, 'flags'))}")

    def _rest_to_write(self, data: Bytes, sent: int) -> None:
        """Sends the bytes of ``data`` from ``sent`` on, with a timeout of 0."""
        with readable(data), memoryview(data).cast("B") as view:
            while sent < len(view):
                sent += self.send(view[sent:])


def _peeks(flags: int) -> bool:
    if index(flags, "flags") & ~MSG_PEEK:
        raise ValueError(f"the only flag of a TLS socket is MSG_PEEK, not {number_shown(flags)}")
    return bool(flags)
