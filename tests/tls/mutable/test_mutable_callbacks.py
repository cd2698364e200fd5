"""The callbacks of a ``MutableContext`` that answer as OpenSSL's own do: server name, ALPN, messages."""

from __future__ import annotations

import pytest
from pairs import carry, shake_hands

import pyossl
from pyossl.tls.callbacks.alert import Alert
from pyossl.tls.callbacks.message import Message
from pyossl.tls.mutable.mutable_connection import MutableConnection
from pyossl.tls.mutable.mutable_context import Method, MutableContext


@pytest.fixture(params=[False, True], ids=["frozen", "live"])
def context(request: pytest.FixtureRequest, credentials: pyossl.Credentials) -> MutableContext:
    made = MutableContext(Method.TLS, live=request.param)
    made.use_credentials(credentials.certificate, credentials.private_key, credentials.chain)
    return made


@pytest.fixture(params=[pyossl.Version.TLSv1_2, pyossl.Version.TLSv1_3], ids=lambda version: version.name)
def version(request: pytest.FixtureRequest) -> pyossl.Version:
    return request.param  # type: ignore[no-any-return]


def pair(
    authority: pyossl.Authority,
    context: MutableContext,
    name: str | None = "example.com",
    version: pyossl.Version = pyossl.Version.TLSv1_3,
    alpn: list[str] | None = None,
) -> tuple[pyossl.Connection, MutableConnection]:
    client = pyossl.Context.client(
        trust=authority.certificate, check_hostname=False, maximum_version=version, alpn=alpn or []
    )
    server = MutableConnection(context)
    server.set_accept_state()
    return pyossl.Connection(client, name), server


@pytest.mark.parametrize("name", ["example.com", None])
def test_the_callback_gets_the_name_or_none(
    name: str | None, authority: pyossl.Authority, context: MutableContext, version: pyossl.Version
) -> None:
    seen: list[tuple[object, bytes | None]] = []
    context.indicated_name_callback = lambda connection, indicated: seen.append((connection, indicated))
    client, server = pair(authority, context, name, version)
    shake_hands(client, server)
    assert seen == [(server, name.encode() if name else None)]


def refused(client: pyossl.Connection, server: MutableConnection) -> tuple[BaseException, int]:
    """The server's exception, and the number of the alert that the client got."""
    client.handshake()
    carry(client, server)
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - whatever it is
        server.handshake()
    carry(client, server)
    with pytest.raises(pyossl.AlertError) as alert:
        client.handshake()
    return caught.value, alert.value.number


@pytest.mark.parametrize("number", [Alert.UNRECOGNIZED_NAME, 40, 80])
def test_the_alert_that_the_callback_returns_is_sent(
    number: int, authority: pyossl.Authority, context: MutableContext, version: pyossl.Version
) -> None:
    context.indicated_name_callback = lambda connection, indicated: number
    error, sent = refused(*pair(authority, context, version=version))
    assert isinstance(error, pyossl.TLSError)
    assert sent == number


@pytest.mark.parametrize(
    ("answer", "kind"), [("112", TypeError), (256, ValueError), (-1, ValueError), (b"", TypeError)]
)
def test_another_answer_of_the_callback_ends_the_handshake(
    answer: object, kind: type[Exception], authority: pyossl.Authority, context: MutableContext
) -> None:
    context.indicated_name_callback = lambda connection, indicated: answer  # type: ignore[assignment,return-value]
    error, sent = refused(*pair(authority, context))
    assert type(error) is kind
    assert sent == Alert.INTERNAL_ERROR


def test_the_callback_may_change_the_context(
    authority: pyossl.Authority, context: MutableContext, version: pyossl.Version
) -> None:
    other, own = MutableContext(Method.TLS), authority.issue("other.example")
    other.use_credentials(own.certificate, own.private_key, own.chain)

    def choose(connection: pyossl.Connection, name: bytes | None) -> None:
        assert isinstance(connection, MutableConnection)
        connection.change_context(other)

    context.indicated_name_callback = choose
    client, server = pair(authority, context, version=version)
    shake_hands(client, server)
    assert client.peer_certificate == own.certificate
    assert server.context is other


def test_a_callback_that_is_taken_away_is_not_called(authority: pyossl.Authority, context: MutableContext) -> None:
    context.indicated_name_callback = lambda connection, indicated: Alert.ACCESS_DENIED
    context.indicated_name_callback = None
    shake_hands(*pair(authority, context))


@pytest.mark.parametrize(("offered", "selected"), [(["h3", "h2"], "h2"), (["h3"], None), ([], None)])
def test_without_a_protocol_in_common_the_handshake_goes_on(
    offered: list[str], selected: str | None, authority: pyossl.Authority, context: MutableContext
) -> None:
    context.select_protocols([b"h2", b"http/1.1"])
    client, server = pair(authority, context, alpn=offered)
    shake_hands(client, server)
    assert client.alpn == server.alpn == selected


def test_protocols_that_are_taken_away_are_not_selected(authority: pyossl.Authority, context: MutableContext) -> None:
    context.select_protocols([b"h2"])
    context.select_protocols(None)
    client, server = pair(authority, context, alpn=["h2"])
    shake_hands(client, server)
    assert client.alpn is None


def test_the_message_callback_of_a_context_is_called_for_its_new_connections(
    authority: pyossl.Authority, context: MutableContext, version: pyossl.Version
) -> None:
    seen: list[tuple[object, Message]] = []
    context.message_callback = lambda connection, message: seen.append((connection, message))
    client, server = pair(authority, context, version=version)
    shake_hands(client, server)
    assert {connection for connection, _ in seen} == {server}
    assert {"ClientHello", "ServerHello", "Finished"} <= {message.name for _, message in seen}
    assert {message.outgoing for _, message in seen} == {True, False}
