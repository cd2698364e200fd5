"""Records: their length on the network, and their padding."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from marks import VERSIONS
from pairs import meet, shake_hands
from served import tls_pair

import pyossl
from pyossl import Connection, Context, UnsupportedError, UsageError, Version, lib

DATA, HANDSHAKE = 23, 22
FULL = 16384
TAG = 16
OVERHEAD = TAG + 1  # the tag of the AEAD, and the type inside


def records(sent: bytes) -> list[int]:
    """The lengths of the records in bytes that were sent."""
    lengths, place = [], 0
    while place < len(sent):
        length = int.from_bytes(sent[place + 3 : place + 5], "big")
        lengths.append(length)
        place += 5 + length
    assert place == len(sent)
    return lengths


def sent_for(connection: Connection, data: bytes) -> list[int]:
    assert connection.write(data) == len(data)
    return records(connection.data_to_send())


@pytest.fixture
def tls13(client_context: Context) -> Context:
    client_context.minimum_version = Version.TLSv1_3
    return client_context


# Their length


@pytest.mark.feature("record length and maximum fragment length")
@VERSIONS
def test_no_record_holds_more_than_the_fragment(
    version: Version, client_context: Context, server_context: Context
) -> None:
    client_context.minimum_version = client_context.maximum_version = version
    client_context.set_max_send_fragment(512)
    client, server = meet(client_context, server_context)
    data = bytes(range(256)) * 100
    client.write(data)
    sent = client.data_to_send()
    assert len(records(sent)) == len(data) // 512
    assert max(records(sent)) < 600
    server.receive_data(sent)
    assert server.read(len(data)) == data


def test_a_long_write_over_a_socket_arrives_in_short_records(client_context: Context, server_context: Context) -> None:
    client_context.set_max_send_fragment(512)
    data = bytes(range(256)) * 4096
    client, server = tls_pair(client_context, server_context)
    with client, server:
        client.settimeout(0)
        received, sent = bytearray(), 0
        while len(received) < len(data):
            if sent < len(data):
                with contextlib.suppress(pyossl.WouldBlockError):
                    sent += client.send(data[sent:])
            received += server.recv(100_000)
        assert received == data


@pytest.mark.parametrize("size", [511, 16385, 0, -1, 2**40])
def test_a_fragment_of_another_size_is_refused(size: int, client_context: Context) -> None:
    with pytest.raises(ValueError, match="fragment"):
        client_context.set_max_send_fragment(size)


@pytest.mark.feature("record length and maximum fragment length")
@pytest.mark.parametrize("length", [512, 1024, 2048, 4096])
@VERSIONS
def test_both_sides_keep_to_the_length_that_a_client_asked_for(
    version: Version, length: int, client_context: Context, server_context: Context
) -> None:
    client_context.minimum_version = client_context.maximum_version = version
    client_context.set_max_fragment_length(length)
    client, server = meet(client_context, server_context)
    assert client.max_fragment_length == server.max_fragment_length == length
    for side in (client, server):
        lengths = sent_for(side, bytes(FULL))
        assert len(lengths) == FULL // length
        assert max(lengths) < length + 100


def test_without_a_wish_there_is_no_limit(client_context: Context, server_context: Context) -> None:
    client_context.set_max_fragment_length(512)
    client_context.set_max_fragment_length(None)
    unused = Connection(client_context, "example.com")
    assert unused.max_fragment_length is None
    client, server = meet(client_context, server_context)
    assert client.max_fragment_length is None
    assert server.max_fragment_length is None
    assert sent_for(client, bytes(FULL)) == [FULL + OVERHEAD]


@pytest.mark.parametrize(
    ("value", "kind"), [(0, ValueError), (513, ValueError), (8192, ValueError), ("512", TypeError), (True, TypeError)]
)
def test_another_length_is_refused(value: Any, kind: type[Exception], client_context: Context) -> None:
    with pytest.raises(kind, match="fragment length"):
        client_context.set_max_fragment_length(value)


def test_only_clients_ask(server_context: Context) -> None:
    with pytest.raises(UsageError, match="clients"):
        server_context.set_max_fragment_length(512)


def test_a_frozen_context_keeps_its_settings(client_context: Context) -> None:
    Connection(client_context, "example.com")
    changes: list[Callable[[], object]] = [
        lambda: client_context.set_max_send_fragment(512),
        lambda: client_context.set_max_fragment_length(512),
        lambda: client_context.set_block_padding(512),
        lambda: client_context.set_pipelines(2, 512),
        lambda: setattr(client_context, "record_padding_callback", None),
    ]
    for change in changes:
        with pytest.raises(UsageError, match="frozen"):
            change()


# Their padding


@pytest.mark.feature("record padding")
def test_records_are_padded_to_blocks(tls13: Context, server_context: Context) -> None:
    tls13.set_block_padding(512)
    client, server = meet(tls13, server_context)
    for size in (1, 100, 511, 600):
        (length,) = sent_for(client, b"x" * size)
        assert (length - TAG) % 512 == 0
    assert sent_for(client, b"x" * FULL) == [FULL + OVERHEAD]
    assert sent_for(server, b"x") == [1 + OVERHEAD]


def test_tls_1_2_has_no_padding(client_context: Context, server_context: Context) -> None:
    client_context.maximum_version = Version.TLSv1_2
    client_context.set_block_padding(4096)
    client_context.record_padding_callback = lambda connection, kind, length: 100
    client, _ = meet(client_context, server_context)
    (length,) = sent_for(client, b"x")
    assert length < 100


def test_the_handshake_can_have_blocks_of_its_own(tls13: Context, server_context: Context) -> None:
    if not lib.HAVE_API_3_4:
        with pytest.raises(UnsupportedError):
            tls13.set_block_padding(512, handshake=0)
        tls13.set_block_padding(512, handshake=512)
        return
    tls13.set_block_padding(0, handshake=4096)
    client, server = Connection(tls13, "example.com"), Connection(server_context)
    client.handshake()
    server.receive_data(client.data_to_send())
    server.handshake()
    client.receive_data(server.data_to_send())
    assert client.handshake() is None
    assert 4096 <= records(client.data_to_send())[-1] <= 4096 + OVERHEAD
    assert sent_for(client, b"x") == [1 + OVERHEAD]


@pytest.mark.parametrize("size", [-1, FULL + 1])
def test_a_block_of_another_size_is_refused(size: int, client_context: Context) -> None:
    with pytest.raises(ValueError, match="block"):
        client_context.set_block_padding(size)
    with pytest.raises(ValueError, match="block"):
        client_context.set_block_padding(1, handshake=size)


@pytest.mark.feature("record padding")
def test_a_callback_chooses_the_padding(tls13: Context, server_context: Context) -> None:
    asked: list[tuple[int, int]] = []

    def choose(connection: Connection, kind: int, length: int) -> int:
        asked.append((kind, length))
        return 1000 - length if kind == DATA else 0

    tls13.record_padding_callback = choose
    assert tls13.record_padding_callback is choose
    client, server = meet(tls13, server_context)
    assert {kind for kind, _ in asked} == {HANDSHAKE}
    asked.clear()
    for size in (1, 500, 999):
        client.write(b"x" * size)
        sent = client.data_to_send()
        assert records(sent) == [1000 + TAG]
        server.receive_data(sent)
        assert server.read(FULL) == b"x" * size
    assert asked == [(DATA, 2), (DATA, 501), (DATA, 1000)]  # the type inside counts


def test_no_record_becomes_too_long(tls13: Context, server_context: Context) -> None:
    tls13.record_padding_callback = lambda connection, kind, length: FULL
    client, server = meet(tls13, server_context)
    client.write(b"x" * 10_000)
    sent = client.data_to_send()
    assert records(sent) == [FULL + TAG]
    server.receive_data(sent)
    assert server.read(FULL) == b"x" * 10_000


class OnPurposeError(Exception):
    pass


def fails(connection: Connection, kind: int, length: int) -> int:
    raise OnPurposeError


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (fails, OnPurposeError),
        (lambda *_: -1, ValueError),
        (lambda *_: FULL + 1, ValueError),
        (lambda *_: None, TypeError),
        (lambda *_: True, TypeError),
        (lambda *_: 1.0, TypeError),
        (lambda connection, *_: connection.write(b"x"), UsageError),
    ],
)
def test_an_answer_that_cannot_be_used_raises_and_shows_no_length(
    answer: Any, kind: type[Exception], tls13: Context, server_context: Context
) -> None:
    good = [True]
    tls13.record_padding_callback = lambda *asked: 0 if good else answer(*asked)
    client, _ = meet(tls13, server_context)
    good.clear()
    with pytest.raises(kind):
        client.write(b"secret length")
    assert set(records(client.data_to_send())) == {FULL + TAG}
    with pytest.raises(pyossl.TLSError, match="callback"):
        client.write(b"more")


def test_an_answer_that_cannot_be_used_fails_the_handshake(tls13: Context, server_context: Context) -> None:
    tls13.record_padding_callback = fails
    with pytest.raises(OnPurposeError):
        shake_hands(Connection(tls13, "example.com"), Connection(server_context))


def test_a_callback_is_a_function(client_context: Context) -> None:
    with pytest.raises(TypeError, match="padding"):
        client_context.record_padding_callback = 100  # type: ignore[assignment]


# Pipelines


@pytest.mark.feature("pipelines")
@VERSIONS
def test_without_an_engine_records_have_the_size_of_a_pipelines_from_3_0_on(
    version: Version, client_context: Context, server_context: Context
) -> None:
    client_context.minimum_version = client_context.maximum_version = version
    client_context.set_pipelines(4, 1024)
    client, server = meet(client_context, server_context)
    client.write(bytes(FULL))
    sent = client.data_to_send()
    size = 1024 if lib.HAVE_API_3_0 else FULL
    assert len(records(sent)) == FULL // size
    assert max(records(sent)) < size + 100
    server.receive_data(sent)
    assert server.read(FULL) == bytes(FULL)


def test_with_pipelines_a_socket_still_reads_all_that_has_arrived(
    client_context: Context, server_context: Context
) -> None:
    """SSL_CTX_set_max_pipelines(3) makes OpenSSL read ahead: records wait where select(2) does not see them."""
    for context in (client_context, server_context):
        context.set_pipelines(4, 1024)
    client, server = tls_pair(client_context, server_context)
    with client, server:
        client.settimeout(10)
        for _ in range(3):
            for number in range(20):
                server.sendall(bytes([number]) * 100)
            assert b"".join(client.recv(100) for _ in range(20)) == b"".join(bytes([n]) * 100 for n in range(20))
        server.sendall(b"x" * 5000)
        assert client.recv(10) == b"x" * 10
        assert client.pending > 0


@pytest.mark.parametrize(("count", "size"), [(0, 512), (33, 512), (2, 0), (2, FULL + 1)])
def test_pipelines_of_other_numbers_are_refused(count: int, size: int, client_context: Context) -> None:
    with pytest.raises(ValueError, match=r"pipelines|fragment"):
        client_context.set_pipelines(count, size)


def test_a_pipelines_record_is_no_longer_than_a_fragment(client_context: Context) -> None:
    client_context.set_max_send_fragment(1024)
    with pytest.raises(ValueError, match="set_max_send_fragment"):
        client_context.set_pipelines(2, 2048)
