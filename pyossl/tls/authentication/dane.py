"""DANE: a client verifies the server by the TLSA records of the DNS, instead of, or in addition to, its authorities.

RFC 6698, RFC 7671, SSL_CTX_dane_enable(3)

Theory of operation
-------------------
A program takes the TLSA records of the server from a resolver that checks DNSSEC, and passes them to a connection.
One of them must match, or the handshake fails.  What else is verified depends on the record that matches:

- Usage 0 and 1: everything, as without DANE, and the record.
- Usage 2: the name and the validity of each certificate, up to the authority of the record.  The context need not trust
  this authority.
- Usage 3: the name, and nothing else: not the chain, not the validity.  ``ee_name_checks=False`` skips the name too.

OpenSSL looks for a match among the records of usage 3, then 2, 1 and 0.

Three things would get a server past the records, and are refused: a resumed session of a connection with other records
or none, because no certificate is verified again; a pre-shared key, because then there is no certificate; and a context
that does not verify, because OpenSSL's verdict is ignored then.  Nor does a connection without records resume a session
of one with records, whose server the context may not trust.  pyossl/_c/tls/authentication/dane.c keeps sessions apart.

With the usages 2 and 3 OpenSSL checks no certificate timestamps.  So a context that requires them is refused too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from pyossl.core import ffi, lib, own
from pyossl.core.arguments import flag, iterated
from pyossl.core.copying import Uncopied
from pyossl.core.errors import DecodeError, UsageError, check, check_ptr
from pyossl.core.library_context import LibraryContext
from pyossl.core.outcome import take_records
from pyossl.tls.sessions.session_settings import SessionSettings, digest_of
from pyossl.x509.certificate import Certificate, borrowed
from pyossl.x509.reference_name import reference_name
from pyossl.x509.tlsa_record import TLSARecord

_DANE_TA = 2


class DANE(Uncopied):
    """The TLSA records of a server: the argument ``dane`` of a connection.  SSL_dane_enable(3)

    - ``records``: a ``TLSARecord``, its text ``"3 1 1 5c3b…"``, or several of these: all records of the server,
      also those that cannot be used.
    - ``ee_name_checks``: False does not compare the server's name if a record of usage 3 matches, as RFC 7671 says.
      Protocols in which a server can lead a client to another server, as HTTPS does, need the comparison.  With the
      other usages the name is always compared.

    Records that are malformed, or that OpenSSL cannot use, are ignored, as RFC 6698 says: ``unusable``.  Raises
    ``DecodeError`` if none is left, with the reason for each, and for a text that is no record; and ``TypeError``.

    It is immutable, and can be used for many connections.  SSL_dane_tlsa_add(3), SSL_dane_set_flags(3)
    """

    __slots__ = ("_binding", "_ee_name_checks", "_records", "_unusable")

    _instead = "make another one with the same arguments"

    def __init__(self, records: str | TLSARecord | Iterable[str | TLSARecord], *, ee_name_checks: bool = True) -> None:
        self._ee_name_checks = flag(ee_name_checks, "ee_name_checks")
        several = (records,) if isinstance(records, (str, TLSARecord)) else iterated(records, "dane")
        tried = dict.fromkeys(map(_record_of, several))
        reasons = _reasons_against(tried)
        self._records = tuple(record for record in tried if record not in reasons)
        self._unusable = tuple(reasons.items())
        if not self._records:
            why = "; ".join(f"{record!r}: {reason}" for record, reason in self._unusable) or "there is none"
            raise DecodeError(f"no TLSA record can be used: {why}")
        every = sorted(str(record).encode() for record in self._records)
        self._binding = digest_of(b"DANE", bytes([self._ee_name_checks]), *every)

    @property
    def records(self) -> tuple[TLSARecord, ...]:
        """The records that can be used, without those that are there twice."""
        return self._records

    @property
    def unusable(self) -> tuple[tuple[TLSARecord, str], ...]:
        """The records that are ignored, each with OpenSSL's reason, for example ``dane tlsa bad digest length``."""
        return self._unusable

    @property
    def ee_name_checks(self) -> bool:
        """Whether the server's name is compared also if a record of usage 3 matches."""
        return self._ee_name_checks

    def __repr__(self) -> str:
        checks = "" if self._ee_name_checks else ", ee_name_checks=False"
        return f"<DANE {', '.join(map(repr, self._records))}{checks}>"


class DANEMatch(NamedTuple):
    """What the server was verified by.  SSL_get0_dane_authority(3)"""

    record: TLSARecord
    depth: int
    certificate: Certificate | None


DANEMatch.record.__doc__ = "The record that matched."  # type: ignore[misc]  # it is the field, which has a docstring
DANEMatch.depth.__doc__ = "The place of ``certificate`` in the chain; 0 is the server's own."
DANEMatch.certificate.__doc__ = """The certificate that matched.

None if the server did not send it, and the public key in a record ``2 1 0`` verified the last certificate that it sent.
Then ``depth`` is the place of that one."""


Records = str | TLSARecord | Iterable[str | TLSARecord] | DANE
"""What a connection takes as ``dane``."""


def records_of(dane: Records) -> DANE:
    """The ``DANE`` for an argument ``dane``.  Raises the exceptions of ``DANE``."""
    return dane if isinstance(dane, DANE) else DANE(dane)


def use_records(ssl: Any, context: SessionSettings, name: str, dane: DANE) -> bytes:
    """Makes a client verify the server by the records.  ``name`` is its ``server_hostname``; empty for none.

    Returns the session id context of the connection.  Raises ``UsageError`` if the records could be evaded.
    SSL_dane_enable(3)
    """
    if context.is_server:
        raise UsageError("dane is for clients: a server publishes its records in the DNS")
    if not context.verifies:
        raise UsageError("dane needs a context that verifies: this one accepts every certificate")
    if not name or reference_name(name).is_address:
        raise UsageError("dane needs the server's DNS name, for which the records are: server_hostname")
    if not context.checks_hostname:
        raise UsageError("dane needs a context that checks names; DANE(…, ee_name_checks=False) skips it for usage 3")
    if context._callbacks.psk_client is not None or context._callbacks.psk_use_session is not None:
        raise UsageError("dane is given, and with a pre-shared key there is no certificate that a record could match")
    if context._expected_keys:
        raise UsageError("dane and expect_public_keys exclude each other: a raw key that a record matches would do")
    if context._callbacks.requires_scts and any(record.usage >= _DANE_TA for record in dane._records):
        raise UsageError("this context requires certificate timestamps: OpenSSL checks none with the usages 2 and 3")
    _enable(ssl, name, dane._ee_name_checks, dane._binding)
    for record in dane._records:
        check(_add(ssl, record), f"adding {record!r}")
    return dane._binding


def match_of(ssl: Any, library_context: LibraryContext | None) -> DANEMatch | None:
    """The record that an ``SSL *`` was verified by, and what matched it; None for none.  SSL_get0_dane_tlsa(3)"""
    certificate = ffi.new("X509 **")
    depth = lib.SSL_get0_dane_authority(ssl, certificate, ffi.NULL)
    if depth < 0:
        return None
    usage, selector, matching_type = (ffi.new("uint8_t *") for _ in range(3))
    data, size = ffi.new("const unsigned char **"), ffi.new("size_t *")
    lib.SSL_get0_dane_tlsa(ssl, usage, selector, matching_type, data, size)
    record = TLSARecord(usage[0], selector[0], matching_type[0], bytes(ffi.buffer(data[0], size[0])))
    return DANEMatch(record, depth, borrowed(certificate[0], library_context))


def _record_of(record: Any) -> TLSARecord:
    if isinstance(record, TLSARecord):
        return record
    if not isinstance(record, str):
        raise TypeError(f"a TLSA record is a TLSARecord or its text, not {type(record).__name__}")
    return TLSARecord.parse(record)


def _reasons_against(records: Iterable[TLSARecord]) -> dict[TLSARecord, str]:
    """The records that OpenSSL cannot use, each with the reason.

    Only a connection knows: so they are tried with one that is not used, before the program connects.
    """
    take_records()
    context = own(check_ptr(lib.SSL_CTX_new(lib.TLS_client_method()), "SSL_CTX_new"), lib.SSL_CTX_free)
    ssl = own(check_ptr(lib.SSL_new(context), "SSL_new"), lib.SSL_free)
    _enable(ssl, "example.com", True, b"")
    reasons = {}
    for record in records:
        result = _add(ssl, record)
        entries = take_records()
        if result == 0:
            reasons[record] = entries[-1].reason if entries else "OpenSSL gave no reason"
        elif result < 0:
            raise MemoryError(f"there is no memory for {record!r}")
    return reasons


def _enable(ssl: Any, name: str, ee_name_checks: bool, binding: bytes) -> None:
    enabled = lib.pyossl_dane_enable(ssl, name.encode(), ee_name_checks, binding, len(binding))
    check(enabled, "SSL_dane_enable")


def _add(ssl: Any, record: TLSARecord) -> int:
    take_records()
    data = record.data
    added: int = lib.SSL_dane_tlsa_add(ssl, record.usage, record.selector, record.matching_type, data, len(data))
    return added
