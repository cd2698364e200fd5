"""Functions of libssl without a method of their own are called on a connection, under its lock."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
from pairs import shake_hands
from served import SocketPair, is_free

import pyossl
from pyossl import UsageError, ffi, lib

Pair = tuple[pyossl.Connection, pyossl.Connection]


@pytest.mark.feature("any function of libssl on a connection")
def test_a_function_of_openssl_s_is_called_on_a_connection(connected: Pair) -> None:
    """SSL_get_finished(3): the message that one side sent is the message that the other received."""
    client, server = connected
    sent, received = ffi.new("char[64]"), ffi.new("char[64]")
    length = client.call(lib.SSL_get_finished, sent, 64)
    assert length >= 12
    assert server.call(lib.SSL_get_peer_finished, received, 64) == length
    assert bytes(ffi.buffer(sent)) == bytes(ffi.buffer(received))


def test_no_other_thread_has_the_lock_during_the_call(connected: Pair) -> None:
    """docs/pitfalls.md, 15: "One SSL is used by one thread at a time"."""
    client, _ = connected

    def others_turn(ssl: object) -> bool:
        return is_free(client._c.lock)

    assert client.call(others_turn) is False
    assert client.call(lib.SSL_version) == lib.TLS1_3_VERSION


def test_an_exception_of_the_function_is_raised_and_the_connection_still_works(connected: Pair) -> None:
    client, server = connected

    def fail(ssl: object) -> None:
        raise KeyError("on purpose")

    with pytest.raises(KeyError):
        client.call(fail)
    client.write(b"on")
    server.receive_data(client.data_to_send())
    assert server.read() == b"on"


def test_the_queue_is_emptied_before_the_call_and_keeps_the_function_s_entries(connected: Pair) -> None:
    """docs/pitfalls.md, 1."""
    client, _ = connected
    assert lib.SSL_CTX_set_cipher_list(client.context._ctx, b"NO-SUCH-CIPHER") == 0
    assert lib.ERR_peek_error() != 0
    assert client.call(lambda ssl: lib.ERR_peek_error()) == 0
    result = client.call(lib.SSL_use_PrivateKey, ffi.NULL)
    with pytest.raises(pyossl.Error, match="null parameter"):
        pyossl.errors.check(result, "SSL_use_PrivateKey")


@pytest.mark.parametrize("name", ["SSL_read", "SSL_write_ex", "SSL_free", "SSL_set_bio", "SSL_do_handshake"])
def test_functions_that_would_bypass_the_connection_are_refused(name: str, connected: Pair) -> None:
    with pytest.raises(pyossl.UsageError, match=f"{name} cannot be called in this way"):
        connected[0].call(getattr(lib, name))


def test_every_name_that_is_refused_is_one_of_openssl_s() -> None:
    """So that no name is misspelt; some functions are new."""
    since = {"SSL_sendfile": lib.HAVE_API_3_0, "SSL_write_ex2": lib.HAVE_API_3_3}
    for name in pyossl.tls.connection.connection_call._REFUSED_FUNCTIONS:
        assert hasattr(lib, name) == bool(since.get(name, 1)), name


def test_a_closed_connection_is_refused(connected: Pair) -> None:
    client, _ = connected
    client.close()
    with pytest.raises(pyossl.UsageError, match="closed"):
        client.call(lib.SSL_version)


def test_a_callback_may_call_it(new_pair: Callable[[], Pair], client_context: pyossl.Context) -> None:
    states: list[int] = []
    client_context.info_callback = lambda connection, where, value: states.append(connection.call(lib.SSL_get_state))
    shake_hands(*new_pair())
    assert len(set(states)) > 2


def test_a_close_in_the_middle_of_a_question_waits_for_its_end(connected: Pair) -> None:
    """As a signal handler or a finaliser does: the running call still uses the SSL."""
    client, _ = connected

    def question(ssl: object) -> int:
        client.close()
        assert client.closed
        with pytest.raises(UsageError, match="closed"):
            client.write(b"x")
        return int(lib.SSL_version(ssl))

    assert client.call(question) == lib.TLS1_3_VERSION
    with pytest.raises(UsageError, match="closed"):
        client.call(lib.SSL_version)


def test_a_wait_during_a_call_under_the_lock_is_refused(sockets: SocketPair) -> None:
    """A signal handler may run there, and wait for another thread that needs the lock."""
    client, _ = sockets

    def question(ssl: object) -> None:
        with pytest.raises(UsageError, match="cannot wait"):
            client.recv(1)

    client.connection.call(question)
    client.sendall(b"x")


def test_the_interpreter_ends_while_a_thread_is_in_a_question() -> None:
    """The thread never returns, and has the lock: no other thread waits for it."""
    script = """
import os, sys, threading, time, pyossl
connection = pyossl.Connection(pyossl.Context.client(), "example.com")
class Closer:
    def __init__(self, connection):
        self.connection = connection
    def __del__(self, write=os.write):  # what is left of sys.stdout may not be flushed any more
        try:
            self.connection.close()
        finally:
            write(1, b"the end")
sys.modules["kept to the end"] = Closer(connection)
asked = threading.Event()
def question(ssl):
    asked.set()
    time.sleep(60)
threading.Thread(target=connection.call, args=(question,), daemon=True).start()
asked.wait()
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=50)
    assert (done.returncode, done.stdout) == (0, "the end"), done.stderr
