"""ALPN: the server's choice, by its order or by a callback.  RFC 7301"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from pairs import carry, meet, shake_hands

import pyossl
from pyossl import Context, lib


def offering(authority: pyossl.Authority, *protocols: str) -> Context:
    return Context.client(trust=authority.certificate, alpn=protocols)


@pytest.mark.feature("ALPN selection")
def test_the_callback_sees_what_is_offered_and_selects(authority: pyossl.Authority, server_context: Context) -> None:
    seen: list[Sequence[str]] = []

    def callback(connection: pyossl.Connection, offered: Sequence[str]) -> str:
        seen.append(offered)
        return offered[-1]

    server_context.alpn_callback = callback
    client, server = meet(offering(authority, "h2", "http/1.1"), server_context)
    assert client.alpn == server.alpn == "http/1.1"
    assert seen == [("h2", "http/1.1")]


def test_a_callback_that_selects_none_goes_on_without(authority: pyossl.Authority, server_context: Context) -> None:
    server_context.alpn_callback = lambda connection, offered: None
    assert meet(offering(authority, "h2"), server_context)[0].alpn is None


@pytest.mark.parametrize("answer", ["h3", "", "x" * 300, b"h2", 0, True, ["h2"]])
def test_what_was_not_offered_cannot_be_selected(
    answer: object, authority: pyossl.Authority, server_context: Context
) -> None:
    """docs/pitfalls.md, 17: "Bound-check what callbacks return"."""
    server_context.alpn_callback = lambda connection, offered: answer  # type: ignore[assignment, return-value]
    client, server = pyossl.Connection(offering(authority, "h2"), "example.com"), pyossl.Connection(server_context)
    with pytest.raises((TypeError, ValueError)):
        shake_hands(client, server)
    carry(client, server)
    with pytest.raises(pyossl.AlertError) as caught:
        client.handshake()
    assert caught.value.number == lib.SSL_AD_NO_APPLICATION_PROTOCOL


def test_what_the_callback_raises_is_raised(authority: pyossl.Authority, server_context: Context) -> None:
    """docs/pitfalls.md, 16."""
    error = LookupError()

    def callback(connection: pyossl.Connection, offered: Sequence[str]) -> str:
        raise error

    server_context.alpn_callback = callback
    with pytest.raises(LookupError) as caught:
        meet(offering(authority, "h2"), server_context)
    assert caught.value is error


def test_an_alpn_callback_is_a_servers(client_context: Context) -> None:
    with pytest.raises(pyossl.UsageError, match="is only for servers"):
        client_context.alpn_callback = lambda connection, offered: None
