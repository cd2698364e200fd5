"""``python -m pyossl request`` shows a certificate request, and finds everything that is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cli.cli_runs import in_a_pipe
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from x509.certificate_making import SUBJECT_ALT_NAME, common_name, openssl, raw

import pyossl
from pyossl import CertificateRequest, Name, PrivateKey


@pytest.fixture(scope="module")
def key() -> PrivateKey:
    return PrivateKey.generate()


@pytest.fixture(scope="module")
def request_(key: PrivateKey) -> CertificateRequest:
    return CertificateRequest.create("a.example", "192.0.2.1", private_key=key, subject=Name.of(CN="a.example"))


def findings(data: bytes, *options: str) -> tuple[int, dict[str, str]]:
    """The exit status, and the reason of each finding by its kind."""
    ran = in_a_pipe("request", "-", "--json", *options, feed=data)
    assert ran.errors == ""
    return ran.status, {each["kind"]: each["why"] for each in json.loads(ran.output)["findings"]}


@pytest.mark.feature("request")
def test_a_good_request_is_shown(request_: CertificateRequest, key: PrivateKey, tmp_path: Path) -> None:
    file, key_file = tmp_path / "request.pem", tmp_path / "key.pem"
    file.write_bytes(request_.to_pem())
    key_file.write_bytes(key.to_pem())
    ran = in_a_pipe("request", str(file), "--key", str(key_file))
    assert (ran.status, ran.errors) == (0, "")
    for shown in ("CN=a.example", "DNS:a.example, IP:192.0.2.1", "EC prime256v1", "ecdsa-with-SHA256", str(file)):
        assert shown in ran.output
    assert "✓ Nothing is wrong" in ran.output


@pytest.mark.parametrize("form", ["PEM", "DER"])
def test_json_of_a_request_from_standard_input(request_: CertificateRequest, form: str) -> None:
    ran = in_a_pipe("request", "-", "--json", feed=request_.to_pem() if form == "PEM" else request_.to_der())
    assert ran.status == 0
    assert json.loads(ran.output) == {
        "subject": "CN=a.example",
        "names": ["DNS:a.example", "IP:192.0.2.1"],
        "key": "EC prime256v1",
        "signature_algorithm": "ecdsa-with-SHA256",
        "extensions": ["subjectAltName"],
        "sha256": request_.fingerprint().hex(),
        "findings": [],
    }


def test_a_wrong_signature_and_a_wrong_key_are_found(request_: CertificateRequest, tmp_path: Path) -> None:
    changed = request_.to_der().replace(b"a.example", b"b.example")
    status, found = findings(changed)
    assert (status, list(found)) == (1, ["wrong signature"])
    (tmp_path / "other.pem").write_bytes(PrivateKey.generate().to_pem())
    status, found = findings(request_.to_pem(), "--key", str(tmp_path / "other.pem"))
    assert (status, list(found)) == (1, ["wrong key"])


def test_a_key_with_a_password_is_compared(request_: CertificateRequest, key: PrivateKey, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(key.to_pem("secret"))
    (tmp_path / "password").write_text("secret\n")
    options = ["--key", str(tmp_path / "key.pem")]
    assert findings(request_.to_pem(), *options, "--password-file", str(tmp_path / "password")) == (0, {})
    ran = in_a_pipe("request", "-", *options, feed=request_.to_pem())
    assert ran.status == 2
    assert "needs a password" in ran.errors


def test_a_weak_key_and_a_weak_signature_are_found() -> None:
    weak = CertificateRequest.create("a.example", private_key=PrivateKey.generate("RSA", bits=1024))
    assert findings(weak.to_pem()) == (1, {"weak key": "RSA 1024 has 80 bits of security"})
    try:
        old = CertificateRequest.create("a.example", private_key=PrivateKey.generate(), digest="sha1")
    except pyossl.Error:
        return  # this system's policy does not sign with SHA-1
    status, found = findings(old.to_pem())
    assert (status, found["weak signature"]) == (1, "ecdsa-with-SHA1 can be forged")


def made(extension: Any = None) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateSigningRequestBuilder().subject_name(common_name("a\x1b[31m.example"))
    if extension is not None:
        builder = builder.add_extension(extension, True)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def test_no_name_and_malformed_ones_are_found() -> None:
    assert list(findings(made())[1]) == ["no name"]
    status, found = findings(made(raw(SUBJECT_ALT_NAME, b"\x04\x01a")))
    assert (status, found) == (1, {"malformed": "subjectAltName cannot be read, or occurs twice"})
    ran = in_a_pipe("request", "-", feed=made(raw(SUBJECT_ALT_NAME, b"\x04\x01a")))
    assert "(malformed)" in ran.output
    assert "subjectAltName (critical)" in ran.output


def test_a_control_character_in_a_name_does_not_reach_the_terminal() -> None:
    assert "\x1b" not in in_a_pipe("request", "-", feed=made()).output


@pytest.mark.parametrize("what", ["missing", "certificate", "empty", "directory"])
def test_what_is_not_a_request_is_wrong_usage(tmp_path: Path, what: str) -> None:
    file = tmp_path if what == "directory" else tmp_path / "file"
    if what in ("certificate", "empty"):
        file.write_bytes(pyossl.self_signed("a.example").certificate.to_pem() if what == "certificate" else b"")
    ran = in_a_pipe("request", str(file))
    assert (ran.status, ran.output) == (2, "")
    assert str(file) in ran.errors


def test_a_password_file_without_a_key_is_wrong_usage(request_: CertificateRequest) -> None:
    ran = in_a_pipe("request", "-", "--password-file", "file", feed=request_.to_pem())
    assert ran.status == 2
    assert "without --key" in ran.errors


def test_a_request_of_the_openssl_program_is_shown(tmp_path: Path) -> None:
    key = str(tmp_path / "key.pem")
    (tmp_path / "openssl.cnf").write_text("[req]\nprompt = no\ndistinguished_name = dn\n[dn]\nCN = theirs\n")
    new = ["req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-config", str(tmp_path / "openssl.cnf")]
    assert list(findings(openssl(*new))[1]) == ["no name"]
