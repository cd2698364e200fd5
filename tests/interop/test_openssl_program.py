"""The openssl program and pyossl: the names of authorities that they send, and revoked certificates."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest
from interop.authorities import Authority, Identity, RevokingAuthority
from interop.client_peers import SClient, Visit
from interop.programs import Program, program
from interop.pyossl_server import Serve
from interop.refusals import Alert
from interop.server_peers import Service
from interop.test_client_certificates import ask
from interop.test_groups import SServerWith

import pyossl
from pyossl import Certificate, Context, Store, VerifyFlags, Version, lib

# Names of authorities


@pytest.mark.feature("client certificates with CA names", "openssl s_server and s_client")
def test_s_client_prints_the_names_that_a_server_sends(
    version: Version,
    identity: Identity,
    pyossl_authority: Authority,
    program_authority: Authority,
    trustme_authority: Authority,
    serve: Serve,
) -> None:
    """In the same order; before 4.0 with spaces around the equals sign."""
    context = Context.server(*identity, trust=pyossl_authority.trust, verify="optional")
    names = [Certificate.load(authority.trust) for authority in (program_authority, pyossl_authority)]
    context.ca_names = names
    with serve(context) as server:
        command = [program("openssl"), "s_client", "-connect", f"127.0.0.1:{server.address[1]}"]
        command += ["-tls1_3" if version is Version.TLSv1_3 else "-tls1_2"]
        with Program(*command, feed=[b"GET /greeting HTTP/1.0\r\n\r\n"]) as run:
            finished = run.finish()
        assert server.outcome().client is None
    printed = re.search(r"Acceptable client certificate CA names\n((?:CN.*\n)+)", finished.output.decode())
    assert printed, finished
    said = [re.sub(r"\s*=\s*", "=", line) for line in printed[1].splitlines()]
    assert said == [certificate.subject for certificate in names]


@pytest.mark.feature("client certificates with CA names", "openssl s_server and s_client")
def test_a_client_reads_the_names_that_s_server_sends(
    version: Version,
    identity: Identity,
    folder: Path,
    tmp_path: Path,
    pyossl_authority: Authority,
    program_authority: Authority,
    trustme_authority: Authority,
) -> None:
    both = tmp_path / "authorities.pem"
    both.write_bytes(program_authority.trust.read_bytes() + pyossl_authority.trust.read_bytes())
    peer = SServerWith("-verify", "5", "-CAfile", str(both))
    with (
        peer.serving(Service(identity, folder, version=version)) as running,
        pyossl.connect(running.address, Context.client(trust=trustme_authority.trust), timeout=60) as tls,
    ):
        names = set(tls.connection.peer_ca_names)
    assert names == {
        Certificate.load(authority.trust).subject_name for authority in (program_authority, pyossl_authority)
    }


# Revocation


class Issued(NamedTuple):
    """A good certificate, a revoked one, and the CRL with the latter."""

    trust: Path
    good: Identity
    revoked: Identity
    crl: Path


@pytest.fixture(scope="module", params=["program_authority", "trustme_authority"])
def issued(request: pytest.FixtureRequest) -> Issued:
    """By the openssl program with its own CRL, and by the package cryptography."""
    authority: RevokingAuthority = request.getfixturevalue(request.param)
    good, revoked = (authority.issue("localhost", "127.0.0.1") for _ in range(2))
    return Issued(authority.trust, good, revoked, authority.revoke(revoked))


def store_of(issued: Issued) -> Store:
    store = Store.of(issued.trust)
    store.add_crl(issued.crl)
    return store


REVOKED = pytest.mark.feature("certificate revocation lists", "openssl s_server and s_client")


@REVOKED
def test_openssl_verify_and_a_store_refuse_the_same(issued: Issued) -> None:
    """openssl-verify(1): -crl_check"""
    crls = pyossl.load_crls(issued.crl)
    for identity, is_good in ((issued.good, True), (issued.revoked, False)):
        command = [program("openssl"), "verify", "-crl_check", "-CAfile", issued.trust, "-CRLfile", issued.crl]
        with Program(*command, identity.certificate) as run:
            finished = run.finish()
        assert (finished.status == 0) == is_good, finished
        certificate = Certificate.load(identity.certificate)
        assert (crls[0].find(certificate) is None) == is_good
        if is_good:
            assert Store.of(issued.trust).verify(certificate, crls=crls)
        else:
            assert "revoked" in finished.complaints + finished.output.decode()
            with pytest.raises(pyossl.CertificateError) as caught:
                Store.of(issued.trust).verify(certificate, crls=crls)
            assert caught.value.code == lib.X509_V_ERR_CERT_REVOKED


@REVOKED
def test_s_client_refuses_a_server_that_is_revoked(issued: Issued, version: Version, serve: Serve) -> None:
    for identity, is_good in ((issued.good, True), (issued.revoked, False)):
        with serve(Context.server(*identity)) as server:
            visit = Visit(server.address, issued.trust, version=version)
            finished = SClient().visit_with(visit, "-crl_check", "-CRL", issued.crl)
            assert (finished.status == 0) == is_good, finished
            if is_good:
                server.outcome()
            else:
                with pytest.raises(pyossl.AlertError) as caught:
                    server.outcome()
                assert caught.value.number == Alert.CERTIFICATE_REVOKED


@REVOKED
def test_a_client_refuses_an_s_server_that_is_revoked(issued: Issued, version: Version, folder: Path) -> None:
    context = Context.client(trust=store_of(issued))
    context.verify_flags |= VerifyFlags.CRL_CHECK
    with SServerWith().serving(Service(issued.good, folder, version=version)) as running:
        assert ask(running.address, context)
    with SServerWith().serving(Service(issued.revoked, folder, version=version)) as running:
        with pytest.raises(pyossl.CertificateError) as caught:
            ask(running.address, context)
        assert caught.value.code == lib.X509_V_ERR_CERT_REVOKED
        assert caught.value.certificate == Certificate.load(issued.revoked.certificate)


@REVOKED
def test_a_server_refuses_an_s_client_that_is_revoked(
    issued: Issued, version: Version, identity: Identity, trustme_authority: Authority, serve: Serve
) -> None:
    context = Context.server(*identity, trust=store_of(issued), verify=True)
    context.verify_flags |= VerifyFlags.CRL_CHECK
    with serve(context) as server:
        for shown, is_good in ((issued.good, True), (issued.revoked, False)):
            visit = Visit(server.address, trustme_authority.trust, identity=shown, version=version)
            finished = SClient().visit(visit)
            if is_good:
                assert finished.status == 0, finished
                assert server.outcome().client == Certificate.load(shown.certificate)
            else:
                with pytest.raises(pyossl.CertificateError) as caught:
                    server.outcome()
                assert caught.value.code == lib.X509_V_ERR_CERT_REVOKED


@REVOKED
def test_an_s_server_refuses_a_client_that_is_revoked(
    issued: Issued, version: Version, identity: Identity, trustme_authority: Authority, folder: Path
) -> None:
    peer = SServerWith("-crl_check", "-CRL", str(issued.crl))
    with peer.serving(Service(identity, folder, version=version, clients=issued.trust)) as running:
        for shown, is_good in ((issued.good, True), (issued.revoked, False)):
            context = Context.client(
                trust=trustme_authority.trust, certificate=shown.certificate, private_key=shown.private_key
            )
            if is_good:
                assert ask(running.address, context)
            else:
                with pytest.raises(pyossl.AlertError) as caught:
                    ask(running.address, context)
                assert caught.value.number == Alert.CERTIFICATE_REVOKED
