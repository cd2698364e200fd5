"""Node's ``tls`` as server and client: OpenSSL with another event loop."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from interop.authorities import Identity
from interop.client_peers import ReturningPeer, Visit
from interop.programs import Finished, Program, program
from interop.server_peers import Refusals, ServerPeer, Service

import pyossl

_SCRIPT = Path(__file__).with_name("node_peer.js")


def _command(role: str, **options: Any) -> list[str | Path]:
    return [program("node"), _SCRIPT, role, json.dumps(options, default=str)]


def _shared(
    identity: Identity | None, trust: Path | None, version: pyossl.Version | None, alpn: tuple[str, ...]
) -> dict[str, Any]:
    """The options that both roles of node_peer.js have."""
    return {
        "certificate": identity and identity.certificate,
        "private_key": identity and identity.private_key,
        "trust": trust,
        "version": version and version.name.replace("_", "."),
        "alpn": alpn,
    }


class NodeServer(ServerPeer):
    name = "Node"
    refusals = Refusals(unknown_authority=None)

    def command(self, service: Service) -> list[str | Path]:
        options = _shared(service.identity, service.clients, service.version, service.alpn)
        if service.second:
            name, identity = service.second
            options["second"] = {"name": name, **identity._asdict()}
        return _command("server", host=service.host, folder=service.folder, **options)


class NodeClient(ReturningPeer):
    name = "Node"
    # It checks the certificate after the handshake.
    refuses_by_alert = False

    def visit(self, visit: Visit) -> Finished:
        return self._visit(visit, times=1)

    def visit_twice(self, visit: Visit, folder: Path) -> None:
        finished = self._visit(visit, times=2)
        assert finished.status == 0, finished

    def _visit(self, visit: Visit, times: int) -> Finished:
        host, port = visit.address
        command = _command(
            "client",
            host=host,
            port=port,
            server_name=visit.server_name,
            path=visit.path,
            upload=visit.upload and visit.upload.path,
            times=times,
            **_shared(visit.identity, visit.trust, visit.version, visit.alpn),
        )
        with Program(*command) as run:
            return run.finish()
