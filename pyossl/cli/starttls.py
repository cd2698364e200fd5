"""STARTTLS: the plain-text dialogue that a protocol begins with before the TLS handshake.

A server sends nothing between its answer to STARTTLS and the handshake, because it waits for the ClientHello.  An
attacker may add plain-text data there, and the client would treat it as if it came through TLS (CVE-2011-0411 and
similar).  Therefore every dialogue ends with ``Dialogue.end``, which refuses such data.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import NamedTuple
from xml.sax.saxutils import quoteattr

import pyossl

_LONGEST_LINE = 8192
_LONGEST_DIALOGUE = 65536


class StartTLSError(pyossl.Error):
    """The server does not offer TLS, refuses it, or breaks the protocol before the handshake."""


class Dialogue:
    """Plain text over a socket, with a deadline for the whole dialogue and a limit for the server's data."""

    def __init__(self, sock: socket.socket, timeout: float) -> None:
        self._sock = sock
        self._deadline = time.monotonic() + timeout
        self._unread = bytearray()
        self._received = 0

    def send(self, data: bytes) -> None:
        """Sends bytes."""
        self._sock.settimeout(self._seconds_left())
        self._sock.sendall(data)

    def line(self) -> str:
        """Reads a line and returns it without the line end."""
        return self.until(b"\n", _LONGEST_LINE).decode("utf-8", "backslashreplace").rstrip("\r\n")

    def until(self, end: bytes, most: int = _LONGEST_DIALOGUE) -> bytes:
        """Reads until ``end`` and returns the bytes, ``end`` included.  ``most`` limits the number of bytes."""
        while (place := self._unread.find(end)) < 0:
            if len(self._unread) > most:
                raise StartTLSError(f"the server sent {len(self._unread)} bytes without the end of its answer")
            self._receive()
        return self._take(place + len(end))

    def exactly(self, size: int) -> bytes:
        """Reads ``size`` bytes."""
        while len(self._unread) < size:
            self._receive()
        return self._take(size)

    def end(self) -> None:
        """Raises ``StartTLSError`` if the server has sent more than its last answer."""
        if self._unread:
            raise StartTLSError(
                f"the server sent {len(self._unread)} bytes in the clear after its answer to STARTTLS: "
                "an attacker may have added them"
            )

    def _take(self, size: int) -> bytes:
        taken = bytes(self._unread[:size])
        del self._unread[:size]
        return taken

    def _receive(self) -> None:
        self._sock.settimeout(self._seconds_left())
        data = self._sock.recv(4096)
        if not data:
            raise StartTLSError("the server closed the connection before TLS")
        self._received += len(data)
        if self._received > _LONGEST_DIALOGUE:
            raise StartTLSError(f"the server sent more than {_LONGEST_DIALOGUE} bytes before TLS")
        self._unread += data

    def _seconds_left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


def negotiate(protocol: str, sock: socket.socket, name: str, timeout: float) -> None:
    """Speaks the dialogue of ``protocol`` on ``sock``, up to the point where the handshake begins.

    ``name`` is the name of the server, and ``timeout`` a limit in seconds for the whole dialogue.  Raises
    ``StartTLSError``, ``TimeoutError`` and ``OSError``.
    """
    dialogue = Dialogue(sock, timeout)
    try:
        PROTOCOLS[protocol].speak(dialogue, name)
    except TimeoutError as error:
        raise TimeoutError(f"the dialogue before TLS timed out after {timeout:g} s") from error
    dialogue.end()
    sock.settimeout(timeout)


def _smtp(dialogue: Dialogue, name: str) -> None:
    """RFC 3207"""
    _reply(dialogue, "220")
    dialogue.send(b"EHLO pyossl.invalid\r\n")
    offered = (line[4:].strip().upper() for line in _reply(dialogue, "250"))
    if "STARTTLS" not in offered:
        raise StartTLSError("the server does not offer STARTTLS in its answer to EHLO")
    dialogue.send(b"STARTTLS\r\n")
    _reply(dialogue, "220")


def _ftp(dialogue: Dialogue, name: str) -> None:
    """RFC 4217"""
    _reply(dialogue, "220")
    dialogue.send(b"AUTH TLS\r\n")
    _reply(dialogue, "234")


def _reply(dialogue: Dialogue, code: str) -> list[str]:
    """Reads a reply of SMTP or FTP.  ``code`` and a space begin the last line, ``code-`` the lines before it."""
    lines = [dialogue.line()]
    if lines[0][:3] != code:
        raise StartTLSError(f"the server answered {lines[0]!r} instead of {code}")
    while lines[-1][:3] != code or lines[-1][3:4] not in ("", " "):
        lines.append(dialogue.line())
    return lines


def _imap(dialogue: Dialogue, name: str) -> None:
    """RFC 9051, 6.2.1"""
    greeting = dialogue.line()
    if not greeting.upper().startswith("* OK"):
        raise StartTLSError(f"the server answered {greeting!r} instead of '* OK'")
    dialogue.send(b"a1 CAPABILITY\r\n")
    words = " ".join(_tagged(dialogue, "a1")).upper().split()
    if "STARTTLS" not in words:
        raise StartTLSError("the server does not offer STARTTLS among its capabilities")
    dialogue.send(b"a2 STARTTLS\r\n")
    _tagged(dialogue, "a2")


def _tagged(dialogue: Dialogue, tag: str) -> list[str]:
    """Reads the lines before the answer to the command with this tag.  Raises ``StartTLSError`` if it is not OK."""
    lines: list[str] = []
    while not (line := dialogue.line()).startswith(f"{tag} "):
        lines.append(line)
    if not line.upper().startswith(f"{tag} OK".upper()):
        raise StartTLSError(f"the server answered {line!r} instead of '{tag} OK'")
    return lines


def _pop3(dialogue: Dialogue, name: str) -> None:
    """RFC 2595, 4"""
    for command in (b"", b"STLS\r\n"):
        if command:
            dialogue.send(command)
        answer = dialogue.line()
        if not answer.startswith("+OK"):
            raise StartTLSError(f"the server answered {answer!r} instead of '+OK'")


_SSL_REQUEST = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")


def _postgres(dialogue: Dialogue, name: str) -> None:
    """https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SSL"""
    dialogue.send(_SSL_REQUEST)
    answer = dialogue.exactly(1)
    if answer != b"S":
        why = {b"N": "it is not configured for TLS", b"E": "it reports an error"}.get(answer, f"it answered {answer!r}")
        raise StartTLSError(f"the server refuses TLS: {why}")


def _xmpp(dialogue: Dialogue, name: str) -> None:
    """RFC 6120, 5"""
    dialogue.send(
        b"<?xml version='1.0'?><stream:stream xmlns='jabber:client' "
        b"xmlns:stream='http://etherx.jabber.org/streams' version='1.0' to=" + quoteattr(name).encode() + b">"
    )
    features = dialogue.until(b"</stream:features>")
    if b"<starttls" not in features:
        raise StartTLSError("the server does not offer STARTTLS among its stream's features")
    dialogue.send(b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
    answer = dialogue.until(b">").strip()
    if not answer.startswith(b"<proceed"):
        raise StartTLSError(f"the server answered {answer.decode('utf-8', 'backslashreplace')!r} instead of '<proceed'")
    if not answer.endswith(b"/>"):
        dialogue.until(b"</proceed>")


# LDAPMessage { messageID 1, extendedReq [APPLICATION 23] { requestName [0] 1.3.6.1.4.1.1466.20037 } }
_LDAP_OID = b"1.3.6.1.4.1.1466.20037"
_LDAP_REQUEST = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x16" + _LDAP_OID
_LDAP_EXTENDED_RESPONSE, _LDAP_RESULT_CODE = 0x78, 0x0A


def _ldap(dialogue: Dialogue, name: str) -> None:
    """RFC 4511, 4.14"""
    dialogue.send(_LDAP_REQUEST)
    tag, message = _element(dialogue.exactly)
    rest = _Bytes(message)
    _, number = _element(rest.take)
    kind, response = _element(rest.take)
    if tag != 0x30 or int.from_bytes(number, "big") != 1 or kind != _LDAP_EXTENDED_RESPONSE:
        raise StartTLSError(f"the server's answer does not belong to the request for TLS: {message[:64].hex(' ')}")
    inside = _Bytes(response)
    what, result = _element(inside.take)
    if what != _LDAP_RESULT_CODE or result != b"\0":
        _element(inside.take)
        why = _element(inside.take)[1].decode("utf-8", "backslashreplace")
        raise StartTLSError(f"the server refuses TLS: result {int.from_bytes(result, 'big')}, {why!r}")


class _Bytes:
    """Bytes and a reading position."""

    def __init__(self, data: bytes) -> None:
        self._data, self._place = data, 0

    def take(self, size: int) -> bytes:
        if self._place + size > len(self._data):
            raise StartTLSError("the server's answer is incomplete")
        self._place += size
        return self._data[self._place - size : self._place]


def _element(take: Callable[[int], bytes]) -> tuple[int, bytes]:
    """Reads a BER element with a definite length, and returns its tag and its contents."""
    tag, length = take(2)
    if length >= 0x80:
        length = int.from_bytes(take(length & 0x7F), "big")
    if length > _LONGEST_DIALOGUE:
        raise StartTLSError(f"the server announces an answer of {length} bytes")
    return tag, take(length)


class Protocol(NamedTuple):
    """A protocol with STARTTLS: its port, and the function that speaks its dialogue."""

    port: int
    speak: Callable[[Dialogue, str], None]


PROTOCOLS = {
    "smtp": Protocol(25, _smtp),
    "imap": Protocol(143, _imap),
    "pop3": Protocol(110, _pop3),
    "ftp": Protocol(21, _ftp),
    "postgres": Protocol(5432, _postgres),
    "xmpp": Protocol(5222, _xmpp),
    "ldap": Protocol(389, _ldap),
}
"""The values of ``--starttls``."""
