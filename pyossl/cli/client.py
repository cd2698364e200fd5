"""``python -m pyossl client HOST[:PORT]`` connects standard input and output to a TLS server.

Only the bytes that the server sends go to standard output.  Information about the connection goes to standard error.
Two threads move the data, one for each direction.  With one thread, a server that sends back everything could block:
it would wait for us to read, while we wait for it to read.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import pyossl
from pyossl import DANE, ECHOffer, PublicKey, Session, Socket, UsageError
from pyossl.cli import connection_report, options
from pyossl.cli.client_connection import ClientConnection, close_and_drain, connect, refusal
from pyossl.cli.command_parser import EXIT_STATUS, Commands, WrongArgumentError, add_command
from pyossl.cli.failure_report import failure_report
from pyossl.cli.observed_handshake import ObservedHandshake
from pyossl.cli.process import FAILED, print_error
from pyossl.cli.screen import Screen, printable
from pyossl.cli.session_file import SessionFile

_CHUNK = 65536


def add(commands: Commands) -> None:
    """Adds the argument parser of the command."""
    parser = add_command(
        commands,
        "client",
        "connect standard input and output to a TLS server",
        "Connects, verifies the server, and prints information about the connection on standard error. Then it sends "
        "standard input to the server, and writes the bytes that the server sends to standard output. At the end of "
        "the input, it sends a close_notify and reads until the server closes. "
        + EXIT_STATUS.format(fine="0 after a clean close", failed="if TLS or the connection fails"),
        """
        python -m pyossl client example.com
        printf 'GET / HTTP/1.0\\r\\nHost: example.com\\r\\n\\r\\n' | python -m pyossl client example.com
        python -m pyossl client localhost:4433 --ca ca.pem --cert me.pem --key me.key
        python -m pyossl client mail.example.com --starttls smtp --crlf
        python -m pyossl client example.com --max 1.2 --ciphers ECDHE+AESGCM --trace
        python -m pyossl client example.com --session example.pem    # the second run resumes the session
        """,
    )
    options.add_destination(parser)
    options.add_client(parser)
    parser.add_argument(
        "--session", metavar="FILE", help="resume the session in this file, and store the newest session there"
    )
    parser.add_argument(
        "--early-data",
        metavar="FILE",
        help="send the bytes of this file before the server answers, if the session of --session allows it, otherwise "
        "first after the handshake; anyone can replay early data",
    )
    parser.add_argument(
        "--ech",
        metavar="LIST",
        help="encrypt the server's name, with the configurations (base64) of ech= in its DNS record of type HTTPS",
    )
    parser.add_argument(
        "--public-key",
        action="append",
        metavar="FILE",
        help="accept only a server that shows this raw public key (PEM), without a certificate; can be repeated",
    )
    parser.add_argument(
        "--dane",
        metavar="RECORD",
        action="append",
        help="verify the server by this TLSA record of the DNS, for example '3 1 1 5c3b…'; can be repeated",
    )
    parser.add_argument("--no-verify", action="store_true", help="accept every certificate")
    parser.add_argument(
        "--require-ocsp", action="store_true", help="refuse a server that staples no OCSP response, or a bad one"
    )
    parser.add_argument(
        "--sct-logs",
        metavar="FILE",
        help="refuse a server without a timestamp of a log in this file, a list as for CTLOG_STORE_load_file(3)",
    )
    parser.add_argument("--crlf", action="store_true", help="send line ends as CR LF, for text protocols such as SMTP")
    parser.add_argument("--trace", action="store_true", help="show each TLS message with its size and time")
    parser.add_argument("--keylog", metavar="FILE", help="append the connection's secrets to this file, for Wireshark")
    parser.add_argument(
        "--json", action="store_true", help="print information about the connection as JSON, and send no data"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Runs the command and returns its exit status."""
    notes = Screen(sys.stderr)
    _check_what_is_verified(arguments)
    context = options.client_context(arguments, verify=not arguments.no_verify)
    if arguments.public_key:
        with options.errors_as_wrong_arguments():
            context.expect_public_keys(PublicKey.load(file) for file in arguments.public_key)
    if arguments.sct_logs is not None:
        with options.errors_as_wrong_arguments():
            context.verify_scts(arguments.sct_logs, required=True)
    options.ask_for_certificate_status(context, scts=arguments.sct_logs is None)
    if arguments.require_ocsp:
        context.verify_ocsp(required=True)
    address = arguments.destination.address(arguments.starttls)
    name = arguments.servername or arguments.destination.host
    if arguments.keylog:
        options.log_keys(context, arguments.keylog)
    session, file = None, None
    early_data = _early_data(arguments)
    if arguments.session:
        file = SessionFile(arguments, address, name)
        session = file.load(context)
    with options.errors_as_wrong_arguments():
        ech = None if arguments.ech is None else ECHOffer(arguments.ech)
        dane = None if arguments.dane is None else DANE(arguments.dane)
    for record, reason in () if dane is None else dane.unusable:
        notes.field("ignored", f"TLSA record {record}: {reason}", "yellow")
    sessions: list[Session] = []
    context.new_session_callback = lambda connection, new: sessions.append(new)
    observed = ObservedHandshake(context, notes if arguments.trace else None)
    try:
        connected = connect(
            address,
            context,
            name,
            protocol=arguments.starttls,
            timeout=arguments.timeout,
            message_callback=observed.add,
            session=session,
            early_data=early_data if session is not None and len(early_data) <= session.max_early_data else None,
            ech=ech,
            dane=dane,
        )
    except UsageError as error:  # such as --dane with an address, which has no DNS name
        raise WrongArgumentError(str(error)) from error
    except (pyossl.Error, OSError) as error:
        if not arguments.json:
            raise
        failed = {"servername": name, **connection_report.observed_report(observed), "error": failure_report(error)}
        return _print_failure(screen, failed, error)
    with connected.tls as tls:
        try:
            if arguments.json:
                # In TLS 1.3, session tickets, and the alert of a server that refuses us, come after the handshake.
                ended = close_and_drain(tls, arguments.timeout)
                report = connection_report.connection_report(connected, observed)
                if (refused := refusal(ended, observed.facts)) is not None:
                    return _print_failure(screen, {**report, "error": failure_report(refused)}, refused)
                screen.data(json.dumps(report, indent=2))
            else:
                _show(connected, observed, notes)
                _move_data(tls, screen, b"" if tls.early_data_accepted else early_data, arguments.crlf)
        finally:
            if file is not None and sessions:
                file.save(sessions[-1])
    return 0


def _check_what_is_verified(arguments: argparse.Namespace) -> None:
    """Raises ``WrongArgumentError`` if an option verifies what another one excludes."""
    of_certificates = {
        "--require-ocsp": arguments.require_ocsp,
        "--sct-logs": arguments.sct_logs is not None,
        "--dane": arguments.dane is not None,
    }
    for option, is_given in {**of_certificates, "--public-key": arguments.public_key is not None}.items():
        if is_given and arguments.no_verify:
            raise WrongArgumentError(f"{option} verifies the server: remove --no-verify")
    for option, is_given in of_certificates.items():
        if is_given and arguments.public_key is not None:
            raise WrongArgumentError(
                f"{option} verifies a certificate, and --public-key accepts none: give one of them"
            )


def _early_data(arguments: argparse.Namespace) -> bytes:
    """The bytes of the file of ``--early-data``; ``b""`` without the option."""
    if arguments.early_data is None:
        return b""
    if arguments.session is None:
        raise WrongArgumentError("--early-data needs --session, the file of the session that allows it")
    with options.errors_as_wrong_arguments():
        return Path(arguments.early_data).read_bytes()


def _print_failure(screen: Screen, report: dict[str, Any], error: Exception) -> int:
    screen.data(json.dumps(report, indent=2))
    print_error(printable(f"{type(error).__name__}: {error}"))
    return FAILED


def _show(connected: ClientConnection, observed: ObservedHandshake, notes: Screen) -> None:
    connection_report.show(connection_report.connection_report(connected, observed), notes)
    notes.line()


def _move_data(tls: Socket, screen: Screen, first: bytes, crlf: bool) -> None:
    """Sends ``first`` and standard input, and writes the peer's data to standard output, until the peer closes."""
    tls.settimeout(None)
    sender = threading.Thread(target=_send_data, args=[tls, first, crlf], daemon=True)
    sender.start()
    while data := tls.recv(_CHUNK):
        screen.raw(data)


def _send_data(tls: Socket, first: bytes, crlf: bool) -> None:
    # os.read, not sys.stdin: a thread that waits in a buffered read holds its lock, and Python then aborts at exit.
    with contextlib.suppress(pyossl.Error, OSError):  # the reading thread gets the error too, and reports it
        tls.sendall(first)
        before = b""
        # sys.stdin is None if the shell has closed it.  Its number may belong to another file now.
        while data := os.read(sys.stdin.fileno(), _CHUNK) if sys.stdin else b"":
            tls.sendall(with_crlf(data, before) if crlf else data)
            before = data[-1:]
        tls.shutdown(socket.SHUT_WR)


def with_crlf(data: bytes, before: bytes) -> bytes:
    """Replaces each LF without a CR by CR LF.  ``before`` is the byte that came before ``data``, or ``b""``."""
    done = 1 if before == b"\r" and data[:1] == b"\n" else 0
    return data[:done] + re.sub(rb"(?<!\r)\n", b"\r\n", data[done:])
