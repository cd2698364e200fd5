"""``python -m pyossl demo``: a handshake through the system's libssl, to be watched.

A certificate authority and a server are made for the occasion.  A client connects in three ways, each over a
transport of another kind, and the messages of each handshake are drawn; then the client meets servers that it must
refuse.  Everything that is shown is also checked, and the exit status is 0 only when all came out as it should.
"""

from __future__ import annotations

import argparse
import datetime
import time
from collections.abc import Iterator
from typing import NamedTuple

import pyossl
from pyossl import Authority, Context, Credentials, Version
from pyossl.cli.installed import version_of
from pyossl.cli.protocols import VERSIONS, spelled
from pyossl.cli.screen import Screen
from pyossl.cli.usage import EXIT_STATUS, Commands, command
from pyossl.cli.ways import GREETING, PATIENCE, SERVER, WAYS, Agreement, EchoServer, Visit
from pyossl.core.outcome import VerifyCode
from pyossl.tls import system

PROTOCOL = "pyossl-demo"


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "demo",
        "a real handshake, three ways, drawn as a ladder; and whom a client refuses",
        "Makes a certificate authority and a server on the loopback, connects to it over a blocking socket, a "
        "non-blocking socket and a BIO pair, draws the messages of each handshake, and shows that a wrong name, an "
        "unknown CA and an expired certificate are refused. "
        + EXIT_STATUS.format(fine="0 when everything came out as it should", failed="when something did not"),
        """
        python -m pyossl demo
        python -m pyossl demo --tls 1.2
        """,
    )
    parser.add_argument("--tls", choices=VERSIONS, help="the version of the protocol (the newest, unless given)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    start = time.perf_counter()
    screen.title(pyossl.openssl_version, f"{system.ssl_library()}, pyossl {version_of('pyossl')}")
    if arguments.tls:
        version = VERSIONS[arguments.tls]
    else:
        version = Version.TLSv1_3 if pyossl.features.tls1_3 else Version.TLSv1_2
    demo = Demo(screen, version)
    demo.connect_three_ways()
    demo.refuse_three_servers()
    screen.line()
    for problem in demo.problems:
        screen.verdict(False, f"not as it should be: {problem}")
    if demo.problems:
        return 1
    screen.verdict(True, f"Everything came out as it should, in {time.perf_counter() - start:.2f} s.")
    return 0


class Impostor(NamedTuple):
    """A server that must be refused: what is wrong, who is met, whom the client means, and what OpenSSL calls it."""

    what: str
    server: Context
    client: Context
    name: str
    code: VerifyCode


class Demo:
    """The whole demonstration; ``problems`` says what did not come out as it should."""

    def __init__(self, screen: Screen, version: Version) -> None:
        self.problems: list[str] = []
        self._screen = screen
        self._version = version
        self._authority = Authority("pyossl demo CA")

    def connect_three_ways(self) -> None:
        agreements = []
        client = self._client(self._authority)
        with EchoServer(self._server(self._authority.issue(SERVER))) as server:
            for number, way in enumerate(WAYS, 1):
                self._screen.heading(f"{number}. {way.title}", way.calls)
                try:
                    visit = way.visit(client, server)
                except (pyossl.Error, OSError) as error:
                    self._wrong(way.title, f"{type(error).__name__}: {error}")
                    continue
                self._show_visit(way.title, visit)
                if visit.agreement is not None:
                    agreements.append(visit.agreement)
        for agreement in dict.fromkeys(agreements):
            self._show_agreement(agreement)
        if len(set(agreements)) > 1:
            self._wrong("agreement", "it is not the same each time")

    def refuse_three_servers(self) -> None:
        self._screen.heading("Refused, as they must be", "client and server each say why")
        for impostor in self._impostors():
            with EchoServer(impostor.server) as server, server.serving() as server_end:
                try:
                    pyossl.connect(
                        server.address, impostor.client, server_hostname=impostor.name, timeout=PATIENCE
                    ).close()
                except (pyossl.Error, OSError) as error:
                    self._show_refusal(impostor, error, server_end.result())
                else:
                    self._screen.verdict(False, f"{impostor.what}: accepted")
                    self._wrong(impostor.what, "it was accepted")

    def _impostors(self) -> Iterator[Impostor]:
        stranger = Authority("somebody else's CA")
        now, day = datetime.datetime.now(datetime.timezone.utc), datetime.timedelta(days=1)
        right = self._server(self._authority.issue(SERVER))
        expired = self._server(self._authority.issue(SERVER, not_before=now - 30 * day, not_after=now - day))
        ours = self._client(self._authority)
        yield Impostor("A wrong name", right, ours, "elsewhere.example", VerifyCode.HOSTNAME_MISMATCH)
        yield Impostor(
            "An unknown CA",
            self._server(stranger.issue(SERVER)),
            ours,
            SERVER,
            VerifyCode.UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
        )
        yield Impostor("An expired certificate", expired, ours, SERVER, VerifyCode.CERT_HAS_EXPIRED)

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

    def _show_visit(self, title: str, visit: Visit) -> None:
        visit.ladder.draw(self._screen)
        self._screen.text(visit.how, style="dim")
        rungs = visit.ladder.rungs
        for outgoing, side in ((True, "client"), (False, "server")):
            if not any(rung.outgoing is outgoing and rung.name == "Finished" for rung in rungs):
                self._wrong(title, f"the {side}'s Finished was not seen")
        if visit.echo != GREETING:
            self._wrong(title, f"{GREETING!r} came back as {visit.echo!r}")
        if visit.ended != b"":
            self._wrong(title, f"the server did not close, but sent {visit.ended!r}")
        if (failure := visit.server_failure) is not None:
            self._wrong(title, f"the server saw {type(failure).__name__}: {failure}")

    def _show_agreement(self, agreement: Agreement) -> None:
        screen = self._screen
        screen.heading("What they agreed on, all three times")
        screen.field("version", agreement.version or "none")
        screen.field("cipher", agreement.cipher or "none")
        screen.field("group", agreement.group or "none")
        screen.field("ALPN", agreement.alpn or "none")
        for depth, certificate in enumerate(reversed(agreement.chain)):
            branch = f"{'   ' * (depth - 1)}{screen.glyphs.branch} " if depth else ""
            key = "verified chain" if depth == 0 else ""
            screen.field(key, f"{branch}{certificate.subject}, until {certificate.not_after:%Y-%m-%d}")
        if agreement.version != spelled(self._version):
            self._wrong("version", f"{agreement.version}, and not {spelled(self._version)}")
        if agreement.alpn != PROTOCOL:
            self._wrong("ALPN", f"{agreement.alpn}, and not {PROTOCOL}")
        if agreement.cipher is None or agreement.group is None:
            self._wrong("cipher and group", "they are not known")
        if agreement.verify_code != 0 or agreement.chain[-1:] != (self._authority.certificate,):
            self._wrong("chain", f"it does not lead to our CA (verify code {agreement.verify_code})")

    def _show_refusal(self, impostor: Impostor, error: Exception, server_failure: Exception | None) -> None:
        refused = isinstance(error, pyossl.CertificateError) and error.code == impostor.code
        told = isinstance(server_failure, pyossl.AlertError)
        self._screen.verdict(refused and told, impostor.what)
        self._screen.text(f"client: {type(error).__name__}: {error}", 4)
        self._screen.text(f"server: {type(server_failure).__name__}: {server_failure}", 4, "dim")
        if not refused:
            self._wrong(impostor.what, f"refused with {type(error).__name__}, not as {impostor.code.name}")
        if not told:
            self._wrong(impostor.what, "the server was told by no alert")

    def _wrong(self, where: str, what: str) -> None:
        self.problems.append(f"{where}: {what}")
