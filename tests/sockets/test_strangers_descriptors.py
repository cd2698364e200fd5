"""A program closes its own socket or file below pyossl, and another file gets the number of the descriptor.

Nothing is written to that other file (the stranger), nothing is read from it, and it is not closed.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import looped
import pytest
from looped import Run
from pyopenssl import pyopenssl_pairs
from served import SECONDS, Task

import pyossl
import pyossl.aio
from pyossl import BIO, DatagramBIO
from pyossl.pyopenssl import SSL

DATA = b"the stranger's, not ours"


class Stranger(NamedTuple):
    """A pair of sockets, one of which has the number that was ours.  ``DATA`` has been sent to each."""

    sock: socket.socket
    peer: socket.socket

    def is_untouched(self) -> bool:
        """Whether both ends read ``DATA`` and nothing else."""
        for each in self:
            each.setblocking(False)
            if each.recv(100) != DATA:
                return False
            with pytest.raises(BlockingIOError):
                each.recv(100)
        return True


Replace = Callable[[Any], Stranger]


@pytest.fixture
def replace() -> Iterator[Replace]:
    """Closes a socket or a file, and gives its number to another socket."""
    opened: list[socket.socket] = []

    def do(thing: Any) -> Stranger:
        number = thing.fileno()
        first, second = socket.socketpair()
        first.sendall(DATA)
        second.sendall(DATA)
        thing.close()
        os.dup2(first.fileno(), number)
        first.close()
        stranger = Stranger(socket.socket(fileno=number), second)
        opened.extend(stranger)
        return stranger

    yield do
    for each in opened:
        each.close()


def faces_pair() -> tuple[SSL.Connection, SSL.Connection, socket.socket]:
    ours, theirs = socket.socketpair()
    client, server = (
        SSL.Connection(of, sock) for of, sock in zip(pyopenssl_pairs.contexts(), (ours, theirs), strict=True)
    )
    client.set_connect_state()
    server.set_accept_state()
    shaken = Task(server.do_handshake)
    client.do_handshake()
    shaken.result()
    return client, server, ours


Joined = tuple[pyossl.Connection, pyossl.Connection, socket.socket]
Join = Callable[[Callable[[socket.socket], Any]], Joined]


@pytest.fixture
def join(client_context: pyossl.Context, server_context: pyossl.Context) -> Iterator[Join]:
    """A client over the ``BIO.socket`` of a function's result for its socket, the client's peer, and its socket."""
    opened: list[socket.socket] = []

    def do(give: Callable[[socket.socket], Any]) -> Joined:
        ours, theirs = socket.socketpair()
        opened.extend((ours, theirs))
        behind = pyossl.Connection(server_context, bio=BIO.socket(theirs))
        shaken = Task(behind.handshake)
        connection = pyossl.Connection(client_context, "example.com", bio=BIO.socket(give(ours)))
        assert connection.handshake() is None
        shaken.result()
        return connection, behind, ours

    yield do
    for each in opened:
        each.close()


FACE: dict[str, Callable[[SSL.Connection], object]] = {
    "send": lambda tls: tls.send(b"secret"),
    "sendall": lambda tls: tls.sendall(b"secret" * 100_000),
    "recv": lambda tls: tls.recv(10),
    "recv_into": lambda tls: tls.recv_into(bytearray(10)),
    "shutdown": lambda tls: tls.shutdown(),
}
CORE: dict[str, Callable[[pyossl.Connection], object]] = {
    "write": lambda tls: tls.write(b"secret"),
    "read": lambda tls: tls.read(10),
    "shutdown": lambda tls: tls.shutdown(),
}


@pytest.mark.parametrize("call", FACE)
@pytest.mark.parametrize("blocks", [True, False])
def test_the_faces_connection_leaves_a_stranger_alone(replace: Replace, call: str, blocks: bool) -> None:
    client, server, ours = faces_pair()
    ours.setblocking(blocks)
    stranger = replace(ours)
    with pytest.raises(SSL.Error) as raised:
        FACE[call](client)
    assert isinstance(raised.value, SSL.SysCallError)
    assert raised.value.args[0] == errno.EBADF
    assert stranger.is_untouched()
    server.close()


@pytest.mark.parametrize("call", CORE)
@pytest.mark.parametrize("give", [lambda sock: sock, lambda sock: sock.fileno()], ids=["socket", "number"])
def test_a_connection_over_a_socket_bio_leaves_a_stranger_alone(
    replace: Replace,
    call: str,
    give: Callable[[socket.socket], Any],
    join: Join,
) -> None:
    client, _behind, ours = join(give)
    stranger = replace(ours)
    with pytest.raises(OSError, match="descriptor") as raised:
        CORE[call](client)
    assert raised.value.errno == errno.EBADF
    assert stranger.is_untouched()


def test_a_connection_that_is_not_shut_down_sends_nothing_to_a_stranger(replace: Replace, join: Join) -> None:
    client, behind, ours = join(lambda sock: sock)
    stranger = replace(ours)
    client.close()
    behind.close()
    assert stranger.is_untouched()


def bios(kind: str) -> tuple[Any, BIO]:
    if kind == "datagram":
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        return sock, DatagramBIO(sock, ("127.0.0.1", 9))
    if kind == "file":
        reading, writing = os.pipe()
        os.close(reading)
        file = os.fdopen(writing, "wb", 0)
        return file, BIO.fd(file)
    ours, theirs = socket.socketpair()
    theirs.close()
    return ours, BIO.socket(ours) if kind == "socket" else BIO.fd(ours)


@pytest.mark.parametrize("kind", ["socket", "fd", "file", "datagram"])
@pytest.mark.parametrize("call", [lambda bio: bio.write(b"secret"), lambda bio: bio.read(10)], ids=["write", "read"])
def test_every_bio_over_a_callers_descriptor_leaves_a_stranger_alone(
    replace: Replace, kind: str, call: Callable[[BIO], object]
) -> None:
    """docs/pitfalls.md, 43."""
    thing, bio = bios(kind)
    stranger = replace(thing)
    with pytest.raises(OSError, match="descriptor") as raised:
        call(bio)
    assert raised.value.errno == errno.EBADF
    assert stranger.is_untouched()


def test_a_bio_that_closes_its_file_does_not_close_a_strangers(replace: Replace) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        bio = BIO.fd(ours, close=True)
        stranger = replace(ours)
        bio.close()
        assert stranger.is_untouched()


def test_a_descriptor_that_was_detached_from_its_object_is_not_a_stranger(join: Join) -> None:
    client, behind, ours = join(lambda sock: sock)
    again = socket.socket(fileno=ours.detach())  # only the object is closed, not the socket
    client.write(b"goes on")
    assert behind.read(100) == b"goes on"
    again.close()


@pytest.fixture(params=looped.WITH_DESCRIPTORS)
def run(request: pytest.FixtureRequest) -> Iterator[Run[Any]]:
    yield from looped.running(request.param, reported=[])


def test_asyncios_transport_over_a_callers_socket_leaves_a_stranger_alone(
    run: Run[Any], replace: Replace, client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    async def work() -> bool:
        ours, theirs = socket.socketpair()
        served = Task(lambda: server_context.wrap_socket(theirs))
        reader, writer = await pyossl.aio.open_connection(sock=ours, ssl=client_context, server_hostname="example.com")
        peer = served.result()
        peer.settimeout(SECONDS)
        writer.write(b"first")
        assert peer.recv(10) == b"first"
        stranger = replace(ours)
        writer.write(b"secret")
        with pytest.raises(OSError, match="descriptor") as raised:
            await reader.read(10)
        assert raised.value.errno == errno.EBADF
        writer.close()
        peer.close()
        return stranger.is_untouched()

    assert run(work())
