"""Certificate revocation lists, compared with the package cryptography and the openssl program."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from x509.certificate_making import (
    DAY,
    NOW,
    Made,
    bare,
    common_name,
    crl_der,
    make,
    name_der,
    openssl,
    revoke,
    tlv,
)

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


def test_a_crl_without_entries_is_empty_and_true(issuer: Made) -> None:
    empty = CRL.load(crl_der(revoke(issuer, {})))
    assert len(empty) == 0
    assert list(empty) == []
    assert empty
    assert empty.find(1) is None


def test_a_crl_that_is_cut_or_something_else_is_malformed(issuer: Made, crl: CRL) -> None:
    der = crl.to_der()
    for cut in range(len(der)):
        with pytest.raises(pyossl.DecodeError, match="CRL"):
            CRL.load(der[:cut])
    for wrong in (issuer.pem, issuer.der, b"\x30\x84\xff\xff\xff\xff", bytes(100)):
        with pytest.raises(pyossl.DecodeError, match="CRL"):
            CRL.load(wrong)


UNSORTED: dict[int, x509.ReasonFlags | None] = dict.fromkeys((300, 5, 200, 1, 77))


def test_a_search_leaves_the_order_and_the_iteration_under_way_as_they_are(issuer: Made) -> None:
    """X509_CRL_get0_by_serial(3) sorts the CRL that it searches, and so does X509_verify_cert(3)
    (docs/pitfalls.md, 34).
    """
    crl = CRL.load(crl_der(revoke(issuer, UNSORTED)))
    root, leaf = Certificate.load(issuer.der), Certificate.load(make("a leaf", issuer).der)
    printed, steps = crl.text, iter(crl)
    found = [next(steps).serial_number]
    assert crl.find(77) is not None
    found.append(next(steps).serial_number)
    pyossl.Store.of(root).verify(leaf, crls=[crl])
    found.append(next(steps).serial_number)
    store = pyossl.Store.of(root)
    store.add_crl(crl)
    store.verify(leaf, flags=pyossl.VerifyFlags.CRL_CHECK)
    assert found + [each.serial_number for each in steps] == list(UNSORTED)
    assert [each.serial_number for each in crl] == list(UNSORTED)
    assert crl.text == printed


def test_threads_may_search_and_iterate_one_crl(issuer: Made) -> None:
    numbers = list(range(400, 0, -1))
    for _ in range(5):
        crl = CRL.load(crl_der(revoke(issuer, dict.fromkeys(numbers))))
        with ThreadPoolExecutor(4) as pool:
            searches = [pool.submit(crl.find, number) for number in (1, 399, 200)]
            iterations = [pool.submit(list, crl) for _ in range(3)]
            assert [each.result(60).serial_number for each in searches] == [1, 399, 200]  # type: ignore[union-attr]
            assert all([entry.serial_number for entry in each.result(60)] == numbers for each in iterations)


def indirect(issuer: Made, entries: list[tuple[int, str | None]]) -> CRL:
    """A CRL with entries of several issuers.  An entry without an issuer has that of the entry before it."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(NOW - DAY)
        .next_update(NOW + DAY)
        .add_extension(x509.IssuingDistributionPoint(None, None, False, False, None, True, False), True)
    )
    for serial_number, name in entries:
        entry = x509.RevokedCertificateBuilder().serial_number(serial_number).revocation_date(NOW - DAY)
        if name is not None:
            names = [x509.DirectoryName(common_name(name))]
            entry = entry.add_extension(x509.CertificateIssuer(names), True)
        builder = builder.add_revoked_certificate(entry.build())
    return CRL.load(crl_der(builder.sign(issuer.key, hashes.SHA256())))


def test_an_entry_of_an_indirect_crl_is_of_the_certificate_s_issuer(issuer: Made) -> None:
    others = {name: make(name, ca=True) for name in ("one", "two", "three")}
    leaves = {name: make("a leaf", other) for name, other in others.items()}
    own = make("a leaf", issuer)
    numbers = {name: leaf.certificate.serial_number for name, leaf in leaves.items()}
    certificates = {name: Certificate.load(leaf.der) for name, leaf in leaves.items()}
    # The CRL issuer has a certificate with the same serial number; "three" has no entry.
    entries = [(numbers["one"], "one"), (own.certificate.serial_number, None), (numbers["two"], "two"), (5, None)]
    crl = indirect(issuer, [(7, None), *entries])
    for name in ("one", "two"):
        found = crl.find(certificates[name])
        assert found is not None
        assert found.serial_number == numbers[name]
    assert crl.find(certificates["three"]) is None
    assert crl.find(Certificate.load(own.der)) is None
    # A serial number alone means the issuer of the CRL.
    assert crl.find(7) is not None
    assert crl.find(5) is None
    assert crl.find(numbers["one"]) is None


def test_an_indirect_crl_may_have_one_serial_number_of_several_issuers(issuer: Made) -> None:
    crl = indirect(issuer, [(9, "one"), (9, "two"), (9, "the issuer")])
    for name, expected in (("one", True), ("two", True), ("the issuer", True), ("three", False)):
        made = Certificate.load(bare(serial_number=b"\x09", name=name_der(tlv(0x0C, name.encode()))))
        assert (crl.find(made) is not None) == expected, name
    assert crl.find(9) is not None
