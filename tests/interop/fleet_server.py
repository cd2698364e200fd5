"""One process of a fleet of servers, which share a listening socket: the program of test_fleet.py.

For each line on standard input it accepts one connection, answers a request, and prints whether its session was
resumed.
"""

from __future__ import annotations

import contextlib
import socket
import sys
from pathlib import Path

from interop import http_requests as http

import pyossl


class FileCache:
    """An external cache: one file for each session, encrypted."""

    def __init__(self, folder: Path, keys: pyossl.TicketKeys) -> None:
        self._folder = folder
        self._keys = keys

    def new(self, connection: pyossl.Connection, session: pyossl.Session) -> None:
        (self._folder / session.id.hex()).write_bytes(self._keys.encrypt(session.to_der(), session.id))

    def get(self, connection: pyossl.Connection, session_id: bytes) -> pyossl.Session | None:
        with contextlib.suppress(OSError):
            der = self._keys.decrypt((self._folder / session_id.hex()).read_bytes(), session_id)
            return None if der is None else pyossl.Session.load(der, connection.context)
        return None


def serve(descriptor: int, kind: str, certificate: str, private_key: str, key: Path, folder: Path, cache: Path) -> None:
    context = pyossl.Context.server(certificate, private_key)
    keys = pyossl.TicketKeys([key.read_bytes()])
    if kind == "tickets":
        context.rotating_ticket_keys = keys
    else:
        outside = FileCache(cache, keys)
        context.options |= pyossl.Options.NO_TICKET
        context.new_session_callback, context.get_session_callback = outside.new, outside.get
    listener = pyossl.Listener(socket.socket(fileno=descriptor), context)
    for _ in sys.stdin:
        tls, _ = listener.accept()
        with tls:
            tls.settimeout(60)
            tls.handshake()
            is_reused = tls.connection.session_reused
            with contextlib.suppress(http.ClosedEarlyError):
                http.answer(tls, folder)
        print("resumed" if is_reused else "in full", flush=True)


if __name__ == "__main__":
    given = sys.argv[1:]
    serve(int(given[0]), given[1], given[2], given[3], *map(Path, given[4:]))
