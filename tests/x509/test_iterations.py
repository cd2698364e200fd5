"""A file says how often its password is hashed.  A number that would take hours is refused at once.

The files are written by OpenSSL, and then the number in them is changed: really hashing so often would take too long.
The time limit of each test is far below the time of this hashing.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import example, given, strategies as st
from x509.certificate_making import tlv

import pyossl
from pyossl import BIO, PKCS12, Certificate, PrivateKey, ffi, lib, load_uri
from pyossl.pyopenssl import SSL, crypto
from pyossl.x509.passwords import MOST_ITERATIONS
from pyossl.x509.pem_and_der import output_of

pytestmark = pytest.mark.timeout(60)

INTEGER, OCTET_STRING, SEQUENCE = 0x02, 0x04, 0x30
FEW = 1234
ENOUGH = MOST_ITERATIONS + 1
ABSURD = 2**31 - 1


def integer(value: int) -> bytes:
    return tlv(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def elements(der: bytes) -> Iterator[tuple[int, bytes]]:
    """The tag and content of each DER element in turn."""
    while der:
        length, start = der[1], 2
        if length & 0x80:
            start += length & 0x7F
            length = int.from_bytes(der[2:start], "big")
        yield der[0], der[start : start + length]
        der = der[start + length :]


def exchanged(der: bytes, old: bytes, new: bytes, *, place: int) -> bytes:
    """DER in which ``new`` replaces the element ``old``, and all lengths around it are corrected."""
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
    """docs/pitfalls.md, 40."""
    assert file.count(integer(FEW)) == len(PLACES)
    slow = exchanged(file, integer(FEW), integer(count), place=PLACES[place])
    for password in ("password", "wrong", None, lambda: "password"):
        with pytest.raises(pyossl.DecodeError, match=f"iterations .* and {MOST_ITERATIONS} are allowed"):
            PKCS12.load(slow, password)


def test_the_iterations_of_all_parts_are_added(file: bytes) -> None:
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
    """A PKCS#12 with an encrypted key in its encrypted part, which few programs write."""
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
    """Adds a MAC: OpenSSL 1.1.1 does not open a file without one."""
    pkcs12 = ffi.gc(lib.d2i_PKCS12_bio(BIO.memory(der)._bio, ffi.NULL), lib.PKCS12_free)
    assert lib.PKCS12_set_mac(pkcs12, b"password", 8, ffi.NULL, 0, FEW, lib.EVP_sha256()) == 1
    return output_of(lib.i2d_PKCS12_bio, pkcs12)


@pytest.mark.parametrize("nested", [False, True])
def test_a_key_within_an_encrypted_part_counts_once_that_is_open(nested: bool) -> None:
    key = PrivateKey.generate().to_der("password")
    slow = exchanged(key, integer(2048), integer(ABSURD), place=0)
    assert slow != key
    with pytest.raises(pyossl.DecodeError, match="are allowed"):
        PKCS12.load(locked_in_a_part(slow, nested=nested), "password")


@pytest.mark.parametrize("form", ["DER", "PEM"])
def test_an_encrypted_key_that_would_take_long_is_refused_at_once(form: str) -> None:
    """docs/pitfalls.md, 40."""
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


def pem(der: bytes, label: bytes = b"ENCRYPTED PRIVATE KEY", header: bytes = b"") -> bytes:
    text, last = base64.b64encode(der), label + b"-----\n"
    lines = [text[n : n + 64] + b"\n" for n in range(0, len(text), 64)]
    return b"-----BEGIN " + last + header + b"".join(lines) + b"-----END " + last


PBE_SHA_1_3DES = bytes.fromhex("060a2a864886f70d010c0103")
SCRYPT = bytes.fromhex("06092b06010401da47040b")
PRFS = {
    "SHA-1": b"",
    "SHA-256": tlv(SEQUENCE, HMAC_SHA_256, b"\5\0"),
    "SHA-512": tlv(SEQUENCE, bytes.fromhex("06082a864886f70d020b"), b"\5\0"),
    "unknown": tlv(SEQUENCE, bytes.fromhex("06032a0304"), b"\5\0"),
}


def pbkdf2(count: int, prf: str = "SHA-256", key_length: int | None = None) -> bytes:
    length = b"" if key_length is None else integer(key_length)
    return tlv(SEQUENCE, PBKDF2, tlv(SEQUENCE, tlv(OCTET_STRING, bytes(16)), integer(count), length, PRFS[prf]))


def scrypt(cost: int, blocks: int, parallel: int) -> bytes:
    numbers = (integer(number) for number in (cost, blocks, parallel))
    return tlv(SEQUENCE, SCRYPT, tlv(SEQUENCE, tlv(OCTET_STRING, bytes(16)), *numbers))


def old(count: int) -> bytes:
    return tlv(SEQUENCE, PBE_SHA_1_3DES, tlv(SEQUENCE, tlv(OCTET_STRING, bytes(8)), integer(count)))


def locked_by(hashing: bytes, secret: bytes = bytes(64)) -> bytes:
    """A key encrypted with AES-256 and this key derivation, or with an old algorithm that includes both."""
    cipher = tlv(SEQUENCE, AES_256_CBC, tlv(OCTET_STRING, bytes(16)))
    both = hashing if PBE_SHA_1_3DES in hashing else tlv(SEQUENCE, PBES2, tlv(SEQUENCE, hashing, cipher))
    return tlv(SEQUENCE, both, tlv(OCTET_STRING, secret))


HALF = MOST_ITERATIONS // 2 + 1
TOO_MUCH = {
    "scrypt with a p": scrypt(1 << 16, 2, 62000),
    "scrypt with an N": scrypt(1 << 62, 1, 1),
    "scrypt with an r": scrypt(2, 1 << 29, 1),
    "scrypt with impossible numbers": scrypt(1 << 200, 1 << 200, 1 << 200),
    "SHA-1": pbkdf2(HALF, "SHA-1"),  # two blocks make a key for AES-256
    "SHA-256": pbkdf2(ENOUGH),
    "SHA-512": pbkdf2(HALF, "SHA-512"),
    "a digest that is not known": pbkdf2(HALF, "unknown"),
    "a long key": pbkdf2(FEW, key_length=1 << 28),
    "a negative count": pbkdf2(-(1 << 32) + ABSURD),
    "an old algorithm": old(MOST_ITERATIONS),
    "an old algorithm with a negative count": old(-(1 << 32) + ABSURD),
}


def by_file(load: Callable[[str], object]) -> Callable[[bytes, Path], object]:
    def loaded(data: bytes, path: Path) -> object:
        path.write_bytes(data)
        return load(str(path))

    return loaded


def face_context(path: str) -> object:
    context = SSL.Context(SSL.TLS_METHOD)
    with pytest.warns(DeprecationWarning, match="set_passwd_cb"):
        context.set_passwd_cb(lambda *_: b"password")
    return context.use_privatekey_file(path)


LOADERS: dict[str, Callable[[bytes, Path], object]] = {
    "PrivateKey.load": lambda data, _: PrivateKey.load(data, "password"),
    "PrivateKey.load of a file": by_file(lambda path: PrivateKey.load(path, lambda: "password")),
    "load_uri of a path": by_file(lambda path: load_uri(path, "password")),
    "load_uri of a key": by_file(lambda path: load_uri(f"file:{path}", lambda: "password", kind=PrivateKey)),
    "the face": lambda data, _: crypto.load_privatekey(crypto.FILETYPE_PEM, data, b"password"),
    "the face's context": by_file(face_context),
}
REFUSED = (pyossl.DecodeError, crypto.Error, SSL.Error)


@pytest.mark.parametrize("how", LOADERS)
@pytest.mark.parametrize("hashing", TOO_MUCH)
def test_no_loader_of_keys_hashes_for_long(hashing: str, how: str, tmp_path: Path) -> None:
    with pytest.raises(REFUSED, match=f"{MOST_ITERATIONS} are allowed") as caught:
        LOADERS[how](pem(locked_by(TOO_MUCH[hashing])), tmp_path / "key.pem")
    assert not isinstance(caught.value, pyossl.PasswordError)


@pytest.mark.parametrize("hashing", TOO_MUCH)
def test_an_encrypted_key_in_der_that_would_take_long_is_refused_at_once(hashing: str, tmp_path: Path) -> None:
    key = locked_by(TOO_MUCH[hashing])
    path = tmp_path / "key.der"
    path.write_bytes(key)
    for load in (lambda: PrivateKey.load(key, "password"), lambda: load_uri(str(path), "password")):
        with pytest.raises(pyossl.DecodeError, match=f"{MOST_ITERATIONS} are allowed"):
            load()


@pytest.mark.parametrize("how", LOADERS)
def test_all_blocks_of_pem_count_together(how: str, tmp_path: Path) -> None:
    two = pem(locked_by(pbkdf2(HALF))) * 2
    certificate = PrivateKey.generate().public_key.to_pem()
    for data in (two, certificate + two, pem(locked_by(pbkdf2(FEW))) + pem(locked_by(scrypt(1 << 16, 2, 62000)))):
        with pytest.raises(REFUSED, match=f"{MOST_ITERATIONS} are allowed"):
            LOADERS[how](data, tmp_path / "key.pem")


@pytest.mark.parametrize("label", [b"PRIVATE KEY", b"RSA PRIVATE KEY", b"ANY PRIVATE KEY", b"NOBODY KNOWS THIS"])
def test_the_label_of_a_block_does_not_matter(label: bytes, tmp_path: Path) -> None:
    block = pem(locked_by(scrypt(1 << 16, 2, 62000)), label)
    with pytest.raises(pyossl.DecodeError):
        PrivateKey.load(block, "password")
    path = tmp_path / "key.pem"
    path.write_bytes(block)
    with pytest.raises(pyossl.DecodeError, match="are allowed"):
        load_uri(str(path), "password")


LABELS = [b"ENCRYPTED PRIVATE KEY", b"PRIVATE KEY", b"ANY PRIVATE KEY", b"NOBODY KNOWS THIS"]


@pytest.mark.parametrize(
    "label", [*LABELS, *(type + b" PRIVATE KEY" for type in (b"RSA", b"EC", b"DSA", b"DH", b"SM2"))]
)
def test_a_key_is_not_encrypted_twice(label: bytes, tmp_path: Path) -> None:
    """The work for a key inside traditional PEM encryption is not known before it is decrypted."""
    iv = bytes(range(16))
    key = hashlib.md5(b"password" + iv[:8]).digest()
    plain = locked_by(pbkdf2(ABSURD))
    padding = 16 - len(plain) % 16
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    secret = encryptor.update(plain + bytes([padding]) * padding)
    header = b"Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC," + iv.hex().upper().encode() + b"\n\n"
    path = tmp_path / "key.pem"
    path.write_bytes(pem(secret, label, header))
    with pytest.raises(pyossl.DecodeError):
        PrivateKey.load(path, "password")
    with pytest.raises(pyossl.DecodeError):
        load_uri(str(path), "password")


def test_a_certificate_beside_such_a_key_is_read(tmp_path: Path, authority: pyossl.Authority) -> None:
    certificate, key = authority.certificate, locked_by(pbkdf2(ABSURD))
    path = tmp_path / "both"
    for data in (certificate.to_pem() + pem(key), pem(key) + certificate.to_pem(), key + certificate.to_der()):
        path.write_bytes(data)
        assert load_uri(str(path), "password", kind=Certificate) == [certificate]
        with pytest.raises(pyossl.DecodeError, match="are allowed"):
            load_uri(str(path), "password")


def test_elements_of_der_count_together(tmp_path: Path) -> None:
    path = tmp_path / "keys.der"
    path.write_bytes(locked_by(pbkdf2(HALF)) * 2)
    with pytest.raises(pyossl.DecodeError, match=f"{MOST_ITERATIONS} are allowed"):
        load_uri(str(path), "password")


def test_a_key_after_an_unknown_element_is_not_opened(tmp_path: Path) -> None:
    """OpenSSL's decoders continue where the last one stopped."""
    key = locked_by(pbkdf2(ABSURD))
    path = tmp_path / "file"
    for junk, data in itertools.product((b"junk", b"junkjunk", b"\0" * 16, b"0"), (key, b"\n" + pem(key))):
        path.write_bytes(junk + data)
        with pytest.raises(pyossl.DecodeError):
            load_uri(str(path), "password")


@pytest.mark.parametrize("hashing", TOO_MUCH)
@pytest.mark.parametrize("form", ["shrouded", "nested"])
def test_a_key_in_a_pkcs_12_does_not_take_long_either(form: str, hashing: str, tmp_path: Path) -> None:
    path = tmp_path / "file.p12"
    path.write_bytes(locked_in_a_part(locked_by(TOO_MUCH[hashing]), nested=form == "nested"))
    for load in (PKCS12.load, lambda path, password: load_uri(str(path), password)):
        with pytest.raises(pyossl.DecodeError, match=f"{MOST_ITERATIONS} are allowed"):
            load(path, "password")


@pytest.mark.parametrize("place", PLACES)
def test_a_pkcs_12_that_a_uri_names_does_not_take_long(file: bytes, place: str, tmp_path: Path) -> None:
    path = tmp_path / "file.p12"
    path.write_bytes(exchanged(file, integer(FEW), integer(ABSURD), place=PLACES[place]))
    for arguments in ({}, {"kind": PrivateKey}):
        for password in ("password", "wrong", None, lambda: "password"):
            with pytest.raises(pyossl.DecodeError, match=f"{MOST_ITERATIONS} are allowed"):
                load_uri(str(path), password, **arguments)  # type: ignore[call-overload]


PBMAC1 = bytes.fromhex("06092a864886f70d01050e")


@pytest.mark.skipif(not lib.HAVE_API_3_4, reason="to OpenSSL before 3.4 PBMAC1 is a digest that it does not have")
def test_a_pbmac1_does_not_take_long(file: bytes) -> None:
    version, safe, _ = elements(next(elements(file))[1])
    for hashing in (pbkdf2(ABSURD, key_length=32), pbkdf2(FEW, key_length=1 << 28), pbkdf2(HALF, "SHA-512", 64)):
        mac = tlv(SEQUENCE, PBMAC1, tlv(SEQUENCE, hashing, tlv(SEQUENCE, HMAC_SHA_256, b"\5\0")))
        data = tlv(SEQUENCE, tlv(SEQUENCE, mac, tlv(OCTET_STRING, bytes(32))), tlv(OCTET_STRING, bytes(8)), integer(1))
        slow = tlv(SEQUENCE, tlv(*version), tlv(*safe), data)
        with pytest.raises(pyossl.DecodeError, match=f"{MOST_ITERATIONS} are allowed"):
            PKCS12.load(slow, "password")


def opened_by(key: bytes, hashing: bytes, plain: bytes) -> bytes:
    padding = 16 - len(plain) % 16
    encryptor = Cipher(algorithms.AES(key), modes.CBC(bytes(16))).encryptor()
    return locked_by(hashing, encryptor.update(plain + bytes([padding]) * padding))


def test_what_programs_write_is_read(tmp_path: Path) -> None:
    """The highest scrypt parameters (powers of two) in OpenSSL's 32 MiB, and PBKDF2 as in password managers."""
    key = PrivateKey.generate()
    hashed = hashlib.scrypt(b"password", salt=bytes(16), n=1 << 14, r=8, p=1, dklen=32)
    often = 1_000_000
    locked = (
        opened_by(hashed, scrypt(1 << 14, 8, 1), key.to_der()),
        opened_by(hashlib.pbkdf2_hmac("sha256", b"password", bytes(16), often, 32), pbkdf2(often), key.to_der()),
    )
    path = tmp_path / "key"
    for der in locked:
        for data in (der, pem(der)):
            assert PrivateKey.load(data, "password") == key
        path.write_bytes(der)
        assert load_uri(str(path), "password") == [key]


def test_the_first_key_that_the_password_opens_is_loaded() -> None:
    first, second = PrivateKey.generate(), PrivateKey.generate()
    both = first.to_pem("first") + second.to_pem("second")
    assert PrivateKey.load(both, "first") == first
    assert PrivateKey.load(both, "second") == second
    with pytest.raises(pyossl.PasswordError):
        PrivateKey.load(both, "third")


COUNTS = st.integers(1, 1 << 70)


def work(hashing: bytes) -> int:
    der = locked_by(hashing)
    return int(lib.pyossl_key_iterations(der, len(der)))


@example(1, 1281, 1, 0, (1 << 63) - 1793)  # overflows a sum of 64 bits
@example(1, 1_000_000_000_000_000_065, 1, 0, 1 << 64)  # more than 64 bits counts for no less
@given(COUNTS, COUNTS, COUNTS, st.integers(0, 2), COUNTS)
def test_more_of_anything_is_never_less_work(cost: int, blocks: int, parallel: int, which: int, more: int) -> None:
    numbers = [cost, blocks, parallel]
    larger = [number + more * (which == n) for n, number in enumerate(numbers)]
    assert work(scrypt(*larger)) >= work(scrypt(*numbers)) > 0
    assert work(pbkdf2(cost + more)) >= work(pbkdf2(cost)) >= min(cost, MOST_ITERATIONS)
    assert work(pbkdf2(cost, key_length=blocks + more)) >= work(pbkdf2(cost, key_length=blocks))
    assert work(old(cost + more)) >= work(old(cost)) >= min(cost, MOST_ITERATIONS)


def test_what_is_written_can_be_read(credentials: pyossl.Credentials) -> None:
    bundle = PKCS12(credentials.private_key, credentials.certificate)
    data = bundle.to_der("password", iterations=MOST_ITERATIONS // 5)
    assert PKCS12.load(data, lambda: "password").private_key == credentials.private_key
    with pytest.raises(pyossl.PasswordError):
        PKCS12.load(data)
    with pytest.raises(pyossl.PasswordError):
        PKCS12.load(data, "wrong")


def test_what_could_not_be_read_is_not_written(authority: pyossl.Authority) -> None:
    for count in (0, -1, MOST_ITERATIONS, ABSURD):
        with pytest.raises(ValueError, match="hashed is 1 to"):
            PKCS12(chain=[authority.certificate]).to_der("password", iterations=count)
