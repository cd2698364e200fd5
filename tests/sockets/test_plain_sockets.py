"""A TLS socket in place of a plain one is refused: TLS over its descriptor would bypass it, in the clear."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import anyio.abc
import pytest
from pyopenssl import pyopenssl_pairs
from served import SECONDS, Task, tls_pair

import pyossl
import pyossl.aio
import pyossl.anyio
from pyossl import BIO, DatagramBIO, SSLFilter
from pyossl.core.descriptors import descriptor_of, require_plain
from pyossl.pyopenssl import SSL

Outer = tuple[Any, Any]


def pyossl_pair(client: pyossl.Context, server: pyossl.Context, credentials: pyossl.Credentials) -> Outer:
    ours, theirs = tls_pair(client, server)
    theirs.settimeout(SECONDS)
    return ours, theirs


def standard_pair(client: pyossl.Context, server: pyossl.Context, credentials: pyossl.Credentials) -> Outer:
    """Two ``ssl.SSLSocket`` objects, which do not verify the certificate."""
    ours, theirs = socket.socketpair()
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with pem_file(credentials) as path:
        serving.load_cert_chain(path)
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    accepted = Task(lambda: serving.wrap_socket(theirs, server_side=True))
    connected = trusting.wrap_socket(ours)
    for each in (connected, accepted.result()):
        each.settimeout(SECONDS)
    return connected, accepted.result()


@contextlib.contextmanager
def pem_file(credentials: pyossl.Credentials) -> Iterator[str]:
    import tempfile

    with tempfile.NamedTemporaryFile() as file:
        file.write(credentials.certificate.to_pem() + credentials.private_key.to_pem())
        file.flush()
        yield file.name


def face_pair(client: pyossl.Context, server: pyossl.Context, credentials: pyossl.Credentials) -> Outer:
    first, second = socket.socketpair()
    contexts = pyopenssl_pairs.contexts()
    ours, theirs = SSL.Connection(contexts[0], first), SSL.Connection(contexts[1], second)
    ours.set_connect_state()
    theirs.set_accept_state()
    shaken = Task(theirs.do_handshake)
    ours.do_handshake()
    shaken.result()
    return ours, theirs


PAIRS = {"pyossl": pyossl_pair, "ssl": standard_pair, "pyOpenSSL's face": face_pair}


@pytest.fixture(params=PAIRS)
def outer(
    request: pytest.FixtureRequest,
    client_context: pyossl.Context,
    server_context: pyossl.Context,
    credentials: pyossl.Credentials,
) -> Iterator[Outer]:
    ours, theirs = PAIRS[request.param](client_context, server_context, credentials)
    yield ours, theirs
    for each in (ours, theirs):
        each.close()


async def over_sock(function: Callable[..., Any], sock: Any, **options: Any) -> None:
    with pytest.raises(TypeError, match="is a TLS connection"):
        await function(sock=sock, **options)
    raise TypeError("is a TLS connection")


Contexts = tuple[pyossl.Context, pyossl.Context]
ENTRIES: dict[str, Callable[[Any, Contexts], object]] = {
    "Context.wrap_socket": lambda sock, of: of[0].wrap_socket(sock, "example.com"),
    "wrap_socket of a server": lambda sock, of: of[1].wrap_socket(sock),
    "Listener": lambda sock, of: pyossl.Listener(sock, of[1]),
    "BIO.socket": lambda sock, of: BIO.socket(sock),
    "BIO.fd": lambda sock, of: BIO.fd(sock),
    "DatagramBIO": lambda sock, of: DatagramBIO(sock),
    "the face": lambda sock, of: SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), sock),
    "aio.open_connection": lambda sock, of: asyncio.run(
        over_sock(pyossl.aio.open_connection, sock, ssl=of[0], server_hostname="example.com")
    ),
    "aio.open_unix_connection": lambda sock, of: asyncio.run(
        over_sock(pyossl.aio.open_unix_connection, sock, ssl=of[0], server_hostname="example.com")
    ),
    "aio.create_server": lambda sock, of: asyncio.run(
        over_sock(pyossl.aio.create_server, sock, protocol_factory=asyncio.Protocol, ssl=of[1])
    ),
    "aio.start_unix_server": lambda sock, of: asyncio.run(
        over_sock(pyossl.aio.start_unix_server, sock, client_connected_cb=print, ssl=of[1])
    ),
}


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_tls_socket_in_place_of_a_plain_one_is_refused_and_goes_on(
    outer: Outer, entry: str, client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    ours, theirs = outer
    with pytest.raises(TypeError, match="is a TLS connection"):
        ENTRIES[entry](ours, (client_context, server_context))
    ours.sendall(b"alive")
    assert theirs.recv(5) == b"alive"
    theirs.sendall(b"so is this way")
    assert ours.recv(100) == b"so is this way"


def test_the_refusal_names_the_right_way_on_each_face(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    ours, theirs = tls_pair(client_context, server_context)
    with ours, theirs:
        with pytest.raises(TypeError, match=r"SSLFilter\(outer\.connection\)"):
            client_context.wrap_socket(ours, "example.com")  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="bio_read and bio_write"):
            SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), ours)  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="start_tls"):
            asyncio.run(pyossl.aio.open_connection(sock=ours, ssl=client_context, server_hostname="example.com"))


def test_the_way_that_the_refusal_names_works(client_context: pyossl.Context, server_context: pyossl.Context) -> None:
    ours, theirs = tls_pair(client_context, server_context)
    with ours, theirs:
        inner = pyossl.Connection(client_context, "example.com", bio=SSLFilter(ours.connection))
        behind = pyossl.Connection(server_context, bio=SSLFilter(theirs.connection))
        for _ in range(100_000):
            if [inner.handshake(), behind.handshake()] == [None, None]:
                break
        inner.write(b"in both")
        while (got := behind.read()) is pyossl.Want.READ:
            pass
        assert got == b"in both"


def test_a_file_made_of_a_tls_socket_is_no_descriptor_either(outer: Outer) -> None:
    ours, _ = outer
    if isinstance(ours, SSL.Connection):
        pytest.skip("the face has no makefile")
    for mode in ("rb", "r", "wb"):
        with ours.makefile(mode) as file, pytest.raises(TypeError, match="is a TLS connection"):
            BIO.fd(file)


class Inherited(socket.socket):
    """Another class without TLS, like the sockets of PySocks and gevent."""


class Green:
    """An object that has a socket and is not one, like eventlet's socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.fd = sock
        for name in ("fileno", "recv", "send", "setblocking", "gettimeout", "close"):
            setattr(self, name, getattr(sock, name))


class Channel:
    """Like a paramiko channel: its descriptor is that of a pipe, which is readable when there is data."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        return self._descriptor

    def recv(self, size: int) -> bytes:
        raise NotImplementedError

    send = recv


@pytest.mark.parametrize("made", [Inherited, Green])
def test_other_classes_of_plain_sockets_are_taken(made: Callable[..., Any]) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        plain = Inherited(fileno=ours.detach()) if made is Inherited else Green(ours)
        require_plain(plain)
        assert BIO.socket(plain).fileno() == plain.fileno()
        assert SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), plain).fileno() == plain.fileno()
        plain.close()


def test_an_object_whose_bytes_do_not_go_through_its_descriptor_is_refused(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        channel: Any = Channel(ours.fileno())
        for name, entry in ENTRIES.items():
            if name.startswith("aio") or name == "BIO.fd":
                continue
            with pytest.raises(TypeError, match=r"a socket\.socket is needed, not [a-z_.]*\.Channel"):
                entry(channel, (client_context, server_context))
        with pytest.raises(TypeError, match=r"a socket\.socket is needed"):
            asyncio.run(pyossl.aio.open_connection(sock=channel, ssl=client_context, server_hostname="example.com"))
        assert BIO.socket(channel.fileno()).fileno() == ours.fileno()  # a number is taken as it is


def test_a_wrapper_around_a_tls_socket_is_refused(outer: Outer) -> None:
    class Wrapper:
        def __init__(self, sock: Any) -> None:
            self._sock = sock
            self.fileno = sock.fileno

    ours, _ = outer
    for call in (require_plain, descriptor_of, BIO.socket):
        with pytest.raises(TypeError):
            call(Wrapper(ours))  # type: ignore[arg-type]


class PassingOn:
    """A program's own object around a socket, for example one that counts bytes."""

    def __init__(self, sock: Any) -> None:
        self._wrapped = sock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wrapped, name)


@pytest.mark.parametrize("is_closed", [False, True], ids=["open", "closed"])
def test_an_object_that_passes_all_on_to_a_tls_socket_is_refused(
    outer: Outer, client_context: pyossl.Context, server_context: pyossl.Context, is_closed: bool
) -> None:
    """It also shows the plain socket below."""
    ours, theirs = outer
    if is_closed:
        ours.close()
    for entry in ENTRIES.values():
        with pytest.raises(TypeError):
            entry(PassingOn(ours), (client_context, server_context))
    if not is_closed:
        ours.sendall(b"on")
        assert theirs.recv(10) == b"on"


def test_asyncios_view_of_a_socket_is_not_the_socket(client_context: pyossl.Context) -> None:
    from asyncio import trsock

    ours, theirs = socket.socketpair()
    with ours, theirs:
        view: Any = trsock.TransportSocket(ours)
        with pytest.raises(TypeError):
            asyncio.run(pyossl.aio.open_connection(sock=view, ssl=client_context, server_hostname="example.com"))
        with pytest.raises(TypeError, match="cannot give its descriptor away"):
            client_context.wrap_socket(view, "example.com")
        ours.sendall(b"open")
        assert theirs.recv(10) == b"open"


def test_ssl_is_not_imported_to_look_for_its_sockets() -> None:
    import subprocess

    code = "import socket, sys, pyossl; pyossl.BIO.socket(socket.socketpair()[0]); print('ssl' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "False"


def test_closing_takes_nothing_off_a_socket_that_another_layer_reads(
    client_context: pyossl.Context, server_context: pyossl.Context
) -> None:
    """Another TLS layer may lie between ``TLSStream`` and the socket, and its records are on the socket."""

    class Layer(anyio.abc.ByteStream):
        def __init__(self, below: anyio.abc.SocketStream) -> None:
            self._below, self.left = below, b""
            self.send, self.receive, self.send_eof = below.send, below.receive, below.send_eof

        async def send(self, item: bytes) -> None: ...
        async def receive(self, max_bytes: int = 65536) -> bytes: ...
        async def send_eof(self) -> None: ...

        @property
        def extra_attributes(self) -> Any:
            return self._below.extra_attributes

        async def aclose(self) -> None:
            self.left = await self._below.receive()
            await self._below.aclose()

    async def work() -> bytes:  # on trio: asyncio reads from the descriptor ahead of the program
        async def serve(stream: anyio.abc.SocketStream) -> None:
            async with stream:
                await pyossl.anyio.TLSStream.wrap(stream, ssl_context=server_context)
                await stream.send(b"the layer's")
                await anyio.sleep_forever()

        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        async with listener, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, serve)
            port = listener.extra(anyio.abc.SocketAttribute.local_port)
            layer = Layer(await anyio.connect_tcp("127.0.0.1", port))
            tls = await pyossl.anyio.TLSStream.wrap(layer, ssl_context=client_context, hostname="example.com")
            await anyio.wait_readable(layer.extra(anyio.abc.SocketAttribute.raw_socket))
            await tls.aclose()
            tasks.cancel_scope.cancel()
        return layer.left

    assert anyio.run(work, backend="trio").endswith(b"the layer's")
