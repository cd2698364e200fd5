"""TLS over the loopback in a program of the tests: it is imported by that program, and imports no ``ssl`` by itself.

The current directory of the program contains ``chain.pem``, ``key.pem`` and ``ca.pem``.
"""

from __future__ import annotations

import importlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

SECONDS = 30


def loaded_ssl() -> Any:
    """The module ``ssl``, which is not imported before."""
    return importlib.import_module("ssl")


def is_over_pyossl(thing: Any) -> bool:
    """Whether a context or a connection of ``ssl`` is over pyossl."""
    from pyossl.core import methods_in_c

    try:
        methods_in_c.state_of(getattr(thing, "_sslobj", thing))
    except TypeError:
        return False
    return True


def refusal(change: Callable[[], Any]) -> str:
    """The message with which ``install()`` or ``uninstall()`` refuses."""
    from pyossl.stdlib import InstallError

    try:
        change()
    except InstallError as error:
        return str(error)
    raise AssertionError("it has not refused")


def client_context(kind: Any = None) -> Any:
    context = (kind or loaded_ssl().SSLContext)(loaded_ssl().PROTOCOL_TLS_CLIENT)
    context.load_verify_locations("ca.pem")
    return context


def server_context(kind: Any = None) -> Any:
    context = (kind or loaded_ssl().SSLContext)(loaded_ssl().PROTOCOL_TLS_SERVER)
    context.load_cert_chain("chain.pem", "key.pem")
    return context


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        first = socket.create_connection(listener.getsockname(), SECONDS)
        second, _ = listener.accept()
        second.settimeout(SECONDS)
        return first, second


def in_thread(work: Callable[[], Any]) -> Callable[[], Any]:
    """Starts the work; the function that is returned waits for its result, and raises its exception."""
    done: list[Any] = []

    def run() -> None:
        try:
            done.append((work(), None))
        except BaseException as error:
            done.append((None, error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def result() -> Any:
        thread.join(SECONDS)
        assert done, f"{work} is still at work after {SECONDS} s"
        value, error = done[0]
        if error is not None:
            raise error
        return value

    return result


def connected(client: Any = None, server: Any = None) -> tuple[Any, Any]:
    """Two connections, after their handshake."""
    client, server = client or client_context(), server or server_context()
    first, second = tcp_pair()
    accepted = in_thread(lambda: server.wrap_socket(second, server_side=True))
    tls = client.wrap_socket(first, server_hostname="localhost")
    return tls, accepted()


def talk(pair: tuple[Any, Any]) -> None:
    """Bytes go both ways."""
    first, second = pair
    for one, other in ((first, second), (second, first)):
        one.sendall(b"x" * 100)
        received = b""
        while len(received) < 100:
            received += other.recv(100)
        assert received == b"x" * 100


def exchange(client: Any = None, server: Any = None) -> None:
    """A handshake, and bytes both ways."""
    first, second = connected(client, server)
    with first, second:
        talk((first, second))


def memory_pair(client: Any, server: Any, to_server: Any, to_client: Any) -> tuple[Any, Any]:
    """Two connections between these ``MemoryBIO``s, after their handshake."""
    first = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    second = server.wrap_bio(to_server, to_client, server_side=True)

    def shake_hands(one: Any) -> bool:
        try:
            one.do_handshake()
        except loaded_ssl().SSLWantReadError:
            return False
        return True

    done = [False, False]
    for _ in range(20):
        done = [finished or shake_hands(one) for finished, one in zip(done, (first, second), strict=True)]
    assert done == [True, True]
    return first, second


def in_memory(client: Any, server: Any, kind: Any = None) -> None:
    """A handshake and bytes both ways between two connections in memory, with these ``MemoryBIO`` or ``ssl``'s."""
    kind = kind or loaded_ssl().MemoryBIO
    first, second = memory_pair(client, server, kind(), kind())
    first.write(b"ping")
    assert second.read(100) == b"ping"
    second.write(b"pong")
    assert first.read(100) == b"pong"


@contextmanager
def https_server(context: Any = None) -> Iterator[str]:
    """An HTTPS server in a thread, which answers each request with ``hello``; yields its address."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"hello")

        def log_message(self, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.socket = (context or server_context()).wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"https://localhost:{server.server_address[1]}/"
        finally:
            server.shutdown()
            thread.join(SECONDS)
