"""What the messages of a handshake say is what OpenSSL says; malformed messages raise nothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from marks import VERSIONS
from pairs import shake_hands

import pyossl
from pyossl import Connection, Context, Message, Version
from pyossl.cli import code_points
from pyossl.cli.handshake_facts import HandshakeFacts
from pyossl.cli.observed_handshake import ObservedHandshake

HANDSHAKE = 22


@dataclasses.dataclass
class Met:
    """Both ends of a finished handshake, and what their messages say."""

    client: Connection
    server: Connection
    of_client: HandshakeFacts
    of_server: HandshakeFacts
    messages: list[Message]


Meet = Callable[..., Met]


@pytest.fixture
def meet(authority: pyossl.Authority, credentials: pyossl.Credentials) -> Meet:
    def made(version: Version, *, ciphers: str = "", groups: str = "", asks: bool = False, shows: bool = False) -> Met:
        own = {"certificate": credentials.certificate, "private_key": credentials.private_key} if shows else {}
        client_context = Context.client(
            trust=authority.certificate,
            maximum_version=version,
            alpn=["h2", "http/1.1"],
            **own,  # type: ignore[arg-type]
        )
        server_context = Context.server(
            credentials.certificate,
            credentials.private_key,
            trust=authority.certificate if asks else None,
            verify="optional" if asks else False,
            alpn=["http/1.1"],
        )
        if ciphers:
            client_context.set_cipher_list(ciphers)
        if groups:
            client_context.set_groups(groups)
        seen = [ObservedHandshake(client_context), ObservedHandshake(server_context)]
        messages: list[Message] = []

        def of_client(message: Message) -> None:
            messages.append(message)
            seen[0].add(message)

        client = Connection(client_context, "example.com", message_callback=of_client)
        server = Connection(server_context, message_callback=seen[1].add)
        shake_hands(client, server)
        return Met(client, server, seen[0].facts, seen[1].facts, messages)

    return made


@VERSIONS
def test_both_sides_say_the_same_as_openssl(meet: Meet, version: Version) -> None:
    met = meet(version)
    for facts, connection in ((met.of_client, met.client), (met.of_server, met.server)):
        assert facts.version is not None
        assert code_points.version(facts.version) == connection.version
        assert facts.alpn == connection.alpn == "http/1.1"
        assert facts.has_server_hello
        assert facts.malformed is None
        suites = {suite.number: suite.name for suite in connection.context.cipher_suites}
        assert suites[facts.cipher or 0] == connection.cipher
        assert facts.offer is not None
        assert facts.offer.server_name == "example.com"
        assert facts.offer.alpn == ("h2", "http/1.1")
    assert met.of_client.offer == met.of_server.offer
    assert met.of_client.certificates[0] == met.client.peer_certificate.to_der()  # type: ignore[union-attr]


@VERSIONS
def test_the_signature_algorithm_is_that_of_the_key(meet: Meet, version: Version) -> None:
    """The certificate has a key on P-256, and the servers' preference is SHA-256."""
    met = meet(version)
    assert met.of_client.server_signature_algorithm == met.of_server.server_signature_algorithm == 0x0403


@VERSIONS
@pytest.mark.parametrize(("name", "number"), [("P-256", 23), ("X25519:P-256", 29)])
def test_the_group_is_the_one_that_was_used(meet: Meet, version: Version, name: str, number: int) -> None:
    met = meet(version, groups=name)
    assert met.of_client.group == met.of_server.group == number


@VERSIONS
@pytest.mark.parametrize("shows", [False, True])
def test_a_request_for_a_client_certificate_is_seen_with_its_answer(meet: Meet, version: Version, shows: bool) -> None:
    met = meet(version, asks=True, shows=shows)
    for facts in (met.of_client, met.of_server):
        assert facts.certificate_request is not None
        assert facts.certificate_request.authority_count == len(met.client.peer_ca_names)
        assert 0x0403 in facts.certificate_request.signature_algorithms
        assert facts.client_sent_certificate is shows
        assert facts.client_signature_algorithm == (0x0403 if shows else None)


@VERSIONS
def test_without_a_request_there_is_none(meet: Meet, version: Version) -> None:
    met = meet(version)
    assert met.of_client.certificate_request is None
    assert met.of_client.client_sent_certificate is None


@VERSIONS
def test_messages_cut_at_any_length_and_changed_bytes_raise_nothing(meet: Meet, version: Version) -> None:
    """The callback runs before OpenSSL has read the message itself."""
    met = meet(version, asks=True, shows=True)
    handshake = [each for each in met.messages if each.content_type == HANDSHAKE]
    suites = ObservedHandshake(met.client.context).suites
    for number, message in enumerate(handshake):
        for length in range(len(message.data)):
            facts = HandshakeFacts(suites)
            for before in handshake[:number]:
                facts.add(before)
            facts.add(message._replace(data=message.data[:length]))
        for place in range(len(message.data)):
            facts = HandshakeFacts(suites)
            for before in handshake[:number]:
                facts.add(before)
            changed = bytearray(message.data)
            changed[place] ^= 0xFF
            facts.add(message._replace(data=bytes(changed)))


def test_after_the_end_no_message_is_kept(server_context: Context) -> None:
    """A server's connection may be long, and its client may send as many messages as it likes."""
    observed = ObservedHandshake(server_context)
    update = Message(False, 0x0304, HANDSHAKE, b"\x18\x00\x00\x01\x00")
    observed.add(update)
    observed.end()
    observed.add(update)
    assert len(observed.ladder.rungs) == 1


def test_a_message_that_is_cut_is_noted() -> None:
    facts = HandshakeFacts()
    facts.add(Message(False, 0x0303, HANDSHAKE, b"\x02\x00\x00\x26" + b"\x03\x03"))
    assert facts.malformed == "ServerHello"
    assert not facts.has_server_hello
