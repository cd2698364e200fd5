"""A fork waits for calls of other threads that hold OpenSSL's locks: in the child no thread would release them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from marks import FREE_THREADED
from openssl_functions import calls_of_c
from served import SECONDS, Task, tcp_pair, until

import build_ffi
import pyossl
from pyossl import ffi, lib

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system"),
    pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning"),  # Python 3.12 warns about threads
]

FORKING = """
import os, signal, sys, threading, time, warnings
warnings.simplefilter("ignore")
import pyossl

authority = pyossl.Authority()
mine = authority.issue("localhost")
chain, key = mine.certificate.to_pem(), mine.private_key.to_pem()
server, client = pyossl.Context.server(chain, key), pyossl.Context.client(trust=authority.certificate)

def shake_hands():
    ours, theirs = pyossl.Connection(client, "localhost"), pyossl.Connection(server)
    for _ in range(3):
        ours.handshake()
        theirs.receive_data(ours.data_to_send())
        theirs.handshake()
        ours.receive_data(theirs.data_to_send())
    assert ours.handshake() is None and theirs.handshake() is None

def shake_hands_by_reads():
    ours, theirs = pyossl.Connection(client, "localhost"), pyossl.Connection(server)
    for _ in range(2):
        ours.read()
        theirs.receive_data(ours.data_to_send())
        theirs.read()
        ours.receive_data(theirs.data_to_send())
    assert ours.is_handshake_finished and theirs.is_handshake_finished

def make_server():
    return pyossl.Context.server(chain, key)

make, make_child = {
    "client": (pyossl.Context.client, pyossl.Context.client),
    "server": (make_server, make_server),
    "authority": (lambda: pyossl.Authority().issue("localhost"), make_server),
    "handshake": (shake_hands, shake_hands),
    "read": (shake_hands_by_reads, shake_hands),
}[sys.argv[1]]
make()

def others():
    while True:
        make()

for _ in range(3):
    threading.Thread(target=others, daemon=True).start()
sys.setswitchinterval(1e-4)
end = time.monotonic() + 6
for n in range(200):
    if time.monotonic() > end:
        break
    time.sleep(0.0005 * (n % 7))
    child = os.fork()
    if child == 0:
        signal.alarm(5)
        make_child()
        os._exit(0)
    if os.waitpid(child, 0)[1] != 0:
        print("a child hung after", n)
        break
else:
    n += 1
print("forked", n)
sys.stdout.flush()
os._exit(0)
"""


@pytest.mark.skipif(
    FREE_THREADED,
    reason="a free-threaded Python may hand a dict's lock to a waiting thread, and in a child it is never released",
)
@pytest.mark.parametrize("side", ["client", "server", "authority", "handshake", "read"])
def test_a_child_that_is_forked_beside_three_threads_that_make_contexts_makes_its_own(side: str) -> None:
    """docs/pitfalls.md, 38."""
    done = subprocess.run(
        [sys.executable, "-c", FORKING, side], capture_output=True, text=True, timeout=SECONDS * 3, check=True
    )
    assert done.stdout.startswith("forked"), done.stdout
    assert int(done.stdout.split()[1]) > 20, done.stdout


ENCRYPTED = pyossl.PrivateKey.generate().to_pem(password=b"secret")


def load(password: Callable[[], bytes]) -> None:
    """Loads a key in one call of OpenSSL, which calls Python for the password."""

    @ffi.callback("int(char *, int, int, void *)")  # type: ignore[untyped-decorator]
    def answer(place: Any, size: int, writes: int, argument: object) -> int:
        secret = password()
        ffi.memmove(place, secret, len(secret))
        return len(secret)

    key = lib.PEM_read_bio_PrivateKey(pyossl.BIO.memory(ENCRYPTED)._bio, ffi.NULL, answer, ffi.NULL)
    assert key != ffi.NULL
    lib.EVP_PKEY_free(key)


def fork_and_wait() -> int:
    """Forks a child that exits at once, and returns its exit code."""
    child = os.fork()
    if child == 0:
        os._exit(7)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_fork_waits_for_a_call_of_another_thread_without_keeping_it_from_python() -> None:
    order: list[str] = []
    asked = threading.Event()

    def password() -> bytes:
        asked.set()
        end = time.monotonic() + 0.3
        while time.monotonic() < end:  # Python runs during the call
            pass
        order.append("loaded")
        return b"secret"

    loading = Task(lambda: load(password))
    assert asked.wait(SECONDS)
    assert fork_and_wait() == 7
    order.append("forked")
    loading.result()
    assert order == ["loaded", "forked"]


@pytest.mark.parametrize("name", ["sendall", "recv"])
def test_a_fork_waits_for_a_call_of_a_socket_in_another_thread(
    name: str, client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    order: list[str] = []
    armed, asked = threading.Event(), threading.Event()

    @ffi.callback("void(int, int, int, const void *, size_t, SSL *, void *)")  # type: ignore[untyped-decorator]  # cffi's own
    def message(*_: object) -> None:
        if armed.is_set() and not asked.is_set():
            asked.set()
            end = time.monotonic() + 0.3
            while time.monotonic() < end:  # Python runs during the call of OpenSSL
                pass
            order.append("done")

    first, second = tcp_pair()
    tls = server_context.wrap_socket(second, handshake=False)
    # Before the handshake: later, OpenSSL 3.2 and newer do not call it for records.
    lib.SSL_set_msg_callback(tls.connection._c.ssl, message)
    shaking = Task(tls.handshake)
    peer = client_context.wrap_socket(first, "example.com")
    shaking.result()
    with tls, peer:
        tls.settimeout(SECONDS)
        armed.set()
        calling = Task(lambda: tls.sendall(b"x") if name == "sendall" else tls.recv(1))
        if name == "recv":
            until(lambda: tls.connection.waiters)
            peer.sendall(b"x")
        assert asked.wait(SECONDS)
        assert fork_and_wait() == 7
        order.append("forked")
        calling.result()
        lib.SSL_set_msg_callback(tls.connection._c.ssl, ffi.NULL)
    assert order == ["done", "forked"]


def test_a_callback_may_fork_during_such_a_call_and_does_not_wait() -> None:
    took: list[float] = []

    def password() -> bytes:
        start = time.monotonic()
        assert fork_and_wait() == 7
        took.append(time.monotonic() - start)
        return b"secret"

    load(password)
    assert took[0] < 0.9


def test_a_fork_does_not_wait_for_a_callback_of_a_handshake(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    asked, done = threading.Event(), threading.Event()

    def choose(connection: pyossl.Connection, name: str | None) -> None:
        asked.set()
        assert done.wait(SECONDS)

    server_context.servername_callback = choose
    client, server = pyossl.Connection(client_context, "example.com"), pyossl.Connection(server_context)
    client.handshake()
    server.receive_data(client.data_to_send())
    shaking = Task(server.handshake)
    assert asked.wait(SECONDS)
    try:
        start = time.monotonic()
        assert fork_and_wait() == 7
        assert time.monotonic() - start < 0.9
    finally:
        done.set()
    shaking.result()
    assert fork_and_wait() == 7


def test_a_fork_does_not_wait_for_ever() -> None:
    asked, done = threading.Event(), threading.Event()

    def password() -> bytes:
        asked.set()
        assert done.wait(SECONDS)
        return b"secret"

    loading = Task(lambda: load(password))
    assert asked.wait(SECONDS)
    try:
        assert fork_and_wait() == 7
    finally:
        done.set()
    loading.result()


def test_the_child_can_make_contexts_and_fork_again_and_so_can_the_parent() -> None:
    child = os.fork()
    if child == 0:
        pyossl.Context.client()
        code = fork_and_wait()
        pyossl.Context.client()
        os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert Task(pyossl.Context.client).result()


HANDLERS = """
import gc, os, signal, sys, threading
signal.alarm(20)
fork = [True]

def handler():
    if sys.argv[2:] == ["forks"] and fork.pop():
        fork.append(False)
        child = os.fork()
        if child == 0:
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    if sys.argv[2:] == ["joins"]:
        thread = threading.Thread(target=pyossl.Context.client)
        thread.start()
        thread.join()
    pyossl.Context.client()
    gc.collect()

os.register_at_fork(**{sys.argv[1]: handler})  # before pyossl's own: the handlers run in both orders
import pyossl

child = os.fork()
if child == 0:
    pyossl.Context.client()
    os._exit(7)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.parametrize("does", ["no more", "forks", "joins"])
@pytest.mark.parametrize("when", ["before", "after_in_parent", "after_in_child"])
def test_other_handlers_of_a_fork_may_make_contexts_and_fork_and_wait_for_threads_that_do(when: str, does: str) -> None:
    done = subprocess.run([sys.executable, "-c", HANDLERS, when, does], timeout=SECONDS * 3, check=False)
    assert done.returncode == 7


SOURCES = build_ffi.ROOT / "pyossl"
HELD = set(
    re.findall(r"^# *define (\w+)\(", (SOURCES / "_c" / "core" / "calls_that_hold_forks.h").read_text(), re.MULTILINE)
)
TAKES_THE_LOCK = re.compile(
    "(BIO|SSL|SSL_CTX|SSL_SESSION|X509|X509_CRL|X509_STORE|X509_STORE_CTX|EVP_PKEY|DH|DSA|RSA|EC_KEY)"
    "_(new|new_(?!cb$|index$)[a-z_]+|free|free_all|vfree|dup)|"
    "UI_(destroy_method|create_method|UTIL_wrap_read_pem_callback)|"
    "OSSL_LIB_CTX_(new|free)|OSSL_PROVIDER_(load|unload|available|do_all)|EVP_default_properties_[a-z_]+|"
    r"PEM_(read|write)_[a-z]\w*|d2i_(X509(?!_NAME|_SIG)|SSL_SESSION|PKCS12|PKCS8|PrivateKey|PUBKEY)\w*"
)
"""Calls that take a global lock, or that of the default library context.

They make or free an object with external data (CRYPTO_new_ex_data(3)), or look at providers and properties.
"""
LONG = {"pyossl_generate_dsa"}
"""The functions for which forks do not wait: they take seconds."""


def test_no_macro_that_holds_forks_hides_a_function_of_compat_h() -> None:
    """A macro of calls_that_hold_forks.h would hide compat.h's: OpenSSL's own function would be called again."""
    lent = set(re.findall(r"^# *define (\w+)", (SOURCES / "_c" / "compat.h").read_text(), re.MULTILINE))
    assert len(HELD) > 50
    assert lent
    assert not HELD & lent - {"PKCS12_parse"}  # the header asks for it


def test_every_call_that_takes_a_global_lock_holds_forks() -> None:
    used = {name for path in SOURCES.rglob("*.py") for name in re.findall(r"\blib\.(\w+)", path.read_text())} - HELD
    assert {name for name in used if TAKES_THE_LOCK.fullmatch(name)} == set()
    calls = calls_of_c(without={"pyossl_live_adopt", "pyossl_resume_hold"})  # they hold no forks for their callers
    own = {name: called for name, called in calls.items() if name in used}
    assert len(own) > 50
    unheld = {name for name, called in own.items() if any(map(TAKES_THE_LOCK.fullmatch, called))}
    assert {name for name in unheld if "pyossl_hold_forks" not in own[name]} == LONG
