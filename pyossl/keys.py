"""Private keys.  EVP_PKEY(3)"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from pyossl._lib import ffi, lib, own, text
from pyossl.bio import BIO
from pyossl.errors import DecodeError, PasswordError, check, check_ptr, failed
from pyossl.outcome import take_records

Source = str | os.PathLike[str] | bytes
"""Where an encoded thing is: a file's path, or the bytes themselves."""

Password = str | bytes | Callable[[], str | bytes]
"""A password, or a function that is asked for it when the key turns out to be encrypted."""


def encoded(source: Source) -> bytes:
    """The bytes of a source: PEM text (as ``str`` it is a path) or DER.

    Raises ``OSError`` where a file cannot be read, ``TypeError`` for anything else than a path or bytes.
    """
    if isinstance(source, bytes):
        return source
    if isinstance(source, str) and "-----BEGIN" in source:
        # The error of open() would show what may be a private key.
        raise TypeError("PEM is given as bytes: a str is the path of a file")
    with open(os.fspath(source), "rb") as file:
        return file.read()


class PrivateKey:
    """A private key of any type that OpenSSL has.  EVP_PKEY(3)"""

    def __init__(self, pointer: Any) -> None:
        self._key = pointer

    @classmethod
    def load(cls, source: Source, password: Password | None = None) -> PrivateKey:
        """The key in PEM or DER, from a file's path or from bytes.

        ``password`` is asked for only when the key is encrypted; nothing ever prompts on a terminal.  Raises
        ``PasswordError`` when it is missing or wrong, ``DecodeError`` when there is no private key.
        PEM_read_bio_PrivateKey(3), d2i_PKCS8PrivateKey_bio(3)
        """
        data = encoded(source)
        known = None if callable(password) else password
        pointer, asked = _decode(data, known)
        if pointer == ffi.NULL and asked and callable(password):
            take_records()
            pointer, asked = _decode(data, known := password())
        if pointer != ffi.NULL:
            take_records()
            return cls(own(pointer, lib.EVP_PKEY_free))
        if not asked:
            raise failed(f"reading a private key from {describe(source)}", DecodeError)
        why = "needs a password" if known is None else "was not opened by this password"
        raise failed(f"the private key in {describe(source)} is encrypted and {why}: decryption", PasswordError)

    @classmethod
    def generate(cls) -> PrivateKey:
        """A new key on the curve P-256.  EVP_PKEY_keygen(3)"""
        what = "EVP_PKEY_keygen"
        context = own(check_ptr(lib.EVP_PKEY_CTX_new_id(lib.EVP_PKEY_EC, ffi.NULL), what), lib.EVP_PKEY_CTX_free)
        check(lib.EVP_PKEY_keygen_init(context), what)
        check(lib.EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, lib.NID_X9_62_prime256v1), what)
        check(lib.EVP_PKEY_CTX_set_ec_param_enc(context, lib.OPENSSL_EC_NAMED_CURVE), what)
        key = ffi.new("EVP_PKEY **")
        check(lib.EVP_PKEY_keygen(context, key), what)
        return cls(own(key[0], lib.EVP_PKEY_free))

    def to_pem(self, password: str | bytes | None = None) -> bytes:
        """PKCS#8 in PEM, encrypted with AES-256 when there is a password.  PEM_write_bio_PKCS8PrivateKey(3)"""
        bio = BIO.memory()
        secret = ffi.NULL if password is None else _bytes_of(password)
        cipher = ffi.NULL if password is None else lib.EVP_aes_256_cbc()
        length = 0 if password is None else len(secret)
        check(
            lib.PEM_write_bio_PKCS8PrivateKey(bio._bio, self._key, cipher, secret, length, ffi.NULL, ffi.NULL),
            "PEM_write_bio_PKCS8PrivateKey",
        )
        return contents(bio)

    @property
    def type(self) -> str:
        """OpenSSL's short name of the key's type, such as ``id-ecPublicKey``.  EVP_PKEY_get_id(3)"""
        return text(lib.OBJ_nid2sn(lib.EVP_PKEY_get_id(self._key)))

    @property
    def bits(self) -> int:
        """The key's size in bits.  EVP_PKEY_get_bits(3)"""
        return lib.EVP_PKEY_get_bits(self._key)

    def __repr__(self) -> str:
        return f"<PrivateKey {self.type} {self.bits} bits>"


def describe(source: Source) -> str:
    """How an error message names a source; never its contents."""
    return f"{len(source)} bytes" if isinstance(source, bytes) else repr(os.fspath(source))


def contents(bio: BIO) -> bytes:
    """All that was written to a memory BIO."""
    data = bio.read()
    return data if isinstance(data, bytes) else b""


def _bytes_of(password: str | bytes) -> bytes:
    if isinstance(password, str):
        return password.encode()
    if isinstance(password, bytes):
        return password
    raise TypeError(f"a password is str or bytes, not {type(password).__name__}")


def _decode(data: bytes, password: str | bytes | None) -> tuple[Any, bool]:
    """The ``EVP_PKEY *`` in ``data`` or NULL, and whether a password was wanted."""
    secret = b"" if password is None else _bytes_of(password)
    secret_copy = ffi.from_buffer(secret)
    answer = ffi.new("pyossl_password *", {"bytes": secret_copy, "length": -1 if password is None else len(secret)})
    callback = lib.pyossl_password_callback
    take_records()
    if b"-----BEGIN" in data:
        pointer = lib.PEM_read_bio_PrivateKey(BIO.memory(data)._bio, ffi.NULL, callback, answer)
        return pointer, bool(answer.asked)
    pointer = lib.d2i_PKCS8PrivateKey_bio(BIO.memory(data)._bio, ffi.NULL, callback, answer)
    if pointer == ffi.NULL and not answer.asked:
        take_records()
        pointer = lib.d2i_PrivateKey_bio(BIO.memory(data)._bio, ffi.NULL)
    return pointer, bool(answer.asked)
