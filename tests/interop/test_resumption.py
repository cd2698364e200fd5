"""A peer that comes a second time resumes its session."""

from __future__ import annotations

from pathlib import Path

import pytest
from interop.answering import Serve
from interop.authorities import Authority, Identity
from interop.client_peers import ReturningPeer, Visit

import pyossl


@pytest.mark.feature("resumption")
def test_a_client_resumes_its_session(
    returning_peer: ReturningPeer,
    version: pyossl.Version,
    identity: Identity,
    trustme_authority: Authority,
    tmp_path: Path,
    serve: Serve,
) -> None:
    with serve(pyossl.Context.server(*identity)) as server:
        returning_peer.visit_twice(Visit(server.address, trustme_authority.trust, version=version), tmp_path)
        assert [server.outcome().reused for _ in range(2)] == [False, True]


def test_a_client_with_a_certificate_resumes_its_session_and_is_still_known(
    returning_peer: ReturningPeer,
    version: pyossl.Version,
    identity: Identity,
    client_identity: Identity,
    pyossl_authority: Authority,
    trustme_authority: Authority,
    tmp_path: Path,
    serve: Serve,
) -> None:
    """PITFALLS 12: a server that verifies clients needs a session id context, or refuses every resumption."""
    context = pyossl.Context.server(*identity, trust=pyossl_authority.trust, verify=True)
    with serve(context) as server:
        visit = Visit(server.address, trustme_authority.trust, version=version, identity=client_identity)
        returning_peer.visit_twice(visit, tmp_path)
        first, second = server.outcome(), server.outcome()
        assert (first.reused, second.reused) == (False, True)
        assert first.client == second.client == pyossl.Certificate.load(client_identity.certificate)
