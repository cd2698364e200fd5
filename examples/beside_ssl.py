"""Compares the results of four situations in ``ssl``, in pyossl, and in pyOpenSSL if that is installed.

The results of ``ssl`` and pyOpenSSL depend on the versions of Python and OpenSSL: run this example on the system
that you want to use. pyossl's results are the same everywhere. The peer is always a pyossl server over a socket pair.

Prints:
    Python …
    …
        pyossl     OpenSSL …

    There is no data to read, and other code left an entry in OpenSSL's error queue:
    …
        pyossl     no data yet: try again later

    The peer disappears without a close_notify, and the client reads twice:
    …
        pyossl     TruncationError: …, then TruncationError: …

    An empty send:
    …
        pyossl     0

    The server's CA is unknown. The attributes of the exception:
    …
        pyossl     CertificateError with code, depth, certificate, records: …
"""

import contextlib
import importlib.util
import platform
import socket
import ssl
from collections.abc import Callable
from typing import Any, NamedTuple

import pyossl
from pyossl import ffi, lib

ca, stranger = pyossl.Authority(), pyossl.Authority("an unknown CA")
own, unknown = ca.issue("localhost"), stranger.issue("localhost")
WAITS: tuple[type[Exception], ...] = (ssl.SSLWantReadError, BlockingIOError)


def with_ssl(sock: socket.socket) -> Any:
    context = ssl.create_default_context(cadata=ca.certificate.to_pem().decode())
    return context.wrap_socket(sock, server_hostname="localhost", do_handshake_on_connect=False)


def with_pyossl(sock: socket.socket) -> Any:
    return pyossl.Context.client(trust=ca.certificate).wrap_socket(sock, "localhost", handshake=False)


def leave_an_entry() -> None:
    """Does what a library does that uses OpenSSL too and does not clear the queue after an error."""
    nothing = pyossl.BIO.memory(b"not PEM")
    lib.PEM_read_bio_X509(nothing._bio, ffi.NULL, ffi.NULL, ffi.NULL)


class Client(NamedTuple):
    """A library: makes a client, leaves a stale entry in its error queue, names its OpenSSL version."""

    make: Callable[[socket.socket], Any]
    leave_an_entry: Callable[[], None]
    openssl: str


CLIENTS = {"ssl": Client(with_ssl, leave_an_entry, ssl.OPENSSL_VERSION)}

if importlib.util.find_spec("OpenSSL"):
    from OpenSSL import SSL, crypto
    from OpenSSL._util import ffi as their_ffi, lib as their_lib  # cryptography has its own OpenSSL and error queue

    WAITS += (SSL.WantReadError,)

    def with_pyopenssl(sock: socket.socket) -> Any:
        context = SSL.Context(SSL.TLS_METHOD)
        context.set_verify(SSL.VERIFY_PEER)
        trusted = crypto.load_certificate(crypto.FILETYPE_PEM, ca.certificate.to_pem())
        context.get_cert_store().add_cert(trusted)
        connection = SSL.Connection(context, sock)
        connection.set_connect_state()
        connection.set_tlsext_host_name(b"localhost")
        return connection

    def leave_an_entry_there() -> None:
        context = their_ffi.gc(their_lib.SSL_CTX_new(their_lib.TLS_method()), their_lib.SSL_CTX_free)
        their_lib.SSL_CTX_load_verify_locations(context, b"/there/is/no/such/file", their_ffi.NULL)

    version = SSL.OpenSSL_version(SSL.OPENSSL_VERSION).decode()
    CLIENTS["pyOpenSSL"] = Client(with_pyopenssl, leave_an_entry_there, version)

CLIENTS["pyossl"] = Client(with_pyossl, leave_an_entry, pyossl.openssl_version)


def outcome(call: Callable[..., Any], *arguments: Any) -> str:
    """The result of a call, in one line."""
    try:
        return repr(call(*arguments))
    except WAITS:
        return "no data yet: try again later"
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def tell(name: str, *outcomes: str) -> None:
    print(f"    {name:<10} {', then '.join(outcomes)}")


@contextlib.contextmanager
def connected(client: Client, credentials: pyossl.Credentials = own) -> Any:
    """Connects a client and its server over non-blocking sockets and continues their handshakes as far as possible.

    Yields the client, a socket with which the connection can be cut, and a description of the first error.
    """
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    cut = theirs.dup()
    context = pyossl.Context.server(credentials.certificate, credentials.private_key)
    server, tls = context.wrap_socket(theirs, handshake=False), client.make(ours)
    handshake = getattr(tls, "do_handshake", None) or tls.handshake
    with contextlib.closing(tls), server, cut:
        failed = ""
        for _ in range(4):
            try:
                handshake()
            except WAITS:
                pass
            except Exception as error:
                failed = failed or describe(error)
            with contextlib.suppress(pyossl.Error):
                server.handshake()
        yield tls, cut, failed


def describe(error: Exception) -> str:
    facts = ("verify_code", "code", "depth", "certificate", "records")
    known = [fact for fact in facts if hasattr(error, fact)]
    return f"{type(error).__name__} with {', '.join(known) or 'only its text'}: {error}"


print(f"Python {platform.python_version()}")
for name, client in CLIENTS.items():
    tell(name, client.openssl)

print("\nThere is no data to read, and other code left an entry in OpenSSL's error queue:")
for name, client in CLIENTS.items():
    with connected(client) as (tls, _, _):
        outcome(tls.recv, 10)
        client.leave_an_entry()
        tell(name, outcome(tls.recv, 10))

print("\nThe peer disappears without a close_notify, and the client reads twice:")
for name, client in CLIENTS.items():
    with connected(client) as (tls, cut, _):
        cut.shutdown(socket.SHUT_RDWR)
        tell(name, outcome(tls.recv, 10), outcome(tls.recv, 10))

print("\nAn empty send:")
for name, client in CLIENTS.items():
    with connected(client) as (tls, _, _):
        tell(name, outcome(tls.send, b""))

print("\nThe server's CA is unknown. The attributes of the exception:")
for name, client in CLIENTS.items():
    with connected(client, unknown) as (_, _, failed):
        tell(name, failed)

pyossl.outcome.take_records()
