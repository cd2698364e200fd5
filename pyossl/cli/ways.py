"""Three ways to the same conversation: a blocking socket, a non-blocking one with select(2), and BIO pairs.

Each way shakes hands, has its greeting sent back, and closes from both ends.  They differ in who waits for the
transport: the socket itself, the caller with select(2), or nobody, because the caller carries the bytes by hand.
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
from pyossl.cli.ladder import Ladder
from pyossl.cli.screen import counted

SERVER = "localhost"
GREETING = b"Hello through the system's own libssl"
PATIENCE = 5.0
"""How many seconds any one step may take: over the loopback it takes milliseconds."""

_TURNS = 100
"""How many times bytes are carried for one step, before there is something wrong: a handshake takes three."""

_T = TypeVar("_T")


class Agreement(NamedTuple):
    """What client and server agreed on, as the client sees it."""

    version: str | None
    cipher: str | None
    group: str | None
    alpn: str | None
    chain: tuple[pyossl.Certificate, ...]
    verify_code: int

    @classmethod
    def of(cls, connection: Connection) -> Agreement:
        return cls(
            connection.version,
            connection.cipher,
            connection.group,
            connection.alpn,
            connection.verified_chain,
            connection.verify_code,
        )


@dataclass
class Visit:
    """One connection to the server, from the handshake to the close, as the client saw it."""

    ladder: Ladder = field(default_factory=Ladder)
    agreement: Agreement | None = None
    echo: bytes = b""
    ended: bytes = b"?"
    """What was read last: ``b""`` when the server has closed."""
    server_failure: Exception | None = None
    how: str = ""


class EchoServer:
    """A TLS server on the loopback that sends back what it receives."""

    def __init__(self, context: Context) -> None:
        self._listener = pyossl.listen(("127.0.0.1", 0), context)
        self._listener.settimeout(PATIENCE)
        self.address: tuple[str, int] = self._listener.address
        self.context = context

    @contextmanager
    def serving(self) -> Iterator[Future[Exception | None]]:
        """Serves one client in a thread; the future is what ended its connection, None for a clean close."""
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


def over_a_blocking_socket(client: Context, server: EchoServer) -> Visit:
    """The socket waits: each call returns when it has done its work."""
    visit = Visit()
    with server.serving() as server_end:
        tls = pyossl.connect(
            server.address, client, server_hostname=SERVER, timeout=PATIENCE, message_callback=visit.ladder.take
        )
        with tls:
            tls.sendall(GREETING)
            while len(visit.echo) < len(GREETING) and (data := tls.recv(len(GREETING))):
                visit.echo += data
            visit.agreement = Agreement.of(tls.connection)
            tls.shutdown(socket.SHUT_WR)
            visit.ended = tls.recv(1)
    visit.server_failure = server_end.result()
    visit.how = "Each call returned when its work was done."
    return visit


def over_a_non_blocking_socket(client: Context, server: EchoServer) -> Visit:
    """The caller waits: a call that cannot go on says what for, and is repeated after select(2)."""
    visit, waits = Visit(), Counter[Want]()
    with server.serving() as server_end, socket.create_connection(server.address, PATIENCE) as sock:
        sock.setblocking(False)
        connection = Connection(client, SERVER, bio=BIO.socket(sock), message_callback=visit.ladder.take)

        def wait(want: Want) -> None:
            waits[want] += 1
            readers, writers = [sock] if want is Want.READ else [], [sock] if want is Want.WRITE else []
            if not any(select.select(readers, writers, [], PATIENCE)):
                raise TimeoutError(f"the socket was not ready for {want!r} within {PATIENCE} s")

        _converse(connection, visit, wait)
        connection.close()
    visit.server_failure = server_end.result()
    waited = " and ".join(f"{counted(count, 'time')} for {want!r}" for want, count in waits.items())
    visit.how = f"Calls returned at once, and were repeated after select(), which waited {waited}."
    return visit


def over_a_bio_pair(client: Context, server: EchoServer) -> Visit:
    """Nobody waits: both connections end in BIO pairs, and bytes are carried from one to the other."""
    visit, carried = Visit(), Counter[str]()
    client_end, client_network = BIO.pair()
    server_end, server_network = BIO.pair()
    connection = Connection(client, SERVER, bio=client_end, message_callback=visit.ladder.take)
    peer = Connection(server.context, bio=server_end)

    def carry_and_serve(_: Want) -> None:
        carried["turns"] += 1
        if carried["turns"] > _TURNS:
            raise TimeoutError(f"the conversation did not end in {_TURNS} turns")
        carried["bytes"] += _carry(client_network, server_network)
        data = peer.read()
        if data == b"":
            peer.shutdown()
        elif isinstance(data, bytes):
            peer.write(data)
        carried["bytes"] += _carry(server_network, client_network)

    _converse(connection, visit, carry_and_serve)
    connection.close()
    peer.close()
    turns = counted(carried["turns"], "turn")
    visit.how = f"{carried['bytes']} bytes were carried from pair to pair by hand, in {turns}."
    return visit


def _converse(connection: Connection, visit: Visit, wait: Callable[[Want], None]) -> None:
    """The conversation over a connection that never waits itself."""

    def finish(step: Callable[[], _T | Want]) -> _T:
        while isinstance(result := step(), Want):
            wait(result)
        return result

    finish(connection.connect)
    finish(lambda: connection.write(GREETING))
    while len(visit.echo) < len(GREETING) and (data := finish(connection.read)):
        visit.echo += data
    visit.agreement = Agreement.of(connection)
    finish(connection.shutdown)
    visit.ended = finish(connection.read)


def _carry(source: BIO, target: BIO) -> int:
    """Moves what one BIO has and another has room for; how many bytes those were."""
    data = source.read(min(source.pending, target.room))
    taken = target.write(data) if isinstance(data, bytes) else 0
    return taken if isinstance(taken, int) else 0


class Way(NamedTuple):
    """A way to the server, with a title and the calls that it is made of."""

    title: str
    calls: str
    visit: Callable[[Context, EchoServer], Visit]


WAYS = (
    Way("A blocking socket", "pyossl.connect(address, context)", over_a_blocking_socket),
    Way(
        "A non-blocking socket, with select()", "Connection(context, bio=BIO.socket(sock))", over_a_non_blocking_socket
    ),
    Way("A BIO pair", "Connection(context, bio=BIO.pair()[0])", over_a_bio_pair),
)
