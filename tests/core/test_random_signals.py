"""Signals at random moments, whose handler raises: no lock stays locked, and no exception is lost.

tests/core/test_raising_signals.py tries each instruction of Python; these tests use real signals, which also come in
the waits and callbacks of C.  ``PYOSSL_SOAK_SECONDS`` is the duration of each; ``ci/soak`` sets it.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import pytest
from pairs import pair_with_every_callback
from served import Task, is_free, tls_pair

import pyossl
from pyossl import BIO, Connection, Context, PythonBIO, Want
from pyossl.pyopenssl import SSL

OURS = (
    str(Path(pyossl.__file__).parent),
    __file__,
    str(Path(__file__).parents[1] / "pyopenssl" / "pyopenssl_pairs.py"),
)
ROUNDS = 20_000
"""More calls than are made in the time until a signal."""
SECONDS = float(os.environ.get("PYOSSL_SOAK_SECONDS", "1.5"))
Round = Callable[[], object]


class Tick(BaseException):
    """The exception of the handler."""


class Clock:
    """Raises ``Tick`` once, within the given seconds, and counts these exceptions.

    It raises only in the code of pyossl and of this file: Python does not pass on exceptions from the collector's
    callbacks, which for example pytest's plugins have.
    """

    def __init__(self) -> None:
        self.raised = 0

    def handler(self, number: int, frame: FrameType | None) -> None:
        if frame is None or not frame.f_code.co_filename.startswith(OURS):
            self.start(0.00001, 0.00005)
            return
        self.raised += 1
        raise Tick

    def start(self, least: float, most: float) -> None:
        signal.setitimer(signal.ITIMER_REAL, random.uniform(least, most))

    def stop(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)


@pytest.fixture
def clock() -> Iterator[Clock]:
    clock = Clock()
    before = signal.signal(signal.SIGALRM, clock.handler)
    yield clock
    clock.stop()
    signal.signal(signal.SIGALRM, before)


def interrupted(clock: Clock, work: Round, check: Callable[[], object], most: float = 0.0006) -> Counter[str]:
    """Interrupts ``work`` again and again, calls ``check`` after each time, and returns how often each outcome came."""
    found: Counter[str] = Counter()
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        before = clock.raised
        caught = False
        try:
            try:
                clock.start(0.00002, most)
                work()
            except (pyossl.Error, SSL.Error) as error:
                # An earlier interruption may have ended the connection, but that was reported then.
                found[type(error).__name__] += 1
            finally:
                clock.stop()
        except Tick:
            caught = True
        found["signals"] += clock.raised - before
        if not caught and clock.raised > before:
            found["lost"] += 1
        check()
    print(dict(found))
    return found


def test_questions(clock: Clock, connected: tuple[Connection, Connection]) -> None:
    client, _ = connected

    def work() -> None:
        for _ in range(ROUNDS):
            assert client.version
            assert client.state
            assert client.cipher
            assert not client.session_reused
            repr(client)

    found = interrupted(clock, work, lambda: _assert_free(client))
    assert found["signals"] > 10
    assert not found["lost"]


def _assert_free(connection: Connection) -> None:
    assert is_free(connection._c.lock)


def test_handshakes_with_every_callback(
    clock: Clock, authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    both: list[Connection] = []

    def work() -> None:
        client, server = pair_with_every_callback(authority, credentials)
        both[:] = client, server
        while (client.handshake(), server.handshake()) != (None, None):
            if data := client.data_to_send():
                server.receive_data(data)
            if data := server.data_to_send():
                client.receive_data(data)

    def check() -> None:
        for each in both:
            _assert_free(each)

    found = interrupted(clock, work, check, 0.004)
    assert found["signals"] > 10
    assert not found["lost"]
    assert not found["CertificateError"]


class Carried(PythonBIO):
    """Carries bytes to another connection and back."""

    def __init__(self) -> None:
        super().__init__()
        self.incoming = self.outgoing = b""

    def read(self, size: int = -1) -> bytes | Want:
        if not self.incoming:
            return Want.READ
        data, self.incoming = self.incoming[:size], self.incoming[size:]
        return data

    def write(self, data: bytes | bytearray | memoryview) -> int | Want:
        self.outgoing += bytes(data)
        return len(data)


def test_handshakes_over_a_bio_in_python(clock: Clock, client_context: Context, server_context: Context) -> None:
    connections: list[Connection] = []

    def work() -> None:
        bio = Carried()
        client, server = Connection(client_context, "example.com", bio=bio), Connection(server_context)
        connections[:] = client, server
        while (client.handshake(), server.handshake()) != (None, None):
            if bio.outgoing:
                server.receive_data(bio.outgoing)
                bio.outgoing = b""
            bio.incoming += server.data_to_send()

    def check() -> None:
        for each in connections:
            _assert_free(each)

    found = interrupted(clock, work, check, 0.003)
    assert found["signals"] > 10
    assert not found["lost"]


def test_bios(clock: Clock) -> None:
    bios: list[BIO] = []
    buffer, base64 = pyossl.BufferFilter, pyossl.Base64Filter  # no signal during the import

    def work() -> None:
        for _ in range(ROUNDS):
            bio = BIO.memory()
            bios[:] = [bio]
            chain = buffer().push(base64().push(bio))
            bios.append(chain)
            chain.write(b"some bytes" * 100)
            chain.flush()
            assert bio.pending
            chain.pop()
            chain.close()

    def check() -> None:
        for bio in bios:
            assert is_free(bio.lock.pointer)
            assert bio.lock.calls == 0

    found = interrupted(clock, work, check)
    assert found["signals"] > 10
    assert not found["lost"]


def test_sockets_beside_a_thread_that_reads(clock: Clock, client_context: Context, server_context: Context) -> None:
    """Neither the lock nor the writers' lock stays locked: another thread writes after each interruption."""
    with contextlib.ExitStack() as stack:
        client, server = tls_pair(client_context, server_context)
        stack.enter_context(server)
        stack.enter_context(client)
        reading = Task(lambda: sum(iter(lambda: len(server.recv(65536)), 0)))
        data = b"x" * 1000  # always the same data: an interrupted write may have to be repeated first

        def work() -> None:
            for _ in range(ROUNDS):
                client.sendall(data)
                client.send(data)
                assert client.pending == 0

        def check() -> None:
            _assert_free(client.connection)
            Task(lambda: client.sendall(data)).result()

        found = interrupted(clock, work, check)
        client.shutdown(socket.SHUT_WR)
        assert reading.result() > 0
    assert found["signals"] > 10
    assert not found["lost"]


def test_reads_that_wait(clock: Clock, client_context: Context, server_context: Context) -> None:
    client, server = tls_pair(client_context, server_context)
    with client, server:

        def work() -> None:
            server.recv(10)

        def check() -> None:
            _assert_free(server.connection)
            assert server.connection.waiters == 0

        found = interrupted(clock, work, check, 0.002)
    assert found["signals"] > 10
    assert not found["lost"]


def test_the_pyopenssl_face(clock: Clock) -> None:
    from pyopenssl.pyopenssl_pairs import carry, pair

    both = pair()

    def work() -> None:
        client, server = both
        for _ in range(ROUNDS):
            client.send(b"some bytes")
            carry(client, server)
            server.recv(100)
            client.get_cipher_name()
            client.get_shutdown()

    def check() -> None:
        for each in both:
            _assert_free(each._tls)
        both[:] = pair()  # bytes that were on their way are lost

    found = interrupted(clock, work, check)
    assert found["signals"] > 10
    assert not found["lost"]
