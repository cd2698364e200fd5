"""Certificates that can be changed, field by field.  X509_new(3), X509_sign(3)

``pyossl.x509.authority`` makes a complete certificate in one call.  Here each field is set separately, an existing
certificate can be changed, and the result may be one that verification refuses.
"""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable
from typing import Any

from pyossl.core import ffi, lib, own, text
from pyossl.core.errors import DecodeError, check, check_ptr
from pyossl.core.outcome import take_records
from pyossl.x509.asn1 import asn1_integer, string_bytes
from pyossl.x509.certificate import Certificate, digest_named
from pyossl.x509.keys import Key, PrivateKey, check_library
from pyossl.x509.names import Name


class CertificateBuilder(Certificate):
    """A certificate whose fields can be set.  Its methods may be called from any thread.  X509_new(3)"""

    def __init__(self, pointer: Any) -> None:
        super().__init__(pointer)
        self._lock = threading.RLock()
        self._is_complete = False

    @classmethod
    def empty(cls) -> CertificateBuilder:
        """A certificate in which no field is set.  X509_new(3)"""
        return cls(own(check_ptr(lib.X509_new(), "X509_new"), lib.X509_free))

    @classmethod
    def of(cls, certificate: Certificate) -> CertificateBuilder:
        """A builder for a certificate that others, for example a trust store, may use too.

        A change is made to a copy, so that the original stays as it is.
        """
        builder = cls(certificate._x509)
        builder._is_complete = True
        return builder

    def _set(self, function: Callable[..., int], *arguments: Any) -> None:
        """Calls ``function``, which changes the ``X509 *`` that is its first argument.

        A certificate that has been complete is copied first.  Others may use it, and OpenSSL has stored its digest and
        what its extensions say.  OpenSSL has also stored the encoded part that is signed.  It is encoded again here, so
        that the signature is checked over the fields as they are now.  i2d_re_X509_tbs(3)
        """
        take_records()
        pointer = self._x509
        if self._is_complete:
            pointer = own(check_ptr(lib.pyossl_copy_certificate(pointer), "i2d_X509_AUX"), lib.X509_free)
        check(function(pointer, *arguments), function.__name__)
        lib.i2d_re_X509_tbs(pointer, ffi.NULL)
        take_records()
        self._x509 = pointer

    def set_version(self, version: int) -> None:
        """Sets the version, as it is encoded: 2 means version 3.  X509_set_version(3)"""
        self._set(lib.X509_set_version, version)

    def set_serial_number(self, number: int) -> None:
        """Sets the serial number.  X509_set_serialNumber(3)"""
        self._set(lib.X509_set_serialNumber, asn1_integer(number))

    def set_subject_name(self, name: Name) -> None:
        """Sets the subject's name.  X509_set_subject_name(3)"""
        self._set(lib.X509_set_subject_name, name._name)

    def set_issuer_name(self, name: Name) -> None:
        """Sets the issuer's name.  X509_set_issuer_name(3)"""
        self._set(lib.X509_set_issuer_name, name._name)

    def set_public_key(self, key: Key) -> None:
        """Sets the public key.  X509_set_pubkey(3)"""
        self._set(lib.X509_set_pubkey, key._key)

    def sign(self, key: PrivateKey, digest: str) -> None:
        """Signs the certificate.  Raises ``ValueError`` for a digest that OpenSSL does not have.  X509_sign(3)"""
        check_library(key, None, "the certificate")
        self._set(lib.X509_sign, key._key, digest_named(digest))
        # A new certificate was changed in place.  If it still lacks a required field, it cannot be copied and stays so.
        copy = lib.pyossl_copy_certificate(self._x509)
        take_records()
        if copy != ffi.NULL:
            self._x509, self._is_complete = own(copy, lib.X509_free), True

    @property
    def not_before_text(self) -> bytes | None:
        """The start of the validity as ``YYYYMMDDhhmmssZ``, or None if it is not set.

        Raises ``DecodeError`` for a malformed UTCTime.  A GeneralizedTime is returned unchanged, even if it is
        malformed.  X509_get0_notBefore(3), ASN1_TIME_to_generalizedtime(3)
        """
        return time_text(lib.X509_get0_notBefore(self._x509))

    @property
    def not_after_text(self) -> bytes | None:
        """The end of the validity, in the same form as ``not_before_text``.  X509_get0_notAfter(3)"""
        return time_text(lib.X509_get0_notAfter(self._x509))

    def set_not_before(self, when: bytes | int) -> None:
        """Sets the start of the validity: ``YYYYMMDDhhmmssZ``, or a number of seconds from now.

        Raises ``ValueError`` for any other text.  ASN1_TIME_set_string(3)
        """
        self._set(lib.X509_set1_notBefore, _time_of(when))

    def set_not_after(self, when: bytes | int) -> None:
        """Sets the end of the validity: ``YYYYMMDDhhmmssZ``, or a number of seconds from now.

        Raises ``ValueError`` for any other text.  ASN1_TIME_set_string(3)
        """
        self._set(lib.X509_set1_notAfter, _time_of(when))

    @property
    def subject_name_hash(self) -> int:
        """The hash of the subject's name, by which OpenSSL searches a directory.  X509_subject_name_hash(3)"""
        return int(lib.X509_subject_name_hash(self._x509))

    @property
    def signed_algorithm(self) -> str | None:
        """The signature algorithm in the signed part of the certificate, by OpenSSL's long name.

        None if OpenSSL has no name for it.  X509_get0_tbs_sigalg(3)
        """
        kind = ffi.new("ASN1_OBJECT **")
        lib.X509_ALGOR_get0(kind, ffi.NULL, ffi.NULL, lib.X509_get0_tbs_sigalg(self._x509))
        number = lib.OBJ_obj2nid(kind[0])
        return None if number == lib.NID_undef else text(lib.OBJ_nid2ln(number))

    @property
    def extension_count(self) -> int:
        """The number of extensions.  X509_get_ext_count(3)"""
        return int(lib.X509_get_ext_count(self._x509))


def _locked(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def guarded(builder: CertificateBuilder, *arguments: Any, **named: Any) -> Any:
        with builder._lock:
            return function(builder, *arguments, **named)

    return guarded


# A Certificate does not change and needs no lock.  A builder can change while another thread reads it.
for _name, _member in [*vars(Certificate).items(), *vars(CertificateBuilder).items()]:
    if not _name.startswith("_") and isinstance(_member, property) and _member.fget:
        setattr(CertificateBuilder, _name, property(_locked(_member.fget), doc=_member.__doc__))
    elif not _name.startswith("_") and inspect.isfunction(_member):
        setattr(CertificateBuilder, _name, _locked(_member))


def time_text(pointer: Any) -> bytes | None:
    """An ``ASN1_TIME *`` as ``YYYYMMDDhhmmssZ``, or None if it is empty.

    Raises ``DecodeError`` for a malformed UTCTime.  ASN1_TIME_to_generalizedtime(3)
    """
    value = string_bytes(pointer)
    if not value:
        return None
    if lib.ASN1_STRING_type(ffi.cast("ASN1_STRING *", pointer)) == lib.V_ASN1_GENERALIZEDTIME:
        return value  # unchecked, as pyOpenSSL returns it
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
