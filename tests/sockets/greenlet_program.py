"""Clients and servers in greenlets of one thread, each of which must run while another waits.

Run as ``greenlet_program.py gevent|eventlet plain|patched``.  It prints the scenarios that succeed.  A call that blocks
the hub never ends, because its peer is a greenlet of the same thread.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

HUB, PATCHED = sys.argv[1], sys.argv[2] == "patched"

if HUB == "gevent":
    import gevent

    if PATCHED:
        from gevent import monkey

        monkey.patch_all()
else:
    import warnings

    warnings.simplefilter("ignore")
    import eventlet

    if PATCHED:
        eventlet.monkey_patch()

import socket  # noqa: E402 - after it has been patched, as the two below

import pytest  # noqa: E402

import pyossl  # noqa: E402
import pyossl.greenlets  # noqa: E402

if HUB == "gevent":
    pyossl.greenlets.use_gevent()
    sleep: Callable[[float], object] = gevent.sleep

    class Greenlet:
        def __init__(self, work: Callable[[], Any]) -> None:
            self._greenlet = gevent.spawn(work)

        def result(self) -> Any:
            return self._greenlet.get()
else:
    pyossl.greenlets.use_eventlet()
    sleep = eventlet.sleep

    class Greenlet:  # type: ignore[no-redef]
        def __init__(self, work: Callable[[], Any]) -> None:
            self._greenlet = eventlet.spawn(work)

        def result(self) -> Any:
            return self._greenlet.wait()


AUTHORITY = pyossl.Authority()
MINE = AUTHORITY.issue("localhost", "127.0.0.1")
SERVER = pyossl.Context.server((MINE.certificate, *MINE.chain), MINE.private_key)
CLIENT = pyossl.Context.client(trust=AUTHORITY.certificate)
OLD_CLIENT = pyossl.Context.client(trust=AUTHORITY.certificate, maximum_version=pyossl.Version.TLSv1_2)
for context in (SERVER, OLD_CLIENT):
    context.allow_renegotiation(by_peer=True)


def pair(context: pyossl.Context = CLIENT) -> tuple[pyossl.Socket, pyossl.Socket]:
    """A client and a server after their handshake: ``connect`` and ``accept`` wait for each other."""
    with pyossl.listen(("127.0.0.1", 0), SERVER) as listener:
        listener.settimeout(10)
        accepted = Greenlet(listener.accept)
        sleep(0)
        serving = Greenlet(lambda: shaken(accepted.result()[0]))
        client = pyossl.connect(listener.address, context, timeout=10)
        return client, serving.result()


def shaken(tls: pyossl.Socket) -> pyossl.Socket:
    tls.settimeout(10)
    tls.handshake()
    return tls


def both_ways_of_meeting() -> None:
    client, server = pair()
    assert type(client) is type(server) is pyossl.greenlets.GreenSocket
    first, second = socket.socketpair()
    wrapped = Greenlet(lambda: SERVER.wrap_socket(second))
    sleep(0)
    with CLIENT.wrap_socket(first, "localhost") as ours, wrapped.result() as theirs:
        ours.sendall(b"x")
        assert theirs.recv(1) == b"x"


def reads() -> None:
    client, server = pair()
    reading = Greenlet(lambda: (client.recv(5), client.recv_into(bytearray(9)), client.recv(2, socket.MSG_PEEK)))
    sleep(0.01)
    server.sendall(b"first")
    sleep(0.01)
    server.sendall(b"next")
    sleep(0.01)
    server.sendall(b"last")
    assert reading.result() == (b"first", 4, b"la")


def writes() -> None:
    client, server = pair()
    data = bytes(range(256)) * 32768  # 8 MiB, more than the kernel buffers
    sending = Greenlet(lambda: client.sendall(data))
    sleep(0.01)
    with pytest.raises(pyossl.UsageError, match="another greenlet"):
        client.send(b"in between")
    server.sendall(b"meanwhile")
    assert client.recv(100) == b"meanwhile"
    got = bytearray()
    while len(got) < len(data):
        got += server.recv(65536)
    sending.result()
    assert got == data


def files() -> None:
    client, server = pair()
    with server.makefile("rwb") as theirs, client.makefile("rw") as ours:
        line = Greenlet(theirs.readline)
        sleep(0.01)
        ours.write("a line\n")
        ours.flush()
        assert line.result() == b"a line\n"


def renegotiations() -> None:
    client, server = pair(OLD_CLIENT)
    reading, finished = Greenlet(lambda: server.recv(100)), client.connection.finished
    client.renegotiate()
    assert client.connection.finished != finished
    client.sendall(b"data")
    assert reading.result() == b"data"


def limits() -> None:
    client, _server = pair()
    client.settimeout(0.05)
    assert client.gettimeout() == client.timeout == 0.05
    assert client.getblocking()
    for call in (lambda: client.recv(1), lambda: client.sendall(bytes(64 << 20))):
        with pytest.raises(TimeoutError, match=r"0\.05"):
            call()
    client.settimeout(0)
    with pytest.raises(pyossl.WouldBlockError) as raised:
        client.recv(1)
    assert raised.value.want is pyossl.Want.READ
    with pyossl.listen(("127.0.0.1", 0), SERVER) as listener:
        listener.settimeout(0.05)
        with pytest.raises(TimeoutError):
            listener.accept()


def closes() -> None:
    client, server = pair()

    def read() -> None:
        with pytest.raises(pyossl.UsageError):
            client.recv(1)

    reading = Greenlet(read)
    sleep(0.01)
    number = client.fileno()
    client.close()
    assert client.fileno() == -1
    reading.result()
    assert server.recv(1) == b""
    assert client._sock.fileno() == -1
    with socket.socket() as another:
        assert another.fileno() <= number


def ends() -> None:
    client, server = pair()
    unwrapped = Greenlet(client.unwrap)
    sleep(0.01)
    plain = server.unwrap()
    with unwrapped.result() as ours, plain:
        ours.sendall(b"in the clear")
        assert plain.recv(100) == b"in the clear"


def refusals() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    with pytest.raises(ConnectionRefusedError):
        pyossl.connect(address, CLIENT, timeout=5)


def another_greenlet_runs() -> None:
    ticks: list[int] = []

    def tick() -> None:
        while True:
            ticks.append(1)
            sleep(0.001)

    Greenlet(tick)
    client, _server = pair()
    client.settimeout(0.1)
    before = len(ticks)
    with pytest.raises(TimeoutError):
        client.recv(1)
    assert len(ticks) - before > 10


for scenario in (
    both_ways_of_meeting,
    reads,
    writes,
    files,
    renegotiations,
    limits,
    closes,
    ends,
    refusals,
    another_greenlet_runs,
):
    scenario()
    print(scenario.__name__, flush=True)
pyossl.greenlets.wait_with(None)
assert type(CLIENT.wrap_socket(socket.socketpair()[0], "localhost", handshake=False)) is pyossl.Socket
print("all", flush=True)
