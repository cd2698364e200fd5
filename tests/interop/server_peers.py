"""Servers that do not use pyossl: each chooses a port and serves files over TLS.

To add one, write a class, here or in a file of its own, and add its name to ``SERVER_PEERS`` in peers.py.
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
    """What a server has to do.

    - ``folder``: the files that it serves; ``file`` is the one that is fetched.
    - ``version``: the only version that it accepts.
    - ``clients``: the authority whose certificates it requires.
    - ``second``: a name of SNI, and the identity that the server shows for it.
    - ``stapled``: the file of an OCSP response, for the servers that can staple one.
    - ``sink``: bodies are sent to the server, not fetched.
    """

    identity: Identity
    folder: Path
    host: str = "127.0.0.1"
    version: pyossl.Version | None = None
    clients: Path | None = None
    alpn: tuple[str, ...] = ()
    second: tuple[str, Identity] | None = None
    stapled: Path | None = None
    sink: bool = False
    file: str = "greeting"


class Running:
    """A running server."""

    def __init__(self, program: Program, address: tuple[str, int]) -> None:
        self.program = program
        self.address = address

    def upload(self, tls: pyossl.Socket, body: Body) -> str:
        """Sends the body; returns the SHA-256 of the bytes that the server received."""
        tls.sendall(http.put("upload", body.size))
        for block in body.blocks():
            tls.sendall(block)
        _, digest = http.receive_head(tls)
        while more := tls.recv(100):
            digest += more
        return digest.decode()


class Refusals(NamedTuple):
    """The alerts that a server sends to a client that it refuses; by default those of OpenSSL."""

    too_new: Alert = Alert.PROTOCOL_VERSION
    without_certificate: Alert = Alert.HANDSHAKE_FAILURE
    """In TLS 1.2; in TLS 1.3 every server sends ``CERTIFICATE_REQUIRED``."""
    unknown_authority: Alert | None = Alert.UNKNOWN_CA
    """None for a server that checks after the handshake and closes."""


class ServerPeer(abc.ABC):
    name: str
    running: type[Running] = Running
    chooses_the_protocol = True
    """Whether the order of its own ALPN protocols decides, not that of the client."""
    refusals: Refusals | None = Refusals()
    """None for a server that answers the request with what is wrong with the certificate."""
    takes_bodies = True

    @abc.abstractmethod
    def command(self, service: Service) -> list[str | Path]:
        """The command that starts the server, which prints ``ACCEPT host:port`` when it listens."""

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
    """``openssl s_server``, by the program on PATH."""

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
        if service.stapled:
            command += ["-status_file", service.stapled, "-status_verbose"]
        if service.alpn:
            command += ["-alpn", ",".join(service.alpn)]
        if service.second:
            name, identity = service.second
            command += ["-servername", name, "-cert2", identity.certificate, "-key2", identity.private_key]
        return command


class PythonServer(ServerPeer):
    """Python's ``ssl``."""

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
    """The option that limits s_server and s_client to one version."""
    return {pyossl.Version.TLSv1_2: "-tls1_2", pyossl.Version.TLSv1_3: "-tls1_3"}[version]
