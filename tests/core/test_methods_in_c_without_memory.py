"""A method in C for which Python has no memory: bytes are never lost without an error.

Each of Python's allocations in a call fails in turn.  Then the call raises ``MemoryError``, and either it has done
nothing, and can be repeated, or the connection has failed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from pairs import meet
from served import SocketPair, tls_pair

import pyossl
from pyossl import Connection, Context, Want
from pyossl.pyopenssl import SSL

testcapi = pytest.importorskip("_testcapi", reason="this Python has no _testcapi, which makes allocations fail")
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


def outcomes(make: Callable[[], tuple[Call, Any]]) -> list[Any]:
    """Tries a call with each of its allocations failing; returns what a second call says after each ``MemoryError``.

    ``make`` returns the call, and its result.
    """
    second = []
    for number in range(MOST):
        call, expected = make()
        result = with_failing_allocation(number, call)
        if isinstance(result, MemoryError):
            try:
                second.append(call())
            except (pyossl.Error, SSL.Error) as error:
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
    assert second
    assert all(each == DATA or lost(each) for each in second)


def test_peek_loses_nothing(pair: Pair) -> None:
    def make() -> tuple[Call, Any]:
        client, record = receiving(pair)
        client.receive_data(record)
        return lambda: client.peek(len(DATA)), DATA

    second = outcomes(make)
    assert second
    assert all(each == DATA for each in second)


def test_read_into(pair: Pair) -> None:
    def make() -> tuple[Call, Any]:
        client, record = receiving(pair)
        client.receive_data(record)
        buffer = bytearray(len(DATA))
        return lambda: client.read_into(buffer), len(DATA)

    second = outcomes(make)
    assert second
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
    assert second
    assert all(each == len(DATA) or lost(each) for each in second)
    for client, server in received:
        assert server.decrypt(client.data_to_send()) == DATA


def test_encrypt(pair: Pair) -> None:
    """A record that is lost is not followed by another one."""

    def make() -> tuple[Call, Any]:
        client, server = pair()
        return lambda: server.decrypt(client.encrypt(DATA)), DATA  # type: ignore[arg-type]  # as in receiving()

    second = outcomes(make)
    assert second
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
    assert second
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
    assert second
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
    assert second or name == "sendall", "no allocation has failed"
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
