"""Certificates, and the stores of those that are trusted.  X509(3), X509_STORE(3)"""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pyossl._lib import ffi, lib, own, text
from pyossl.bio import BIO
from pyossl.errors import DecodeError, check, check_ptr, failed
from pyossl.keys import Source, contents, describe, encoded
from pyossl.outcome import take_records


class Certificate:
    """An X.509 certificate.  X509(3)"""

    def __init__(self, pointer: Any) -> None:
        self._x509 = pointer

    @classmethod
    def load(cls, source: Source) -> Certificate:
        """The first certificate of a PEM file or DER file, or of such bytes.

        Raises ``DecodeError`` when there is none.  PEM_read_bio_X509(3), d2i_X509_bio(3)
        """
        return load_certificates(source)[0]

    def to_der(self) -> bytes:
        """The certificate in DER.  i2d_X509_bio(3)"""
        bio = BIO.memory()
        check(lib.i2d_X509_bio(bio._bio, self._x509), "i2d_X509_bio")
        return contents(bio)

    def to_pem(self) -> bytes:
        """The certificate in PEM.  PEM_write_bio_X509(3)"""
        bio = BIO.memory()
        check(lib.PEM_write_bio_X509(bio._bio, self._x509), "PEM_write_bio_X509")
        return contents(bio)

    @property
    def subject(self) -> str:
        """The subject's name in the form of RFC 2253, such as ``CN=example.com``.  X509_get_subject_name(3)"""
        return _name(lib.X509_get_subject_name(self._x509))

    @property
    def issuer(self) -> str:
        """The issuer's name in the form of RFC 2253.  X509_get_issuer_name(3)"""
        return _name(lib.X509_get_issuer_name(self._x509))

    @property
    def serial_number(self) -> int:
        """X509_get_serialNumber(3)"""
        number = own(
            check_ptr(lib.ASN1_INTEGER_to_BN(lib.X509_get_serialNumber(self._x509), ffi.NULL), "ASN1_INTEGER_to_BN"),
            lib.BN_free,
        )
        return int(text(own(check_ptr(lib.BN_bn2hex(number), "BN_bn2hex"), lib.OPENSSL_free)), 16)

    @property
    def not_before(self) -> datetime.datetime:
        """When the certificate's validity begins, in UTC.  X509_get0_notBefore(3)"""
        return _time(lib.X509_get0_notBefore(self._x509))

    @property
    def not_after(self) -> datetime.datetime:
        """When the certificate's validity ends, in UTC.  X509_get0_notAfter(3)"""
        return _time(lib.X509_get0_notAfter(self._x509))

    def fingerprint(self, digest: str = "sha256") -> bytes:
        """The digest of the certificate's DER; ``ValueError`` for a digest that OpenSSL does not have.

        X509_digest(3)
        """
        algorithm = lib.EVP_get_digestbyname(digest.encode())
        if algorithm == ffi.NULL:
            raise ValueError(f"OpenSSL has no digest {digest!r}")
        out, length = ffi.new("unsigned char[]", lib.EVP_MAX_MD_SIZE), ffi.new("unsigned int *")
        check(lib.X509_digest(self._x509, algorithm, out, length), "X509_digest")
        return bytes(ffi.buffer(out, length[0]))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Certificate):
            return NotImplemented
        return bool(lib.X509_cmp(self._x509, other._x509) == 0)

    def __hash__(self) -> int:
        return hash(self.fingerprint())

    def __repr__(self) -> str:
        return f"<Certificate {self.subject!r}>"


def borrowed(pointer: Any) -> Certificate | None:
    """A ``Certificate`` with a reference of its own to an ``X509 *`` that OpenSSL keeps; None for NULL."""
    if pointer == ffi.NULL:
        return None
    check(lib.X509_up_ref(pointer), "X509_up_ref")
    return Certificate(own(pointer, lib.X509_free))


def chain_of(stack: Any) -> tuple[Certificate, ...]:
    """The certificates of a ``STACK_OF(X509) *`` that OpenSSL keeps; empty for NULL."""
    if stack == ffi.NULL:
        return ()
    certificates = (borrowed(lib.sk_X509_value(stack, n)) for n in range(lib.sk_X509_num(stack)))
    return tuple(certificate for certificate in certificates if certificate is not None)


def load_certificates(source: Source) -> list[Certificate]:
    """Every certificate in a file or in bytes, in their order: PEM, or one in DER.

    Raises ``DecodeError`` when there is none, or when one is malformed.  PEM_read_bio_X509(3)
    """
    data = encoded(source)
    what = f"reading a certificate from {describe(source)}"
    take_records()
    if b"-----BEGIN" not in data:
        return [
            Certificate(
                own(
                    check_ptr(lib.d2i_X509_bio(BIO.memory(data)._bio, ffi.NULL), what, DecodeError),
                    lib.X509_free,
                )
            )
        ]
    certificates = list(_pem_certificates(BIO.memory(data), what))
    if not certificates:
        raise DecodeError(f"{what} failed: it holds no CERTIFICATE, only other PEM")
    return certificates


def _pem_certificates(bio: BIO, what: str) -> Iterator[Certificate]:
    while True:
        pointer = lib.PEM_read_bio_X509(bio._bio, ffi.NULL, lib.pyossl_password_callback, ffi.NULL)
        if pointer != ffi.NULL:
            yield Certificate(own(pointer, lib.X509_free))
            continue
        last = lib.ERR_peek_last_error()
        if lib.ERR_GET_LIB(last) == lib.ERR_LIB_PEM and lib.ERR_GET_REASON(last) == lib.PEM_R_NO_START_LINE:
            take_records()
            return
        raise failed(what, DecodeError)


def _name(name: Any) -> str:
    bio = BIO.memory()
    flags = lib.XN_FLAG_RFC2253 & ~lib.ASN1_STRFLGS_ESC_MSB
    if lib.X509_NAME_print_ex(bio._bio, name, 0, flags) < 0:
        raise failed("X509_NAME_print_ex")
    return contents(bio).decode("utf-8", "backslashreplace")


def _time(time: Any) -> datetime.datetime:
    parts = ffi.new("struct tm *")
    check(lib.ASN1_TIME_to_tm(time, parts), "ASN1_TIME_to_tm")
    return datetime.datetime(
        parts.tm_year + 1900,
        parts.tm_mon + 1,
        parts.tm_mday,
        parts.tm_hour,
        parts.tm_min,
        parts.tm_sec,
        tzinfo=datetime.timezone.utc,
    )


Trust = None | Source | Certificate | Iterable[Source | Certificate]
"""Whom to trust: None for the system's trust store; else a file, a directory, PEM or DER, certificates, or several."""


class Store:
    """The certificates that a context trusts.  X509_STORE(3)"""

    def __init__(self, pointer: Any) -> None:
        self._store = pointer

    @classmethod
    def empty(cls) -> Store:
        """A store that trusts nobody.  X509_STORE_new(3)"""
        return cls(own(check_ptr(lib.X509_STORE_new(), "X509_STORE_new"), lib.X509_STORE_free))

    @classmethod
    def system(cls) -> Store:
        """The system's own trust store, which is shared: it is loaded once, and again when its file has changed.

        ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` are respected, as in every program of this OpenSSL.
        X509_STORE_set_default_paths(3)
        """
        key = (
            default_certificate_file(),
            default_certificate_directory(),
            _changed(default_certificate_file()),
        )
        store = _system_stores.get(key)
        if store is None:
            store = cls.empty()
            check(lib.X509_STORE_set_default_paths(store._store), "X509_STORE_set_default_paths")
            take_records()
            _system_stores.clear()
            _system_stores[key] = store
        return store

    @classmethod
    def of(cls, trust: Trust) -> Store:
        """The store for ``trust``; ``ValueError`` for what holds no certificate at all."""
        if trust is None:
            return cls.system()
        store = cls.empty()
        sources = [trust] if isinstance(trust, (str, bytes, os.PathLike, Certificate)) else list(trust)
        if not sources:
            raise ValueError("trust names nobody: it is empty")
        for source in sources:
            store.add(source)
        return store

    def add(self, source: Source | Certificate) -> None:
        """Trusts a certificate, those of a file or of bytes, or a directory's by their hashes.

        X509_STORE_add_cert(3), X509_STORE_load_locations(3)
        """
        if isinstance(source, Certificate):
            check(lib.X509_STORE_add_cert(self._store, source._x509), "X509_STORE_add_cert")
        elif not isinstance(source, bytes) and Path(source).is_dir():
            path = os.fsencode(source)
            check(
                lib.X509_STORE_load_locations(self._store, ffi.NULL, path),
                f"trusting the directory {source!r}",
            )
        else:
            for certificate in load_certificates(source):
                self.add(certificate)


_system_stores: dict[tuple[str, str, int], Store] = {}


def _changed(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


def default_certificate_file() -> str:
    """The file of trusted certificates that this OpenSSL looks into.  X509_get_default_cert_file(3)"""
    variable = text(lib.X509_get_default_cert_file_env())
    return os.environ.get(variable) or text(lib.X509_get_default_cert_file())


def default_certificate_directory() -> str:
    """The directory of trusted certificates, by hash, that this OpenSSL looks into.  X509_get_default_cert_dir(3)"""
    variable = text(lib.X509_get_default_cert_dir_env())
    return os.environ.get(variable) or text(lib.X509_get_default_cert_dir())
