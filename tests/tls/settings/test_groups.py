"""The groups of the key exchange, the post-quantum ones among them where this OpenSSL has them."""

from __future__ import annotations

import subprocess

import pytest
from pairs import meet, shake_hands
from served import serving

import pyossl
from pyossl import Context, Version, features

POST_QUANTUM = "X25519MLKEM768"


def client_with(authority: pyossl.Authority, groups: str) -> Context:
    context = Context.client(trust=authority.certificate, minimum_version=Version.TLSv1_3)
    context.set_groups(groups)
    return context


@pytest.mark.feature("groups")
@pytest.mark.parametrize(("groups", "agreed"), [("X25519", "x25519"), ("P-256", "p-256"), ("P-384", "p-384")])
def test_the_group_is_the_one_that_was_set(
    groups: str, agreed: str, authority: pyossl.Authority, server_context: Context
) -> None:
    client, _ = meet(client_with(authority, groups), server_context)
    spelled = {"prime256v1": "p-256", "secp256r1": "p-256", "secp384r1": "p-384"}
    group = str(client.group).lower()
    assert spelled.get(group, group) == agreed


@pytest.mark.parametrize("groups", ["nonsense", "", "X25519:nonsense", "X25519\0", "x" * 10_000])
def test_a_group_that_there_is_not_is_refused(groups: str, client_context: Context) -> None:
    with pytest.raises(ValueError, match="groups"):
        client_context.set_groups(groups)


def test_sides_with_no_group_in_common_refuse_each_other(
    authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    server_context = Context.server(credentials.certificate, credentials.private_key)
    server_context.set_groups("P-384")
    client = pyossl.Connection(client_with(authority, "X25519"), "example.com")
    with pytest.raises(pyossl.Error):
        shake_hands(client, pyossl.Connection(server_context))


@pytest.mark.feature("post-quantum group X25519MLKEM768")
def test_a_post_quantum_group_is_agreed_on_or_refused_by_name(
    authority: pyossl.Authority, server_context: Context
) -> None:
    """From OpenSSL 3.5."""
    if features.post_quantum:
        client, server = meet(client_with(authority, POST_QUANTUM), server_context)
        assert client.group == server.group == POST_QUANTUM
    else:
        with pytest.raises(ValueError, match=POST_QUANTUM):
            client_with(authority, POST_QUANTUM)
        with pytest.raises(pyossl.UnsupportedError):
            features.require("post_quantum")


@pytest.mark.feature("group tuples")
def test_groups_in_tuples_are_agreed_on_or_refused(authority: pyossl.Authority, server_context: Context) -> None:
    """The tuple syntax of OpenSSL 3.5: SSL_CTX_set1_groups_list(3)"""
    groups = "*X25519 / P-256:P-384"
    if features.post_quantum:
        assert str(meet(client_with(authority, groups), server_context)[0].group).lower() == "x25519"
    else:
        with pytest.raises(ValueError, match="groups"):
            client_with(authority, groups)


@pytest.mark.feature("post-quantum group X25519MLKEM768")
def test_s_client_agrees_on_the_group_or_does_not_know_it(
    credentials: pyossl.Credentials, authority: pyossl.Authority
) -> None:
    """s_client(1), which is of the same OpenSSL on every row."""
    groups = POST_QUANTUM if features.post_quantum else "P-384"
    server_context = Context.server(credentials.certificate, credentials.private_key)
    server_context.set_groups(groups)
    seen: list[str | None] = []

    def work(tls: pyossl.Socket) -> None:
        tls.handshake()
        seen.append(tls.connection.group)
        tls.sendall(b"over")
        tls.unwrap().close()

    with serving(server_context, work) as address:
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{address[1]}", "-groups", groups]
        done = subprocess.run(command, input=b"", capture_output=True, timeout=60)
    assert b"TLSv1.3" in done.stdout
    if features.post_quantum:
        assert seen == [POST_QUANTUM]
        assert b"Negotiated TLS1.3 group: X25519MLKEM768" in done.stdout
