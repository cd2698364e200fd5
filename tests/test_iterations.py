"""How often a password is hashed is for a file to say, and not for it alone: what would take hours is refused at once.

The files are OpenSSL's own, in which a count is exchanged for another: to make one with the count in earnest would take
as long as what is tested.  Each test has a limit far below what hashing so often takes.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator

import pytest
from certificate_making import tlv
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

import pyossl
from pyossl import BIO, PKCS12, PrivateKey, ffi, lib
from pyossl.encoding import MOST_ITERATIONS, written

pytestmark = pytest.mark.timeout(60)

INTEGER, OCTET_STRING, SEQUENCE = 0x02, 0x04, 0x30
FEW = 1234
ENOUGH = MOST_ITERATIONS + 1
ABSURD = 2**31 - 1


def integer(value: int) -> bytes:
    return tlv(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def elements(der: bytes) -> Iterator[tuple[int, bytes]]:
    """The tags and contents of one DER element after the other."""
    while der:
        length, start = der[1], 2
        if length & 0x80:
            start += length & 0x7F
            length = int.from_bytes(der[2:start], "big")
        yield der[0], der[start : start + length]
        der = der[start + length :]


def exchanged(der: bytes, old: bytes, new: bytes, *, place: int) -> bytes:
    """DER in which the element ``old`` is ``new`` at its place, and every length around it is right."""
    out, seen = b"", 0
    for tag, body in elements(der):
        inside = (tag & 0x20 or tag == OCTET_STRING) and old in body
        if tlv(tag, body) == old:
            out += new if seen == place else old
            seen += 1
        elif inside:
            out += tlv(tag, exchanged(body, old, new, place=place - seen))
            seen += body.count(old)
        else:
            out += tlv(tag, body)
    return out


@pytest.fixture(scope="module")
def file(authority: pyossl.Authority) -> bytes:
    own = authority.issue("example.com")
    return PKCS12(own.private_key, own.certificate).to_der("password", iterations=FEW)


PLACES = {"certificates": 0, "key": 1, "MAC": 2}


@pytest.mark.parametrize("count", [ENOUGH, ABSURD, 2**40, 2**100])
@pytest.mark.parametrize("place", PLACES)
def test_a_pkcs_12_that_would_take_long_is_refused_at_once(file: bytes, place: str, count: int) -> None:
    assert file.count(integer(FEW)) == len(PLACES)
    slow = exchanged(file, integer(FEW), integer(count), place=PLACES[place])
    for password in ("password", "wrong", None, lambda: "password"):
        with pytest.raises(pyossl.DecodeError, match=f"iterations .* and {MOST_ITERATIONS} are allowed"):
            PKCS12.load(slow, password)


def test_what_all_parts_ask_for_counts(file: bytes) -> None:
    slow = file
    for _ in PLACES:
        slow = exchanged(slow, integer(FEW), integer(MOST_ITERATIONS // 2), place=0)
    with pytest.raises(pyossl.DecodeError, match="are allowed"):
        PKCS12.load(slow, "password")


def test_a_file_with_few_of_them_is_read(file: bytes) -> None:
    assert exchanged(file, integer(FEW), integer(FEW), place=0) == file
    assert PKCS12.load(file, "password").private_key is not None


ENCRYPTED_DATA, DATA = bytes.fromhex("06092a864886f70d010706"), bytes.fromhex("06092a864886f70d010701")
PBES2, PBKDF2 = bytes.fromhex("06092a864886f70d01050d"), bytes.fromhex("06092a864886f70d01050c")
HMAC_SHA_256, AES_256_CBC = bytes.fromhex("06082a864886f70d0209"), bytes.fromhex("060960864801650304012a")
SHROUDED_KEY_BAG = bytes.fromhex("060b2a864886f70d010c0a0102")


def locked_in_a_part(encrypted_key: bytes, *, nested: bool) -> bytes:
    """A PKCS#12 whose one encrypted part has an encrypted key in it, which few programs write."""
    bag = tlv(SEQUENCE, SHROUDED_KEY_BAG, tlv(0xA0, encrypted_key))
    if nested:
        bag = tlv(SEQUENCE, bytes.fromhex("060b2a864886f70d010c0a0106"), tlv(0xA0, tlv(SEQUENCE, bag)))
    plain = tlv(SEQUENCE, bag)
    padding = 16 - len(plain) % 16
    salt = iv = bytes(16)
    key = hashlib.pbkdf2_hmac("sha256", b"password", salt, FEW, 32)
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    secret = encryptor.update(plain + bytes([padding]) * padding)
    hashing = tlv(
        SEQUENCE, PBKDF2, tlv(SEQUENCE, tlv(OCTET_STRING, salt), integer(FEW), tlv(SEQUENCE, HMAC_SHA_256, b"\5\0"))
    )
    algorithm = tlv(SEQUENCE, PBES2, tlv(SEQUENCE, hashing, tlv(SEQUENCE, AES_256_CBC, tlv(OCTET_STRING, iv))))
    content = tlv(SEQUENCE, DATA, algorithm, tlv(0x80, secret))
    part = tlv(SEQUENCE, ENCRYPTED_DATA, tlv(0xA0, tlv(SEQUENCE, integer(0), content)))
    safe = tlv(SEQUENCE, DATA, tlv(0xA0, tlv(OCTET_STRING, tlv(SEQUENCE, part))))
    return with_mac(tlv(SEQUENCE, integer(3), safe))


def with_mac(der: bytes) -> bytes:
    """OpenSSL 1.1.1 does not look into a file that has none."""
    pkcs12 = ffi.gc(lib.d2i_PKCS12_bio(BIO.memory(der)._bio, ffi.NULL), lib.PKCS12_free)
    assert lib.PKCS12_set_mac(pkcs12, b"password", 8, ffi.NULL, 0, FEW, lib.EVP_sha256()) == 1
    return written(lib.i2d_PKCS12_bio, pkcs12)


@pytest.mark.parametrize("nested", [False, True])
def test_a_key_within_an_encrypted_part_counts_once_that_is_open(nested: bool) -> None:
    key = PrivateKey.generate().to_der("password")
    slow = exchanged(key, integer(2048), integer(ABSURD), place=0)
    assert slow != key
    with pytest.raises(pyossl.DecodeError, match="are allowed"):
        PKCS12.load(locked_in_a_part(slow, nested=nested), "password")


@pytest.mark.parametrize("form", ["DER", "PEM"])
def test_an_encrypted_key_that_would_take_long_is_refused_at_once(form: str) -> None:
    key = PrivateKey.generate()
    der = key.to_der("password")
    slow = exchanged(der, integer(2048), integer(ABSURD), place=0)
    assert slow != der
    if form == "PEM":
        slow = pem(slow)
        assert PrivateKey.load(pem(der), "password") == key
    for password in ("password", "wrong", None, lambda: "password"):
        with pytest.raises(pyossl.DecodeError, match=r"private key .* are allowed") as caught:
            PrivateKey.load(slow, password)
        assert not isinstance(caught.value, pyossl.PasswordError)


def pem(der: bytes) -> bytes:
    label = b"ENCRYPTED PRIVATE KEY-----\n"
    return b"-----BEGIN " + label + base64.encodebytes(der) + b"-----END " + label


def test_what_could_not_be_read_is_not_written(authority: pyossl.Authority) -> None:
    for count in (0, -1, MOST_ITERATIONS, ABSURD):
        with pytest.raises(ValueError, match="hashed 1 to"):
            PKCS12(chain=[authority.certificate]).to_der("password", iterations=count)
