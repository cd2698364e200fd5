"""pyossl as the server: a listener in a thread, and the result of each of its connections."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from interop import http_requests as http
from interop.programs import DEADLINE

import pyossl


class Answered(NamedTuple):
    """What the server knew about a connection on which it has answered."""

    version: str | None
    cipher: str | None
    alpn: str | None
    server_name: str | None
    reused: bool
    client: pyossl.Certificate | None
    request: http.Request


Handler = Callable[[pyossl.Socket], Answered]


class Answering:
    """A server that accepts one connection after the other and calls ``handler`` with each."""

    def __init__(self, handler: Handler, context: pyossl.Context, host: str) -> None:
        self._listener = pyossl.listen((host, 0), context)
        self._handler = handler
        self._outcomes: queue.Queue[Answered | Exception] = queue.Queue()
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    @property
    def address(self) -> tuple[str, int]:
        host, port, *_ = self._listener.address
        return host, port

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the listener has been closed: the test is over
            for tls, _ in self._listener:
                with tls:
                    tls.settimeout(DEADLINE)
                    try:
                        self._outcomes.put(self._handler(tls))
                    except Exception as error:  # the test decides whether it is right
                        self._outcomes.put(error)

    def outcome(self) -> Answered:
        """The result of the next connection; raises the exception that the server's side raised."""
        outcome = self._outcomes.get(timeout=DEADLINE)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def close(self) -> None:
        self._listener.close()
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive(), "the server's thread did not end"


def answer_from(folder: Path) -> Handler:
    """A handler that answers one request with a file of the folder, or with the digest of the body that was sent."""

    def handle(tls: pyossl.Socket) -> Answered:
        tls.handshake()
        connection = tls.connection
        request = http.answer(tls, folder)
        return Answered(
            tls.version,
            tls.cipher,
            tls.alpn,
            connection.server_hostname,
            connection.session_reused,
            connection.peer_certificate,
            request,
        )

    return handle


Serve = Callable[..., contextlib.AbstractContextManager[Answering]]
"""The type of the fixture ``serve``: ``serve(context)``, or ``serve(context, host)``."""


@contextlib.contextmanager
def answering(handler: Handler, context: pyossl.Context, host: str = "127.0.0.1") -> Iterator[Answering]:
    server = Answering(handler, context, host)
    try:
        yield server
    finally:
        server.close()
