"""A handshake cut at every length and after every message, both ways, TLS 1.2 and 1.3 (docs/pitfalls.md, 2, 3, 4,
5)."""

from __future__ import annotations

import socket

import pytest
from served import Task, tcp_pair

import pyossl

VERSIONS = [pyossl.Version.TLSv1_2, pyossl.Version.TLSv1_3]
Contexts = tuple[pyossl.Context, pyossl.Context]


@pytest.fixture(params=VERSIONS, ids=lambda version: version.name)
def contexts(request: pytest.FixtureRequest, authority: pyossl.Authority, credentials: pyossl.Credentials) -> Contexts:
    only = {"minimum_version": request.param, "maximum_version": request.param}
    client = pyossl.Context.client(trust=authority.certificate, **only)
    return client, pyossl.Context.server(credentials.certificate, credentials.private_key, **only)


def exchange(client: pyossl.Connection, server: pyossl.Connection) -> list[tuple[bool, bytes]]:
    """Does the handshake; returns the flights in order, each with whether the server sent it."""
    flights = []
    while True:
        client_wants = client.handshake()
        if to_server := client.data_to_send():
            flights.append((False, to_server))
            server.receive_data(to_server)
        server_wants = server.handshake()
        if to_client := server.data_to_send():
            flights.append((True, to_client))
            client.receive_data(to_client)
        if client_wants is None and server_wants is None:
            return flights


def new_pair(contexts: Contexts) -> tuple[pyossl.Connection, pyossl.Connection]:
    return pyossl.Connection(contexts[0], "example.com"), pyossl.Connection(contexts[1])


def meets_the_end(side: pyossl.Connection) -> None:
    """The transport has ended during the handshake: this call and each later one raises ``TruncationError``."""
    with pytest.raises(pyossl.TruncationError, match="the handshake failed: the transport ended"):
        side.handshake()
    with pytest.raises(pyossl.TruncationError):
        side.read()
    with pytest.raises(pyossl.TruncationError):
        side.write(b"x")
    side.close()


def test_the_first_flight_cut_at_every_length(contexts: Contexts) -> None:
    """The ClientHello can be replayed: the server gets each beginning of one recording."""
    client, _ = new_pair(contexts)
    client.handshake()
    hello = client.data_to_send()
    for length in range(len(hello)):
        server = pyossl.Connection(contexts[1])
        server.receive_data(hello[:length])
        if length:
            assert server.handshake() is pyossl.Want.READ
        server.receive_data(b"")
        meets_the_end(server)


def test_the_server_s_flight_cut_at_every_length(contexts: Contexts) -> None:
    """A server's answer fits only one ClientHello, so each length is tried with a new client."""
    length = 0
    while True:
        client, server = new_pair(contexts)
        client.handshake()
        server.receive_data(client.data_to_send())
        server.handshake()
        flight = server.data_to_send()
        if length >= len(flight):
            break
        if length:
            client.receive_data(flight[:length])
        assert client.handshake() in (pyossl.Want.READ, None)
        if client.is_handshake_finished:  # TLS 1.3: what is left is tickets
            break
        client.receive_data(b"")
        meets_the_end(client)
        length += 1
    assert length > 500


def test_the_client_s_last_flight_cut_at_every_length(contexts: Contexts) -> None:
    length = 0
    while True:
        client, server = new_pair(contexts)
        client.handshake()
        server.receive_data(client.data_to_send())
        server.handshake()
        client.receive_data(server.data_to_send())
        client.handshake()
        flight = client.data_to_send()
        if length >= len(flight):
            break
        if length:
            server.receive_data(flight[:length])
        assert server.handshake() is pyossl.Want.READ
        server.receive_data(b"")
        meets_the_end(server)
        length += 1
    assert length > 50


def test_a_handshake_that_comes_byte_by_byte_is_a_handshake(contexts: Contexts) -> None:
    client, server = new_pair(contexts)
    for _ in range(10):
        for source, target in ((client, server), (server, client)):
            source_wants = source.handshake()
            for byte in source.data_to_send():
                target.receive_data(bytes([byte]))
                target.handshake()
        if source_wants is None and target.handshake() is None:
            return
    pytest.fail("the handshake does not finish")


def test_a_byte_changed_anywhere_never_goes_through(contexts: Contexts) -> None:
    """Each byte of the server's answer in turn: an exception or a wait for more, and never a finished handshake."""
    client, server = new_pair(contexts)
    exchanged = exchange(client, server)
    size = len(next(flight for is_server, flight in exchanged if is_server))
    for place in range(0, min(size, 900), 7):
        client, server = new_pair(contexts)
        client.handshake()
        server.receive_data(client.data_to_send())
        server.handshake()
        flight = bytearray(server.data_to_send())
        if place >= len(flight):
            break
        flight[place] ^= 0x55
        assert not _finishes(client, server, bytes(flight)) or _is_unprotected(flight, place), f"byte {place}"


def _finishes(client: pyossl.Connection, server: pyossl.Connection, flight: bytes) -> bool:
    """Whether both finish the handshake when the client gets ``flight``."""
    try:
        client.receive_data(flight)
        client.handshake()
        answer = client.data_to_send()
        if answer:
            server.receive_data(answer)
        server.handshake()
        answer = server.data_to_send()
        if answer:
            client.receive_data(answer)
        return client.handshake() is None and server.handshake() is None
    except pyossl.Error:
        return False


def _is_unprotected(flight: bytearray, place: int) -> bool:
    """Whether a byte stands in a record's header (its version, which nothing protects) or in a ChangeCipherSpec."""
    start = 0
    while start < len(flight):
        end = start + 5 + int.from_bytes(flight[start + 3 : start + 5], "big")
        if place < end:
            return place - start in (1, 2) or flight[start] == 20
        start = end
    return True


def test_a_recording_played_to_another_server_does_not_go_through(contexts: Contexts) -> None:
    client, server = new_pair(contexts)
    recorded = [flight for is_server, flight in exchange(client, server) if not is_server]
    victim = pyossl.Connection(contexts[1])
    victim.receive_data(recorded[0])
    assert victim.handshake() is pyossl.Want.READ
    victim.receive_data(b"".join(recorded[1:]))
    with pytest.raises(pyossl.Error, match="the handshake failed"):
        victim.handshake()
    assert not victim.is_handshake_finished


@pytest.mark.parametrize("hangs_up", ["client", "server"])
def test_a_peer_that_hangs_up_after_every_message(contexts: Contexts, hangs_up: str) -> None:
    """Over TCP, after the first record, the second, …: a truncation or a reset, and never a handshake that hangs."""
    for records in range(12):
        first, second = tcp_pair()
        client = hangs_up == "client"
        leaver = new_pair(contexts)[0 if client else 1]
        leaving = Task(lambda leaver=leaver, sock=first, records=records: _leaves_after(leaver, sock, records))
        stayer = contexts[1 if client else 0].wrap_socket(second, None if client else "example.com", handshake=False)
        with stayer, pytest.raises((pyossl.TruncationError, pyossl.TransportError)):
            stayer.recv(1)
        if not leaving.result():
            assert records >= 2
            return
    pytest.fail("the handshake has more records than this test knows")


def _leaves_after(leaver: pyossl.Connection, sock: socket.socket, records: int) -> bool:
    """Sends that many records and hangs up; returns whether there were more to send."""
    left = records
    with sock:
        while True:
            wants = leaver.handshake()
            data = leaver.data_to_send()
            while data:
                if left == 0:
                    return True
                end = 5 + int.from_bytes(data[3:5], "big")
                sock.sendall(data[:end])
                data, left = data[end:], left - 1
            if wants is None:
                return False
            received = sock.recv(65536)
            if not received:
                return False
            leaver.receive_data(received)
