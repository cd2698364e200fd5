"""Wrong arguments, objects that outlive the objects they came from, and callbacks that misbehave: nothing crashes."""

from __future__ import annotations

import gc
import random
import socket
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from pyopenssl.pyopenssl_pairs import AUTHORITY, CREDENTIALS, carry, contexts, pair

from pyossl.pyopenssl import SSL, crypto

# What pyOpenSSL's own callers meet; the core's exceptions are not among them.
KNOWN = (
    SSL.Error, crypto.Error, crypto.X509StoreContextError, TypeError, ValueError, AttributeError, LookupError, OSError,
    OverflowError, NotImplementedError, BufferError, ImportError,
)  # fmt: skip

VALUES: list[Any] = [
    None, 0, -1, 2**31, 2**63, -(2**70), 1.5, float("nan"), True, b"", b"x", b"\0", b"x" * 70_000,
    "", "x", "\0", "\ud800",
    [], [None], [b""], [b"x" * 300], ["x"], {}, (1, 2), object(), type, bytearray(b"abc"), memoryview(b"abc"),
    memoryview(b"abcd").cast("I"), lambda *_: None,
]  # fmt: skip

# What waits for a peer, or belongs to the socket.
WAITING = ("accept", "connect", "connect_ex")


@pytest.fixture(autouse=True)
def _deprecated() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def certificate() -> crypto.X509:
    return crypto.load_certificate(crypto.FILETYPE_PEM, CREDENTIALS.certificate.to_pem())


def closed_socket() -> SSL.Connection:
    ends = socket.socketpair()
    connection = SSL.Connection(contexts()[0], ends[0])
    for end in ends:
        end.close()
    return connection


OBJECTS: dict[str, Callable[[], Any]] = {
    "a connection": lambda: pair()[0],
    "a connection without a side": lambda: SSL.Connection(contexts()[0]),
    "a connection over a closed socket": closed_socket,
    "a connection over datagrams": lambda: SSL.Connection(SSL.Context(SSL.DTLS_METHOD)),
    "a context": lambda: SSL.Context(SSL.TLS_METHOD),
    "a context in use": lambda: pair()[0].get_context(),
    "a session": lambda: pair()[0].get_session(),
    "an empty session": SSL.Session,
    "a certificate": certificate,
    "an empty certificate": crypto.X509,
    "a name": lambda: certificate().get_subject(),
    "a key": lambda: crypto.load_privatekey(crypto.FILETYPE_PEM, CREDENTIALS.private_key.to_pem()),
    "an empty key": crypto.PKey,
    "a store": crypto.X509Store,
    "a verification": lambda: crypto.X509StoreContext(crypto.X509Store(), certificate()),
}


@pytest.mark.parametrize("what", OBJECTS)
def test_wrong_arguments_get_pyopenssls_exceptions(what: str) -> None:
    chosen = random.Random(what)
    thing = OBJECTS[what]()
    for name in dir(thing):
        if name.startswith("_") or name in WAITING:
            continue
        method = getattr(thing, name)
        if not callable(method):
            continue
        for _ in range(20):
            arguments = [chosen.choice(VALUES) for _ in range(chosen.choice([0, 1, 1, 2, 2, 3]))]
            with suppress(*KNOWN):
                method(*arguments)


@pytest.mark.parametrize("module", [SSL, crypto])
def test_wrong_arguments_of_functions_get_pyopenssls_exceptions(module: Any) -> None:
    chosen = random.Random(module.__name__)
    for name in module.__all__:
        function = getattr(module, name)
        if not callable(function):
            continue
        for _ in range(40):
            arguments = [chosen.choice(VALUES) for _ in range(chosen.choice([0, 1, 2, 2, 3, 4]))]
            with suppress(*KNOWN):
                function(*arguments)


def test_objects_outlive_what_they_came_from() -> None:
    """docs/pitfalls.md, 18: a certificate, its name, a session, a store; connection and context are gone."""
    client, server = pair()
    store = client.get_context().get_cert_store()
    peer, session, chain = client.get_peer_certificate(), client.get_session(), client.get_peer_cert_chain()
    assert peer is not None
    assert session is not None
    assert store is not None
    name = peer.get_subject()
    del client, server
    gc.collect()
    store.add_cert(peer)
    assert chain is not None
    assert chain[0].digest("sha256") == peer.digest("sha256")
    assert session.to_der()
    del peer, chain
    gc.collect()
    assert name.CN == "localhost"


def raises(connection: SSL.Connection) -> Any:
    raise LookupError("of the callback")


ANSWERS: dict[str, Callable[[SSL.Connection], Any]] = {
    "raises": raises,
    "goes on with the handshake": lambda connection: connection.do_handshake(),
    "sends": lambda connection: connection.send(b"x"),
    "reads": lambda connection: connection.recv(1),
    "shuts down": lambda connection: connection.shutdown(),
    "changes the context": lambda connection: connection.set_context(contexts()[1]),
    "takes what waits to be sent": lambda connection: connection.bio_read(100),
    "gives it nonsense": lambda connection: connection.bio_write(b"nonsense"),
    "ends the transport": lambda connection: connection.bio_shutdown(),
    "changes the side": lambda connection: connection.set_accept_state(),
    "changes callbacks": lambda connection: connection.set_verify(SSL.VERIFY_NONE),
    "asks": lambda connection: [
        connection.get_verified_chain(),
        connection.get_session(),
        connection.get_cipher_list(),
    ],
    "uses an empty key": lambda connection: connection.use_privatekey(crypto.PKey()),
    "answers with None": lambda connection: None,
    "answers with text": lambda connection: "text",
    "answers with a large number": lambda connection: 2**70,
    "answers with many bytes": lambda connection: b"x" * 100_000,
}


def install(which: str, client: SSL.Context, server: SSL.Context, callback: Callable[..., Any]) -> None:
    def called(connection: SSL.Connection, *_: Any) -> Any:
        return callback(connection)

    if which == "alpn":
        client.set_alpn_protos([b"h2"])
    setters: dict[str, Callable[..., Any]] = {
        "verify": lambda each: client.set_verify(SSL.VERIFY_PEER, each),
        "info": client.set_info_callback,
        "keylog": client.set_keylog_callback,
        "server name": server.set_tlsext_servername_callback,
        "alpn": server.set_alpn_select_callback,
        "staple": server.set_ocsp_server_callback,
        "stapled": client.set_ocsp_client_callback,
    }
    setters[which](called)


@pytest.mark.parametrize("which", ["verify", "info", "keylog", "server name", "alpn", "staple", "stapled"])
@pytest.mark.parametrize("answer", ANSWERS)
def test_callbacks_that_misbehave_crash_nothing(which: str, answer: str, capsys: pytest.CaptureFixture[str]) -> None:
    """docs/pitfalls.md, 16."""
    both = contexts()
    both[0].load_verify_locations(cadata=AUTHORITY.certificate.to_pem())
    install(which, *both, ANSWERS[answer])
    client, server = (SSL.Connection(context) for context in both)
    client.set_tlsext_host_name(b"localhost")
    client.request_ocsp()
    client.set_connect_state()
    server.set_accept_state()
    for _ in range(6):
        for connection in (client, server):
            with suppress(*KNOWN):
                connection.do_handshake()
        with suppress(SSL.Error):
            carry(client, server)
    for connection in (client, server):
        with suppress(*KNOWN):
            connection.recv(1)
        with suppress(*KNOWN):
            connection.send(b"x")
    capsys.readouterr()  # a server name callback's exception is printed, as pyOpenSSL does
