"""``update_keys``: new keys in TLS 1.3.  SSL_key_update(3)"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from pairs import carry, meet, pump, shake_hands, take_turns

import pyossl
from pyossl import BIO, Connection, Context, Message, UsageError, Version, Want, lib
from pyossl.errors import NotDueError

Pair = tuple[Connection, Connection]
REQUEST = pytest.mark.parametrize("request_peer", [False, True])


@pytest.fixture
def both(client_context: Context, server_context: Context) -> Pair:
    return meet(client_context, server_context)


def exchange(first: Connection, second: Connection) -> None:
    for source, target in ((first, second), (second, first)):
        source.write(b"data")
        carry(first, second)
        assert target.read(100) == b"data"


def watched(client_context: Context, server_context: Context) -> tuple[Connection, Connection, list[Message]]:
    """As ``meet``, with the KeyUpdates that the client sends and receives."""
    seen: list[Message] = []

    def note(message: Message) -> None:
        if message.content_type == 22 and message.data[:1] == bytes([lib.SSL3_MT_KEY_UPDATE]):
            seen.append(message)

    client = Connection(client_context, "example.com", message_callback=note)
    server = Connection(server_context)
    for _ in range(4):
        client.handshake()
        carry(client, server)
        server.handshake()
        carry(client, server)
    client.read()
    return client, server, seen


@pytest.mark.feature("key updates (TLS 1.3)")
@REQUEST
def test_a_key_update_is_sent_and_with_a_request_the_peer_answers_before_it_sends_again(
    client_context: Context, server_context: Context, request_peer: bool
) -> None:
    client, server, seen = watched(client_context, server_context)
    assert client.update_keys(request_peer=request_peer) is None
    assert [(message.outgoing, message.data[-1]) for message in seen] == [(True, int(request_peer))]
    exchange(client, server)
    assert [message.outgoing for message in seen] == ([True, False] if request_peer else [True])
    exchange(server, client)
    assert len(seen) == 1 + request_peer


@REQUEST
def test_both_sides_may_update_at_once_again_and_again(both: Pair, request_peer: bool) -> None:
    client, server = both
    for _ in range(50):
        assert client.update_keys(request_peer=request_peer) is None
        assert server.update_keys(request_peer=request_peer) is None
        exchange(client, server)


def test_openssl_does_not_limit_the_number_of_key_updates(both: Pair) -> None:
    """docs/pitfalls.md, 64: a peer may send them without end; each costs as much as another record."""
    client, server = both
    for _ in range(2000):
        client.update_keys()
        server.receive_data(client.data_to_send())
        assert server.read() is Want.READ
    exchange(client, server)


def test_unread_data_of_both_directions_stays_in_place(both: Pair) -> None:
    client, server = both
    for side in both:
        side.write(b"before ")
        side.update_keys(request_peer=True)
        side.write(b"after")
    carry(client, server)
    for side in both:
        assert side.read(100) == b"before after"
    exchange(client, server)


def test_there_is_none_in_tls_1_2_and_the_connection_goes_on(client_context: Context, server_context: Context) -> None:
    client_context.maximum_version = Version.TLSv1_2
    client, server = meet(client_context, server_context)
    for side in (client, server):
        with pytest.raises(pyossl.Error, match="SSL_key_update failed: wrong ssl version"):
            side.update_keys()
    exchange(client, server)


def test_there_is_none_before_the_handshake_is_finished(client_context: Context, server_context: Context) -> None:
    for side in (Connection(client_context, "example.com"), Connection(server_context)):
        with pytest.raises(NotDueError, match="not finished"):
            side.update_keys()
        assert side.data_to_send() == b""


def test_there_is_none_after_our_close_notify(both: Pair) -> None:
    client, server = both
    client.shutdown()
    with pytest.raises(UsageError, match="shut down"):
        client.update_keys()
    carry(client, server)
    assert server.read() == b""
    assert server.update_keys(request_peer=True) is None  # the other direction goes on
    server.write(b"still")
    carry(client, server)
    assert client.read(100) == b"still"


@pytest.mark.parametrize("request_peer", [None, 1, "yes"])
def test_request_peer_is_true_or_false(both: Pair, request_peer: Any) -> None:
    with pytest.raises(TypeError, match="request_peer"):
        both[0].update_keys(request_peer=request_peer)


def test_a_callback_cannot_update_the_keys_of_its_connection(client_context: Context, server_context: Context) -> None:
    refused: list[UsageError] = []

    def note(message: Message) -> None:
        with pytest.raises(UsageError, match="callback") as caught:
            client.update_keys()
        refused.append(caught.value)

    client = Connection(client_context, "example.com", message_callback=note)
    server = Connection(server_context)
    shake_hands(client, server)
    assert client.update_keys() is None
    assert refused
    exchange(client, server)


def test_over_a_full_bio_the_write_that_waits_comes_first(client_context: Context, server_context: Context) -> None:
    """A record that waits in OpenSSL has to be repeated before another one is made.  docs/pitfalls.md, 8"""
    client, _, receive = over_small_bios(client_context, server_context)
    data = bytes(8000)
    assert client.write(data) is Want.WRITE
    with pytest.raises(NotDueError, match="repeated first"):
        client.update_keys()
    while (sent := client.write(data)) is Want.WRITE:
        receive()
    assert sent == len(data)
    assert client.update_keys() in (None, Want.WRITE)
    while client.handshake() is not None:
        receive()
    while client.write(b"end") is Want.WRITE:
        receive()
    assert receive().endswith(b"end")


def test_over_a_full_bio_it_waits_and_handshake_goes_on(client_context: Context, server_context: Context) -> None:
    client, _, receive = over_small_bios(client_context, server_context)
    updates = 0
    while client.update_keys() is None:
        updates += 1
    assert updates > 10
    assert client.handshake() is Want.WRITE
    receive()
    assert client.handshake() is None
    assert client.write(b"end") == 3
    assert receive() == b"end"


def over_small_bios(
    client_context: Context, server_context: Context
) -> tuple[Connection, Connection, Callable[[], bytes]]:
    """A client and a server over BIO pairs with little room; the function lets the server read all that has come."""
    first, near = BIO.pair(4096, 4096)
    far, second = BIO.pair(4096, 4096)
    client = Connection(client_context, "example.com", bio=first)
    server = Connection(server_context, bio=second)
    for _ in range(20):
        client.handshake()
        server.handshake()
        pump(near, far)
    assert client.read() is Want.READ

    def receive() -> bytes:
        received = b""
        while pump(near, far):
            while isinstance(got := server.read(), bytes):
                received += got
        return received

    return client, server, receive


def test_over_a_pair_of_bios_nothing_else_is_needed(client_context: Context, server_context: Context) -> None:
    ours, theirs = BIO.pair()
    client, server = Connection(client_context, "example.com", bio=ours), Connection(server_context, bio=theirs)
    take_turns(client, server)
    assert client.update_keys(request_peer=True) is None
    assert client.write(b"data") == 4
    assert server.read(100) == b"data"
    assert server.write(b"data") == 4
    assert client.read(100) == b"data"


def test_a_child_process_is_refused(both: Pair) -> None:
    child = os.fork()
    if child == 0:
        try:
            both[0].update_keys()
        except UsageError:
            os._exit(0)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
