"""A TLS connection with no I/O of its own.  SSL_new(3)

Theory of operation
-------------------
A ``Connection`` drives one SSL over one BIO or two.  By default that is a BIO in memory: ``receive_data`` fills it and
``data_to_send`` empties it (pyossl/_c/bio/memory_bio.c).  With ``bio=`` it is a BIO of the caller.

Every call that does I/O is one C function of pyossl/_c/tls/connection/call_outcome.c, which takes the connection's
lock.  It has one of three outcomes (connection_outcome.py):

- *Done*: the method returns the result.
- *Waiting*: the method returns a ``Want``.  The caller calls again when the event that the ``Want`` names has happened.
- *Failed*: the facts are kept once, as a ``Failure``, and every later call raises the exception for that same failure.
  OpenSSL is not called again: after a fatal error each version answers differently, and some with success
  (docs/pitfalls.md, 2, 5).

A close_notify from the peer is not a failure: from then on reads return ``b""``, and writes still work.  If the
transport refuses a write, only the writes end: every later write raises the same exception.  Reads still return the
data that the peer had sent before, up to its close_notify or a failure of the reads
(pyossl/_c/tls/connection/read_after_failed_write.c).

Only one thread at a time may use an SSL.  The lock is held for the C call, and never while a thread waits, so a blocked
reader does not block a writer.  The lock is re-entrant: a callback may ask the connection questions.  It may not do I/O
on it.

A child process never uses the SSL of a connection that its parent made.  If two processes encrypted with the same key
and the same sequence of nonces, the plaintext could be recovered.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from typing import Any

from pyossl.bio.bio import BIO
from pyossl.core import buffers, ffi, lib, own
from pyossl.core.arguments import email_address, function, instances
from pyossl.core.buffers import Bytes
from pyossl.core.errors import UsageError, check, check_ptr, exception_of, failed
from pyossl.core.lock import TakenError, ask
from pyossl.core.methods_in_c import ConnectionMethods
from pyossl.core.outcome import Want
from pyossl.core.unusual_arguments import UnusualArguments
from pyossl.tls.authentication.dane import Records, records_of, use_records
from pyossl.tls.callbacks.callbacks import Callbacks
from pyossl.tls.callbacks.message import Message
from pyossl.tls.callbacks.suspension import Suspension
from pyossl.tls.connection.channel_bindings import ChannelBindings
from pyossl.tls.connection.peer_algorithms import PeerAlgorithms
from pyossl.tls.connection.post_handshake import PostHandshake
from pyossl.tls.connection.session import Session
from pyossl.tls.context.context import Context
from pyossl.tls.ech.ech import Offered, encrypt_hello, offer_of
from pyossl.tls.settings.custom_extensions import check_chosen
from pyossl.x509.reference_name import ReferenceName, reference_name


class Connection(ConnectionMethods, UnusualArguments, PostHandshake, PeerAlgorithms, ChannelBindings):
    """A TLS connection, client or server according to its context.  It does no I/O of its own.  SSL_new(3)

    - ``context``: a ``Context``, from ``Context.client`` or ``Context.server``.
    - ``server_hostname``: on a client, the server's DNS name or IP address.  A DNS name is sent to the server (SNI):
      SSL_set_tlsext_host_name(3).  The name or address is compared with the certificate: SSL_set1_host(3),
      X509_check_host(3).  It is required if the context checks names, and refused on a server.
    - ``bio``: the transport: one ``BIO`` for both directions, or a pair of BIOs, to read from and to write to.  None
      for a BIO in memory: the caller moves the bytes with ``receive_data`` and ``data_to_send``.
    - ``message_callback``: called with each ``Message`` of the protocol, sent or received.
    - ``session``: on a client, a ``Session`` of the same context and name, to resume.
    - ``other_names``: more DNS names.  The certificate must have ``server_hostname`` or one of these.
    - ``email``: an email address that the peer's certificate must also have.
    - ``early_data``: on a client, bytes to send with the first bytes of the handshake, before the server has answered.
      They need a ``session`` with the same name whose ``max_early_data`` allows them.  Whether the server has taken
      them is ``early_data_accepted``.  Anyone who records them can send them to the server again: send only a request
      that may be done twice.  SSL_write_early_data(3)
    - ``ech``: on a client, the server's configurations for Encrypted Client Hello, as base64 or binary, or an
      ``ECHOffer``.  The handshake raises ``ECHError`` if the server does not accept it.  OpenSSL 4.0 or newer.
    - ``dane``: on a client, the server's TLSA records from a resolver that checks DNSSEC: a ``TLSARecord``, its text
      ``"3 1 1 5c3b…"``, several of these, or a ``DANE``.  One must match, or the handshake raises ``CertificateError``.
      ``dane_match`` is the one that did.

    Raises ``TypeError``, ``ValueError`` or ``UsageError`` for arguments that are invalid or do not fit the context.
    """

    _takes_side = True
    """Whether the context determines which side the connection is."""
    _bios: tuple[BIO, BIO] | None
    _name = ""
    _other_names: tuple[str, ...] = ()
    _email: str | None = None
    _indicated: str | None = None
    _sends_early_data = False
    _binding = b""
    """What the sessions of this connection are bound to: the TLSA records of the server.

    pyossl/_c/tls/authentication/dane.c
    """
    _awaits = False
    """Whether the owner of the connection awaits what a callback returns."""
    _suspension: Suspension | None = None
    """The answer of a callback that is awaited."""
    _is_context_chosen = False
    """Whether the ClientHello callback has chosen the context."""
    _psk_identity: Any = None
    """The bytes of a client's identity, which OpenSSL copies after the callback."""
    _kept: list[Any] | None = None
    """The Python objects that C reads from and writes to.  They live as long as C's part of the connection."""

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
        early_data: Bytes | None = None,
        ech: Offered | None = None,
        dane: Records | None = None,
    ) -> None:
        self._refuse_second_init()
        self._bios = None if bio is None else _bio_pair(bio)
        if self._bios is not None:
            self._kept = [*self._bios[0].kept(), *self._bios[1].kept()]
        self._begin(context, server_hostname, message_callback, session, other_names, email, early_data, ech, dane)
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
        early_data: Bytes | None = None,
        ech: Offered | None = None,
        dane: Records | None = None,
    ) -> None:
        if not isinstance(context, Context):
            raise TypeError(
                f"a Connection is made from a Context, not {type(context).__name__}: "
                "Context.client and Context.server make one"
            )
        reference = None if server_hostname is None else reference_name(server_hostname)
        if context.is_server and reference is not None:
            raise ValueError(
                "server_hostname is for clients, and this context is a server's: Context.client() makes a client's"
            )
        self._context = context
        pointer = check_ptr(self._new(context._freeze()), "SSL_new")
        self._use(own(pointer, lib.pyossl_connection_free, self._kept), lib.pyossl_address(pointer))
        self._callbacks = Callbacks(self, context._callbacks)
        self._handle = self._c.handle = ffi.new_handle(self._callbacks)
        if reference is not None:
            self._expect(reference)
        elif context.checks_hostname:  # the context is frozen: this cannot change any more
            raise UsageError(
                "server_hostname is missing: this context compares it with the server's certificate "
                "(Context.client(check_hostname=False) does not)"
            )
        if dane is not None:  # before the other names: SSL_dane_enable(3) removes them
            self._binding = use_records(self._c.ssl, context, self._name, records_of(dane))
        if isinstance(other_names, (str, bytes)):
            raise TypeError(f"other_names are several DNS names, not one {type(other_names).__name__}")
        if other_names != ():
            self._expect_also(instances(other_names, str, "other_names"))
        if email is not None:
            self._expect_email(email)
        if ech is not None:
            self._ech = offer_of(ech)
            encrypt_hello(self._c.ssl, context, self._name, self._ech)
        if context._callbacks.verify is not None:
            self._c.calls_verify = 1
        if context._renegotiation is not None:
            lib.pyossl_allow_renegotiations(self._c, *context._renegotiation)
        if context._callbacks.requires_scts:
            self._c.requires_scts = 1
        if session is not None:
            self._offer(session)
        if early_data is not None:
            self._keep_early_data(early_data, session)
        if function(message_callback, "message_callback") is not None:
            self._callbacks.message = message_callback
            lib.pyossl_set_message_callback(self._c, 1)

    def _new(self, ctx: Any) -> Any:
        """A new ``pyossl_connection *``; NULL if it cannot be made."""
        if self._bios is None:
            return lib.pyossl_connection_in_memory(ctx, self._takes_side)
        reader, writer = self._bios
        # A chain that is changed after this connection has ended gets another lock; this connection keeps these.
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
            raise UsageError("other_names are given, but this context does not check names")
        for name in names:
            other = reference_name(name)
            if other.is_address or reference_name(self._name).is_address:
                raise ValueError(f"only DNS names can be combined, not {name!r} and {self._name!r}")
            check(lib.SSL_add1_dnsname(self._c.ssl, other.text.encode()), f"expecting the name {name!r}")
            self._other_names += (other.text,)

    def _expect_email(self, email: str) -> None:
        if not self._context.verifies:
            raise UsageError("email is given, but this context does not verify the peer's certificate")
        address = email_address(email)
        self._email, ssl = email, self._c.ssl
        parameters = lib.SSL_get0_param(ssl)
        check(lib.X509_VERIFY_PARAM_set1_email(parameters, address, len(address)), f"expecting {email!r}")
        if self._context.is_server:
            sessions = self._context.sessions_with(email)
            check(lib.SSL_set_session_id_context(ssl, sessions, len(sessions)), "SSL_set_session_id_context")

    def _offer(self, session: Session) -> None:
        """Offers a session, if its peer was verified as this connection would verify.  docs/pitfalls.md, 12"""
        if not isinstance(session, Session):
            raise TypeError(f"session is a Session, not {type(session).__name__}")
        if self._context.is_server:
            raise UsageError("session is for clients: a server finds the session that the client offers")
        if session._context is not self._context:
            raise ValueError("the session belongs to another context")
        if session.server_hostname != self._name and self._context.checks_hostname:
            advice = ": pass server_hostname to Session.load" if session.server_hostname is None else ""
            raise ValueError(f"the session was made with {session.server_hostname!r}, not with {self._name!r}{advice}")
        others = set(session.other_names) - set(self._other_names)
        if others and self._context.checks_hostname:
            raise ValueError(f"the session may be with one of {sorted(others)}, which this connection does not expect")
        if self._email not in (None, session.email):
            raise ValueError(f"the peer of the session was not asked for the email address {self._email!r}")
        result = lib.pyossl_offer_session(self._c, session._session, self._binding, len(self._binding))
        if result == lib.PYOSSL_UNVERIFIED_SESSION:
            raise ValueError("the session is of a connection whose peer was not verified, and this context verifies")
        if result == lib.PYOSSL_OTHER_RECORDS:
            raise ValueError("the peer of the session was verified with other TLSA records (dane), or without any")
        if result == lib.PYOSSL_OTHER_KEY:
            raise ValueError("the session is of a connection whose peer did not show a key that this context expects")
        check(result, "SSL_set_session")

    def _keep_early_data(self, data: Bytes, session: Session | None) -> None:
        """Keeps early data for the first step of the handshake, if the session allows it."""
        if self._context.is_server:
            raise UsageError("early_data is for clients: a server reads it with read_early_data()")
        with buffers.readable(data) as source:
            size = len(source)
            if session is None:
                raise UsageError("early_data needs the session of an earlier connection: pass session too")
            if session.server_hostname != (self._name or None):
                raise ValueError(
                    f"early data is only for the name of the session, which is {session.server_hostname!r}, "
                    f"not {self._name!r}"
                )
            if size > session.max_early_data:
                raise ValueError(f"the session allows {session.max_early_data} bytes of early data, not {size}")
            if size and not lib.pyossl_keep_early_data(self._c, source, size):
                raise MemoryError("there is no memory for the early data")
        self._sends_early_data = size > 0

    def _switch_context(self, context: Context, callback: str) -> None:
        """Replaces the server's context: its credentials, its trust, and its verification of clients."""
        if not isinstance(context, Context) or not context.is_server:
            raise TypeError(f"{callback} returns a server's Context, an Alert or None, not {context!r}")
        if context is self._context:
            return
        if context._library_context is not self._context._library_context:
            raise UsageError(f"{callback} returned a context of another library context")
        pointer = context._freeze()
        check_chosen(self._callbacks.of_context, context._callbacks)
        check(lib.pyossl_switch_context(self._c, pointer), "SSL_set_SSL_CTX")
        if context._groups is not None:
            check(lib.SSL_set1_groups_list(self._c.ssl, context._groups.encode()), "SSL_set1_groups_list")
        self._context = context
        lib.pyossl_allow_renegotiations(self._c, *(context._renegotiation or (0, False)))
        self._c.calls_verify = context._callbacks.verify is not None
        self._callbacks.of_context = context._callbacks
        if self._email is not None:
            self._expect_email(self._email)

    # The handshake

    def handshake(self) -> Want | None:
        """Does as much of the handshake as is possible.  Returns None when it is finished, otherwise a ``Want``.

        After a ``Want``, call it again when the transport is ready for that; for ``Want.ASYNC`` see ``async_fds``.
        Without a BIO of the caller: send the bytes of ``data_to_send``, and pass the peer's answer to ``receive_data``,
        then call it again.  If the handshake fails, it raises ``CertificateError``, ``AlertError``,
        ``TruncationError``, ``TransportError`` or another ``TLSError``; all of these are ``OSError``.
        SSL_do_handshake(3)
        """
        return self._shake_hands(lib.pyossl_handshake)

    def connect(self) -> Want | None:
        """Like ``handshake``, for a client.  Raises ``UsageError`` on a server's connection.  SSL_connect(3)"""
        if self._context.is_server:
            raise UsageError("connect() is only for clients: this connection is a server's")
        return self._shake_hands(lib.pyossl_connect)

    def accept(self) -> Want | None:
        """Like ``handshake``, for a server.  Raises ``UsageError`` on a client's connection.  SSL_accept(3)"""
        if not self._context.is_server:
            raise UsageError("accept() is only for servers: this connection is a client's")
        return self._shake_hands(lib.pyossl_accept)

    def _shake_hands(self, function: Callable[[Any], int]) -> Want | None:
        result = function(self._c)
        return None if result == 0 else self._unfinished(result, "the handshake")

    @property
    def async_fds(self) -> tuple[int, ...]:
        """The descriptors that a paused handshake waits for.  Repeat the call when one of them is readable.

        Empty if the handshake is not paused, and if the engine or provider that has paused it names none: then repeat
        the call after a while.  The descriptors belong to the engine or provider: only wait for them, and do not keep
        them beyond the next call of the connection.  SSL_get_all_async_fds(3)
        """

        def found(_: Any) -> tuple[int, ...]:
            count = lib.pyossl_async_fds(self._c, ffi.NULL, 0)
            fds = ffi.new("int[]", count)
            lib.pyossl_async_fds(self._c, fds, count)
            return tuple(fds)

        return self._ask(found)

    def read_early_data(self, size: int = 16384) -> bytes | Want:
        """On a server, reads up to ``size`` bytes of early data, before the handshake.

        Call it until it returns ``b""``: the client has sent none, it was refused, or its end has come, for which the
        server must wait for the client's answer.  Then ``handshake`` and ``read`` go on; before, they raise
        ``UsageError``.  Otherwise it returns bytes, or a ``Want``.  Meanwhile ``write`` answers the client at once.

        What it returns may be a replay: see ``Context.max_early_data``.  If the context takes no early data, it returns
        ``b""`` too.  Raises ``UsageError`` on a client and after the handshake has begun without it, ``ValueError`` for
        a ``size`` below 1, and the exceptions of ``handshake``.  SSL_read_early_data(3)
        """
        room, most = self._room_for_early_data(size)
        result = lib.pyossl_read_early_data(self._c, room, most)
        if result < 0:
            return self._unfinished(result, "reading early data")
        return bytes(ffi.buffer(room, result))

    def _room_for_early_data(self, size: int) -> tuple[Any, int]:
        most = self._size_to_read(size)
        if most == 0:
            raise ValueError("at least 1 byte of early data must be read at a time")
        if not self._context.is_server:
            self._ask(_refuse_client)
        return ffi.new("char[]", most), most

    # Data: read, peek, read_into and write are in C

    @property
    def pending(self) -> int:
        """The number of decrypted bytes that can be read without the transport.  SSL_pending(3)"""
        return self._ask_number(lib.PYOSSL_BYTES_PENDING)

    @property
    def has_pending(self) -> bool:
        """Whether OpenSSL holds bytes to read, decrypted or not.  If so, read before waiting for the transport.

        SSL_has_pending(3)
        """
        return bool(self._ask_number(lib.PYOSSL_HAS_PENDING))

    # The end

    def shutdown(self) -> bool | Want:
        """Sends this side's close_notify, once, and looks for the peer's.

        Returns True if both have been exchanged.  Returns False if this side's is sent and the peer's has not arrived:
        read until ``b""``, or call it again.  Returns a ``Want`` if the transport is not ready.  Raises ``UsageError``
        before the handshake is finished, and the exceptions of ``read``.  SSL_shutdown(3)
        """
        result = lib.pyossl_shutdown(self._c)
        return result == 1 if result >= 0 else self._unfinished(result, "shutting down")

    def close(self) -> None:
        """Frees the SSL without sending anything.  Every later call raises ``UsageError``.

        In a child process it does nothing to a connection of the parent.  Raises ``UsageError`` in a callback.
        SSL_free(3)
        """
        if lib.pyossl_close(self._c) == lib.PYOSSL_BUSY:
            raise self._in_a_callback()
        self._release_kept()

    def _release_kept(self) -> None:
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
        """Whether the connection belongs to the parent process, which began its handshake before it forked this one."""
        return bool(lib.pyossl_is_inherited(self._c))

    # The bytes of the transport, for a connection without a BIO of the caller: receive_data, data_to_send, encrypt and
    # decrypt are in C

    def _rest_to_send(self, begun: bytes) -> bytes:
        """``begun``, and all other bytes to send."""
        return begun + self.data_to_send()

    def _rest_to_read(self, begun: bytes) -> bytes:
        """``begun``, and all plaintext after it.  The next read reports the end or the failure that follows.

        Raises the exception of a callback, which ends the connection.
        """
        pieces = [begun]
        room, view = buffers.room_to_read()
        while (result := lib.pyossl_read(self._c, room, buffers.LARGEST)) > 0:
            pieces.append(view[:result])
        if result == lib.PYOSSL_PARKED:
            raise self._error(result, "reading")
        return b"".join(pieces)

    def _received_beyond(self) -> bytes:
        """The bytes that ``receive_data`` was given after the end of TLS.  BIO_read(3)"""

        def unread(ssl: Any) -> bytes:
            reader = lib.SSL_get_rbio(ssl)
            buffer = ffi.new("char[]", lib.BIO_ctrl_pending(reader))
            return bytes(ffi.buffer(buffer, max(lib.BIO_read(reader, buffer, len(buffer)), 0)))

        return self._ask(unread)

    def __repr__(self) -> str:
        kind = self._kind()
        try:
            what = ask(lib.pyossl_in_turn_if_free, self._c, self._condition)
        except TakenError:
            what = "in use by another thread"
        except UsageError:
            return f"<{kind}, of the process that forked this one>"
        return f"<{kind}{f' of {self._name!r}' if self._name else ''}, {what}>"

    def _kind(self) -> str:
        return f"Connection {'server' if self._context.is_server else 'client'}"

    def _condition(self) -> str:
        if self.closed:
            return "closed"
        if self._c.dead:
            return f"dead: {exception_of(self._fail('the connection'))}"
        if self._c.write_errno:
            return f"can only be read: {exception_of(self._fail_write('writing'))}"
        return f"{self.version} {self.cipher}" if self.is_handshake_finished else self.state


def _refuse_client(_: Any) -> None:
    raise UsageError("read_early_data() is only for servers: this connection is a client's")


def _bio_pair(bio: BIO | tuple[BIO, BIO]) -> tuple[BIO, BIO]:
    both = bio if isinstance(bio, tuple) else (bio, bio)
    if len(both) != 2 or not all(isinstance(each, BIO) for each in both):
        raise TypeError("bio is a BIO, or a pair of BIOs: one to read from, one to write to")
    return both
