"""``X509Store``, ``X509StoreContext`` and its error, and ``X509StoreFlags`` of ``OpenSSL.crypto``."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from os import PathLike, fsencode
from typing import TYPE_CHECKING, Any

from pyossl.core.constants import constant
from pyossl.core.copying import Uncopied
from pyossl.core.errors import CertificateError
from pyossl.pyopenssl import cryptography_binding as binding
from pyossl.pyopenssl.certificates import X509
from pyossl.pyopenssl.keys import is_cryptography_object, translated
from pyossl.x509.certificate import Certificate
from pyossl.x509.crl import CRL
from pyossl.x509.trust_store import Store

if TYPE_CHECKING:
    from cryptography import x509

StrOrBytesPath = str | bytes | PathLike[str] | PathLike[bytes]


class X509StoreFlags:
    """The flags for ``X509Store.set_flags``.  X509_VERIFY_PARAM_set_flags(3)"""

    CRL_CHECK: int = constant("X509_V_FLAG_CRL_CHECK")
    CRL_CHECK_ALL: int = constant("X509_V_FLAG_CRL_CHECK_ALL")
    IGNORE_CRITICAL: int = constant("X509_V_FLAG_IGNORE_CRITICAL")
    X509_STRICT: int = constant("X509_V_FLAG_X509_STRICT")
    ALLOW_PROXY_CERTS: int = constant("X509_V_FLAG_ALLOW_PROXY_CERTS")
    POLICY_CHECK: int = constant("X509_V_FLAG_POLICY_CHECK")
    EXPLICIT_POLICY: int = constant("X509_V_FLAG_EXPLICIT_POLICY")
    INHIBIT_MAP: int = constant("X509_V_FLAG_INHIBIT_MAP")
    CHECK_SS_SIGNATURE: int = constant("X509_V_FLAG_CHECK_SS_SIGNATURE")
    PARTIAL_CHAIN: int = constant("X509_V_FLAG_PARTIAL_CHAIN")


class X509Store(Uncopied):
    """A trust store: trusted certificates, CRLs, and settings for verification.  X509_STORE_new(3)"""

    def __init__(self) -> None:
        self._core = Store.empty()

    @classmethod
    def _of(cls, store: Store) -> X509Store:
        new = cls.__new__(cls)
        new._core = store
        return new

    def __repr__(self) -> str:
        if "_core" not in vars(self):
            return object.__repr__(self)
        return f"<X509Store object, {len(self._core.certificates)} certificates in memory>"

    @property
    def _store(self) -> Any:
        """The ``X509_STORE *``, for programs that call OpenSSL themselves."""
        return self._core._store

    @_store.setter
    def _store(self, pointer: Any) -> None:
        self._core = binding.store_from_pointer(pointer)

    def add_cert(self, cert: X509) -> None:
        """Adds ``cert``, a trusted certificate.  Raises ``TypeError`` if it is no ``X509``.  X509_STORE_add_cert(3)"""
        if not isinstance(cert, X509):
            raise TypeError()
        with translated:
            self._core.add(cert._certificate)

    def add_crl(self, crl: x509.CertificateRevocationList) -> None:
        """Adds a CRL, which is used if ``X509StoreFlags.CRL_CHECK`` is set.

        ``crl`` is an object of ``cryptography``; any other raises ``TypeError``.  X509_STORE_add_crl(3)
        """
        if not is_cryptography_object(crl, "x509.CertificateRevocationList"):
            raise TypeError("CRL must be of type cryptography.x509.CertificateRevocationList")
        with translated:
            self._core.add_crl(CRL.from_cryptography(crl))

    def set_flags(self, flags: int) -> None:
        """Adds ``flags``, a combination of ``X509StoreFlags``.  X509_STORE_set_flags(3)"""
        with translated:
            self._core.add_flags(flags)

    def set_time(self, vfy_time: datetime.datetime) -> None:
        """Sets the time for which certificates are verified, instead of now.

        ``vfy_time`` is taken as UTC; its time zone is ignored.  X509_VERIFY_PARAM_set_time(3)
        """
        with translated:
            self._core.set_time(vfy_time.replace(tzinfo=datetime.timezone.utc))

    def load_locations(self, cafile: StrOrBytesPath | None, capath: StrOrBytesPath | None = None) -> None:
        """Adds the trusted certificates of a PEM file and of a directory.

        - ``cafile``: the path of a PEM file, or None.
        - ``capath``: the path of a directory with one certificate per file, named by the hash of its subject, or None.

        Raises ``Error`` if the file cannot be read, or if both are None.  X509_STORE_load_locations(3)
        """
        file, directory = (None if path is None else fsencode(path) for path in (cafile, capath))
        with translated:
            self._core.add_locations(file, directory)


class X509StoreContextError(Exception):
    """A certificate was refused.

    ``errors`` is the list [code, depth, message], ``certificate`` the certificate that was refused: it is not always
    the one that was verified.  X509_STORE_CTX_get_error(3)
    """

    def __init__(self, message: str, errors: list[Any], certificate: X509) -> None:
        super().__init__(message)
        self.errors = errors
        self.certificate = certificate

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (*self.args, self.errors, self.certificate)


class X509StoreContext(Uncopied):
    """The verification of one certificate.

    - ``store``: the trusted certificates.
    - ``certificate``: the certificate to verify.
    - ``chain``: certificates that are not trusted, but may lead to a trusted one.

    Raises ``TypeError`` if an element of ``chain`` is no ``X509``.  X509_STORE_CTX_init(3)
    """

    def __init__(self, store: X509Store, certificate: X509, chain: Sequence[X509] | None = None) -> None:
        self._store = store
        self._cert = certificate
        self._chain = tuple(chain or ())
        if not all(isinstance(each, X509) for each in self._chain):
            raise TypeError("One of the elements is not an X509 instance")

    def __repr__(self) -> str:
        return f"<X509StoreContext object: {self._cert!r} with {self._store!r}>"

    def _verify(self) -> tuple[Certificate, ...]:
        between = [each._certificate for each in self._chain]
        try:
            return self._store._core.verify(self._cert._certificate, between)
        except CertificateError as error:
            refused = X509._of(error.certificate) if error.certificate is not None else self._cert
            details = [error.code, error.depth, error.reason]
            raise X509StoreContextError(error.reason, details, refused) from error

    def set_store(self, store: X509Store) -> None:
        """Verifies with ``store`` from now on.  X509_STORE_CTX_init(3)"""
        self._store = store

    def verify_certificate(self) -> None:
        """Raises ``X509StoreContextError`` if the certificate is not trusted.  X509_verify_cert(3)"""
        self._verify()

    def get_verified_chain(self) -> list[X509]:
        """The chain from the certificate to a trusted one.

        Raises ``X509StoreContextError`` if the certificate is not trusted.  X509_STORE_CTX_get1_chain(3)
        """
        return [X509._of(each) for each in self._verify()]
