"""``python -m pyossl demo`` draws handshakes that use the system's libssl.

It makes a certificate authority and a server.  A client connects to the server over three different transports, and the
messages of each handshake are drawn.  Then the client connects to servers that it must refuse.  All results are
checked, and the exit status is 0 only if all are correct.
"""

from __future__ import annotations

import argparse
import datetime
import time
from collections.abc import Iterator
from typing import NamedTuple

import pyossl
from pyossl import Authority, Context, Credentials, Version
from pyossl.cli.command_parser import EXIT_STATUS, Commands, add_command
from pyossl.cli.demo_connections import DEMO_CONNECTIONS, GREETING, PATIENCE, SERVER, DemoResult, EchoServer, Negotiated
from pyossl.cli.package_version import package_version
from pyossl.cli.screen import Screen
from pyossl.cli.tls_versions import VERSIONS, version_name
from pyossl.core.outcome import VerifyCode
from pyossl.tls import system_openssl

PROTOCOL = "pyossl-demo"


def add(commands: Commands) -> None:
    """Adds the argument parser of the command."""
    parser = add_command(
        commands,
        "demo",
        "draw real handshakes over three transports, and show servers that a client refuses",
        "Makes a certificate authority and a server on the loopback interface, connects to it over a blocking socket, "
        "a non-blocking socket and a BIO pair, draws the messages of each handshake, and shows that a wrong name, an "
        "unknown CA and an expired certificate are refused. "
        + EXIT_STATUS.format(fine="0 if all results are correct", failed="if one is wrong"),
        """
        python -m pyossl demo
        python -m pyossl demo --tls 1.2
        """,
    )
    parser.add_argument("--tls", choices=VERSIONS, help="the TLS version (default: the newest)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Runs the command and returns its exit status."""
    start = time.perf_counter()
    screen.title(pyossl.openssl_version, f"{system_openssl.ssl_library()}, pyossl {package_version('pyossl')}")
    if arguments.tls:
        version = VERSIONS[arguments.tls]
    else:
        version = Version.TLSv1_3 if pyossl.features.tls1_3 else Version.TLSv1_2
    demo = Demo(screen, version)
    demo.connect_over_three_transports()
    demo.refuse_three_servers()
    screen.line()
    for problem in demo.problems:
        screen.verdict(False, f"wrong: {problem}")
    if demo.problems:
        return 1
    screen.verdict(True, f"All results are correct. It took {time.perf_counter() - start:.2f} s.")
    return 0


class BadServer(NamedTuple):
    """A server that must be refused.

    ``title`` says what is wrong with it, ``name`` is the name that the client expects, and ``code`` is the error.
    """

    title: str
    server: Context
    client: Context
    name: str
    code: VerifyCode


class Demo:
    """The whole demonstration.  ``problems`` lists the results that are wrong."""

    def __init__(self, screen: Screen, version: Version) -> None:
        self.problems: list[str] = []
        self._screen = screen
        self._version = version
        self._authority = Authority("pyossl demo CA")

    def connect_over_three_transports(self) -> None:
        """Runs the three connections, and prints their messages and the negotiated values."""
        negotiated = []
        client = self._client(self._authority)
        with EchoServer(self._server(self._authority.issue(SERVER))) as server:
            for number, each in enumerate(DEMO_CONNECTIONS, 1):
                self._screen.heading(f"{number}. {each.title}", each.call)
                try:
                    result = each.run(client, server)
                except (pyossl.Error, OSError) as error:
                    self._wrong(each.title, f"{type(error).__name__}: {error}")
                    continue
                self._show_result(each.title, result)
                if result.negotiated is not None:
                    negotiated.append(result.negotiated)
        for values in dict.fromkeys(negotiated):
            self._show_negotiated(values)
        if len(set(negotiated)) > 1:
            self._wrong("negotiated values", "they are not the same on all connections")

    def refuse_three_servers(self) -> None:
        """Connects to three servers that the client must refuse, and prints the errors."""
        self._screen.heading("Refused servers", "with the errors of the client and the server")
        for bad in self._bad_servers():
            with EchoServer(bad.server) as server, server.serving() as server_end:
                try:
                    pyossl.connect(server.address, bad.client, server_hostname=bad.name, timeout=PATIENCE).close()
                except (pyossl.Error, OSError) as error:
                    self._show_refusal(bad, error, server_end.result())
                else:
                    self._screen.verdict(False, f"{bad.title}: accepted")
                    self._wrong(bad.title, "it was accepted")

    def _bad_servers(self) -> Iterator[BadServer]:
        unknown = Authority("unknown CA")
        now, day = datetime.datetime.now(datetime.timezone.utc), datetime.timedelta(days=1)
        right = self._server(self._authority.issue(SERVER))
        expired = self._server(self._authority.issue(SERVER, not_before=now - 30 * day, not_after=now - day))
        ours = self._client(self._authority)
        yield BadServer("A wrong name", right, ours, "elsewhere.example", VerifyCode.HOSTNAME_MISMATCH)
        yield BadServer(
            "An unknown CA",
            self._server(unknown.issue(SERVER)),
            ours,
            SERVER,
            VerifyCode.UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
        )
        yield BadServer("An expired certificate", expired, ours, SERVER, VerifyCode.CERT_HAS_EXPIRED)

    def _server(self, credentials: Credentials) -> Context:
        return Context.server(
            (credentials.certificate, *credentials.chain),
            credentials.private_key,
            alpn=[PROTOCOL],
            minimum_version=self._version,
            maximum_version=self._version,
        )

    def _client(self, trusted: Authority) -> Context:
        return Context.client(
            trust=trusted.certificate,
            alpn=[PROTOCOL],
            minimum_version=self._version,
            maximum_version=self._version,
        )

    def _show_result(self, title: str, result: DemoResult) -> None:
        result.ladder.draw(self._screen)
        self._screen.text(result.summary, style="dim")
        rungs = result.ladder.rungs
        for outgoing, side in ((True, "client"), (False, "server")):
            if not any(rung.outgoing is outgoing and rung.name == "Finished" for rung in rungs):
                self._wrong(title, f"the {side}'s Finished message is missing")
        if result.echo != GREETING:
            self._wrong(title, f"{GREETING!r} came back as {result.echo!r}")
        if result.last_read != b"":
            self._wrong(title, f"the server did not close, but sent {result.last_read!r}")
        if (failure := result.server_failure) is not None:
            self._wrong(title, f"the server failed with {type(failure).__name__}: {failure}")

    def _show_negotiated(self, values: Negotiated) -> None:
        screen = self._screen
        screen.heading("Negotiated on all three connections")
        screen.field("version", values.version or "none")
        screen.field("cipher", values.cipher or "none")
        screen.field("group", values.group or "none")
        screen.field("ALPN", values.alpn or "none")
        for depth, certificate in enumerate(reversed(values.chain)):
            branch = f"{'   ' * (depth - 1)}{screen.glyphs.branch} " if depth else ""
            key = "verified chain" if depth == 0 else ""
            screen.field(key, f"{branch}{certificate.subject}, until {certificate.not_after:%Y-%m-%d}")
        if values.version != version_name(self._version):
            self._wrong("version", f"{values.version} instead of {version_name(self._version)}")
        if values.alpn != PROTOCOL:
            self._wrong("ALPN", f"{values.alpn} instead of {PROTOCOL}")
        if values.cipher is None or values.group is None:
            self._wrong("cipher and group", "they are unknown")
        if values.verify_code != 0 or values.chain[-1:] != (self._authority.certificate,):
            self._wrong("chain", f"it does not lead to our CA (verify code {values.verify_code})")

    def _show_refusal(self, bad: BadServer, error: Exception, server_failure: Exception | None) -> None:
        refused = isinstance(error, pyossl.CertificateError) and error.code == bad.code
        got_alert = isinstance(server_failure, pyossl.AlertError)
        self._screen.verdict(refused and got_alert, bad.title)
        self._screen.text(f"client: {type(error).__name__}: {error}", 4)
        self._screen.text(f"server: {type(server_failure).__name__}: {server_failure}", 4, "dim")
        if not refused:
            self._wrong(bad.title, f"refused with {type(error).__name__}, not with {bad.code.name}")
        if not got_alert:
            self._wrong(bad.title, "the server received no alert")

    def _wrong(self, part: str, problem: str) -> None:
        self.problems.append(f"{part}: {problem}")
