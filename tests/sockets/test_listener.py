"""Listening sockets: a client that stalls does not delay others, and every way in which a listener ends."""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from interop.programs import Program
from served import SECONDS, Task, child_that_does, read_all, until

import pyossl


def test_a_client_that_stalls_does_not_delay_others(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    with pyossl.listen(("127.0.0.1", 0), server_context) as listener:
        listener.settimeout(SECONDS)
        with socket.create_connection(listener.address) as silent:
            stalled, where = listener.accept()
            assert where == silent.getsockname()
            calling = Task(lambda: pyossl.connect(listener.address, client_context, timeout=SECONDS))
            served, _ = listener.accept()
            with stalled, served:
                served.settimeout(SECONDS)
                served.sendall(b"served")
                with calling.result() as client:
                    assert client.recv(10) == b"served"
                stalled.settimeout(0.2)
                with pytest.raises(TimeoutError, match=r"timed out after 0\.2 s"):
                    stalled.handshake()


def test_accept_ends_at_its_deadline(server_context: pyossl.Context) -> None:
    with pyossl.listen(("127.0.0.1", 0), server_context) as listener:
        listener.settimeout(0.2)
        start = time.monotonic()
        with pytest.raises(TimeoutError):
            listener.accept()
        assert time.monotonic() - start < SECONDS / 2


def test_an_accepted_socket_does_not_inherit_the_listener_s_timeout(server_context: pyossl.Context) -> None:
    with pyossl.listen(("127.0.0.1", 0), server_context) as listener:
        listener.settimeout(SECONDS)
        with socket.create_connection(listener.address):
            tls, _ = listener.accept()
            with tls:
                assert tls.gettimeout() is None


def test_a_thread_in_accept_is_woken_by_close(server_context: pyossl.Context) -> None:
    for timeout in (None, 1000):
        listener = pyossl.listen(("127.0.0.1", 0), server_context)
        listener.settimeout(timeout)
        accepting = Task(listener.accept)
        until(lambda task=accepting: _is_in_the_kernel(task))
        listener.close()
        with pytest.raises(OSError, match=r"Invalid argument|descriptor"):
            accepting.result()


def _is_in_the_kernel(task: Task[object]) -> bool:
    """Whether the task's thread sleeps, which Linux shows; on other systems, whether it has started."""
    thread = task._thread.native_id
    try:
        return Path(f"/proc/self/task/{thread}/stat").read_text().rpartition(")")[2].split()[0] == "S"
    except OSError:
        return True


def test_iteration_gives_clients_until_the_listener_is_closed(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    listener = pyossl.listen(("127.0.0.1", 0), server_context)
    served = []

    def serve() -> None:
        for tls, _ in listener:
            with tls:
                tls.settimeout(SECONDS)
                served.append(read_all(tls))

    serving = Task(serve)
    for n in range(3):
        with pyossl.connect(listener.address, client_context, timeout=SECONDS) as client:
            client.sendall(b"%d" % n)
    until(lambda: len(served) == 3)
    listener.close()
    with pytest.raises(OSError, match=r"Invalid argument|descriptor"):
        serving.result()
    assert served == [b"0", b"1", b"2"]


def test_connections_outlive_their_listener(client_context: pyossl.Context, server_context: pyossl.Context) -> None:
    with pyossl.listen(("127.0.0.1", 0), server_context) as listener:
        listener.settimeout(SECONDS)
        calling = Task(lambda: pyossl.connect(listener.address, client_context, timeout=SECONDS))
        server, _ = listener.accept()
    with server:
        server.settimeout(SECONDS)
        server.sendall(b"alive")
        with calling.result() as client:
            assert client.recv(10) == b"alive"


def test_close_may_be_repeated_and_accept_raises_an_oserror_after_it(server_context: pyossl.Context) -> None:
    listener = pyossl.listen(("127.0.0.1", 0), server_context)
    assert "127.0.0.1" in repr(listener)
    number = listener.fileno()
    listener.close()
    listener.close()
    assert listener.fileno() == -1
    assert repr(listener) == "<Listener closed>"
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(number)
    with pytest.raises(OSError, match="descriptor"):
        listener.accept()


def test_a_client_s_context_cannot_listen(client_context: pyossl.Context) -> None:
    with pytest.raises(pyossl.UsageError, match="server's context"):
        pyossl.listen(("127.0.0.1", 0), client_context)


def test_an_address_that_is_taken_is_an_oserror(server_context: pyossl.Context, tmp_path: Path) -> None:
    path = tmp_path / "taken"
    for address in (("127.0.0.1", 0), path):
        with pyossl.listen(address, server_context) as listener, pytest.raises(OSError, match=r"[Aa]ddress"):
            pyossl.listen(listener.address, server_context)


def test_messages_of_an_accepted_connection_reach_the_callback(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    seen: list[pyossl.Message] = []
    with pyossl.listen(("127.0.0.1", 0), server_context) as listener:
        listener.settimeout(SECONDS)
        calling = Task(lambda: pyossl.connect(listener.address, client_context, timeout=SECONDS))
        server, _ = listener.accept(message_callback=seen.append)
        with server:
            server.settimeout(SECONDS)
            server.handshake()
            calling.result().close()
    assert next(message.name for message in seen if message.is_protocol) == "ClientHello"


# Each process has its own copy of the socket

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
no_warning = pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")  # Python 3.12 warns of threads
Where = Callable[[Path], Any]
everywhere = pytest.mark.parametrize(
    "where", [lambda _: ("127.0.0.1", 0), lambda folder: folder / "socket"], ids=["tcp", "unix"]
)


@contextlib.contextmanager
def forked(work: Callable[[], object]) -> Iterator[int]:
    """A child process that does ``work``; its exit status must be 0 unless it is killed."""
    child = child_that_does(work)
    try:
        yield child
    finally:
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) in (0, -signal.SIGKILL)


def plain_client(address: Any) -> socket.socket:
    sock = socket.socket(socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX)
    sock.settimeout(SECONDS)
    sock.connect(address)
    return sock


@forks
@no_warning
@everywhere
def test_a_child_that_closes_leaves_its_parent_listening(
    where: Where, tmp_path: Path, server_context: pyossl.Context
) -> None:
    """The parent's thread in accept is not woken either."""
    with pyossl.listen(where(tmp_path), server_context) as listener:
        accepting = Task(listener.accept)
        until(lambda: _is_in_the_kernel(accepting))

        def child() -> None:
            listener.close()
            os.write(say, b"x")
            signal.pause()

        closed, say = os.pipe()
        with forked(child):
            os.read(closed, 1)
            with plain_client(listener.address):
                accepting.result()[0].close()
        os.close(closed)
        os.close(say)


@forks
@no_warning
@everywhere
def test_a_parent_that_closes_leaves_its_children_listening(
    where: Where, tmp_path: Path, server_context: pyossl.Context
) -> None:
    listener = pyossl.listen(where(tmp_path), server_context)
    accepting = Task(listener.accept)
    until(lambda: _is_in_the_kernel(accepting))
    address = listener.address

    def child() -> None:
        while True:
            tls, _ = listener.accept()
            tls.fileno()
            os.write(tls.fileno(), b"the child's")

    with forked(child):
        listener.close()
        with pytest.raises(OSError, match="descriptor"):
            accepting.result()
        with plain_client(address) as client:
            assert client.recv(100) == b"the child's"


@forks
@no_warning
def test_a_child_s_own_threads_are_woken_by_its_close(server_context: pyossl.Context) -> None:
    with pyossl.listen(("127.0.0.1", 0), server_context) as listener:
        parent_s = Task(listener.accept)
        until(lambda: _is_in_the_kernel(parent_s))

        def child() -> None:
            accepting = Task(listener.accept)
            until(lambda: _is_in_the_kernel(accepting))
            listener.close()
            with pytest.raises(OSError, match="descriptor"):
                accepting.result()

        listener.settimeout(SECONDS)
        with forked(child) as number:
            assert os.waitid(os.P_PID, number, os.WEXITED | os.WNOWAIT).si_status == 0
        with socket.create_connection(listener.address):
            parent_s.result()[0].close()


def test_a_thread_whose_client_another_thread_has_taken_waits_again(server_context: pyossl.Context) -> None:
    """All threads are woken for a client, like processes that share the socket."""
    with pyossl.listen(("127.0.0.1", 0), server_context) as listener:
        accepting = [Task(listener.accept) for _ in range(4)]
        for each in accepting:
            until(lambda task=each: _is_in_the_kernel(task))
        for n in range(2):
            with socket.create_connection(listener.address):
                until(lambda n=n: sum(not each._thread.is_alive() for each in accepting) == n + 1)
    ends = [each._error for each in accepting]
    assert ends.count(None) == 2
    assert all(isinstance(each, OSError) for each in ends if each is not None)
    for each in accepting:
        if each._error is None:
            each.result()[0].close()


def test_close_from_a_signal_s_handler_ends_the_accept_that_it_interrupts(server_context: pyossl.Context) -> None:
    listener = pyossl.listen(("127.0.0.1", 0), server_context)
    before = signal.signal(signal.SIGALRM, lambda *_: listener.close())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        start = time.monotonic()
        with pytest.raises(OSError, match="descriptor"):
            listener.accept()
        assert time.monotonic() - start < SECONDS / 4
    finally:
        signal.signal(signal.SIGALRM, before)


def test_an_exception_of_a_signal_s_handler_ends_accept_and_leaves_no_thread_behind(
    server_context: pyossl.Context,
) -> None:
    def handler(*_: Any) -> None:
        raise KeyboardInterrupt

    with pyossl.listen(("127.0.0.1", 0), server_context) as listener:
        before = signal.signal(signal.SIGALRM, handler)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            with pytest.raises(KeyboardInterrupt):
                listener.accept()
        finally:
            signal.signal(signal.SIGALRM, before)
        start = time.monotonic()
    assert time.monotonic() - start < 0.5, "close has waited for somebody"


def test_the_address_is_free_when_close_returns(server_context: pyossl.Context) -> None:
    listener = pyossl.listen(("127.0.0.1", 0), server_context)
    address = listener.address
    for _ in range(20):
        accepting = Task(listener.accept)
        until(lambda task=accepting: _is_in_the_kernel(task))
        listener.close()
        with pytest.raises(OSError, match="descriptor"):
            accepting.result()
        listener = pyossl.listen(address, server_context)
    listener.close()


def test_a_listener_leaves_no_descriptor_open(server_context: pyossl.Context) -> None:
    gc.collect()
    before = len(os.listdir("/dev/fd"))
    for _ in range(5):
        with pyossl.listen(("127.0.0.1", 0), server_context) as listener:
            listener.settimeout(0.01)
            with pytest.raises(TimeoutError):
                listener.accept()
            del listener
    gc.collect()
    assert len(os.listdir("/dev/fd")) == before


@pytest.mark.parametrize("timeout", [None, SECONDS])
def test_a_socket_that_is_given_is_left_as_it_is_and_its_thread_is_woken(
    server_context: pyossl.Context, timeout: float | None
) -> None:
    """Whether a descriptor blocks is shared by all processes that have it."""
    sock = socket.create_server(("127.0.0.1", 0))
    sock.settimeout(timeout)
    blocks = os.get_blocking(sock.fileno())
    listener = pyossl.Listener(sock, server_context)
    accepting = Task(listener.accept)
    until(lambda: _is_in_the_kernel(accepting))
    assert os.get_blocking(sock.fileno()) == blocks
    listener.close()
    with pytest.raises(OSError, match="descriptor"):
        accepting.result()


def test_accept_with_a_timeout_of_0_raises_blockingioerror(server_context: pyossl.Context) -> None:
    with pyossl.listen(("127.0.0.1", 0), server_context) as listener:
        listener.settimeout(0)
        with pytest.raises(BlockingIOError):
            listener.accept()
        with socket.create_connection(listener.address):
            tls = listener.accept()[0]
            assert os.get_blocking(tls.fileno())
            tls.close()
        for timeout in (-1, float("nan"), float("inf")):
            with pytest.raises(ValueError, match="timeout"):
                listener.settimeout(timeout)


def test_accept_raises_an_oserror_if_the_program_has_closed_the_socket(server_context: pyossl.Context) -> None:
    sock = socket.create_server(("127.0.0.1", 0))
    listener = pyossl.Listener(sock, server_context)
    sock.close()
    with pytest.raises(OSError, match="descriptor"):
        listener.accept()
    listener.close()


# The address


def answers(*addresses: tuple[int, Any]) -> Callable[..., Any]:
    return lambda *_, **__: [(family, socket.SOCK_STREAM, 0, "", where) for family, where in addresses]


def test_of_a_name_s_addresses_the_first_that_this_machine_has_is_taken(
    monkeypatch: pytest.MonkeyPatch, server_context: pyossl.Context
) -> None:
    foreign = socket.AF_INET, ("192.0.2.1", 0)
    own = socket.AF_INET, ("127.0.0.1", 0)
    monkeypatch.setattr(socket, "getaddrinfo", answers(foreign, own))
    with pyossl.listen(("example.com", 0), server_context) as listener:
        assert listener.address[0] == "127.0.0.1"
    monkeypatch.setattr(socket, "getaddrinfo", answers(foreign))
    with pytest.raises(OSError, match="192") as caught:
        pyossl.listen(("example.com", 0), server_context)
    assert caught.value.errno == errno.EADDRNOTAVAIL


def test_a_family_that_the_kernel_lacks_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, server_context: pyossl.Context
) -> None:
    """AF_X25 stands for IPv6 on a machine where that is off."""
    with contextlib.suppress(OSError), socket.socket(9, socket.SOCK_STREAM):
        pytest.skip("this kernel has X.25")
    monkeypatch.setattr(socket, "getaddrinfo", answers((9, ("::1", 0, 0, 0)), (socket.AF_INET, ("127.0.0.1", 0))))
    with pyossl.listen(("example.com", 0), server_context) as listener:
        assert listener.address[0] == "127.0.0.1"


@pytest.mark.skipif(not socket.has_ipv6, reason="this Python has no IPv6")
def test_a_name_that_has_only_ipv6_addresses_can_be_listened_on(
    monkeypatch: pytest.MonkeyPatch, server_context: pyossl.Context
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", answers((socket.AF_INET6, ("::1", 0, 0, 0))))
    with pyossl.listen(("example.com", 0), server_context) as listener:
        assert listener.address[0] == "::1"


@pytest.mark.skipif(not socket.has_ipv6, reason="this Python has no IPv6")
@pytest.mark.parametrize("address", [("fe80::1", 0, 0, 1), ("fe80::1%lo", 0)])
def test_a_listener_s_address_keeps_its_scope(address: Any, server_context: pyossl.Context) -> None:
    """The kernel refuses a link-local address without a scope with EINVAL."""
    with socket.socket(socket.AF_INET6) as sock, pytest.raises(OSError, match=r".") as plain:
        sock.bind(("fe80::1", 0, 0, 1))
    with pytest.raises(OSError, match=r".") as caught:
        pyossl.listen(address, server_context)
    assert caught.value.errno == plain.value.errno != errno.EINVAL


@pytest.mark.skipif(not socket.has_ipv6, reason="this Python has no IPv6")
def test_an_address_of_getsockname_s_can_be_listened_on_again(server_context: pyossl.Context) -> None:
    with pyossl.listen(("::1", 0), server_context) as listener:
        address = listener.address
    with pyossl.listen(address, server_context) as listener:
        assert listener.address == address


def test_the_empty_host_is_every_ipv4_address(server_context: pyossl.Context) -> None:
    with pyossl.listen(("", 0), server_context) as listener:
        assert listener.address[0] == "0.0.0.0"


FULL = """
import resource, sys, threading
import pyossl

ca = pyossl.Authority()
own = ca.issue("localhost")
listener = pyossl.listen(("127.0.0.1", 0), pyossl.Context.server(own.certificate, own.private_key))
resource.setrlimit(resource.RLIMIT_NOFILE, (listener.fileno() + 6, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
print(listener.address[1], flush=True)


def serve(tls):
    with tls:
        try:
            tls.sendall(b"served")
        except OSError:
            pass


for tls, _ in listener:
    threading.Thread(target=serve, args=[tls], daemon=True).start()
"""


def test_a_loop_over_a_listener_goes_on_when_clients_have_used_all_descriptors() -> None:
    unverified = pyossl.Context.client(verify=False)
    with Program(sys.executable, "-c", FULL) as server, contextlib.ExitStack() as silent:
        address = ("127.0.0.1", int(server.wait_for(rb"(\d+)\n")[1]))
        for _ in range(20):  # more than the server has descriptors for
            silent.enter_context(socket.create_connection(address))
        with pytest.raises(TimeoutError):
            pyossl.connect(address, unverified, timeout=1)
        silent.close()
        with pyossl.connect(address, unverified, timeout=SECONDS) as client:
            assert client.recv(10) == b"served"


def test_a_loop_over_a_listener_waits_for_a_descriptor_within_the_timeout_only(
    server_context: pyossl.Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(listener: pyossl.Listener) -> Any:
        raise OSError(errno.EMFILE, "there is none")

    monkeypatch.setattr(pyossl.Listener, "accept", failing)
    with pyossl.listen(("127.0.0.1", 0), server_context) as listener:
        for timeout in (0.3, 0):
            listener.settimeout(timeout)
            start = time.monotonic()
            with pytest.raises(OSError, match="there is none"):
                next(iter(listener))
            assert timeout <= time.monotonic() - start < SECONDS / 2
