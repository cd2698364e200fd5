"""Early data without I/O: what a server gets, when it is refused, and that no other read returns it."""

from __future__ import annotations

import os
from typing import Any

import pytest
from early_sessions import LIMIT, REQUEST, early_pair, early_server, first_flight, read_to_end, session_for
from marks import needs
from pairs import carry, meet, shake_hands, take_turns

import pyossl
from pyossl import Connection, Context, Options, UsageError, Version, Want, lib
from pyossl.core.errors import NotDueError

pytestmark = needs("tls1_3")


@pytest.fixture
def server_context(credentials: pyossl.Credentials) -> Context:
    return early_server(credentials)


@pytest.mark.feature("early data, sent by a client and read apart by a server")
def test_a_server_reads_early_data_before_the_handshake_and_answers_at_once(
    client_context: Context, server_context: Context
) -> None:
    client, server = early_pair(client_context, server_context)
    server.receive_data(first_flight(client))
    assert server.read_early_data() == REQUEST
    assert server.early_data_accepted is True
    assert server.session_reused
    assert server.write(b"early answer") == 12
    assert server.read_early_data() is Want.READ
    carry(client, server)
    assert client.read(100) == b"early answer"
    assert client.is_handshake_finished
    assert client.early_data_accepted is True
    carry(client, server)
    assert server.read_early_data() == b""
    assert server.write(b"late answer") == 11
    assert server.handshake() is None
    client.write(b"second request")
    carry(client, server)
    assert client.read(100) == b"late answer"
    assert server.read(100) == b"second request"
    assert server.read_early_data() == b""


@pytest.mark.feature("early data, sent by a client and read apart by a server")
def test_a_server_that_does_not_read_early_data_refuses_it(client_context: Context, server_context: Context) -> None:
    client, server = early_pair(client_context, server_context)
    shake_hands(client, server)
    assert client.session_reused
    assert client.early_data_accepted is False
    assert server.early_data_accepted is False
    assert server.read(100) is Want.READ
    client.write(REQUEST)
    carry(client, server)
    assert server.read(100) == REQUEST


@pytest.mark.parametrize(
    "call",
    [
        lambda server: server.read(100),
        lambda server: server.peek(100),
        lambda server: server.read_into(bytearray(100)),
        lambda server: server.decrypt(b""),
        lambda server: server.handshake(),
        lambda server: server.accept(),
        lambda server: server.shutdown(),
    ],
)
def test_no_other_call_returns_early_data_and_the_connection_goes_on(
    call: Any, client_context: Context, server_context: Context
) -> None:
    client, server = early_pair(client_context, server_context)
    server.receive_data(first_flight(client))
    assert server.read_early_data(5) == REQUEST[:5]
    with pytest.raises(NotDueError):
        call(server)
    assert server.failure is None


def test_after_a_read_that_waits_for_the_client_hello_only_early_data_can_be_read(
    client_context: Context, server_context: Context
) -> None:
    client, server = early_pair(client_context, server_context)
    assert server.read_early_data() is Want.READ
    for call in (server.handshake, server.read, lambda: server.write(b"too early")):
        with pytest.raises(NotDueError, match="read_early_data"):
            call()
    server.receive_data(first_flight(client))
    assert server.read_early_data() == REQUEST


def test_other_plaintext_does_not_mix_with_early_data(client_context: Context, server_context: Context) -> None:
    client, server = early_pair(client_context, server_context)
    server.receive_data(first_flight(client))
    assert server.read_early_data() == REQUEST
    carry(client, server)
    assert client.handshake() is None
    client.write(b"not early")
    carry(client, server)
    assert server.read_early_data() == b""
    assert server.read(100) == b"not early"


# Limits


def test_a_server_takes_no_early_data_by_default(client_context: Context, credentials: pyossl.Credentials) -> None:
    context = early_server(credentials, 0)
    assert context.max_early_data == 0
    assert context.recv_max_early_data == LIMIT
    session = session_for(client_context, context)
    assert session.max_early_data == 0
    with pytest.raises(ValueError, match="0 bytes of early data"):
        Connection(client_context, "example.com", session=session, early_data=b"!")
    client, server = Connection(client_context, "example.com", session=session), Connection(context)
    assert read_to_end(client, server) == b""
    assert client.session_reused
    assert client.early_data_accepted is server.early_data_accepted is None


@pytest.mark.parametrize("size", [1, 100_000])
def test_a_client_may_send_as_much_as_the_session_allows_and_no_more(
    size: int, client_context: Context, credentials: pyossl.Credentials
) -> None:
    context = early_server(credentials, size)
    assert context.recv_max_early_data == max(LIMIT, size)
    data = os.urandom(size)
    session = session_for(client_context, context)
    with pytest.raises(ValueError, match=f"{size} bytes of early data, not {size + 1}"):
        Connection(client_context, "example.com", session=session, early_data=data + b"!")
    client = Connection(client_context, "example.com", session=session, early_data=data)
    assert read_to_end(client, Connection(context)) == data


def test_a_client_that_sends_more_than_the_limit_is_refused(
    client_context: Context, credentials: pyossl.Credentials
) -> None:
    context = early_server(credentials, 100)
    session = session_for(client_context, context)
    lib.SSL_SESSION_set_max_early_data(session._session, 5000)
    client = Connection(client_context, "example.com", session=session, early_data=bytes(5000))
    server = Connection(context)
    server.receive_data(first_flight(client))
    with pytest.raises(pyossl.TLSError, match="too much early data"):
        server.read_early_data()


def skip(server: Connection) -> None:
    """Does the handshake without early data, as far as the client's first bytes go."""
    for _ in range(10):
        assert server.handshake() is Want.READ


def test_a_server_does_not_skip_more_than_it_says(client_context: Context, credentials: pyossl.Credentials) -> None:
    context = early_server(credentials, 100)
    session = session_for(client_context, context)
    lib.SSL_SESSION_set_max_early_data(session._session, 100_000)
    client = Connection(client_context, "example.com", session=session, early_data=bytes(100_000))
    server = Connection(context)
    server.receive_data(first_flight(client))
    with pytest.raises(pyossl.TLSError):
        skip(server)


def test_the_limits_are_a_servers_and_frozen_with_its_first_connection(
    client_context: Context, server_context: Context
) -> None:
    for name, value in (("max_early_data", 1), ("recv_max_early_data", 1), ("allow_early_data_callback", None)):
        with pytest.raises(UsageError, match="only for servers"):
            setattr(client_context, name, value)
    for name in ("max_early_data", "recv_max_early_data"):
        for value, kind in ((-1, ValueError), (2**32, ValueError), ("1", TypeError), (None, TypeError)):
            with pytest.raises(kind):
                setattr(server_context, name, value)
    with pytest.raises(TypeError):
        server_context.allow_early_data_callback = True  # type: ignore[assignment]
    Connection(server_context)
    with pytest.raises(UsageError, match="frozen"):
        server_context.max_early_data = 1


# What a client may not send


def test_early_data_needs_a_session_of_the_same_name(authority: pyossl.Authority, server_context: Context) -> None:
    context = Context.client(trust=authority.certificate, check_hostname=False)
    session = session_for(context, server_context)
    with pytest.raises(UsageError, match="needs the session"):
        Connection(context, "example.com", early_data=REQUEST)
    for name in ("localhost", None):
        with pytest.raises(ValueError, match="name of the session"):
            Connection(context, name, session=session, early_data=REQUEST)
    with pytest.raises(TypeError):
        Connection(context, "example.com", session=session, early_data="GET /")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="for clients"):
        Connection(server_context, early_data=REQUEST)


def test_no_bytes_are_no_early_data(client_context: Context, server_context: Context) -> None:
    client, server = early_pair(client_context, server_context, b"")
    assert client.early_data_accepted is None
    assert read_to_end(client, server) == b""
    assert client.early_data_accepted is server.early_data_accepted is None


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_early_data_is_copied(kind: Any, client_context: Context, server_context: Context) -> None:
    session = session_for(client_context, server_context)
    data = bytearray(REQUEST)
    client = Connection(client_context, "example.com", session=session, early_data=kind(data))
    data[:] = bytes(len(data))
    assert read_to_end(client, Connection(server_context)) == REQUEST


def test_a_client_does_not_know_the_servers_answer_before_the_handshake(
    client_context: Context, server_context: Context
) -> None:
    """Otherwise a program that finds no True would send the request twice."""
    client, server = early_pair(client_context, server_context)
    with pytest.raises(UsageError, match="not finished"):
        _ = client.early_data_accepted
    server.receive_data(first_flight(client))
    with pytest.raises(UsageError, match="not finished"):
        _ = client.early_data_accepted


@pytest.mark.parametrize("first", ["read", "write"])
def test_a_client_that_reads_or_writes_first_sends_its_early_data_before(
    first: str, client_context: Context, server_context: Context
) -> None:
    client, server = early_pair(client_context, server_context)
    assert (client.read(1) if first == "read" else client.write(b"next")) is Want.READ
    carry(client, server)
    assert server.read_early_data() == REQUEST


def test_another_protocol_than_the_sessions_is_not_offered(
    authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    context = Context.server(credentials.certificate, credentials.private_key, alpn=["h2", "http/1.1"])
    context.max_early_data = LIMIT
    first = Context.client(trust=authority.certificate, alpn=["h2"])
    other = Context.client(trust=authority.certificate, alpn=["http/1.1"])
    session = pyossl.Session.load(session_for(first, context).to_der(), other, "example.com")
    client = Connection(other, "example.com", session=session, early_data=REQUEST)
    with pytest.raises(pyossl.TLSError, match="inconsistent early data alpn"):
        client.handshake()
    assert REQUEST not in client.data_to_send()


@pytest.mark.parametrize("options", [{"maximum_version": Version.TLSv1_2}, {}])
def test_a_context_without_tls_1_3_sends_no_early_data(
    options: Any, authority: pyossl.Authority, client_context: Context, server_context: Context
) -> None:
    other = Context.client(trust=authority.certificate, **options)
    if not options:
        other.options |= Options.NO_TLSv1_3
    session = pyossl.Session.load(session_for(client_context, server_context).to_der(), other, "example.com")
    client = Connection(other, "example.com", session=session, early_data=REQUEST)
    assert read_to_end(client, Connection(server_context)) == b""
    assert client.early_data_accepted is False
    assert client.version == "TLSv1.2"


def test_early_data_is_not_sent_with_a_session_that_another_connection_has_used_up(
    client_context: Context, server_context: Context
) -> None:
    """OpenSSL makes a session good for one use if a callback is told of new sessions (docs/pitfalls.md, 71)."""
    client_context.new_session_callback = lambda connection, session: None
    session = session_for(client_context, server_context)
    first, second = (Connection(client_context, "example.com", session=session, early_data=REQUEST) for _ in range(2))
    assert read_to_end(first, Connection(server_context)) == REQUEST
    assert not session.is_resumable
    assert read_to_end(second, Connection(server_context)) == b""
    assert second.early_data_accepted is False
    third = Connection(client_context, "example.com", session=session, early_data=REQUEST)
    assert read_to_end(third, Connection(server_context)) == b""
    assert third.early_data_accepted is False


def made_earlier(session: pyossl.Session, seconds: int) -> None:
    """Changes the time of a session on the client's side."""
    name = "SSL_SESSION_set_time_ex" if hasattr(lib, "SSL_SESSION_set_time_ex") else "SSL_SESSION_set_time"
    getattr(lib, name)(session._session, lib.SSL_SESSION_get_time_ex(session._session) - seconds)


def test_early_data_of_an_expired_session_is_refused(client_context: Context, server_context: Context) -> None:
    session = session_for(client_context, server_context)
    made_earlier(session, 100_000)
    client = Connection(client_context, "example.com", session=session, early_data=REQUEST)
    assert read_to_end(client, Connection(server_context)) == b""
    assert client.early_data_accepted is False


def test_early_data_that_comes_later_than_its_client_says_is_refused(
    client_context: Context, server_context: Context
) -> None:
    session = session_for(client_context, server_context)
    made_earlier(session, 1000)
    client = Connection(client_context, "example.com", session=session, early_data=REQUEST)
    assert read_to_end(client, Connection(server_context)) == b""
    assert client.early_data_accepted is False
    assert client.session_reused


# When a server refuses it


def test_early_data_is_refused_with_another_protocol_than_the_sessions(
    authority: pyossl.Authority, server_context: Context
) -> None:
    choices = ["h2", "http/1.1"]
    server_context.alpn_callback = lambda connection, offered: choices.pop(0)
    client_context = Context.client(trust=authority.certificate, alpn=["h2", "http/1.1"])
    client, server = early_pair(client_context, server_context)
    assert read_to_end(client, server) == b""
    assert client.early_data_accepted is False
    assert client.alpn == "http/1.1"


def test_early_data_is_refused_with_a_hello_retry_request(client_context: Context, server_context: Context) -> None:
    server_context.set_groups("P-384")
    client_context.set_groups("P-256:P-384")
    client, server = early_pair(client_context, server_context)
    assert read_to_end(client, server) == b""
    assert client.early_data_accepted is False
    client.write(REQUEST)
    carry(client, server)
    assert server.read(100) == REQUEST


def test_early_data_is_refused_for_a_name_whose_context_takes_none(
    client_context: Context, server_context: Context, credentials: pyossl.Credentials
) -> None:
    others = [early_server(credentials, LIMIT), early_server(credentials, 0)]
    for each in (server_context, *others):
        each.session_id_context = b"all of them"
    server_context.servername_callback = lambda connection, name: others.pop(0)
    client, server = early_pair(client_context, server_context)
    assert read_to_end(client, server) == b""
    assert client.early_data_accepted is False


def test_early_data_is_accepted_for_a_name_whose_context_takes_it(
    client_context: Context, server_context: Context, credentials: pyossl.Credentials
) -> None:
    other = early_server(credentials, LIMIT)
    server_context.servername_callback = lambda connection, name: other
    client, server = early_pair(client_context, server_context)
    assert read_to_end(client, server) == REQUEST


def test_a_client_is_known_by_the_certificate_of_its_session_when_early_data_is_read(
    authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    context = Context.server(credentials.certificate, credentials.private_key, trust=authority.certificate, verify=True)
    context.max_early_data = LIMIT
    own = authority.issue("client")
    client_context = Context.client(
        trust=authority.certificate, certificate=own.certificate, private_key=own.private_key
    )
    client, server = early_pair(client_context, context)
    server.receive_data(first_flight(client))
    assert server.read_early_data() == REQUEST
    certificate = server.peer_certificate
    assert certificate is not None
    assert certificate.to_der() == own.certificate.to_der()
    assert server.write(b"answer") == 6


def test_an_answer_to_refused_early_data_waits_for_the_handshake(
    authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    """The client has shown no certificate yet."""
    context = Context.server(credentials.certificate, credentials.private_key, trust=authority.certificate, verify=True)
    context.max_early_data = LIMIT
    client, server = Connection(Context.client(trust=authority.certificate), "example.com"), Connection(context)
    server.receive_data(first_flight(client))
    assert server.read_early_data() == b""
    assert server.write(b"secret") is Want.READ
    carry(client, server)
    with pytest.raises(pyossl.TLSError):
        shake_hands(client, server)


def test_a_client_of_tls_1_2_has_no_early_data(authority: pyossl.Authority, server_context: Context) -> None:
    client = Connection(Context.client(trust=authority.certificate, maximum_version=Version.TLSv1_2), "example.com")
    server = Connection(server_context)
    assert read_to_end(client, server) == b""
    assert server.early_data_accepted is None
    assert server.version == "TLSv1.2"


def test_a_server_of_tls_1_2_fails_the_handshake_of_a_client_with_early_data(
    client_context: Context, server_context: Context, credentials: pyossl.Credentials
) -> None:
    session = session_for(client_context, server_context)
    client = Connection(client_context, "example.com", session=session, early_data=REQUEST)
    older = Context.server(credentials.certificate, credentials.private_key, maximum_version=Version.TLSv1_2)
    with pytest.raises(pyossl.TLSError):
        shake_hands(client, Connection(older))


# The order of calls


def test_read_early_data_comes_first(client_context: Context, server_context: Context) -> None:
    server = Connection(server_context)
    assert server.handshake() is Want.READ
    with pytest.raises(UsageError, match="comes first"):
        server.read_early_data()
    client, server = meet(client_context, server_context)
    assert server.read_early_data() == b""
    with pytest.raises(UsageError, match="only for servers"):
        client.read_early_data()
    for size, kind in ((0, ValueError), (-1, ValueError), ("1", TypeError), (1.5, TypeError)):
        with pytest.raises(kind):
            Connection(server_context).read_early_data(size)  # type: ignore[arg-type]


def test_a_flight_may_come_byte_by_byte(client_context: Context, server_context: Context) -> None:
    client, server = early_pair(client_context, server_context)
    got = b""
    for byte in first_flight(client):
        server.receive_data(bytes([byte]))
        while isinstance(piece := server.read_early_data(7), bytes):
            assert len(piece) <= 7
            got += piece
        assert piece is Want.READ
    assert got == REQUEST


@pytest.mark.parametrize("part", [0.3, 0.99, 1.0])
def test_a_peer_that_stops_in_the_middle_is_a_truncation(
    part: float, client_context: Context, server_context: Context
) -> None:
    client, server = early_pair(client_context, server_context)
    flight = first_flight(client)
    server.receive_data(flight[: int(len(flight) * part)])
    server.receive_data(b"")
    if part == 1.0:
        assert server.read_early_data() == REQUEST
    with pytest.raises(pyossl.TruncationError):
        server.read_early_data()


def test_changed_early_data_is_refused(client_context: Context, server_context: Context) -> None:
    client, server = early_pair(client_context, server_context)
    flight = bytearray(first_flight(client))
    flight[-1] ^= 1
    server.receive_data(bytes(flight))
    with pytest.raises(pyossl.TLSError):
        server.read_early_data()


@pytest.mark.parametrize("size", [1, 3000, 50_000])
def test_an_answer_may_be_longer_than_the_transport_has_room_for(
    size: int, client_context: Context, server_context: Context
) -> None:
    """Over a small BIO pair.  The session has no more tickets to come, whose flush would send the rest."""
    server_context.ticket_count = 1
    session = session_for(client_context, server_context)
    ours, theirs = pyossl.BIO.pair(600, 600)
    client = Connection(client_context, "example.com", bio=ours, session=session, early_data=REQUEST)
    server = Connection(server_context, bio=theirs)
    answer, got, early, sent = os.urandom(size), b"", b"", 0
    for _ in range(2000):
        piece = client.read(100_000)
        got += piece if isinstance(piece, bytes) else b""
        if not early:
            piece = server.read_early_data()
            early = piece if isinstance(piece, bytes) else b""
        elif sent < size:
            written = server.write(answer[sent:])
            sent += written if isinstance(written, int) else 0
        elif got == answer:
            break
        else:
            server.read_early_data()
    assert early == REQUEST
    assert got == answer
    while server.read_early_data() != b"":
        client.read(1)
    take_turns(client, server)
    client.write(b"more")
    assert server.read(10) == b"more"


def test_a_closed_connection_says_so(client_context: Context, server_context: Context) -> None:
    client, server = early_pair(client_context, server_context)
    client.close()
    server.close()
    for call in (server.read_early_data, lambda: server.early_data_accepted, lambda: client.early_data_accepted):
        with pytest.raises(UsageError, match="closed"):
            call()
