"""A certificate as the dictionary that the standard library's ``ssl.SSLSocket.getpeercert`` returns."""

from __future__ import annotations

import datetime
import ipaddress
from typing import Any

from pyossl.x509.asn1 import long_name, object_from
from pyossl.x509.certificate import Certificate
from pyossl.x509.names import GeneralName, GeneralNameType, Name

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_KINDS = {
    GeneralNameType.DNS: "DNS",
    GeneralNameType.EMAIL: "email",
    GeneralNameType.URI: "URI",
    GeneralNameType.IPADD: "IP Address",
    GeneralNameType.DIRNAME: "DirName",
    GeneralNameType.RID: "Registered ID",
}


def peercert(certificate: Certificate) -> dict[str, Any]:
    """``subject``, ``issuer``, ``version``, ``serialNumber``, ``notBefore``, ``notAfter`` and ``subjectAltName``.

    The URLs of OCSP, CA certificates and CRLs are not included: read them from ``Certificate.extensions``.
    """
    result: dict[str, Any] = {
        "subject": _name(certificate.subject_name),
        "issuer": _name(certificate.issuer_name),
        "version": certificate.version,
        "serialNumber": _serial_number(certificate.serial_number),
        "notBefore": _moment(certificate.not_before),
        "notAfter": _moment(certificate.not_after),
    }
    if names := certificate.subject_alt_names:
        result["subjectAltName"] = tuple(_alternative(name) for name in names)
    return result


def _name(name: Name) -> tuple[tuple[tuple[str, str], ...], ...]:
    parts: dict[int, list[tuple[str, str]]] = {}
    for attribute in name:
        parts.setdefault(attribute.rdn, []).append((long_name(object_from(attribute.oid)), attribute.value))
    return tuple(tuple(part) for part in parts.values())


def _serial_number(number: int) -> str:
    digits = f"{abs(number):X}"
    return f"{'-' if number < 0 else ''}{'0' * (len(digits) % 2)}{digits}"


def _moment(moment: datetime.datetime) -> str:
    return f"{_MONTHS[moment.month - 1]} {moment.day:2} {moment:%H:%M:%S} {moment.year} GMT"


def _alternative(name: GeneralName) -> tuple[str, Any]:
    kind, value = _KINDS.get(name.type, "othername"), name.value
    if isinstance(value, ipaddress.IPv6Address):
        packed = value.packed
        return kind, ":".join(f"{packed[n] << 8 | packed[n + 1]:X}" for n in range(0, 16, 2))
    if isinstance(value, Name):
        return kind, _name(value)
    if kind == "othername":
        return kind, "<unsupported>"
    return kind, "<invalid>" if isinstance(value, bytes) else str(value)
