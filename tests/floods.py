"""Peers that send many records without data, and the number of their bytes that a call has taken."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import NamedTuple

from served import Task, tcp_pair

import pyossl
from pyossl import Connection, Context, Options, Version, lib

SIZE = 120_000
"""The size of a small flood, at least: the kernel's buffers hold all of it."""
MANY = 800_000
"""A number of bytes that takes some time to read."""
TAKEN = 50_000
"""The most bytes without data that a call takes: 32 KiB, and a little that a short read has received ahead."""
ENDING = b"the end of the flood"


class Flood(NamedTuple):
    """A kind of record without data: the side that sends it, the version, and the function that makes one."""

    is_from_server: bool
    version: Version
    send: Callable[[Connection], object]


def _key_update(kind: int) -> Callable[[Connection], object]:
    def send(peer: Connection) -> None:
        peer.call(lib.SSL_key_update, kind)
        peer.handshake()

    return send


def _ticket(peer: Connection) -> None:
    peer.call(lib.SSL_new_session_ticket)
    peer.handshake()


def _hello_request(peer: Connection) -> None:
    lib.SSL_renegotiate(peer._c.ssl)
    lib.SSL_do_handshake(peer._c.ssl)


FLOODS = {
    "KeyUpdate": Flood(False, Version.TLSv1_3, _key_update(lib.SSL_KEY_UPDATE_NOT_REQUESTED)),
    "KeyUpdate that asks for ours": Flood(False, Version.TLSv1_3, _key_update(lib.SSL_KEY_UPDATE_REQUESTED)),
    "HelloRequest": Flood(True, Version.TLSv1_2, _hello_request),
}
if lib.HAVE_NEW_SESSION_TICKET:
    FLOODS["NewSessionTicket"] = Flood(True, Version.TLSv1_3, _ticket)


def contexts(authority: pyossl.Authority, flood: Flood) -> tuple[Context, Context]:
    """The contexts of a client and a server; the sender of the flood may renegotiate."""
    credentials = authority.issue("example.com")
    client = Context.client(trust=authority.certificate, maximum_version=flood.version)
    server = Context.server(credentials.certificate, credentials.private_key, maximum_version=flood.version)
    if flood.is_from_server:
        server.options &= ~Options.NO_RENEGOTIATION
    return client, server


class Flooder:
    """A peer without I/O at one end of a pair of sockets; the victim has the other end, ``victims``."""

    def __init__(self, authority: pyossl.Authority, flood: Flood) -> None:
        self.flood = flood
        client, server = contexts(authority, flood)
        self.victims_context = client if flood.is_from_server else server
        self.victims_name = "example.com" if flood.is_from_server else None
        self.peer = Connection(server) if flood.is_from_server else Connection(client, "example.com")
        self.victims, self._ours = tcp_pair()
        self._sent = 0
        self._sending: Task[None]

    def shake_hands(self, victim: Callable[[], object]) -> None:
        """Finishes the handshake while ``victim`` runs in a thread."""
        other = Task(victim)
        while self.peer.handshake() is not None:
            self._ours.sendall(self.peer.data_to_send())
            self.peer.receive_data(self._ours.recv(65536))
        self._ours.sendall(self.peer.data_to_send())
        other.result()

    def begin(self, size: int = SIZE, before: bytes = b"", *, ends: bool = True) -> None:
        """Sends data, the flood and more data from a thread; waits until all is sent if the kernel holds all."""
        pieces: list[bytes] = []
        length = 0
        if before:
            self.peer.write(before)
            pieces.append(self.peer.data_to_send())
        while length < size:
            self.flood.send(self.peer)
            pieces.append(self.peer.data_to_send())
            length += len(pieces[-1])
        self.peer.write(ENDING)
        data = b"".join([*pieces, self.peer.data_to_send()])
        self._sent = len(data)
        self._sending = Task(lambda: self._send(data, ends))
        if size <= SIZE:
            self._sending.result()

    def _send(self, data: bytes, ends: bool) -> None:
        self._ours.sendall(data)
        if ends:
            self._ours.shutdown(socket.SHUT_WR)

    def taken(self) -> int:
        """The number of bytes of the flood that were read from the victim's socket; reads the rest."""
        left = 0
        with socket.socket(fileno=socket.dup(self.victims.fileno())) as sock:
            sock.settimeout(20)
            while data := sock.recv(65536):
                left += len(data)
        self._sending.result()
        return self._sent - left

    def close(self) -> None:
        self._ours.close()
        self.victims.close()
