"""What is wrong with a server's certificates, and why.

OpenSSL judges: its verify callback is told of every error that it finds in the chain that it builds, and is told to go
on each time, so that not only the first one is known.  What is added here is the explanation, and what OpenSSL does not
judge: the order in which the certificates were sent, and keys that the system's policy lets pass.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from pyossl import Certificate, DecodeError, Verification
from pyossl.cli import facts
from pyossl.cli.screen import counted
from pyossl.core.outcome import VerifyCode

_LEAST_SECURITY_BITS = 112
"""What NIST SP 800-57 asks for since 2014: RSA 2048, EC 224."""
_SOON = datetime.timedelta(days=14)
_BROKEN_DIGESTS = ("md5", "sha1")

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
"""In the order in which they are shown: OpenSSL's own is not the same in every version."""


class Finding(NamedTuple):
    """What is wrong, in a word or two, and why; and the place in the chain of the certificate that it is about."""

    kind: str
    why: str
    place: int


class Diagnosis(NamedTuple):
    """A server's certificates: as sent, as a chain, what is wrong, and what is only worth knowing.

    ``chain`` begins with the server's own certificate and goes as far up as OpenSSL could build it.
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
    """What is wrong with the certificates of a server that is meant to be ``name``.

    ``built`` is the chain that OpenSSL made of those that were sent, and ``errors`` what its verify callback was told.
    """
    moment = now or datetime.datetime.now(datetime.timezone.utc)
    chain = built or sent[:1]
    found = [_explained(error, name, sent, chain, moment) for error in errors]
    found += _weak(chain)
    found += _malformed(chain)
    found += _out_of_order(sent, chain)
    unique = {(finding.place, _KINDS.index(finding.kind)): finding for finding in reversed(found)}
    findings = [unique[each] for each in sorted(unique)]
    diagnosis = Diagnosis(sent, chain, tuple(findings), ())
    return diagnosis._replace(notes=tuple(_notes(diagnosis, moment)))


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
        names = facts.listed(facts.names(certificate)) or f"no name (a subject, {certificate.subject}, is none)"
        return Finding(WRONG_NAME, f"it is for {names}, and not for {name}", place)
    if error.code in _SELF_SIGNED:
        return Finding(UNKNOWN, f"{certificate.subject} has signed itself, and is not trusted", place)
    if error.code in _UNKNOWN_ISSUER:
        return _issuer_unknown(certificate, place, sent, chain)
    if error.code in _WEAK:
        kind = WEAK_SIGNATURE if error.code == VerifyCode.CA_MD_TOO_WEAK else WEAK_KEY
        what = certificate.signature_algorithm if kind == WEAK_SIGNATURE else facts.key(certificate)
        return Finding(kind, f"{what}: this system's policy refuses it ({error.reason})", place)
    return Finding(REFUSED, error.reason, place)


def _wrong_time(error: Verification, certificate: Certificate, place: int, now: datetime.datetime) -> Finding:
    first, last = facts.moment(certificate, "not_before"), facts.moment(certificate, "not_after")
    if error.code == VerifyCode.CERT_NOT_YET_VALID and first is not None:
        return Finding(NOT_YET, f"valid from {first:%Y-%m-%d %H:%M} UTC, in {_span(first - now)}", place)
    if error.code == VerifyCode.CERT_HAS_EXPIRED and last is not None:
        return Finding(EXPIRED, f"at {last:%Y-%m-%d %H:%M} UTC, {_span(now - last)} ago", place)
    return Finding(REFUSED, error.reason, place)


def _issuer_unknown(
    certificate: Certificate, place: int, sent: tuple[Certificate, ...], chain: tuple[Certificate, ...]
) -> Finding:
    if certificate.malformed_extensions:
        why = f"whether {certificate.issuer} is trusted was not looked at, because an extension is malformed"
        return Finding(UNKNOWN, why, place)
    for other in sent:
        if other not in chain and other.subject_name == certificate.issuer_name and (wrong := facts.malformed(other)):
            issuer = f"{other.subject}, the issuer of {certificate.subject},"
            why = f"{issuer} was sent, and nobody can go by what it says in {facts.listed(wrong)}: it is malformed"
            return Finding(UNKNOWN, why, place)
    missing = f"{certificate.issuer}, which signed {certificate.subject}, was not sent and is not trusted"
    if any(_is_ca(other) for other in sent if other not in chain):
        return Finding(MISSING, f"{missing}: what was sent besides does not join on to it", place)
    if place == 0:
        return Finding(
            MISSING_OR_UNKNOWN,
            f"{missing}: the server leaves a certificate out, or its authority is not in the trust store",
            place,
        )
    return Finding(UNKNOWN, missing, place)


def _is_ca(certificate: Certificate) -> bool:
    try:
        return certificate.is_ca
    except DecodeError:
        return False


def _malformed(chain: tuple[Certificate, ...]) -> Iterator[Finding]:
    for place, certificate in enumerate(chain):
        if wrong := facts.malformed(certificate):
            yield Finding(MALFORMED, f"nobody can go by what it says in {facts.listed(wrong)}", place)


def _weak(chain: tuple[Certificate, ...]) -> Iterator[Finding]:
    for place, certificate in enumerate(chain):
        try:
            bits = certificate.public_key.security_bits
        except DecodeError:
            continue
        if bits < _LEAST_SECURITY_BITS:
            yield Finding(WEAK_KEY, f"{facts.key(certificate)} is worth {bits} bits of security", place)
        algorithm = certificate.signature_algorithm.lower().replace("-", "")
        # Who trusts a root trusts its key, whatever it has signed itself with.
        if not certificate.is_self_signed and any(digest in algorithm for digest in _BROKEN_DIGESTS):
            yield Finding(WEAK_SIGNATURE, f"{certificate.signature_algorithm} can be forged", place)


def _out_of_order(sent: tuple[Certificate, ...], chain: tuple[Certificate, ...]) -> Iterator[Finding]:
    places = [sent.index(certificate) for certificate in chain if certificate in sent]
    for above, (first, second) in enumerate(pairwise(places), 1):
        if second < first:
            yield Finding(
                ORDER,
                f"it was sent as number {second + 1}, and the one that it signed after it, as number {first + 1}",
                above,
            )


def _notes(diagnosis: Diagnosis, now: datetime.datetime) -> Iterator[str]:
    sent, chain = diagnosis.sent, diagnosis.chain
    extra = [certificate for certificate in sent if certificate not in chain]
    if diagnosis.is_trusted and extra:
        yield f"sent, and not needed: {'; '.join(certificate.subject for certificate in extra)}"
    for certificate in extra:
        if wrong := facts.malformed(certificate):
            yield f"sent, and malformed in {facts.listed(wrong)}: {certificate.subject}"
    if any(certificate.is_self_signed for certificate in sent[1:]):
        yield "the root was sent too: a client that trusts it has it already"
    for certificate in chain:
        last = facts.moment(certificate, "not_after")
        if last is not None and datetime.timedelta(0) <= last - now < _SOON:
            yield f"{certificate.subject} expires in {_span(last - now)}"


def _span(span: datetime.timedelta) -> str:
    hours = int(span.total_seconds()) // 3600
    return counted(span.days, "day") if span.days else counted(hours, "hour") if hours else "less than an hour"
