"""``_SSLSocket``: handshake, waiting, the ends of a connection, and what was negotiated."""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import socket
import struct
import threading
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from served import Task
from stdlib.ssl_over_pyossl import (
    SECONDS,
    MemoryPair,
    client_context,
    pair,
    server_context,
    ssl,
)

from pyossl.core import lib
from pyossl.core.methods_in_c import state_of
from pyossl.stdlib import functions, python_versions

SOON = 0.05


@contextlib.contextmanager
def open_pair(**settings: Any) -> Iterator[tuple[Any, Any]]:
    """A pair whose client has read the session tickets."""
    with pair(**settings) as (client, server):
        client.settimeout(SECONDS)
        server.sendall(b"!")
        assert client.recv(1) == b"!"
        yield client, server


# Waiting


def test_a_socket_that_does_not_block_says_what_it_waits_for() -> None:
    with open_pair() as (client, server):
        client.setblocking(False)
        for call in (client.recv, client.read, client._sslobj.read):
            with pytest.raises(ssl.SSLWantReadError) as caught:
                call(1)
            assert caught.value.args[0] == ssl.SSL_ERROR_WANT_READ
            assert (caught.value.reason, caught.value.library) == (None, None)
        with pytest.raises(ssl.SSLWantWriteError):
            _fill(client)
        assert server.recv(1) == b"x"


def test_a_write_that_would_wait_is_repeated_as_a_whole() -> None:
    data = os.urandom(3_000_000)
    with open_pair() as (client, server):
        reading = Task(lambda: _read_all(server, len(data)))
        client.setblocking(False)
        for _ in range(1_000_000):
            try:
                client.sendall(data)
                break
            except ssl.SSLWantWriteError:
                _writable(client)
        assert reading.result() == data


def test_another_write_than_the_one_to_repeat_is_refused() -> None:
    with open_pair() as (client, _):
        client.setblocking(False)
        with pytest.raises(ssl.SSLWantWriteError):
            client.send(os.urandom(5_000_000))
        for other in (b"short", os.urandom(5_000_000)):
            with pytest.raises(ssl.SSLError) as caught:
                client.send(other)
            assert caught.value.reason == "BAD_WRITE_RETRY"


def _fill(sock: Any) -> None:
    """Sends until the peer, which does not read, takes no more."""
    for _ in range(1000):
        sock.send(b"x" * 65536)


def _writable(sock: Any) -> None:
    assert select.select([], [sock], [], SECONDS)[1]


def _read_all(sock: Any, size: int) -> bytes:
    got = bytearray()
    while len(got) < size and (more := sock.recv(65536)):
        got += more
    return bytes(got)


def test_a_timeout_limits_each_call() -> None:
    with open_pair() as (client, _):
        client.settimeout(SOON)
        with pytest.raises(TimeoutError, match=r"^The read operation timed out$"):
            client.recv(1)
        with pytest.raises(TimeoutError, match=r"^The write operation timed out$"):
            _fill(client)
        assert client._sslobj is not None


def test_a_handshake_has_the_timeout_too() -> None:
    first, second = socket.socketpair()
    with first, second:
        first.settimeout(SOON)
        with pytest.raises(TimeoutError, match=r"The handshake operation timed out$"):
            client_context().wrap_socket(first, server_hostname="localhost")


def test_a_shutdown_has_the_timeout_too() -> None:
    with open_pair() as (client, _):
        client.settimeout(SOON)
        with pytest.raises(TimeoutError, match=r"^The read operation timed out$"):
            client.unwrap()


class Unlimited(ssl.SSLSocket):  # type: ignore[misc]  # ssl is Any here
    def gettimeout(self) -> None:
        return None


@pytest.mark.parametrize("method", ["recv", "read"])
def test_the_timeout_of_the_socket_counts_and_not_that_of_a_subclass(method: str) -> None:
    context = client_context()
    context.sslsocket_class = Unlimited
    with open_pair(client=context) as (client, _):
        assert isinstance(client, Unlimited)
        client.settimeout(SOON)
        with pytest.raises(TimeoutError):
            getattr(client, method)(1)


@pytest.mark.parametrize("timeout", [None, SECONDS])
def test_a_signal_handler_ends_a_wait_by_raising(timeout: float | None) -> None:
    def handle(*_: object) -> None:
        raise KeyboardInterrupt

    with open_pair() as (client, server):
        client.settimeout(timeout)
        before = signal.signal(signal.SIGUSR1, handle)
        try:
            ended = threading.Event()
            sending = Task(lambda: _send_signals(ended))
            with pytest.raises(KeyboardInterrupt):
                client.recv(1)
            ended.set()
            sending.result()
        finally:
            signal.signal(signal.SIGUSR1, before)
        server.sendall(b"still here")
        assert client.recv(100) == b"still here"


def _send_signals(ended: threading.Event) -> None:
    """One signal: the first that comes while the main thread waits."""
    threading.Event().wait(0.2)
    if not ended.is_set():
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)


def test_a_reader_and_a_writer_do_not_wait_for_each_other() -> None:
    data = os.urandom(2_000_000)
    with open_pair() as (client, server):
        client.settimeout(None)
        server.settimeout(None)
        tasks = [Task(partial(_read_all, each, len(data))) for each in (client, server)]
        writes = [Task(partial(each.sendall, data)) for each in (client, server)]
        assert [task.result() for task in tasks] == [data, data]
        for write in writes:
            write.result()


# The ends


def test_a_peer_that_closes_without_close_notify_ends_the_reading() -> None:
    with open_pair() as (client, server):
        server.close()
        assert client.recv(10) == b""
        assert client.recv_into(bytearray(10)) == 0


def test_an_end_without_close_notify_is_an_error_if_that_is_wanted() -> None:
    with open_pair(suppress_ragged_eofs=False) as (client, server):
        server.close()
        for call in (lambda: client.recv(10), lambda: client.recv_into(bytearray(10)), lambda: client.read(10)):
            with pytest.raises(ssl.SSLEOFError) as caught:
                call()
            assert caught.value.args[0] == ssl.SSL_ERROR_EOF


def test_after_an_end_without_close_notify_sendfile_fails_with_it() -> None:
    with open_pair(suppress_ragged_eofs=False) as (client, server):
        state = state_of(client._sslobj)
        with pytest.raises(ssl.SSLError, match="kernel TLS is not in use"):
            state.sendfile(0, 0, 1)
        server.close()
        with pytest.raises(ssl.SSLEOFError):
            client.recv(1)
        with pytest.raises(ssl.SSLEOFError):
            state.sendfile(0, 0, 1)


def test_a_reset_is_what_this_python_makes_of_it() -> None:
    """docs/pitfalls.md, 59."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        accepting = Task(lambda: listener.accept()[0])
        plain = socket.create_connection(listener.getsockname(), SECONDS)
        accepted = accepting.result()
        accepted.settimeout(SECONDS)
        serving = Task(lambda: server_context().wrap_socket(accepted, server_side=True))
        with client_context().wrap_socket(plain, server_hostname="localhost") as client:
            server = serving.result()
            server.sendall(b"!")
            assert client.recv(1) == b"!"
            server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            server.close()
            if python_versions.FAILED_READ_IS_EOF:
                assert client.recv(1) == b""
            else:
                with pytest.raises(ConnectionResetError):
                    client.recv(1)


def test_both_sides_shut_down_and_get_their_sockets_back() -> None:
    with open_pair() as (client, server):
        unwrapping = Task(server.unwrap)
        assert client.recv(10) == b""
        raw = client.unwrap()
        other = unwrapping.result()
        raw.sendall(b"plain")
        assert other.recv(10) == b"plain"
        assert client._sslobj is None


def test_a_read_after_both_close_notify_is_an_error() -> None:
    memory = MemoryPair().handshake()
    with contextlib.suppress(ssl.SSLWantReadError):
        memory.server.unwrap()
    assert memory.client.read(1) == b""
    memory.client.unwrap()
    memory.server.unwrap()
    with pytest.raises(ssl.SSLZeroReturnError) as caught:
        memory.server.read(1)
    assert caught.value.args[0] == ssl.SSL_ERROR_ZERO_RETURN


def test_a_closed_socket_cannot_be_shut_down() -> None:
    with open_pair() as (client, _):
        below = client._sslobj
        client.close()
        with pytest.raises(ssl.SSLError, match="Underlying socket connection gone"):
            below.shutdown()


def test_a_connection_without_its_socket_is_an_error() -> None:
    first, second = socket.socketpair()
    with second:
        below = client_context()._wrap_socket(first, False, "localhost")
        first.close()
        del first
        gc.collect()
        for call in (below.do_handshake, below.shutdown, lambda: below.read(1), lambda: below.write(b"x")):
            with pytest.raises(ssl.SSLError, match="Underlying socket connection gone"):
                call()


def test_a_connection_ends_with_its_last_reference() -> None:
    gc.disable()
    try:
        with open_pair() as (client, _):
            weak = [weakref.ref(each) for each in (client._sslobj, state_of(client._sslobj).tls)]
            client.setblocking(False)
            with contextlib.suppress(ssl.SSLWantReadError):
                client.recv(1)
            with contextlib.suppress(ssl.SSLWantReadError):
                client.unwrap()
            client.close()
        assert [each() for each in weak] == [None, None]
    finally:
        gc.enable()


# What was negotiated


def test_both_sides_agree_on_what_was_negotiated() -> None:
    with open_pair() as (client, server):
        assert client.version() == server.version() == "TLSv1.3"
        assert client.cipher() == server.cipher()
        assert client.cipher() in server.shared_ciphers()
        assert client.get_channel_binding() == server.get_channel_binding()
        assert client.compression() is None
        assert (client.server_side, server.server_side) == (False, True)
        assert client.server_hostname == "localhost"
        states = [state_of(each._sslobj) for each in (client, server)]
        assert states[0].group() == states[1].group()
        assert not any(state.uses_ktls_for_send() or state.uses_ktls_for_recv() for state in states)


def test_the_names_of_algorithms_need_an_openssl_that_has_them() -> None:
    with open_pair() as (client, server):
        states = [state_of(each._sslobj) for each in (client, server)]
        if lib.HAVE_API_3_5:
            assert states[0].group() in state_of(client.context).get_groups(include_aliases=True)
            assert states[0].server_sigalg()
            assert states[0].server_sigalg() == states[1].server_sigalg()
            assert [state.client_sigalg() for state in states] == [None, None]
        else:
            for method in (states[0].client_sigalg, states[0].server_sigalg, state_of(client.context).get_groups):
                with pytest.raises(NotImplementedError, match=r"requires OpenSSL 3\.5 or later"):
                    method()
    if lib.HAVE_API_3_4:
        assert "rsa_pss_rsae_sha256" in functions.get_sigalgs()
    else:
        with pytest.raises(NotImplementedError, match=r"requires OpenSSL 3\.4 or later"):
            functions.get_sigalgs()


def test_nothing_is_negotiated_before_the_handshake() -> None:
    client = MemoryPair().client
    assert (client.version(), client.cipher(), client.shared_ciphers(), client.session) == (None,) * 4
    assert client.selected_alpn_protocol() is None
    assert client.get_channel_binding() is None
    assert state_of(client._sslobj).group() is None
    with pytest.raises(ValueError, match=r"^handshake not done yet$"):
        client.getpeercert()


def test_another_channel_binding_is_refused() -> None:
    below = MemoryPair().client._sslobj
    with pytest.raises(ValueError, match=r"^'tls-exporter' channel binding type not implemented$"):
        below.get_channel_binding("tls-exporter")


def test_the_application_protocol_is_selected_by_the_server() -> None:
    client, server = client_context(), server_context()
    client.set_alpn_protocols(["h2", "http/1.1"])
    server.set_alpn_protocols(["http/1.1"])
    with open_pair(client=client, server=server) as ends:
        assert [each.selected_alpn_protocol() for each in ends] == ["http/1.1"] * 2


def test_chains_are_what_the_peer_sent_and_what_was_verified() -> None:
    with open_pair() as (client, server):
        sent, verified = client._sslobj.get_unverified_chain(), client._sslobj.get_verified_chain()
        assert sent[0] == verified[0]
        assert verified[0].public_bytes(2) == client.getpeercert(True)
        assert server.getpeercert() is None


def test_the_name_is_expected_in_the_certificate() -> None:
    first, second = socket.socketpair()
    second.settimeout(SECONDS)
    first.settimeout(SECONDS)
    serving = Task(lambda: server_context().wrap_socket(second, server_side=True))
    with first, pytest.raises(ssl.SSLCertVerificationError) as caught:
        client_context().wrap_socket(first, server_hostname="elsewhere.example")
    first.close()
    assert "Hostname mismatch, certificate is not valid for 'elsewhere.example'." in str(caught.value)
    assert (caught.value.verify_code, caught.value.reason) == (62, "CERTIFICATE_VERIFY_FAILED")
    with pytest.raises((ssl.SSLError, OSError)):
        serving.result()


@pytest.mark.parametrize("name", ["", ".example.com"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="server_hostname cannot be an empty string or start with a leading dot"):
        client_context()._wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), False, name)


@pytest.mark.parametrize("bios", [(None, None), (b"", b""), (ssl.MemoryBIO(), 1), (1, ssl.MemoryBIO())])
def test_only_memory_bios_are_taken(bios: tuple[Any, Any]) -> None:
    with pytest.raises(TypeError):
        client_context()._wrap_bio(*bios, False)


@pytest.mark.parametrize(("context", "side"), [(client_context, True), (server_context, False)])
def test_the_side_must_be_the_context_s(context: Callable[[], Any], side: bool) -> None:
    with pytest.raises(ssl.SSLError, match=r"Cannot create a (client|server) socket with a PROTOCOL_TLS_\w+ context"):
        context()._wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), side)


# Sessions


def test_a_session_is_resumed() -> None:
    client, server = client_context(), server_context()
    with open_pair(client=client, server=server) as (connected, _):
        session = connected.session
        assert session.has_ticket
        assert not connected.session_reused
    with open_pair(client=client, server=server, session=session) as (connected, accepted):
        assert connected.session_reused
        assert accepted.session_reused
        with pytest.raises(ValueError, match=r"^Cannot set session after handshake.$"):
            connected._sslobj.session = session
        with pytest.raises(ValueError, match=r"^Cannot set session for server-side SSLSocket.$"):
            accepted._sslobj.session = accepted.session
        with pytest.raises(TypeError, match=r"^Value is not a SSLSession.$"):
            connected._sslobj.session = b"session"
    with pytest.raises(ValueError, match=r"^Session refers to a different SSLContext.$"):
        MemoryPair(session=session)


# Callbacks


def test_a_callback_changes_the_context() -> None:
    first, second = server_context(), server_context()
    seen: list[Any] = []

    def choose(connection: Any, name: str, context: Any) -> None:
        seen.append((type(connection), name, context))
        connection.context = second

    first.sni_callback = choose
    with open_pair(server=first) as (_, server):
        assert server.context is second
        assert server._sslobj.context is second
    assert seen == [(ssl.SSLSocket, "localhost", first)]
    with pytest.raises(TypeError, match=r"^The value must be a SSLContext$"):
        MemoryPair().client._sslobj.context = first.sni_callback


def test_the_first_context_ends_when_another_one_has_been_chosen() -> None:
    first, second = server_context(), server_context()
    first.sni_callback = lambda connection, _name, _context: setattr(connection, "context", second)
    weak = weakref.ref(first)
    memory = MemoryPair(server=first).handshake()
    del first
    gc.collect()
    assert memory.server.context is second
    assert weak() is None
    memory.server.write(b"goes on")
    assert memory.client.read(100) == b"goes on"


def test_messages_are_shown_to_the_callback() -> None:
    context, shown = client_context(), []
    context._msg_callback = lambda *arguments: shown.append(arguments)
    with open_pair(client=context) as (client, _):
        connection, direction, version, kind, number, data = shown[0]
        assert connection is client
        assert (direction, version, kind.name, number.name) == ("write", 0x301, "HEADER", "HANDSHAKE")
        assert isinstance(data, bytes)


# Processes


def test_a_child_goes_on_with_a_connection_of_its_parent() -> None:
    with open_pair() as (client, server):
        child = os.fork()
        if child == 0:
            status = 1
            with contextlib.suppress(BaseException):
                server.sendall(b"from the child: " + server.recv(100))
                status = 0
            os._exit(status)
        client.sendall(b"hello")
        assert _read_all(client, 21) == b"from the child: hello"
        assert os.waitpid(child, 0)[1] == 0
