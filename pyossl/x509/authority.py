"""A small certificate authority, for development and tests.

``self_signed("localhost")`` makes a certificate for a development server in one call.  ``Authority()`` makes a root:
clients trust its certificate, and ``issue`` makes certificates below it.  The extensions are a few fixed structures, so
they are written as DER here, without OpenSSL's configuration text.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
from typing import Any, NamedTuple

from pyossl.core import ffi, lib, own
from pyossl.core.arguments import c_string, instance, instances
from pyossl.core.errors import check, check_ptr
from pyossl.core.outcome import take_records
from pyossl.x509.asn1 import asn1_integer, asn1_time
from pyossl.x509.certificate import Certificate
from pyossl.x509.extensions import Extension
from pyossl.x509.keys import PrivateKey
from pyossl.x509.reference_name import reference_name

_BOOLEAN, _BIT_STRING, _OCTET_STRING, _SEQUENCE = 0x01, 0x03, 0x04, 0x30
_KEY_IDENTIFIER, _EMAIL, _DNS_NAME, _IP_ADDRESS = 0x80, 0x81, 0x82, 0x87
_SERVER_AND_CLIENT = bytes.fromhex("06082b06010505070301" + "06082b06010505070302")
_DAY = datetime.timedelta(days=1)
_LONGEST_COMMON_NAME = 64


class Credentials(NamedTuple):
    """A certificate with its private key and chain.

    For a context: ``Context.server((made.certificate, *made.chain), made.private_key)``.
    """

    certificate: Certificate
    private_key: PrivateKey
    chain: tuple[Certificate, ...] = ()

    def certificate_pem(self) -> bytes:
        """The certificate and its chain in PEM, as server configurations expect them."""
        return b"".join(each.to_pem() for each in (self.certificate, *self.chain))


Credentials.certificate.__doc__ = "The certificate."
Credentials.private_key.__doc__ = "The private key of the certificate."
Credentials.chain.__doc__ = "The authorities' certificates between this one and the root, without the root."


class Authority:
    """A certificate authority for development and tests.  It keeps no records: do not use it in production.

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
        - ``private_key``: the authority's key; None for a new one on the curve P-256.

        The certificate is valid for ten years.  X509_sign(3)
        """
        c_string(name, "the name of an authority")
        if parent is not None:
            instance(parent, Authority, "parent")
        extensions = [
            Extension("basicConstraints", _der(_SEQUENCE, _der(_BOOLEAN, b"\xff")), critical=True),
            Extension("keyUsage", _der(_BIT_STRING, b"\x01\x06"), critical=True),
        ]
        now = datetime.datetime.now(datetime.timezone.utc)
        above = None if parent is None else parent.credentials
        self.credentials: Credentials = _issue(above, name, extensions, now - _DAY, now + 3650 * _DAY, private_key)

    @property
    def certificate(self) -> Certificate:
        """The authority's certificate.  Clients trust it, for example with ``Context.client(trust=...)``."""
        return self.credentials.certificate

    def issue(
        self,
        *names: str,
        not_before: datetime.datetime | None = None,
        not_after: datetime.datetime | None = None,
        private_key: PrivateKey | None = None,
    ) -> Credentials:
        """Issues a certificate for servers and clients.

        - ``names``: DNS names, IP addresses and email addresses.  ``*.example.com`` is a wildcard.
        - ``not_before``, ``not_after``: the validity, as aware datetimes; by default from a day ago until a year from
          now.
        - ``private_key``: the key of the certificate; None for a new one on the curve P-256.

        Raises ``ValueError`` if there is no name, if a name is not valid in a certificate, or if a datetime has no time
        zone.  X509_sign(3)
        """
        now = datetime.datetime.now(datetime.timezone.utc)
        return _issue(
            self.credentials,
            names[0] if names else "",
            _leaf_extensions(names),
            now - _DAY if not_before is None else not_before,
            now + 365 * _DAY if not_after is None else not_after,
            private_key,
        )

    def __repr__(self) -> str:
        return f"<Authority {self.certificate.subject!r}>"


def self_signed(*names: str, private_key: PrivateKey | None = None) -> Credentials:
    """Makes a certificate that signs itself, for a development server.  It is valid for a year.

    - ``names``: DNS names, IP addresses and email addresses.  ``*.example.com`` is a wildcard.
    - ``private_key``: the key of the certificate; None for a new one on the curve P-256.

    Raises ``ValueError`` if there is no name, or if a name is not valid in a certificate.  X509_sign(3)
    """
    now = datetime.datetime.now(datetime.timezone.utc)
    return _issue(None, names[0] if names else "", _leaf_extensions(names), now - _DAY, now + 365 * _DAY, private_key)


def _leaf_extensions(names: tuple[str, ...]) -> list[Extension]:
    if not names:
        raise ValueError("a certificate needs at least one name")
    instances(names, str, "the names of a certificate")
    return [
        Extension("basicConstraints", _der(_SEQUENCE), critical=True),
        Extension("keyUsage", _der(_BIT_STRING, b"\x07\x80"), critical=True),
        Extension("extendedKeyUsage", _der(_SEQUENCE, _SERVER_AND_CLIENT)),
        Extension("subjectAltName", _der(_SEQUENCE, *map(_general_name, names))),
    ]


def _general_name(name: str) -> bytes:
    if "@" in name:
        return _der(_EMAIL, _email(name))
    bare, wildcard = (name[2:], "*.") if name.startswith("*.") else (name, "")
    reference = reference_name(bare)
    if reference.is_address:
        return _der(_IP_ADDRESS, ipaddress.ip_address(reference.text).packed)
    return _der(_DNS_NAME, (wildcard + reference.text).encode())


def _email(address: str) -> bytes:
    """The rfc822Name of RFC 5280, which is ASCII.  Only the host may be encoded, and never the local part."""
    local_part, _, host = address.rpartition("@")
    if not local_part.isascii() or not local_part.isprintable() or " " in local_part or not local_part:
        raise ValueError(f"no certificate can be for the email address {address!r}")
    return f"{local_part}@{reference_name(host).text}".encode()


def _issue(
    issuer: Credentials | None,
    name: str,
    extensions: list[Extension],
    not_before: datetime.datetime,
    not_after: datetime.datetime,
    private_key: PrivateKey | None = None,
) -> Credentials:
    key = PrivateKey.generate() if private_key is None else instance(private_key, PrivateKey, "private_key")
    x509 = own(check_ptr(lib.X509_new(), "X509_new"), lib.X509_free)
    check(lib.X509_set_version(x509, 2), "X509_set_version")
    serial_number = int.from_bytes(os.urandom(16), "big") >> 1 | 1 << 126
    check(lib.X509_set_serialNumber(x509, asn1_integer(serial_number)), "X509_set_serialNumber")
    subject = own(check_ptr(lib.X509_NAME_new(), "X509_NAME_new"), lib.X509_NAME_free)
    common_name = name[:_LONGEST_COMMON_NAME].encode()
    check(
        lib.X509_NAME_add_entry_by_NID(
            subject, lib.NID_commonName, lib.MBSTRING_UTF8, common_name, len(common_name), -1, 0
        ),
        "X509_NAME_add_entry_by_NID",
    )
    check(lib.X509_set_subject_name(x509, subject), "X509_set_subject_name")
    issuer_name = lib.X509_get_subject_name(issuer.certificate._x509) if issuer else subject
    check(lib.X509_set_issuer_name(x509, issuer_name), "X509_set_issuer_name")
    check(lib.X509_set1_notBefore(x509, asn1_time(not_before)), "X509_set1_notBefore")
    check(lib.X509_set1_notAfter(x509, asn1_time(not_after)), "X509_set1_notAfter")
    check(lib.X509_set_pubkey(x509, key._key), "X509_set_pubkey")
    identifier = _key_identifier(x509)
    above = _key_identifier(issuer.certificate._x509) if issuer else identifier
    extensions += [
        Extension("subjectKeyIdentifier", _der(_OCTET_STRING, identifier)),
        Extension("authorityKeyIdentifier", _der(_SEQUENCE, _der(_KEY_IDENTIFIER, above))),
    ]
    for extension in extensions:
        check(lib.X509_add_ext(x509, extension._extension, -1), "X509_add_ext")
    signer = issuer.private_key if issuer else key
    check(lib.X509_sign(x509, signer._key, _digest_for(signer)), f"signing with a key of type {signer.type!r}")
    chain = (issuer.certificate, *issuer.chain) if issuer else ()
    return Credentials(Certificate(x509), key, tuple(each for each in chain if each.subject != each.issuer))


def _key_identifier(x509: Any) -> bytes:
    """The leftmost 160 bits of the SHA-256 of the public key: RFC 7093, method 1.  X509_pubkey_digest(3)"""
    out, length = ffi.new("unsigned char[]", lib.EVP_MAX_MD_SIZE), ffi.new("unsigned int *")
    check(lib.X509_pubkey_digest(x509, lib.EVP_sha256(), out, length), "X509_pubkey_digest")
    return bytes(ffi.buffer(out, 20))


def _digest_for(key: PrivateKey) -> Any:
    """The digest for signatures with a key of this type; NULL if the signature algorithm includes one.

    EVP_PKEY_get_default_digest_nid(3)
    """
    nid = ffi.new("int *")
    known = lib.EVP_PKEY_get_default_digest_nid(key._key, nid) > 0
    take_records()
    return lib.EVP_get_digestbynid(nid[0]) if known and nid[0] != lib.NID_undef else ffi.NULL


def _der(tag: int, *contents: bytes) -> bytes:
    body = b"".join(contents)
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + body
