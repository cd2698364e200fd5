"""Certificate revocation lists, held against the package cryptography and the openssl program."""

from __future__ import annotations

import pytest
from certificate_making import DAY, NOW, Made, crl_der, make, openssl, revoke
from cryptography import x509

import pyossl
from pyossl import CRL, Certificate, Revoked

ENTRIES = {
    1: None,
    255: x509.ReasonFlags.key_compromise,
    1 << 150: x509.ReasonFlags.superseded,
}


@pytest.fixture(scope="module")
def issuer() -> Made:
    return make("the issuer", ca=True)


@pytest.fixture(scope="module")
def theirs(issuer: Made) -> x509.CertificateRevocationList:
    return revoke(issuer, ENTRIES)


@pytest.fixture
def crl(theirs: x509.CertificateRevocationList) -> CRL:
    return CRL.load(crl_der(theirs))


def test_it_says_what_cryptography_wrote(crl: CRL, theirs: x509.CertificateRevocationList) -> None:
    assert crl.issuer == "CN=the issuer"
    assert crl.issuer_name.to_der() == theirs.issuer.public_bytes()
    assert (crl.last_update, crl.next_update) == (theirs.last_update_utc, theirs.next_update_utc)
    assert crl.number == 7
    assert crl.signature_algorithm == "ecdsa-with-SHA256"
    assert [each.name for each in crl.extensions] == ["crlNumber"]
    assert len(crl) == 3
    when = NOW - DAY
    assert set(crl) == {Revoked(1, when, None), Revoked(255, when, 1), Revoked(1 << 150, when, 4)}
    assert crl.to_der() == crl_der(theirs)


def test_the_openssl_program_reads_the_same_from_it(crl: CRL) -> None:
    assert openssl("crl", "-outform", "DER", input=crl.to_pem()) == crl.to_der()
    fingerprint = openssl("crl", "-noout", "-fingerprint", "-sha256", input=crl.to_pem()).decode()
    assert fingerprint.strip().partition("=")[2].replace(":", "").lower() == crl.fingerprint().hex()
    printed = openssl("crl", "-noout", "-text", input=crl.to_pem()).decode()
    for line in crl.text.splitlines():
        if "Issuer" not in line:
            assert line.rstrip() in printed


def test_an_entry_is_found_by_serial_number_and_by_certificate(issuer: Made, crl: CRL) -> None:
    found = crl.find(255)
    assert found is not None
    assert (found.serial_number, found.reason) == (255, 1)
    for missing in (0, 2, -1, -255, 1 << 160):
        assert crl.find(missing) is None
    leaf = make("a leaf", issuer)
    revoked = CRL.load(crl_der(revoke(issuer, {leaf.certificate.serial_number: None})))
    assert revoked.find(Certificate.load(leaf.der)) is not None
    assert crl.find(Certificate.load(leaf.der)) is None
    stranger = make("a leaf", make("another issuer", ca=True))
    of_same_number = CRL.load(crl_der(revoke(issuer, {stranger.certificate.serial_number: None})))
    assert of_same_number.find(Certificate.load(stranger.der)) is None


def test_a_signature_is_its_issuer_s_alone(issuer: Made, crl: CRL) -> None:
    assert crl.is_signed_by(Certificate.load(issuer.der).public_key)
    assert not crl.is_signed_by(Certificate.load(make("the issuer", ca=True).der).public_key)
    assert not crl.is_signed_by(pyossl.PrivateKey.generate("RSA"))


def test_it_survives_pem_and_der_and_comes_in_bundles(issuer: Made, crl: CRL) -> None:
    other = CRL.load(crl_der(revoke(issuer, {}, number=8)))
    assert CRL.load(crl.to_pem()) == CRL.load(crl.to_der()) == crl
    assert crl != other
    assert len({crl, other, CRL.load(crl.to_pem())}) == 2
    bundle = Certificate.load(issuer.der).to_pem() + crl.to_pem() + other.to_pem()
    assert pyossl.load_crls(bundle) == [crl, other]
    assert pyossl.load_crls(crl.to_der() + other.to_der()) == [crl, other]


def test_one_that_revokes_nobody_is_empty_and_true(issuer: Made) -> None:
    empty = CRL.load(crl_der(revoke(issuer, {})))
    assert len(empty) == 0
    assert list(empty) == []
    assert empty
    assert empty.find(1) is None


def test_one_that_is_cut_or_something_else_is_malformed(issuer: Made, crl: CRL) -> None:
    der = crl.to_der()
    for cut in range(len(der)):
        with pytest.raises(pyossl.DecodeError, match="CRL"):
            CRL.load(der[:cut])
    for wrong in (issuer.pem, issuer.der, b"\x30\x84\xff\xff\xff\xff", bytes(100)):
        with pytest.raises(pyossl.DecodeError, match="CRL"):
            CRL.load(wrong)
