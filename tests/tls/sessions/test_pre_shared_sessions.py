"""Pre-shared keys of TLS 1.3: any identity, a hash of their own, and what fails closed."""

from __future__ import annotations

from typing import Any

import pytest
from marks import needs
from pairs import carry, meet, shake_hands
from tls.sessions.test_pre_shared_keys import ticket_of

import pyossl
from pyossl import Connection, Context, PreSharedKey, UsageError, Version

KEY = PreSharedKey(b"Client 1", bytes(range(32)))
SUITES = {"sha256": ("TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"), "sha384": ("TLS_AES_256_GCM_SHA384",)}
pytestmark = needs("tls1_3")


class OnPurposeError(Exception):
    pass


def client_context(answer: Any = KEY) -> Context:
    context = Context.client(trust=pyossl.Store.empty())
    context.psk_use_session_callback = answer if callable(answer) else lambda connection, digest: answer
    return context


def server_context(*keys: PreSharedKey, find: Any = None) -> Context:
    context = Context(is_server=True)
    known = {key.identity: key for key in keys or (KEY,)}
    context.psk_find_session_callback = find or (lambda connection, identity: known.get(identity))
    context.set_ciphersuites("TLS_AES_128_GCM_SHA256")
    return context


def tried(client: Context, server: Context) -> tuple[Connection, Connection]:
    return Connection(client, "example.com"), Connection(server)


@pytest.mark.feature("TLS 1.3 pre-shared keys with their hash, and any identity")
@pytest.mark.parametrize(
    ("digest", "suite"), [(digest, suite) for digest, suites in SUITES.items() for suite in suites]
)
def test_both_sides_know_the_key_and_need_no_certificate(digest: str, suite: str) -> None:
    key = PreSharedKey(b"Client 1", bytes(range(48)), digest)
    serving = server_context(key)
    serving.set_ciphersuites(suite)
    client, server = meet(client_context(key), serving)
    assert client.peer_certificate is server.peer_certificate is None
    assert (client.version, client.cipher) == ("TLSv1.3", suite)
    client.write(b"secret")
    carry(client, server)
    assert server.read(100) == b"secret"


@pytest.mark.parametrize("size", [1, 255, 256, 257, 60_000], ids=str)
def test_an_identity_has_any_bytes_and_almost_any_length(size: int) -> None:
    """The callbacks for TLS 1.2 take 255 bytes at most, without a NUL."""
    seen: list[bytes] = []
    key = PreSharedKey(bytes(n % 256 for n in range(size)), b"k" * 32)

    def find(connection: Connection, identity: bytes) -> PreSharedKey:
        seen.append(identity)
        return key

    client, _ = meet(client_context(key), server_context(find=find))
    assert seen == [key.identity]
    assert client.session_reused


def test_an_identity_that_does_not_fit_into_the_message_ends_the_handshake() -> None:
    client = Connection(client_context(PreSharedKey(b"i" * 65535, b"k" * 32)), "example.com")
    with pytest.raises(pyossl.TLSError):
        client.handshake()


@pytest.mark.parametrize("identity", [b"", b"i" * 65536])
def test_an_identity_of_no_bytes_or_too_many_is_refused(identity: bytes) -> None:
    with pytest.raises(ValueError, match="an identity has 1 to 65535 bytes"):
        PreSharedKey(identity, b"k" * 32)


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (("Client 1", b"k"), TypeError),
        ((b"Client 1", "key"), TypeError),
        ((b"Client 1", bytearray(32)), TypeError),
        ((b"Client 1", b""), ValueError),
        ((b"Client 1", b"k", "sha512"), ValueError),
        ((b"Client 1", b"k", None), TypeError),
    ],
)
def test_a_key_is_made_of_the_right_values(arguments: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        PreSharedKey(*arguments)


def test_its_repr_does_not_show_the_secret() -> None:
    assert repr(KEY) == "<PreSharedKey b'Client 1', sha256>"


@pytest.mark.parametrize("size", [1, 256])
def test_a_key_has_any_length_up_to_the_limit(size: int) -> None:
    key = PreSharedKey(b"Client 1", b"k" * size)
    meet(client_context(key), server_context(key))


@pytest.mark.parametrize("side", ["client", "server"])
def test_a_key_that_is_too_long_for_openssl_ends_the_handshake(side: str) -> None:
    too_long = PreSharedKey(b"Client 1", b"k" * 10_000)
    both = tried(
        client_context(too_long if side == "client" else KEY), server_context(too_long if side == "server" else KEY)
    )
    with pytest.raises(ValueError, match="10000 bytes is too long"):
        shake_hands(*both)


@pytest.mark.parametrize(
    "theirs",
    [
        PreSharedKey(b"Client 1", bytes(32)),
        PreSharedKey(b"Client 1", KEY.key, "sha384"),
        PreSharedKey(b"Client 2", KEY.key),
    ],
    ids=["another key", "another hash", "another identity"],
)
def test_a_client_that_does_not_know_the_servers_key_is_refused(theirs: PreSharedKey) -> None:
    both = tried(client_context(), server_context(theirs))
    with pytest.raises(pyossl.TLSError):
        shake_hands(*both)
    assert not both[1].is_handshake_finished


def test_a_client_without_a_key_is_refused_by_a_server_without_a_certificate() -> None:
    with pytest.raises(pyossl.TLSError):
        shake_hands(*tried(client_context(lambda connection, digest: None), server_context()))


@pytest.mark.parametrize("answer", [b"key", (b"Client 1", b"key"), True, 0, "sha256", object()])
@pytest.mark.parametrize("side", ["client", "server"])
def test_an_answer_of_another_type_ends_the_handshake(side: str, answer: Any) -> None:
    mine = client_context(lambda *_: answer) if side == "client" else client_context()
    theirs = server_context(find=lambda *_: answer) if side == "server" else server_context()
    both = tried(mine, theirs)
    with pytest.raises(TypeError, match="returns a PreSharedKey or None"):
        shake_hands(*both)


def test_a_server_that_finds_the_key_of_another_client_does_not_use_it() -> None:
    both = tried(client_context(), server_context(find=lambda *_: PreSharedKey(b"Client 2", KEY.key)))
    with pytest.raises(ValueError, match="the client has the identity b'Client 1'"):
        shake_hands(*both)


@pytest.mark.parametrize("side", ["client", "server"])
def test_an_exception_is_raised_by_the_handshake(side: str) -> None:
    def fail(*_: Any) -> Any:
        raise OnPurposeError

    mine = client_context(fail) if side == "client" else client_context()
    theirs = server_context(find=fail) if side == "server" else server_context()
    with pytest.raises(OnPurposeError):
        shake_hands(*tried(mine, theirs))


@pytest.mark.parametrize("side", ["client", "server"])
def test_the_callback_may_not_use_its_connection_for_io(side: str) -> None:
    def answer(connection: Connection, *_: Any) -> PreSharedKey:
        with pytest.raises(UsageError, match="callback"):
            connection.handshake()
        with pytest.raises(UsageError, match="callback"):
            connection.close()
        return KEY

    meet(
        client_context(answer) if side == "client" else client_context(),
        server_context(find=answer) if side == "server" else server_context(),
    )


def test_after_a_hello_retry_request_the_client_is_asked_for_a_key_with_the_hash() -> None:
    asked: list[str | None] = []

    def answer(connection: Connection, digest: str | None) -> PreSharedKey:
        asked.append(digest)
        return KEY

    mine, theirs = client_context(answer), server_context()
    mine.set_groups("X25519:P-256")
    theirs.set_groups("P-256")
    client, _ = meet(mine, theirs)
    assert client.session_reused
    assert asked == [None, "sha256"]


def test_a_key_with_another_hash_is_left_out_after_a_hello_retry_request(
    authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    """The handshake goes on with the certificate, which is verified."""
    mine = Context.client(trust=authority.certificate)
    mine.psk_use_session_callback = lambda connection, digest: KEY
    mine.set_groups("X25519:P-256")
    theirs = Context.server(credentials.certificate, credentials.private_key)
    theirs.set_groups("P-256")
    theirs.set_ciphersuites("TLS_AES_256_GCM_SHA384")
    client, _ = meet(mine, theirs)
    assert client.peer_certificate == credentials.certificate
    mine = client_context()
    mine.set_groups("X25519:P-256")
    with pytest.raises(pyossl.CertificateError):
        shake_hands(*tried(mine, theirs))


def test_a_server_may_go_on_with_its_certificate_which_is_verified(
    authority: pyossl.Authority, server_context: Context
) -> None:
    trusting = Context.client(trust=authority.certificate)
    trusting.psk_use_session_callback = lambda connection, digest: KEY
    client, _ = meet(trusting, server_context)
    assert client.peer_certificate is not None
    with pytest.raises(pyossl.CertificateError):
        shake_hands(*tried(client_context(), server_context))


def test_a_server_that_verifies_clients_still_needs_their_certificate(
    authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    theirs = Context.server(credentials.certificate, credentials.private_key, trust=authority.certificate, verify=True)
    theirs.set_ciphersuites("TLS_AES_128_GCM_SHA256")
    theirs.psk_find_session_callback = lambda connection, identity: KEY
    client, server = tried(client_context(), theirs)
    with pytest.raises(pyossl.CertificateError):
        shake_hands(client, server)


def test_a_servers_callback_gets_whole_tickets_and_sessions_are_resumed(
    authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    """docs/pitfalls.md, 57."""
    asked: list[bytes] = []
    serving = Context.server(credentials.certificate, credentials.private_key)
    serving.psk_find_session_callback = lambda connection, identity: asked.append(identity)
    context = Context.client(trust=authority.certificate)
    client, server = meet(context, serving)
    server.write(b"!")
    carry(server, client)
    client.read(1)
    session = client.session
    assert session is not None
    client, _ = meet(context, serving, session=session)
    assert asked == [ticket_of(session)]
    assert client.session_reused


@needs("psk")
def test_it_is_asked_before_the_callbacks_for_both_versions_which_serve_tls_1_2() -> None:
    order: list[str] = []
    mine, theirs = client_context(), server_context()
    mine.set_cipher_list("PSK+AESGCM")
    theirs.set_cipher_list("PSK+AESGCM")
    mine.psk_client_callback = lambda connection, hint: (b"older", KEY.key)
    theirs.psk_server_callback = lambda connection, identity: order.append("older") or KEY.key
    theirs.psk_find_session_callback = lambda connection, identity: order.append("TLS 1.3") or KEY
    client, _ = meet(mine, theirs)
    assert (client.version, order) == ("TLSv1.3", ["TLS 1.3"])
    older = client_context()
    older.set_cipher_list("PSK+AESGCM")
    older.psk_client_callback = mine.psk_client_callback
    older.maximum_version = Version.TLSv1_2
    client, _ = meet(older, theirs)
    assert (client.version, order) == ("TLSv1.2", ["TLS 1.3", "older"])


def test_the_servers_callback_is_for_servers_and_both_are_functions() -> None:
    context = Context.client()
    with pytest.raises(UsageError, match="only for servers"):
        context.psk_find_session_callback = lambda connection, identity: None
    with pytest.raises(TypeError, match=r"TLS 1\.3 pre-shared keys"):
        context.psk_use_session_callback = KEY  # type: ignore[assignment]
    context.psk_use_session_callback = lambda connection, digest: None
    context.psk_use_session_callback = None
    assert context.psk_use_session_callback is None
