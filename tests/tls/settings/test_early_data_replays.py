"""Early data that could be a replay is refused: by OpenSSL, by pyossl, or by a callback over a shared store."""

from __future__ import annotations

import os
import threading
from typing import Any

import pytest
from early_sessions import REQUEST, early_pair, early_server, first_flight, read_to_end, session_for
from marks import needs

import pyossl
from pyossl import Connection, Context, Options, UsageError, Want

pytestmark = needs("tls1_3")


@pytest.fixture
def server_context(credentials: pyossl.Credentials) -> Context:
    return early_server(credentials)


@pytest.mark.feature("replayed early data is refused")
def test_a_replayed_flight_is_refused(client_context: Context, server_context: Context) -> None:
    client, server = early_pair(client_context, server_context)
    flight = first_flight(client)
    server.receive_data(flight)
    assert server.read_early_data() == REQUEST
    for _ in range(2):
        victim = Connection(server_context)
        victim.receive_data(flight)
        assert victim.read_early_data() == b""
        assert victim.early_data_accepted is False
        assert victim.handshake() is Want.READ
        assert not victim.session_reused


@pytest.mark.feature("replayed early data is refused")
def test_of_replays_in_several_threads_at_most_one_is_accepted(
    client_context: Context, server_context: Context
) -> None:
    for _ in range(5):
        client, _server = early_pair(client_context, server_context)
        flight, got, ready = first_flight(client), [], threading.Barrier(4)

        def serve(flight: bytes = flight, got: list[Any] = got, ready: threading.Barrier = ready) -> None:
            server = Connection(server_context)
            server.receive_data(flight)
            ready.wait()
            got.append(server.read_early_data())

        threads = [threading.Thread(target=serve) for _ in range(4)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert sorted(got) == [b"", b"", b"", REQUEST]


@pytest.mark.parametrize("has_store", [False, True])
def test_another_server_with_the_ticket_keys_resumes_only_with_a_store_for_both(
    has_store: bool, client_context: Context, credentials: pyossl.Credentials
) -> None:
    """OpenSSL's protection takes a ticket only from the cache of the server that made it."""
    keys, servers = pyossl.TicketKeys(), (early_server(credentials), early_server(credentials))
    for each in servers:
        each.rotating_ticket_keys = keys
        if has_store:
            each.options |= Options.NO_ANTI_REPLAY
            each.allow_early_data_callback = lambda connection, client_random: True
    session = session_for(client_context, servers[0])
    client = Connection(client_context, "example.com", session=session, early_data=REQUEST)
    server = Connection(servers[1])
    server.receive_data(first_flight(client))
    assert server.read_early_data() == (REQUEST if has_store else b"")
    assert read_to_end(client, server) == b""
    assert client.early_data_accepted is server.session_reused is has_store


@pytest.mark.feature("replayed early data is refused")
def test_a_child_process_takes_no_early_data_of_its_parents_sessions(
    client_context: Context, server_context: Context
) -> None:
    """It has a copy of the cache: a ticket would be good once in each process (docs/pitfalls.md, 73)."""
    client, server = early_pair(client_context, server_context)
    flight = first_flight(client)
    child = os.fork()
    if child == 0:
        try:
            forked = Connection(server_context)
            forked.receive_data(flight)
            is_refused = forked.read_early_data() == b"" and forked.early_data_accepted is False
            os._exit(0 if is_refused and forked.handshake() is Want.READ else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    server.receive_data(flight)
    assert server.read_early_data() == REQUEST


def test_the_second_use_of_a_session_sends_early_data_that_is_refused(
    client_context: Context, server_context: Context
) -> None:
    session = session_for(client_context, server_context)
    accepted = []
    for _ in range(2):
        client = Connection(client_context, "example.com", session=session, early_data=REQUEST)
        read_to_end(client, Connection(server_context))
        accepted.append(client.early_data_accepted)
    assert accepted == [True, False]


# The allow callback


def shared(server_context: Context, seen: set[bytes]) -> Context:
    def is_new(connection: Connection, client_random: bytes) -> bool:
        assert connection.version == "TLSv1.3"
        assert len(client_random) == 32
        if client_random in seen:
            return False
        seen.add(client_random)
        return True

    server_context.options |= Options.NO_ANTI_REPLAY
    server_context.allow_early_data_callback = is_new
    return server_context


@pytest.mark.feature("replayed early data is refused")
def test_a_fleet_with_shared_tickets_refuses_replays_by_a_shared_store(
    client_context: Context, credentials: pyossl.Credentials
) -> None:
    seen: set[bytes] = set()
    first, second = (shared(early_server(credentials), seen) for _ in range(2))
    second.ticket_keys = first.ticket_keys
    session = session_for(client_context, first)
    client = Connection(client_context, "example.com", session=session, early_data=REQUEST)
    flight = first_flight(client)
    got = []
    for context in (second, first, second):
        server = Connection(context)
        server.receive_data(flight)
        got.append((server.read_early_data(), server.early_data_accepted))
        assert server.session_reused
    assert got == [(REQUEST, True), (b"", False), (b"", False)]


def test_a_context_that_would_accept_replays_is_refused(server_context: Context) -> None:
    server_context.options |= Options.NO_ANTI_REPLAY
    with pytest.raises(UsageError, match="replays"):
        Connection(server_context)
    server_context.allow_early_data_callback = lambda connection, client_random: False
    Connection(server_context)


@pytest.mark.parametrize(
    ("which", "answer"),
    [("get_session_callback", None), ("removed_session_callback", None), ("decrypt_ticket_callback", True)],
)
def test_a_context_that_keeps_no_sessions_needs_the_callback(
    which: str, answer: Any, client_context: Context, server_context: Context
) -> None:
    """docs/pitfalls.md, 73: with OpenSSL's own protection, a client could not resume, with or without early data."""
    called: list[Any] = []
    setattr(server_context, which, lambda *given: called.append(given) or answer)
    with pytest.raises(UsageError, match="resume no session"):
        Connection(server_context)
    client, server = early_pair(client_context, shared(server_context, set()))
    assert read_to_end(client, server) == REQUEST
    assert client.session_reused
    assert len(called) == (which == "decrypt_ticket_callback")


def test_the_callback_may_refuse_early_data(client_context: Context, server_context: Context) -> None:
    server_context.allow_early_data_callback = lambda connection, client_random: False
    client, server = early_pair(client_context, server_context)
    assert read_to_end(client, server) == b""
    assert client.early_data_accepted is False
    assert client.session_reused


@pytest.mark.parametrize("answer", [None, 1, "yes", b""])
def test_an_answer_of_the_callback_that_is_no_bool_fails_the_handshake(
    answer: Any, client_context: Context, server_context: Context
) -> None:
    server_context.allow_early_data_callback = lambda connection, client_random: answer
    client, server = early_pair(client_context, server_context)
    server.receive_data(first_flight(client))
    with pytest.raises(TypeError, match="True or False"):
        server.read_early_data()
    assert server.early_data_accepted is False
    with pytest.raises(pyossl.TLSError):
        server.read_early_data()


class OnPurposeError(Exception):
    pass


def test_an_exception_in_the_callback_is_raised_by_read_early_data(
    client_context: Context, server_context: Context
) -> None:
    def fail(connection: Connection, client_random: bytes) -> bool:
        raise OnPurposeError

    server_context.allow_early_data_callback = fail
    client, server = early_pair(client_context, server_context)
    server.receive_data(first_flight(client))
    with pytest.raises(OnPurposeError):
        server.read_early_data()
    with pytest.raises(pyossl.TLSError):
        server.read_early_data()


def test_the_callback_cannot_use_its_connection(client_context: Context, server_context: Context) -> None:
    def read(connection: Connection, client_random: bytes) -> bool:
        connection.read_early_data()
        return True

    server_context.allow_early_data_callback = read
    client, server = early_pair(client_context, server_context)
    server.receive_data(first_flight(client))
    with pytest.raises(UsageError, match="callback"):
        server.read_early_data()


def test_the_callback_is_not_asked_about_early_data_that_another_rule_refuses(
    client_context: Context, server_context: Context
) -> None:
    asked: list[bytes] = []
    server_context.allow_early_data_callback = lambda connection, client_random: not asked.append(client_random)
    client, server = early_pair(client_context, server_context)
    flight = first_flight(client)
    server.receive_data(flight)
    assert server.read_early_data() == REQUEST
    replayed = Connection(server_context)
    replayed.receive_data(flight)
    assert replayed.read_early_data() == b""
    assert len(asked) == 1
