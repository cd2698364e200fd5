"""The extensions of certificates and CRLs.  X509_EXTENSION(3), X509V3_get_d2i(3)"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any

from pyossl.core import ffi, lib, own
from pyossl.core.arguments import flag, octets, pointer as checked_pointer
from pyossl.core.errors import DecodeError, Error, check, check_ptr, failed
from pyossl.core.outcome import take_records
from pyossl.x509.asn1 import object_from, object_identifier, short_name, string_bytes
from pyossl.x509.pem_and_der import output_of


class KeyUsage(enum.IntFlag):
    """The permitted uses of a certificate's key, as flags.  X509_get_key_usage(3)

    - ``DIGITAL_SIGNATURE``: to sign, for example a TLS handshake.
    - ``NON_REPUDIATION``: to sign documents.
    - ``KEY_ENCIPHERMENT``: to encrypt keys, as in the RSA key exchange of TLS 1.2.
    - ``DATA_ENCIPHERMENT``: to encrypt data.
    - ``KEY_AGREEMENT``: to agree on keys, as in a static Diffie-Hellman key exchange.
    - ``KEY_CERT_SIGN``: to sign certificates.
    - ``CRL_SIGN``: to sign CRLs.
    - ``ENCIPHER_ONLY``, ``DECIPHER_ONLY``: limits of ``KEY_AGREEMENT``.
    """

    DIGITAL_SIGNATURE = lib.KU_DIGITAL_SIGNATURE
    NON_REPUDIATION = lib.KU_NON_REPUDIATION
    KEY_ENCIPHERMENT = lib.KU_KEY_ENCIPHERMENT
    DATA_ENCIPHERMENT = lib.KU_DATA_ENCIPHERMENT
    KEY_AGREEMENT = lib.KU_KEY_AGREEMENT
    KEY_CERT_SIGN = lib.KU_KEY_CERT_SIGN
    CRL_SIGN = lib.KU_CRL_SIGN
    ENCIPHER_ONLY = lib.KU_ENCIPHER_ONLY
    DECIPHER_ONLY = lib.KU_DECIPHER_ONLY


class Extension:
    """One extension of a certificate or CRL, of any type.  X509_EXTENSION_create_by_OBJ(3)"""

    def __init__(self, oid: str, value: bytes, *, critical: bool = False) -> None:
        """Makes an extension.

        - ``oid``: the dotted form, or one of OpenSSL's names, for example ``subjectAltName``.
        - ``value``: the value in DER.
        - ``critical``: whether a program that does not support the extension must refuse the certificate.

        Raises ``ValueError`` for an ``oid`` that is neither.
        """
        octets(value, "the value of an extension")
        flag(critical, "critical")
        data = own(check_ptr(lib.ASN1_OCTET_STRING_new(), "ASN1_OCTET_STRING_new"), lib.ASN1_OCTET_STRING_free)
        check(lib.ASN1_OCTET_STRING_set(data, value, len(value)), "ASN1_OCTET_STRING_set")
        pointer = lib.X509_EXTENSION_create_by_OBJ(ffi.NULL, object_from(oid), critical, data)
        self._extension = own(check_ptr(pointer, "X509_EXTENSION_create_by_OBJ"), lib.X509_EXTENSION_free)

    def __reduce__(self) -> tuple[Callable[..., Extension], tuple[str, bytes, bool]]:
        return _unpickled, (self.oid, self.value, self.critical)

    @classmethod
    def copied(cls, pointer: Any) -> Extension:
        """A copy of ``pointer``, an ``X509_EXTENSION *`` that belongs to OpenSSL."""
        checked_pointer(pointer, "X509_EXTENSION *", "make an Extension from an object identifier and a value")
        extension = cls.__new__(cls)
        copy = check_ptr(lib.X509_EXTENSION_dup(pointer), "X509_EXTENSION_dup")
        extension._extension = own(copy, lib.X509_EXTENSION_free)
        return extension

    @property
    def oid(self) -> str:
        """The type in dotted form, for example ``2.5.29.17``.  X509_EXTENSION_get_object(3)"""
        return object_identifier(lib.X509_EXTENSION_get_object(self._extension))

    @property
    def name(self) -> str:
        """OpenSSL's short name of the type: ``subjectAltName``.  The dotted form if it has none.  OBJ_nid2sn(3)"""
        return short_name(lib.X509_EXTENSION_get_object(self._extension))

    @property
    def critical(self) -> bool:
        """Whether a program that does not support the extension must refuse the certificate.

        X509_EXTENSION_get_critical(3)
        """
        return bool(lib.X509_EXTENSION_get_critical(self._extension))

    @property
    def value(self) -> bytes:
        """The value in DER.  X509_EXTENSION_get_data(3)"""
        return string_bytes(lib.X509_EXTENSION_get_data(self._extension))

    @property
    def text(self) -> str:
        """The value as OpenSSL prints it, for people to read.  Do not parse it.

        A hexadecimal dump if OpenSSL cannot decode the value.  X509V3_EXT_print(3)
        """
        try:
            printed = output_of(lib.X509V3_EXT_print, self._extension, lib.X509V3_EXT_DUMP_UNKNOWN, 0)
        except Error:
            return f"malformed: {self.value.hex()}"
        take_records()
        return printed.decode("utf-8", "backslashreplace").rstrip("\n")

    @property
    def is_malformed(self) -> bool:
        """Whether OpenSSL supports this type but cannot decode the value.  X509V3_EXT_d2i(3)"""
        return bool(lib.pyossl_is_malformed(self._extension))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Extension):
            return NotImplemented
        return (self.oid, self.critical, self.value) == (other.oid, other.critical, other.value)

    def __hash__(self) -> int:
        return hash((self.oid, self.critical, self.value))

    def __repr__(self) -> str:
        return f"<Extension {self.name}{' critical' if self.critical else ''} {len(self.value)} bytes>"


def _unpickled(oid: str, value: bytes, critical: bool) -> Extension:
    return Extension(oid, value, critical=critical)


def extensions_of(pointer: Any, count: Callable[[Any], int], at: Callable[[Any, int], Any]) -> tuple[Extension, ...]:
    """All extensions of a certificate or CRL, by the functions for its type.  X509_get_ext_count(3)"""
    return tuple(Extension.copied(at(pointer, n)) for n in range(count(pointer)))


def extension_value(
    pointer: Any, nid: int, get_d2i: Callable[..., Any], c_type: str, free: Callable[[Any], Any]
) -> Any | None:
    """The value of the extension with this number (NID), owned; None if there is none.

    Raises ``DecodeError`` if it is malformed, or if there is more than one.  X509V3_get_d2i(3)
    """
    take_records()
    critical = ffi.new("int *")
    value = get_d2i(pointer, nid, critical, ffi.NULL)
    if value != ffi.NULL:
        return own(ffi.cast(c_type, value), free)
    if critical[0] == _ABSENT:
        return None
    name = ffi.string(lib.OBJ_nid2sn(nid)).decode()
    if critical[0] == _TWICE:
        raise DecodeError(f"the extension {name} occurs more than once")
    raise failed(f"reading the extension {name}", DecodeError)


_ABSENT, _TWICE = -1, -2
