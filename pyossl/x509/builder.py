"""Certificates and names in the making, piece by piece.  X509_new(3), X509_sign(3)

``pyossl.x509.issuing`` makes whole certificates in one call; here each field is set on its own, a certificate that
exists can be changed, and it may be left in a state that no verifier accepts.
"""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable
from typing import Any

from pyossl.bio.bio import BIO
from pyossl.core.arguments import c_string
from pyossl.core.binding import ffi, lib, own, text
from pyossl.core.errors import DecodeError, UnsupportedError, check, check_ptr, failed
from pyossl.core.outcome import take_records
from pyossl.x509.asn1 import asn1_integer, string_bytes
from pyossl.x509.certificate import Certificate
from pyossl.x509.encoding import contents, written
from pyossl.x509.general_names import Name
from pyossl.x509.keys import Key, PrivateKey

_LONGEST_LINE = 512


def attribute_number(name: str) -> int:
    """OpenSSL's number of an attribute's short name, long name or dotted form; ``ValueError`` for none of these.

    OBJ_txt2nid(3)
    """
    take_records()
    number = lib.OBJ_txt2nid(c_string(name, "an attribute's name"))
    take_records()
    if number == lib.NID_undef:
        raise ValueError(f"OpenSSL knows no attribute {name!r}")
    return int(number)


def name_with(name: Name, attribute: str, value: bytes) -> Name:
    """``name`` with the first attribute of that kind replaced by one of this UTF-8 text, which comes last.

    X509_NAME_add_entry_by_NID(3)
    """
    number = attribute_number(attribute)
    pointer = own(check_ptr(lib.X509_NAME_dup(name._name), "X509_NAME_dup"), lib.X509_NAME_free)
    for location in range(lib.X509_NAME_entry_count(pointer)):
        entry = lib.X509_NAME_get_entry(pointer, location)
        if lib.OBJ_obj2nid(lib.X509_NAME_ENTRY_get_object(entry)) == number:
            lib.X509_NAME_ENTRY_free(lib.X509_NAME_delete_entry(pointer, location))
            break
    added = lib.X509_NAME_add_entry_by_NID(pointer, number, lib.MBSTRING_UTF8, value, len(value), -1, 0)
    check(added, f"setting the attribute {attribute!r}")
    return Name.copied(pointer)


def attribute_text(name: Name, number: int) -> str | None:
    """The text of the first attribute of that kind, None without one; ``Error`` where it is no text.

    X509_NAME_get_index_by_NID(3), ASN1_STRING_to_UTF8(3)
    """
    location = lib.X509_NAME_get_index_by_NID(name._name, number, -1)
    if location < 0:
        return None
    take_records()
    value = lib.X509_NAME_ENTRY_get_data(lib.X509_NAME_get_entry(name._name, location))
    place = ffi.new("unsigned char **")
    length = lib.ASN1_STRING_to_UTF8(place, value)
    if length < 0:
        raise failed("reading an attribute's text")
    return bytes(ffi.buffer(own(place[0], lib.OPENSSL_free), length)).decode()


def components(name: Name) -> list[tuple[str, bytes]]:
    """Each attribute's short name, ``UNDEF`` where OpenSSL has none, and what it is encoded as.  OBJ_nid2sn(3)"""
    return [(text(lib.OBJ_nid2sn(_known_number(each.oid))), each.data) for each in name]


def _known_number(oid: str) -> int:
    try:
        return attribute_number(oid)
    except ValueError:
        return int(lib.NID_undef)


def name_order(first: Name, second: Name) -> int:
    """Below, at or above 0, as OpenSSL orders the two.  X509_NAME_cmp(3)"""
    return int(lib.X509_NAME_cmp(first._name, second._name))


def name_hash(name: Name) -> int:
    """By what a directory of trusted certificates is looked up.  X509_NAME_hash(3)"""
    return int(lib.X509_NAME_hash(name._name))


def name_line(name: Name) -> str:
    """The name as ``/CN=example.com``, cut after 511 characters.  X509_NAME_oneline(3)"""
    line = ffi.new("char[]", _LONGEST_LINE)
    check_ptr(lib.X509_NAME_oneline(name._name, line, _LONGEST_LINE), "X509_NAME_oneline")
    return text(line)


class CertificateBuilder(Certificate):
    """A certificate whose fields can be set, by one thread at a time.  X509_new(3)"""

    def __init__(self, pointer: Any) -> None:
        super().__init__(pointer)
        self._lock = threading.RLock()
        self._is_whole = False

    @classmethod
    def empty(cls) -> CertificateBuilder:
        """A certificate without anything in it.  X509_new(3)"""
        return cls(own(check_ptr(lib.X509_new(), "X509_new"), lib.X509_free))

    @classmethod
    def of(cls, certificate: Certificate) -> CertificateBuilder:
        """The same certificate, which others have as well, a trust store maybe: what is set is set in a copy."""
        draft = cls(certificate._x509)
        draft._is_whole = True
        return draft

    def _set(self, function: Callable[..., int], *arguments: Any) -> None:
        """Calls a function that changes the ``X509 *``, which is its first argument.

        What has been whole once is changed in a copy.  Others may have it, and OpenSSL has noted what it looked like:
        its digest, and what its extensions say.  What is signed is noted too, and that is renewed, so that what is
        verified is what is shown.  i2d_re_X509_tbs(3)
        """
        take_records()
        pointer = self._x509
        if self._is_whole:
            pointer = own(check_ptr(lib.pyossl_copy_certificate(pointer), "i2d_X509_AUX"), lib.X509_free)
        check(function(pointer, *arguments), function.__name__)
        lib.i2d_re_X509_tbs(pointer, ffi.NULL)
        take_records()
        self._x509 = pointer

    def set_version(self, version: int) -> None:
        """The number as it is encoded, 2 for version 3.  X509_set_version(3)"""
        self._set(lib.X509_set_version, version)

    def set_serial_number(self, number: int) -> None:
        """X509_set_serialNumber(3)"""
        self._set(lib.X509_set_serialNumber, asn1_integer(number))

    def set_subject_name(self, name: Name) -> None:
        """X509_set_subject_name(3)"""
        self._set(lib.X509_set_subject_name, name._name)

    def set_issuer_name(self, name: Name) -> None:
        """X509_set_issuer_name(3)"""
        self._set(lib.X509_set_issuer_name, name._name)

    def set_public_key(self, key: Key) -> None:
        """X509_set_pubkey(3)"""
        self._set(lib.X509_set_pubkey, key._key)

    def sign(self, key: PrivateKey, digest: str) -> None:
        """Signs what has been set; ``ValueError`` for a digest that OpenSSL does not have.  X509_sign(3)"""
        algorithm = lib.EVP_get_digestbyname(c_string(digest, "a digest"))
        if algorithm == ffi.NULL:
            raise ValueError(f"OpenSSL has no digest {digest!r}")
        self._set(lib.X509_sign, key._key, algorithm)
        # A new one has been changed where it was; it may lack what no certificate can be without, and stays as it is.
        copy = lib.pyossl_copy_certificate(self._x509)
        take_records()
        if copy != ffi.NULL:
            self._x509, self._is_whole = own(copy, lib.X509_free), True

    @property
    def not_before_text(self) -> bytes | None:
        """The start of the validity as ``YYYYMMDDhhmmssZ``; None where none is set.

        Raises ``DecodeError`` for a UTCTime that is none; a GeneralizedTime is given as it stands.
        X509_get0_notBefore(3), ASN1_TIME_to_generalizedtime(3)
        """
        return time_text(lib.X509_get0_notBefore(self._x509))

    @property
    def not_after_text(self) -> bytes | None:
        """The end of the validity, as ``not_before_text``.  X509_get0_notAfter(3)"""
        return time_text(lib.X509_get0_notAfter(self._x509))

    def set_not_before(self, when: bytes | int) -> None:
        """``YYYYMMDDhhmmssZ``, or so many seconds from now; ``ValueError`` for other text.  ASN1_TIME_set_string(3)"""
        self._set(lib.X509_set1_notBefore, _time_of(when))

    def set_not_after(self, when: bytes | int) -> None:
        """``YYYYMMDDhhmmssZ``, or so many seconds from now; ``ValueError`` for other text.  ASN1_TIME_set_string(3)"""
        self._set(lib.X509_set1_notAfter, _time_of(when))

    @property
    def subject_name_hash(self) -> int:
        """X509_subject_name_hash(3)"""
        return int(lib.X509_subject_name_hash(self._x509))

    @property
    def signed_algorithm(self) -> str | None:
        """The signature's algorithm as it stands inside of what is signed; None where OpenSSL has no name for it.

        X509_get0_tbs_sigalg(3)
        """
        kind = ffi.new("ASN1_OBJECT **")
        lib.X509_ALGOR_get0(kind, ffi.NULL, ffi.NULL, lib.X509_get0_tbs_sigalg(self._x509))
        number = lib.OBJ_obj2nid(kind[0])
        return None if number == lib.NID_undef else text(lib.OBJ_nid2ln(number))

    @property
    def extension_count(self) -> int:
        """X509_get_ext_count(3)"""
        return int(lib.X509_get_ext_count(self._x509))


def _locked(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def guarded(draft: CertificateBuilder, *arguments: Any, **named: Any) -> Any:
        with draft._lock:
            return function(draft, *arguments, **named)

    return guarded


# A certificate is shared and not locked, because it does not change: a draft does, under whoever reads it.
for _name, _member in [*vars(Certificate).items(), *vars(CertificateBuilder).items()]:
    if not _name.startswith("_") and isinstance(_member, property) and _member.fget:
        setattr(CertificateBuilder, _name, property(_locked(_member.fget), doc=_member.__doc__))
    elif not _name.startswith("_") and inspect.isfunction(_member):
        setattr(CertificateBuilder, _name, _locked(_member))


def time_text(pointer: Any) -> bytes | None:
    """An ``ASN1_TIME *`` as ``YYYYMMDDhhmmssZ``, None where it is empty; ``DecodeError`` for a UTCTime that is none.

    ASN1_TIME_to_generalizedtime(3)
    """
    value = string_bytes(pointer)
    if not value:
        return None
    if lib.ASN1_STRING_type(ffi.cast("ASN1_STRING *", pointer)) == lib.V_ASN1_GENERALIZEDTIME:
        return value  # whatever it says
    take_records()
    converted = lib.ASN1_TIME_to_generalizedtime(pointer, ffi.NULL)
    take_records()
    if converted == ffi.NULL:
        raise DecodeError(f"not a time that a certificate can hold: {value!r}")
    return string_bytes(own(converted, lib.ASN1_GENERALIZEDTIME_free))


def _time_of(when: bytes | int) -> Any:
    pointer = own(check_ptr(lib.ASN1_TIME_new(), "ASN1_TIME_new"), lib.ASN1_TIME_free)
    if isinstance(when, int):
        check_ptr(lib.X509_gmtime_adj(pointer, when), "X509_gmtime_adj")
    elif b"\0" in when or lib.ASN1_TIME_set_string(pointer, when) != 1:
        take_records()
        raise ValueError("Invalid string")
    return pointer


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


def add_entropy(data: bytes, entropy: float) -> None:
    """Mixes bytes into OpenSSL's generator of random numbers.  RAND_add(3)"""
    lib.RAND_add(data, len(data), entropy)


def is_seeded() -> bool:
    """Whether OpenSSL's generator of random numbers has enough to go on.  RAND_status(3)"""
    return bool(lib.RAND_status() == 1)
