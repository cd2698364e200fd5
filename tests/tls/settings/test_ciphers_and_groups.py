"""Ciphers, ciphersuites, signature algorithms and the security level."""

from __future__ import annotations

import pytest
from pairs import meet, shake_hands

import pyossl
from pyossl import Context, Version


@pytest.fixture
def context(authority: pyossl.Authority) -> Context:
    return Context.client(trust=authority.certificate)


@pytest.mark.feature("cipher list")
def test_the_cipher_list_decides_in_tls_1_2(context: Context, server_context: Context) -> None:
    context.maximum_version = Version.TLSv1_2
    context.set_cipher_list("ECDHE-ECDSA-AES256-GCM-SHA384")
    assert meet(context, server_context)[0].cipher == "ECDHE-ECDSA-AES256-GCM-SHA384"


@pytest.mark.feature("TLS 1.3 ciphersuites")
def test_the_ciphersuites_decide_in_tls_1_3(context: Context, server_context: Context) -> None:
    context.set_ciphersuites("TLS_CHACHA20_POLY1305_SHA256")
    assert meet(context, server_context)[0].cipher == "TLS_CHACHA20_POLY1305_SHA256"
    assert "TLS_AES_128_GCM_SHA256" not in context.ciphers


@pytest.mark.parametrize("ciphersuites", ["TLS_NONSENSE", "TLS_AES_128_GCM_SHA256:TLS_NONSENSE", "\0", "x" * 1000])
def test_an_unknown_ciphersuite_is_refused_by_every_version(ciphersuites: str, context: Context) -> None:
    """docs/pitfalls.md, the table: from OpenSSL 3.0 on it is left out silently."""
    with pytest.raises(ValueError, match="ciphersuites"):
        context.set_ciphersuites(ciphersuites)


@pytest.mark.parametrize("ciphers", ["nonsense", "!ALL", "ALL\0"])
def test_a_cipher_list_that_leaves_nothing_is_refused(ciphers: str, context: Context) -> None:
    with pytest.raises(ValueError, match="cipher list"):
        context.set_cipher_list(ciphers)


@pytest.mark.parametrize("value", [None, 1, b"ALL", ["ALL"]])
def test_only_text_is_a_list(value: object, context: Context) -> None:
    for choose in (
        context.set_cipher_list,
        context.set_ciphersuites,
        context.set_groups,
        context.set_sigalgs,
        context.set_client_sigalgs,
    ):
        with pytest.raises((ValueError, TypeError)):
            choose(value)  # type: ignore[arg-type]


@pytest.mark.feature("signature algorithms")
def test_a_certificate_is_not_sent_to_a_client_without_its_signature_algorithm(
    context: Context, server_context: Context
) -> None:
    """The server's key is on P-256."""
    context.set_sigalgs("ECDSA+SHA256")
    meet(context, server_context)
    other = Context.client(verify=False)
    other.set_sigalgs("RSA-PSS+SHA256")
    with pytest.raises(pyossl.Error):
        shake_hands(pyossl.Connection(other), pyossl.Connection(server_context))


@pytest.mark.feature("client signature algorithms")
def test_the_signature_algorithms_for_client_certificates_are_a_servers_to_choose(
    authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    mine = authority.issue("me.example")
    client_context = Context.client(
        trust=authority.certificate, certificate=mine.certificate, private_key=mine.private_key
    )
    for algorithms, welcome in {"ECDSA+SHA256": True, "RSA-PSS+SHA256": False}.items():
        server_context = Context.server(
            credentials.certificate, credentials.private_key, trust=authority.certificate, verify=True
        )
        server_context.set_client_sigalgs(algorithms)
        if welcome:
            assert meet(client_context, server_context)[1].peer_certificate == mine.certificate
        else:
            with pytest.raises(pyossl.Error):
                meet(client_context, server_context)


@pytest.mark.parametrize("algorithms", ["nonsense", "", "ECDSA+SHA256:nonsense\0"])
def test_signature_algorithms_that_there_are_not_are_refused(algorithms: str, context: Context) -> None:
    for choose in (context.set_sigalgs, context.set_client_sigalgs):
        with pytest.raises(ValueError, match="signature algorithms"):
            choose(algorithms)


@pytest.mark.feature("security level")
def test_a_key_below_the_security_level_is_refused(context: Context, server_context: Context) -> None:
    """SSL_CTX_set_security_level(3): level 4 asks for 192 bits, and P-256 has 128."""
    context.security_level = 4
    assert context.security_level == 4
    with pytest.raises(pyossl.Error):
        meet(context, server_context)


@pytest.mark.parametrize("level", [-1, 6])
def test_a_security_level_is_0_to_5(level: int, context: Context) -> None:
    with pytest.raises(ValueError, match="0 to 5"):
        context.security_level = level
