"""Clients' certificates: asked for, required, chosen by the names of authorities, and refused."""

from __future__ import annotations

import pytest
from marks import VERSIONS
from pairs import carry, meet, shake_hands

import pyossl
from pyossl import Context, Version, lib


def server_of(own: pyossl.Credentials, trust: pyossl.Authority, verify: bool | str = True) -> Context:
    return Context.server(own.certificate, own.private_key, trust=trust.certificate, verify=verify)  # type: ignore[arg-type]


@pytest.mark.feature("verified chain, and chain as sent")
@VERSIONS
@pytest.mark.parametrize("verify", [True, "optional"])
def test_the_server_sees_the_clients_certificate_and_chain(
    verify: bool | str, version: Version, authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    mine = pyossl.Authority("between", parent=authority).issue("me.example")
    client_context = Context.client(
        trust=authority.certificate,
        certificate=(mine.certificate, *mine.chain),
        private_key=mine.private_key,
        maximum_version=version,
    )
    _, server = meet(client_context, server_of(credentials, authority, verify))
    assert server.peer_certificate == mine.certificate
    assert server.verified_chain == (mine.certificate, *mine.chain, authority.certificate)
    assert mine.chain[0] in server.peer_chain
    assert server.verify_code == lib.X509_V_OK


def test_the_chain_that_a_server_got_lacks_the_clients_own_and_is_forgotten_when_a_session_is_resumed(
    authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    """docs/pitfalls.md, 60."""
    mine = pyossl.Authority("between", parent=authority).issue("me.example")
    context = Context.client(
        trust=authority.certificate, certificate=(mine.certificate, *mine.chain), private_key=mine.private_key
    )
    serving = server_of(credentials, authority)
    client, server = meet(context, serving)
    assert server.peer_chain == mine.chain
    server.write(b"!")
    carry(server, client)
    client.read(1)
    client, server = pyossl.Connection(context, "example.com", session=client.session), pyossl.Connection(serving)
    shake_hands(client, server)
    assert client.session_reused
    assert server.peer_certificate == mine.certificate
    assert server.peer_chain == ()


@VERSIONS
def test_a_client_without_a_certificate_is_a_certificate_error(
    version: Version, authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    client = pyossl.Connection(Context.client(trust=authority.certificate, maximum_version=version), "example.com")
    server = pyossl.Connection(server_of(credentials, authority))
    with pytest.raises(pyossl.CertificateError, match="failed: peer did not return a certificate") as caught:
        shake_hands(client, server)
    assert caught.value.certificate is None
    assert caught.value.code == lib.X509_V_ERR_UNSPECIFIED
    carry(client, server)
    with pytest.raises(pyossl.AlertError) as alert:
        client.handshake() or client.read()
    assert alert.value.number == (116 if version is Version.TLSv1_3 else 40)


@VERSIONS
def test_where_it_is_optional_a_client_may_come_without(
    version: Version, authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    client_context = Context.client(trust=authority.certificate, maximum_version=version)
    _, server = meet(client_context, server_of(credentials, authority, "optional"))
    assert server.peer_certificate is None


@pytest.mark.parametrize("verify", [True, "optional"])
def test_a_strangers_certificate_is_refused_even_where_none_is_needed(
    verify: bool | str, authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    mine = pyossl.Authority("stranger").issue("me.example")
    client_context = Context.client(
        trust=authority.certificate, certificate=mine.certificate, private_key=mine.private_key
    )
    with pytest.raises(pyossl.CertificateError, match=r"the certificate is 'CN=me\.example'") as caught:
        meet(client_context, server_of(credentials, authority, verify))
    assert caught.value.certificate == mine.certificate


@pytest.mark.feature("client certificates with CA names")
@VERSIONS
def test_a_client_sees_the_names_of_the_authorities_that_the_server_sends(
    version: Version, authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    """SSL_get0_peer_CA_list(3)"""
    other = pyossl.Authority("another")
    server_context = server_of(credentials, authority, "optional")
    server_context.ca_names = [authority.certificate, other.certificate.subject_name]
    expected = (authority.certificate.subject_name, other.certificate.subject_name)
    assert server_context.ca_names == expected
    client, _ = meet(Context.client(trust=authority.certificate, maximum_version=version), server_context)
    assert client.peer_ca_names == expected


def test_a_server_that_sends_no_names_is_seen_to_send_none(
    authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    server_context = server_of(credentials, authority, "optional")
    server_context.ca_names = [authority.certificate]
    server_context.ca_names = ()
    assert server_context.ca_names == ()
    client, _ = meet(Context.client(trust=authority.certificate), server_context)
    assert client.peer_ca_names == ()


def test_a_server_sees_the_names_that_a_client_sends(authority: pyossl.Authority, server_context: Context) -> None:
    """TLS 1.3's extension certificate_authorities."""
    client_context = Context.client(trust=authority.certificate)
    client_context.ca_names = [authority.certificate]
    _, server = meet(client_context, server_context)
    assert server.peer_ca_names == (authority.certificate.subject_name,)


def test_names_are_no_trust(authority: pyossl.Authority, credentials: pyossl.Credentials) -> None:
    stranger = pyossl.Authority("stranger")
    mine = stranger.issue("me.example")
    server_context = server_of(credentials, authority)
    server_context.ca_names = [stranger.certificate]
    client_context = Context.client(
        trust=authority.certificate, certificate=mine.certificate, private_key=mine.private_key
    )
    with pytest.raises(pyossl.CertificateError):
        meet(client_context, server_context)


@pytest.mark.parametrize("names", [["CN=x"], [b"der"], [None]])
def test_what_is_no_name_is_refused(names: list[object], server_context: Context) -> None:
    with pytest.raises(TypeError, match="is a Name, not"):
        server_context.ca_names = names  # type: ignore[assignment]


@pytest.mark.feature("email address as reference name")
def test_a_client_is_asked_for_the_email_it_must_have(
    authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    mine = authority.issue("me.example")
    client_context = Context.client(
        trust=authority.certificate, certificate=mine.certificate, private_key=mine.private_key
    )
    client = pyossl.Connection(client_context, "example.com")
    server = pyossl.Connection(server_of(credentials, authority), email="me@me.example")
    with pytest.raises(pyossl.CertificateError, match="mail"):
        shake_hands(client, server)
