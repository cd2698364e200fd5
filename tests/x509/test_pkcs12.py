"""PKCS#12 files, compared with the openssl program and the package cryptography."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import pkcs12 as theirs
from x509.certificate_making import Made, make, openssl

import pyossl
from pyossl import PKCS12, Certificate, PrivateKey, lib

PASSWORD = "pässword"
MODERN = ["-keypbe", "AES-256-CBC", "-certpbe", "AES-256-CBC", "-macalg", "sha256"]


@pytest.fixture(scope="module")
def chain() -> tuple[Made, Made, Made]:
    """A leaf, an intermediate and a root."""
    root = make("the root", ca=True)
    between = make("between", root, ca=True)
    return make("the leaf", between), between, root


@pytest.fixture
def exported(chain: tuple[Made, Made, Made], tmp_path: Path) -> bytes:
    """A PKCS#12 of the chain, written by the openssl program."""
    return export(chain, tmp_path, *MODERN, "-name", "a friend")


def export(chain: tuple[Made, Made, Made], folder: Path, *options: str, password: str = PASSWORD) -> bytes:
    (folder / "key.pem").write_bytes(chain[0].key_pem)
    (folder / "chain.pem").write_bytes(chain[1].pem + chain[2].pem)
    (folder / "leaf.pem").write_bytes(chain[0].pem)
    files = ["-inkey", str(folder / "key.pem"), "-certfile", str(folder / "chain.pem"), "-in", str(folder / "leaf.pem")]
    return openssl("pkcs12", "-export", *options, *files, "-passout", f"pass:{password}")


@pytest.mark.feature("PKCS#12")
@pytest.mark.parametrize("password", [PASSWORD, PASSWORD.encode(), lambda: PASSWORD], ids=["str", "bytes", "function"])
def test_a_file_of_openssl_s_is_read(
    exported: bytes, chain: tuple[Made, Made, Made], password: pyossl.x509.keys.Password
) -> None:
    found = PKCS12.load(exported, password)
    assert found.private_key == PrivateKey.load(chain[0].key_pem)
    assert found.certificate == Certificate.load(chain[0].der)
    assert list(found.chain) == [Certificate.load(each.der) for each in chain[1:]]
    assert found.friendly_name == "a friend"


@pytest.mark.feature("PKCS#12")
def test_openssl_and_cryptography_read_ours(chain: tuple[Made, Made, Made], tmp_path: Path) -> None:
    leaf, *others = (Certificate.load(each.der) for each in chain)
    ours = PKCS12(PrivateKey.load(chain[0].key_pem), leaf, others, friendly_name="Freundin ß")
    der = ours.to_der(PASSWORD, iterations=1000)
    (tmp_path / "ours.p12").write_bytes(der)
    said = openssl("pkcs12", "-in", str(tmp_path / "ours.p12"), "-nodes", "-passin", f"pass:{PASSWORD}")
    assert PrivateKey.load(said) == ours.private_key
    assert set(pyossl.load_certificates(said)) == {leaf, *others}
    information = openssl("pkcs12", "-in", str(tmp_path / "ours.p12"), "-info", "-noout", "-passin", f"pass:{PASSWORD}")
    assert information == b""
    read = theirs.load_pkcs12(der, PASSWORD.encode())
    assert read.key is not None
    assert read.key.private_numbers() == chain[0].key.private_numbers()  # type: ignore[union-attr]
    assert read.cert is not None
    assert read.cert.certificate == chain[0].certificate
    assert read.cert.friendly_name == "Freundin ß".encode()
    assert [each.certificate for each in read.additional_certs] == [each.certificate for each in chain[1:]]
    again = PKCS12.load(der, PASSWORD)
    assert (again.private_key, again.certificate, again.chain) == (ours.private_key, leaf, tuple(others))
    assert again.friendly_name == "Freundin ß"


def test_nothing_in_it_is_in_plain_sight_nor_under_an_old_cipher(chain: tuple[Made, Made, Made]) -> None:
    """AES-256-CBC, and no RC2, triple DES or SHA-1, also with 1.1.1."""
    leaf = Certificate.load(chain[0].der)
    der = PKCS12(PrivateKey.load(chain[0].key_pem), leaf).to_der(PASSWORD)
    assert der.count(bytes.fromhex("060960864801650304012a")) == 2
    assert bytes.fromhex("0609608648016503040201") in der
    assert b"the leaf" not in der
    for old in ("060a2a864886f70d010c0106", "060a2a864886f70d010c0103", "06052b0e03021a"):
        assert bytes.fromhex(old) not in der


@pytest.mark.parametrize("password", ["wrong", b"wrong", "", None, lambda: "wrong", PASSWORD + "x"])
def test_a_wrong_or_missing_password_is_told_and_not_shown(
    exported: bytes, password: pyossl.x509.keys.Password | None
) -> None:
    with pytest.raises(pyossl.PasswordError, match="password") as caught:
        PKCS12.load(exported, password)
    assert "wrong" not in str(caught.value)
    assert ("needs" in str(caught.value)) == (password is None)


def test_a_function_is_not_asked_without_need(chain: tuple[Made, Made, Made], tmp_path: Path) -> None:
    def ask() -> str:
        raise AssertionError("no password is needed here")

    for options in ([], ["-nomac"]) if lib.HAVE_PROVIDERS else ([],):
        plain = export(chain, tmp_path, "-keypbe", "NONE", "-certpbe", "NONE", *options, password="")
        assert PKCS12.load(plain, ask).certificate == Certificate.load(chain[0].der)
        assert PKCS12.load(plain).private_key == PrivateKey.load(chain[0].key_pem)


def test_a_file_without_a_mac_is_told_where_it_cannot_be_opened(chain: tuple[Made, Made, Made], tmp_path: Path) -> None:
    """3.x opens it only if it is not encrypted, and 1.1.1 never; a newer version may."""
    locked = export(chain, tmp_path, *MODERN, "-nomac")
    try:
        found = PKCS12.load(locked, PASSWORD)
    except pyossl.UnsupportedError as error:
        assert "no MAC" in str(error)  # noqa: PT017 - opening it is correct too
    else:
        assert found.certificate == Certificate.load(chain[0].der)
    for _ in range(3):
        with pytest.raises((pyossl.DecodeError, pyossl.UnsupportedError)):
            PKCS12.load(locked)


def test_an_exception_of_the_password_function_reaches_the_caller(exported: bytes) -> None:
    def ask() -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        PKCS12.load(exported, ask)


def test_an_empty_password_is_not_no_password(chain: tuple[Made, Made, Made], tmp_path: Path) -> None:
    locked = export(chain, tmp_path, *MODERN, password="")
    for password in ("", b"", None):
        assert PKCS12.load(locked, password).certificate == Certificate.load(chain[0].der)


def test_the_old_ciphers_need_the_legacy_provider(chain: tuple[Made, Made, Made], tmp_path: Path) -> None:
    """Before 3.0 they are always available."""
    options = ["-legacy"] if lib.HAVE_PROVIDERS else []
    old = export(chain, tmp_path, *options, "-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-RC2-40")
    if lib.HAVE_PROVIDERS:
        with pytest.raises(pyossl.UnsupportedError, match="RC2"):
            PKCS12.load(old, PASSWORD)
    else:
        assert PKCS12.load(old, PASSWORD).certificate == Certificate.load(chain[0].der)


def test_a_key_alone_and_certificates_alone_are_files_too(chain: tuple[Made, Made, Made]) -> None:
    key, others = PrivateKey.load(chain[0].key_pem), [Certificate.load(each.der) for each in chain[1:]]
    alone = PKCS12.load(PKCS12(key).to_der("x"), "x")
    assert (alone.private_key, alone.certificate, alone.chain, alone.friendly_name) == (key, None, (), None)
    trusted = PKCS12.load(PKCS12(chain=others).to_der("x"), "x")
    assert (trusted.private_key, trusted.certificate, list(trusted.chain)) == (None, None, others)


def test_what_cannot_be_written_is_refused(chain: tuple[Made, Made, Made]) -> None:
    key, leaf = PrivateKey.load(chain[0].key_pem), Certificate.load(chain[0].der)
    with pytest.raises(ValueError, match="does not belong"):
        PKCS12(PrivateKey.generate(), leaf)
    for password in ("", b"", "a\0b", lambda: ""):
        with pytest.raises(ValueError, match="password"):
            PKCS12(key, leaf).to_der(password)
    with pytest.raises(ValueError, match="nothing to write"):
        PKCS12().to_der("x")
    with pytest.raises(ValueError, match="hashed"):
        PKCS12(key, leaf).to_der("x", iterations=0)
    with pytest.raises(ValueError, match="NUL"):
        PKCS12(key, leaf, friendly_name="a\0b").to_der("x")


def test_a_password_with_a_nul_opens_nothing(exported: bytes) -> None:
    """docs/pitfalls.md, 17: OpenSSL would cut the password at the NUL and try the shorter one."""
    with pytest.raises(ValueError, match="NUL"):
        PKCS12.load(exported, PASSWORD + "\0")


def test_a_file_that_is_cut_or_changed_anywhere_is_refused(exported: bytes) -> None:
    for cut in range(0, len(exported), 7):
        with pytest.raises(pyossl.DecodeError):
            PKCS12.load(exported[:cut], PASSWORD)
    for at in range(60, len(exported), 40):
        damaged = bytearray(exported)
        damaged[at] ^= 0x20
        with pytest.raises((pyossl.DecodeError, pyossl.UnsupportedError)):
            PKCS12.load(bytes(damaged), PASSWORD)


@pytest.mark.parametrize(
    "wrong", [b"", b"\0", b"-----BEGIN CERTIFICATE-----\n", b"\x30\x84\xff\xff\xff\xff", bytes(1000)]
)
def test_what_is_no_pkcs12_is_malformed(wrong: bytes) -> None:
    with pytest.raises(pyossl.DecodeError, match=r"PKCS#12"):
        PKCS12.load(wrong, PASSWORD)


def test_a_server_runs_on_one(exported: bytes, chain: tuple[Made, Made, Made], tmp_path: Path) -> None:
    path = tmp_path / "server.p12"
    path.write_bytes(exported)
    found = PKCS12.load(path, PASSWORD)
    assert found.certificate is not None
    assert found.private_key is not None
    context = pyossl.Context.server((found.certificate, *found.chain), found.private_key)
    assert context.is_server


def tlv(tag: int, content: bytes) -> bytes:
    return bytes([tag, len(content)]) + content


def content_info(kind: str, content: bytes | None = None) -> bytes:
    oid = bytes.fromhex("2a864886f70d0107") + {"data": b"\x01", "encrypted data": b"\x06"}[kind]
    return tlv(0x30, tlv(0x06, oid) + (b"" if content is None else tlv(0xA0, content)))


def pkcs12_of(authenticated_safe: bytes) -> bytes:
    return tlv(0x30, tlv(0x02, b"\x03") + authenticated_safe)


@pytest.mark.parametrize("kind", ["data", "encrypted data"])
@pytest.mark.parametrize("where", ["the file", "its part"])
def test_a_file_without_the_content_that_it_announces_opens_nothing(kind: str, where: str) -> None:
    """A ContentInfo's content is optional (RFC 2315, 7): OpenSSL has NULL there."""
    inside = content_info(kind)
    if where == "its part":
        inside = content_info("data", tlv(0x04, tlv(0x30, inside)))
    with pytest.raises(pyossl.Error):
        PKCS12.load(pkcs12_of(inside), "a password")
