"""Operations on keys that only the pyOpenSSL API needs.  EVP_PKEY(3)"""

from __future__ import annotations

from pyossl.bio.bio import BIO
from pyossl.core.arguments import c_string
from pyossl.core.binding import ffi, lib, own, text
from pyossl.core.errors import UnsupportedError, check, check_ptr
from pyossl.core.outcome import take_records
from pyossl.x509.encoding import contents, written
from pyossl.x509.keys import Key, PrivateKey


def key_number(key: Key) -> int:
    """OpenSSL's number of the key's type, an EVP_PKEY_x.  EVP_PKEY_get_id(3)"""
    return int(lib.EVP_PKEY_get_id(key._key))


def generate_dsa(bits: int) -> PrivateKey:
    """A new DSA key, of fewer bits than ``PrivateKey.generate`` makes too.  DSA_generate_key(3)"""
    take_records()
    return PrivateKey(own(check_ptr(lib.pyossl_generate_dsa(bits), "generating a DSA key"), lib.EVP_PKEY_free))


def check_key(key: PrivateKey) -> None:
    """Raises ``Error`` where the key's numbers do not belong together.  EVP_PKEY_check(3)"""
    take_records()
    context = own(check_ptr(lib.EVP_PKEY_CTX_new(key._key, ffi.NULL), "EVP_PKEY_CTX_new"), lib.EVP_PKEY_CTX_free)
    check(lib.EVP_PKEY_check(context), "EVP_PKEY_check")


def key_text(key: PrivateKey) -> bytes:
    """The key's numbers, the private ones too, for people.  EVP_PKEY_print_private(3)"""
    return written(lib.EVP_PKEY_print_private, key._key, 0, ffi.NULL)


def key_der(key: PrivateKey) -> bytes:
    """The key in the DER of its type's own, older format where it has one.  i2d_PrivateKey_bio(3)"""
    return written(lib.i2d_PrivateKey_bio, key._key)


def has_cipher(name: str) -> bool:
    """Whether OpenSSL has a cipher of this name, such as ``aes-128-cbc``.  EVP_get_cipherbyname(3)"""
    return bool(lib.EVP_get_cipherbyname(c_string(name, "a cipher")) != ffi.NULL)


def key_pem(key: PrivateKey, cipher: str | None, password: bytes = b"") -> bytes:
    """The key in PEM, encrypted with a cipher of OpenSSL's.  PEM_write_bio_PrivateKey(3)"""
    algorithm = ffi.NULL if cipher is None else lib.EVP_get_cipherbyname(c_string(cipher, "a cipher"))
    if cipher is not None and algorithm == ffi.NULL:
        raise UnsupportedError(f"cipher {cipher!r}")
    bio = BIO.memory()
    take_records()
    # Where there is no password OpenSSL must be told so, or it asks on the terminal.
    secret = ffi.from_buffer(password) if cipher is not None else ffi.NULL
    answer = ffi.new("pyossl_password *", {"bytes": ffi.from_buffer(password), "length": len(password)})
    given = secret if password else ffi.NULL
    callback = ffi.NULL if password else lib.pyossl_password_callback
    check(
        lib.PEM_write_bio_PrivateKey(bio._bio, key._key, algorithm, given, len(password), callback, answer),
        "PEM_write_bio_PrivateKey",
    )
    return contents(bio)


def curve_names() -> tuple[str, ...]:
    """OpenSSL's names of the elliptic curves that it has.  EC_get_builtin_curves(3)"""
    count = lib.EC_get_builtin_curves(ffi.NULL, 0)
    curves = ffi.new("EC_builtin_curve[]", count)
    lib.EC_get_builtin_curves(curves, count)
    return tuple(text(lib.OBJ_nid2sn(curve.nid)) for curve in curves)
