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

from pyossl._lib import ffi, lib, own
from pyossl.errors import check, check_ptr
from pyossl.keys import PrivateKey
from pyossl.names import reference_name
from pyossl.x509 import Certificate

_BOOLEAN, _BIT_STRING, _OCTET_STRING, _SEQUENCE = 0x01, 0x03, 0x04, 0x30
_KEY_IDENTIFIER, _DNS_NAME, _IP_ADDRESS = 0x80, 0x82, 0x87
_SERVER_AND_CLIENT = bytes.fromhex("06082b06010505070301" + "06082b06010505070302")
_DAY = datetime.timedelta(days=1)


class Credentials(NamedTuple):
    """A certificate with its private key, and the chain that a peer needs besides."""

    certificate: Certificate
    private_key: PrivateKey
    chain: tuple[Certificate, ...] = ()

    def certificate_pem(self) -> bytes:
        """The certificate and its chain in PEM, as a server's configuration wants them."""
        return b"".join(each.to_pem() for each in (self.certificate, *self.chain))


class Authority:
    """A certificate authority with a key of its own on the curve P-256.  Not for production: it keeps no records."""

    def __init__(self, name: str = "pyossl development CA", *, parent: Authority | None = None) -> None:
        extensions = [
            (lib.NID_basic_constraints, True, _der(_SEQUENCE, _der(_BOOLEAN, b"\xff"))),
            (lib.NID_key_usage, True, _der(_BIT_STRING, b"\x01\x06")),
        ]
        now = datetime.datetime.now(datetime.timezone.utc)
        above = parent.credentials if parent else None
        self.credentials: Credentials = _issue(above, name, extensions, now - _DAY, now + 3650 * _DAY)

    @property
    def certificate(self) -> Certificate:
        """The authority's certificate: what a client trusts."""
        return self.credentials.certificate

    def issue(
        self,
        *names: str,
        not_before: datetime.datetime | None = None,
        not_after: datetime.datetime | None = None,
    ) -> Credentials:
        """A certificate for DNS names and IP addresses, with a new key, for servers and clients alike.

        It is valid from a day ago for a year, unless ``not_before`` and ``not_after`` (aware datetimes) say else.
        Raises ``ValueError`` for a name that no certificate can be for, or without one.  X509_sign(3)
        """
        now = datetime.datetime.now(datetime.timezone.utc)
        return _issue(
            self.credentials,
            names[0] if names else "",
            _leaf(names),
            not_before or now - _DAY,
            not_after or now + 365 * _DAY,
        )


def self_signed(*names: str) -> Credentials:
    """A certificate for ``names`` that signs itself, valid for a year: a development server's, in one call.

    Raises ``ValueError`` for a name that no certificate can be for, or without one.
    """
    now = datetime.datetime.now(datetime.timezone.utc)
    return _issue(None, names[0] if names else "", _leaf(names), now - _DAY, now + 365 * _DAY)


_Extension = tuple[int, bool, bytes]


def _leaf(names: tuple[str, ...]) -> list[_Extension]:
    if not names:
        raise ValueError("a certificate is for at least one name")
    return [
        (lib.NID_basic_constraints, True, _der(_SEQUENCE)),
        (lib.NID_key_usage, True, _der(_BIT_STRING, b"\x07\x80")),
        (lib.NID_ext_key_usage, False, _der(_SEQUENCE, _SERVER_AND_CLIENT)),
        (lib.NID_subject_alt_name, False, _der(_SEQUENCE, *map(_general_name, names))),
    ]


def _general_name(name: str) -> bytes:
    bare, wildcard = (name[2:], "*.") if name.startswith("*.") else (name, "")
    reference = reference_name(bare)
    if reference.is_address:
        return _der(_IP_ADDRESS, ipaddress.ip_address(reference.text).packed)
    return _der(_DNS_NAME, (wildcard + reference.text).encode())


def _issue(
    issuer: Credentials | None,
    name: str,
    extensions: list[_Extension],
    not_before: datetime.datetime,
    not_after: datetime.datetime,
) -> Credentials:
    key = PrivateKey.generate()
    x509 = own(check_ptr(lib.X509_new(), "X509_new"), lib.X509_free)
    check(lib.X509_set_version(x509, 2), "X509_set_version")
    _set_serial_number(x509)
    subject = own(check_ptr(lib.X509_NAME_new(), "X509_NAME_new"), lib.X509_NAME_free)
    common_name = name.encode()[:64]
    check(
        lib.X509_NAME_add_entry_by_NID(
            subject, lib.NID_commonName, lib.MBSTRING_UTF8, common_name, len(common_name), -1, 0
        ),
        "X509_NAME_add_entry_by_NID",
    )
    check(lib.X509_set_subject_name(x509, subject), "X509_set_subject_name")
    issuer_name = lib.X509_get_subject_name(issuer.certificate._x509) if issuer else subject
    check(lib.X509_set_issuer_name(x509, issuer_name), "X509_set_issuer_name")
    check(lib.X509_set1_notBefore(x509, _asn1_time(not_before)), "X509_set1_notBefore")
    check(lib.X509_set1_notAfter(x509, _asn1_time(not_after)), "X509_set1_notAfter")
    check(lib.X509_set_pubkey(x509, key._key), "X509_set_pubkey")
    identifier = _key_identifier(x509)
    above = _key_identifier(issuer.certificate._x509) if issuer else identifier
    extensions += [
        (lib.NID_subject_key_identifier, False, _der(_OCTET_STRING, identifier)),
        (lib.NID_authority_key_identifier, False, _der(_SEQUENCE, _der(_KEY_IDENTIFIER, above))),
    ]
    for nid, critical, value in extensions:
        _add_extension(x509, nid, critical, value)
    signer = issuer.private_key if issuer else key
    check(lib.X509_sign(x509, signer._key, lib.EVP_sha256()), "X509_sign")
    chain = (issuer.certificate, *issuer.chain) if issuer else ()
    return Credentials(Certificate(x509), key, tuple(each for each in chain if each.subject != each.issuer))


def _key_identifier(x509: Any) -> bytes:
    """RFC 7093's first method: the leftmost 160 bits of the SHA-256 of the public key.  X509_pubkey_digest(3)"""
    out, length = ffi.new("unsigned char[]", lib.EVP_MAX_MD_SIZE), ffi.new("unsigned int *")
    check(lib.X509_pubkey_digest(x509, lib.EVP_sha256(), out, length), "X509_pubkey_digest")
    return bytes(ffi.buffer(out, 20))


def _set_serial_number(x509: Any) -> None:
    number = os.urandom(16)
    positive = bytes([number[0] & 0x7F | 0x40]) + number[1:]
    integer = own(check_ptr(lib.BN_bin2bn(positive, len(positive), ffi.NULL), "BN_bin2bn"), lib.BN_free)
    serial = own(check_ptr(lib.BN_to_ASN1_INTEGER(integer, ffi.NULL), "BN_to_ASN1_INTEGER"), lib.ASN1_INTEGER_free)
    check(lib.X509_set_serialNumber(x509, serial), "X509_set_serialNumber")


def _asn1_time(moment: datetime.datetime) -> Any:
    if moment.tzinfo is None:
        raise ValueError(f"a certificate's times are aware datetimes, and {moment} has no time zone")
    time = own(check_ptr(lib.ASN1_TIME_new(), "ASN1_TIME_new"), lib.ASN1_TIME_free)
    utc = moment.astimezone(datetime.timezone.utc)
    check(lib.ASN1_TIME_set_string_X509(time, f"{utc:%Y%m%d%H%M%S}Z".encode()), "ASN1_TIME_set_string_X509")
    return time


def _add_extension(x509: Any, nid: int, critical: bool, value: bytes) -> None:
    data = own(check_ptr(lib.ASN1_OCTET_STRING_new(), "ASN1_OCTET_STRING_new"), lib.ASN1_OCTET_STRING_free)
    check(lib.ASN1_OCTET_STRING_set(data, value, len(value)), "ASN1_OCTET_STRING_set")
    extension = own(
        check_ptr(lib.X509_EXTENSION_create_by_NID(ffi.NULL, nid, critical, data), "X509_EXTENSION_create_by_NID"),
        lib.X509_EXTENSION_free,
    )
    check(lib.X509_add_ext(x509, extension, -1), "X509_add_ext")


def _der(tag: int, *contents: bytes) -> bytes:
    body = b"".join(contents)
    if len(body) < 0x80:
        return bytes([tag, len(body)]) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + body
