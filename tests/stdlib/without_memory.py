"""The ssl face when Python has no memory: bytes are never lost without an error.

Each of Python's allocations in a call fails in turn.  Then the call raises ``MemoryError``, and either it has done
nothing, and can be repeated, or the connection has failed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from core.without_memory import DATA, KEEPS_NUMBERS, MOST, outcomes, with_failing_allocation
from stdlib.ssl_over_pyossl import MemoryPair, client_context, pair, server_context, ssl

CONTEXTS = client_context(), server_context()


def receiving() -> tuple[Callable[[], Any], Any]:
    memory = MemoryPair(*CONTEXTS).handshake()
    memory.server.write(DATA)
    return (lambda: memory.client._sslobj.read(len(DATA))), DATA


def receiving_into() -> tuple[Callable[[], Any], Any]:
    memory = MemoryPair(*CONTEXTS).handshake()
    memory.server.write(DATA)
    room = bytearray(len(DATA))
    return (lambda: memory.client._sslobj.read(0, room)), len(DATA)


def writing() -> tuple[Callable[[], Any], Any]:
    memory = MemoryPair(*CONTEXTS).handshake()
    return (lambda: memory.client._sslobj.write(DATA)), len(DATA)


def taking() -> tuple[Callable[[], Any], Any]:
    bio = ssl.MemoryBIO()
    bio.write(DATA)
    return bio.read, DATA


@pytest.mark.parametrize("make", [receiving, receiving_into, writing])
def test_a_connection_has_done_nothing_or_has_failed(make: Callable[[], tuple[Callable[[], Any], Any]]) -> None:
    _, expected = make()
    answers = outcomes(make, ssl.SSLError)
    assert answers or KEEPS_NUMBERS
    assert all(isinstance(answer, ssl.SSLError) or answer == expected for answer in answers), answers


def test_a_memory_bio_keeps_its_bytes() -> None:
    answers = outcomes(taking)
    assert answers
    assert set(answers) == {DATA}


def test_a_socket_has_done_nothing_or_has_failed() -> None:
    failed = 0
    for number in range(MOST):
        with pair(*CONTEXTS) as (client, server):
            server.sendall(DATA)
            result = with_failing_allocation(number, lambda tls=client: tls.recv(len(DATA)))
            if isinstance(result, MemoryError):
                failed += 1
                try:
                    result = client.recv(len(DATA))
                except ssl.SSLError:
                    continue
            assert result == DATA
    assert failed
