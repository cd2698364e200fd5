"""An authority revokes certificates, and those who check its CRLs refuse them."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pairs import meet
from x509.certificate_making import openssl

import pyossl
from pyossl import CRL, Authority, Certificate, Context, Credentials, RevocationReason, Revoked, Store, VerifyFlags, lib
from pyossl.x509 import authority

NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
DAY = datetime.timedelta(days=1)


@pytest.fixture
def ca() -> Authority:
    return Authority("revoking CA")


def checking(ca: Authority, crl: CRL, **settings: Any) -> Context:
    store = Store.of(ca.certificate)
    store.add_crl(crl)
    context = Context.client(trust=store, **settings)
    context.verify_flags |= VerifyFlags.CRL_CHECK
    return context


def serving(own: Credentials) -> Context:
    return Context.server((own.certificate, *own.chain), own.private_key)


@pytest.mark.feature("an authority that revokes, with CRLs")
@pytest.mark.parametrize("by_number", [False, True])
def test_a_client_that_checks_the_crl_refuses_a_revoked_server(ca: Authority, by_number: bool) -> None:
    own, other = ca.issue("a.example"), ca.issue("a.example")
    meet(checking(ca, ca.crl()), serving(own), "a.example")
    ca.revoke(own.certificate.serial_number if by_number else own.certificate, RevocationReason.KEY_COMPROMISE)
    context = checking(ca, ca.crl())
    with pytest.raises(pyossl.CertificateError) as caught:
        meet(context, serving(own), "a.example")
    assert caught.value.code == lib.X509_V_ERR_CERT_REVOKED
    meet(context, serving(other), "a.example")


@pytest.mark.feature("an authority that revokes, with CRLs")
def test_a_server_that_checks_the_crl_refuses_a_revoked_client(ca: Authority) -> None:
    server, client = ca.issue("a.example"), ca.issue("client.example")
    ca.revoke(client.certificate)
    store = Store.of(ca.certificate)
    store.add_crl(ca.crl())
    context = Context.server(server.certificate, server.private_key, trust=store, verify=True)
    context.verify_flags |= VerifyFlags.CRL_CHECK
    shown = Context.client(trust=ca.certificate, certificate=client.certificate, private_key=client.private_key)
    with pytest.raises(pyossl.CertificateError) as caught:
        meet(shown, context, "a.example")
    assert caught.value.code == lib.X509_V_ERR_CERT_REVOKED


def test_an_old_crl_is_refused(ca: Authority) -> None:
    own = ca.issue("a.example")
    old = ca.crl(last_update=NOW - 9 * DAY)
    assert old.next_update == NOW - 2 * DAY
    with pytest.raises(pyossl.CertificateError) as caught:
        meet(checking(ca, old), serving(own), "a.example")
    assert caught.value.code == lib.X509_V_ERR_CRL_HAS_EXPIRED


def test_a_crl_of_another_authority_of_the_same_name_is_refused(ca: Authority) -> None:
    other = Authority("revoking CA")
    with pytest.raises(pyossl.CertificateError) as caught:
        meet(checking(ca, other.crl()), serving(ca.issue("a.example")), "a.example")
    refusals = (lib.X509_V_ERR_CRL_SIGNATURE_FAILURE, lib.X509_V_ERR_UNABLE_TO_GET_CRL)
    assert caught.value.code in refusals


@pytest.mark.feature("an authority that revokes, with CRLs")
def test_the_openssl_program_reads_our_crl(ca: Authority, tmp_path: Path) -> None:
    """openssl-crl(1), openssl-verify(1)"""
    own, other = ca.issue("a.example").certificate, ca.issue("b.example").certificate
    ca.revoke(own, RevocationReason.SUPERSEDED, revoked_at=NOW - DAY)
    ca.revoke(0x1234)
    crl = ca.crl()
    files = {"ca.pem": ca.certificate, "crl.pem": crl, "own.pem": own, "other.pem": other}
    for name, each in files.items():
        (tmp_path / name).write_bytes(each.to_pem())
    trust, revoked = str(tmp_path / "ca.pem"), str(tmp_path / "crl.pem")
    printed = openssl("crl", "-in", revoked, "-noout", "-text", "-CAfile", trust).decode()
    assert f"Serial Number: {own.serial_number:X}" in printed
    assert "Serial Number: 1234" in printed
    assert printed.count("X509v3 CRL Reason Code") == 1
    assert "Superseded" in printed
    assert "X509v3 CRL Number" in printed
    verify = ["verify", "-x509_strict", "-crl_check", "-CAfile", trust, "-CRLfile", revoked]
    openssl(*verify, str(tmp_path / "own.pem"), fails=True)
    openssl(*verify, str(tmp_path / "other.pem"))


def test_a_crl_has_what_was_revoked_and_says_when_the_next_one_comes(ca: Authority) -> None:
    first = ca.revoke(5, RevocationReason.CERTIFICATE_HOLD, revoked_at=NOW - DAY)
    assert first == Revoked(5, NOW - DAY, 6)
    ca.revoke(3)
    crl = ca.crl(last_update=NOW, next_update=NOW + 30 * DAY)
    assert (crl.last_update, crl.next_update) == (NOW, NOW + 30 * DAY)
    assert (crl.issuer, len(crl), crl.is_signed_by(ca.certificate.public_key)) == ("CN=revoking CA", 2, True)
    assert crl.find(5) == first
    found = crl.find(3)
    assert found is not None
    assert found.reason is None
    assert [each.serial_number for each in ca.revoked] == [5, 3]
    assert {each.serial_number for each in crl} == {5, 3}
    assert {each.name for each in crl.extensions} == {"authorityKeyIdentifier", "crlNumber"}
    default = ca.crl()
    assert default.next_update is not None
    assert default.next_update - default.last_update == 7 * DAY


def test_what_is_signed_now_is_valid_now(ca: Authority) -> None:
    """Also for time(3), which may be behind for some milliseconds."""
    response = ca.ocsp_response(ca.issue("example.com").certificate)
    for made in (ca.crl().last_update, response.single_responses[0].this_update):
        assert made <= datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=1)


def test_each_crl_has_a_higher_number(ca: Authority) -> None:
    numbers = [ca.crl().number for _ in range(5)]
    assert None not in numbers
    assert numbers == sorted(set(numbers))  # type: ignore[type-var]  # none of them is None


@pytest.mark.parametrize("reason", RevocationReason)
def test_each_reason_is_in_the_crl(ca: Authority, reason: RevocationReason) -> None:
    ca.revoke(1, reason)
    found = ca.crl().find(1)
    assert found is not None
    assert found.reason == (reason or None)


@pytest.mark.parametrize("type", ["RSA", "ED25519"])
def test_an_authority_of_every_type_signs_crls(type: str) -> None:
    ca = Authority("another", private_key=pyossl.PrivateKey.generate(type))
    assert ca.crl().is_signed_by(ca.certificate.public_key)


def test_a_certificate_is_revoked_only_by_its_issuer_and_only_once(ca: Authority) -> None:
    own = ca.issue("a.example").certificate
    for stranger in (Authority("other CA"), Authority("revoking CA")):
        with pytest.raises(ValueError, match="has not issued"):
            stranger.revoke(own)
    ca.revoke(own)
    for again in (own, own.serial_number):
        with pytest.raises(ValueError, match="revoked already"):
            ca.revoke(again, RevocationReason.KEY_COMPROMISE)
    assert len(ca.revoked) == 1
    assert ca.revoked[0].reason is None


def test_an_authority_below_another_is_revoked_by_that(ca: Authority) -> None:
    below = Authority("below", parent=ca)
    ca.revoke(below.certificate, RevocationReason.CA_COMPROMISE)
    own = below.issue("a.example")
    with pytest.raises(ValueError, match="has not issued"):
        ca.revoke(own.certificate)
    store = Store.of(ca.certificate)
    chain = [below.certificate]
    for flags, refused in ((VerifyFlags.CRL_CHECK, False), (VerifyFlags.CRL_CHECK | VerifyFlags.CRL_CHECK_ALL, True)):

        def verify(flags: VerifyFlags = flags) -> object:
            return store.verify(own.certificate, chain, flags=flags, crls=[ca.crl(), below.crl()])

        if refused:
            with pytest.raises(pyossl.CertificateError) as caught:
                verify()
            assert caught.value.code == lib.X509_V_ERR_CERT_REVOKED
        else:
            verify()


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda ca: ca.revoke(0), ValueError),
        (lambda ca: ca.revoke(-1), ValueError),
        (lambda ca: ca.revoke(1 << 159), ValueError),
        (lambda ca: ca.revoke(1, 7), ValueError),
        (lambda ca: ca.revoke(1, 8), ValueError),
        (lambda ca: ca.revoke(1, 11), ValueError),
        (lambda ca: ca.revoke(1, -1), ValueError),
        (lambda ca: ca.revoke(1, "keyCompromise"), TypeError),
        (lambda ca: ca.revoke(1, None), TypeError),
        (lambda ca: ca.revoke("1"), TypeError),
        (lambda ca: ca.revoke(True), TypeError),
        (lambda ca: ca.revoke(1, revoked_at="now"), TypeError),
        (lambda ca: ca.revoke(1, revoked_at=datetime.datetime(2030, 1, 1)), ValueError),
        (lambda ca: ca.crl(next_update=NOW - DAY), ValueError),
        (lambda ca: ca.crl(last_update=NOW, next_update=NOW), ValueError),
        (lambda ca: ca.crl(last_update=datetime.datetime(2030, 1, 1)), ValueError),
        (lambda ca: ca.crl(next_update=5), TypeError),
    ],
)
def test_what_a_crl_cannot_have_is_refused(ca: Authority, call: Callable[[Any], Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        call(ca)
    assert ca.revoked == ()


def test_the_largest_serial_number_is_revoked(ca: Authority) -> None:
    ca.revoke((1 << 159) - 1)
    assert ca.crl().find((1 << 159) - 1) is not None


def test_a_certificate_that_may_not_sign_crls_signs_none() -> None:
    ca = Authority("root")
    key = pyossl.PrivateKey.generate()
    extensions = [
        pyossl.Extension("basicConstraints", bytes.fromhex("30030101ff"), critical=True),
        pyossl.Extension("keyUsage", bytes.fromhex("03020204"), critical=True),
    ]
    made = authority._issue(ca.credentials, "no CRLs", extensions, NOW - DAY, NOW + DAY, key)
    below = Authority.of(made)
    assert below.issue("a.example").certificate.is_signed_by(key)
    with pytest.raises(ValueError, match="does not allow to sign CRLs"):
        below.crl()


def test_a_certificate_of_the_openssl_program_is_continued(tmp_path: Path) -> None:
    """An authority, a certificate and a CRL that openssl-ca(1) has made."""
    for name, text in {"index.txt": "", "serial": "1000\n", "number": "2A\n"}.items():
        (tmp_path / name).write_text(text)
    configuration = tmp_path / "openssl.cnf"
    configuration.write_text(
        f"[req]\nprompt = no\ndistinguished_name = dn\n[dn]\nCN = their CA\n"
        f"[root]\nbasicConstraints = critical, CA:true\nkeyUsage = critical, keyCertSign, cRLSign\n"
        f"subjectKeyIdentifier = hash\n"
        f"[ca]\ndefault_ca = mine\n[mine]\ndatabase = {tmp_path}/index.txt\nnew_certs_dir = {tmp_path}\n"
        f"serial = {tmp_path}/serial\ncrlnumber = {tmp_path}/number\ndefault_md = sha256\npolicy = any\n"
        f"certificate = {tmp_path}/ca.pem\nprivate_key = {tmp_path}/ca-key.pem\ndefault_crl_days = 3\n"
        f"default_days = 3\ncopy_extensions = copy\nunique_subject = no\n[any]\ncommonName = supplied\n"
    )
    options = ["-config", str(configuration)]
    ca, key = str(tmp_path / "ca.pem"), str(tmp_path / "ca-key.pem")
    new = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "5", "-extensions", "root"]
    openssl(*new, "-keyout", key, "-out", ca, *options)
    server = pyossl.PrivateKey.generate()
    request = pyossl.CertificateRequest.create("a.example", private_key=server, subject=pyossl.Name.of(CN="a.example"))
    (tmp_path / "request.pem").write_bytes(request.to_pem())
    signed, crl = str(tmp_path / "signed.pem"), str(tmp_path / "crl.pem")
    openssl("ca", "-batch", "-notext", "-in", str(tmp_path / "request.pem"), "-out", signed, *options)
    openssl("ca", "-revoke", signed, "-crl_reason", "superseded", *options)
    openssl("ca", "-gencrl", "-out", crl, *options)

    continued = Authority.load(tmp_path)
    theirs = Certificate.load(signed)
    assert [each.serial_number for each in continued.revoked] == [theirs.serial_number]
    assert continued.revoked[0].reason == RevocationReason.SUPERSEDED
    own = continued.issue("b.example")
    continued.revoke(own.certificate)
    ours = continued.crl()
    assert ours.number is not None
    assert ours.number > 0x2A
    assert {each.serial_number for each in ours} == {theirs.serial_number, own.certificate.serial_number}
    meet(checking(continued, ours), serving(continued.issue("b.example")), "b.example")
    for revoked in (theirs, own.certificate):
        with pytest.raises(pyossl.CertificateError) as caught:
            Store.of(ca).verify(revoked, crls=[ours])
        assert caught.value.code == lib.X509_V_ERR_CERT_REVOKED
