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

from pyossl.core.arguments import c_string
from pyossl.core.binding import ffi, lib, own, text
from pyossl.core.errors import DecodeError, check, check_ptr
from pyossl.core.outcome import take_records
from pyossl.x509.asn1 import asn1_integer, string_bytes
from pyossl.x509.certificate import Certificate
from pyossl.x509.keys import Key, PrivateKey
from pyossl.x509.names import Name


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
