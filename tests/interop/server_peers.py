"""Servers that are not pyossl: each is started on a port of its own choosing, and serves files over TLS.

A new one is one more class, here or in a module of its own, and one more name in peers.py's ``SERVER_PEERS``.
"""

from __future__ import annotations

import abc
import contextlib
import hashlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from interop import http_requests as http
from interop.authorities import Identity
from interop.bodies import Body
from interop.programs import Program, program
from interop.refusals import Alert

import pyossl


@dataclass(frozen=True)
class Service:
    """What a server is to do.

    ``folder`` holds the files that it serves, and ``file`` is the one that is asked for; ``version`` is the one version
    that it speaks; ``clients`` the authority whose certificates it requires; ``second`` a name of SNI with the identity
    that is shown for it; ``sink`` says that bodies are sent to it, not fetched.
    """

    identity: Identity
    folder: Path
    host: str = "127.0.0.1"
    version: pyossl.Version | None = None
    clients: Path | None = None
    alpn: tuple[str, ...] = ()
    second: tuple[str, Identity] | None = None
    sink: bool = False
    file: str = "greeting"


class Running:
    """A running server."""

    def __init__(self, program: Program, address: tuple[str, int]) -> None:
        self.program = program
        self.address = address

    def upload(self, tls: pyossl.Socket, body: Body) -> str:
        """Sends the body; its SHA-256 as the server saw it."""
        tls.sendall(http.put("upload", body.size))
        for block in body.blocks():
            tls.sendall(block)
        _, digest = http.receive_head(tls)
        while more := tls.recv(100):
            digest += more
        return digest.decode()


class Refusals(NamedTuple):
    """The alerts by which a server refuses a client; OpenSSL's unless said."""

    too_new: Alert = Alert.PROTOCOL_VERSION
    without_certificate: Alert = Alert.HANDSHAKE_FAILURE
    """With TLS 1.2: with TLS 1.3 it is ``CERTIFICATE_REQUIRED`` everywhere."""
    unknown_authority: Alert | None = Alert.UNKNOWN_CA
    """None for a server that looks after the handshake, and hangs up."""


class ServerPeer(abc.ABC):
    name: str
    running: type[Running] = Running
    chooses_the_protocol = True
    """Whether its own order of ALPN's protocols decides, and not the client's."""
    refusals: Refusals | None = Refusals()
    """None for a server that tells a client in its answer to the request what is wrong with the certificate."""
    takes_bodies = True

    @abc.abstractmethod
    def command(self, service: Service) -> list[str | Path]:
        """The command that starts the server, which prints ``ACCEPT host:port`` once it listens."""

    @contextlib.contextmanager
    def serving(self, service: Service) -> Iterator[Running]:
        with Program(*self.command(service), folder=service.folder) as run:
            accept = run.wait_for(rb"ACCEPT \S+:(\d+)\s")
            yield self.running(run, (service.host, int(accept[1])))


class _RunningSServer(Running):
    _START, _END = b"<the body starts here>", b"<and ends here>"

    def upload(self, tls: pyossl.Socket, body: Body) -> str:
        """s_server prints what it receives."""
        tls.sendall(self._START)
        for block in body.blocks():
            tls.sendall(block)
        tls.sendall(self._END)
        printed = self.program.wait_until_printed(self._END)
        return hashlib.sha256(printed[printed.index(self._START) + len(self._START) :]).hexdigest()


class SServer(ServerPeer):
    """``openssl s_server``, of the OpenSSL whose program is on PATH."""

    name = "s_server"
    running = _RunningSServer

    def command(self, service: Service) -> list[str | Path]:
        host = f"[{service.host}]" if ":" in service.host else service.host
        command: list[str | Path] = [program("openssl"), "s_server", "-accept", f"{host}:0"]
        command += ["-cert", service.identity.certificate, "-key", service.identity.private_key]
        command += ["-cert_chain", service.identity.certificate]
        if not service.sink:
            command += ["-WWW"]
        if service.version:
            command += [s_version(service.version)]
        if service.clients:
            command += ["-Verify", "5", "-verify_return_error", "-CAfile", service.clients]
        if service.alpn:
            command += ["-alpn", ",".join(service.alpn)]
        if service.second:
            name, identity = service.second
            command += ["-servername", name, "-cert2", identity.certificate, "-key2", identity.private_key]
        return command


class PythonServer(ServerPeer):
    """Python's own ``ssl``."""

    name = "Python's ssl"

    def command(self, service: Service) -> list[str | Path]:
        command: list[str | Path] = [*PYTHON_PEER, "server", "--host", service.host, "--folder", service.folder]
        command += python_options(service.identity, service.clients, service.version, service.alpn)
        if service.second:
            name, identity = service.second
            command += ["--second-name", name, "--second-certificate", identity.certificate]
            command += ["--second-private-key", identity.private_key]
        return command


PYTHON_PEER: list[str | Path] = [sys.executable, Path(__file__).with_name("ssl_peer.py")]


def python_options(
    identity: Identity | None, trust: Path | None, version: pyossl.Version | None, alpn: tuple[str, ...]
) -> list[str | Path]:
    """The options that both roles of ssl_peer.py have."""
    options: list[str | Path] = []
    if identity:
        options += ["--certificate", identity.certificate, "--private-key", identity.private_key]
    if trust:
        options += ["--trust", trust]
    if version:
        options += ["--version", str(int(version))]
    if alpn:
        options += ["--alpn", ",".join(alpn)]
    return options


def s_version(version: pyossl.Version) -> str:
    """The option by which s_server and s_client speak one version only."""
    return {pyossl.Version.TLSv1_2: "-tls1_2", pyossl.Version.TLSv1_3: "-tls1_3"}[version]
