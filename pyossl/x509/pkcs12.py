"""PKCS#12 files: a private key with its certificate and chain, protected by one password.  PKCS12_parse(3)"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pyossl.bio.bio import BIO
from pyossl.core import ffi, lib, own
from pyossl.core.arguments import c_string, instance, instances, integer
from pyossl.core.errors import DecodeError, Error, PasswordError, UnsupportedError, check, check_ptr, failed
from pyossl.core.library_context import LibraryContext, fips_note, library_pointer
from pyossl.core.outcome import Record, take_records
from pyossl.x509.certificate import Certificate, chain_of_owned, stack_of_certificates
from pyossl.x509.keys import PrivateKey, key_of_library, scheme_name, unsupported_record
from pyossl.x509.passwords import MOST_ITERATIONS, Password, check_iterations, password_bytes
from pyossl.x509.pem_and_der import Source, check_nothing_follows, describe, output_of, read_into, source_bytes


class PKCS12:
    """The contents of a PKCS#12 file: a private key, its certificate, and further certificates.  PKCS12_parse(3)

    - ``private_key``: a ``PrivateKey``, or None.
    - ``certificate``: the ``Certificate`` of the private key, or None.  A file without the key has its certificate in
      ``chain``.
    - ``chain``: the other certificates, a tuple.
    - ``friendly_name``: the name that programs show for the certificate, or None.  Without a certificate it is the name
      of the key; without a key as well, the first name of a certificate in ``chain``.
    """

    def __init__(
        self,
        private_key: PrivateKey | None = None,
        certificate: Certificate | None = None,
        chain: Iterable[Certificate] = (),
        *,
        friendly_name: str | None = None,
    ) -> None:
        """Combines these objects; ``PKCS12.load`` reads a file.

        - ``private_key``, ``certificate``: a key and its certificate; either may be None.
        - ``chain``: further certificates.
        - ``friendly_name``: the name that programs show for the certificate.

        Raises ``ValueError`` if the private key does not belong to the certificate.
        """
        if private_key is not None:
            instance(private_key, PrivateKey, "private_key")
        if certificate is not None:
            instance(certificate, Certificate, "certificate")
        if friendly_name is not None:
            c_string(friendly_name, "a friendly name")
        self.private_key = private_key
        self.certificate = certificate
        self.chain: tuple[Certificate, ...] = instances(chain, Certificate, "the chain")
        self.friendly_name = friendly_name
        if private_key is not None and certificate is not None and not certificate.belongs_to(private_key):
            raise ValueError(f"the private key does not belong to the certificate {certificate.subject!r}")

    @classmethod
    def load(
        cls, source: Source, password: Password | None = None, *, library_context: LibraryContext | None = None
    ) -> PKCS12:
        """Loads a PKCS#12 in DER.

        - ``source``: the path of a file, or the contents as ``bytes``.
        - ``password``: ``str``, ``bytes``, or a function that returns one and is called only if the file cannot be
          opened without a password.
        - ``library_context``: the ``LibraryContext`` whose algorithms open the file, and that the key and the
          certificates belong to; None for the default one.

        Raises

        - ``PasswordError`` if the password is missing or wrong;
        - ``DecodeError`` if this is not a PKCS#12, or if hashing the password would take longer than five million
          iterations of PBKDF2 with HMAC-SHA-256: seconds;
        - ``UnsupportedError`` if this OpenSSL does not support the encryption.  OpenSSL 3.0 or newer needs the provider
          ``legacy`` for RC2 and single DES.  Some OpenSSLs open a file without a MAC only if it is not encrypted;
        - ``ValueError`` for a password with a NUL.

        d2i_PKCS12_bio(3), PKCS12_parse(3), PKCS12_init_ex(3)
        """
        new = None if library_context is None else _maker(library_pointer(library_context))
        data = source_bytes(source)
        what = f"reading a PKCS#12 from {describe(source)}"
        check_nothing_follows(data, what)
        take_records()
        pointer = read_into(new, lib.PKCS12_free, lib.d2i_PKCS12_bio, BIO.memory(data)._bio)
        pkcs12 = own(check_ptr(pointer, what, DecodeError), lib.PKCS12_free)
        if callable(password) or not lib.PKCS12_mac_present(pkcs12):
            try:
                return _parsed(pkcs12, None, source, library_context)
            except DecodeError:
                # Without a MAC, one wrong password in 256 decrypts to data that is not a PKCS#12.
                if password is None:
                    raise
        secret = None if password is None else password_bytes(password)
        return _parsed(pkcs12, secret, source, library_context)

    def to_der(self, password: Password, *, iterations: int = lib.PKCS12_DEFAULT_ITER) -> bytes:
        """The PKCS#12 in DER, encrypted with AES-256 and protected by an HMAC with SHA-256.

        - ``password``: ``str``, ``bytes``, or a function that returns one.
        - ``iterations``: how often the password is hashed.

        Raises ``ValueError`` if the password is empty or has a NUL, which some programs cannot read, or if there is
        nothing to write.  PKCS12_create(3)
        """
        integer(iterations, "how often a password is hashed", 1, MOST_ITERATIONS // _TIMES_HASHED)
        secret = _checked_password(password_bytes(password))
        if not secret:
            raise ValueError("the password is empty")
        if self.private_key is None and self.certificate is None and not self.chain:
            raise ValueError("there is nothing to write: no key and no certificate")
        if self.private_key is None and self.certificate is None and not self._chain_has_the_name():
            raise ValueError(f"there is no key or certificate for the friendly name {self.friendly_name!r}")
        name = ffi.NULL if self.friendly_name is None else _friendly_name(self.friendly_name)
        take_records()
        cipher = lib.NID_aes_256_cbc
        pointer = lib.PKCS12_create(
            secret,
            name,
            ffi.NULL if self.private_key is None else self.private_key._key,
            ffi.NULL if self.certificate is None else _without_alias(self.certificate),
            stack_of_certificates(self.chain),
            cipher,
            cipher,
            iterations,
            _WITHOUT_MAC,
            0,
        )
        pkcs12 = own(check_ptr(pointer, "PKCS12_create"), lib.PKCS12_free)
        # PKCS12_create of OpenSSL 1.1.1 would use SHA-1.
        check(
            lib.PKCS12_set_mac(pkcs12, secret, len(secret), ffi.NULL, 0, iterations, lib.EVP_sha256()),
            "PKCS12_set_mac",
        )
        return output_of(lib.i2d_PKCS12_bio, pkcs12)

    def _chain_has_the_name(self) -> bool:
        """Whether there is no friendly name, or it is that of a certificate in ``chain``, which is written with it."""
        return self.friendly_name is None or self.friendly_name in map(_alias, self.chain)

    def __repr__(self) -> str:
        name = "" if self.certificate is None else f" {self.certificate.subject!r}"
        key = "without a key" if self.private_key is None else f"with {self.private_key!r}"
        return f"<PKCS12{name} {key}, {len(self.chain)} more certificates>"


_WITHOUT_MAC = -1
_TIMES_HASHED = 5  # twice for the MAC, once for the key, twice for the certificates: as pyossl_pkcs12_iterations counts


def _friendly_name(friendly_name: str) -> bytes:
    encoded = c_string(friendly_name, "a friendly name")
    if any(ord(character) > _LAST_OF_BMP for character in friendly_name):
        raise ValueError(f"a friendly name cannot contain a character above U+FFFF: {friendly_name!r}")
    return encoded


_LAST_OF_BMP = 0xFFFF


def _checked_password(secret: bytes) -> bytes:
    if b"\0" in secret:
        raise ValueError("the password of a PKCS#12 cannot contain a NUL")
    return secret


def _parsed(pkcs12: Any, password: bytes | None, source: Source, library_context: LibraryContext | None) -> PKCS12:
    secret = ffi.NULL if password is None else _checked_password(password)
    key, certificate, chain = ffi.new("EVP_PKEY **"), ffi.new("X509 **"), ffi.new("struct stack_st_X509 **")
    take_records()
    iterations = lib.pyossl_pkcs12_iterations(pkcs12, secret, 0 if password is None else len(password))
    check_iterations(iterations, f"the PKCS#12 in {describe(source)}")
    if lib.PKCS12_parse(pkcs12, secret, key, certificate, chain) != 1:
        raise _parse_error(pkcs12, password, source, library_context)
    take_records()
    private_key = None if key[0] == ffi.NULL else PrivateKey(own(key[0], lib.EVP_PKEY_free))
    own_certificate = None if certificate[0] == ffi.NULL else Certificate(own(certificate[0], lib.X509_free))
    others = chain_of_owned(chain[0])
    if library_context is not None:
        private_key = private_key and key_of_library(private_key, library_context)
        own_certificate = own_certificate and own_certificate._in(library_context)
        others = tuple(each._in(library_context) for each in others)
    named = (own_certificate,) if own_certificate or private_key else others
    names = [_alias(each) for each in named if each is not None]
    if private_key is not None:
        names.append(_key_name(pkcs12))
    friendly_name = next((name for name in names if name is not None), None)
    return PKCS12(private_key, own_certificate, others, friendly_name=friendly_name)


def _maker(library: Any) -> Callable[[], Any]:
    """A function that makes an empty ``PKCS12 *`` of a library context.  PKCS12_init_ex(3)"""
    return lambda: check_ptr(lib.PKCS12_init_ex(lib.NID_pkcs7_data, library, ffi.NULL), "PKCS12_init_ex")


def _parse_error(pkcs12: Any, password: bytes | None, source: Source, library_context: LibraryContext | None) -> Error:
    """The error for a failed PKCS12_parse(3)."""
    error = failed(f"reading a PKCS#12 from {describe(source)}", DecodeError)
    file = f"the PKCS#12 in {describe(source)}"
    better: Error | None = None
    if unsupported := unsupported_record(error):
        better = UnsupportedError(
            f"algorithm that {file} is encrypted or protected with ({unsupported}{_mac_note(pkcs12)})"
            f"{fips_note(library_context)}"
        )
    elif _record_for(error, lib.ERR_LIB_PKCS12, lib.PKCS12_R_MAC_ABSENT):
        better = UnsupportedError(f"way to open {file}, which has no MAC")
    elif _record_for(error, lib.ERR_LIB_PKCS12, lib.PKCS12_R_MAC_VERIFY_FAILURE, lib.PKCS12_R_PKCS12_CIPHERFINAL_ERROR):
        why = "needs a password" if password is None else "was not opened by this password"
        better = PasswordError(f"{file} is encrypted and {why}")
    if better is None:
        return error
    better.failure = error.failure
    return better


def _mac_note(pkcs12: Any) -> str:
    name = scheme_name(lib.pyossl_mac_scheme, pkcs12)
    return f"; its MAC is {name}" if name else ""


def _record_for(error: Error, library_code: int, *reason_codes: int) -> Record | None:
    """The first record with one of these reasons."""
    found = (r for r in error.records if r.library_code == library_code and r.reason_code in reason_codes)
    return next(found, None)


def _without_alias(certificate: Certificate) -> Any:
    """The ``X509 *``; or a copy without a friendly name of another file, which would be written too."""
    if _alias(certificate) is None:
        return certificate._x509
    copy = own(check_ptr(lib.pyossl_copy_certificate(certificate._x509), "i2d_X509_AUX"), lib.X509_free)
    check(lib.X509_alias_set1(copy, ffi.NULL, 0), "X509_alias_set1")
    return copy


def _key_name(pkcs12: Any) -> str | None:
    out = ffi.new("unsigned char **")
    length = lib.pyossl_key_name(pkcs12, out)
    if length < 0:
        return None
    return bytes(ffi.buffer(own(out[0], lib.OPENSSL_free), length)).decode("utf-8", "backslashreplace")


def _alias(certificate: Certificate) -> str | None:
    length = ffi.new("int *")
    alias = lib.X509_alias_get0(certificate._x509, length)
    return None if alias == ffi.NULL else bytes(ffi.buffer(alias, length[0])).decode("utf-8", "backslashreplace")
