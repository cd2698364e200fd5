"""Certificate revocation lists.  X509_CRL_get0_by_serial(3)"""

from __future__ import annotations

import datetime
import enum
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from pyossl.core import ffi, lib, own
from pyossl.core.arguments import instance, pointer as checked_pointer
from pyossl.core.errors import DecodeError, check, check_ptr
from pyossl.core.library_context import LibraryContext, library_pointer
from pyossl.core.outcome import take_records
from pyossl.x509.asn1 import asn1_integer, integer, string_bytes, time
from pyossl.x509.certificate import Certificate, algorithm_name, fingerprint, succeeds
from pyossl.x509.cryptography_objects import cryptography, cryptography_bytes
from pyossl.x509.extensions import Extension, extension_value, extensions_of
from pyossl.x509.keys import Key
from pyossl.x509.names import Name, general_names
from pyossl.x509.pem_and_der import Source, output_of, read_der, read_every


class RevocationReason(enum.IntEnum):
    """Why a certificate was revoked: the reason code of an entry of a CRL (RFC 5280, 5.3.1).

    - ``UNSPECIFIED``: no reason is given; a CRL then has no code.
    - ``KEY_COMPROMISE``: others may have the private key.
    - ``CA_COMPROMISE``: others may have the private key of this authority.
    - ``AFFILIATION_CHANGED``: the subject's name or other information has changed.
    - ``SUPERSEDED``: there is a newer certificate.
    - ``CESSATION_OF_OPERATION``: the certificate is not needed any more.
    - ``CERTIFICATE_HOLD``: the certificate may become valid again.
    - ``PRIVILEGE_WITHDRAWN``: the subject may not have what the certificate says any more.
    - ``AA_COMPROMISE``: others may have the private key of the attribute authority.
    """

    UNSPECIFIED = 0
    KEY_COMPROMISE = 1
    CA_COMPROMISE = 2
    AFFILIATION_CHANGED = 3
    SUPERSEDED = 4
    CESSATION_OF_OPERATION = 5
    CERTIFICATE_HOLD = 6
    PRIVILEGE_WITHDRAWN = 9
    AA_COMPROMISE = 10


class _Entry(NamedTuple):
    serial_number: int
    revoked_at: datetime.datetime
    reason: int | None


def _value_or_raise(value: Any) -> Any:
    if isinstance(value, DecodeError):
        raise DecodeError(str(value), value.failure)
    return value


def _field(place: int, doc: str) -> Any:
    return property(lambda entry: entry[place], doc=doc)


class Revoked(_Entry):
    """One entry of a CRL: a revoked certificate.  X509_REVOKED_get0_serialNumber(3)

    A tuple of ``serial_number``, ``revoked_at`` and ``reason``.  ``issuer_name`` and ``issuer`` are attributes outside
    the tuple, but entries with different issuers are not equal.  If a field is malformed, only reading this field
    raises ``DecodeError``.
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
        serial_number = _field(0, "The serial number of the revoked certificate.  X509_REVOKED_get0_serialNumber(3)")
        revoked_at = _field(1, "The time of the revocation, in UTC.  X509_REVOKED_get0_revocationDate(3)")
        reason = _field(
            2,
            "The reason code of RFC 5280, 5.3.1, for example 1 (keyCompromise), or None.  X509_REVOKED_get_ext_d2i(3)",
        )

        def __getitem__(self, index: Any) -> Any:
            value = super().__getitem__(index)
            return tuple(map(_value_or_raise, value)) if isinstance(index, slice) else _value_or_raise(value)

        def __iter__(self) -> Iterator[Any]:
            return map(_value_or_raise, super().__iter__())

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
        fields = super().__repr__()
        return fields if self._issuer is None else f"{fields[:-1]}, issuer_name={self._issuer!r})"

    @property
    def issuer_name(self) -> Name | None:
        """The issuer of the revoked certificate; None if it is the issuer of the CRL.

        An indirect CRL has entries of several issuers.  X509_REVOKED_get_ext_d2i(3)
        """
        issuer: Name | None = _value_or_raise(self._issuer)
        return issuer

    @property
    def issuer(self) -> str | None:
        """``issuer_name`` in the form of RFC 2253, or None."""
        return None if self.issuer_name is None else str(self.issuer_name)


class CRL:
    """A certificate revocation list: the certificates that an issuer has revoked.  X509_CRL_get0_by_serial(3)

    Iterating over it gives a ``Revoked`` for each entry, in the order of the CRL; ``len()`` is the number of entries.
    """

    def __init__(self, pointer: Any) -> None:
        """Makes a CRL of ``pointer``, an ``X509_CRL *``, which is freed with its last reference, as by ``ffi.gc``.

        ``CRL.load`` takes a file or bytes.
        """
        self._crl = checked_pointer(pointer, "X509_CRL *", "make a CRL with CRL.load")

    def _searchable_copy(self) -> Any:
        """A copy, owned, for OpenSSL to search: a search sorts the entries, which would disturb an iteration.

        X509_CRL_dup(3)
        """
        copy = self.__dict__.get("_copy")
        if copy is None:
            made = own(check_ptr(lib.X509_CRL_dup(self._crl), "X509_CRL_dup"), lib.X509_CRL_free)
            take_records()  # OpenSSL reads the copy, and leaves its errors in the queue
            copy = self.__dict__.setdefault("_copy", made)
        return copy

    def _searchable_copy_in(self, library_context: LibraryContext | None) -> Any:
        """As ``_searchable_copy``, of a library context.  X509_CRL_new_ex(3)"""
        if library_context is None:
            return self._searchable_copy()
        der = self.to_der()
        return read_der(der, "CRL", lib.X509_CRL_free, lib.d2i_X509_CRL_bio, lambda: new_crl(library_context))

    @classmethod
    def load(cls, source: Source) -> CRL:
        """The first CRL in a file or in bytes, PEM or DER.

        ``source`` is the path of a file, or the contents as ``bytes``.  Raises ``DecodeError`` if there is none.
        PEM_read_bio_X509_CRL(3), d2i_X509_CRL_bio(3)
        """
        return load_crls(source)[0]

    @classmethod
    def _from_der(cls, der: bytes) -> CRL:
        return cls(read_der(der, "CRL", lib.X509_CRL_free, lib.d2i_X509_CRL_bio))

    def to_der(self) -> bytes:
        """The CRL in DER.  i2d_X509_CRL_bio(3)"""
        return output_of(lib.i2d_X509_CRL_bio, self._crl)

    def to_pem(self) -> bytes:
        """The CRL in PEM.  PEM_write_bio_X509_CRL(3)"""
        return output_of(lib.PEM_write_bio_X509_CRL, self._crl)

    def __reduce__(self) -> tuple[Callable[[bytes], CRL], tuple[bytes]]:
        return CRL.load, (self.to_der(),)

    @property
    def text(self) -> str:
        """A description of the whole CRL, for people to read.  Do not parse it.  X509_CRL_print(3)"""
        printed = output_of(lib.X509_CRL_print, self._crl).decode("utf-8", "backslashreplace")
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
        """The time at which the CRL was issued, in UTC.  X509_CRL_get0_lastUpdate(3)"""
        return time(lib.X509_CRL_get0_lastUpdate(self._crl))

    @property
    def next_update(self) -> datetime.datetime | None:
        """The time by which the next CRL will be issued, in UTC; None if the CRL does not say.

        X509_CRL_get0_nextUpdate(3)
        """
        due = lib.X509_CRL_get0_nextUpdate(self._crl)
        return None if due == ffi.NULL else time(due)

    @property
    def number(self) -> int | None:
        """The CRL's number, which increases with each CRL of the issuer, or None.  X509_CRL_get_ext_d2i(3)"""
        free = lib.ASN1_INTEGER_free
        number = extension_value(self._crl, lib.NID_crl_number, lib.X509_CRL_get_ext_d2i, "ASN1_INTEGER *", free)
        return None if number is None else integer(number)

    @property
    def signature_algorithm(self) -> str:
        """The signature algorithm, by OpenSSL's long name: ``sha256WithRSAEncryption``.

        The dotted form if OpenSSL has no name for it.  X509_CRL_get0_signature(3)
        """
        algorithm = ffi.new("X509_ALGOR **")
        lib.X509_CRL_get0_signature(self._crl, ffi.NULL, algorithm)
        return algorithm_name(algorithm[0])

    @property
    def extensions(self) -> tuple[Extension, ...]:
        """All extensions of the CRL, without those of its entries, in order.  X509_CRL_get_ext(3)"""
        return extensions_of(self._crl, lib.X509_CRL_get_ext_count, lib.X509_CRL_get_ext)

    def is_signed_by(self, key: Key) -> bool:
        """Whether the signature was made with this key.  Names and dates are not checked.

        ``key`` is the signer's public or private key.  Returns False also if the key is of another type, or if this
        OpenSSL does not support the algorithm.  X509_CRL_verify(3)
        """
        return succeeds(lib.X509_CRL_verify, self._crl, instance(key, Key, "key")._key)

    def find(self, certificate: Certificate | int) -> Revoked | None:
        """The entry for ``certificate``, or for a serial number of the CRL's issuer; None if there is none.

        In an indirect CRL, which has entries of several issuers, the issuer must match too.  The signature and the
        dates of the CRL are not checked: ``Store.verify`` with ``crls`` does that.  X509_CRL_get0_by_cert(3),
        X509_CRL_get0_by_serial(3)
        """
        number = None if isinstance(certificate, Certificate) else asn1_integer(certificate)
        if self._has_malformed_entry():
            return self._find_one_by_one(certificate)
        entry, copy = ffi.new("X509_REVOKED **"), self._searchable_copy()
        if isinstance(certificate, Certificate):
            answer = lib.X509_CRL_get0_by_cert(copy, entry, certificate._x509)
        else:
            answer = lib.X509_CRL_get0_by_serial(copy, entry, number)
        take_records()
        # 2 means removeFromCRL, which only delta CRLs have.
        if answer != 1:
            return None
        return self._revoked(entry[0], (certificate.issuer_name,) if isinstance(certificate, Certificate) else None)

    def _has_malformed_entry(self) -> bool:
        """Whether an entry has a malformed extension.  OpenSSL finds no issuers of the entries after it."""
        known: bool | None = self.__dict__.get("_is_malformed")
        if known is None:
            known = self.__dict__.setdefault("_is_malformed", bool(lib.pyossl_has_malformed_entry(self._crl)))
        return known

    def _find_one_by_one(self, certificate: Certificate | int) -> Revoked | None:
        """``find`` without OpenSSL's search, for a CRL with a malformed entry."""
        own_issuer = self.issuer_name
        number, issuer = (
            (certificate.serial_number, certificate.issuer_name)
            if isinstance(certificate, Certificate)
            else (certificate, own_issuer)
        )
        for pointer, issuers in self._entries():
            if integer(lib.X509_REVOKED_get0_serialNumber(pointer)) != number:
                continue
            if issuer in (_value_or_raise(issuers) or (own_issuer,)):
                found = self._revoked(pointer, (issuer,))
                return None if tuple.__getitem__(found, 2) == _REMOVE_FROM_CRL else found
        return None

    def _revoked(self, entry: Any, issuers: _Issuers) -> Revoked:
        issuer: Any = issuers
        if isinstance(issuers, tuple):
            issuer = None if self.issuer_name in issuers else issuers[0]
        return Revoked(
            integer(lib.X509_REVOKED_get0_serialNumber(entry)),
            _value_or_error(time, lib.X509_REVOKED_get0_revocationDate(entry)),
            _value_or_error(_reason_of, entry),
            issuer,
        )

    def fingerprint(self, digest: str = "sha256") -> bytes:
        """The digest of the CRL's DER.

        ``digest`` is OpenSSL's name of an algorithm; ``ValueError`` if it has none of that name.  X509_CRL_digest(3)
        """
        return fingerprint(lib.X509_CRL_digest, self._crl, digest)

    @classmethod
    def from_cryptography(cls, crl: Any) -> CRL:
        """Converts ``crl``, an object of the package ``cryptography``, by way of DER.

        Raises ``TypeError`` for another object.
        """
        encoding = cryptography("hazmat.primitives.serialization").Encoding.DER
        return cls._from_der(cryptography_bytes(crl, "public_bytes", "a CRL", encoding))

    def to_cryptography(self) -> Any:
        """Converts the CRL to an object of the package ``cryptography``, by way of DER.

        Raises ``ImportError`` if that package is not installed.
        """
        return cryptography("x509").load_der_x509_crl(self.to_der())

    def __iter__(self) -> Iterator[Revoked]:
        # The generator keeps the CRL alive, which owns the entries.
        for pointer, issuers in self._entries():
            yield self._revoked(pointer, issuers)

    def _entries(self) -> Iterator[tuple[Any, _Issuers]]:
        """Every ``X509_REVOKED *`` and the issuers of its certificate; None means the issuer of the CRL.

        An entry without issuers has those of the entry before it.  RFC 5280, 5.3.3
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
        # The result is -1 if the CRL has no list of entries.
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
    names = extension_value(entry, lib.NID_certificate_issuer, get_d2i, "GENERAL_NAMES *", free)
    if names is None:
        return ()
    found = tuple(each.value for each in general_names(names) if isinstance(each.value, Name))
    if not found:
        raise DecodeError("the extension certificateIssuer of an entry has no directory name")
    return found


def _reason_of(entry: Any) -> int | None:
    free = lib.ASN1_ENUMERATED_free
    reason = extension_value(entry, lib.NID_crl_reason, lib.X509_REVOKED_get_ext_d2i, "ASN1_ENUMERATED *", free)
    if reason is None:
        return None
    if len(string_bytes(reason)) > _LONGEST_REASON:
        raise DecodeError("the extension CRLReason of an entry is not a valid reason")
    return int(lib.ASN1_ENUMERATED_get(reason))


_REMOVE_FROM_CRL = 8
_LONGEST_REASON = 4  # bytes; OpenSSL reads a longer one as -1


def _value_or_error(read: Callable[[Any], Any], pointer: Any) -> Any:
    try:
        return read(pointer)
    except DecodeError as error:
        return error


def new_crl(library_context: LibraryContext | None) -> Any:
    """An empty ``X509_CRL *`` that the caller owns.  X509_CRL_new_ex(3)"""
    if library_context is None:
        return check_ptr(lib.X509_CRL_new(), "X509_CRL_new")
    return check_ptr(lib.X509_CRL_new_ex(library_pointer(library_context), ffi.NULL), "X509_CRL_new_ex")


def stack_of_crls(crls: Iterable[CRL], library_context: LibraryContext | None = None) -> Any:
    """A ``STACK_OF(X509_CRL) *``, owned, of copies that verification may search.  It keeps them alive."""
    pointers = [crl._searchable_copy_in(library_context) for crl in crls]
    stack = own(check_ptr(lib.sk_X509_CRL_new_null(), "sk_X509_CRL_new_null"), lib.sk_X509_CRL_free, keep=pointers)
    for pointer in pointers:
        check(lib.sk_X509_CRL_push(stack, pointer), "sk_X509_CRL_push")
    return stack


def crls_of_owned(stack: Any) -> tuple[CRL, ...]:
    """The CRLs of a ``STACK_OF(X509_CRL) *`` that the caller owns, and which is freed."""
    pointers = [own(lib.sk_X509_CRL_value(stack, n), lib.X509_CRL_free) for n in range(lib.sk_X509_CRL_num(stack))]
    lib.sk_X509_CRL_free(stack)
    return tuple(CRL(pointer) for pointer in pointers)


def load_crls(source: Source) -> list[CRL]:
    """All CRLs in a file or in bytes, in order.

    ``source`` is the path of a file, or the contents as ``bytes``: PEM, or DER CRLs one after the other.  Raises
    ``DecodeError`` if there is none, or if one is malformed.  PEM_read_bio_X509_CRL(3)
    """
    pointers = read_every(source, "CRL", "X509 CRL", lib.X509_CRL_free, lib.PEM_read_bio_X509_CRL, lib.d2i_X509_CRL_bio)
    return [CRL(pointer) for pointer in pointers]
