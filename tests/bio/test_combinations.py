"""Each filter over each end in each call: the call ends with a result, a ``Want`` or an exception of pyossl.

A call could crash or never return.  So the combinations run in other processes, many in each, which print each
combination before they begin it.  A signal ends a process that takes too long for one.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

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
