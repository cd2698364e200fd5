"""``Socket.sendfile``: reads a file in blocks, and sends them before one deadline.

SSL_sendfile(3) would let the kernel read the file, but only if the kernel also encrypts (kernel TLS).  OpenSSL starts
that over its own socket BIO alone, not over pyossl's, which saves system calls.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyossl.core.arguments import index, number_shown
from pyossl.core.buffers import Bytes

_BLOCK = 1 << 18  # bytes: several records for each system call
_MOST = 2**63 - 1


def send_file(file: Any, offset: int, count: int | None, send_some: Callable[[Bytes], int]) -> int:
    """Sends ``count`` bytes of ``file`` from ``offset`` on, None for all; returns their number.

    ``send_some`` sends a part of what it gets, and returns how much.  Afterwards the file's position is after the last
    byte that was sent.  A file without positions is sent from where it is.  Raises ``TypeError`` or ``ValueError`` for
    a file in text mode, or another range.
    """
    start = index(offset, "an offset")
    if not 0 <= start <= _MOST:
        raise ValueError(f"an offset is 0 or more bytes, not {number_shown(start)}")
    left = _MOST if count is None else index(count, "a count")
    if left <= 0:
        raise ValueError(f"a count is 1 or more bytes, or None, not {number_shown(left)}")
    if "b" not in getattr(file, "mode", "b"):
        raise ValueError("the file is open in text mode: open it in binary mode")
    if not callable(getattr(file, "read", None)):
        raise TypeError(f"a file is sent, not {type(file).__name__}")
    seeks = hasattr(file, "seek") and getattr(file, "seekable", lambda: True)()
    if seeks:
        file.seek(start)
    elif start:
        raise ValueError("an offset is given, and the file has no positions, as a pipe has none")
    sent = 0
    try:
        while sent < left and (block := _block(file, min(_BLOCK, left - sent))):
            while block:
                taken = send_some(block)
                sent += taken
                block = block[taken:]
        return sent
    finally:
        if sent and seeks:
            file.seek(start + sent)


def _block(file: Any, size: int) -> memoryview:
    data = file.read(size)
    if isinstance(data, str):
        raise TypeError("the file is open in text mode: open it in binary mode")
    return memoryview(data or b"").cast("B")[:size]
