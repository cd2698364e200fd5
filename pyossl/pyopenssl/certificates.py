"""``X509`` and ``X509Name`` of ``OpenSSL.crypto``, and the functions that load and dump certificates."""

from __future__ import annotations

import contextlib
import datetime
import functools
import weakref
from typing import TYPE_CHECKING, Any

from pyossl.core import errors
from pyossl.core.copying import Uncopied
from pyossl.pyopenssl import cryptography_binding as binding
from pyossl.pyopenssl.deprecation import deprecated
from pyossl.pyopenssl.keys import (
    FILETYPE_ASN1,
    FILETYPE_PEM,
    FILETYPE_TEXT,
    PKey,
    data_of_filetype,
    is_cryptography_object,
    translated,
)
from pyossl.x509 import name_operations
from pyossl.x509.certificate import Certificate
from pyossl.x509.certificate_builder import CertificateBuilder
from pyossl.x509.names import Name

if TYPE_CHECKING:
    from cryptography import x509

_BUILDER = "You should use cryptography's CertificateBuilder instead."


@deprecated("X509Name support in pyOpenSSL is deprecated. You should use the APIs in cryptography.")
@functools.total_ordering
class X509Name(Uncopied):
    """The name of a certificate's subject or issuer.

    Its attributes are attributes of the object, by OpenSSL's short or long names: ``name.CN``, ``name.commonName``.
    One that the name does not have is None; one that OpenSSL does not know raises ``AttributeError``.
    ``X509Name(name)`` makes a copy.  A name from ``X509.get_subject`` or ``X509.get_issuer`` is a view: setting an
    attribute changes the certificate.  X509_NAME_add_entry_by_NID(3)
    """

    def __init__(self, name: X509Name) -> None:
        self._take(Name.copied(name._name), None, "")

    def _take(self, name: Name | None, certificate: X509 | None, field: str) -> None:
        object.__setattr__(self, "_own", name)
        object.__setattr__(self, "_certificate", certificate)
        object.__setattr__(self, "_field", field)

    @classmethod
    def _of(cls, name: Name) -> X509Name:
        new = cls.__new__(cls)
        new._take(name, None, "")
        return new

    @classmethod
    def _view(cls, certificate: X509, field: str) -> X509Name:
        new = cls.__new__(cls)
        new._take(None, certificate, field)
        return new

    @property
    def _core(self) -> Name:
        if self._own is not None:
            return self._own
        if self._certificate is None:
            raise AttributeError("_name")
        found: Name = getattr(self._certificate._certificate, self._field)
        return found

    @property
    def _name(self) -> Any:
        """The ``X509_NAME *``, for programs that call OpenSSL themselves; the certificate's own for a view."""
        if self._own is None and self._certificate is not None:
            return binding.name_pointer(self._certificate._certificate, self._field)
        return self._core._name

    @_name.setter
    def _name(self, pointer: Any) -> None:
        self._take(binding.name_from_pointer(pointer), None, "")

    if TYPE_CHECKING:
        _own: Name | None
        _certificate: X509 | None
        _field: str
    else:
        _own, _certificate, _field = None, None, ""

    def _invalidate(self) -> None:
        self._take(None, None, "")

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            return super().__setattr__(name, value)
        if type(name) is not str:
            raise TypeError(f"attribute name must be string, not '{type(value).__name__:.200}'")
        _number_of_attribute(name)
        data = value.encode("utf-8") if isinstance(value, str) else value
        if not isinstance(data, bytes):
            raise TypeError(f"the value of an attribute must be str or bytes, not {type(value).__name__}")
        with translated:
            changed = name_operations.name_with(self._core, name, data)
            if self._certificate is None:
                object.__setattr__(self, "_own", changed)
            else:
                getattr(self._certificate._certificate, f"set_{self._field}")(changed)
        return None

    def __getattr__(self, name: str) -> str | None:
        if name.startswith("_"):
            raise AttributeError(name)
        number = _number_of_attribute(name)
        with translated:
            return name_operations.attribute_text(self._core, number)

    def __eq__(self, other: Any) -> bool:
        if not isinstance(other, X509Name):
            return NotImplemented
        return self._core == other._core

    def __lt__(self, other: Any) -> bool:
        if not isinstance(other, X509Name):
            return NotImplemented
        return name_operations.name_order(self._core, other._core) < 0

    def __repr__(self) -> str:
        return f"<X509Name object '{name_operations.name_line(self._core)}'>"

    def hash(self) -> int:
        """The hash by which a directory of trusted certificates is searched.  X509_NAME_hash_ex(3)"""
        return name_operations.name_hash(self._core)

    def der(self) -> bytes:
        """The name in DER.  i2d_X509_NAME(3)"""
        return self._core.to_der()

    def get_components(self) -> list[tuple[bytes, bytes]]:
        """The short name and the value of each attribute, in order.  X509_NAME_get_entry(3)"""
        return [(name.encode(), data) for name, data in name_operations.components(self._core)]


def _number_of_attribute(name: str) -> int:
    name.encode("charmap")  # for another character this raises the same exception as pyOpenSSL
    try:
        return name_operations.attribute_number(name)
    except ValueError:
        raise AttributeError("No such attribute") from None


class _X509NameInvalidator:
    """The views of a certificate's name: they become invalid when the certificate gets another name."""

    def __init__(self) -> None:
        self._names: list[weakref.ref[X509Name]] = []

    def add(self, name: X509Name) -> None:
        self._names = [*(each for each in self._names if each() is not None), weakref.ref(name)]

    def clear(self) -> None:
        names, self._names = self._names, []
        for each in names:
            if (name := each()) is not None:
                name._invalidate()


class X509(Uncopied):
    """A certificate, which can be changed; after a change it has to be signed again.

    ``X509()`` is an empty one; ``load_certificate`` and ``X509.from_cryptography`` return others.  X509_new(3)
    """

    def __init__(self) -> None:
        self._take(CertificateBuilder.empty())

    def _take(self, certificate: CertificateBuilder) -> None:
        self._certificate = certificate
        self._subject_invalidator, self._issuer_invalidator = _X509NameInvalidator(), _X509NameInvalidator()

    @classmethod
    def _of(cls, certificate: Certificate) -> X509:
        """An ``X509`` for a certificate of the core, which stays unchanged when the ``X509`` is changed."""
        new = cls.__new__(cls)
        new._take(CertificateBuilder.of(certificate))
        return new

    def __repr__(self) -> str:
        if "_certificate" not in vars(self):
            return object.__repr__(self)
        return f"<X509 object '{name_operations.name_line(self._certificate.subject_name)}'>"

    @property
    def _x509(self) -> Any:
        """The ``X509 *``, for programs that call OpenSSL themselves; urllib3 checks whether it is there."""
        return self._certificate._x509

    @_x509.setter
    def _x509(self, pointer: Any) -> None:
        self._take(binding.certificate_from_pointer(pointer))

    @classmethod
    def _from_raw_x509_ptr(cls, x509: Any) -> X509:
        new = cls.__new__(cls)
        new._take(binding.certificate_from_owned_pointer(x509))
        return new

    def to_cryptography(self) -> x509.Certificate:
        """The certificate as an object of ``cryptography``."""
        with translated:
            certificate: x509.Certificate = self._certificate.to_cryptography()
        return certificate

    @classmethod
    def from_cryptography(cls, crypto_cert: x509.Certificate) -> X509:
        """An ``X509`` for ``crypto_cert``, a certificate of ``cryptography``; another object raises ``TypeError``."""
        if not is_cryptography_object(crypto_cert, "x509.Certificate"):
            raise TypeError("Must be a certificate")
        with translated:
            return cls._of(Certificate.from_cryptography(crypto_cert))

    @deprecated(f"X509.set_version is deprecated. {_BUILDER}")
    def set_version(self, version: int) -> None:
        """Sets ``version`` as it is encoded: 2 means version 3.  ``TypeError`` if it is no ``int``.

        X509_set_version(3)
        """
        if not isinstance(version, int):
            raise TypeError("version must be an integer")
        with translated:
            self._certificate.set_version(version)

    def get_version(self) -> int:
        """The version as it is encoded: 2 means version 3; -1 if it is too large for any version.

        X509_get_version(3)
        """
        try:
            return self._certificate.version - 1
        except errors.DecodeError:
            return -1

    def get_pubkey(self) -> PKey:
        """The public key.  Raises ``Error`` if there is none, or OpenSSL cannot decode it.  X509_get_pubkey(3)"""
        with translated:
            return PKey._of(self._certificate.public_key)

    @deprecated(f"X509.set_pubkey is deprecated. {_BUILDER}")
    def set_pubkey(self, pkey: PKey) -> None:
        """Sets the public key.  Raises ``TypeError`` if ``pkey`` is no ``PKey``.  X509_set_pubkey(3)"""
        if not isinstance(pkey, PKey):
            raise TypeError("pkey must be a PKey instance")
        with translated:
            self._certificate.set_public_key(pkey._any_key)

    @deprecated(f"X509.sign is deprecated. {_BUILDER}")
    def sign(self, pkey: PKey, digest: str) -> None:
        """Signs the certificate.

        ``pkey`` is the issuer's private key, ``digest`` a name, for example ``"sha256"``.  Raises ``TypeError`` if
        ``pkey`` is no ``PKey``, and ``ValueError`` if it has no private key or OpenSSL does not have the digest.
        X509_sign(3)
        """
        if not isinstance(pkey, PKey):
            raise TypeError("pkey must be a PKey instance")
        if pkey._only_public:
            raise ValueError("Key only has public part")
        if not pkey._initialized:
            raise ValueError("Key is uninitialized")
        with translated, _unknown_digest_errors():
            self._certificate.sign(pkey._private_key, digest)

    def get_signature_algorithm(self) -> bytes:
        """OpenSSL's long name of the signature's algorithm; ``ValueError`` if there is none.

        X509_get_signature_nid(3)
        """
        name = self._certificate.signed_algorithm
        if name is None:
            raise ValueError("Undefined signature algorithm")
        return name.encode()

    def digest(self, digest_name: str) -> bytes:
        """The fingerprint in hexadecimal, as ``b"AB:CD:…"``.

        ``digest_name`` is for example ``"sha256"``; ``ValueError`` if OpenSSL does not have it.  X509_digest(3)
        """
        with translated, _unknown_digest_errors():
            return self._certificate.fingerprint(digest_name).hex(":").upper().encode()

    def subject_name_hash(self) -> int:
        """The hash by which a directory of trusted certificates is searched.  X509_subject_name_hash(3)"""
        return self._certificate.subject_name_hash

    @deprecated(f"X509.set_serial_number is deprecated. {_BUILDER}")
    def set_serial_number(self, serial: int) -> None:
        """Sets the serial number to ``serial``; ``TypeError`` if it is no ``int``.  X509_set_serialNumber(3)"""
        if not isinstance(serial, int):
            raise TypeError("serial must be an integer")
        with translated:
            self._certificate.set_serial_number(serial)

    def get_serial_number(self) -> int:
        """The serial number.  X509_get0_serialNumber(3)"""
        return self._certificate.serial_number

    @deprecated(f"X509.gmtime_adj_notAfter is deprecated. {_BUILDER}")
    def gmtime_adj_notAfter(self, amount: int) -> None:  # noqa: N802 - pyOpenSSL's, as the names below
        """Sets the end of the validity, ``amount`` seconds from now.  ``TypeError`` if it is no ``int``.

        X509_gmtime_adj(3)
        """
        if not isinstance(amount, int):
            raise TypeError("amount must be an integer")
        with _ignoring_impossible_times:
            self._certificate.set_not_after(amount)

    @deprecated(f"X509.gmtime_adj_notBefore is deprecated. {_BUILDER}")
    def gmtime_adj_notBefore(self, amount: int) -> None:  # noqa: N802
        """Sets the start of the validity, ``amount`` seconds from now.  ``TypeError`` if it is no ``int``.

        X509_gmtime_adj(3)
        """
        if not isinstance(amount, int):
            raise TypeError("amount must be an integer")
        with _ignoring_impossible_times:
            self._certificate.set_not_before(amount)

    def has_expired(self) -> bool:
        """Whether the validity has ended.  Raises ``ValueError`` if no end is set."""
        end = self.get_notAfter()
        if end is None:
            raise ValueError("Unable to determine notAfter")
        moment = datetime.datetime.strptime(end.decode(), "%Y%m%d%H%M%SZ").replace(tzinfo=datetime.timezone.utc)
        return moment < datetime.datetime.now(datetime.timezone.utc)

    def get_notBefore(self) -> bytes | None:  # noqa: N802
        """The start of the validity in UTC, as ``b"YYYYMMDDhhmmssZ"``; None if it is not set.

        X509_get0_notBefore(3)
        """
        with translated:
            return self._certificate.not_before_text

    def get_notAfter(self) -> bytes | None:  # noqa: N802
        """The end of the validity in UTC, as ``b"YYYYMMDDhhmmssZ"``; None if it is not set.  X509_get0_notAfter(3)"""
        with translated:
            return self._certificate.not_after_text

    @deprecated(f"X509.set_notBefore is deprecated. {_BUILDER}")
    def set_notBefore(self, when: bytes) -> None:  # noqa: N802
        """Sets the start of the validity.

        ``when`` is UTC, as ``b"YYYYMMDDhhmmssZ"``; ``TypeError`` if it is not bytes, ``ValueError`` if it is no time.
        X509_set1_notBefore(3)
        """
        self._certificate.set_not_before(_time(when))

    @deprecated(f"X509.set_notAfter is deprecated. {_BUILDER}")
    def set_notAfter(self, when: bytes) -> None:  # noqa: N802
        """Sets the end of the validity.

        ``when`` is UTC, as ``b"YYYYMMDDhhmmssZ"``; ``TypeError`` if it is not bytes, ``ValueError`` if it is no time.
        X509_set1_notAfter(3)
        """
        self._certificate.set_not_after(_time(when))

    def _view(self, field: str, views: _X509NameInvalidator) -> X509Name:
        view = X509Name._view(self, field)
        views.add(view)
        return view

    def _replace(self, field: str, name: X509Name, views: _X509NameInvalidator) -> None:
        if not isinstance(name, X509Name):
            raise TypeError("name must be an X509Name")
        with translated:
            getattr(self._certificate, f"set_{field}")(name._core)
        views.clear()

    @deprecated("X509.get_issuer is deprecated. You should use cryptography's X.509 APIs instead.")
    def get_issuer(self) -> X509Name:
        """A view of the issuer's name: changing it changes the certificate.  X509_get_issuer_name(3)"""
        return self._view("issuer_name", self._issuer_invalidator)

    @deprecated(f"X509.set_issuer is deprecated. {_BUILDER}")
    def set_issuer(self, issuer: X509Name) -> None:
        """Sets the issuer's name; earlier views of it become invalid.

        Raises ``TypeError`` if ``issuer`` is no ``X509Name``.  X509_set_issuer_name(3)
        """
        self._replace("issuer_name", issuer, self._issuer_invalidator)

    @deprecated("X509.get_subject is deprecated. You should use cryptography's X.509 APIs instead.")
    def get_subject(self) -> X509Name:
        """A view of the subject's name: changing it changes the certificate.  X509_get_subject_name(3)"""
        return self._view("subject_name", self._subject_invalidator)

    @deprecated(f"X509.set_subject is deprecated. {_BUILDER}")
    def set_subject(self, subject: X509Name) -> None:
        """Sets the subject's name; earlier views of it become invalid.

        Raises ``TypeError`` if ``subject`` is no ``X509Name``.  X509_set_subject_name(3)
        """
        self._replace("subject_name", subject, self._subject_invalidator)

    def get_extension_count(self) -> int:
        """How many extensions the certificate has.  X509_get_ext_count(3)"""
        return self._certificate.extension_count


class _unknown_digest_errors:  # noqa: N801 - read as a statement
    """Raises pyOpenSSL's ``ValueError`` for a digest that OpenSSL does not have."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: object, __: object) -> None:
        if isinstance(error, ValueError):
            raise ValueError("No such digest method") from error


_ignoring_impossible_times = contextlib.suppress(errors.Error)
"""As in pyOpenSSL, an offset in seconds that leads to no valid time changes nothing and raises nothing."""


def _time(when: bytes) -> bytes:
    if not isinstance(when, bytes):
        raise TypeError("when must be a byte string")
    return when


def load_certificate(type: int, buffer: bytes) -> X509:
    """Loads a certificate, the first one in ``buffer``.

    ``type`` is ``FILETYPE_PEM`` or ``FILETYPE_ASN1`` (DER), ``buffer`` is bytes or ``str``.  Raises ``Error`` if it
    cannot be decoded, and ``ValueError`` for another ``type``.  PEM_read_bio_X509(3), d2i_X509(3)
    """
    data = data_of_filetype(type, buffer)
    with translated:
        return X509._of(Certificate.load(data) if type == FILETYPE_PEM else Certificate._from_der(data))


def dump_certificate(type: int, cert: X509) -> bytes:
    """The certificate ``cert`` as bytes.

    ``type`` is ``FILETYPE_PEM``, ``FILETYPE_ASN1`` (DER) or ``FILETYPE_TEXT``; ``ValueError`` for another one.
    PEM_write_bio_X509(3), i2d_X509(3), X509_print_ex(3)
    """
    with translated:
        if type == FILETYPE_PEM:
            return cert._certificate.to_pem()
        if type == FILETYPE_ASN1:
            return cert._certificate.to_der()
        if type == FILETYPE_TEXT:
            return cert._certificate.text.encode()
    raise ValueError("type argument must be FILETYPE_PEM, FILETYPE_ASN1, or FILETYPE_TEXT")
