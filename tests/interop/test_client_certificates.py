"""Client certificates: required, missing, and issued by an unknown authority."""

from __future__ import annotations

from pathlib import Path

import pytest
from interop import http_requests as http
from interop.authorities import Authority, Identity
from interop.bodies import GREETING
from interop.client_peers import ClientPeer, Visit
from interop.nginx_peer import Nginx
from interop.peers import SERVER_PEERS, each
from interop.programs import where_installed
from interop.pyossl_server import Serve
from interop.refusals import Alert, Reason
from interop.server_peers import ServerPeer, Service

import pyossl
from pyossl import lib


def ask(address: tuple[str, int], context: pyossl.Context) -> bytes:
    """The answer of a server peer."""
    with pyossl.connect(address, context, timeout=20) as tls:
        tls.sendall(http.get("greeting"))
        _, body = http.receive_head(tls)
        while len(body) < len(GREETING):
            body += tls.recv(100)
        return body


@pytest.fixture(params=each(peer for peer in SERVER_PEERS if peer.refusals))
def alerting_peer(request: pytest.FixtureRequest) -> ServerPeer:
    """Each server that refuses a client by an alert."""
    return request.param


def refusal(address: tuple[str, int], context: pyossl.Context) -> pyossl.AlertError:
    """The alert of a server peer.

    In TLS 1.3 a client has finished its handshake before the server checks its certificate: the alert is the first that
    it reads.  The client sends nothing, because a server that closes with unread data resets the connection, and the
    alert would be lost.
    """
    with pytest.raises(pyossl.AlertError) as caught, pyossl.connect(address, context, timeout=20) as tls:
        tls.recv(1)
    return caught.value


@pytest.fixture
def service(identity: Identity, folder: Path, version: pyossl.Version, pyossl_authority: Authority) -> Service:
    """A server that requires certificates of pyossl's authority."""
    return Service(identity, folder, version=version, clients=pyossl_authority.trust)


def client(trust: Path, identity: Identity | None = None) -> pyossl.Context:
    if identity is None:
        return pyossl.Context.client(trust=trust)
    return pyossl.Context.client(trust=trust, certificate=identity.certificate, private_key=identity.private_key)


def test_a_server_lets_in_a_client_with_its_certificate(
    server_peer: ServerPeer, service: Service, trustme_authority: Authority, client_identity: Identity
) -> None:
    """The client's chain has an intermediate, which the server does not have."""
    with server_peer.serving(service) as running:
        assert ask(running.address, client(trustme_authority.trust, client_identity)) == GREETING


def test_a_server_refuses_a_client_without_a_certificate(
    alerting_peer: ServerPeer, service: Service, trustme_authority: Authority
) -> None:
    """TLS 1.3 has an alert of its own for it; the number distinguishes the two (docs/pitfalls.md, 26)."""
    assert alerting_peer.refusals is not None
    with alerting_peer.serving(service) as running:
        error = refusal(running.address, client(trustme_authority.trust))
    is_new = service.version is pyossl.Version.TLSv1_3
    number = Alert.CERTIFICATE_REQUIRED if is_new else alerting_peer.refusals.without_certificate
    assert error.number == number
    assert f"the peer sent alert {number} ({number.name.lower().replace('_', ' ')})" in str(error)
    assert "'127.0.0.1'" in str(error)


def test_a_server_refuses_a_client_with_a_certificate_of_another_authority(
    alerting_peer: ServerPeer, service: Service, trustme_authority: Authority
) -> None:
    assert alerting_peer.refusals is not None
    stranger = client(trustme_authority.trust, trustme_authority.issue("a-stranger.example"))
    with alerting_peer.serving(service) as running:
        if alert := alerting_peer.refusals.unknown_authority:
            assert refusal(running.address, stranger).number == alert
        else:
            with pytest.raises((pyossl.TruncationError, pyossl.TransportError)):
                ask(running.address, stranger)


@pytest.mark.feature("nginx with client certificates")
@where_installed("nginx")
def test_nginx_says_in_http_what_it_misses(
    service: Service, trustme_authority: Authority, client_identity: Identity
) -> None:
    """It finishes the handshake with any client, and answers the request with status 400."""
    stranger = trustme_authority.issue("a-stranger.example")
    with Nginx().serving(service) as running:
        for identity, said in (
            (None, b"No required SSL certificate was sent"),
            (stranger, b"The SSL certificate error"),
        ):
            with pyossl.connect(running.address, client(trustme_authority.trust, identity), timeout=60) as tls:
                tls.sendall(http.get("greeting"))
                lines, body = http.receive_head(tls)
                while more := tls.recv(1000):
                    body += more
            assert lines[0] == "HTTP/1.1 400 Bad Request"
            assert said in body
        with pyossl.connect(running.address, client(trustme_authority.trust, client_identity), timeout=60) as tls:
            tls.sendall(http.get("greeting"))
            lines, _ = http.receive_head(tls)
        assert lines[0] == "HTTP/1.1 200 OK"
        assert any("SUCCESS CN=a-client.example" in line for line in lines), lines


def demanding(identity: Identity, authority: Authority, verify: bool | str = True) -> pyossl.Context:
    return pyossl.Context.server(*identity, trust=authority.trust, verify=verify)


@pytest.mark.feature("nginx with client certificates")
def test_a_client_shows_its_certificate(
    client_peer: ClientPeer,
    version: pyossl.Version,
    identity: Identity,
    client_identity: Identity,
    pyossl_authority: Authority,
    trustme_authority: Authority,
    serve: Serve,
) -> None:
    with serve(demanding(identity, pyossl_authority)) as server:
        visit = Visit(server.address, trustme_authority.trust, identity=client_identity, version=version)
        visited = client_peer.visit(visit)
        assert (visited.status, visited.output) == (0, GREETING), visited.complaints
        assert server.outcome().client == pyossl.Certificate.load(client_identity.certificate)


def test_a_client_without_a_certificate_is_refused(
    client_peer: ClientPeer,
    version: pyossl.Version,
    identity: Identity,
    pyossl_authority: Authority,
    trustme_authority: Authority,
    serve: Serve,
) -> None:
    with serve(demanding(identity, pyossl_authority)) as server:
        visited = client_peer.visit(Visit(server.address, trustme_authority.trust, version=version))
        assert visited.status != 0
        assert visited.output == b""
        with pytest.raises(pyossl.Error) as caught:
            server.outcome()
    error = caught.value
    assert error.failure is not None
    assert error.failure.has_reason(Reason.PEER_DID_NOT_RETURN_A_CERTIFICATE)


def test_a_client_with_a_certificate_of_another_authority_is_refused(
    client_peer: ClientPeer,
    version: pyossl.Version,
    identity: Identity,
    pyossl_authority: Authority,
    trustme_authority: Authority,
    serve: Serve,
) -> None:
    stranger = trustme_authority.issue("a-stranger.example")
    with serve(demanding(identity, pyossl_authority)) as server:
        visit = Visit(server.address, trustme_authority.trust, identity=stranger, version=version)
        visited = client_peer.visit(visit)
        assert visited.status != 0
        assert visited.output == b""
        with pytest.raises(pyossl.CertificateError) as caught:
            server.outcome()
    # Some clients send the certificate of their authority too; then the error is about that one.
    shown = {pyossl.Certificate.load(path) for path in (stranger.certificate, trustme_authority.trust)}
    assert caught.value.certificate in shown
    assert caught.value.code in (
        lib.X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
        lib.X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
    )


def test_a_client_may_come_without_a_certificate_where_it_is_optional(
    client_peer: ClientPeer,
    version: pyossl.Version,
    identity: Identity,
    pyossl_authority: Authority,
    trustme_authority: Authority,
    serve: Serve,
) -> None:
    with serve(demanding(identity, pyossl_authority, "optional")) as server:
        visited = client_peer.visit(Visit(server.address, trustme_authority.trust, version=version))
        assert (visited.status, visited.output) == (0, GREETING), visited.complaints
        assert server.outcome().client is None
