"""Keys of every type that OpenSSL has.  EVP_PKEY(3)"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from pyossl.bio.bio import BIO
from pyossl.core.arguments import c_string, integer, pointer as checked_pointer
from pyossl.core.binding import ffi, lib, own, text
from pyossl.core.copying import Unpickled
from pyossl.core.errors import DecodeError, Error, PasswordError, UnsupportedError, check, check_ptr, failed
from pyossl.core.outcome import Record, take_records
from pyossl.x509.cryptography_objects import cryptography, cryptography_bytes
from pyossl.x509.encoding import (
    Block,
    Source,
    check_nothing_follows,
    describe,
    encoded,
    pem_blocks,
    pem_text,
    read_der,
    written,
)
from pyossl.x509.passwords import Password, check_iterations, password_bytes


class Key:
    """What private and public keys have in common.  EVP_PKEY(3)"""

    def __init__(self, pointer: Any) -> None:
        self._key = checked_pointer(pointer, "EVP_PKEY *", f"a {type(self).__name__} is made by load and its like")

    @property
    def type(self) -> str:
        """OpenSSL's name of the key's type, such as ``RSA``, ``EC``, ``ED25519`` or ``ML-DSA-65``.

        EVP_PKEY_get0_type_name(3)
        """
        return text(lib.EVP_PKEY_get0_type_name(self._key))

    @property
    def group(self) -> str | None:
        """The name of the curve, such as ``prime256v1``, or of the group of a DH key; None without one.

        EVP_PKEY_get_group_name(3)
        """
        name, length = ffi.new("char[]", _LONGEST_GROUP), ffi.new("size_t *")
        found = lib.EVP_PKEY_get_group_name(self._key, name, _LONGEST_GROUP, length)
        take_records()
        return text(name) if found == 1 else None

    @property
    def bits(self) -> int:
        """The key's size in bits.  EVP_PKEY_get_bits(3)"""
        return lib.EVP_PKEY_get_bits(self._key)

    @property
    def security_bits(self) -> int:
        """How many bits of a symmetric key the key is worth.  EVP_PKEY_get_security_bits(3)"""
        return lib.EVP_PKEY_get_security_bits(self._key)

    def public_der(self) -> bytes:
        """The public key (SubjectPublicKeyInfo) in DER.  i2d_PUBKEY_bio(3)"""
        return written(lib.i2d_PUBKEY_bio, self._key)

    def _equals(self, other: Key) -> bool:
        equal = lib.EVP_PKEY_eq(self._key, other._key) == 1
        take_records()
        return equal

    def __hash__(self) -> int:
        return hash(self.public_der())

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.type} {self.bits} bits>"


_LONGEST_GROUP = 80
LARGEST_MODULUS = 16384
"""In bits: OpenSSL uses no RSA or DSA key that is longer, and would take very long to make one."""


class PublicKey(Key):
    """A public key.  EVP_PKEY(3)"""

    @classmethod
    def load(cls, source: Source) -> PublicKey:
        """The public key (SubjectPublicKeyInfo) in PEM or DER, from a file's path or from bytes.

        Raises ``DecodeError`` when there is none.  PEM_read_bio_PUBKEY(3), d2i_PUBKEY_bio(3)
        """
        data = encoded(source)
        text = pem_text(data)
        what = f"reading a public key from {describe(source)}"
        take_records()
        bio = BIO.memory(text or data)
        if text:
            pointer = lib.PEM_read_bio_PUBKEY(bio._bio, ffi.NULL, lib.pyossl_password_callback, ffi.NULL)
        else:
            check_nothing_follows(data, what)
            pointer = lib.d2i_PUBKEY_bio(bio._bio, ffi.NULL)
        key = cls(own(check_ptr(pointer, what, DecodeError), lib.EVP_PKEY_free))
        take_records()
        return key

    @classmethod
    def _from_der(cls, der: bytes) -> PublicKey:
        return cls(read_der(der, "public key", lib.EVP_PKEY_free, lib.d2i_PUBKEY_bio))

    @classmethod
    def borrowed(cls, pointer: Any) -> PublicKey:
        """A ``PublicKey`` with a reference of its own to an ``EVP_PKEY *`` that OpenSSL keeps."""
        checked_pointer(pointer, "EVP_PKEY *", "a PublicKey is made by load and its like")
        check(lib.EVP_PKEY_up_ref(pointer), "EVP_PKEY_up_ref")
        return cls(own(pointer, lib.EVP_PKEY_free))

    def __reduce__(self) -> tuple[Callable[[bytes], PublicKey], tuple[bytes]]:
        return PublicKey.load, (self.to_der(),)

    def to_der(self) -> bytes:
        """SubjectPublicKeyInfo in DER.  i2d_PUBKEY_bio(3)"""
        return self.public_der()

    def to_pem(self) -> bytes:
        """SubjectPublicKeyInfo in PEM.  PEM_write_bio_PUBKEY(3)"""
        return written(lib.PEM_write_bio_PUBKEY, self._key)

    @classmethod
    def from_cryptography(cls, key: Any) -> PublicKey:
        """The same key as an object of the package ``cryptography``, which goes by DER."""
        serialization = cryptography("hazmat.primitives.serialization")
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return cls._from_der(cryptography_bytes(key, "public_bytes", "a public key", serialization.Encoding.DER, form))

    def to_cryptography(self) -> Any:
        """The same key as an object of the package ``cryptography``, which goes by DER.

        Raises ``ImportError`` without that package, and its own ``UnsupportedAlgorithm`` for a type that it lacks.
        """
        return cryptography("hazmat.primitives.serialization").load_der_public_key(self.to_der())

    def __eq__(self, other: object) -> bool:
        return self._equals(other) if isinstance(other, PublicKey) else NotImplemented

    __hash__ = Key.__hash__


class PrivateKey(Unpickled, Key):
    """A private key.  EVP_PKEY(3)"""

    _instead = "they are secret; store what to_pem() or to_der() gives, with a password where others can read it"

    @classmethod
    def load(cls, source: Source, password: Password | None = None) -> PrivateKey:
        """The key in PEM or DER, from a file's path or from bytes; of PEM the first one that can be read.

        ``password`` is asked for only when the key is encrypted; nothing ever prompts on a terminal.  Raises
        ``PasswordError`` when it is missing or wrong, ``UnsupportedError`` when the key is encrypted in a way that this
        OpenSSL does not have, whatever the password (from 3.0, RC2, single DES, Blowfish and other old ciphers need the
        provider ``legacy``), ``DecodeError`` when there is no private key, or when to hash the password for all that
        are there would take the time of more than five million iterations of PBKDF2 with HMAC-SHA-256: seconds.
        PEM_read_bio_PrivateKey(3), d2i_PKCS8PrivateKey_bio(3)
        """
        data = encoded(source)
        text = pem_text(data)
        reading = f"reading a private key from {describe(source)}"
        malformed: Error | None = None
        if text:
            blocks, malformed = pem_blocks(text, reading)
        else:
            check_nothing_follows(data, reading)
            blocks = [Block("", b"", data)]
        return cls._of([block for block in blocks if is_private(block)], password, describe(source), malformed)

    @classmethod
    def _of(cls, blocks: Sequence[Block], password: Password | None, where: str, malformed: Error | None) -> PrivateKey:
        """The first of these that can be read."""
        reading = f"reading a private key from {where}"
        for block in blocks:
            check_header(block, reading)
        check_iterations(sum(map(iterations_of, blocks)), f"the private key in {where}")
        known = None if callable(password) else password
        read = _decode(blocks, known, reading)
        if read.refused and callable(password):
            read = _decode(blocks, known := password(), reading)
        if read.key is not None:
            return cls(read.key)
        if read.refused:
            why = "needs a password" if known is None else "was not opened by this password"
            raise PasswordError(
                f"the private key in {where} is encrypted and {why}: {read.refused}", read.refused.failure
            )
        if read.lacking:
            unsupported = UnsupportedError(
                f"way to open the private key in {where}, which is encrypted with {read.scheme}"
            )
            unsupported.failure = read.lacking.failure
            raise unsupported
        raise malformed or read.malformed or DecodeError(f"{reading} failed: there is none")

    @classmethod
    def generate(cls, type: str = "EC", *, bits: int | None = None, group: str | None = None) -> PrivateKey:
        """A new key of a type by OpenSSL's name: ``EC``, ``RSA``, ``ED25519``, ``X25519``, ``ML-DSA-65``, …

        ``bits`` is the size of an RSA, RSA-PSS or DSA key (OpenSSL's own default is 2048); ``group`` the curve of an
        EC key (``P-256`` if not said) or the group of a DH key (``ffdhe2048``).  Raises ``UnsupportedError`` for a
        type or group that this OpenSSL lacks, ``ValueError`` for an option that the type has not.
        EVP_PKEY_keygen(3)
        """
        take_records()
        c_string(type, "a key type")
        if bits is not None:
            integer(bits, "the number of bits", 1, LARGEST_MODULUS)
        if group is not None:
            c_string(group, "a group")
        recipe = _RECIPES.get(type.upper(), _Recipe())
        context = _key_context(type)
        if recipe.has_parameters:
            check(lib.EVP_PKEY_paramgen_init(context), "EVP_PKEY_paramgen_init")
            _set_options(context, type, recipe, bits, group)
            context = _key_context_of(_made(lib.EVP_PKEY_paramgen, context))
        check(lib.EVP_PKEY_keygen_init(context), "EVP_PKEY_keygen_init")
        if not recipe.has_parameters:
            _set_options(context, type, recipe, bits, group)
        try:
            return cls(_made(lib.EVP_PKEY_keygen, context))
        except Error as error:
            if group is None:
                raise
            raise _no_such_group(type, group) from error

    @property
    def public_key(self) -> PublicKey:
        """The public half, without the private one."""
        return PublicKey._from_der(self.public_der())

    def to_pem(self, password: Password | None = None) -> bytes:
        """PKCS#8 in PEM, encrypted with AES-256 when there is a password.  PEM_write_bio_PKCS8PrivateKey(3)"""
        if password is None:
            return self._written(lib.PEM_write_bio_PKCS8PrivateKey)
        return self._locked(lib.PEM_write_bio_PKCS8, password)

    def to_der(self, password: Password | None = None) -> bytes:
        """PKCS#8 in DER, encrypted with AES-256 when there is a password.  i2d_PKCS8PrivateKey_bio(3)"""
        if password is None:
            return self._written(lib.i2d_PKCS8PrivateKey_bio)
        return self._locked(lib.i2d_PKCS8_bio, password)

    def _written(self, write: Any) -> bytes:
        return written(write, self._key, ffi.NULL, ffi.NULL, 0, ffi.NULL, ffi.NULL)

    def _locked(self, write: Any, password: Password) -> bytes:
        secret = password_bytes(password)
        if not secret:
            raise ValueError("the password is empty: None writes the key without encryption")
        # PEM_write_bio_PKCS8PrivateKey(3), which encrypts too, cuts a password at 1,024 bytes from 3.0 on.
        take_records()
        plain = own(check_ptr(lib.EVP_PKEY2PKCS8(self._key), "EVP_PKEY2PKCS8"), lib.PKCS8_PRIV_KEY_INFO_free)
        cipher = lib.EVP_aes_256_cbc()
        encrypted = lib.PKCS8_encrypt(-1, cipher, secret, len(secret), ffi.NULL, 0, 0, plain)
        return written(write, own(check_ptr(encrypted, "PKCS8_encrypt"), lib.X509_SIG_free))

    @classmethod
    def from_cryptography(cls, key: Any) -> PrivateKey:
        """The same key as an object of the package ``cryptography``, which goes by DER."""
        serialization = cryptography("hazmat.primitives.serialization")
        form = serialization.PrivateFormat.PKCS8
        written_as = serialization.Encoding.DER, form, serialization.NoEncryption()
        der = cryptography_bytes(key, "private_bytes", "a private key", *written_as)
        return cls._of([Block("", b"", der)], None, describe(der), None)

    def to_cryptography(self) -> Any:
        """The same key as an object of the package ``cryptography``, which goes by DER.

        Raises ``ImportError`` without that package, and its own ``UnsupportedAlgorithm`` for a type that it lacks.
        """
        return cryptography("hazmat.primitives.serialization").load_der_private_key(self.to_der(), None)

    def __eq__(self, other: object) -> bool:
        return self._equals(other) if isinstance(other, PrivateKey) else NotImplemented

    __hash__ = Key.__hash__


class _Recipe(NamedTuple):
    """What EVP_PKEY_CTX_ctrl_str(3) calls a type's options; ``fixed`` ones are always set."""

    bits: str = ""
    group: str = ""
    default_group: str = ""
    fixed: tuple[tuple[str, str], ...] = ()
    has_parameters: bool = False


_RECIPES = {
    "RSA": _Recipe(bits="rsa_keygen_bits"),
    "RSA-PSS": _Recipe(bits="rsa_keygen_bits"),
    "EC": _Recipe(group="ec_paramgen_curve", default_group="P-256", fixed=(("ec_param_enc", "named_curve"),)),
    "DH": _Recipe(group="dh_param", default_group="ffdhe2048"),
    "DSA": _Recipe(bits="dsa_paramgen_bits", has_parameters=True),
}


def _key_context(type: str) -> Any:
    context = lib.EVP_PKEY_CTX_new_from_name(ffi.NULL, c_string(type, "a key type"), ffi.NULL)
    if context == ffi.NULL:
        take_records()
        raise UnsupportedError(f"key type {type!r}")
    return own(context, lib.EVP_PKEY_CTX_free)


def _key_context_of(parameters: Any) -> Any:
    return own(check_ptr(lib.EVP_PKEY_CTX_new(parameters, ffi.NULL), "EVP_PKEY_CTX_new"), lib.EVP_PKEY_CTX_free)


def _set_options(context: Any, type: str, recipe: _Recipe, bits: int | None, group: str | None) -> None:
    if bits is not None:
        if not recipe.bits:
            raise ValueError(f"a key of type {type!r} has no bits to choose")
        what = f"setting {bits} bits for a key of type {type!r}"
        check(lib.EVP_PKEY_CTX_ctrl_str(context, recipe.bits.encode(), str(bits).encode()), what)
    if group is not None and not recipe.group:
        raise ValueError(f"a key of type {type!r} has no group to choose")
    chosen = group or recipe.default_group
    if chosen and lib.EVP_PKEY_CTX_ctrl_str(context, recipe.group.encode(), c_string(chosen, "a group")) <= 0:
        take_records()
        raise _no_such_group(type, chosen)
    for option, value in recipe.fixed:
        check(lib.EVP_PKEY_CTX_ctrl_str(context, option.encode(), value.encode()), option)


def _no_such_group(type: str, group: str) -> UnsupportedError:
    # 1.1.1 looks for it when it is set, later versions when it is used.
    return UnsupportedError(f"group {group!r} for keys of type {type!r}")


def _made(make: Any, context: Any) -> Any:
    out = ffi.new("EVP_PKEY **")
    check(make(context, out), make.__name__)
    take_records()
    return own(out[0], lib.EVP_PKEY_free)


def is_private(block: Block) -> bool:
    """Whether a PEM block is to hold a private key, of any type and encrypted in any way."""
    return block.label.endswith("PRIVATE KEY") or not block.label


def iterations_of(block: Block) -> int:
    """How much work it is to hash the password of an encrypted key, in iterations; 0 for anything else."""
    return int(lib.pyossl_key_iterations(block.der, len(block.der)))


# PEM_write_bio_PrivateKey_traditional(3) encrypts these, with a password that is hashed once.
_ENCRYPTED = re.compile(
    rb"Proc-Type:[ \t]*4[ \t]*,[ \t]*ENCRYPTED[ \t\r]*\n"
    rb"DEK-Info:[ \t]*(?P<cipher>[A-Za-z0-9-]+)(,[ \t]*[0-9A-Fa-f]+)?[ \t\r]*\n?"
)
_TRADITIONAL = ("RSA PRIVATE KEY", "DSA PRIVATE KEY", "EC PRIVATE KEY", "SM2 PRIVATE KEY", "DH PRIVATE KEY")


def check_header(block: Block, reading: str) -> None:
    """Raises ``DecodeError`` for a PEM block with headers that are not those of an encrypted key of the old kind.

    What is encrypted in another block could be an encrypted key again, whose iterations nobody knows beforehand.
    """
    if block.header and not (block.label in _TRADITIONAL and _ENCRYPTED.fullmatch(block.header)):
        raise DecodeError(f"{reading} failed: the PEM block {block.label!r} has headers that do not belong there")


class _Read(NamedTuple):
    """The ``EVP_PKEY *`` that was read, owned; or what there is to say of those that were not.

    ``refused`` is the error of one for which a password was wanted, ``lacking`` of one that is encrypted in a way,
    ``scheme``, which this OpenSSL lacks, and ``malformed`` any other.
    """

    key: Any = None
    refused: Error | None = None
    lacking: Error | None = None
    scheme: str = ""
    malformed: Error | None = None


def _decode(blocks: Sequence[Block], password: str | bytes | None, reading: str) -> _Read:
    """The key in the first block that can be read."""
    secret = b"" if password is None else password_bytes(password)
    secret_copy = ffi.from_buffer(secret)
    answer = ffi.new("pyossl_password *", {"bytes": secret_copy, "length": -1 if password is None else len(secret)})
    found = _Read()
    for block in blocks:
        answer.asked = 0
        take_records()
        pointer = _decode_one(block, answer)
        if pointer != ffi.NULL:
            key = own(pointer, lib.EVP_PKEY_free)
            take_records()
            return _Read(key)
        error = failed("decryption" if answer.asked else reading, DecodeError)
        scheme = _scheme(block)
        was_opened = _pkcs8_scheme(block) and password is not None and not answer.asked
        if scheme and not was_opened and lacking(error):
            found = found._replace(lacking=error, scheme=scheme)
        elif answer.asked:
            if block.header and len(secret) > lib.PEM_BUFSIZE:
                error = DecodeError(f"OpenSSL takes {lib.PEM_BUFSIZE} bytes of a password for a key of this form")
            found = found._replace(refused=error)
        else:
            found = found._replace(malformed=found.malformed or error)
    return found


def _decode_one(block: Block, answer: Any) -> Any:
    """Hashes the password at most once: PEM_read_bio_PrivateKey(3) would do it again where it was wrong."""
    callback = lib.pyossl_password_callback
    is_encrypted = bool(_pkcs8_scheme(block))
    if is_encrypted and answer.length >= 0:
        return _decrypted(block, answer)
    if is_encrypted or not block.label:
        pointer = lib.d2i_PKCS8PrivateKey_bio(BIO.memory(block.der)._bio, ffi.NULL, callback, answer)
        if pointer != ffi.NULL or answer.asked:
            return pointer
        take_records()
    if not block.label:
        return lib.d2i_PrivateKey_bio(BIO.memory(block.der)._bio, ffi.NULL)
    return lib.PEM_read_bio_PrivateKey(BIO.memory(block.pem())._bio, ffi.NULL, callback, answer)


def _decrypted(block: Block, answer: Any) -> Any:
    """As d2i_PKCS8PrivateKey_bio(3), which takes no password of more than 1,024 bytes.

    ``asked`` is left at 0 where the password was right, and what it was right for is no key that can be read.
    """
    answer.asked = 1
    encrypted = lib.d2i_PKCS8_bio(BIO.memory(block.der)._bio, ffi.NULL)
    if encrypted == ffi.NULL:
        return ffi.NULL
    plain = lib.PKCS8_decrypt(own(encrypted, lib.X509_SIG_free), answer.bytes, answer.length)
    if plain == ffi.NULL:
        return ffi.NULL
    answer.asked = 0
    return lib.EVP_PKCS82PKEY(own(plain, lib.PKCS8_PRIV_KEY_INFO_free))


def _scheme(block: Block) -> str:
    """What a key says that it is encrypted with; empty where it is not encrypted."""
    if header := _ENCRYPTED.fullmatch(block.header):
        return str(header["cipher"].decode())
    return _pkcs8_scheme(block)


def _pkcs8_scheme(block: Block) -> str:
    return named_by(lib.pyossl_key_scheme, block.der, len(block.der))


def named_by(write: Callable[..., None], *arguments: Any) -> str:
    """What one of pyossl's own functions in C writes as the name of a scheme."""
    name = ffi.new("char[]", _LONGEST_SCHEME)
    write(*arguments, name, _LONGEST_SCHEME)
    return text(name)


_LONGEST_SCHEME = 512
_LACKING = {
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
_LACKING |= {(lib.ERR_LIB_PEM, reason) for reason in (lib.PEM_R_UNSUPPORTED_CIPHER, lib.PEM_R_UNSUPPORTED_ENCRYPTION)}
_LACKING.add((lib.ERR_LIB_PKCS12, lib.PKCS12_R_UNKNOWN_DIGEST_ALGORITHM))


def lacking(error: Error) -> Record | None:
    """The entry of the queue that says that this OpenSSL lacks an algorithm; None where that is not why it failed."""
    return next((each for each in error.records if (each.library_code, each.reason_code) in _LACKING), None)
