"""Servers and clients of Python's standard library over pyossl's sockets, with peers that misbehave."""

from __future__ import annotations

import socket
import socketserver
from typing import Any

import pytest
from interop.authorities import Authority, Identity
from interop.standard_servers import (
    HOSTILE,
    KINDS,
    REPORT,
    WAYS,
    EagerInGetRequest,
    EchoHandler,
    Hostile,
    Kind,
    LazyInGetRequest,
    WithListener,
    misbehave,
    read_all,
    serving,
)
from served import SECONDS, Task, until

import pyossl


@pytest.fixture(scope="module")
def server_context(identity: Identity) -> pyossl.Context:
    return pyossl.Context.server(identity.certificate, identity.private_key)


@pytest.fixture(scope="module")
def client_context(trustme_authority: Authority) -> pyossl.Context:
    return pyossl.Context.client(trust=trustme_authority.trust)


SERVERS = [
    pytest.param(kind, way, id=f"{name}, {way.__name__}")
    for name, kind in KINDS.items()
    for way in WAYS
    if not kind.forks or way is not EagerInGetRequest  # it has the keys of the parent process
]


# Servers


@pytest.mark.parametrize("way", [WithListener, LazyInGetRequest])
def test_a_server_that_refuses_a_client_before_its_handshake_serves_on(
    way: type, server_context: pyossl.Context, client_context: pyossl.Context
) -> None:
    """``verify_request``: the socket is shut down before its handshake has started."""
    refused: list[Any] = []

    def verify_request(self: Any, request: Any, address: Any) -> bool:
        if not refused:
            refused.append(address)
            return False
        return True

    with serving(KINDS["TCPServer"], way, server_context, verify_request=verify_request) as running:
        with pytest.raises((pyossl.TruncationError, ConnectionResetError, BrokenPipeError)):
            pyossl.connect(("127.0.0.1", running.port), client_context, server_hostname="localhost", timeout=20)
        running.serves(client_context)
        assert len(refused) == 1


@pytest.mark.parametrize("sent", [0, 100, None], ids=["nothing", "half a hello", "a whole handshake"])
@pytest.mark.parametrize("way", [WithListener, LazyInGetRequest])
@pytest.mark.parametrize("name", ["HTTPServer", "TCPServer", "ThreadingTCPServer"])
def test_a_server_serves_on_after_a_client_that_stalls(
    name: str,
    way: type,
    sent: int | None,
    server_context: pyossl.Context,
    client_context: pyossl.Context,
    capfd: pytest.CaptureFixture[str],
) -> None:
    limits = iter([0.1])  # for the client that stalls, which comes first

    def finish_request(self: Any, request: Any, address: Any) -> None:
        request.settimeout(next(limits, SECONDS))
        self.RequestHandlerClass.timeout, before = None, self.RequestHandlerClass.timeout
        try:
            self.RequestHandlerClass(request, address, self)
        finally:
            self.RequestHandlerClass.timeout = before

    with serving(KINDS[name], way, server_context, finish_request=finish_request) as running:
        stalls = Hostile(running.port, client_context, b"")
        with stalls.sock:
            if sent is None:
                stalls.tls()
            else:
                stalls.sock.sendall(stalls.hello()[:sent])
            read_all(stalls.sock)
        running.serves(client_context)
    for report in REPORT.finditer(capfd.readouterr().err):
        assert report[2].startswith("TimeoutError"), report[0]


@pytest.mark.parametrize("way", [WithListener, LazyInGetRequest, EagerInGetRequest])
def test_a_server_serves_on_after_a_client_that_takes_nothing(
    way: type, server_context: pyossl.Context, client_context: pyossl.Context, capfd: pytest.CaptureFixture[str]
) -> None:
    """The handler's write times out, and the socket is shut down after a part of a record was sent."""

    class Handler(socketserver.StreamRequestHandler):
        timeout = 0.2

        def handle(self) -> None:
            self.rfile.readline()
            self.wfile.write(bytes(50_000_000))

    with serving(KINDS["TCPServer"], way, server_context) as running:
        running.server.RequestHandlerClass = Handler
        stalls = Hostile(running.port, client_context, b"")
        with stalls.sock:
            stalls.requested(b"give me all\n")
            until(lambda: running.handled)
        running.server.RequestHandlerClass = EchoHandler
        running.serves(client_context)
    reports = REPORT.findall(capfd.readouterr().err)
    assert [last.partition(":")[0] for _, last in reports] == ["TimeoutError"]


@pytest.mark.parametrize("end", ["close", "unwrap"])
def test_a_server_serves_on_after_a_handler_that_ends_its_connection_itself(
    end: str, server_context: pyossl.Context, client_context: pyossl.Context, capfd: pytest.CaptureFixture[str]
) -> None:
    """``shutdown_request`` shuts down a socket that is closed already."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            assert self.rfile.readline() == b"bye\n"
            if end == "close":
                self.request.close()
            else:
                self.request.unwrap().close()

    with serving(KINDS["TCPServer"], WithListener, server_context) as running:
        running.server.RequestHandlerClass = Handler
        with pyossl.connect(("127.0.0.1", running.port), client_context, server_hostname="localhost") as tls:
            tls.sendall(b"bye\n")
            tls.shutdown(socket.SHUT_WR)
            assert tls.recv(1) == b""
        running.server.RequestHandlerClass = EchoHandler
        running.serves(client_context)
    assert capfd.readouterr().err == ""


def test_handle_request_uses_the_listeners_timeout(
    server_context: pyossl.Context, client_context: pyossl.Context
) -> None:
    """A program may use its own loop in place of ``serve_forever``."""
    kind = KINDS["TCPServer"]
    with kind.make(type("Server", (WithListener, kind.base), {"context": server_context})) as server:
        server.socket.settimeout(0.01)
        server.handle_request()
        server.socket.settimeout(20)
        client = Task(lambda: kind.good(server.server_address[1], client_context))
        server.handle_request()
        client.result()


@pytest.mark.parametrize(("kind", "way"), SERVERS)
def test_a_server_survives_each_client_that_misbehaves(
    kind: Kind,
    way: type,
    server_context: pyossl.Context,
    client_context: pyossl.Context,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """``serve_forever`` goes on, and prints nothing but ``socketserver``'s reports of requests that failed."""
    with serving(kind, way, server_context) as running:
        running.serves(client_context)
        for hostile in HOSTILE:
            misbehave(hostile, running.port, client_context)
            running.serves(client_context)
    printed = capfd.readouterr().err
    assert "UsageError" not in printed
    if kind.forks or issubclass(kind.base, socketserver.ThreadingMixIn):  # they print at once, and their lines may mix
        return
    assert REPORT.sub("", printed) == ""
    for report in REPORT.finditer(printed):
        assert report[2].startswith(("pyossl.errors.", "ConnectionResetError", "BrokenPipeError")), report[0]
