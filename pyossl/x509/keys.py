"""Private and public keys of every type that OpenSSL supports.  EVP_PKEY(3)"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from pyossl.bio.bio import BIO
from pyossl.core import ffi, lib, own, text
from pyossl.core.arguments import pointer as checked_pointer
from pyossl.core.copying import Unpickled
from pyossl.core.errors import (
    DecodeError,
    Error,
    PasswordError,
    UnsupportedError,
    UsageError,
    check,
    check_ptr,
    failed,
)
from pyossl.core.library_context import LibraryContext, fips_note, library_of, library_pointer
from pyossl.core.outcome import Record, take_records
from pyossl.x509.cryptography_objects import cryptography, cryptography_bytes
from pyossl.x509.key_generation import generate_key
from pyossl.x509.passwords import Password, check_iterations, password_bytes
from pyossl.x509.pem_and_der import (
    Block,
    Source,
    check_nothing_follows,
    describe,
    output_of,
    pem_blocks,
    pem_text,
    read_der,
    source_bytes,
)


class Key:
    """The base class of ``PrivateKey`` and ``PublicKey``.  EVP_PKEY(3)"""

    _library_context: LibraryContext | None = None

    def __init__(self, pointer: Any) -> None:
        """Makes a key of ``pointer``, an ``EVP_PKEY *``, which is freed with its last reference, as by ``ffi.gc``.

        ``load`` takes a file or bytes.
        """
        self._key = checked_pointer(
            pointer, "EVP_PKEY *", f"make a {type(self).__name__} with {type(self).__name__}.load"
        )

    @property
    def type(self) -> str:
        """OpenSSL's name of the key's type, for example ``RSA``, ``EC``, ``ED25519`` or ``ML-DSA-65``.

        EVP_PKEY_get0_type_name(3)
        """
        return text(lib.EVP_PKEY_get0_type_name(self._key))

    @property
    def group(self) -> str | None:
        """The name of the curve, for example ``prime256v1``, or of a DH key's group; None if there is none.

        EVP_PKEY_get_group_name(3)
        """
        name, length = ffi.new("char[]", _LONGEST_GROUP), ffi.new("size_t *")
        found = lib.EVP_PKEY_get_group_name(self._key, name, _LONGEST_GROUP, length)
        take_records()
        return text(name) if found == 1 else None

    @property
    def bits(self) -> int:
        """The size of the key in bits.  EVP_PKEY_get_bits(3)"""
        return lib.EVP_PKEY_get_bits(self._key)

    @property
    def security_bits(self) -> int:
        """The strength of the key: the size in bits of a symmetric key that is as hard to break.

        EVP_PKEY_get_security_bits(3)
        """
        return lib.EVP_PKEY_get_security_bits(self._key)

    def public_der(self) -> bytes:
        """The public key (SubjectPublicKeyInfo) in DER.  i2d_PUBKEY_bio(3)"""
        return output_of(lib.i2d_PUBKEY_bio, self._key)

    def _equals(self, other: Key) -> bool:
        equal = lib.EVP_PKEY_eq(self._key, other._key) == 1
        take_records()
        return equal

    def __hash__(self) -> int:
        return hash(self.public_der())

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.type} {self.bits} bits>"


_LONGEST_GROUP = 80


class PublicKey(Key):
    """A public key.  EVP_PKEY(3)"""

    @classmethod
    def load(cls, source: Source, *, library_context: LibraryContext | None = None) -> PublicKey:
        """Loads a public key (SubjectPublicKeyInfo) in PEM or DER.

        - ``source``: the path of a file, or the contents as ``bytes``.
        - ``library_context``: the ``LibraryContext`` that the key belongs to; None for the default one.

        Raises ``DecodeError`` if there is no public key.  PEM_read_bio_PUBKEY_ex(3), d2i_PUBKEY_ex(3)
        """
        library = library_pointer(library_context)
        data = source_bytes(source)
        text = pem_text(data)
        what = f"reading a public key from {describe(source)}{fips_note(library_context)}"
        take_records()
        bio = BIO.memory(text or data)
        if text:
            pointer = lib.PEM_read_bio_PUBKEY_ex(
                bio._bio, ffi.NULL, lib.pyossl_password_callback, ffi.NULL, library, ffi.NULL
            )
        else:
            check_nothing_follows(data, what)
            pointer = _read_public(library, data)
        key = cls(own(check_ptr(pointer, what, DecodeError), lib.EVP_PKEY_free))
        take_records()
        return key_of_library(key, library_context)

    @classmethod
    def _from_der(cls, der: bytes, library_context: LibraryContext | None = None) -> PublicKey:
        library = library_pointer(library_context)
        key = cls(read_der(der, "public key", lib.EVP_PKEY_free, lambda bio, place: _read_public(library, der)))
        return key_of_library(key, library_context)

    @classmethod
    def borrowed(cls, pointer: Any) -> PublicKey:
        """A ``PublicKey`` that holds its own reference to ``pointer``, an ``EVP_PKEY *`` of OpenSSL's."""
        checked_pointer(pointer, "EVP_PKEY *", "make a PublicKey with PublicKey.load")
        check(lib.EVP_PKEY_up_ref(pointer), "EVP_PKEY_up_ref")
        return cls(own(pointer, lib.EVP_PKEY_free))

    def __reduce__(self) -> tuple[Callable[[bytes], PublicKey], tuple[bytes]]:
        return PublicKey.load, (self.to_der(),)

    def to_der(self) -> bytes:
        """The key as SubjectPublicKeyInfo in DER.  i2d_PUBKEY_bio(3)"""
        return self.public_der()

    def to_pem(self) -> bytes:
        """The key as SubjectPublicKeyInfo in PEM.  PEM_write_bio_PUBKEY(3)"""
        return output_of(lib.PEM_write_bio_PUBKEY, self._key)

    @classmethod
    def from_cryptography(cls, key: Any) -> PublicKey:
        """Converts ``key``, an object of the package ``cryptography``, by way of DER.

        Raises ``TypeError`` for another object.
        """
        serialization = cryptography("hazmat.primitives.serialization")
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return cls._from_der(cryptography_bytes(key, "public_bytes", "a public key", serialization.Encoding.DER, form))

    def to_cryptography(self) -> Any:
        """Converts the key to an object of the package ``cryptography``, by way of DER.

        Raises ``ImportError`` if that package is not installed, and its ``UnsupportedAlgorithm`` for a type that it
        does not support.
        """
        return cryptography("hazmat.primitives.serialization").load_der_public_key(self.to_der())

    def __eq__(self, other: object) -> bool:
        return self._equals(other) if isinstance(other, PublicKey) else NotImplemented

    __hash__ = Key.__hash__


class PrivateKey(Unpickled, Key):
    """A private key.  It cannot be pickled, because it is secret.  EVP_PKEY(3)"""

    _instead = "they are secret; store the result of to_pem() or to_der(), with a password if others can read it"
    _log_in: Callable[[], None] | None = None
    """Of a key in a token: logs in to the token, if this process was forked since the key was loaded."""

    @classmethod
    def load(
        cls, source: Source, password: Password | None = None, *, library_context: LibraryContext | None = None
    ) -> PrivateKey:
        """Loads a private key in PEM or DER; in PEM, the first one that can be read.

        - ``source``: the path of a file, or the contents as ``bytes``.
        - ``password``: ``str``, ``bytes``, or a function that returns one and is called only if the key is encrypted.
          pyossl never prompts on a terminal.
        - ``library_context``: the ``LibraryContext`` that the key belongs to; None for the default one.

        Raises

        - ``PasswordError`` if the password is missing or wrong;
        - ``UnsupportedError`` if this OpenSSL does not support the encryption of the key.  OpenSSL 3.0 or newer needs
          the provider ``legacy`` for RC2, single DES, Blowfish and other old ciphers;
        - ``DecodeError`` if there is no private key, or if hashing the password for all keys in the source would take
          longer than five million iterations of PBKDF2 with HMAC-SHA-256: seconds.

        PEM_read_bio_PrivateKey_ex(3), d2i_PrivateKey_ex_bio(3)
        """
        library_pointer(library_context)
        data = source_bytes(source)
        text = pem_text(data)
        reading = f"reading a private key from {describe(source)}"
        malformed_error: Error | None = None
        if text:
            blocks, malformed_error = pem_blocks(text, reading)
        else:
            check_nothing_follows(data, reading)
            blocks = [Block("", b"", data)]
        return cls._from_blocks(
            [block for block in blocks if is_private_key(block)],
            password,
            describe(source),
            malformed_error,
            library_context,
        )

    @classmethod
    def _from_blocks(
        cls,
        blocks: Sequence[Block],
        password: Password | None,
        where: str,
        malformed_error: Error | None,
        library_context: LibraryContext | None = None,
    ) -> PrivateKey:
        """The first of these blocks that can be read."""
        reading = f"reading a private key from {where}{fips_note(library_context)}"
        library = library_pointer(library_context)
        for block in blocks:
            check_pem_headers(block, reading)
        check_iterations(sum(map(iterations_of, blocks)), f"the private key in {where}")
        known = None if callable(password) else password
        read = _decode(blocks, known, reading, library)
        if read.password_error and callable(password):
            read = _decode(blocks, known := password(), reading, library)
        if read.key is not None:
            return key_of_library(cls(read.key), library_context)
        if read.password_error:
            why = "needs a password" if known is None else "was not opened by this password"
            raise PasswordError(
                f"the private key in {where} is encrypted and {why}: {read.password_error}", read.password_error.failure
            )
        if read.unsupported_error:
            unsupported = UnsupportedError(
                f"way to open the private key in {where}, which is encrypted with {read.scheme}"
                f"{fips_note(library_context)}"
            )
            unsupported.failure = read.unsupported_error.failure
            raise unsupported
        raise malformed_error or read.malformed_error or DecodeError(f"{reading} failed: it holds no private key")

    @classmethod
    def generate(
        cls,
        type: str = "EC",
        *,
        bits: int | None = None,
        group: str | None = None,
        library_context: LibraryContext | None = None,
    ) -> PrivateKey:
        """Generates a new key.

        - ``type``: OpenSSL's name: ``EC``, ``RSA``, ``ED25519``, ``X25519``, ``ML-DSA-65`` (OpenSSL 3.5 or newer) and
          others.
        - ``bits``: the size of an RSA, RSA-PSS or DSA key; None for OpenSSL's default, 2048.
        - ``group``: the curve of an EC key, ``P-256`` by default, or the group of a DH key, ``ffdhe2048`` by default.
        - ``library_context``: the ``LibraryContext`` that the key belongs to; None for the default one.

        Raises ``UnsupportedError`` for a type or group that this OpenSSL does not have, and ``ValueError`` for an
        option that keys of this type do not have.  EVP_PKEY_keygen(3)
        """
        return key_of_library(cls(generate_key(type, bits, group, library_context)), library_context)

    @property
    def public_key(self) -> PublicKey:
        """The public half of the key."""
        return PublicKey._from_der(self.public_der(), self._library_context)

    def to_pem(self, password: Password | None = None) -> bytes:
        """The key as PKCS#8 in PEM, encrypted with AES-256 if there is a ``password``.

        ``password`` is ``str``, ``bytes``, or a function that returns one; ``ValueError`` if it is empty.
        PEM_write_bio_PKCS8PrivateKey(3)
        """
        if password is None:
            return self._unencrypted(lib.PEM_write_bio_PKCS8PrivateKey)
        return self._encrypted(lib.PEM_write_bio_PKCS8, password)

    def to_der(self, password: Password | None = None) -> bytes:
        """The key as PKCS#8 in DER, encrypted with AES-256 if there is a ``password``.

        ``password`` is ``str``, ``bytes``, or a function that returns one; ``ValueError`` if it is empty.
        i2d_PKCS8PrivateKey_bio(3)
        """
        if password is None:
            return self._unencrypted(lib.i2d_PKCS8PrivateKey_bio)
        return self._encrypted(lib.i2d_PKCS8_bio, password)

    def _unencrypted(self, write: Any) -> bytes:
        return output_of(write, self._key, ffi.NULL, ffi.NULL, 0, ffi.NULL, ffi.NULL)

    def _encrypted(self, write: Any, password: Password) -> bytes:
        secret = password_bytes(password)
        if not secret:
            raise ValueError("the password is empty: None writes the key without encryption")
        # PEM_write_bio_PKCS8PrivateKey(3) can encrypt too, but cuts a password at 1,024 bytes from OpenSSL 3.0 on.
        take_records()
        plain = own(check_ptr(lib.EVP_PKEY2PKCS8(self._key), "EVP_PKEY2PKCS8"), lib.PKCS8_PRIV_KEY_INFO_free)
        cipher = lib.EVP_aes_256_cbc()
        library = library_of(self._library_context)
        by_password = -1, cipher, secret, len(secret), ffi.NULL, 0, 0
        encrypted = lib.PKCS8_encrypt_ex(*by_password, plain, library, ffi.NULL)
        return output_of(write, own(check_ptr(encrypted, "PKCS8_encrypt"), lib.X509_SIG_free))

    @classmethod
    def from_cryptography(cls, key: Any) -> PrivateKey:
        """Converts ``key``, an object of the package ``cryptography``, by way of DER.

        Raises ``TypeError`` for another object.
        """
        serialization = cryptography("hazmat.primitives.serialization")
        form = serialization.PrivateFormat.PKCS8
        written_as = serialization.Encoding.DER, form, serialization.NoEncryption()
        der = cryptography_bytes(key, "private_bytes", "a private key", *written_as)
        return cls._from_blocks([Block("", b"", der)], None, describe(der), None)

    def to_cryptography(self) -> Any:
        """Converts the key to an object of the package ``cryptography``, by way of DER.

        Raises ``ImportError`` if that package is not installed, and its ``UnsupportedAlgorithm`` for a type that it
        does not support.
        """
        return cryptography("hazmat.primitives.serialization").load_der_private_key(self.to_der(), None)

    def __eq__(self, other: object) -> bool:
        return self._equals(other) if isinstance(other, PrivateKey) else NotImplemented

    __hash__ = Key.__hash__


_AnyKey = TypeVar("_AnyKey", bound=Key)


def key_of_library(key: _AnyKey, library_context: LibraryContext | None) -> _AnyKey:
    """The key, marked as one of a library context.

    Raises ``UnsupportedError`` if no provider there has such keys, or only one without FIPS where FIPS is in force:
    OpenSSL reads keys also without a provider, and does not apply the default properties (docs/pitfalls.md, 68).
    """
    if library_context is not None:
        provider = lib.EVP_PKEY_get0_provider(key._key)
        note = fips_note(library_context)
        if provider == ffi.NULL or (note and text(lib.OSSL_PROVIDER_get0_name(provider)) in _WITHOUT_FIPS):
            raise UnsupportedError(f"provider in its library context for this {key.type} key{note}")
        key._library_context = library_context
    return key


_WITHOUT_FIPS = ("default", "legacy")


def check_library(key: Key, library_context: LibraryContext | None, user: str) -> None:
    """Raises ``UsageError`` if a key is not of the library context of ``user``, which is to use it."""
    if key._library_context is not library_context:
        raise UsageError(
            f"the key belongs to {_described(key._library_context)}, and {user} to {_described(library_context)}: "
            "load the key with the library_context that it is used in"
        )


def _described(library_context: LibraryContext | None) -> str:
    return "the default library context" if library_context is None else repr(library_context)


def _read_public(library: Any, der: bytes) -> Any:
    """The ``EVP_PKEY *`` of a SubjectPublicKeyInfo, which the caller owns; NULL if it is malformed."""
    if library == ffi.NULL:
        return lib.d2i_PUBKEY_bio(BIO.memory(der)._bio, ffi.NULL)
    place = ffi.new("const unsigned char **", data := ffi.from_buffer(der))
    return lib.d2i_PUBKEY_ex(ffi.NULL, place, len(data), library, ffi.NULL)


def is_private_key(block: Block) -> bool:
    """Whether a block should hold a private key, of any type, encrypted or not."""
    return block.label.endswith("PRIVATE KEY") or not block.label


def iterations_of(block: Block) -> int:
    """The work of hashing the password of an encrypted key, in iterations; 0 for anything else."""
    return int(lib.pyossl_key_iterations(block.der, len(block.der)))


# The headers of PEM_write_bio_PrivateKey_traditional(3), which hashes the password once.
_ENCRYPTED = re.compile(
    rb"Proc-Type:[ \t]*4[ \t]*,[ \t]*ENCRYPTED[ \t\r]*\n"
    rb"DEK-Info:[ \t]*(?P<cipher>[A-Za-z0-9-]+)(,[ \t]*[0-9A-Fa-f]+)?[ \t\r]*\n?"
)
_TRADITIONAL = ("RSA PRIVATE KEY", "DSA PRIVATE KEY", "EC PRIVATE KEY", "SM2 PRIVATE KEY", "DH PRIVATE KEY")


def check_pem_headers(block: Block, reading: str) -> None:
    """Raises ``DecodeError`` for PEM headers other than those of an encrypted key in the traditional format.

    Any other encrypted block could hold another encrypted key, whose iterations are not known before it is decrypted.
    """
    if block.header and not (block.label in _TRADITIONAL and _ENCRYPTED.fullmatch(block.header)):
        raise DecodeError(f"{reading} failed: the PEM block {block.label!r} has headers that are not allowed there")


class _Decoded(NamedTuple):
    """The result of reading a private key from several blocks.

    - ``key``: the ``EVP_PKEY *``, owned; or None, and the other fields say why.
    - ``password_error``: the error of a key that needs a password, or another one.
    - ``unsupported_error``, ``scheme``: the error of a key whose encryption this OpenSSL does not support, and its
      name.
    - ``malformed_error``: any other error.
    """

    key: Any = None
    password_error: Error | None = None
    unsupported_error: Error | None = None
    scheme: str = ""
    malformed_error: Error | None = None


def _decode(blocks: Sequence[Block], password: str | bytes | None, reading: str, library: Any) -> _Decoded:
    """The key in the first block that can be read."""
    secret = b"" if password is None else password_bytes(password)
    secret_copy = ffi.from_buffer(secret)
    answer = ffi.new("pyossl_password *", {"bytes": secret_copy, "length": -1 if password is None else len(secret)})
    found = _Decoded()
    for block in blocks:
        answer.asked = 0
        take_records()
        pointer = _decode_one(block, answer, library)
        if pointer != ffi.NULL:
            key = own(pointer, lib.EVP_PKEY_free)
            take_records()
            return _Decoded(key)
        error = failed("decryption" if answer.asked else reading, DecodeError)
        scheme = _scheme(block)
        was_opened = _pkcs8_scheme(block) and password is not None and not answer.asked
        if scheme and not was_opened and unsupported_record(error):
            found = found._replace(unsupported_error=error, scheme=scheme)
        elif answer.asked:
            if block.header and len(secret) > lib.PEM_BUFSIZE:
                error = DecodeError(
                    f"OpenSSL uses at most {lib.PEM_BUFSIZE} bytes of a password for a key in this format"
                )
            found = found._replace(password_error=error)
        else:
            found = found._replace(malformed_error=found.malformed_error or error)
    return found


def _decode_one(block: Block, answer: Any, library: Any) -> Any:
    """Hashes the password at most once: PEM_read_bio_PrivateKey(3) hashes a wrong password a second time."""
    callback = lib.pyossl_password_callback
    is_encrypted = bool(_pkcs8_scheme(block))
    if is_encrypted and answer.length >= 0:
        return _decrypted(block, answer, library)
    if is_encrypted or not block.label:
        pointer = lib.d2i_PKCS8PrivateKey_bio(BIO.memory(block.der)._bio, ffi.NULL, callback, answer)
        if pointer != ffi.NULL or answer.asked:
            return pointer
        take_records()
    if not block.label:
        return lib.d2i_PrivateKey_ex_bio(BIO.memory(block.der)._bio, ffi.NULL, library, ffi.NULL)
    bio = BIO.memory(block.pem())
    return lib.PEM_read_bio_PrivateKey_ex(bio._bio, ffi.NULL, callback, answer, library, ffi.NULL)


def _decrypted(block: Block, answer: Any, library: Any) -> Any:
    """Like d2i_PKCS8PrivateKey_bio(3), which does not take passwords of more than 1,024 bytes.

    ``answer.asked`` stays 0 if the password is right but the decrypted key cannot be read.
    """
    answer.asked = 1
    encrypted = lib.d2i_PKCS8_bio(BIO.memory(block.der)._bio, ffi.NULL)
    if encrypted == ffi.NULL:
        return ffi.NULL
    owned = own(encrypted, lib.X509_SIG_free)
    plain = lib.PKCS8_decrypt_ex(owned, answer.bytes, answer.length, library, ffi.NULL)
    if plain == ffi.NULL:
        return ffi.NULL
    answer.asked = 0
    return lib.EVP_PKCS82PKEY_ex(own(plain, lib.PKCS8_PRIV_KEY_INFO_free), library, ffi.NULL)


def _scheme(block: Block) -> str:
    """The name of a key's encryption; empty if it is not encrypted."""
    if header := _ENCRYPTED.fullmatch(block.header):
        return str(header["cipher"].decode())
    return _pkcs8_scheme(block)


def _pkcs8_scheme(block: Block) -> str:
    return scheme_name(lib.pyossl_key_scheme, block.der, len(block.der))


def scheme_name(write: Callable[..., None], *arguments: Any) -> str:
    """The name of an encryption scheme that ``write``, one of pyossl's C functions, writes to a buffer."""
    name = ffi.new("char[]", _LONGEST_SCHEME)
    write(*arguments, name, _LONGEST_SCHEME)
    return text(name)


_LONGEST_SCHEME = 512
_UNSUPPORTED = {
    (lib.ERR_LIB_EVP, reason)
    for reason in (
        lib.ERR_R_UNSUPPORTED,
        lib.EVP_R_UNKNOWN_CIPHER,
        lib.EVP_R_UNKNOWN_DIGEST,
        lib.EVP_R_UNKNOWN_PBE_ALGORITHM,
        lib.EVP_R_UNSUPPORTED_ALGORITHM,
        lib.EVP_R_UNSUPPORTED_CIPHER,
        lib.EVP_R_UNSUPPORTED_KEY_DERIVATION_FUNCTION,
        lib.EVP_R_UNSUPPORTED_PRF,
    )
}
_UNSUPPORTED |= {
    (lib.ERR_LIB_PEM, reason) for reason in (lib.PEM_R_UNSUPPORTED_CIPHER, lib.PEM_R_UNSUPPORTED_ENCRYPTION)
}
_UNSUPPORTED.add((lib.ERR_LIB_PKCS12, lib.PKCS12_R_UNKNOWN_DIGEST_ALGORITHM))


def unsupported_record(error: Error) -> Record | None:
    """The first record that says that this OpenSSL does not support an algorithm; None if there is none."""
    return next((each for each in error.records if (each.library_code, each.reason_code) in _UNSUPPORTED), None)
