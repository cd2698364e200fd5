"""GnuTLS's programs gnutls-serv and gnutls-cli: an implementation that shares no code with OpenSSL."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from interop.client_peers import ClientPeer, Visit, is_address, request
from interop.free_ports import kept_to_the_loopback, port_of
from interop.programs import Finished, Program, program
from interop.refusals import Alert
from interop.server_peers import Refusals, Running, ServerPeer, Service

import pyossl

PRIORITIES = {
    None: "NORMAL",
    pyossl.Version.TLSv1_2: "NORMAL:-VERS-ALL:+VERS-TLS1.2",
    pyossl.Version.TLSv1_3: "NORMAL:-VERS-ALL:+VERS-TLS1.3",
}


class GnutlsServer(ServerPeer):
    """``gnutls-serv``, which answers every request with one file."""

    name = "gnutls-serv"
    chooses_the_protocol = False
    takes_bodies = False
    refusals = Refusals(Alert.HANDSHAKE_FAILURE, Alert.DECODE_ERROR, Alert.ACCESS_DENIED)

    @contextlib.contextmanager
    def serving(self, service: Service) -> Iterator[Running]:
        command = self.command(service)
        with Program(*command, folder=service.folder, environment=kept_to_the_loopback()) as run:
            run.wait_for(rb"listening on IPv6 .*done" if ":" in service.host else rb"listening on IPv4 .*done")
            yield Running(run, (service.host, port_of(run, service.host)))

    def command(self, service: Service) -> list[str | Path]:
        command: list[str | Path] = [program("gnutls-serv"), "--port", "0", "--http"]
        command += ["--httpdata", service.folder / service.file, "--priority", PRIORITIES[service.version]]
        command += ["--x509certfile", service.identity.certificate, "--x509keyfile", service.identity.private_key]
        if service.second:
            _, identity = service.second
            command += ["--x509certfile", identity.certificate, "--x509keyfile", identity.private_key]
        if service.clients:
            command += ["--require-client-cert", "--verify-client-cert", "--x509cafile", service.clients]
        else:
            command += ["--disable-client-cert"]
        for protocol in service.alpn:
            command += ["--alpn", protocol]
        return command


class GnutlsClient(ClientPeer):
    """``gnutls-cli``."""

    name = "gnutls-cli"
    prints_bodies = False  # it writes each byte by a separate call
    only_alert = Alert.BAD_CERTIFICATE

    def visit(self, visit: Visit) -> Finished:
        return self._visit(visit)

    def visit_again(self, visit: Visit) -> Finished:
        """Makes two connections: one without data to get a session, and one that resumes it."""
        waits = ["--waitresumption"] if visit.version is pyossl.Version.TLSv1_3 else []
        return self._visit(visit, "--resume", *waits)

    def _visit(self, visit: Visit, *more: str) -> Finished:
        host, port = visit.address
        command: list[str | Path] = [program("gnutls-cli"), "--port", str(port), "--logfile", "/dev/stderr", *more]
        command += ["--x509cafile", visit.trust, "--verify-hostname", visit.server_name]
        command += ["--disable-sni"] if is_address(visit.server_name) else ["--sni-hostname", visit.server_name]
        command += ["--priority", PRIORITIES[visit.version]]
        if visit.identity:
            command += ["--x509certfile", visit.identity.certificate, "--x509keyfile", visit.identity.private_key]
        for protocol in visit.alpn:
            command += ["--alpn", protocol]
        with Program(*command, host, feed=request(visit)) as run:
            finished = run.finish()
        _, _, body = finished.output.partition(b"\r\n\r\n")
        return finished._replace(output=body)
