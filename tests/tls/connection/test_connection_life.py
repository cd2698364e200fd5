"""The locks of a connection, its lifetime, and its properties."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable

import pytest
from pairs import shake_hands, take_turns
from served import is_free

import pyossl
from pyossl import BIO, BufferFilter, Want, lib

Pair = tuple[pyossl.Connection, pyossl.Connection]
NewPair = Callable[[], Pair]

CALLS: dict[str, Callable[[pyossl.Connection], object]] = {
    "read": lambda c: c.read(),
    "peek": lambda c: c.peek(),
    "read_into": lambda c: c.read_into(bytearray(100)),
    "write": lambda c: c.write(b"x"),
    "shutdown": lambda c: c.shutdown(),
    "handshake": lambda c: c.handshake(),
}


# Locks, docs/pitfalls.md, 15


def test_one_thread_at_a_time_touches_the_ssl_and_its_bios(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    """docs/pitfalls.md, 15: a call in C holds the lock; a thread that carries bytes meanwhile waits, because a memory
    BIO has no lock.
    """
    free: list[bool] = []

    def look(message: pyossl.Message) -> None:
        free.append(is_free(client._c.lock))

    client = pyossl.Connection(client_context, "example.com", message_callback=look)
    assert client.handshake() is Want.READ
    assert free
    assert not any(free)
    assert is_free(client._c.lock), "it is not held while somebody waits"


def test_two_bios_of_the_callers_are_both_locked(client_context: pyossl.Context) -> None:
    """docs/pitfalls.md, 15."""
    free: list[bool] = []
    reader, (writer, outside) = BIO.memory(), BIO.pair()

    def look(message: pyossl.Message) -> None:
        free.extend(is_free(bio.lock.pointer) for bio in (reader, writer, outside))

    client = pyossl.Connection(client_context, "example.com", bio=(reader, writer), message_callback=look)
    assert client.handshake() is Want.READ
    assert free
    assert not any(free)
    assert all(is_free(bio.lock.pointer) for bio in (reader, writer, outside))


def test_a_connection_that_is_closed_keeps_its_lock_when_the_chain_takes_another(
    client_context: pyossl.Context,
) -> None:
    """docs/pitfalls.md, 18: what C points to lives as long as the connection; this read memory that had been freed."""
    chain = BufferFilter().push(BIO.memory())
    lock = weakref.ref(chain.lock.pointer)
    client = pyossl.Connection(client_context, "example.com", bio=chain)
    client.close()
    chain.pop()
    assert chain.lock.pointer is not lock()
    assert lock() is not None
    with pytest.raises(pyossl.UsageError, match="closed"):
        client.read()
    del client
    gc.collect()
    assert lock() is None


def test_a_callback_may_ask_its_connection_questions(client_context: pyossl.Context) -> None:
    """DESIGN: "Callbacks may ask the connection questions: the lock is re-entrant." """
    answers: list[object] = []

    def ask(message: pyossl.Message) -> None:
        answers.append(
            (client.state != "", client.is_handshake_finished, client.pending, client.cipher, repr(client) != "")
        )

    client = pyossl.Connection(client_context, "example.com", message_callback=ask)
    assert client.handshake() is Want.READ
    assert set(answers) == {(True, False, 0, None, True)}


@pytest.mark.parametrize("call", [*CALLS.values(), lambda c: c.close()], ids=[*CALLS, "close"])
def test_a_callback_does_no_io_on_its_connection(
    client_context: pyossl.Context, call: Callable[[pyossl.Connection], object]
) -> None:
    refused: list[Exception] = []

    def misuse(message: pyossl.Message) -> None:
        try:
            call(client)
        except pyossl.UsageError as error:
            refused.append(error)

    client = pyossl.Connection(client_context, "example.com", message_callback=misuse)
    assert client.handshake() is Want.READ
    assert refused
    assert client.failure is None


# Lifetime, docs/pitfalls.md, 11 and 20


@pytest.mark.parametrize(
    "call",
    [
        *CALLS.values(),
        lambda c: c.receive_data(b"x"),
        lambda c: c.receive_data(b""),
        lambda c: c.data_to_send(),
        lambda c: c.version,
        lambda c: c.cipher,
        lambda c: c.group,
        lambda c: c.state,
        lambda c: c.alpn,
        lambda c: c.pending,
        lambda c: c.has_pending,
        lambda c: c.peer_certificate,
        lambda c: c.peer_chain,
        lambda c: c.verified_chain,
        lambda c: c.verify_code,
        lambda c: c.session_reused,
        lambda c: c.is_handshake_finished,
        lambda c: c.write(b""),
        lambda c: c.read(0),
    ],
)
def test_every_method_after_close_is_misuse(connected: Pair, call: Callable[[pyossl.Connection], object]) -> None:
    """The issue: "every method after `close()`"."""
    client, _ = connected
    client.close()
    with pytest.raises(pyossl.UsageError, match="closed"):
        call(client)


def test_close_may_be_repeated_and_sends_nothing(connected: Pair) -> None:
    client, _ = connected
    assert not client.closed
    client.close()
    client.close()
    assert client.closed
    assert repr(client) == "<Connection client of 'example.com', closed>"
    assert client.failure is None
    assert client.server_hostname == "example.com"


def test_a_connection_that_is_dropped_is_freed_at_once(connected: Pair, new_pair: NewPair) -> None:
    """There is no cycle from a connection to itself, so that the SSL does not wait for the garbage collector."""
    gc.collect()
    gc.disable()
    try:
        client, server = new_pair()
        shake_hands(client, server)
        gone = weakref.ref(client)
        del client
        assert gone() is None
    finally:
        gc.enable()


def test_what_a_connection_needs_lives_as_long_as_it(
    server_context: pyossl.Context, authority: pyossl.Authority
) -> None:
    """docs/pitfalls.md, 18: only the connection refers to its context, its BIOs and its callback."""
    seen: list[pyossl.Message] = []
    client = pyossl.Connection(
        pyossl.Context.client(trust=authority.certificate), "example.com", message_callback=seen.append
    )
    server = pyossl.Connection(server_context)
    gc.collect()
    shake_hands(client, server)
    assert len(seen) > 5


def test_certificates_outlive_their_connection(connected: Pair, credentials: pyossl.Credentials) -> None:
    """docs/pitfalls.md, 18: "`up_ref` what ... hands out"."""
    client, _ = connected
    certificate, chain, verified = client.peer_certificate, client.peer_chain, client.verified_chain
    client.close()
    del client
    gc.collect()
    assert certificate == credentials.certificate
    assert chain[0] == certificate
    assert [c.subject for c in verified] == ["CN=example.com", "CN=pyossl test CA"]


def test_a_connection_carries_its_own_bytes_or_its_bios_do(server_context: pyossl.Context) -> None:
    connection = pyossl.Connection(server_context, bio=BIO.memory())
    with pytest.raises(pyossl.UsageError, match="made without bio="):
        connection.receive_data(b"x")
    with pytest.raises(pyossl.UsageError, match="made without bio="):
        connection.data_to_send()


def test_data_to_send_may_be_taken_in_pieces(new_pair: NewPair) -> None:
    client, _ = new_pair()
    assert client.handshake() is Want.READ
    pieces = iter(lambda: client.data_to_send(7), b"")
    hello = b"".join(pieces)
    assert len(hello) > 100
    assert hello[:1] == b"\x16"


# The properties of a finished connection


def test_both_sides_tell_the_same_of_their_connection(connected: Pair) -> None:
    client, server = connected
    assert client.version == server.version == "TLSv1.3"
    assert client.cipher == server.cipher
    assert client.cipher is not None
    assert client.cipher.startswith("TLS_")
    assert client.state == server.state
    assert client.is_handshake_finished
    assert server.server_hostname == "example.com"
    assert client.verify_code == lib.X509_V_OK
    assert client.group is not None
    assert not client.session_reused
    assert server.peer_certificate is None
    assert repr(client) == f"<Connection client of 'example.com', TLSv1.3 {client.cipher}>"
    assert repr(server) == f"<Connection server, TLSv1.3 {client.cipher}>"


def test_an_unfinished_connection_tells_nothing_that_is_not_agreed(new_pair: NewPair) -> None:
    """docs/pitfalls.md, 37."""
    client, server = new_pair()
    for each in (client, server):
        assert each.version is None
        assert each.cipher is None
        assert each.group is None
        assert each.alpn is None
        assert each.peer_certificate is None
        assert each.peer_chain == ()
        assert each.verified_chain == ()
        assert each.failure is None
    assert server.server_hostname is None


def test_two_connections_over_the_halves_of_one_pair(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    """The two share a lock, since the halves share their memory."""
    first, second = BIO.pair()
    client = pyossl.Connection(client_context, "example.com", bio=first)
    server = pyossl.Connection(server_context, bio=second)
    take_turns(client, server)
    assert client._c.lock == server._c.lock == first.lock.pointer
