"""Other programs resume their sessions with servers in several processes, by tickets or by a cache outside of them."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from interop.authorities import Authority, Identity
from interop.bodies import GREETING
from interop.client_peers import SClient, Visit
from interop.gnutls_peers import GnutlsClient
from interop.programs import DEADLINE, Program, program, where_installed
from served import Task

import pyossl

TESTS = Path(__file__).resolve().parent.parent
KINDS = pytest.mark.parametrize("kind", ["tickets", "cache"])


class Fleet:
    """Three processes with one listening socket, which take the connections in turn."""

    def __init__(self, kind: str, identity: Identity, folder: Path, tmp_path: Path) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        key, cache = tmp_path / "ticket.key", tmp_path / "cache"
        key.write_bytes(pyossl.TicketKeys.generate())
        cache.mkdir()
        descriptor = self._listening.fileno()
        arguments = [str(descriptor), kind, *map(str, (*identity, key, folder, cache))]
        self._processes = [
            subprocess.Popen(
                [sys.executable, "-m", "interop.fleet_server", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                pass_fds=[descriptor],
                cwd=TESTS,
                env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])},
            )
            for _ in range(3)
        ]

    @property
    def address(self) -> tuple[str, int]:
        host, port = self._listening.getsockname()
        return host, port

    def serving(self, connections: int) -> Callable[[], list[str]]:
        """Lets the processes take so many connections, one each in turn; a function for their outcomes."""

        def serve() -> list[str]:
            outcomes = []
            for turn in range(connections):
                process = self._processes[turn % len(self._processes)]
                assert process.stdin is not None
                assert process.stdout is not None
                process.stdin.write(b"\n")
                process.stdin.flush()
                outcomes.append(process.stdout.readline().decode().strip())
            return outcomes

        task = Task(serve)
        return lambda: task.result(DEADLINE)

    def close(self) -> None:
        self._listening.close()
        for process in self._processes:
            process.kill()
            process.wait()
            for pipe in process.stdin, process.stdout:
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()


@pytest.fixture
def fleet(kind: str, identity: Identity, folder: Path, tmp_path: Path) -> Iterator[Fleet]:
    made = Fleet(kind, identity, folder, tmp_path)
    yield made
    made.close()


@pytest.mark.feature(
    "ticket keys that are replaced while connections live",
    "server sessions in an external cache",
    "openssl s_server and s_client",
)
@KINDS
def test_s_client_resumes_a_stored_session_with_another_process(
    fleet: Fleet, version: pyossl.Version, trustme_authority: Authority, tmp_path: Path
) -> None:
    outcomes = fleet.serving(2)
    SClient().visit_twice(Visit(fleet.address, trustme_authority.trust, version=version), tmp_path)
    assert outcomes() == ["in full", "resumed"]


@pytest.mark.feature("openssl s_server and s_client")
@KINDS
def test_s_client_reconnects_to_each_process(fleet: Fleet, trustme_authority: Authority) -> None:
    """s_client(1), -reconnect: five times.  In TLS 1.3 it does not wait for a ticket."""
    outcomes = fleet.serving(6)
    command = [program("openssl"), "s_client", "-reconnect", "-tls1_2", "-CAfile", trustme_authority.trust]
    with Program(*command, "-connect", "{}:{}".format(*fleet.address), feed=[b"Q\n"]) as run:
        finished = run.finish()
    assert finished.output.count(b"\nReused, TLSv1.2") == 5, finished
    assert outcomes() == ["in full"] + 5 * ["resumed"]


@pytest.mark.feature("GnuTLS")
@where_installed("gnutls-cli")
@KINDS
def test_gnutls_cli_resumes_its_session_with_another_process(
    fleet: Fleet, version: pyossl.Version, trustme_authority: Authority
) -> None:
    outcomes = fleet.serving(2)
    visited = GnutlsClient().visit_again(Visit(fleet.address, trustme_authority.trust, version=version))
    assert (visited.status, visited.output) == (0, GREETING), visited.complaints
    assert outcomes() == ["in full", "resumed"]
