"""Blocking TLS sockets with timeouts.

Theory of operation ------------------- Each call takes non-blocking steps on the ``Connection``, under its lock, and
between two steps waits for the descriptor outside of it, so that a thread that waits to read does not keep another from
writing (docs/pitfalls.md, 15).  The timeout is a deadline over the whole call, however many steps it takes.  The
descriptor itself blocks, since a reader waits in recv(2); all other calls of it say MSG_DONTWAIT.

A read takes as much off the descriptor as the caller has room for, not record after record; what ``unwrap`` would find
there of the plaintext that follows is refused, not lost (``keeps_to_records``).

``close`` says close_notify once, without waiting, and takes what has already arrived off the descriptor first: the
kernel answers a close with unread bytes by a reset, which would take from the peer what it has not read yet, and in
TLS 1.3 there are unread bytes, the session tickets, on every client that only writes.
"""

from __future__ import annotations

import builtins
import codecs
import io
import socket
from collections.abc import Callable
from types import TracebackType
from typing import IO, Any, Final

from pyossl.core.arguments import LARGEST_INT, flag, function, index, instance, integer, seconds, switch, utf8
from pyossl.core.descriptors import require_plain
from pyossl.core.errors import ClosedSocketError, NotDueError, TLSError, UsageError, WouldBlockError
from pyossl.core.lock import inherited
from pyossl.sockets.connecting import Address, connected, host_and_port
from pyossl.sockets.descriptor_connection import FOREVER, WaitingConnection, deadline_in
from pyossl.sockets.recv_send import RecvSendMethods
from pyossl.tls.connection import Bytes, readable
from pyossl.tls.context import Context
from pyossl.tls.message import Message
from pyossl.tls.session import Session
from pyossl.x509.reference_name import reference_name


class _Default:
    """Stands for the timeout of ``socket.getdefaulttimeout``, which is read when the socket is made."""


_DEFAULT: Final = _Default()
_LIMITS = (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO)
_NEWLINES = ("", "\n", "\r", "\r\n")


class Socket(RecvSendMethods):
    """A TLS connection over a connected stream socket, with the methods of a ``socket.socket``.

    Made by ``pyossl.connect``, ``Listener.accept`` and ``Context.wrap_socket``.  One thread may read while another
    writes.  Every method raises ``TimeoutError`` when it has not finished before its deadline, ``WouldBlockError``
    where the timeout is 0 and it would have to wait, ``UsageError`` after ``close``, and the errors of ``Connection``.
    """

    _blocked = True
    """Whether the descriptor blocked when it was given."""

    def __init__(
        self,
        sock: socket.socket,
        context: Context,
        server_hostname: Any,
        message_callback: Callable[[Message], object] | None,
        session: Session | None,
        timeout: float | None,
    ) -> None:
        """Over a blocking socket, which belongs to the ``Socket`` from now on."""
        connection = WaitingConnection(context, server_hostname, sock, message_callback, session)
        super().__init__(connection, _seconds(timeout))
        self._sock = sock
        self._files = 0
        self._closed = False

    # The handshake and its end

    def handshake(self) -> None:
        """Finishes the handshake; reading and writing do it too, when it has not been done.  SSL_do_handshake(3)"""
        self.connection.shake_hands(self._timeout)

    def _shake_hands_before(self, deadline: int) -> None:
        self.connection.shake_hands(self._timeout, deadline)

    def unwrap(self) -> socket.socket:
        """Exchanges close_notify with the peer and returns the plain socket, which goes on without TLS.

        Raises ``UsageError`` when the peer has sent data that has not been read yet, and where the peer's first bytes
        without TLS are no longer on the descriptor: see ``keeps_to_records``.  SSL_shutdown(3)
        """
        self.connection.exchange_goodbye(self._timeout)
        if ahead := self.connection.leave():
            raise NotDueError(
                f"{ahead} bytes that came without TLS have been received with what came before them: where the peer "
                "does not wait for our close_notify, set keeps_to_records before the first read"
            )
        self._closed = True
        self.connection.close()
        # Files made by makefile() that are closed later must not close what is the caller's now.
        sock = _taken_over(self._sock)
        sock.settimeout(self.gettimeout())
        return sock

    def detach(self) -> int:
        """Closes the ``Socket`` without sending anything and returns the descriptor, which is the caller's and is as it
        was given, with its own SO_RCVTIMEO.

        The peer is told nothing: see ``unwrap`` for an end of TLS that both sides know of.  It is for a descriptor that
        goes on elsewhere, before the handshake in another process for example.  What has been received and not been
        read is lost.  A thread that waits in another method raises ``UsageError``, within a second.  -1 where the
        descriptor has gone already.  SSL_free(3)
        """
        self._closed = True
        try:
            self.connection.detach()
        except UsageError:
            self._closed = False  # as for close()
            raise
        if not self._blocked and self._sock.fileno() >= 0 and not self.connection.is_inherited:
            self._sock.setblocking(False)
        return self._sock.detach()

    def shutdown(self, how: int) -> None:
        """``SHUT_WR`` sends close_notify, after which the peer's data can still be read; ``SHUT_RD`` and
        ``SHUT_RDWR`` do to the descriptor what ``socket.shutdown`` does, the latter after a close_notify.

        Where there is no connection to end, since the handshake is not finished or the connection has failed, each
        does to the descriptor what ``socket.shutdown`` does; with ``SHUT_RDWR`` also where close_notify cannot be sent.
        So it raises what programs that were written for sockets expect: ``OSError`` with ENOTCONN where the peer has
        gone, and with EBADF after ``close``.  SSL_shutdown(3), shutdown(2)
        """
        if index(how, "how") not in (socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR):
            raise ValueError(f"how is SHUT_RD, SHUT_WR or SHUT_RDWR, not {how!r}")
        if self._is_closed or self._sock.fileno() < 0:
            raise ClosedSocketError("the socket is closed")
        if how == socket.SHUT_RD and self.connection.is_inherited:  # shutdown(2) would reach the parent's copy
            raise inherited()
        if how == socket.SHUT_RD or not self._says_goodbye(how) or how == socket.SHUT_RDWR:
            self._sock.shutdown(how)

    def _says_goodbye(self, how: int) -> bool:
        try:
            return self.connection.say_goodbye(self._timeout)
        except TLSError:
            if how == socket.SHUT_WR:
                raise
            return False

    def close(self) -> None:
        """Says close_notify, if that needs no waiting, and closes the descriptor, once the files made by
        ``makefile`` are closed too.  A thread that waits in another method raises ``UsageError``.

        SSL_shutdown(3), SSL_free(3)
        """
        self._closed = True
        if self._files == 0:  # again where it is called again: what interrupted the first call may have come anywhere
            self._close()

    def _close(self) -> None:
        try:
            raised = self.connection.end() if self._sock.fileno() >= 0 else None  # after unwrap() it is the caller's
        except UsageError:
            self._closed = False  # a callback called, which cannot close what its own caller still uses
            raise
        self._sock.close()
        if raised is not None:
            raise raised

    # Data

    def _send_some(self, data: Bytes) -> int:
        with readable(data) as source:
            return self.connection.send_some(source, len(source), self._timeout)

    def makefile(
        self,
        mode: str = "r",
        buffering: int | None = None,
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> IO[Any]:
        """A file over the connection, as ``socket.socket.makefile`` makes one: ``mode`` of r, w and b."""
        instance(mode, str, "mode")
        if buffering is not None:
            buffering = integer(buffering, "buffering", -1, LARGEST_INT)
        _check_encoding(encoding, errors, newline)
        if not set(mode) <= set("rwb") or not set(mode) & set("rw"):
            raise ValueError(f"mode is made of 'r', 'w' and 'b', not {mode!r}")
        self._check_open()
        reads, writes = "r" in mode, "w" in mode
        raw = _SocketFile(self, reads, writes)
        size = io.DEFAULT_BUFFER_SIZE if buffering is None or buffering < 0 else buffering
        if size == 0:
            if "b" not in mode:
                raw.close()
                raise ValueError("a text file is always buffered")
            return raw  # type: ignore[return-value]  # a RawIOBase is an IO[bytes] in all but name
        buffered: Any
        if reads and writes:
            buffered = io.BufferedRWPair(raw, raw, size)
        else:
            buffered = io.BufferedReader(raw, size) if reads else io.BufferedWriter(raw, size)
        if "b" in mode:
            return buffered  # type: ignore[no-any-return]
        return io.TextIOWrapper(buffered, encoding, errors, newline)

    @property
    def pending(self) -> int:
        """How many bytes ``recv`` returns without the descriptor; 1 where the end, or a failure, is what comes.

        A program that reads 16 KiB or more at a time need not look at it: such a read leaves no whole record behind.
        The one exception is the end, which may have come with the last data from a peer that keeps its socket open.
        SSL_pending(3)
        """
        return self.connection.pending

    @property
    def keeps_to_records(self) -> bool:
        """Whether a read takes nothing off the descriptor but the records that it needs.

        False at first.  For a peer that goes on without TLS and does not wait for our close_notify: with True, before
        the first read, ``unwrap`` leaves all that it sends then on the descriptor.
        """
        self._check_open()
        return self.connection.keeps_to_records

    @keeps_to_records.setter
    def keeps_to_records(self, value: bool) -> None:
        self._check_open()
        self.connection.keeps_to_records = flag(value, "keeps_to_records")

    # The socket below

    @property
    def family(self) -> int:
        return self._sock.family

    @property
    def type(self) -> int:
        return self._sock.type

    @property
    def proto(self) -> int:
        return self._sock.proto

    def fileno(self) -> int:
        """The descriptor, or -1 after ``close``.  Look at ``pending`` before waiting for it."""
        return -1 if self._is_closed else self._sock.fileno()

    def settimeout(self, timeout: float | None) -> None:
        """The deadline of every later call in seconds from its start; None for none, 0 for never waiting.

        With None the limits hold that the program has set for the descriptor itself, SO_RCVTIMEO and SO_SNDTIMEO.
        """
        self._set_timeout(_seconds(timeout))

    def gettimeout(self) -> float | None:
        """The timeout in seconds, None for none."""
        return None if self._timeout == FOREVER else self._timeout

    timeout = property(gettimeout)

    def setblocking(self, flag: bool) -> None:
        """``settimeout(None)``, or ``settimeout(0)``."""
        self.settimeout(None if index(flag, "what setblocking takes") else 0.0)

    def getblocking(self) -> bool:
        """Whether calls wait at all."""
        return self._timeout != 0

    def getpeername(self) -> Any:
        """As ``socket.socket.getpeername``."""
        self._check_open()
        return self._sock.getpeername()

    def getsockname(self) -> Any:
        """As ``socket.socket.getsockname``."""
        self._check_open()
        return self._sock.getsockname()

    def getsockopt(self, level: int, option: int, *size: int) -> Any:
        """As ``socket.socket.getsockopt``."""
        self._check_open()
        if level == socket.SOL_SOCKET and option in _LIMITS:
            self.connection.restore_limits()
        return self._sock.getsockopt(level, option, *size)

    def setsockopt(self, level: int, option: int, value: Any, *length: int) -> None:
        """As ``socket.socket.setsockopt``."""
        self._check_open()
        if level == socket.SOL_SOCKET and option in _LIMITS:
            self.connection.restore_limits()
        self._sock.setsockopt(level, option, value, *length)

    def __enter__(self) -> Socket:
        return self

    def __exit__(
        self, kind: builtins.type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Socket {self.fileno()} {self.connection!r}>"

    # Waiting

    @property
    def _is_closed(self) -> bool:
        return self._closed and self._files == 0

    def _check_open(self) -> None:
        if self._is_closed:
            raise UsageError("the socket is closed")

    # Files

    def _file_opened(self) -> None:
        self._files += 1

    def _file_closed(self) -> None:
        self._files -= 1
        if self._closed and self._files == 0:
            self._close()


socket_class: type[Socket] = Socket
"""What ``connect``, ``accept`` and ``wrap_socket`` make; pyossl/greenlets.py sets another."""


class _SocketFile(io.RawIOBase):
    """The raw file below ``Socket.makefile``."""

    def __init__(self, sock: Socket, reads: bool, writes: bool) -> None:
        super().__init__()
        self._socket, self._reads, self._writes = sock, reads, writes
        self._timed_out = False
        sock._file_opened()

    def readable(self) -> bool:
        return self._reads and not self.closed

    def writable(self) -> bool:
        return self._writes and not self.closed

    def fileno(self) -> int:
        return self._socket.fileno()

    def readinto(self, buffer: Any) -> int | None:
        self._checkReadable()  # type: ignore[attr-defined]  # RawIOBase has it; typeshed does not
        if self._timed_out:
            raise OSError("cannot read from a file that has timed out: io's buffers may have lost what they held")
        try:
            return self._socket.recv_into(buffer)
        except WouldBlockError:
            return None
        except TimeoutError:
            self._timed_out = True
            raise

    def write(self, data: Any) -> int | None:
        self._checkWritable()  # type: ignore[attr-defined]  # as above
        try:  # not sendall: after a timeout io offers again all that it was not told of as written
            return self._socket._send_some(data)
        except WouldBlockError:
            return None

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._socket._file_closed()


def _seconds(timeout: float | None) -> float:
    return FOREVER if timeout is None else seconds(timeout, "a timeout")


class UnknownNameError(LookupError, ValueError):
    """An encoding, or a way to treat its errors, that Python does not know: a ``LookupError``, as for a socket."""


def _check_encoding(encoding: str | None, errors: str | None, newline: str | None) -> None:
    """Raises ``TypeError`` or ``ValueError`` for what ``io.TextIOWrapper`` does not take."""
    for value, what, look_up in (
        (encoding, "encoding", codecs.lookup),
        (errors, "errors", codecs.lookup_error),
        (newline, "newline", _NEWLINES.index),
    ):
        if value is None:
            continue
        utf8(value, what)
        try:
            look_up(value)
        except (LookupError, ValueError) as error:
            raise UnknownNameError(f"{what} is {value[:80]!a}, which Python does not know") from error


def wrap_socket(
    context: Context,
    sock: socket.socket,
    server_hostname: Any = None,
    *,
    handshake: bool = True,
    message_callback: Callable[[Message], object] | None = None,
    session: Session | None = None,
) -> Socket:
    """TLS over a connected socket, which the ``Socket`` owns from now on; see ``Context.wrap_socket``."""
    require_plain(sock)
    if not hasattr(sock, "detach"):  # an object that only shows a socket, as asyncio's transports have one
        raise TypeError(f"a socket.socket is wrapped, not {type(sock).__name__}, which cannot give its descriptor away")
    handshake = switch(handshake, "handshake")
    if sock.type != socket.SOCK_STREAM:
        raise ValueError(f"TLS needs a stream socket, and this one is {sock.type!r}")
    tls = socket_class(sock, context, server_hostname, message_callback, session, sock.gettimeout())
    # Taken over: if the caller's object were closed, OpenSSL would write to whatever has the number next.
    tls._sock = _taken_over(sock)
    tls.connection.keep(tls._sock)
    tls._blocked = tls.gettimeout() is None
    tls._sock.setblocking(True)
    if handshake:
        try:
            tls.handshake()
        except BaseException:
            tls.close()
            raise
    return tls


def _taken_over(sock: socket.socket) -> socket.socket:
    """A new object for the descriptor, which ``sock`` has no more; ``UsageError`` where it has been closed."""
    descriptor = sock.detach()
    if descriptor < 0:
        raise UsageError("the socket has been closed meanwhile, by another thread")
    return socket.socket(sock.family, sock.type, sock.proto, descriptor)


def connect(
    address: Address,
    context: Context | None = None,
    *,
    server_hostname: Any = None,
    timeout: float | _Default | None = _DEFAULT,
    message_callback: Callable[[Message], object] | None = None,
    session: Session | None = None,
) -> Socket:
    """A TLS connection to ``address``, its handshake finished.

    ``context`` is ``Context.client()`` unless given; ``server_hostname`` is the address's host; ``session``, of the
    same context and name, is offered for resumption.  ``timeout``, in
    seconds, is the deadline over everything that happens here (but for the look-up of the name, which the system does
    not let a program interrupt), and later of each call; without it ``socket.getdefaulttimeout`` holds.

    A name may have many addresses: they are tried by turns of IPv6 and IPv4, the next one when the one before has
    failed or has been silent for 250 ms, and the first to be connected is the one (RFC 8305).  An IPv6 address may be
    given with its flow information and scope, as ``getpeername`` returns it, or with a scope's name: ``fe80::1%eth0``.

    Raises ``OSError`` when there is no connection, ``TimeoutError``, and as ``Connection.handshake`` does.
    SSL_connect(3)
    """
    limit = socket.getdefaulttimeout() if isinstance(timeout, _Default) else timeout
    if limit is not None:
        limit = seconds(limit, "a timeout")
        if not limit > 0:
            raise ValueError(f"a timeout is None or more than 0 seconds, not {limit!r}")
    context = Context.client() if context is None else instance(context, Context, "context")
    if context.is_server:
        raise UsageError("connect() is a client's: this context is a server's")
    function(message_callback, "message_callback")
    if session is not None:
        instance(session, Session, "session")
    if server_hostname is None and isinstance(address, tuple):
        server_hostname, _ = host_and_port(address)
    if server_hostname is not None:
        reference_name(server_hostname)  # before there is a connection: a name that cannot be needs none
    deadline = 0 if limit is None else deadline_in(limit)
    sock = connected(address, limit, deadline or None)
    try:
        tls = socket_class(sock, context, server_hostname, message_callback, session, limit)
    except BaseException:
        sock.close()
        raise
    try:
        tls._shake_hands_before(deadline)
    except BaseException:
        tls.close()
        raise
    return tls


Context.socket_face = staticmethod(wrap_socket)
