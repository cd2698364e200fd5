"""A peer that sends records without data blocks no other work: each call returns after a bounded number of bytes.

With SSL_MODE_AUTO_RETRY, SSL_read_ex(3) returns only with data, an end or a want (docs/pitfalls.md, 30).  What a call
has taken is counted in bytes, not in seconds; tests/aio/test_floods.py has the loops.
"""

from __future__ import annotations

import select
import signal
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from floods import ENDING, FLOODS, MANY, TAKEN, Flooder
from pairs import carry, shake_hands
from served import Task

import pyossl
from pyossl import BIO, Connection, PythonBIO, Want
from pyossl.pyopenssl import SSL
from pyossl.sockets.event_loop_steps import EventLoopConnection


@pytest.fixture(params=FLOODS)
def flooder(request: pytest.FixtureRequest, authority: pyossl.Authority) -> Iterator[Flooder]:
    flooder = Flooder(authority, FLOODS[request.param])
    yield flooder
    flooder.close()


@pytest.fixture
def updates(authority: pyossl.Authority) -> Iterator[Flooder]:
    """A flood of KeyUpdates, which take the longest: MANY bytes a third of a second."""
    flooder = Flooder(authority, FLOODS["KeyUpdate"])
    yield flooder
    flooder.close()


def wrapped(flooder: Flooder) -> pyossl.Socket:
    """A ``Socket`` over a copy of the victim's descriptor, after its handshake."""
    sock = socket.socket(fileno=socket.dup(flooder.victims.fileno()))
    tls = flooder.victims_context.wrap_socket(sock, flooder.victims_name, handshake=False)
    tls.settimeout(20)
    flooder.shake_hands(tls.handshake)
    return tls


def shaken(flooder: Flooder, connection: Connection) -> None:
    """Finishes the handshake of a connection whose descriptor does not block."""

    def finish() -> None:
        while connection.handshake() is not None:
            pass

    flooder.victims.setblocking(False)
    flooder.shake_hands(finish)


def test_a_read_that_does_not_wait_takes_a_bounded_number_of_bytes(flooder: Flooder) -> None:
    with wrapped(flooder) as tls:
        tls.settimeout(0)
        flooder.begin()
        with pytest.raises(pyossl.WouldBlockError):
            tls.recv(1000)
        assert flooder.taken() <= TAKEN


def test_a_read_looks_at_its_deadline_in_the_middle_of_a_flood(flooder: Flooder) -> None:
    with wrapped(flooder) as tls:
        tls.settimeout(0.001)
        flooder.begin(MANY)
        with pytest.raises(TimeoutError):
            tls.recv(65536)
        assert flooder.taken() < MANY / 2


def test_a_peek_looks_at_its_deadline_in_the_middle_of_a_flood(flooder: Flooder) -> None:
    with wrapped(flooder) as tls:
        tls.settimeout(0.001)
        flooder.begin(MANY)
        with pytest.raises(TimeoutError):
            tls.recv(10, socket.MSG_PEEK)
        assert flooder.taken() < MANY / 2


def test_an_unwrap_looks_at_its_deadline_in_the_middle_of_a_flood(flooder: Flooder) -> None:
    with wrapped(flooder) as tls:
        tls.settimeout(0.001)
        flooder.begin(MANY)
        with pytest.raises(TimeoutError):
            tls.unwrap()
        assert flooder.taken() < MANY / 2


def test_what_is_pending_is_told_from_what_is_here(flooder: Flooder) -> None:
    with wrapped(flooder) as tls:
        flooder.begin()
        assert tls.pending == 0
        assert flooder.taken() <= TAKEN


def test_data_behind_a_flood_is_read(flooder: Flooder) -> None:
    with wrapped(flooder) as tls:
        flooder.begin()
        assert tls.recv(1000) == ENDING


def test_a_step_for_an_event_loop_takes_a_bounded_number_of_bytes_and_says_that_more_is_here(flooder: Flooder) -> None:
    connection = EventLoopConnection(flooder.victims_context, flooder.victims_name, flooder.victims)
    shaken(flooder, connection)
    flooder.begin()
    turns, data = 0, b""
    while not data:
        got = connection.receive()
        if isinstance(got, Want):
            turns += connection.has_more
            connection.has_more = False
        else:
            data = got
    assert data == ENDING
    assert turns >= 3  # of SIZE bytes, 32 KiB each
    connection.close()


def test_a_read_over_a_bio_of_the_callers_takes_a_bounded_number_of_bytes(flooder: Flooder) -> None:
    connection = Connection(flooder.victims_context, flooder.victims_name, bio=BIO.socket(flooder.victims))
    shaken(flooder, connection)
    flooder.begin()
    assert connection.read() is Want.READ
    assert flooder.taken() <= TAKEN
    connection.close()


def test_a_read_over_openssl_s_own_bio_takes_a_bounded_number_of_bytes(flooder: Flooder) -> None:
    connection = Connection(flooder.victims_context, flooder.victims_name, bio=BIO.fd(flooder.victims))
    shaken(flooder, connection)
    flooder.begin()
    assert connection.read() is Want.READ
    assert flooder.taken() <= TAKEN
    connection.close()


def test_a_read_over_a_bio_in_python_takes_a_bounded_number_of_bytes(flooder: Flooder) -> None:
    class Carried(PythonBIO):
        @property
        def pending(self) -> int:
            return 0

        def read(self, size: int = -1) -> bytes | Want:
            try:
                return flooder.victims.recv(size)
            except BlockingIOError:
                return Want.READ

        def write(self, data: bytes | bytearray | memoryview) -> int | Want:
            return flooder.victims.send(data)

    connection = Connection(flooder.victims_context, flooder.victims_name, bio=Carried())
    shaken(flooder, connection)
    flooder.begin()
    assert connection.read() is Want.READ
    assert flooder.taken() <= TAKEN
    connection.close()


def test_a_read_of_the_pyopenssl_face_takes_a_bounded_number_of_bytes(
    flooder: Flooder, credentials: pyossl.Credentials
) -> None:
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_max_proto_version(int(flooder.flood.version))
    context.set_options(SSL.OP_NO_RENEGOTIATION)
    context._core.use_certificate(credentials.certificate)
    context._core.use_private_key(credentials.private_key)
    face = SSL.Connection(context, flooder.victims)
    if flooder.flood.is_from_server:
        face.set_connect_state()
    else:
        face.set_accept_state()
    flooder.victims.setblocking(True)
    flooder.shake_hands(face.do_handshake)
    flooder.victims.setblocking(False)
    flooder.begin()
    with pytest.raises(SSL.WantReadError):
        face.recv(1000)
    assert flooder.taken() <= TAKEN


def test_what_comes_behind_data_and_a_flood_is_told_to_an_event_loop(updates: Flooder) -> None:
    """A step that returns data may have stopped in what has been received: the descriptor is silent then."""
    connection = EventLoopConnection(updates.victims_context, updates.victims_name, updates.victims)
    shaken(updates, connection)
    updates.begin(40_000, before=b"first", ends=False)
    assert connection.receive() == b"first"
    assert connection.has_more
    assert not select.select([updates.victims], [], [], 0)[0]
    assert connection.receive() == ENDING
    connection.close()


def test_after_a_read_select_tells_of_all_that_is_here(updates: Flooder) -> None:
    """Behind the data of a record, and behind a read that came to its deadline: nothing whole is left unread."""
    with wrapped(updates) as tls:
        updates.begin(40_000, before=b"first", ends=False)
        data = tls.recv(65536)
        assert data == b"first" + ENDING


def test_after_a_deadline_select_tells_of_all_that_is_here(updates: Flooder) -> None:
    with wrapped(updates) as tls:
        tls.settimeout(1e-6)
        updates.begin(ends=False)
        data = b""
        while not data:
            try:
                data = tls.recv(65536)
            except TimeoutError:
                assert select.select([tls], [], [], 10)[0]
        assert data == ENDING


LONG_NAMES = [f"{number:04}.{'a' * 50}.example.com" for number in range(600)]
"""A certificate with these takes more than a call's 32 KiB."""


@pytest.fixture
def long_server(authority: pyossl.Authority) -> pyossl.Context:
    credentials = authority.issue("example.com", *LONG_NAMES)
    return pyossl.Context.server(credentials.certificate, credentials.private_key)


def test_a_long_flight_inside_another_connection_is_read_as_far_as_it_is_here(
    client_context: pyossl.Context, server_context: pyossl.Context, long_server: pyossl.Context
) -> None:
    """What the outer connection has decrypted the transport does not show any more."""
    inner, tunnel = Connection(client_context, "example.com"), Connection(server_context)
    shake_hands(inner, tunnel)
    outer, server = Connection(client_context, "example.com", bio=pyossl.SSLFilter(inner)), Connection(long_server)
    for _ in range(10):
        wants = outer.handshake()
        assert wants is None or not inner.pending
        carry(inner, tunnel)
        while isinstance(data := tunnel.read(), bytes):
            server.receive_data(data)
        done = server.handshake()
        tunnel.write(server.data_to_send() or b"")
        carry(inner, tunnel)
        if wants is None and done is None:
            return
    raise AssertionError("the handshake does not finish")


def test_a_bio_in_python_that_does_not_say_what_it_holds_is_read_to_its_end(
    client_context: pyossl.Context, long_server: pyossl.Context
) -> None:
    class Buffered(PythonBIO):
        def __init__(self) -> None:
            super().__init__()
            self.incoming = self.outgoing = b""

        def read(self, size: int = -1) -> bytes | Want:
            data, self.incoming = self.incoming[:size], self.incoming[size:]
            return data or Want.READ

        def write(self, data: bytes | bytearray | memoryview) -> int | Want:
            self.outgoing += bytes(data)
            return len(data)

    bio = Buffered()
    client, server = Connection(client_context, "example.com", bio=bio), Connection(long_server)
    assert client.handshake() is Want.READ
    server.receive_data(bio.outgoing)
    server.handshake()
    bio.incoming = server.data_to_send()
    assert len(bio.incoming) > 32768
    assert client.handshake() is None


def test_a_call_over_a_blocking_bio_waits_for_a_long_flight(
    client_context: pyossl.Context, long_server: pyossl.Context
) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        serving = Task(lambda: Connection(long_server, bio=BIO.socket(theirs)).handshake())
        assert Connection(client_context, "example.com", bio=BIO.socket(ours)).handshake() is None
        assert serving.result() is None


def test_another_thread_closes_in_the_middle_of_a_flood(updates: Flooder) -> None:
    """The reader releases its lock regularly, and a thread that waits for it gets it first."""
    flooder = updates
    tls = wrapped(flooder)
    flooder.begin(MANY)

    def read() -> None:
        with pytest.raises(pyossl.UsageError, match="closed"):
            tls.recv(10)

    reading = Task(read)
    threading.Event().wait(0.05)
    tls.connection.close()
    reading.result()
    assert flooder.taken() < MANY
    tls.close()


@pytest.fixture
def alarm() -> Iterator[Callable[[], None]]:
    """Raises ``InterruptedError`` from a signal's handler in a moment."""

    def handler(number: int, frame: object) -> None:
        raise InterruptedError("enough")

    before = signal.signal(signal.SIGALRM, handler)
    yield lambda: signal.setitimer(signal.ITIMER_REAL, 0.05) and None
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_a_signal_s_handler_runs_in_the_middle_of_a_flood(updates: Flooder, alarm: Callable[[], None]) -> None:
    flooder = updates
    with wrapped(flooder) as tls:
        flooder.begin(MANY)
        alarm()
        with pytest.raises(InterruptedError, match="enough"):
            tls.recv(10)
        assert flooder.taken() < MANY


def test_a_handshake_looks_at_its_deadline_in_the_middle_of_a_flood(authority: pyossl.Authority) -> None:
    """Before TLS 1.3 a client skips HelloRequests in the middle of its handshake, as many as come."""
    request = b"\x16\x03\x03\x00\x04\x00\x00\x00\x00"
    ours, theirs = socket.socketpair()
    context = pyossl.Context.client(trust=authority.certificate, maximum_version=pyossl.Version.TLSv1_2)
    with theirs, context.wrap_socket(ours, "example.com", handshake=False) as tls:
        stop = threading.Event()

        def flood() -> None:
            theirs.settimeout(20)
            while not stop.is_set():
                try:
                    theirs.sendall(request * 1000)
                except OSError:
                    return

        sending = Task(flood)
        tls.settimeout(0.2)
        with pytest.raises((TimeoutError, pyossl.Error)) as caught:
            tls.handshake()
        stop.set()
        tls.close()
        sending.result()
        assert isinstance(caught.value, TimeoutError) or "unexpected message" in str(caught.value)
