"""Extensions and alternative names, read from their structure: docs/pitfalls.md, 17 and 21."""

from __future__ import annotations

import ipaddress

import pytest
from cryptography import x509
from x509.certificate_making import SUBJECT_ALT_NAME, bare, common_name, make, name_der, openssl, raw, tlv

import pyossl
from pyossl import Certificate, Extension, GeneralNameType, Name, OtherName

OTHER, EMAIL, DNS, X400, DIRECTORY, EDI, URI, ADDRESS, REGISTERED = 0xA0, 0x81, 0x82, 0xA3, 0xA4, 0xA5, 0x86, 0x87, 0x88


def alternative_names(*names: bytes) -> tuple[pyossl.GeneralName, ...]:
    """The alternative names that pyossl reads from a certificate with these encoded names."""
    made = make("alternative names", extensions=[(raw(SUBJECT_ALT_NAME, tlv(0x30, *names)), False)])
    return Certificate.load(made.der).subject_alt_names


@pytest.mark.feature("subject alternative names from the structure")
def test_names_of_every_type_are_read_from_the_structure() -> None:
    directory = name_der(tlv(0x0C, b"directory"))
    oid = tlv(0x06, bytes.fromhex("2b060104018237140203"))
    encoded = [
        tlv(DNS, b"example.com"),
        tlv(EMAIL, b"someone@example.com"),
        tlv(URI, b"spiffe://example.com/a"),
        tlv(ADDRESS, bytes([192, 0, 2, 1])),
        tlv(ADDRESS, ipaddress.ip_address("2001:db8::1").packed),
        tlv(DIRECTORY, directory),
        tlv(REGISTERED, bytes.fromhex("2b0601040181b20301")),
        tlv(OTHER, oid, tlv(0xA0, tlv(0x0C, b"user\0name@example.com"))),
        tlv(EDI, tlv(0xA1, tlv(0x0C, b"party"))),
    ]
    names = alternative_names(*encoded)
    assert [(each.type, each.value) for each in names] == [
        (GeneralNameType.DNS, "example.com"),
        (GeneralNameType.EMAIL, "someone@example.com"),
        (GeneralNameType.URI, "spiffe://example.com/a"),
        (GeneralNameType.IPADD, ipaddress.ip_address("192.0.2.1")),
        (GeneralNameType.IPADD, ipaddress.ip_address("2001:db8::1")),
        (GeneralNameType.DIRNAME, Name(directory)),
        (GeneralNameType.RID, "1.3.6.1.4.1.22787.1"),
        (GeneralNameType.OTHERNAME, OtherName("1.3.6.1.4.1.311.20.2.3", tlv(0x0C, b"user\0name@example.com"))),
        (GeneralNameType.EDIPARTY, encoded[-1]),
    ]
    assert [each.der for each in names] == encoded
    assert [str(each) for each in names[:6:5]] == ["DNS:example.com", "DIRNAME:CN=directory"]


def test_cryptography_reads_the_same_names() -> None:
    names = [
        x509.DNSName("example.com"),
        x509.RFC822Name("someone@example.com"),
        x509.UniformResourceIdentifier("https://example.com/"),
        x509.IPAddress(ipaddress.ip_address("::1")),
        x509.DirectoryName(common_name("directory")),
        x509.RegisteredID(x509.ObjectIdentifier("1.2.3.4")),
    ]
    made = make("names", extensions=[(x509.SubjectAlternativeName(names), False)])
    ours = Certificate.load(made.der).subject_alt_names
    theirs = [each.value for each in names]
    assert [each.value for each in ours[:4]] == theirs[:4]
    directory = ours[4].value
    assert isinstance(directory, Name)
    assert directory.to_der() == theirs[4].public_bytes()
    assert ours[5].value == theirs[5].dotted_string


@pytest.mark.parametrize("kind", [DNS, EMAIL, URI])
def test_a_nul_inside_a_name_is_kept_and_visible(kind: int) -> None:
    """CVE-2026-40475: the text after a NUL is part of the name."""
    (name,) = alternative_names(tlv(kind, b"good.example\0.evil.example"))
    assert name.value == "good.example\0.evil.example"
    assert "\\x00" in repr(name)


def test_a_name_that_pretends_to_be_several_is_one() -> None:
    """In printed text it looks like three names.  Printed text is never read."""
    (name,) = alternative_names(tlv(DNS, b"a.example, DNS:b.example, IP Address:192.0.2.1"))
    assert name.value == "a.example, DNS:b.example, IP Address:192.0.2.1"


def test_bytes_outside_ascii_in_a_name_are_written_with_backslashes() -> None:
    (name,) = alternative_names(tlv(DNS, b"ex\xe4mple"))
    assert name.value == "ex\\xe4mple"
    assert name.der == tlv(DNS, b"ex\xe4mple")


@pytest.mark.parametrize("packed", [b"", b"\x01", bytes(5), bytes(8), bytes(17), bytes(32)])
def test_an_address_of_no_address_s_length_is_bytes(packed: bytes) -> None:
    (name,) = alternative_names(tlv(ADDRESS, packed))
    assert (name.type, name.value) == (GeneralNameType.IPADD, packed)


def test_empty_names_are_names() -> None:
    assert [each.value for each in alternative_names(tlv(DNS), tlv(DIRECTORY, tlv(0x30)))] == ["", Name(tlv(0x30))]


def test_a_thousand_names_are_a_thousand() -> None:
    names = alternative_names(*(tlv(DNS, b"host%d.example" % n) for n in range(1000)))
    assert [each.value for each in names] == [f"host{n}.example" for n in range(1000)]


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\x30",
        b"\x30\x05\x82\x04ab",
        b"\x05\x00",
        tlv(0x30, b"\x82\x84\x7f\xff\xff\xffab"),
        tlv(0x30, b"\x89\x01a"),
        tlv(0x30, tlv(DIRECTORY, b"\x01")),
        tlv(0x30, tlv(DNS, b"a")) + b"\0",
        tlv(0x30, tlv(OTHER, b"\x06\x00")),
        b"\x30\x80" * 200,
    ],
)
def test_malformed_names_are_told_and_never_taken_for_none(value: bytes) -> None:
    certificate = Certificate.load(make("x", extensions=[(raw(SUBJECT_ALT_NAME, value), False)]).der)
    if value.endswith(b"a\0"):
        # OpenSSL ignores the bytes that follow, and finds the name.
        assert [each.value for each in certificate.subject_alt_names] == ["a"]
    else:
        with pytest.raises(pyossl.DecodeError, match="subjectAltName"):
            _ = certificate.subject_alt_names
    assert certificate.extensions[0].value == value
    assert certificate.extensions[0].text


def test_an_extension_that_is_there_twice_is_told() -> None:
    oid = tlv(0x06, bytes.fromhex("551d11"))
    twice = b"".join(tlv(0x30, oid, tlv(0x04, tlv(0x30, tlv(DNS, name)))) for name in (b"a.example", b"b.example"))
    certificate = Certificate.load(bare(extensions=twice))
    assert len(certificate.extensions) == 2
    with pytest.raises(pyossl.DecodeError, match="more than once"):
        _ = certificate.subject_alt_names
    assert not certificate.matches("b.example") or certificate.matches("a.example")


@pytest.mark.feature("extensions")
def test_extensions_are_those_that_cryptography_wrote() -> None:
    extensions = [
        (x509.BasicConstraints(True, 1), True),
        (x509.KeyUsage(False, False, False, False, False, True, True, False, False), True),
        (x509.SubjectAlternativeName([x509.DNSName("a.example"), x509.DNSName("b.example")]), False),
        (x509.IssuerAlternativeName([x509.DNSName("issuer.example")]), False),
        (x509.NameConstraints([x509.DNSName("example")], None), True),
        (raw("1.3.6.1.4.1.55555.9", b"\x04\x03abc"), False),
    ]
    made = make("extensions", extensions=extensions)
    ours = Certificate.load(made.der)
    assert [(each.oid, each.critical, each.value) for each in ours.extensions] == [
        (each.oid.dotted_string, each.critical, each.value.public_bytes()) for each in made.certificate.extensions
    ]
    assert [each.name for each in ours.extensions] == [
        "basicConstraints",
        "keyUsage",
        "subjectAltName",
        "issuerAltName",
        "nameConstraints",
        "1.3.6.1.4.1.55555.9",
    ]
    assert [each.value for each in ours.issuer_alt_names] == ["issuer.example"]
    printed = openssl("x509", "-noout", "-text", input=made.pem).decode()
    for extension in ours.extensions[:-1]:
        for line in extension.text.splitlines():
            assert line.strip() in printed


def test_an_extension_of_ones_own_is_what_it_was_made_of() -> None:
    extension = Extension("1.3.6.1.4.1.55555.9", b"\x04\x03abc", critical=True)
    assert (extension.oid, extension.name) == ("1.3.6.1.4.1.55555.9", "1.3.6.1.4.1.55555.9")
    assert (extension.critical, extension.value) == (True, b"\x04\x03abc")
    assert extension == Extension("1.3.6.1.4.1.55555.9", b"\x04\x03abc", critical=True)
    assert extension != Extension("1.3.6.1.4.1.55555.9", b"\x04\x03abc")
    assert Extension("subjectAltName", tlv(0x30, tlv(DNS, b"a"))).oid == SUBJECT_ALT_NAME
    assert len({extension, Extension("1.3.6.1.4.1.55555.9", b"\x04\x03abc", critical=True)}) == 1
    assert Extension("1.2.3", b"").value == b""


@pytest.mark.parametrize("oid", ["", "no such name", "9.9.9", "1.2.3\0", "2.5.29.x"])
def test_an_extension_of_no_known_kind_cannot_be_made(oid: str) -> None:
    with pytest.raises(ValueError, match="object identifier"):
        Extension(oid, b"")


def test_a_long_object_identifier_is_whole() -> None:
    oid = "1.3.6.1.4.1." + ".".join(str(n) for n in range(1000, 1100))
    assert Extension(oid, b"\x05\x00").oid == oid
