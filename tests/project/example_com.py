"""The server that the programs of the documents find at example.com:443."""

from __future__ import annotations

import contextlib
import threading

import pyossl


class Answering:
    """The server that the documents call example.com: it answers each request with a short page."""

    def __init__(self) -> None:
        authority = pyossl.Authority("the public's CA")
        own = authority.issue("example.com")
        self.trust = authority.certificate.to_pem()
        context = pyossl.Context.server((own.certificate, *own.chain), own.private_key)
        self.listener = pyossl.listen(("127.0.0.1", 0), context)
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self) -> None:
        with contextlib.suppress(OSError):  # the listener has been closed
            for tls, _ in self.listener:
                threading.Thread(target=self.answer, args=[tls]).start()

    def answer(self, tls: pyossl.Socket) -> None:
        tls.settimeout(30)
        with contextlib.suppress(pyossl.Error, OSError), tls:
            request = b""
            while b"\r\n\r\n" not in request and (data := tls.recv(4096)):
                request += data
            if request:
                tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n")

    def close(self) -> None:
        self.listener.close()
        self.thread.join(30)
