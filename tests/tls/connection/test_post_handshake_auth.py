"""A TLS 1.3 server asks for the client's certificate after the handshake.  SSL_verify_client_post_handshake(3)"""

from __future__ import annotations

import pytest
from pairs import carry, meet, shake_hands

import pyossl
from pyossl import Context, UsageError, Version, lib
from pyossl.tls.mutable.mutable_connection import MutableConnection
from pyossl.tls.mutable.mutable_context import Method, MutableContext


@pytest.fixture
def server_context(authority: pyossl.Authority, credentials: pyossl.Credentials) -> Context:
    return Context.server(credentials.certificate, credentials.private_key, trust=authority.certificate, verify="later")


@pytest.fixture
def mine(authority: pyossl.Authority) -> pyossl.Credentials:
    return authority.issue("me.example")


def client_of(authority: pyossl.Authority, mine: pyossl.Credentials | None = None, *, allows: bool = True) -> Context:
    own = {} if mine is None else {"certificate": mine.certificate, "private_key": mine.private_key}
    context = Context.client(trust=authority.certificate, **own)  # type: ignore[arg-type]
    context.post_handshake_auth = allows
    assert context.post_handshake_auth is allows
    return context


def answered(client: pyossl.Connection, server: pyossl.Connection) -> None:
    """The client gets the request and answers it, and the server reads the answer."""
    carry(client, server)
    assert client.read(1) is pyossl.Want.READ
    carry(client, server)
    assert server.read(1) is pyossl.Want.READ


@pytest.mark.feature("post-handshake authentication")
def test_the_certificate_comes_after_the_handshake(
    authority: pyossl.Authority, server_context: Context, mine: pyossl.Credentials
) -> None:
    client, server = meet(client_of(authority, mine), server_context)
    assert server.peer_certificate is None
    assert server.request_certificate() is None
    answered(client, server)
    assert server.peer_certificate == mine.certificate
    assert server.verified_chain[-1] == authority.certificate


def test_there_is_no_certificate_before_its_key_has_signed(
    authority: pyossl.Authority, server_context: Context, mine: pyossl.Credentials
) -> None:
    """docs/pitfalls.md, 90."""
    client, server = meet(client_of(authority, mine), server_context)
    server.request_certificate()
    carry(client, server)
    assert client.read(1) is pyossl.Want.READ
    seen = []
    answer = client.data_to_send()
    while answer:
        size = 5 + int.from_bytes(answer[3:5], "big")
        server.receive_data(answer[:size])
        answer = answer[size:]
        assert server.read(1) is pyossl.Want.READ
        known = server.peer_certificate, server.peer_public_key, server.peer_chain, server.verified_chain
        seen.append(any(known))
    assert seen == [False, False, True]
    assert server.peer_certificate == mine.certificate


def test_a_client_without_a_certificate_is_refused(authority: pyossl.Authority, server_context: Context) -> None:
    client, server = meet(client_of(authority), server_context)
    server.request_certificate()
    with pytest.raises(pyossl.CertificateError):
        answered(client, server)
    carry(client, server)
    with pytest.raises(pyossl.AlertError) as caught:
        client.read(1)
    assert caught.value.number == pyossl.Alert.CERTIFICATE_REQUIRED


def test_a_certificate_that_does_not_verify_is_refused(authority: pyossl.Authority, server_context: Context) -> None:
    stranger = pyossl.Authority("another").issue("me.example")
    client, server = meet(client_of(authority, stranger), server_context)
    server.request_certificate()
    with pytest.raises(pyossl.CertificateError):
        answered(client, server)


def test_a_client_that_does_not_allow_it_is_not_asked_and_the_connection_goes_on(
    authority: pyossl.Authority, server_context: Context, mine: pyossl.Credentials
) -> None:
    client, server = meet(client_of(authority, mine, allows=False), server_context)
    with pytest.raises(pyossl.Error):
        server.request_certificate()
    client.write(b"still here")
    carry(client, server)
    assert server.read(100) == b"still here"


def test_in_tls_1_2_the_client_is_asked_in_the_handshake(
    authority: pyossl.Authority, server_context: Context, mine: pyossl.Credentials
) -> None:
    context = client_of(authority, mine)
    context.maximum_version = Version.TLSv1_2
    _, server = meet(context, server_context)
    assert server.peer_certificate == mine.certificate
    with pytest.raises(pyossl.Error):
        server.request_certificate()


def test_it_is_for_the_right_side_only(
    authority: pyossl.Authority, server_context: Context, mine: pyossl.Credentials
) -> None:
    with pytest.raises(UsageError):
        server_context.post_handshake_auth = True
    with pytest.raises(TypeError):
        client_of(authority).post_handshake_auth = 1  # type: ignore[assignment]
    client, _ = meet(client_of(authority, mine), server_context)
    with pytest.raises(UsageError):
        client.request_certificate()


def test_a_mutable_connection_asks_with_its_next_call(
    authority: pyossl.Authority, credentials: pyossl.Credentials, mine: pyossl.Credentials
) -> None:
    context = MutableContext(Method.TLS_SERVER, live=True)
    context.use_credentials(credentials.certificate, credentials.private_key, credentials.chain)
    context.store.add(authority.certificate)
    context.set_session_id_context(b"test")
    context.set_verify(lib.SSL_VERIFY_PEER | lib.SSL_VERIFY_POST_HANDSHAKE, None)
    server = MutableConnection(context)
    server.set_accept_state()
    client = pyossl.Connection(client_of(authority, mine), "example.com")
    shake_hands(client, server)
    server.verify_client_post_handshake()
    assert server.write(b"who are you?") == 12
    carry(client, server)
    assert client.read(100) == b"who are you?"
    carry(client, server)
    assert server.read(1) is pyossl.Want.READ
    assert server.peer_certificate == mine.certificate


def test_a_mutable_client_allows_it_for_one_connection(
    authority: pyossl.Authority, server_context: Context, mine: pyossl.Credentials
) -> None:
    context = MutableContext(Method.TLS_CLIENT)
    context.use_credentials(mine.certificate, mine.private_key)
    client, server = MutableConnection(context), pyossl.Connection(server_context)
    client.set_connect_state()
    client.set_post_handshake_auth(True)
    shake_hands(client, server)
    server.request_certificate()
    answered(client, server)
    assert server.peer_certificate == mine.certificate
