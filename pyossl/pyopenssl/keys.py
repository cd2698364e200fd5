"""``PKey`` and ``Error`` of ``OpenSSL.crypto``, the functions that load and dump keys, and the elliptic curves."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pyossl.core import errors
from pyossl.core.constants import constant
from pyossl.core.copying import Uncopied
from pyossl.pyopenssl import cryptography_binding as binding
from pyossl.pyopenssl.deprecation import deprecated
from pyossl.pyopenssl.exceptions import Translated
from pyossl.x509 import key_operations
from pyossl.x509.cryptography_objects import cryptography
from pyossl.x509.keys import Key, PrivateKey, PublicKey
from pyossl.x509.pem_and_der import is_pem

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa

    _PrivateKey = (
        dsa.DSAPrivateKey
        | ec.EllipticCurvePrivateKey
        | ed25519.Ed25519PrivateKey
        | ed448.Ed448PrivateKey
        | rsa.RSAPrivateKey
    )
    _PublicKey = (
        dsa.DSAPublicKey
        | ec.EllipticCurvePublicKey
        | ed25519.Ed25519PublicKey
        | ed448.Ed448PublicKey
        | rsa.RSAPublicKey
    )
    _Key = _PrivateKey | _PublicKey
else:
    _PrivateKey = _PublicKey = _Key = Any

PassphraseCallableT = bytes | Callable[..., bytes]

FILETYPE_PEM: int = constant("SSL_FILETYPE_PEM")
FILETYPE_ASN1: int = constant("SSL_FILETYPE_ASN1")
FILETYPE_TEXT = 2**16 - 1

TYPE_RSA: int = constant("EVP_PKEY_RSA")
TYPE_DSA: int = constant("EVP_PKEY_DSA")
TYPE_DH: int = constant("EVP_PKEY_DH")
TYPE_EC: int = constant("EVP_PKEY_EC")

LONGEST_PASSPHRASE = 1024
_CRYPTOGRAPHY_KEYS = (
    ("dsa", "DSA"),
    ("ec", "EllipticCurve"),
    ("ed25519", "Ed25519"),
    ("ed448", "Ed448"),
    ("rsa", "RSA"),
)


class Error(Exception):
    """An error in OpenSSL outside of TLS.

    ``args[0]`` is the content of OpenSSL's error queue, oldest entry first: a list of (library, function, reason).
    ERR_get_error(3)
    """


translated = Translated(Error)


class PKey(Uncopied):
    """A private or public key.

    ``PKey()`` is empty until ``generate_key`` is called.  ``load_privatekey``, ``load_publickey`` and
    ``PKey.from_cryptography_key`` return others.  EVP_PKEY_new(3)
    """

    _only_public = False
    _initialized = True

    if TYPE_CHECKING:
        _loaded: Key | None
        _pointer: Any
    else:
        _loaded = _pointer = None

    def __init__(self) -> None:
        self._initialized = False

    @classmethod
    def _of(cls, key: Key) -> PKey:
        pkey = cls.__new__(cls)
        pkey._loaded = key
        pkey._only_public = isinstance(key, PublicKey)
        return pkey

    @property
    def _pkey(self) -> Any:
        """The ``EVP_PKEY *``, for programs that call OpenSSL themselves; it holds no key if this ``PKey`` is empty."""
        if self._key is not None:
            return self._key._key
        if self._pointer is None:
            self._pointer = binding.empty_key_pointer()
        return self._pointer

    @_pkey.setter
    def _pkey(self, pointer: Any) -> None:
        self._loaded, self._pointer = None, binding.shared_key_pointer(pointer)
        self._only_public = isinstance(self._key, PublicKey)

    @property
    def _key(self) -> Key | None:
        if self._loaded is None and self._pointer is not None:
            self._loaded = binding.key_from_pointer(self._pointer)  # a program may have put one there
        return self._loaded

    @property
    def _private_key(self) -> PrivateKey:
        if not isinstance(self._key, PrivateKey):
            raise Error([("pyossl", "", "there is no private key")])
        return self._key

    @property
    def _any_key(self) -> Key:
        if self._key is None:
            raise Error([("pyossl", "", "there is no key")])
        return self._key

    def to_cryptography_key(self) -> _Key:
        """The key as an object of ``cryptography``.  Raises ``Error`` if there is no key."""
        key = self._any_key
        return key.to_cryptography() if isinstance(key, (PrivateKey, PublicKey)) else None  # type: ignore[return-value]  # one of the two

    @classmethod
    def from_cryptography_key(cls, crypto_key: _Key) -> PKey:
        """A ``PKey`` for ``crypto_key``, a key of ``cryptography``; another object raises ``TypeError``."""
        with translated:
            if is_cryptography_object(crypto_key, *_types_of_cryptography("PublicKey")):
                return cls._of(PublicKey.from_cryptography(crypto_key))
            if is_cryptography_object(crypto_key, *_types_of_cryptography("PrivateKey")):
                return cls._of(PrivateKey.from_cryptography(crypto_key))
        raise TypeError("Unsupported key type")

    @deprecated("PKey.generate_key is deprecated. You should use the key generation APIs in cryptography instead.")
    def generate_key(self, type: int, bits: int) -> None:
        """Generates a key.

        ``type`` is ``TYPE_RSA`` or ``TYPE_DSA``, ``bits`` the size.  Raises ``TypeError`` if one is no ``int``,
        ``ValueError`` if ``bits`` is not positive, and ``Error`` for another type or if OpenSSL fails.
        EVP_PKEY_generate(3)
        """
        if not isinstance(type, int):
            raise TypeError("type must be an integer")
        if not isinstance(bits, int):
            raise TypeError("bits must be an integer")
        if type == TYPE_RSA and bits <= 0:
            raise ValueError("Invalid number of bits")
        if type not in (TYPE_RSA, TYPE_DSA):
            raise Error("No such key type")
        with translated:
            self._loaded = (
                PrivateKey.generate("RSA", bits=bits) if type == TYPE_RSA else key_operations.generate_dsa(bits)
            )
        self._initialized = True

    @deprecated("PKey.check is deprecated. You should use the APIs in cryptography instead.")
    def check(self) -> bool:
        """Checks that the numbers of an RSA private key belong together; returns True or raises ``Error``.

        Raises ``TypeError`` for a public key or another type of key.  EVP_PKEY_check(3)
        """
        if self._only_public:
            raise TypeError("public key only")
        if self.type() != TYPE_RSA:
            raise TypeError("Only RSA keys can currently be checked.")
        with translated:
            key_operations.check_key(self._private_key)
        return True

    def __repr__(self) -> str:
        return "<PKey object without a key>" if self._key is None else f"<PKey object: {self._key!r}>"

    def type(self) -> int:
        """The type of the key: ``TYPE_RSA``, ``TYPE_DSA`` or another number of OpenSSL; 0 if there is no key.

        EVP_PKEY_get_base_id(3)
        """
        return 0 if self._key is None else key_operations.key_number(self._key)

    def bits(self) -> int:
        """The size of the key in bits, 0 if there is no key.  EVP_PKEY_get_bits(3)"""
        return 0 if self._key is None else self._key.bits


def _types_of_cryptography(half: str) -> tuple[str, ...]:
    return tuple(f"hazmat.primitives.asymmetric.{module}.{name}{half}" for module, name in _CRYPTOGRAPHY_KEYS)


def is_cryptography_object(value: object, *types: str) -> bool:
    """Whether ``value`` has one of these types of ``cryptography``, which is not imported for the question."""
    if not any(each.__module__.startswith("cryptography.") for each in type(value).__mro__):
        return False
    places = (each.rpartition(".") for each in types)
    return isinstance(value, tuple(getattr(cryptography(module), name) for module, _, name in places))


def checked_passphrase(value: Any, limit: int, truncate: bool = False) -> bytes:
    """The passphrase that a callback returned or a program gave.

    Raises ``ValueError`` if it is not bytes or longer than ``limit`` bytes; ``truncate`` cuts it instead.
    """
    if not isinstance(value, bytes):
        raise ValueError("Bytes expected")
    if len(value) > limit:
        if not truncate:
            raise ValueError("passphrase returned by callback is too long")
        return value[:limit]
    return value


def _passphrase(form: int, passphrase: PassphraseCallableT | None, writing: bool) -> Callable[[], bytes] | None:
    if form != FILETYPE_PEM and passphrase is not None:
        raise ValueError("only FILETYPE_PEM key format supports encryption")
    if passphrase is None:
        return None
    if not isinstance(passphrase, bytes) and not callable(passphrase):
        raise TypeError("Last argument must be a byte string or a callable.")

    def ask() -> bytes:
        given = passphrase(int(writing)) if callable(passphrase) else passphrase
        return checked_passphrase(given, LONGEST_PASSPHRASE)

    return ask


def data_of_filetype(form: int, buffer: str | bytes) -> bytes:
    """``buffer`` as bytes, if it is in the format that ``form`` names.  The core accepts both formats.

    Raises ``Error`` if it is in another format, ``TypeError`` if it is not bytes or ``str``, and ``ValueError`` if
    ``form`` is not ``FILETYPE_PEM`` or ``FILETYPE_ASN1``.
    """
    data = buffer.encode("ascii") if isinstance(buffer, str) else buffer
    if not isinstance(data, bytes):
        raise TypeError(f"a certificate or key is loaded from bytes or str, not {type(data).__name__}")
    if form not in (FILETYPE_PEM, FILETYPE_ASN1):
        raise ValueError("type argument must be FILETYPE_PEM or FILETYPE_ASN1")
    if is_pem(data) is not (form == FILETYPE_PEM):
        library, reason = (
            ("PEM routines", "no start line") if form == FILETYPE_PEM else ("asn1 encoding routines", "wrong tag")
        )
        raise Error([(library, "", reason)])
    return data if form == FILETYPE_PEM else data[: _end_of_value(data)]


def _end_of_value(data: bytes) -> int:
    """The index after the first value in BER.  pyOpenSSL ignores the bytes behind it."""
    at = opened = 0
    while at + 1 < len(data):
        if opened and data[at : at + 2] == b"\0\0":
            at, opened = at + 2, opened - 1
        else:
            at, size = at + 2, data[at + 1]
            if size == 0x80:  # until two zeros
                opened += 1
            elif size > 0x80:
                of_size = size - 0x80
                at += of_size + int.from_bytes(data[at : at + of_size], "big")
            else:
                at += size
        if not opened:
            break
    return at


def load_publickey(type: int, buffer: str | bytes) -> PKey:
    """Loads a public key.

    ``type`` is ``FILETYPE_PEM`` or ``FILETYPE_ASN1`` (DER), ``buffer`` is bytes or ``str``.  Raises ``Error`` if it
    cannot be decoded, and ``ValueError`` for another ``type``.  PEM_read_bio_PUBKEY(3), d2i_PUBKEY(3)
    """
    data = data_of_filetype(type, buffer)
    with translated:
        return PKey._of(PublicKey.load(data))


def load_privatekey(type: int, buffer: str | bytes, passphrase: PassphraseCallableT | None = None) -> PKey:
    """Loads a private key.

    - ``type``: ``FILETYPE_PEM`` or ``FILETYPE_ASN1`` (DER).
    - ``buffer``: bytes or ``str``.
    - ``passphrase``: bytes, or a function that is called with 0 (for reading) and returns bytes, 1024 at most.  For PEM
      only.  Without it an encrypted key raises ``Error``: pyossl never prompts on the terminal.

    Raises ``Error`` if the key cannot be decoded or decrypted, and ``ValueError`` for another ``type``.
    PEM_read_bio_PrivateKey(3), d2i_PrivateKey(3)
    """
    ask = _passphrase(type, passphrase, writing=False)
    data = data_of_filetype(type, buffer)
    with translated:
        return PKey._of(PrivateKey.load(data, ask))


def dump_publickey(type: int, pkey: PKey) -> bytes:
    """The public key of ``pkey``, a ``PKey``, as bytes.

    ``type`` is ``FILETYPE_PEM`` or ``FILETYPE_ASN1`` (DER); ``ValueError`` for another one.  Raises ``Error`` if there
    is no key.  PEM_write_bio_PUBKEY(3), i2d_PUBKEY(3)
    """
    if type not in (FILETYPE_PEM, FILETYPE_ASN1):
        raise ValueError("type argument must be FILETYPE_PEM or FILETYPE_ASN1")
    with translated:
        key = PublicKey.load(pkey._any_key.public_der())
        return key.to_pem() if type == FILETYPE_PEM else key.to_der()


def write_private_key(
    type: int, pkey: PKey, cipher: str | None = None, passphrase: PassphraseCallableT | None = None
) -> bytes:
    """The private key as bytes.  Its public name is ``crypto.dump_privatekey``, which is deprecated.

    - ``type``: ``FILETYPE_PEM``, ``FILETYPE_ASN1`` (DER), or ``FILETYPE_TEXT`` for RSA keys.
    - ``pkey``: the ``PKey`` with the private key.
    - ``cipher``: the name of a cipher that encrypts PEM, for example ``"aes-256-cbc"``.
    - ``passphrase``: bytes, or a function that is called with 1 (for writing) and returns bytes, 1024 at most.

    Raises ``TypeError`` if ``pkey`` is no ``PKey`` or a cipher has no passphrase, ``ValueError`` if OpenSSL does not
    have the cipher or for another ``type``, and ``Error`` if there is no private key.  PEM_write_bio_PrivateKey(3)
    """
    if not isinstance(pkey, PKey):
        raise TypeError("pkey must be a PKey")
    if cipher is not None:
        if passphrase is None:
            raise TypeError("if a value is given for cipher one must also be given for passphrase")
        if not key_operations.has_cipher(cipher):
            raise ValueError("Invalid cipher name")
    ask = _passphrase(type, passphrase, writing=True)
    with translated:
        if type == FILETYPE_PEM:
            return key_operations.key_pem(
                pkey._private_key, cipher, ask() if cipher is not None and ask is not None else b""
            )
        if type == FILETYPE_ASN1:
            return key_operations.key_der(pkey._private_key)
        if type == FILETYPE_TEXT:
            if pkey.type() != TYPE_RSA:
                raise TypeError("Only RSA keys are supported for FILETYPE_TEXT")
            return key_operations.key_text(pkey._private_key)
    raise ValueError("type argument must be FILETYPE_PEM, FILETYPE_ASN1, or FILETYPE_TEXT")


class _EllipticCurve:
    """An elliptic curve; ``name`` is its name in OpenSSL."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<Curve {self.name!r}>"

    def _to_EC_KEY(self) -> PrivateKey:  # noqa: N802 - pyOpenSSL's
        """A new private key on the curve."""
        try:
            return PrivateKey.generate("EC", group=self.name)
        except errors.Error as error:
            raise Error([("pyossl", "", str(error))]) from error


_curves: set[_EllipticCurve] = set()


@deprecated("get_elliptic_curves is deprecated. You should use the APIs in cryptography instead.")
def get_elliptic_curves() -> set[_EllipticCurve]:
    """All curves that OpenSSL has; each call returns the same objects.  EC_get_builtin_curves(3)"""
    return _every_curve()


def _every_curve() -> set[_EllipticCurve]:
    if not _curves:
        _curves.update(_EllipticCurve(name) for name in key_operations.curve_names())
    return _curves


@deprecated("get_elliptic_curve is deprecated. You should use the APIs in cryptography instead.")
def get_elliptic_curve(name: str) -> _EllipticCurve:
    """The curve ``name``, for example ``prime256v1``; ``ValueError`` if OpenSSL does not have it.

    EC_get_builtin_curves(3)
    """
    for curve in _every_curve():
        if curve.name == name:
            return curve
    raise ValueError("unknown curve name", name)
