"""The bytes that were written and are not yet encrypted and sent."""

from __future__ import annotations

import collections
from collections.abc import Callable

from pyossl.core.buffers import Bytes
from pyossl.core.outcome import Want
from pyossl.sockets.event_loop_steps import SLICE

_SMALL = 16 * 1024
"""Pieces below this size are joined with the next ones."""
_LARGEST_JOINED = 64 * 1024


def sized_in_bytes(data: Bytes) -> Bytes:
    """``data`` as an object whose ``len`` is its number of bytes.

    Raises ``TypeError`` if a transport does not take it, ``ValueError`` for a memoryview that has been released.
    """
    if isinstance(data, memoryview):
        try:
            return data if data.contiguous and data.format == "B" and data.ndim == 1 else data.tobytes()
        except ValueError as error:
            raise ValueError("data is bytes, and this memoryview has been released") from error
    if isinstance(data, (bytes, bytearray)):
        return data
    raise TypeError(f"data argument must be a bytes-like object, not {type(data).__name__!r}")


class WriteBuffer:
    """Pieces of bytes in the order in which they were written.  It is true if it holds any."""

    __slots__ = ("_pieces", "_sent", "size")

    def __init__(self) -> None:
        self._pieces: collections.deque[bytes] = collections.deque()
        self._sent = 0  # bytes of the first piece
        self.size = 0
        """The number of bytes in the buffer."""

    def __bool__(self) -> bool:
        return self.size != 0

    def __repr__(self) -> str:
        return f"<{type(self).__name__} size={self.size}>"

    def add(self, data: Bytes, start: int) -> None:
        """Appends ``data`` from index ``start`` on.  It copies a mutable buffer, which the caller may change later."""
        if not isinstance(data, bytes) or (start and self._pieces):
            data, start = bytes(data[start:]), 0
        if start:
            self._sent = start
        self._pieces.append(data)
        self.size += len(data) - start

    def flush(self, send: Callable[[bytes, int], int | Want]) -> tuple[int, Want | None]:
        """Passes about ``SLICE`` bytes at most to ``send``, with the index of the first byte that is not yet sent.

        Returns the number of bytes that were sent, and the ``Want`` that the rest waits for, None if it need not wait.
        """
        total = 0
        while self._pieces and total < SLICE:
            data = self._first()
            offered = min(len(data) - self._sent, SLICE)
            sent = send(data, self._sent)
            if isinstance(sent, Want):
                return total, sent
            total += sent
            self.size -= sent
            self._sent += sent
            if self._sent == len(data):
                self._pieces.popleft()
                self._sent = 0
            elif sent < offered:
                return total, Want.WRITE
        return total, None

    def _first(self) -> bytes:
        """The first piece.  A small one is joined with the next ones.

        OpenSSL needs a repeated write to begin with the same bytes, and it does: joining only appends.
        """
        pieces = self._pieces
        if len(pieces) > 1 and len(pieces[0]) - self._sent < _SMALL:
            joined = [pieces.popleft()[self._sent :]]
            size = len(joined[0])
            while pieces and size < _LARGEST_JOINED:
                joined.append(pieces.popleft())
                size += len(joined[-1])
            pieces.appendleft(b"".join(joined))
            self._sent = 0
        return pieces[0]
