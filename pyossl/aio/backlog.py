"""What has been written and waits to be encrypted and sent."""

from __future__ import annotations

import collections
from collections.abc import Callable

from pyossl.core.outcome import Want
from pyossl.sockets.event_loop_steps import SLICE
from pyossl.tls.connection import Bytes

_SMALL = 16 * 1024
_GATHERED = 64 * 1024


def octets(data: Bytes) -> Bytes:
    """Bytes whose length is their number; ``TypeError`` for what a transport does not take."""
    if isinstance(data, memoryview):
        try:
            return data if data.contiguous and data.format == "B" and data.ndim == 1 else data.tobytes()
        except ValueError as error:
            raise ValueError("data is bytes, and this memoryview has been released") from error
    if isinstance(data, (bytes, bytearray)):
        return data
    raise TypeError(f"data argument must be a bytes-like object, not {type(data).__name__!r}")


class Backlog:
    """Pieces in the order in which they were written.  True while there are any."""

    __slots__ = ("_pieces", "_sent", "size")

    def __init__(self) -> None:
        self._pieces: collections.deque[bytes] = collections.deque()
        self._sent = 0  # of the first
        self.size = 0
        """How many bytes wait."""

    def __bool__(self) -> bool:
        return self.size != 0

    def add(self, data: Bytes, start: int) -> None:
        """Keeps ``data`` from ``start`` on; a buffer of the caller's may change, and is copied."""
        if not isinstance(data, bytes) or (start and self._pieces):
            data, start = bytes(data[start:]), 0
        if start:
            self._sent = start
        self._pieces.append(data)
        self.size += len(data) - start

    def flush(self, send: Callable[[bytes, int], int | Want]) -> tuple[int, Want | None]:
        """Gives ``send`` what waits, about ``SLICE`` bytes at most; how many went, and what the rest waits for, if it
        does.
        """
        went = 0
        while self._pieces and went < SLICE:
            data = self._first()
            offered = min(len(data) - self._sent, SLICE)
            sent = send(data, self._sent)
            if isinstance(sent, Want):
                return went, sent
            went += sent
            self.size -= sent
            self._sent += sent
            if self._sent == len(data):
                self._pieces.popleft()
                self._sent = 0
            elif sent < offered:
                return went, Want.WRITE
        return went, None

    def _first(self) -> bytes:
        """The first piece, small ones made one: what was offered before is still the beginning of it."""
        pieces = self._pieces
        if len(pieces) > 1 and len(pieces[0]) - self._sent < _SMALL:
            joined = [pieces.popleft()[self._sent :]]
            size = len(joined[0])
            while pieces and size < _GATHERED:
                joined.append(pieces.popleft())
                size += len(joined[-1])
            pieces.appendleft(b"".join(joined))
            self._sent = 0
        return pieces[0]
