"""Clients that do not use pyossl: each fetches a file from a server, or sends one to it, over TLS.

To add one, write a class, here or in a file of its own, and add its name to ``CLIENT_PEERS`` in peers.py.
"""

from __future__ import annotations

import abc
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from interop import http_requests as http
from interop.authorities import Identity
from interop.bodies import Body
from interop.programs import Finished, Program, program
from interop.refusals import Alert
from interop.server_peers import PYTHON_PEER, python_options, s_version

import pyossl


@dataclass(frozen=True)
class Visit:
    """What a client has to do: its server, its trusted certificates, its own certificate, its protocols, its request.

    ``upload`` is a body to send; without it ``path`` is fetched.
    """

    address: tuple[str, int]
    trust: Path
    server_name: str = "localhost"
    path: str = "greeting"
    upload: Body | None = None
    identity: Identity | None = None
    version: pyossl.Version | None = None
    alpn: tuple[str, ...] = ()


class ClientPeer(abc.ABC):
    name: str
    refuses_by_alert = True
    """Whether it always sends an alert to a server whose certificate it refuses."""
    prints_bodies = True
    """Whether it prints 100 MB in less than a minute."""
    only_alert: Alert | None = None
    """The alert that it sends for every certificate that it refuses, if there is only one."""

    @abc.abstractmethod
    def visit(self, visit: Visit) -> Finished:
        """Makes one connection; the output is the body of the answer, and the status 0 means success."""


class ReturningPeer(ClientPeer):
    """A client that can connect a second time and resume its session."""

    @abc.abstractmethod
    def visit_twice(self, visit: Visit, folder: Path) -> None:
        """Makes two connections; the second offers to resume the session of the first."""


class SClient(ReturningPeer):
    """``openssl s_client``, by the program on PATH."""

    name = "s_client"

    def visit(self, visit: Visit) -> Finished:
        return self.visit_with(visit)

    def visit_twice(self, visit: Visit, folder: Path) -> None:
        session = folder / "session.pem"
        for option in ("-sess_out", "-sess_in"):
            finished = self.visit_with(visit, option, session)
            assert finished.status == 0, finished

    def visit_with(self, visit: Visit, *more: str | Path) -> Finished:
        """Like ``visit``, with more options for s_client(1)."""
        command: list[str | Path] = [program("openssl"), "s_client", "-quiet", *more]
        command += ["-connect", _host_and_port(visit.address), "-CAfile", visit.trust, "-verify_return_error"]
        if is_address(visit.server_name):
            command += ["-verify_ip", visit.server_name, "-noservername"]
        else:
            command += ["-verify_hostname", visit.server_name, "-servername", visit.server_name]
        if visit.identity:
            command += ["-cert", visit.identity.certificate, "-key", visit.identity.private_key]
            command += ["-cert_chain", visit.identity.certificate]
        if visit.version:
            command += [s_version(visit.version)]
        if visit.alpn:
            command += ["-alpn", ",".join(visit.alpn)]
        with Program(*command, feed=request(visit)) as run:
            finished = run.finish()
        _, _, body = finished.output.partition(b"\r\n\r\n")
        return finished._replace(output=body)


class Curl(ReturningPeer):
    """curl, with its own TLS library, OpenSSL or another; asked for ALPN, it offers ``http/1.1``."""

    name = "curl"
    # It checks the name, and later versions the whole certificate, after the handshake, and then closes.
    refuses_by_alert = False

    def visit(self, visit: Visit) -> Finished:
        return self._run(visit, [self._url(visit)])

    def visit_twice(self, visit: Visit, folder: Path) -> None:
        url = self._url(visit)
        finished = self._run(visit, [url, "--next", *self._options(visit), url])
        assert finished.status == 0, finished

    def _run(self, visit: Visit, rest: list[str | Path]) -> Finished:
        with Program(program("curl"), "--disable", *self._options(visit), *rest) as run:
            return run.finish()

    def _options(self, visit: Visit) -> list[str | Path]:
        host, port = visit.address
        there = f"[{host}]" if ":" in host else host
        options: list[str | Path] = ["--silent", "--show-error", "--cacert", visit.trust]
        options += ["--connect-to", f"::{there}:{port}", "--http1.1" if visit.alpn else "--no-alpn"]
        if visit.identity:
            options += ["--cert", visit.identity.certificate, "--key", visit.identity.private_key]
        if visit.version is pyossl.Version.TLSv1_2:
            options += ["--tlsv1.2", "--tls-max", "1.2"]
        elif visit.version is pyossl.Version.TLSv1_3:
            options += ["--tlsv1.3"]
        if visit.upload:
            options += ["--upload-file", visit.upload.path, "--header", "Expect:"]
        return options

    def _url(self, visit: Visit) -> str:
        return f"https://{_host_and_port((visit.server_name, visit.address[1]))}/{visit.path}"


class PythonClient(ReturningPeer):
    """Python's ``ssl``."""

    name = "Python's ssl"

    def visit(self, visit: Visit) -> Finished:
        return self._visit(visit, times=1)

    def visit_twice(self, visit: Visit, folder: Path) -> None:
        finished = self._visit(visit, times=2)
        assert finished.status == 0, finished

    def _visit(self, visit: Visit, times: int) -> Finished:
        host, port = visit.address
        command: list[str | Path] = [*PYTHON_PEER, "client", host, str(port), "--times", str(times)]
        command += ["--server-name", visit.server_name, "--path", visit.path]
        command += python_options(visit.identity, visit.trust, visit.version, visit.alpn)
        if visit.upload:
            command += ["--upload", visit.upload.path]
        with Program(*command) as run:
            return run.finish()


def request(visit: Visit) -> Iterable[bytes]:
    if visit.upload:
        yield http.put(visit.path, visit.upload.size)
        yield from visit.upload.blocks()
    else:
        yield http.get(visit.path)


def is_address(name: str) -> bool:
    return ":" in name or name[-1].isdigit()


def _host_and_port(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
