"""A method in C for which Python has no memory: bytes are never lost without an error.

Each of Python's allocations in a call fails in turn.  Then the call raises ``MemoryError``, and either it has done
nothing, and can be repeated, or the connection has failed.
"""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from marks import FREE_THREADED
from pairs import meet
from pyopenssl.pyopenssl_pairs import pair as face_pair
from served import SocketPair, Task, tls_pair, until

import pyossl
from pyossl import Connection, Context, Want
from pyossl.pyopenssl import SSL
from pyossl.sockets.event_loop_steps import EventLoopConnection

FIRST_PART = 2 if FREE_THREADED else 3
"""At most so many calls fail if only the first part can: a free-threaded Python makes fewer allocations."""

testcapi = pytest.importorskip("_testcapi")
KEEPS_NUMBERS = sys.version_info >= (3, 14)
"""Whether Python keeps freed ints: then a result that is a number allocates nothing."""
MOST = 50
"""More allocations than any call makes."""
DATA = bytes(range(256)) * 40  # more than the numbers and bytes that Python keeps ready, and less than a record

Call = Callable[[], Any]


def with_failing_allocation(number: int, call: Call) -> Any:
    """The result of a call in which allocation ``number`` fails, or the ``MemoryError``."""
    testcapi.set_nomemory(number, number + 1)
    try:
        result = call()
    except MemoryError as error:
        result = error
    finally:
        testcapi.remove_mem_hooks()
    return result


def outcomes(make: Callable[[], tuple[Call, Any]], kind: type[Exception] = pyossl.Error) -> list[Any]:
    """Tries a call with each of its allocations failing; returns what a second call says after each ``MemoryError``.

    ``make`` returns the call, and its result.  The second call may raise errors of this ``kind``.
    """
    second = []
    for number in range(MOST):
        call, expected = make()
        result = with_failing_allocation(number, call)
        if isinstance(result, MemoryError):
            try:
                second.append(call())
            except kind as error:
                second.append(error)
        else:
            assert result == expected
    return second


def lost(error: object) -> bool:
    return isinstance(error, pyossl.Error) and "no memory" in str(error)


@pytest.fixture
def pair(client_context: Context, server_context: Context) -> Callable[[], tuple[Connection, Connection]]:
    return lambda: meet(client_context, server_context)


Pair = Callable[[], tuple[Connection, Connection]]


def receiving(pair: Pair) -> tuple[Connection, bytes]:
    """A connection, and a record that its peer has sent."""
    client, server = pair()
    return client, server.encrypt(DATA)  # type: ignore[return-value]  # no Want after the handshake


@pytest.mark.parametrize("size", [len(DATA), 1 << 20])
def test_read(pair: Pair, size: int) -> None:
    def make() -> tuple[Call, Any]:
        client, record = receiving(pair)
        client.receive_data(record)
        return lambda: client.read(size), DATA

    second = outcomes(make)
    assert second or KEEPS_NUMBERS
    assert all(each == DATA or lost(each) for each in second)


def test_peek_loses_nothing(pair: Pair) -> None:
    def make() -> tuple[Call, Any]:
        client, record = receiving(pair)
        client.receive_data(record)
        return lambda: client.peek(len(DATA)), DATA

    second = outcomes(make)
    assert second or KEEPS_NUMBERS
    assert all(each == DATA for each in second)


def test_read_into(pair: Pair) -> None:
    def make() -> tuple[Call, Any]:
        client, record = receiving(pair)
        client.receive_data(record)
        buffer = bytearray(len(DATA))
        return lambda: client.read_into(buffer), len(DATA)

    second = outcomes(make)
    assert second or KEEPS_NUMBERS
    assert all(each == len(DATA) or lost(each) for each in second)


@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_write(pair: Pair, kind: type[bytes]) -> None:
    """Bytes that were sent are not sent again."""

    def make() -> tuple[Call, Any]:
        client, server = pair()
        received.append((client, server))
        return lambda: client.write(kind(DATA)), len(DATA)

    received: list[tuple[Connection, Connection]] = []
    second = outcomes(make)
    assert second or KEEPS_NUMBERS
    assert all(each == len(DATA) or lost(each) for each in second)
    for client, server in received:
        assert server.decrypt(client.data_to_send()) == DATA


def test_encrypt(pair: Pair) -> None:
    """A record that is lost is not followed by another one."""

    def make() -> tuple[Call, Any]:
        client, server = pair()
        return lambda: server.decrypt(client.encrypt(DATA)), DATA  # type: ignore[arg-type]  # as in receiving()

    second = outcomes(make)
    assert second or KEEPS_NUMBERS
    assert all(each == DATA or lost(each) for each in second)


def test_decrypt(pair: Pair) -> None:
    def make() -> tuple[Call, Any]:
        client, record = receiving(pair)
        return lambda: client.decrypt(record), DATA

    second = outcomes(make)
    assert all(each == DATA or lost(each) for each in second)
    assert any(map(lost, second))


MUCH = DATA * 30  # more than one call in C returns


@pytest.mark.parametrize("name", ["encrypt", "decrypt"])
def test_a_call_that_is_finished_in_python(pair: Pair, name: str) -> None:
    """The bytes that C has returned are not lost without an error if Python cannot add the rest."""

    def make() -> tuple[Call, Any]:
        client, server = pair()
        if name == "encrypt":
            return lambda: server.decrypt(client.encrypt(MUCH)), MUCH  # type: ignore[arg-type]  # as in receiving()
        records = server.encrypt(MUCH)
        return lambda: client.decrypt(records), MUCH  # type: ignore[arg-type]

    second = outcomes(make)
    assert any(map(lost, second))
    assert all(each == MUCH or lost(each) for each in second)


def test_data_to_send_loses_nothing(pair: Pair) -> None:
    def make() -> tuple[Call, Any]:
        client, server = pair()
        client.write(DATA)
        return lambda: server.decrypt(client.data_to_send()), DATA

    second = outcomes(make)
    assert second or KEEPS_NUMBERS
    assert all(each == DATA or lost(each) for each in second)


def test_receive_data(pair: Pair) -> None:
    def make() -> tuple[Call, Any]:
        client, record = receiving(pair)
        pieces = iter([record])

        def call() -> Any:
            for piece in pieces:
                client.receive_data(piece)
            return client.read(len(DATA))

        return call, DATA

    second = outcomes(make)
    assert second or KEEPS_NUMBERS
    assert all(each == DATA or lost(each) or each is Want.READ for each in second)


SOCKET_CALLS: dict[str, tuple[Callable[[pyossl.Socket], Any], Any]] = {
    "recv": (lambda tls: tls.recv(len(DATA)), DATA),
    "recv much": (lambda tls: tls.recv(1 << 20), DATA),
    "recv_into": (lambda tls: tls.recv_into(bytearray(len(DATA))), len(DATA)),
    "send": (lambda tls: tls.send(DATA), len(DATA)),
    "sendall": (lambda tls: tls.sendall(DATA), None),
}


@pytest.mark.parametrize("name", SOCKET_CALLS)
def test_a_socket(name: str, client_context: Context, server_context: Context) -> None:
    call, expected = SOCKET_CALLS[name]
    made: list[SocketPair] = []

    def make() -> tuple[Call, Any]:
        made.append(tls_pair(client_context, server_context))
        tls, peer = made[-1]
        tls.settimeout(10)
        peer.sendall(DATA)
        return lambda: call(tls), expected

    second = outcomes(make)
    assert second or name == "sendall" or KEEPS_NUMBERS, "no allocation has failed"
    assert all(each == expected or lost(each) for each in second)
    for tls, peer in made:
        tls.close()
        if name.startswith("send"):
            assert peer.recv(1 << 20) == DATA  # once
        peer.close()


def test_a_connection_that_has_lost_bytes_says_so(pair: Pair) -> None:
    messages = set()
    for number in range(MOST):
        client, record = receiving(pair)
        result = with_failing_allocation(number, lambda client=client, record=record: client.decrypt(record))  # type: ignore[misc]
        if isinstance(result, MemoryError):
            with contextlib.suppress(pyossl.Error):
                client.write(b"x")
            if client.failure is not None:
                messages.add(client.failure.reason)
    assert len(messages) == 1
    assert messages.pop().startswith("bytes that had been sent or received are lost: there was no memory for them")


LONG = DATA * 200
"""More than one call in C returns: the method in Python that gets the rest fails too."""


def test_encrypt_of_much_data(pair: Pair) -> None:
    def make() -> tuple[Call, Any]:
        client, server = pair()

        def call() -> Any:
            records = client.encrypt(LONG)
            testcapi.remove_mem_hooks()
            return server.decrypt(records)  # type: ignore[arg-type]  # as in receiving()

        return call, LONG

    second = outcomes(make)
    assert all(each == LONG or lost(each) for each in second)
    assert sum(map(lost, second)) > FIRST_PART, "only the first part has failed"


def test_decrypt_of_much_data(pair: Pair) -> None:
    def make() -> tuple[Call, Any]:
        client, server = pair()
        records = client.encrypt(LONG)
        return lambda: server.decrypt(records), LONG  # type: ignore[arg-type]  # as in receiving()

    second = outcomes(make)
    assert all(each == LONG or lost(each) for each in second)
    assert sum(map(lost, second)) > FIRST_PART, "only the first part has failed"


FACE_CALLS: dict[str, tuple[Callable[[SSL.Connection, bytes], Any], Any]] = {
    "recv": (lambda face, _: face.recv(len(DATA)), DATA),
    "recv_into": (lambda face, _: face.recv_into(bytearray(len(DATA))), len(DATA)),
    "send": (lambda face, _: face.send(DATA), len(DATA)),
    "sendall": (lambda face, _: face.sendall(DATA), len(DATA)),
    "bio_write": (lambda face, record: face.bio_write(record), None),
    "bio_read": (lambda face, _: face.bio_read(1 << 20), None),
}


@pytest.mark.parametrize("name", FACE_CALLS)
def test_the_connection_of_pyopenssl(name: str) -> None:
    """It raises ``SSL.Error`` after bytes were lost, for reads and writes."""
    call, expected = FACE_CALLS[name]
    made: list[tuple[SSL.Connection, bytes]] = []

    def make() -> tuple[Call, Any]:
        face, peer = face_pair()
        peer.send(DATA)
        record = peer.bio_read(1 << 20)
        result: Any = expected
        if name.startswith("recv"):
            face.bio_write(record)
        elif name == "bio_write":
            result = len(record)
        elif name == "bio_read":
            face.send(DATA)
            result = mock.ANY
        made.append((face, record))
        return lambda: call(face, record), result

    second = outcomes(make, SSL.Error)
    assert second or KEEPS_NUMBERS, "no allocation has failed"
    failed = [each for each in second if isinstance(each, SSL.Error)]
    repeated = [each for each in second if not isinstance(each, SSL.Error)]
    assert all("no memory" in str(each) for each in failed)
    if name == "bio_read":
        assert not failed
        assert all(len(each) > len(DATA) for each in repeated)
    elif name != "bio_write":
        assert all(each == expected for each in repeated)


STEPS: dict[str, tuple[Callable[[EventLoopConnection], Any], Any]] = {
    "receive": (lambda loops: loops.receive(), DATA),
    "read_some_into": (lambda loops: loops.read_some_into(bytearray(len(DATA))), len(DATA)),
    "send": (lambda loops: loops.send(DATA), len(DATA)),
}


@pytest.mark.parametrize("name", STEPS)
def test_the_steps_of_event_loops(name: str, client_context: Context, server_context: Context) -> None:
    call, expected = STEPS[name]
    closing = contextlib.ExitStack()

    def make() -> tuple[Call, Any]:
        first, second = socket.socketpair()
        loops = EventLoopConnection(client_context, "example.com", first)
        peer = server_context.wrap_socket(second, handshake=False)
        for each in (first, peer):
            closing.enter_context(each)
        first.setblocking(False)
        accepting = Task(peer.handshake)
        until(lambda: loops.handshake() is None)
        accepting.result()
        loops.receive()  # the session tickets
        peer.sendall(DATA)
        return lambda: call(loops), expected

    with closing:
        second = outcomes(make)
    assert second or KEEPS_NUMBERS, "no allocation has failed"
    assert all(each == expected or lost(each) for each in second)


@pytest.mark.parametrize("size", [10, 10_000])
def test_a_buffer_is_free_after_it(pair: Pair, size: int) -> None:
    for name in ("encrypt", "write", "decrypt", "receive_data", "read_into"):
        for number in range(5):
            client, server = pair()
            client.encrypt(b"x" * size)
            data: Any = server.encrypt(b"x" * size)
            if name == "read_into":
                client.receive_data(data)
            buffer = bytearray(data)
            with_failing_allocation(number, lambda: getattr(client, name)(buffer))  # noqa: B023 - called at once
            buffer.clear()
