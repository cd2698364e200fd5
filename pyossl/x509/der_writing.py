"""Writes the few DER structures that pyossl makes itself.

The extensions of an authority and of what it issues are fixed, so they are written here, without OpenSSL's
configuration text.
"""

from __future__ import annotations

import ipaddress

from pyossl.x509.extensions import Extension
from pyossl.x509.reference_name import reference_name

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, ENUMERATED, SEQUENCE = 0x01, 0x02, 0x03, 0x04, 0x0A, 0x30
KEY_IDENTIFIER = 0x80
_EMAIL, _DNS_NAME, _IP_ADDRESS = 0x81, 0x82, 0x87
_LONG = 0x80


def der(tag: int, *contents: bytes) -> bytes:
    """One element: the tag, the length, and the contents one after the other."""
    body = b"".join(contents)
    if len(body) < _LONG:
        return bytes([tag, len(body)]) + body
    length = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, _LONG | len(length)]) + length + body


def integer_der(value: int) -> bytes:
    """An INTEGER that is not negative."""
    return der(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def subject_alt_name(names: tuple[str, ...], *, critical: bool = False) -> Extension:
    """The extension subjectAltName with DNS names, IP addresses and email addresses.

    Raises ``ValueError`` for a name that is not valid in a certificate.
    """
    return Extension("subjectAltName", der(SEQUENCE, *map(_general_name, names)), critical=critical)


def _general_name(name: str) -> bytes:
    if "@" in name:
        return der(_EMAIL, _email(name))
    bare, wildcard = (name[2:], "*.") if name.startswith("*.") else (name, "")
    reference = reference_name(bare)
    if reference.is_address:
        return der(_IP_ADDRESS, ipaddress.ip_address(reference.text).packed)
    return der(_DNS_NAME, (wildcard + reference.text).encode())


def _email(address: str) -> bytes:
    """The rfc822Name of RFC 5280, which is ASCII.  Only the host may be encoded, and never the local part."""
    local_part, _, host = address.rpartition("@")
    if not local_part.isascii() or not local_part.isprintable() or " " in local_part or not local_part:
        raise ValueError(f"no certificate can be for the email address {address!r}")
    return f"{local_part}@{reference_name(host).text}".encode()
