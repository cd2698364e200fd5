"""The protocol's messages, as the message callback reports them.  SSL_set_msg_callback(3)"""

from __future__ import annotations

import hashlib

import pytest
from pairs import carry, shake_hands

import pyossl
from pyossl import Message, lib
from pyossl.tls.callbacks.message import _HANDSHAKE


def handshake(data: bytes) -> Message:
    return Message(True, lib.TLS1_2_VERSION, lib.SSL3_RT_HANDSHAKE, data)


@pytest.mark.parametrize(("number", "name"), sorted(_HANDSHAKE.items()))
def test_a_handshake_message_has_its_rfcs_name(number: int, name: str) -> None:
    assert handshake(bytes([number, 0, 0, 0])).name == name


def test_a_hello_retry_request_is_a_server_hello_of_a_certain_random() -> None:
    """RFC 8446, 4.1.3: the SHA-256 of "HelloRetryRequest"."""
    random = hashlib.sha256(b"HelloRetryRequest").digest()
    assert handshake(b"\x02\x00\x00\x00\x03\x03" + random).name == "HelloRetryRequest"
    assert handshake(b"\x02\x00\x00\x00\x03\x03" + bytes(32)).name == "ServerHello"


@pytest.mark.parametrize(
    ("message", "name", "is_protocol"),
    [
        (Message(False, 0x0303, lib.SSL3_RT_ALERT, b"\x01\x00"), "Alert", True),
        (Message(False, 0x0303, lib.SSL3_RT_CHANGE_CIPHER_SPEC, b"\x01"), "ChangeCipherSpec", True),
        (Message(False, 0x0303, lib.SSL3_RT_HEADER, b"\x16\x03\x03\x00\x01"), "content type 256", False),
        (Message(False, 0x0303, lib.SSL3_RT_INNER_CONTENT_TYPE, b"\x16"), "content type 257", False),
        (handshake(b"\xc8\x00\x00\x00"), "handshake message 200", True),
        (handshake(b""), "content type 22", True),
    ],
)
def test_what_is_no_handshake_message_is_named_too(message: Message, name: str, is_protocol: bool) -> None:
    assert message.name == name
    assert message.is_protocol is is_protocol


def recorded(client_context: pyossl.Context, server_context: pyossl.Context) -> tuple[list[Message], list[Message]]:
    ours: list[Message] = []
    theirs: list[Message] = []
    client = pyossl.Connection(client_context, "example.com", message_callback=ours.append)
    server = pyossl.Connection(server_context, message_callback=theirs.append)
    shake_hands(client, server)
    client.read()
    client.shutdown()
    carry(client, server)
    assert server.read() == b""
    return ours, theirs


def names(messages: list[Message], outgoing: bool, content_type: int) -> list[str]:
    return [m.name for m in messages if m.outgoing is outgoing and m.content_type == content_type]


@pytest.mark.feature("message callback")
def test_what_one_side_sends_is_what_the_other_receives(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    ours, theirs = recorded(client_context, server_context)
    for sender, receiver in ((ours, theirs), (theirs, ours)):
        sent = [m.data for m in sender if m.outgoing and m.content_type == lib.SSL3_RT_HANDSHAKE]
        assert len(sent) >= 2
        assert sent == [m.data for m in receiver if not m.outgoing and m.content_type == lib.SSL3_RT_HANDSHAKE]


def test_the_messages_of_tls_1_3(client_context: pyossl.Context, server_context: pyossl.Context) -> None:
    ours, _ = recorded(client_context, server_context)
    assert names(ours, True, lib.SSL3_RT_HANDSHAKE) == ["ClientHello", "Finished"]
    expected = ["ServerHello", "EncryptedExtensions", "Certificate", "CertificateVerify", "Finished"]
    assert names(ours, False, lib.SSL3_RT_HANDSHAKE)[:5] == expected
    assert set(names(ours, False, lib.SSL3_RT_HANDSHAKE)[5:]) == {"NewSessionTicket"}
    assert names(ours, True, lib.SSL3_RT_ALERT) == ["Alert"]
    assert ours[0].outgoing
    assert any(m.is_record_header for m in ours)
    assert not any(m.is_record_header and m.is_protocol for m in ours)


def test_the_messages_of_tls_1_2(authority: pyossl.Authority, server_context: pyossl.Context) -> None:
    client_context = pyossl.Context.client(trust=authority.certificate, maximum_version=pyossl.Version.TLSv1_2)
    ours, _ = recorded(client_context, server_context)
    assert names(ours, True, lib.SSL3_RT_HANDSHAKE) == ["ClientHello", "ClientKeyExchange", "Finished"]
    assert names(ours, True, lib.SSL3_RT_CHANGE_CIPHER_SPEC) == ["ChangeCipherSpec"]
    assert names(ours, False, lib.SSL3_RT_HANDSHAKE) == [
        "ServerHello",
        "Certificate",
        "ServerKeyExchange",
        "ServerHelloDone",
        "NewSessionTicket",
        "Finished",
    ]
    assert {m.version for m in ours if m.name == "Finished"} == {lib.TLS1_2_VERSION}
