"""Information about a connection whose handshake is finished, as JSON and as text."""

from __future__ import annotations

from typing import Any

from pyossl import Session
from pyossl.cli.certificate_report import certificate_report, day, name_list
from pyossl.cli.client_connection import ClientConnection
from pyossl.cli.handshake_ladder import Ladder
from pyossl.cli.screen import Screen, counted


def connection_report(connected: ClientConnection, ladder: Ladder) -> dict[str, Any]:
    """The properties of a connection, as JSON values."""
    connection = connected.tls.connection
    session, leaf = connection.session, connection.peer_certificate
    # On a resumed connection the server sends no certificates: the session contains the server's own certificate.
    chain = connection.verified_chain or connection.peer_chain or ((leaf,) if leaf else ())
    return {
        "peer": connected.peer,
        "servername": connection.server_hostname,
        "version": connection.version,
        "cipher": connection.cipher,
        "group": connection.group,
        "alpn": connection.alpn,
        "verified": connection.context.verifies,
        "verified_name": connection.verified_name,
        "chain": [certificate_report(each) for each in chain],
        "session": {
            "resumed": connection.session_reused,
            "lifetime": None if session is None else _lifetime(session),
        },
        "handshake": {
            "tcp_ms": round(connected.tcp_seconds * 1000, 3),
            "dialogue_ms": round(connected.dialogue_seconds * 1000, 3),
            "ms": round(ladder.milliseconds, 3),
            "bytes_sent": ladder.size(outgoing=True),
            "bytes_received": ladder.size(outgoing=False),
            "messages": [rung._asdict() for rung in ladder.rungs],
        },
    }


def _lifetime(session: Session) -> int:
    """For how many seconds the session can be resumed: the server may have promised less than this side's limit."""
    return min(session.timeout, session.ticket_lifetime_hint or session.timeout)


def show(report: dict[str, Any], screen: Screen) -> None:
    """Prints the result of ``connection_report``."""
    chain, session, handshake = report["chain"], report["session"], report["handshake"]
    screen.title(f"Connected to {report['servername']}", report["peer"])
    screen.field("version", report["version"])
    screen.field("cipher", report["cipher"])
    screen.field("group", report["group"] or "none")
    screen.field("ALPN", report["alpn"] or "none")
    if report["verified"] and session["resumed"]:
        screen.field("verified", "yes, when the session was new", "green")
    elif report["verified"]:
        screen.field("verified", f"yes, as {report['verified_name'] or report['servername']}", "green")
    else:
        screen.field("verified", "no: --no-verify accepts every certificate", "yellow")
    for place, certificate in enumerate(chain):
        screen.field("certificate" if place == 0 else "issued by", certificate["subject"] or "(no subject)")
        if place == 0:
            screen.field("", f"for {name_list(certificate['names']) or 'no name'}")
            screen.field("", f"{certificate['key']}, {certificate['signature_algorithm']}")
            screen.field("", f"from {day(certificate['not_before'])} to {day(certificate['not_after'])}")
            screen.field("", f"SHA-256 {certificate['sha256']}")
        if certificate["malformed"]:
            screen.field("", f"malformed: {name_list(certificate['malformed'])}", "red")
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
