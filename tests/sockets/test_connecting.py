"""``connect`` uses the first address that answers, and passes over those that are silent or that the kernel lacks.

The resolver is replaced, because no name on this machine has such addresses.  The sockets are real.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import itertools
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import looped
import pytest
from hypothesis import given, strategies as st
from served import SECONDS, Task, serving, until

import pyossl
import pyossl.aio
from pyossl.cli import client_connection
from pyossl.sockets.address import SocketAddress
from pyossl.sockets.happy_eyeballs import by_turns, connected

Answer = tuple[int, int, int, str, Any]
Resolve = Callable[..., None]
NAME = "example.com"
LACKED = 9
"""AF_X25, which no current kernel has."""


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Resolve:
    """Makes ``example.com`` resolve to the given addresses."""
    ask = socket.getaddrinfo

    def resolve(*addresses: tuple[int, Any]) -> None:
        def answer(host: Any, *arguments: Any, **options: Any) -> Any:
            if host != NAME:
                return ask(host, *arguments, **options)
            return [(family, socket.SOCK_STREAM, 0, "", where) for family, where in addresses]

        monkeypatch.setattr(socket, "getaddrinfo", answer)

    return resolve


def v4(where: Any) -> tuple[int, Any]:
    return socket.AF_INET, where


@contextlib.contextmanager
def filled() -> Iterator[socket.socket]:
    """A listening socket whose queue is full, so that the kernel drops requests for a connection."""
    waiting = []
    with socket.create_server(("127.0.0.2", 0), backlog=0) as listener:
        try:
            for _ in range(20):
                sock = socket.socket()
                waiting.append(sock)
                sock.setblocking(False)
                sock.connect_ex(listener.getsockname())
                if not select.select([], [sock], [], 0.2)[1]:
                    break
            else:
                pytest.skip("this kernel's queues are never full")
            yield listener
        finally:
            for each in waiting:
                each.close()


@contextlib.contextmanager
def silence() -> Iterator[Any]:
    """An address that never answers."""
    with filled() as listener:
        yield listener.getsockname()


def refusal(host: str = "127.0.0.3") -> tuple[int, Any]:
    """An address at which no socket listens."""
    with socket.socket() as sock:
        sock.bind((host, 0))
        return v4(sock.getsockname())


def echo(tls: pyossl.Socket) -> None:
    with contextlib.suppress(pyossl.Error, OSError):
        tls.sendall(tls.recv(100))


@pytest.fixture
def lacked() -> tuple[int, Any]:
    """An address whose family this kernel lacks."""
    with contextlib.suppress(OSError), socket.socket(LACKED, socket.SOCK_STREAM):
        pytest.skip("this kernel has X.25")
    return LACKED, ("127.0.0.1", 1)


@pytest.fixture(autouse=True)
def _no_socket_is_left() -> Iterator[None]:
    before = looped.open_sockets()
    yield
    assert looped.open_sockets() == before


@pytest.mark.parametrize("timeout", [None, SECONDS])
def test_an_address_whose_family_the_kernel_lacks_is_passed_over(
    resolve: Resolve,
    lacked: tuple[int, Any],
    client_context: pyossl.Context,
    server_context: pyossl.Context,
    timeout: float | None,
) -> None:
    with serving(server_context, echo) as address:
        resolve(lacked, v4(address))
        with pyossl.connect((NAME, 443), client_context, timeout=timeout) as tls:
            tls.sendall(b"x")
            assert tls.recv(1) == b"x"
            assert tls._sock.getblocking()


@pytest.mark.parametrize("timeout", [None, SECONDS])
def test_a_silent_address_does_not_take_the_time_of_the_next(
    resolve: Resolve, client_context: pyossl.Context, server_context: pyossl.Context, timeout: float | None
) -> None:
    with silence() as silent, serving(server_context, echo) as address:
        resolve(v4(silent), v4(silent), v4(address))
        start = time.monotonic()
        with pyossl.connect((NAME, 443), client_context, timeout=timeout) as tls:
            assert 0.4 < time.monotonic() - start < SECONDS / 4
            assert tls.getpeername() == address
            assert tls.gettimeout() == timeout
            tls.sendall(b"x")
            assert tls.recv(1) == b"x"


def test_an_attempt_goes_on_while_the_next_address_is_tried(resolve: Resolve) -> None:
    with filled() as late, silence() as silent:
        resolve(v4(late.getsockname()), v4(silent))
        before = len(looped.open_sockets())
        connecting = Task(lambda: connected((NAME, 443), None, None))
        until(lambda: len(looped.open_sockets()) == before + 2)
        late.settimeout(0.1)
        while connecting._thread.is_alive():  # each place in the queue is taken by the next that has been waiting
            with contextlib.suppress(TimeoutError):
                late.accept()[0].close()
        with connecting.result() as sock:
            assert sock.getpeername() == late.getsockname()


def test_an_address_that_refuses_makes_room_for_the_next_at_once(
    resolve: Resolve, client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    with serving(server_context, echo) as address:
        resolve(*[refusal()] * 20, v4(address))
        start = time.monotonic()
        pyossl.connect((NAME, 443), client_context, timeout=SECONDS).close()
        assert time.monotonic() - start < 20 * 0.25


def test_the_deadline_is_over_all_addresses(resolve: Resolve, client_context: pyossl.Context) -> None:
    with silence() as silent:
        resolve(*[v4(silent)] * 5)
        start = time.monotonic()
        with pytest.raises(TimeoutError, match=r"connecting to \('example.com', 443\) timed out after 0\.6 s"):
            pyossl.connect((NAME, 443), client_context, timeout=0.6)
        assert 0.5 < time.monotonic() - start < SECONDS / 4


def test_if_all_addresses_fail_a_peer_s_refusal_is_raised_and_the_others_are_named(
    resolve: Resolve, lacked: tuple[int, Any], client_context: pyossl.Context
) -> None:
    for order in ((refusal(), lacked), (lacked, refusal())):
        resolve(*order)
        with pytest.raises(ConnectionRefusedError) as caught:
            pyossl.connect((NAME, 443), client_context, timeout=SECONDS)
        assert caught.value.errno == errno.ECONNREFUSED
        assert "127.0.0.3: Connection refused" in str(caught.value)
        assert os.strerror(errno.EAFNOSUPPORT) in str(caught.value)
        assert NAME in str(caught.value)


def test_if_all_addresses_fail_alike_the_failure_is_named_once(
    resolve: Resolve, client_context: pyossl.Context
) -> None:
    resolve(refusal(), refusal())
    with pytest.raises(ConnectionRefusedError, match=r"Connection refused: connecting to") as caught:
        pyossl.connect((NAME, 443), client_context)
    assert str(caught.value).count("refused") == 1


def test_if_the_kernel_has_none_of_the_families_the_error_says_so(
    resolve: Resolve, lacked: tuple[int, Any], client_context: pyossl.Context
) -> None:
    resolve(lacked, lacked)
    with pytest.raises(OSError, match="connecting to") as caught:
        pyossl.connect((NAME, 443), client_context, timeout=SECONDS)
    assert caught.value.errno == errno.EAFNOSUPPORT


def test_a_server_s_context_is_refused_before_anything_is_connected(
    resolve: Resolve, server_context: pyossl.Context
) -> None:
    """A peer's failure, which programs catch as an ``OSError``, must not hide a mistake of the program."""
    resolve(refusal())
    with pytest.raises(pyossl.UsageError, match="server's") as caught:
        pyossl.connect((NAME, 443), server_context, timeout=SECONDS)
    assert not isinstance(caught.value, OSError)


def test_what_a_signal_s_handler_raises_ends_the_attempts(resolve: Resolve, client_context: pyossl.Context) -> None:
    def handler(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, handler)
    try:
        with silence() as silent:
            resolve(v4(silent), v4(silent), v4(silent))
            signal.setitimer(signal.ITIMER_REAL, 0.4)
            with pytest.raises(KeyboardInterrupt):
                pyossl.connect((NAME, 443), client_context)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_signal_whose_handler_returns_interrupts_nothing(
    resolve: Resolve, client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    seen = []
    before = signal.signal(signal.SIGALRM, lambda *_: seen.append(1))
    try:
        with silence() as silent, serving(server_context, echo) as address:
            resolve(v4(silent), v4(address))
            signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
            pyossl.connect((NAME, 443), client_context, timeout=SECONDS).close()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert seen


@given(st.lists(st.sampled_from([socket.AF_INET, socket.AF_INET6, LACKED])))
def test_families_take_turns_and_keep_their_order(families: list[int]) -> None:
    """RFC 8305, 4"""
    addresses = [SocketAddress(family, socket.SOCK_STREAM, 0, n) for n, family in enumerate(families)]
    turns = by_turns(addresses)
    assert sorted(turns) == sorted(addresses)
    for family in set(families):
        assert [each for each in turns if each.family == family] == [
            each for each in addresses if each.family == family
        ]
    for n, (one, other) in enumerate(itertools.pairwise(turns)):
        if one.family == other.family:
            assert len({each.family for each in turns[n:]}) == 1, "the other families had addresses left"
    assert not addresses or turns[0] == addresses[0]


# The scope of an IPv6 address


def errno_of(connect: Callable[[], Any]) -> int | None:
    try:
        connect().close()
    except OSError as error:
        return error.errno
    return 0


def plain(address: Any) -> Any:
    sock = socket.socket(socket.AF_INET6)
    try:
        sock.connect(address)
    except BaseException:
        sock.close()
        raise
    return sock


@pytest.mark.skipif(not socket.has_ipv6, reason="this Python has no IPv6")
@pytest.mark.parametrize("address", [("fe80::1", 1, 0, 1), ("fe80::1", 1, 0, 12345), ("fe80::1%lo", 1)])
def test_the_scope_of_an_address_reaches_the_kernel(address: Any, client_context: pyossl.Context) -> None:
    """The kernel refuses a link-local address without a scope with EINVAL."""
    expected = errno_of(lambda: plain(("fe80::1", 1, 0, 1) if "%" in address[0] else address))
    assert errno_of(lambda: plain(("fe80::1", 1))) == errno.EINVAL
    assert expected != errno.EINVAL
    assert errno_of(lambda: pyossl.connect(address, client_context, timeout=SECONDS)) == expected
    assert errno_of(lambda: client_connection._tcp_connection(address, SECONDS)) == expected


@pytest.mark.skipif(not socket.has_ipv6, reason="this Python has no IPv6")
def test_an_address_of_getpeername_s_is_connected_to(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    with serving(server_context, echo, ("::1", 0)) as address:
        assert len(address) == 4
        with pyossl.connect(address, client_context, timeout=SECONDS) as tls:
            assert tls.getpeername() == address


@pytest.mark.skipif(not socket.has_ipv6, reason="this Python has no IPv6")
def test_a_name_with_a_scope_is_looked_up_for_ipv6(
    monkeypatch: pytest.MonkeyPatch, client_context: pyossl.Context
) -> None:
    asked = []

    def answer(host: Any, port: Any, family: int = 0, *rest: Any) -> Any:
        asked.append(family)
        return [(socket.AF_INET6, socket.SOCK_STREAM, 0, "", ("fe80::1", port, 0, 0))]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    wanted = errno_of(lambda: plain(("fe80::1", 1, 0, 1)))
    assert errno_of(lambda: pyossl.connect((NAME, 1, 0, 1), client_context, timeout=SECONDS)) == wanted
    assert asked == [socket.AF_INET6]


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        (("127.0.0.1", 443, 0, 1), ValueError),
        (("::1", 443, 1 << 20, 0), ValueError),
        (("::1", 443, 0, -1), ValueError),
        (("::1", 443, 0, 1 << 32), ValueError),
        (("::1", 443, 0, "lo"), TypeError),
        (("::1", 443, 0, 0, 0), TypeError),
    ],
)
def test_flow_information_and_scopes_that_cannot_be_are_refused(
    address: Any, kind: type[Exception], client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    with pytest.raises(kind):
        pyossl.connect(address, client_context, timeout=SECONDS)
    with pytest.raises(kind):
        pyossl.listen(address, server_context)


# The other ways to connect


def test_the_command_line_passes_over_addresses_that_are_silent_or_lacked(
    resolve: Resolve, lacked: tuple[int, Any], client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    with silence() as silent, serving(server_context, echo) as address:
        resolve(lacked, v4(silent), v4(address))
        connected = client_connection.connect((NAME, 443), client_context, NAME, timeout=SECONDS)
        assert connected.tls.getpeername() == address
        assert connected.tls.gettimeout() == SECONDS
        connected.tls.close()


@pytest.mark.parametrize("kind", ["asyncio", "transports"])
def test_asyncio_s_streams_pass_over_addresses_that_are_silent_or_lacked(
    kind: str,
    resolve: Resolve,
    lacked: tuple[int, Any],
    client_context: pyossl.Context,
    server_context: pyossl.Context,
) -> None:
    """uvloop has a resolver of its own, which cannot be replaced."""

    async def main(address: Any) -> None:
        _, writer = await pyossl.aio.open_connection(NAME, 443, ssl=client_context)
        assert writer.get_extra_info("peername") == address
        writer.close()
        await writer.wait_closed()

    with silence() as silent, serving(server_context, echo) as address:
        resolve(lacked, v4(silent), v4(address))
        for run in looped.running(kind):
            run(asyncio.wait_for(main(address), SECONDS))


@pytest.mark.skipif(not socket.has_ipv6, reason="this Python has no IPv6")
@pytest.mark.parametrize("kind", looped.KINDS)
def test_asyncio_s_streams_keep_the_scope(kind: str, client_context: pyossl.Context) -> None:
    async def main() -> int | None:
        try:
            _, writer = await pyossl.aio.open_connection("fe80::1%lo", 1, ssl=client_context)
            writer.close()
        except OSError as error:
            return error.errno
        return 0

    for run in looped.running(kind):
        assert run(main()) == errno_of(lambda: plain(("fe80::1", 1, 0, 1)))


@pytest.mark.skipif(not socket.has_ipv6, reason="this Python has no IPv6")
@pytest.mark.parametrize("kind", looped.KINDS)
def test_asyncio_s_servers_keep_the_scope(kind: str, server_context: pyossl.Context) -> None:
    async def main() -> int | None:
        try:
            server = await pyossl.aio.start_server(lambda *_: None, "fe80::1%lo", 0, ssl=server_context)
            server.close()
        except OSError as error:
            return error.errno
        return 0

    with socket.socket(socket.AF_INET6) as bound, pytest.raises(OSError, match=r".") as caught:
        bound.bind(("fe80::1", 0, 0, 1))
    for run in looped.running(kind):
        assert run(main()) == caught.value.errno != errno.EINVAL
