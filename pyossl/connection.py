"""A TLS connection with no I/O of its own.  SSL_new(3)

Theory of operation
-------------------
A ``Connection`` drives one SSL over a pair of BIOs: by default two memory BIOs, filled by ``receive_data`` and emptied
by ``data_to_send``; with ``bio=`` whatever transport the caller chose.

Every call that does I/O is one C function of pyossl/_c/io.c, made under the connection's lock, and comes to one of
three things.  It is *done*: the method returns what was done.  It *waits*: the method returns a ``Want``, and is to be
called again when what it names has happened.  It has *failed*: the facts are kept as a ``Failure``, once, and every
later call raises the exception for that same failure without going to OpenSSL again, because after a fatal outcome
each version answers differently, and some with success (PITFALLS 2, 5).  A close_notify from the peer is not a
failure: reads return ``b""`` from then on, and writes go on working.

An SSL is one thread's at a time.  The lock is held for the C call and never while somebody waits, so a blocked reader
does not keep a writer out.  It is re-entrant: a callback may ask the connection questions; its I/O is refused.

A child process never touches the SSL of a connection that its parent made: two processes that encrypt with one key
and one sequence of nonces give the plaintext away.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from typing import Any

from pyossl._lib import ffi, lib, own, process, text
from pyossl.bio import BIO
from pyossl.callbacks import Callbacks
from pyossl.context import Context
from pyossl.errors import Error, UsageError, check, check_ptr, exception_of
from pyossl.message import Message
from pyossl.names import ReferenceName, reference_name
from pyossl.outcome import Failure, Want, record_of, take_records
from pyossl.session import Session, session_of
from pyossl.x509 import HOST_FLAGS, Certificate, borrowed, chain_of

Bytes = bytes | bytearray | memoryview

# A record carries at most so much plaintext: no one call of SSL_read_ex(3) returns more.
RECORD = 16384

_WANTS = {-want.value: want for want in Want}


class Connection:
    """One TLS connection, as client or server according to its context.  SSL_new(3)

    ``server_hostname``, a DNS name or an IP address, is whom a client means: a DNS name is sent (SNI) and either is
    compared with the certificate; a client whose context checks names must have one.  ``bio`` is the transport: one
    BIO for both directions, or one to read from and one to write to; without it the caller carries the bytes, with
    ``receive_data`` and ``data_to_send``.  ``message_callback`` is called with each ``Message`` of the protocol.
    ``session``, of the same context and name, is offered for resumption.  ``other_names`` are DNS names of which the
    certificate may have one instead of ``server_hostname``; ``email`` is an address that it must have besides.

    Raises ``UsageError`` or ``ValueError`` for what cannot be.
    """

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
        if not isinstance(context, Context):
            raise TypeError(f"a Connection is made from a Context, not {type(context).__name__}")
        reference = None if server_hostname is None else reference_name(server_hostname)
        if context.is_server and reference is not None:
            raise ValueError("server_hostname is for clients")
        if context.checks_hostname and reference is None:
            raise UsageError("server_hostname is missing: this context checks names (check_hostname=False does not)")
        self._reader, self._writer = _memories() if bio is None else _two(bio)
        self._carries = bio is None
        self._lock = _lock_of(self._reader, self._writer)
        self._context = context
        self._callbacks = Callbacks(self, context.callbacks)
        self._handle = ffi.new_handle(self._callbacks)
        take_records()
        self._c = own(check_ptr(lib.pyossl_connection_new(context._freeze()), "SSL_new"), lib.pyossl_connection_free)
        self._c.handle = self._handle
        ssl = self._c.ssl
        lib.SSL_set0_rbio(ssl, self._reader.reference())
        lib.SSL_set0_wbio(ssl, self._writer.reference())
        (lib.SSL_set_accept_state if context.is_server else lib.SSL_set_connect_state)(ssl)
        self._name = ""
        if reference is not None:
            self._expect(ssl, reference)
        self._expect_also(ssl, tuple(other_names), email)
        if context.callbacks.verify is not None:
            self._c.calls_verify = 1
        if session is not None:
            self._offer(ssl, session)
        if message_callback is not None:
            self._callbacks.message = message_callback
            lib.pyossl_set_message_callback(self._c, 1)
        self._generation = process.generation
        self._busy = False
        self._failure: Failure | None = None
        self._received_end = False
        self._sent_close_notify = False

    def _expect(self, ssl: Any, reference: ReferenceName) -> None:
        self._name, name = reference.text, reference.text.encode()
        if not reference.is_address:
            check(lib.SSL_set_tlsext_host_name(ssl, name), "SSL_set_tlsext_host_name")
        if self._context.checks_hostname:
            lib.SSL_set_hostflags(ssl, HOST_FLAGS)
            expect = lib.SSL_set1_ipaddr if reference.is_address else lib.SSL_set1_dnsname
            check(expect(ssl, name), f"expecting the name {reference.text!r}")

    def _expect_also(self, ssl: Any, names: tuple[str, ...], email: str | None) -> None:
        if names and not self._context.checks_hostname:
            raise UsageError("other_names are given, and this context does not check names")
        for name in names:
            other = reference_name(name)
            if other.is_address or reference_name(self._name).is_address:
                raise ValueError(f"only DNS names stand beside each other, not {name!r} and {self._name!r}")
            check(lib.SSL_add1_dnsname(ssl, other.text.encode()), f"expecting the name {name!r}")
        if email is not None:
            if not self._context.verifies:
                raise UsageError("email is given, and this context verifies nobody")
            address = email.encode("ascii")
            parameters = lib.SSL_get0_param(ssl)
            check(lib.X509_VERIFY_PARAM_set1_email(parameters, address, len(address)), f"expecting {email!r}")

    def _offer(self, ssl: Any, session: Session) -> None:
        """Offers a session, whose connection must have been verified as this one would be (PITFALLS 12)."""
        if self._context.is_server:
            raise UsageError("session is for clients: a server finds the session that the client offers")
        if session.context is not self._context:
            raise ValueError("the session belongs to another context")
        if self._context.checks_hostname and session.server_hostname != self._name:
            raise ValueError(f"the session is with {session.server_hostname!r}, not with {self._name!r}")
        check(lib.SSL_set_session(ssl, session._session), "SSL_set_session")
        if self._context.verifies and lib.SSL_get_verify_result(ssl) != lib.X509_V_OK:
            raise ValueError("the session is of a connection whose peer was not verified, and this context verifies")

    def _switch_context(self, context: Context) -> None:
        """Goes on with another server context: its credentials, its trust, and its verification of clients.

        SSL_set_SSL_CTX(3) takes over the credentials only; a context that verifies clients must not stop to by that.
        """
        if not isinstance(context, Context) or not context.is_server:
            raise TypeError(f"a server name callback answers with a server's Context or None, not {context!r}")
        if context is self._context:
            return
        ssl, pointer = self._c.ssl, context._freeze()
        check_ptr(lib.SSL_set_SSL_CTX(ssl, pointer), "SSL_set_SSL_CTX")
        lib.pyossl_set_verify(self._c, lib.SSL_CTX_get_verify_mode(pointer))
        lib.SSL_set_verify_depth(ssl, lib.SSL_CTX_get_verify_depth(pointer))
        self._c.calls_verify = context.callbacks.verify is not None
        self._callbacks.of_context = context.callbacks
        self._context = context

    def _session_of(self, pointer: Any) -> Session:
        return session_of(pointer, self._context, self._name or None)

    # The handshake

    def handshake(self) -> Want | None:
        """Goes on with the handshake; None when it is finished, else the ``Want`` to call it again after.

        Raises ``CertificateError``, ``AlertError``, ``TruncationError``, ``TransportError`` or another ``Error`` when
        it has failed.  SSL_do_handshake(3)
        """
        return self._handshake("the handshake", lib.pyossl_handshake)

    def connect(self) -> Want | None:
        """``handshake`` for a client; ``UsageError`` on a server's connection.  SSL_connect(3)"""
        if self._context.is_server:
            raise UsageError("connect() is a client's: this connection is a server's")
        return self._handshake("the handshake", lib.pyossl_connect)

    def accept(self) -> Want | None:
        """``handshake`` for a server; ``UsageError`` on a client's connection.  SSL_accept(3)"""
        if not self._context.is_server:
            raise UsageError("accept() is a server's: this connection is a client's")
        return self._handshake("the handshake", lib.pyossl_accept)

    def _handshake(self, operation: str, function: Callable[..., int]) -> Want | None:
        with self._turn():
            result = self._call(operation, function)
            return self._wait(operation, result) if result < 0 else None

    # Data

    def read(self, size: int = RECORD) -> bytes | Want:
        """Up to ``size`` bytes of what the peer sent, at most one record's; ``b""`` once the peer has closed.

        A ``Want`` when there is nothing yet.  Finishes the handshake first, if need be.  Raises ``TruncationError``
        when the transport ended without a close_notify, and as ``handshake`` does.  SSL_read_ex(3)
        """
        return self._read("reading", lib.pyossl_read, size)

    def peek(self, size: int = RECORD) -> bytes | Want:
        """As ``read``, but what is returned stays to be read.  SSL_peek_ex(3)"""
        return self._read("peeking", lib.pyossl_peek, size)

    def _read(self, operation: str, function: Callable[..., int], size: int) -> bytes | Want:
        if size < 0:
            raise ValueError(f"size cannot be negative: {size}")
        size = min(size, RECORD)
        with self._turn():
            if size == 0 or self._received_end:
                self._usable()
                return b""
            try:
                buffer = _scratch.pop()
            except IndexError:
                buffer = ffi.new("unsigned char[]", RECORD)
            try:
                result = self._call(operation, function, buffer, size)
                if result >= 0:
                    return bytes(ffi.buffer(buffer, result))
            finally:
                _scratch.append(buffer)
            return b"" if self._ended() else self._wait(operation, result)

    def read_into(self, buffer: Any, size: int | None = None) -> int | Want:
        """As ``read``, into a writable buffer: the number of bytes, 0 once the peer has closed, or a ``Want``.

        At most ``size`` bytes, or as many as the buffer holds.  Raises ``TypeError`` or ``BufferError`` for a buffer
        that cannot be written.  SSL_read_ex(3)
        """
        with writable(buffer) as target:
            room = len(target) if size is None or size == 0 else size
            if not 0 <= room <= len(target):
                raise ValueError(f"size is {size}, and the buffer holds {len(target)} bytes")
            with self._turn():
                if room == 0 or self._received_end:
                    self._usable()
                    return 0
                result = self._call("reading", lib.pyossl_read, target, room)
                if result >= 0:
                    return result
                return 0 if self._ended() else self._wait("reading", result)

    def write(self, data: Bytes) -> int | Want:
        """Sends bytes; how many were taken, or a ``Want`` when none could be.

        When fewer than all were taken, or a ``Want`` came back, a record may be under way: go on with the rest, from
        its first byte and no shorter; a shorter rest raises ``UsageError``, and nothing is lost.  An empty write
        does nothing.  Finishes the handshake first, if need be.  Raises as ``handshake`` does.  SSL_write_ex(3)
        """
        if isinstance(data, bytes):
            return self._write(data, len(data))
        with readable(data) as source:
            return self._write(source, len(source))

    def _write(self, data: Any, size: int) -> int | Want:
        with self._turn():
            self._usable()
            if self._sent_close_notify:
                raise UsageError("the connection has been shut down: nothing can be written any more")
            if self._c.write_pending and not lib.pyossl_is_repeated(self._c, data, size):
                raise UsageError(
                    f"a write of {self._c.write_pending} bytes is to be repeated first; these {size} bytes are not it"
                )
            if size == 0:
                return 0
            result = self._call("writing", lib.pyossl_write, data, size)
            return result if result >= 0 else self._wait("writing", result)

    @property
    def pending(self) -> int:
        """How many decrypted bytes can be read without the transport.  SSL_pending(3)"""
        return int(self._ask(lib.SSL_pending))

    @property
    def has_pending(self) -> bool:
        """Whether OpenSSL holds bytes, decrypted or not: look before waiting for the transport.  SSL_has_pending(3)"""
        return bool(self._ask(lib.SSL_has_pending))

    # The end

    def shutdown(self) -> bool | Want:
        """Sends our close_notify, once, and looks for the peer's.

        True when both have been exchanged; False when ours is sent and theirs is not here yet: read until ``b""``, or
        call it again; a ``Want`` when the transport must be waited for.  Raises ``UsageError`` before the handshake
        is finished, and as ``read`` does.  SSL_shutdown(3)
        """
        with self._turn():
            self._usable()
            if not lib.SSL_is_init_finished(self._c.ssl):
                raise UsageError("the handshake is not finished: there is nothing to shut down yet")
            if self._c.write_pending:
                raise UsageError(f"a write of {self._c.write_pending} bytes is to be repeated before the shutdown")
            result = self._call("shutting down", lib.pyossl_shutdown)
            if lib.SSL_get_shutdown(self._c.ssl) & lib.SSL_SENT_SHUTDOWN:
                self._sent_close_notify = True
            if result < 0:
                return self._wait("shutting down", result)
            self._received_end = self._received_end or result == 1
            return result == 1

    def close(self) -> None:
        """Frees the SSL; every later call raises ``UsageError``.  Nothing is sent.  In a child process it does nothing.

        SSL_free(3)
        """
        if self._generation != process.generation:
            return
        with self._turn():
            if self._busy:
                raise UsageError("a callback cannot close its connection")
            if self._c is not None:
                ffi.release(self._c)
                self._c = None

    @property
    def closed(self) -> bool:
        """Whether ``close`` has been called."""
        return self._c is None

    # Bytes of the transport, for a connection without a BIO of the caller's

    def receive_data(self, data: Bytes) -> None:
        """Gives bytes that came from the peer; ``b""`` says that the transport has ended.  BIO_s_mem(3)"""
        bio = self._carried(self._reader)
        with readable(data) as source:
            size = len(source)
        if size == 0:
            bio.end()
        elif bio.write(data) != size:
            raise MemoryError(f"the memory BIO did not take {size} bytes")

    def data_to_send(self, size: int = -1) -> bytes:
        """Bytes to be sent to the peer, at most ``size`` or all there are; ``b""`` if there are none.  BIO_s_mem(3)"""
        data = self._carried(self._writer).read(size)
        return data if isinstance(data, bytes) else b""

    def _carried(self, bio: BIO) -> BIO:
        if not self._carries:
            raise UsageError("this connection has a BIO of its own, which carries its bytes")
        if self._c is None:
            raise UsageError("the connection is closed")
        return bio

    # Questions

    @property
    def context(self) -> Context:
        """The context that the connection was made from."""
        return self._context

    @property
    def is_handshake_finished(self) -> bool:
        """SSL_is_init_finished(3)"""
        return bool(self._ask(lib.SSL_is_init_finished))

    @property
    def state(self) -> str:
        """Where the handshake is, in OpenSSL's words.  SSL_state_string_long(3)"""
        return text(self._ask(lib.SSL_state_string_long))

    @property
    def version(self) -> str | None:
        """The protocol, such as ``TLSv1.3``; None before it is agreed.  SSL_get_version(3)"""
        with self._turn():
            agreed = self._ask(lib.SSL_get_current_cipher) != ffi.NULL
            return text(lib.SSL_get_version(self._c.ssl)) if agreed else None

    @property
    def cipher(self) -> str | None:
        """The cipher's name, such as ``TLS_AES_256_GCM_SHA384``; None before that.  SSL_get_current_cipher(3)"""
        with self._turn():
            cipher = self._ask(lib.SSL_get_current_cipher)
            return None if cipher == ffi.NULL else text(lib.SSL_CIPHER_get_name(cipher))

    @property
    def group(self) -> str | None:
        """The key exchange's group, such as ``x25519``; None where there was none, or on a 1.1.1 server.

        SSL_get0_group_name(3)
        """
        with self._turn():
            if self._ask(lib.SSL_get_current_cipher) == ffi.NULL:
                return None  # before there is a session OpenSSL follows a NULL pointer
            return text(lib.SSL_get0_group_name(self._c.ssl)) or None

    @property
    def alpn(self) -> str | None:
        """The application protocol agreed on, None if there was none.  SSL_get0_alpn_selected(3)"""
        with self._turn():
            protocol, length = ffi.new("unsigned char **"), ffi.new("unsigned int *")
            self._ask(lambda ssl: lib.SSL_get0_alpn_selected(ssl, protocol, length))
            return bytes(ffi.buffer(protocol[0], length[0])).decode("latin-1") if length[0] else None

    @property
    def server_hostname(self) -> str | None:
        """Whom the client means: for a client what it was given, for a server the SNI.  SSL_get_servername(3)"""
        if not self._context.is_server:
            return self._name or None
        return text(self._ask(lambda ssl: lib.SSL_get_servername(ssl, lib.TLSEXT_NAMETYPE_host_name))) or None

    @property
    def session(self) -> Session | None:
        """The session, None while there is none.  In TLS 1.3 it can be resumed once the server has sent a ticket, after
        the handshake: the context's ``new_session_callback`` tells when.  SSL_get1_session(3)
        """
        with self._turn():
            pointer = self._ask(lib.SSL_get1_session)
            if pointer == ffi.NULL:
                return None
            return Session(own(pointer, lib.SSL_SESSION_free), self._context, self._name or None)

    @property
    def session_reused(self) -> bool:
        """Whether the handshake resumed a session.  SSL_session_reused(3)"""
        return bool(self._ask(lib.SSL_session_reused))

    @property
    def peer_certificate(self) -> Certificate | None:
        """The peer's certificate, None if it showed none.  SSL_get1_peer_certificate(3)"""
        with self._turn():
            pointer = self._ask(lib.SSL_get1_peer_certificate)
            return None if pointer == ffi.NULL else Certificate(own(pointer, lib.X509_free))

    @property
    def peer_chain(self) -> tuple[Certificate, ...]:
        """The certificates that the peer sent, its own first (a server's view leaves it out).

        SSL_get_peer_cert_chain(3)
        """
        with self._turn():
            return chain_of(self._ask(lib.SSL_get_peer_cert_chain))

    @property
    def verified_chain(self) -> tuple[Certificate, ...]:
        """The chain that was built and verified, the peer's own certificate first, the trusted one last.

        SSL_get0_verified_chain(3)
        """
        with self._turn():
            return chain_of(self._ask(lib.SSL_get0_verified_chain))

    @property
    def verified_name(self) -> str | None:
        """The name in the peer's certificate that matched, None where no name was compared.  SSL_get0_peername(3)"""
        return text(self._ask(lib.SSL_get0_peername)) or None

    @property
    def verify_code(self) -> int:
        """What verification came to, an X509_V_x; 0 is X509_V_OK.  SSL_get_verify_result(3)"""
        return int(self._ask(lib.SSL_get_verify_result))

    @property
    def failure(self) -> Failure | None:
        """The fatal outcome that ended the connection, None while there is none."""
        return self._failure

    def _ask(self, question: Callable[[Any], Any]) -> Any:
        with self._turn():
            if self._c is None:
                raise UsageError("the connection is closed")
            return question(self._c.ssl)

    # How a call is made

    def _turn(self) -> Any:
        """The lock, for a ``with`` statement: not in a child, where a thread that is not there may hold it for ever."""
        if self._generation != process.generation:
            raise UsageError("the connection was made before this process was forked: its SSL is the parent's")
        return self._lock

    def _usable(self) -> None:
        if self._c is None:
            raise UsageError("the connection is closed")
        if self._busy:
            raise UsageError("a callback cannot read from, write to or shut down its connection")
        if self._failure is not None:
            raise exception_of(self._failure)

    def _call(self, operation: str, function: Callable[..., int], *arguments: Any) -> int:
        """Makes one call of pyossl/_c/io.c under the lock; raises what a callback raised in it."""
        self._usable()
        self._busy = True
        try:
            result = function(self._c, *arguments)
        finally:
            self._busy = False
        if self._callbacks.parked is not None:
            lib.pyossl_drop_records(self._c)
            self._failure = Failure(operation, peer=self._name, reason="a callback raised an exception")
            error = self._callbacks.take_parked()
            assert error is not None
            raise error
        return result

    def _ended(self) -> bool:
        """Whether the call that has just not succeeded met the peer's close_notify, where data was due."""
        if self._c.error != lib.SSL_ERROR_ZERO_RETURN or not lib.SSL_is_init_finished(self._c.ssl):
            return False
        self._received_end = True
        return True

    def _wait(self, operation: str, result: int) -> Want:
        """The ``Want`` of a negative result; a fatal one is remembered, and raised."""
        want = _WANTS.get(result)
        if want is not None:
            return want
        self._failure = self._failure_of(operation)
        lib.pyossl_drop_records(self._c)
        raise exception_of(self._failure)

    def _failure_of(self, operation: str) -> Failure:
        c = self._c
        return Failure(
            operation,
            c.error,
            c.sys_errno,
            tuple(record_of(c.records[n]) for n in range(c.record_count)),
            self._name,
            c.verify_error or lib.SSL_get_verify_result(c.ssl),
            c.verify_depth,
            borrowed(c.verify_certificate),
        )

    def __repr__(self) -> str:
        if self._generation != process.generation:
            return "<Connection of the process that forked this one>"
        with self._turn():
            if self._c is None:
                what = "closed"
            elif self._failure is not None:
                what = f"dead: {exception_of(self._failure)}"
            else:
                what = f"{self.version} {self.cipher}" if self.is_handshake_finished else self.state
        side = "server" if self._context.is_server else "client"
        return f"<Connection {side}{f' of {self._name!r}' if self._name else ''}, {what}>"


# Buffers for read(): a pool rather than one per connection, because most connections are idle.
_scratch: list[Any] = []


class _Locks:
    """Two locks as one, for a ``with`` statement: taken in one order, whichever connection asks."""

    def __init__(self, *locks: Any) -> None:
        self._locks = sorted(locks, key=id)

    def __enter__(self) -> None:
        for lock in self._locks:
            lock.acquire()

    def __exit__(self, *_: object) -> None:
        for lock in reversed(self._locks):
            lock.release()


def _lock_of(reader: BIO, writer: BIO) -> Any:
    """What keeps others from both BIOs while OpenSSL uses them: it reads and writes in the same call."""
    return reader.lock if reader.lock is writer.lock else _Locks(reader.lock, writer.lock)


def _memories() -> tuple[BIO, BIO]:
    reader, writer = BIO.memory(), BIO.memory()
    writer.lock = reader.lock
    return reader, writer


def _two(bio: BIO | tuple[BIO, BIO]) -> tuple[BIO, BIO]:
    both = bio if isinstance(bio, tuple) else (bio, bio)
    if len(both) != 2 or not all(isinstance(each, BIO) for each in both):
        raise TypeError("bio is a BIO, or a pair of BIOs: one to read from, one to write to")
    return both


def readable(data: Bytes) -> Any:
    """The bytes of ``data`` as C sees them, for a ``with`` statement; ``TypeError`` for anything but bytes."""
    if isinstance(data, str):
        raise TypeError("bytes are needed, not str: encode it first")
    return ffi.from_buffer(data)


def writable(buffer: Any) -> Any:
    """The room in ``buffer`` as C sees it, for a ``with`` statement; ``TypeError`` for what cannot be written."""
    try:
        return ffi.from_buffer(buffer, require_writable=True)
    except BufferError as error:
        raise TypeError(f"a writable buffer is needed, and this {type(buffer).__name__} is read-only") from error


__all__ = ["RECORD", "Bytes", "Connection", "Error", "readable", "writable"]
