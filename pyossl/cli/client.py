"""``python -m pyossl client HOST[:PORT]``: a TLS connection from the keyboard, or from a pipe.

What the peer sends goes to standard output, and nothing else does; what is known of the connection goes to standard
error.  Two threads carry the data, one for each direction: a peer that sends back what it receives would otherwise
wait for us to read while we wait for it to.
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

import pyossl
from pyossl import Message, Session, Socket
from pyossl.cli import facts, options
from pyossl.cli.destination import Arrival, arrive, take_leave
from pyossl.cli.ladder import Ladder
from pyossl.cli.screen import Screen
from pyossl.cli.sessions import SessionFile
from pyossl.cli.usage import EXIT_STATUS, Commands, command

_CHUNK = 65536


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "client",
        "a connection: standard input to the peer, the peer to standard output",
        "Connects, verifies the server, shows what was agreed on (on standard error), sends standard input to the peer "
        "and writes what it sends to standard output. At the end of the input it sends close_notify, and goes on until "
        "the peer closes. " + EXIT_STATUS.format(fine="0 after a clean close", failed="for a failure of TLS"),
        """
        python -m pyossl client example.com
        printf 'GET / HTTP/1.0\\r\\nHost: example.com\\r\\n\\r\\n' | python -m pyossl client example.com
        python -m pyossl client localhost:4433 --ca ca.pem --cert me.pem --key me.key
        python -m pyossl client mail.example.com --starttls smtp --crlf
        python -m pyossl client example.com --max 1.2 --ciphers ECDHE+AESGCM --trace
        python -m pyossl client example.com --session example.pem    # twice: the second one resumes
        """,
    )
    options.add_destination(parser)
    options.add_client(parser)
    parser.add_argument("--session", metavar="FILE", help="resume the session in this file, and keep the newest there")
    parser.add_argument("--no-verify", action="store_true", help="accept anybody's certificate")
    parser.add_argument("--crlf", action="store_true", help="send each line's end as CR LF, as text protocols want it")
    parser.add_argument("--trace", action="store_true", help="print each message of the protocol as it is seen")
    parser.add_argument("--keylog", metavar="FILE", help="append the connection's secrets, in Wireshark's format")
    parser.add_argument(
        "--json", action="store_true", help="print what is known of the connection as JSON, and carry no data"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    notes = Screen(sys.stderr)
    context = options.client_context(arguments, verify=not arguments.no_verify)
    address = arguments.destination.address(arguments.starttls)
    name = arguments.servername or arguments.destination.host
    if arguments.keylog:
        options.log_keys(context, arguments.keylog)
    session, file = None, None
    if arguments.session:
        file = SessionFile(arguments, address, name)
        session = file.load(context)
    sessions: list[Session] = []
    context.new_session_callback = lambda connection, new: sessions.append(new)
    messages = Messages(notes if arguments.trace else None)
    arrival = arrive(
        address,
        context,
        name,
        protocol=arguments.starttls,
        timeout=arguments.timeout,
        message_callback=messages.take,
        session=session,
    )
    with arrival.tls as tls:
        try:
            if arguments.json:
                take_leave(tls, arguments.timeout)  # the tickets of TLS 1.3 come after the handshake
                screen.data(json.dumps(facts.of_connection(arrival, messages.ladder), indent=2))
            else:
                _show(arrival, messages, notes)
                _carry(tls, screen, arguments.crlf)
        finally:
            if file is not None and sessions:
                file.save(sessions[-1])
    return 0


class Messages:
    """The ladder of a connection, printed as it grows where there is a screen for it."""

    def __init__(self, screen: Screen | None) -> None:
        self.ladder = Ladder()
        self._screen = screen
        self._one_at_a_time = threading.Lock()

    def take(self, message: Message) -> None:
        """For ``message_callback``."""
        with self._one_at_a_time:
            first = not self.ladder.rungs
            rung = self.ladder.take(message)
            if rung is not None and self._screen is not None:
                if first:
                    self.ladder.draw_head(self._screen)
                self.ladder.draw_rung(rung, self._screen)


def _show(arrival: Arrival, messages: Messages, notes: Screen) -> None:
    facts.show(facts.of_connection(arrival, messages.ladder), notes)
    notes.line()


def _carry(tls: Socket, screen: Screen, crlf: bool) -> None:
    """Standard input to the peer and the peer to standard output, until the peer closes."""
    tls.settimeout(None)
    sender = threading.Thread(target=_send_input, args=[tls, crlf], daemon=True)
    sender.start()
    while data := tls.recv(_CHUNK):
        screen.raw(data)


def _send_input(tls: Socket, crlf: bool) -> None:
    # os.read and not sys.stdin: at exit a thread that waits in a buffered read keeps its lock, and Python aborts.
    with contextlib.suppress(pyossl.Error, OSError):  # the reader finds out too, and says it
        before = b""
        # None where the shell has closed it: its number may be anybody's by now.
        while data := os.read(sys.stdin.fileno(), _CHUNK) if sys.stdin else b"":
            tls.sendall(with_crlf(data, before) if crlf else data)
            before = data[-1:]
        tls.shutdown(socket.SHUT_WR)


def with_crlf(data: bytes, before: bytes) -> bytes:
    """``data``, which came after the byte ``before``, with CR LF for each line feed that has no CR."""
    done = 1 if before == b"\r" and data[:1] == b"\n" else 0
    return data[:done] + re.sub(rb"(?<!\r)\n", b"\r\n", data[done:])
