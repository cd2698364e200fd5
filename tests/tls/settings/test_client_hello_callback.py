"""The ClientHello callback: what a server sees of a client's first message, and what it can choose by it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from marks import VERSIONS
from pairs import carry, meet, shake_hands
from tls.callbacks.published_client_hellos import CHROME

import pyossl
from pyossl import Alert, ClientHello, Connection, Context, UsageError, Version


class OnPurposeError(Exception):
    pass


@pytest.fixture
def another(authority: pyossl.Authority) -> Context:
    """A server's context with a certificate for another name."""
    own = authority.issue("another.example")
    return Context.server(own.certificate, own.private_key)


@pytest.mark.feature("ClientHello callback: all extensions, another context, an alert")
@VERSIONS
def test_the_callback_gets_the_message_as_the_client_has_sent_it(
    version: Version, client_context: Context, server_context: Context
) -> None:
    seen: list[ClientHello] = []
    sent: list[bytes] = []
    client_context.maximum_version = version
    server_context.client_hello_callback = lambda connection, hello: seen.append(hello)
    client = Connection(
        client_context,
        "example.com",
        message_callback=lambda message: sent.append(message.data) if message.outgoing else None,
    )
    shake_hands(client, Connection(server_context))
    assert seen == [ClientHello.parse(next(data for data in sent if data[:1] == b"\1"))]
    assert seen[0].server_name == "example.com"
    assert client.version == version.name.replace("_", ".")


def test_extensions_that_openssl_does_not_know_are_there_too(server_context: Context) -> None:
    """Chrome's message has GREASE and ALPS, which SSL_client_hello_get0_ext(3) does not find.  docs/pitfalls.md, 81"""
    seen: list[ClientHello] = []
    server_context.client_hello_callback = lambda connection, hello: seen.append(hello)
    server = Connection(server_context)
    server.receive_data(CHROME)
    server.handshake()
    assert seen == [ClientHello.parse(CHROME)]
    assert any(each.type & 0x0F0F == 0x0A0A for each in seen[0].extensions)


@VERSIONS
def test_the_callback_chooses_another_context(
    version: Version, authority: pyossl.Authority, server_context: Context, another: Context
) -> None:
    asked: list[str | None] = []
    server_context.client_hello_callback = lambda connection, hello: another if hello.server_name else None
    server_context.servername_callback = lambda connection, name: asked.append(name)
    another.servername_callback = lambda connection, name: asked.append(name)
    client_context = Context.client(trust=authority.certificate, maximum_version=version)
    client, server = meet(client_context, server_context, "another.example")
    assert server.context is another
    assert client.peer_certificate is not None
    assert client.peer_certificate.matches("another.example")
    assert asked == []


def test_the_server_name_callback_is_asked_after_it(client_context: Context, server_context: Context) -> None:
    order: list[str | None] = []
    server_context.client_hello_callback = lambda connection, hello: order.append("hello")
    server_context.servername_callback = lambda connection, name: order.append(name)
    meet(client_context, server_context)
    assert order == ["hello", "example.com"]


def test_a_callback_that_is_taken_away_is_not_called(client_context: Context, server_context: Context) -> None:
    order: list[str | None] = []
    server_context.servername_callback = lambda connection, name: order.append(name)
    server_context.client_hello_callback = lambda connection, hello: order.append("hello")
    server_context.client_hello_callback = None
    assert server_context.client_hello_callback is None
    meet(client_context, server_context)
    assert order == ["example.com"]


@pytest.mark.parametrize("alert", [Alert.UNRECOGNIZED_NAME, Alert.ACCESS_DENIED, Alert.HANDSHAKE_FAILURE])
def test_the_callback_refuses_a_client_with_an_alert(
    alert: Alert, client_context: Context, server_context: Context
) -> None:
    server_context.client_hello_callback = lambda connection, hello: alert
    client, server = Connection(client_context, "example.com"), Connection(server_context)
    client.handshake()
    carry(client, server)
    with pytest.raises(pyossl.TLSError):
        server.handshake()
    carry(client, server)
    with pytest.raises(pyossl.AlertError) as refused:
        client.handshake()
    assert refused.value.number == alert


@pytest.mark.parametrize("answer", [True, 40, "a.example", b"", Context, object(), pyossl.Want.X509_LOOKUP])
def test_an_answer_of_another_type_ends_the_handshake(
    answer: Any, client_context: Context, server_context: Context
) -> None:
    server_context.client_hello_callback = lambda connection, hello: answer
    with pytest.raises(TypeError, match="ClientHello callback"):
        shake_hands(Connection(client_context, "example.com"), Connection(server_context))


def test_a_clients_context_is_no_answer(client_context: Context, server_context: Context) -> None:
    server_context.client_hello_callback = lambda connection, hello: client_context
    with pytest.raises(TypeError, match="ClientHello callback"):
        shake_hands(Connection(client_context, "example.com"), Connection(server_context))


def test_an_exception_is_raised_by_the_handshake_and_the_client_gets_an_alert(
    client_context: Context, server_context: Context
) -> None:
    def fail(connection: Connection, hello: ClientHello) -> None:
        raise OnPurposeError

    server_context.client_hello_callback = fail
    client, server = Connection(client_context, "example.com"), Connection(server_context)
    client.handshake()
    carry(client, server)
    with pytest.raises(OnPurposeError):
        server.handshake()
    carry(client, server)
    with pytest.raises(pyossl.AlertError, match="internal error"):
        client.handshake()


def with_a_second_hello(client_context: Context, server_context: Context) -> Connection:
    """A client whose first key share is for a group that the server does not take: a HelloRetryRequest follows."""
    client_context.set_groups("X25519:P-256")
    server_context.set_groups("P-256")
    return Connection(client_context, "example.com")


def test_after_a_hello_retry_request_the_callback_is_not_asked_again(
    client_context: Context, server_context: Context, another: Context
) -> None:
    seen: list[ClientHello] = []

    def choose(connection: Connection, hello: ClientHello) -> Context:
        seen.append(hello)
        return another

    server_context.client_hello_callback = choose
    another.client_hello_callback = choose
    another.set_groups("P-256")
    client_context = Context.client(trust=client_context._trust, check_hostname=False)
    client, server = with_a_second_hello(client_context, server_context), Connection(server_context)
    shake_hands(client, server)
    assert len(seen) == 1
    assert server.context is another


def test_a_client_may_not_change_its_name_in_the_second_message(
    client_context: Context, server_context: Context
) -> None:
    server_context.client_hello_callback = lambda connection, hello: None
    client, server = with_a_second_hello(client_context, server_context), Connection(server_context)
    client.handshake()
    carry(client, server)
    server.handshake()
    client.receive_data(server.data_to_send())
    pyossl.lib.SSL_ctrl(client._c.ssl, pyossl.lib.SSL_CTRL_SET_TLSEXT_HOSTNAME, 0, b"another.com\0")
    client.handshake()
    carry(client, server)
    with pytest.raises(pyossl.TLSError, match=r"changed the name from 'example.com' to 'another.com'"):
        server.handshake()


def test_a_message_callback_of_the_connection_gets_its_messages_too(
    client_context: Context, server_context: Context
) -> None:
    seen: list[ClientHello] = []
    messages: list[pyossl.Message] = []
    server_context.client_hello_callback = lambda connection, hello: seen.append(hello)
    client = Connection(client_context, "example.com")
    shake_hands(client, Connection(server_context, message_callback=messages.append))
    assert seen == [ClientHello.parse(next(each.data for each in messages if each.data[:1] == b"\1"))]


@pytest.mark.parametrize("cut", [4, 40, 60])
def test_a_malformed_message_is_the_peers_mistake(cut: int, server_context: Context) -> None:
    server_context.client_hello_callback = lambda connection, hello: None
    message = CHROME[5 : 5 + 4 + cut]
    body = message[4:]
    server = Connection(server_context)
    message = b"\1" + len(body).to_bytes(3, "big") + body
    server.receive_data(b"\x16\x03\x01" + len(message).to_bytes(2, "big") + message)
    with pytest.raises(pyossl.TLSError):
        server.handshake()


def test_a_message_in_the_form_of_ssl_2_is_refused(server_context: Context) -> None:
    server_context.client_hello_callback = lambda connection, hello: None
    server_context.security_level = 0
    body = b"\1\3\3\0\3\0\0\0\x20" + b"\0\xc0\x2f" + bytes(32)
    server = Connection(server_context)
    server.receive_data((len(body) | 0x8000).to_bytes(2, "big") + body)
    with pytest.raises(pyossl.TLSError):
        server.handshake()


def test_it_is_only_for_servers_and_a_function() -> None:
    with pytest.raises(UsageError, match="client_hello_callback is only for servers"):
        Context.client().client_hello_callback = lambda connection, hello: None
    with pytest.raises(TypeError, match="ClientHello callback"):
        Context(is_server=True).client_hello_callback = "hello"  # type: ignore[assignment]


def test_the_kept_message_is_freed_with_a_connection_that_ends_early(
    new_pair: Callable[[], tuple[Connection, Connection]], server_context: Context
) -> None:
    server_context.client_hello_callback = lambda connection, hello: pyossl.Want.CLIENT_HELLO
    for _ in range(3):
        client, server = new_pair()
        client.handshake()
        carry(client, server)
        assert server.handshake() is pyossl.Want.CLIENT_HELLO
        server.close()
        del client, server
