"""Passwords of keys and PKCS#12 files, of every length, and ciphers that this OpenSSL lacks."""

from __future__ import annotations

import base64
import hashlib
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from x509.certificate_making import make, openssl, tlv

import pyossl
from pyossl import PKCS12, Certificate, DecodeError, PasswordError, PrivateKey, UnsupportedError, lib
from pyossl.pyopenssl import crypto

LENGTHS = (1, 1023, 1024, 1025, 4096, 100_000)
KEY = PrivateKey.generate()

WRITTEN: dict[str, tuple[Callable[[Any], bytes], Callable[[bytes, Any], PrivateKey | None]]] = {
    "PKCS#8 in PEM": (KEY.to_pem, PrivateKey.load),
    "PKCS#8 in DER": (KEY.to_der, PrivateKey.load),
    "PKCS#12": (
        lambda password: PKCS12(KEY).to_der(password, iterations=100),
        lambda data, password: PKCS12.load(data, password).private_key,
    ),
}


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("form", WRITTEN)
def test_what_a_password_of_any_length_has_locked_it_opens_and_no_other_does(form: str, length: int) -> None:
    write, read = WRITTEN[form]
    for password in ("x" * length, b"y" * length, lambda: "z" * length):
        locked = write(password)
        assert read(locked, password) == KEY
    for wrong in ("z" * (length - 1) if length > 1 else "w", "z" * length + "z", "z" * (length - 1) + "x"):
        with pytest.raises(PasswordError):
            read(locked, wrong)


@pytest.mark.parametrize("form", WRITTEN)
@pytest.mark.parametrize("password", ["pässwörd", "密码🔑", "ä" * 2000, b"\xff\xfe", " ", "\n", "x\ny"])
def test_what_any_text_or_bytes_have_locked_they_open(form: str, password: str | bytes) -> None:
    write, read = WRITTEN[form]
    locked = write(password)
    assert read(locked, password) == KEY
    assert read(locked, lambda: password) == KEY


@pytest.mark.parametrize("password", ["a\0b", b"\0a", "\0a\0b"])
def test_a_nul_is_part_of_a_key_s_password_and_refused_for_a_pkcs12(password: str | bytes) -> None:
    for write in (KEY.to_pem, KEY.to_der):
        locked = write(password)
        assert PrivateKey.load(locked, password) == KEY
        for cut in ("a", "ab", "b", "x", ""):
            with pytest.raises(PasswordError):
                PrivateKey.load(locked, cut)
    with pytest.raises(ValueError, match="NUL"):
        PKCS12(KEY).to_der(password)


def test_an_empty_password_is_refused_when_a_key_is_written_and_read_where_others_wrote_it() -> None:
    for write in (KEY.to_pem, KEY.to_der, PKCS12(KEY).to_der):
        for empty in ("", b""):
            with pytest.raises(ValueError, match="empty"):
                write(empty)
    for options in (["-v2", "aes-128-cbc"], ["-v1", "PBE-SHA1-3DES"]):
        theirs = openssl("pkcs8", "-topk8", *options, "-passout", "pass:", input=KEY.to_pem())
        assert PrivateKey.load(theirs, "") == PrivateKey.load(theirs, lambda: b"") == KEY
        with pytest.raises(PasswordError, match="needs a password"):
            PrivateKey.load(theirs)
        with pytest.raises(PasswordError, match="not opened"):
            PrivateKey.load(theirs, "x")


@pytest.mark.parametrize("length", [1, 1023, 1024])
def test_openssl_opens_what_ours_locked_and_ours_what_openssl_locked(length: int, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("x" * length)
    file = f"file:{tmp_path / 'password'}"
    # The program takes 1,023 bytes.
    if length < 1024:
        assert PrivateKey.load(openssl("pkey", "-passin", file, input=KEY.to_pem("x" * length))) == KEY
    used = "x" * min(length, 1023)
    for options in (["-v2", "aes-256-cbc"], ["-v1", "PBE-SHA1-3DES"]):
        theirs = openssl("pkcs8", "-topk8", *options, "-passout", file, input=KEY.to_pem())
        assert PrivateKey.load(theirs, used) == KEY


@pytest.mark.parametrize("length", LENGTHS)
def test_the_old_kind_of_pem_says_that_its_password_cannot_be_so_long(length: int) -> None:
    """docs/pitfalls.md, 51."""
    old = openssl("ec", "-aes128", "-passout", "pass:x", input=KEY.to_pem())
    assert b"DEK-Info" in old
    with pytest.raises(PasswordError, match="1024 bytes" if length > 1024 else "was not opened"):
        PrivateKey.load(old, "y" * length)
    assert PrivateKey.load(old, "x") == KEY


@pytest.mark.filterwarnings("ignore:.*dump_privatekey:DeprecationWarning")
@pytest.mark.parametrize("length", [1, 1023, 1024])
def test_the_face_reads_what_it_locked_and_refuses_longer_passwords_as_the_original(length: int) -> None:
    key = crypto.PKey.from_cryptography_key(KEY.to_cryptography())
    for cipher in ("aes-256-cbc", "des3"):
        dumped = crypto.dump_privatekey(crypto.FILETYPE_PEM, key, cipher, b"x" * length)
        loaded = crypto.load_privatekey(crypto.FILETYPE_PEM, dumped, b"x" * length)
        assert crypto.dump_privatekey(crypto.FILETYPE_PEM, loaded) == crypto.dump_privatekey(crypto.FILETYPE_PEM, key)
        with pytest.raises(crypto.Error):
            crypto.load_privatekey(crypto.FILETYPE_PEM, dumped, b"x" * (length - 1) + b"y")
        with pytest.raises(ValueError, match="too long"):
            crypto.dump_privatekey(crypto.FILETYPE_PEM, key, cipher, b"x" * 1025)
        with pytest.raises(ValueError, match="too long"):
            crypto.load_privatekey(crypto.FILETYPE_PEM, dumped, b"x" * 1025)


# Unsupported ciphers and digests

UNKNOWN = bytes.fromhex("0603aa037f")
SALT_AND_COUNT = tlv(0x30, tlv(0x04, b"saltsalt"), b"\x02\x02\x08\x00")
PBKDF2 = bytes.fromhex("06092a864886f70d01050c")
PBES2 = bytes.fromhex("06092a864886f70d01050d")
AES_256 = tlv(0x30, bytes.fromhex("060960864801650304012a"), tlv(0x04, bytes(16)))
IV = tlv(0x04, bytes(8))

OLD_SCHEMES = {
    "pbeWithMD5AndDES-CBC": "06092a864886f70d010503",
    "pbeWithMD2AndDES-CBC": "06092a864886f70d010501",
    "pbeWithSHA1AndRC2-CBC": "06092a864886f70d01050b",
    "pbeWithSHA1And40BitRC2-CBC": "060a2a864886f70d010c0106",
    "pbeWithSHA1And128BitRC4": "060a2a864886f70d010c0101",
}
OLD_CIPHERS = {
    "des-cbc": tlv(0x30, bytes.fromhex("06052b0e030207"), IV),
    "rc2-cbc": tlv(0x30, bytes.fromhex("06082a864886f70d0302"), tlv(0x30, b"\x02\x02\x00\xa0", IV)),
    "bf-cbc": tlv(0x30, bytes.fromhex("06092b060104019755010" + "2"), IV),
}
ODD_SCHEMES = {
    "2.5299.127": tlv(0x30, UNKNOWN, SALT_AND_COUNT),
    "PBES2, PBKDF2, 2.5299.127": tlv(
        0x30, PBES2, tlv(0x30, tlv(0x30, PBKDF2, SALT_AND_COUNT), tlv(0x30, UNKNOWN, tlv(0x04, bytes(16))))
    ),
    "PBES2, PBKDF2, 2.5299.127, aes-256-cbc": tlv(
        0x30,
        PBES2,
        tlv(
            0x30,
            tlv(0x30, PBKDF2, tlv(0x30, tlv(0x04, b"salt"), b"\x02\x01\x01", tlv(0x30, UNKNOWN, b"\x05\x00"))),
            AES_256,
        ),
    ),
    "PBES2, 2.5299.127, aes-256-cbc": tlv(0x30, PBES2, tlv(0x30, tlv(0x30, UNKNOWN, SALT_AND_COUNT), AES_256)),
}
SCHEMES = {
    **{name: tlv(0x30, bytes.fromhex(oid), SALT_AND_COUNT) for name, oid in OLD_SCHEMES.items()},
    **{
        f"PBES2, PBKDF2, {name}": tlv(0x30, PBES2, tlv(0x30, tlv(0x30, PBKDF2, SALT_AND_COUNT), cipher))
        for name, cipher in OLD_CIPHERS.items()
    },
    **ODD_SCHEMES,
}


def pem(label: str, der: bytes, header: str = "") -> bytes:
    lines = textwrap.fill(base64.b64encode(der).decode(), 64)
    return f"-----BEGIN {label}-----\n{header}{lines}\n-----END {label}-----\n".encode()


def expected(*, is_old: bool) -> type[Exception]:
    """1.1.1 has the old ciphers, so the password is wrong; newer versions have them in a provider."""
    return PasswordError if is_old and not lib.HAVE_PROVIDERS else UnsupportedError


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_key_under_a_cipher_that_is_not_there_is_unsupported_whatever_the_password(
    scheme: str, tmp_path: Path
) -> None:
    """docs/pitfalls.md, 51."""
    der = tlv(0x30, SCHEMES[scheme], tlv(0x04, bytes(64)))
    kind = expected(is_old=scheme not in ODD_SCHEMES and scheme != "pbeWithMD2AndDES-CBC")
    path = tmp_path / "key.pem"
    path.write_bytes(pem("ENCRYPTED PRIVATE KEY", der))
    passwords: list[Any] = ["right or wrong", b"bytes", lambda: "asked", "x" * 2000]
    for password in passwords:
        for load in (
            lambda secret: PrivateKey.load(der, secret),
            lambda secret: PrivateKey.load(path, secret),
            lambda secret: pyossl.load_uri(str(path), secret),
            lambda secret: pyossl.load_uri(str(path), secret, kind=PrivateKey),
        ):
            with pytest.raises(kind) as caught:
                load(password)
            assert "right or wrong" not in str(caught.value)
            if kind is UnsupportedError:
                assert scheme in str(caught.value)
                assert not isinstance(caught.value, PasswordError)
                assert "encrypted with" in str(caught.value)


@pytest.mark.parametrize("cipher", ["DES-CBC", "RC2-CBC", "BF-CBC", "CAST5-CBC", "SEED-CBC", "IDEA-CBC", "NO-SUCH-CBC"])
def test_the_old_kind_of_pem_under_a_cipher_that_is_not_there_is_unsupported(cipher: str) -> None:
    iv = "00" * (16 if cipher == "SEED-CBC" else 8)
    for label in ("RSA PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY"):
        block = pem(label, bytes(64), f"Proc-Type: 4,ENCRYPTED\nDEK-Info: {cipher},{iv}\n\n")
        # The build of 1.1.1 decides which of the old ones it has.
        kind: Any = (PasswordError, UnsupportedError) if not lib.HAVE_PROVIDERS else UnsupportedError
        if cipher == "NO-SUCH-CBC":
            kind = UnsupportedError
        passwords: list[Any] = ["x", lambda: "x"]
        for password in passwords:
            with pytest.raises(kind) as caught:
                PrivateKey.load(block, password)
            assert isinstance(caught.value, PasswordError) or cipher in str(caught.value)


@pytest.mark.parametrize("options", [["-v1", "PBE-SHA1-RC2-40"], ["-v1", "PBE-MD5-DES"], ["-v2", "rc2"]])
def test_an_openssl_that_has_the_old_cipher_opens_the_key(options: list[str]) -> None:
    if lib.HAVE_PROVIDERS:
        pytest.skip("from 3.0 the old ciphers are in a provider that is not loaded")
    theirs = openssl("pkcs8", "-topk8", *options, "-passout", "pass:x", input=KEY.to_pem())
    assert PrivateKey.load(theirs, "x") == KEY
    with pytest.raises(PasswordError):
        PrivateKey.load(theirs, "y")


def test_a_key_that_can_be_read_is_read_beside_one_that_cannot() -> None:
    lacking = pem("ENCRYPTED PRIVATE KEY", tlv(0x30, ODD_SCHEMES["2.5299.127"], tlv(0x04, bytes(64))))
    assert PrivateKey.load(lacking + KEY.to_pem("x"), "x") == KEY
    assert PrivateKey.load(KEY.to_pem("x") + lacking, "x") == KEY
    for both in (lacking + KEY.to_pem("x"), KEY.to_pem("x") + lacking):
        with pytest.raises(PasswordError):
            PrivateKey.load(both, "y")


def test_a_right_password_for_what_is_no_key_is_malformed_and_not_a_wrong_password() -> None:
    plain = tlv(0x30, b"\x02\x01\x00", tlv(0x30, UNKNOWN), tlv(0x04, b"no key"))
    salt, iv = b"saltsalt", bytes(16)
    key = hashlib.pbkdf2_hmac("sha1", b"x", salt, 2048, 32)
    padding = 16 - len(plain) % 16
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    sealed = encryptor.update(plain + bytes([padding]) * padding) + encryptor.finalize()
    scheme = tlv(0x30, PBES2, tlv(0x30, tlv(0x30, PBKDF2, SALT_AND_COUNT), AES_256))
    der = tlv(0x30, scheme, tlv(0x04, sealed))
    with pytest.raises(DecodeError) as caught:
        PrivateKey.load(der, "x")
    assert not isinstance(caught.value, PasswordError)
    with pytest.raises(PasswordError):
        PrivateKey.load(der, "y")


def test_the_face_says_what_is_not_there_in_its_own_error() -> None:
    lacking = pem("ENCRYPTED PRIVATE KEY", tlv(0x30, ODD_SCHEMES["2.5299.127"], tlv(0x04, bytes(64))))
    with pytest.raises(crypto.Error):
        crypto.load_privatekey(crypto.FILETYPE_PEM, lacking, b"x")


def exchanged(der: bytes, old: str, new: str) -> bytes:
    assert bytes.fromhex(old) in der
    return der.replace(bytes.fromhex(old), bytes.fromhex(new))


SHA256, NO_DIGEST = "0609608648016503040201", "060960864801650304027f"


def test_a_pkcs12_whose_mac_has_a_digest_that_is_not_there_is_unsupported_whatever_the_password(tmp_path: Path) -> None:
    path = tmp_path / "kept.p12"
    path.write_bytes(exchanged(PKCS12(KEY).to_der("x", iterations=10), SHA256, NO_DIGEST))
    passwords: list[Any] = ["x", "y", lambda: "x"]
    for password in passwords:
        for load in (PKCS12.load, lambda source, secret: pyossl.load_uri(str(source), secret)):
            with pytest.raises(UnsupportedError, match=r"2\.16\.840\.1\.101\.3\.4\.2\.127"):
                load(path, password)


@pytest.mark.parametrize("option", ["-keypbe", "-certpbe"])
def test_a_pkcs12_under_rc2_is_opened_by_1_1_1_and_unsupported_after(option: str, tmp_path: Path) -> None:
    made = make("a leaf")
    (tmp_path / "leaf.pem").write_bytes(made.pem + made.key_pem)
    legacy = ["-legacy"] if lib.HAVE_PROVIDERS else []
    arguments = ["pkcs12", "-export", *legacy, option, "PBE-SHA1-RC2-40", "-in", str(tmp_path / "leaf.pem")]
    der = openssl(*arguments, "-passout", "pass:x")
    if not lib.HAVE_PROVIDERS:
        assert PKCS12.load(der, "x").certificate == Certificate.load(made.der)
        return
    with pytest.raises(UnsupportedError, match="RC2-40-CBC"):
        PKCS12.load(der, "x")
    with pytest.raises(PasswordError):
        PKCS12.load(der, "y")  # the MAC, whose digest is supported, shows it


# Friendly names


@pytest.mark.parametrize("name", ["mine", "Zürich 鍵", "", None])
@pytest.mark.parametrize("has_key", [True, False])
@pytest.mark.parametrize("has_certificate", [True, False])
@pytest.mark.parametrize("others", [0, 2])
def test_a_friendly_name_is_read_as_it_was_written_or_refused(
    name: str | None, has_key: bool, has_certificate: bool, others: int
) -> None:
    own = pyossl.self_signed("own.example")
    chain = [pyossl.self_signed(f"{n}.example").certificate for n in range(others)]
    kept = PKCS12(
        own.private_key if has_key else None,
        own.certificate if has_certificate else None,
        chain,
        friendly_name=name,
    )
    if not (has_key or has_certificate) and (name is not None or not chain):
        with pytest.raises(ValueError, match="friendly name" if chain else "nothing to write"):
            kept.to_der("x")
        return
    found = PKCS12.load(kept.to_der("x", iterations=10), "x")
    assert found.friendly_name == name
    every = ([own.certificate] if has_certificate else []) + chain
    assert ([found.certificate] if found.certificate else []) + list(found.chain) == every
    again = PKCS12.load(found.to_der("y", iterations=10), "y")
    assert (again.friendly_name, again.certificate, again.chain) == (name, found.certificate, found.chain)


def test_a_friendly_name_that_is_changed_or_taken_away_is_written_so() -> None:
    own = pyossl.self_signed("own.example")
    first = PKCS12(own.private_key, own.certificate, friendly_name="first")
    found = PKCS12.load(first.to_der("x", iterations=10), "x")
    for name in ("second", None, "third"):
        found.friendly_name = name
        assert PKCS12.load(found.to_der("x", iterations=10), "x").friendly_name == name
    assert found.certificate is not None
    unnamed = PKCS12(own.private_key, found.certificate).to_der("x", iterations=10)
    assert PKCS12.load(unnamed, "x").friendly_name is None


def test_a_friendly_name_that_no_pkcs12_can_hold_is_refused_in_a_sentence() -> None:
    own = pyossl.self_signed("own.example")
    for name in ("Zürich 🔑", "a\0b"):
        with pytest.raises(ValueError, match="friendly name cannot contain"):
            PKCS12(own.private_key, own.certificate, friendly_name=name).to_der("x")


def test_the_name_of_a_key_alone_that_openssl_wrote_is_read(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(KEY.to_pem())
    export = ["pkcs12", "-export", "-nocerts", "-inkey", str(tmp_path / "key.pem"), "-name", "a key"]
    modern = ["-keypbe", "AES-256-CBC", "-macalg", "sha256"]
    found = PKCS12.load(openssl(*export, *modern, "-passout", "pass:x"), "x")
    assert (found.private_key, found.certificate, found.friendly_name) == (KEY, None, "a key")
