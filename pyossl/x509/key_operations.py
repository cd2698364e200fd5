"""Operations on keys that only the pyOpenSSL API needs.  EVP_PKEY(3)"""

from __future__ import annotations

from pyossl.bio.bio import BIO
from pyossl.core import ffi, lib, own, text
from pyossl.core.arguments import c_string
from pyossl.core.errors import UnsupportedError, check, check_ptr
from pyossl.core.outcome import take_records
from pyossl.x509.keys import Key, PrivateKey
from pyossl.x509.pem_and_der import bio_contents, output_of


def key_number(key: Key) -> int:
    """OpenSSL's number of the key's type, one of ``EVP_PKEY_*``.  EVP_PKEY_get_id(3)"""
    return int(lib.EVP_PKEY_get_id(key._key))


def generate_dsa(bits: int) -> PrivateKey:
    """A new DSA key of any size: ``PrivateKey.generate`` refuses small ones.  DSA_generate_key(3)"""
    take_records()
    return PrivateKey(own(check_ptr(lib.pyossl_generate_dsa(bits), "generating a DSA key"), lib.EVP_PKEY_free))


def check_key(key: PrivateKey) -> None:
    """Raises ``Error`` if the parts of the key do not belong together.  EVP_PKEY_check(3)"""
    take_records()
    context = own(check_ptr(lib.EVP_PKEY_CTX_new(key._key, ffi.NULL), "EVP_PKEY_CTX_new"), lib.EVP_PKEY_CTX_free)
    check(lib.EVP_PKEY_check(context), "EVP_PKEY_check")


def key_text(key: PrivateKey) -> bytes:
    """A description of the key for people to read, including the private part.  EVP_PKEY_print_private(3)"""
    return output_of(lib.EVP_PKEY_print_private, key._key, 0, ffi.NULL)


def key_der(key: PrivateKey) -> bytes:
    """The key in the traditional DER format of its type, or in PKCS#8 if the type has none.  i2d_PrivateKey_bio(3)"""
    return output_of(lib.i2d_PrivateKey_bio, key._key)


def has_cipher(name: str) -> bool:
    """Whether OpenSSL has a cipher of this name, for example ``aes-128-cbc``.  EVP_get_cipherbyname(3)"""
    return bool(lib.EVP_get_cipherbyname(c_string(name, "a cipher")) != ffi.NULL)


def key_pem(key: PrivateKey, cipher: str | None, password: bytes = b"") -> bytes:
    """The key in PEM, encrypted with ``password`` if ``cipher`` is not None.

    Raises ``UnsupportedError`` for a cipher that OpenSSL does not have.  PEM_write_bio_PrivateKey(3)
    """
    algorithm = ffi.NULL if cipher is None else lib.EVP_get_cipherbyname(c_string(cipher, "a cipher"))
    if cipher is not None and algorithm == ffi.NULL:
        raise UnsupportedError(f"cipher {cipher!r}")
    bio = BIO.memory()
    take_records()
    # Without a password and without a callback, OpenSSL would prompt on the terminal.
    secret = ffi.from_buffer(password) if cipher is not None else ffi.NULL
    answer = ffi.new("pyossl_password *", {"bytes": ffi.from_buffer(password), "length": len(password)})
    given = secret if password else ffi.NULL
    callback = ffi.NULL if password else lib.pyossl_password_callback
    check(
        lib.PEM_write_bio_PrivateKey(bio._bio, key._key, algorithm, given, len(password), callback, answer),
        "PEM_write_bio_PrivateKey",
    )
    return bio_contents(bio)


def curve_names() -> tuple[str, ...]:
    """OpenSSL's names of the elliptic curves that it supports.  EC_get_builtin_curves(3)"""
    count = lib.EC_get_builtin_curves(ffi.NULL, 0)
    curves = ffi.new("EC_builtin_curve[]", count)
    lib.EC_get_builtin_curves(curves, count)
    return tuple(text(lib.OBJ_nid2sn(curve.nid)) for curve in curves)
