"""A TLS connection with no I/O of its own.  SSL_new(3)

Theory of operation
-------------------
A ``Connection`` drives one SSL over one BIO or two: by default one in memory, filled by ``receive_data`` and emptied by
``data_to_send`` (pyossl/_c/bio/memory_bio.c); with ``bio=`` whatever transport the caller chose.

Every call that does I/O is one C function of pyossl/_c/tls/call.c, which takes the connection's lock, and comes to one of
three things.  It is *done*: the method returns what was done.  It *waits*: the method returns a ``Want``, and is to be
called again when what it names has happened.  It has *failed*: the facts are kept as a ``Failure``, once, and every
later call raises the exception for that same failure without going to OpenSSL again, because after a fatal outcome
each version answers differently, and some with success (docs/pitfalls.md, 2, 5).  A close_notify from the peer is not a
failure: reads return ``b""`` from then on, and writes go on working.  Nor does a write that the transport has refused
end the reads: every later write raises its exception, and what the peer had sent before is there to be read, up to its
close_notify or to a failure of the reads' own (pyossl/_c/tls/failed_write.c).

An SSL is one thread's at a time.  The lock is held for the C call and never while somebody waits, so a blocked reader
does not keep a writer out.  It is re-entrant: a callback may ask the connection questions; its I/O is refused.

A child process never touches the SSL of a connection that its parent made: two processes that encrypt with one key
and one sequence of nonces give the plaintext away.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from typing import Any

from pyossl.bio.bio import BIO
from pyossl.core import buffers
from pyossl.core.arguments import email_address, function, index, instances, number_shown
from pyossl.core.binding import ffi, lib, own
from pyossl.core.errors import NotDueError, UsageError, check, check_ptr, exception_of, failed
from pyossl.core.lock import INHERITED, TakenError, ask
from pyossl.core.outcome import Failure, Want, record_of
from pyossl.core.parked_exceptions import take_raised
from pyossl.tls.callbacks import Callbacks
from pyossl.tls.context import Context
from pyossl.tls.message import Message
from pyossl.tls.negotiated import Negotiated
from pyossl.tls.session import Session
from pyossl.x509.certificate import borrowed
from pyossl.x509.reference_name import ReferenceName, reference_name

Bytes = bytes | bytearray | memoryview

# What the four methods of a transfer without I/O look up in each call.
_pyossl_read, _pyossl_write = lib.pyossl_read, lib.pyossl_write
_pyossl_encrypt, _pyossl_decrypt = lib.pyossl_encrypt, lib.pyossl_decrypt
_pyossl_receive_data, _pyossl_data_to_send = lib.pyossl_receive_data, lib.pyossl_data_to_send
_borrow_record, _give_back_record = buffers.small.pop, buffers.small.append
_RECORD, _ENCRYPTED = buffers.RECORD, buffers.ENCRYPTED
_ALL = -1

WANTS = {-want.value: want for want in Want}
_MISUSES = {
    lib.PYOSSL_CLOSED: "the connection is closed",
    lib.PYOSSL_INHERITED: f"the connection cannot be used: {INHERITED}",
    lib.PYOSSL_BUSY: "a callback cannot read from, write to or shut down its connection",
    lib.PYOSSL_ASKED: "a signal's handler that interrupts a question about this connection cannot wait for it",
    lib.PYOSSL_OTHER_BIO: "this connection has a BIO of its own, which carries its bytes",
    lib.PYOSSL_OTHER_WRITE: "a write of {pending} bytes is to be repeated first, and this is not it",
    lib.PYOSSL_WRITING: "a write was interrupted by the signal whose handler writes here: it has to end first",
    lib.PYOSSL_WRITE_FIRST: "a write of {pending} bytes is to be repeated before the shutdown",
    lib.PYOSSL_SHUT: "the connection has been shut down: nothing can be written any more",
    lib.PYOSSL_TOO_EARLY: "the handshake is not finished: there is nothing to shut down yet",
    lib.PYOSSL_READ_FIRST: "the peer has sent data in a renegotiation: it has to be read before anything is written",
}
_NOT_DUE = (lib.PYOSSL_OTHER_WRITE, lib.PYOSSL_WRITE_FIRST, lib.PYOSSL_TOO_EARLY, lib.PYOSSL_READ_FIRST)
"""Those of the misuses that a peer can bring about, by its silence."""


class Connection(Negotiated):
    """One TLS connection, as client or server according to its context.  SSL_new(3)

    ``server_hostname``, a DNS name or an IP address, is whom a client means: a DNS name is sent (SNI) and either is
    compared with the certificate; a client whose context checks names must have one.  ``bio`` is the transport: one
    BIO for both directions, or one to read from and one to write to; without it the caller carries the bytes, with
    ``receive_data`` and ``data_to_send``.  ``message_callback`` is called with each ``Message`` of the protocol.
    ``session``, of the same context and name, is offered for resumption.  ``other_names`` are DNS names of which the
    certificate may have one instead of ``server_hostname``; ``email`` is an address that it must have besides.

    Raises ``UsageError`` or ``ValueError`` for what cannot be.
    """

    _takes_side = True
    """Whether the context says which side the connection is."""
    _bios: tuple[BIO, BIO] | None
    _name = ""
    _other_names: tuple[str, ...] = ()
    _email: str | None = None
    _indicated: str | None = None
    _failure: Failure | None = None
    _write_failure: Failure | None = None
    _kept: list[Any] | None = None
    """What C reads from and writes to, of Python's: kept with C's part, in a cycle of garbage too."""

    def __init__(
        self,
        context: Context,
        server_hostname: str | ipaddress.IPv4Address | ipaddress.IPv6Address | None = None,
        *,
        bio: BIO | tuple[BIO, BIO] | None = None,
        message_callback: Callable[[Message], object] | None = None,
        session: Session | None = None,
        other_names: Iterable[str] = (),
        email: str | None = None,
    ) -> None:
        self._bios = None if bio is None else _two(bio)
        if self._bios is not None:
            self._kept = [*self._bios[0].kept(), *self._bios[1].kept()]
        self._begin(context, server_hostname, message_callback, session, other_names, email)
        for each in self._bios or ():
            each.serve(self)

    def _begin(
        self,
        context: Context,
        server_hostname: str | ipaddress.IPv4Address | ipaddress.IPv6Address | None,
        message_callback: Callable[[Message], object] | None,
        session: Session | None,
        other_names: Iterable[str] = (),
        email: str | None = None,
    ) -> None:
        if not isinstance(context, Context):
            raise TypeError(f"a Connection is made from a Context, not {type(context).__name__}")
        reference = None if server_hostname is None else reference_name(server_hostname)
        if context.is_server and reference is not None:
            raise ValueError("server_hostname is for clients")
        self._context = context
        pointer = check_ptr(self._new(context._freeze()), "SSL_new")
        self._c = own(pointer, lib.pyossl_connection_free, self._kept)
        self._callbacks = Callbacks(self, context._callbacks)
        self._handle = self._c.handle = ffi.new_handle(self._callbacks)
        if reference is not None:
            self._expect(reference)
        elif context.checks_hostname:  # which nothing changes any more
            raise UsageError("server_hostname is missing: this context checks names (check_hostname=False does not)")
        if isinstance(other_names, (str, bytes)):
            raise TypeError(f"other_names are several DNS names, not one {type(other_names).__name__}")
        if other_names != ():
            self._expect_also(instances(other_names, str, "other_names"))
        if email is not None:
            self._expect_email(email)
        if context._callbacks.verify is not None:
            self._c.calls_verify = 1
        if session is not None:
            self._offer(session)
        if function(message_callback, "message_callback") is not None:
            self._callbacks.message = message_callback
            lib.pyossl_set_message_callback(self._c, 1)

    def _new(self, ctx: Any) -> Any:
        """A new ``pyossl_connection *``, NULL where it cannot be made."""
        if self._bios is None:
            return lib.pyossl_connection_in_memory(ctx, self._takes_side)
        reader, writer = self._bios
        # A chain that is changed after our end takes another lock, and ours is still asked then.
        self._locks = reader.lock, writer.lock
        pointers = reader.transport(), writer.transport(), reader.lock.pointer, writer.lock.pointer
        return lib.pyossl_connection_over_bios(ctx, self._takes_side, *pointers)

    def _expect(self, reference: ReferenceName) -> None:
        self._name, is_address = reference
        result = lib.pyossl_set_expected_peer(self._c, self._name.encode(), is_address, self._context.checks_hostname)
        if result == 0:
            why = ": it takes none of a single character" if len(self._name) == 1 else ""
            refused = failed("SSL_set1_dnsname")
            raise ValueError(f"this OpenSSL refuses the server name {self._name!r}{why}") from refused
        check(result, "SSL_set_tlsext_host_name")

    def _expect_also(self, names: tuple[str, ...]) -> None:
        if names and not self._context.checks_hostname:
            raise UsageError("other_names are given, and this context does not check names")
        for name in names:
            other = reference_name(name)
            if other.is_address or reference_name(self._name).is_address:
                raise ValueError(f"only DNS names stand beside each other, not {name!r} and {self._name!r}")
            check(lib.SSL_add1_dnsname(self._c.ssl, other.text.encode()), f"expecting the name {name!r}")
            self._other_names += (other.text,)

    def _expect_email(self, email: str) -> None:
        if not self._context.verifies:
            raise UsageError("email is given, and this context verifies nobody")
        address = email_address(email)
        self._email, ssl = email, self._c.ssl
        parameters = lib.SSL_get0_param(ssl)
        check(lib.X509_VERIFY_PARAM_set1_email(parameters, address, len(address)), f"expecting {email!r}")
        if self._context.is_server:
            sessions = self._context.sessions_with(email)
            check(lib.SSL_set_session_id_context(ssl, sessions, len(sessions)), "SSL_set_session_id_context")

    def _offer(self, session: Session) -> None:
        """Offers a session, whose connection must have been verified as this one would be (docs/pitfalls.md, 12)."""
        if not isinstance(session, Session):
            raise TypeError(f"session is a Session, not {type(session).__name__}")
        if self._context.is_server:
            raise UsageError("session is for clients: a server finds the session that the client offers")
        if session._context is not self._context:
            raise ValueError("the session belongs to another context")
        if session.server_hostname != self._name and self._context.checks_hostname:
            raise ValueError(f"the session is with {session.server_hostname!r}, not with {self._name!r}")
        others = set(session.other_names) - set(self._other_names)
        if others and self._context.checks_hostname:
            raise ValueError(f"the session may be with one of {sorted(others)}, which this connection does not expect")
        if self._email not in (None, session.email):
            raise ValueError(f"the peer of the session was not asked for the email address {self._email!r}")
        if (result := lib.pyossl_offer_session(self._c, session._session)) == 0:
            raise ValueError("the session is of a connection whose peer was not verified, and this context verifies")
        check(result, "SSL_set_session")

    def _switch_context(self, context: Context) -> None:
        """Goes on with another server context: its credentials, its trust, and its verification of clients."""
        if not isinstance(context, Context) or not context.is_server:
            raise TypeError(f"a server name callback answers with a server's Context or None, not {context!r}")
        if context is self._context:
            return
        check(lib.pyossl_switch_context(self._c, context._freeze()), "SSL_set_SSL_CTX")
        if context._groups is not None:
            check(lib.SSL_set1_groups_list(self._c.ssl, context._groups.encode()), "SSL_set1_groups_list")
        self._context = context
        self._c.calls_verify = context._callbacks.verify is not None
        self._callbacks.of_context = context._callbacks
        if self._email is not None:
            self._expect_email(self._email)

    # The handshake

    def handshake(self) -> Want | None:
        """Goes on with the handshake; None when it is finished, else the ``Want`` to call it again after.

        Raises ``CertificateError``, ``AlertError``, ``TruncationError``, ``TransportError`` or another ``TLSError``
        when it has failed, all of which are ``OSError``s.  SSL_do_handshake(3)
        """
        return self._shake_hands(lib.pyossl_handshake)

    def connect(self) -> Want | None:
        """``handshake`` for a client; ``UsageError`` on a server's connection.  SSL_connect(3)"""
        if self._context.is_server:
            raise UsageError("connect() is a client's: this connection is a server's")
        return self._shake_hands(lib.pyossl_connect)

    def accept(self) -> Want | None:
        """``handshake`` for a server; ``UsageError`` on a client's connection.  SSL_accept(3)"""
        if not self._context.is_server:
            raise UsageError("accept() is a server's: this connection is a client's")
        return self._shake_hands(lib.pyossl_accept)

    def _shake_hands(self, function: Callable[[Any], int]) -> Want | None:
        result = function(self._c)
        return None if result == 0 else self._waits(result, "the handshake")

    # Data

    def read(self, size: int = buffers.RECORD) -> bytes | Want:
        """Up to ``size`` bytes of what the peer sent, ``b""`` once the peer has closed.

        A ``Want`` when there is nothing yet.  Finishes the handshake first, if need be.  Raises ``TruncationError``
        when the transport ended without a close_notify, and as ``handshake`` does.  SSL_read_ex(3)
        """
        try:
            if not 0 < size <= _RECORD:
                return self._read("reading", lib.pyossl_read, size)
            try:
                buffer = _borrow_record()
            except IndexError:
                buffer = buffers.borrow(size)
            room, view = buffer
            result = _pyossl_read(self._c, room, size)
        except Exception:
            index(size, "the number of bytes to read")
            raise
        data: bytes = view[:result] if result > 0 else b""
        _give_back_record(buffer)
        return data if result >= 0 else self._waits(result, "reading")

    def peek(self, size: int = buffers.RECORD) -> bytes | Want:
        """As ``read``, but what is returned stays to be read.  SSL_peek_ex(3)"""
        return self._read("peeking", lib.pyossl_peek, size)

    def _read(self, operation: str, function: Callable[..., int], size: int) -> bytes | Want:
        size = index(size, "the number of bytes to read")
        room, view = buffer = buffers.borrow(size)
        result = function(self._c, room, min(size, buffers.LARGEST))
        data = view[:result] if result > 0 else b""
        buffers.give_back(buffer)
        return data if result >= 0 else self._waits(result, operation)

    def read_into(self, buffer: Any, size: int | None = None) -> int | Want:
        """As ``read``, into a writable buffer: the number of bytes, 0 once the peer has closed, or a ``Want``.

        At most ``size`` bytes, or as many as the buffer holds.  Raises ``TypeError`` or ``BufferError`` for a buffer
        that cannot be written.  SSL_read_ex(3)
        """
        with writable(buffer) as target:
            room = len(target) if size is None else index(size, "size") or len(target)
            if not 0 <= room <= len(target):
                raise ValueError(f"size is {number_shown(room)}, and the buffer holds {len(target)} bytes")
            result = lib.pyossl_read(self._c, target, room)
            return result if result >= 0 else self._waits(result, "reading")

    def write(self, data: Bytes) -> int | Want:
        """Sends bytes; how many were taken, or a ``Want`` when none could be.

        When fewer than all were taken, or a ``Want`` came back, a record may be under way: go on with the rest, from
        its first byte and no shorter; a shorter rest raises ``UsageError``, and nothing is lost.  An empty write
        does nothing.  Finishes the handshake first, if need be.  Raises as ``handshake`` does.  SSL_write_ex(3)
        """
        if type(data) is bytes:
            result: int = _pyossl_write(self._c, data, len(data))
            return result if result >= 0 else self._waits(result, "writing")
        with readable(data) as source:
            return self._write(source, len(source))

    def _write(self, data: Any, size: int) -> int | Want:
        result = lib.pyossl_write(self._c, data, size)
        return result if result >= 0 else self._waits(result, "writing")

    @property
    def pending(self) -> int:
        """How many decrypted bytes can be read without the transport.  SSL_pending(3)"""
        return self._ask_number(lib.PYOSSL_BYTES_PENDING)

    @property
    def has_pending(self) -> bool:
        """Whether OpenSSL holds bytes, decrypted or not: look before waiting for the transport.  SSL_has_pending(3)"""
        return bool(self._ask_number(lib.PYOSSL_HAS_PENDING))

    # The end

    def shutdown(self) -> bool | Want:
        """Sends our close_notify, once, and looks for the peer's.

        True when both have been exchanged; False when ours is sent and theirs is not here yet: read until ``b""``, or
        call it again; a ``Want`` when the transport must be waited for.  Raises ``UsageError`` before the handshake
        is finished, and as ``read`` does.  SSL_shutdown(3)
        """
        result = lib.pyossl_shutdown(self._c)
        return result == 1 if result >= 0 else self._waits(result, "shutting down")

    def close(self) -> None:
        """Frees the SSL; every later call raises ``UsageError``.  Nothing is sent.  In a child process it does nothing.

        SSL_free(3)
        """
        if lib.pyossl_close(self._c) == lib.PYOSSL_BUSY:
            raise self._in_a_callback()
        self._let_go()

    def _let_go(self) -> None:
        if self._kept is not None and self.closed:
            self._kept.clear()

    def _in_a_callback(self) -> UsageError:
        return UsageError("a callback cannot close its connection")

    @property
    def closed(self) -> bool:
        """Whether ``close`` has been called."""
        return bool(self._c.closed)

    @property
    def is_inherited(self) -> bool:
        """Whether the connection is the parent's to use: its handshake was begun before this process was forked."""
        return bool(lib.pyossl_is_inherited(self._c))

    @property
    def failure(self) -> Failure | None:
        """The fatal outcome that ended the connection, or its writes alone, None while there is none."""
        return self._failure or self._write_failure

    # Bytes of the transport, for a connection without a BIO of the caller's

    def receive_data(self, data: Bytes) -> None:
        """Gives bytes that came from the peer; ``b""`` says that the transport has ended.  BIO_s_mem(3)"""
        if type(data) is bytes:
            result = _pyossl_receive_data(self._c, data, len(data))
        else:
            with readable(data) as source:
                result = _pyossl_receive_data(self._c, source, len(source))
        if result < 0:
            raise self._error(result, "receiving")

    def data_to_send(self, size: int = _ALL) -> bytes:
        """Bytes to be sent to the peer, at most ``size`` or all there are; ``b""`` if there are none.  BIO_s_mem(3)"""
        if size is not _ALL and (size := index(size, "the number of bytes to send")) >= 0:
            return self._take(size, [])
        try:
            buffer = _borrow_record()
        except IndexError:
            buffer = buffers.borrow(_RECORD)
        room, view = buffer
        result = _pyossl_data_to_send(self._c, room, _ENCRYPTED)
        data: bytes = view[:result] if result > 0 else b""
        _give_back_record(buffer)
        return data if 0 <= result < _ENCRYPTED else self._take(size, [data])

    def _take(self, size: int, pieces: list[bytes]) -> bytes:
        """``pieces``, and at most ``size`` bytes to be sent, or all where that is negative."""
        while True:
            most = buffers.LARGEST if size < 0 else min(size, buffers.LARGEST)
            room, view = buffer = buffers.borrow(most)
            result = lib.pyossl_data_to_send(self._c, room, most)
            if result > 0:
                pieces.append(view[:result])
            buffers.give_back(buffer)
            if result < 0:
                raise self._error(result, "sending")
            size = size - result if size > 0 else size
            if result < most or size == 0:
                break
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def encrypt(self, data: Bytes) -> bytes | Want:
        """``write`` and ``data_to_send`` in one call: all that is to be sent to the peer, with the records of ``data``.

        A ``Want`` when the handshake has to go on first; nothing has been written then.  SSL_write_ex(3), BIO_s_mem(3)
        """
        if type(data) is not bytes:
            data = _copied(data)
        try:
            buffer = _borrow_record()
        except IndexError:
            buffer = buffers.borrow(_RECORD)
        room, view = buffer
        result = _pyossl_encrypt(self._c, data, len(data), room, _ENCRYPTED)
        sent: bytes = view[:result] if result > 0 else b""
        _give_back_record(buffer)
        if 0 <= result < _ENCRYPTED:
            return sent
        return self._take(-1, [sent]) if result > 0 else self._waits(result, "writing")

    def decrypt(self, data: Bytes) -> bytes | Want:
        """``receive_data`` and ``read`` in one call: all plaintext that the peer's bytes ``data`` complete.

        ``b""`` once the peer has closed; a ``Want`` when there is nothing yet.  Where plaintext comes with the end, or
        with a failure, the end is met by the next ``read``.  Raises as ``read`` does.  BIO_s_mem(3), SSL_read_ex(3)
        """
        if type(data) is not bytes:
            data = _copied(data)
        if not data:
            self.receive_data(data)
        try:
            buffer = _borrow_record()
        except IndexError:
            buffer = buffers.borrow(_RECORD)
        room, view = buffer
        result = _pyossl_decrypt(self._c, data, len(data), room, _ENCRYPTED)
        plain: bytes = view[:result] if result > 0 else b""
        _give_back_record(buffer)
        if 0 <= result < _ENCRYPTED:
            return plain
        return self._read_on(plain) if result > 0 else self._waits(result, "reading")

    def _read_on(self, begun: bytes) -> bytes:
        """``begun``, and all that can be read after it; what ends that is met by the next read."""
        pieces = [begun]
        while True:
            room, view = buffer = buffers.borrow(buffers.LARGEST)
            result = lib.pyossl_read(self._c, room, buffers.LARGEST)
            if result > 0:
                pieces.append(view[:result])
            buffers.give_back(buffer)
            if result < buffers.LARGEST:
                return b"".join(pieces)

    def _received_beyond(self) -> bytes:
        """What ``receive_data`` was given beyond the end of TLS.  BIO_read(3)"""

        def unread(ssl: Any) -> bytes:
            reader = lib.SSL_get_rbio(ssl)
            buffer = ffi.new("char[]", lib.BIO_ctrl_pending(reader))
            return bytes(ffi.buffer(buffer, max(lib.BIO_read(reader, buffer, len(buffer)), 0)))

        return self._ask(unread)

    # What a call came to

    def _waits(self, result: int, operation: str) -> Want:
        """The ``Want`` of a negative result; raises what any other stands for."""
        want = WANTS.get(result)
        if want is None:
            raise self._error(result, operation)
        return want

    def _error(self, result: int, operation: str) -> BaseException:
        """The exception for a negative result that is no ``Want``."""
        if result == lib.PYOSSL_NO_MEMORY:
            return MemoryError("there is no memory for the bytes that this connection is to keep")
        if result == lib.PYOSSL_RAISED:
            return take_raised()
        if result == lib.PYOSSL_PARKED:
            error = self._callbacks.take_parked()
            if error is not None:
                self._fail(operation)
                return error
        if message := _MISUSES.get(result):
            kind = NotDueError if result in _NOT_DUE else UsageError
            return kind(message.format(pending=self._c.write_pending))
        return exception_of(self._fail_write(operation) if result == lib.PYOSSL_UNWRITTEN else self._fail(operation))

    def _fail(self, operation: str) -> Failure:
        """The facts of the connection's end, taken from C once."""

        def failure() -> Failure:
            if self._failure is None:
                self._failure = self._failure_of(operation)
            return self._failure

        return self._in_turn(failure)

    def _fail_write(self, operation: str) -> Failure:
        """The facts of the failure that has ended the writes."""

        def failure() -> Failure:
            if self._write_failure is None:
                why = {"error": lib.SSL_ERROR_SYSCALL, "errno": self._c.write_errno, "records": (), "reason": ""}
                self._write_failure = self._failure_of(operation)._replace(**why)
            return self._write_failure

        return self._in_turn(failure)

    def _failure_of(self, operation: str) -> Failure:
        c = self._c
        return Failure(
            operation,
            c.error,
            c.sys_errno,
            tuple(record_of(c.records[n]) for n in range(c.record_count)),
            self._name,
            c.verify_error or (0 if c.closed else lib.SSL_get_verify_result(c.ssl)),
            c.verify_depth,
            borrowed(c.verify_certificate),
            "" if c.error else "a callback raised an exception",
        )

    def __repr__(self) -> str:
        side = "server" if self._context.is_server else "client"
        try:
            what = ask(lib.pyossl_in_turn_if_free, self._c, self._condition)
        except TakenError:
            what = "in use by another thread"
        except UsageError:
            return f"<Connection {side}, of the process that forked this one>"
        return f"<Connection {side}{f' of {self._name!r}' if self._name else ''}, {what}>"

    def _condition(self) -> str:
        if self.closed:
            return "closed"
        if self._c.dead:
            return f"dead: {exception_of(self._fail('the connection'))}"
        if self._c.write_errno:
            return f"to be read only: {exception_of(self._fail_write('writing'))}"
        return f"{self.version} {self.cipher}" if self.is_handshake_finished else self.state


def _two(bio: BIO | tuple[BIO, BIO]) -> tuple[BIO, BIO]:
    both = bio if isinstance(bio, tuple) else (bio, bio)
    if len(both) != 2 or not all(isinstance(each, BIO) for each in both):
        raise TypeError("bio is a BIO, or a pair of BIOs: one to read from, one to write to")
    return both


def readable(data: Bytes) -> Any:
    """The bytes of ``data`` as C sees them, for a ``with`` statement; ``TypeError`` for anything but bytes."""
    if isinstance(data, str):
        raise TypeError("bytes are needed, not str: encode it first")
    try:
        return ffi.from_buffer(data)
    except BufferError as error:
        raise TypeError(f"bytes that follow one another are needed: {error}") from error
    except ValueError as error:
        raise ValueError("bytes are needed, and this memoryview has been released") from error


def _copied(data: Bytes) -> bytes:
    with readable(data):
        return bytes(data)


def writable(buffer: Any) -> Any:
    """The room in ``buffer`` as C sees it, for a ``with`` statement; ``TypeError`` for what cannot be written."""
    try:
        return ffi.from_buffer("char[]", buffer, True)  # by position: keywords are a thousand instructions
    except BufferError as error:
        raise TypeError(
            f"a writable buffer in one piece is needed, not this {type(buffer).__name__}: {error}"
        ) from error
    except ValueError as error:
        raise ValueError("a writable buffer is needed, and this memoryview has been released") from error
