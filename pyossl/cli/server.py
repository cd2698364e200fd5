"""``python -m pyossl server`` sends back the bytes that it receives, or serves a directory over HTTP/1.1.

Each client has its own thread, and the number of clients is limited.  The server closes the connection to a client that
sends nothing for ``--timeout`` seconds, and the time for a handshake is limited too.  If the limit of clients is
reached, the server closes the connection that it has waited on longest, so that slow clients cannot block others.  An
error of one client is a line in the log, and the server goes on.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Container, Iterator
from pathlib import Path
from typing import Any, Literal

import pyossl
from pyossl import (
    Authority,
    Certificate,
    CertificateType,
    Context,
    ECHStore,
    Listener,
    Options,
    PrivateKey,
    Socket,
    Store,
    TicketKeys,
    load_certificates,
)
from pyossl.cli import file_server, keying_material, options, pre_shared_keys
from pyossl.cli.client_fingerprints import FirstHello
from pyossl.cli.command_parser import EXIT_STATUS, Commands, WrongArgumentError, add_command, program_name
from pyossl.cli.host_and_port import port_number, server_name
from pyossl.cli.observed_handshake import ObservedHandshake
from pyossl.cli.screen import Screen
from pyossl.cli.server_log import Log
from pyossl.cli.tls_versions import ALL_VERSIONS
from pyossl.sockets.listener import OUT_OF_RESOURCES
from pyossl.sockets.polling import ready
from pyossl.x509.uris import is_uri

_CHUNK = 65536
_MOST_CLIENTS = 256
_HANDSHAKE = 10.0
"""The number of seconds that a handshake may take."""
_STALLED = 1.0
"""The number of seconds that the server waits on a client before it may close it to serve another one."""
_HTTP = "http/1.1"
_EARLY_DATA = 16384
"""The most bytes of early data.  What the server does with them may be done twice: it sends back data, or a file."""
_BEFORE_CERTIFICATE = 1 << 20
"""The most bytes that are kept of a client that has not shown its certificate yet."""
_CLIENT_CERTIFICATES: dict[str, bool | Literal["optional", "later"]] = {
    "required": True,
    "optional": "optional",
    "later": "later",
}
_RENEGOTIATIONS = 10
_MOST_TICKETS = 100


def add(commands: Commands) -> None:
    """Adds the argument parser of the command."""
    parser = add_command(
        commands,
        "server",
        "send back the bytes that clients send, or serve a directory over HTTP/1.1",
        "Sends back the bytes that clients send, or serves a directory over HTTP/1.1 (GET and HEAD), until Ctrl-C. "
        "Without --cert, it makes a temporary authority and certificate, and prints in which file the authority's "
        "certificate is, so that clients can trust it. "
        + EXIT_STATUS.format(fine="0 after Ctrl-C", failed="if it cannot listen on the address"),
        """
        python -m pyossl server                         # on localhost:4433
        python -m pyossl server --folder . --port 8443  # the current directory, for curl --cacert
        python -m pyossl server --write-ca ca.pem &     # then: python -m pyossl client localhost:4433 --ca ca.pem
        python -m pyossl server --host 0.0.0.0 --cert chain.pem --key key.pem --min 1.3
        python -m pyossl server --ca clients.pem        # clients need a certificate of these authorities
        """,
    )
    parser.add_argument(
        "--host", default="localhost", type=_listening_host, help="the address to listen on (default: localhost)"
    )
    parser.add_argument(
        "--port", type=port_number(0), default=4433, help="the port; 0 for any free port (default: 4433)"
    )
    parser.add_argument("--folder", metavar="DIR", help="serve this directory over HTTP/1.1")
    parser.add_argument(
        "--name",
        action="append",
        type=server_name,
        metavar="NAME",
        help="another name for the development certificate; can be repeated",
    )
    parser.add_argument("--write-ca", metavar="FILE", help="write the development authority's certificate to this file")
    parser.add_argument(
        "--ca",
        metavar="FILE",
        help="require a client certificate that leads to one of the certificates in this file, directory or URI",
    )
    parser.add_argument(
        "--client-cert",
        choices=_CLIENT_CERTIFICATES,
        metavar="WHEN",
        help="with --ca: required (the default), optional, or later: after the handshake (TLS 1.3)",
    )
    parser.add_argument("--alpn", type=options.protocols, metavar="NAMES", help="ALPN protocols, separated by commas")
    options.add_credentials(parser, "the server's certificate with its chain (PEM)")
    parser.add_argument(
        "--ech-key",
        action="append",
        metavar="FILE",
        help="a key for Encrypted Client Hello, as openssl ech writes it; can be repeated",
    )
    parser.add_argument(
        "--raw-public-key",
        action="store_true",
        help="show clients that take raw public keys the key of the certificate, without the certificate",
    )
    parser.add_argument(
        "--staple",
        metavar="FILE",
        help="send this OCSP response (DER) to clients that ask for the certificate's status",
    )
    parser.add_argument(
        "--compress",
        type=lambda names: names.split(","),
        metavar="NAMES",
        help="compress the certificate with these algorithms, separated by commas: zlib, brotli or zstd",
    )
    parser.add_argument(
        "--psk",
        action="append",
        metavar="IDENTITY:KEY",
        help="accept only clients that know this pre-shared key (hex), and with --cert also others; can be repeated; "
        "other users can see the arguments of a program: @FILE takes such lines from a file",
    )
    options.add_algorithms(parser)
    parser.add_argument(
        "--early-data",
        action="store_true",
        help="take up to 16,384 bytes of early data of clients that resume a session",
    )
    parser.add_argument(
        "--allow-renegotiation",
        action="store_true",
        help=f"let each client do up to {_RENEGOTIATIONS} more handshakes (TLS 1.2 and older)",
    )
    parser.add_argument(
        "--fingerprints", action="store_true", help="log the JA3 and JA4 fingerprints of each client's ClientHello"
    )
    parser.add_argument(
        "--tickets",
        type=_ticket_count,
        metavar="NUMBER",
        help="how many session tickets to send after a full handshake of TLS 1.3",
    )
    parser.add_argument(
        "--ticket-keys",
        metavar="FILE",
        help="encrypt session tickets with the first key in this file, and accept those of the others; 80 bytes each; "
        "with --early-data, only in TLS 1.2",
    )
    keying_material.add_export(parser)
    parser.add_argument("--keylog", metavar="FILE", help="append the connections' secrets to this file, for Wireshark")
    parser.add_argument(
        "--json", action="store_true", help="print each finished and each failed handshake as a line of JSON"
    )
    parser.add_argument(
        "--timeout",
        type=options.seconds,
        default=60.0,
        metavar="SECONDS",
        help="close the connection to a client that sends nothing for this time (default: 60)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace, screen: Screen) -> int:
    """Runs the command and returns its exit status."""
    if arguments.folder is not None and not Path(arguments.folder).is_dir():
        raise WrongArgumentError(f"--folder needs a directory, not {arguments.folder!r}")
    if arguments.cert is not None and (arguments.write_ca or arguments.name):
        raise WrongArgumentError(
            "--write-ca and --name are for the development certificate; they cannot be used with --cert"
        )
    if arguments.client_cert is not None and arguments.ca is None:
        raise WrongArgumentError("--client-cert needs --ca, the authorities of the clients' certificates")
    keys = pre_shared_keys.loaded(arguments.psk or ())
    if keys:
        _check_what_keys_replace(arguments)
    with contextlib.ExitStack() as at_the_end:
        context, authority_file = _context(arguments, at_the_end)
        if keys:
            pre_shared_keys.use(context, keys, arguments.ciphers)
        host = arguments.host
        listener = at_the_end.enter_context(pyossl.listen((_address_of(host), arguments.port), context))
        port = listener.address[1]
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        service = f"serves {Path(arguments.folder).resolve()}" if arguments.folder else "sends back all data"
        log = Log(screen, is_json=arguments.json, exports=arguments.export or ())
        if arguments.json:
            log.record({"listening": where, "authority": authority_file})
        else:
            screen.title(f"Listening on {where}", service)
        if authority_file is not None and not arguments.json:
            _show_how_to_connect(screen, where, authority_file, bool(arguments.folder))
        screen.flush()
        # By default, SIGTERM ends the process immediately, and the authority's file would not be removed.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with contextlib.suppress(KeyboardInterrupt):
            Server(
                listener,
                _service(arguments),
                arguments.timeout,
                log,
                with_fingerprints=arguments.fingerprints,
                identities=keys,
                asks_later=arguments.client_cert == "later",
            ).run()
    return 0


def _check_what_keys_replace(arguments: argparse.Namespace) -> None:
    """Raises ``WrongArgumentError`` for options of certificates that are of no use with ``--psk``."""
    if arguments.ca is not None:
        raise WrongArgumentError("--ca requires a client certificate, and a client with a key of --psk shows none")
    if arguments.cert is None:
        for name in ("name", "write_ca", "staple", "raw_public_key", "compress"):
            if getattr(arguments, name):
                option = f"--{name.replace('_', '-')}"
                raise WrongArgumentError(f"{option} is about a certificate; with --psk alone, the server has none")


def _context(arguments: argparse.Namespace, at_the_end: contextlib.ExitStack) -> tuple[Context, str | None]:
    """The server's context, and the file of the development authority's certificate if one was made."""
    certificate, key, password = options.credentials(arguments)
    library_context = options.library_context(arguments)
    authority_file = None
    source: Any = certificate
    if certificate is None and not arguments.psk:
        authority = Authority("pyossl development CA", private_key=PrivateKey.generate(library_context=library_context))
        with options.errors_as_wrong_arguments():
            credentials = authority.issue(*_names(arguments))
        source = credentials
        authority_file = arguments.write_ca or at_the_end.enter_context(_temporary_file())
        with options.errors_as_wrong_arguments():
            Path(authority_file).write_bytes(authority.certificate.to_pem())
    alpn = arguments.alpn or ([_HTTP] if arguments.folder else [])
    versions = ALL_VERSIONS.get(arguments.min), ALL_VERSIONS.get(arguments.max)
    with options.errors_as_wrong_arguments(arguments):
        if source is None:
            context = pre_shared_keys.server_context(library_context, alpn, *versions)
        else:
            context = Context.server(
                source,
                key,
                password=password,
                trust=arguments.ca,
                verify=arguments.ca is not None and _CLIENT_CERTIFICATES[arguments.client_cert or "required"],
                alpn=alpn,
                minimum_version=versions[0],
                maximum_version=versions[1],
                library_context=library_context,
            )
        options.set_algorithms(context, arguments)
        if source is None or (arguments.ca is not None and arguments.client_cert != "optional"):
            options.check_anonymous_ciphers(context)
        if arguments.raw_public_key:
            context.use_raw_public_key(types=[CertificateType.RAW_PUBLIC_KEY, CertificateType.X509])
        if arguments.staple is not None:
            context.staple_ocsp(arguments.staple)
        if arguments.compress:
            context.set_certificate_compression(arguments.compress)
        if arguments.ech_key:
            context.ech_store = ECHStore(*arguments.ech_key)
        if arguments.ticket_keys is not None:
            context.rotating_ticket_keys = _ticket_keys(Path(arguments.ticket_keys))
        # So that clients can choose their certificate.
        if arguments.ca is not None and is_uri(arguments.ca):
            context.ca_names = Store.of(arguments.ca).certificates
        elif arguments.ca is not None and Path(arguments.ca).is_file():
            context.ca_names = load_certificates(arguments.ca)
    context.options |= Options.CIPHER_SERVER_PREFERENCE
    if arguments.tickets is not None:
        context.ticket_count = arguments.tickets
    if arguments.allow_renegotiation:
        context.allow_renegotiation(_RENEGOTIATIONS, by_peer=True)
    if arguments.early_data:
        context.max_early_data = _EARLY_DATA
    if arguments.keylog:
        options.log_keys(context, arguments.keylog)
    return context, authority_file


def _ticket_keys(file: Path) -> TicketKeys:
    data, length = file.read_bytes(), TicketKeys.LENGTH
    return TicketKeys(data[place : place + length] for place in range(0, len(data), length))


def _names(arguments: argparse.Namespace) -> list[str]:
    """The names in the development certificate."""
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


def _address_of(host: str) -> str:
    """The first IPv4 address of ``host``, or its first address if it has none."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    address: Any = min(found, key=lambda each: each[0] != socket.AF_INET)[4]
    return str(address[0])


def _show_how_to_connect(screen: Screen, where: str, authority_file: str, is_http: bool) -> None:
    screen.text("It uses a temporary development certificate. The certificate of its authority is in this file:")
    screen.text(authority_file, 4)
    screen.text(f"{program_name()} client {where} --ca {authority_file}", 4, "cyan")
    if is_http:
        screen.text(f"curl --cacert {authority_file} https://{where}/", 4, "cyan")


class Client:
    """A client's socket, and the time since which the server has been waiting on the client."""

    def __init__(self, tls: Socket, address: Any, observed: ObservedHandshake, hello: FirstHello | None = None) -> None:
        self._tls = tls
        self.observed = observed
        self.hello = hello
        self.address = f"{address[0]}:{address[1]}" if isinstance(address, tuple) else "client"
        self.since = time.monotonic()
        self.was_closed_for_another = False
        self.early_data = b""
        """The early data that the service has not read yet."""

    @property
    def waited(self) -> float:
        """The number of seconds that the server has been waiting on the client."""
        return time.monotonic() - self.since

    def handshake(self, timeout: float) -> Socket:
        """Finishes the handshake within ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        self._tls.settimeout(timeout)
        if self._tls.context.max_early_data:
            data = None
            while data != b"":
                data = self._tls.read_early_data()
                self.early_data += data
                self._tls.settimeout(max(deadline - time.monotonic(), 0.001))
        self._tls.handshake()
        self.observed.end()
        self.since = time.monotonic()
        return self._tls

    def request_certificate(self, timeout: float) -> Certificate:
        """Asks for the client's certificate after the handshake, and waits ``timeout`` seconds for it at most.

        Nothing is done with data that comes before the certificate: it is kept for the service.
        """
        deadline = time.monotonic() + timeout
        self._tls.request_certificate()
        self._tls.settimeout(0)  # a read that waited would wait for data, and not only for the certificate
        while (certificate := self._tls.connection.peer_certificate) is None:
            try:
                data = self._tls.recv(_CHUNK)
                self.early_data += data
                has_ended = not data or len(self.early_data) > _BEFORE_CERTIFICATE
            except pyossl.WouldBlockError:
                left = deadline - time.monotonic()
                has_ended = left <= 0
                if not has_ended and self._tls.connection.peer_certificate is None:
                    self._wait_for_data(min(left, _STALLED))
            if has_ended and self._tls.connection.peer_certificate is None:
                raise ConnectionAbortedError("the client has not shown a certificate")
        self.since = time.monotonic()
        return certificate

    def _wait_for_data(self, timeout: float) -> None:
        """Waits until the client has sent something, for ``timeout`` seconds at most.

        A descriptor that another thread closes does not end the wait: the next read after it raises that.
        """
        with contextlib.suppress(ValueError):  # the descriptor is -1, because the connection is closed already
            ready([self._tls.fileno()], [], timeout)

    def recv(self, size: int) -> bytes:
        """Early data, or ``Socket.recv``.  It does not reset the time: a part of a request is not progress."""
        if self.early_data:
            data, self.early_data = self.early_data[:size], self.early_data[size:]
            return data
        return self._tls.recv(size)

    def sendall(self, data: bytes) -> None:
        """Calls ``Socket.sendall`` and resets the time of waiting."""
        self._tls.sendall(data)
        self.since = time.monotonic()

    def settimeout(self, timeout: float | None) -> None:
        """Calls ``Socket.settimeout``."""
        self._tls.settimeout(timeout)

    def gettimeout(self) -> float | None:
        """Calls ``Socket.gettimeout``."""
        return self._tls.gettimeout()

    def close_for_another(self) -> None:
        """Closes the connection to serve another client, even while its thread is waiting."""
        self.was_closed_for_another = True
        self.close()

    def refuse(self) -> None:
        """Closes the connection without a close_notify, which the client would take for the normal end."""
        with contextlib.suppress(pyossl.Error, OSError):
            if self._tls.connection.failure is None:  # otherwise the client has an alert, and close() sends none
                os.close(self._tls.detach())

    def close(self) -> None:
        """Closes the connection."""
        with contextlib.suppress(pyossl.Error, OSError):
            self._tls.close()


Service = Callable[[file_server.Stream, Callable[[str], None]], None]


def _service(arguments: argparse.Namespace) -> Service:
    if arguments.folder is None:
        return echo
    folder = Path(arguments.folder)
    return lambda tls, log: file_server.serve(tls, folder, log)


def echo(tls: file_server.Stream, log: Callable[[str], None]) -> None:
    """Sends back the client's data until the client closes."""
    count = 0
    while data := tls.recv(_CHUNK):
        tls.sendall(data)
        count += len(data)
    log(f"sent back {count} bytes")


class Server:
    """Accepts clients and serves each one in a thread."""

    def __init__(
        self,
        listener: Listener,
        service: Service,
        timeout: float,
        log: Log,
        *,
        with_fingerprints: bool = False,
        identities: Container[bytes] = (),
        asks_later: bool = False,
    ) -> None:
        self._listener = listener
        self._service = service
        self._timeout = timeout
        self._log = log
        self._with_fingerprints = with_fingerprints
        self._identities = identities
        self._asks_later = asks_later
        self._clients: set[Client] = set()
        self._client_left = threading.Condition()

    def run(self) -> None:
        """Serves clients until an exception, for example ``KeyboardInterrupt``, ends it."""
        while True:
            client = self._accept()
            with self._client_left:
                while len(self._clients) >= _MOST_CLIENTS:
                    self._make_room(_STALLED)
                self._clients.add(client)
            try:
                threading.Thread(target=self._serve, args=[client], daemon=True).start()
            except RuntimeError as error:  # the system cannot start another thread
                self._log.line(client.address, f"{type(error).__name__}: {error}", "red")
                self._leave(client)

    def _accept(self) -> Client:
        while True:
            observed = ObservedHandshake(self._listener.context, identities=self._identities)
            hello = FirstHello() if self._with_fingerprints else None

            def add(
                message: pyossl.Message, observed: ObservedHandshake = observed, hello: FirstHello | None = hello
            ) -> None:
                observed.add(message)
                if hello is not None:
                    hello.add(message)

            try:
                return Client(*self._listener.accept(message_callback=add), observed, hello)
            except ConnectionError:  # the client left before the server accepted it
                continue
            except OSError as error:
                if error.errno not in OUT_OF_RESOURCES:
                    raise
                with self._client_left:
                    self._make_room(0)

    def _make_room(self, patience: float) -> None:
        """Closes the client that the server has waited on longest, if that is at least ``patience`` seconds.

        Otherwise it waits until a client leaves, or until that time is ``patience`` seconds.
        """
        longest = max(self._clients, key=lambda client: client.waited, default=None)
        left = _STALLED if longest is None else patience - longest.waited
        if longest is None or left > 0:
            self._client_left.wait(left)
        else:
            longest.close_for_another()
            self._clients.discard(longest)

    def _leave(self, client: Client) -> None:
        client.close()
        with self._client_left:
            self._clients.discard(client)
            self._client_left.notify()

    def _handshake(self, client: Client) -> Socket:
        try:
            return client.handshake(min(self._timeout, _HANDSHAKE))
        finally:
            if client.hello is not None and client.hello.fingerprints:
                self._log.line(client.address, client.hello.fingerprints)

    def _serve(self, client: Client) -> None:
        is_served = False
        try:
            tls = self._handshake(client)
            self._log.handshake(client.address, tls, client.observed)
            if client.early_data:
                self._log.line(client.address, f"{len(client.early_data)} bytes of early data")
            if self._asks_later and tls.version == "TLSv1.3":
                self._log.certificate(client.address, client.request_certificate(min(self._timeout, _HANDSHAKE)))
            client.settimeout(self._timeout)
            is_served = True
            self._service(client, lambda event: self._log.line(client.address, event))
        except (pyossl.Error, OSError) as error:
            why = f"{type(error).__name__}: {error}"
            if client.was_closed_for_another:
                why = "closed, because it was slow and another client needs its place"
            self._log.failure(client.address, error, why, client.observed)
            if not is_served:
                client.refuse()
        finally:
            self._leave(client)


def _ticket_count(argument: str) -> int:
    """A type for ``argparse``: a number of session tickets."""
    if not re.fullmatch("[0-9]{1,3}", argument) or int(argument) > _MOST_TICKETS:
        raise argparse.ArgumentTypeError(f"a number of tickets is 0 to {_MOST_TICKETS}, not {argument!r:.80}")
    return int(argument)


def _listening_host(argument: str) -> str:
    """A type for ``argparse``: a host without a port."""
    server_name(argument)
    return argument
