"""``encrypt`` is ``write`` and ``data_to_send``, ``decrypt`` is ``receive_data`` and ``read``, in one call each."""

from __future__ import annotations

import os
import socket

import pytest
from pairs import carry, shake_hands

import pyossl
from pyossl import Want, lib

Pair = tuple[pyossl.Connection, pyossl.Connection]

SIZES = [1, 16383, 16384, 16385, 262143, 262144, 262145, 1_000_000]


@pytest.mark.parametrize("size", SIZES)
def test_what_is_encrypted_is_what_is_decrypted(connected: Pair, size: int) -> None:
    client, server = connected
    data = os.urandom(size)
    encrypted = client.encrypt(data)
    assert isinstance(encrypted, bytes)
    assert len(encrypted) > size
    assert client.data_to_send() == b""
    assert server.decrypt(encrypted) == data
    assert server.read() is Want.READ


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_any_buffer_will_do(connected: Pair, kind: type) -> None:
    client, server = connected
    encrypted = client.encrypt(kind(b"question"))
    assert isinstance(encrypted, bytes)
    assert server.decrypt(kind(encrypted)) == b"question"


def test_bytes_that_complete_no_record_are_kept(connected: Pair) -> None:
    client, server = connected
    encrypted = client.encrypt(b"question")
    assert isinstance(encrypted, bytes)
    assert server.decrypt(encrypted[:10]) is Want.READ
    assert server.decrypt(encrypted[10:]) == b"question"


def test_several_writes_are_decrypted_at_once(connected: Pair) -> None:
    client, server = connected
    pieces = [client.encrypt(b"%d" % n) for n in range(50)]
    assert server.decrypt(b"".join(piece for piece in pieces if isinstance(piece, bytes))) == b"".join(
        b"%d" % n for n in range(50)
    )


def test_what_was_to_be_sent_before_comes_first(connected: Pair) -> None:
    client, server = connected
    client.write(b"first ")
    encrypted = client.encrypt(b"second")
    assert isinstance(encrypted, bytes)
    assert server.decrypt(encrypted) == b"first second"


def test_before_the_handshake_both_want_the_peer(client_context: pyossl.Context) -> None:
    client = pyossl.Connection(client_context, "example.com")
    assert client.encrypt(b"early") is Want.READ
    assert client.data_to_send()[:1] == b"\x16", "the ClientHello"
    assert client.decrypt(b"\x16\x03\x03") is Want.READ


def test_the_end_that_comes_with_data_is_met_by_the_next_read(connected: Pair) -> None:
    client, server = connected
    data = client.encrypt(b"last words")
    client.shutdown()
    assert isinstance(data, bytes)
    assert server.decrypt(data + client.data_to_send()) == b"last words"
    assert server.read() == b""
    assert server.decrypt(b"more") == b""


def test_the_end_of_the_transport_is_a_truncation(connected: Pair) -> None:
    _, server = connected
    with pytest.raises(pyossl.TruncationError):
        server.decrypt(b"")


def test_a_record_that_was_tampered_with_is_refused_for_good(connected: Pair) -> None:
    client, server = connected
    encrypted = client.encrypt(b"question")
    assert isinstance(encrypted, bytes)
    with pytest.raises(pyossl.Error, match="bad record mac"):
        server.decrypt(encrypted[:-1] + bytes([encrypted[-1] ^ 1]))
    with pytest.raises(pyossl.Error, match="bad record mac"):
        server.decrypt(client.encrypt(b"again") or b"")  # type: ignore[arg-type]  # bytes: the handshake is finished
    assert server.data_to_send(), "the alert"


def test_the_answer_to_a_key_update_goes_with_the_next_bytes(connected: Pair) -> None:
    client, server = connected
    assert client.call(lib.SSL_key_update, lib.SSL_KEY_UPDATE_REQUESTED) == 1
    encrypted = client.encrypt(b"question")
    assert isinstance(encrypted, bytes)
    assert server.decrypt(encrypted) == b"question"
    answer = server.encrypt(b"answer")
    assert isinstance(answer, bytes)
    assert client.decrypt(answer) == b"answer"
    carry(client, server)


def test_after_our_close_notify_nothing_is_encrypted(connected: Pair) -> None:
    client, _ = connected
    client.shutdown()
    with pytest.raises(pyossl.UsageError, match="has been shut down"):
        client.encrypt(b"x")


def test_a_connection_with_a_transport_carries_its_own_bytes(client_context: pyossl.Context) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        client = pyossl.Connection(client_context, "example.com", bio=pyossl.BIO.socket(ours))
        for call in (client.encrypt, client.decrypt):
            with pytest.raises(pyossl.UsageError, match="made without bio="):
                call(b"x")


def test_text_is_refused(connected: Pair) -> None:
    for call in (connected[0].encrypt, connected[0].decrypt):
        with pytest.raises(TypeError, match="str"):
            call("text")  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize("every", [1, 5], ids=["at once", "later"])
def test_what_a_callback_takes_in_the_middle_of_a_call_is_the_first_of_it(
    client_context: pyossl.Context, server_context: pyossl.Context, every: int
) -> None:
    messages: list[pyossl.Message] = []
    pieces: list[bytes] = []

    def take(message: pyossl.Message) -> None:
        messages.append(message)
        if client.is_handshake_finished and len(messages) % every == 0:
            pieces.append(client.data_to_send())

    client = pyossl.Connection(client_context, "example.com", message_callback=take)
    server = pyossl.Connection(server_context)
    shake_hands(client, server)
    messages.clear()
    pieces.clear()
    data = os.urandom(200_000)
    rest = client.encrypt(data)
    assert isinstance(rest, bytes)
    assert sum(map(bool, pieces)) > 2
    assert server.decrypt(b"".join([*pieces, rest])) == data


def test_what_a_callback_gives_in_the_middle_of_a_call_comes_after_the_call_s(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    further: list[bytes] = []
    server = pyossl.Connection(
        server_context, message_callback=lambda message: server.receive_data(further.pop()) if further else None
    )
    client = pyossl.Connection(client_context, "example.com")
    shake_hands(client, server)
    first, second = client.encrypt(b"a" * 40_000), client.encrypt(b"b" * 40_000)
    assert isinstance(first, bytes)
    assert isinstance(second, bytes)
    further.append(second)
    assert server.decrypt(first) == b"a" * 40_000 + b"b" * 40_000


def test_a_call_that_wants_the_peer_keeps_what_it_has_to_say(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    client, server = pyossl.Connection(client_context, "example.com"), pyossl.Connection(server_context)
    assert client.encrypt(b"question") is Want.READ
    assert server.decrypt(client.data_to_send()) is Want.READ
    client.receive_data(server.data_to_send())
    assert client.handshake() is None
    question = client.encrypt(b"question")
    assert isinstance(question, bytes)
    assert server.decrypt(question) == b"question"
