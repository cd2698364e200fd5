"""The dictionary of ``ssl.SSLSocket.getpeercert``, compared with that of the standard library."""

from __future__ import annotations

import _ssl
import ipaddress
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from x509.certificate_making import make

import pyossl
from pyossl.x509.peercert import peercert

PLACES_TO_ASK = {"OCSP", "caIssuers", "crlDistributionPoints"}

NAMES = [
    x509.DNSName("www.example.com"),
    x509.DNSName("*.example.com"),
    x509.RFC822Name("someone@example.com"),
    x509.UniformResourceIdentifier("https://example.com/"),
    x509.IPAddress(ipaddress.ip_address("192.0.2.1")),
    x509.IPAddress(ipaddress.ip_address("2001:db8::abcd:1")),
    x509.RegisteredID(x509.ObjectIdentifier("1.2.3.4.5")),
    x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "someone")])),
]
SUBJECT = x509.Name(
    [
        x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.COUNTRY_NAME, "DE")]),
        x509.RelativeDistinguishedName(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Größe & Söhne"),
                x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "Straße"),
            ]
        ),
        x509.RelativeDistinguishedName([x509.NameAttribute(x509.ObjectIdentifier("1.2.3.4"), "of no name")]),
        x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.COMMON_NAME, "example.com")]),
    ]
)


def of_the_stdlib(pem: bytes, folder: Path) -> dict[str, Any]:
    path = folder / "certificate.pem"
    path.write_bytes(pem)
    told: dict[str, Any] = _ssl._test_decode_cert(str(path))  # type: ignore[attr-defined]  # its tests' own door
    return {key: value for key, value in told.items() if key not in PLACES_TO_ASK}


@pytest.mark.parametrize(
    ("subject", "names"), [("example.com", []), (SUBJECT, NAMES)], ids=["plain", "with everything in it"]
)
def test_it_says_what_the_stdlib_says(subject: Any, names: list[x509.GeneralName], tmp_path: Path) -> None:
    extensions: list[tuple[x509.ExtensionType, bool]] = [(x509.SubjectAlternativeName(names), False)] if names else []
    pem = make(subject, extensions=extensions).pem
    assert peercert(pyossl.Certificate.load(pem)) == of_the_stdlib(pem, tmp_path)


def test_the_development_authoritys_certificates_are_told_alike(
    credentials: pyossl.Credentials, authority: pyossl.Authority, tmp_path: Path
) -> None:
    for certificate in (credentials.certificate, authority.certificate):
        assert peercert(certificate) == of_the_stdlib(certificate.to_pem(), tmp_path)
