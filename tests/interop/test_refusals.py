"""Certificates, versions and protocols that pyossl and real peers refuse, and what the other side gets."""

from __future__ import annotations

from pathlib import Path

import pytest
from interop import http_requests as http
from interop.authorities import Authority, Identity
from interop.client_peers import ClientPeer, Visit
from interop.pyossl_server import Serve
from interop.refusals import Alert, Reason
from interop.server_peers import PythonServer, Refusals, Running, ServerPeer, Service

import pyossl
from pyossl import lib


class TestAServerIsRefused:
    """By pyossl: the exception says what is wrong with which certificate, and for which name."""

    @pytest.fixture(params=["pyossl_authority", "trustme_authority"])
    def authority(self, request: pytest.FixtureRequest) -> Authority:
        return request.getfixturevalue(request.param)

    def refusal(self, running: Running, trust: Path) -> pyossl.CertificateError:
        context = pyossl.Context.client(trust=trust)
        with pytest.raises(pyossl.CertificateError) as caught:
            pyossl.connect(running.address, context, server_hostname="localhost", timeout=20)
        assert "certificate verify failed" in str(caught.value)
        assert "for 'localhost'" in str(caught.value)
        return caught.value

    def test_for_another_name(
        self, server_peer: ServerPeer, version: pyossl.Version, authority: Authority, folder: Path
    ) -> None:
        other = authority.issue("other.example")
        with server_peer.serving(Service(other, folder, version=version)) as running:
            error = self.refusal(running, authority.trust)
        assert (error.code, error.depth) == (lib.X509_V_ERR_HOSTNAME_MISMATCH, 0)
        assert error.certificate == pyossl.Certificate.load(other.certificate)

    def test_of_an_unknown_authority(
        self,
        server_peer: ServerPeer,
        version: pyossl.Version,
        authority: Authority,
        program_authority: Authority,
        folder: Path,
    ) -> None:
        service = Service(authority.issue("localhost"), folder, version=version)
        with server_peer.serving(service) as running:
            error = self.refusal(running, program_authority.trust)
        assert error.code == lib.X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY
        assert error.certificate is not None

    def test_that_has_expired(
        self, server_peer: ServerPeer, version: pyossl.Version, authority: Authority, folder: Path
    ) -> None:
        expired = authority.issue("localhost", expired=True)
        with server_peer.serving(Service(expired, folder, version=version)) as running:
            error = self.refusal(running, authority.trust)
        assert (error.code, error.depth) == (lib.X509_V_ERR_CERT_HAS_EXPIRED, 0)
        assert error.certificate == pyossl.Certificate.load(expired.certificate)


def test_a_server_that_is_refused_hears_why(
    identity: Identity, program_authority: Authority, folder: Path, version: pyossl.Version
) -> None:
    """The texts of reasons in Python's ``ssl`` are stable, unlike OpenSSL's (docs/pitfalls.md, 26)."""
    context = pyossl.Context.client(trust=program_authority.trust)
    with PythonServer().serving(Service(identity, folder, version=version)) as running:
        with pytest.raises(pyossl.CertificateError):
            pyossl.connect(running.address, context, timeout=20)
        running.program.wait_for(rb"TLSV1_ALERT_UNKNOWN_CA")


class TestAClientRefuses:
    """A real client refuses pyossl's certificate; the server gets an alert, or the end of the connection."""

    def refusal(
        self, serve: Serve, identity: Identity, trust: Path, peer: ClientPeer, version: pyossl.Version
    ) -> Exception:
        """The exception that the server gets."""
        with serve(pyossl.Context.server(*identity)) as server:
            visited = peer.visit(Visit(server.address, trust, version=version))
            assert visited.status != 0
            assert visited.output == b""
            with pytest.raises((pyossl.Error, http.ClosedEarlyError)) as caught:
                server.outcome()
        return caught.value

    def assert_told(self, told: Exception, peer: ClientPeer, *alerts: Alert) -> None:
        if peer.refuses_by_alert or isinstance(told, pyossl.AlertError):
            assert isinstance(told, pyossl.AlertError)
            assert told.number in (alerts if peer.only_alert is None else (peer.only_alert,))
            assert f"the peer sent alert {told.number}" in str(told)
        else:
            # It closes while our session tickets arrive: the kernel's reset may overtake a close_notify.
            assert isinstance(told, (http.ClosedEarlyError, pyossl.TruncationError, pyossl.TransportError))

    def test_a_certificate_for_another_name(
        self, client_peer: ClientPeer, version: pyossl.Version, trustme_authority: Authority, serve: Serve
    ) -> None:
        other = trustme_authority.issue("other.example")
        told = self.refusal(serve, other, trustme_authority.trust, client_peer, version)
        self.assert_told(told, client_peer, Alert.BAD_CERTIFICATE, Alert.CERTIFICATE_UNKNOWN)

    def test_a_certificate_of_an_unknown_authority(
        self,
        client_peer: ClientPeer,
        version: pyossl.Version,
        identity: Identity,
        program_authority: Authority,
        serve: Serve,
    ) -> None:
        told = self.refusal(serve, identity, program_authority.trust, client_peer, version)
        self.assert_told(told, client_peer, Alert.UNKNOWN_CA)

    def test_a_certificate_that_has_expired(
        self, client_peer: ClientPeer, version: pyossl.Version, trustme_authority: Authority, serve: Serve
    ) -> None:
        expired = trustme_authority.issue("localhost", expired=True)
        told = self.refusal(serve, expired, trustme_authority.trust, client_peer, version)
        self.assert_told(told, client_peer, Alert.CERTIFICATE_EXPIRED)


def test_a_server_that_is_too_old_refuses_a_client(
    server_peer: ServerPeer, identity: Identity, trustme_authority: Authority, folder: Path
) -> None:
    alerts = server_peer.refusals or Refusals()
    context = pyossl.Context.client(trust=trustme_authority.trust, minimum_version=pyossl.Version.TLSv1_3)
    service = Service(identity, folder, version=pyossl.Version.TLSv1_2)
    with server_peer.serving(service) as running, pytest.raises(pyossl.AlertError) as caught:
        pyossl.connect(running.address, context, timeout=20)
    assert caught.value.number == alerts.too_new


def test_a_client_that_is_too_old_is_refused(
    client_peer: ClientPeer, identity: Identity, trustme_authority: Authority, serve: Serve
) -> None:
    context = pyossl.Context.server(*identity, minimum_version=pyossl.Version.TLSv1_3)
    with serve(context) as server:
        visited = client_peer.visit(Visit(server.address, trustme_authority.trust, version=pyossl.Version.TLSv1_2))
        assert visited.status != 0
        with pytest.raises(pyossl.Error) as caught:
            server.outcome()
    assert caught.value.failure is not None
    assert caught.value.failure.has_reason(Reason.UNSUPPORTED_PROTOCOL)


def test_a_client_that_offers_other_protocols_is_refused(
    client_peer: ClientPeer, version: pyossl.Version, identity: Identity, trustme_authority: Authority, serve: Serve
) -> None:
    """ALPN: RFC 7301, 3.2; no_application_protocol."""
    context = pyossl.Context.server(*identity, alpn=["h2"])
    with serve(context) as server:
        visit = Visit(server.address, trustme_authority.trust, version=version, alpn=("http/1.1",))
        visited = client_peer.visit(visit)
        assert visited.status != 0
        assert visited.output == b""
        with pytest.raises(pyossl.Error) as caught:
            server.outcome()
    assert caught.value.failure is not None
    assert caught.value.failure.has_reason(Reason.NO_APPLICATION_PROTOCOL)
