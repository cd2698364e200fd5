"""``python -m pyossl server --ticket-keys``: servers that share the keys of their tickets."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cli.cli_servers import Files, files, our_server
from marks import VERSIONS

import pyossl

assert files, "a fixture"


@pytest.mark.feature("ticket keys of several servers on the command line")
def test_a_server_resumes_the_session_of_another_server_with_the_key(files: Files, tmp_path: Path) -> None:
    old, new = pyossl.TicketKeys.generate(), pyossl.TicketKeys.generate()
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_bytes(old)
    second.write_bytes(new + old)
    context = pyossl.Context.client(trust=files.ca)
    sessions: list[pyossl.Session] = []
    context.new_session_callback = lambda connection, session: sessions.append(session)
    own = ("--cert", files.certificate, "--key", files.key)
    with our_server(*own, "--ticket-keys", str(first)) as one, our_server(*own, "--ticket-keys", str(second)) as two:
        assert not visit_is_resumed(one.where, context, sessions)
        assert visit_is_resumed(two.where, context, sessions)  # it renews the ticket with its own key
        assert not visit_is_resumed(one.where, context, sessions)


@VERSIONS
def test_with_early_data_the_keys_are_for_tls_1_2(version: pyossl.Version, files: Files, tmp_path: Path) -> None:
    """docs/pitfalls.md, 73"""
    keys = tmp_path / "keys"
    keys.write_bytes(pyossl.TicketKeys.generate())
    context = pyossl.Context.client(trust=files.ca, maximum_version=version)
    sessions: list[pyossl.Session] = []
    context.new_session_callback = lambda connection, session: sessions.append(session)
    options = "--cert", files.certificate, "--key", files.key, "--ticket-keys", str(keys), "--early-data"
    with our_server(*options) as one, our_server(*options) as two:
        assert not visit_is_resumed(one.where, context, sessions)
        assert visit_is_resumed(two.where, context, sessions) == (version is pyossl.Version.TLSv1_2)


def visit_is_resumed(where: str, context: pyossl.Context, sessions: list[pyossl.Session]) -> bool:
    """Connects with the last session."""
    host, _, port = where.rpartition(":")
    session = sessions[-1] if sessions else None
    with pyossl.connect((host, int(port)), context, session=session, timeout=60) as tls:
        tls.sendall(b"hello")
        assert tls.recv(100) == b"hello"
        return tls.connection.session_reused


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        (b"", b"there are 1 to 32 ticket keys, not 0"),
        (os.urandom(81), b"key 2 is 1"),
        (bytes(80), b"key 1 is zeros"),
        (None, b"No such file"),
    ],
    ids=["empty", "length", "zeros", "missing"],
)
def test_a_file_without_keys_is_status_2(keys: bytes | None, why: bytes, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    if keys is not None:
        file.write_bytes(keys)
    command = [sys.executable, "-m", "pyossl", "server", "--port", "0", "--ticket-keys", str(file)]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert done.returncode == 2
    assert why in done.stderr
