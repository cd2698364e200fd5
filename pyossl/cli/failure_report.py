"""A failure as JSON values, for the option ``--json``."""

from __future__ import annotations

import base64
from typing import Any

from pyossl import AlertError, CertificateError, ECHError, Error, Record
from pyossl.cli.certificate_report import certificate_report


def failure_report(error: Exception) -> dict[str, Any]:
    """The facts of an exception, as JSON values.

    ``alert`` is the alert that the peer sent, ``verification`` says why a certificate was refused, and ``records`` are
    the entries of OpenSSL's error queue.  ``ech_retry_configs`` is the list with which ``client --ech`` can try again.
    """
    failure = error.failure if isinstance(error, Error) else None
    return {
        "type": type(error).__name__,
        "message": str(error),
        "operation": failure.operation if failure else None,
        "errno": error.errno if isinstance(error, OSError) else None,
        "alert": {"number": error.number, "name": error.description} if isinstance(error, AlertError) else None,
        "verification": _verification(error) if isinstance(error, CertificateError) else None,
        "ech_retry_configs": _retry_configs(error) if isinstance(error, ECHError) else None,
        "records": [_record(record) for record in error.records] if isinstance(error, Error) else [],
    }


def _verification(error: CertificateError) -> dict[str, Any]:
    certificate = error.certificate
    return {
        "code": error.code,
        "reason": error.reason,
        "depth": error.depth,
        "certificate": None if certificate is None else certificate_report(certificate),
    }


def _retry_configs(error: ECHError) -> str | None:
    return None if error.retry_configs is None else base64.b64encode(error.retry_configs).decode()


def _record(record: Record) -> dict[str, Any]:
    return {"library": record.library, "reason": record.reason, "data": record.data}
