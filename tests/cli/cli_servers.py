"""The servers for the tests of the command line: ``python -m pyossl server`` and ``openssl s_server``."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from interop.programs import Program, program

import pyossl


class Files(NamedTuple):
    """The certificate file and the key file of a server for localhost, and the certificate of its authority."""

    certificate: str
    key: str
    ca: str


def written(folder: Path, authority: pyossl.Authority, credentials: pyossl.Credentials) -> Files:
    """Writes the files that a server and its clients need."""
    files = Files(*(str(folder / name) for name in ("chain.pem", "key.pem", "ca.pem")))
    Path(files.certificate).write_bytes(credentials.certificate_pem())
    Path(files.key).write_bytes(credentials.private_key.to_pem())
    Path(files.ca).write_bytes(authority.certificate.to_pem())
    return files


@pytest.fixture(scope="session")
def files(
    tmp_path_factory: pytest.TempPathFactory, authority: pyossl.Authority, credentials: pyossl.Credentials
) -> Files:
    return written(tmp_path_factory.mktemp("files"), authority, credentials)


class Served(NamedTuple):
    """A running server: ``localhost:PORT``, and the program."""

    where: str
    program: Program


@contextlib.contextmanager
def our_server(*arguments: str) -> Iterator[Served]:
    """``python -m pyossl server`` on a free port."""
    with Program(sys.executable, "-m", "pyossl", "server", "--port", "0", *arguments) as run:
        where = run.wait_for(rb"Listening on (\S+:\d+)")
        yield Served(where[1].decode(), run)


@contextlib.contextmanager
def s_server(files: Files, *arguments: str) -> Iterator[Served]:
    """``openssl s_server``, which answers HTTP with a page about the connection."""
    command = [program("openssl"), "s_server", "-accept", "127.0.0.1:0", "-cert", files.certificate]
    with Program(*command, "-key", files.key, "-CAfile", files.ca, *arguments) as run:
        port = run.wait_for(rb"ACCEPT \S+:(\d+)\s")[1].decode()
        yield Served(f"localhost:{port}", run)
