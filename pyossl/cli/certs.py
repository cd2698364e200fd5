"""``python -m pyossl certs HOST[:PORT]``: a server's certificates as a tree, what is wrong with them, and why."""

from __future__ import annotations

import argparse
import datetime
import json
from typing import Any

from pyossl import Certificate, Connection, Verification
from pyossl.cli import facts, options
from pyossl.cli.destination import Arrival, arrive
from pyossl.cli.findings import Diagnosis, diagnose
from pyossl.cli.screen import Screen, counted
from pyossl.cli.usage import EXIT_STATUS, Commands, command


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "certs",
        "a server's certificates as a tree, what is wrong with them, and why",
        "Connects to a server whatever its certificates are, shows them as a tree, the root first, and says all that "
        "is wrong with them: expired, for another name, from an unknown issuer, an intermediate that is missing, a "
        "weak key or signature, the wrong order. "
        + EXIT_STATUS.format(fine="0 when nothing is wrong", failed="when something is, or without a connection"),
        """
        python -m pyossl certs example.com
        python -m pyossl certs mail.example.com --starttls imap
        python -m pyossl certs 192.0.2.1 --servername www.example.com    # one server of several
        python -m pyossl certs localhost:4433 --ca ca.pem --json
        python -m pyossl certs example.com --pem > chain.pem             # the certificates as they were sent
        """,
    )
    options.add_destination(parser)
    options.add_client(parser)
    parser.add_argument("--json", action="store_true", help="the same as JSON")
    parser.add_argument("--pem", action="store_true", help="print the certificates as they were sent, in PEM")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    context = options.client_context(arguments)
    errors: list[Verification] = []

    def take(connection: Connection, verification: Verification) -> bool:
        if not verification.ok:
            errors.append(verification)
        return True

    context.verify_callback = take
    name = arguments.servername or arguments.destination.host
    arrival = arrive(
        arguments.destination.address(arguments.starttls),
        context,
        name,
        protocol=arguments.starttls,
        timeout=arguments.timeout,
    )
    with arrival.tls as tls:
        connection = tls.connection
        diagnosis = diagnose(name, connection.peer_chain, connection.verified_chain, errors)
    if arguments.pem:
        screen.data(b"".join(certificate.to_pem() for certificate in diagnosis.sent).decode().rstrip())
    elif arguments.json:
        screen.data(json.dumps(gathered(arrival, name, diagnosis), indent=2))
    else:
        show(arrival, name, diagnosis, screen)
    return 1 if diagnosis.findings else 0


def gathered(arrival: Arrival, name: str, diagnosis: Diagnosis) -> dict[str, Any]:
    """What ``--json`` prints; each ``place`` is one of ``chain``, the server's own certificate first."""
    return {
        "peer": arrival.peer,
        "servername": name,
        "sent": [each.fingerprint().hex() for each in diagnosis.sent],
        "chain": [facts.of_certificate(each) for each in diagnosis.chain],
        "trusted": diagnosis.is_trusted,
        "findings": [finding._asdict() for finding in diagnosis.findings],
        "notes": list(diagnosis.notes),
    }


def show(arrival: Arrival, name: str, diagnosis: Diagnosis, screen: Screen) -> None:
    """Prints the tree and the findings."""
    screen.title(f"The certificates of {name}", f"{arrival.peer}, {len(diagnosis.sent)} sent")
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
        for line in _described(certificate, place, diagnosis, now):
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


def _described(certificate: Certificate, place: int, diagnosis: Diagnosis, now: datetime.datetime) -> list[str]:
    first, last = facts.moment(certificate, "not_before"), facts.moment(certificate, "not_after")
    until = f"{facts.day(first)} to {facts.day(last)}"
    lines = [f"{facts.key(certificate)}, {certificate.signature_algorithm}, {until}"]
    if last is not None and last >= now:
        lines[0] += f" ({counted((last - now).days, 'day')} left)"
    if place == 0:
        lines.append(f"for {facts.listed(facts.names(certificate)) or 'no name'}")
    if certificate not in diagnosis.sent:
        lines.append("from the trust store")
    elif place == len(diagnosis.chain) - 1 and diagnosis.is_trusted:
        lines.append("sent, and in the trust store")
    else:
        lines.append(f"sent as number {diagnosis.sent.index(certificate) + 1}")
    return lines
