"""Which sessions a server keeps, and for how long.  SSL_CTX_set_session_cache_mode(3)"""

from __future__ import annotations

from pyossl.core.arguments import LARGEST_INT, integer
from pyossl.core.binding import ffi, lib
from pyossl.core.errors import UsageError, check
from pyossl.tls.callbacks import ContextCallbacks
from pyossl.tls.settings import Settings

MOST_SESSIONS = 256
"""How many sessions a server keeps that may ask clients for certificates, if it is not told: a session takes 256 KiB
at most with the client's certificate (see pyossl/_c/tls/session_cache.c), and all together 64 MiB."""


class SessionCache(Settings):
    """What a ``Context`` has of sessions."""

    __slots__ = ("_keeps_default", "_session_id_context")

    _callbacks: ContextCallbacks

    @property
    def session_timeout(self) -> int:
        """How many seconds a new session can be resumed.  SSL_CTX_set_timeout(3)"""
        return lib.SSL_CTX_get_timeout(self._ctx)

    @session_timeout.setter
    def session_timeout(self, seconds: int) -> None:
        self._change()
        integer(seconds, "a session's timeout, which is above 0 seconds,", 1, LARGEST_INT)
        lib.SSL_CTX_set_timeout(self._ctx, seconds)

    @property
    def session_cache_size(self) -> int:
        """How many sessions a server keeps for clients without tickets, 0 for as many as come.

        If nothing is said, OpenSSL's 20,480, but where clients may show certificates 256 from the first connection on:
        each is kept with the client's certificate, if that has 8 KiB at most, and so takes 256 KiB at most, and all
        together 64 MiB.  SSL_CTX_sess_set_cache_size(3)
        """
        return lib.SSL_CTX_sess_get_cache_size(self._ctx)

    @session_cache_size.setter
    def session_cache_size(self, sessions: int) -> None:
        self._server_only("session_cache_size")
        integer(sessions, "a number of sessions", 0, LARGEST_INT)
        self._keeps_default = False
        lib.SSL_CTX_sess_set_cache_size(self._ctx, sessions)

    @property
    def ticket_count(self) -> int:
        """How many tickets a server sends after a full handshake of TLS 1.3.  SSL_CTX_set_num_tickets(3)"""
        return lib.SSL_CTX_get_num_tickets(self._ctx)

    @ticket_count.setter
    def ticket_count(self, tickets: int) -> None:
        self._server_only("ticket_count")
        integer(tickets, "a number of tickets", 0, LARGEST_INT)
        check(lib.SSL_CTX_set_num_tickets(self._ctx, tickets), "SSL_CTX_set_num_tickets")

    @property
    def ticket_keys(self) -> bytes:
        """The secret that a server seals its tickets with: processes that have the same one, the same certificate and
        the same verification resume each other's sessions.  Whoever has it can read what tickets protect: renew it
        often.  Of the length that it has when read.  SSL_CTX_set_tlsext_ticket_keys(3)
        """
        length = lib.SSL_CTX_get_tlsext_ticket_keys(self._ctx, ffi.NULL, 0)
        keys = ffi.new("unsigned char[]", length)
        check(lib.SSL_CTX_get_tlsext_ticket_keys(self._ctx, keys, length), "SSL_CTX_get_tlsext_ticket_keys")
        return bytes(ffi.buffer(keys))

    @ticket_keys.setter
    def ticket_keys(self, keys: bytes) -> None:
        self._server_only("ticket_keys")
        needed = lib.SSL_CTX_get_tlsext_ticket_keys(self._ctx, ffi.NULL, 0)
        if not isinstance(keys, bytes) or len(keys) != needed:
            raise ValueError(f"ticket keys are {needed} bytes of secret randomness")
        check(lib.SSL_CTX_set_tlsext_ticket_keys(self._ctx, keys, needed), "SSL_CTX_set_tlsext_ticket_keys")

    @property
    def session_id_context(self) -> bytes:
        """What keeps a server's sessions apart from those of other contexts; empty for what is made of the certificate
        and the way of verifying when the first connection comes.  1 to 32 bytes.

        What is made is the same in every process, but where there is a verify callback, or a trust store with a
        directory, CRLs, flags or a time of its own: who lets several processes resume such sessions vouches, by
        setting this, for their verifying alike.  SSL_CTX_set_session_id_context(3)
        """
        return self._session_id_context

    @session_id_context.setter
    def session_id_context(self, identifier: bytes) -> None:
        self._server_only("session_id_context")
        if not isinstance(identifier, (bytes, bytearray)):
            raise TypeError(f"a session id context is bytes, not {type(identifier).__name__}")
        if not 1 <= len(identifier) <= lib.SSL_MAX_SID_CTX_LENGTH:
            raise ValueError(f"a session id context is 1 to {lib.SSL_MAX_SID_CTX_LENGTH} bytes, not {len(identifier)}")
        self._session_id_context = bytes(identifier)

    def _bound_sessions(self) -> None:
        """Bounds the memory of the sessions that a server keeps, where clients may have shown certificates: also to a
        context that is chosen by the name, whose sessions OpenSSL keeps with the first one (docs/pitfalls.md, 13).
        """
        asks = lib.SSL_CTX_get_verify_mode(self._ctx) & lib.SSL_VERIFY_PEER
        if not asks and self._callbacks.servername is None:
            return
        if self._keeps_default:
            usual = lib.SSL_CTX_sess_get_cache_size(self._ctx)
            lib.SSL_CTX_sess_set_cache_size(self._ctx, min(usual or MOST_SESSIONS, MOST_SESSIONS))
        if self._callbacks.new_session is None:
            lib.pyossl_limit_sessions(self._ctx)

    def _server_only(self, what: str) -> None:
        self._change()
        if not self.is_server:
            raise UsageError(f"{what} is a server's: this context is a client's")
