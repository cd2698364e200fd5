"""Callbacks that answer later, in handshakes with programs that do not use pyossl."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from interop import http_requests as http
from interop.authorities import Authority, Identity
from interop.bodies import GREETING
from interop.client_peers import ClientPeer, Visit
from interop.pyossl_server import Serve
from interop.server_peers import ServerPeer, Service

import pyossl
from pyossl import Connection, Context, Credentials, Version, Want, lib


def later(want: Want, answer: Callable[..., Any]) -> Callable[..., Any]:
    """A callback that has no answer the first time that it is asked for a connection."""
    asked: set[int] = set()

    def ask(connection: Connection, what: Any) -> Any:
        if id(connection) not in asked:
            asked.add(id(connection))
            return want
        asked.discard(id(connection))
        return answer(connection, what)

    return ask


def credentials_of(identity: Identity) -> Credentials:
    certificate, *chain = pyossl.load_certificates(identity.certificate)
    return Credentials(certificate, pyossl.PrivateKey.load(identity.private_key), tuple(chain))


@pytest.mark.feature("callbacks that answer later, with a Want")
def test_a_client_program_waits_for_the_server_to_choose(
    client_peer: ClientPeer, version: Version, identity: Identity, trustme_authority: Authority, serve: Serve
) -> None:
    own, chosen = credentials_of(identity), Context(is_server=True)
    chosen.certificate_callback = later(Want.X509_LOOKUP, lambda connection, demand: own)
    context = Context(is_server=True)
    context.client_hello_callback = later(
        Want.CLIENT_HELLO, lambda connection, hello: chosen if hello.server_name == "localhost" else None
    )
    with serve(context) as server:
        finished = client_peer.visit(Visit(server.address, trustme_authority.trust, version=version))
        assert server.outcome().server_name == "localhost"
    assert finished.status == 0, finished
    assert finished.output == GREETING


@pytest.mark.feature("callbacks that answer later, with a Want")
def test_a_server_program_waits_for_the_client_to_verify_and_to_choose(
    server_peer: ServerPeer,
    version: Version,
    identity: Identity,
    folder: Path,
    pyossl_authority: Authority,
    trustme_authority: Authority,
) -> None:
    own = credentials_of(pyossl_authority.issue("client"))
    context = Context.client(trust=trustme_authority.trust)
    context.certificate_callback = later(Want.X509_LOOKUP, lambda connection, demand: own)
    if lib.HAVE_RETRY_VERIFY:
        context.chain_callback = later(Want.RETRY_VERIFY, lambda connection, chain: len(chain) > 1)
    service = Service(identity, folder, version=version, clients=pyossl_authority.trust)
    with (
        server_peer.serving(service) as running,
        pyossl.connect(running.address, context, server_hostname="localhost", timeout=60) as tls,
    ):
        tls.sendall(http.get("greeting"))
        _, body = http.receive_head(tls)
        while len(body) < len(GREETING):
            body += tls.recv(100)
        assert body == GREETING
