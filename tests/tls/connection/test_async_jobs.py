"""Handshakes in asynchronous jobs, which a provider pauses while it waits for a device."""

from __future__ import annotations

import gc
import os
import resource
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from marks import VERSIONS, measures_memory
from pairs import carry, shake_hands
from pausing import Pausing, build, device_answers
from served import Task, in_a_child

import pyossl
from pyossl import Connection, Context, Modes, UsageError, Want, lib
from pyossl.errors import NotDueError
from pyossl.pyopenssl import SSL
from pyossl.tls.mutable.mutable_context import Method, MutableContext


@pytest.fixture
def server_context(jobs_context: Context) -> Context:
    return jobs_context


@pytest.fixture
def paused(client_context: Context, server_context: Context) -> tuple[Connection, Connection]:
    """A client, and a server whose signature is paused."""
    client, server = Connection(client_context, "example.com"), Connection(server_context)
    return start(client, server)


def start(client: Connection, server: Connection) -> tuple[Connection, Connection]:
    want = None
    for _ in range(4):
        assert client.handshake() is Want.READ
        carry(client, server)
        want = server.handshake()
        carry(client, server)
        if want is Want.ASYNC:
            return client, server
    raise AssertionError(f"the server was not paused, but wants {want}")


@pytest.mark.feature("handshakes that an engine or a provider pauses")
@VERSIONS
def test_a_handshake_is_paused_and_goes_on(
    version: pyossl.Version, client_context: Context, server_context: Context, pausing: Pausing
) -> None:
    client_context.maximum_version = version
    client, server = start(Connection(client_context, "example.com"), Connection(server_context))
    before = pausing.pauses
    assert server.handshake() is Want.ASYNC  # the device has not answered
    assert pausing.pauses == before + 1
    device_answers(server)
    shake_hands(client, server)
    assert client.version == version.name.replace("_", ".")
    assert server.async_fds == ()
    client.write(b"question")
    carry(client, server)
    assert server.read() == b"question"
    server.write(b"answer")
    carry(client, server)
    assert client.read() == b"answer"


def test_a_read_and_a_write_go_on_with_the_handshake_first(paused: tuple[Connection, Connection]) -> None:
    """docs/pitfalls.md, 75"""
    client, server = paused
    assert server.read() is Want.ASYNC
    assert server.peek() is Want.ASYNC
    assert server.write(b"early answer") is Want.ASYNC
    assert server.read_into(bytearray(10)) is Want.ASYNC
    with pytest.raises(NotDueError, match="not finished"):
        server.shutdown()
    with pytest.raises(UsageError, match="has begun without early data"):
        server.read_early_data()
    with pytest.raises(NotDueError, match="not finished"):
        server.update_keys()
    device_answers(server)
    assert server.read() is Want.READ
    shake_hands(client, server)
    assert server.write(b"answer") == 6
    carry(client, server)
    assert client.read() == b"answer"


def test_questions_about_a_paused_connection_are_answered(paused: tuple[Connection, Connection]) -> None:
    _, server = paused
    assert not server.is_handshake_finished
    assert server.pending == 0
    assert server.version in ("TLSv1.2", "TLSv1.3")
    assert "Connection server" in repr(server)


def test_only_the_thread_that_began_goes_on(paused: tuple[Connection, Connection]) -> None:
    client, server = paused
    errors = []

    def in_thread() -> None:
        for call in (server.handshake, server.read, server.accept, lambda: server.write(b"x")):
            try:
                call()
            except UsageError as error:
                errors.append(str(error))

    thread = threading.Thread(target=in_thread)
    thread.start()
    thread.join()
    assert len(errors) == 4
    assert "only the thread that began it can go on" in errors[0]
    device_answers(server)
    shake_hands(client, server)


def test_another_thread_may_use_it_after_the_handshake(paused: tuple[Connection, Connection]) -> None:
    client, server = paused
    device_answers(server)
    shake_hands(client, server)
    client.write(b"data")
    carry(client, server)
    read: list[Any] = []
    thread = threading.Thread(target=lambda: read.append(server.read()))
    thread.start()
    thread.join()
    assert read == [b"data"]


def test_python_runs_outside_of_the_job(authority: pyossl.Authority, server_context: Context) -> None:
    """A callback has the whole stack of the thread: in a job it would have 32 KiB (docs/pitfalls.md, 75)."""
    seen: list[str] = []

    def deep(level: int = 400) -> int:
        return level and 1 + max([deep(level - 1)], key=lambda each: each)

    def choose(connection: Connection, protocols: Any) -> str:
        assert deep() == 400
        assert repr(eval("[" * 80 + "]" * 80))
        seen.append("alpn")
        return "h2"

    client_context = Context.client(trust=authority.certificate, alpn=["h2"])
    server_context.alpn_callback = choose
    server_context.servername_callback = lambda connection, name: seen.append(f"name {deep()}")
    server_context.keylog_callback = lambda connection, line: seen.append(f"keylog {deep()}")
    server_context.info_callback = lambda connection, where, value: seen.append(f"info {deep()}")
    client, server = Connection(client_context, "example.com"), Connection(server_context)
    start(client, server)
    device_answers(server)
    shake_hands(client, server)
    assert {"alpn", "name 400", "keylog 400", "info 400"} <= set(seen)


def test_an_exception_of_a_callback_ends_the_handshake(client_context: Context, server_context: Context) -> None:
    def refuse(connection: Connection, name: str | None) -> None:
        raise LookupError("no such name")

    server_context.servername_callback = refuse
    client, server = Connection(client_context, "example.com"), Connection(server_context)
    client.handshake()
    carry(client, server)
    with pytest.raises(LookupError, match="no such name"):
        server.handshake()
    with pytest.raises(pyossl.TLSError):
        server.handshake()
    assert server.async_fds == ()


def test_a_callback_that_cannot_be_called_ends_the_handshake(
    authority: pyossl.Authority, server_context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAUSING_FORBIDDEN", "1")
    client_context = Context.client(trust=authority.certificate, maximum_version=pyossl.Version.TLSv1_3)
    asked: list[str] = []
    server_context.keylog_callback = lambda connection, line: asked.append(line)

    def in_thread() -> None:  # no job of the thread can be paused any more
        client, server = Connection(client_context, "example.com"), Connection(server_context)
        client.handshake()
        carry(client, server)
        server.handshake()

    with pytest.raises(pyossl.TLSError):
        Task(in_thread).result()
    assert all("TRAFFIC_SECRET_0" not in line for line in asked)


def test_errors_from_before_a_pause_are_reported(
    client_context: Context, server_context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread's error queue is empty while a job is paused, and other connections use it meanwhile."""
    monkeypatch.setenv("PAUSING_AND_FAILING", "1")
    _, server = start(Connection(client_context, "example.com"), Connection(server_context))
    start(Connection(client_context, "example.com"), Connection(server_context))
    device_answers(server)
    with pytest.raises(pyossl.TLSError) as caught:
        server.handshake()
    assert caught.value.records[0].code & 0xFFF == 77
    assert len(caught.value.records) > 1


def test_a_callback_makes_handshakes_in_jobs_of_its_own(
    client_context: Context, server_context: Context, pausing: Pausing, credentials: pyossl.Credentials
) -> None:
    inner_context = pausing.server(credentials)
    inner: list[tuple[Connection, Connection]] = []

    def nested(connection: Connection, name: str | None) -> None:
        with pytest.raises(UsageError, match="a callback cannot"):
            connection.handshake()
        inner.append(start(Connection(client_context, "example.com"), Connection(inner_context)))
        device_answers(inner[0][1])
        shake_hands(*inner[0])

    server_context.servername_callback = nested
    client, server = start(Connection(client_context, "example.com"), Connection(server_context))
    device_answers(server)
    shake_hands(client, server)
    inner[0][0].write(b"inside")
    carry(*inner[0])
    assert inner[0][1].read() == b"inside"


def test_a_callback_without_an_answer(client_context: Context, server_context: Context) -> None:
    answers: list[Any] = [Want.CLIENT_HELLO, Want.CLIENT_HELLO, None]
    server_context.client_hello_callback = lambda connection, hello: answers.pop(0)
    client, server = Connection(client_context, "example.com"), Connection(server_context)
    client.handshake()
    carry(client, server)
    assert server.handshake() is Want.CLIENT_HELLO
    assert server.async_fds == ()
    assert server.handshake() is Want.CLIENT_HELLO
    assert server.handshake() is Want.ASYNC
    device_answers(server)
    shake_hands(client, server)


def test_many_handshakes_are_paused_at_once(client_context: Context, server_context: Context) -> None:
    pairs = [start(Connection(client_context, "example.com"), Connection(server_context)) for _ in range(20)]
    assert len({server.async_fds for _, server in pairs}) == 20
    for _, server in reversed(pairs):
        device_answers(server)
    for client, server in pairs:
        shake_hands(client, server)


def test_a_bio_of_the_program(client_context: Context, server_context: Context) -> None:
    """BIOs in Python run outside of the job too."""
    ours, theirs = pyossl.BIO.memory(), pyossl.BIO.memory()

    class Slow(pyossl.PythonBIO):
        def __init__(self, reads: pyossl.BIO, writes: pyossl.BIO) -> None:
            super().__init__()
            self.reads, self.writes = reads, writes

        def read(self, size: int = -1) -> bytes | Want:
            return self.reads.read(size)

        def write(self, data: Any) -> int | Want:
            return self.writes.write(bytes(data))

    client = Connection(client_context, "example.com", bio=Slow(ours, theirs))
    server = Connection(server_context, bio=Slow(theirs, ours))
    client.handshake()
    assert server.handshake() is Want.ASYNC
    device_answers(server)
    for _ in range(4):
        server.handshake()
        client.handshake()
    assert client.is_handshake_finished
    assert server.is_handshake_finished


def test_the_peer_may_be_gone(paused: tuple[Connection, Connection]) -> None:
    _, server = paused
    server.receive_data(b"")
    device_answers(server)
    with pytest.raises(pyossl.TruncationError):
        server.read()


@pytest.mark.parametrize("how", ["close", "drop", "drop in another thread"])
def test_a_paused_connection_is_freed_when_its_job_has_ended(
    how: str, client_context: Context, server_context: Context, pausing: Pausing
) -> None:
    """docs/pitfalls.md, 75"""
    _, server = start(Connection(client_context, "example.com"), Connection(server_context))
    (fd,) = server.async_fds
    ends = pausing.ends
    if how == "close":
        server.close()
        with pytest.raises(UsageError, match="closed"):
            server.handshake()
        with pytest.raises(UsageError, match="closed"):
            server.async_fds  # noqa: B018
    if how == "drop in another thread":
        kept = [server]
        del server
        thread = threading.Thread(target=kept.clear)
        thread.start()
        thread.join()
    else:
        del server
    gc.collect()
    start(Connection(client_context, "example.com"), Connection(server_context))
    assert pausing.ends == ends  # the device has not answered
    os.eventfd_write(fd, 1)  # the descriptor is still open
    start(Connection(client_context, "example.com"), Connection(server_context))
    assert pausing.ends == ends + 1


def drop_the_context_of_a_paused_handshake(folder: str) -> None:
    """Runs in a process of its own, where Python overwrites memory that it frees."""
    pausing = Pausing(build(Path(folder)))
    authority = pyossl.Authority()
    credentials = authority.issue("example.com")
    client_context = Context.client(trust=authority.certificate, alpn=["h2"])
    contexts = [pausing.server(credentials, alpn=["h2"])]
    client, server = start(Connection(client_context, "example.com"), Connection(contexts[0]))
    device_answers(server)
    shake_hands(client, server)
    client.read()
    session = client.session
    assert session is not None
    client, server = Connection(client_context, "example.com", session=session), Connection(contexts.pop())
    pausing.pause_derivations(1)  # for the binder of the session, before the protocol is selected
    start(client, server)
    (fd,) = server.async_fds
    server.close()
    del server
    gc.collect()
    os.eventfd_write(fd, 1)
    start(Connection(client_context, "example.com"), Connection(pausing.server(credentials)))
    assert pausing.ends == 2


@pytest.mark.skipif(not lib.HAVE_PROVIDERS, reason="only the provider of this test pauses so early")
def test_the_context_of_a_paused_connection_may_be_dropped(pausing: Pausing, tmp_path: Path) -> None:
    program = f"import test_async_jobs as test; test.drop_the_context_of_a_paused_handshake({str(tmp_path)!r})"
    folders = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[2])])
    environment = os.environ | {"PYTHONMALLOC": "debug", "PYTHONPATH": folders}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not lib.HAVE_PROVIDERS, reason="only the provider of this test pauses so often")
def test_a_connection_may_be_closed_at_each_pause_of_its_handshake(
    client_context: Context, server_context: Context, pausing: Pausing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAUSING_WITHOUT_FD", "1")

    def reaches_pause(number: int, client: Connection, server: Connection) -> bool:
        """Goes on with the handshake up to this pause; False if it has fewer."""
        pausing.pause_derivations(100)
        while not client.is_handshake_finished or not server.is_handshake_finished:
            client.handshake()
            carry(client, server)
            if server.handshake() is Want.ASYNC:
                number -= 1
            if number == 0:
                return True
            carry(client, server)
        return False

    def in_thread() -> int:
        number, unfinished = 1, pausing.pauses - pausing.ends
        pair = Connection(client_context, "example.com"), Connection(server_context)
        while reaches_pause(number, *pair):
            pair = Connection(client_context, "example.com"), Connection(server_context)
            number += 1
        pausing.pause_derivations(0)
        for _ in range(10):
            shake_hands(*start(Connection(client_context, "example.com"), Connection(server_context)))
        assert pausing.pauses - pausing.ends == unfinished
        return number

    assert Task(in_thread).result() > 5


@measures_memory
def test_closed_paused_connections_leave_nothing_behind(client_context: Context, server_context: Context) -> None:
    def one() -> None:
        _, server = start(Connection(client_context, "example.com"), Connection(server_context))
        device_answers(server)
        server.close()

    for _ in range(50):
        one()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    descriptors = len(os.listdir("/proc/self/fd"))
    for _ in range(500):
        one()
    assert len(os.listdir("/proc/self/fd")) == descriptors
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 8000  # KiB; 500 jobs have 16 MB of stacks


def test_many_closed_paused_connections_do_not_delay_others(
    client_context: Context, server_context: Context, pausing: Pausing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each handshake goes on with a few of them.  Jobs without a descriptor are tried, and this device has answered."""
    monkeypatch.setenv("PAUSING_WITHOUT_FD", "1")

    def begin() -> tuple[Connection, Connection]:
        return start(Connection(client_context, "example.com"), Connection(server_context))

    def in_thread() -> tuple[int, int]:  # a thread has a list of its own
        pairs = [begin() for _ in range(50)]
        pairs.clear()
        gc.collect()
        before = pausing.ends
        pair = begin()
        first = pausing.ends - before
        for _ in range(3):
            shake_hands(*pair)
            pair = begin()
        shake_hands(*pair)
        return first, pausing.ends - before

    assert Task(in_thread).result() == (16, 50 + 4)


def test_a_child_process_leaves_a_paused_handshake_alone(paused: tuple[Connection, Connection]) -> None:
    client, server = paused

    def child() -> None:
        with pytest.raises(UsageError):
            server.handshake()
        with pytest.raises(UsageError):
            server.async_fds  # noqa: B018
        server.close()

    in_a_child(child)
    device_answers(server)
    shake_hands(client, server)


def test_a_thread_ends_with_a_paused_handshake(client_context: Context, server_context: Context) -> None:
    made: list[tuple[Connection, Connection]] = []
    thread = threading.Thread(
        target=lambda: made.append(start(Connection(client_context, "example.com"), Connection(server_context)))
    )
    thread.start()
    thread.join()
    _, server = made.pop()
    device_answers(server)
    with pytest.raises(UsageError, match="thread"):
        server.handshake()
    server.close()
    del server
    gc.collect()
    client, server = start(Connection(client_context, "example.com"), Connection(server_context))
    device_answers(server)
    shake_hands(client, server)


def test_a_device_without_a_descriptor(
    client_context: Context, server_context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAUSING_WITHOUT_FD", "1")
    client, server = Connection(client_context, "example.com"), Connection(server_context)
    start(client, server)
    assert server.async_fds == ()
    shake_hands(client, server)


@VERSIONS
def test_a_client_that_makes_jobs(
    version: pyossl.Version, client_context: Context, server_context: Context, paused: Any
) -> None:
    """Nothing pauses its handshake, and reads and writes begin it."""
    client_context = Context.client(verify=False, maximum_version=version)
    client_context.modes |= Modes.ASYNC
    client, server = Connection(client_context), Connection(server_context)
    assert client.read() is Want.READ
    carry(client, server)
    assert server.handshake() is Want.ASYNC
    device_answers(server)
    shake_hands(client, server)
    assert client.async_fds == ()


def test_it_is_frozen_with_the_other_settings(client_context: Context) -> None:
    Connection(client_context, "example.com")
    with pytest.raises(UsageError, match="frozen"):
        client_context.modes |= Modes.ASYNC


def test_an_openssl_without_jobs_refuses_the_mode(client_context: Context) -> None:
    assert bool(lib.pyossl_has_async_jobs()) == pyossl.features.async_jobs
    if lib.pyossl_has_async_jobs():
        client_context.modes |= Modes.ASYNC
        assert client_context.modes & Modes.ASYNC
        client_context.modes &= ~Modes.ASYNC
        assert not client_context.modes & Modes.ASYNC
    else:
        with pytest.raises(pyossl.UnsupportedError, match="asynchronous jobs"):
            client_context.modes |= Modes.ASYNC


def test_a_context_that_may_change_later_refuses_the_mode() -> None:
    with pytest.raises(ValueError, match=r"Modes\.ASYNC"):
        MutableContext(Method.TLS, live=True).add_modes(Modes.ASYNC)
    with pytest.raises(ValueError, match=r"Modes\.ASYNC"):
        SSL.Context(SSL.TLS_METHOD).set_mode(int(Modes.ASYNC))
