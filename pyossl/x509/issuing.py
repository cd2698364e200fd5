"""A small certificate authority, for development and tests.

``self_signed("localhost")`` is the one call for a server that nobody else has to trust; ``Authority()`` makes a CA
whose certificate clients trust, and ``issue`` certificates below it.  The extensions are a few fixed structures, so
that they are written as DER here, rather than through OpenSSL's text format for them.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
from typing import Any, NamedTuple

from pyossl.core.arguments import c_string, instance, instances
from pyossl.core.binding import ffi, lib, own
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
    """A certificate with its private key, and the chain that a peer needs besides."""

    certificate: Certificate
    private_key: PrivateKey
    chain: tuple[Certificate, ...] = ()

    def certificate_pem(self) -> bytes:
        """The certificate and its chain in PEM, as a server's configuration wants them."""
        return b"".join(each.to_pem() for each in (self.certificate, *self.chain))


class Authority:
    """A certificate authority.  Not for production: it keeps no records."""

    def __init__(
        self,
        name: str = "pyossl development CA",
        *,
        parent: Authority | None = None,
        private_key: PrivateKey | None = None,
    ) -> None:
        """An authority below ``parent``, or a root; its key is a new one on the curve P-256 if none is given."""
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
        """The authority's certificate: what a client trusts."""
        return self.credentials.certificate

    def issue(
        self,
        *names: str,
        not_before: datetime.datetime | None = None,
        not_after: datetime.datetime | None = None,
        private_key: PrivateKey | None = None,
    ) -> Credentials:
        """A certificate for DNS names, IP addresses and email addresses, for servers and clients alike.

        The key is a new one on the curve P-256 if none is given.  The certificate is valid from a day ago for a year,
        unless ``not_before`` and ``not_after`` (aware datetimes) say else.  Raises ``ValueError`` for a name that no
        certificate can be for, or without one.  X509_sign(3)
        """
        now = datetime.datetime.now(datetime.timezone.utc)
        return _issue(
            self.credentials,
            names[0] if names else "",
            _leaf(names),
            now - _DAY if not_before is None else not_before,
            now + 365 * _DAY if not_after is None else not_after,
            private_key,
        )


def self_signed(*names: str, private_key: PrivateKey | None = None) -> Credentials:
    """A certificate for ``names`` that signs itself, valid for a year: a development server's, in one call.

    The key is a new one on the curve P-256 if none is given.

    Raises ``ValueError`` for a name that no certificate can be for, or without one.
    """
    now = datetime.datetime.now(datetime.timezone.utc)
    return _issue(None, names[0] if names else "", _leaf(names), now - _DAY, now + 365 * _DAY, private_key)


def _leaf(names: tuple[str, ...]) -> list[Extension]:
    if not names:
        raise ValueError("a certificate is for at least one name")
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
    """RFC 5280's rfc822Name, which is ASCII: what stands before the @ is nobody's to encode but its host's."""
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
    """RFC 7093's first method: the leftmost 160 bits of the SHA-256 of the public key.  X509_pubkey_digest(3)"""
    out, length = ffi.new("unsigned char[]", lib.EVP_MAX_MD_SIZE), ffi.new("unsigned int *")
    check(lib.X509_pubkey_digest(x509, lib.EVP_sha256(), out, length), "X509_pubkey_digest")
    return bytes(ffi.buffer(out, 20))


def _digest_for(key: PrivateKey) -> Any:
    """The digest that a key of this type signs with; NULL where its signatures have their own.

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
