"""A program that uses keys in a token: ``python token_program.py CASE`` prints what happened."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pyossl
from pyossl import Certificate, Context, PrivateKey, lib, load_uri

FOLDER = Path(os.environ["TOKEN_FOLDER"])
TRUST = str(FOLDER / "trust.pem")
PIN, WRONG_PIN = "1234", "4321"
MAIN = os.getpid()


def object_named(name: str, more: str = "") -> str:
    return f"pkcs11:token=ours;object={name}{more}"


CERTIFICATE, KEY = object_named("server", ";type=cert"), object_named("server", ";type=private")
PINS = {
    "value": (f"{KEY}?pin-value={PIN}", None),
    "source": (f"{KEY}?pin-source=file:{FOLDER}/pin", None),
    "text": (KEY, PIN),
    "bytes": (KEY, PIN.encode()),
    "function": (KEY, lambda: print("asked for the PIN", flush=True) or PIN),
}
WRONG_PINS = {
    "value": (f"{KEY}?pin-value={WRONG_PIN}", None),
    "source": (f"{KEY}?pin-source=file:{FOLDER}/wrong-pin", None),
    "text": (KEY, WRONG_PIN),
    "empty": (KEY, ""),
    "function": (KEY, lambda: print("asked for the PIN", flush=True) or WRONG_PIN),
    "value, and the right one as password": (f"{KEY}?pin-value={WRONG_PIN}", PIN),
}


def server(given: str) -> Context:
    key, password = PINS[given]
    return Context.server(CERTIFICATE, key, password=password)


def greeted(serving: Context, client: Context) -> pyossl.Connection:
    """The server's side of a connection in memory, after the handshake."""
    ours, theirs = pyossl.BIO.pair()
    first, second = pyossl.Connection(client, "localhost", bio=ours), pyossl.Connection(serving, bio=theirs)
    for _ in range(10):
        if (first.handshake(), second.handshake()) == (None, None):
            second.write(b"hello")
            assert first.read() == b"hello"
            return second
    raise AssertionError("the handshake does not end")


def version_between(serving: Context, client: Context) -> str | None:
    return greeted(serving, client).version


def report(what: Callable[[], object]) -> None:
    """Prints the result, or the exception, which must show no PIN and leave nothing in the error queue."""
    pyossl.outcome.take_records()  # pkcs11-provider leaves an entry in it when it frees an object of the token
    try:
        print(what())
    except pyossl.Error as error:
        assert lib.ERR_peek_error() == 0
        shown = f"{error} {error.records}"
        assert not any(pin in shown for pin in (PIN, WRONG_PIN)), shown
        print(type(error).__name__, str(error).rpartition(": ")[0], sep=": ")
    sys.stdout.flush()


def sign() -> None:
    serving, client = server(os.environ["GIVEN"]), Context.client(trust=TRUST)
    for _ in range(2):
        report(partial(version_between, serving, client))


def sign_on_both_sides() -> None:
    """The keys, the certificates and the authorities of both sides are in the token."""
    trust = object_named("authority", ";type=cert")
    serving = Context.server(CERTIFICATE, KEY, password=PIN, trust=trust, verify=True)
    certificate, key = object_named("client", ";type=cert"), object_named("client", ";type=private")
    client = Context.client(trust=trust, certificate=certificate, private_key=key, password=PIN)
    report(lambda: greeted(serving, client).peer_certificate.subject)  # type: ignore[union-attr]


def sign_in_a_library_context() -> None:
    """Only the library context has the provider of the token.  It is closed, and its context goes on in a child."""
    report(lambda: Context.server(CERTIFICATE, KEY, password=PIN))
    report(lambda: Context.server(CERTIFICATE, KEY, password=PIN, library_context=pyossl.LibraryContext()))
    with pyossl.LibraryContext(configuration=FOLDER / "openssl.cnf") as library:
        serving = Context.server(CERTIFICATE, KEY, password=PIN, library_context=library)
        trusting = Context.client(trust=object_named("authority", ";type=cert"), library_context=library)
    report(partial(version_between, serving, trusting))
    if (child := os.fork()) == 0:
        report(partial(version_between, serving, Context.client(trust=TRUST)))
        os._exit(0)
    os.waitpid(child, 0)


def sign_with_the_key_of_a_callback() -> None:
    """In a child process too: the callback's key is not that of the context, which logs in earlier."""
    (key,), (certificate,) = load_uri(KEY, PIN, kind=PrivateKey), load_uri(CERTIFICATE, kind=Certificate)
    chosen = pyossl.Credentials(certificate, key)
    serving = Context(is_server=True)
    serving.certificate_callback = lambda connection, demand: chosen
    report(partial(version_between, serving, Context.client(trust=TRUST)))
    if (child := os.fork()) == 0:
        report(partial(version_between, serving, Context.client(trust=TRUST)))
        os._exit(0)
    os.waitpid(child, 0)


def stay_in_the_token() -> None:
    (key,) = load_uri(KEY, PIN, kind=PrivateKey)
    for write in (key.to_pem, key.to_der):
        report(write)


def refuse_wrong_pins() -> None:
    """Each in a process of its own: a login holds for the whole process."""
    for name, (key, password) in WRONG_PINS.items():
        if (child := os.fork()) == 0:
            print(name, end=": ", flush=True)
            report(partial(Context.server, CERTIFICATE, key, password=password))
            os._exit(0)
        os.waitpid(child, 0)


def give_no_pin() -> None:
    report(lambda: Context.server(CERTIFICATE, KEY))
    report(lambda: load_uri(KEY))


def find_nothing_or_several() -> None:
    report(lambda: Context.server(object_named("nobody"), KEY, password=PIN))
    report(lambda: Context.server(CERTIFICATE, object_named("nobody"), password=PIN))
    report(lambda: Context.server(CERTIFICATE, "pkcs11:token=nobodys;type=private", password=PIN))
    report(lambda: Context.server(object_named("twin"), KEY, password=PIN))
    report(lambda: Context.server(CERTIFICATE, object_named("twin"), password=PIN))
    report(lambda: Context.server(CERTIFICATE, object_named("twin", ";id=%03;type=private"), password=PIN))
    report(lambda: Context.client(trust=object_named("nobody")))
    report(lambda: len(pyossl.Store.of("pkcs11:token=ours;type=cert").certificates))


def fork_and_serve() -> None:
    """A prefork server: the context is made, and used, before the forks.

    Each process has a client's context of its own, with keys that were not used before the fork: docs/pitfalls.md, 82.
    """
    serving = server(os.environ["GIVEN"])
    report(partial(version_between, serving, Context.client(trust=TRUST)))
    for _ in range(2):
        if (child := os.fork()) == 0:
            print("child", flush=True)
            client = Context.client(trust=TRUST)
            for _ in range(2):
                report(partial(version_between, serving, client))
            os._exit(0)
        os.waitpid(child, 0)
    print("parent", flush=True)
    report(partial(version_between, serving, Context.client(trust=TRUST)))


def fork_without_the_pin() -> None:
    """The function that gives the PIN gives a wrong one in the child: it is tried once."""

    def ask() -> str:
        print("asked for the PIN", flush=True)
        return PIN if os.getpid() == MAIN else WRONG_PIN

    serving = Context.server(CERTIFICATE, KEY, password=ask)
    if (child := os.fork()) == 0:
        for _ in range(3):
            report(lambda: pyossl.Connection(serving))
        os._exit(0)
    os.waitpid(child, 0)
    report(lambda: pyossl.Connection(serving))


def fork_within_a_connection() -> None:
    """The connection is made before the fork, so that the child is not logged in: the handshake fails."""
    second = pyossl.Connection(server("text"))
    if (child := os.fork()) == 0:
        first = pyossl.Connection(Context.client(trust=TRUST), "localhost")
        first.handshake()
        second.receive_data(first.data_to_send())
        report(second.handshake)
        os._exit(0)
    os.waitpid(child, 0)


def load_a_certificate() -> None:
    """Certificates are public: no PIN is needed or asked for."""
    certificates = load_uri(CERTIFICATE, lambda: print("asked") or PIN, kind=Certificate)
    print(certificates == [Certificate.load(FOLDER / "server.pem")])


if __name__ == "__main__":
    globals()[sys.argv[1]]()
