"""Serves a directory over HTTP/1.1 with GET and HEAD.

A client can only read files inside the directory.  This is checked after all links and ``..`` in the path have been
resolved.  The size of a request head and the number of requests on a connection are limited.
"""

from __future__ import annotations

import email.utils
import html
import mimetypes
import os
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from pyossl import TruncationError

_LONGEST_HEAD = 16384
_MOST_REQUESTS = 1000
_CHUNK = 262144

_REASONS = {
    200: "OK",
    301: "Moved Permanently",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    431: "Request Header Fields Too Large",
    505: "HTTP Version Not Supported",
}


class Stream(Protocol):
    """The methods of ``Socket`` that the file server uses."""

    def recv(self, size: int, /) -> bytes: ...
    def sendall(self, data: bytes, /) -> None: ...
    def gettimeout(self) -> float | None: ...
    def settimeout(self, timeout: float | None) -> None: ...


class Request(NamedTuple):
    """The head of a request."""

    method: str
    target: str
    keeps_alive: bool


class Refusal(Exception):  # noqa: N818 - an answer to the client, not an error of pyossl
    """The request is answered with an error status, and no file."""

    def __init__(self, status: int, *headers: str) -> None:
        super().__init__(_REASONS[status])
        self.status = status
        self.headers = headers


class Answer(NamedTuple):
    """A status, header lines, a body (bytes or an open file), and its size in bytes."""

    status: int
    headers: list[str]
    body: bytes | BinaryIO
    size: int


def serve(tls: Stream, folder: Path, log: Callable[[str], None]) -> None:
    """Answers the requests of one connection until the client or a limit ends it.

    Calls ``log`` with a line for each request.
    """
    unread = bytearray()
    for number in range(_MOST_REQUESTS):
        try:
            head = _head(tls, unread)
            if head is None:
                return
            request = parse(head)
        except Refusal as refusal:
            # The end of this request is unknown, so no further request can be read.
            _send(tls, _error_page(refusal), is_head=False, keeps_alive=False)
            log(f"{refusal.status} {refusal}")
            return
        try:
            answer = answer_to(request, folder)
        except Refusal as refusal:
            answer = _error_page(refusal)
        keeps_alive = request.keeps_alive and number + 1 < _MOST_REQUESTS
        _send(tls, answer, is_head=request.method == "HEAD", keeps_alive=keeps_alive)
        log(f"{request.method} {_printable(request.target)} {answer.status} {answer.size}")
        if not keeps_alive:
            return


def _head(tls: Stream, unread: bytearray) -> bytes | None:
    """The bytes of a request up to the empty line, or None if the client has closed the connection."""
    patience = tls.gettimeout()
    deadline = None if patience is None else time.monotonic() + patience
    while (end := unread.find(b"\r\n\r\n")) < 0:
        if len(unread) > _LONGEST_HEAD:
            raise Refusal(431)
        if deadline is not None:  # for the whole head, so that single bytes do not extend it
            tls.settimeout(max(deadline - time.monotonic(), 0.001))
        try:
            data = tls.recv(_LONGEST_HEAD)
        except TruncationError:
            if unread:
                raise
            # Browsers send no close_notify.  Between two requests nothing can be cut off: RFC 9112, 9.8.
            return None
        if not data:
            return None
        unread += data
    tls.settimeout(patience)
    if end > _LONGEST_HEAD:
        raise Refusal(431)
    head = bytes(unread[:end])
    del unread[: end + 4]
    return head


def parse(head: bytes) -> Request:
    """Parses the head of a request.  Raises ``Refusal`` if it is malformed or announces a body.

    Bodies are not supported: a body would be read as the next request.  RFC 9112
    """
    first, *lines = head.decode("latin-1").split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3 or not parts[1]:
        raise Refusal(400)
    method, target, version = parts
    if version not in ("HTTP/1.1", "HTTP/1.0"):
        raise Refusal(505)
    headers: dict[str, list[str]] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise Refusal(400)
        headers.setdefault(name.lower(), []).append(value.strip())
    if "transfer-encoding" in headers or set(headers.get("content-length", ["0"])) != {"0"}:
        raise Refusal(400)
    if version == "HTTP/1.1" and len(headers.get("host", [])) != 1:
        raise Refusal(400)
    tokens = {token.strip().lower() for value in headers.get("connection", []) for token in value.split(",")}
    keeps_alive = "close" not in tokens if version == "HTTP/1.1" else "keep-alive" in tokens
    return Request(method, target, keeps_alive)


def answer_to(request: Request, folder: Path) -> Answer:
    """The answer to a request.  Raises ``Refusal`` if it is an error."""
    if request.method not in ("GET", "HEAD"):
        raise Refusal(405, "Allow: GET, HEAD")
    path = urllib.parse.unquote_to_bytes(request.target.encode("latin-1").partition(b"?")[0])
    if not path.startswith(b"/") or b"\0" in path:
        raise Refusal(400)
    root = folder.resolve()
    try:
        found = (root / os.fsdecode(path.lstrip(b"/"))).resolve(strict=True)
        inside = found == root or root in found.parents
        if not inside:
            raise Refusal(404)
        if found.is_dir():
            if not path.endswith(b"/"):
                raise Refusal(301, f"Location: {_location(path)}/")
            return _listing(found, os.fsdecode(path), found == root)
        if not found.is_file():  # reading a pipe or a device could block
            raise Refusal(404)
        return _file(found)
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, before Python 3.13
        raise Refusal(404) from error


def _location(path: bytes) -> str:
    """The path of a redirection.  It begins with one slash, because two slashes would begin a host name."""
    return "/" + urllib.parse.quote(path.lstrip(b"/"))


def _file(path: Path) -> Answer:
    file = open(path, "rb")  # noqa: SIM115 - _send closes it
    status = os.fstat(file.fileno())
    kind, encoding = mimetypes.guess_type(path.name)
    headers = [
        f"Content-Type: {kind if kind and not encoding else 'application/octet-stream'}",
        f"Last-Modified: {email.utils.formatdate(status.st_mtime, usegmt=True)}",
    ]
    return Answer(200, headers, file, status.st_size)


def _listing(path: Path, shown: str, is_root: bool) -> Answer:
    with os.scandir(path) as entries:
        found = sorted((not _is_folder(entry), entry.name.casefold(), entry.name) for entry in entries)
    names = [] if is_root else ["../"]
    names += [name if is_file else f"{name}/" for is_file, _, name in found]
    title = html.escape(shown.encode("utf-8", "backslashreplace").decode())
    lines = "".join(f'<li><a href="{_href(name)}">{_text(name)}</a></li>\n' for name in names)
    page = (
        f'<!doctype html>\n<meta charset="utf-8">\n<title>{title}</title>\n<h1>{title}</h1>\n<ul>\n{lines}</ul>\n'
    ).encode()
    return Answer(200, ["Content-Type: text/html; charset=utf-8"], page, len(page))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a loop of links
        return False


def _href(name: str) -> str:
    # "./" is necessary because of colons: "a:b" would be a URL with the scheme "a".
    return html.escape("./" + urllib.parse.quote(os.fsencode(name)))


def _text(name: str) -> str:
    return html.escape(os.fsencode(name).decode("utf-8", "backslashreplace"))


def _error_page(refusal: Refusal) -> Answer:
    body = f"{refusal.status} {refusal}\n".encode()
    return Answer(refusal.status, [*refusal.headers, "Content-Type: text/plain"], body, len(body))


def _send(tls: Stream, answer: Answer, *, is_head: bool, keeps_alive: bool) -> None:
    headers = [
        f"HTTP/1.1 {answer.status} {_REASONS[answer.status]}",
        f"Date: {email.utils.formatdate(usegmt=True)}",
        f"Content-Length: {answer.size}",
        "X-Content-Type-Options: nosniff",
        f"Connection: {'keep-alive' if keeps_alive else 'close'}",
        *answer.headers,
    ]
    head = "".join(f"{line}\r\n" for line in [*headers, ""]).encode("latin-1")
    if isinstance(answer.body, bytes):
        tls.sendall(head if is_head else head + answer.body)
        return
    with answer.body as file:
        tls.sendall(head)
        left = 0 if is_head else answer.size
        while left and (data := file.read(min(_CHUNK, left))):  # if the file grows, only the announced size is sent
            tls.sendall(data)
            left -= len(data)
        if left:
            raise OSError("the file became shorter while it was sent")


def _printable(target: str) -> str:
    return target if target.isprintable() and target.isascii() else ascii(target)
