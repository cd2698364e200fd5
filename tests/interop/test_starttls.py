"""``python -m pyossl client --starttls`` with servers that start in plain text."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from interop.authorities import Authority, Identity
from interop.mail_and_database import STARTTLS_PEERS, StartTLSPeer
from interop.programs import Finished, Program, where_installed


@pytest.fixture(
    params=[pytest.param(peer, marks=where_installed(*peer.programs), id=peer.protocol) for peer in STARTTLS_PEERS]
)
def peer(request: pytest.FixtureRequest) -> StartTLSPeer:
    return request.param


def client(peer: StartTLSPeer, address: str, trust: Path, name: str) -> Finished:
    command = [sys.executable, "-m", "pyossl", "client", address, "--starttls", peer.protocol, "--timeout", "30"]
    with Program(*command, "--ca", trust, "--servername", name, feed=[peer.session]) as run:
        return run.finish()


@pytest.mark.feature("client --starttls")
def test_a_server_goes_on_under_tls(peer: StartTLSPeer, identity: Identity, trustme_authority: Authority) -> None:
    """Its answer over TLS shows that it knows about TLS."""
    with peer.serving(identity) as started:
        finished = client(peer, started.address, trustme_authority.trust, "localhost")
        assert re.search(peer.answer, finished.output, re.DOTALL), finished
        assert finished.status == 0, finished
        assert re.search(r"version +TLSv1\.[23]\b", finished.complaints)


def test_a_server_with_another_name_is_sent_nothing(
    peer: StartTLSPeer, identity: Identity, trustme_authority: Authority
) -> None:
    with peer.serving(identity) as started:
        finished = client(peer, started.address, trustme_authority.trust, "other.example")
        assert finished.status == 1, finished
        assert finished.output == b""
        assert "hostname mismatch" in finished.complaints.lower()
