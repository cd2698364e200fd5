"""The certificate callback: a server and a client choose their certificate in the handshake."""

from __future__ import annotations

from typing import Any

import pytest
from marks import VERSIONS
from pairs import asking_later, carry, meet, shake_hands

import pyossl
from pyossl import CertificateDemand, Connection, Context, Credentials, UsageError, Version
from pyossl.tls.mutable.mutable_connection import MutableConnection
from pyossl.tls.mutable.mutable_context import Method, MutableContext


class OnPurposeError(Exception):
    pass


@pytest.fixture
def requiring(authority: pyossl.Authority, credentials: Credentials) -> Context:
    """A server's context that requires a certificate of clients."""
    return Context.server(credentials.certificate, credentials.private_key, trust=authority.certificate, verify=True)


@pytest.mark.feature("certificate callback, server and client")
@VERSIONS
def test_a_server_without_a_certificate_chooses_one_for_each_name(
    version: Version, authority: pyossl.Authority
) -> None:
    issued: dict[str | None, Credentials] = {}

    def choose(connection: Connection, demand: CertificateDemand) -> Credentials:
        assert demand.server_name is not None
        return issued.setdefault(demand.server_name, authority.issue(demand.server_name))

    server_context = Context(is_server=True)
    server_context.certificate_callback = choose
    client_context = Context.client(trust=authority.certificate, minimum_version=version, maximum_version=version)
    for name in ("a.example", "b.example"):
        client, _ = meet(client_context, server_context, name)
        assert client.peer_certificate == issued[name].certificate


def test_a_key_in_a_token_logs_in_before_it_signs(authority: pyossl.Authority) -> None:
    """In a child process it has to: as the key of a context does."""
    issued = authority.issue("example.com")
    logins: list[str] = []
    issued.private_key._log_in = lambda: logins.append("in")
    server_context = Context(is_server=True)
    server_context.certificate_callback = lambda connection, demand: issued
    meet(Context.client(trust=authority.certificate), server_context)
    assert logins == ["in"]


@VERSIONS
def test_the_choice_replaces_the_contexts_certificates_of_every_type(
    version: Version, authority: pyossl.Authority
) -> None:
    rsa = authority.issue("example.com", private_key=pyossl.PrivateKey.generate("RSA"))
    ec = authority.issue("example.com")
    for own, chosen in ((rsa, ec), (ec, rsa)):
        server_context = Context.server(own.certificate, own.private_key)
        server_context.certificate_callback = lambda connection, demand, chosen=chosen: chosen
        client_context = Context.client(trust=authority.certificate, minimum_version=version, maximum_version=version)
        client, _ = meet(client_context, server_context)
        assert client.peer_certificate == chosen.certificate


@VERSIONS
def test_the_chain_is_sent_too(version: Version, authority: pyossl.Authority) -> None:
    own = pyossl.Authority("between", parent=authority).issue("example.com")
    assert own.chain
    server_context = Context(is_server=True)
    server_context.certificate_callback = lambda connection, demand: own
    client_context = Context.client(trust=authority.certificate, minimum_version=version, maximum_version=version)
    client, _ = meet(client_context, server_context)
    assert client.peer_chain[:2] == (own.certificate, *own.chain)


@VERSIONS
def test_none_leaves_the_contexts_own(version: Version, client_context: Context, server_context: Context) -> None:
    asked = []
    server_context.certificate_callback = lambda connection, demand: asked.append(demand)
    server_context.maximum_version = version
    client, _ = meet(client_context, server_context)
    assert client.peer_certificate is not None
    assert len(asked) == 1


def test_a_server_without_any_certificate_refuses_its_clients(client_context: Context) -> None:
    server_context = Context(is_server=True)
    server_context.certificate_callback = lambda connection, demand: None
    with pytest.raises(pyossl.TLSError):
        shake_hands(Connection(client_context, "example.com"), Connection(server_context))


@VERSIONS
def test_a_client_chooses_its_certificate_by_what_the_server_accepts(
    version: Version, authority: pyossl.Authority, requiring: Context
) -> None:
    other = pyossl.Authority("another authority")
    own = {each.certificate.subject_name: each.issue("client") for each in (other, authority)}
    demands: list[CertificateDemand] = []

    def choose(connection: Connection, demand: CertificateDemand) -> Credentials | None:
        demands.append(demand)
        return next((own[name] for name in demand.authorities if name in own), None)

    requiring.ca_names = [authority.certificate]
    requiring.set_sigalgs("ECDSA+SHA256:RSA-PSS+SHA256")
    client_context = Context.client(trust=authority.certificate, minimum_version=version, maximum_version=version)
    client_context.certificate_callback = choose
    client, server = meet(client_context, requiring)
    carry(client, server)
    assert server.peer_certificate == own[authority.certificate.subject_name].certificate
    assert demands == [CertificateDemand("example.com", (0x0403, 0x0804), (authority.certificate.subject_name,))]


def test_a_client_is_not_asked_if_the_server_does_not_request_a_certificate(
    client_context: Context, server_context: Context
) -> None:
    asked = []
    client_context.certificate_callback = lambda connection, demand: asked.append(demand)
    meet(client_context, server_context)
    assert asked == []


def test_a_server_is_not_asked_when_a_session_is_resumed(client_context: Context, server_context: Context) -> None:
    asked = []
    server_context.certificate_callback = lambda connection, demand: asked.append(demand)
    client, _ = meet(client_context, server_context)
    assert client.session is not None
    client, _ = meet(client_context, server_context, session=client.session)
    assert client.session_reused
    assert len(asked) == 1


def test_a_client_is_asked_after_the_handshake_too(authority: pyossl.Authority, credentials: Credentials) -> None:
    own, answers = authority.issue("client"), iter([pyossl.Want.X509_LOOKUP])
    client_context, server_context = asking_later(authority, credentials, lambda connection, demand: next(answers, own))
    client, server = meet(client_context, server_context)
    assert server.request_certificate() is None
    carry(client, server)
    assert client.read() is pyossl.Want.X509_LOOKUP
    assert client.read() is pyossl.Want.READ
    carry(client, server)
    assert server.read() is pyossl.Want.READ
    assert server.peer_certificate == own.certificate


def test_the_context_that_a_name_chooses_has_its_own_callback(
    authority: pyossl.Authority, client_context: Context, server_context: Context
) -> None:
    chosen = Context(is_server=True)
    own = authority.issue("example.com")
    chosen.certificate_callback = lambda connection, demand: own
    server_context.certificate_callback = lambda connection, demand: pytest.fail("the first context's callback")
    server_context.servername_callback = lambda connection, name: chosen
    client, _ = meet(client_context, server_context)
    assert client.peer_certificate == own.certificate


@pytest.mark.parametrize("answer", [True, 0, "chain.pem", b"", (), pyossl.Alert.ACCESS_DENIED, object()])
@VERSIONS
def test_an_answer_of_another_type_ends_the_handshake(
    version: Version, answer: Any, client_context: Context, server_context: Context
) -> None:
    server_context.maximum_version = version
    server_context.certificate_callback = lambda connection, demand: answer
    with pytest.raises(TypeError, match="certificate callback returns Credentials"):
        shake_hands(Connection(client_context, "example.com"), Connection(server_context))


def test_a_key_of_another_certificate_ends_the_handshake(
    authority: pyossl.Authority, client_context: Context, server_context: Context
) -> None:
    wrong = Credentials(authority.issue("example.com").certificate, pyossl.PrivateKey.generate())
    server_context.certificate_callback = lambda connection, demand: wrong
    with pytest.raises(pyossl.Error, match=r"(?i)mismatch"):
        shake_hands(Connection(client_context, "example.com"), Connection(server_context))


@pytest.mark.parametrize(
    "answer",
    [
        lambda own: Credentials(None, own.private_key),
        lambda own: Credentials(own.certificate, "key"),
        lambda own: Credentials(own.certificate, own.private_key, (1,)),
        lambda own: Credentials(own.certificate, own.private_key, None),
    ],
)
def test_credentials_that_are_made_of_other_types_end_the_handshake(
    answer: Any, credentials: Credentials, client_context: Context, server_context: Context
) -> None:
    server_context.certificate_callback = lambda connection, demand: answer(credentials)
    with pytest.raises(TypeError, match="Credentials"):
        shake_hands(Connection(client_context, "example.com"), Connection(server_context))


@pytest.mark.parametrize("side", ["client", "server"])
@VERSIONS
def test_an_exception_is_raised_by_the_handshake(
    version: Version, side: str, client_context: Context, requiring: Context
) -> None:
    def fail(connection: Connection, demand: CertificateDemand) -> None:
        raise OnPurposeError

    client_context.maximum_version = version
    (client_context if side == "client" else requiring).certificate_callback = fail
    with pytest.raises(OnPurposeError):
        shake_hands(Connection(client_context, "example.com"), Connection(requiring))


def test_it_is_a_function_and_set_before_the_first_connection(server_context: Context) -> None:
    with pytest.raises(TypeError, match="certificate callback"):
        server_context.certificate_callback = 1  # type: ignore[assignment]
    server_context.certificate_callback = lambda connection, demand: None
    server_context.certificate_callback = None
    Connection(server_context)
    with pytest.raises(UsageError, match="frozen"):
        server_context.certificate_callback = None


def test_a_mutable_context_has_it_too(authority: pyossl.Authority) -> None:
    own = authority.issue("example.com")
    context = MutableContext(Method.TLS, live=True)
    context.certificate_callback = lambda connection, demand: own
    client, server = MutableConnection(MutableContext(Method.TLS)), MutableConnection(context)
    client.set_connect_state()
    server.set_accept_state()
    shake_hands(client, server)
    assert client.peer_certificate == own.certificate
