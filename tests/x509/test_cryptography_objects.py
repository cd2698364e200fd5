"""Conversion to and from objects of the package cryptography, imported only when needed (docs/pitfalls.md, 29)."""

from __future__ import annotations

import subprocess
import sys

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa, x448, x25519
from x509.certificate_making import crl_der, make, revoke

import pyossl
from pyossl import CRL, Certificate, PrivateKey, PublicKey

KEYS = {
    "RSA": (lambda: rsa.generate_private_key(65537, 2048), rsa.RSAPrivateKey),
    "EC": (lambda: ec.generate_private_key(ec.SECP256R1()), ec.EllipticCurvePrivateKey),
    "ED25519": (ed25519.Ed25519PrivateKey.generate, ed25519.Ed25519PrivateKey),
    "ED448": (ed448.Ed448PrivateKey.generate, ed448.Ed448PrivateKey),
    "X25519": (x25519.X25519PrivateKey.generate, x25519.X25519PrivateKey),
    "X448": (x448.X448PrivateKey.generate, x448.X448PrivateKey),
    "DSA": (lambda: dsa.generate_private_key(2048), dsa.DSAPrivateKey),
}


def pkcs8(key: object) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.DER, form, serialization.NoEncryption())  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", KEYS)
def test_a_private_key_goes_both_ways(name: str) -> None:
    generate, kind = KEYS[name]
    theirs = generate()
    ours = PrivateKey.from_cryptography(theirs)
    assert ours.type == name
    back = ours.to_cryptography()
    assert isinstance(back, kind)
    assert pkcs8(back) == pkcs8(theirs)
    assert PrivateKey.from_cryptography(PrivateKey.generate("EC").to_cryptography()).type == "EC"


@pytest.mark.parametrize("name", KEYS)
def test_a_public_key_goes_both_ways(name: str) -> None:
    theirs = KEYS[name][0]()
    ours = PublicKey.from_cryptography(theirs.public_key())
    assert ours == PrivateKey.from_cryptography(theirs).public_key
    assert ours.to_cryptography() == theirs.public_key()


@pytest.mark.feature("conversion to and from the cryptography package")
def test_a_certificate_goes_both_ways(credentials: pyossl.Credentials) -> None:
    theirs = make("theirs").certificate
    ours = Certificate.from_cryptography(theirs)
    assert ours.subject == "CN=theirs"
    assert ours.to_cryptography() == theirs
    there = credentials.certificate.to_cryptography()
    assert isinstance(there, x509.Certificate)
    assert Certificate.from_cryptography(there) == credentials.certificate


def test_a_crl_goes_both_ways() -> None:
    theirs = revoke(make("the issuer", ca=True), {3: None})
    ours = CRL.from_cryptography(theirs)
    assert [each.serial_number for each in ours] == [3]
    assert ours.to_cryptography() == theirs
    assert ours.to_der() == crl_der(theirs)


def run(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_package_is_not_imported_before_it_is_asked_for() -> None:
    program = """
import sys, pyossl
credentials = pyossl.self_signed("localhost")
certificate = pyossl.Certificate.load(credentials.certificate.to_der())
certificate.subject_alt_names, certificate.public_key, certificate.text
pyossl.PKCS12(credentials.private_key, certificate).to_der("x")
pyossl.Store.of(certificate).verify(certificate)
before = any(name.partition(".")[0] == "cryptography" for name in sys.modules)
certificate.to_cryptography()
print(before, "cryptography" in sys.modules)
"""
    assert run(program) == "False True"


def test_without_the_package_an_import_error_names_it() -> None:
    program = """
import sys
sys.modules["cryptography"] = None
import pyossl
credentials = pyossl.self_signed("localhost")
for convert in (credentials.certificate.to_cryptography, credentials.private_key.to_cryptography,
                credentials.private_key.public_key.to_cryptography,
                lambda: pyossl.Certificate.from_cryptography(None)):
    try:
        convert()
    except ImportError as error:
        print("the package cryptography" in str(error))
"""
    assert run(program).split() == ["True"] * 4
