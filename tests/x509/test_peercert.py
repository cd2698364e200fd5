"""The dictionary of ``ssl.SSLSocket.getpeercert``, compared with that of the standard library."""

from __future__ import annotations

import _ssl
import datetime
import ipaddress
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID
from hypothesis import given, settings, strategies as st
from x509.certificate_making import Made, bare, make, raw

import pyossl
from pyossl.x509.peercert import peercert

KEY = ec.generate_private_key(ec.SECP256R1())
NAMES = [
    x509.DNSName("www.example.com"),
    x509.DNSName("*.example.com"),
    x509.RFC822Name("someone@example.com"),
    x509.UniformResourceIdentifier("https://example.com/"),
    x509.IPAddress(ipaddress.ip_address("192.0.2.1")),
    x509.IPAddress(ipaddress.ip_address("2001:db8::abcd:1")),
    x509.RegisteredID(x509.ObjectIdentifier("1.2.3.4.5")),
    x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "someone")])),
    x509.OtherName(x509.ObjectIdentifier("1.2.3.4"), b"\x0c\x02hi"),
    x509.DNSName("a" * 300 + ".example.com"),
]
PLACES: list[tuple[x509.ExtensionType, bool]] = [
    (
        x509.AuthorityInformationAccess(
            [
                x509.AccessDescription(method, place)
                for method in (AuthorityInformationAccessOID.OCSP, AuthorityInformationAccessOID.CA_ISSUERS)
                for place in (
                    x509.UniformResourceIdentifier("http://one.example/"),
                    x509.DNSName("two.example"),
                    x509.UniformResourceIdentifier("http://three.example/"),
                )
            ]
        ),
        False,
    ),
    (
        x509.CRLDistributionPoints(
            [
                x509.DistributionPoint([x509.UniformResourceIdentifier("http://crl.example/1")], None, None, None),
                x509.DistributionPoint(None, None, None, [x509.DNSName("issuer.example")]),
                x509.DistributionPoint(
                    None, x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.COMMON_NAME, "crl")]), None, None
                ),
                x509.DistributionPoint(
                    [x509.DNSName("crl.example"), x509.UniformResourceIdentifier("ldap://crl.example/2")],
                    None,
                    None,
                    None,
                ),
            ]
        ),
        False,
    ),
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
    return told


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


def rich() -> Made:
    extensions: list[tuple[x509.ExtensionType, bool]] = [(x509.SubjectAlternativeName(NAMES), False), *PLACES]
    return make(SUBJECT, extensions=extensions)


def test_the_places_of_ocsp_of_issuers_and_of_crls_are_told() -> None:
    told = peercert(pyossl.Certificate.load(rich().der))
    assert told["OCSP"] == told["caIssuers"] == ("http://one.example/", "http://three.example/")
    assert told["crlDistributionPoints"] == ("http://crl.example/1", "ldap://crl.example/2")


@pytest.mark.parametrize(
    ("moment", "told"),
    [
        (datetime.datetime(2049, 12, 31, 23, 59, 59), "Dec 31 23:59:59 2049 GMT"),
        (datetime.datetime(2050, 1, 1, 0, 0, 0), "Jan  1 00:00:00 2050 GMT"),
        (datetime.datetime(9999, 9, 9, 9, 9, 9), "Sep  9 09:09:09 9999 GMT"),
    ],
)
def test_a_time_is_told_in_the_way_of_the_stdlib(moment: datetime.datetime, told: str, tmp_path: Path) -> None:
    pem = make("example.com", not_after=moment).pem
    assert peercert(pyossl.Certificate.load(pem))["notAfter"] == told == of_the_stdlib(pem, tmp_path)["notAfter"]


def test_a_certificate_with_very_many_names_is_told(tmp_path: Path) -> None:
    names = [x509.DNSName(f"{n}.example.com") for n in range(3000)]
    pem = make("example.com", extensions=[(x509.SubjectAlternativeName(names), False)]).pem
    told = peercert(pyossl.Certificate.load(pem))
    assert len(told["subjectAltName"]) == 3000
    assert told == of_the_stdlib(pem, tmp_path)


@pytest.mark.parametrize(
    ("size", "told"), [(1, "05"), (20, "05" * 20), (200, "05" * 200)], ids=["short", "usual", "very long"]
)
def test_a_serial_number_is_told_in_hexadecimal(size: int, told: str) -> None:
    assert peercert(pyossl.Certificate.load(bare(serial_number=b"\x05" * size)))["serialNumber"] == told


@pytest.mark.parametrize(("number", "told"), [(b"\xff", "-01"), (b"\x00", "00"), (b"\x00\xff", "FF")])
def test_an_odd_serial_number_is_told(number: bytes, told: str) -> None:
    assert peercert(pyossl.Certificate.load(bare(serial_number=number)))["serialNumber"] == told


def test_a_text_that_is_no_utf8_is_a_decode_error() -> None:
    der = make("example.com", extensions=[(x509.SubjectAlternativeName([x509.DNSName("example.com")]), False)]).der
    broken = der.replace(b"\x82\x0bexample.com", b"\x82\x0bex\xffmple.com")
    assert broken != der
    with pytest.raises(pyossl.DecodeError, match="UTF-8"):
        peercert(pyossl.Certificate.load(broken))


@pytest.mark.parametrize("step", [0x01, 0x80, 0x22])
def test_a_changed_byte_anywhere_is_no_crash_and_is_told_as_by_the_stdlib(step: int, tmp_path: Path) -> None:
    """Lengths, types and texts of every part; OpenSSL decides which certificates can be decoded at all."""
    der = bytearray(rich().der)
    told = 0
    for place in range(len(der)):
        changed = bytes(der[:place]) + bytes([der[place] ^ step]) + bytes(der[place + 1 :])
        try:
            certificate = pyossl.Certificate.load(changed)
        except pyossl.DecodeError:
            continue
        try:
            ours = peercert(certificate)
        except pyossl.DecodeError:
            ours = None
        try:
            theirs = of_the_stdlib(certificate.to_pem(), tmp_path)
        except (ValueError, OSError, SystemError):
            continue  # also where it finds URIs in no list of them
        assert ours == theirs, place
        told += 1
    assert told > 100


@given(data=st.binary(max_size=200))
@settings(max_examples=200)
@pytest.mark.parametrize("oid", ["2.5.29.17", "1.3.6.1.5.5.7.1.1", "2.5.29.31"])
def test_an_extension_of_any_bytes_is_left_out_or_told(oid: str, data: bytes) -> None:
    try:
        told = peercert(pyossl.Certificate.load(make("example.com", key=KEY, extensions=[(raw(oid, data), False)]).der))
    except pyossl.DecodeError:
        return
    assert set(told) >= {"subject", "issuer", "version", "serialNumber", "notBefore", "notAfter"}
