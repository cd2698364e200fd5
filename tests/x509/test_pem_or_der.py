"""DER that quotes PEM is read as DER, and PEM after any text is read as PEM."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from hypothesis import given, strategies as st
from pairs import shake_hands
from x509.certificate_making import NOW, Made, make, openssl, raw, revoke, tlv

import pyossl
from pyossl import CRL, PKCS12, Certificate, PrivateKey, PublicKey, Session, Store, load_certificates, load_uri
from pyossl.pyopenssl import SSL, crypto
from pyossl.x509.pem_and_der import element_end, is_pem, pem_text

COMMENT = "2.16.840.1.113730.1.13"
QUOTED = make("the quoted one", ca=True)
KEY = PrivateKey.generate()


def quoting(pem: bytes) -> Made:
    """A certificate with a comment in which PEM is on a line of its own."""
    return make("the outer one", ca=True, extensions=[(raw(COMMENT, tlv(0x16, b"\n" + pem)), False)])


OUTER = quoting(QUOTED.pem)


def as_file(load: Callable[[Path], Any]) -> Callable[[bytes, Path], Any]:
    def loaded(data: bytes, path: Path) -> Any:
        path.write_bytes(data)
        return load(path)

    return loaded


def pickled(der: bytes, _: Path) -> Certificate:
    loaded = pickle.loads(pickle.dumps(Certificate.load(der)))
    assert isinstance(loaded, Certificate)
    return loaded


CERTIFICATE_LOADERS: dict[str, Callable[[bytes, Path], Any]] = {
    "Certificate.load": lambda der, _: Certificate.load(der),
    "Certificate.load of a file": as_file(Certificate.load),
    "load_certificates": lambda der, _: load_certificates(der)[0],
    "Store.of": lambda der, _: Store.of(der).certificates[0],
    "Store.of a file": as_file(lambda path: Store.of(path).certificates[0]),
    "pickle": pickled,
    "from_cryptography": lambda der, _: Certificate.from_cryptography(x509.load_der_x509_certificate(der)),
    "load_uri": as_file(lambda path: load_uri(str(path))[0]),
    "the face": lambda der, _: crypto.load_certificate(crypto.FILETYPE_ASN1, der)._certificate,
    "the face's from_cryptography": lambda der, _: (
        crypto.X509.from_cryptography(x509.load_der_x509_certificate(der))._certificate
    ),
}


@pytest.mark.parametrize("how", CERTIFICATE_LOADERS)
def test_a_certificate_in_der_that_quotes_pem_is_read_as_itself(how: str, tmp_path: Path) -> None:
    """docs/pitfalls.md, 35."""
    loaded = CERTIFICATE_LOADERS[how](OUTER.der, tmp_path / "certificate.der")
    assert loaded.fingerprint() == hashlib.sha256(OUTER.der).digest()


def test_one_that_is_not_read_as_der_is_not_read_as_what_it_quotes(tmp_path: Path) -> None:
    path = tmp_path / "certificate.der"
    other = OUTER.der.replace(b"\x06\x03\x55\x04\x03", b"\x1f\x03\x55\x04\x03")  # no attribute has such a type
    for der in (OUTER.der[:-1], OUTER.der[:40] + OUTER.der, OUTER.der[1:], other, b"\0" + OUTER.der):
        path.write_bytes(der)
        for load in (lambda der: Certificate.load(der), lambda _: load_uri(str(path)), Store.of):
            with pytest.raises(pyossl.DecodeError):
                load(der)
        with pytest.raises(crypto.Error):
            crypto.load_certificate(crypto.FILETYPE_PEM, der)


def test_der_is_no_pem_to_the_face() -> None:
    private = KEY.to_der()
    for load, der in (
        (crypto.load_certificate, OUTER.der),
        (crypto.load_privatekey, private),
        (crypto.load_publickey, KEY.public_key.to_der()),
    ):
        with pytest.raises(crypto.Error, match="no start line"):
            load(crypto.FILETYPE_PEM, der)


def test_pem_is_no_der_to_the_face() -> None:
    for load, pem in (
        (crypto.load_certificate, QUOTED.pem),
        (crypto.load_privatekey, KEY.to_pem()),
        (crypto.load_publickey, KEY.public_key.to_pem()),
    ):
        with pytest.raises(crypto.Error):
            load(crypto.FILETYPE_ASN1, pem)


def crl_quoting(pem: bytes) -> bytes:
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(QUOTED.certificate.subject)
        .last_update(NOW)
        .next_update(NOW)
        .add_extension(raw(COMMENT, tlv(0x16, b"\n" + pem)), False)
    )
    return builder.sign(QUOTED.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def test_a_crl_in_der_that_quotes_pem_is_read_as_itself(tmp_path: Path) -> None:
    der = crl_quoting(revoke(QUOTED, {1: None}).public_bytes(serialization.Encoding.PEM))
    path = tmp_path / "crl.der"
    path.write_bytes(der)
    loaded = [CRL.load(der), CRL.load(path), *load_uri(str(path), kind=CRL)]
    loaded.append(CRL.from_cryptography(x509.load_der_x509_crl(der)))
    assert {crl.fingerprint() for crl in loaded} == {hashlib.sha256(der).digest()}


def test_a_private_key_in_der_that_quotes_pem_is_read_as_itself(tmp_path: Path) -> None:
    """In RFC 5208 a key may have attributes, for example a friendly name."""
    other = PrivateKey.generate().to_pem()
    name = bytes.fromhex("06092a864886f70d010914")
    attribute = tlv(0xA0, tlv(0x30, name, tlv(0x31, tlv(0x04, b"\n" + other))))
    body = KEY.to_der()
    inner = body[3:] if body[1] & 0x80 else body[2:]
    der = tlv(0x30, inner, attribute)
    path = tmp_path / "key.der"
    path.write_bytes(der)
    assert PrivateKey.load(der) == PrivateKey.load(path) == KEY
    assert load_uri(str(path)) == [KEY]
    assert crypto.load_privatekey(crypto.FILETYPE_ASN1, der)._key == KEY


def test_a_session_in_der_that_quotes_pem_is_read_as_itself(credentials: pyossl.Credentials) -> None:
    context = pyossl.Context.server(credentials.certificate, credentials.private_key)
    context.session_id_context = b"\n-----BEGIN CERTIFICATE-----\n"
    client = pyossl.Connection(pyossl.Context.client(verify=False), "example.com")
    server = pyossl.Connection(context)
    shake_hands(client, server)
    assert server.session is not None
    der = server.session.to_der()
    assert b"\n-----BEGIN " in der
    assert Session.load(der, context).to_der() == der
    with pytest.raises(pyossl.DecodeError, match="more than a session"):
        Session.load(der + b"\n" + QUOTED.pem, context)


DH = b"""-----BEGIN DH PARAMETERS-----
MIIBCAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEoXJf//////////wIBAg==
-----END DH PARAMETERS-----
"""


def test_diffie_hellman_parameters_are_not_taken_out_of_der(tmp_path: Path) -> None:
    path = tmp_path / "parameters"
    context = SSL.Context(SSL.TLS_METHOD)
    path.write_bytes(b"DH\r\n" + DH)
    context.load_tmp_dh(path)
    path.write_bytes(quoting(DH).der)
    with pytest.raises(SSL.Error):
        context.load_tmp_dh(path)


FACE_FILES: dict[str, Callable[[SSL.Context, bytes], Any]] = {
    "load_verify_locations": lambda context, path: context.load_verify_locations(path),
    "X509Store.load_locations": lambda _, path: crypto.X509Store().load_locations(path),
    "load_client_ca": lambda context, path: context.load_client_ca(path),
    "use_certificate_file": lambda context, path: context.use_certificate_file(path),
    "use_certificate_chain_file": lambda context, path: context.use_certificate_chain_file(path),
}


@pytest.mark.parametrize("how", FACE_FILES)
def test_a_file_that_the_face_takes_for_pem_is_not_der_that_quotes_it(how: str, tmp_path: Path) -> None:
    path = tmp_path / "certificates"
    path.write_bytes(OUTER.der)
    with pytest.raises((SSL.Error, crypto.Error)):
        FACE_FILES[how](SSL.Context(SSL.TLS_METHOD), bytes(path))
    path.write_bytes(b"0 s:CN = x\n" + OUTER.pem)
    FACE_FILES[how](SSL.Context(SSL.TLS_METHOD), bytes(path))


TEXTS = {
    "nothing": b"",
    "what pkcs12(1) writes": b"Bag Attributes\n    friendlyName: Z\xc3\xbcrich\nsubject=CN = x\n",
    "what s_client(1) writes": b"0 s:CN = example.com\n   i:CN = an issuer\n",
    "the same without a name": b"0 s:\n",
    "a digit alone": b"0\n",
    "digits as long as they say": b"0" * 50 + b"\n",
    "Latin-1": b"0\x81 caf\xe9\n",
    "another one": b"0\x80 caf\xe9\n",
    "a byte order mark": b"\xef\xbb\xbf",
    "one before text": b"\xef\xbb\xbftext\r\n",
    "blank lines": b"\n \t\r\n\x0c\n",
    "a terminal's colours": b"\x1b[1mbold\x1b[0m\n",
    "PEM that is none": b"    -----BEGIN CERTIFICATE-----\nnot -----BEGIN CERTIFICATE-----\n",
}


@pytest.mark.parametrize("ending", [b"\n", b"\r\n"])
@pytest.mark.parametrize("before", TEXTS)
def test_text_before_pem_changes_nothing(before: str, ending: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file.pem"

    def after(pem: bytes) -> bytes:
        data = TEXTS[before] + pem.replace(b"\n", ending)
        path.write_bytes(data)
        return data

    one, two = Certificate.load(QUOTED.pem), Certificate.load(OUTER.pem)
    assert load_certificates(after(QUOTED.pem + b"0 more\n" + OUTER.pem)) == [one, two]
    assert load_uri(str(path)) == [one, two]
    assert crypto.load_certificate(crypto.FILETYPE_PEM, path.read_bytes())._certificate == one
    assert PrivateKey.load(after(KEY.to_pem())) == KEY
    assert load_uri(str(path)) == [KEY]
    assert PrivateKey.load(after(KEY.to_pem("password")), "password") == KEY
    assert PublicKey.load(after(KEY.public_key.to_pem())) == KEY.public_key


def test_what_the_openssl_program_prints_before_pem_changes_nothing() -> None:
    data = openssl("x509", "-text", input=QUOTED.pem)
    assert not data.startswith(b"-----BEGIN")
    assert Certificate.load(data).fingerprint() == hashlib.sha256(QUOTED.der).digest()


def test_pem_begins_at_the_beginning_of_a_line() -> None:
    for data in (b" " + QUOTED.pem, b"text " + QUOTED.pem, b"\t" + QUOTED.pem, QUOTED.pem[1:]):
        assert not is_pem(data)
        with pytest.raises(pyossl.DecodeError):
            Certificate.load(data)


@pytest.mark.parametrize("place", ["before", "between", "behind"])
def test_pem_in_the_middle_of_a_long_line_is_none(place: str, tmp_path: Path) -> None:
    """OpenSSL reads a line in pieces of 254 characters; a URI in a certificate's text may be as long."""
    first, second, evil = (make(name, ca=True).pem for name in ("the first", "the second", "evil"))
    long_line = b"#" * 254 + evil
    texts = {
        "before": (long_line, first, second),
        "between": (first, long_line, second),
        "behind": (first, second, long_line),
    }
    bundle = b"".join(texts[place])
    path = tmp_path / "bundle.pem"
    path.write_bytes(bundle)
    expected = ["CN=the first", "CN=the second"]
    for source in (bundle, path):
        assert [each.subject for each in load_certificates(source)] == expected
        assert sorted(each.subject for each in Store.of(source).certificates) == expected
    assert [each.subject for each in load_uri(str(path), kind=Certificate)] == expected


def test_der_certificates_stand_one_after_the_other(tmp_path: Path) -> None:
    one, two = Certificate.load(QUOTED.der), Certificate.load(OUTER.der)
    both = OUTER.der + QUOTED.der
    assert load_certificates(both) == [two, one]
    assert Certificate.load(both) == two
    path = tmp_path / "both.der"
    path.write_bytes(both)
    assert load_uri(str(path)) == [two, one]
    for wrong in (both + b"\n", both + QUOTED.pem, OUTER.der + b"\n" + QUOTED.pem):
        with pytest.raises(pyossl.DecodeError):
            load_certificates(wrong)
        path.write_bytes(wrong)
        with pytest.raises(pyossl.DecodeError):
            load_uri(str(path))


@pytest.mark.parametrize("behind", [b"\0", b"\n", b"0", KEY.to_der(), KEY.to_pem(), b"\n" + KEY.to_pem()])
def test_nothing_stands_behind_one_thing_in_der(behind: bytes, credentials: pyossl.Credentials) -> None:
    bundle = PKCS12(credentials.private_key, credentials.certificate).to_der("password")
    private, locked, public = KEY.to_der(), KEY.to_der("password"), KEY.public_key.to_der()
    loads: list[Callable[[], Any]] = [
        lambda: PrivateKey.load(private + behind),
        lambda: PrivateKey.load(locked + behind, "password"),
        lambda: PublicKey.load(public + behind),
        lambda: PKCS12.load(bundle + behind, "password"),
        lambda: Certificate._from_der(QUOTED.der + behind),
    ]
    for load in loads:
        with pytest.raises(pyossl.DecodeError, match=f"{len(behind)} bytes follow it") as caught:
            load()
        assert not isinstance(caught.value, pyossl.PasswordError)


TEXT = st.binary(max_size=300).map(lambda data: bytes(byte for byte in data if byte >= 0x20 or byte in b"\t\n\r"))


@given(TEXT)
def test_whatever_text_stands_before_pem_it_is_found(text: bytes) -> None:
    block = KEY.public_key.to_pem()
    found = pem_text(text + b"\n" + block)
    assert found.endswith(block)
    assert found.startswith(b"-----BEGIN ")


QUOTES = st.sampled_from([QUOTED.pem, b"\n" + QUOTED.pem, b"\r\n-----BEGIN X-----\r\n", b"\n-----BEGIN "])


@given(st.text(st.characters(codec="utf-8"), max_size=30), QUOTES)
def test_whatever_der_quotes_it_is_no_pem(text: str, quote: bytes) -> None:
    value = text.encode() + b"\n" + quote
    names = tlv(0x30, tlv(0x31, tlv(0x30, b"\x06\x03\x55\x04\x03", tlv(0x0C, value))))
    algorithm = tlv(0x30, bytes.fromhex("06082a8648ce3d040302"))
    numbers = tlv(0x02, b"\x01")
    for der in (
        tlv(0x30, tlv(0x30, tlv(0xA0, tlv(0x02, b"\x02")), numbers, algorithm, names)),
        tlv(0x30, tlv(0x30, numbers, algorithm, names)),  # version 1
        tlv(0x30, tlv(0x30, algorithm, names)),  # a CRL's
        tlv(0x30, numbers, names),
        tlv(0x30, algorithm, value),
        b"\x30\x80" + tlv(0x30, numbers, names) + b"\0\0",
        b"\x3f\x10" + tlv(0x30, numbers, names)[1:],
        b"\x30\x88" + bytes(4) + (len(names) + 3).to_bytes(4, "big") + numbers + names,
    ):
        assert not is_pem(der)


@given(st.binary(max_size=60), st.binary(max_size=10))
def test_an_element_ends_where_it_says(content: bytes, behind: bytes) -> None:
    der = tlv(0x30, content)
    assert element_end(der + behind) == len(der)
    assert element_end(b"junk" + der + behind, 4) == 4 + len(der)
    endless = b"\x30\x80" + tlv(0x04, content) + b"\0\0"
    assert element_end(endless + behind) == len(endless)
    assert element_end(b"\xbf\x81\x01\x80" + endless + b"\0\0" + behind) == len(endless) + 6
    for cut in (der[:-1], endless[:-1]):
        assert element_end(cut) is None or not content


@given(st.binary(max_size=60))
def test_an_element_in_any_bytes_ends_within_them_or_nowhere(data: bytes) -> None:
    end = element_end(data)
    assert end is None or 0 < end <= len(data)
