"""Certificate revocation lists.  X509_CRL_get0_by_serial(3)"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from pyossl.core.arguments import instance, pointer as checked_pointer
from pyossl.core.binding import ffi, lib, own
from pyossl.core.errors import DecodeError, check, check_ptr
from pyossl.core.outcome import take_records
from pyossl.x509.asn1 import asn1_integer, integer, string_bytes, time
from pyossl.x509.certificate import Certificate, algorithm_name, fingerprint, succeeds
from pyossl.x509.cryptography_objects import cryptography, cryptography_bytes
from pyossl.x509.encoding import Source, read_der, read_every, written
from pyossl.x509.extensions import Extension, decoded, extensions_of
from pyossl.x509.keys import Key
from pyossl.x509.names import Name, general_names


class _Entry(NamedTuple):
    serial_number: int
    revoked_at: datetime.datetime
    reason: int | None


def _told(value: Any) -> Any:
    if isinstance(value, DecodeError):
        raise DecodeError(str(value), value.failure)
    return value


def _field(place: int, doc: str) -> Any:
    return property(lambda entry: entry[place], doc=doc)


class Revoked(_Entry):
    """One entry of a CRL.  X509_REVOKED_get0_serialNumber(3)

    A tuple of ``serial_number``, ``revoked_at`` and ``reason``, which is RFC 5280's number, such as 1 for a key that
    was compromised; None where the CRL gives none.  ``issuer_name``, which is no part of the tuple but makes entries
    differ, is whose certificate it is, where the CRL says that, as an indirect one does, which has entries of several
    issuers; None where it is the CRL's own issuer.  What is malformed raises ``DecodeError`` when it is asked for, and
    nothing else does.
    """

    _issuer: Name | None = None

    def __new__(
        cls,
        serial_number: int,
        revoked_at: datetime.datetime,
        reason: int | None,
        issuer_name: Name | None = None,
    ) -> Revoked:
        entry = super().__new__(cls, serial_number, revoked_at, reason)
        entry._issuer = issuer_name
        return entry

    if not TYPE_CHECKING:
        serial_number = _field(0, "The certificate's.  X509_REVOKED_get0_serialNumber(3)")
        revoked_at = _field(1, "Since when, in UTC.  X509_REVOKED_get0_revocationDate(3)")
        reason = _field(2, "RFC 5280's number, or None.  X509_REVOKED_get_ext_d2i(3)")

        def __getitem__(self, index: Any) -> Any:
            value = super().__getitem__(index)
            return tuple(map(_told, value)) if isinstance(index, slice) else _told(value)

        def __iter__(self) -> Iterator[Any]:
            return map(_told, super().__iter__())

        def _replace(self, **values: Any) -> Revoked:
            issuer = values.pop("issuer_name", self._issuer)
            return type(self)(*super()._replace(**values), issuer)

    def __getnewargs__(self) -> tuple[Any, ...]:
        return (*super().__iter__(), self._issuer)

    def __eq__(self, other: object) -> bool:
        same_issuer = not isinstance(other, Revoked) or self._issuer == other._issuer
        return same_issuer and super().__eq__(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = _Entry.__hash__

    def __repr__(self) -> str:
        said = super().__repr__()
        return said if self._issuer is None else f"{said[:-1]}, issuer_name={self._issuer!r})"

    @property
    def issuer_name(self) -> Name | None:
        """Whose certificate it is; None for the CRL's issuer's.  X509_REVOKED_get_ext_d2i(3)"""
        issuer: Name | None = _told(self._issuer)
        return issuer

    @property
    def issuer(self) -> str | None:
        """``issuer_name`` in the form of RFC 2253."""
        return None if self.issuer_name is None else str(self.issuer_name)


class CRL:
    """A certificate revocation list: what an issuer has revoked.  X509_CRL_get0_by_serial(3)

    Iterating gives its entries, in its order.
    """

    def __init__(self, pointer: Any) -> None:
        self._crl = checked_pointer(pointer, "X509_CRL *", "a CRL is made by CRL.load and its like")

    def _searched(self) -> Any:
        """An owned copy for OpenSSL to search: the search sorts the entries, which would disturb an iteration.

        X509_CRL_dup(3)
        """
        copy = self.__dict__.get("_copy")
        if copy is None:
            made = own(check_ptr(lib.X509_CRL_dup(self._crl), "X509_CRL_dup"), lib.X509_CRL_free)
            take_records()  # as where it was loaded: OpenSSL reads the copy, too
            copy = self.__dict__.setdefault("_copy", made)
        return copy

    @classmethod
    def load(cls, source: Source) -> CRL:
        """The first CRL of a PEM file or DER file, or of such bytes; ``DecodeError`` when there is none.

        PEM_read_bio_X509_CRL(3), d2i_X509_CRL_bio(3)
        """
        return load_crls(source)[0]

    @classmethod
    def _from_der(cls, der: bytes) -> CRL:
        return cls(read_der(der, "CRL", lib.X509_CRL_free, lib.d2i_X509_CRL_bio))

    def to_der(self) -> bytes:
        """The CRL in DER.  i2d_X509_CRL_bio(3)"""
        return written(lib.i2d_X509_CRL_bio, self._crl)

    def to_pem(self) -> bytes:
        """The CRL in PEM.  PEM_write_bio_X509_CRL(3)"""
        return written(lib.PEM_write_bio_X509_CRL, self._crl)

    def __reduce__(self) -> tuple[Callable[[bytes], CRL], tuple[bytes]]:
        return CRL.load, (self.to_der(),)

    @property
    def text(self) -> str:
        """All that the CRL says, for people and not for programs.  X509_CRL_print(3)"""
        printed = written(lib.X509_CRL_print, self._crl).decode("utf-8", "backslashreplace")
        take_records()
        return printed

    @property
    def issuer(self) -> str:
        """The issuer's name in the form of RFC 2253.  X509_CRL_get_issuer(3)"""
        return str(self.issuer_name)

    @property
    def issuer_name(self) -> Name:
        """The issuer's name.  X509_CRL_get_issuer(3)"""
        return Name.copied(lib.X509_CRL_get_issuer(self._crl))

    @property
    def last_update(self) -> datetime.datetime:
        """When the CRL was made, in UTC.  X509_CRL_get0_lastUpdate(3)"""
        return time(lib.X509_CRL_get0_lastUpdate(self._crl))

    @property
    def next_update(self) -> datetime.datetime | None:
        """When the next one is due, in UTC; None where the CRL does not say.  X509_CRL_get0_nextUpdate(3)"""
        due = lib.X509_CRL_get0_nextUpdate(self._crl)
        return None if due == ffi.NULL else time(due)

    @property
    def number(self) -> int | None:
        """The CRL's number, which grows; None without one.  X509_CRL_get_ext_d2i(3)"""
        free = lib.ASN1_INTEGER_free
        number = decoded(self._crl, lib.NID_crl_number, lib.X509_CRL_get_ext_d2i, "ASN1_INTEGER *", free)
        return None if number is None else integer(number)

    @property
    def signature_algorithm(self) -> str:
        """OpenSSL's long name of it, such as ``sha256WithRSAEncryption``.  X509_CRL_get0_signature(3)"""
        algorithm = ffi.new("X509_ALGOR **")
        lib.X509_CRL_get0_signature(self._crl, ffi.NULL, algorithm)
        return algorithm_name(algorithm[0])

    @property
    def extensions(self) -> tuple[Extension, ...]:
        """Every extension of the CRL itself, in its order.  X509_CRL_get_ext(3)"""
        return extensions_of(self._crl, lib.X509_CRL_get_ext_count, lib.X509_CRL_get_ext)

    def is_signed_by(self, key: Key) -> bool:
        """Whether the signature is one of this key's; names and dates are not looked at.

        False also where the key is of another type, or the algorithm one that this OpenSSL lacks.  X509_CRL_verify(3)
        """
        return succeeds(lib.X509_CRL_verify, self._crl, instance(key, Key, "what has signed")._key)

    def find(self, certificate: Certificate | int) -> Revoked | None:
        """The entry of a certificate, or of a serial number of the CRL's issuer; None where there is none.

        The entries of an indirect CRL are of certificates of several issuers, and one counts for its own only.
        It says nothing of who signed the CRL, nor when: ``Store.verify`` with ``crls`` does.
        X509_CRL_get0_by_cert(3), X509_CRL_get0_by_serial(3)
        """
        number = None if isinstance(certificate, Certificate) else asn1_integer(certificate)
        if self._has_malformed_entry():
            return self._looked_through(certificate)
        entry, copy = ffi.new("X509_REVOKED **"), self._searched()
        if isinstance(certificate, Certificate):
            answer = lib.X509_CRL_get0_by_cert(copy, entry, certificate._x509)
        else:
            answer = lib.X509_CRL_get0_by_serial(copy, entry, number)
        take_records()
        # 2 would be removeFromCRL, which only delta CRLs have.
        if answer != 1:
            return None
        return self._revoked(entry[0], (certificate.issuer_name,) if isinstance(certificate, Certificate) else None)

    def _has_malformed_entry(self) -> bool:
        """Whether an extension of an entry is malformed, behind which OpenSSL's search knows no entry's issuer."""
        known: bool | None = self.__dict__.get("_is_malformed")
        if known is None:
            known = self.__dict__.setdefault("_is_malformed", bool(lib.pyossl_has_malformed_entry(self._crl)))
        return known

    def _looked_through(self, certificate: Certificate | int) -> Revoked | None:
        """What ``find`` finds, from what each entry says."""
        own_issuer = self.issuer_name
        number, issuer = (
            (certificate.serial_number, certificate.issuer_name)
            if isinstance(certificate, Certificate)
            else (certificate, own_issuer)
        )
        for pointer, issuers in self._entries():
            if integer(lib.X509_REVOKED_get0_serialNumber(pointer)) != number:
                continue
            if issuer in (_told(issuers) or (own_issuer,)):
                found = self._revoked(pointer, (issuer,))
                return None if tuple.__getitem__(found, 2) == _REMOVE_FROM_CRL else found
        return None

    def _revoked(self, entry: Any, issuers: _Issuers) -> Revoked:
        issuer: Any = issuers
        if isinstance(issuers, tuple):
            issuer = None if self.issuer_name in issuers else issuers[0]
        return Revoked(
            integer(lib.X509_REVOKED_get0_serialNumber(entry)),
            _or_error(time, lib.X509_REVOKED_get0_revocationDate(entry)),
            _or_error(_reason_of, entry),
            issuer,
        )

    def fingerprint(self, digest: str = "sha256") -> bytes:
        """The digest of the CRL's DER; ``ValueError`` for a digest that OpenSSL does not have.  X509_CRL_digest(3)"""
        return fingerprint(lib.X509_CRL_digest, self._crl, digest)

    @classmethod
    def from_cryptography(cls, crl: Any) -> CRL:
        """The same CRL as an object of the package ``cryptography``, which goes by DER."""
        encoding = cryptography("hazmat.primitives.serialization").Encoding.DER
        return cls._from_der(cryptography_bytes(crl, "public_bytes", "a CRL", encoding))

    def to_cryptography(self) -> Any:
        """The same CRL as an object of the package ``cryptography``, which goes by DER.

        Raises ``ImportError`` without that package.
        """
        return cryptography("x509").load_der_x509_crl(self.to_der())

    def __iter__(self) -> Iterator[Revoked]:
        # The generator keeps the CRL, which owns the entries.
        for pointer, issuers in self._entries():
            yield self._revoked(pointer, issuers)

    def _entries(self) -> Iterator[tuple[Any, _Issuers]]:
        """Every ``X509_REVOKED *``, and who has issued its certificate: one of these names, or the CRL's issuer.

        An entry that does not say it is of the same issuer as the one before.  RFC 5280, 5.3.3
        """
        issuers: _Issuers = None
        for n in range(len(self)):
            pointer = lib.sk_X509_REVOKED_value(lib.X509_CRL_get_REVOKED(self._crl), n)
            try:
                issuers = _issuers_of(pointer) or issuers
            except DecodeError as error:
                issuers = error
            yield pointer, issuers

    def __len__(self) -> int:
        # Below 0 is the stack that a CRL without entries may lack.
        return max(lib.sk_X509_REVOKED_num(lib.X509_CRL_get_REVOKED(self._crl)), 0)

    def __bool__(self) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CRL):
            return NotImplemented
        return self.to_der() == other.to_der()

    def __hash__(self) -> int:
        return hash(self.to_der())

    def __repr__(self) -> str:
        return f"<CRL of {self.issuer!r}, {len(self)} revoked>"


_Issuers = tuple[Name, ...] | DecodeError | None


def _issuers_of(entry: Any) -> tuple[Name, ...]:
    free = lib.GENERAL_NAMES_free
    get_d2i = lib.X509_REVOKED_get_ext_d2i
    names = decoded(entry, lib.NID_certificate_issuer, get_d2i, "GENERAL_NAMES *", free)
    if names is None:
        return ()
    found = tuple(each.value for each in general_names(names) if isinstance(each.value, Name))
    if not found:
        raise DecodeError("the extension certificateIssuer of an entry has no directory name")
    return found


def _reason_of(entry: Any) -> int | None:
    free = lib.ASN1_ENUMERATED_free
    reason = decoded(entry, lib.NID_crl_reason, lib.X509_REVOKED_get_ext_d2i, "ASN1_ENUMERATED *", free)
    if reason is None:
        return None
    if len(string_bytes(reason)) > _LONGEST_REASON:
        raise DecodeError("the extension CRLReason of an entry is a number that is no reason")
    return int(lib.ASN1_ENUMERATED_get(reason))


_REMOVE_FROM_CRL = 8
_LONGEST_REASON = 4  # bytes; OpenSSL takes a longer one for -1


def _or_error(read: Callable[[Any], Any], pointer: Any) -> Any:
    try:
        return read(pointer)
    except DecodeError as error:
        return error


def stack_of_crls(crls: Iterable[CRL]) -> Any:
    """A ``STACK_OF(X509_CRL) *``, owned, that keeps what it points to: copies, which verification may search."""
    pointers = [crl._searched() for crl in crls]
    stack = own(check_ptr(lib.sk_X509_CRL_new_null(), "sk_X509_CRL_new_null"), lib.sk_X509_CRL_free, keep=pointers)
    for pointer in pointers:
        check(lib.sk_X509_CRL_push(stack, pointer), "sk_X509_CRL_push")
    return stack


def load_crls(source: Source) -> list[CRL]:
    """Every CRL in a file or in bytes, in their order: PEM, or DER one after the other.

    Raises ``DecodeError`` when there is none, or when one is malformed.  PEM_read_bio_X509_CRL(3)
    """
    pointers = read_every(source, "CRL", "X509 CRL", lib.X509_CRL_free, lib.PEM_read_bio_X509_CRL, lib.d2i_X509_CRL_bio)
    return [CRL(pointer) for pointer in pointers]
