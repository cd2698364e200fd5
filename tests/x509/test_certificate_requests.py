"""Certificate requests, compared with the package cryptography and the openssl program."""

from __future__ import annotations

import contextlib
import copy
import ipaddress
import pickle
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from x509.certificate_making import BASIC_CONSTRAINTS, SUBJECT_ALT_NAME, common_name, openssl, raw, tlv

import pyossl
from pyossl import (
    CertificateRequest,
    CertificateRequestBuilder,
    DecodeError,
    Extension,
    GeneralNameType,
    Name,
    PrivateKey,
    lib,
)

NAMES = ("example.com", "*.example.org", "127.0.0.1", "::1", "someone@example.com")
MUST_STAPLE = Extension("1.3.6.1.5.5.7.1.24", bytes.fromhex("3003020105"))


@pytest.fixture(scope="module")
def key() -> PrivateKey:
    return PrivateKey.generate()


@pytest.fixture(scope="module")
def request_(key: PrivateKey) -> CertificateRequest:
    return CertificateRequest.create(*NAMES, private_key=key, subject=Name.of(C="AT", O="Example", CN="example.com"))


def by_cryptography(*extensions: tuple[x509.ExtensionType, bool]) -> tuple[bytes, bytes]:
    """A request in DER with these extensions, and its key in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateSigningRequestBuilder().subject_name(common_name("their name"))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    request = builder.sign(key, hashes.SHA256())
    form = serialization.PrivateFormat.PKCS8
    pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    return request.public_bytes(serialization.Encoding.DER), pem


@pytest.mark.feature("certificate requests (CSR)")
def test_the_openssl_program_verifies_a_request_and_reads_the_same_from_it(
    request_: CertificateRequest, key: PrivateKey
) -> None:
    """openssl-req(1)"""
    assert CertificateRequest.load(openssl("req", "-verify", input=request_.to_pem())) == request_
    assert openssl("req", "-outform", "DER", input=request_.to_pem()) == request_.to_der()
    assert openssl("req", "-noout", "-subject", "-nameopt", "RFC2253", input=request_.to_pem()).decode().split("=", 1)[
        1
    ].strip() == str(request_.subject)
    assert openssl("req", "-noout", "-pubkey", input=request_.to_pem()) == key.public_key.to_pem()
    printed = openssl("req", "-noout", "-text", input=request_.to_pem()).decode()
    assert "DNS:example.com, DNS:*.example.org, IP Address:127.0.0.1" in printed
    assert "Signature Algorithm: ecdsa-with-SHA256" in printed
    assert "DNS:example.com" in request_.text


@pytest.mark.feature("certificate requests (CSR)")
def test_a_request_of_the_openssl_program_is_read_and_verified(tmp_path: Path) -> None:
    (tmp_path / "openssl.cnf").write_text(
        "[req]\nprompt = no\ndistinguished_name = dn\nreq_extensions = ext\n[dn]\nCN = their name\nO = Theirs\n"
        "[ext]\nsubjectAltName = DNS:a.example, IP:192.0.2.1, email:a@b.example, URI:https://c.example\n"
        "keyUsage = critical, digitalSignature\n"
    )
    key, file = str(tmp_path / "key.pem"), str(tmp_path / "request.pem")
    new = ["req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-config", str(tmp_path / "openssl.cnf")]
    openssl(*new, "-out", file)
    request = CertificateRequest.load(file)
    assert request.is_signature_valid
    assert request.belongs_to(PrivateKey.load(key))
    assert request.subject == "O=Theirs,CN=their name"
    assert request.names == ("a.example", "192.0.2.1", "a@b.example")
    assert [each.type.name for each in request.subject_alt_names] == ["DNS", "IPADD", "EMAIL", "URI"]
    assert [(each.name, each.critical) for each in request.extensions] == [
        ("subjectAltName", False),
        ("keyUsage", True),
    ]
    assert (request.version, request.public_key.type, request.public_key.bits) == (1, "RSA", 2048)
    assert request.signature_algorithm == "sha256WithRSAEncryption"
    assert len(request.signature) == 256
    assert request.malformed_extensions == ()


def test_cryptography_reads_ours_and_we_read_theirs(request_: CertificateRequest) -> None:
    theirs = request_.to_cryptography()
    assert theirs.is_signature_valid
    assert theirs.subject.rfc4514_string() == request_.subject
    names = theirs.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["example.com", "*.example.org"]
    assert names.get_values_for_type(x509.IPAddress)[1] == ipaddress.ip_address("::1")
    assert CertificateRequest.from_cryptography(theirs) == request_
    with pytest.raises(TypeError, match="certificate request"):
        CertificateRequest.from_cryptography(b"a request")


def test_a_request_survives_pem_der_pickle_and_copy(request_: CertificateRequest, tmp_path: Path) -> None:
    (tmp_path / "request.pem").write_bytes(b"text before\n" + request_.to_pem())
    old = request_.to_pem().replace(b" CERTIFICATE REQ", b" NEW CERTIFICATE REQ")
    sources: list[Any] = [request_.to_pem(), request_.to_der(), tmp_path / "request.pem", old]
    for each in (*map(CertificateRequest.load, sources), pickle.loads(pickle.dumps(request_)), copy.copy(request_)):
        assert each == request_
        assert hash(each) == hash(request_)
    assert request_ != CertificateRequest.create("example.com", private_key=PrivateKey.generate())
    assert request_ != "a request"
    assert repr(request_) == "<CertificateRequest 'CN=example.com,O=Example,C=AT'>"


def test_the_fingerprint_is_the_digest_of_the_der(request_: CertificateRequest) -> None:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(request_.to_der())
    assert request_.fingerprint() == digest.finalize()
    with pytest.raises(ValueError, match="no digest 'sha0'"):
        request_.fingerprint("sha0")


@pytest.mark.parametrize(
    ("type", "options"), [("EC", {"group": "P-384"}), ("RSA", {"bits": 2048}), ("ED25519", {}), ("ML-DSA-44", {})]
)
def test_a_key_of_every_type_signs_its_request(type: str, options: dict[str, Any]) -> None:
    try:
        key = PrivateKey.generate(type, **options)
    except pyossl.UnsupportedError:
        assert not pyossl.features.post_quantum
        return
    request = CertificateRequest.create("example.com", private_key=key)
    assert request.is_signature_valid
    assert request.belongs_to(key)
    assert request.public_key == key.public_key
    openssl("req", "-verify", "-noout", input=request.to_pem())


def test_a_digest_is_chosen_by_name(key: PrivateKey) -> None:
    request = CertificateRequest.create("example.com", private_key=key, digest="sha384")
    assert request.signature_algorithm == "ecdsa-with-SHA384"
    with pytest.raises(ValueError, match="no digest 'sha0'"):
        CertificateRequest.create("example.com", private_key=key, digest="sha0")


def test_a_key_that_cannot_sign_is_refused() -> None:
    with pytest.raises(pyossl.Error, match="X25519"):
        CertificateRequest.create("example.com", private_key=PrivateKey.generate("X25519"))


def test_a_request_without_a_subject_and_one_without_names(key: PrivateKey) -> None:
    nameless = CertificateRequest.create("example.com", private_key=key)
    assert (nameless.subject, nameless.names) == ("", ("example.com",))
    assert "Subject:" in openssl("req", "-verify", "-noout", "-text", input=nameless.to_pem()).decode()
    only = CertificateRequest.create(private_key=key, subject=Name.of(CN="only a subject"))
    assert (only.subject, only.names, only.extensions) == ("CN=only a subject", (), ())
    assert (only.subject_alt_names, only.malformed_extensions) == ((), ())
    assert only.is_signature_valid
    with pytest.raises(ValueError, match="at least one name"):
        CertificateRequest.create(private_key=key)


@pytest.mark.feature("certificate requests (CSR)")
def test_a_builder_adds_names_and_extensions(key: PrivateKey) -> None:
    builder = CertificateRequestBuilder()
    builder.set_subject_name(Name.of(CN="example.com"))
    builder.add_names("example.com")
    builder.add_names("www.example.com")
    builder.add_extension(MUST_STAPLE)
    request = builder.sign(key)
    assert request.names == ("example.com", "www.example.com")
    assert request.extensions[1:] == (MUST_STAPLE,)
    other = PrivateKey.generate("ED25519")
    assert builder.sign(other).belongs_to(other)
    assert request.belongs_to(key)


def test_an_extension_is_only_once_in_a_request(key: PrivateKey) -> None:
    names = Extension("subjectAltName", bytes.fromhex("3009820761 2e6c6f63616c".replace(" ", "")))
    builder = CertificateRequestBuilder()
    builder.add_names("a.local")
    with pytest.raises(ValueError, match="has the extension subjectAltName already"):
        builder.add_extension(names)
    builder = CertificateRequestBuilder()
    builder.add_extension(names)
    with pytest.raises(ValueError, match="has the extension subjectAltName already"):
        builder.add_names("a.local")
    with pytest.raises(ValueError, match="already"):
        builder.add_extension(names)
    assert builder.sign(key).names == ("a.local",)


@pytest.mark.parametrize("name", ["", "a b", "nul\x00.example", "x" * 64, "*", "@example.com", "a\0@example.com"])
def test_a_request_is_for_names_that_can_be(key: PrivateKey, name: str) -> None:
    with pytest.raises(ValueError, match=r"name|address"):
        CertificateRequest.create("example.com", name, private_key=key)
    with pytest.raises(ValueError, match=r"name|address"):
        CertificateRequestBuilder().add_names(name)


def test_what_is_of_the_wrong_type_is_refused(key: PrivateKey, request_: CertificateRequest) -> None:
    wrong: Any = "wrong"
    builder = CertificateRequestBuilder()
    for call in (
        lambda: CertificateRequest.create("a", private_key=wrong),
        lambda: CertificateRequest.create("a", private_key=key.public_key),  # type: ignore[arg-type]
        lambda: CertificateRequest.create("a", private_key=key, subject=wrong),
        lambda: CertificateRequest.create("a", private_key=key, digest=5),  # type: ignore[arg-type]
        lambda: CertificateRequest.create(5, private_key=key),  # type: ignore[arg-type]
        lambda: CertificateRequest(wrong),
        lambda: CertificateRequest.load(5),  # type: ignore[arg-type]
        lambda: request_.belongs_to(wrong),
        lambda: builder.set_subject_name(wrong),
        lambda: builder.add_extension(wrong),
        lambda: builder.sign(wrong),
    ):
        with pytest.raises(TypeError):
            call()


@pytest.mark.parametrize("form", ["DER", "PEM"])
def test_one_that_is_cut_at_any_length_is_refused(request_: CertificateRequest, form: str) -> None:
    whole = request_.to_der() if form == "DER" else request_.to_pem().rstrip(b"-\n")
    for length in range(len(whole)):
        with pytest.raises(DecodeError):
            CertificateRequest.load(whole[:length])


def test_one_with_any_byte_changed_is_refused_or_has_an_invalid_signature(request_: CertificateRequest) -> None:
    whole = request_.to_der()
    for at in range(len(whole)):
        changed = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
        try:
            read = CertificateRequest.load(changed)
        except DecodeError:
            continue
        assert not read.is_signature_valid, at
        for name in ("subject", "names", "extensions", "malformed_extensions", "public_key", "version", "text"):
            with contextlib.suppress(DecodeError):
                getattr(read, name)


def test_a_signature_of_another_key_is_not_valid(key: PrivateKey) -> None:
    """The signed part of one request with the signature of another."""
    first, second = (
        CertificateRequest.create("a.example", private_key=each).to_der() for each in (key, PrivateKey.generate())
    )

    def parts(der: bytes) -> tuple[bytes, bytes]:
        body = der[4:] if der[1] & 0x80 == 0x80 and der[1] == 0x82 else der[3:]
        size = 3 + body[2] if body[1] == 0x81 else 4 + int.from_bytes(body[2:4], "big")
        return body[:size], body[size:]

    mixed = CertificateRequest.load(tlv(0x30, parts(first)[0], parts(second)[1]))
    assert mixed.names == ("a.example",)
    assert not mixed.is_signature_valid
    assert CertificateRequest.load(tlv(0x30, *parts(first))).is_signature_valid


@pytest.mark.parametrize("what", ["certificate", "key", "CRL", "text", "empty", "a request and more"])
def test_other_data_is_refused(request_: CertificateRequest, key: PrivateKey, what: str) -> None:
    ca = pyossl.Authority()
    data = {
        "certificate": ca.certificate.to_pem(),
        "key": key.to_pem(),
        "CRL": ca.crl().to_der(),
        "text": b"no request",
        "empty": b"",
        "a request and more": request_.to_der() + b"more",
    }[what]
    with pytest.raises(DecodeError, match="certificate request"):
        CertificateRequest.load(data)


def test_a_certificate_in_pem_is_not_taken_for_a_request(request_: CertificateRequest) -> None:
    both = pyossl.Authority().certificate.to_pem() + request_.to_pem()
    assert CertificateRequest.load(both) == request_


def test_malformed_and_repeated_extensions_are_named() -> None:
    der, _ = by_cryptography((raw(SUBJECT_ALT_NAME, b"\x04\x01a"), False), (raw(BASIC_CONSTRAINTS, b"\x30\x00"), True))
    request = CertificateRequest.load(der)
    assert request.malformed_extensions == ("subjectAltName",)
    assert [each.critical for each in request.extensions] == [False, True]
    with pytest.raises(DecodeError, match="subjectAltName"):
        _ = request.subject_alt_names
    with pytest.raises(DecodeError, match="subjectAltName"):
        _ = request.names


def test_an_ip_address_of_a_wrong_length_is_refused() -> None:
    der, _ = by_cryptography((raw(SUBJECT_ALT_NAME, tlv(0x30, tlv(0x87, b"abc"))), False))
    request = CertificateRequest.load(der)
    assert request.subject_alt_names[0].type is GeneralNameType.IPADD
    with pytest.raises(DecodeError, match="IP address of 3 bytes"):
        _ = request.names


EXTENSION_REQUEST = bytes.fromhex("06092a864886f70d01090e")
MICROSOFT_EXTENSION_REQUEST = bytes.fromhex("060a2b0601040182370 20 10e".replace(" ", ""))


def with_attributes(key: PrivateKey, *attributes: bytes) -> CertificateRequest:
    """A request with these attributes, which has no valid signature."""
    public = key.public_der()
    information = tlv(0x30, b"\x02\x01\x00", tlv(0x30), public, tlv(0xA0, *attributes))
    algorithm = bytes.fromhex("300a06082a8648ce3d040302")
    return CertificateRequest.load(tlv(0x30, information, algorithm, tlv(0x03, b"\0", bytes(8))))


def test_two_lists_of_extensions_are_refused(key: PrivateKey) -> None:
    """OpenSSL reads the first one, other programs may read the other."""
    value = tlv(0x30, tlv(0x30, bytes.fromhex("0603551d11"), tlv(0x04, tlv(0x30, tlv(0x82, b"a.example")))))
    attribute = tlv(0x30, EXTENSION_REQUEST, tlv(0x31, value))
    microsoft = tlv(0x30, MICROSOFT_EXTENSION_REQUEST, tlv(0x31, value))
    assert with_attributes(key, attribute).names == ("a.example",)
    assert with_attributes(key, microsoft).names == ("a.example",)
    for two in ((attribute, attribute), (attribute, microsoft)):
        with pytest.raises(DecodeError, match="more than one list"):
            _ = with_attributes(key, *two).names
    both_in_one = tlv(0x30, EXTENSION_REQUEST, tlv(0x31, value, value))
    with pytest.raises(DecodeError, match="more than one list"):
        _ = with_attributes(key, both_in_one).names


def test_a_repeated_extension_is_named(key: PrivateKey) -> None:
    usage = tlv(0x30, bytes.fromhex("0603551d0f"), tlv(0x04, bytes.fromhex("03020780")))
    request = with_attributes(key, tlv(0x30, EXTENSION_REQUEST, tlv(0x31, tlv(0x30, usage, usage))))
    assert request.malformed_extensions == ("keyUsage",)


def test_a_malformed_list_of_extensions_is_not_an_empty_one(key: PrivateKey) -> None:
    """docs/pitfalls.md, 56."""
    for value in (b"\x04\x01a", tlv(0x30, b"\x04\x01a")):
        request = with_attributes(key, tlv(0x30, EXTENSION_REQUEST, tlv(0x31, value)))
        for name in ("extensions", "names", "subject_alt_names", "malformed_extensions"):
            with pytest.raises(DecodeError, match="extensions"):
                getattr(request, name)


def test_a_key_that_openssl_cannot_read_is_refused(key: PrivateKey) -> None:
    der = CertificateRequest.create("a.example", private_key=key).to_der()
    broken = CertificateRequest.load(
        der.replace(bytes.fromhex("06072a8648ce3d0201"), bytes.fromhex("06072a8648ce3d0209"))
    )
    assert not broken.is_signature_valid
    with pytest.raises(DecodeError, match="public key"):
        _ = broken.public_key
    with pytest.raises(DecodeError, match="public key"):
        broken.belongs_to(key)


def test_a_name_is_made_of_its_attributes() -> None:
    name = Name.of(("DC", "com"), ("DC", "example"), ("2.5.4.10", "Bücher"), CN="a, b", C="AT")
    assert str(name) == "C=AT,CN=a\\, b,O=Bücher,DC=example,DC=com"
    assert [each.rdn for each in name] == [0, 1, 2, 3, 4]
    assert len(Name.of()) == 0
    for wrong in ({"C": "AUT"}, {"nonsense": "a"}, {"CN": "x" * 65}, {"CN": ""}):
        with pytest.raises(ValueError, match=r"cannot be|neither"):
            Name.of(**wrong)
    for odd in (("CN",), "CN", 5, ("CN", b"a"), (5, "a")):
        with pytest.raises(TypeError):
            Name.of(odd)  # type: ignore[arg-type]


def test_nothing_is_left_in_the_error_queue(request_: CertificateRequest) -> None:
    assert not CertificateRequest.load(request_.to_der()[:-4] + bytes(4)).is_signature_valid
    assert lib.ERR_peek_error() == 0
