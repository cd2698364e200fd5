"""Servers and clients of Python's standard library over pyossl's sockets, with peers that misbehave."""

from __future__ import annotations

import socketserver
from typing import Any

import pytest
from interop.authorities import Authority, Identity
from interop.standard_servers import (
    HOSTILE,
    KINDS,
    REPORT,
    WAYS,
    InFinishRequest,
    Kind,
    LazyInGetRequest,
    WithListener,
    misbehave,
    serving,
)

import pyossl


@pytest.fixture(scope="module")
def server_context(identity: Identity) -> pyossl.Context:
    return pyossl.Context.server(identity.certificate, identity.private_key)


@pytest.fixture(scope="module")
def client_context(trustme_authority: Authority) -> pyossl.Context:
    return pyossl.Context.client(trust=trustme_authority.trust)


SERVERS = [
    pytest.param(kind, way, id=f"{name}, {way.__name__}")
    for name, kind in KINDS.items()
    for way in WAYS
    if not kind.forks or way is InFinishRequest
]


# Servers


@pytest.mark.parametrize(("kind", "way"), SERVERS)
def test_a_server_survives_each_client_that_misbehaves(
    kind: Kind,
    way: type,
    server_context: pyossl.Context,
    client_context: pyossl.Context,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """``serve_forever`` goes on, and prints nothing but ``socketserver``'s reports of requests that failed."""
    with serving(kind, way, server_context) as running:
        running.serves(client_context)
        for hostile in HOSTILE:
            misbehave(hostile, running.port, client_context)
            running.serves(client_context)
    printed = capfd.readouterr().err
    assert REPORT.sub("", printed) == ""
    for report in REPORT.finditer(printed):
        assert "UsageError" not in report[2], report[0]
        assert report[2].startswith(("pyossl.errors.", "ConnectionResetError", "BrokenPipeError")), report[0]
