"""100 MB in both directions, to and from each peer, compared by hash."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from interop import http_requests as http
from interop.authorities import Authority, Identity
from interop.bodies import Body
from interop.client_peers import ClientPeer, Visit
from interop.pyossl_server import Serve
from interop.server_peers import ServerPeer, Service

import pyossl


def test_a_large_body_is_fetched_from_a_server(
    server_peer: ServerPeer, identity: Identity, trustme_authority: Authority, folder: Path, large_body: Body
) -> None:
    context = pyossl.Context.client(trust=trustme_authority.trust)
    with (
        server_peer.serving(Service(identity, folder, file=large_body.path.name)) as running,
        pyossl.connect(running.address, context, timeout=60) as tls,
    ):
        tls.sendall(http.get(large_body.path.name))
        _, start = http.receive_head(tls)
        assert http.receive_digest(tls, start, large_body.size) == large_body.digest


@pytest.mark.feature("Python's ssl")
def test_a_large_body_is_sent_to_a_server(
    receiving_peer: ServerPeer, identity: Identity, trustme_authority: Authority, folder: Path, large_body: Body
) -> None:
    context = pyossl.Context.client(trust=trustme_authority.trust)
    with (
        receiving_peer.serving(Service(identity, folder, sink=True)) as running,
        pyossl.connect(running.address, context, timeout=60) as tls,
    ):
        assert running.upload(tls, large_body) == large_body.digest


@pytest.mark.feature("curl")
def test_a_large_body_is_fetched_by_a_client(
    printing_peer: ClientPeer, identity: Identity, trustme_authority: Authority, large_body: Body, serve: Serve
) -> None:
    with serve(pyossl.Context.server(*identity)) as server:
        visited = printing_peer.visit(Visit(server.address, trustme_authority.trust, path=large_body.path.name))
        assert visited.status == 0, visited.complaints
        assert len(visited.output) == large_body.size
        assert hashlib.sha256(visited.output).hexdigest() == large_body.digest
        server.outcome()


def test_a_large_body_is_sent_by_a_client(
    client_peer: ClientPeer, identity: Identity, trustme_authority: Authority, large_body: Body, serve: Serve
) -> None:
    with serve(pyossl.Context.server(*identity)) as server:
        visited = client_peer.visit(Visit(server.address, trustme_authority.trust, path="upload", upload=large_body))
        assert visited.status == 0, visited.complaints
        assert visited.output.decode() == large_body.digest
        assert server.outcome().request == http.Request("PUT", "/upload", large_body.digest)
