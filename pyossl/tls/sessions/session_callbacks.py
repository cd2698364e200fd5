"""A server's sessions outside of its process, and the program's own data in its tickets.

SSL_CTX_sess_set_get_cb(3), SSL_CTX_set_session_ticket_cb(3)

OpenSSL calls these functions in the middle of a handshake, and waits for them.  They cannot be coroutines: with
asyncio, trio and anyio they run in the thread of the event loop, and while one waits, no other task runs.  So a
function that asks another process needs a deadline of its own, of milliseconds.

The exception of a callback ends the handshake, as that of every callback does.  A function that looks into a cache
should return None where the cache cannot be reached or has garbage: then there is a full handshake.
"""

from __future__ import annotations

from typing import Any

from pyossl.core import ffi, lib
from pyossl.core.arguments import function, instance
from pyossl.core.errors import check
from pyossl.core.library_context import library_in_use
from pyossl.core.parked_exceptions import callback
from pyossl.tls.callbacks.callbacks import (
    Callbacks,
    DecryptTicketCallback,
    GenerateTicketCallback,
    GetSessionCallback,
    RemovedSessionCallback,
)
from pyossl.tls.sessions.ticket_keys import TicketKeys
from pyossl.tls.settings.context_state import ContextState

MOST_TICKET_DATA = 4096
"""The most bytes of a program's data in a ticket.  The client sends the ticket in its first message, which stays
within one record of 16 KiB then, also with a client certificate of 8 KiB in the ticket."""


class SessionCallbackSettings(ContextState):
    """Sessions outside of the process, the data in tickets, and ticket keys that are replaced."""

    __slots__ = ()

    @property
    def get_session_callback(self) -> GetSessionCallback | None:
        """A server's callback for a session that it does not have, ``callback(connection, session_id)``; None for none.

        ``session_id`` is what the client has sent, 1 to 32 bytes.  The callback returns a ``Session`` of this
        connection's context, which ``Session.load`` makes, or None for a full handshake.  With
        ``new_session_callback``, which gets each new session, several processes can share their sessions in a cache
        outside of them.

        The server then keeps no sessions itself.  It sends tickets all the same, and clients that use them need no
        cache: set ``Options.NO_TICKET`` too, if the cache is to be used by all clients.

        A stored session is secret, and proves who the client was: store it encrypted (``TicketKeys.encrypt``).  OpenSSL
        compares its session id context, its version and its age.  It does a full handshake if they do not fit.
        A session of another context, or with another id, raises ``ValueError``.

        The callback runs inside the handshake, and a client can cause it with any id.  Give it a short deadline.
        Setting it on a client's context raises ``UsageError``.  SSL_CTX_sess_set_get_cb(3)
        """
        return self._callbacks.get_session

    @get_session_callback.setter
    def get_session_callback(self, callback: GetSessionCallback | None) -> None:
        self._change_server("get_session_callback")
        function(callback, "a get session callback")
        self._callbacks.get_session = callback
        self._keep_sessions_outside()

    @property
    def removed_session_callback(self) -> RemovedSessionCallback | None:
        """Called as ``callback(connection, session)`` when OpenSSL gives a session up; None for none.

        That is when a connection that uses the session ends with a fatal alert, and on a server of TLS 1.2 also when a
        client offers a session that is too old.  Remove such a session from the place where it is stored.  A server's
        context with this callback keeps no sessions itself, as with ``get_session_callback``.

        A session that nobody offers again is not reported: let the cache forget sessions after ``session_timeout``.
        SSL_CTX_sess_set_remove_cb(3)
        """
        return self._callbacks.removed_session

    @removed_session_callback.setter
    def removed_session_callback(self, callback: RemovedSessionCallback | None) -> None:
        self._change()
        function(callback, "a removed session callback")
        self._callbacks.removed_session = callback
        self._keep_sessions_outside()

    def _keep_sessions_outside(self) -> None:
        """Sets OpenSSL's callbacks, and its own cache, which is off if the program decides about sessions.

        OpenSSL does not call ``decrypt_ticket_callback`` for sessions of its cache (docs/pitfalls.md, 92).
        """
        callbacks = self._callbacks
        gets, removes = callbacks.get_session is not None, callbacks.removed_session is not None
        lib.pyossl_keep_sessions_outside(self._ctx, gets, removes)
        if self.is_server:
            keeps_none = gets or removes or callbacks.decrypt_ticket is not None
            outside = lib.SSL_SESS_CACHE_NO_INTERNAL if keeps_none else 0
            lib.SSL_CTX_set_session_cache_mode(self._ctx, lib.SSL_SESS_CACHE_SERVER | outside)

    @property
    def generate_ticket_callback(self) -> GenerateTicketCallback | None:
        """A server's callback for data in a ticket, ``callback(connection)``, called for each one; None for none.

        It returns up to 4096 ``bytes``, which the ticket will carry to the client and back, or None for no data.  The
        client cannot read or change them.  They are the ``ticket_data`` of the session that
        ``decrypt_ticket_callback`` gets.

        A resumed connection gets a new ticket too: in TLS 1.3 always, in TLS 1.2 if an older key has encrypted the old
        one.  The callback is called again for it.  Meanwhile ``connection.session.ticket_data`` is the data of the
        resumed session: return that to keep it.

        Other answers raise ``TypeError`` or ``ValueError``, and end the handshake.  Setting it on a client's context
        raises ``UsageError``.  SSL_CTX_set_session_ticket_cb(3)
        """
        return self._callbacks.generate_ticket

    @generate_ticket_callback.setter
    def generate_ticket_callback(self, callback: GenerateTicketCallback | None) -> None:
        self._change_server("generate_ticket_callback")
        function(callback, "a generate ticket callback")
        self._callbacks.generate_ticket = callback
        self._set_ticket_callbacks()

    @property
    def decrypt_ticket_callback(self) -> DecryptTicketCallback | None:
        """A server's callback for a ticket that it has decrypted, ``callback(connection, session)``; None for none.

        It returns True to resume the session, or False for a full handshake: for example, if ``session.ticket_data``
        names a user who has been locked out.  It is not called for tickets that cannot be decrypted, nor for sessions
        that ``get_session_callback`` returns.

        A server with this callback keeps no sessions itself, because OpenSSL would not call it for them.  A client
        without a ticket does a full handshake, also if that is because of ``Options.NO_TICKET``.  With
        ``max_early_data`` the callback needs an ``allow_early_data_callback``.

        Another answer raises ``TypeError``, and ends the handshake.  Setting it on a client's context raises
        ``UsageError``.  SSL_CTX_set_session_ticket_cb(3)
        """
        return self._callbacks.decrypt_ticket

    @decrypt_ticket_callback.setter
    def decrypt_ticket_callback(self, callback: DecryptTicketCallback | None) -> None:
        self._change_server("decrypt_ticket_callback")
        function(callback, "a decrypt ticket callback")
        self._callbacks.decrypt_ticket = callback
        self._set_ticket_callbacks()
        self._keep_sessions_outside()

    def _set_ticket_callbacks(self) -> None:
        generates, decrypts = self._callbacks.generate_ticket is not None, self._callbacks.decrypt_ticket is not None
        check(lib.pyossl_set_ticket_callbacks(self._ctx, generates, decrypts), "SSL_CTX_set_session_ticket_cb")

    @property
    def rotating_ticket_keys(self) -> TicketKeys | None:
        """The ``TicketKeys`` with which a server encrypts its tickets instead of ``ticket_keys``; None for none.

        The keys may be replaced at any time, also after the context is frozen.  Contexts that a server name callback
        chooses use the keys of the first context.  With ``max_early_data``, tickets of TLS 1.3 are encrypted with them
        only if ``NO_ANTI_REPLAY`` is set.  Setting it on a client's context raises ``UsageError``.
        SSL_CTX_set_tlsext_ticket_key_evp_cb(3)
        """
        return self._rotating_ticket_keys

    @rotating_ticket_keys.setter
    def rotating_ticket_keys(self, keys: TicketKeys | None) -> None:
        self._change_server("rotating_ticket_keys")
        pointer = ffi.NULL if keys is None else instance(keys, TicketKeys, "the value of rotating_ticket_keys")._keys
        library = library_in_use(self._library_context)
        check(lib.pyossl_use_ticket_keys(self._ctx, pointer, library), "SSL_CTX_set_tlsext_ticket_key_evp_cb")
        self._rotating_ticket_keys = keys


@callback(0)
def pyossl_on_get_session(handle: Any, identifier: Any, length: int, place: Any) -> int:
    callbacks: Callbacks = ffi.from_handle(handle)
    wanted = bytes(ffi.buffer(identifier, length))

    def question(connection: Any) -> int:
        ask = callbacks.of_first.get_session
        session = None if ask is None else ask(connection, wanted)
        return 0 if session is None else int(lib.pyossl_lend_session(place, connection._found(session, wanted)))

    return int(callbacks.ask(question, 0))


@callback()
def pyossl_on_removed_session(handle: Any, session: Any) -> None:
    callbacks: Callbacks = ffi.from_handle(handle)
    if tell := callbacks.of_first.removed_session:
        callbacks.ask(lambda connection: tell(connection, connection._session_of(session)), None)


@callback(0)
def pyossl_on_generate_ticket(handle: Any, session: Any) -> int:
    callbacks: Callbacks = ffi.from_handle(handle)

    def question(connection: Any) -> int:
        ask = callbacks.of_first.generate_ticket
        data = None if ask is None else ask(connection)
        if data is None:
            return int(lib.SSL_SESSION_set1_ticket_appdata(session, ffi.NULL, 0))
        if not isinstance(data, bytes):
            raise TypeError(f"a generate ticket callback returns bytes or None, not {data!r:.80}")
        if len(data) > MOST_TICKET_DATA:
            raise ValueError(f"the data in a ticket are {MOST_TICKET_DATA} bytes at most, not {len(data)}")
        return int(lib.SSL_SESSION_set1_ticket_appdata(session, data, len(data)))

    return int(callbacks.ask(question, 0))


_ENDS = -1


@callback(_ENDS)
def pyossl_on_decrypt_ticket(handle: Any, session: Any) -> int:
    callbacks: Callbacks = ffi.from_handle(handle)

    def question(connection: Any) -> int:
        ask = callbacks.of_first.decrypt_ticket
        answer = True if ask is None else ask(connection, connection._session_of(session))
        if not isinstance(answer, bool):
            raise TypeError(f"a decrypt ticket callback returns True or False, not {answer!r:.80}")
        return int(answer)

    return int(callbacks.ask(question, _ENDS))
