"""An authority signs certificate requests: it takes the key from a request, and the names from its caller."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest
from pairs import shake_hands
from x509.certificate_making import openssl

import pyossl
from pyossl import Authority, CertificateRequest, CertificateRequestBuilder, Context, Extension, Name, PrivateKey

NOW = datetime.datetime.now(datetime.timezone.utc)
DAY = datetime.timedelta(days=1)


@pytest.fixture(scope="module")
def key() -> PrivateKey:
    return PrivateKey.generate()


@pytest.fixture(scope="module")
def request_(key: PrivateKey) -> CertificateRequest:
    subject = Name.of(O="Somebody else", CN="admin")
    return CertificateRequest.create("a.example", "evil.example", private_key=key, subject=subject)


@pytest.mark.feature("certificate requests (CSR)")
def test_a_server_uses_the_certificate_with_the_key_that_it_kept(
    authority: Authority, request_: CertificateRequest, key: PrivateKey
) -> None:
    below = Authority("below", parent=authority)
    certificate = below.sign(request_, "a.example")
    assert certificate.belongs_to(key)
    server = pyossl.Connection(Context.server((certificate, *below.chain), key))
    client = pyossl.Connection(Context.client(trust=authority.certificate), "a.example")
    shake_hands(client, server)
    assert [each.subject for each in client.verified_chain] == ["CN=a.example", "CN=below", "CN=pyossl test CA"]


@pytest.mark.feature("certificate requests (CSR)")
def test_only_the_key_is_taken_from_a_request(authority: Authority, key: PrivateKey) -> None:
    builder = CertificateRequestBuilder()
    builder.set_subject_name(Name.of(CN="evil.example"))
    builder.add_names("evil.example")
    builder.add_extension(Extension("basicConstraints", bytes.fromhex("30030101ff"), critical=True))
    builder.add_extension(Extension("keyUsage", bytes.fromhex("03020106"), critical=True))
    made = authority.sign(builder.sign(key), "a.example")
    assert made.subject == "CN=a.example"
    assert [str(each.value) for each in made.subject_alt_names] == ["a.example"]
    assert not made.is_ca
    assert made.key_usage == pyossl.KeyUsage.DIGITAL_SIGNATURE
    issued = authority.issue("a.example").certificate
    assert [each.name for each in made.extensions] == [each.name for each in issued.extensions]


def test_the_names_that_a_request_asks_for_are_taken_if_the_caller_says_so(
    authority: Authority, request_: CertificateRequest
) -> None:
    made = authority.sign(request_, *request_.names, subject=request_.subject_name)
    assert made.subject_name == request_.subject_name
    assert [str(each.value) for each in made.subject_alt_names] == ["a.example", "evil.example"]


def test_a_certificate_needs_a_name(authority: Authority, request_: CertificateRequest) -> None:
    with pytest.raises(ValueError, match="at least one name"):
        authority.sign(request_)
    with pytest.raises(ValueError, match="at least one name"):
        authority.sign(request_, subject=request_.subject_name)
    with pytest.raises(ValueError, match="name"):
        authority.sign(request_, "a b")


def test_the_validity_is_the_caller_s(authority: Authority, request_: CertificateRequest) -> None:
    first, last = NOW.replace(microsecond=0), (NOW + 7 * DAY).replace(microsecond=0)
    made = authority.sign(request_, "a.example", not_before=first, not_after=last)
    assert (made.not_before, made.not_after) == (first, last)
    made = authority.sign(request_, "a.example")
    assert made.not_after - made.not_before == 366 * DAY
    with pytest.raises(ValueError, match="time zone"):
        authority.sign(request_, "a.example", not_after=datetime.datetime(2030, 1, 1))


def test_a_request_with_a_wrong_signature_is_refused(authority: Authority, request_: CertificateRequest) -> None:
    der = request_.to_der()
    changed = der.replace(b"evil.example", b"good.example")
    assert changed != der
    with pytest.raises(ValueError, match="not signed with the private key"):
        authority.sign(CertificateRequest.load(changed), "a.example")


def test_a_weak_key_is_refused(authority: Authority) -> None:
    weak = CertificateRequest.create("a.example", private_key=PrivateKey.generate("RSA", bits=1024))
    assert weak.is_signature_valid
    with pytest.raises(ValueError, match="112 are needed"):
        authority.sign(weak, "a.example")


@pytest.mark.parametrize(("type", "options"), [("RSA", {"bits": 2048}), ("ED25519", {}), ("EC", {"group": "P-384"})])
def test_keys_and_authorities_of_every_type(type: str, options: dict[str, Any]) -> None:
    key = PrivateKey.generate(type, **options)
    authority = Authority("of another type", private_key=PrivateKey.generate(type, **options))
    made = authority.sign(CertificateRequest.create("a.example", private_key=key), "a.example")
    assert made.public_key == key.public_key
    assert made.is_signed_by(authority.certificate.public_key)


def test_what_is_of_the_wrong_type_is_refused(authority: Authority, request_: CertificateRequest) -> None:
    wrong: Any = "wrong"
    for call in (
        lambda: authority.sign(wrong, "a.example"),
        lambda: authority.sign(request_.to_der(), "a.example"),  # type: ignore[arg-type]
        lambda: authority.sign(request_, 5),  # type: ignore[arg-type]
        lambda: authority.sign(request_, "a.example", subject=wrong),
        lambda: authority.sign(request_, "a.example", not_after=wrong),
    ):
        with pytest.raises(TypeError):
            call()


@pytest.mark.feature("certificate requests (CSR)")
def test_a_request_of_the_openssl_program_is_signed(authority: Authority, tmp_path: Path) -> None:
    key, file = str(tmp_path / "key.pem"), str(tmp_path / "request.pem")
    (tmp_path / "openssl.cnf").write_text("[req]\nprompt = no\ndistinguished_name = dn\n[dn]\nCN = a.example\n")
    configuration = str(tmp_path / "openssl.cnf")
    openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-config", configuration, "-out", file)
    made = authority.sign(CertificateRequest.load(file), "a.example")
    (tmp_path / "ca.pem").write_bytes(authority.certificate.to_pem())
    (tmp_path / "made.pem").write_bytes(made.to_pem())
    verify = ["verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", "a.example"]
    openssl(*verify, "-CAfile", str(tmp_path / "ca.pem"), str(tmp_path / "made.pem"))
    assert made.belongs_to(PrivateKey.load(key))


@pytest.mark.feature("certificate requests (CSR)")
def test_the_openssl_program_signs_a_request_of_ours(
    authority: Authority, request_: CertificateRequest, key: PrivateKey, tmp_path: Path
) -> None:
    """openssl-x509(1): -req"""
    authority.save(tmp_path, "secret")
    (tmp_path / "request.pem").write_bytes(request_.to_pem())
    (tmp_path / "names.cnf").write_text("subjectAltName = DNS:a.example\n")
    ca, ca_key = str(tmp_path / "ca.pem"), str(tmp_path / "ca-key.pem")
    sign = ["x509", "-req", "-in", str(tmp_path / "request.pem"), "-CA", ca, "-CAkey", ca_key, "-passin", "pass:secret"]
    extensions = ["-extfile", str(tmp_path / "names.cnf"), "-CAserial", str(tmp_path / "serial"), "-CAcreateserial"]
    made = pyossl.Certificate.load(openssl(*sign, *extensions, "-days", "2"))
    assert made.belongs_to(key)
    assert made.subject_name == request_.subject_name
    assert made.is_signed_by(authority.certificate.public_key)
