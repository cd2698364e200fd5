"""A peer that connects a second time resumes its session."""

from __future__ import annotations

from pathlib import Path

import pytest
from interop import http_requests as http
from interop.authorities import Authority, Identity
from interop.bodies import GREETING
from interop.client_peers import ReturningPeer, SClient, Visit
from interop.gnutls_peers import GnutlsClient
from interop.programs import where_installed
from interop.pyossl_server import Answered, Serve, answering
from interop.server_peers import ServerPeer, Service

import pyossl


@pytest.mark.feature("resumption")
def test_a_client_resumes_its_session(
    returning_peer: ReturningPeer,
    version: pyossl.Version,
    identity: Identity,
    trustme_authority: Authority,
    tmp_path: Path,
    serve: Serve,
) -> None:
    with serve(pyossl.Context.server(*identity)) as server:
        returning_peer.visit_twice(Visit(server.address, trustme_authority.trust, version=version), tmp_path)
        assert [server.outcome().reused for _ in range(2)] == [False, True]


def test_a_client_with_a_certificate_resumes_its_session_and_is_still_known(
    returning_peer: ReturningPeer,
    version: pyossl.Version,
    identity: Identity,
    client_identity: Identity,
    pyossl_authority: Authority,
    trustme_authority: Authority,
    tmp_path: Path,
    serve: Serve,
) -> None:
    """docs/pitfalls.md, 12: a server that verifies clients refuses every resumption without a session id context."""
    context = pyossl.Context.server(*identity, trust=pyossl_authority.trust, verify=True)
    with serve(context) as server:
        visit = Visit(server.address, trustme_authority.trust, version=version, identity=client_identity)
        returning_peer.visit_twice(visit, tmp_path)
        first, second = server.outcome(), server.outcome()
        assert (first.reused, second.reused) == (False, True)
        assert first.client == second.client == pyossl.Certificate.load(client_identity.certificate)


def fetch(
    address: tuple[str, int], context: pyossl.Context, session: pyossl.Session | None = None
) -> tuple[pyossl.Session, bool]:
    """Fetches a file; returns the session of the connection, and whether it was resumed."""
    with pyossl.connect(address, context, server_hostname="localhost", timeout=60, session=session) as tls:
        tls.sendall(http.get("greeting"))
        _, body = http.receive_head(tls)
        while len(body) < len(GREETING):
            body += tls.recv(100)
        assert body == GREETING
        found = tls.connection.session
        assert found is not None
        return found, tls.connection.session_reused


@pytest.mark.feature("resumption")
def test_a_server_resumes_our_session(
    server_peer: ServerPeer,
    version: pyossl.Version,
    identity: Identity,
    trustme_authority: Authority,
    folder: Path,
) -> None:
    """Also one that was stored in the meantime."""
    context = pyossl.Context.client(trust=trustme_authority.trust)
    with server_peer.serving(Service(identity, folder, version=version)) as running:
        session, resumed = fetch(running.address, context)
        assert not resumed
        assert session.is_resumable
        session, resumed = fetch(running.address, context, session)
        assert resumed
        stored = pyossl.Session.load(session.to_pem(), context, "localhost")
        assert fetch(running.address, context, stored)[1]


@pytest.mark.feature("resumption", "GnuTLS")
@where_installed("gnutls-cli")
def test_gnutls_cli_resumes_its_session(
    version: pyossl.Version, identity: Identity, trustme_authority: Authority, folder: Path
) -> None:
    """It sends no data on the connection from which it has the session."""

    def handle(tls: pyossl.Socket) -> Answered:
        tls.handshake()
        connection = tls.connection
        try:
            request = http.answer(tls, folder)
        except http.ClosedEarlyError:
            request = http.Request("", "", "")
        return Answered(tls.version, tls.cipher, None, None, connection.session_reused, None, request)

    with answering(handle, pyossl.Context.server(*identity)) as server:
        visited = GnutlsClient().visit_again(Visit(server.address, trustme_authority.trust, version=version))
        assert (visited.status, visited.output) == (0, GREETING), visited.complaints
        first, second = server.outcome(), server.outcome()
    assert (first.reused, first.request.method) == (False, "")
    assert (second.reused, second.request.method) == (True, "GET")


@pytest.mark.feature("session in DER and PEM", "openssl s_server and s_client")
def test_a_session_that_s_client_has_stored_is_resumed_by_us_and_ours_by_it(
    version: pyossl.Version, identity: Identity, trustme_authority: Authority, tmp_path: Path, serve: Serve
) -> None:
    """OpenSSL's program stores sessions in the same format: s_client(1), -sess_out and -sess_in."""
    context = pyossl.Context.client(trust=trustme_authority.trust, maximum_version=version)
    theirs, ours = tmp_path / "theirs.pem", tmp_path / "ours.pem"
    with serve(pyossl.Context.server(*identity)) as server:
        visit = Visit(server.address, trustme_authority.trust, version=version)
        assert SClient().visit_with(visit, "-sess_out", theirs).status == 0
        assert not server.outcome().reused
        loaded = pyossl.Session.load(theirs.read_bytes(), context, "localhost")
        assert loaded.is_resumable
        session, resumed = fetch(server.address, context, loaded)
        assert resumed
        assert server.outcome().reused
        ours.write_bytes(session.to_pem())
        assert SClient().visit_with(visit, "-sess_in", ours).status == 0
        assert server.outcome().reused
