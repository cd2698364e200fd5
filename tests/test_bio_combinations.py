"""Every filter over every end in every call: each ends, with a result, a ``Want`` or an exception of pyossl's.

A call that crashes or never returns ends its process: the combinations run in processes of their own, many in each,
which print the one that they begin.  A signal ends a process that takes too long for one.
"""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import pyossl
from pyossl import (
    BIO,
    Base64Filter,
    BufferFilter,
    CipherFilter,
    Connection,
    Context,
    DigestFilter,
    Error,
    PrefixFilter,
    PythonBIO,
    UnsupportedError,
    UsageError,
    Want,
    lib,
)

COMBINATIONS = r"""
import os, resource, signal, socket, sys
from pyossl import *

folder, scope, first = sys.argv[1:]
LONGEST = 15

class Given(PythonBIO):
    def __init__(self, data, taken=None, waiting=0):
        super().__init__()
        self.data, self.taken, self.waiting = data, taken, waiting
    def read(self, size=-1):
        if isinstance(self.data, Exception):
            raise self.data
        if isinstance(self.data, Want):
            return self.data
        step = min(size, 5000 if len(self.data) > 1 else 500)
        return (self.data * step)[:step]
    def write(self, data):
        if isinstance(self.taken, Exception):
            raise self.taken
        if type(self.taken) is int:
            return min(self.taken, len(data))
        return len(data) if self.taken is None else self.taken
    def flush(self):
        return self.taken if isinstance(self.taken, Want) else None
    @property
    def pending(self):
        return self.waiting

class Passing(PythonBIO):
    filters = True
    def read(self, size=-1): return self.next.read(size)
    def write(self, data): return self.next.write(data)

kept = []

def half(state):
    ours, theirs = BIO.pair(64, 64)
    kept.append(theirs)
    if state == "full": ours.write(b"x" * 64)
    if state == "holding": theirs.write(b"QQ==\n")
    if state == "ended": theirs.end()
    if state == "ended by itself": ours.end()
    if state == "without the other": kept.clear(); theirs.close()
    return ours

def file(mode):
    name = os.path.join(folder, first)
    if not os.path.exists(name):
        with open(name, "wb") as new: new.write(b"text\nQQ==\n")
    return BIO.file(name, mode)

def pipe(side, state):
    files = [os.fdopen(number, mode, 0) for number, mode in zip(os.pipe(), ("rb", "wb"))]
    for each in files: os.set_blocking(each.fileno(), False)
    bio, other = BIO.fd(files[side]), files[1 - side]
    if state == "full":
        while files[1].write(bytes(65536)): pass
    if state == "hung up": other.close()
    else: kept.append(other)
    if state == "closed": files[side].close()
    return bio

def sockets(state):
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    if state == "hung up": theirs.close()
    else: kept.append(theirs)
    bio = BIO.socket(ours)
    if state == "closed": ours.close()
    return bio

def closed_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()

def datagrams():
    sock = socket.socket(type=socket.SOCK_DGRAM)
    sock.setblocking(False)
    return DatagramBIO(sock, ("127.0.0.1", 9))

def datagram_half():
    ours, theirs = DatagramBIO.pair()
    kept.append(theirs)
    return ours

ENDS = {
    "nothing": None,
    "memory": BIO.memory,
    "memory, read-only": lambda: BIO.memory(b"text\nQQ==\n"),
    "memory, read-only, no text": lambda: BIO.memory(b"\xff" * 5000),
    "memory, empty": lambda: BIO.memory(b""),
    "null": BIO.null,
    **{f"pair, {state}": lambda state=state: half(state)
       for state in ("empty", "full", "holding", "ended", "ended by itself", "without the other")},
    **{f"file, {mode}": lambda mode=mode: file(mode) for mode in ("rb", "ab", "r+b")},
    "file, endless": lambda: BIO.file("/dev/zero"),
    "pipe, to read": lambda: pipe(0, "open"),
    "pipe, to write": lambda: pipe(1, "open"),
    "pipe, full": lambda: pipe(1, "full"),
    "pipe, writer gone": lambda: pipe(0, "hung up"),
    "pipe, reader gone": lambda: pipe(1, "hung up"),
    "pipe, closed": lambda: pipe(1, "closed"),
    "descriptor, endless": lambda: BIO.fd(open("/dev/zero", "rb", 0)),
    "socket": lambda: sockets("open"),
    "socket, peer gone": lambda: sockets("hung up"),
    "socket, closed": lambda: sockets("closed"),
    "connect": lambda: ConnectBIO(closed_port(), blocking=False),
    "accept": lambda: AcceptBIO(("127.0.0.1", 0), blocking=False),
    "datagrams": datagrams,
    "datagrams in memory": datagram_half,
    "endless base64": lambda: Given(b"QUJD\n"),
    "endless letters": lambda: Given(b"A", 1),
    "endless padding": lambda: Given(b"====", 3, 1 << 40),
    "endless newlines": lambda: Given(b"\n"),
    "endless spaces": lambda: Given(b"  \r\n"),
    "endless noise": lambda: Given(b"\xff\xfe"),
    "takes nothing": lambda: Given(b"", 0),
    "raises": lambda: Given(LookupError("read"), LookupError("write")),
    "waits to read": lambda: Given(Want.READ, Want.READ),
    "waits to write": lambda: Given(Want.WRITE, Want.WRITE, 1000),
    "waits to connect": lambda: Given(Want.CONNECT, Want.ACCEPT, 1 << 40),
    "lies": lambda: Given(b"A", -1, -1),
}
key = dict(key=bytes(16), iv=bytes(16))
FILTERS = {
    "buffer": BufferFilter,
    "base64": Base64Filter,
    "base64, one line": lambda: Base64Filter(newlines=False),
    "digest": lambda: DigestFilter("sha256"),
    "encrypting": lambda: CipherFilter("aes-128-cbc", **key),
    "decrypting": lambda: CipherFilter("aes-128-cbc", **key, decrypt=True),
    "stream": lambda: CipherFilter("aes-128-ctr", **key),
    "prefix": lambda: PrefixFilter("> "),
    "indent": lambda: PrefixFilter(indent=3),
    "python": Passing,
}
CALLS = {
    "handshake": lambda bio: bio.handshake(),
    "flush": lambda bio: [bio.flush(), bio.flush()],
    "read": lambda bio: [bio.read(), bio.read(1), bio.read(5), bio.read(100_000)],
    "readline": lambda bio: [bio.readline(), bio.readline(20_000)],
    "write": lambda bio: bio.write(b"x"),
    "much": lambda bio: [bio.write(bytes(20_000)), bio.flush(), bio.write(b"y"), bio.flush()],
    "read, write": lambda bio: [bio.read(5), bio.write(b"abc\n" * 600), bio.flush(), bio.read(5)],
    "write, read": lambda bio: [bio.write(b"abc\n" * 600), bio.read(5), bio.flush(), bio.read(5)],
    "flush, write": lambda bio: [bio.flush(), bio.write(bytes(50)), bio.flush()],
    "pending": lambda bio: bio.pending,
    "end": lambda bio: [bio.end(), bio.read(5)],
    "room": lambda bio: bio.room,
    "seek": lambda bio: bio.seek(1),
    "tell": lambda bio: bio.tell(),
    "fileno": lambda bio: bio.fileno(),
}
REFUSED = {*CALLS}
CALLS |= {
    "digest": lambda bio: bio.digest(),
    "pop": lambda bio: [bio.pop(), bio.read(5)],
    "write, pop": lambda bio: [bio.write(bytes(5000)), bio.pop(), bio.flush()],
    "with": lambda bio: bio.__exit__(None),
    "close": lambda bio: [bio.close(), bio.closed, str(bio)],
    "close, read": lambda bio: [bio.close(), bio.read()],
}

context = Context.client(verify=False)
identity = Authority().issue("localhost")
serving = Context.server((identity.certificate, *identity.chain), identity.private_key)

def used(connection):
    for call in (connection.handshake, connection.handshake, connection.read, lambda: connection.write(b"x" * 20_000),
                 connection.shutdown):
        try:
            call()
        except Error:
            pass

CONNECTED = {
    "client": lambda bio: used(Connection(context, bio=bio)),
    "server": lambda bio: used(Connection(serving, bio=bio)),
    "client, reader": lambda bio: used(Connection(context, bio=(bio, BIO.memory()))),
    "client, writer": lambda bio: used(Connection(context, bio=(BIO.memory(), bio))),
}
CALLS |= CONNECTED
REFUSED |= {*CONNECTED}

def close_first(bio):
    connection = Connection(context, bio=bio)
    bio.close()
    used(connection)
CALLS["client, closed"] = close_first

def fork(bio):
    child = os.fork()
    if child == 0:
        try:
            signal.setitimer(signal.ITIMER_REAL, LONGEST)
            bio.read()
        except UsageError:
            del bio
            os._exit(0)
        finally:
            os._exit(1)
    if isinstance(bio, Passing):
        os.waitpid(child, 0)
    elif os.waitpid(child, 0)[1]:
        raise AssertionError("the child's read was not refused")
FORKED = {"fork": fork}

if scope == "one":
    stacks, ends, calls = [[first]], [*ENDS], [*CALLS]
elif scope == "two":
    stacks, calls = [[first, second] for second in FILTERS], ["read", "much", "read, write", "end"]
    ends = ["nothing", "memory, read-only", "pair, full", "file, rb", "file, endless", "pipe, reader gone",
            "endless newlines", "raises", "waits to write"]
else:
    CALLS, stacks, ends, calls = FORKED, [[first]], ["memory", "null", "endless noise"], ["fork"]

resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
wrong = 0
for names in stacks:
    for end in ends:
        for call in calls:
            print("\n", names, end, call, end=": ", flush=True)
            signal.setitimer(signal.ITIMER_REAL, LONGEST)
            try:
                members = [FILTERS[name]() for name in names] + ([] if ENDS[end] is None else [ENDS[end]()])
            except UnsupportedError:
                continue
            for member in members[1:]:
                members[0].push(member)
            try:
                answer = CALLS[call](members[0])
            except Error as error:
                answer = error
            except (AttributeError, NotImplementedError):    # of a class without that call, or of this script's
                answer = None
            except (LookupError, ValueError) as error:
                answer = error
                assert end in ("raises", "takes nothing", "lies"), error
            refused = end == "nothing" and call in REFUSED and not (names[0] == "python" and call not in CONNECTED)
            if refused and not (isinstance(answer, UsageError) and "nothing is below" in str(answer)
                                or call == "readline" and "has no lines" in str(answer)):
                print("is not refused:", repr(answer))
                wrong += 1
            signal.setitimer(signal.ITIMER_REAL, 0)
            kept.clear()
print("\nthe end")
sys.exit(wrong > 0)
"""

FILTERS = ["buffer", "base64", "base64, one line", "digest", "encrypting", "decrypting", "stream", "prefix", "indent"]
FILTERS.append("python")


@pytest.mark.parametrize("scope", ["one", "two", "fork"])
@pytest.mark.parametrize("name", FILTERS)
def test_every_call_of_every_filter_over_every_end_ends(name: str, scope: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", COMBINATIONS, str(tmp_path), scope, name]
    done = subprocess.run(command, capture_output=True, text=True)
    said = [line for line in done.stdout.splitlines() if not line.endswith(": ")]
    assert (done.returncode, said[-1:]) == (0, ["the end"]), (
        f"it ended with {done.returncode} in {done.stdout.splitlines()[-1]} {said} {done.stderr[-2000:]}"
    )


def filters() -> list[BIO]:
    made: list[BIO] = [
        BufferFilter(),
        Base64Filter(),
        DigestFilter("sha256"),
        CipherFilter("aes-128-ctr", b"k" * 16, b"i" * 16),
    ]
    return [*made, PrefixFilter("> ")] if lib.HAVE_API_3_0 else made


# A chain whose last member is a filter


def test_a_lone_filter_is_refused_as_a_connections_transport(client_context: Context) -> None:
    for bio in filters():
        for transport in (bio, (bio, BIO.memory()), (BIO.memory(), bio), BufferFilter().push(bio)):
            with pytest.raises(UsageError, match=f"is not complete: nothing is below {bio.name}"):
                Connection(client_context, "example.com", bio=transport)
        bio.push(BIO.pair()[0])
        assert Connection(client_context, "example.com", bio=(bio, BIO.null())).handshake() is Want.READ


def test_a_refused_connection_leaves_its_other_bio_free(client_context: Context) -> None:
    memory = BIO.memory()
    with pytest.raises(UsageError, match="nothing is below buffer"):
        Connection(client_context, "example.com", bio=(memory, BufferFilter()))
    assert BufferFilter().push(memory).next is memory


def test_a_filter_that_was_left_alone_is_refused_and_goes_on_when_it_has_an_end_again() -> None:
    for bio in filters():
        memory = BIO.memory()
        bio.push(memory)
        assert bio.write(b"x") == 1
        bio.pop()
        for call in (bio.read, bio.flush, bio.handshake, bio.fileno, bio.end, lambda bio=bio: bio.write(b"x")):
            with pytest.raises(UsageError, match=f"{bio.name} is not complete: nothing is below {bio.name}"):
                call()
        with pytest.raises(UsageError, match="not complete"):
            _ = bio.room
        bio.push(memory)
        assert bio.flush() is None


def test_what_a_lone_filter_knows_by_itself_it_tells() -> None:
    digest = DigestFilter("sha256")
    digest.push(BIO.null()).write(b"text")
    digest.pop()
    assert digest.digest() == hashlib.sha256(b"text").digest()
    assert (digest.name, digest.is_filter, digest.next) == ("digest", True, None)


def test_a_with_statement_closes_a_filter_that_was_never_used() -> None:
    for bio in filters():
        with bio:
            pass
        assert bio.closed


def test_a_filter_written_in_python_with_nothing_below_has_nothing_to_flush_or_to_end() -> None:
    class Filter(PythonBIO):
        filters = True

        def read(self, size: int = -1) -> bytes:
            return b"x"

    bio = Filter()
    for call in (bio.flush, bio.end, bio.readline, bio.handshake, BufferFilter().push(bio).read):
        with pytest.raises(UsageError, match=r"nothing is below Filter|has no lines"):
            call()


def test_a_prefix_filter_has_no_lines_of_its_own() -> None:
    """Its type is that of a buffer, and it would ask the BIO below: a digest answers with its bytes and begins anew."""
    if not lib.HAVE_API_3_0:
        with pytest.raises(UnsupportedError):
            PrefixFilter("> ")
        return
    prefix = PrefixFilter("> ").push(DigestFilter("sha256")).push(BIO.memory())
    assert str(prefix) == "prefix → digest → memory"
    with pytest.raises(UsageError, match="prefix has no lines"):
        prefix.readline()


# Loops


class Endless(PythonBIO):
    """Gives always the same, and takes nothing."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.data = data

    def read(self, size: int = -1) -> bytes:
        return (self.data * (size // len(self.data) + 1))[:size]

    def write(self, data: bytes | bytearray | memoryview) -> int:
        return len(data)


@pytest.mark.parametrize("data", [b"\n", b" \r\n", b"\n\n\n\t"])
def test_base64_that_never_begins_fails_and_stays_failed(data: bytes) -> None:
    chain = Base64Filter().push(Endless(data))
    for _ in range(3):
        with pytest.raises(Error, match="not base64"):
            chain.read()


def test_a_file_without_end_and_without_base64_fails() -> None:
    with Base64Filter().push(BIO.file("/dev/zero")) as chain, pytest.raises(Error, match="not base64"):
        chain.read()


def test_a_connection_over_base64_that_never_begins_gives_control_back(client_context: Context) -> None:
    """A call takes 32 KiB that brought no data, and does not say that the peer has ended."""
    source = Endless(b"\n")
    connection = Connection(client_context, "example.com", bio=Base64Filter().push(source))
    for _ in range(3):
        assert connection.handshake() is pyossl.Want.READ


def test_base64_after_megabytes_of_other_lines_is_found(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"-- not of base64\n" * 200_000 + b"dGV4dA==\n")
    with Base64Filter().push(BIO.file(tmp_path / "file")) as chain:
        assert chain.read() == b"text"


def test_base64_without_end_is_read_as_long_as_somebody_reads() -> None:
    """What a read may take is that read's."""

    class Lines(Endless):
        place = 0

        def read(self, size: int = -1) -> bytes:
            answer = super().read(size + 65)[self.place :][:size]
            self.place = (self.place + size) % 65
            return answer

    chain = Base64Filter().push(Lines(b"QUJD" * 16 + b"\n"))
    total = 0
    while total < 16 << 20:
        data = chain.read()
        assert isinstance(data, bytes)
        assert not data.strip(b"ABC")
        assert data
        total += len(data)


def test_what_is_read_inside_a_read_does_not_count_for_it() -> None:
    class Inside(Endless):
        def read(self, size: int = -1) -> bytes:
            with pytest.raises(Error, match="not base64"):
                Base64Filter().push(Endless(b"\n")).read()
            return b"dGV4dA==\n"

    assert Base64Filter().push(Inside(b"")).read(4) == b"text"


@pytest.mark.parametrize("prefixed", [False, True])
def test_the_flush_of_base64_over_what_cannot_be_written_fails(prefixed: bool, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"text")
    chain = Base64Filter()
    if prefixed and lib.HAVE_API_3_0:
        chain.push(PrefixFilter("> "))
    chain.push(BIO.file(tmp_path / "file"))
    chain.write(b"x")
    for _ in range(2):
        with pytest.raises(Error):
            chain.flush()


def test_the_flush_of_base64_under_a_connection_whose_python_bio_was_closed_fails(client_context: Context) -> None:
    chain = Base64Filter().push(Endless(b"QUJD\n"))
    connection = Connection(client_context, "example.com", bio=(BIO.memory(), chain))
    chain.close()
    with pytest.raises(Error):
        connection.handshake()


def test_the_pending_bytes_of_a_bio_that_lies_get_no_gigabytes_of_room() -> None:
    class Lying(Endless):
        asked = 0

        @property
        def pending(self) -> int:
            return 1 << 40

        def read(self, size: int = -1) -> bytes:
            self.asked = size
            return b"x"

    lying = Lying(b"")
    assert DigestFilter("sha256").push(lying).read() == b"x"
    assert lying.asked == 1 << 20


def test_two_threads_that_push_on_each_other_make_no_ring() -> None:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(400):
            first, second = BufferFilter(), BufferFilter()
            together = threading.Barrier(2)

            def push(upper: BIO, lower: BIO, together: threading.Barrier = together) -> None:
                together.wait()
                with contextlib.suppress(UsageError):
                    upper.push(lower)

            threads = [threading.Thread(target=push, args=pair) for pair in ((first, second), (second, first))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert first.next is None or second.next is None
    finally:
        sys.setswitchinterval(before)


# Connections


def test_a_chain_under_two_connections_is_kept_by_either(client_context: Context) -> None:
    chain = BufferFilter().push(BIO.pair()[0])
    first, second = (Connection(client_context, "example.com", bio=chain) for _ in range(2))
    second.close()
    with pytest.raises(UsageError, match="is under a connection"):
        chain.pop()
    assert first.handshake() is Want.READ
    first.close()
    chain.pop()


@pytest.mark.parametrize("below", [False, True])
def test_a_connection_keeps_what_its_closed_bio_has_kept(below: bool) -> None:
    """The bytes of a read-only memory were freed, and the connection read on there."""
    script = f"""
import gc, os, pyossl, socket
from pyossl import BIO, BufferFilter, Connection, Context
context = Context.client(verify=False)
def chain(bio):
    return BufferFilter().push(bio) if {below} else bio
reader = chain(BIO.memory(os.urandom(3_000_000)))
connection = Connection(context, bio=(reader, BIO.memory()))
reader.close()
del reader
gc.collect()
try:
    connection.handshake()
except pyossl.Error:
    pass
ours, theirs = socket.socketpair()
ours.setblocking(False)
bio = chain(BIO.socket(ours))
connection = Connection(context, bio=bio)
bio.close()
del bio, ours
gc.collect()
connection.handshake()
assert theirs.recv(5)[:1] == b"\\x16"
connection.close()
del connection
gc.collect()
assert theirs.recv(1 << 16) and not theirs.recv(1)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, (done.returncode, done.stderr)


def test_a_bio_closed_in_the_middle_of_a_connections_call_is_a_failure_and_no_crash(client_context: Context) -> None:
    class Closing(Endless):
        def read(self, size: int = -1) -> bytes:
            chain.close()
            return b"\x16" * size

    chain = BufferFilter().push(Closing(b""))
    connection = Connection(client_context, "example.com", bio=chain)
    with pytest.raises(Error):
        connection.handshake()


def test_a_bio_that_reads_from_its_own_chain_recurses_until_python_ends_it() -> None:
    class Recursive(Endless):
        def read(self, size: int = -1) -> bytes | Want:  # type: ignore[override]
            return chain.read(size)

    chain = DigestFilter("sha256").push(Recursive(b""))
    with pytest.raises(RecursionError):
        chain.read(5)
