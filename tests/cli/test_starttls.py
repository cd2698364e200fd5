"""STARTTLS: the dialogue of every protocol, and the attacks and errors that each dialogue must refuse.

The servers here send answers that the RFCs allow.  Real servers are in tests/interop.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest
from cli.cli_runs import in_a_pipe
from cli.cli_servers import Files, files
from served import SECONDS, Task, serving_plain, tcp_pair

import pyossl
from pyossl.cli import starttls
from pyossl.cli.starttls import PROTOCOLS, StartTLSError

assert files, "a fixture"

LDAP_OID = b"1.3.6.1.4.1.1466.20037"
STREAM = b"<?xml version='1.0'?><stream:stream id='x' from='localhost' version='1.0'>"


class Step(NamedTuple):
    """The beginning and the end of the client's next bytes, and the server's answer to them."""

    begins: bytes
    ends: bytes
    answer: bytes


class Script(NamedTuple):
    """A server's greeting, the steps up to the handshake, and a last answer that refuses TLS instead."""

    greeting: bytes
    steps: tuple[Step, ...]
    refusal: bytes

    def refusing(self) -> Script:
        return self._replace(steps=(*self.steps[:-1], self.steps[-1]._replace(answer=self.refusal)))

    def injecting(self, more: bytes) -> Script:
        last = self.steps[-1]
        return self._replace(steps=(*self.steps[:-1], last._replace(answer=last.answer + more)))


def _ldap(code: int, text: bytes = b"") -> bytes:
    body = bytes([0x0A, 1, code, 0x04, 0, 0x04, len(text)]) + text + bytes([0x8A, len(LDAP_OID)]) + LDAP_OID
    message = bytes([0x02, 1, 1, 0x78, 0x81, len(body)]) + body
    return bytes([0x30, 0x84, 0, 0, 0, len(message)]) + message


SCRIPTS = {
    "smtp": Script(
        b"220-mail.example ESMTP\r\n220 at your service\r\n",
        (
            Step(b"EHLO ", b"\r\n", b"250-mail.example\r\n250-PIPELINING\r\n250-starttls\r\n250 8BITMIME\r\n"),
            Step(b"STARTTLS", b"\r\n", b"220 go ahead\r\n"),
        ),
        b"454 TLS not available\r\n",
    ),
    "imap": Script(
        b"* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n",
        (
            Step(b"a1 CAPABILITY", b"\r\n", b"* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\na1 OK done\r\n"),
            Step(b"a2 STARTTLS", b"\r\n", b"a2 OK begin TLS now\r\n"),
        ),
        b"a2 BAD no\r\n",
    ),
    "pop3": Script(
        b"+OK POP3 ready <1@example>\r\n",
        (Step(b"STLS", b"\r\n", b"+OK begin TLS\r\n"),),
        b"-ERR no\r\n",
    ),
    "ftp": Script(
        b"220-welcome\r\n 220 is a number in a line of text\r\n220 ready\r\n",
        (Step(b"AUTH TLS", b"\r\n", b"234 AUTH TLS ok\r\n"),),
        b"502 not implemented\r\n",
    ),
    "postgres": Script(b"", (Step(b"\0\0\0\x08\x04\xd2\x16\x2f", b"", b"S"),), b"N"),
    "xmpp": Script(
        b"",
        (
            Step(
                b"<?xml version='1.0'?><stream:stream ",
                b">",
                STREAM
                + b"<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>"
                + b"</stream:features>",
            ),
            Step(b"<starttls ", b"/>", b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
        ),
        b"<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>",
    ),
    "ldap": Script(b"", (Step(b"\x30\x1d\x02\x01\x01\x77", LDAP_OID, _ldap(0)),), _ldap(52, b"TLS is off")),
}
assert SCRIPTS.keys() == PROTOCOLS.keys()

NOT_OFFERED = {
    "smtp": b"250-mail.example\r\n250 X-STARTTLS-NOT\r\n",
    "imap": b"* CAPABILITY IMAP4rev1\r\na1 OK done\r\n",
    "xmpp": STREAM + b"<stream:features></stream:features>",
}

each_protocol = pytest.mark.parametrize("protocol", PROTOCOLS)
Send = Callable[[socket.socket, bytes], None]


def at_once(sock: socket.socket, data: bytes) -> None:
    sock.sendall(data)


def byte_by_byte(sock: socket.socket, data: bytes) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in data:
        sock.sendall(bytes([byte]))


def play(script: Script, sock: socket.socket, send: Send = at_once) -> None:
    """Plays the server's side of the dialogue, and checks each byte that the client sends."""
    send(sock, script.greeting)
    for step in script.steps:
        heard = b""
        while not (heard.startswith(step.begins) and heard.endswith(step.ends) and len(heard) >= len(step.begins)):
            data = sock.recv(1)
            assert data, f"the client left after {heard!r}"
            heard += data
        send(sock, step.answer)


@contextmanager
def dialogue_with(script: Script, send: Send = at_once) -> Iterator[socket.socket]:
    """A client's socket whose peer plays the script and then waits until the client closes."""

    def serve(sock: socket.socket) -> None:
        try:
            play(script, sock, send)
            while sock.recv(65536):
                pass
        except (AssertionError, ConnectionError):
            pass  # these tests expect that the client closes early

    with serving_plain(serve) as address, socket.create_connection(address, SECONDS) as sock:
        yield sock


@pytest.mark.feature("client --starttls")
@each_protocol
@pytest.mark.parametrize("send", [at_once, byte_by_byte])
def test_the_dialogue_ends_in_a_verified_handshake(
    protocol: str, send: Send, client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    def serve(sock: socket.socket) -> None:
        play(SCRIPTS[protocol], sock, send)
        with server_context.wrap_socket(sock) as tls:
            tls.sendall(tls.recv(100))

    with serving_plain(serve) as address:
        sock = socket.create_connection(address, SECONDS)
        starttls.negotiate(protocol, sock, "localhost", SECONDS)
        with client_context.wrap_socket(sock, "localhost") as tls:
            tls.sendall(b"under TLS")
            assert tls.recv(100) == b"under TLS"


@pytest.mark.parametrize(("command", "visits"), [("client", 1), ("certs", 1), ("trace", 2)])
def test_the_commands_take_starttls(command: str, visits: int, files: Files, server_context: pyossl.Context) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(SECONDS)

        def serve() -> None:
            for _ in range(visits):
                sock, _ = listener.accept()
                sock.settimeout(SECONDS)
                play(SCRIPTS["smtp"], sock)
                with server_context.wrap_socket(sock) as tls:
                    while tls.recv(100):
                        pass

        task = Task(serve)
        where = f"localhost:{listener.getsockname()[1]}"
        ran = in_a_pipe(command, where, "--starttls", "smtp", "--ca", files.ca, "--json")
        assert ran.status == 0, ran.errors
        task.result()
    assert '"localhost"' in ran.output


@each_protocol
def test_a_refusal_is_an_error_with_the_answer_in_it(protocol: str) -> None:
    with (
        dialogue_with(SCRIPTS[protocol].refusing()) as sock,
        pytest.raises(StartTLSError, match=r"answered|refuses TLS"),
    ):
        starttls.negotiate(protocol, sock, "localhost", SECONDS)


@pytest.mark.parametrize("protocol", NOT_OFFERED)
def test_starttls_is_not_requested_if_it_is_not_offered(protocol: str) -> None:
    """An attacker may have removed the offer, so the client does not go on without TLS."""
    first, *rest = SCRIPTS[protocol].steps
    script = SCRIPTS[protocol]._replace(steps=(first._replace(answer=NOT_OFFERED[protocol]), *rest))
    with dialogue_with(script) as sock, pytest.raises(StartTLSError, match="does not offer STARTTLS"):
        starttls.negotiate(protocol, sock, "localhost", SECONDS)


@each_protocol
def test_plain_text_after_the_answer_to_starttls_is_refused(protocol: str) -> None:
    """The injection of CVE-2011-0411: the client would read it as if it came through TLS."""
    script = SCRIPTS[protocol].injecting(b"* injected\r\n")
    with dialogue_with(script) as sock, pytest.raises(StartTLSError, match="12 bytes in the clear"):
        starttls.negotiate(protocol, sock, "localhost", SECONDS)


def test_the_command_reports_an_injection_in_one_line() -> None:
    def serve(sock: socket.socket) -> None:
        play(SCRIPTS["pop3"].injecting(b"+OK 1 message\r\n"), sock)
        while sock.recv(100):
            pass

    with serving_plain(serve) as address:
        ran = in_a_pipe("client", f"localhost:{address[1]}", "--starttls", "pop3")
    assert (ran.status, ran.output) == (1, "")
    assert ran.errors.startswith("StartTLSError: the server sent 15 bytes in the clear")
    assert ran.errors.count("\n") == 1


@each_protocol
def test_a_server_that_closes_is_an_error(protocol: str) -> None:
    ours, theirs = tcp_pair()
    with ours:
        theirs.sendall(SCRIPTS[protocol].greeting)
        theirs.shutdown(socket.SHUT_WR)
        with theirs, pytest.raises(StartTLSError, match="closed the connection before TLS"):
            starttls.negotiate(protocol, ours, "localhost", SECONDS)


@each_protocol
def test_a_server_that_sends_nothing_times_out(protocol: str) -> None:
    ours, theirs = tcp_pair()
    with ours, theirs, pytest.raises(TimeoutError, match=r"before TLS timed out after 0\.05 s"):
        starttls.negotiate(protocol, ours, "localhost", 0.05)


@pytest.mark.parametrize("protocol", ["smtp", "imap", "xmpp", "ldap"])
def test_a_server_that_never_stops_is_refused(protocol: str) -> None:
    """The limits for a line, for the whole dialogue, and for an announced length."""
    endless = {
        "smtp": b"220-" + b"a line\r\n" * 20000,
        "imap": b"* OK " + b"x" * 100000,
        "xmpp": b"<x>" * 40000,
        "ldap": b"\x30\x84\x7f\xff\xff\xff",
    }
    with dialogue_with(Script(endless[protocol], (), b"")) as sock, pytest.raises(StartTLSError, match=r"\d+ bytes"):
        starttls.negotiate(protocol, sock, "localhost", SECONDS)


@pytest.mark.parametrize(
    "answer", [b"\x30\x00", b"\x30\x03\x02\x01\x01", b"\x30\x05\x02\x01\x02\x78\x00", _ldap(0)[2:]]
)
def test_a_wrong_answer_of_ldap_is_refused(answer: bytes) -> None:
    script = SCRIPTS["ldap"]
    script = script._replace(steps=(script.steps[0]._replace(answer=answer),))
    with dialogue_with(script) as sock, pytest.raises((StartTLSError, TimeoutError)):
        starttls.negotiate("ldap", sock, "localhost", 0.5)


def test_a_name_cannot_break_out_of_the_stream_of_xmpp() -> None:
    ours, theirs = tcp_pair()
    with ours, theirs:
        theirs.sendall(NOT_OFFERED["xmpp"])
        with pytest.raises(StartTLSError):
            starttls.negotiate("xmpp", ours, "a'><b", SECONDS)
        assert theirs.recv(1000).count(b"<") == 2
