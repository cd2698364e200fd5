"""The methods in C in threads: closed meanwhile, beside callbacks and forks, and at the end of the interpreter."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from methods_in_c import OF_A_BUFFER, OF_A_SIZE, OF_DATA, PUBLIC, Ready, each, ready
from odd_values import CLIENT, SERVER
from pairs import meet
from served import SECONDS, Task, in_a_child, until

import pyossl
from pyossl.pyopenssl import SSL


def call(it: Ready, kind: str, name: str) -> Any:
    """Calls the method with usual arguments."""
    method = getattr(it.subject, name)
    if (kind, name) in OF_A_SIZE:
        return method(10)
    if (kind, name) in OF_A_BUFFER:
        return method(bytearray(10))
    return method(b"\x17\x03\x03") if (kind, name) in OF_DATA else method()


def close(it: Ready, kind: str) -> None:
    (it.subject._tls if kind == "FaceMethods" else it.subject).close()


def is_closed(it: Ready, kind: str) -> bool:
    return bool((it.subject.connection if kind == "SocketMethods" else it.subject)._c.closed)


@contextlib.contextmanager
def ended_if_it_hangs() -> Iterator[None]:
    """A thread that waits with the GIL would stop every other thread, that of the test's timeout too."""
    faulthandler.dump_traceback_later(SECONDS, exit=True, file=2)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()


# Closed by another thread


@each(PUBLIC)
def test_two_threads_call_a_method_and_a_third_closes(kind: str, name: str) -> None:
    for _ in range(5):
        with ready(kind) as it:
            begun = threading.Barrier(3)
            calls = [0, 0]

            def use(user: int, it: Ready = it, begun: threading.Barrier = begun, calls: list[int] = calls) -> None:
                begun.wait()
                while not is_closed(it, kind):
                    with contextlib.suppress(pyossl.Error, SSL.Error, OSError):
                        call(it, kind, name)
                    calls[user] += 1

            users = [Task(lambda use=use, user=user: use(user)) for user in range(2)]  # type: ignore[misc]  # a loop's
            begun.wait()
            if kind == "SocketMethods" and name.startswith("recv"):
                until(lambda it=it: it.subject.connection.waiters)  # type: ignore[misc]  # a loop's lambda
            else:
                until(lambda calls=calls: min(calls))  # type: ignore[misc]  # a loop's lambda
            close(it, kind)
            for user in users:
                user.result()
            with pytest.raises((pyossl.Error, SSL.Error, OSError)):
                call(it, kind, name)


# The GIL


@each([method for method in PUBLIC if method[0] in ("ConnectionMethods", "EventLoopMethods")])
def test_a_method_that_waits_for_a_callback_of_another_thread_lets_it_run(kind: str, name: str) -> None:
    """The callback needs the GIL, and its thread has the connection's lock."""
    in_callback, may_end = threading.Event(), threading.Event()
    blocks: list[int] = []

    def callback(_: pyossl.Message) -> None:
        if blocks and blocks.pop():
            in_callback.set()
            assert may_end.wait(SECONDS)

    with ended_if_it_hangs(), ready(kind, message_callback=callback) as it:
        blocks.append(1)
        send = it.subject.write if kind == "ConnectionMethods" else it.subject.send
        first = Task(lambda: send(b"first"))
        assert in_callback.wait(SECONDS)
        begins = threading.Event()

        def second() -> Any:
            begins.set()
            with contextlib.suppress(pyossl.Error):
                return call(it, kind, name)

        calling = Task(second)
        assert begins.wait(SECONDS)
        calling._thread.join(0.05)
        assert calling._thread.is_alive()  # this thread runs, and that one waits for the lock
        may_end.set()
        assert first.result() == 5
        calling.result()


@each([method for method in PUBLIC if method[0] in ("ConnectionMethods", "EventLoopMethods")])
def test_a_method_of_the_same_connection_in_its_callback_is_refused_or_works(kind: str, name: str) -> None:
    """It does not wait for itself."""
    outcomes: list[object] = []
    is_on: list[Ready] = []

    def callback(_: pyossl.Message) -> None:
        if is_on:
            try:
                outcomes.append(call(is_on.pop(), kind, name))
            except pyossl.UsageError as error:
                outcomes.append(error)

    with ended_if_it_hangs(), ready(kind, message_callback=callback) as it:
        is_on.append(it)
        send = it.subject.write if kind == "ConnectionMethods" else it.subject.send
        assert send(b"first") == 5
        assert outcomes
        assert isinstance(outcomes[0], pyossl.UsageError) or name in ("data_to_send", "receive_data")
        if name != "receive_data":  # the peer's part of a record
            if name == "data_to_send":
                assert it.subject.data_to_send()
            else:
                assert it.sent(5) == b"first"


def test_a_short_call_of_another_connection_in_a_callback() -> None:
    """A thread has the locks of both."""
    inner: list[Ready] = []

    def callback(_: pyossl.Message) -> None:
        if inner:
            it = inner.pop()
            it.fill(b"data")
            assert it.subject.peek() == it.subject.read() == b"data"
            assert it.subject.write(b"inner") == 5
            assert it.sent(5) == b"inner"

    with (
        ended_if_it_hangs(),
        ready("ConnectionMethods", message_callback=callback) as first,
        ready("ConnectionMethods") as second,
    ):
        inner.append(second)
        assert first.subject.write(b"outer") == 5
        assert not inner
        # Another thread can take both locks.
        assert Task(lambda: first.sent(5)).result() == b"outer"
        assert Task(lambda: second.subject.write(b"x")).result() == 1


@pytest.mark.parametrize("name", ["recv", "recv_into", "send", "sendall"])
def test_a_socket_that_waits_lets_other_threads_run(name: str) -> None:
    with ended_if_it_hangs(), ready("SocketMethods") as it:
        argument: Any = {"recv": 10, "recv_into": bytearray(10)}.get(name, bytes(20_000_000))
        waiting = Task(lambda: getattr(it.subject, name)(argument))
        until(lambda: it.subject.connection.waiters)
        assert sum(Task(lambda: sum(range(1000))).result() for _ in range(10)) == 4995000
        if name.startswith("recv"):
            it.fill(b"data")
        else:
            it.sent(20_000_000)
        waiting.result()


# Forks

forks = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system"),
    pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning"),  # Python 3.12 warns about threads
]


def uses_its_own() -> None:
    """What a child can do: with a connection of its own, everything."""
    client, server = meet(CLIENT, SERVER)
    record = client.encrypt(b"the child's")
    assert isinstance(record, bytes)
    assert server.decrypt(record) == b"the child's"
    with ready("FaceMethods") as it:
        it.fill(b"data")
        assert it.subject.recv(10) == b"data"


class TestForks:
    pytestmark = forks

    def test_while_threads_make_short_calls(self) -> None:
        """The child is refused their connections, and makes its own."""
        with contextlib.ExitStack() as stack:
            used = [stack.enter_context(ready(kind)) for kind in ("ConnectionMethods", "ConnectionMethods")]
            ends = threading.Event()

            def exchange(it: Ready) -> None:
                while not ends.is_set():
                    it.subject.write(b"short")
                    assert it.sent(5) == b"short"
                    assert it.subject.decrypt(it.record(b"answer")) == b"answer"

            users = [Task(lambda it=it: exchange(it)) for it in used]  # type: ignore[misc]  # a loop's lambda

            def child() -> None:
                for it in used:
                    for refused in (lambda: it.subject.write(b"x"), it.subject.read, it.subject.data_to_send):  # noqa: B023
                        with pytest.raises(pyossl.UsageError, match="forked"):
                            refused()
                uses_its_own()

            for _ in range(10):
                in_a_child(child)
            ends.set()
            for user in users:
                user.result()

    @pytest.mark.parametrize("forks_itself", [True, False])
    def test_in_a_callback_of_a_short_call(self, forks_itself: bool) -> None:
        """The child has only the thread that forks, which makes connections of its own."""
        in_callback, may_end = threading.Event(), threading.Event()
        is_on: list[int] = []

        def callback(_: pyossl.Message) -> None:
            if is_on:
                is_on.pop()
                if forks_itself:
                    in_a_child(uses_its_own)
                else:
                    in_callback.set()
                    assert may_end.wait(SECONDS)

        with ready("ConnectionMethods", message_callback=callback) as it:
            is_on.append(1)
            if forks_itself:
                assert it.subject.write(b"short") == 5
            else:
                writing = Task(lambda: it.subject.write(b"short"))
                assert in_callback.wait(SECONDS)
                in_a_child(uses_its_own)
                may_end.set()
                assert writing.result() == 5
            assert it.sent(5) == b"short"


# The end of the interpreter

AT_EXIT = """
import builtins, os
import pyossl
from served import Task, tls_pair, until
authority = pyossl.Authority()
own = authority.issue("example.com")
servers = pyossl.Context.server(own.certificate, own.private_key)
clients = pyossl.Context.client(trust=authority.certificate)
kept = [tls_pair(clients, servers) for _ in range(4)]
(one, _), (two, _), (three, _), (four, peer) = kept
peer.sendall(b"data")
waiting = [
    Task(lambda: one.recv(10)), Task(lambda: two.recv_into(bytearray(10))),
    Task(lambda: three.sendall(bytes(50_000_000))),
]
until(lambda: all(tls.connection.waiters for tls in (one, two, three)))

class Last:
    def __init__(self): self.cycle, self.tls, self.write = self, four, os.write
    def __del__(self):
        self.write(1, b"%s %d" % (self.tls.recv(4), self.tls.send(b"x")))

builtins.last = Last()  # freed with the last module
"""


def test_methods_that_wait_in_daemon_threads_and_are_called_by_the_last_finalizer_do_not_crash() -> None:
    done = subprocess.run(
        [sys.executable, "-c", AT_EXIT],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1]), "PYTHONWARNINGS": "ignore::ResourceWarning"},
    )
    assert (done.returncode, done.stderr) == (0, ""), done
    assert done.stdout == "data 1"
