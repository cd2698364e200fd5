"""Small servers for the clients of Python's standard library, over Python's ``ssl``, and servers that misbehave.

A server that misbehaves sends the right plain text before TLS.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from typing import Any

from served import Task

HOST = "127.0.0.1"
SECONDS = 20


def ssl_context(certificate: Any, private_key: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, private_key)
    return context


@contextlib.contextmanager
def peer(serve: Callable[[socket.socket], Any]) -> Iterator[int]:
    """A server that calls ``serve`` with each connection, one after the other; gives its port."""
    with socket.create_server((HOST, 0)) as listener:
        ended: list[bool] = []

        def accept() -> None:
            while True:
                sock, _ = listener.accept()
                with sock:
                    if ended:
                        return
                    sock.settimeout(SECONDS)
                    serve(sock)

        task = Task(accept)
        try:
            yield listener.getsockname()[1]
        finally:
            ended.append(True)
            socket.create_connection(listener.getsockname(), SECONDS).close()
            task.result()


class Dialogue:
    """Lines to and from a client."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._file = sock.makefile("rb")

    def __enter__(self) -> Dialogue:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def say(self, *lines: str) -> None:
        self.sock.sendall("".join(f"{line}\r\n" for line in lines).encode())

    def hear(self) -> str:
        line = self._file.readline()
        if not line:
            raise EOFError
        return line.decode().rstrip("\r\n")


# Plain text before TLS


def nothing(sock: socket.socket) -> None:
    pass


def smtp_before(sock: socket.socket) -> None:
    with Dialogue(sock) as talk:
        talk.say("220 localhost")
        talk.hear()
        talk.say("250-localhost", "250 STARTTLS")
        talk.hear()
        talk.say("220 go on")


def imap_before(sock: socket.socket) -> None:
    with Dialogue(sock) as talk:
        talk.say("* OK [CAPABILITY IMAP4REV1 STARTTLS] hello")
        tag, _, command = talk.hear().partition(" ")
        if command == "CAPABILITY":
            talk.say("* CAPABILITY IMAP4REV1 STARTTLS", f"{tag} OK done")
            tag = talk.hear().partition(" ")[0]
        talk.say(f"{tag} OK go on")


def pop_before(sock: socket.socket) -> None:
    with Dialogue(sock) as talk:
        talk.say("+OK hello")
        talk.hear()
        talk.say("+OK", "STLS", ".")
        talk.hear()
        talk.say("+OK go on")


def ftp_before(sock: socket.socket) -> None:
    with Dialogue(sock) as talk:
        talk.say("220 hello")
        talk.hear()
        talk.say("234 go on")


# Data over TLS


def smtp(talk: Dialogue, *, greets: bool = False) -> None:
    if greets:
        talk.say("220 localhost")
    while True:
        command = talk.hear().upper()
        if command == "DATA":
            talk.say("354 go on")
            while talk.hear() != ".":
                pass
            talk.say("250 taken")
        elif command == "QUIT":
            talk.say("221 bye")
            return
        else:
            talk.say("250 fine")


def smtps(talk: Dialogue) -> None:
    smtp(talk, greets=True)


def imap(talk: Dialogue, *, greets: bool = False) -> None:
    if greets:
        talk.say("* OK hello")
    while True:
        tag, command, *_ = talk.hear().split()
        if command == "CAPABILITY":
            talk.say("* CAPABILITY IMAP4REV1")
        elif command == "LOGOUT":
            talk.say("* BYE bye", f"{tag} OK done")
            return
        talk.say(f"{tag} OK done")


def imaps(talk: Dialogue) -> None:
    imap(talk, greets=True)


def pop(talk: Dialogue, *, greets: bool = False) -> None:
    if greets:
        talk.say("+OK hello")
    while True:
        command = talk.hear().upper()
        if command == "STAT":
            talk.say("+OK 2 320")
        elif command == "QUIT":
            talk.say("+OK bye")
            return
        else:
            talk.say("+OK")


def pops(talk: Dialogue) -> None:
    pop(talk, greets=True)


def http(talk: Dialogue) -> None:
    length = 0
    while line := talk.hear():
        name, _, value = line.partition(":")
        length = int(value) if name.lower() == "content-length" else length
    talk._file.read(length)
    answer = b"<?xml version='1.0'?><methodResponse><params><param><value><int>5</int></value></param></params>"
    answer += b"</methodResponse>"
    talk.say("HTTP/1.1 200 OK", f"Content-Length: {len(answer)}", "Content-Type: text/xml", "Connection: close", "")
    talk.sock.sendall(answer)


class FTP:
    """A server for one client's commands and files.

    ``resumed`` has an entry for each data connection: whether its session was that of the control connection.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self.files: dict[str, bytes] = {"a": b"one\r\ntwo\r\n", "large": bytes(range(256)) * 4096}
        self.resumed: list[bool | None] = []

    def __call__(self, talk: Dialogue) -> None:
        with socket.create_server((HOST, 0)) as listener:
            listener.settimeout(SECONDS)
            while True:
                command, _, argument = talk.hear().partition(" ")
                if command in ("EPSV", "PASV"):
                    high, low = divmod(listener.getsockname()[1], 256)
                    talk.say(f"227 at ({HOST.replace('.', ',')},{high},{low})")
                elif command in ("RETR", "STOR", "NLST"):
                    talk.say("150 here it comes")
                    self._transfer(listener, command, argument)
                    talk.say("226 done")
                elif command == "QUIT":
                    talk.say("221 bye")
                    return
                else:
                    talk.say({"USER": "331 and the password?", "PASS": "230 welcome"}.get(command, "200 fine"))

    def _transfer(self, listener: socket.socket, command: str, name: str) -> None:
        plain, _ = listener.accept()
        plain.settimeout(SECONDS)
        with self._context.wrap_socket(plain, server_side=True, suppress_ragged_eofs=False) as data:
            self.resumed.append(data.session_reused)
            if command == "STOR":
                pieces = []
                while piece := data.recv(65536):  # raises if there is no close_notify
                    pieces.append(piece)
                self.files[name] = b"".join(pieces)
            else:
                names = "".join(f"{each}\r\n" for each in self.files).encode()
                data.sendall(self.files[name] if command == "RETR" else names)
                data.unwrap()


# Servers that misbehave when TLS should start, or later.


def _reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def closes(sock: socket.socket, _: ssl.SSLContext) -> None:
    sock.recv(1)


def half_closes(sock: socket.socket, _: ssl.SSLContext) -> None:
    sock.shutdown(socket.SHUT_WR)
    _read_all(sock)


def resets(sock: socket.socket, _: ssl.SSLContext) -> None:
    sock.recv(1)
    _reset(sock)


def speaks_http(sock: socket.socket, _: ssl.SSLContext) -> None:
    sock.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
    _read_all(sock)


def sends_garbage(sock: socket.socket, _: ssl.SSLContext) -> None:
    sock.sendall(bytes(range(256)) * 8)
    _read_all(sock)


def sends_an_alert(sock: socket.socket, _: ssl.SSLContext) -> None:
    sock.recv(65536)
    sock.sendall(bytes.fromhex("15 0303 0002 02 28"))
    _read_all(sock)


def _shaken(sock: socket.socket, context: ssl.SSLContext) -> ssl.SSLSocket:
    return context.wrap_socket(sock, server_side=True)


def truncates(sock: socket.socket, context: ssl.SSLContext) -> None:
    socket.socket(fileno=_shaken(sock, context).detach()).close()


def closes_properly(sock: socket.socket, context: ssl.SSLContext) -> None:
    with contextlib.suppress(OSError), _shaken(sock, context) as tls:
        tls.settimeout(0.1)  # some clients do not close
        tls.unwrap()


def resets_after_the_handshake(sock: socket.socket, context: ssl.SSLContext) -> None:
    _reset(_shaken(sock, context))


def truncates_in_a_line(sock: socket.socket, context: ssl.SSLContext) -> None:
    with _shaken(sock, context) as tls:
        tls.sendall(b"HTTP/1.1 200 O")
        plain = socket.socket(fileno=tls.detach())
        plain.shutdown(socket.SHUT_WR)
        _read_all(plain)
        plain.close()


def goes_on_in_the_clear(sock: socket.socket, context: ssl.SSLContext) -> None:
    plain = socket.socket(fileno=_shaken(sock, context).detach())
    with plain, contextlib.suppress(OSError):
        plain.sendall(b"220 hello\r\n" * 9)
        _read_all(plain)


def _read_all(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while sock.recv(65536):
            pass


HOSTILE: tuple[Callable[[socket.socket, ssl.SSLContext], None], ...] = (
    closes,
    half_closes,
    resets,
    speaks_http,
    sends_garbage,
    sends_an_alert,
    truncates,
    closes_properly,
    resets_after_the_handshake,
    truncates_in_a_line,
    goes_on_in_the_clear,
)
