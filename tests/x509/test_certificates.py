"""Reading certificates, compared with the package cryptography and the openssl program."""

from __future__ import annotations

import datetime
import hashlib
import re

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from x509.certificate_making import (
    BASIC_CONSTRAINTS,
    KEY_USAGE,
    NOW,
    Made,
    bare,
    common_name,
    make,
    name_der,
    openssl,
    raw,
    tlv,
)

import pyossl
from pyossl import Certificate, KeyUsage, Name

UTC = datetime.timezone.utc

KEYS = {
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
    "EC": lambda: ec.generate_private_key(ec.SECP384R1()),
    "ED25519": ed25519.Ed25519PrivateKey.generate,
    "ED448": ed448.Ed448PrivateKey.generate,
}
SIZES = {"RSA": 2048, "EC": 384, "ED25519": 256, "ED448": 456}


@pytest.fixture(params=KEYS)
def made(request: pytest.FixtureRequest) -> Made:
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Grüße, “Inc.” + Söhne"),
            x509.NameAttribute(NameOID.COMMON_NAME, "example.com"),
        ]
    )
    usage = x509.KeyUsage(True, False, True, False, False, False, False, False, False)
    purposes = [ExtendedKeyUsageOID.SERVER_AUTH, x509.ObjectIdentifier("1.3.6.1.4.1.55555.1")]
    extensions = [(usage, True), (x509.ExtendedKeyUsage(purposes), False)]
    root = make("a root", ca=True, path_length=2)
    return make(name, root, key=KEYS[request.param](), extensions=extensions)


def test_cryptography_reads_the_same_from_it(made: Made) -> None:
    ours, theirs = Certificate.load(made.der), made.certificate
    assert ours.version == theirs.version.value + 1 == 3
    assert ours.serial_number == theirs.serial_number
    assert ours.not_before == theirs.not_valid_before_utc
    assert ours.not_after == theirs.not_valid_after_utc
    assert ours.subject_name.to_der() == theirs.subject.public_bytes()
    assert ours.issuer_name.to_der() == theirs.issuer.public_bytes()
    assert [(each.oid, each.value) for each in ours.subject_name] == [
        (each.oid.dotted_string, each.value) for each in theirs.subject
    ]
    assert ours.signature == theirs.signature
    assert ours.key_usage == KeyUsage.DIGITAL_SIGNATURE | KeyUsage.KEY_ENCIPHERMENT
    assert ours.extended_key_usage == ("serverAuth", "1.3.6.1.4.1.55555.1")
    assert ours.extensions[0].critical
    assert ours.public_key.to_cryptography() == theirs.public_key()


@pytest.mark.feature("signature algorithm of a certificate")
def test_the_openssl_program_reads_the_same_from_it(made: Made) -> None:
    ours = Certificate.load(made.der)
    said = openssl("x509", "-noout", "-serial", "-fingerprint", "-sha256", "-startdate", input=made.pem).decode()
    assert int(re.search(r"serial=(\w+)", said)[1], 16) == ours.serial_number  # type: ignore[index]
    assert re.search(r"Fingerprint=(.*)", said)[1].replace(":", "").lower() == ours.fingerprint().hex()  # type: ignore[index]
    assert f"{ours.not_before:%b} {ours.not_before.day:2} {ours.not_before:%H:%M:%S %Y} GMT" in said
    form = "RFC2253,-esc_msb,utf8"
    subject = openssl("x509", "-noout", "-subject", "-nameopt", form, input=made.pem).decode()
    assert subject.strip() == f"subject={ours.subject}"
    issuer = openssl("x509", "-noout", "-issuer", "-nameopt", form, input=made.pem).decode()
    assert issuer.strip() == f"issuer={ours.issuer}"
    text = openssl("x509", "-noout", "-text", input=made.pem).decode()
    assert f"Signature Algorithm: {ours.signature_algorithm}\n" in text

    def lines(printed: str) -> list[str]:
        return [line for line in printed.splitlines() if "Issuer:" not in line and "Subject:" not in line]

    assert lines(ours.text) == lines(text)


@pytest.mark.feature("public key type and size")
def test_the_public_key_tells_its_type_and_size(made: Made) -> None:
    key = Certificate.load(made.der).public_key
    # 1.1.1 counts the bits of Ed25519's order.
    assert key.bits == SIZES[key.type] or (key.type, key.bits) == ("ED25519", 253)
    assert openssl("x509", "-noout", "-pubkey", input=made.pem) == key.to_pem()


@pytest.mark.feature("fingerprints")
@pytest.mark.parametrize("digest", ["md5", "sha1", "sha256", "sha384", "sha512", "sha3-256"])
def test_a_fingerprint_is_by_any_digest_of_openssl(digest: str, credentials: pyossl.Credentials) -> None:
    certificate = credentials.certificate
    expected = hashlib.new(digest.replace("sha3-", "sha3_"), certificate.to_der()).digest()
    assert certificate.fingerprint(digest) == expected


@pytest.mark.parametrize("digest", ["", "sha257", "sha256\0", "256"])
def test_a_digest_that_openssl_does_not_have_is_refused(digest: str, credentials: pyossl.Credentials) -> None:
    """ "sha256\\0" is not SHA-256 (docs/pitfalls.md, 17)."""
    with pytest.raises(ValueError, match="digest"):
        credentials.certificate.fingerprint(digest)


@pytest.mark.feature("structured names")
def test_a_nul_in_a_name_is_kept_and_visible() -> None:
    """docs/pitfalls.md, 17, CVE-2026-40475: lengths, never a NUL."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "good.example\0.evil.example")])
    certificate = Certificate.load(make(name).der)
    (attribute,) = certificate.subject_name
    assert attribute.value == "good.example\0.evil.example"
    assert attribute.data == b"good.example\0.evil.example"
    assert certificate.subject == "CN=good.example\\00.evil.example"
    assert "\0" not in repr(certificate)


@pytest.mark.feature("structured names")
@pytest.mark.parametrize(
    ("form", "text", "data"),
    [
        (_ASN1Type.UTF8String, "Grüße 字", "Grüße 字".encode()),
        (_ASN1Type.BMPString, "Grüße 字", "Grüße 字".encode("utf-16-be")),
        (_ASN1Type.UniversalString, "Grüße 😀", "Grüße 😀".encode("utf-32-be")),
        (_ASN1Type.T61String, "abc", b"abc"),
        (_ASN1Type.PrintableString, "abc", b"abc"),
        (_ASN1Type.IA5String, "a@b.example", b"a@b.example"),
    ],
)
def test_text_of_every_string_type_is_decoded(form: _ASN1Type, text: str, data: bytes) -> None:
    kind = {
        _ASN1Type.UTF8String: 0x0C,
        _ASN1Type.BMPString: 0x1E,
        _ASN1Type.UniversalString: 0x1C,
        _ASN1Type.T61String: 0x14,
        _ASN1Type.PrintableString: 0x13,
        _ASN1Type.IA5String: 0x16,
    }[form]
    (attribute,) = Name(name_der(tlv(kind, data)))
    assert (attribute.name, attribute.oid) == ("CN", "2.5.4.3")
    assert (attribute.value, attribute.data) == (text, data)


@pytest.mark.parametrize(
    "value",
    [tlv(0x0C, b"\xff\xfe"), tlv(0x1E, b"\x00"), tlv(0x02, b"\x05"), tlv(0x0C, b"")],
    ids=["no UTF-8", "half a character", "a number", "nothing"],
)
def test_what_is_no_text_in_a_name_is_still_shown(value: bytes) -> None:
    try:
        name = Name(name_der(value))
    except pyossl.DecodeError:
        return  # some versions refuse it when it is loaded
    (attribute,) = name
    assert attribute.value == attribute.data.decode("utf-8", "backslashreplace")
    assert isinstance(str(name), str)


def test_attributes_that_stand_together_have_one_number() -> None:
    name = x509.Name(
        [
            x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.COUNTRY_NAME, "DE")]),
            x509.RelativeDistinguishedName(
                [
                    x509.NameAttribute(NameOID.COMMON_NAME, "a"),
                    x509.NameAttribute(x509.ObjectIdentifier("1.3.6.1.4.1.55555.2"), "b"),
                ]
            ),
        ]
    )
    ours = Name(name.public_bytes())
    assert [(each.name, each.rdn) for each in ours] == [("C", 0), ("CN", 1), ("1.3.6.1.4.1.55555.2", 1)]
    assert ours.values("CN") == ours.values("2.5.4.3") == ("a",)
    assert ours.values("1.3.6.1.4.1.55555.2") == ("b",)
    assert ours[-1] == ours[2] == ours[1:][1]
    assert len(ours) == 3
    with pytest.raises(IndexError):
        ours[3]


def test_names_are_equal_as_x509_compares_them() -> None:
    """X509_NAME_cmp(3) ignores case, the number of spaces and the type of the string."""
    names = [Name(name_der(value)) for value in (tlv(0x0C, b"A  b"), tlv(0x13, b"a B"))]
    assert names[0] == names[1]
    assert len(set(names)) == 1
    assert names[0] != Name(name_der(tlv(0x0C, b"Ab")))
    assert names[0] != "CN=A  b"
    assert str(names[0]) == "CN=A  b"


def test_an_empty_name_is_empty() -> None:
    name = Name(tlv(0x30))
    assert str(name) == ""
    assert not name
    assert name.to_der() == tlv(0x30)


def test_a_name_that_is_cut_or_followed_by_more_is_malformed() -> None:
    der = name_der(tlv(0x0C, b"example"), tlv(0x13, b"second"))
    for length in range(len(der)):
        with pytest.raises(pyossl.DecodeError):
            Name(der[:length])
    with pytest.raises(pyossl.DecodeError, match="more than a name"):
        Name(der + b"\0")


@pytest.mark.feature("validity as aware datetimes")
@pytest.mark.parametrize(
    ("encoded", "expected"),
    [
        (b"\x17\x0d500101000000Z", (1950, 1, 1)),
        (b"\x17\x0d491231235959Z", (2049, 12, 31, 23, 59, 59)),
        (b"\x18\x0f19491231235959Z", (1949, 12, 31, 23, 59, 59)),
        (b"\x18\x0f00010101000000Z", (1, 1, 1)),
        (b"\x18\x0f20500101000000Z", (2050, 1, 1)),
        (b"\x18\x0f99991231235959Z", (9999, 12, 31, 23, 59, 59)),
        (b"\x17\x0d240229120000Z", (2024, 2, 29, 12)),
    ],
)
def test_every_year_that_a_certificate_can_hold_is_read(encoded: bytes, expected: tuple[int, ...]) -> None:
    assert Certificate.load(bare(not_before=encoded)).not_before == datetime.datetime(*expected, tzinfo=UTC)  # type: ignore[misc]
    assert Certificate.load(bare(not_after=encoded)).not_after == datetime.datetime(*expected, tzinfo=UTC)  # type: ignore[misc]


@pytest.mark.parametrize(
    "encoded",
    [
        b"\x18\x0f00000101000000Z",
        b"\x18\x10100000101000000Z",
        b"\x17\x0d010203040560Z",
        b"\x17\x0d011303040506Z",
        b"\x17\x0d010230040506Z",
        b"\x17\x0dabcdefghijklZ",
        b"\x17\x0d01020304050\0Z",
        b"\x17\x01Z",
        b"\x17\x00",
    ],
    ids=["year 0", "year 10000", "second 60", "month 13", "30 February", "letters", "a NUL", "Z", "nothing"],
)
def test_a_time_that_is_none_is_malformed(encoded: bytes) -> None:
    try:
        certificate = Certificate.load(bare(not_before=encoded))
    except pyossl.DecodeError:
        return  # OpenSSL refuses some when they are loaded
    with pytest.raises(pyossl.DecodeError, match="time"):
        _ = certificate.not_before


@pytest.mark.parametrize(
    ("content", "number"),
    [(b"\x00", 0), (b"\x80", -128), (b"\xff", -1), (b"\x7f" + bytes(39), 0x7F << 312), (b"\x00\x80", 128)],
)
def test_serial_numbers_of_every_size_and_sign_are_read(content: bytes, number: int) -> None:
    assert Certificate.load(bare(serial_number=content)).serial_number == number


@pytest.mark.parametrize(("path_length", "expected"), [(None, None), (0, 0), (3, 3)])
def test_an_authority_says_how_long_a_path_may_be(path_length: int | None, expected: int | None) -> None:
    made = make("a root", ca=True, path_length=path_length)
    certificate = Certificate.load(made.der)
    assert certificate.is_ca
    assert certificate.is_self_signed
    assert certificate.path_length == expected


def test_a_leaf_is_no_authority_and_needs_no_extensions() -> None:
    certificate = Certificate.load(make("a leaf", make("a root", ca=True)).der)
    assert not certificate.is_ca
    assert not certificate.is_self_signed
    assert certificate.extensions == certificate.subject_alt_names == certificate.issuer_alt_names == ()
    assert certificate.path_length is certificate.key_usage is certificate.extended_key_usage is None
    assert certificate.subject_key_identifier is certificate.authority_key_identifier is None


def test_every_key_usage_has_its_flag() -> None:
    """The ninth bit is in a second byte."""
    every = x509.KeyUsage(True, True, True, True, True, True, True, True, True)
    usage = Certificate.load(make("all", extensions=[(every, True)]).der).key_usage
    assert usage is not None
    assert set(KeyUsage) == {flag for flag in KeyUsage if flag in usage}
    assert usage == sum(KeyUsage)


def test_key_identifiers_are_those_that_cryptography_wrote() -> None:
    root = make("a root", ca=True)
    leaf = make(
        "a leaf",
        root,
        extensions=[
            (x509.SubjectKeyIdentifier(b"\x00subject\x00"), False),
            (x509.AuthorityKeyIdentifier(b"issuer\x00", None, None), False),
        ],
    )
    certificate = Certificate.load(leaf.der)
    assert certificate.subject_key_identifier == b"\x00subject\x00"
    assert certificate.authority_key_identifier == b"issuer\x00"


@pytest.mark.parametrize("oid", [BASIC_CONSTRAINTS, KEY_USAGE])
@pytest.mark.parametrize("value", [b"", b"\x30", b"\x05\x00", b"\x30\x84\x7f\xff\xff\xff", b"\xff" * 40])
def test_a_malformed_extension_is_told_and_never_taken_for_none(oid: str, value: bytes) -> None:
    certificate = Certificate.load(make("malformed", extensions=[(raw(oid, value), True)]).der)
    for _ in range(2):  # the second time OpenSSL uses its cache
        for ask in ("is_ca", "path_length" if oid == BASIC_CONSTRAINTS else "key_usage"):
            with pytest.raises(
                pyossl.DecodeError, match="basicConstraints" if oid == BASIC_CONSTRAINTS else "keyUsage"
            ):
                getattr(certificate, ask)


def test_certificates_with_a_malformed_extension_are_compared_and_nothing_stays_in_the_queue() -> None:
    """docs/pitfalls.md, 1: X509_cmp(3) reads the extensions first; conftest.py looks at the queue."""
    der = make("malformed", extensions=[(raw(BASIC_CONSTRAINTS, b"\x05\x00"), True)]).der
    assert Certificate.load(der) == Certificate.load(der)
    assert Certificate.load(der) != Certificate.load(make("another").der)


def test_an_unknown_kind_of_public_key_is_malformed_and_the_rest_is_read(credentials: pyossl.Credentials) -> None:
    der = credentials.certificate.to_der()
    ec_key = bytes.fromhex("06072a8648ce3d0201")
    assert der.count(ec_key) == 1
    certificate = Certificate.load(der.replace(ec_key, bytes.fromhex("06072a8648ce3d7f01")))
    with pytest.raises(pyossl.DecodeError, match="public key"):
        _ = certificate.public_key
    assert certificate.subject == "CN=example.com"
    assert certificate.text


def test_a_signature_is_its_signers_alone() -> None:
    root, other = make("a root", ca=True), make("a root", ca=True)
    leaf = make("a leaf", root)
    ours, theirs = (Certificate.load(each.der).public_key for each in (root, other))
    certificate = Certificate.load(leaf.der)
    assert certificate.is_signed_by(ours)
    assert not certificate.is_signed_by(theirs)
    assert not certificate.is_signed_by(pyossl.PrivateKey.generate("RSA").public_key)
    assert certificate.is_signed_by(pyossl.PrivateKey.load(root.key_pem))
    damaged = Certificate.load(leaf.der[:-1] + bytes([leaf.der[-1] ^ 1]))
    assert not damaged.is_signed_by(ours)


def test_a_private_key_belongs_to_its_certificate_alone() -> None:
    certificate, other = make("one"), make("another")
    ours = Certificate.load(certificate.der)
    assert ours.belongs_to(pyossl.PrivateKey.load(certificate.key_pem))
    assert not ours.belongs_to(pyossl.PrivateKey.load(other.key_pem))
    assert not ours.belongs_to(pyossl.PrivateKey.generate("ED25519"))


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("example.com", True),
        ("EXAMPLE.com.", True),
        ("www.example.org", True),
        ("a.www.example.org", False),
        ("example.org", False),
        ("nul.example", False),
        ("nul.example.evil.example", False),
        ("only.in.the.subject", False),
        ("192.0.2.1", True),
        ("192.0.2.2", False),
        ("2001:db8::1", True),
        ("[2001:DB8:0::1]", True),
    ],
)
def test_a_name_matches_as_a_client_would_have_it(name: str, fits: bool) -> None:
    """docs/pitfalls.md, 17 and 21: the common name is not used, and a NUL does not end a name."""
    names = [b"\x82\x0bexample.com", b"\x82\x0d*.example.org", b"\x82" + bytes([25]) + b"nul.example\0.evil.example"]
    addresses = [b"\x87\x04\xc0\x00\x02\x01", b"\x87\x10" + bytes.fromhex("20010db8000000000000000000000001")]
    extension = raw("2.5.29.17", tlv(0x30, *names, *addresses))
    certificate = Certificate.load(make("only.in.the.subject", extensions=[(extension, False)]).der)
    assert certificate.matches(name) is fits


def test_a_name_that_no_certificate_can_be_for_is_refused(credentials: pyossl.Credentials) -> None:
    for name in ("", "example.com\0", "*.example.com", "a" * 300):
        with pytest.raises(ValueError, match="name"):
            credentials.certificate.matches(name)


@pytest.mark.feature("email address as reference name")
def test_an_email_address_matches_the_alternative_names_only() -> None:
    extension = x509.SubjectAlternativeName([x509.RFC822Name("someone@example.com")])
    certificate = Certificate.load(make(common_name("other@example.com"), extensions=[(extension, False)]).der)
    assert certificate.matches_email("someone@example.com")
    assert not certificate.matches_email("other@example.com")
    with pytest.raises(ValueError, match="NUL"):
        certificate.matches_email("someone@example.com\0.example")


def test_der_may_hold_one_certificate_after_the_other(credentials: pyossl.Credentials) -> None:
    one, two = credentials.certificate, Certificate.load(make("two").der)
    assert pyossl.load_certificates(one.to_der() + two.to_der()) == [one, two]
    with pytest.raises(pyossl.DecodeError):
        pyossl.load_certificates(one.to_der() + b"\0")
    for cut in range(1, len(two.to_der())):
        with pytest.raises(pyossl.DecodeError):
            pyossl.load_certificates(one.to_der() + two.to_der()[:-cut])


def test_a_length_that_is_absurd_is_refused_at_once() -> None:
    """No memory is allocated for an announced length of 2 GiB or more."""
    for head in ("3084ffffffff", "30847fffffff", "3088ffffffffffffffff", "3080", "30ff", "3085ffffffffff"):
        with pytest.raises(pyossl.DecodeError):
            Certificate.load(bytes.fromhex(head) + bytes(100))


def test_a_certificate_of_trustmes_is_read() -> None:
    import trustme

    issued = trustme.CA().issue_cert("localhost", "192.0.2.7")
    certificate = Certificate.load(issued.cert_chain_pems[0].bytes())
    assert certificate.matches("localhost")
    assert certificate.matches("192.0.2.7")
    assert certificate.belongs_to(pyossl.PrivateKey.load(issued.private_key_pem.bytes()))


def test_dates_that_no_certificate_can_hold_are_refused(authority: pyossl.Authority) -> None:
    far = datetime.datetime.max.replace(tzinfo=datetime.timezone(-datetime.timedelta(hours=5)))
    with pytest.raises(ValueError, match="no certificate can hold"):
        authority.issue("example.com", not_after=far)
    naive = datetime.datetime(2030, 1, 1)
    with pytest.raises(ValueError, match="time zone"):
        authority.issue("example.com", not_after=naive)
    early = datetime.datetime(1, 1, 1, tzinfo=UTC)
    issued = authority.issue("example.com", not_before=early, not_after=NOW)
    assert issued.certificate.not_before == early
