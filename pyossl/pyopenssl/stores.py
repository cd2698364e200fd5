"""Trust stores and the verification of chains apart from any connection."""

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
from pyossl.x509.store import Store

if TYPE_CHECKING:
    from cryptography import x509

StrOrBytesPath = str | bytes | PathLike[str] | PathLike[bytes]


class X509StoreFlags:
    """How chains are verified, for ``X509Store.set_flags``."""

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
    """Who is trusted."""

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
        """The ``X509_STORE *``, for programs that reach below."""
        return self._core._store

    @_store.setter
    def _store(self, pointer: Any) -> None:
        self._core = binding.store_from_pointer(pointer)

    def add_cert(self, cert: X509) -> None:
        """Trusts a certificate."""
        if not isinstance(cert, X509):
            raise TypeError()
        with translated:
            self._core.add(cert._certificate)

    def add_crl(self, crl: x509.CertificateRevocationList) -> None:
        """What an issuer has revoked, for the flag ``CRL_CHECK``."""
        if not is_cryptography_object(crl, "x509.CertificateRevocationList"):
            raise TypeError("CRL must be of type cryptography.x509.CertificateRevocationList")
        with translated:
            self._core.add_crl(CRL.from_cryptography(crl))

    def set_flags(self, flags: int) -> None:
        """How chains are verified: of ``X509StoreFlags``."""
        with translated:
            self._core.add_flags(flags)

    def set_time(self, vfy_time: datetime.datetime) -> None:
        """Verifies as if it were this time, in UTC whatever its zone."""
        with translated:
            self._core.set_time(vfy_time.replace(tzinfo=datetime.timezone.utc))

    def load_locations(self, cafile: StrOrBytesPath | None, capath: StrOrBytesPath | None = None) -> None:
        """Trusts the certificates of a PEM file, and those of a directory by their hashes."""
        file, directory = (None if path is None else fsencode(path) for path in (cafile, capath))
        with translated:
            self._core.add_locations(file, directory)


class X509StoreContextError(Exception):
    """A certificate was refused: ``errors`` is [code, depth, message], ``certificate`` the one that was refused."""

    def __init__(self, message: str, errors: list[Any], certificate: X509) -> None:
        super().__init__(message)
        self.errors = errors
        self.certificate = certificate

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (*self.args, self.errors, self.certificate)


class X509StoreContext(Uncopied):
    """One certificate to be verified with a store."""

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
        """Another store to verify with."""
        self._store = store

    def verify_certificate(self) -> None:
        """Raises ``X509StoreContextError`` where the certificate leads to nobody who is trusted."""
        self._verify()

    def get_verified_chain(self) -> list[X509]:
        """The chain to who is trusted; raises as ``verify_certificate`` does."""
        return [X509._of(each) for each in self._verify()]
