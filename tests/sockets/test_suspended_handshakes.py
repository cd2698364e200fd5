"""Blocking sockets and callbacks that have no answer yet: the call asks again until there is one, or until its
deadline."""

from __future__ import annotations

import contextlib
import select
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from pairs import asking_later
from served import SECONDS, Task, tcp_pair, until

import pyossl
import pyossl.greenlets
from pyossl import Context, Socket, UsageError, Want


class OnPurposeError(Exception):
    pass


class Callers:
    """A server whose certificate callback gives an answer, and a client, on two sockets before their handshake."""

    def __init__(self, client_context: Context, server_context: Context, answer: Any) -> None:
        self.calls = 0

        def choose(connection: pyossl.Connection, demand: pyossl.CertificateDemand) -> Any:
            self.calls += 1
            return answer()

        server_context.certificate_callback = choose
        first, second = tcp_pair()
        self.client = client_context.wrap_socket(first, "example.com", handshake=False)
        self.server = server_context.wrap_socket(second, handshake=False)
        self.client.settimeout(SECONDS)
        self.greeting = Task(self._greet)

    def _greet(self) -> BaseException | None:
        try:
            self.client.handshake()
        except OSError as error:
            return error
        return None


@pytest.fixture
def answers() -> list[Any]:
    """What the callback returns from now on: the last one."""
    return [Want.X509_LOOKUP]


@pytest.fixture
def callers(client_context: Context, server_context: Context, answers: list[Any]) -> Iterator[Callers]:
    made = Callers(client_context, server_context, lambda: answers[-1])
    yield made
    made.server.close()
    made.greeting.result()
    made.client.close()


def test_a_handshake_that_waits_asks_again_until_there_is_an_answer(callers: Callers, answers: list[Any]) -> None:
    callers.server.settimeout(SECONDS)
    shaking = Task(callers.server.handshake)
    until(lambda: callers.calls >= 3)
    answers.append(None)
    shaking.result()
    assert callers.greeting.result() is None
    callers.client.sendall(b"hello")
    assert callers.server.recv(10) == b"hello"


def test_without_an_answer_it_ends_at_its_deadline(callers: Callers) -> None:
    callers.server.settimeout(0.2)
    begin = time.monotonic()
    with pytest.raises(TimeoutError, match=r"the handshake timed out after 0\.2 s"):
        callers.server.handshake()
    assert 0.2 <= time.monotonic() - begin < SECONDS
    assert 2 <= callers.calls <= 25


def test_reads_and_writes_wait_for_the_handshake_in_the_same_way(callers: Callers) -> None:
    callers.server.settimeout(0.05)
    for call in (lambda: callers.server.recv(1), lambda: callers.server.sendall(b"x")):
        with pytest.raises(TimeoutError):
            call()


def test_a_socket_that_does_not_wait_says_what_it_waits_for(callers: Callers) -> None:
    callers.server.settimeout(0)

    def wanted() -> Want:
        with pytest.raises(pyossl.WouldBlockError) as error:
            callers.server.handshake()
        return error.value.want

    until(lambda: wanted() is Want.X509_LOOKUP)


def test_a_hub_of_greenlets_waits_a_little_and_asks_again(client_context: Context, server_context: Context) -> None:
    """A hub knows descriptors alone: it gets ``Want.READ`` and a short limit."""
    answers = iter([Want.X509_LOOKUP] * 3)
    waits: list[tuple[Want, float]] = []

    def wait(descriptor: int, want: Want, seconds: float | None) -> None:
        assert seconds is not None
        waits.append((want, seconds))
        reads, writes = ([descriptor], []) if want is Want.READ else ([], [descriptor])
        select.select(reads, writes, [], seconds)

    server_context.certificate_callback = lambda connection, demand: next(answers, None)
    first, second = tcp_pair()
    greeting = Task(lambda: client_context.wrap_socket(first, "example.com"))
    pyossl.greenlets.wait_with(wait)
    try:
        with server_context.wrap_socket(second) as server:
            server.sendall(b"hello")
            with greeting.result() as client:
                assert client.recv(10) == b"hello"
    finally:
        pyossl.greenlets.wait_with(None)
    assert sum(0 < seconds <= 0.01 for want, seconds in waits if want is Want.READ) >= 3


def test_closing_in_another_thread_ends_the_wait(callers: Callers) -> None:
    callers.server.settimeout(None)
    shaking = Task(callers.server.handshake)
    until(lambda: callers.calls >= 2)
    callers.server.close()
    with pytest.raises(UsageError, match="closed"):
        shaking.result()


def test_a_callback_that_blocks_is_waited_for_by_a_close_in_another_thread(
    client_context: Context, server_context: Context
) -> None:
    released = threading.Event()
    callers = Callers(client_context, server_context, lambda: released.wait(SECONDS) and None)
    callers.server.settimeout(SECONDS)
    shaking = Task(callers.server.handshake)
    until(lambda: callers.calls)
    closing = Task(callers.server.close)
    until(lambda: callers.server.fileno() == -1)
    released.set()
    closing.result()
    with contextlib.suppress(UsageError, OSError):  # the thread may finish the handshake before the close gets the lock
        shaking.result()
    callers.greeting.result()
    callers.client.close()


def test_an_exception_comes_out_of_the_handshake(client_context: Context, server_context: Context) -> None:
    answers = iter([Want.X509_LOOKUP])

    def answer() -> Any:
        for each in answers:
            return each
        raise OnPurposeError

    callers = Callers(client_context, server_context, answer)
    with callers.server, callers.client:
        with pytest.raises(OnPurposeError):
            callers.server.handshake()
        assert isinstance(callers.greeting.result(), pyossl.AlertError)


def test_an_async_function_is_refused(client_context: Context, server_context: Context) -> None:
    async def answer() -> None:
        raise AssertionError("nothing awaits this")

    callers = Callers(client_context, server_context, answer)
    with callers.server, callers.client:
        with pytest.raises(UsageError, match="only asyncio, trio and anyio await it"):
            callers.server.handshake()
        callers.greeting.result()


def test_a_signal_interrupts_the_wait(callers: Callers) -> None:
    """Each time that the callback is asked, the handlers of signals run."""

    def interrupt(*_: object) -> None:
        raise OnPurposeError

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        callers.server.settimeout(None)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(OnPurposeError):
            callers.server.handshake()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_clients_read_asks_again_after_the_handshake(
    authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    own, answers = authority.issue("client"), iter([Want.X509_LOOKUP] * 3)
    context, serving = asking_later(authority, credentials, lambda connection, demand: next(answers, own))
    first, second = tcp_pair()

    def serve() -> Any:
        with serving.wrap_socket(second) as server:
            server.settimeout(SECONDS)
            server.connection.request_certificate()
            server.sendall(b"who are you?")
            assert server.recv(10) == b"I am"
            return server.connection.peer_certificate

    task = Task(serve)
    with context.wrap_socket(first, "example.com") as client:
        assert isinstance(client, Socket)
        client.settimeout(SECONDS)
        assert client.recv(100) == b"who are you?"
        client.sendall(b"I am")
        assert task.result() == own.certificate
    assert next(answers, None) is None
