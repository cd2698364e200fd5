"""Makes OCSP responses.  OCSP_basic_sign(3)"""

from __future__ import annotations

import datetime
from typing import Any

from pyossl.core import ffi, lib, own
from pyossl.core.errors import check, check_ptr, require
from pyossl.core.outcome import take_records
from pyossl.x509.asn1 import asn1_time
from pyossl.x509.certificate import Certificate
from pyossl.x509.crl import Revoked
from pyossl.x509.keys import PrivateKey
from pyossl.x509.ocsp_response import OCSPResponse, OCSPResponseStatus, OCSPStatus
from pyossl.x509.signing import digest_for

_NO_REASON = -1


def signed_ocsp_response(
    certificate: Certificate,
    issuer: Certificate,
    signer: Certificate,
    key: PrivateKey,
    revoked: Revoked | None,
    this_update: datetime.datetime,
    next_update: datetime.datetime | None,
    digest: Any = None,
) -> OCSPResponse:
    """A response about ``certificate``: that it is ``revoked``, or good.  ``signer`` has ``key`` and signs it.

    The certificate of a signer that is not ``issuer`` is in the response.  ``digest`` is an ``EVP_MD *``; None for that
    of the key.  OCSP_basic_add1_status(3)
    """
    require(lib.HAVE_OCSP, "OCSP")
    take_records()
    # The identifier has SHA-1 digests, which every client can compare (RFC 5019, 2.1.1).  They protect nothing.
    identifier = lib.OCSP_cert_to_id(ffi.NULL, certificate._x509, issuer._x509)
    identifier = own(check_ptr(identifier, "OCSP_cert_to_id"), lib.OCSP_CERTID_free)
    basic = own(check_ptr(lib.OCSP_BASICRESP_new(), "OCSP_BASICRESP_new"), lib.OCSP_BASICRESP_free)
    status = OCSPStatus.GOOD if revoked is None else OCSPStatus.REVOKED
    reason = _NO_REASON if revoked is None or revoked.reason is None else revoked.reason
    revoked_at = ffi.NULL if revoked is None else asn1_time(revoked.revoked_at)
    first, last = asn1_time(this_update), ffi.NULL if next_update is None else asn1_time(next_update)
    added = lib.OCSP_basic_add1_status(basic, identifier, status, reason, revoked_at, first, last)
    check_ptr(added, "OCSP_basic_add1_status")
    flags = lib.OCSP_NOCERTS if signer == issuer else 0
    signed = lib.OCSP_basic_sign(basic, signer._x509, key._key, digest or digest_for(key), ffi.NULL, flags)
    check(signed, f"signing with a key of type {key.type!r}")
    response = lib.OCSP_response_create(OCSPResponseStatus.SUCCESSFUL, basic)
    return OCSPResponse(own(check_ptr(response, "OCSP_response_create"), lib.OCSP_RESPONSE_free))
