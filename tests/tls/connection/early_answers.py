"""Servers that answer before they have read the whole request, and close while the client still writes."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable

from served import SECONDS, Task, tcp_pair

import pyossl

ANSWER = b"HTTP/1.1 413 Content Too Large\r\n\r\n"
RESET = struct.pack("ii", 1, 0)


def send_at_once(sock: socket.socket) -> None:
    """A reset would lose what waits for an acknowledgement."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Peer:
    """A server or a client over a socket, which sends the records that a test asks for."""

    def __init__(self, context: pyossl.Context, sock: socket.socket | Inside, name: str | None = None) -> None:
        self.tls = pyossl.Connection(context, name)
        self.sock = sock

    def shake_hands(self) -> None:
        while self.tls.handshake() is not None:
            self.flush()
            self.tls.receive_data(self.sock.recv(65536))
        self.flush()

    def flush(self) -> None:
        """Sends the bytes that the connection has to send; ignores a client that has gone."""
        self.sock.sendall(self.tls.data_to_send())

    def send(self, data: bytes) -> None:
        self.tls.write(data)
        self.flush()

    def send_alert(self) -> None:
        """Sends a fatal bad_record_mac."""
        self.tls.receive_data(b"\x17\x03\x03\x00\x20" + bytes(32))  # which is no record of the client's
        try:
            self.tls.read()
        except pyossl.Error:
            self.flush()

    def end(self) -> None:
        """Sends close_notify."""
        self.tls.shutdown()
        self.flush()

    def reset(self) -> None:
        """Resets the connection: everything that the client sends from now on is refused."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.sock.close()


def met(
    server_context: pyossl.Context,
    client: Callable[[socket.socket], object],
    sockets: tuple[socket.socket, socket.socket] | None = None,
) -> Peer:
    """The server's side of a connection that ``client`` makes over a socket, its handshake finished."""
    ours, theirs = sockets or tcp_pair()
    theirs.settimeout(SECONDS)
    if sockets is None:
        send_at_once(theirs)
    peer = Peer(server_context, theirs)
    task = Task(peer.shake_hands)
    client(ours)
    task.result()
    return peer


def answer_and_go(peer: Peer, answer: bytes = ANSWER, *, ends: bool = True, fin: bool = False) -> None:
    """Answers, sends a close_notify or not, and resets the connection; with ``fin`` it shuts its side down before."""
    peer.send(answer)
    if ends:
        peer.end()
    if fin:
        peer.sock.shutdown(socket.SHUT_WR)
    peer.reset()


class Inside:
    """Stands in for a socket: the TLS stream of a peer, which carries another peer's TLS."""

    def __init__(self, outer: Peer) -> None:
        self._outer = outer
        self.shutdown, self.setsockopt, self.close = outer.sock.shutdown, outer.sock.setsockopt, outer.sock.close

    def sendall(self, data: bytes) -> None:
        if data:
            self._outer.send(data)

    def recv(self, size: int) -> bytes:
        while not isinstance(data := self._outer.tls.read(size), bytes):
            self._outer.tls.receive_data(self._outer.sock.recv(65536))
        return data
