"""The three connections of the demo: over a blocking socket, a non-blocking socket with select(2), and a BIO pair.

Each connection makes a handshake, sends a greeting, receives it back, and closes from both sides.  On a blocking
socket, each call waits.  On a non-blocking socket, the caller waits with select(2).  With a BIO pair there is no
waiting: the caller moves the bytes.
"""

from __future__ import annotations

import select
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import pyossl
from pyossl import BIO, Connection, Context, Want
from pyossl.cli.handshake_ladder import Ladder
from pyossl.cli.screen import counted

SERVER = "localhost"
GREETING = b"Hello through the system's own libssl"
PATIENCE = 5.0
"""The limit for each step in seconds.  On the loopback interface, a step takes milliseconds."""

_TURNS = 100
"""The limit for moving bytes between the BIO pairs.  A handshake moves them three times."""

_T = TypeVar("_T")


class Negotiated(NamedTuple):
    """The negotiated values of a connection, read from the client's side."""

    version: str | None
    cipher: str | None
    group: str | None
    alpn: str | None
    chain: tuple[pyossl.Certificate, ...]
    verify_code: int

    @classmethod
    def of(cls, connection: Connection) -> Negotiated:
        """Reads the values from a connection whose handshake is finished."""
        return cls(
            connection.version,
            connection.cipher,
            connection.group,
            connection.alpn,
            connection.verified_chain,
            connection.verify_code,
        )


@dataclass
class DemoResult:
    """The events of one connection, from the handshake to the close, on the client's side."""

    ladder: Ladder = field(default_factory=Ladder)
    negotiated: Negotiated | None = None
    echo: bytes = b""
    last_read: bytes = b"?"
    """The bytes of the last read.  They are ``b""`` if the server closed the connection."""
    server_failure: Exception | None = None
    summary: str = ""
    """A sentence that says how the data was moved."""


class EchoServer:
    """A TLS server on the loopback that sends back what it receives."""

    def __init__(self, context: Context) -> None:
        self._listener = pyossl.listen(("127.0.0.1", 0), context)
        self._listener.settimeout(PATIENCE)
        self.address: tuple[str, int] = self._listener.address
        self.context = context

    @contextmanager
    def serving(self) -> Iterator[Future[Exception | None]]:
        """Serves one client in a thread.

        The result of the future is the exception that ended the connection, or None after a clean close.
        """
        with ThreadPoolExecutor(1) as thread:
            yield thread.submit(self._serve)

    def _serve(self) -> Exception | None:
        try:
            tls, _ = self._listener.accept()
            with tls:
                tls.settimeout(PATIENCE)
                tls.handshake()
                while data := tls.recv(len(GREETING)):
                    tls.sendall(data)
        except (pyossl.Error, OSError) as error:
            return error
        return None

    def __enter__(self) -> EchoServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()


def over_a_blocking_socket(client: Context, server: EchoServer) -> DemoResult:
    """Connects over a blocking socket: each call waits until it has done its work."""
    result = DemoResult()
    with server.serving() as server_end:
        tls = pyossl.connect(
            server.address, client, server_hostname=SERVER, timeout=PATIENCE, message_callback=result.ladder.add
        )
        with tls:
            tls.sendall(GREETING)
            while len(result.echo) < len(GREETING) and (data := tls.recv(len(GREETING))):
                result.echo += data
            result.negotiated = Negotiated.of(tls.connection)
            tls.shutdown(socket.SHUT_WR)
            result.last_read = tls.recv(1)
    result.server_failure = server_end.result()
    result.summary = "Each call returned when its work was done."
    return result


def over_a_non_blocking_socket(client: Context, server: EchoServer) -> DemoResult:
    """Connects over a non-blocking socket: a call returns a ``Want``, and is repeated after select(2)."""
    result, waits = DemoResult(), Counter[Want]()
    with server.serving() as server_end, socket.create_connection(server.address, PATIENCE) as sock:
        sock.setblocking(False)
        connection = Connection(client, SERVER, bio=BIO.socket(sock), message_callback=result.ladder.add)

        def wait(want: Want) -> None:
            waits[want] += 1
            readers, writers = [sock] if want is Want.READ else [], [sock] if want is Want.WRITE else []
            if not any(select.select(readers, writers, [], PATIENCE)):
                raise TimeoutError(f"the socket was not ready for {want!r} within {PATIENCE} s")

        _converse(connection, result, wait)
        connection.close()
    result.server_failure = server_end.result()
    waited = " and ".join(f"{counted(count, 'time')} for {want!r}" for want, count in waits.items()) or "0 times"
    result.summary = f"Calls returned at once, and were repeated after select(), which waited {waited}."
    return result


def over_a_bio_pair(client: Context, server: EchoServer) -> DemoResult:
    """Connects over BIO pairs: both connections use a BIO pair, and the bytes are moved between the pairs."""
    result, moved = DemoResult(), Counter[str]()
    client_end, client_network = BIO.pair()
    server_end, server_network = BIO.pair()
    connection = Connection(client, SERVER, bio=client_end, message_callback=result.ladder.add)
    peer = Connection(server.context, bio=server_end)

    def move_and_serve(_: Want) -> None:
        moved["turns"] += 1
        if moved["turns"] > _TURNS:
            raise TimeoutError(f"the conversation did not end in {_TURNS} turns")
        moved["bytes"] += _move(client_network, server_network)
        data = peer.read()
        if data == b"":
            peer.shutdown()
        elif isinstance(data, bytes):
            peer.write(data)
        moved["bytes"] += _move(server_network, client_network)

    _converse(connection, result, move_and_serve)
    connection.close()
    peer.close()
    turns = counted(moved["turns"], "turn")
    result.summary = f"{moved['bytes']} bytes were moved between the BIO pairs, in {turns}."
    return result


def _converse(connection: Connection, result: DemoResult, wait: Callable[[Want], None]) -> None:
    """Makes a handshake, sends the greeting, receives it back and closes, and calls ``wait`` with each ``Want``."""

    def finish(step: Callable[[], _T | Want]) -> _T:
        while isinstance(value := step(), Want):
            wait(value)
        return value

    finish(connection.connect)
    finish(lambda: connection.write(GREETING))
    while len(result.echo) < len(GREETING) and (data := finish(connection.read)):
        result.echo += data
    result.negotiated = Negotiated.of(connection)
    finish(connection.shutdown)
    result.last_read = finish(connection.read)


def _move(source: BIO, target: BIO) -> int:
    """Moves bytes from one BIO to another, as many as it has room for, and returns their number."""
    data = source.read(min(source.pending, target.room))
    taken = target.write(data) if isinstance(data, bytes) else 0
    return taken if isinstance(taken, int) else 0


class DemoConnection(NamedTuple):
    """One of the three connections: a title, the call that makes it, and the function that runs it."""

    title: str
    call: str
    run: Callable[[Context, EchoServer], DemoResult]


DEMO_CONNECTIONS = (
    DemoConnection("A blocking socket", "pyossl.connect(address, context)", over_a_blocking_socket),
    DemoConnection(
        "A non-blocking socket, with select()", "Connection(context, bio=BIO.socket(sock))", over_a_non_blocking_socket
    ),
    DemoConnection("A BIO pair", "Connection(context, bio=BIO.pair()[0])", over_a_bio_pair),
)
