"""10,000 handshakes, successful or failed, leave no memory behind (docs/pitfalls.md, 18, 20).

Each kind runs in a process of its own: first until all caches, arenas and pools have their final size, and then again
while the memory is measured.  The size of malloc's arenas varies by some hundred kilobytes.  A leak of one SSL for each
failure (40 KB), of the entries of an error queue (24 KB) or of one X509 (2 KB) would exceed the bound by megabytes:
with 1,000 handshakes or more of each kind, the bound of 1 MB is less than 1 KB for each handshake.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from marks import measures_memory

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the process's size is read from Linux's /proc"
)

PRELUDE = """
import gc, itertools, os, socket, sys, threading
import pyossl
from pyossl import Want
authority, unknown = pyossl.Authority(), pyossl.Authority("unknown")
mine = authority.issue("localhost")
server_context = pyossl.Context.server((mine.certificate, *mine.chain), mine.private_key, alpn=["h2"])
client_context = pyossl.Context.client(trust=authority.certificate)
distrusting = pyossl.Context.client(trust=unknown.certificate)
old = pyossl.Context.client(trust=authority.certificate, maximum_version=pyossl.Version.TLSv1_2)
new = pyossl.Context.server(mine.certificate, mine.private_key, minimum_version=pyossl.Version.TLSv1_3)
other_protocol = pyossl.Context.client(trust=authority.certificate, alpn=["spdy"])

def shake(client, server):
    while True:
        waits = [client.handshake(), server.handshake()]
        for source, target in ((client, server), (server, client)):
            if data := source.data_to_send():
                target.receive_data(data)
        if waits == [None, None]:
            return

def refused(client, server):
    try:
        shake(client, server)
    except pyossl.Error:
        return
    raise SystemExit("it was not refused")

def succeeds():
    client, server = pyossl.Connection(client_context, "localhost"), pyossl.Connection(server_context)
    shake(client, server)
    client.write(b"x" * 20000)
    server.receive_data(client.data_to_send())
    assert server.read(), server.peer_certificate is None
    assert client.peer_certificate and client.verified_chain and client.peer_chain and client.cipher
    client.shutdown()

def succeeds_with_a_callback():
    seen = []
    client = pyossl.Connection(client_context, "localhost", message_callback=seen.append)
    shake(client, pyossl.Connection(server_context))
    assert seen

class Holder:
    def __init__(self):
        self.connection = pyossl.Connection(client_context, "localhost", message_callback=self.message)
    def message(self, message):
        self.last = message

turns = itertools.count()

def is_a_cycle():
    shake(Holder().connection, pyossl.Connection(server_context))
    if next(turns) % 50 == 0:
        gc.collect()  # without its lock Python lets cycles be until the process has grown by a part of its size

def raises_in_a_callback():
    def message(_):
        raise KeyError
    try:
        pyossl.Connection(client_context, "localhost", message_callback=message).handshake()
    except KeyError:
        return
    raise SystemExit("it was not raised")

def is_refused_by_the_client():
    refused(pyossl.Connection(distrusting, "localhost"), pyossl.Connection(server_context))

def is_for_another_name():
    refused(pyossl.Connection(client_context, "example.org"), pyossl.Connection(server_context))

def has_no_version_in_common():
    refused(pyossl.Connection(old, "localhost"), pyossl.Connection(new))

def has_no_protocol_in_common():
    refused(pyossl.Connection(other_protocol, "localhost"), pyossl.Connection(server_context))

def is_garbage():
    server = pyossl.Connection(server_context)
    server.receive_data(b"GET / HTTP/1.1\\r\\n\\r\\n")
    refused(pyossl.Connection(client_context, "localhost"), server)

def is_cut():
    client = pyossl.Connection(client_context, "localhost")
    client.handshake()
    client.receive_data(b"\\x16\\x03")
    client.receive_data(b"")
    refused(client, pyossl.Connection(server_context))

def is_dropped_in_the_middle():
    client, server = pyossl.Connection(client_context, "localhost"), pyossl.Connection(server_context)
    client.handshake()
    server.receive_data(client.data_to_send())
    server.handshake()

def waits_with_a_write():
    one, other = pyossl.BIO.pair()
    client = pyossl.Connection(client_context, "localhost", bio=one)
    server = pyossl.Connection(server_context, bio=other)
    while [client.handshake(), server.handshake()] != [None, None]:
        pass
    client.write(bytes(100000))

def goes_over_sockets():
    first, second = socket.socketpair()
    thread = threading.Thread(target=lambda: server_context.wrap_socket(second).close())
    thread.start()
    with client_context.wrap_socket(first, "localhost") as tls:
        tls.makefile("rwb").close()
        tls.recv(1)
    thread.join()

def fails_over_sockets():
    first, second = socket.socketpair()
    second.sendall(b"HTTP/1.1 400 Bad Request\\r\\n\\r\\n")
    try:
        client_context.wrap_socket(first, "localhost")
    except pyossl.Error:
        second.close()
        return
    raise SystemExit("it was not refused")

def makes_a_context():
    pyossl.Context.client(trust=authority.certificate, alpn=["h2", "http/1.1"])
    pyossl.Context.server((mine.certificate, authority.certificate), mine.private_key.to_pem(), alpn=["h2"])

def loads_what_is_broken():
    for load in (pyossl.Certificate.load, pyossl.PrivateKey.load, pyossl.load_certificates):
        for data in (b"-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----\\n", b"0\\x03\\x02\\x01"):
            try:
                load(data)
            except pyossl.DecodeError:
                pass
    pyossl.Certificate.load(mine.certificate.to_pem()).serial_number

def resident():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

def descriptors():
    return len(os.listdir("/proc/self/fd"))

def measure(work, count):
    for _ in range(count // 2):
        work()
    size, open_before = resident(), descriptors()
    for _ in range(count):
        work()
    print((resident() - size) // 1024, descriptors() - open_before)

measure(globals()[sys.argv[1]], int(sys.argv[2]))
"""

GOOD = {"succeeds": 2500, "succeeds_with_a_callback": 600, "is_a_cycle": 600, "goes_over_sockets": 600}
BAD = {
    "raises_in_a_callback": 1000,
    "is_refused_by_the_client": 800,
    "is_for_another_name": 600,
    "has_no_version_in_common": 1000,
    "has_no_protocol_in_common": 800,
    "is_garbage": 1000,
    "is_cut": 600,
    "is_dropped_in_the_middle": 600,
    "fails_over_sockets": 600,
}
OTHERS = {"waits_with_a_write": 300, "makes_a_context": 400, "loads_what_is_broken": 600}
KILOBYTES = 1024


def test_there_are_ten_thousand_handshakes_and_half_of_them_fail() -> None:
    """Includes the warm-up, which has half as many."""
    good, bad = (sum(kinds.values()) * 3 // 2 for kinds in (GOOD, BAD))
    assert good + bad >= 10_000
    assert bad >= 5_000


@measures_memory
@pytest.mark.parametrize(("kind", "count"), (GOOD | BAD | OTHERS).items(), ids=GOOD | BAD | OTHERS)
def test_nothing_is_left_of_a_handshake_that(kind: str, count: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE, kind, str(count)],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        # One arena, so that the sizes of one heap are compared.
        env=os.environ | {"MALLOC_ARENA_MAX": "1", "PYTHONWARNINGS": "ignore::ResourceWarning"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    kilobytes, descriptors = map(int, done.stdout.split())
    assert kilobytes < KILOBYTES, f"{count} handshakes grew the process by {kilobytes} KB"
    assert descriptors == 0
