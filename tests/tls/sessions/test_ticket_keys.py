"""Ticket keys that several contexts share, and that are replaced while connections use them."""

from __future__ import annotations

import gc
import os
import threading
from typing import Any

import pytest
from marks import VERSIONS
from pairs import carry, meet, shake_hands
from served import Task, child_that_does

import pyossl
from pyossl import Connection, Context, Session, TicketKeys, UsageError, Version, ffi, lib


def named(name: bytes) -> bytes:
    """A key with this name."""
    return name.ljust(16, b".") + TicketKeys.generate()[16:]


class Fleet:
    """Servers with the same certificate, and a client that resumes with any of them."""

    def __init__(self, authority: pyossl.Authority, credentials: pyossl.Credentials) -> None:
        self._credentials = credentials
        self._authority = authority
        self.clients = {version: self._client(version) for version in (Version.TLSv1_2, Version.TLSv1_3)}

    def _client(self, version: Version) -> Context:
        return Context.client(trust=self._authority.certificate, maximum_version=version)

    def server(self, keys: TicketKeys | bytes | None = None) -> Context:
        context = Context.server(self._credentials.certificate, self._credentials.private_key)
        if isinstance(keys, TicketKeys):
            context.rotating_ticket_keys = keys
        elif keys is not None:
            context.ticket_keys = keys
        return context

    def visit(self, server: Context, version: Version, session: Session | None = None) -> tuple[Session, bool]:
        """The new session, and whether the old one was resumed."""
        client, _ = meet(self.clients[version], server, session=session)
        found = client.session
        assert found is not None
        assert found.has_ticket
        return found, client.session_reused


@pytest.fixture(scope="module")
def fleet(authority: pyossl.Authority, credentials: pyossl.Credentials) -> Fleet:
    return Fleet(authority, credentials)


def name_of(session: Session) -> bytes:
    """The name of the key in the ticket."""
    ticket, size = ffi.new("unsigned char **"), ffi.new("size_t *")
    lib.SSL_SESSION_get0_ticket(session._session, ticket, size)
    assert size[0] > 16
    return bytes(ffi.buffer(ticket[0], 16))


@pytest.mark.feature("ticket keys that are replaced while connections live")
@VERSIONS
def test_contexts_with_the_same_keys_resume_each_others_sessions(version: Version, fleet: Fleet) -> None:
    key = TicketKeys.generate()
    session, resumed = fleet.visit(fleet.server(TicketKeys([key])), version)
    assert not resumed
    assert name_of(session) == key[:16]
    assert fleet.visit(fleet.server(TicketKeys([key])), version, session)[1]
    assert not fleet.visit(fleet.server(TicketKeys()), version, session)[1]


@VERSIONS
def test_tickets_are_the_same_as_with_the_keys_of_openssl_itself(version: Version, fleet: Fleet) -> None:
    """A fleet can change from one to the other, process by process."""
    key = TicketKeys.generate()
    old, new = fleet.server(key), fleet.server(TicketKeys([key]))
    session, _ = fleet.visit(old, version)
    assert fleet.visit(new, version, session)[1]
    session, _ = fleet.visit(new, version)
    assert fleet.visit(old, version, session)[1]


@pytest.mark.feature("ticket keys that are replaced while connections live")
@VERSIONS
def test_an_older_key_decrypts_and_the_first_one_encrypts(version: Version, fleet: Fleet) -> None:
    keys = TicketKeys([named(b"first")])
    server = fleet.server(keys)
    session, _ = fleet.visit(server, version)
    keys.rotate(named(b"second"))
    renewed, resumed = fleet.visit(server, version, session)
    assert resumed
    assert name_of(renewed).startswith(b"second")
    keys.rotate(named(b"third"))
    assert fleet.visit(server, version, renewed)[1]
    fresh, resumed = fleet.visit(server, version, session)  # its key is forgotten: there are two
    assert not resumed
    assert name_of(fresh).startswith(b"third")


@VERSIONS
def test_a_key_behind_the_first_one_only_decrypts(version: Version, fleet: Fleet) -> None:
    """So a fleet can give a new key to all processes before one of them uses it."""
    first, second = named(b"first"), named(b"second")
    ahead, behind = fleet.server(TicketKeys([second, first])), fleet.server(TicketKeys([first, second]))
    session, _ = fleet.visit(ahead, version)
    assert name_of(session).startswith(b"second")
    renewed, resumed = fleet.visit(behind, version, session)
    assert resumed
    assert name_of(renewed).startswith(b"first")


def test_in_tls_1_2_a_ticket_of_the_first_key_is_not_renewed_and_in_tls_1_3_each_is(fleet: Fleet) -> None:
    """docs/pitfalls.md, 76: as with OpenSSL's own keys."""
    for server in fleet.server(TicketKeys()), fleet.server():
        for version, is_renewed in (Version.TLSv1_2, False), (Version.TLSv1_3, True):
            client_context = fleet.clients[version]
            session, _ = fleet.visit(server, version)
            client, theirs = Connection(client_context, "example.com", session=session), Connection(server)
            shake_hands(client, theirs)
            theirs.write(b"!")
            carry(theirs, client)
            assert client.read(1) == b"!"
            assert client.session_reused
            new = client.session
            assert new is not None
            assert (new.to_der() != session.to_der()) == is_renewed


def test_keys_are_replaced_while_connections_are_in_their_handshakes(fleet: Fleet) -> None:
    keys = TicketKeys()
    server = fleet.server(keys)
    stop = threading.Event()

    def rotate() -> int:
        count = 0
        while not stop.is_set():
            keys.rotate(kept=4)
            keys.replace(keys.keys)
            count += 1
        return count

    def visit() -> None:
        for turn in range(60):
            version = (Version.TLSv1_2, Version.TLSv1_3)[turn % 2]
            session, _ = fleet.visit(server, version)
            fleet.visit(server, version, session)  # its key may be there, or forgotten

    rotating = Task(rotate)
    visitors = [Task(visit) for _ in range(2)]
    try:
        for visitor in visitors:
            visitor.result()
    finally:
        stop.set()
    assert rotating.result() > 0


def test_a_process_that_is_forked_while_keys_are_replaced_goes_on(fleet: Fleet) -> None:
    keys = TicketKeys()
    server = fleet.server(keys)
    stop = threading.Event()

    def rotate() -> None:
        while not stop.is_set():
            keys.rotate()

    def child() -> None:
        session, _ = fleet.visit(server, Version.TLSv1_3)
        assert fleet.visit(server, Version.TLSv1_3, session)[1]
        keys.rotate()

    rotating = Task(rotate)
    try:
        children = [child_that_does(child) for _ in range(20)]
        assert [os.waitpid(each, 0)[1] for each in children] == [0] * 20
    finally:
        stop.set()
    rotating.result()


def test_the_keys_live_as_long_as_the_connections(fleet: Fleet) -> None:
    server = fleet.server(TicketKeys())
    client, theirs = Connection(fleet.clients[Version.TLSv1_3], "example.com"), Connection(server)
    del server
    theirs._context = None  # type: ignore[assignment]  # so that only C has the keys
    gc.collect()
    shake_hands(client, theirs)
    assert client.read() is pyossl.Want.READ
    assert client.session is not None
    assert client.session.has_ticket


@VERSIONS
def test_a_context_that_a_server_name_callback_chooses_uses_the_keys_of_the_first(
    version: Version, fleet: Fleet
) -> None:
    first, second = TicketKeys([named(b"first")]), TicketKeys([named(b"second")])
    chosen, server = fleet.server(second), fleet.server(first)
    server.servername_callback = lambda connection, name: chosen
    session, _ = fleet.visit(server, version)
    assert name_of(session).startswith(b"first")
    assert fleet.visit(server, version, session)[1]


@VERSIONS
def test_keys_can_be_taken_from_a_context_again(version: Version, fleet: Fleet) -> None:
    server = fleet.server(TicketKeys([named(b"first")]))
    server.rotating_ticket_keys = None
    assert server.rotating_ticket_keys is None
    session, _ = fleet.visit(server, version)
    assert not name_of(session).startswith(b"first")
    assert fleet.visit(server, version, session)[1]


@VERSIONS
def test_a_ticket_that_was_changed_leads_to_a_full_handshake(version: Version, fleet: Fleet) -> None:
    server = fleet.server(TicketKeys())
    session, _ = fleet.visit(server, version)
    ticket, size = ffi.new("unsigned char **"), ffi.new("size_t *")
    lib.SSL_SESSION_get0_ticket(session._session, ticket, size)
    whole = session.to_der()
    data = bytes(ffi.buffer(ticket[0], size[0]))
    for place in (0, 15, 16, 31, 32, len(data) // 2, len(data) - 33, len(data) - 32, len(data) - 1):
        changed = bytearray(data)
        changed[place] ^= 1
        assert whole.count(data) == 1
        other = Session.load(whole.replace(data, bytes(changed)), session.context, "example.com")
        assert not fleet.visit(server, version, other)[1], place


# The arguments

GOOD = TicketKeys.generate()


@pytest.mark.parametrize(
    ("keys", "kind", "message"),
    [
        ([], ValueError, "1 to 32 ticket keys, not 0"),
        ([TicketKeys.generate() for _ in range(33)], ValueError, "1 to 32 ticket keys, not 33"),
        ([b""], ValueError, "80 bytes"),
        ([GOOD[:48]], ValueError, "key 1 is 48"),
        ([GOOD, GOOD + b"x"], ValueError, "key 2 is 81"),
        ([GOOD, GOOD], ValueError, "same name"),
        ([bytes(80)], ValueError, "zeros"),
        ([GOOD[:48] + bytes(32)], ValueError, "zeros"),
        ([GOOD[:16] + bytes(32) + GOOD[48:]], ValueError, "zeros"),
        (GOOD, TypeError, "ticket keys cannot be of type bytes"),
        ([bytearray(GOOD)], TypeError, "a ticket key is bytes, not bytearray"),
        ([GOOD.hex()], TypeError, "a ticket key is bytes, not str"),
        (80, TypeError, "ticket keys cannot be of type int"),
    ],
    ids=lambda value: "keys" if isinstance(value, (list, bytes)) else getattr(value, "__name__", value),
)
def test_keys_that_cannot_be_used_are_refused_and_change_nothing(
    keys: Any, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        TicketKeys(keys)
    held = TicketKeys([GOOD])
    with pytest.raises(kind, match=message):
        held.replace(keys)
    assert held.keys == (GOOD,)


def test_a_key_to_rotate_in_is_checked_too() -> None:
    keys = TicketKeys([GOOD])
    for bad, kind in (b"x", ValueError), ("x", TypeError), (bytes(80), ValueError), (GOOD, ValueError):
        with pytest.raises(kind):
            keys.rotate(bad)  # type: ignore[arg-type]
    for kept in 0, 33, -1:
        with pytest.raises(ValueError, match="keys to keep"):
            keys.rotate(kept=kept)
    with pytest.raises(TypeError):
        keys.rotate(kept=True)
    assert keys.keys == (GOOD,)


def test_rotation_keeps_as_many_keys_as_it_is_told() -> None:
    keys = TicketKeys([named(b"%d" % n) for n in range(32)])
    keys.rotate(named(b"new"), kept=32)
    assert [key[:3].rstrip(b".") for key in keys.keys] == [b"new", *(b"%d" % n for n in range(31))]
    keys.rotate(kept=1)
    assert len(keys.keys) == 1
    keys.rotate(kept=3)
    keys.rotate(kept=3)
    keys.rotate(kept=3)
    assert len(keys.keys) == 3


def test_random_keys_differ_and_only_the_beginning_of_their_names_is_shown() -> None:
    keys = TicketKeys()
    (key,) = keys.keys
    assert len(key) == TicketKeys.LENGTH == 80
    assert TicketKeys().keys != keys.keys
    assert repr(keys) == f"<TicketKeys {key[:4].hex()}>"


def test_the_keys_are_for_servers_and_frozen_with_the_context(fleet: Fleet) -> None:
    with pytest.raises(UsageError, match="only for servers"):
        Context.client().rotating_ticket_keys = TicketKeys()
    server = fleet.server(TicketKeys())
    with pytest.raises(TypeError, match="TicketKeys, not bytes"):
        server.rotating_ticket_keys = GOOD  # type: ignore[assignment]
    with pytest.raises(UsageError, match="rotating_ticket_keys"):
        server.ticket_keys = GOOD
    Connection(server)
    with pytest.raises(UsageError, match="frozen"):
        server.rotating_ticket_keys = TicketKeys()


# Stored data


@pytest.mark.feature("stored sessions, encrypted and authenticated")
def test_data_are_encrypted_with_the_first_key_and_decrypted_with_any() -> None:
    keys = TicketKeys()
    for data in b"", b"x", os.urandom(100_000):
        for label in b"", b"an id", os.urandom(1000):
            stored = keys.encrypt(data, label)
            assert len(stored) == len(data) + 44
            assert len(data) < 16 or data[:16] not in stored
            assert keys.decrypt(stored, label) == data
    stored = keys.encrypt(b"data")
    assert stored != keys.encrypt(b"data")
    keys.rotate()
    assert keys.decrypt(stored) == b"data"
    keys.rotate()
    assert keys.decrypt(stored) is None


def test_data_that_were_changed_or_have_another_label_are_not_decrypted() -> None:
    keys = TicketKeys()
    stored = keys.encrypt(b"some data", b"label")
    assert keys.decrypt(stored, b"labe") is None
    assert keys.decrypt(stored) is None
    assert TicketKeys().decrypt(stored, b"label") is None
    for place in range(len(stored)):
        changed = bytearray(stored)
        changed[place] ^= 0x80
        assert keys.decrypt(bytes(changed), b"label") is None, place
        assert keys.decrypt(stored[:place], b"label") is None, place
    assert keys.decrypt(stored + b"x", b"label") is None
    assert keys.decrypt(b"") is None


def test_the_end_of_the_name_is_no_beginning_of_the_label() -> None:
    keys = TicketKeys()
    assert keys.decrypt(keys.encrypt(b"", b"ab"), b"a") is None
    assert keys.decrypt(keys.encrypt(b""), b"a") is None


def test_only_bytes_are_encrypted() -> None:
    keys = TicketKeys()
    for call in keys.encrypt, keys.decrypt:
        with pytest.raises(TypeError, match="data is bytes, not str"):
            call("text")  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="a label is bytes, not str"):
            call(b"", "text")  # type: ignore[arg-type]
