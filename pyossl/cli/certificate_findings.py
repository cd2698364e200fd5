"""Finds everything that is wrong with a server's certificates, and explains it.

OpenSSL builds and verifies the chain.  It calls the verify callback for every error, and the callback accepts each one,
so that OpenSSL continues to the next error.  This module explains the errors, and adds checks that OpenSSL does not
make: the order in which the certificates were sent, and weak keys that the system's policy allows.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from pyossl import Certificate, DecodeError, Verification
from pyossl.cli.certificate_report import key, malformed, name_list, names, validity_time
from pyossl.cli.screen import counted
from pyossl.core.outcome import VerifyCode
from pyossl.x509.signing import LEAST_SECURITY_BITS

_SOON = datetime.timedelta(days=14)
BROKEN_DIGESTS = ("md5", "sha1")

_UNKNOWN_ISSUER = (
    VerifyCode.UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
    VerifyCode.UNABLE_TO_GET_ISSUER_CERT,
    VerifyCode.UNABLE_TO_VERIFY_LEAF_SIGNATURE,
)
_SELF_SIGNED = (VerifyCode.DEPTH_ZERO_SELF_SIGNED_CERT, VerifyCode.SELF_SIGNED_CERT_IN_CHAIN)
_WRONG_NAME = (VerifyCode.HOSTNAME_MISMATCH, VerifyCode.IP_ADDRESS_MISMATCH)
_WRONG_TIME = (VerifyCode.CERT_HAS_EXPIRED, VerifyCode.CERT_NOT_YET_VALID)
_WEAK = (VerifyCode.EE_KEY_TOO_SMALL, VerifyCode.CA_KEY_TOO_SMALL, VerifyCode.CA_MD_TOO_WEAK)


WRONG_NAME = "wrong name"
EXPIRED, NOT_YET = "expired", "not yet valid"
MISSING, UNKNOWN = "missing intermediate", "unknown issuer"
MISSING_OR_UNKNOWN = f"{MISSING} or {UNKNOWN}"
WEAK_KEY, WEAK_SIGNATURE = "weak key", "weak signature"
ORDER = "wrong order"
MALFORMED = "malformed"
REFUSED = "refused"

_UNTRUSTED = (MISSING, UNKNOWN, MISSING_OR_UNKNOWN)
_KINDS = (WRONG_NAME, EXPIRED, NOT_YET, *_UNTRUSTED, WEAK_KEY, WEAK_SIGNATURE, ORDER, MALFORMED, REFUSED)
"""The kinds in the order of the output.  The order of OpenSSL's errors differs between versions."""


class Finding(NamedTuple):
    """An error: its kind, an explanation, and the place of the certificate in the chain."""

    kind: str
    why: str
    place: int


class Diagnosis(NamedTuple):
    """A server's certificates as they were sent, the chain that OpenSSL built, the errors, and notes.

    ``chain`` begins with the server's certificate.  It ends with the root, or with the last certificate whose issuer
    OpenSSL did not find.  ``notes`` are remarks that are not errors.
    """

    sent: tuple[Certificate, ...]
    chain: tuple[Certificate, ...]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]

    @property
    def is_trusted(self) -> bool:
        """Whether the chain ends with a certificate that is trusted."""
        return not any(finding.kind in _UNTRUSTED for finding in self.findings)


def diagnose(
    name: str,
    sent: tuple[Certificate, ...],
    built: tuple[Certificate, ...],
    errors: Sequence[Verification],
    now: datetime.datetime | None = None,
) -> Diagnosis:
    """Finds everything that is wrong with the certificates of the server ``name``.

    ``sent`` are the certificates that the server sent, ``built`` is the chain that OpenSSL built from them, and
    ``errors`` are the arguments of the verify callback.  ``now`` is the time to check; the default is the current time.
    """
    time = now or datetime.datetime.now(datetime.timezone.utc)
    chain = built or sent[:1]
    found = [_explained(error, name, sent, chain, time) for error in errors]
    found += _weak_algorithms(chain)
    found += _malformed_fields(chain)
    found += _wrong_order(sent, chain)
    unique = {(finding.place, _KINDS.index(finding.kind)): finding for finding in reversed(found)}
    findings = [unique[each] for each in sorted(unique)]
    diagnosis = Diagnosis(sent, chain, tuple(findings), ())
    return diagnosis._replace(notes=tuple(_notes(diagnosis, time)))


def _explained(
    error: Verification,
    name: str,
    sent: tuple[Certificate, ...],
    chain: tuple[Certificate, ...],
    now: datetime.datetime,
) -> Finding:
    place = min(error.depth, len(chain) - 1)
    certificate = error.certificate or chain[place]
    if error.code in _WRONG_TIME:
        return _wrong_time(error, certificate, place, now)
    if error.code in _WRONG_NAME:
        its_names = name_list(names(certificate)) or f"no name (the subject, {certificate.subject}, is not used)"
        return Finding(WRONG_NAME, f"it is for {its_names}, and not for {name}", place)
    if error.code in _SELF_SIGNED:
        return Finding(UNKNOWN, f"{certificate.subject} is self-signed and not trusted", place)
    if error.code in _UNKNOWN_ISSUER:
        return _issuer_unknown(certificate, place, sent, chain)
    if error.code in _WEAK:
        kind = WEAK_SIGNATURE if error.code == VerifyCode.CA_MD_TOO_WEAK else WEAK_KEY
        algorithm = certificate.signature_algorithm if kind == WEAK_SIGNATURE else key(certificate)
        return Finding(kind, f"{algorithm}: this system's policy refuses it ({error.reason})", place)
    return Finding(REFUSED, error.reason, place)


def _wrong_time(error: Verification, certificate: Certificate, place: int, now: datetime.datetime) -> Finding:
    first, last = validity_time(certificate, "not_before"), validity_time(certificate, "not_after")
    if error.code == VerifyCode.CERT_NOT_YET_VALID and first is not None:
        return Finding(NOT_YET, f"valid from {first:%Y-%m-%d %H:%M} UTC, in {_span(first - now)}", place)
    if error.code == VerifyCode.CERT_HAS_EXPIRED and last is not None:
        return Finding(EXPIRED, f"at {last:%Y-%m-%d %H:%M} UTC, {_span(now - last)} ago", place)
    return Finding(REFUSED, error.reason, place)


def _issuer_unknown(
    certificate: Certificate, place: int, sent: tuple[Certificate, ...], chain: tuple[Certificate, ...]
) -> Finding:
    if certificate.malformed_extensions:
        why = f"OpenSSL did not check whether {certificate.issuer} is trusted, because an extension is malformed"
        return Finding(UNKNOWN, why, place)
    for other in sent:
        if other not in chain and other.subject_name == certificate.issuer_name and (wrong := malformed(other)):
            issuer = f"{other.subject}, the issuer of {certificate.subject},"
            why = f"{issuer} was sent, but cannot be used, because it is malformed: {name_list(wrong)}"
            return Finding(UNKNOWN, why, place)
    missing = f"{certificate.issuer}, which signed {certificate.subject}, was not sent and is not trusted"
    if any(_is_ca(other) for other in sent if other not in chain):
        return Finding(MISSING, f"{missing}: the other certificates that were sent do not continue the chain", place)
    if place == 0:
        return Finding(
            MISSING_OR_UNKNOWN,
            f"{missing}: the server omits a certificate, or its authority is not in the trust store",
            place,
        )
    return Finding(UNKNOWN, missing, place)


def _is_ca(certificate: Certificate) -> bool:
    try:
        return certificate.is_ca
    except DecodeError:
        return False


def _malformed_fields(chain: tuple[Certificate, ...]) -> Iterator[Finding]:
    for place, certificate in enumerate(chain):
        if wrong := malformed(certificate):
            yield Finding(MALFORMED, f"these fields cannot be used: {name_list(wrong)}", place)


def _weak_algorithms(chain: tuple[Certificate, ...]) -> Iterator[Finding]:
    for place, certificate in enumerate(chain):
        try:
            bits = certificate.public_key.security_bits
        except DecodeError:
            continue
        if bits < LEAST_SECURITY_BITS:
            yield Finding(WEAK_KEY, f"{key(certificate)} has {bits} bits of security", place)
        algorithm = certificate.signature_algorithm.lower().replace("-", "")
        # A trusted root is trusted by its key.  The signature on it does not matter.
        if not certificate.is_self_signed and any(digest in algorithm for digest in BROKEN_DIGESTS):
            yield Finding(WEAK_SIGNATURE, f"{certificate.signature_algorithm} can be forged", place)


def _wrong_order(sent: tuple[Certificate, ...], chain: tuple[Certificate, ...]) -> Iterator[Finding]:
    places = [sent.index(certificate) for certificate in chain if certificate in sent]
    for above, (first, second) in enumerate(pairwise(places), 1):
        if second < first:
            yield Finding(
                ORDER,
                f"it was sent as number {second + 1}, before the certificate that it signed, number {first + 1}",
                above,
            )


def _notes(diagnosis: Diagnosis, now: datetime.datetime) -> Iterator[str]:
    sent, chain = diagnosis.sent, diagnosis.chain
    extra = [certificate for certificate in sent if certificate not in chain]
    if diagnosis.is_trusted and extra:
        yield f"sent, but not needed: {'; '.join(certificate.subject for certificate in extra)}"
    for certificate in extra:
        if wrong := malformed(certificate):
            yield f"sent, but malformed in {name_list(wrong)}: {certificate.subject}"
    if any(certificate.is_self_signed for certificate in sent[1:]):
        yield "the root was sent, but a client that trusts it already has it"
    for certificate in chain:
        last = validity_time(certificate, "not_after")
        if last is not None and datetime.timedelta(0) <= last - now < _SOON:
            yield f"{certificate.subject} expires in {_span(last - now)}"


def _span(span: datetime.timedelta) -> str:
    hours = int(span.total_seconds()) // 3600
    return counted(span.days, "day") if span.days else counted(hours, "hour") if hours else "less than an hour"
