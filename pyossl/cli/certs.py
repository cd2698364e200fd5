"""``python -m pyossl certs HOST[:PORT]`` shows a server's certificates as a tree, with everything that is wrong."""

from __future__ import annotations

import argparse
import datetime
import json
from typing import Any

from pyossl import Certificate, Connection, Verification
from pyossl.cli import options
from pyossl.cli.certificate_findings import Diagnosis, diagnose
from pyossl.cli.certificate_report import certificate_report, day, key, name_list, names, validity_time
from pyossl.cli.certificate_status import must_staple, ocsp_text, scts_text
from pyossl.cli.client_connection import ClientConnection, close_and_drain, connect, refusal
from pyossl.cli.command_parser import EXIT_STATUS, Commands, add_command
from pyossl.cli.connection_report import client_certificate_text, connection_report
from pyossl.cli.failure_report import failure_report
from pyossl.cli.observed_handshake import ObservedHandshake
from pyossl.cli.process import print_error
from pyossl.cli.screen import Screen, counted, printable


def add(commands: Commands) -> None:
    """Adds the argument parser of the command."""
    parser = add_command(
        commands,
        "certs",
        "show a server's certificates as a tree, with everything that is wrong",
        "Connects to a server even if its certificates are wrong, shows them as a tree with the root first, and lists "
        "everything that is wrong with them: expired, wrong name, unknown issuer, missing intermediate, weak key or "
        "signature, wrong order. "
        + EXIT_STATUS.format(fine="0 if nothing is wrong", failed="if something is wrong or there is no connection"),
        """
        python -m pyossl certs example.com
        python -m pyossl certs mail.example.com --starttls imap
        python -m pyossl certs 192.0.2.1 --servername www.example.com    # an address with several servers
        python -m pyossl certs localhost:4433 --ca ca.pem --json
        python -m pyossl certs example.com --pem > chain.pem             # the certificates that were sent
        """,
    )
    options.add_destination(parser)
    options.add_client(parser)
    parser.add_argument("--json", action="store_true", help="print JSON: the chain and everything that is wrong")
    parser.add_argument("--pem", action="store_true", help="print the certificates that were sent, in PEM")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Runs the command and returns its exit status."""
    context = options.client_context(arguments)
    options.ask_for_certificate_status(context)
    observed = ObservedHandshake(context)
    errors: list[Verification] = []

    def accept(connection: Connection, verification: Verification) -> bool:
        if not verification.ok:
            errors.append(verification)
        return True

    context.verify_callback = accept
    name = arguments.servername or arguments.destination.host
    connected = connect(
        arguments.destination.address(arguments.starttls),
        context,
        name,
        protocol=arguments.starttls,
        timeout=arguments.timeout,
        message_callback=observed.add,
    )
    refused = None
    with connected.tls as tls:
        connection = tls.connection
        diagnosis = diagnose(name, connection.peer_chain, connection.verified_chain, errors)
        status = _status(connected, observed, diagnosis)
        if observed.facts.certificate_request is not None:
            refused = refusal(close_and_drain(tls, arguments.timeout), observed.facts)
    if arguments.pem:
        screen.data(b"".join(certificate.to_pem() for certificate in diagnosis.sent).decode().rstrip())
    elif arguments.json:
        failed = None if refused is None else failure_report(refused)
        screen.data(json.dumps({**report(connected, name, diagnosis), **status, "error": failed}, indent=2))
    else:
        show(connected, name, diagnosis, screen)
        _show_status(status, screen)
    if refused is not None:
        print_error(printable(f"{type(refused).__name__}: {refused}"))
    return 1 if diagnosis.findings or refused is not None else 0


def _status(connected: ClientConnection, observed: ObservedHandshake, diagnosis: Diagnosis) -> dict[str, Any]:
    """What the server sent and asked for beside its certificates, as JSON values."""
    whole = connection_report(connected, observed)
    leaf = diagnosis.chain[0] if diagnosis.chain else None
    facts = {name: whole[name] for name in ("signature_algorithm", "ocsp", "scts", "client_certificate")}
    return {**facts, "must_staple": leaf is not None and must_staple(leaf)}


def _show_status(status: dict[str, Any], screen: Screen) -> None:
    screen.line()
    screen.field("signature", status["signature_algorithm"] or "none")
    is_missing = status["must_staple"] and status["ocsp"] is None
    must = ", but the certificate says that its server always staples one" if is_missing else ""
    screen.field("OCSP", ocsp_text(status["ocsp"]) + must, "red" if is_missing else "")
    screen.field("SCTs", scts_text(status["scts"]))
    screen.field("client cert", client_certificate_text(status["client_certificate"]))


def report(connected: ClientConnection, name: str, diagnosis: Diagnosis) -> dict[str, Any]:
    """The chain for ``--json``.  Each ``place`` is an index of ``chain``; 0 is the server's certificate."""
    return {
        "peer": connected.peer,
        "servername": name,
        "sent": [each.fingerprint().hex() for each in diagnosis.sent],
        "chain": [certificate_report(each) for each in diagnosis.chain],
        "trusted": diagnosis.is_trusted,
        "findings": [finding._asdict() for finding in diagnosis.findings],
        "notes": list(diagnosis.notes),
    }


def show(connected: ClientConnection, name: str, diagnosis: Diagnosis, screen: Screen) -> None:
    """Prints the tree and the findings."""
    screen.title(f"The certificates of {name}", f"{connected.peer}, {len(diagnosis.sent)} sent")
    screen.line()
    now = datetime.datetime.now(datetime.timezone.utc)
    indent = 2
    if not diagnosis.is_trusted and not diagnosis.chain[-1].is_self_signed:
        screen.text(f"? {diagnosis.chain[-1].issuer}", indent, "red")
        indent += len(screen.glyphs.branch) + 1
    for place, certificate in reversed(list(enumerate(diagnosis.chain))):
        kinds = [finding.kind for finding in diagnosis.findings if finding.place == place]
        branch = f"{screen.glyphs.branch} " if indent > 2 else ""
        screen.branch(indent - len(branch), branch, certificate.subject or "(no subject)", ", ".join(kinds))
        for line in _description(certificate, place, diagnosis, now):
            screen.text(line, indent, "dim")
        indent += len(screen.glyphs.branch) + 1
    screen.line()
    for finding in diagnosis.findings:
        subject = diagnosis.chain[finding.place].subject or "the certificate"
        screen.verdict(False, f"{finding.kind}: {subject}: {finding.why}")
    if not diagnosis.findings:
        screen.verdict(True, f"Nothing is wrong: {counted(len(diagnosis.chain), 'certificate')}, for {name}")
    for note in diagnosis.notes:
        screen.text(f"note: {note}", 4, "dim")


def _description(certificate: Certificate, place: int, diagnosis: Diagnosis, now: datetime.datetime) -> list[str]:
    first, last = validity_time(certificate, "not_before"), validity_time(certificate, "not_after")
    until = f"{day(first)} to {day(last)}"
    lines = [f"{key(certificate)}, {certificate.signature_algorithm}, {until}"]
    if last is not None and last >= now:
        lines[0] += f" ({counted((last - now).days, 'day')} left)"
    if place == 0:
        lines.append(f"for {name_list(names(certificate)) or 'no name'}")
    if certificate not in diagnosis.sent:
        lines.append("from the trust store")
    elif place == len(diagnosis.chain) - 1 and diagnosis.is_trusted:
        lines.append("sent, and also in the trust store")
    else:
        lines.append(f"sent as number {diagnosis.sent.index(certificate) + 1}")
    return lines
