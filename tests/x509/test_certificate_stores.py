"""Certificates in PEM and DER, and trust stores."""

from __future__ import annotations

import datetime
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pairs import shake_hands

import pyossl
from pyossl import Certificate, Store
from pyossl.x509.certificate import load_certificates


@pytest.mark.feature("certificates in PEM and DER")
def test_a_certificate_survives_pem_and_der(credentials: pyossl.Credentials) -> None:
    certificate = credentials.certificate
    pem, der = certificate.to_pem(), certificate.to_der()
    assert Certificate.load(pem) == Certificate.load(der) == certificate
    assert Certificate.load(pem).to_der() == der
    assert len({Certificate.load(pem), Certificate.load(der), certificate}) == 1
    assert certificate != "a certificate"


def test_a_certificate_tells_what_it_says(credentials: pyossl.Credentials) -> None:
    certificate = credentials.certificate
    assert certificate.subject == "CN=example.com"
    assert certificate.issuer == "CN=pyossl test CA"
    assert certificate.serial_number > 1 << 120
    now = datetime.datetime.now(datetime.timezone.utc)
    assert certificate.not_before < now < certificate.not_after
    assert repr(certificate) == "<Certificate 'CN=example.com'>"


def test_a_fingerprint_is_the_digest_of_the_der(credentials: pyossl.Credentials) -> None:
    certificate = credentials.certificate
    assert certificate.fingerprint() == hashlib.sha256(certificate.to_der()).digest()
    assert certificate.fingerprint("sha512") == hashlib.sha512(certificate.to_der()).digest()
    with pytest.raises(ValueError, match="no digest 'nonsense'"):
        certificate.fingerprint("nonsense")


def test_a_path_may_have_any_bytes(tmp_path: Path, credentials: pyossl.Credentials) -> None:
    """docs/pitfalls.md, 29: "Paths go through `os.fsencode`." """
    path = os.path.join(os.fsencode(tmp_path), b"\xff\xfe.pem")
    with open(path, "wb") as file:
        file.write(credentials.certificate.to_pem())
    assert Certificate.load(os.fsdecode(path)) == credentials.certificate
    assert Certificate.load(Path(os.fsdecode(path))) == credentials.certificate


@pytest.mark.feature("chains and bundles")
def test_several_certificates_come_in_their_order(authority: pyossl.Authority) -> None:
    certificates = [authority.issue(f"{n}.example").certificate for n in range(3)]
    text = b"comment\n" + b"between\n".join(each.to_pem() for each in certificates)
    assert load_certificates(text) == certificates


@pytest.mark.parametrize("cut", [0, 1, 10, 100, 300])
def test_a_der_that_is_cut_is_malformed(cut: int, credentials: pyossl.Credentials) -> None:
    """The issue: "Garbage and truncated certificates and keys"."""
    with pytest.raises(pyossl.DecodeError, match=f"{cut} bytes"):
        Certificate.load(credentials.certificate.to_der()[:cut])


@pytest.mark.parametrize(
    "change", [lambda pem: pem[:200], lambda pem: pem.replace(b"\nMI", b"\n!!"), lambda pem: pem[:-30]]
)
def test_a_pem_that_is_damaged_is_malformed(change: object, credentials: pyossl.Credentials) -> None:
    with pytest.raises(pyossl.DecodeError):
        Certificate.load(change(credentials.certificate.to_pem()))  # type: ignore[operator]


def test_the_second_of_two_may_not_be_damaged(credentials: pyossl.Credentials) -> None:
    pem = credentials.certificate.to_pem()
    with pytest.raises(pyossl.DecodeError):
        load_certificates(pem + pem[:200] + b"\n-----END CERTIFICATE-----\n")


def test_a_pem_without_a_certificate_says_so(credentials: pyossl.Credentials) -> None:
    with pytest.raises(pyossl.DecodeError, match="no CERTIFICATE"):
        Certificate.load(credentials.private_key.to_pem())


def test_a_file_that_is_not_there_is_an_oserror() -> None:
    with pytest.raises(FileNotFoundError):
        Certificate.load("/no/such/file")
    with pytest.raises(FileNotFoundError):
        Store.of("/no/such/file")


# Trust


@pytest.mark.parametrize("form", ["certificate", "pem", "der", "file", "directory", "several"])
def test_trust_comes_in_many_forms(
    form: str, authority: pyossl.Authority, server_context: pyossl.Context, tmp_path: Path
) -> None:
    certificate = authority.certificate
    file = tmp_path / "authority.pem"
    file.write_bytes(certificate.to_pem())
    subprocess.run(["openssl", "rehash", str(tmp_path)], check=True, capture_output=True)
    trust = {
        "certificate": certificate,
        "pem": certificate.to_pem(),
        "der": certificate.to_der(),
        "file": file,
        "directory": tmp_path,
        "several": [pyossl.Authority("another").certificate, str(file)],
    }[form]
    client = pyossl.Connection(pyossl.Context.client(trust=trust), "example.com")  # type: ignore[arg-type]
    shake_hands(client, pyossl.Connection(server_context))
    assert client.verified_chain[-1] == certificate


@pytest.mark.parametrize("trust", [[], (), b"", b"garbage"])
def test_trust_without_a_certificate_is_refused(trust: object) -> None:
    with pytest.raises(ValueError, match=r"empty|failed"):
        Store.of(trust)  # type: ignore[arg-type]


def test_the_systems_store_is_loaded_once_and_shared() -> None:
    """docs/pitfalls.md, 28: "Load the trust store once and share it." """
    assert Store.system() is Store.system()
    assert Store.of(None) is Store.system()


def test_the_environment_names_the_systems_store(authority: pyossl.Authority, tmp_path: Path) -> None:
    """``SSL_CERT_FILE`` applies, as in every program that uses this OpenSSL."""
    file = tmp_path / "bundle.pem"
    file.write_bytes(authority.certificate.to_pem())
    credentials = authority.issue("example.com")
    (tmp_path / "chain.pem").write_bytes(credentials.certificate_pem())
    (tmp_path / "key.pem").write_bytes(credentials.private_key.to_pem())
    script = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r})
import pyossl, pairs
client = pyossl.Connection(pyossl.Context.client(), "example.com")
server = pyossl.Connection(pyossl.Context.server("chain.pem", "key.pem"))
pairs.shake_hands(client, server)
print(client.verified_chain[-1].subject)
"""
    environment = {**os.environ, "SSL_CERT_FILE": str(file), "SSL_CERT_DIR": str(tmp_path / "none")}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert done.stdout == "CN=pyossl test CA\n", done.stderr
