"""A connection with nothing to read and nothing to write keeps no buffer of OpenSSL's, also after a message that comes
after the handshake: before 3.2 OpenSSL allocates 16 KiB to write when it reads a session ticket or a KeyUpdate
(docs/pitfalls.md, 54)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from malloc_in_use import ENVIRONMENT, needs_mallinfo2
from pairs import carry, shake_hands

import pyossl

TESTS = Path(__file__).parents[2]

PROGRAM = """
import pyossl
from malloc_in_use import in_use
from pairs import carry, shake_hands
from pyossl import lib

PAIRS = 20
authority = pyossl.Authority()
mine = authority.issue("localhost")
client_context = pyossl.Context.client(trust=authority.certificate)
with_info = pyossl.Context.client(trust=authority.certificate)
with_info.info_callback = lambda *_: None
keeping = pyossl.Context.client(trust=authority.certificate)
keeping.modes &= ~pyossl.Modes.RELEASE_BUFFERS
server_context = pyossl.Context.server(mine.certificate, mine.private_key)

def new_pair(context):
    pair = pyossl.Connection(context, "localhost"), pyossl.Connection(server_context)
    shake_hands(*pair)
    return pair

def wait_for_data(client, server):
    assert client.read(1) is pyossl.Want.READ

def receive_data(client, server):
    server.write(bytes(16384))
    carry(client, server)
    assert client.read(16384) == bytes(16384)

def tickets(client, server):
    wait_for_data(client, server)

def tickets_and_data(client, server):
    receive_data(client, server)

def data_in_parts(client, server):
    server.write(bytes(16384))
    carry(client, server)
    assert client.read(1) == b"\\0" and client.peek(1) == b"\\0" and client.read(16383) == bytes(16383)

def key_update_to_client(client, server):
    assert server.call(lib.SSL_key_update, lib.SSL_KEY_UPDATE_NOT_REQUESTED) == 1
    receive_data(client, server)
    wait_for_data(server, client)

def key_update_to_server(client, server):
    assert client.call(lib.SSL_key_update, lib.SSL_KEY_UPDATE_NOT_REQUESTED) == 1
    client.write(b"x")
    carry(client, server)
    assert server.read(1) == b"x"
    wait_for_data(client, server)

def growth(context, step):
    step(*new_pair(context))
    pairs = [new_pair(context) for _ in range(PAIRS)]
    before = in_use()
    for pair in pairs:
        step(*pair)
    return (in_use() - before) / PAIRS

def send_and_receive(client, server):
    client.write(b"x")
    carry(client, server)
    receive_data(client, server)

def whole(context):
    send_and_receive(*new_pair(context))
    before = in_use()
    pairs = [new_pair(context) for _ in range(PAIRS)]
    for pair in pairs:
        send_and_receive(*pair)
    return (in_use() - before) / PAIRS
"""


def measured(expression: str) -> float:
    """The value of the expression, in bytes for each connection; in a process of its own."""
    command = [sys.executable, "-c", f"{PROGRAM}\nprint({expression})"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=TESTS, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


@needs_mallinfo2
@pytest.mark.parametrize(
    "step", ["tickets", "tickets_and_data", "data_in_parts", "key_update_to_client", "key_update_to_server"]
)
def test_a_message_after_the_handshake_leaves_no_buffer_behind(step: str) -> None:
    assert measured(f"growth(client_context, {step})") < 8 * 1024


@needs_mallinfo2
def test_it_leaves_none_if_the_program_has_an_info_callback() -> None:
    assert measured("growth(with_info, tickets)") < 8 * 1024


@needs_mallinfo2
def test_a_connection_without_the_mode_keeps_its_buffers() -> None:
    assert measured("whole(keeping) - whole(client_context)") > 30 * 1024


@pytest.mark.parametrize("arrived", [1, 4, 5, 6, 1000])
def test_no_byte_is_lost_if_a_part_of_a_record_arrives_with_a_ticket(
    client_context: pyossl.Context, server_context: pyossl.Context, arrived: int
) -> None:
    client, server = pyossl.Connection(client_context, "localhost"), pyossl.Connection(server_context)
    shake_hands(client, server)
    message = os.urandom(16384)
    server.write(message)
    record = server.data_to_send()
    client.receive_data(record[:arrived])
    assert client.read(16384) is pyossl.Want.READ
    client.receive_data(record[arrived:])
    assert client.read(16384) == message


def test_no_byte_is_lost_if_a_record_after_a_ticket_is_read_in_parts(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    client, server = pyossl.Connection(client_context, "localhost"), pyossl.Connection(server_context)
    shake_hands(client, server)
    message = os.urandom(40000)
    server.write(message)
    carry(client, server)
    received = b""
    while len(received) < len(message):
        part = client.read(999)
        assert isinstance(part, bytes)
        received += part
    assert received == message


def test_a_write_follows_a_read_that_has_freed_the_buffers(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    client, server = pyossl.Connection(client_context, "localhost"), pyossl.Connection(server_context)
    shake_hands(client, server)
    for size in (1, 16384, 70000):
        assert client.read(1) is pyossl.Want.READ
        message = os.urandom(size)
        assert client.write(message) == size
        carry(client, server)
        received = b""
        while len(received) < size:
            part = server.read(size)
            assert isinstance(part, bytes)
            received += part
        assert received == message
