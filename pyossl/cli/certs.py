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
from pyossl.cli.client_connection import ClientConnection, connect
from pyossl.cli.command_parser import EXIT_STATUS, Commands, add_command
from pyossl.cli.screen import Screen, counted


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
    )
    with connected.tls as tls:
        connection = tls.connection
        diagnosis = diagnose(name, connection.peer_chain, connection.verified_chain, errors)
    if arguments.pem:
        screen.data(b"".join(certificate.to_pem() for certificate in diagnosis.sent).decode().rstrip())
    elif arguments.json:
        screen.data(json.dumps(report(connected, name, diagnosis), indent=2))
    else:
        show(connected, name, diagnosis, screen)
    return 1 if diagnosis.findings else 0


def report(connected: ClientConnection, name: str, diagnosis: Diagnosis) -> dict[str, Any]:
    """The values that ``--json`` prints.  Each ``place`` is an index of ``chain``; 0 is the server's certificate."""
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
