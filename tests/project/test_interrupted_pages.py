"""The asyncio programs of the documents end at Ctrl-C and at SIGTERM, also while clients are connected."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cli.cli_servers import written
from project.console_sessions import ConsoleSession
from project.documents import ROOT, blocks

import pyossl

SECONDS = 25
"""Less than the time limits of pyossl.aio, for which a program that waits for its clients would wait."""


@pytest.fixture
def world(tmp_path: Path, authority: pyossl.Authority, credentials: pyossl.Credentials) -> Path:
    """The folder of the programs, with the certificates that they use."""
    written(tmp_path, authority, credentials)
    return tmp_path


def _session(page: str, world: Path) -> ConsoleSession:
    session = ConsoleSession(world, 0)
    for block in blocks(ROOT / "docs" / "howto" / page):
        if block.file_name:
            session.write(block)
    return session


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("page", "program", "behind"),
    [
        ("asyncio-proxy.md", "proxy.py", "8080"),
        ("asyncio-proxy.md", "tls_out.py", "4433"),
        ("asyncio-server.md", "server.py", ""),
    ],
)
def test_a_program_ends_with_status_0_while_clients_are_connected_and_in_their_handshake(
    page: str, program: str, behind: str, number: signal.Signals, world: Path
) -> None:
    with _session(page, world) as session, contextlib.ExitStack() as stack:
        ports = session.ports
        if behind:  # a service that never answers
            context = pyossl.Context.server(world / "chain.pem", world / "key.pem")
            service = stack.enter_context(socket.create_server(("localhost", int(ports[behind]))))
            service.settimeout(SECONDS)
        environment = session.environment
        running = subprocess.Popen(
            ["python", program], cwd=world, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        stack.callback(running.kill)
        assert running.stdout is not None
        stack.enter_context(running.stdout)
        assert running.stdout.readline() == "listening\n"
        port = int(ports["4434" if program == "tls_out.py" else "4433"])
        plain = stack.enter_context(socket.create_connection(("localhost", port), timeout=SECONDS))
        if program != "tls_out.py":  # the plain client stays in its handshake
            client: Any = stack.enter_context(
                pyossl.connect(("localhost", port), pyossl.Context.client(trust=world / "ca.pem"), timeout=SECONDS)
            )
        else:
            client = plain
        client.sendall(b"half of a line")
        if behind:
            accepted: Any = stack.enter_context(service.accept()[0])
            accepted.settimeout(SECONDS)
            if program == "tls_out.py":
                accepted = stack.enter_context(context.wrap_socket(accepted))
            assert accepted.recv(100) == b"half of a line"
        running.send_signal(number)
        printed = running.communicate(timeout=SECONDS)[0]
        assert running.returncode == 0, printed
        assert "Traceback" not in printed
        if behind:
            assert re.fullmatch("aborted: the proxy ends\n", printed), printed
            for side in (client, accepted):
                with pytest.raises(
                    (ConnectionResetError, pyossl.TruncationError)
                ):  # neither side takes the data for complete
                    assert side.recv(100)
