"""What pyossl and a real peer negotiate: version, cipher, names, protocols."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest
from interop import http_requests as http
from interop.authorities import Authority, Identity
from interop.bodies import GREETING
from interop.client_peers import ClientPeer, Visit
from interop.programs import Program, program
from interop.pyossl_server import Answered, Serve, answering
from interop.server_peers import PythonServer, ServerPeer, Service, SServer

import pyossl


@functools.cache
def for_localhost(authority: Authority) -> Identity:
    """A certificate that many tests use: a key on RSA, and the openssl program twice, take longer than a test."""
    return authority.issue("localhost")


def fetched(tls: pyossl.Socket, path: str = "greeting") -> bytes:
    """Fetches the file from a server peer over an open connection."""
    tls.sendall(http.get(path))
    _, body = http.receive_head(tls)
    while len(body) < len(GREETING):
        more = tls.recv(100)
        assert more, f"the server closed after {body!r}"
        body += more
    return body


@pytest.mark.feature("GnuTLS")
@pytest.mark.feature("Node")
@pytest.mark.feature("openssl s_server and s_client")
def test_a_client_verifies_a_server_and_fetches_a_file(
    server_peer: ServerPeer, version: pyossl.Version, any_authority: Authority, folder: Path
) -> None:
    """Certificates by three authorities, one of them with an intermediate in the chain."""
    service = Service(for_localhost(any_authority), folder, version=version)
    context = pyossl.Context.client(trust=any_authority.trust)
    with (
        server_peer.serving(service) as running,
        pyossl.connect(running.address, context, server_hostname="localhost", timeout=20) as tls,
    ):
        assert tls.version == version.name.replace("_", ".")
        assert tls.connection.verified_chain[-1] == pyossl.Certificate.load(any_authority.trust)
        assert fetched(tls) == GREETING


@pytest.mark.feature("GnuTLS")
@pytest.mark.feature("Node")
@pytest.mark.feature("openssl s_server and s_client")
def test_a_server_is_verified_by_a_client_that_fetches_a_file(
    client_peer: ClientPeer, version: pyossl.Version, any_authority: Authority, serve: Serve
) -> None:
    context = pyossl.Context.server(*for_localhost(any_authority))
    with serve(context) as server:
        visited = client_peer.visit(Visit(server.address, any_authority.trust, version=version))
        assert visited == (0, GREETING, visited.complaints)
        answered = server.outcome()
        assert answered.version == version.name.replace("_", ".")
        assert answered.request.path == "/greeting"


@pytest.mark.feature("IP address as reference name")
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_client_means_an_address(
    server_peer: ServerPeer, host: str, identity: Identity, trustme_authority: Authority, folder: Path
) -> None:
    """docs/pitfalls.md, 21: an IP address is compared with the certificate's addresses."""
    context = pyossl.Context.client(trust=trustme_authority.trust)
    with (
        server_peer.serving(Service(identity, folder, host=host)) as running,
        pyossl.connect(running.address, context, timeout=20) as tls,
    ):
        assert fetched(tls) == GREETING


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1"])
def test_a_server_is_sent_names_and_no_addresses(
    name: str, identity: Identity, trustme_authority: Authority, folder: Path
) -> None:
    """docs/pitfalls.md, 21: SNI never contains an address.  Python's ``ssl`` reports the name that was sent."""
    context = pyossl.Context.client(trust=trustme_authority.trust)
    with PythonServer().serving(Service(identity, folder)) as running:
        with pyossl.connect(running.address, context, server_hostname=name, timeout=20) as tls:
            assert fetched(tls) == GREETING
        running.program.wait_for(rb'{"sni": "localhost"}' if name == "localhost" else rb'{"sni": null}')


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_server_knows_no_name_of_a_client_that_means_an_address(
    client_peer: ClientPeer, host: str, identity: Identity, trustme_authority: Authority, serve: Serve
) -> None:
    """docs/pitfalls.md, 21: SNI never contains an address, and the server then knows no name."""
    with serve(pyossl.Context.server(*identity), host) as server:
        visited = client_peer.visit(Visit(server.address, trustme_authority.trust, server_name=host))
        assert (visited.status, visited.output) == (0, GREETING), visited.complaints
        assert server.outcome().server_name is None


def test_a_server_sees_the_name_that_a_client_means(
    client_peer: ClientPeer, version: pyossl.Version, trustme_authority: Authority, serve: Serve
) -> None:
    context = pyossl.Context.server(*trustme_authority.issue("a.example", "b.example"))
    with serve(context) as server:
        for name in ("a.example", "b.example"):
            visited = client_peer.visit(Visit(server.address, trustme_authority.trust, name, version=version))
            assert visited.status == 0, visited.complaints
            assert server.outcome().server_name == name


def test_a_server_shows_the_certificate_of_the_name_that_a_client_means(
    server_peer: ServerPeer, version: pyossl.Version, trustme_authority: Authority, folder: Path
) -> None:
    """Each name is in one of the two certificates only: without SNI one of them would be refused."""
    first, second = trustme_authority.issue("first.example"), trustme_authority.issue("second.example")
    service = Service(first, folder, version=version, second=("second.example", second))
    context = pyossl.Context.client(trust=trustme_authority.trust)
    with server_peer.serving(service) as running:
        for name, shown in (("first.example", first), ("second.example", second)):
            with pyossl.connect(running.address, context, server_hostname=name, timeout=20) as tls:
                assert tls.connection.peer_certificate == pyossl.Certificate.load(shown.certificate)
                assert fetched(tls) == GREETING


def test_a_server_chooses_the_protocol(
    server_peer: ServerPeer, version: pyossl.Version, identity: Identity, trustme_authority: Authority, folder: Path
) -> None:
    """ALPN: the order of the server decides, or that of the client if the server allows it.

    The protocols are those of nginx, which has no others.
    """
    service = Service(identity, folder, version=version, alpn=("http/1.1", "http/1.0"))
    context = pyossl.Context.client(trust=trustme_authority.trust, alpn=["zero", "http/1.0", "http/1.1"])
    with (
        server_peer.serving(service) as running,
        pyossl.connect(running.address, context, timeout=20) as tls,
    ):
        assert tls.alpn == ("http/1.1" if server_peer.chooses_the_protocol else "http/1.0")


def test_a_client_and_a_server_agree_on_http(
    client_peer: ClientPeer, version: pyossl.Version, identity: Identity, trustme_authority: Authority, serve: Serve
) -> None:
    """ALPN with the protocols that curl offers too."""
    context = pyossl.Context.server(*identity, alpn=["h2", "http/1.1"])
    with serve(context) as server:
        visit = Visit(server.address, trustme_authority.trust, version=version, alpn=("http/1.1",))
        visited = client_peer.visit(visit)
        assert visited.status == 0, visited.complaints
        assert server.outcome().alpn == "http/1.1"


def test_a_client_that_offers_no_protocol_is_answered_without(
    client_peer: ClientPeer, identity: Identity, trustme_authority: Authority, serve: Serve
) -> None:
    with serve(pyossl.Context.server(*identity, alpn=["h2"])) as server:
        visited = client_peer.visit(Visit(server.address, trustme_authority.trust))
        assert (visited.status, visited.output) == (0, GREETING), visited.complaints
        assert server.outcome().alpn is None


def test_a_server_asks_a_client_to_begin_again_with_another_group(
    trustme_authority: Authority, identity: Identity, folder: Path
) -> None:
    """HelloRetryRequest: the ClientHello has no key share for the only group that the server accepts."""
    messages: list[pyossl.Message] = []

    class OneGroup(SServer):
        def command(self, service: Service) -> list[str | Path]:
            return [*super().command(service), "-groups", "P-384"]

    context = pyossl.Context.client(trust=trustme_authority.trust, minimum_version=pyossl.Version.TLSv1_3)
    with (
        OneGroup().serving(Service(identity, folder)) as running,
        pyossl.connect(running.address, context, timeout=20, message_callback=messages.append) as tls,
    ):
        assert tls.group == "secp384r1"
        assert "HelloRetryRequest" in [message.name for message in messages if message.is_protocol]
        assert fetched(tls) == GREETING


def test_a_client_renews_its_keys_between_two_requests(identity: Identity) -> None:
    """docs/pitfalls.md, 9: a KeyUpdate makes the descriptor readable but brings no data.

    ``s_client`` sends one for the input ``K``.
    """
    received: list[bytes] = []

    def handle(tls: pyossl.Socket) -> Answered:
        tls.handshake()
        while data := tls.recv(100):
            received.append(data)
            tls.sendall(b"heard " + data)
        return Answered(tls.version, tls.cipher, None, None, False, None, http.Request("", "", ""))

    context = pyossl.Context.server(*identity, minimum_version=pyossl.Version.TLSv1_3)
    with answering(handle, context) as server:
        host, port = server.address
        with Program(program("openssl"), "s_client", "-connect", f"{host}:{port}") as client:
            client.type(b"one\n")
            client.wait_for(rb"heard one")
            client.type(b"K\n")
            client.wait_for(rb"KEYUPDATE")
            client.type(b"two\n")
            client.wait_for(rb"heard two")
            client.type(b"Q\n")
            client.finish()
        server.outcome()
    assert received == [b"one\n", b"two\n"]
