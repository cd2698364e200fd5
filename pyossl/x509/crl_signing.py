"""Makes CRLs.  X509_CRL_new(3), X509_CRL_sign(3)"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import Any

from pyossl.core import lib, own
from pyossl.core.errors import check, check_ptr
from pyossl.core.outcome import take_records
from pyossl.x509.asn1 import asn1_integer, asn1_time
from pyossl.x509.certificate import Certificate
from pyossl.x509.crl import CRL, Revoked, new_crl
from pyossl.x509.der_writing import ENUMERATED, der, integer_der
from pyossl.x509.extensions import Extension
from pyossl.x509.keys import PrivateKey
from pyossl.x509.pem_and_der import output_of
from pyossl.x509.signing import digest_for

_VERSION_2 = 1


def signed_crl(
    issuer: Certificate,
    key: PrivateKey,
    entries: Iterable[Revoked],
    extensions: Iterable[Extension],
    last_update: datetime.datetime,
    next_update: datetime.datetime,
    number: int,
) -> CRL:
    """A CRL of ``issuer`` with these entries, signed with its ``key``.

    The extension crlNumber is added to ``extensions``.  X509_CRL_sign(3)
    """
    take_records()
    crl = own(new_crl(key._library_context), lib.X509_CRL_free)
    check(lib.X509_CRL_set_version(crl, _VERSION_2), "X509_CRL_set_version")
    check(lib.X509_CRL_set_issuer_name(crl, issuer.subject_name._name), "X509_CRL_set_issuer_name")
    check(lib.X509_CRL_set1_lastUpdate(crl, asn1_time(last_update)), "X509_CRL_set1_lastUpdate")
    check(lib.X509_CRL_set1_nextUpdate(crl, asn1_time(next_update)), "X509_CRL_set1_nextUpdate")
    for entry in entries:
        _add(crl, entry)
    check(lib.X509_CRL_sort(crl), "X509_CRL_sort")
    for extension in (*extensions, Extension("crlNumber", integer_der(number))):
        check(lib.X509_CRL_add_ext(crl, extension._extension, -1), "X509_CRL_add_ext")
    check(lib.X509_CRL_sign(crl, key._key, digest_for(key)), f"signing with a key of type {key.type!r}")
    # OpenSSL reads the extensions of a CRL only when it decodes it.
    return CRL._from_der(output_of(lib.i2d_X509_CRL_bio, crl))


def _add(crl: Any, entry: Revoked) -> None:
    revoked = own(check_ptr(lib.X509_REVOKED_new(), "X509_REVOKED_new"), lib.X509_REVOKED_free)
    number = asn1_integer(entry.serial_number)
    check(lib.X509_REVOKED_set_serialNumber(revoked, number), "X509_REVOKED_set_serialNumber")
    check(lib.X509_REVOKED_set_revocationDate(revoked, asn1_time(entry.revoked_at)), "X509_REVOKED_set_revocationDate")
    if entry.reason:  # RFC 5280, 5.3.1: the code for "unspecified" is left out
        reason = Extension("CRLReason", der(ENUMERATED, bytes([entry.reason])))
        check(lib.X509_REVOKED_add_ext(revoked, reason._extension, -1), "X509_REVOKED_add_ext")
    # The CRL takes its own copy over: what `own` has returned stays ours.
    copy = check_ptr(lib.X509_REVOKED_dup(revoked), "X509_REVOKED_dup")
    if lib.X509_CRL_add0_revoked(crl, copy) != 1:
        lib.X509_REVOKED_free(copy)
        check(0, "X509_CRL_add0_revoked")
