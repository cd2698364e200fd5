"""Interpreters that end with open connections and running threads: no crash, no hang, no output (docs/pitfalls.md,
24)."""

from __future__ import annotations

import subprocess
import sys

import pytest

PRELUDE = """
import atexit, os, select, socket, sys, threading
import pyossl
authority = pyossl.Authority()
mine = authority.issue("localhost", "127.0.0.1")
server_context = pyossl.Context.server(mine.certificate, mine.private_key)
client_context = pyossl.Context.client(trust=authority.certificate)
listener = pyossl.listen(("127.0.0.1", 0), server_context)
def pair(**more):
    accepted = []
    def accept():
        tls, _ = listener.accept()
        tls.handshake()
        accepted.append(tls)
    thread = threading.Thread(target=accept)
    thread.start()
    client = pyossl.connect(listener.address, client_context, timeout=20, **more)
    thread.join()
    client.settimeout(None)
    return client, accepted[0]
def start(work):
    threading.Thread(target=work, daemon=True).start()
"""

ENDS = {
    "connections and a listener are open": "everything = pair(), pair()",
    "a connection is in the middle of its handshake": """
sock = socket.create_connection(listener.address)
tls = client_context.wrap_socket(sock, "localhost", handshake=False)
tls.settimeout(0)
try:
    tls.handshake()
except pyossl.WouldBlockError:
    pass
""",
    "a daemon thread waits to read": """
client, server = pair()
start(lambda: client.recv(1))
while not client.connection.waiters:
    pass
""",
    "a daemon thread waits in a blocking read of OpenSSL's": """
first, second = socket.socketpair()
connection = pyossl.Connection(client_context, "localhost", bio=pyossl.BIO.socket(first))
start(connection.handshake)
second.recv(1)
""",
    "a daemon thread waits in accept": "start(listener.accept)",
    "daemon threads write and read without end": """
pairs = [pair() for _ in range(3)]
def write(tls):
    while True:
        tls.sendall(bytes(100_000))
def read(tls):
    while True:
        tls.recv(65536)
for client, server in pairs:
    start(lambda tls=client: write(tls))
    start(lambda tls=server: read(tls))
pairs[0][1].recv(1)
""",
    "daemon threads shake hands without end, with a callback in Python": """
seen = threading.Event()
def message(_):
    seen.set()
def shake():
    while True:
        client = pyossl.Connection(client_context, "localhost", message_callback=message)
        server = pyossl.Connection(server_context, message_callback=message)
        while [client.handshake(), server.handshake()] != [None, None]:
            if data := client.data_to_send():
                server.receive_data(data)
            if data := server.data_to_send():
                client.receive_data(data)
for _ in range(3):
    start(shake)
seen.wait()
""",
    "a cycle holds a connection by its callback": """
class Holder:
    def __init__(self):
        self.connection = pyossl.Connection(client_context, "localhost", message_callback=self.message)
    def message(self, message):
        self.last = message
holder = Holder()
holder.connection.handshake()
del holder
""",
    "an exit handler sends": """
client, server = pair()
atexit.register(lambda: (client.sendall(b"last words"), client.close()))
""",
    "a finaliser sends while modules are taken apart": """
client, server = pair()
class Last:
    def __init__(self, tls):
        self.tls = tls
    def __del__(self):
        self.tls.sendall(b"last words")
        self.tls.close()
sys.last = Last(client)
""",
    "the program is ended by an exception": """
everything = pair()
start(lambda: everything[0].recv(1))
sys.exit(0)
""",
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS)
def test_the_interpreter_ends_well_when(end: str) -> None:
    # The sockets are not closed on purpose: Python's warnings about them are off by default.
    command = [sys.executable, "-X", "faulthandler", "-c", PRELUDE + end]
    for _ in range(2):  # a race at exit does not happen each time
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
