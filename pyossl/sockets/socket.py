"""Blocking TLS sockets with timeouts.

Theory of operation
-------------------
Each call takes non-blocking steps on the ``Connection``, under its lock.  Between two steps it waits for the
descriptor, without the lock, so that a thread that waits to read does not keep another from writing (docs/pitfalls.md,
15).  The timeout is a deadline for the whole call, however many steps it takes.  The descriptor itself blocks, since a
reader waits in recv(2).  All other system calls use MSG_DONTWAIT.

A read takes as many bytes off the descriptor as the caller has room for, not one record after the other.  So it may
take bytes that follow the peer's close_notify and are not TLS.  ``unwrap`` then raises an exception, so that they are
not lost silently (``keeps_to_records``).

``close`` sends close_notify once, without waiting.  First it takes the bytes that have arrived off the descriptor.  If
they stayed unread, the kernel would send a reset, and the peer could lose data that it has not read yet.  In TLS 1.3
every client that only writes has such bytes: the session tickets.
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
from pyossl.core.buffers import Bytes, readable
from pyossl.core.descriptors import require_plain
from pyossl.core.errors import ClosedSocketError, NotDueError, TLSError, UsageError, WouldBlockError
from pyossl.core.lock import inherited
from pyossl.sockets.address import Address, check_one_argument, host_and_port
from pyossl.sockets.context_side import client_context
from pyossl.sockets.descriptor_connection import FOREVER, WaitingConnection, deadline_in, seconds_until
from pyossl.sockets.happy_eyeballs import connected
from pyossl.sockets.post_handshake import PostHandshakeMethods
from pyossl.sockets.sending_files import send_file
from pyossl.tls.authentication.dane import Records, records_of
from pyossl.tls.callbacks.message import Message
from pyossl.tls.connection.session import Session
from pyossl.tls.context.context import Context
from pyossl.tls.ech.ech import Offered, offer_of
from pyossl.x509.reference_name import reference_name


class _Default:
    """The timeout that ``socket.getdefaulttimeout`` returns when the socket is made."""

    def __repr__(self) -> str:
        return "socket.getdefaulttimeout()"


_DEFAULT: Final = _Default()
_LIMITS = (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO)
_NEWLINES = ("", "\n", "\r", "\r\n")


class Socket(PostHandshakeMethods):
    """A TLS connection over a connected stream socket, with the methods of a ``socket.socket``.

    ``pyossl.connect``, ``Listener.accept`` and ``Context.wrap_socket`` make it.  One thread may read while another
    writes.  Use it in a ``with`` statement to close it at the end.  ``connection`` is the ``Connection`` below.

    Every method raises ``TimeoutError`` if it does not finish within the timeout, ``WouldBlockError`` if the timeout is
    0 and it would have to wait, ``UsageError`` after ``close``, and the errors of ``Connection``.
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
        **offered: Any,
    ) -> None:
        """Makes a ``Socket``, before its handshake, over ``sock``, a connected blocking socket that it then owns.

        - ``context``, ``server_hostname``, ``message_callback``, ``session``: those of ``Connection``.
        - ``timeout``: the timeout of each call in seconds; None for no limit.
        - ``offered``: ``early_data``, ``ech`` and ``dane`` of ``Connection``.
        """
        connection = WaitingConnection(context, server_hostname, sock, message_callback, session, **offered)
        super().__init__(connection, _seconds(timeout))
        self._sock = sock
        self._files = 0
        self._closed = False

    # The handshake and its end

    def handshake(self) -> None:
        """Finishes the handshake.  Reading and writing do it too, if it is not finished.

        Raises the errors of ``Connection.handshake``.  SSL_do_handshake(3)
        """
        self.connection.finish_handshake(self._timeout)

    def read_early_data(self, size: int = 16384) -> bytes:
        """On a server, waits for early data, and returns up to ``size`` bytes; ``b""`` if no more will come.

        Call it before the handshake, until it returns ``b""``: the client has sent none, it was refused, or all of it
        has been read.  Meanwhile ``sendall`` answers the client at once; ``recv`` raises ``UsageError``.  What it
        returns may be a replay: see ``Context.max_early_data``.  Finish the handshake before ``close``: otherwise the
        client gets no close_notify.

        Raises ``UsageError`` on a client and after the handshake has begun without it, ``ValueError`` for a ``size``
        below 1, and the errors of ``handshake``.  SSL_read_early_data(3)
        """
        return self.connection.wait_for_early_data(size, self._timeout)

    def _handshake_before(self, deadline: int) -> None:
        self.connection.finish_handshake(self._timeout, deadline)

    def unwrap(self) -> socket.socket:
        """Exchanges close_notify with the peer and returns the plain socket, for use without TLS.

        Raises ``UsageError`` if the peer has sent data that was not read, or if an earlier read took the peer's first
        bytes without TLS off the descriptor: see ``keeps_to_records``.  SSL_shutdown(3)
        """
        self.connection.exchange_close_notify(self._timeout)
        if ahead := self.connection.leave_descriptor():
            raise NotDueError(
                f"{ahead} bytes that came without TLS were received together with the records before them: if the peer "
                "does not wait for our close_notify, set keeps_to_records before the first read"
            )
        self._closed = True
        self.connection.close()
        # Files of makefile() that are closed later must not close the descriptor, which is the caller's now.
        sock = _taken_over(self._sock)
        sock.settimeout(self.gettimeout())
        return sock

    def detach(self) -> int:
        """Closes the ``Socket`` without sending anything, and returns the descriptor, which is the caller's now.

        The descriptor is as it was given, with its own SO_RCVTIMEO; -1 if it is closed already.  Use this if the
        descriptor is needed elsewhere, for example in another process before the handshake.  ``unwrap`` ends TLS on
        both sides.  Bytes that were received and not read are lost.  A thread that waits in another method raises
        ``UsageError`` within a second.  SSL_free(3)
        """
        self._closed = True
        try:
            self.connection.detach()
        except UsageError:
            self._closed = False  # as in _close()
            raise
        if not self._blocked and self._sock.fileno() >= 0 and not self.connection.is_inherited:
            self._sock.setblocking(False)
        return self._sock.detach()

    def shutdown(self, how: int) -> None:
        """Ends one or both directions of the connection.

        - ``SHUT_WR`` sends close_notify.  The peer's data can still be read.
        - ``SHUT_RD`` shuts the descriptor down for reading, like ``socket.shutdown``.
        - ``SHUT_RDWR`` sends close_notify if it can, and shuts the descriptor down.

        If the handshake is not finished or the connection has failed, each does what ``socket.shutdown`` does.  So it
        raises what programs written for sockets expect: ``OSError`` with ENOTCONN if the peer has gone, and with EBADF
        after ``close``.  ``ValueError`` for another ``how``.  SSL_shutdown(3), shutdown(2)
        """
        if index(how, "how") not in (socket.SHUT_RD, socket.SHUT_WR, socket.SHUT_RDWR):
            raise ValueError(f"how is SHUT_RD, SHUT_WR or SHUT_RDWR, not {how!r}")
        if self._is_closed or self._sock.fileno() < 0:
            raise ClosedSocketError("the socket is closed")
        if how == socket.SHUT_RD and self.connection.is_inherited:  # shutdown(2) would reach the parent's copy
            raise inherited()
        if how == socket.SHUT_RD or not self._sends_close_notify(how) or how == socket.SHUT_RDWR:
            self._sock.shutdown(how)

    def _sends_close_notify(self, how: int) -> bool:
        try:
            return self.connection.send_close_notify(self._timeout)
        except TLSError:
            if how == socket.SHUT_WR:
                raise
            return False

    def close(self) -> None:
        """Sends close_notify, if that needs no waiting, and closes the descriptor.

        If files of ``makefile`` are open, this happens when the last of them is closed.  A thread that waits in another
        method raises ``UsageError``.  SSL_shutdown(3), SSL_free(3)
        """
        self._closed = True
        if self._files == 0:  # each time that it is called: an exception may have ended the first call at any place
            self._close()

    def _close(self) -> None:
        try:
            raised = self.connection.end() if self._sock.fileno() >= 0 else None  # after unwrap() it is the caller's
        except UsageError:
            self._closed = False  # called by a callback, whose own caller still uses the connection
            raise
        self._sock.close()
        if raised is not None:
            raise raised

    # Data

    def _send_some(self, data: Bytes) -> int:
        with readable(data) as source:
            return self.connection.send_some(source, len(source), self._timeout)

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Sends ``count`` bytes of a file from ``offset`` on, and returns their number.

        It is like ``socket.socket.sendfile``.  ``file`` is open in binary mode.  Without ``count`` it is sent to its
        end.  Afterwards its position is after the last byte that was sent, also if an exception was raised.  The
        timeout is one deadline for all of this.

        The file is read and encrypted by this process: kernel TLS is never in use over a ``Socket``.  Raises
        ``ValueError`` for a timeout of 0, for a file in text mode and for a negative number.
        SSL_write_ex(3), SSL_sendfile(3)
        """
        self._check_open()
        if self.gettimeout() == 0:
            raise ValueError("sendfile() waits, and the timeout of this socket is 0")
        limit = self.gettimeout()
        deadline = 0 if limit is None else deadline_in(limit)
        return send_file(file, offset, count, lambda data: self._send_before(deadline, data))

    def _send_before(self, deadline: int, data: Bytes) -> int:
        """Sends some of ``data`` before a deadline, of ``deadline_in``; 0 for none."""
        left = seconds_until(deadline) if deadline else FOREVER
        try:
            if deadline and left <= 0:
                raise TimeoutError
            with readable(data) as source:
                return self.connection.send_some(source, len(source), left)
        except TimeoutError:
            raise TimeoutError(f"sending a file timed out after {self.gettimeout()} s") from None

    def makefile(
        self,
        mode: str = "r",
        buffering: int | None = None,
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> IO[Any]:
        """A file over the connection, like that of ``socket.socket.makefile``.

        - ``mode`` is made of ``r``, ``w`` and ``b``.
        - ``buffering`` is the size of the buffer in bytes; 0 for none, which needs a binary mode; the default is
          ``io.DEFAULT_BUFFER_SIZE``.
        - ``encoding``, ``errors`` and ``newline`` are those of ``io.TextIOWrapper``, for text.

        The connection stays open until the ``Socket`` and all its files are closed.  Raises ``TypeError`` or
        ``ValueError`` for arguments of other kinds, ``LookupError`` for an encoding that Python does not have.
        """
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
        """The number of bytes that ``recv`` returns without the descriptor; 1 before the end or a failure.

        Read while it is not 0 before you wait with select(2) or poll(2).  A program that reads 16 KiB or more at a time
        does not need it, since such a read leaves no whole record behind.  The one exception is the end: it may have
        come with the last data, from a peer that keeps its socket open.  SSL_pending(3)
        """
        return self.connection.pending

    @property
    def keeps_to_records(self) -> bool:
        """Whether a read takes only the records that it needs off the descriptor.  False at first.

        Set it before the first read if the peer goes on without TLS and does not wait for our close_notify: then the
        peer's bytes without TLS stay on the descriptor for the socket of ``unwrap``.  SSL_CTX_set_read_ahead(3)
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
        """The family of the socket's address, for example ``AF_INET6``.  socket(2)"""
        return self._sock.family

    @property
    def type(self) -> int:
        """The type of the socket: ``SOCK_STREAM``.  socket(2)"""
        return self._sock.type

    @property
    def proto(self) -> int:
        """The protocol of the socket, for example ``IPPROTO_TCP``.  socket(2)"""
        return self._sock.proto

    def fileno(self) -> int:
        """The socket's descriptor; -1 after ``close``.  Read while ``pending`` is not 0 before you wait for it."""
        return -1 if self._is_closed else self._sock.fileno()

    def settimeout(self, timeout: float | None) -> None:
        """Sets the timeout of every later call in seconds; None waits without a limit, 0 does not wait.

        The timeout is one deadline for the whole call.  With None, SO_RCVTIMEO and SO_SNDTIMEO still apply if the
        program has set them for the descriptor.  Raises ``TypeError`` or ``ValueError`` if ``timeout`` is not a number
        of seconds from 0 on.
        """
        self._set_timeout(_seconds(timeout))

    def gettimeout(self) -> float | None:
        """The timeout in seconds; None if there is none."""
        return None if self._timeout == FOREVER else self._timeout

    timeout = property(gettimeout)

    def setblocking(self, flag: bool) -> None:
        """Calls ``settimeout(None)`` if ``flag`` is true, ``settimeout(0)`` if it is false."""
        self.settimeout(None if index(flag, "what setblocking takes") else 0.0)

    def getblocking(self) -> bool:
        """Whether calls wait: False if the timeout is 0."""
        return self._timeout != 0

    def getpeername(self) -> Any:
        """The peer's address, like ``socket.socket.getpeername``.  getpeername(2)"""
        self._check_open()
        return self._sock.getpeername()

    def getsockname(self) -> Any:
        """The socket's own address, like ``socket.socket.getsockname``.  getsockname(2)"""
        self._check_open()
        return self._sock.getsockname()

    def getsockopt(self, level: int, option: int, *size: int) -> Any:
        """An option of the socket, like ``socket.socket.getsockopt``.  getsockopt(2)

        ``level`` is for example ``SOL_SOCKET``, ``option`` ``SO_KEEPALIVE``.  Returns an ``int``, or with a ``size`` up
        to that many bytes.
        """
        self._check_open()
        if level == socket.SOL_SOCKET and option in _LIMITS:
            self.connection.restore_limits()
        return self._sock.getsockopt(level, option, *size)

    def setsockopt(self, level: int, option: int, value: Any, *length: int) -> None:
        """Sets an option of the socket, like ``socket.socket.setsockopt``.  setsockopt(2)

        ``level`` and ``option`` are those of ``getsockopt``; ``value`` is an ``int``, or bytes, or None with its
        ``length``.
        """
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
"""The class that ``connect``, ``accept`` and ``wrap_socket`` make; pyossl/greenlets.py sets another."""


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
            raise OSError("cannot read from a file that has timed out: io's buffers may have lost data")
        try:
            return self._socket.recv_into(buffer)
        except WouldBlockError:
            return None
        except TimeoutError:
            self._timed_out = True
            raise

    def write(self, data: Any) -> int | None:
        self._checkWritable()  # type: ignore[attr-defined]  # as above
        try:  # not sendall: after a timeout io writes again all bytes that were not reported as written
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
    """An encoding, error handler or newline that Python does not have: a ``LookupError``, as for a plain socket."""


def _check_encoding(encoding: str | None, errors: str | None, newline: str | None) -> None:
    """Raises ``TypeError`` or ``ValueError`` for arguments that ``io.TextIOWrapper`` does not take."""
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
    **offered: Any,
) -> Socket:
    """Makes a ``Socket``: ``Context.wrap_socket`` calls it with ``context`` and its own arguments.

    ``sock``, ``server_hostname``, ``handshake``, ``message_callback``, ``session`` and the arguments in ``offered``,
    ``early_data``, ``ech`` and ``dane``: see ``Context.wrap_socket``.
    """
    require_plain(sock)
    if not hasattr(sock, "detach"):  # an object that only shows a socket, for example the one of an asyncio transport
        raise TypeError(f"a socket.socket is wrapped, not {type(sock).__name__}, which cannot give its descriptor away")
    handshake = switch(handshake, "handshake")
    if sock.type != socket.SOCK_STREAM:
        raise ValueError(f"TLS needs a stream socket, and this one is {sock.type!r}")
    tls = socket_class(sock, context, server_hostname, message_callback, session, sock.gettimeout(), **offered)
    # If the caller's object were closed, OpenSSL would write to the next file with that number.
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
    """A new socket object with the descriptor of ``sock``, which loses it; ``UsageError`` if ``sock`` is closed."""
    descriptor = sock.detach()
    if descriptor < 0:
        raise UsageError("another thread has closed the socket meanwhile")
    return socket.socket(sock.family, sock.type, sock.proto, descriptor)


def connect(
    address: Address,
    context: Context | None = None,
    *,
    server_hostname: Any = None,
    timeout: float | _Default | None = _DEFAULT,
    message_callback: Callable[[Message], object] | None = None,
    session: Session | None = None,
    early_data: Bytes | None = None,
    ech: Offered | None = None,
    dane: Records | None = None,
) -> Socket:
    """Connects to ``address``, finishes the handshake, and returns the ``Socket``.

    - ``address`` is a tuple of a host and a port, as in ``("example.com", 443)``, or the path of a Unix socket.  An
      IPv6 address may have its flow information and scope, in the form of ``getpeername``, or the name of its scope:
      ``fe80::1%eth0``.
    - ``context`` is a client's; without one, ``Context.client()``.
    - ``server_hostname`` is the name or the IP address that the server's certificate must have, and the name that is
      sent to the server (SNI); without one, the host.  SSL_set_tlsext_host_name(3), X509_check_host(3)
    - ``timeout`` in seconds is the deadline for all of this, except for the look-up of the name, which cannot be
      interrupted, and later for each call of the ``Socket``.  None waits without a limit.  If ``timeout`` is not
      given, it is ``socket.getdefaulttimeout()``.
    - ``message_callback`` is called with each ``Message`` of the protocol that is sent or received.
    - ``session`` is offered for resumption.  It must come from the same context and the same name.
    - ``early_data`` is sent with the first bytes of the handshake, if the session's ``max_early_data`` allows it:
      ``early_data_accepted`` says whether the server has taken it.  Send only a request that may be done twice, because
      anyone can replay it.  SSL_write_early_data(3)
    - ``ech`` is the server's list of configurations for Encrypted Client Hello, or an ``ECHOffer``.
    - ``dane`` is the server's TLSA records, as in ``Connection``.

    If a name has several addresses, the attempts alternate between IPv6 and IPv4.  The next one begins when the one
    before has failed, or after 250 ms.  The first that is connected is used (RFC 8305).

    Raises ``OSError`` if no connection can be made, ``TimeoutError`` after the timeout, the errors of
    ``Connection.handshake``, ``UsageError`` for a server's context, and ``TypeError`` or ``ValueError`` for other
    arguments that cannot be used.  SSL_connect(3)
    """
    check_one_argument(address, context)
    limit = socket.getdefaulttimeout() if isinstance(timeout, _Default) else timeout
    if limit is not None:
        limit = seconds(limit, "a timeout")
        if not limit > 0:
            raise ValueError(f"a timeout is None or more than 0 seconds, not {limit!r}")
    context = client_context(context, "connect()")
    function(message_callback, "message_callback")
    if session is not None:
        instance(session, Session, "session")
    ech, dane = None if ech is None else offer_of(ech), None if dane is None else records_of(dane)
    offered = {"early_data": early_data, "ech": ech, "dane": dane}
    if server_hostname is None and isinstance(address, tuple):
        server_hostname, _ = host_and_port(address)
    if server_hostname is not None:
        reference_name(server_hostname)  # a name that cannot be used is refused before anything is connected
    deadline = 0 if limit is None else deadline_in(limit)
    sock = connected(address, limit, deadline or None)
    try:
        tls = socket_class(sock, context, server_hostname, message_callback, session, limit, **offered)
    except BaseException:
        sock.close()
        raise
    try:
        tls._handshake_before(deadline)
    except BaseException:
        tls.close()
        raise
    return tls


Context.socket_face = staticmethod(wrap_socket)
