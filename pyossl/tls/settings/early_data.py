"""Early data: a client of TLS 1.3 that resumes a session sends it with its first bytes.  SSL_read_early_data(3)

Anyone who has recorded early data can send it to the server again, and the server cannot know it by the keys alone.  So
three rules hold here:

- A server takes early data only if its context says so (``max_early_data``) and the program reads it as such, with
  ``read_early_data`` before the handshake.  Other reads never return it.
- Early data that could be a replay is refused.  The handshake goes on without it, and the client learns of it
  (``early_data_accepted``).  See pyossl/_c/tls/settings/allow_early_data.c.
- pyossl sends nothing again by itself.  The client's program decides.
"""

from __future__ import annotations

from typing import Any

from pyossl.core import ffi, lib
from pyossl.core.arguments import function, integer
from pyossl.core.errors import UsageError, require
from pyossl.core.flags import Options
from pyossl.core.parked_exceptions import callback
from pyossl.tls.callbacks.callbacks import AllowEarlyDataCallback, Callbacks
from pyossl.tls.settings.context_state import ContextState

_MOST = 2**32 - 1


class EarlyDataSettings(ContextState):
    """Whether a server takes early data, and how much."""

    __slots__ = ()

    @property
    def max_early_data(self) -> int:
        """The most bytes of early data that a server takes from a client; 0, the default, for none.  TLS 1.3 only.

        The tickets of new sessions have this limit.  Setting it raises ``recv_max_early_data`` to the same number if
        that is lower.  The program must also read the early data, with ``read_early_data``: otherwise it is refused.

        OpenSSL takes a ticket once, and refuses early data that comes with the ticket again.  For that it keeps the
        sessions of TLS 1.3 in memory, and a ticket contains only the id of its session.  So another process does not
        resume these sessions, and a child process after the context's first connection takes no early data of them:
        ``allow_early_data_callback`` is for servers of several processes, and for those with ``get_session_callback``,
        ``removed_session_callback`` or ``decrypt_ticket_callback``.

        Setting it raises ``UsageError`` on a client's context, ``UnsupportedError`` if this OpenSSL has no TLS 1.3.
        SSL_CTX_set_max_early_data(3)
        """
        return int(lib.SSL_CTX_get_max_early_data(self._ctx))

    @max_early_data.setter
    def max_early_data(self, size: int) -> None:
        self._change_server("max_early_data")
        integer(size, "the size of early data", 0, _MOST)
        require(lib.HAVE_TLS1_3, "TLS 1.3")
        lib.SSL_CTX_set_max_early_data(self._ctx, size)
        if self.recv_max_early_data < size:
            lib.SSL_CTX_set_recv_max_early_data(self._ctx, size)

    @property
    def recv_max_early_data(self) -> int:
        """The most bytes of early data that a server receives, also to skip them; 16,384 by default.

        A client may have a ticket that was made when ``max_early_data`` was higher.  Early data that is not accepted is
        skipped up to this limit, and the handshake fails if more comes.  Setting it raises ``UsageError`` on a client's
        context, ``UnsupportedError`` if this OpenSSL has no TLS 1.3.  SSL_CTX_set_recv_max_early_data(3)
        """
        return int(lib.SSL_CTX_get_recv_max_early_data(self._ctx))

    @recv_max_early_data.setter
    def recv_max_early_data(self, size: int) -> None:
        self._change_server("recv_max_early_data")
        integer(size, "the size of early data", 0, _MOST)
        require(lib.HAVE_TLS1_3, "TLS 1.3")
        lib.SSL_CTX_set_recv_max_early_data(self._ctx, size)

    @property
    def allow_early_data_callback(self) -> AllowEarlyDataCallback | None:
        """A server's callback that decides about early data, ``callback(connection, client_random)``; None for none.

        ``client_random`` is the 32 bytes that a client makes anew for each connection, and that a replay must repeat.
        The callback returns True to accept the early data.  False refuses it, and the handshake goes on.  It is called
        only for early data that all other rules allow.

        Processes that share their tickets need it: they set ``Options.NO_ANTI_REPLAY``, and the callback puts
        ``client_random`` into a store that all of them share, and returns False if it was there already.  The store
        must keep it for 30 seconds: OpenSSL refuses early data that arrives 10 seconds later than its client says.  A
        context with ``max_early_data`` and ``NO_ANTI_REPLAY`` needs a callback: without one, its first connection
        raises ``UsageError``.  So does one with ``max_early_data`` and without ``NO_ANTI_REPLAY``, if it has a
        ``get_session_callback``, a ``removed_session_callback`` or a ``decrypt_ticket_callback``.

        After a server name callback has chosen another context, the callback of the first one is still called.  Setting
        it raises ``UsageError`` on a client's context.  SSL_CTX_set_allow_early_data_cb(3)
        """
        return self._callbacks.allow_early_data

    @allow_early_data_callback.setter
    def allow_early_data_callback(self, callback: AllowEarlyDataCallback | None) -> None:
        self._change_server("allow_early_data_callback")
        self._callbacks.allow_early_data = function(callback, "a callback for early data")

    def _freeze_early_data(self) -> None:
        """Sets OpenSSL's callback of a server that takes early data.

        Refuses a server that would take replays, and one whose clients could never resume: OpenSSL finds replays by the
        sessions that it keeps, and resumes none of TLS 1.3 if it keeps none (docs/pitfalls.md, 73).
        """
        if self.max_early_data == 0:
            return
        is_asked = self._callbacks.allow_early_data is not None
        if not lib.SSL_CTX_get_options(self._ctx) & Options.NO_ANTI_REPLAY:
            if lib.SSL_CTX_get_session_cache_mode(self._ctx) & lib.SSL_SESS_CACHE_NO_INTERNAL:
                raise UsageError(
                    "this context would resume no session of TLS 1.3: because of get_session_callback, "
                    "removed_session_callback or decrypt_ticket_callback it keeps none, so max_early_data needs "
                    "NO_ANTI_REPLAY and an allow_early_data_callback"
                )
        elif not is_asked:
            raise UsageError(
                "this context would accept replays: max_early_data and NO_ANTI_REPLAY need an allow_early_data_callback"
            )
        lib.pyossl_set_allow_early_data(self._ctx, is_asked)


@callback(0)
def pyossl_on_early_data(handle: Any, random: Any, length: int) -> int:
    callbacks: Callbacks = ffi.from_handle(handle)
    client_random = bytes(ffi.buffer(random, length))

    def question(connection: Any) -> int:
        ask = callbacks.of_first.allow_early_data
        answer = False if ask is None else ask(connection, client_random)
        if not isinstance(answer, bool):
            raise TypeError(f"a callback for early data returns True or False, not {answer!r:.80}")
        return int(answer)

    return int(callbacks.ask(question, 0))
