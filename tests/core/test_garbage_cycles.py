"""Objects in a reference cycle that the ``__del__`` of another object in the cycle uses (docs/pitfalls.md, 31).

The collector finalises the objects of a cycle in any order.  An object of OpenSSL is freed when it can no longer be
reached, and not before.  The tests run in a subprocess in which Python's allocator and glibc's overwrite freed memory.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import weakref
from pathlib import Path

import pytest

import pyossl

PRELUDE = """
import contextlib, faulthandler, gc, socket, sys
import pyossl, pyossl.pyopenssl
from pyossl.bio import filters as bio_filters
from pyossl.bio import python_bio
from pyossl.pyopenssl import SSL, crypto
faulthandler.enable()
gc.disable()
ca = pyossl.Authority()
own = ca.issue("localhost", "example.com", "127.0.0.1")
client_context = pyossl.Context.client(trust=ca.certificate)
server_context = pyossl.Context.server(own.certificate, own.private_key)
kept = []

def pair():
    client, server = pyossl.Connection(client_context, "localhost"), pyossl.Connection(server_context)
    while (client.handshake(), server.handshake()) != (None, None):
        data = client.data_to_send()
        if data:
            server.receive_data(data)
        data = server.data_to_send()
        if data:
            client.receive_data(data)
    return client, server

def tls_socket():
    ours, theirs = socket.socketpair()
    kept.append(theirs)
    return client_context.wrap_socket(ours, "localhost", handshake=False)

class Doubled(python_bio.PythonBIO):
    def read(self, size=-1):
        return b"x" * min(size, 3)
    def write(self, data):
        return len(data)

def tunnel():
    client, server = pair()
    return pyossl.Connection(client_context, "localhost", bio=pyossl.SSLFilter(client))

def face():
    context = SSL.Context(SSL.TLS_METHOD)
    connection = SSL.Connection(context)
    connection.set_connect_state()
    return connection

def session():
    client, server = pair()
    return client.session

class User:
    def __init__(self, thing, use):
        self.thing, self.use, self.me = thing, use, self
    def __del__(self):
        with contextlib.suppress(pyossl.Error, SSL.Error, crypto.Error):
            self.use(self.thing)
"""

ENDING = """
for make, uses in THINGS:
    for use in uses:
        for _ in range(REPEATED):
            User(make(), use)
        gc.collect()
        junk = [bytes(size) for size in range(100, 1000, 7)]
assert not gc.garbage
print("survived")
"""

THINGS = {
    "Connection": """(
    lambda: pyossl.Connection(client_context, "localhost"),
    (repr, lambda c: c.handshake(), lambda c: c.write(b"x"), lambda c: c.read(), lambda c: c.close(), lambda c: c.state,
     lambda c: c.receive_data(b"x"), lambda c: c.data_to_send(), lambda c: c.call(pyossl.lib.SSL_version)))""",
    "Connection, shaken hands": """(
    lambda: pair()[0],
    (repr, lambda c: c.encrypt(b"x"), lambda c: c.shutdown(), lambda c: c.peer_chain, lambda c: c.session))""",
    "Connection over a BIO": """(
    lambda: pyossl.Connection(client_context, "localhost", bio=pyossl.BIO.pair()[0]),
    (repr, lambda c: c.handshake(), lambda c: c.close()))""",
    "Connection over a connection": "(tunnel, (repr, lambda c: c.handshake(), lambda c: c.close()))",
    "Socket": """(
    tls_socket,
    (repr, lambda s: s.close(), lambda s: s.settimeout(1), lambda s: s.fileno(), lambda s: s.pending))""",
    "Listener": "(lambda: pyossl.listen(('127.0.0.1', 0), server_context), (repr, lambda l: l.close()))",
    "Context": """(
    lambda: pyossl.Context.client(trust=ca.certificate),
    (repr, lambda c: c.options, lambda c: c.ciphers, lambda c: pyossl.Connection(c, "localhost").handshake()))""",
    "Session": "(session, (repr, lambda s: s.to_der(), lambda s: s.id, lambda s: s.cipher))",
    "Certificate": """(
    lambda: pyossl.Certificate.load(own.certificate.to_der()),
    (repr, lambda c: c.to_pem(), lambda c: c.extensions, lambda c: c.matches("localhost")))""",
    "PrivateKey": """(
    lambda: pyossl.PrivateKey.load(own.private_key.to_der()), (repr, lambda k: k.to_pem(), lambda k: k.public_key))""",
    "Store": """(
    lambda: pyossl.Store.of(ca.certificate),
    (repr, lambda s: s.certificates, lambda s: s.add(ca.certificate), lambda s: s.verify(own.certificate)))""",
    "Name": "(lambda: pyossl.Certificate.load(own.certificate.to_der()).subject_name, (repr, str, hash))",
    "Extension": """(
    lambda: pyossl.Certificate.load(own.certificate.to_der()).extensions[0],
    (repr, lambda e: e.value, lambda e: e.text))
    """,
    "memory BIO": """(
    pyossl.BIO.memory,
    (repr, lambda b: b.write(b"x"), lambda b: b.read(), lambda b: b.close(), lambda b: b.pending))""",
    "half of a pair": """(
    lambda: pyossl.BIO.pair()[0], (repr, lambda b: b.write(b"x"), lambda b: b.close(), lambda b: b.room))""",
    "chain": """(
    lambda: pyossl.BufferFilter().push(pyossl.Base64Filter().push(pyossl.BIO.memory())),
    (str, lambda b: b.write(b"x"), lambda b: b.flush(), lambda b: b.pop(), lambda b: b.close()))""",
    "digest": "(lambda: pyossl.DigestFilter('sha256').push(pyossl.BIO.null()), (lambda b: b.digest(), repr))",
    "BIO in Python": "(Doubled, (repr, lambda b: b.read(3), lambda b: b.write(b'x'), lambda b: b.close()))",
    "face's connection": """(
    face,
    (repr, lambda c: c.do_handshake(), lambda c: c.shutdown(), lambda c: c.bio_read(100),
     lambda c: c.get_cipher_list()))
    """,
    "face's certificate": """(
    lambda: crypto.load_certificate(crypto.FILETYPE_PEM, own.certificate.to_pem()),
    (repr, lambda c: c.get_subject(), lambda c: crypto.dump_certificate(crypto.FILETYPE_ASN1, c)))""",
    "face's key": """(
    lambda: crypto.load_privatekey(crypto.FILETYPE_PEM, own.private_key.to_pem()),
    (repr, lambda k: crypto.dump_privatekey(crypto.FILETYPE_PEM, k)))""",
}


@pytest.mark.parametrize("name", THINGS)
def test_an_object_in_a_garbage_cycle_can_be_used_until_it_is_freed(name: str) -> None:
    script = f"{PRELUDE}\nTHINGS = [{THINGS[name].strip()}]\nREPEATED = 20\n{ENDING}"
    environment = {
        **os.environ,
        "PYTHONMALLOC": "debug",
        "MALLOC_PERTURB_": "165",
        "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0",
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
        cwd=Path(__file__).parents[1],
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == "survived\n"
    assert not done.stderr, done.stderr[-2000:]


def test_a_connection_s_socket_is_open_as_long_as_the_connection(tmp_path: Path) -> None:
    """The connection uses the socket too: if it were closed, its number could belong to another file."""
    script = f"""{PRELUDE}
listener = pyossl.listen(("127.0.0.1", 0), server_context)
import threading, time
accepted = []
def serve():
    tls, _ = listener.accept()
    tls.handshake()
    accepted.append(tls)
thread = threading.Thread(target=serve)
thread.start()
connection = pyossl.connect(listener.address, client_context).connection
thread.join()
gc.collect()
with open({str(tmp_path / "stranger")!r}, "wb") as stranger:
    connection.write(b"for the peer alone")
assert open({str(tmp_path / "stranger")!r}, "rb").read() == b""
assert accepted[0].recv(100) == b"for the peer alone"
print("survived")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.returncode) == ("survived\n", 0), done.stderr


OTHERS = """
class Writer:
    \"\"\"Writes when the collector has finalised the socket, whose number two other files have by then.\"\"\"
    def __init__(self, write):
        self.write, self.me = write, self
    def __del__(self):
        pair = socket.socketpair()
        try:
            self.write()
        except Exception:
            pass
        for sock in pair:
            sock.setblocking(False)
            try:
                got.append(sock.recv(10000))
            except BlockingIOError:
                pass
            sock.close()
got = []
"""

WRITERS = {
    "Socket": """(
        tls := client_context.wrap_socket(ours, 'localhost', handshake=False), tls.settimeout(0), Writer(tls.handshake)
    )""",
    "EventLoopConnection": "Writer(event_loop_steps.EventLoopConnection(client_context, 'localhost', ours).handshake)",
    "BIO.socket": "Writer(lambda bio=pyossl.BIO.socket(ours): bio.write(b'x'))",
    "Connection over BIO.socket": (
        "Writer(pyossl.Connection(client_context, 'localhost', bio=pyossl.BIO.socket(ours)).handshake)"
    ),
    "face": """(
        face := SSL.Connection(SSL.Context(SSL.TLS_METHOD), ours), face.set_connect_state(), Writer(face.do_handshake)
    )""",
}


@pytest.mark.parametrize("name", WRITERS)
def test_an_object_in_a_garbage_cycle_does_not_write_to_another_file(name: str) -> None:
    """A socket has its own finaliser, which closes it: it must stay alive as long as C uses its number."""
    script = f"""{PRELUDE}
from pyossl.sockets import event_loop_steps
{OTHERS}
for _ in range(5):
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    kept.append(theirs)
    {WRITERS[name]}
    ours = tls = face = None
    gc.collect()
assert not any(got), got
print("survived")
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.returncode) == ("survived\n", 0), done.stderr


def test_an_exception_under_a_lock_keeps_nothing_alive(client_context: pyossl.Context) -> None:
    """The traceback refers to the frames, and no frame refers to the exception."""

    def fail(ssl: object) -> None:
        raise ValueError("on purpose")

    gc.disable()
    try:
        connection = pyossl.Connection(client_context, "example.com")
        gone = weakref.ref(connection)
        with pytest.raises(ValueError, match="on purpose"):
            connection.call(fail)
        connection.close()
        with pytest.raises(pyossl.UsageError):
            _ = connection.version
        del connection
        assert gone() is None
    finally:
        gc.enable()
