"""The peers, the authorities and the files of the tests against real programs."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import pytest
from interop.authorities import Authority, Identity, ProgramAuthority, PyosslAuthority, TrustmeAuthority
from interop.bodies import GREETING, Body, write_body
from interop.client_peers import ClientPeer, ReturningPeer
from interop.peers import CLIENT_PEERS, SERVER_PEERS, each
from interop.pyossl_server import Serve, answer_from, answering
from interop.server_peers import ServerPeer

import pyossl


@pytest.fixture(params=each(SERVER_PEERS))
def server_peer(request: pytest.FixtureRequest) -> ServerPeer:
    """Each server that does not use pyossl, in turn."""
    return request.param


@pytest.fixture(params=each(peer for peer in SERVER_PEERS if peer.takes_bodies))
def receiving_peer(request: pytest.FixtureRequest) -> ServerPeer:
    """Each server that can receive a file."""
    return request.param


@pytest.fixture(params=each(CLIENT_PEERS))
def client_peer(request: pytest.FixtureRequest) -> ClientPeer:
    """Each client that does not use pyossl, in turn."""
    return request.param


@pytest.fixture(params=each(peer for peer in CLIENT_PEERS if peer.prints_bodies))
def printing_peer(request: pytest.FixtureRequest) -> ClientPeer:
    """Each client that can fetch a large file."""
    return request.param


@pytest.fixture(params=each(peer for peer in CLIENT_PEERS if isinstance(peer, ReturningPeer)))
def returning_peer(request: pytest.FixtureRequest) -> ReturningPeer:
    """Each client that can resume its session."""
    return request.param


@pytest.fixture(params=[pyossl.Version.TLSv1_2, pyossl.Version.TLSv1_3], ids=lambda version: version.name)
def version(request: pytest.FixtureRequest) -> pyossl.Version:
    """The only version that the peer accepts."""
    return request.param


@pytest.fixture(scope="session")
def pyossl_authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return PyosslAuthority(tmp_path_factory.mktemp("pyossl"))


@pytest.fixture(scope="session")
def trustme_authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return TrustmeAuthority(tmp_path_factory.mktemp("trustme"))


@pytest.fixture(scope="session")
def program_authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return ProgramAuthority(tmp_path_factory.mktemp("openssl"))


@pytest.fixture(params=["pyossl_authority", "trustme_authority", "program_authority"])
def any_authority(request: pytest.FixtureRequest) -> Authority:
    """Each authority in turn."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def identity(trustme_authority: Authority) -> Identity:
    """The certificate of the server, for tests about something else."""
    return trustme_authority.issue("localhost", "127.0.0.1", "::1")


@pytest.fixture(scope="session")
def client_identity(pyossl_authority: Authority) -> Identity:
    """The certificate of a client, with an intermediate authority, whose certificate must be sent too."""
    return pyossl_authority.issue("a-client.example")


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the servers serve, with the file ``greeting``."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "greeting").write_bytes(GREETING)
    return folder


@pytest.fixture(scope="session")
def large_body(folder: Path) -> Iterator[Body]:
    """100 MB, the file ``large`` of the served folder."""
    body = write_body(folder / "large", 100)
    yield body
    body.path.unlink()


@pytest.fixture
def serve(folder: Path) -> Serve:
    """Starts pyossl as a server of the folder."""
    return functools.partial(answering, answer_from(folder))
