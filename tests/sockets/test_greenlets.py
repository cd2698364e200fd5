"""In a program of greenlets another greenlet runs while a call waits.  greenlet_program.py is the program."""

from __future__ import annotations

import functools
import importlib.util
import select
import socket
import subprocess
import sys
from pathlib import Path
from types import FunctionType

import pytest
from served import SECONDS, Task, tls_pair

import pyossl
import pyossl.greenlets
from pyossl import Want
from pyossl.sockets import polling, wait_hook

SCENARIOS = (
    "both_ways_of_meeting",
    "reads",
    "writes",
    "files",
    "renegotiations",
    "limits",
    "closes",
    "ends",
    "refusals",
    "another_greenlet_runs",
    "all",
)


@functools.cache
def done_under(hub: str, how: str) -> tuple[list[str], str]:
    """The scenarios that succeeded, and the message of the first that failed."""
    program = Path(__file__).with_name("greenlet_program.py")
    process = subprocess.Popen(
        [sys.executable, str(program), hub, how], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        said, complaint = process.communicate(timeout=SECONDS * 2)
    except subprocess.TimeoutExpired:
        process.kill()
        said, complaint = process.communicate()
        complaint += "it stands still"
    return said.split(), complaint


@pytest.mark.feature("sockets that wait in the hub of gevent or eventlet")
@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("how", ["plain", "patched"])
@pytest.mark.parametrize("hub", ["gevent", "eventlet"])
def test_another_greenlet_runs_while_a_call_waits(hub: str, how: str, scenario: str) -> None:
    if importlib.util.find_spec(hub) is None:
        pytest.skip(f"there is no {hub} for this Python")
    went_well, complaint = done_under(hub, how)
    assert scenario in went_well, complaint


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, Want, float | None]]:
    """Sets a wait of the program's own until the test ends; the calls that it got."""
    seen: list[tuple[int, Want, float | None]] = []

    def wait(descriptor: int, want: Want, seconds: float | None) -> None:
        seen.append((descriptor, want, seconds))
        readers, writers = ([descriptor], []) if want is Want.READ else ([], [descriptor])
        select.select(readers, writers, [], seconds)

    monkeypatch.setattr("pyossl.sockets.socket.socket_class", pyossl.sockets.socket.socket_class)
    monkeypatch.setattr(wait_hook, "wait", None)
    pyossl.greenlets.wait_with(wait)
    return seen


def test_a_wait_of_the_programs_own_is_called_for_every_wait(
    asked: list[tuple[int, Want, float | None]], client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    client, server = tls_pair(client_context, server_context)
    with client, server:
        asked.clear()
        client.settimeout(SECONDS)
        reading = Task(lambda: client.recv(10))
        while not asked:
            pass
        server.sendall(b"data")
        assert reading.result() == b"data"
        descriptor, want, seconds = asked[0]
        assert (descriptor, want) == (client.fileno(), Want.READ)
        assert seconds is not None
        assert 0 < seconds <= SECONDS


def test_an_exception_of_the_wait_is_raised_from_the_call_and_the_call_can_be_repeated(
    asked: list[tuple[int, Want, float | None]], client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    client, server = tls_pair(client_context, server_context)
    own, raised = wait_hook.wait, KeyError("the program's")

    def wait(descriptor: int, want: Want, seconds: float | None) -> None:
        raise raised

    with client, server:
        pyossl.greenlets.wait_with(wait)
        with pytest.raises(KeyError) as caught:
            client.recv(1)
        assert caught.value is raised
        pyossl.greenlets.wait_with(own)
        server.sendall(b"x")
        assert client.recv(1) == b"x"


def test_bytes_of_the_peer_do_not_shorten_a_wait_for_a_callback(
    asked: list[tuple[int, Want, float | None]], client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    """A client could keep the hub busy by sending more than its ClientHello."""
    server_context.client_hello_callback = lambda connection, hello: Want.CLIENT_HELLO
    client = pyossl.Connection(client_context, "example.com")
    client.handshake()
    ours, theirs = socket.socketpair()
    with ours, server_context.wrap_socket(theirs, handshake=False) as server:
        ours.sendall(client.data_to_send() + b"more")
        server.settimeout(0.2)
        with pytest.raises(TimeoutError):
            server.handshake()
        assert 1 < len(asked) <= 25  # one for each 10 milliseconds


def test_of_several_readers_the_wait_gets_the_first(asked: list[tuple[int, Want, float | None]]) -> None:
    """A listener's client is not delayed while the hub waits for the descriptor that wakes the thread."""
    with socket.socket() as first, socket.socket() as second:
        for sock in (first, second):
            sock.bind(("127.0.0.1", 0))
            sock.listen()
        assert polling.ready((first.fileno(), second.fileno()), (), 0.12) == set()
        assert len(asked) > 1
        assert {descriptor for descriptor, _, _ in asked} == {first.fileno()}


def test_no_method_that_waits_is_forgotten() -> None:
    """A method that passes the timeout to C would not wait at all: in C it is 0."""
    given_to_c = {
        name
        for kind in pyossl.Socket.__mro__
        for name, each in vars(kind).items()
        if isinstance(each, FunctionType) and "_timeout" in each.__code__.co_names
    }
    called_in_steps, not_a_call = {"_sends_close_notify"}, {"_unfinished"}
    assert given_to_c - vars(pyossl.greenlets.GreenSocket).keys() == called_in_steps | not_a_call


def test_a_wait_is_a_function() -> None:
    with pytest.raises(TypeError, match="a wait is a function or None, not int"):
        pyossl.greenlets.wait_with(1)  # type: ignore[arg-type]
    assert wait_hook.wait is None


def test_sockets_wait_in_c_if_the_program_has_set_no_wait(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    client, server = tls_pair(client_context, server_context)
    with client, server:
        assert type(client) is type(server) is pyossl.Socket
