"""``python -m pyossl server``: sends back what it receives, or serves a folder over HTTP/1.1.

Each client has a thread of its own, and there are at most so many at once; a client that says nothing is left after
``--timeout``, and one that does not finish its handshake sooner.  Where there is no room, the client that has kept the
server waiting for the longest time makes it: clients that stall keep nobody out.  A thread never ends the server: what
goes wrong with a client is one line.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyossl
from pyossl import Authority, Connection, Context, Listener, Options, Socket
from pyossl.cli import files, options
from pyossl.cli.protocols import EVERY_VERSION
from pyossl.cli.screen import Screen
from pyossl.cli.usage import EXIT_STATUS, Commands, WrongArgumentError, command

_CHUNK = 65536
_MOST_CLIENTS = 256
_HANDSHAKE = 10.0
"""How many seconds a handshake may take."""
_STALLED = 1.0
"""How many seconds a client has to have been waited for before it makes room for another."""
_FULL = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_PORTS = range(0x10000)
_HTTP = "http/1.1"


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "server",
        "an echo server, or a folder over HTTP/1.1; with a development certificate if none is given",
        "Sends back what clients send, or serves a folder over HTTP/1.1 (GET and HEAD), until Ctrl-C. Without --cert "
        "it makes a certificate authority and a certificate for the occasion, and says where the authority's "
        "certificate is for clients to trust. "
        + EXIT_STATUS.format(fine="0 after Ctrl-C", failed="when the address cannot be had"),
        """
        python -m pyossl server                         # an echo on localhost:4433
        python -m pyossl server --folder . --port 8443  # the current folder, for curl --cacert or a browser
        python -m pyossl server --write-ca ca.pem &     # then: python -m pyossl client localhost:4433 --ca ca.pem
        python -m pyossl server --host 0.0.0.0 --cert chain.pem --key key.pem --min 1.3
        python -m pyossl server --ca clients.pem        # clients must show a certificate that leads there
        """,
    )
    parser.add_argument("--host", default="localhost", help="the address to listen on (localhost)")
    parser.add_argument("--port", type=_port, default=4433, help="the port; 0 takes any that is free (4433)")
    parser.add_argument("--folder", metavar="DIR", help="serve this folder over HTTP/1.1")
    parser.add_argument(
        "--name", action="append", metavar="NAME", help="a further name for the development certificate"
    )
    parser.add_argument("--write-ca", metavar="FILE", help="write the development authority's certificate there")
    parser.add_argument("--ca", metavar="FILE", help="clients must show a certificate that leads to one of these")
    parser.add_argument("--alpn", type=options.protocols, metavar="NAMES", help="protocols, commas between")
    options.add_credentials(parser, "the server's certificate (PEM, with its chain)")
    options.add_algorithms(parser)
    parser.add_argument("--keylog", metavar="FILE", help="append the connections' secrets, in Wireshark's format")
    parser.add_argument(
        "--timeout", type=options.seconds, default=60.0, metavar="SECONDS", help="for a client that says nothing (60)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    if arguments.folder is not None and not Path(arguments.folder).is_dir():
        raise WrongArgumentError(f"this is no folder: {arguments.folder!r}")
    if arguments.cert is not None and (arguments.write_ca or arguments.name):
        raise WrongArgumentError("--write-ca and --name are for the development certificate, and --cert is given")
    with contextlib.ExitStack() as at_the_end:
        context, authority_file = _context(arguments, at_the_end)
        host = arguments.host
        listener = at_the_end.enter_context(pyossl.listen((_numeric(host), arguments.port), context))
        port = listener.address[1]
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        what = f"serves {Path(arguments.folder).resolve()}" if arguments.folder else "sends back what it receives"
        screen.title(f"Listening on {where}", what)
        if authority_file is not None:
            _say_how_to_connect(screen, where, authority_file, bool(arguments.folder))
        screen.flush()
        log = Log(screen)
        # In place of ending the process at once: the file of the authority would stay.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with contextlib.suppress(KeyboardInterrupt):
            Server(listener, _service(arguments), arguments.timeout, log).run()
    return 0


def _context(arguments: argparse.Namespace, at_the_end: contextlib.ExitStack) -> tuple[Context, str | None]:
    """The server's context, and the file with its authority's certificate where it has one of its own."""
    certificate, key, password = options.credentials(arguments)
    authority_file = None
    source: Any = certificate
    private_key: Any = key
    if certificate is None:
        authority = Authority("pyossl development CA")
        with options.told_as_usage():
            credentials = authority.issue(*_names(arguments))
        source, private_key = (credentials.certificate, *credentials.chain), credentials.private_key
        authority_file = arguments.write_ca or at_the_end.enter_context(_temporary_file())
        with options.told_as_usage():
            Path(authority_file).write_bytes(authority.certificate.to_pem())
    with options.told_as_usage():
        context = Context.server(
            source,
            private_key,
            password=password,
            trust=arguments.ca,
            verify=arguments.ca is not None,
            alpn=arguments.alpn or ([_HTTP] if arguments.folder else []),
            minimum_version=EVERY_VERSION.get(arguments.min),
            maximum_version=EVERY_VERSION.get(arguments.max),
        )
        options.choose_algorithms(context, arguments)
    context.options |= Options.CIPHER_SERVER_PREFERENCE
    if arguments.keylog:
        options.log_keys(context, arguments.keylog)
    return context, authority_file


def _names(arguments: argparse.Namespace) -> list[str]:
    """Whom the development certificate is for."""
    names = [*(arguments.name or ()), "localhost", "127.0.0.1", "::1"]
    if arguments.host not in ("0.0.0.0", "::"):
        names.append(arguments.host)
    return list(dict.fromkeys(names))


@contextlib.contextmanager
def _temporary_file() -> Iterator[str]:
    handle, path = tempfile.mkstemp(prefix="pyossl-ca-", suffix=".pem")
    os.close(handle)
    try:
        yield path
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)


def _numeric(host: str) -> str:
    """An address of ``host`` to listen on; an IPv4 one where there is one."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    address: Any = min(found, key=lambda each: each[0] != socket.AF_INET)[4]
    return str(address[0])


def _say_how_to_connect(screen: Screen, where: str, authority_file: str, is_http: bool) -> None:
    screen.text("with a development certificate, made for the occasion; its authority's certificate is in")
    screen.text(authority_file, 4)
    screen.text("python -m pyossl client " + f"{where} --ca {authority_file}", 4, "cyan")
    if is_http:
        screen.text(f"curl --cacert {authority_file} https://{where}/", 4, "cyan")


class Log:
    """Lines of several threads on one screen."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._one_at_a_time = threading.Lock()

    def line(self, who: str, what: str, style: str = "") -> None:
        """Prints what happened with a client."""
        with self._one_at_a_time, contextlib.suppress(OSError):  # a log that nobody reads any more ends nothing
            self._screen.entry(who, what, style)
            self._screen.flush()


class Client:
    """A client's socket, and since when the client has been waited for."""

    def __init__(self, tls: Socket, address: Any) -> None:
        self._tls = tls
        self.who = f"{address[0]}:{address[1]}" if isinstance(address, tuple) else "client"
        self.since = time.monotonic()
        self.made_room = False

    @property
    def waited(self) -> float:
        """For how many seconds."""
        return time.monotonic() - self.since

    def handshake(self, timeout: float) -> Connection:
        """Finishes the handshake within ``timeout`` seconds."""
        self._tls.settimeout(timeout)
        self._tls.handshake()
        self.since = time.monotonic()
        return self._tls.connection

    def recv(self, size: int) -> bytes:
        """``Socket.recv``; a part of a request brings the server no further."""
        return self._tls.recv(size)

    def sendall(self, data: bytes) -> None:
        """``Socket.sendall``"""
        self._tls.sendall(data)
        self.since = time.monotonic()

    def settimeout(self, timeout: float | None) -> None:
        """``Socket.settimeout``"""
        self._tls.settimeout(timeout)

    def gettimeout(self) -> float | None:
        """``Socket.gettimeout``"""
        return self._tls.gettimeout()

    def make_room(self) -> None:
        """Closes the connection, whatever its thread waits for."""
        self.made_room = True
        self.close()

    def close(self) -> None:
        """Closes the connection."""
        with contextlib.suppress(pyossl.Error, OSError):
            self._tls.close()


Service = Callable[[files.Stream, Callable[[str], None]], None]


def _service(arguments: argparse.Namespace) -> Service:
    if arguments.folder is None:
        return echo
    folder = Path(arguments.folder)
    return lambda tls, log: files.serve(tls, folder, log)


def echo(tls: files.Stream, log: Callable[[str], None]) -> None:
    """Sends back what the client sends until it closes."""
    count = 0
    while data := tls.recv(_CHUNK):
        tls.sendall(data)
        count += len(data)
    log(f"sent back {count} bytes")


class Server:
    """Accepts clients, and serves each in a thread."""

    def __init__(self, listener: Listener, service: Service, timeout: float, log: Log) -> None:
        self._listener = listener
        self._service = service
        self._timeout = timeout
        self._log = log
        self._clients: set[Client] = set()
        self._left = threading.Condition()

    def run(self) -> None:
        """Serves until an exception, such as ``KeyboardInterrupt``, ends it."""
        while True:
            client = Client(*self._accept())
            with self._left:
                while len(self._clients) >= _MOST_CLIENTS:
                    self._make_room(_STALLED)
                self._clients.add(client)
            try:
                threading.Thread(target=self._serve, args=[client], daemon=True).start()
            except RuntimeError as error:  # the system has no thread to spare
                self._log.line(client.who, f"{type(error).__name__}: {error}", "red")
                self._leave(client)

    def _accept(self) -> tuple[Socket, Any]:
        while True:
            try:
                return self._listener.accept()
            except ConnectionError:  # who was gone before the server came to it
                continue
            except OSError as error:
                if error.errno not in _FULL:
                    raise
                with self._left:
                    self._make_room(0)

    def _make_room(self, patience: float) -> None:
        """Closes the client that has been waited for longest, if that is ``patience`` seconds or more; else waits for
        one to leave, or to have been waited for so long.
        """
        longest = max(self._clients, key=lambda client: client.waited, default=None)
        left = _STALLED if longest is None else patience - longest.waited
        if longest is None or left > 0:
            self._left.wait(left)
        else:
            longest.make_room()
            self._clients.discard(longest)

    def _leave(self, client: Client) -> None:
        client.close()
        with self._left:
            self._clients.discard(client)
            self._left.notify()

    def _serve(self, client: Client) -> None:
        try:
            connection = client.handshake(min(self._timeout, _HANDSHAKE))
            self._log.line(client.who, _agreement(connection))
            client.settimeout(self._timeout)
            self._service(client, lambda what: self._log.line(client.who, what))
        except (pyossl.Error, OSError) as error:
            why = "it stalled, and another needs its place" if client.made_room else f"{type(error).__name__}: {error}"
            self._log.line(client.who, why, "red")
        finally:
            self._leave(client)


def _agreement(connection: Connection) -> str:
    certificate = connection.peer_certificate
    parts = [
        connection.version,
        connection.cipher,
        connection.group,
        connection.alpn and f"ALPN {connection.alpn}",
        connection.server_hostname and f"for {connection.server_hostname}",
        "resumed" if connection.session_reused else None,
        certificate and f"client {certificate.subject}",
    ]
    return ", ".join(part for part in parts if part)


def _port(argument: str) -> int:
    port = int(argument)
    if port not in _PORTS:
        raise ValueError(argument)
    return port
