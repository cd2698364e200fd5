"""The part of HTTP/1.0 that the peers use: one request, one answer, over any object with ``recv`` and ``sendall``.

Nothing here imports pyossl: ssl_peer.py, which is Python's own ``ssl`` in another process, uses it too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, Protocol


class ClosedEarlyError(Exception):
    """The peer closed, with close_notify, before it had sent everything."""


class Stream(Protocol):
    def recv(self, size: int, /) -> bytes: ...
    def sendall(self, data: bytes, /) -> None: ...


class Request(NamedTuple):
    method: str
    path: str
    digest: str
    """The SHA-256 of the body, in hexadecimal."""


def get(path: str) -> bytes:
    return f"GET /{path} HTTP/1.0\r\n\r\n".encode()


def put(path: str, size: int) -> bytes:
    return f"PUT /{path} HTTP/1.0\r\nContent-Length: {size}\r\n\r\n".encode()


def receive_head(stream: Stream) -> tuple[list[str], bytes]:
    """The lines of the head, and the bytes of the body that were received with it."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = stream.recv(65536)
        if not more:
            raise ClosedEarlyError(f"after {data!r}, which is no head")
        data += more
    head, _, rest = data.partition(b"\r\n\r\n")
    return head.decode("latin-1").split("\r\n"), rest


def receive_digest(stream: Stream, start: bytes, size: int) -> str:
    """The SHA-256 of ``size`` bytes, of which ``start`` was received before."""
    digest, left = hashlib.sha256(start), size - len(start)
    while left > 0:
        data = stream.recv(min(left, 65536))
        if not data:
            raise ClosedEarlyError(f"with {left} of {size} bytes to come")
        digest.update(data)
        left -= len(data)
    return digest.hexdigest()


def answer(stream: Stream, folder: Path) -> Request:
    """Answers one request: GET with the file of that name, PUT with the digest of the body."""
    lines, rest = receive_head(stream)
    method, path, _ = lines[0].split(" ")
    fields = dict(line.lower().split(": ", 1) for line in lines[1:])
    request = Request(method, path, receive_digest(stream, rest, int(fields.get("content-length", 0))))
    if method == "GET":
        with (folder / path.lstrip("/")).open("rb") as file:
            send_answer(stream, iter(lambda: file.read(1_000_000), b""), (folder / path.lstrip("/")).stat().st_size)
    else:
        send_answer(stream, [request.digest.encode()], len(request.digest))
    return request


def send_answer(stream: Stream, blocks: Iterable[bytes], size: int) -> None:
    stream.sendall(f"HTTP/1.0 200 OK\r\nContent-Length: {size}\r\n\r\n".encode())
    for block in blocks:
        stream.sendall(block)
