"""Raw public keys: which peers are accepted, what is negotiated, callbacks, sessions, and mistakes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from typing import Any

import pytest
from marks import VERSIONS, needs, without
from pairs import carry, meet, shake_hands

import pyossl
from pyossl import (
    CertificateError,
    CertificateType,
    Connection,
    Context,
    PrivateKey,
    PublicKey,
    Session,
    Store,
    UnsupportedError,
    UsageError,
    Version,
    lib,
)

RAW, X509 = CertificateType.RAW_PUBLIC_KEY, CertificateType.X509
BOTH = (RAW, X509)


@pytest.fixture(scope="module")
def key() -> PrivateKey:
    return PrivateKey.generate()


@pytest.fixture(scope="module")
def other() -> PrivateKey:
    return PrivateKey.generate("ED25519")


def only(context: Context, version: Version | None) -> Context:
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


def raw_server(key: PrivateKey, version: Version | None = None, clients: Iterable[PublicKey] = ()) -> Context:
    context = only(Context(is_server=True), version)
    context.use_raw_public_key(key)
    if clients := tuple(clients):
        context.expect_public_keys(clients)
    return context


def raw_client(
    expected: Iterable[PublicKey], version: Version | None = None, own: PrivateKey | None = None, **options: Any
) -> Context:
    context = only(Context.client(trust=Store.empty(), check_hostname=False), version)
    context.expect_public_keys(expected, **options)
    if own is not None:
        context.use_raw_public_key(own)
    return context


def refused(client: Context, server: Context, **options: Any) -> str:
    """The message of the error with which the handshake fails on one side."""
    ours, theirs = Connection(client, "example.com", **options), Connection(server)
    with pytest.raises(pyossl.TLSError) as raised:
        shake_hands(ours, theirs)
    assert not (ours.is_handshake_finished and theirs.is_handshake_finished)
    return str(raised.value)


# Which peers are accepted


@needs("raw_public_keys")
@VERSIONS
@pytest.mark.feature("raw public keys, client and server")
def test_a_server_shows_a_key_that_the_client_expects(version: Version, key: PrivateKey, other: PrivateKey) -> None:
    expected = [other.public_key, key.public_key]
    client, server = meet(raw_client(expected, version), raw_server(key, version))
    assert client.peer_public_key == key.public_key
    assert client.peer_certificate is None
    assert client.peer_chain == client.verified_chain == ()
    assert client.verify_code == 0
    assert client.verified_name is None
    assert client.server_certificate_type is server.server_certificate_type is RAW
    assert client.client_certificate_type is X509
    assert server.peer_public_key is None
    client.write(b"to a known key")
    carry(client, server)
    assert server.read() == b"to a known key"


@needs("raw_public_keys")
@VERSIONS
def test_another_key_is_refused(version: Version, key: PrivateKey, other: PrivateKey) -> None:
    client = Connection(raw_client([other.public_key], version))
    with pytest.raises(CertificateError) as raised:
        shake_hands(client, Connection(raw_server(key, version)))
    assert raised.value.code == lib.X509_V_ERR_RPK_UNTRUSTED
    assert raised.value.certificate is None
    assert raised.value.reason.startswith("Raw public key untrusted")
    with pytest.raises(CertificateError):
        client.read()


@needs("raw_public_keys")
@VERSIONS
@pytest.mark.feature("raw public keys, client and server")
def test_both_sides_show_keys(version: Version, key: PrivateKey, other: PrivateKey) -> None:
    client, server = meet(raw_client([key.public_key], version, other), raw_server(key, version, [other.public_key]))
    assert server.peer_public_key == other.public_key
    assert server.peer_certificate is None
    assert client.client_certificate_type is server.client_certificate_type is RAW


@needs("raw_public_keys")
@VERSIONS
def test_a_server_refuses_other_clients(version: Version, key: PrivateKey, other: PrivateKey) -> None:
    server = raw_server(key, version, [key.public_key])
    refused(raw_client([key.public_key], version, other), server)  # another key
    refused(raw_client([key.public_key], version), server)  # nothing


@needs("raw_public_keys")
def test_a_key_that_is_too_weak_is_refused_although_it_is_expected(key: PrivateKey) -> None:
    weak = PrivateKey.generate("RSA", bits=1024)
    server = Context(is_server=True)
    server.security_level = 0
    server.use_raw_public_key(weak)
    client = raw_client([weak.public_key])
    client.security_level = 0
    meet(client, server)
    client = raw_client([weak.public_key])
    client.security_level = 2
    refused(client, server)


@needs("raw_public_keys")
@VERSIONS
def test_a_context_that_expects_raw_keys_alone_refuses_a_trusted_certificate(
    version: Version, key: PrivateKey, authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    with_certificate = only(Context.server(credentials), version)
    client = only(Context.client(trust=authority.certificate), version)
    client.expect_public_keys([key.public_key, credentials.private_key.public_key])
    refused(client, with_certificate)
    server = only(Context.server(credentials, trust=authority.certificate, verify=True), version)
    server.expect_public_keys([key.public_key, credentials.private_key.public_key])
    mine = authority.issue("client")
    refused(only(Context.client(trust=authority.certificate, credentials=mine), version), server)


@needs("raw_public_keys")
@VERSIONS
def test_a_client_that_knows_no_raw_keys_is_refused_by_a_server_without_a_certificate(
    version: Version, key: PrivateKey, authority: pyossl.Authority
) -> None:
    refused(only(Context.client(trust=authority.certificate), version), raw_server(key, version))


@needs("raw_public_keys")
def test_a_context_that_expects_no_raw_keys_accepts_none(key: PrivateKey, credentials: pyossl.Credentials) -> None:
    """A client that was told by OpenSSL's own function to take raw keys verifies them all the same."""
    client = Context.client(trust=Store.empty(), check_hostname=False)
    client.call(lib.SSL_CTX_set1_server_cert_type, bytes([lib.TLSEXT_cert_type_rpk]), 1)
    assert "Raw public key untrusted" in refused(client, raw_server(key))


# Both kinds


@needs("raw_public_keys")
@VERSIONS
@pytest.mark.feature("raw public keys and certificates offered together")
@pytest.mark.parametrize("preferred", BOTH, ids=lambda kind: kind.name)
@pytest.mark.parametrize("by_peer", BOTH, ids=lambda kind: f"not {kind.name}")
def test_the_side_that_shows_its_key_chooses_one_of_both_kinds(
    by_peer: CertificateType,
    preferred: CertificateType,
    version: Version,
    authority: pyossl.Authority,
    credentials: pyossl.Credentials,
) -> None:
    mine, orders = authority.issue("client"), {RAW: (RAW, X509), X509: (X509, RAW)}
    server_context = only(Context.server(credentials, trust=authority.certificate, verify=True), version)
    client_context = only(Context.client(trust=authority.certificate, credentials=mine), version)
    for context, peer in ((server_context, mine), (client_context, credentials)):
        context.use_raw_public_key(types=orders[preferred])
        context.expect_public_keys([peer.private_key.public_key], types=orders[by_peer])
    client, server = meet(client_context, server_context)
    for side in (client, server):
        assert side.server_certificate_type is side.client_certificate_type is preferred
    assert (client.peer_certificate == credentials.certificate) is (preferred is X509)
    assert client.verified_name == ("example.com" if preferred is X509 else None)
    assert client.peer_public_key == credentials.private_key.public_key
    assert server.peer_public_key == mine.private_key.public_key


@needs("raw_public_keys")
@VERSIONS
def test_a_certificate_beside_expected_keys_is_verified_as_always(
    version: Version, key: PrivateKey, authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    server = only(Context.server(credentials), version)
    pinned = [key.public_key, credentials.private_key.public_key]

    def client(trust: Any = authority.certificate) -> Context:
        context = only(Context.client(trust=trust), version)
        context.expect_public_keys(pinned, types=BOTH)
        return context

    one, _ = meet(client(), server)
    assert one.server_certificate_type is X509
    refused(client(pyossl.Authority("another").certificate), server)  # the key in it does not help
    ours = Connection(client(), "other.example")
    with pytest.raises(CertificateError, match="hostname mismatch"):
        shake_hands(ours, Connection(server))


@needs("raw_public_keys")
@VERSIONS
def test_a_server_takes_keys_and_certificates_of_its_clients(
    version: Version, key: PrivateKey, authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    server = only(Context.server(credentials, trust=authority.certificate, verify=True), version)
    server.expect_public_keys([key.public_key], types=BOTH)
    by_key = only(Context.client(trust=authority.certificate), version)
    by_key.use_raw_public_key(key)
    _, theirs = meet(by_key, server)
    assert theirs.peer_public_key == key.public_key
    mine = authority.issue("client")
    _, theirs = meet(only(Context.client(trust=authority.certificate, credentials=mine), version), server)
    assert theirs.peer_certificate == mine.certificate
    stranger = pyossl.Authority("another").issue("client")
    refused(only(Context.client(trust=authority.certificate, credentials=stranger), version), server)


@needs("raw_public_keys")
def test_an_optional_client_may_show_nothing_and_no_other_key(
    key: PrivateKey, other: PrivateKey, authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    server = Context.server(credentials, trust=authority.certificate, verify="optional")
    server.expect_public_keys([key.public_key], types=BOTH)
    meet(Context.client(trust=authority.certificate), server)
    stranger = Context.client(trust=authority.certificate)
    stranger.use_raw_public_key(other)
    refused(stranger, server)


@needs("raw_public_keys")
@VERSIONS
@needs("ocsp")
def test_an_ocsp_response_is_required_of_a_certificate_and_not_of_a_raw_key(
    version: Version, authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    with_either = Context.server(credentials)
    with_either.use_raw_public_key(types=BOTH)
    client = only(Context.client(trust=authority.certificate), version)
    client.expect_public_keys([credentials.private_key.public_key], types=BOTH)
    client.verify_ocsp(required=True)
    one, _ = meet(client, with_either)
    assert one.server_certificate_type is RAW
    assert one.ocsp_status is None
    assert "has stapled no OCSP response" in refused(client, Context.server(credentials))


# The traps of OpenSSL's own functions


@needs("raw_public_keys")
@VERSIONS
def test_openssl_takes_certificates_where_only_raw_keys_are_set(
    version: Version, authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    """docs/pitfalls.md, 85"""
    client_context = only(Context.client(trust=authority.certificate), version)
    client_context.call(lib.SSL_CTX_set1_server_cert_type, bytes([lib.TLSEXT_cert_type_rpk]), 1)
    client, _ = meet(client_context, Context.server(credentials))
    assert client.peer_certificate == credentials.certificate


@needs("raw_public_keys")
def test_openssls_expected_keys_replace_the_verification_of_certificates(
    key: PrivateKey, authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    """docs/pitfalls.md, 84"""
    unknown = pyossl.Authority("nobody trusts it").issue("example.com")
    for shown, expected, is_accepted in (
        (unknown, unknown.private_key, True),
        (credentials, key, False),
    ):
        context = Context.client(trust=authority.certificate)
        assert context.call(lib.SSL_CTX_dane_enable) == 1
        client = Connection(context, "example.com")
        assert client.call(lib.SSL_dane_enable, b"example.com") == 1
        assert client.call(lib.SSL_add_expected_rpk, expected._key) == 1
        server = Connection(Context.server(shown))
        if is_accepted:
            shake_hands(client, server)
            assert client.peer_certificate == shown.certificate
        else:
            with pytest.raises(CertificateError):
                shake_hands(client, server)


# Callbacks


@needs("raw_public_keys")
def test_a_verify_callback_is_asked_about_a_raw_key(key: PrivateKey, other: PrivateKey) -> None:
    seen: list[pyossl.Verification] = []

    def note(connection: Connection, verification: pyossl.Verification) -> bool:
        seen.append(verification)
        return verification.ok

    client = raw_client([key.public_key])
    client.verify_callback = note
    meet(client, raw_server(key))
    assert [(each.ok, each.code, each.certificate, each.chain) for each in seen] == [(True, 0, None, ())]
    refused(client, raw_server(other))
    assert [(each.ok, each.code) for each in seen[1:]] == [(False, lib.X509_V_ERR_RPK_UNTRUSTED)]
    refusing = raw_client([key.public_key])
    refusing.verify_callback = lambda connection, verification: False
    refused(refusing, raw_server(key))


@needs("raw_public_keys")
def test_an_exception_of_a_verify_callback_is_raised(key: PrivateKey) -> None:
    def fail(connection: Connection, verification: pyossl.Verification) -> bool:
        raise LookupError("no answer")

    client = raw_client([key.public_key])
    client.verify_callback = fail
    with pytest.raises(LookupError, match="no answer"):
        meet(client, raw_server(key))


@needs("raw_public_keys")
@pytest.mark.parametrize("answer", [True, False])
def test_a_chain_callback_gets_an_empty_chain(answer: bool, key: PrivateKey, other: PrivateKey) -> None:
    chains: list[Any] = []

    def note(connection: Connection, chain: Any) -> bool:
        chains.append(chain)
        return answer

    client = raw_client([key.public_key])
    client.chain_callback = note
    refused(client, raw_server(other))
    assert chains == []
    if answer:
        meet(client, raw_server(key))
    else:
        refused(client, raw_server(key))
    assert chains == [()]


@needs("raw_public_keys")
def test_a_client_hello_callback_can_choose_a_context_with_raw_keys(
    key: PrivateKey, credentials: pyossl.Credentials
) -> None:
    chosen = raw_server(key)
    first = Context.server(credentials)
    first.client_hello_callback = lambda connection, hello: chosen
    client, _ = meet(raw_client([key.public_key]), first)
    assert client.peer_public_key == key.public_key
    first = raw_server(key)
    first.client_hello_callback = lambda connection, hello: Context.server(credentials)
    refused(raw_client([key.public_key, credentials.private_key.public_key]), first)


@needs("raw_public_keys")
def test_the_keys_of_the_chosen_context_count(key: PrivateKey, other: PrivateKey) -> None:
    chosen = raw_server(key, clients=[key.public_key])
    for clients in ([other.public_key], []):
        first = raw_server(key, clients=clients)
        first.servername_callback = lambda connection, name: chosen
        refused(raw_client([key.public_key], own=other), first)
    first = raw_server(key, clients=[other.public_key])
    first.servername_callback = lambda connection, name: chosen
    _, server = meet(raw_client([key.public_key], own=key), first)
    assert server.peer_public_key == key.public_key


# Sessions


@needs("raw_public_keys")
@VERSIONS
def test_a_resumed_session_has_the_key(version: Version, key: PrivateKey, other: PrivateKey) -> None:
    client_context = raw_client([key.public_key], version, other)
    server_context = raw_server(key, version, [other.public_key])
    client, _ = meet(client_context, server_context)
    assert client.session is not None
    again, server = meet(client_context, server_context, session=client.session)
    assert again.session_reused
    assert again.peer_public_key == key.public_key
    assert server.peer_public_key == other.public_key
    loaded = Session.load(client.session.to_der(), client_context, "example.com")
    again, _ = meet(client_context, server_context, session=loaded)
    assert again.session_reused
    assert again.peer_public_key == key.public_key


@needs("raw_public_keys")
@VERSIONS
def test_a_session_with_a_key_that_is_not_expected_is_not_offered(
    version: Version, key: PrivateKey, other: PrivateKey, authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    client, _ = meet(raw_client([key.public_key], version), raw_server(key, version))
    assert client.session is not None
    saved = client.session.to_der()
    others = raw_client([other.public_key], version)
    with pytest.raises(ValueError, match="another context"):
        Connection(others, session=client.session)
    for context in (others, only(Context.client(trust=authority.certificate, check_hostname=False), version)):
        with pytest.raises(ValueError, match="did not show a key that this context expects"):
            Connection(context, session=Session.load(saved, context))
    with_certificate, _ = meet(
        only(Context.client(trust=authority.certificate), version), only(Context.server(credentials), version)
    )
    assert with_certificate.session is not None
    for types, fits in ((BOTH, True), ((RAW,), False)):
        context = only(Context.client(trust=authority.certificate, check_hostname=False), version)
        context.expect_public_keys([credentials.private_key.public_key], types=types)
        session = Session.load(with_certificate.session.to_der(), context)
        if fits:
            Connection(context, session=session)
        else:
            with pytest.raises(ValueError, match="did not show a key"):
                Connection(context, session=session)


@needs("raw_public_keys")
@VERSIONS
def test_a_server_does_not_resume_the_sessions_of_a_context_that_expects_other_keys(
    version: Version, key: PrivateKey, other: PrivateKey
) -> None:
    tickets = pyossl.TicketKeys()

    def server(*clients: PrivateKey) -> Context:
        context = raw_server(key, version, [each.public_key for each in clients])
        context.rotating_ticket_keys = tickets
        return context

    client_context = raw_client([key.public_key], version, other)
    client, _ = meet(client_context, server(other, key))
    again, _ = meet(client_context, server(key, other), session=client.session)
    assert again.session_reused  # the same keys, in another process
    ours, theirs = Connection(client_context, "example.com", session=client.session), Connection(server(key))
    with pytest.raises(pyossl.TLSError):
        shake_hands(ours, theirs)
    assert not theirs.session_reused


# Mistakes


@needs("raw_public_keys")
def test_mistakes_are_named(
    key: PrivateKey, authority: pyossl.Authority, credentials: pyossl.Credentials, tmp_path: Any
) -> None:
    client = Context.client(trust=authority.certificate)
    wrong: Any
    with pytest.raises(ValueError, match="give at least one PublicKey"):
        client.expect_public_keys([])
    for wrong in (key.public_key, [key], ["key"], [None], 1, None):
        with pytest.raises(TypeError):
            client.expect_public_keys(wrong)
    for types in ([], [X509], [RAW, RAW], [RAW, X509, RAW]):
        with pytest.raises(ValueError, match=r"the certificate types are CertificateType\.RAW_PUBLIC_KEY"):
            client.expect_public_keys([key.public_key], types=types)
    for wrong in (RAW, ["RAW_PUBLIC_KEY"], 2, None):
        with pytest.raises(TypeError):
            client.expect_public_keys([key.public_key], types=wrong)
    with pytest.raises(UsageError, match="does not verify"):
        Context.client(verify=False).expect_public_keys([key.public_key])
    with pytest.raises(UsageError, match="to verify certificates too"):
        Context.server(credentials).expect_public_keys([key.public_key], types=BOTH)
    with pytest.raises(UsageError, match="has a certificate: its key is used"):
        Context.server(credentials).use_raw_public_key(key)
    with pytest.raises(UsageError, match="private_key is missing"):
        Context(is_server=True).use_raw_public_key()
    with pytest.raises(UsageError, match="can show its raw public key only"):
        Context(is_server=True).use_raw_public_key(key, types=BOTH)
    with pytest.raises(FileNotFoundError):
        Context(is_server=True).use_raw_public_key(tmp_path / "none.pem")
    with pytest.raises(pyossl.PasswordError):
        Context(is_server=True).use_raw_public_key(key.to_pem("secret"))
    wrong = key.public_key
    with pytest.raises(TypeError):
        Context(is_server=True).use_raw_public_key(wrong)


@needs("raw_public_keys")
def test_a_frozen_context_keeps_its_keys(key: PrivateKey) -> None:
    server = raw_server(key)
    Connection(server)
    with pytest.raises(UsageError, match="frozen"):
        server.use_raw_public_key(key)
    with pytest.raises(UsageError, match="frozen"):
        server.expect_public_keys([key.public_key])


@needs("raw_public_keys")
def test_the_last_keys_replace_the_others_and_outlive_their_objects(key: PrivateKey, other: PrivateKey) -> None:
    client = Context.client(trust=Store.empty(), check_hostname=False)
    client.expect_public_keys([other.public_key])
    client.expect_public_keys(iter([PublicKey.load(key.public_key.to_pem())]))
    meet(client, raw_server(key))
    refused(client, raw_server(other))


@needs("raw_public_keys")
def test_a_key_of_another_library_context_is_refused_and_one_is_expected_anywhere(key: PrivateKey) -> None:
    library = pyossl.LibraryContext()
    server = Context(is_server=True, library_context=library)
    with pytest.raises(UsageError, match="library_context"):
        server.use_raw_public_key(key)
    server.use_raw_public_key(key.to_pem())
    client = Context.client(trust=Store.empty(library_context=library), check_hostname=False, library_context=library)
    client.expect_public_keys([key.public_key])
    meet(client, server)


@without("raw_public_keys")
def test_an_older_openssl_refuses_them(key: PrivateKey, client_context: Context, server_context: Context) -> None:
    with pytest.raises(UnsupportedError, match="raw public keys"):
        client_context.expect_public_keys([key.public_key])
    with pytest.raises(UnsupportedError, match="raw public keys"):
        server_context.use_raw_public_key()
    client, server = meet(client_context, server_context)
    for side in (client, server):
        with pytest.raises(UnsupportedError, match="raw public keys"):
            _ = side.server_certificate_type
        with pytest.raises(UnsupportedError, match="raw public keys"):
            _ = side.client_certificate_type


def test_the_key_of_a_certificate_is_the_peers_too(
    client_context: Context, server_context: Context, credentials: pyossl.Credentials
) -> None:
    client, server = meet(client_context, server_context)
    assert client.peer_public_key == credentials.private_key.public_key
    assert server.peer_public_key is None


FREED = """
import gc, pyossl
from pyossl import Connection, Context, PrivateKey, Store
key = PrivateKey.generate()
for _ in range(50):
    server = Context(is_server=True)
    server.use_raw_public_key(key)
    server.expect_public_keys([key.public_key])
    client = Context.client(trust=Store.empty(), check_hostname=False)
    client.expect_public_keys([PrivateKey.generate().public_key for _ in range(3)])
    client.expect_public_keys([key.public_key])
    client.use_raw_public_key(key)
    one, two = Connection(client), Connection(server)
    del client, server
    gc.collect()
    while (one.handshake(), two.receive_data(one.data_to_send()), two.handshake())[0::2] != (None, None):
        one.receive_data(two.data_to_send())
print("done")
"""


@needs("raw_public_keys")
def test_keys_live_as_long_as_a_connection_needs_them() -> None:
    ran = subprocess.run([sys.executable, "-c", FREED], capture_output=True, text=True, timeout=60)
    assert ran.stdout == "done\n", ran.stderr
