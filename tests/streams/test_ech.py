"""Encrypted Client Hello with blocking sockets, asyncio, trio and anyio."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from marks import needs
from streams.each_client import CONNECTING, OVER_ANOTHER, Fetch, answering, each, refused

import pyossl
from pyossl import Context, DecodeError, ECHError, ECHStatus, ECHStore

TRUE, PUBLIC = "secret.example", "cover.example"
pytestmark = needs("ech")


@pytest.fixture(scope="module")
def store() -> ECHStore:
    return ECHStore.new(PUBLIC)


@pytest.fixture(scope="module")
def port(authority: pyossl.Authority, store: ECHStore) -> Iterator[int]:
    """The port of a server that answers each client with the true name."""
    context = Context.server(authority.issue(TRUE, PUBLIC))
    context.ech_store = store
    with answering(context, lambda connection: str(connection.server_hostname).encode()) as port:
        yield port


@each(CONNECTING | OVER_ANOTHER)
def test_a_refused_client_tries_again(fetch: Fetch, port: int, authority: pyossl.Authority, store: ECHStore) -> None:
    server = port, Context.client(trust=authority.certificate), TRUE, "ech"
    outcome, data = fetch(*server, ech=store.config_list)
    assert (outcome.status, data) == (ECHStatus.SUCCESS, TRUE.encode())
    with refused(ECHError) as errors:
        fetch(*server, ech=ECHStore.new(PUBLIC).config_list)
    (error,) = errors
    assert error.retry_configs == store.config_list
    outcome, _ = fetch(*server, ech=error.retry_configs)
    assert outcome.status is ECHStatus.SUCCESS
    with pytest.raises(DecodeError):
        fetch(*server, ech=b"no list")
