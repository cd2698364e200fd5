"""``python -m pyossl request FILE`` shows a certificate request (CSR), with everything that is wrong."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

from pyossl import CertificateRequest, DecodeError, PrivateKey
from pyossl.cli import options
from pyossl.cli.certificate_findings import BROKEN_DIGESTS, MALFORMED, WEAK_KEY, WEAK_SIGNATURE
from pyossl.cli.certificate_report import key, name_list, names
from pyossl.cli.command_parser import EXIT_STATUS, Commands, WrongArgumentError, add_command
from pyossl.cli.screen import Screen
from pyossl.x509.signing import LEAST_SECURITY_BITS

WRONG_SIGNATURE, WRONG_KEY, NO_NAME = "wrong signature", "wrong key", "no name"
_STANDARD_INPUT = "-"


class Finding(NamedTuple):
    """Something that is wrong with a request: its kind, and the reason."""

    kind: str
    why: str


def add(commands: Commands) -> None:
    """Adds the argument parser of the command."""
    parser = add_command(
        commands,
        "request",
        "show a certificate request (CSR), with everything that is wrong",
        "Shows the subject, names, key and extensions that a certificate request asks for, and lists everything that "
        "is wrong with it: wrong signature, weak key or signature, malformed extensions, no name, the key of another "
        "request. " + EXIT_STATUS.format(fine="0 if nothing is wrong", failed="if something is wrong"),
        """
        python -m pyossl request request.pem
        python -m pyossl request request.pem --key key.pem    # is this its private key?
        cat request.der | python -m pyossl request - --json
        """,
    )
    parser.add_argument("file", metavar="FILE", help="the request, PEM or DER; - for standard input")
    parser.add_argument("--key", metavar="FILE", help="compare the request with this private key (PEM or DER)")
    parser.add_argument(
        "--password-file", metavar="FILE", help="the first line of this file is the password of the key"
    )
    parser.add_argument("--json", action="store_true", help="print JSON: the request and everything that is wrong")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Runs the command and returns its exit status."""
    if arguments.password_file is not None and arguments.key is None:
        raise WrongArgumentError("--password-file is given without --key; give the key's file with --key")
    with options.errors_as_wrong_arguments():
        is_read = arguments.file == _STANDARD_INPUT
        request = CertificateRequest.load(sys.stdin.buffer.read() if is_read else arguments.file)
        private_key = None
        if arguments.key is not None:
            private_key = PrivateKey.load(arguments.key, options.password_of(arguments))
    findings = list(_findings(request, private_key))
    if arguments.json:
        screen.data(json.dumps(report(request, findings), indent=2))
    else:
        show(arguments.file, request, findings, screen)
    return 1 if findings else 0


def report(request: CertificateRequest, findings: list[Finding]) -> dict[str, Any]:
    """The values that ``--json`` prints."""
    return {
        "subject": request.subject,
        "names": names(request),
        "key": key(request),
        "signature_algorithm": request.signature_algorithm,
        "extensions": _extensions(request),
        "sha256": request.fingerprint().hex(),
        "findings": [finding._asdict() for finding in findings],
    }


def show(file: str, request: CertificateRequest, findings: list[Finding], screen: Screen) -> None:
    """Prints the request and the findings."""
    screen.title("A certificate request", "" if file == _STANDARD_INPUT else file)
    screen.field("subject", request.subject or "none")
    screen.field("names", name_list(names(request)) or "none")
    screen.field("key", key(request))
    screen.field("signature", request.signature_algorithm)
    screen.field("extensions", ", ".join(_extensions(request)) or "none")
    screen.field("SHA-256", request.fingerprint().hex())
    screen.line()
    for finding in findings:
        screen.verdict(False, f"{finding.kind}: {finding.why}")
    if not findings:
        screen.verdict(True, "Nothing is wrong: it was signed with its own key")


def _extensions(request: CertificateRequest) -> list[str]:
    try:
        return [f"{each.name}{' (critical)' if each.critical else ''}" for each in request.extensions]
    except DecodeError:
        return [MALFORMED]


def _findings(request: CertificateRequest, private_key: PrivateKey | None) -> Iterator[Finding]:
    if not request.is_signature_valid:
        yield Finding(WRONG_SIGNATURE, "it was not signed with its own key, or it was changed afterwards")
    yield from _of_the_key(request, private_key)
    algorithm = request.signature_algorithm
    if any(digest in algorithm.lower().replace("-", "") for digest in BROKEN_DIGESTS):
        yield Finding(WEAK_SIGNATURE, f"{algorithm} can be forged")
    try:
        if malformed := request.malformed_extensions:
            yield Finding(MALFORMED, f"{name_list(list(malformed))} cannot be read, or occurs twice")
        elif not request.subject_alt_names:
            yield Finding(NO_NAME, "it asks for no alternative name, and programs do not use the subject")
    except DecodeError as error:
        yield Finding(MALFORMED, str(error))


def _of_the_key(request: CertificateRequest, private_key: PrivateKey | None) -> Iterator[Finding]:
    try:
        bits = request.public_key.security_bits
    except DecodeError as error:
        yield Finding(MALFORMED, str(error))
        return
    if bits < LEAST_SECURITY_BITS:
        yield Finding(WEAK_KEY, f"{key(request)} has {bits} bits of security")
    if private_key is not None and not request.belongs_to(private_key):
        yield Finding(WRONG_KEY, "the private key is that of another request")
