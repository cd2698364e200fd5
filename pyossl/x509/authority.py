"""A small certificate authority, for development and tests.

``self_signed("localhost")`` makes a certificate for a development server in one call.  ``Authority()`` makes a root:
clients trust its certificate, and ``issue`` makes certificates below it.

What an authority has to remember
---------------------------------
Its certificate and key, and which certificates it has revoked.  A CRL lists all of these, with a number that must
increase from one CRL to the next.  So the last CRL is the record: ``save`` writes it beside the certificate and the
key, and ``load`` continues with its entries and its number.  The first number after that is the time in seconds if
that is higher: so it increases even if a CRL was published and the authority was not saved afterwards.
"""

from __future__ import annotations

import datetime
import itertools
import os
import time
from typing import Any

from pyossl.core import ffi, lib, own
from pyossl.core.arguments import c_string, flag, instance, instances, integer
from pyossl.core.errors import check
from pyossl.x509 import authority_folder
from pyossl.x509.asn1 import asn1_integer, asn1_time
from pyossl.x509.certificate import STATUS_REQUEST, Certificate, new_x509, of_library
from pyossl.x509.certificate_request import CertificateRequest
from pyossl.x509.credentials import Credentials
from pyossl.x509.crl import CRL, RevocationReason, Revoked
from pyossl.x509.crl_signing import signed_crl
from pyossl.x509.der_writing import (
    BIT_STRING,
    BOOLEAN,
    KEY_IDENTIFIER,
    OCTET_STRING,
    SEQUENCE,
    der,
    integer_der,
    subject_alt_name,
)
from pyossl.x509.extensions import Extension, KeyUsage
from pyossl.x509.keys import Key, PrivateKey
from pyossl.x509.names import Name
from pyossl.x509.ocsp_response import OCSPResponse
from pyossl.x509.ocsp_signing import signed_ocsp_response
from pyossl.x509.passwords import Password
from pyossl.x509.signing import LEAST_SECURITY_BITS, digest_for

_SERVER_AND_CLIENT = bytes.fromhex("06082b06010505070301" + "06082b06010505070302")
_DAY = datetime.timedelta(days=1)
_LONGEST_COMMON_NAME = 64
_LARGEST_SERIAL_NUMBER = (1 << 159) - 1
"""RFC 5280, 4.1.2.2: 20 octets."""


class Authority:
    """A certificate authority for development and tests.

    It remembers what it has revoked, and not what it has issued: do not use it in production.  Threads may share it.

    ``credentials`` is the authority's own certificate, private key and chain.
    """

    def __init__(
        self,
        name: str = "pyossl development CA",
        *,
        parent: Authority | None = None,
        private_key: PrivateKey | None = None,
    ) -> None:
        """Makes a root, or an authority below ``parent``.

        - ``name``: the common name of the authority; 64 characters of it are used.
        - ``parent``: the authority that signs the certificate; None for a root.
        - ``private_key``: the authority's key; None for a new one on the curve P-256.  The authority and the
          certificates that it issues belong to the library context of the key.

        The certificate is valid for ten years.  Raises ``ValueError`` if the name is empty.  X509_sign(3)
        """
        c_string(name, "the name of an authority")
        if parent is not None:
            instance(parent, Authority, "parent")
        extensions = [
            Extension("basicConstraints", der(SEQUENCE, der(BOOLEAN, b"\xff")), critical=True),
            Extension("keyUsage", der(BIT_STRING, b"\x01\x06"), critical=True),
        ]
        now = _now()
        above = None if parent is None else parent.credentials
        self._begin(_issue(above, name, extensions, now - _DAY, now + 3650 * _DAY, private_key), None)

    def _begin(self, credentials: Credentials, crl: CRL | None) -> None:
        self.credentials: Credentials = credentials
        entries = [Revoked(*entry) for entry in crl or ()]  # reads each field, which may be malformed
        self._revoked = {entry.serial_number: entry for entry in entries}
        last_number = crl.number if crl else None
        self._numbers = _CRLNumbers(max((last_number or 0) + 1, int(time.time())))

    @classmethod
    def of(cls, credentials: Credentials, crl: CRL | None = None) -> Authority:
        """An authority with a certificate and a key that exist already.

        - ``credentials``: the certificate, its private key, and the authorities between it and the root.
        - ``crl``: the authority's last CRL, whose entries and number are continued; None if it has issued none.

        Raises ``ValueError`` if the key is not the certificate's, if the certificate is not an authority's, if the CRL
        is not of this authority, or if it is not a complete one (an indirect or a delta CRL); and ``DecodeError`` if it
        is malformed.  X509_check_private_key(3), X509_CRL_verify(3)
        """
        certificate, key, _ = instance(credentials, Credentials, "credentials")
        if not certificate.belongs_to(key):
            raise ValueError(f"the private key is not that of the certificate {certificate.subject!r}")
        usage = certificate.key_usage
        if not certificate.is_ca or (usage is not None and not usage & KeyUsage.KEY_CERT_SIGN):
            raise ValueError(f"the certificate {certificate.subject!r} is not that of an authority")
        if crl is not None:
            instance(crl, CRL, "crl")
            if crl.issuer_name != certificate.subject_name or not crl.is_signed_by(key):
                raise ValueError(f"the CRL of {crl.issuer!r} is not one of the authority {certificate.subject!r}")
            # Critical extensions say that it is a delta CRL, or that it is about a part of the certificates.
            if any(each.critical for each in crl.extensions) or any(entry.issuer_name is not None for entry in crl):
                raise ValueError(f"the CRL of {crl.issuer!r} is not a complete one, or is of several authorities")
        authority = cls.__new__(cls)
        authority._begin(credentials, crl)
        return authority

    @classmethod
    def load(cls, folder: str | os.PathLike[str], password: Password | None = None) -> Authority:
        """Loads an authority that ``save`` has written into ``folder``.

        ``password`` is ``str``, ``bytes``, or a function that returns one; None if the key is not encrypted.  Raises

        - ``FileNotFoundError`` if one of the three files is missing, also the CRL: without it, the authority would
          forget what it has revoked;
        - ``PasswordError`` if the password is missing or wrong;
        - ``DecodeError`` for a malformed file;
        - ``ValueError`` if the files do not belong together, as ``of`` does.

        PEM_read_bio_X509(3), PEM_read_bio_PrivateKey(3), PEM_read_bio_X509_CRL(3)
        """
        certificate, *chain = authority_folder.certificates(folder)
        key = authority_folder.private_key(folder, password)
        return cls.of(Credentials(certificate, key, tuple(chain)), authority_folder.crl(folder))

    def save(self, folder: str | os.PathLike[str], password: Password | None) -> None:
        """Writes the authority into ``folder``: ``ca.pem``, ``ca-key.pem``, and a new CRL, ``crl.pem``.

        - ``folder``: a directory, which is made if it is missing.  Only you can read it then.
        - ``password``: ``str``, ``bytes``, or a function that returns one: the key is encrypted with AES-256; None
          writes it without encryption.

        Only you can read the key (mode 0600).  Each file is replaced in one step.  Save again after ``revoke``.  Raises
        ``FileExistsError`` if the folder contains another authority, and ``UsageError`` if another program has saved
        this authority there with revocations that are not known here: load it again.  PEM_write_bio_X509(3),
        PEM_write_bio_PKCS8PrivateKey(3), PEM_write_bio_X509_CRL(3)
        """
        authority_folder.write(folder, self.credentials.certificate_pem(), self._key_pem(password), self.crl())

    def _key_pem(self, password: Password | None) -> bytes:
        return self.credentials.private_key.to_pem(password)

    @property
    def certificate(self) -> Certificate:
        """The authority's certificate.  Clients trust it, for example with ``Context.client(trust=...)``."""
        return self.credentials.certificate

    @property
    def chain(self) -> tuple[Certificate, ...]:
        """What a server sends after its own certificate: the authorities from this one up, without the root."""
        return _chain_below(self.credentials)

    def issue(
        self,
        *names: str,
        not_before: datetime.datetime | None = None,
        not_after: datetime.datetime | None = None,
        private_key: PrivateKey | None = None,
        must_staple: bool = False,
    ) -> Credentials:
        """Issues a certificate for servers and clients.

        - ``names``: DNS names, IP addresses and email addresses.  ``*.example.com`` is a wildcard.
        - ``not_before``, ``not_after``: the validity, as aware datetimes; by default from a day ago until a year from
          now.
        - ``private_key``: the key of the certificate; None for a new one on the curve P-256.
        - ``must_staple``: True says in the certificate that its server always staples an OCSP response (RFC 7633).

        Raises ``ValueError`` if there is no name, if a name is not valid in a certificate, or if a datetime has no time
        zone.  X509_sign(3)
        """
        first, last = _validity(not_before, not_after)
        extensions = _leaf_extensions(names)
        if flag(must_staple, "must_staple"):
            extensions.append(Extension("tlsfeature", der(SEQUENCE, integer_der(STATUS_REQUEST))))
        name = names[0] if names else ""
        return _issue(self.credentials, name, extensions, first, last, private_key)

    def sign(
        self,
        request: CertificateRequest,
        *names: str,
        subject: Name | None = None,
        not_before: datetime.datetime | None = None,
        not_after: datetime.datetime | None = None,
    ) -> Certificate:
        """Issues a certificate for the public key of a request.  Only the key is taken from the request.

        - ``request``: the request.  Its signature must be valid, and its key must have 112 bits of security.
        - ``names``: the DNS names, IP addresses and email addresses of the certificate.  Decide whether the sender may
          have them.  ``*request.names`` are all that the request asks for.
        - ``subject``: the subject's name; None for the first of ``names`` as common name.
        - ``not_before``, ``not_after``: the validity, as aware datetimes; by default from a day ago until a year from
          now.

        The extensions are those of ``issue``, never the request's.  ``chain`` has the certificates that a server sends
        after this one.  Raises ``ValueError`` if the request's signature is not valid or its key too weak, if there is
        no name, if a name is not valid in a certificate, or if a datetime has no time zone; and ``DecodeError`` if the
        key is malformed.  X509_REQ_verify(3), X509_sign(3)
        """
        key = instance(request, CertificateRequest, "request").public_key
        if subject is not None:
            instance(subject, Name, "subject")
        if not request.is_signature_valid:
            raise ValueError("the certificate request was not signed with the private key of its public key")
        if key.security_bits < LEAST_SECURITY_BITS:
            raise ValueError(
                f"the key in the certificate request, {key.type} with {key.bits} bits, has {key.security_bits} bits of "
                f"security, and {LEAST_SECURITY_BITS} are needed"
            )
        extensions = _leaf_extensions(names)
        first, last = _validity(not_before, not_after)
        return _certificate(self.credentials, subject or _named(names[0]), extensions, first, last, key)

    def revoke(
        self,
        certificate: Certificate | int,
        reason: RevocationReason | int = RevocationReason.UNSPECIFIED,
        *,
        revoked_at: datetime.datetime | None = None,
    ) -> Revoked:
        """Revokes a certificate of this authority.  It is on every CRL that ``crl`` makes from now on.

        - ``certificate``: the certificate, or its serial number.
        - ``reason``: a ``RevocationReason``.
        - ``revoked_at``: the time of the revocation, an aware datetime; None for now.

        Clients and servers do not learn of it by themselves: give them the new CRL.  Raises ``ValueError`` if this
        authority has not issued the certificate, has revoked it already, or for a reason or a number that a CRL cannot
        have.  X509_CRL_add0_revoked(3)
        """
        if isinstance(certificate, Certificate):
            self._check_issued(certificate)
            number = certificate.serial_number
        else:
            number = integer(certificate, "a serial number", 1, _LARGEST_SERIAL_NUMBER)
        code = RevocationReason(integer(reason, "a reason", 0, max(RevocationReason)))
        when = _now() if revoked_at is None else revoked_at
        asn1_time(when)  # refuses what a CRL cannot hold
        when = when.astimezone(datetime.timezone.utc).replace(microsecond=0)
        entry = Revoked(number, when, int(code) or None)
        if self._revoked.setdefault(number, entry) is not entry:
            raise ValueError(f"the certificate with the serial number {number:x} is revoked already")
        return entry

    def _check_issued(self, certificate: Certificate) -> None:
        if certificate.issuer_name != self.certificate.subject_name or not certificate.is_signed_by(
            self.credentials.private_key
        ):
            raise ValueError(f"this authority has not issued the certificate {certificate.subject!r}")

    @property
    def revoked(self) -> tuple[Revoked, ...]:
        """What this authority has revoked, the first one first."""
        return tuple(self._revoked.copy().values())  # of a copy: another thread may revoke meanwhile

    def crl(self, *, last_update: datetime.datetime | None = None, next_update: datetime.datetime | None = None) -> CRL:
        """Makes a CRL with all certificates that are revoked, and with a higher number than the one before.

        - ``last_update``: the time of the CRL, an aware datetime; None for a second ago.
        - ``next_update``: the time until which it may be used; None for seven days later.

        ``Store.add_crl`` takes it, with ``VerifyFlags.CRL_CHECK`` in the context's ``verify_flags``.  Raises
        ``ValueError`` if ``next_update`` is not later, if a datetime has no time zone, or if the certificate does not
        allow the authority to sign CRLs.  X509_CRL_sign(3)
        """
        usage = self.certificate.key_usage
        if usage is not None and not usage & KeyUsage.CRL_SIGN:
            raise ValueError(f"the certificate {self.certificate.subject!r} does not allow to sign CRLs")
        first, last = _updates(last_update, next_update)
        identifier = [_authority_key_identifier(_identifier_of(self.certificate))]
        number = self._numbers.following()
        return signed_crl(self.certificate, self.credentials.private_key, self.revoked, identifier, first, last, number)

    def ocsp_response(
        self,
        certificate: Certificate,
        *,
        this_update: datetime.datetime | None = None,
        next_update: datetime.datetime | None = None,
    ) -> OCSPResponse:
        """Makes an OCSP response about a certificate of this authority: revoked if ``revoke`` was called, else good.

        - ``certificate``: the certificate.
        - ``this_update``: the time of the response, an aware datetime; None for a second ago.
        - ``next_update``: the time until which it may be used; None for seven days later.

        ``Context.staple_ocsp`` takes it.  The authority signs it with its own key.  Raises ``ValueError`` if this
        authority has not issued the certificate, if ``next_update`` is not later, or if a datetime has no time zone;
        and ``UnsupportedError`` if OpenSSL was built without OCSP.  OCSP_basic_sign(3)
        """
        self._check_issued(instance(certificate, Certificate, "certificate"))
        revoked = self._revoked.get(certificate.serial_number)
        ours, key = self.certificate, self.credentials.private_key
        return signed_ocsp_response(certificate, ours, ours, key, revoked, *_updates(this_update, next_update))

    def __repr__(self) -> str:
        return f"<Authority {self.certificate.subject!r}>"


class _CRLNumbers:
    """The numbers of an authority's CRLs, each given once, also by copies of the authority."""

    def __init__(self, first: int) -> None:
        self._count = itertools.count(first)

    def following(self) -> int:
        """The next number."""
        return next(self._count)

    def __deepcopy__(self, memo: dict[int, Any]) -> _CRLNumbers:
        return self


def self_signed(*names: str, private_key: PrivateKey | None = None) -> Credentials:
    """Makes a certificate that signs itself, for a development server.  It is valid for a year.

    - ``names``: DNS names, IP addresses and email addresses.  ``*.example.com`` is a wildcard.
    - ``private_key``: the key of the certificate; None for a new one on the curve P-256.

    Raises ``ValueError`` if there is no name, or if a name is not valid in a certificate.  X509_sign(3)
    """
    first, last = _validity(None, None)
    return _issue(None, names[0] if names else "", _leaf_extensions(names), first, last, private_key)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)


def _validity(
    not_before: datetime.datetime | None, not_after: datetime.datetime | None
) -> tuple[datetime.datetime, datetime.datetime]:
    now = _now()
    return now - _DAY if not_before is None else not_before, now + 365 * _DAY if not_after is None else not_after


def _updates(
    first: datetime.datetime | None, last: datetime.datetime | None
) -> tuple[datetime.datetime, datetime.datetime]:
    """When a CRL or an OCSP response is issued, and until when it may be used: a second ago, and for seven days."""
    # time(3), with which OpenSSL compares, may be behind the clock for some milliseconds: now is not yet valid there.
    issued = _now() - datetime.timedelta(seconds=1) if first is None else first
    asn1_time(issued)  # refuses what a CRL cannot hold
    try:
        due = issued + 7 * _DAY if last is None else last
    except OverflowError as error:
        raise ValueError(f"there is no time seven days after {issued}") from error
    asn1_time(due)
    if due <= issued:
        raise ValueError(f"the next update, {due}, is not later than the last one, {issued}")
    return issued, due


def _leaf_extensions(names: tuple[str, ...]) -> list[Extension]:
    if not names:
        raise ValueError("a certificate needs at least one name")
    instances(names, str, "the names of a certificate")
    return [
        Extension("basicConstraints", der(SEQUENCE), critical=True),
        Extension("keyUsage", der(BIT_STRING, b"\x07\x80"), critical=True),
        Extension("extendedKeyUsage", der(SEQUENCE, _SERVER_AND_CLIENT)),
        subject_alt_name(names),
    ]


def _named(name: str) -> Name:
    """A subject that has only a common name, which may be cut off: programs do not use it."""
    return Name.of(CN=name[:_LONGEST_COMMON_NAME])


def _issue(
    issuer: Credentials | None,
    name: str,
    extensions: list[Extension],
    not_before: datetime.datetime,
    not_after: datetime.datetime,
    private_key: PrivateKey | None = None,
) -> Credentials:
    if private_key is None:
        key = PrivateKey.generate(library_context=None if issuer is None else issuer.private_key._library_context)
    else:
        key = instance(private_key, PrivateKey, "private_key")
    made = _certificate(issuer, _named(name), extensions, not_before, not_after, key)
    return Credentials(made, key, () if issuer is None else _chain_below(issuer))


def _chain_below(issuer: Credentials) -> tuple[Certificate, ...]:
    chain = (issuer.certificate, *issuer.chain)
    return tuple(each for each in chain if each.subject_name != each.issuer_name)


def _certificate(
    issuer: Credentials | None,
    subject: Name,
    extensions: list[Extension],
    not_before: datetime.datetime,
    not_after: datetime.datetime,
    key: Key,
) -> Certificate:
    """A certificate for ``key``, signed by ``issuer``; if that is None, ``key`` is a private key and signs itself."""
    signer = issuer.private_key if issuer else instance(key, PrivateKey, "key")
    x509 = own(new_x509(signer._library_context), lib.X509_free)
    check(lib.X509_set_version(x509, 2), "X509_set_version")
    serial_number = int.from_bytes(os.urandom(16), "big") >> 1 | 1 << 126
    check(lib.X509_set_serialNumber(x509, asn1_integer(serial_number)), "X509_set_serialNumber")
    check(lib.X509_set_subject_name(x509, subject._name), "X509_set_subject_name")
    issuer_name = issuer.certificate.subject_name if issuer else subject
    check(lib.X509_set_issuer_name(x509, issuer_name._name), "X509_set_issuer_name")
    check(lib.X509_set1_notBefore(x509, asn1_time(not_before)), "X509_set1_notBefore")
    check(lib.X509_set1_notAfter(x509, asn1_time(not_after)), "X509_set1_notAfter")
    check(lib.X509_set_pubkey(x509, key._key), "X509_set_pubkey")
    identifier = _key_identifier(x509)
    above = _identifier_of(issuer.certificate) if issuer else identifier
    identifiers = [
        Extension("subjectKeyIdentifier", der(OCTET_STRING, identifier)),
        _authority_key_identifier(above),
    ]
    for extension in (*extensions, *identifiers):
        check(lib.X509_add_ext(x509, extension._extension, -1), "X509_add_ext")
    check(lib.X509_sign(x509, signer._key, digest_for(signer)), f"signing with a key of type {signer.type!r}")
    return of_library(Certificate(x509), signer._library_context)


def _identifier_of(certificate: Certificate) -> bytes:
    """The certificate's own identifier of its key: another program may have made it in another way."""
    return certificate.subject_key_identifier or _key_identifier(certificate._x509)


def _authority_key_identifier(identifier: bytes) -> Extension:
    return Extension("authorityKeyIdentifier", der(SEQUENCE, der(KEY_IDENTIFIER, identifier)))


def _key_identifier(x509: Any) -> bytes:
    """The leftmost 160 bits of the SHA-256 of the public key: RFC 7093, method 1.  X509_pubkey_digest(3)"""
    out, length = ffi.new("unsigned char[]", lib.EVP_MAX_MD_SIZE), ffi.new("unsigned int *")
    check(lib.X509_pubkey_digest(x509, lib.EVP_sha256(), out, length), "X509_pubkey_digest")
    return bytes(ffi.buffer(out, 20))
