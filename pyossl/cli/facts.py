"""What is known of a connection after its handshake: for people, and as JSON.

``of_connection`` and ``of_certificate`` gather; ``show`` prints the same facts.
"""

from __future__ import annotations

import datetime
from typing import Any

from pyossl import Certificate, DecodeError, GeneralNameType
from pyossl.cli.destination import Arrival
from pyossl.cli.ladder import Ladder
from pyossl.cli.screen import Screen, counted

_MOST_NAMES = 8


def of_connection(arrival: Arrival, ladder: Ladder) -> dict[str, Any]:
    """What a client knows once the handshake is finished."""
    connection = arrival.tls.connection
    session, shown = connection.session, connection.peer_certificate
    # A resumed connection is shown no chain: what it knows of the peer is in the session.
    chain = connection.verified_chain or connection.peer_chain or ((shown,) if shown else ())
    return {
        "peer": arrival.peer,
        "servername": connection.server_hostname,
        "version": connection.version,
        "cipher": connection.cipher,
        "group": connection.group,
        "alpn": connection.alpn,
        "verified": connection.context.verifies,
        "verified_name": connection.verified_name,
        "chain": [of_certificate(each) for each in chain],
        "session": {
            "resumed": connection.session_reused,
            "lifetime": None if session is None else session.timeout,
        },
        "handshake": {
            "tcp_ms": round(arrival.tcp_seconds * 1000, 3),
            "dialogue_ms": round(arrival.dialogue_seconds * 1000, 3),
            "ms": round(ladder.milliseconds, 3),
            "bytes_sent": ladder.size(outgoing=True),
            "bytes_received": ladder.size(outgoing=False),
            "messages": [rung._asdict() for rung in ladder.rungs],
        },
    }


def of_certificate(certificate: Certificate) -> dict[str, Any]:
    """What a certificate says, as far as a person at a command line cares."""
    return {
        "subject": certificate.subject,
        "issuer": certificate.issuer,
        "names": names(certificate),
        "serial_number": f"{certificate.serial_number:x}",
        "not_before": _isoformat(moment(certificate, "not_before")),
        "not_after": _isoformat(moment(certificate, "not_after")),
        "key": key(certificate),
        "signature_algorithm": certificate.signature_algorithm,
        "malformed": malformed(certificate),
        "sha256": certificate.fingerprint().hex(),
    }


MALFORMED = "(malformed)"


def moment(certificate: Certificate, which: str) -> datetime.datetime | None:
    """``not_before`` or ``not_after``; None where it is malformed."""
    try:
        found: datetime.datetime = getattr(certificate, which)
    except DecodeError:
        return None
    return found


def day(moment: datetime.datetime | str | None) -> str:
    """The date of a moment, for people."""
    return MALFORMED if moment is None else str(moment)[: len("2026-12-31")]


def _isoformat(moment: datetime.datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def malformed(certificate: Certificate) -> list[str]:
    """What of a certificate is malformed: its extensions, by OpenSSL's short names, and its times."""
    times = {"not_before": "notBefore", "not_after": "notAfter"}
    wrong = [name for which, name in times.items() if moment(certificate, which) is None]
    return wrong + list(certificate.malformed_extensions)


def names(certificate: Certificate) -> list[str]:
    """The names that a certificate is for, such as ``DNS:example.com``."""
    try:
        return [
            str(name).replace("IPADD:", "IP:", 1) if name.type is GeneralNameType.IPADD else str(name)
            for name in certificate.subject_alt_names
        ]
    except DecodeError:
        return [MALFORMED]


def key(certificate: Certificate) -> str:
    """The type and size of a certificate's key, such as ``RSA 2048``, or its curve."""
    try:
        public_key = certificate.public_key
    except DecodeError:
        return "(of a type that this OpenSSL cannot read)"
    if public_key.group:
        return f"{public_key.type} {public_key.group}"
    return f"{public_key.type} {public_key.bits}" if public_key.type.startswith("RSA") else public_key.type


def listed(names: list[str]) -> str:
    """Names for people: the first few, and how many more there are."""
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def show(facts: dict[str, Any], screen: Screen) -> None:
    """Prints what ``of_connection`` has gathered."""
    chain, session, handshake = facts["chain"], facts["session"], facts["handshake"]
    screen.title(f"Connected to {facts['servername']}", facts["peer"])
    screen.field("version", facts["version"])
    screen.field("cipher", facts["cipher"])
    screen.field("group", facts["group"] or "none")
    screen.field("ALPN", facts["alpn"] or "none")
    if facts["verified"] and session["resumed"]:
        screen.field("verified", "yes, when the session was new", "green")
    elif facts["verified"]:
        screen.field("verified", f"yes, as {facts['verified_name'] or facts['servername']}", "green")
    else:
        screen.field("verified", "no: --no-verify accepts anybody", "yellow")
    for place, certificate in enumerate(chain):
        screen.field("certificate" if place == 0 else "issued by", certificate["subject"] or "(no subject)")
        if place == 0:
            screen.field("", f"for {listed(certificate['names']) or 'no name'}")
            screen.field("", f"{certificate['key']}, {certificate['signature_algorithm']}")
            screen.field("", f"from {day(certificate['not_before'])} to {day(certificate['not_after'])}")
            screen.field("", f"SHA-256 {certificate['sha256']}")
        if certificate["malformed"]:
            screen.field("", f"malformed: {listed(certificate['malformed'])}", "red")
    if chain and chain[-1]["issuer"] != chain[-1]["subject"]:
        screen.field("issued by", chain[-1]["issuer"])
    lifetime = "" if session["lifetime"] is None else f", can be resumed for {session['lifetime']} s"
    screen.field("session", ("resumed" if session["resumed"] else "new") + lifetime)
    messages = counted(len(handshake["messages"]), "message")
    screen.field(
        "handshake",
        f"{handshake['ms']:.2f} ms, {messages}, {handshake['bytes_sent']} bytes sent, "
        f"{handshake['bytes_received']} received; TCP before that {handshake['tcp_ms']:.2f} ms",
    )
