"""Makes OCSP responses and lists of certificate timestamps for the tests, with the package cryptography."""

from __future__ import annotations

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp

import pyossl

NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
DAY = datetime.timedelta(days=1)
_DIGESTS: dict[str, hashes.SHA1 | hashes.SHA256] = {"sha1": hashes.SHA1(), "sha256": hashes.SHA256()}
_UNKNOWN = ocsp.OCSPCertStatus.UNKNOWN


def ocsp_response(
    credentials: pyossl.Credentials,
    authority: pyossl.Authority,
    *,
    revoked: bool = False,
    unknown: bool = False,
    identifier: str = "sha1",
    this_update: datetime.datetime = NOW - DAY,
    next_update: datetime.datetime | None = NOW + DAY,
) -> bytes:
    """A response about a certificate, signed by its authority, in DER."""
    certificate, issuer = (
        x509.load_pem_x509_certificate(each.to_pem()) for each in (credentials.certificate, authority.certificate)
    )
    key = serialization.load_pem_private_key(authority.credentials.private_key.to_pem(), None)
    builder = ocsp.OCSPResponseBuilder().add_response(
        certificate,
        issuer,
        _DIGESTS[identifier],
        _UNKNOWN if unknown else ocsp.OCSPCertStatus.REVOKED if revoked else ocsp.OCSPCertStatus.GOOD,
        this_update,
        next_update,
        this_update if revoked else None,
        x509.ReasonFlags.key_compromise if revoked else None,
    )
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.NAME, issuer)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)  # type: ignore[arg-type]


def timestamp(log: int, time: datetime.datetime) -> bytes:
    """A signed certificate timestamp of version 1, whose signature is of no value."""
    milliseconds = int(time.timestamp() * 1000)
    return bytes([0]) + bytes([log]) * 32 + milliseconds.to_bytes(8, "big") + b"\0\0" + b"\4\3" + b"\0\4sign"


def timestamp_list(*timestamps: bytes) -> bytes:
    """A list of timestamps as in the TLS extension."""
    items = b"".join(len(each).to_bytes(2, "big") + each for each in timestamps)
    return len(items).to_bytes(2, "big") + items
