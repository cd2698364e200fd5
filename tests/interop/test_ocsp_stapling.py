"""OCSP stapling with openssl's s_server, s_client and ocsp, with GnuTLS, and with nginx."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest
from interop.authorities import Identity
from interop.client_peers import Visit
from interop.gnutls_peers import GnutlsClient, GnutlsServer
from interop.nginx_peer import Nginx
from interop.peers import each
from interop.programs import Finished, Program, program, where_installed
from interop.pyossl_server import Serve
from interop.server_peers import ServerPeer, Service, SServer, s_version
from marks import needs
from x509.ocsp_signers import DAY, NOW, responder, signed_by

import pyossl
from pyossl import Context, OCSPResponse, OCSPStatus, Version

pytestmark = needs("ocsp")


class SServerWithChain(SServer):
    """s_server(1) whose chain does not begin with its own certificate again: OpenSSL 3.6 would staple nothing then."""

    def command(self, service: Service) -> list[str | Path]:
        command = super().command(service)
        command[command.index("-cert_chain") + 1] = service.identity.certificate.with_suffix(".chain")
        return command


STAPLING = [SServerWithChain(), GnutlsServer(), Nginx()]


class House(NamedTuple):
    """An authority below a root, the files of both, and two certificates: one good, the other revoked."""

    authority: pyossl.Authority
    root: Path
    issuer: Path
    issuer_key: Path
    good: Identity
    revoked: Identity


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    folder = tmp_path_factory.mktemp("ocsp")
    root = pyossl.Authority("root")
    below = pyossl.Authority("below", parent=root)
    identities = []
    for name in ("good", "revoked"):
        made = below.issue("localhost", "127.0.0.1")
        identities.append(Identity(folder / f"{name}.pem", folder / f"{name}.key"))
        identities[-1].certificate.write_bytes(made.certificate_pem())
        identities[-1].private_key.write_bytes(made.private_key.to_pem())
        (folder / f"{name}.chain").write_bytes(below.certificate.to_pem())
    below.revoke(pyossl.Certificate.load(folder / "revoked.pem"))
    for name, data in {
        "root.pem": root.certificate.to_pem(),
        "below.pem": below.certificate.to_pem(),
        "below.key": below.credentials.private_key.to_pem(),
    }.items():
        (folder / name).write_bytes(data)
    for identity in identities:
        response = below.ocsp_response(pyossl.Certificate.load(identity.certificate))
        identity.certificate.with_suffix(".ocsp").write_bytes(response.to_der())
    return House(below, folder / "root.pem", folder / "below.pem", folder / "below.key", *identities)


def stapled(identity: Identity) -> Path:
    return identity.certificate.with_suffix(".ocsp")


@pytest.mark.feature("OCSP stapling, both sides", "openssl s_server and s_client", "GnuTLS")
@pytest.mark.parametrize("peer", each(STAPLING))
def test_we_check_what_a_server_staples(peer: ServerPeer, version: Version, house: House, folder: Path) -> None:
    context = Context.client(trust=house.root)
    context.verify_ocsp(required=True)
    service = Service(house.good, folder, version=version, stapled=stapled(house.good))
    with (
        peer.serving(service) as running,
        pyossl.connect(running.address, context, server_hostname="localhost", timeout=60) as tls,
    ):
        assert tls.connection.ocsp_response == stapled(house.good).read_bytes()
        assert tls.connection.ocsp_status is not None
        assert tls.connection.ocsp_status.status is OCSPStatus.GOOD


@pytest.mark.feature("OCSP stapling, checked by the client")
@pytest.mark.parametrize("peer", each([SServerWithChain(), Nginx()]))
def test_we_refuse_a_server_that_staples_its_own_revocation(
    peer: ServerPeer, version: Version, house: House, folder: Path
) -> None:
    context = Context.client(trust=house.root)
    context.verify_ocsp(required=False)
    service = Service(house.revoked, folder, version=version, stapled=stapled(house.revoked))
    with peer.serving(service) as running, pytest.raises(pyossl.CertificateError, match="certificate revoked"):
        pyossl.connect(running.address, context, server_hostname="localhost", timeout=60)


def test_we_refuse_a_server_that_staples_nothing(version: Version, house: House, folder: Path) -> None:
    context = Context.client(trust=house.root)
    context.verify_ocsp(required=True)
    with (
        SServer().serving(Service(house.good, folder, version=version)) as running,
        pytest.raises(pyossl.CertificateError, match="has stapled no OCSP response"),
    ):
        pyossl.connect(running.address, context, server_hostname="localhost", timeout=60)


def s_client(address: tuple[str, int], version: Version, house: House) -> Finished:
    command = [program("openssl"), "s_client", "-connect", f"{address[0]}:{address[1]}", "-status", s_version(version)]
    command += ["-CAfile", str(house.root), "-verify_return_error"]
    with Program(*command, feed=[b"GET /greeting HTTP/1.0\r\n\r\n"]) as run:
        return run.finish()


@pytest.mark.feature("OCSP stapling, both sides", "openssl s_server and s_client")
def test_s_client_gets_our_response(version: Version, house: House, serve: Serve) -> None:
    context = Context.server(*house.good)
    context.staple_ocsp(stapled(house.good))
    with serve(context) as server:
        finished = s_client(server.address, version, house)
        server.outcome()
    assert b"OCSP Response Status: successful" in finished.output
    assert b"Cert Status: good" in finished.output


def test_s_client_gets_no_response_if_there_is_none(version: Version, house: House, serve: Serve) -> None:
    context = Context.server(*house.good)
    context.ocsp_callback = lambda connection: None
    with serve(context) as server:
        output = s_client(server.address, version, house).output
        assert re.search(rb"OCSP responses?: no .*(sent|received)", output)
        server.outcome()


@where_installed("gnutls-cli")
@pytest.mark.feature("OCSP stapling, both sides", "GnuTLS")
@pytest.mark.parametrize("which", ["good", "revoked"])
def test_gnutls_cli_checks_our_response(which: str, version: Version, house: House, serve: Serve) -> None:
    identity: Identity = getattr(house, which)
    context = Context.server(*identity)
    context.staple_ocsp(stapled(identity))
    with serve(context) as server:
        finished = GnutlsClient().visit(Visit(server.address, house.root, "localhost", version=version))
        if which == "good":
            assert finished.status == 0, finished
            server.outcome()
        else:
            assert finished.status != 0
            assert "revoked" in finished.complaints + finished.output.decode()


@pytest.mark.feature("OCSP responses read and verified")
@pytest.mark.parametrize("which", ["good", "revoked"])
def test_openssl_ocsp_verifies_our_response(which: str, house: House) -> None:
    identity: Identity = getattr(house, which)
    command = [program("openssl"), "ocsp", "-respin", stapled(identity), "-issuer", house.issuer]
    command += ["-cert", identity.certificate, "-CAfile", house.root, "-verify_other", house.issuer, "-no_nonce"]
    with Program(*command) as run:
        finished = run.finish()
    assert "Response verify OK" in finished.complaints
    assert f": {which}".encode() in finished.output


@pytest.mark.feature("OCSP responses read and verified")
@pytest.mark.parametrize("status", ["good", "revoked", "unknown"])
@pytest.mark.parametrize("signer", ["the issuer", "a responder"])
def test_we_verify_the_responses_of_openssl_ocsp(signer: str, status: str, house: House, tmp_path: Path) -> None:
    certificate, issuer = pyossl.Certificate.load(house.good.certificate), house.authority.certificate
    database, made = tmp_path / "index.txt", tmp_path / "response.der"
    flag = {"good": "V\t491231235959Z\t", "revoked": f"R\t491231235959Z\t{NOW - DAY:%y%m%d%H%M%SZ}"}.get(status)
    database.write_text("" if flag is None else f"{flag}\t{certificate.serial_number:04X}\tunknown\t/CN=x\n")
    signs, key = house.issuer, house.issuer_key
    if signer == "a responder":
        own = responder(house.authority)
        signs, key = tmp_path / "responder.pem", tmp_path / "responder.key"
        signs.write_bytes(own.certificate.to_pem())
        key.write_bytes(own.private_key.to_pem())
    command = [program("openssl"), "ocsp", "-index", database, "-CA", house.issuer, "-rsigner", signs, "-rkey", key]
    command += ["-issuer", house.issuer, "-cert", house.good.certificate, "-ndays", "1", "-respout", made, "-noverify"]
    with Program(*command) as run:
        run.finish()
    response = OCSPResponse.load(made)
    assert response.single_responses[0].status.name.lower() == status
    if status == "good":
        assert response.verify(certificate, issuer).status is OCSPStatus.GOOD
    else:
        with pytest.raises(pyossl.CertificateError, match="revoked" if status == "revoked" else "does not know it"):
            response.verify(certificate, issuer)


def test_openssl_ocsp_refuses_what_we_refuse(house: House, tmp_path: Path) -> None:
    certificate, issuer = pyossl.Certificate.load(house.good.certificate), house.authority.certificate
    for signer in (responder(house.authority, may_sign=False), pyossl.Authority("below").credentials):
        response = signed_by(signer, certificate, issuer)
        with pytest.raises(pyossl.CertificateError):
            response.verify(certificate, issuer)
        (tmp_path / "response.der").write_bytes(response.to_der())
        command = [program("openssl"), "ocsp", "-respin", tmp_path / "response.der", "-issuer", house.issuer]
        command += ["-cert", house.good.certificate, "-CAfile", house.root, "-verify_other", house.issuer, "-no_nonce"]
        with Program(*command) as run:
            assert "Response Verify Failure" in run.finish().complaints
