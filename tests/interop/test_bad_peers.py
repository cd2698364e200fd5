"""Real peers that misbehave: they die, close without close_notify, or do not speak TLS."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from interop import http_requests as http
from interop.authorities import Authority, Identity
from interop.bodies import Body
from interop.programs import DEADLINE, Program, program
from interop.pyossl_server import Answered, Serve, answering
from interop.server_peers import ServerPeer, Service, s_version

import pyossl


def send_all_of(body: Body, tls: pyossl.Socket) -> None:
    for block in body.blocks():
        tls.sendall(block)


def test_a_server_that_dies_while_it_sends_is_no_end_of_data(
    server_peer: ServerPeer,
    version: pyossl.Version,
    identity: Identity,
    trustme_authority: Authority,
    folder: Path,
    large_body: Body,
) -> None:
    """docs/pitfalls.md, 3, 6: a transport that ends without close_notify is an error, however the kernel reports it."""
    context = pyossl.Context.client(trust=trustme_authority.trust)
    with (
        server_peer.serving(Service(identity, folder, version=version, file=large_body.path.name)) as running,
        pyossl.connect(running.address, context, timeout=20) as tls,
    ):
        tls.sendall(http.get(large_body.path.name))
        _, start = http.receive_head(tls)
        running.program.kill()
        with pytest.raises((pyossl.TruncationError, ConnectionResetError)) as caught:
            http.receive_digest(tls, start, large_body.size)
        assert isinstance(caught.value, pyossl.Error)
        assert "'127.0.0.1'" in str(caught.value)
        for _ in range(2):  # docs/pitfalls.md, 2: later calls raise the same error
            with pytest.raises(type(caught.value)):
                tls.recv(1)


def test_a_server_that_dies_while_it_is_sent_to_is_an_error(
    receiving_peer: ServerPeer, identity: Identity, trustme_authority: Authority, folder: Path, large_body: Body
) -> None:
    """docs/pitfalls.md, 22: no SIGPIPE either."""
    context = pyossl.Context.client(trust=trustme_authority.trust)
    with (
        receiving_peer.serving(Service(identity, folder, sink=True)) as running,
        pyossl.connect(running.address, context, timeout=20) as tls,
    ):
        tls.sendall(http.put("upload", large_body.size))
        running.program.kill()
        with pytest.raises((pyossl.TruncationError, ConnectionResetError, BrokenPipeError)) as caught:
            send_all_of(large_body, tls)
        assert isinstance(caught.value, pyossl.Error)


def test_a_client_that_dies_while_it_sends_is_no_end_of_data(identity: Identity, version: pyossl.Version) -> None:
    heard = threading.Event()

    def handle(tls: pyossl.Socket) -> Answered:
        tls.handshake()
        assert tls.recv(100) == b"the first of it"
        heard.set()
        raise AssertionError(f"the client is dead, and recv returned {tls.recv(100)!r}")

    with answering(handle, pyossl.Context.server(*identity)) as server:
        host, port = server.address
        command = [program("openssl"), "s_client", "-connect", f"{host}:{port}", s_version(version), "-quiet"]
        with Program(*command, feed=[b"the first of it"]) as client:
            assert heard.wait(DEADLINE)
            client.kill()
        with pytest.raises((pyossl.TruncationError, ConnectionResetError)):
            server.outcome()


def test_http_on_the_tls_port_is_named(identity: Identity, serve: Serve) -> None:
    with serve(pyossl.Context.server(*identity)) as server:
        host, port = server.address
        with Program(program("curl"), "--disable", "--silent", f"http://{host}:{port}/") as client:
            assert client.finish().status != 0
        with pytest.raises(pyossl.Error, match="does not seem to speak TLS"):
            server.outcome()
