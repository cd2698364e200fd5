"""Signers of OCSP responses: an authority, its responder, and some that must not be believed."""

from __future__ import annotations

import datetime
from typing import Any

import pyossl
from pyossl import Certificate, Credentials, OCSPResponse, PrivateKey
from pyossl.x509.authority import _issue
from pyossl.x509.der_writing import BIT_STRING, SEQUENCE, der
from pyossl.x509.extensions import Extension
from pyossl.x509.ocsp_signing import signed_ocsp_response

NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
DAY = datetime.timedelta(days=1)
TRY_LATER = bytes.fromhex("30030a0103")
_OCSP_SIGNING = bytes.fromhex("06082b06010505070309")
_SERVER_AUTH = bytes.fromhex("06082b06010505070301")


def responder(
    authority: pyossl.Authority,
    *,
    may_sign: bool = True,
    key: PrivateKey | None = None,
    until: datetime.datetime = NOW + DAY,
) -> Credentials:
    """A responder whose certificate the authority has signed; ``may_sign``: with the right for OCSP responses."""
    extensions = [
        Extension("basicConstraints", der(SEQUENCE), critical=True),
        Extension("keyUsage", der(BIT_STRING, b"\x07\x80"), critical=True),
        Extension("extendedKeyUsage", der(SEQUENCE, _OCSP_SIGNING if may_sign else _SERVER_AUTH)),
    ]
    return _issue(authority.credentials, "a responder", extensions, NOW - 2 * DAY, until, key)


def signed_by(
    signer: Credentials,
    certificate: Certificate,
    issuer: Certificate,
    revoked: pyossl.Revoked | None = None,
    this_update: datetime.datetime = NOW - DAY,
    next_update: datetime.datetime | None = NOW + DAY,
    digest: Any = None,
) -> OCSPResponse:
    """A response about a certificate of ``issuer``, signed by ``signer``, also if that one has no right to sign it."""
    times = this_update, next_update
    return signed_ocsp_response(certificate, issuer, signer.certificate, signer.private_key, revoked, *times, digest)
