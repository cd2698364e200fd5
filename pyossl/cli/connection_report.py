"""Information about a connection whose handshake is finished, as JSON and as text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pyossl import Certificate, Connection, ECHStatus, Name, Session, features
from pyossl.cli import code_points
from pyossl.cli.certificate_report import certificate_report, day, name_list
from pyossl.cli.certificate_status import ocsp_report, ocsp_text, scts_report, scts_text
from pyossl.cli.client_connection import ClientConnection
from pyossl.cli.handshake_facts import HandshakeFacts
from pyossl.cli.handshake_ladder import Ladder
from pyossl.cli.keying_material import Export, channel_bindings, exported
from pyossl.cli.observed_handshake import ObservedHandshake
from pyossl.cli.screen import Screen, counted


def connection_report(
    connected: ClientConnection, observed: ObservedHandshake, exports: Iterable[Export] = ()
) -> dict[str, Any]:
    """The properties of a connection, as JSON values.  Raises ``Error`` if one of ``exports`` is refused."""
    ladder, facts = observed.ladder, observed.facts
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
        "dh_bits": facts.dh_bits,
        "signature_algorithm": _signature_algorithm(facts.server_signature_algorithm),
        "alpn": connection.alpn,
        "ech": _ech(connection),
        "dane": _dane(connection),
        "verified": connection.context.verifies,
        "verified_name": connection.verified_name,
        "psk_identity": observed.psk_identity,
        "raw_public_key": _raw_public_key(connection),
        "chain": [certificate_report(each) for each in chain],
        "ocsp": ocsp_report(connection.ocsp_response, leaf, _issuer(connection)),
        "scts": scts_report(facts.scts, leaf),
        "client_certificate": _client_certificate(facts, connection.peer_ca_names),
        "offered": facts.offer and facts.offer.as_json(observed.suites),
        "session": {
            "resumed": _is_resumed(connection, observed),
            "lifetime": None if session is None else _lifetime(session),
            "early_data_accepted": connection.early_data_accepted,
        },
        "channel_bindings": channel_bindings(connection),
        "exported": exported(connection, exports),
        "handshake": {
            "tcp_ms": round(connected.tcp_seconds * 1000, 3),
            "dialogue_ms": round(connected.dialogue_seconds * 1000, 3),
            **_messages(ladder),
        },
    }


def _is_resumed(connection: Connection, observed: ObservedHandshake) -> bool:
    """Whether the connection resumes another one.  For OpenSSL, a pre-shared key of TLS 1.3 is a session too."""
    return connection.session_reused and observed.psk_identity is None


def _raw_public_key(connection: Connection) -> dict[str, Any] | None:
    """The key that a server has shown without a certificate; None if it has a certificate."""
    key = None if connection.peer_certificate is not None else connection.peer_public_key
    return None if key is None else {"type": key.type, "bits": key.bits, "pem": key.to_pem().decode()}


def _issuer(connection: Connection) -> Certificate | None:
    """The issuer of the peer's certificate, if it is verified."""
    chain = connection.verified_chain if connection.context.verifies else ()
    return chain[:2][-1] if chain else None


def observed_report(observed: ObservedHandshake) -> dict[str, Any]:
    """What is known of a connection whose handshake failed, as JSON values."""
    facts = observed.facts
    suite = observed.suites.get(facts.cipher or 0)
    return {
        "version": None if facts.version is None else code_points.version(facts.version),
        "cipher": suite and suite.name,
        "signature_algorithm": _signature_algorithm(facts.server_signature_algorithm),
        "client_certificate": _client_certificate(facts, ()),
        "offered": facts.offer and facts.offer.as_json(observed.suites),
        "handshake": _messages(observed.ladder),
    }


def handshake_report(
    connection: Connection, observed: ObservedHandshake, exports: Iterable[Export] = ()
) -> dict[str, Any]:
    """A handshake from the server's side, as JSON values.  Raises ``Error`` if one of ``exports`` is refused."""
    facts, certificate = observed.facts, connection.peer_certificate
    return {
        "version": connection.version,
        "cipher": connection.cipher,
        "group": connection.group or (None if facts.group is None else code_points.group(facts.group)),
        "signature_algorithm": _signature_algorithm(facts.server_signature_algorithm),
        "alpn": connection.alpn,
        "ech": _ech(connection),
        "servername": connection.server_hostname,
        "psk_identity": observed.psk_identity,
        "resumed": _is_resumed(connection, observed),
        "client_certificate": None
        if facts.certificate_request is None
        else {
            "sent": bool(facts.client_sent_certificate),
            "signature_algorithm": _signature_algorithm(facts.client_signature_algorithm),
            "certificate": None if certificate is None else certificate_report(certificate),
        },
        "exported": exported(connection, exports),
        "offered": facts.offer and facts.offer.as_json(observed.suites),
        "handshake": _messages(observed.ladder),
    }


def handshake_text(connection: Connection, observed: ObservedHandshake) -> str:
    """A handshake from the server's side, in one line."""
    facts, certificate = observed.facts, connection.peer_certificate
    signature = _signature_algorithm(facts.server_signature_algorithm)
    is_missing = facts.certificate_request is not None and certificate is None
    parts = [
        connection.version,
        connection.cipher,
        connection.group,
        signature and f"signed with {signature}",
        connection.alpn and f"ALPN {connection.alpn}",
        connection.server_hostname and f"for {connection.server_hostname}",
        _ech_text(_ech(connection)),
        observed.psk_identity and f"pre-shared key {observed.psk_identity!r}",
        "resumed" if _is_resumed(connection, observed) else None,
        certificate and f"client {certificate.subject}",
        "no client certificate" if is_missing else None,
    ]
    return ", ".join(part for part in parts if part)


def _ech(connection: Connection) -> dict[str, Any] | None:
    """What became of Encrypted Client Hello; None if nothing was tried."""
    if not features.ech or (ech := connection.ech).status in (ECHStatus.NOT_CONFIGURED, ECHStatus.NOT_TRIED):
        return None
    return {"status": ech.status.value, "outer_servername": ech.outer_server_name}


def _ech_text(report: dict[str, Any] | None) -> str | None:
    """What became of Encrypted Client Hello, in a few words; None if nothing was tried."""
    if report is None:
        return None
    shown = f", {report['outer_servername']} in the clear" if report["outer_servername"] else ""
    return f"ECH {report['status']}{shown}"


def _dane(connection: Connection) -> dict[str, Any] | None:
    """The TLSA record that the server was verified by; None for none."""
    match = connection.dane_match
    return None if match is None else {"record": str(match.record), "depth": match.depth}


def _messages(ladder: Ladder) -> dict[str, Any]:
    return {
        "ms": round(ladder.milliseconds, 3),
        "bytes_sent": ladder.size(outgoing=True),
        "bytes_received": ladder.size(outgoing=False),
        "messages": [rung._asdict() for rung in ladder.rungs],
    }


def _signature_algorithm(number: int | None) -> str | None:
    return None if number is None else code_points.signature_algorithm(number)


def _client_certificate(facts: HandshakeFacts, authorities: Iterable[Name]) -> dict[str, Any] | None:
    """The server's request for a client certificate, and the answer; None if it did not ask."""
    request = facts.certificate_request
    if request is None:
        return None
    return {
        "authorities": [str(name) for name in authorities],
        "signature_algorithms": [code_points.signature_algorithm(number) for number in request.signature_algorithms],
        "sent": bool(facts.client_sent_certificate),
        "signature_algorithm": _signature_algorithm(facts.client_signature_algorithm),
    }


def client_certificate_text(report: dict[str, Any] | None) -> str:
    """Whether the server asked for a client certificate, of which authorities, and whether it was sent, in one line."""
    if report is None:
        return "not asked for"
    sent = "sent" if report["sent"] else "asked for, none sent"
    names = report["authorities"]
    return f"{sent}; authorities: {name_list(names)}" if names else f"{sent}; any authority"


def show_client_certificate(connection: Connection, observed: ObservedHandshake, screen: Screen) -> None:
    """Prints whether the server has asked for a client certificate up to now, and whether it was sent."""
    report = _client_certificate(observed.facts, connection.peer_ca_names)
    screen.field("client cert", client_certificate_text(report))


def _lifetime(session: Session) -> int:
    """For how many seconds the session can be resumed: the server may have promised less than this side's limit."""
    return min(session.timeout, session.ticket_lifetime_hint or session.timeout)


def show(report: dict[str, Any], screen: Screen) -> None:
    """Prints the result of ``connection_report``."""
    chain, session, handshake = report["chain"], report["session"], report["handshake"]
    screen.title(f"Connected to {report['servername']}", report["peer"])
    screen.field("version", report["version"])
    screen.field("cipher", report["cipher"])
    dh = f"Diffie-Hellman, {report['dh_bits']} bits" if report["dh_bits"] else "none"
    screen.field("group", report["group"] or dh)
    screen.field("signature", report["signature_algorithm"] or "none")
    screen.field("ALPN", report["alpn"] or "none")
    if (ech := _ech_text(report["ech"])) is not None:
        screen.field("ECH", ech.removeprefix("ECH "))
    if report["dane"] is not None:
        screen.field("DANE", f"{report['dane']['record']} (depth {report['dane']['depth']})")
    if report["psk_identity"] is not None:
        screen.field("PSK", report["psk_identity"])
    if report["psk_identity"] is not None and not chain:
        screen.field("verified", "yes, by the pre-shared key", "green")
    elif report["verified"] and session["resumed"]:
        screen.field("verified", "yes, when the session was new", "green")
    elif report["verified"] and report["raw_public_key"]:
        screen.field("verified", "yes, by its raw public key", "green")
    elif report["verified"]:
        screen.field("verified", f"yes, as {report['verified_name'] or report['servername']}", "green")
    else:
        screen.field("verified", "no: --no-verify accepts every certificate", "yellow")
    if (raw := report["raw_public_key"]) is not None:
        screen.field("public key", f"{raw['type']} {raw['bits']} bits, without a certificate")
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
    screen.field("OCSP", ocsp_text(report["ocsp"]))
    screen.field("SCTs", scts_text(report["scts"]))
    screen.field("client cert", client_certificate_text(report["client_certificate"]))
    lifetime = "" if session["lifetime"] is None else f", can be resumed for {session['lifetime']} s"
    screen.field("session", ("resumed" if session["resumed"] else "new") + lifetime)
    if session["early_data_accepted"] is not None:
        screen.field("early data", "accepted" if session["early_data_accepted"] else "refused")
    for export in report["exported"]:
        screen.field("exported", f"{export['label']}: {export['hex']}")
    messages = counted(len(handshake["messages"]), "message")
    screen.field(
        "handshake",
        f"{handshake['ms']:.2f} ms, {messages}, {handshake['bytes_sent']} bytes sent, "
        f"{handshake['bytes_received']} received; TCP before that {handshake['tcp_ms']:.2f} ms",
    )
