"""An exception in a callback is parked, fails the handshake, and is raised again by the program's call.

docs/pitfalls.md, 16"""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from collections.abc import Callable

import pytest
from pairs import carry, shake_hands

import pyossl
from pyossl import Message, Want


class OnPurposeError(Exception):
    pass


def raising(error: BaseException, name: str) -> Callable[[Message], None]:
    def callback(message: Message) -> None:
        if message.name == name:
            raise error

    return callback


@pytest.mark.feature("exceptions in callbacks raised by the call")
@pytest.mark.parametrize("kind", [OnPurposeError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_an_exception_is_raised_again_itself_by_the_users_call(
    client_context: pyossl.Context, kind: type[BaseException]
) -> None:
    """docs/pitfalls.md, 16, the table: pyOpenSSL prints an info callback's exception, and the handshake goes on."""
    error = kind("on purpose")
    client = pyossl.Connection(client_context, "example.com", message_callback=raising(error, "ClientHello"))
    with pytest.raises(kind) as caught:
        client.handshake()
    assert caught.value is error
    assert caught.traceback[-1].name == "callback"


def test_a_connection_whose_callback_raised_is_dead(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    """docs/pitfalls.md, 16: it fails closed."""
    callback = raising(OnPurposeError(), "Certificate")
    client = pyossl.Connection(client_context, "example.com", message_callback=callback)
    server = pyossl.Connection(server_context)
    with pytest.raises(OnPurposeError):
        shake_hands(client, server)
    assert client.failure is not None
    for call in (client.handshake, client.read, lambda: client.write(b"x"), client.shutdown):
        with pytest.raises(pyossl.Error, match="a callback raised an exception"):
            call()


def test_the_first_exception_is_the_one_that_is_raised(client_context: pyossl.Context) -> None:
    errors = [OnPurposeError(str(n)) for n in range(10)]
    raised: list[OnPurposeError] = []

    def callback(message: Message) -> None:
        raised.append(errors[len(raised)])
        raise raised[-1]

    client = pyossl.Connection(client_context, "example.com", message_callback=callback)
    with pytest.raises(OnPurposeError) as caught:
        client.handshake()
    assert caught.value is errors[0]
    assert len(raised) == 1, "a callback is not called again after it has raised"


def test_nothing_is_printed_when_a_callback_raises(
    client_context: pyossl.Context, capfd: pytest.CaptureFixture[str]
) -> None:
    """docs/pitfalls.md, 16."""
    client = pyossl.Connection(client_context, "example.com", message_callback=raising(OnPurposeError(), "ClientHello"))
    with pytest.raises(OnPurposeError):
        client.handshake()
    assert capfd.readouterr() == ("", "")


def test_an_exception_while_reading_comes_from_the_read(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    callback = raising(OnPurposeError(), "Alert")
    client = pyossl.Connection(client_context, "example.com", message_callback=callback)
    server = pyossl.Connection(server_context)
    shake_hands(client, server)
    assert client.read() is Want.READ
    server.shutdown()
    carry(client, server)
    with pytest.raises(OnPurposeError):
        client.read()


def test_one_connections_exception_is_not_anothers(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    """docs/pitfalls.md, 19: each SSL finds its own Python object."""
    failing = pyossl.Connection(
        client_context, "example.com", message_callback=raising(OnPurposeError(), "ClientHello")
    )
    seen: list[Message] = []
    healthy = pyossl.Connection(client_context, "example.com", message_callback=seen.append)
    with pytest.raises(OnPurposeError):
        failing.handshake()
    shake_hands(healthy, pyossl.Connection(server_context))
    assert seen
    assert healthy.failure is None


def test_a_callback_goes_when_its_connection_goes(client_context: pyossl.Context) -> None:
    """docs/pitfalls.md, 18: it lives as long as the SSL, and no longer."""

    class Callback:
        def __call__(self, message: Message) -> None: ...

    callback = Callback()
    gone = weakref.ref(callback)
    client = pyossl.Connection(client_context, "example.com", message_callback=callback)
    del callback
    gc.collect()
    assert gone() is not None
    del client
    gc.collect()
    assert gone() is None


def test_a_process_ends_quietly_with_connections_open_and_threads_in_callbacks() -> None:
    """docs/pitfalls.md, 24: "finalisers and daemon threads race `OPENSSL_cleanup`"."""
    script = """
import socket, threading, pyossl
context = pyossl.Context.client(verify=False)
started = threading.Event()
def block():
    connection = pyossl.Connection(
        context, bio=pyossl.BIO.socket(ours), message_callback=lambda message: started.set()
    )
    connection.handshake()
ours, theirs = socket.socketpair()
threading.Thread(target=block, daemon=True).start()
started.wait(10)
kept = pyossl.Connection(context)
kept.handshake()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_child_does_not_touch_its_parents_connection() -> None:
    """docs/pitfalls.md, 23: "the child never sends on an inherited SSL; it drops it without shutdown"."""
    script = """
import os, pyossl
context = pyossl.Context.client(verify=False)
connection = pyossl.Connection(context)
assert connection.handshake() is pyossl.Want.READ
child = os.fork()
if child == 0:
    refused = 0
    for call in (connection.handshake, connection.read, lambda: connection.write(b"x"), connection.shutdown):
        try:
            call()
        except pyossl.UsageError as error:
            refused += "forked" in str(error)
    connection.close()
    del connection
    fresh = pyossl.Connection(context).handshake() is pyossl.Want.READ
    os._exit(7 if refused == 4 and fresh else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
assert len(connection.data_to_send()) > 100
assert connection.handshake() is pyossl.Want.READ
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
