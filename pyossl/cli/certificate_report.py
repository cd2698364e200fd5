"""The fields of a certificate as the commands print them, as text and as JSON.

A field may be malformed.  The functions here never raise an exception for that, because the certificate comes from the
peer.
"""

from __future__ import annotations

import datetime
from typing import Any

from pyossl import Certificate, CertificateRequest, DecodeError, GeneralNameType

MALFORMED = "(malformed)"
_MOST_NAMES = 8


def certificate_report(certificate: Certificate) -> dict[str, Any]:
    """The fields of a certificate that a user of the command line needs, as JSON values."""
    return {
        "subject": certificate.subject,
        "issuer": certificate.issuer,
        "names": names(certificate),
        "serial_number": f"{certificate.serial_number:x}",
        "not_before": _isoformat(validity_time(certificate, "not_before")),
        "not_after": _isoformat(validity_time(certificate, "not_after")),
        "key": key(certificate),
        "signature_algorithm": certificate.signature_algorithm,
        "malformed": malformed(certificate),
        "sha256": certificate.fingerprint().hex(),
    }


def validity_time(certificate: Certificate, which: str) -> datetime.datetime | None:
    """The time ``not_before`` or ``not_after``, or None if it is malformed."""
    try:
        found: datetime.datetime = getattr(certificate, which)
    except DecodeError:
        return None
    return found


def day(time: datetime.datetime | str | None) -> str:
    """The date of a time, for example ``2026-12-31``."""
    return MALFORMED if time is None else str(time)[: len("2026-12-31")]


def _isoformat(time: datetime.datetime | None) -> str | None:
    return None if time is None else time.isoformat()


def malformed(certificate: Certificate) -> list[str]:
    """The malformed fields of a certificate: ``notBefore``, ``notAfter``, and OpenSSL's short names of extensions."""
    times = {"not_before": "notBefore", "not_after": "notAfter"}
    wrong = [name for which, name in times.items() if validity_time(certificate, which) is None]
    return wrong + list(certificate.malformed_extensions)


def names(certificate: Certificate | CertificateRequest) -> list[str]:
    """The subject alternative names, for example ``DNS:example.com``."""
    try:
        return [
            str(name).replace("IPADD:", "IP:", 1) if name.type is GeneralNameType.IPADD else str(name)
            for name in certificate.subject_alt_names
        ]
    except DecodeError:
        return [MALFORMED]


def key(certificate: Certificate | CertificateRequest) -> str:
    """The type of the public key, with its curve or size, for example ``EC prime256v1`` or ``RSA 2048``."""
    try:
        public_key = certificate.public_key
    except DecodeError:
        return "(of a type that this OpenSSL cannot read)"
    if public_key.group:
        return f"{public_key.type} {public_key.group}"
    return f"{public_key.type} {public_key.bits}" if public_key.type.startswith("RSA") else public_key.type


def name_list(names: list[str]) -> str:
    """The first eight names, separated by commas, and the number of the others."""
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
