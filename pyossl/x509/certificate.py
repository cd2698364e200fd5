"""Certificates.  X509(3)"""

from __future__ import annotations

import collections
import datetime
from collections.abc import Callable, Sequence
from typing import Any

from pyossl.core import ffi, lib, own, text
from pyossl.core.arguments import c_string, instance, pointer as checked_pointer
from pyossl.core.errors import DecodeError, Error, check, check_ptr
from pyossl.core.library_context import LibraryContext, library_in_use, library_pointer
from pyossl.core.outcome import take_records
from pyossl.x509.asn1 import integer, long_name, short_name, string_bytes, time
from pyossl.x509.cryptography_objects import cryptography, cryptography_bytes
from pyossl.x509.extensions import Extension, KeyUsage, extension_value, extensions_of
from pyossl.x509.keys import Key, PrivateKey, PublicKey
from pyossl.x509.names import GeneralName, Name, general_names
from pyossl.x509.pem_and_der import Source, output_of, read_der, read_every
from pyossl.x509.reference_name import reference_name

HOST_FLAGS: int = lib.PYOSSL_HOST_FLAGS
"""How every host name is compared: a wildcard stands for a whole label, and the subject is not used."""


class Certificate:
    """An X.509 certificate.  X509(3)

    It does not change, and threads may share it.  A property raises ``DecodeError`` if the part of the certificate that
    it reads is malformed.

    A certificate from a PEM block ``TRUSTED CERTIFICATE``, which ``openssl x509 -trustout`` writes, also has
    ``trusted_uses`` and ``rejected_uses``.  A ``Store`` that trusts the certificate applies them.  They are not part of
    the certificate: ``==``, ``to_der`` and ``to_pem`` ignore them.
    """

    def __init__(self, pointer: Any) -> None:
        """Makes a certificate of ``pointer``, an ``X509 *``, which is freed with its last reference, as by ``ffi.gc``.

        ``Certificate.load`` takes a file or bytes.
        """
        self._x509 = checked_pointer(pointer, "X509 *", "make a Certificate with Certificate.load")

    _library_context: LibraryContext | None = None

    @classmethod
    def load(cls, source: Source, *, library_context: LibraryContext | None = None) -> Certificate:
        """The first certificate in a file or in bytes, PEM or DER.

        - ``source``: the path of a file, or the contents as ``bytes``.  A PEM block ``TRUSTED CERTIFICATE`` counts as
          one.
        - ``library_context``: the ``LibraryContext`` that the certificate and its public key belong to; None for the
          default one.

        Raises ``DecodeError`` if there is none.  PEM_read_bio_X509(3), d2i_X509_bio(3)
        """
        return load_certificates(source, library_context=library_context)[0]

    @classmethod
    def _from_der(cls, der: bytes, library_context: LibraryContext | None = None) -> Certificate:
        new = _maker(library_context)
        return of_library(cls(read_der(der, "certificate", lib.X509_free, lib.d2i_X509_bio, new)), library_context)

    def _in(self, library_context: LibraryContext | None) -> Certificate:
        """The certificate; a copy if it is not of this library context."""
        if self._library_context is library_context:
            return self
        return _loaded(output_of(lib.PEM_write_bio_X509_AUX, self._x509), library_context)[0]

    def _x509_in(self, library_context: LibraryContext | None) -> Any:
        """The ``X509 *``; of a copy if the certificate is not of this library context."""
        return self._in(library_context)._x509

    def to_der(self) -> bytes:
        """The certificate in DER.  i2d_X509_bio(3)"""
        return output_of(lib.i2d_X509_bio, self._x509)

    def to_pem(self) -> bytes:
        """The certificate in PEM.  PEM_write_bio_X509(3)"""
        return output_of(lib.PEM_write_bio_X509, self._x509)

    def __reduce__(self) -> tuple[Callable[[bytes], Certificate], tuple[bytes]]:
        if self._has_uses():
            return Certificate.load, (output_of(lib.PEM_write_bio_X509_AUX, self._x509),)
        return Certificate._from_der, (self.to_der(),)

    @property
    def text(self) -> str:
        """A description of the whole certificate, for people to read.  Do not parse it.  X509_print(3)"""
        try:
            printed = output_of(lib.X509_print, self._x509)
        except Error:  # 1.1.1 fails at a malformed time
            printed = output_of(lib.X509_print_ex, self._x509, 0, lib.X509_FLAG_NO_VALIDITY)
        take_records()
        return printed.decode("utf-8", "backslashreplace")

    @property
    def version(self) -> int:
        """The version: 3, or 1 or 2 for a certificate without extensions.  X509_get_version(3)"""
        take_records()
        version = lib.X509_get_version(self._x509)
        if take_records():
            raise DecodeError("the certificate's version is not a valid number")
        return version + 1

    @property
    def subject(self) -> str:
        """The subject's name in the form of RFC 2253, for example ``CN=example.com``.  X509_get_subject_name(3)"""
        return str(self.subject_name)

    @property
    def issuer(self) -> str:
        """The issuer's name in the form of RFC 2253.  X509_get_issuer_name(3)"""
        return str(self.issuer_name)

    @property
    def subject_name(self) -> Name:
        """The subject's name.  X509_get_subject_name(3)"""
        return Name.copied(lib.X509_get_subject_name(self._x509))

    @property
    def issuer_name(self) -> Name:
        """The issuer's name.  X509_get_issuer_name(3)"""
        return Name.copied(lib.X509_get_issuer_name(self._x509))

    @property
    def serial_number(self) -> int:
        """The serial number.  X509_get_serialNumber(3)"""
        return integer(lib.X509_get_serialNumber(self._x509))

    @property
    def not_before(self) -> datetime.datetime:
        """The start of the validity, in UTC.  X509_get0_notBefore(3)"""
        return time(lib.X509_get0_notBefore(self._x509))

    @property
    def not_after(self) -> datetime.datetime:
        """The end of the validity, in UTC.  X509_get0_notAfter(3)"""
        return time(lib.X509_get0_notAfter(self._x509))

    @property
    def public_key(self) -> PublicKey:
        """The public key of the certificate.

        Raises ``DecodeError`` for a key that this OpenSSL cannot read.  X509_get0_pubkey(3)
        """
        take_records()
        pointer = check_ptr(lib.X509_get0_pubkey(self._x509), "reading the certificate's public key", DecodeError)
        return PublicKey.borrowed(pointer)

    @property
    def signature_algorithm(self) -> str:
        """The signature algorithm, by OpenSSL's long name: ``sha256WithRSAEncryption``.

        The dotted form if OpenSSL has no name for it.  X509_get0_signature(3)
        """
        algorithm = ffi.new("X509_ALGOR **")
        lib.X509_get0_signature(ffi.NULL, algorithm, self._x509)
        return algorithm_name(algorithm[0])

    @property
    def signature_hash(self) -> str | None:
        """The hash of the signature, for example ``sha256``; also that in the parameters of RSA-PSS.

        None if the signature algorithm uses no hash of its own, as Ed25519 and ML-DSA, or if OpenSSL does not know it.
        X509_get_signature_info(3)
        """
        digest = ffi.new("int *")
        take_records()
        lib.X509_get_signature_info(self._x509, digest, ffi.NULL, ffi.NULL, ffi.NULL)
        take_records()
        if digest[0] == lib.NID_undef or lib.EVP_get_digestbynid(digest[0]) == ffi.NULL:
            return None
        return text(lib.OBJ_nid2sn(digest[0])).lower()

    @property
    def signature(self) -> bytes:
        """The bytes of the signature.  X509_get0_signature(3)"""
        bits = ffi.new("ASN1_BIT_STRING **")
        lib.X509_get0_signature(bits, ffi.NULL, self._x509)
        return string_bytes(bits[0])

    def is_signed_by(self, key: Key) -> bool:
        """Whether the signature was made with this key.  Names, validity and key usage are not checked.

        ``key`` is the signer's public or private key.  Returns False also if the key is of another type, or if this
        OpenSSL does not support the algorithm.  X509_verify(3)
        """
        return succeeds(lib.X509_verify, self._x509, instance(key, Key, "key")._key)

    @property
    def extensions(self) -> tuple[Extension, ...]:
        """All extensions, in the order of the certificate.  X509_get_ext(3)"""
        return extensions_of(self._x509, lib.X509_get_ext_count, lib.X509_get_ext)

    @property
    def subject_alt_names(self) -> tuple[GeneralName, ...]:
        """The alternative names of the subject, of every type; empty without the extension.

        X509_get_ext_d2i(3)
        """
        free = lib.GENERAL_NAMES_free
        names = extension_value(self._x509, lib.NID_subject_alt_name, lib.X509_get_ext_d2i, "GENERAL_NAMES *", free)
        return () if names is None else general_names(names)

    @property
    def issuer_alt_names(self) -> tuple[GeneralName, ...]:
        """The alternative names of the issuer; empty without the extension.  X509_get_ext_d2i(3)"""
        free = lib.GENERAL_NAMES_free
        names = extension_value(self._x509, lib.NID_issuer_alt_name, lib.X509_get_ext_d2i, "GENERAL_NAMES *", free)
        return () if names is None else general_names(names)

    @property
    def malformed_extensions(self) -> tuple[str, ...]:
        """OpenSSL's short names of the extensions that are malformed, repeated or invalid.

        X509V3_EXT_d2i(3), X509_get_extension_flags(3)
        """
        every = self.extensions
        counts = collections.Counter(extension.oid for extension in every)
        is_whole = not _flags(self._x509) & lib.EXFLAG_INVALID
        wrong: dict[str, None] = {}
        for extension in every:
            is_wrong = counts[extension.oid] > 1 or extension.is_malformed
            if not is_wrong and not is_whole:  # copy only for the few extensions that OpenSSL can read
                number = lib.pyossl_known_extension(extension._extension)
                is_wrong = number != lib.NID_undef and self._is_unusable(number)
            if is_wrong:
                wrong[extension.name] = None
        return tuple(wrong)

    @property
    def is_ca(self) -> bool:
        """Whether OpenSSL accepts the certificate as an authority's, by its extensions.

        The extensions are basicConstraints, keyUsage and nsCertType.  Raises ``DecodeError`` if one of them is
        malformed.  X509_check_ca(3)
        """
        readable = self._readable_for(lib.NID_basic_constraints, lib.NID_key_usage, lib.NID_netscape_cert_type)
        return lib.X509_check_ca(readable) != 0

    @property
    def path_length(self) -> int | None:
        """How many authorities may be between this one and the end of a chain; None means no limit.

        X509_get_pathlen(3)
        """
        length = lib.X509_get_pathlen(self._readable_for(lib.NID_basic_constraints))
        return None if length < 0 else length

    @property
    def key_usage(self) -> KeyUsage | None:
        """The permitted uses of the key; None without the extension, which means all.

        X509_get_key_usage(3)
        """
        usage = lib.X509_get_key_usage(self._readable_for(lib.NID_key_usage))
        return None if usage == _ALL_USAGES else KeyUsage(usage)

    @property
    def extended_key_usage(self) -> tuple[str, ...] | None:
        """The permitted purposes of the key, for example ``serverAuth``; None without the extension, which means all.

        They are OpenSSL's short names, or the dotted form if it has none.  X509_get_extended_key_usage(3)
        """
        free = lib.EXTENDED_KEY_USAGE_free
        usage = extension_value(self._x509, lib.NID_ext_key_usage, lib.X509_get_ext_d2i, "EXTENDED_KEY_USAGE *", free)
        if usage is None:
            return None
        return _names_of_objects(usage)

    @property
    def must_staple(self) -> bool:
        """Whether the certificate says that its server always staples an OCSP response (must-staple, RFC 7633).

        ``Context.verify_ocsp`` then requires one.  Raises ``DecodeError`` if the extension is malformed.
        X509_get_ext_d2i(3)
        """
        free = lib.TLS_FEATURE_free
        features = extension_value(self._x509, lib.NID_tlsfeature, lib.X509_get_ext_d2i, "TLS_FEATURE *", free)
        if features is None:
            return False
        numbers = (lib.sk_ASN1_INTEGER_value(features, n) for n in range(lib.sk_ASN1_INTEGER_num(features)))
        return any(integer(number) == STATUS_REQUEST for number in numbers)

    @property
    def trusted_uses(self) -> tuple[str, ...] | None:
        """The only purposes that a ``TRUSTED CERTIFICATE`` is trusted for, for example ``serverAuth``.

        They are OpenSSL's short names.  None if the certificate has no such list: then a root is trusted for every
        purpose.  X509_add1_trust_object(3)
        """
        objects = lib.X509_get0_trust_objects(self._x509)
        return None if objects == ffi.NULL else _names_of_objects(objects)

    @property
    def rejected_uses(self) -> tuple[str, ...]:
        """The purposes that a ``TRUSTED CERTIFICATE`` is rejected for, by OpenSSL's short names.

        X509_add1_reject_object(3)
        """
        objects = lib.X509_get0_reject_objects(self._x509)
        return () if objects == ffi.NULL else _names_of_objects(objects)

    def _has_uses(self) -> bool:
        return self.trusted_uses is not None or bool(self.rejected_uses)

    @property
    def subject_key_identifier(self) -> bytes | None:
        """The identifier of this certificate's key, or None without the extension.

        Certificates that this one signed have it as their ``authority_key_identifier``.  X509_get0_subject_key_id(3)
        """
        readable = self._readable_for(lib.NID_subject_key_identifier)
        identifier = lib.X509_get0_subject_key_id(readable)
        return None if identifier == ffi.NULL else string_bytes(identifier)

    @property
    def authority_key_identifier(self) -> bytes | None:
        """The ``subject_key_identifier`` of the issuer's certificate, or None.

        X509_get0_authority_key_id(3)
        """
        readable = self._readable_for(lib.NID_authority_key_identifier)
        identifier = lib.X509_get0_authority_key_id(readable)
        return None if identifier == ffi.NULL else string_bytes(identifier)

    @property
    def is_self_signed(self) -> bool:
        """Whether the certificate names itself as its issuer, as a root does.

        False if its authority key identifier is that of another key.  Malformed extensions are ignored.
        X509_get_extension_flags(3)
        """
        readable = self._x509
        if _flags(readable) & lib.EXFLAG_INVALID:
            readable = self._copy_with([each for each in _SELF_SIGNED_BY if not self._is_unusable(each)])
        return bool(_flags(readable) & lib.EXFLAG_SS)

    def _readable_for(self, *numbers: int) -> Any:
        """An ``X509 *`` from which OpenSSL can read the extensions with these numbers (NIDs).

        OpenSSL reads all extensions before it answers a question about one, and gives no answer if any of them is
        malformed.  If the malformed one is not among ``numbers``, a copy with these extensions only is returned: copy a
        pointer borrowed from it at once.  Raises ``DecodeError`` if one of them is malformed.
        """
        if not _flags(self._x509) & lib.EXFLAG_INVALID:
            return self._x509
        readable = self._copy_with(numbers)
        if not _flags(readable) & lib.EXFLAG_INVALID:
            return readable
        names = [text(lib.OBJ_nid2sn(number)) for number in numbers if self._is_unusable(number)]
        raise DecodeError(f"the certificate's extension {' and '.join(names)} is malformed")

    def _is_unusable(self, number: int) -> bool:
        """Whether OpenSSL finds the extension with this number invalid, even without the others."""
        return bool(_flags(self._copy_with([number])) & lib.EXFLAG_INVALID)

    def _copy_with(self, numbers: Sequence[int]) -> Any:
        """A copy of the ``X509 *``, owned, with only the extensions of these numbers."""
        take_records()
        copy = lib.pyossl_with_extensions(self._x509, numbers, len(numbers))
        return own(check_ptr(copy, "copying the certificate", DecodeError), lib.X509_free)

    def matches(self, name: str) -> bool:
        """Whether the certificate is valid for a DNS name or an IP address, by the rules of a TLS client.

        ``name`` is text.  Raises ``ValueError`` for text that is neither.  X509_check_host(3), X509_check_ip_asc(3)
        """
        reference = reference_name(name)
        wanted = c_string(reference.text, "a name")
        if reference.is_address:
            return succeeds(lib.X509_check_ip_asc, self._x509, wanted, HOST_FLAGS)
        return succeeds(lib.X509_check_host, self._x509, wanted, len(wanted), HOST_FLAGS, ffi.NULL)

    def matches_email(self, address: str) -> bool:
        """Whether the certificate is valid for ``address``, an email address.  X509_check_email(3)"""
        wanted = c_string(address, "an email address")
        flags = lib.X509_CHECK_FLAG_NEVER_CHECK_SUBJECT
        return succeeds(lib.X509_check_email, self._x509, wanted, len(wanted), flags)

    def belongs_to(self, key: PrivateKey) -> bool:
        """Whether the certificate has the public half of ``key``, a private key.  X509_check_private_key(3)"""
        return succeeds(lib.X509_check_private_key, self._x509, instance(key, PrivateKey, "key")._key)

    def fingerprint(self, digest: str = "sha256") -> bytes:
        """The digest of the certificate's DER.

        ``digest`` is OpenSSL's name of an algorithm; ``ValueError`` if it has none of that name.  X509_digest(3)
        """
        return fingerprint(lib.X509_digest, self._x509, digest)

    @classmethod
    def from_cryptography(cls, certificate: Any) -> Certificate:
        """Converts ``certificate``, an object of the package ``cryptography``, by way of DER.

        Raises ``TypeError`` for another object.
        """
        encoding = cryptography("hazmat.primitives.serialization").Encoding.DER
        return cls._from_der(cryptography_bytes(certificate, "public_bytes", "a certificate", encoding))

    def to_cryptography(self) -> Any:
        """Converts the certificate to an object of the package ``cryptography``, by way of DER.

        Raises ``ImportError`` if that package is not installed, and its ``ValueError`` if it does not accept the
        certificate: it is stricter than OpenSSL.
        """
        return cryptography("x509").load_der_x509_certificate(self.to_der())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Certificate):
            return NotImplemented
        equal = bool(lib.X509_cmp(self._x509, other._x509) == 0)
        take_records()  # X509_cmp reads the extensions first, and leaves their errors in the queue
        return equal

    def __hash__(self) -> int:
        return hash(self.fingerprint())

    def __repr__(self) -> str:
        return f"<Certificate {self.subject!r}>"


STATUS_REQUEST = 5
"""The extension of TLS by which a client asks for an OCSP response: RFC 6066, 8."""
_ALL_USAGES = 0xFFFFFFFF
_SELF_SIGNED_BY = (lib.NID_subject_key_identifier, lib.NID_authority_key_identifier, lib.NID_key_usage)


def _flags(x509: Any) -> int:
    """The ``EXFLAG_*`` flags that OpenSSL sets when it has read a certificate's extensions."""
    flags: int = lib.X509_get_extension_flags(x509)
    take_records()
    return flags


def _names_of_objects(stack: Any) -> tuple[str, ...]:
    return tuple(short_name(lib.sk_ASN1_OBJECT_value(stack, n)) for n in range(lib.sk_ASN1_OBJECT_num(stack)))


def encoded_uses(certificate: Certificate) -> bytes:
    """The trusted and rejected uses as bytes, to compare certificates by them; empty if there are none."""
    if not certificate._has_uses():
        return b""
    return repr((certificate.trusted_uses, certificate.rejected_uses)).encode()


def succeeds(question: Callable[..., int], *arguments: Any) -> bool:
    """Whether ``question`` returns 1.  Any other result is False, and its errors are removed from the queue."""
    take_records()
    answer = question(*arguments) == 1
    take_records()
    return answer


def algorithm_name(algorithm: Any) -> str:
    """OpenSSL's long name of an ``X509_ALGOR *``.  X509_ALGOR_get0(3)"""
    kind = ffi.new("ASN1_OBJECT **")
    lib.X509_ALGOR_get0(kind, ffi.NULL, ffi.NULL, algorithm)
    return long_name(kind[0])


def digest_named(name: str) -> Any:
    """The digest that OpenSSL calls ``name``.  Raises ``ValueError`` if it has none of that name."""
    algorithm = lib.EVP_get_digestbyname(c_string(name, "a digest"))
    if algorithm == ffi.NULL:
        raise ValueError(f"OpenSSL has no digest {name!r}")
    return algorithm


def digest(data: bytes, name: str) -> bytes:
    """The digest of ``data`` with the algorithm that OpenSSL calls ``name``.  EVP_Digest(3)"""
    out, length = ffi.new("unsigned char[]", lib.EVP_MAX_MD_SIZE), ffi.new("unsigned int *")
    take_records()
    check(lib.EVP_Digest(data, len(data), out, length, digest_named(name), ffi.NULL), "EVP_Digest")
    return bytes(ffi.buffer(out, length[0]))


def fingerprint(digest_of: Any, pointer: Any, digest: str) -> bytes:
    """The digest that X509_digest(3) or a similar function computes with the algorithm of that name."""
    algorithm = digest_named(digest)
    out, length = ffi.new("unsigned char[]", lib.EVP_MAX_MD_SIZE), ffi.new("unsigned int *")
    take_records()
    check(digest_of(pointer, algorithm, out, length), digest_of.__name__)
    return bytes(ffi.buffer(out, length[0]))


def borrowed(pointer: Any, library_context: LibraryContext | None = None) -> Certificate | None:
    """A ``Certificate`` that holds its own reference to an ``X509 *`` of OpenSSL's; None for NULL.

    ``library_context`` is the one that OpenSSL has made it with.
    """
    if pointer == ffi.NULL:
        return None
    check(lib.X509_up_ref(pointer), "X509_up_ref")
    return of_library(Certificate(own(pointer, lib.X509_free)), library_context)


def chain_of(stack: Any, library_context: LibraryContext | None = None) -> tuple[Certificate, ...]:
    """The certificates of a ``STACK_OF(X509) *`` that belongs to OpenSSL, as ``borrowed``; empty for NULL."""
    if stack == ffi.NULL:
        return ()
    certificates = (borrowed(lib.sk_X509_value(stack, n), library_context) for n in range(lib.sk_X509_num(stack)))
    return tuple(certificate for certificate in certificates if certificate is not None)


def chain_of_owned(stack: Any) -> tuple[Certificate, ...]:
    """The certificates of a ``STACK_OF(X509) *`` that the caller owns, and which is freed; empty for NULL."""
    if stack == ffi.NULL:
        return ()
    pointers = [own(lib.sk_X509_value(stack, n), lib.X509_free) for n in range(lib.sk_X509_num(stack))]
    lib.sk_X509_free(stack)
    return tuple(Certificate(pointer) for pointer in pointers)


def stack_of_certificates(certificates: tuple[Certificate, ...], library_context: LibraryContext | None = None) -> Any:
    """A ``STACK_OF(X509) *``, owned, that keeps its certificates alive.  X509_STORE_CTX_init(3)"""
    # Keep the pointers and not the objects: another thread may change the pointer of a CertificateBuilder.
    pointers = [certificate._x509_in(library_context) for certificate in certificates]
    stack = own(check_ptr(lib.sk_X509_new_null(), "sk_X509_new_null"), lib.sk_X509_free, keep=pointers)
    for pointer in pointers:
        check(lib.sk_X509_push(stack, pointer), "sk_X509_push")
    return stack


def load_certificates(source: Source, *, library_context: LibraryContext | None = None) -> list[Certificate]:
    """All certificates in a file or in bytes, in order.

    - ``source``: the path of a file, or the contents as ``bytes``: PEM, or DER certificates one after the other.  A PEM
      block ``TRUSTED CERTIFICATE`` counts, with its ``trusted_uses`` and ``rejected_uses``.
    - ``library_context``: the ``LibraryContext`` that they belong to; None for the default one.

    Raises ``DecodeError`` if there is no certificate, or if one is malformed.  PEM_read_bio_X509(3)
    """
    library_pointer(library_context)
    return _loaded(source, library_context)


def _loaded(source: Source, library_context: LibraryContext | None) -> list[Certificate]:
    """As ``load_certificates``, also if the library context is closed."""
    read, new = lib.pyossl_read_certificate, _maker(library_context)
    pointers = read_every(source, "certificate", "CERTIFICATE", lib.X509_free, read, lib.d2i_X509_bio, new)
    return [of_library(Certificate(pointer), library_context) for pointer in pointers]


def new_x509(library_context: LibraryContext | None) -> Any:
    """An empty ``X509 *`` that the caller owns.  X509_new_ex(3)"""
    if library_context is None:
        return check_ptr(lib.X509_new(), "X509_new")
    return check_ptr(lib.X509_new_ex(library_in_use(library_context), ffi.NULL), "X509_new_ex")


def _maker(library_context: LibraryContext | None) -> Callable[[], Any] | None:
    if library_context is None:
        return None
    return lambda: new_x509(library_context)


def of_library(certificate: Certificate, library_context: LibraryContext | None) -> Certificate:
    """The certificate, marked as one that was made with a library context."""
    if library_context is not None:
        certificate._library_context = library_context
    return certificate
