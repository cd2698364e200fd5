"""Contexts and connections that verify differently do not resume each other's sessions: a resumed peer is not verified
again (docs/pitfalls.md, 12).
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path

import pytest
from pairs import carry, shake_hands
from x509.certificate_making import crl_der, make, revoke

import pyossl
from pyossl import Context, Session, Store, Verification, VerifyFlags, Version

KEYS = bytes(range(80))


def connect(client: pyossl.Connection, server: pyossl.Connection) -> Session:
    """Connects a client, and returns its session after it has read the tickets."""
    shake_hands(client, server)
    assert client.read() is pyossl.Want.READ
    assert client.session is not None
    return client.session


def is_resumed(client: Context, session: Session, server: pyossl.Connection) -> bool:
    connection = pyossl.Connection(client, "example.com", session=session)
    shake_hands(connection, server)
    carry(connection, server)
    return server.session_reused


@pytest.fixture(params=[Version.TLSv1_2, Version.TLSv1_3], ids=lambda version: version.name)
def client(request: pytest.FixtureRequest, authority: pyossl.Authority) -> Context:
    """A client's context with a certificate of the authority's."""
    own = authority.issue("a-client.example", "a-client@example.com", "another@example.com")
    return Context.client(
        trust=authority.certificate,
        certificate=own.certificate,
        private_key=own.private_key,
        maximum_version=request.param,
    )


@pytest.fixture
def new_server(authority: pyossl.Authority, credentials: pyossl.Credentials) -> Callable[..., Context]:
    """Makes a server's context that verifies clients; all have the same ticket keys."""

    def make(trust: Store | pyossl.Certificate = authority.certificate) -> Context:
        context = Context.server(credentials.certificate, credentials.private_key, trust=trust, verify=True)
        context.ticket_keys = KEYS
        return context

    return make


def accept(connection: pyossl.Connection, verification: Verification) -> bool:
    return True


def the_callback(context: Context) -> None:
    context.verify_callback = lambda connection, verification: verification.ok


def the_chain_callback(context: Context) -> None:
    context.chain_callback = lambda connection, chain: True


DIFFERENCES: dict[str, Callable[[Context], object]] = {
    "depth": lambda context: setattr(context, "verify_depth", 3),
    "flags": lambda context: setattr(context, "verify_flags", context.verify_flags | VerifyFlags.X509_STRICT),
    "purpose": lambda context: context.set_purpose("sslclient"),
    "time": lambda context: context.set_verify_time(datetime.datetime.now(datetime.timezone.utc)),
    "security level": lambda context: setattr(context, "security_level", context.security_level - 1),
    "signature algorithms": lambda context: context.set_client_sigalgs("ECDSA+SHA256:ECDSA+SHA384"),
    "verify callback": the_callback,
    "chain callback": the_chain_callback,
}


def test_contexts_that_verify_alike_resume_each_others_sessions(
    client: Context, new_server: Callable[..., Context]
) -> None:
    session = connect(pyossl.Connection(client, "example.com"), pyossl.Connection(new_server()))
    assert is_resumed(client, session, pyossl.Connection(new_server()))


@pytest.mark.parametrize("difference", DIFFERENCES)
def test_contexts_that_verify_differently_do_not(
    difference: str, client: Context, new_server: Callable[..., Context]
) -> None:
    other = new_server()
    DIFFERENCES[difference](other)
    session = connect(pyossl.Connection(client, "example.com"), pyossl.Connection(other))
    assert is_resumed(client, session, pyossl.Connection(other))
    session = connect(pyossl.Connection(client, "example.com"), pyossl.Connection(other))
    assert not is_resumed(client, session, pyossl.Connection(new_server()))


@pytest.mark.parametrize("set_callback", [the_callback, the_chain_callback])
def test_two_callbacks_of_one_name_are_two(
    set_callback: Callable[[Context], None], client: Context, new_server: Callable[..., Context]
) -> None:
    lax, strict = new_server(), new_server()
    set_callback(lax)
    set_callback(strict)
    session = connect(pyossl.Connection(client, "example.com"), pyossl.Connection(lax))
    assert not is_resumed(client, session, pyossl.Connection(strict))


def test_a_client_that_a_chain_callback_refuses_is_refused_with_the_session_of_another_name_too(
    client: Context, new_server: Callable[..., Context]
) -> None:
    """The two names have one certificate.  A third context chooses theirs, and its ticket keys are in force."""
    lax, strict, first = new_server(), new_server(), new_server()
    strict.chain_callback = lambda connection, chain: False
    first.servername_callback = lambda connection, name: strict if name == "example.com" else lax
    session = connect(pyossl.Connection(client, "lax.example", other_names=["example.com"]), pyossl.Connection(first))
    session = Session.load(session.to_der(), client, "example.com")
    server = pyossl.Connection(first)
    with pytest.raises(pyossl.CertificateError) as refused:
        shake_hands(pyossl.Connection(client, "example.com", session=session), server)
    assert refused.value.failure == server.failure
    assert not server.is_handshake_finished


def test_two_contexts_with_callbacks_share_sessions_if_both_have_one_session_id_context(
    client: Context, new_server: Callable[..., Context]
) -> None:
    first, second = new_server(), new_server()
    for context in (first, second):
        context.verify_callback = accept
        context.session_id_context = b"alike"
    session = connect(pyossl.Connection(client, "example.com"), pyossl.Connection(first))
    assert is_resumed(client, session, pyossl.Connection(second))


def with_folder(store: Store, folder: Path) -> None:
    store.add(folder)


def with_locations(store: Store, folder: Path) -> None:
    store.add_locations(None, str(folder).encode())


def with_crl(store: Store, folder: Path) -> None:
    store.add_crl(crl_der(revoke(make("an issuer of other people's", ca=True), {1: None})))


def with_flags(store: Store, folder: Path) -> None:
    store.add_flags(VerifyFlags.X509_STRICT)


def with_time(store: Store, folder: Path) -> None:
    store.set_time(datetime.datetime.now(datetime.timezone.utc))


@pytest.mark.parametrize("change", [with_folder, with_locations, with_crl, with_flags, with_time])
def test_a_store_that_has_more_than_certificates_is_like_no_other(
    change: Callable[[Store, Path], None],
    client: Context,
    new_server: Callable[..., Context],
    authority: pyossl.Authority,
    tmp_path: Path,
) -> None:
    def new_store() -> Store:
        store = Store.of(authority.certificate)
        change(store, tmp_path)
        return store

    store = new_store()
    session = connect(pyossl.Connection(client, "example.com"), pyossl.Connection(new_server(store)))
    assert is_resumed(client, session, pyossl.Connection(new_server(store)))
    session = connect(pyossl.Connection(client, "example.com"), pyossl.Connection(new_server(store)))
    assert not is_resumed(client, session, pyossl.Connection(new_server(new_store())))


def test_a_server_that_requires_an_email_address_resumes_clients_that_had_to_have_it(
    client: Context, new_server: Callable[..., Context]
) -> None:
    context = new_server()
    anybody = connect(pyossl.Connection(client, "example.com"), pyossl.Connection(context))
    assert not is_resumed(client, anybody, pyossl.Connection(context, email="a-client@example.com"))
    asked = connect(pyossl.Connection(client, "example.com"), pyossl.Connection(context, email="a-client@example.com"))
    assert is_resumed(client, asked, pyossl.Connection(context, email="a-client@example.com"))
    for email in (None, "another@example.com"):
        asked = connect(
            pyossl.Connection(client, "example.com"), pyossl.Connection(context, email="a-client@example.com")
        )
        assert not is_resumed(client, asked, pyossl.Connection(context, email=email))


def test_a_session_with_one_of_several_names_is_not_for_one_of_them_alone(
    client_context: Context, server_context: Context
) -> None:
    session = connect(
        pyossl.Connection(client_context, "elsewhere.example", other_names=["example.com", "third.example"]),
        pyossl.Connection(server_context),
    )
    assert session.server_hostname == "elsewhere.example"
    for names in ([], ["example.com"]):
        with pytest.raises(ValueError, match="may be with one of"):
            pyossl.Connection(client_context, "elsewhere.example", other_names=names, session=session)
    names = ["third.example", "example.com", "fourth.example"]
    again = pyossl.Connection(client_context, "elsewhere.example", other_names=names, session=session)
    connect(again, pyossl.Connection(server_context))
    assert again.session_reused


def test_a_session_is_for_the_email_address_that_its_peer_was_asked_for(
    authority: pyossl.Authority, client_context: Context
) -> None:
    own = authority.issue("example.com", "postmaster@example.com")
    server_context = Context.server(own.certificate, own.private_key)
    unasked = connect(pyossl.Connection(client_context, "example.com"), pyossl.Connection(server_context))
    with pytest.raises(ValueError, match="was not asked for the email address"):
        pyossl.Connection(client_context, "example.com", email="postmaster@example.com", session=unasked)
    asked = connect(
        pyossl.Connection(client_context, "example.com", email="postmaster@example.com"),
        pyossl.Connection(server_context),
    )
    assert asked.email == "postmaster@example.com"
    for email in ("postmaster@example.com", None):
        again = pyossl.Connection(client_context, "example.com", email=email, session=asked)
        connect(again, pyossl.Connection(server_context))
        assert again.session_reused
