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
from collections import deque
from pathlib import Path
from typing import Any

import pyossl
from pyossl import DANE, ECHOffer, Message, PublicKey, Session, Socket, UsageError
from pyossl.cli import connection_report, keying_material, options, pre_shared_keys
from pyossl.cli.client_connection import close_and_drain, connect, refusal
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
        "--psk",
        action="append",
        metavar="IDENTITY:KEY",
        help="accept also a server without a certificate that knows this pre-shared key (hex), whose hash is SHA-256; "
        "other users can see the arguments of a program: @FILE takes the line IDENTITY:KEY from a file",
    )
    parser.add_argument(
        "--dane",
        metavar="RECORD",
        action="append",
        help="verify the server by this TLSA record of the DNS, for example '3 1 1 5c3b…'; can be repeated",
    )
    parser.add_argument(
        "--post-handshake-auth",
        action="store_true",
        help="allow the server to ask for the client's certificate after the handshake (TLS 1.3), and wait at the end "
        "until it has asked",
    )
    parser.add_argument(
        "--renegotiate", action="store_true", help="do a second handshake before any data (TLS 1.2 and older)"
    )
    parser.add_argument(
        "--update-keys",
        action="store_true",
        help="change the keys of both directions before any data, and say at the end whether the server did (TLS 1.3)",
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
    keying_material.add_export(parser)
    parser.add_argument("--trace", action="store_true", help="show each TLS message with its size and time")
    parser.add_argument("--keylog", metavar="FILE", help="append the connection's secrets to this file, for Wireshark")
    parser.add_argument(
        "--json", action="store_true", help="print information about the connection as JSON, and send no data"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Runs the command and returns its exit status."""
    notes = Screen(sys.stderr)
    _check_options(arguments)
    context = options.client_context(arguments, verify=not arguments.no_verify)
    if arguments.public_key:
        with options.errors_as_wrong_arguments():
            context.expect_public_keys(PublicKey.load(file) for file in arguments.public_key)
    keys = pre_shared_keys.loaded(arguments.psk or ())
    if keys:
        pre_shared_keys.use(context, keys, arguments.ciphers)
    if arguments.sct_logs is not None:
        with options.errors_as_wrong_arguments():
            context.verify_scts(arguments.sct_logs, required=True)
    options.ask_for_certificate_status(context, scts=arguments.sct_logs is None)
    if arguments.require_ocsp:
        context.verify_ocsp(required=True)
    context.post_handshake_auth = arguments.post_handshake_auth
    if arguments.renegotiate:
        context.allow_renegotiation()
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
    sessions: deque[Session] = deque(maxlen=1)  # the newest: a server can send any number
    context.new_session_callback = lambda connection, new: sessions.append(new)
    observed = ObservedHandshake(context, notes if arguments.trace else None, keys)
    late = _LateAnswer(observed, arguments.timeout) if arguments.post_handshake_auth else None
    try:
        connected = connect(
            address,
            context,
            name,
            protocol=arguments.starttls,
            timeout=arguments.timeout,
            message_callback=observed.add if late is None else late.add,
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
        return _print_failure(screen, _report_of_failure(name, observed, error), error)
    with connected.tls as tls:
        if arguments.renegotiate:
            try:
                tls.renegotiate()
            except (pyossl.Error, OSError) as error:
                if not arguments.json:
                    raise
                return _print_failure(screen, _report_of_failure(name, observed, error), error)
        try:
            if arguments.json:
                # In TLS 1.3, session tickets, and the alert of a server that refuses us, come after the handshake.
                ended = close_and_drain(tls, arguments.timeout)
                report = connection_report.connection_report(connected, observed, arguments.export or ())
                if (refused := refusal(ended, observed.facts)) is not None:
                    return _print_failure(screen, {**report, "error": failure_report(refused)}, refused)
                screen.data(json.dumps(report, indent=2))
            else:
                report = connection_report.connection_report(connected, observed, arguments.export or ())
                connection_report.show(report, notes)
                notes.line()
                if arguments.update_keys:
                    tls.update_keys(request_peer=True)
                first = b"" if tls.early_data_accepted else early_data
                late = late if tls.version == "TLSv1.3" else None
                if not (arguments.trace or arguments.update_keys or late):
                    observed.end()
                _move_data(tls, screen, first, arguments.crlf, late)
                screen.flush()
                if arguments.update_keys:
                    notes.field("key update", _answer_to_key_update(observed))
                if late is not None:
                    connection_report.show_client_certificate(tls.connection, observed, notes)
        finally:
            if file is not None and sessions:
                file.save(sessions[-1])
    return 0


def _check_options(arguments: argparse.Namespace) -> None:
    """Raises ``WrongArgumentError`` for options that exclude each other."""
    of_certificates = {
        "--require-ocsp": arguments.require_ocsp,
        "--sct-logs": arguments.sct_logs is not None,
        "--dane": arguments.dane is not None,
    }
    if arguments.json and arguments.update_keys:
        raise WrongArgumentError("a server changes its key before it sends data, and --json reads none: remove one")
    if arguments.json and arguments.post_handshake_auth:
        raise WrongArgumentError("with --json, the client closes before a server can ask for a certificate: remove one")
    others = {"--public-key": arguments.public_key is not None, "--psk": arguments.psk is not None}
    for option, is_given in {**of_certificates, **others}.items():
        if is_given and arguments.no_verify:
            raise WrongArgumentError(f"{option} verifies the server: remove --no-verify")
    for option, is_given in of_certificates.items():
        if is_given and arguments.public_key is not None:
            raise WrongArgumentError(
                f"{option} verifies a certificate, and --public-key accepts none: give one of them"
            )
        if is_given and arguments.psk:
            raise WrongArgumentError(f"{option} verifies a certificate, and with --psk a server may have none")
    if arguments.psk and arguments.public_key is not None:
        raise WrongArgumentError("--psk and --public-key each accept a server without a certificate: give one of them")
    if arguments.psk and arguments.session is not None:
        raise WrongArgumentError("--psk verifies the server, and a resumed session would not: remove --session")


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


def _report_of_failure(name: str, observed: ObservedHandshake, error: Exception) -> dict[str, Any]:
    return {"servername": name, **connection_report.observed_report(observed), "error": failure_report(error)}


def _answer_to_key_update(observed: ObservedHandshake) -> str:
    if any(rung.name == "KeyUpdate" and not rung.outgoing for rung in observed.ladder.rungs):
        return "the server has changed its key too"
    return "no answer: a server changes its key before it sends data again"


class _LateAnswer:
    """Whether the client has answered a request for its certificate after the handshake (TLS 1.3)."""

    def __init__(self, observed: ObservedHandshake, timeout: float) -> None:
        self._is_sent = threading.Event()
        self._observed = observed
        self._timeout = timeout
        self._finished = 0

    def add(self, message: Message) -> None:
        """Adds a message to ``observed``.  The handshake ends with this side's Finished, and so does the answer."""
        self._observed.add(message)
        if message.outgoing and message.name == "Finished":
            self._finished += 1
            if self._finished > 1:
                self._is_sent.set()

    def wait(self) -> None:
        """Waits for it, at most as many seconds as ``timeout``: after a close_notify it could not be sent."""
        self._is_sent.wait(min(self._timeout, threading.TIMEOUT_MAX))


def _move_data(tls: Socket, screen: Screen, first: bytes, crlf: bool, late: _LateAnswer | None) -> None:
    """Sends ``first`` and standard input, and writes the peer's data to standard output, until the peer closes."""
    tls.settimeout(None)
    sender = threading.Thread(target=_send_data, args=[tls, first, crlf, late], daemon=True)
    sender.start()
    while data := tls.recv(_CHUNK):
        screen.raw(data)


def _send_data(tls: Socket, first: bytes, crlf: bool, late: _LateAnswer | None) -> None:
    # os.read, not sys.stdin: a thread that waits in a buffered read holds its lock, and Python then aborts at exit.
    with contextlib.suppress(pyossl.Error, OSError):  # the reading thread gets the error too, and reports it
        tls.sendall(first)
        before = b""
        # sys.stdin is None if the shell has closed it.  Its number may belong to another file now.
        while data := os.read(sys.stdin.fileno(), _CHUNK) if sys.stdin else b"":
            tls.sendall(with_crlf(data, before) if crlf else data)
            before = data[-1:]
        if late is not None:
            late.wait()
        tls.shutdown(socket.SHUT_WR)


def with_crlf(data: bytes, before: bytes) -> bytes:
    """Replaces each LF without a CR by CR LF.  ``before`` is the byte that came before ``data``, or ``b""``."""
    done = 1 if before == b"\r" and data[:1] == b"\n" else 0
    return data[:done] + re.sub(rb"(?<!\r)\n", b"\r\n", data[done:])
