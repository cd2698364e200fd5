"""Writes in a renegotiation, while data that the peer had sent before it answered waits to be read (TLS 1.2)."""

from __future__ import annotations

import contextlib
import select
from collections.abc import Callable
from typing import Any

import pytest
import trio
from pairs import carry, shake_hands
from pyopenssl.pyopenssl_pairs import contexts
from served import Task, tcp_pair, until
from streams import trio_pairs

import pyossl
import pyossl.trio
from pyossl import BIO, Connection, Context, Options, Version, Want, lib
from pyossl.errors import NotDueError
from pyossl.pyopenssl import SSL
from pyossl.streams.async_stream import CHUNK

Pair = tuple[Connection, Connection]


@pytest.fixture
def allowing(client_context: Context, server_context: Context) -> tuple[Context, Context]:
    """A client's and a server's context, which renegotiate."""
    for context in (client_context, server_context):
        context.maximum_version = Version.TLSv1_2
        context.options &= ~Options.NO_RENEGOTIATION
    return client_context, server_context


@pytest.fixture
def asked(allowing: tuple[Context, Context]) -> Pair:
    """A client that has been asked for another handshake, and a server that sends data meanwhile."""
    client, server = Connection(allowing[0], "example.com"), Connection(allowing[1])
    shake_hands(client, server)
    ask(server)
    client.receive_data(server.data_to_send())
    assert client.read() is Want.READ
    assert not client.is_handshake_finished
    server.write(b"first ")
    client.receive_data(server.data_to_send())
    return client, server


def ask(server: Connection) -> None:
    assert lib.SSL_renegotiate(server._c.ssl) == 1
    assert server.handshake() is None


def written(client: Connection, server: Connection, data: bytes) -> int | Want:
    """The result of a write after the peer has had its turns."""
    for _ in range(5):
        server.read()
        carry(client, server)
        if isinstance(result := client.write(data), int):
            break
    carry(client, server)
    return result


def test_a_write_that_meets_data_waits_for_it_to_be_read(asked: Pair) -> None:
    """docs/pitfalls.md, 46."""
    client, server = asked
    for _ in range(3):
        assert client.write(b"mine") is Want.READ
        assert client.pending == 6
    assert client.read() == b"first "
    assert client.write(b"mine") is Want.READ
    assert written(client, server, b"mine") == 4
    assert server.read() == b"mine"
    assert lib.SSL_total_renegotiations(client._c.ssl) == 1


def test_a_write_after_a_read_that_met_data_is_no_truncation(asked: Pair) -> None:
    """OpenSSL's failure has no reason then, and looks like the end of the transport."""
    client, server = asked
    assert client.read() == b"first "
    server.write(b"second")
    client.receive_data(server.data_to_send())
    assert client.write(b"mine") is Want.READ
    assert client.read() == b"second"
    assert written(client, server, b"mine") == 4


def test_a_handshake_that_meets_data_waits_for_it_to_be_read(asked: Pair) -> None:
    client, server = asked
    assert client.handshake() is Want.READ
    assert client.read() == b"first "
    for _ in range(5):
        carry(client, server)
        server.read()
    carry(client, server)
    assert client.handshake() is None


def test_the_real_end_is_told_by_the_write_as_a_truncation(asked: Pair) -> None:
    client, _ = asked
    assert client.read() == b"first "
    client.receive_data(b"")
    with pytest.raises(pyossl.TruncationError):
        client.write(b"mine")


def test_a_client_that_asks_itself_may_write_while_data_waits(allowing: tuple[Context, Context]) -> None:
    client, server = Connection(allowing[0], "example.com"), Connection(allowing[1])
    shake_hands(client, server)
    server.write(b"data")
    client.receive_data(server.data_to_send())
    assert lib.SSL_renegotiate(client._c.ssl) == 1
    assert client.write(b"mine") is Want.READ
    assert client.read() == b"data"
    assert client.write(b"mine") is Want.READ


def test_a_server_that_has_asked_writes_without_a_wait(allowing: tuple[Context, Context]) -> None:
    client, server = Connection(allowing[0], "example.com"), Connection(allowing[1])
    shake_hands(client, server)
    client.write(b"data")
    server.receive_data(client.data_to_send())
    assert lib.SSL_renegotiate(server._c.ssl) == 1
    assert server.write(b"mine") == 4
    assert server.read() == b"data"


def test_over_any_other_bio_a_failure_without_a_reason_is_a_wait(allowing: tuple[Context, Context]) -> None:
    ours, theirs = BIO.pair()
    client, server = Connection(allowing[0], "example.com", bio=ours), Connection(allowing[1], bio=theirs)
    for _ in range(20):
        client.handshake()
        server.handshake()
    assert client.is_handshake_finished
    ask(server)
    assert client.read() is Want.READ
    server.write(b"first")
    assert client.read() == b"first"
    server.write(b"second")
    assert client.write(b"mine") is Want.READ
    assert client.failure is None
    assert client.read() == b"second"


def test_a_socket_that_waits_says_that_the_data_comes_first(allowing: tuple[Context, Context]) -> None:
    """The peer may wait for this side: a wait for its next bytes might never end."""
    ours, theirs = tcp_pair()
    server_socket = Task(lambda: allowing[1].wrap_socket(theirs))
    with allowing[0].wrap_socket(ours, "example.com") as client, server_socket.result() as server:
        ask(server.connection)
        client.settimeout(0)

        def has_been_asked() -> bool:
            with pytest.raises(pyossl.WouldBlockError):
                client.recv(100)
            return not client.connection.is_handshake_finished

        until(has_been_asked)
        client.settimeout(None)
        server.sendall(b"data")
        until(lambda: select.select([client], [], [], 0)[0])
        calls: tuple[Callable[[], Any], ...] = (lambda: client.sendall(b"mine"), lambda: client.send(b"mine"))
        for call in calls:
            with pytest.raises(pyossl.UsageError, match="read it before you write"):
                Task(call).result()
        assert client.recv(100) == b"data"
        answer = Task(lambda: server.recv(100))
        client.sendall(b"mine")
        assert answer.result() == b"mine"


def test_the_pyopenssl_face_wants_a_read(authority: pyossl.Authority) -> None:
    both = contexts()
    for context in both:
        context.set_options(0)
        context._core.set_maximum(Version.TLSv1_2)
    client, server = (SSL.Connection(context) for context in both)
    client.set_connect_state()
    server.set_accept_state()

    def carried() -> None:
        for source, target in ((client, server), (server, client)):
            while True:
                try:
                    target.bio_write(source.bio_read(65536))
                except SSL.WantReadError:
                    break

    for each in (client, server, client, server, client):
        with contextlib.suppress(SSL.WantReadError):
            each.do_handshake()
        carried()
    assert server.renegotiate()
    server.do_handshake()
    carried()
    with pytest.raises(SSL.WantReadError):
        client.recv(100)
    for data in (b"first", b"second"):
        server.send(data)
        server_bytes = server.bio_read(65536)
        client.bio_write(server_bytes)
        with pytest.raises(SSL.WantReadError):
            client.send(b"mine")
        assert client.recv(100) == data


class ToAServer(trio.abc.Stream):
    """A transport to a server, which sends data when it has got some, while the client asks for another handshake."""

    def __init__(self, server: Connection) -> None:
        self.server, self.got = server, 0
        self.client: Any = None

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await trio.lowlevel.checkpoint()
        if self.got:
            return
        self.server.receive_data(data)
        if self.server.handshake() is None and isinstance(some := self.server.read(), bytes):
            self.got = len(some)
            self.server.write(b"data")
            assert lib.SSL_renegotiate(self.client._c.ssl) == 1

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        await trio.lowlevel.checkpoint()
        return self.server.data_to_send()

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


@pytest.mark.parametrize("chunks", [1, 3])
def test_a_stream_that_has_sent_a_part_is_broken_and_one_that_has_sent_nothing_is_not(
    chunks: int, allowing: tuple[Context, Context]
) -> None:
    """Sending everything again would send that part twice."""

    async def work() -> None:
        transport = ToAServer(Connection(allowing[1]))
        stream = pyossl.trio.TLSStream(transport, allowing[0], "example.com")
        transport.client = stream.connection
        await stream.do_handshake()
        if chunks == 1:
            await stream.send_all(b"x")
        with pytest.raises(NotDueError, match="has to be received first"):
            await stream.send_all(bytes(chunks * CHUNK))
        if chunks == 1:
            assert await stream.receive_some() == b"data"
        else:
            with pytest.raises(trio.BrokenResourceError):
                await stream.send_all(b"again")
        await trio.aclose_forcefully(stream)

    trio_pairs.run(work)
