"""Many threads use one object at the same time; the result is as if they had used it one after the other.

See docs/pitfalls.md, 14, 15, 27.

On a Python without the GIL they run Python code at the same time, on any other Python the C calls, in which cffi
releases the GIL.  Whole messages are compared, each of which contains its digest.
"""

from __future__ import annotations

import contextlib
import hashlib
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import TypeVar

import pytest
from pairs import carry, meet, shake_hands
from pausing import Pausing, device_answers
from served import SocketPair, Task, tls_pair

import pyossl
from pyossl import Connection, Context, CustomExtension, Options, Session, UsageError, Version, Want, lib

THREADS = 8
EACH = 20
SIZE = 20_000
"""More than a record: a message is whole only if no other write came between its records."""
SECONDS = 120

T = TypeVar("T")


@pytest.fixture(autouse=True)
def _switching() -> Iterator[None]:
    """Makes threads switch as often as possible, if there is a GIL."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def at_once(works: Iterable[Callable[[], T]]) -> list[T]:
    """Calls each function in a thread, all at the same moment, and returns their results."""
    functions = list(works)
    barrier = threading.Barrier(len(functions))

    def begin(work: Callable[[], T]) -> T:
        barrier.wait(SECONDS)
        return work()

    tasks = [Task(partial(begin, work)) for work in functions]
    return [task.result(SECONDS) for task in tasks]


def times(work: Callable[[int], T]) -> list[T]:
    """Calls ``work`` in each of THREADS threads, with the thread's number."""
    return at_once(partial(work, number) for number in range(THREADS))


def message(*about: object) -> bytes:
    body = random.Random(repr(about)).randbytes(SIZE - 32)
    return hashlib.sha256(body).digest() + body


def whole(data: object) -> bytes:
    """The digest at the beginning of a message, which must be that of its rest."""
    assert isinstance(data, bytes)
    assert len(data) == SIZE
    assert hashlib.sha256(data[32:]).digest() == data[:32]
    return data[:32]


def messages_of(side: str) -> Callable[[int], list[bytes]]:
    return lambda number: [message(side, number, n) for n in range(EACH)]


def sent(lists: Sequence[list[bytes]]) -> list[bytes]:
    return sorted(whole(each) for messages in lists for each in messages)


def test_one_connection_s_messages_are_whole_however_many_write_and_read_them(
    connected: tuple[Connection, Connection],
) -> None:
    """Many threads write to both ends and read from them, while one thread carries the bytes."""
    client, server = connected
    given = {
        client: list(map(messages_of("client"), range(THREADS))),
        server: list(map(messages_of("server"), range(THREADS))),
    }
    written = threading.Semaphore(0)

    def write(side: Connection, number: int) -> None:
        for each in given[side][number]:
            assert side.write(each) == SIZE
        written.release()

    def carry_all() -> None:
        for _ in range(2 * THREADS):
            while not written.acquire(blocking=False):
                carry(client, server)
        carry(client, server)

    at_once([carry_all, *(partial(write, side, number) for side in given for number in range(THREADS))])

    def read(side: Connection, _: int) -> list[bytes]:
        return [whole(side.read(SIZE)) for _ in range(EACH)]

    read_by = at_once(partial(read, side, number) for side in given for number in range(THREADS))
    assert sorted(chain.from_iterable(read_by[:THREADS])) == sent(given[server])
    assert sorted(chain.from_iterable(read_by[THREADS:])) == sent(given[client])


def test_the_sockets_of_many_senders_and_one_reader_each_carry_whole_messages(sockets: SocketPair) -> None:
    """Two readers and many writers at once: a waiting thread blocks no other, and no message is torn."""
    client, server = sockets
    given = {
        client: list(map(messages_of("client"), range(THREADS))),
        server: list(map(messages_of("server"), range(THREADS))),
    }
    for side in given:
        side.settimeout(SECONDS)

    def write(side: pyossl.Socket, number: int) -> list[bytes]:
        for each in given[side][number]:
            side.sendall(each)
        return []

    def read(side: pyossl.Socket) -> list[bytes]:
        file = side.makefile("rb")
        return [whole(file.read(SIZE)) for _ in range(THREADS * EACH)]

    writers = [partial(write, side, number) for side in given for number in range(THREADS)]
    at_client, at_server, *_ = at_once([partial(read, client), partial(read, server), *writers])
    assert sorted(at_client) == sent(given[server])
    assert sorted(at_server) == sent(given[client])


def test_a_connection_s_end_is_the_same_failure_in_all_threads(
    new_pair: Callable[[], tuple[Connection, Connection]],
) -> None:
    """docs/pitfalls.md, 2."""
    for _ in range(EACH):
        client, server = new_pair()
        shake_hands(client, server)
        server.receive_data(b"\x17\x03\x03\x00\x20" + bytes(32))

        def meet_the_end(_: int, server: Connection = server) -> pyossl.Failure | None:
            with pytest.raises(pyossl.Error) as caught:
                server.read()
            return caught.value.failure

        failures = times(meet_the_end)
        assert server.failure is not None
        assert server.failure.records
        assert all(failure is server.failure for failure in failures)


def test_a_connection_that_many_threads_close_is_closed_once(
    new_pair: Callable[[], tuple[Connection, Connection]],
) -> None:
    def use_and_close(client: Connection, number: int) -> None:
        try:
            while number % 2:
                client.write(b"x")
                assert client.version
        except pyossl.UsageError as error:
            assert "closed" in str(error)  # noqa: PT017 - usually raised, but not always
        client.close()

    for _ in range(EACH):
        client, server = new_pair()
        shake_hands(client, server)
        times(partial(use_and_close, client))
        assert client.closed


def test_a_context_s_first_connections_may_be_made_at_once(
    authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    """The first connection freezes the context.  A callback runs in its connection's thread.  docs/pitfalls.md, 14"""
    for _ in range(EACH):
        clients = Context.client(trust=authority.certificate, alpn=["h2"])
        servers = Context.server((credentials.certificate, *credentials.chain), credentials.private_key)
        mine = threading.local()

        def called(connection: Connection, *_: object, mine: threading.local = mine) -> None:
            assert connection in mine.connections
            mine.calls[connection] += 1

        def choose(connection: Connection, offered: Sequence[str], mine: threading.local = mine) -> str:
            called(connection)
            return offered[0]

        clients.keylog_callback = called
        clients.info_callback = called
        servers.alpn_callback = choose

        def talk(
            number: int, clients: Context = clients, servers: Context = servers, mine: threading.local = mine
        ) -> tuple[bytes, bool]:
            mine.connections = client, server = Connection(clients, "example.com"), Connection(servers)
            mine.calls = Counter()
            shake_hands(client, server)
            client.write(message(number))
            server.receive_data(client.data_to_send())
            assert client.alpn == "h2"
            return whole(server.read(SIZE)), mine.calls[client] > 0 and mine.calls[server] > 0

        assert times(talk) == [(message(number)[:32], True) for number in range(THREADS)]
        with pytest.raises(pyossl.UsageError):
            clients.alpn_callback = choose


RESUMPTIONS = [
    pytest.param(Version.TLSv1_2, Options(0), id="TLSv1_2 by ticket"),
    pytest.param(Version.TLSv1_2, Options.NO_TICKET, id="TLSv1_2 by id"),
    pytest.param(Version.TLSv1_3, Options(0), id="TLSv1_3 by ticket"),
    pytest.param(Version.TLSv1_3, Options.NO_TICKET, id="TLSv1_3 by id"),
]


@pytest.mark.parametrize(("version", "options"), RESUMPTIONS)
def test_a_session_is_resumed_by_many_at_once(
    version: Version, options: Options, authority: pyossl.Authority, server_context: Context
) -> None:
    """All threads read one SSL_SESSION and the cache of one SSL_CTX."""
    server_context.options |= options
    clients = Context.client(trust=authority.certificate, maximum_version=version)
    sessions: list[Session] = []
    clients.new_session_callback = lambda _, session: sessions.append(session)
    first, _ = meet(clients, server_context)
    while version is Version.TLSv1_3 and len(sessions) < THREADS * EACH:
        meet(clients, server_context)  # a session of TLS 1.3 can be resumed once
    had = sessions[:]
    shared = had[0]
    der = shared.to_der()

    def resume(number: int) -> int:
        resumed = 0
        for n in range(EACH):
            session = shared if version is Version.TLSv1_2 else had[number * EACH + n]
            client, server = meet(clients, server_context, session=session)
            resumed += client.session_reused and server.session_reused
            client.write(message(number, n))
            server.receive_data(client.data_to_send())
            assert whole(server.read(SIZE)) == message(number, n)[:32]
            assert shared.to_der() == der
        return resumed

    assert times(resume) == [EACH] * THREADS
    assert first.version == version.name.replace("_", ".")
    assert len({each.to_der() for each in sessions}) == len(sessions)


def test_a_certificate_has_the_same_values_in_all_threads(
    authority: pyossl.Authority, credentials: pyossl.Credentials
) -> None:
    """OpenSSL parses a certificate's extensions at the first use, and stores the result in the certificate."""

    def ask(certificate: pyossl.Certificate, store: pyossl.Store, _: int) -> tuple[object, ...]:
        return (
            certificate.fingerprint(),
            certificate.subject_alt_names,
            certificate.key_usage,
            certificate.is_ca,
            certificate.matches("example.com"),
            certificate.public_key.to_der(),
            store.verify(certificate, name="example.com"),
        )

    pem, root = credentials.certificate.to_pem(), authority.certificate.to_pem()
    for _ in range(EACH):
        certificate, store = pyossl.Certificate.load(pem), pyossl.Store.of(root)
        answers = times(partial(ask, certificate, store))
        assert answers == [ask(pyossl.Certificate.load(pem), pyossl.Store.of(root), 0)] * THREADS


def test_a_store_is_listed_while_it_grows() -> None:
    """docs/pitfalls.md, 27: each list has objects that were there, and only whole ones."""
    authorities = [pyossl.Authority(f"authority {number}") for number in range(THREADS * 4)]
    leaf = authorities[0].issue("example.com").certificate
    everyone = {authority.certificate for authority in authorities}
    for _ in range(EACH):
        store = pyossl.Store.of(authorities[0].certificate)

        def work(number: int, store: pyossl.Store = store) -> None:
            if number % 2:
                for authority in authorities[number::THREADS]:
                    store.add(authority.certificate)
                return
            listed: set[pyossl.Certificate] = set()
            for _ in range(10):
                now = store.certificates
                assert listed <= set(now) <= everyone
                listed = set(now)
                assert store.verify(leaf)[-1] == authorities[0].certificate

        times(work)
        added = {a.certificate for number in range(1, THREADS, 2) for a in authorities[number::THREADS]}
        assert set(store.certificates) == added | {authorities[0].certificate}


def test_each_thread_s_errors_are_its_own(client_context: Context, authority: pyossl.Authority) -> None:
    """docs/pitfalls.md, 1: each thread has a queue; the entries of an exception must come from its own call."""
    stranger = pyossl.Authority("stranger").issue("example.com").certificate
    store = pyossl.Store.of(authority.certificate)

    def refused_certificate() -> None:
        store.verify(stranger)

    def refused_ciphers() -> None:
        Context.client(trust=authority.certificate).set_cipher_list("NONSENSE")

    def not_a_key() -> None:
        pyossl.PrivateKey.load(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")

    def not_a_session() -> None:
        Session.load(b"\x30\x03\x02\x01\x01", client_context, "example.com")

    faults = [refused_certificate, refused_ciphers, not_a_key, not_a_session]

    def provoke(number: int) -> list[tuple[type, str]]:
        met = []
        for _ in range(EACH):
            with pytest.raises((pyossl.Error, ValueError)) as caught:
                faults[number % len(faults)]()
            met.append((type(caught.value), str(caught.value)))
        return met

    alone = [provoke(number)[:1] * EACH for number in range(len(faults))]
    assert len({met[0] for met in alone}) == len(faults)
    assert times(provoke) == [alone[number % len(faults)] for number in range(THREADS)]


def test_both_halves_of_a_bio_pair_are_used_at_once() -> None:
    """They use each other's memory, and so have one lock."""
    one, other = pyossl.BIO.pair()

    def give(bio: pyossl.BIO, name: str) -> bytes:
        for n in range(EACH):
            rest = message(name, n)
            while rest:
                if isinstance(taken := bio.write(rest[:700]), int):
                    rest = rest[taken:]
                else:
                    time.sleep(0)  # another thread
        return b""

    def take(bio: pyossl.BIO) -> bytes:
        taken = bytearray()
        while len(taken) < EACH * SIZE:
            if isinstance(data := bio.read(500), bytes):
                taken += data
            else:
                time.sleep(0)  # another thread
        return bytes(taken)

    halves = [partial(give, one, "one"), partial(give, other, "other"), partial(take, one), partial(take, other)]
    *_, from_other, from_one = at_once(halves)
    assert from_one == b"".join(message("one", n) for n in range(EACH))
    assert from_other == b"".join(message("other", n) for n in range(EACH))


ASKING = """
import threading, pyossl
names, barrier, wrong = pyossl.__all__, threading.Barrier(8), []
def ask(number):
    barrier.wait(60)
    for name in names[number:] + names[:number]:
        try:
            getattr(pyossl, name)
        except BaseException as error:
            wrong.append(f"{name}: {error!r}")
threads = [threading.Thread(target=ask, args=(number * len(names) // 8,)) for number in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(60)
print(wrong, [thread for thread in threads if thread.is_alive()])
"""


def test_the_package_s_names_are_asked_for_by_many_at_once() -> None:
    """Each name loads its module at its first use, and the modules import each other."""
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", ASKING], capture_output=True, text=True, timeout=100, check=False)
        assert (done.stdout, done.stderr) == ("[] []\n", "")


def test_a_close_while_another_thread_reads_is_no_failure_of_the_peer_s(
    client_context: Context, server_context: Context
) -> None:
    """close must not take bytes that a read needs: the read would begin in the middle of a record, with a bad MAC."""

    def send_on(sock: pyossl.Socket) -> None:
        while True:
            sock.sendall(bytes(SIZE))

    def read_on(sock: pyossl.Socket) -> None:
        while sock.recv(1 << 14):
            read.set()

    for _ in range(2 * EACH):
        client, server = tls_pair(client_context, server_context)
        read = threading.Event()
        sending, *readings = Task(partial(send_on, server)), *(Task(partial(read_on, client)) for _ in range(2))
        assert read.wait(SECONDS)
        client.close()
        for reading in readings:
            with pytest.raises(UsageError, match="closed"):
                reading.result(SECONDS)
        server.close()  # the sender may learn of it after a minute only: the window was full when the reader ended
        with pytest.raises((pyossl.TransportError, UsageError)):
            sending.result(SECONDS)


def test_a_context_that_is_made_to_verify_meanwhile_has_no_connection_without_a_name() -> None:
    """The check whether a name is needed is made when the context cannot change any more."""

    def connect(context: Context) -> None:
        try:
            connection = Connection(context)
        except UsageError:
            return
        assert connection.call(lib.SSL_get_verify_mode) == lib.SSL_VERIFY_NONE

    def configure(context: Context) -> None:
        with contextlib.suppress(UsageError):  # too late
            context.configure("VerifyMode", "Peer")

    for _ in range(50 * EACH):
        context = Context.client(verify=False)
        at_once([partial(connect, context), partial(configure, context)])


def test_the_bytes_of_an_extension_are_those_of_its_connection(
    client_context: Context, server_context: Context
) -> None:
    """Contexts have the callbacks, which many threads call at once."""
    own = threading.local()

    def add(connection: Connection, extension: CustomExtension) -> bytes:
        return bytes(own.sent)

    def parse(connection: Connection, extension: CustomExtension) -> None:
        own.received.append(extension.data)

    for context in (client_context, server_context):
        context.add_extension(65312, add=add, parse=parse)

    def talk(number: int) -> None:
        for n in range(EACH):
            own.sent, own.received = message(number, n)[: 10 ** (n % 4)], []
            meet(client_context, server_context)
            assert own.received == [own.sent, own.sent]

    times(talk)


def test_paused_handshakes_are_finished_closed_and_dropped_by_many_threads(
    client_context: Context, jobs_context: Context, pausing: Pausing
) -> None:
    """Only the thread that began a handshake in a job goes on with it.  Others may close and drop the connection: then
    that thread frees it, with one of its next handshakes."""
    given: list[Connection] = []
    turn = threading.Barrier(THREADS)
    unfinished = pausing.pauses - pausing.ends

    def begin() -> tuple[Connection, Connection]:
        client, server = Connection(client_context, "example.com"), Connection(jobs_context)
        for _ in range(4):
            client.handshake()
            carry(client, server)
            if server.handshake() is Want.ASYNC:
                break
            carry(client, server)
        device_answers(server)
        return client, server

    def work(number: int) -> int:
        given.extend(begin()[1] for _ in range(EACH))
        turn.wait(SECONDS)
        finished = 0
        for n in range(EACH):
            other = given.pop(0)
            if n % 2:
                other.close()
            del other
            client, server = begin()
            shake_hands(client, server)
            finished += server.is_handshake_finished
        turn.wait(SECONDS)
        until = time.monotonic() + SECONDS / 4
        while pausing.pauses - pausing.ends > unfinished and time.monotonic() < until:
            shake_hands(*begin())
        turn.wait(SECONDS)
        return finished

    assert times(work) == [EACH] * THREADS
    assert pausing.pauses - pausing.ends == unfinished
