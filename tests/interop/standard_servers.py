"""Servers of Python's standard library over pyossl's sockets, and clients that misbehave."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import os
import re
import socket
import socketserver
import struct
import threading
import weakref
import xmlrpc.client
import xmlrpc.server
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from interop.standard_contexts import StandardContext

import pyossl

HOST = "127.0.0.1"
SECONDS = 20

# Ways in which a server gets its TLS sockets.


class WithListener:
    """The listening socket is a ``Listener``; the handshake is done by the handler's first read."""

    context: pyossl.Context
    socket: Any

    def server_bind(self) -> None:
        self.socket = pyossl.Listener(self.socket, self.context)
        super().server_bind()  # type: ignore[misc]  # of the server's class, which comes next


class EagerInGetRequest:
    """Each accepted socket is wrapped in ``get_request``, with its handshake."""

    context: pyossl.Context
    handshake = True

    def get_request(self) -> tuple[pyossl.Socket, Any]:
        sock, address = super().get_request()  # type: ignore[misc]  # as above
        sock.settimeout(SECONDS)
        return self.context.wrap_socket(sock, handshake=self.handshake), address


class LazyInGetRequest(EagerInGetRequest):
    """Each accepted socket is wrapped in ``get_request``; the handler's first read does the handshake."""

    handshake = False


class InFinishRequest:
    """Each accepted socket is wrapped in the thread or process that handles it."""

    context: pyossl.Context

    def finish_request(self, request: Any, address: Any) -> None:
        request.settimeout(SECONDS)
        with self.context.wrap_socket(request) as tls:
            super().finish_request(tls, address)  # type: ignore[misc]  # as above


WAYS = (WithListener, EagerInGetRequest, LazyInGetRequest, InFinishRequest)

# Handlers


class EchoHandler(socketserver.StreamRequestHandler):
    """Sends lines back."""

    timeout = SECONDS

    def handle(self) -> None:
        for line in self.rfile:
            self.wfile.write(line)
            self.wfile.flush()


class BufferedEchoHandler(EchoHandler):
    wbufsize = -1


class PageHandler(http.server.BaseHTTPRequestHandler):
    """Answers GET with the path, and POST with the body that was sent."""

    protocol_version = "HTTP/1.1"
    timeout = SECONDS

    def do_GET(self) -> None:
        self._answer(self.path.encode())

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["Content-Length"] or 0)))

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


class QuietWSGIHandler(WSGIRequestHandler):
    timeout = SECONDS

    def log_message(self, *_: Any) -> None:
        pass


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["PATH_INFO"].encode()]


class XMLRPCHandler(xmlrpc.server.SimpleXMLRPCRequestHandler):
    timeout = SECONDS


def _wsgi(kind: Any) -> Any:
    server = kind((HOST, 0), QuietWSGIHandler)
    server.set_app(application)
    return server


def _xmlrpc(kind: Any) -> Any:
    server = kind((HOST, 0), XMLRPCHandler, logRequests=False)
    server.register_function(lambda a, b: a + b, "add")
    return server


# A well-behaved client for each


def echoes(port: int, context: pyossl.Context) -> None:
    with (
        pyossl.connect((HOST, port), context, server_hostname="localhost", timeout=SECONDS) as tls,
        tls.makefile("rwb") as file,
    ):
        file.write(b"good\n")
        file.flush()
        assert file.readline() == b"good\n"
        tls.shutdown(socket.SHUT_WR)
        assert tls.recv(1) == b""


def fetches(port: int, context: pyossl.Context) -> None:
    client = http.client.HTTPSConnection("localhost", port, timeout=SECONDS, context=StandardContext(context))
    with contextlib.closing(client):
        client.request("GET", "/good")
        assert client.getresponse().read() == b"/good"


def calls(port: int, context: pyossl.Context) -> None:
    with xmlrpc.client.ServerProxy(f"https://localhost:{port}", context=StandardContext(context)) as proxy:
        assert proxy.add(2, 3) == 5


class Kind(NamedTuple):
    """A server: its class, the function that makes one, a well-behaved client, whether a child handles requests."""

    base: type
    make: Callable[[Any], Any]
    good: Callable[[int, pyossl.Context], None]
    forks: bool = False


class _Forking(socketserver.ForkingTCPServer):
    block_on_close = True


KINDS = {
    "TCPServer": Kind(socketserver.TCPServer, lambda kind: kind((HOST, 0), EchoHandler), echoes),
    "ThreadingTCPServer": Kind(
        socketserver.ThreadingTCPServer, lambda kind: kind((HOST, 0), BufferedEchoHandler), echoes
    ),
    "ForkingTCPServer": Kind(_Forking, lambda kind: kind((HOST, 0), EchoHandler), echoes, forks=True),
    "HTTPServer": Kind(http.server.HTTPServer, lambda kind: kind((HOST, 0), PageHandler), fetches),
    "ThreadingHTTPServer": Kind(http.server.ThreadingHTTPServer, lambda kind: kind((HOST, 0), PageHandler), fetches),
    "WSGIServer": Kind(WSGIServer, _wsgi, fetches),
    "SimpleXMLRPCServer": Kind(xmlrpc.server.SimpleXMLRPCServer, _xmlrpc, calls),
}


class Serving:
    """A server whose ``serve_forever`` runs in a thread."""

    def __init__(self, kind: Kind, way: type, context: pyossl.Context, **overrides: Any) -> None:
        self.kind = kind
        self.handled: list[Any] = []
        """The requests that the server has shut down."""
        handled = self.handled

        class Noting:
            def close_request(self, request: Any) -> None:
                super().close_request(request)  # type: ignore[misc]  # of the server's class
                handled.append(request)

        self.server = kind.make(type("Server", (Noting, way, kind.base), {"context": context, **overrides}))
        self.port: int = self.server.server_address[1]
        self.ended: list[BaseException] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        try:
            self.server.serve_forever(poll_interval=0.02)
        except BaseException as error:
            self.ended.append(error)

    def serves(self, context: pyossl.Context) -> None:
        """A well-behaved client is served, and ``serve_forever`` still runs."""
        self.kind.good(self.port, context)
        assert self.ended == []
        assert self._thread.is_alive()

    def close(self) -> None:
        if self._thread.is_alive():
            self.server.shutdown()
        self._thread.join(SECONDS)
        self.server.server_close()  # waits for the handlers' threads and processes
        assert self.ended == []


@contextlib.contextmanager
def serving(kind: Kind, way: type, context: pyossl.Context, **overrides: Any) -> Iterator[Serving]:
    running = Serving(kind, way, context, **overrides)
    try:
        yield running
    finally:
        running.close()


REPORT = re.compile(
    r"-{40}\nException occurred during processing of request from .*?\n((?:.*\n)*?)(\S.*)\n-{40}\n", re.MULTILINE
)
"""The report that ``socketserver`` prints about a failed request; the second group is the line of the exception."""

# Clients that misbehave.


def reset(sock: socket.socket) -> None:
    """Closes in such a way that the other end gets a reset.  socket(7), SO_LINGER"""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def read_all(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while sock.recv(65536):
            pass


_clients = weakref.WeakSet[socket.socket]()


def _close_clients() -> None:
    for sock in list(_clients):
        sock.close()


# A child of a forking server has the client's socket too: it would stay open after the client has closed it.
os.register_at_fork(after_in_child=_close_clients)


class Hostile:
    """A client that misbehaves; ``request`` is what a well-behaved client would send."""

    def __init__(self, port: int, context: pyossl.Context, request: bytes) -> None:
        self.context, self.request = context, request
        self.sock = socket.socket()
        _clients.add(self.sock)
        self.sock.settimeout(SECONDS)
        self.sock.connect((HOST, port))

    def hello(self) -> bytes:
        client = pyossl.Connection(self.context, "localhost")
        client.handshake()
        return client.data_to_send()

    def tls(self, context: pyossl.Context | None = None) -> pyossl.Connection:
        """Does a handshake and returns the connection; the test misuses the socket then."""
        tls = pyossl.Connection(context or self.context, "localhost")
        try:
            while tls.handshake() is not None:
                self.sock.sendall(tls.data_to_send())
                tls.receive_data(self.sock.recv(65536))
        finally:
            self.sock.sendall(tls.data_to_send())
        return tls

    def requested(self, request: bytes) -> pyossl.Connection:
        tls = self.tls()
        self.sock.sendall(tls.encrypt(request))
        return tls


def scans(it: Hostile) -> None:
    pass


def resets_at_once(it: Hostile) -> None:
    reset(it.sock)


def speaks_http(it: Hostile) -> None:
    it.sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    read_all(it.sock)


def sends_garbage(it: Hostile) -> None:
    it.sock.sendall(bytes(range(256)) * 8)


def closes_in_its_hello(it: Hostile) -> None:
    it.sock.sendall(it.hello()[:100])


def resets_in_its_hello(it: Hostile) -> None:
    it.sock.sendall(it.hello()[:100])
    reset(it.sock)


def closes_after_its_hello(it: Hostile) -> None:
    it.sock.sendall(it.hello())


def resets_after_its_hello(it: Hostile) -> None:
    it.sock.sendall(it.hello())
    reset(it.sock)


def half_closes_after_its_hello(it: Hostile) -> None:
    it.sock.sendall(it.hello())
    it.sock.shutdown(socket.SHUT_WR)
    read_all(it.sock)


def says_close_notify_for_a_hello(it: Hostile) -> None:
    it.sock.sendall(bytes.fromhex("15 0303 0002 01 00"))


def refuses_the_certificate(it: Hostile) -> None:
    with contextlib.suppress(pyossl.CertificateError):
        it.tls(pyossl.Context.client(trust=pyossl.Authority().certificate))
    read_all(it.sock)


def says_nothing_more(it: Hostile) -> None:
    it.tls()


def half_closes_without_a_request(it: Hostile) -> None:
    it.tls()
    it.sock.shutdown(socket.SHUT_WR)
    read_all(it.sock)


def closes_in_its_request(it: Hostile) -> None:
    it.requested(it.request[: len(it.request) // 2])


def says_close_notify_in_its_request(it: Hostile) -> None:
    tls = it.requested(it.request[: len(it.request) // 2])
    tls.shutdown()
    it.sock.sendall(tls.data_to_send())
    read_all(it.sock)


def half_closes_after_its_request(it: Hostile) -> None:
    it.requested(it.request)
    it.sock.shutdown(socket.SHUT_WR)
    read_all(it.sock)


def closes_after_its_request(it: Hostile) -> None:
    it.requested(it.request)


def resets_after_its_request(it: Hostile) -> None:
    it.requested(it.request)
    reset(it.sock)


def goes_on_in_the_clear(it: Hostile) -> None:
    it.requested(it.request[: len(it.request) // 2])
    it.sock.sendall(it.request)
    read_all(it.sock)


def breaks_a_record(it: Hostile) -> None:
    tls = it.tls()
    record = bytearray(tls.encrypt(it.request))
    record[-1] ^= 1
    it.sock.sendall(record)
    read_all(it.sock)


HOSTILE: tuple[Callable[[Hostile], None], ...] = (
    scans,
    resets_at_once,
    speaks_http,
    sends_garbage,
    closes_in_its_hello,
    resets_in_its_hello,
    closes_after_its_hello,
    resets_after_its_hello,
    half_closes_after_its_hello,
    says_close_notify_for_a_hello,
    refuses_the_certificate,
    says_nothing_more,
    half_closes_without_a_request,
    closes_in_its_request,
    says_close_notify_in_its_request,
    half_closes_after_its_request,
    closes_after_its_request,
    resets_after_its_request,
    goes_on_in_the_clear,
    breaks_a_record,
)

REQUEST = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\nContent-Type: text/xml\r\n\r\n<nothing/>"


def misbehave(hostile: Callable[[Hostile], None], port: int, context: pyossl.Context) -> None:
    it = Hostile(port, context, REQUEST)
    with it.sock:
        hostile(it)
