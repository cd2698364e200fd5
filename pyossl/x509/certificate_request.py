"""Certificate requests (CSR, PKCS #10): reading, verifying and making them.  X509_REQ_new(3)

A request is what a server sends to an authority: its public key, and the subject, names and other extensions that it
would like to have in its certificate.  It is signed with its own private key, which shows that the sender has that key,
and nothing else: everything in a request is only a wish.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable
from typing import Any

from pyossl.core import ffi, lib, own
from pyossl.core.arguments import instance, instances, pointer as checked_pointer
from pyossl.core.copying import Uncopied
from pyossl.core.errors import DecodeError, check, check_ptr, failed
from pyossl.core.library_context import LibraryContext, library_pointer
from pyossl.core.outcome import take_records
from pyossl.x509.asn1 import string_bytes
from pyossl.x509.certificate import algorithm_name, digest_named, fingerprint, succeeds
from pyossl.x509.cryptography_objects import cryptography, cryptography_bytes
from pyossl.x509.der_writing import subject_alt_name
from pyossl.x509.extensions import Extension, extension_value, extensions_of
from pyossl.x509.keys import PrivateKey, PublicKey
from pyossl.x509.names import GeneralName, GeneralNameType, Name, general_names
from pyossl.x509.pem_and_der import Source, output_of, read_der, read_every
from pyossl.x509.signing import digest_for

_NAMES_OF_PROGRAMS = (GeneralNameType.DNS, GeneralNameType.IPADD, GeneralNameType.EMAIL)


class CertificateRequest:
    """A certificate request (CSR).  X509_REQ_new(3)

    It does not change, and threads may share it.  A property raises ``DecodeError`` if the part of the request that it
    reads is malformed.  ``CertificateRequest.create`` makes one in one call, and ``CertificateRequestBuilder`` step by
    step; ``Authority.sign`` makes a certificate of it.
    """

    def __init__(self, pointer: Any) -> None:
        """Makes a request of ``pointer``, an ``X509_REQ *``, which is freed with its last reference, as by ``ffi.gc``.

        ``CertificateRequest.load`` takes a file or bytes.
        """
        self._request = checked_pointer(pointer, "X509_REQ *", "make a CertificateRequest with CertificateRequest.load")

    @classmethod
    def load(cls, source: Source) -> CertificateRequest:
        """The first request in a file or in bytes, PEM or DER.

        ``source`` is the path of a file, or the contents as ``bytes``.  The signature is not verified: see
        ``is_signature_valid``.  Raises ``DecodeError`` if there is no request, or if it is malformed.
        PEM_read_bio_X509_REQ(3), d2i_X509_REQ_bio(3)
        """
        pointers = read_every(
            source,
            "certificate request",
            "CERTIFICATE REQUEST",
            lib.X509_REQ_free,
            lib.PEM_read_bio_X509_REQ,
            lib.d2i_X509_REQ_bio,
        )
        return cls(pointers[0])

    @classmethod
    def create(
        cls, *names: str, private_key: PrivateKey, subject: Name | None = None, digest: str | None = None
    ) -> CertificateRequest:
        """Makes a request for these names, and signs it.

        - ``names``: the DNS names, IP addresses and email addresses to ask for.  ``*.example.com`` is a wildcard.
        - ``private_key``: the key of the certificate.  The request has only the public half of it.
        - ``subject``: the name of the subject, for example ``Name.of(CN="www.example.com", O="Example")``; None for no
          subject, because the names are what counts.
        - ``digest``: OpenSSL's name of the signature's digest; None for the default of the key's type.

        Raises ``ValueError`` if there is neither a name nor a subject, if a name is not valid in a certificate, or for
        a digest that OpenSSL does not have.  X509_REQ_sign(3)
        """
        builder = CertificateRequestBuilder()
        if not names and subject is None:
            raise ValueError("a certificate request needs at least one name, or a subject")
        if subject is not None:
            builder.set_subject_name(subject)
        if names:
            builder.add_names(*names)
        return builder.sign(private_key, digest)

    @classmethod
    def _from_der(cls, der: bytes) -> CertificateRequest:
        return cls(read_der(der, "certificate request", lib.X509_REQ_free, lib.d2i_X509_REQ_bio))

    def to_der(self) -> bytes:
        """The request in DER.  i2d_X509_REQ_bio(3)"""
        return output_of(lib.i2d_X509_REQ_bio, self._request)

    def to_pem(self) -> bytes:
        """The request in PEM.  PEM_write_bio_X509_REQ(3)"""
        return output_of(lib.PEM_write_bio_X509_REQ, self._request)

    def __reduce__(self) -> tuple[Callable[[bytes], CertificateRequest], tuple[bytes]]:
        return CertificateRequest._from_der, (self.to_der(),)

    @property
    def text(self) -> str:
        """A description of the whole request, for people to read.  Do not parse it.  X509_REQ_print(3)"""
        printed = output_of(lib.X509_REQ_print, self._request).decode("utf-8", "backslashreplace")
        take_records()
        return printed

    @property
    def version(self) -> int:
        """The version: 1 in every request so far.  X509_REQ_get_version(3)"""
        take_records()
        version = lib.X509_REQ_get_version(self._request)
        if take_records():
            raise DecodeError("the certificate request's version is not a valid number")
        return version + 1

    @property
    def subject(self) -> str:
        """The subject's name in the form of RFC 2253, for example ``CN=example.com``.  X509_REQ_get_subject_name(3)"""
        return str(self.subject_name)

    @property
    def subject_name(self) -> Name:
        """The subject's name.  X509_REQ_get_subject_name(3)"""
        return Name.copied(lib.X509_REQ_get_subject_name(self._request))

    @property
    def public_key(self) -> PublicKey:
        """The public key for which a certificate is requested.

        Raises ``DecodeError`` for a key that this OpenSSL cannot read.  X509_REQ_get0_pubkey(3)
        """
        return PublicKey.borrowed(self._key())

    def _key(self) -> Any:
        take_records()
        key = lib.X509_REQ_get0_pubkey(self._request)
        return check_ptr(key, "reading the certificate request's public key", DecodeError)

    @property
    def signature_algorithm(self) -> str:
        """The signature algorithm, by OpenSSL's long name: ``sha256WithRSAEncryption``.

        The dotted form if OpenSSL has no name for it.  X509_REQ_get0_signature(3)
        """
        algorithm = ffi.new("X509_ALGOR **")
        lib.X509_REQ_get0_signature(self._request, ffi.NULL, algorithm)
        return algorithm_name(algorithm[0])

    @property
    def signature(self) -> bytes:
        """The bytes of the signature.  X509_REQ_get0_signature(3)"""
        bits = ffi.new("ASN1_BIT_STRING **")
        lib.X509_REQ_get0_signature(self._request, bits, ffi.NULL)
        return string_bytes(bits[0])

    @property
    def is_signature_valid(self) -> bool:
        """Whether the request was signed with the private key of its ``public_key``, and not changed since.

        False also if this OpenSSL cannot read the key or does not support the algorithm.  X509_REQ_verify(3)
        """
        try:
            key = self._key()
        except DecodeError:
            return False
        return succeeds(lib.X509_REQ_verify, self._request, key)

    @property
    def extensions(self) -> tuple[Extension, ...]:
        """The extensions that are requested, in order; empty if there are none.

        Raises ``DecodeError`` if their list is malformed, or if there is more than one list.
        X509_REQ_get_extensions(3)
        """
        stack = self._stack()
        if stack is None:
            return ()
        return extensions_of(stack, lib.sk_X509_EXTENSION_num, lib.sk_X509_EXTENSION_value)

    def _stack(self) -> Any | None:
        """The ``STACK_OF(X509_EXTENSION) *``, owned, that keeps its extensions alive; None without extensions.

        A malformed list must not look like none (docs/pitfalls.md, 56).
        """
        take_records()
        if self._list_count() > 1:
            raise DecodeError("the certificate request has more than one list of extensions")
        stack = lib.X509_REQ_get_extensions(self._request)
        if stack == ffi.NULL:
            if self._list_count():
                raise failed("reading the extensions of the certificate request", DecodeError)
            take_records()
            return None
        count = lib.sk_X509_EXTENSION_num(stack)
        kept = [own(lib.sk_X509_EXTENSION_value(stack, n), lib.X509_EXTENSION_free) for n in range(count)]
        return own(stack, lib.sk_X509_EXTENSION_free, keep=kept)

    def _list_count(self) -> int:
        """The number of lists of extensions: each value of each attribute for them.  X509_REQ_get_attr_by_NID(3)"""
        count = 0
        for number in (lib.NID_ext_req, lib.NID_ms_ext_req):
            at = -1
            while (at := lib.X509_REQ_get_attr_by_NID(self._request, number, at)) >= 0:
                count += lib.X509_ATTRIBUTE_count(lib.X509_REQ_get_attr(self._request, at))
        return count

    @property
    def subject_alt_names(self) -> tuple[GeneralName, ...]:
        """The alternative names that are requested, of every type; empty without the extension.

        X509V3_get_d2i(3)
        """
        stack = self._stack()
        if stack is None:
            return ()
        free = lib.GENERAL_NAMES_free
        names = extension_value(stack, lib.NID_subject_alt_name, lib.X509V3_get_d2i, "GENERAL_NAMES *", free)
        return () if names is None else general_names(names)

    @property
    def names(self) -> tuple[str, ...]:
        """The DNS names, IP addresses and email addresses that are requested, as ``Authority.sign`` takes them.

        The subject's common name is not among them: programs do not use it.  Alternative names of other types are left
        out.  Raises ``DecodeError`` if an IP address has a wrong length.  X509V3_get_d2i(3)
        """
        found = []
        for name in self.subject_alt_names:
            if isinstance(name.value, bytes) and name.type is GeneralNameType.IPADD:
                raise DecodeError(f"the certificate request has an IP address of {len(name.value)} bytes")
            if name.type in _NAMES_OF_PROGRAMS:
                found.append(str(name.value))
        return tuple(found)

    @property
    def malformed_extensions(self) -> tuple[str, ...]:
        """OpenSSL's short names of the requested extensions that are malformed or repeated.  X509V3_EXT_d2i(3)"""
        every = self.extensions
        counts = collections.Counter(each.oid for each in every)
        return tuple(dict.fromkeys(each.name for each in every if counts[each.oid] > 1 or each.is_malformed))

    def belongs_to(self, key: PrivateKey) -> bool:
        """Whether the request has the public half of ``key``, a private key.  EVP_PKEY_eq(3)"""
        instance(key, PrivateKey, "key")
        return succeeds(lib.EVP_PKEY_eq, self._key(), key._key)

    def fingerprint(self, digest: str = "sha256") -> bytes:
        """The digest of the request's DER.

        ``digest`` is OpenSSL's name of an algorithm; ``ValueError`` if it has none of that name.  X509_REQ_digest(3)
        """
        return fingerprint(lib.X509_REQ_digest, self._request, digest)

    @classmethod
    def from_cryptography(cls, request: Any) -> CertificateRequest:
        """Converts ``request``, an object of the package ``cryptography``, by way of DER.

        Raises ``TypeError`` for another object.
        """
        encoding = cryptography("hazmat.primitives.serialization").Encoding.DER
        return cls._from_der(cryptography_bytes(request, "public_bytes", "a certificate request", encoding))

    def to_cryptography(self) -> Any:
        """Converts the request to an object of the package ``cryptography``, by way of DER.

        Raises ``ImportError`` if that package is not installed, and its ``ValueError`` if it does not accept the
        request: it is stricter than OpenSSL.
        """
        return cryptography("x509").load_der_x509_csr(self.to_der())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CertificateRequest):
            return NotImplemented
        return self.to_der() == other.to_der()

    def __hash__(self) -> int:
        return hash(self.to_der())

    def __repr__(self) -> str:
        return f"<CertificateRequest {self.subject!r}>"


class CertificateRequestBuilder(Uncopied):
    """Collects what a certificate request is to contain; ``sign`` makes the request.  X509_REQ_new(3)

    ``sign`` may be called several times, for example with different keys.
    """

    _instead = "add the same names and extensions to another one"

    def __init__(self) -> None:
        self._subject: Name | None = None
        self._names: list[str] = []
        self._extensions: list[Extension] = []

    def set_subject_name(self, name: Name) -> None:
        """Sets the subject's ``name``, for example ``Name.of(CN="www.example.com")``.  X509_REQ_set_subject_name(3)"""
        self._subject = instance(name, Name, "the subject's name")

    def add_names(self, *names: str) -> None:
        """Adds ``names`` to the extension subjectAltName: DNS names, IP addresses and email addresses.

        ``*.example.com`` is a wildcard.  Raises ``ValueError`` for a name that is not valid in a certificate, and if
        that extension was added with ``add_extension``.  X509_REQ_add_extensions(3)
        """
        made = subject_alt_name(instances(names, str, "the names of a certificate request"))
        self._check_new(made, self._extensions)
        self._names += names

    def add_extension(self, extension: Extension) -> None:
        """Adds ``extension``, an ``Extension``.

        Raises ``ValueError`` if there is one of its type already; subjectAltName counts after ``add_names``.
        X509_REQ_add_extensions(3)
        """
        self._check_new(instance(extension, Extension, "an extension"), self._all_extensions())
        self._extensions.append(extension)

    @staticmethod
    def _check_new(extension: Extension, others: Iterable[Extension]) -> None:
        if any(each.oid == extension.oid for each in others):
            raise ValueError(f"the certificate request has the extension {extension.name} already")

    def __repr__(self) -> str:
        return f"<CertificateRequestBuilder for {', '.join(self._names) or 'no names'}>"

    def _all_extensions(self) -> list[Extension]:
        names = [subject_alt_name(tuple(self._names))] if self._names else []
        return [*names, *self._extensions]

    def sign(self, private_key: PrivateKey, digest: str | None = None) -> CertificateRequest:
        """Makes a request for the public half of ``private_key``, and signs it with this key.

        ``digest`` is OpenSSL's name of the signature's digest; None for the default of the key's type.  Raises
        ``ValueError`` for a digest that OpenSSL does not have, and ``Error`` for a key that cannot sign.
        X509_REQ_sign(3)
        """
        key = instance(private_key, PrivateKey, "private_key")._key
        algorithm = digest_for(private_key) if digest is None else digest_named(digest)
        take_records()
        request = own(_new_request(private_key._library_context), lib.X509_REQ_free)
        check(lib.X509_REQ_set_version(request, _VERSION_1), "X509_REQ_set_version")
        if self._subject is not None:
            check(lib.X509_REQ_set_subject_name(request, self._subject._name), "X509_REQ_set_subject_name")
        check(lib.X509_REQ_set_pubkey(request, key), "X509_REQ_set_pubkey")
        if extensions := self._all_extensions():
            check(lib.X509_REQ_add_extensions(request, _stack_of(extensions)), "X509_REQ_add_extensions")
        check(lib.X509_REQ_sign(request, key, algorithm), f"signing with a key of type {private_key.type!r}")
        # OpenSSL keeps the fields as they were set.  Read them again, as the reader of the request does.
        return CertificateRequest._from_der(output_of(lib.i2d_X509_REQ_bio, request))


_VERSION_1 = 0


def _new_request(library_context: LibraryContext | None) -> Any:
    """An empty ``X509_REQ *`` that the caller owns.  X509_REQ_new_ex(3)"""
    if library_context is None:
        return check_ptr(lib.X509_REQ_new(), "X509_REQ_new")
    return check_ptr(lib.X509_REQ_new_ex(library_pointer(library_context), ffi.NULL), "X509_REQ_new_ex")


def _stack_of(extensions: Iterable[Extension]) -> Any:
    """A ``STACK_OF(X509_EXTENSION) *``, owned, that keeps its extensions alive."""
    kept = [each._extension for each in extensions]
    new = check_ptr(lib.sk_X509_EXTENSION_new_null(), "sk_X509_EXTENSION_new_null")
    stack = own(new, lib.sk_X509_EXTENSION_free, keep=kept)
    for pointer in kept:
        check(lib.sk_X509_EXTENSION_push(stack, pointer), "sk_X509_EXTENSION_push")
    return stack
