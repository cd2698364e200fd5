"""What programs do with ``ssl``, over pyossl: forks, threads, signals, rotation of certificates, odd sockets."""

from __future__ import annotations

from pathlib import Path

import pytest
from stdlib.ssl_programs import Run, needs

import pyossl

START = """
import gc, os, signal, socket, sys, threading, time, weakref
import pyossl.stdlib
pyossl.stdlib.install()
import ssl
from exchanges import *
"""


@pytest.mark.feature("a connection that a forked child goes on with")
def test_a_connection_goes_on_in_a_forked_child(run: Run) -> None:
    run(
        START
        + """
first, second = connected()
child = os.fork()
if child == 0:
    try:
        first.sendall(b"from the child")
        assert first.recv(100) == b"to the child"
    except BaseException:
        os._exit(1)
    os._exit(0)
assert second.recv(100) == b"from the child"
second.sendall(b"to the child")
_, status = os.waitpid(child, 0)
assert status == 0
exchange()
"""
    )


def test_contexts_work_in_a_forked_child_and_in_its_parent(run: Run) -> None:
    run(
        START
        + """
client, server = client_context(), server_context()
exchange(client, server)
child = os.fork()
if child == 0:
    try:
        exchange(client, server)
    except BaseException:
        os._exit(1)
    os._exit(0)
exchange(client, server)
_, status = os.waitpid(child, 0)
assert status == 0
"""
    )


def test_after_the_first_context_connections_import_nothing_more_of_pyossl(run: Run) -> None:
    """A program may call chroot(2) then (docs/ssl.md)."""
    run(
        """
        import sys
        import pyossl.stdlib
        pyossl.stdlib.install()
        import ssl
        from exchanges import *
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        before = set(sys.modules)
        client, _ = pair = connected()
        talk(pair)
        client.getpeercert(), client.cipher(), client.session, client.shared_ciphers()
        try:
            exchange(ssl.create_default_context())
        except ssl.SSLCertVerificationError:
            pass
        else:
            raise AssertionError
        assert not [name for name in set(sys.modules) - before if name.startswith("pyossl")]
        """
    )


def test_eight_threads_with_one_context(run: Run) -> None:
    run(
        START
        + """
client, server = client_context(), server_context()
def work():
    for _ in range(20):
        exchange(client, server)
        in_memory(client, server)
    return True
workers = [in_thread(work) for _ in range(8)]
assert all(worker() for worker in workers)
"""
    )


def test_a_reader_beside_a_writer(run: Run) -> None:
    run(
        START
        + """
first, second = connected()
SIZE = 4_000_000
def send(tls):
    data = b"x" * 65536
    left = SIZE
    while left:
        left -= tls.send(data[:left])
    return True
def receive(tls):
    count = 0
    while count < SIZE:
        count += len(tls.recv(65536))
    return count == SIZE
work = [in_thread(lambda each=each, do=do: do(each)) for each in (first, second) for do in (send, receive)]
assert all(result() for result in work)
"""
    )


@pytest.mark.parametrize("method", ["recv(100)", "recv_into(bytearray(100))", "read()", "recv(100, 0)"])
@pytest.mark.parametrize("timeout", [None, 30])
def test_ctrl_c_in_recv(method: str, timeout: int | None, run: Run) -> None:
    run(
        START
        + f"""
first, second = connected()
first.settimeout({timeout})
def interrupt():
    time.sleep(0.2)
    os.kill(os.getpid(), signal.SIGINT)
sent = in_thread(interrupt)
try:
    first.{method}
except KeyboardInterrupt:
    pass
else:
    raise AssertionError
sent()
talk((first, second))
"""
    )


def test_a_signal_handler_runs_during_recv_and_recv_goes_on(run: Run) -> None:
    run(
        START
        + """
first, second = connected()
seen = []
signal.signal(signal.SIGALRM, lambda *arguments: seen.append(second.sendall(b"hello")))
signal.setitimer(signal.ITIMER_REAL, 0.2)
assert first.recv(100) == b"hello"
assert seen
"""
    )


def test_a_certificate_is_rotated_on_a_live_context(run: Run, folder: Path, authority: pyossl.Authority) -> None:
    new = authority.issue("localhost")
    (folder / "new.pem").write_bytes(new.certificate_pem())
    (folder / "new-key.pem").write_bytes(new.private_key.to_pem())
    run(
        START
        + """
client, server = client_context(), server_context()
def serial(pair):
    return pair[0].getpeercert()["serialNumber"]
old = connected(client, server)
stop = []
def others():
    count = 0
    while not stop:
        exchange(client, server)
        count += 1
    return count
busy = [in_thread(others) for _ in range(2)]
first = serial(old)
server.load_cert_chain("new.pem", "new-key.pem")
assert serial(connected(client, server)) != first
for _ in range(5):
    server.load_cert_chain("chain.pem", "key.pem")
    server.load_cert_chain("new.pem", "new-key.pem")
stop.append(True)
assert all(each() for each in busy)
talk(old)
assert serial(old) == first
"""
    )


def test_what_comes_after_unwrap_is_read_from_the_socket(run: Run) -> None:
    run(
        START
        + """
first, second = connected()
def close_tls():
    plain = second.unwrap()
    plain.sendall(b"plain")
    assert plain.recv(100) == b"plain too"
    return True
other = in_thread(close_tls)
plain = first.unwrap()
assert plain.recv(100) == b"plain"
plain.sendall(b"plain too")
assert other()
"""
    )


def test_what_comes_after_the_end_stays_in_a_memory_bio(run: Run) -> None:
    run(
        START
        + """
to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
first, second = memory_pair(client_context(), server_context(), to_server, to_client)
try:
    first.unwrap()
except ssl.SSLWantReadError:
    pass
to_server.write(b"plain")
assert second.read(10) == b""
second.unwrap()
assert to_server.read() == b"plain"
"""
    )


def test_contexts_and_connections_die_without_the_collector(run: Run) -> None:
    run(
        START
        + """
gc.collect()
gc.disable()
def once():
    client, server = client_context(), server_context()
    exchange(client, server)
    in_memory(client, server)
    try:
        client.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="example.com").do_handshake()
    except ssl.SSLWantReadError:
        pass
    pair = connected(client, server)
    pair[0].settimeout(0.01)
    try:
        pair[0].recv(1)
    except TimeoutError:
        pass
    for each in pair:
        each.close()
    return [weakref.ref(each) for each in (client, server, *pair)]
assert [each() for each in once()] == [None] * 4
"""
    )


def test_the_timeout_is_the_sockets_own_and_not_that_of_a_method_of_a_subclass(run: Run) -> None:
    run(
        START
        + """
class Odd(ssl.SSLSocket):
    def gettimeout(self):
        raise AssertionError("it is asked")
context = client_context()
context.sslsocket_class = Odd
first, second = tcp_pair()
accepted = in_thread(lambda: server_context().wrap_socket(second, server_side=True))
tls = context.wrap_socket(first, server_hostname="localhost", do_handshake_on_connect=False)
tls._sslobj.do_handshake()
other = accepted()
ssl.SSLSocket.settimeout(tls, 0.1)
try:
    tls.recv(1)
except TimeoutError as error:
    assert isinstance(error, socket.timeout), error
else:
    raise AssertionError
tls.send(b"x")
assert other.recv(1) == b"x"
"""
    )


def test_a_socket_that_does_not_block(run: Run) -> None:
    run(
        START
        + """
first, second = connected()
first.setblocking(False)
try:
    first.recv(1)
except ssl.SSLWantReadError:
    pass
else:
    raise AssertionError
sent = 0
try:
    while True:
        sent += first.send(b"x" * 16384)
except ssl.SSLWantWriteError:
    pass
received = 0
while received < sent:
    received += len(second.recv(65536))
assert received == sent
"""
    )


@needs("gevent")
def test_gevent_patches_ssl_over_pyossl(run: Run) -> None:
    run(
        """
        import pyossl.stdlib
        pyossl.stdlib.install()
        from gevent import monkey
        monkey.patch_all()
        import gevent, ssl
        from exchanges import *
        assert ssl.SSLContext.__module__.startswith("gevent")
        def serve(server, sock):
            tls = server.wrap_socket(sock, server_side=True)
            data = tls.recv(100)
            tls.sendall(data.upper())
            return is_over_pyossl(tls)
        def talk_to(server):
            first, second = tcp_pair()
            serving = gevent.spawn(serve, server, second)
            tls = client_context().wrap_socket(first, server_hostname="localhost")
            tls.sendall(b"hello")
            assert tls.recv(100) == b"HELLO"
            return is_over_pyossl(tls) and serving.get(timeout=30)
        server = server_context()
        greenlets = [gevent.spawn(talk_to, server) for _ in range(8)]
        gevent.joinall(greenlets, timeout=30, raise_error=True)
        assert all(each.get() for each in greenlets)
        """
    )
