"""The parts of ``ssl.SSLContext`` that clients of Python's standard library use, implemented with pyossl."""

from __future__ import annotations

import socket
import ssl
from typing import Any

import pyossl


class StandardContext:
    """The part of ``ssl.SSLContext`` that ``http.client``, ``smtplib``, ``imaplib``, ``poplib`` and ``ftplib`` use."""

    verify_mode = ssl.CERT_REQUIRED
    check_hostname = True
    post_handshake_auth = None
    protocol = ssl.PROTOCOL_TLS_CLIENT

    def __init__(self, context: pyossl.Context) -> None:
        self.context = context

    def wrap_socket(self, sock: socket.socket, server_hostname: str | None = None, **_: Any) -> pyossl.Socket:
        return self.context.wrap_socket(sock, server_hostname)


class ResumingContext(StandardContext):
    """Offers the session of the first connection in all later ones, as FTP servers require of data connections."""

    def __init__(self, context: pyossl.Context) -> None:
        super().__init__(context)
        self.connections: list[pyossl.Socket] = []

    def wrap_socket(self, sock: socket.socket, server_hostname: str | None = None, **_: Any) -> pyossl.Socket:
        session = self.connections[0].connection.session if self.connections else None
        self.connections.append(self.context.wrap_socket(sock, server_hostname, session=session))
        return self.connections[-1]
