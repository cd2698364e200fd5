"""A certificate as the dictionary that the standard library's ``ssl.SSLSocket.getpeercert`` returns.

C writes all facts in the format of ``marshal`` (pyossl/_c/x509/certificate_facts.c), from which Python makes the
dictionary: two calls, where a property for each fact takes several times as long.
"""

from __future__ import annotations

from collections.abc import Callable
from marshal import loads
from typing import Any

from pyossl.core import ffi, lib
from pyossl.core.errors import DecodeError, failed
from pyossl.x509.certificate import Certificate

_ROOM = 4096
_facts, _buffer = lib.pyossl_certificate_facts, ffi.buffer
_new = ffi.new_allocator(should_clear_after_alloc=False)  # C writes each byte that is read
_BYTES = ffi.typeof("unsigned char[]")


def peercert(certificate: Certificate) -> dict[str, Any]:
    """The facts of a certificate, as the standard library tells them.

    ``subject``, ``issuer``, ``version``, ``serialNumber``, ``notBefore``, ``notAfter``; and, if the certificate has
    them, ``subjectAltName``, ``OCSP``, ``caIssuers`` and ``crlDistributionPoints``.  Raises ``DecodeError`` for a
    malformed text.  X509_get_ext_d2i(3)
    """
    return facts_of(certificate._x509)


def facts_of(x509: Any) -> dict[str, Any]:
    """``peercert`` for an ``X509 *``, which is borrowed."""
    facts: dict[str, Any] = facts_that(_facts, x509)
    return facts


def facts_that(write: Callable[[Any, Any, int], int], of: Any) -> Any:
    """The dictionary that ``write`` has written, a function of C such as ``pyossl_certificate_facts``.

    A result of ``write`` that means neither facts nor a failure is returned: a number below 0.
    """
    out = _new(_BYTES, _ROOM)
    size = write(of, out, _ROOM)
    if size > _ROOM:
        out = _new(_BYTES, size)
        size = write(of, out, size)
    if size >= 0:
        return loads(_buffer(out, size))
    if size == lib.PYOSSL_FACTS_TEXT:
        raise DecodeError("a text in the certificate is not UTF-8")
    if size == lib.PYOSSL_FACTS_ERROR:
        raise failed("reading a certificate", DecodeError)
    return size
