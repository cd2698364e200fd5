"""``renegotiate`` and ``allow_renegotiation``: another handshake in TLS 1.2.  SSL_renegotiate(3)"""

from __future__ import annotations

from typing import Any

import pytest
from pairs import carry, meet, shake_hands

import pyossl
from pyossl import Connection, Context, Options, UsageError, Version, Want, lib
from pyossl.errors import NotDueError

Pair = tuple[Connection, Connection]
Contexts = tuple[Context, Context]


@pytest.fixture
def contexts(authority: pyossl.Authority, credentials: pyossl.Credentials) -> Contexts:
    """A client's and a server's, of TLS 1.2, which do not allow renegotiation yet."""
    client = Context.client(trust=authority.certificate, maximum_version=Version.TLSv1_2)
    return client, Context.server(credentials.certificate, credentials.private_key)


def exchange(client: Connection, server: Connection, times: int = 3) -> None:
    """Data in both directions, which also goes on with a handshake."""
    for _ in range(times):
        carry(client, server)
        for side in (client, server):
            side.read()
            carry(client, server)
    for source, target in ((client, server), (server, client)):
        assert source.write(b"data") == 4
        carry(client, server)
        assert target.read(100) == b"data"


def begun_by_client(client: Connection, server: Connection) -> None:
    assert client.renegotiate() is Want.READ
    for _ in range(4):
        carry(client, server)
        server.read()
        carry(client, server)
        if client.handshake() is None:
            break
    carry(client, server)
    server.read()
    assert client.is_handshake_finished
    assert server.is_handshake_finished


def begun_by_server(client: Connection, server: Connection) -> None:
    before = client.finished
    assert server.renegotiate() is None
    exchange(client, server)
    assert client.finished != before


@pytest.mark.feature("renegotiation that is allowed and limited (TLS 1.2)")
@pytest.mark.parametrize("begin", [begun_by_client, begun_by_server])
def test_a_side_that_allows_it_begins_another_handshake(contexts: Contexts, begin: Any) -> None:
    contexts[0].allow_renegotiation(by_peer=begin is begun_by_server)
    contexts[1].allow_renegotiation(by_peer=begin is begun_by_client)
    client, server = meet(*contexts)
    finished, session = client.finished, client.session
    begin(client, server)
    assert client.finished == server.peer_finished != finished
    assert client.session != session
    exchange(client, server)


@pytest.mark.parametrize("begin", [begun_by_client, begun_by_server])
def test_there_are_as_many_as_both_sides_allow(contexts: Contexts, begin: Any) -> None:
    """docs/pitfalls.md, 63"""
    beginner, other = (0, 1) if begin is begun_by_client else (1, 0)
    contexts[beginner].allow_renegotiation(1000)
    contexts[other].allow_renegotiation(3, by_peer=True)
    both = meet(*contexts)
    for _ in range(3):
        begin(*both)
    with pytest.raises(pyossl.TLSError) as refused:
        begin(*both)
    assert "renegotiation" in str(refused.value)


@pytest.mark.parametrize("side", [0, 1])
def test_this_side_begins_as_many_as_it_allows_and_then_goes_on(contexts: Contexts, side: int) -> None:
    begin = [begun_by_client, begun_by_server][side]
    contexts[side].allow_renegotiation(2)
    contexts[1 - side].allow_renegotiation(1000, by_peer=True)
    both = meet(*contexts)
    begin(*both)
    begin(*both)
    with pytest.raises(pyossl.Error, match="SSL_renegotiate failed"):
        both[side].renegotiate()
    exchange(*both)


def test_no_side_renegotiates_unless_it_is_allowed(contexts: Contexts) -> None:
    client, server = meet(*contexts)
    for side in (client, server):
        with pytest.raises(pyossl.Error, match="SSL_renegotiate failed"):
            side.renegotiate()
        assert side.data_to_send() == b""
    exchange(client, server)


@pytest.mark.parametrize("side", [0, 1])
def test_a_peer_that_does_not_allow_it_refuses_and_the_connection_ends(contexts: Contexts, side: int) -> None:
    """OpenSSL takes the peer's refusal for a failure: the program had a reason to ask."""
    contexts[side].allow_renegotiation()
    both = meet(*contexts)
    both[side].renegotiate()
    with pytest.raises(pyossl.TLSError):
        exchange(*both)


@pytest.mark.parametrize("side", [0, 1])
def test_a_side_that_may_begin_still_refuses_the_peer(contexts: Contexts, side: int) -> None:
    contexts[side].allow_renegotiation(5)
    contexts[1 - side].allow_renegotiation(5, by_peer=True)
    both = meet(*contexts)
    [begun_by_client, begun_by_server][side](*both)  # also after the option was off for a while
    both[1 - side].renegotiate()
    with pytest.raises(pyossl.TLSError):
        exchange(*both)


def test_a_peer_that_ignores_our_refusal_is_refused_again_and_again(contexts: Contexts) -> None:
    """The count is of handshakes that are finished; those that are refused cost an alert each."""
    contexts[1].allow_renegotiation(1, by_peer=True)
    client_context, server_context = contexts
    client_context.options &= ~Options.NO_RENEGOTIATION  # without a limit
    client, server = meet(client_context, server_context)
    lib.SSL_renegotiate(client._c.ssl)
    for _ in range(5):
        client.handshake()
        carry(client, server)
        server.read()
        carry(client, server)
    assert lib.SSL_get_options(server._c.ssl) & lib.SSL_OP_NO_RENEGOTIATION
    exchange(client, server)


def test_the_peer_is_verified_again(authority: pyossl.Authority, credentials: pyossl.Credentials) -> None:
    """Another certificate in the middle of a connection must be for the same name."""
    other = authority.issue("another.example")
    client_context = Context.client(trust=authority.certificate, maximum_version=Version.TLSv1_2)
    client_context.allow_renegotiation(by_peer=True)
    serving = Context.server(credentials.certificate, credentials.private_key)
    serving.allow_renegotiation()
    serving.options |= Options.NO_SESSION_RESUMPTION_ON_RENEGOTIATION
    client, server = meet(client_context, serving)
    assert lib.SSL_use_certificate(server._c.ssl, other.certificate._x509) == 1
    assert lib.SSL_use_PrivateKey(server._c.ssl, other.private_key._key) == 1
    server.renegotiate()
    with pytest.raises(pyossl.CertificateError):
        exchange(client, server)


def test_data_that_the_peer_had_sent_is_read_first(contexts: Contexts) -> None:
    """docs/pitfalls.md, 46"""
    contexts[0].allow_renegotiation()
    contexts[1].allow_renegotiation(by_peer=True)
    client, server = meet(*contexts)
    server.write(b"on its way")
    assert client.renegotiate() is Want.READ
    carry(client, server)
    assert client.handshake() is Want.READ
    assert client.read(100) == b"on its way"
    exchange(client, server)
    assert client.is_handshake_finished


def test_both_sides_may_begin_at_once(contexts: Contexts) -> None:
    for context in contexts:
        context.allow_renegotiation(10, by_peer=True)
    client, server = meet(*contexts)
    finished = client.finished
    assert server.renegotiate() is None
    assert client.renegotiate() is Want.READ
    exchange(client, server, 5)
    assert client.finished == server.peer_finished != finished


def test_a_second_call_while_one_is_under_way_is_refused(contexts: Contexts) -> None:
    contexts[0].allow_renegotiation(10)
    contexts[1].allow_renegotiation(10, by_peer=True)
    client, server = meet(*contexts)
    client.renegotiate()
    for begin in (client.renegotiate, client.update_keys):
        with pytest.raises(NotDueError, match="not finished"):
            begin()
    exchange(client, server)


def test_a_server_asks_once_until_the_client_answers(contexts: Contexts) -> None:
    contexts[1].allow_renegotiation(10)
    contexts[0].allow_renegotiation(10, by_peer=True)
    client, server = meet(*contexts)
    assert server.renegotiate() is None
    asked = server.data_to_send()
    assert asked
    assert server.renegotiate() is None
    assert server.data_to_send() == b""
    client.receive_data(asked)
    exchange(client, server)


def test_there_is_none_in_tls_1_3(client_context: Context, server_context: Context) -> None:
    client_context.allow_renegotiation(by_peer=True)
    server_context.allow_renegotiation(by_peer=True)
    client, server = meet(client_context, server_context)
    for side in (client, server):
        with pytest.raises(pyossl.Error, match="SSL_renegotiate failed"):
            side.renegotiate()
    exchange(client, server)


def test_there_is_none_before_the_handshake_is_finished(contexts: Contexts) -> None:
    contexts[0].allow_renegotiation()
    client = Connection(contexts[0], "example.com")
    with pytest.raises(NotDueError, match="not finished"):
        client.renegotiate()


def test_the_context_of_a_server_name_brings_its_own_limit(contexts: Contexts, credentials: pyossl.Credentials) -> None:
    first, chosen = contexts[1], Context.server(credentials.certificate, credentials.private_key)
    first.allow_renegotiation(1000, by_peer=True)
    first.servername_callback = lambda connection, name: chosen
    contexts[0].allow_renegotiation(5)
    client, server = meet(contexts[0], first)
    with pytest.raises(pyossl.Error):
        server.renegotiate()
    client.renegotiate()
    with pytest.raises(pyossl.TLSError):
        exchange(client, server)


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [((0,), ValueError), ((-1,), ValueError), ((1001,), ValueError), (("1",), TypeError), ((True,), TypeError)],
)
def test_a_number_that_cannot_be_used_is_refused(arguments: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="most"):
        Context.client().allow_renegotiation(*arguments)


def test_by_peer_is_true_or_false() -> None:
    with pytest.raises(TypeError, match="by_peer"):
        Context.client().allow_renegotiation(by_peer=1)  # type: ignore[arg-type]


def test_a_frozen_context_cannot_allow_it(contexts: Contexts) -> None:
    shake_hands(Connection(contexts[0], "example.com"), Connection(contexts[1]))
    for context in contexts:
        with pytest.raises(UsageError, match="frozen"):
            context.allow_renegotiation()


def test_it_begins_when_a_record_that_has_come_in_part_is_read(contexts: Contexts) -> None:
    """docs/pitfalls.md, 62.  OpenSSL only notes it until then, and SSL_do_handshake(3) reports success."""
    contexts[0].allow_renegotiation()
    contexts[1].allow_renegotiation(by_peer=True)
    client, server = meet(*contexts)
    server.write(b"on its way")
    record = server.data_to_send()
    client.receive_data(record[:20])
    assert client.read() is Want.READ
    finished = client.finished
    assert client.renegotiate() is Want.READ
    assert client.handshake() is Want.READ
    assert client.data_to_send() == b""
    client.receive_data(record[20:])
    assert client.read(100) == b"on its way"
    assert client.handshake() is Want.READ
    exchange(client, server)
    assert client.finished != finished
    assert client.handshake() is None
