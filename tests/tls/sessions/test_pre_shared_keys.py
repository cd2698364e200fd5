"""Pre-shared keys: with and without certificates, and what fails closed."""

from __future__ import annotations

from typing import Any

import pytest
from marks import VERSIONS, needs
from pairs import carry, meet, shake_hands

import pyossl
from pyossl import Context, UsageError, Version, ffi, lib
from pyossl.tls.mutable.mutable_connection import MutableConnection
from pyossl.tls.mutable.mutable_context import Method, MutableContext

KEY = bytes(range(32))
LONGEST = lib.PSK_MAX_IDENTITY_LEN if lib.HAVE_PSK else 0
pytestmark = needs("psk")


def restricted(context: Context, version: Version) -> Context:
    context.minimum_version = context.maximum_version = version
    if version is Version.TLSv1_2:
        context.set_cipher_list("PSK+AESGCM")
    return context


def client_context(version: Version, answer: Any = (b"Client 1", KEY)) -> Context:
    context = restricted(Context.client(trust=pyossl.Store.empty()), version)
    context.psk_client_callback = answer if callable(answer) else lambda connection, hint: answer
    return context


def server_context(version: Version, keys: Any = None) -> Context:
    context = restricted(Context(is_server=True), version)
    known = {b"Client 1": KEY} if keys is None else keys
    context.psk_server_callback = known if callable(known) else lambda connection, identity: known.get(identity)
    return context


def ticket_of(session: pyossl.Session) -> bytes:
    ticket, size = ffi.new("unsigned char **"), ffi.new("size_t *")
    lib.SSL_SESSION_get0_ticket(session._session, ticket, size)
    return ffi.buffer(ticket[0], size[0])[:]


@pytest.mark.feature("pre-shared keys, client and server")
@VERSIONS
def test_both_sides_know_the_key_and_need_no_certificate(version: Version) -> None:
    client, server = meet(client_context(version), server_context(version))
    assert client.peer_certificate is server.peer_certificate is None
    assert client.version == version.name.replace("_", ".")
    client.write(b"secret")
    carry(client, server)
    assert server.read(100) == b"secret"


@VERSIONS
def test_another_key_is_refused(version: Version) -> None:
    client = pyossl.Connection(client_context(version, (b"Client 1", bytes(32))), "example.com")
    with pytest.raises(pyossl.TLSError):
        shake_hands(client, pyossl.Connection(server_context(version)))


@VERSIONS
def test_an_identity_that_the_server_does_not_know_is_refused(version: Version) -> None:
    client = pyossl.Connection(client_context(version, (b"Client 2", KEY)), "example.com")
    with pytest.raises(pyossl.TLSError):
        shake_hands(client, pyossl.Connection(server_context(version)))


@VERSIONS
def test_a_client_without_a_key_is_refused_by_a_server_without_a_certificate(version: Version) -> None:
    client = pyossl.Connection(client_context(version, lambda connection, hint: None), "example.com")
    with pytest.raises(pyossl.TLSError):
        shake_hands(client, pyossl.Connection(server_context(version)))


def test_a_client_gets_the_hint_of_a_tls_1_2_server() -> None:
    seen: list[bytes | None] = []

    def answer(connection: pyossl.Connection, hint: bytes | None) -> tuple[bytes, bytes]:
        seen.append(hint)
        return b"Client 1", KEY

    for hint in (b"which?", None):
        server = server_context(Version.TLSv1_2)
        server.set_psk_identity_hint(hint)
        meet(client_context(Version.TLSv1_2, answer), server)
    assert seen == [b"which?", None]


def test_a_hint_is_refused_that_is_too_long_or_no_bytes() -> None:
    context = server_context(Version.TLSv1_2)
    context.set_psk_identity_hint(b"h" * LONGEST)
    for hint in (b"h" * (LONGEST + 1), b"a\0b"):
        with pytest.raises(ValueError, match="hint"):
            context.set_psk_identity_hint(hint)
    with pytest.raises(TypeError, match="hint"):
        context.set_psk_identity_hint("hint")  # type: ignore[arg-type]


@VERSIONS
def test_an_identity_may_be_as_long_as_openssl_allows(version: Version) -> None:
    identity = b"i" * (LONGEST - 1)
    meet(client_context(version, (identity, KEY)), server_context(version, {identity: KEY}))


@VERSIONS
@pytest.mark.parametrize("size", [1, 256])
def test_a_key_may_have_any_length_up_to_the_limit(size: int, version: Version) -> None:
    key = b"k" * size
    meet(client_context(version, (b"Client 1", key)), server_context(version, {b"Client 1": key}))


@VERSIONS
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((b"i" * LONGEST, KEY), ValueError),
        ((b"a\0b", KEY), ValueError),
        ((b"Client 1", b""), ValueError),
        ((b"Client 1", b"k" * 100_000), ValueError),
        (("Client 1", KEY), TypeError),
        ((b"Client 1", "key"), TypeError),
        ((b"Client 1",), TypeError),
        (KEY, TypeError),
        (0, TypeError),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_clients_answer_that_cannot_be_used_fails_the_handshake(
    answer: Any, kind: type[Exception], version: Version
) -> None:
    client = pyossl.Connection(client_context(version, lambda connection, hint: answer), "example.com")
    server = pyossl.Connection(server_context(version))
    with pytest.raises(kind):
        shake_hands(client, server)
    assert not client.is_handshake_finished


@VERSIONS
@pytest.mark.parametrize(
    ("answer", "kind"), [(b"", ValueError), (b"k" * 100_000, ValueError), ("key", TypeError), (1, TypeError)]
)
def test_a_servers_answer_that_cannot_be_used_fails_the_handshake(
    answer: Any, kind: type[Exception], version: Version
) -> None:
    client = pyossl.Connection(client_context(version), "example.com")
    server = pyossl.Connection(server_context(version, lambda connection, identity: answer))
    with pytest.raises(kind):
        shake_hands(client, server)
    assert not server.is_handshake_finished


class OnPurposeError(Exception):
    pass


@VERSIONS
@pytest.mark.parametrize("side", ["client", "server"])
def test_an_exception_in_a_callback_is_raised_by_the_handshake(side: str, version: Version) -> None:
    def fail(connection: pyossl.Connection, of: bytes | None) -> Any:
        raise OnPurposeError

    ours = client_context(version, fail) if side == "client" else client_context(version)
    theirs = server_context(version, fail) if side == "server" else server_context(version)
    with pytest.raises(OnPurposeError):
        shake_hands(pyossl.Connection(ours, "example.com"), pyossl.Connection(theirs))


def test_in_tls_1_3_the_server_may_go_on_with_its_certificate_which_is_verified(
    authority: pyossl.Authority, server_context: Context
) -> None:
    trusting = Context.client(trust=authority.certificate)
    trusting.psk_client_callback = lambda connection, hint: (b"Client 1", KEY)
    client, _ = meet(trusting, server_context)
    assert client.peer_certificate is not None
    with pytest.raises(pyossl.CertificateError):
        shake_hands(
            pyossl.Connection(client_context(Version.TLSv1_3), "example.com"), pyossl.Connection(server_context)
        )


def test_in_tls_1_3_the_server_callback_is_asked_for_a_short_ticket_too_and_the_session_is_resumed(
    authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    """docs/pitfalls.md, 57.  Without stateless tickets, a ticket is 32 random bytes: the callback gets a C string."""
    asked: list[bytes] = []
    serving = restricted(Context.server(credentials.certificate, credentials.private_key), Version.TLSv1_3)
    serving.options |= pyossl.Options.NO_TICKET
    serving.psk_server_callback = lambda connection, identity: asked.append(identity)
    context = Context.client(trust=authority.certificate)
    client, server = meet(context, serving)
    server.write(b"!")
    carry(server, client)
    client.read(1)
    assert asked == []
    session = client.session
    assert session is not None
    client = pyossl.Connection(context, "example.com", session=session)
    shake_hands(client, pyossl.Connection(serving))
    assert asked == [ticket_of(session).partition(b"\0")[0]]
    assert client.session_reused


def test_a_verifying_client_without_the_callback_still_needs_a_certificate() -> None:
    """A key does not stand in for the certificate of another connection."""
    context = restricted(Context.client(trust=pyossl.Store.empty()), Version.TLSv1_2)
    with pytest.raises(pyossl.TLSError):
        shake_hands(pyossl.Connection(context, "example.com"), pyossl.Connection(server_context(Version.TLSv1_2)))


def test_a_server_that_verifies_clients_still_needs_their_certificate(
    authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    context = Context.server(credentials.certificate, credentials.private_key, trust=authority.certificate, verify=True)
    restricted(context, Version.TLSv1_2)
    context.psk_server_callback = lambda connection, identity: KEY
    with pytest.raises(pyossl.CertificateError):
        shake_hands(pyossl.Connection(client_context(Version.TLSv1_2), "example.com"), pyossl.Connection(context))


def test_the_server_callback_and_the_hint_are_for_servers() -> None:
    context = Context.client()
    with pytest.raises(UsageError):
        context.psk_server_callback = lambda connection, identity: KEY
    with pytest.raises(UsageError):
        context.set_psk_identity_hint(b"hint")
    with pytest.raises(TypeError):
        context.psk_client_callback = KEY  # type: ignore[assignment]


@VERSIONS
def test_a_mutable_context_has_both_callbacks(version: Version) -> None:
    context = MutableContext(Method.TLS, live=True)
    context.set_minimum(version)
    context.set_maximum(version)
    context.choose_ciphers(b"PSK+AESGCM")
    context.psk_client_callback = lambda connection, hint: (b"Client 1", KEY)
    context.psk_server_callback = lambda connection, identity: KEY
    client, server = MutableConnection(context), MutableConnection(context)
    client.set_connect_state()
    server.set_accept_state()
    shake_hands(client, server)
    assert client.cipher == server.cipher
