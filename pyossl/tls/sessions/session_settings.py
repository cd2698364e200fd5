"""Session settings of a context: the cache, tickets, ticket keys, the session id context, and the callback.

SSL_CTX_set_session_cache_mode(3)
"""

from __future__ import annotations

import os

from pyossl.core import ffi, lib
from pyossl.core.arguments import LARGEST_INT, email_address, function, integer
from pyossl.core.errors import UsageError, check
from pyossl.tls.callbacks.callbacks import NewSessionCallback
from pyossl.tls.settings.verification import VerificationSettings
from pyossl.x509.certificate import borrowed, digest

MOST_SESSIONS = 256
"""The default size of the cache of a server that may ask clients for certificates.

A session takes 256 KiB at most with the client's certificate (pyossl/_c/tls/sessions/session_cache_memory.c), and all
together take 64 MiB at most."""


class SessionSettings(VerificationSettings):
    """Which sessions a context keeps and resumes, and for how long."""

    __slots__ = ()

    @property
    def session_timeout(self) -> int:
        """How long a new session can be resumed, in seconds; 1 or more.  SSL_CTX_set_timeout(3)"""
        return lib.SSL_CTX_get_timeout(self._ctx)

    @session_timeout.setter
    def session_timeout(self, seconds: int) -> None:
        self._change()
        integer(seconds, "a session's timeout, which is above 0 seconds,", 1, LARGEST_INT)
        lib.SSL_CTX_set_timeout(self._ctx, seconds)

    @property
    def session_cache_size(self) -> int:
        """The largest number of sessions that a server keeps for clients without tickets; 0 for no limit.

        The default is OpenSSL's 20,480.  If clients may show certificates, it becomes 256 at the first connection: a
        session is kept with the client's certificate if the certificate has 8 KiB at most, so that a session takes
        256 KiB at most and all together take 64 MiB.  Setting it on a client's context raises ``UsageError``.
        SSL_CTX_sess_set_cache_size(3)
        """
        return lib.SSL_CTX_sess_get_cache_size(self._ctx)

    @session_cache_size.setter
    def session_cache_size(self, sessions: int) -> None:
        self._change_server("session_cache_size")
        integer(sessions, "a number of sessions", 0, LARGEST_INT)
        self._keeps_default_cache_size = False
        lib.SSL_CTX_sess_set_cache_size(self._ctx, sessions)

    @property
    def ticket_count(self) -> int:
        """The number of tickets that a server sends after a full handshake of TLS 1.3.

        Setting it on a client's context raises ``UsageError``.  SSL_CTX_set_num_tickets(3)
        """
        return lib.SSL_CTX_get_num_tickets(self._ctx)

    @ticket_count.setter
    def ticket_count(self, tickets: int) -> None:
        self._change_server("ticket_count")
        integer(tickets, "a number of tickets", 0, LARGEST_INT)
        check(lib.SSL_CTX_set_num_tickets(self._ctx, tickets), "SSL_CTX_set_num_tickets")

    @property
    def ticket_keys(self) -> bytes:
        """The secret keys with which a server encrypts its session tickets.  They are random by default.

        Processes with the same keys, the same certificate and the same verification settings resume each other's
        sessions.  Anyone who has the keys can decrypt the tickets, so replace them often.  New keys must have the
        length of the old ones: otherwise ``ValueError`` is raised.  Setting them on a client's context, or on one with
        ``rotating_ticket_keys``, which it uses instead, raises ``UsageError``.  SSL_CTX_set_tlsext_ticket_keys(3)
        """
        length = lib.SSL_CTX_get_tlsext_ticket_keys(self._ctx, ffi.NULL, 0)
        keys = ffi.new("unsigned char[]", length)
        check(lib.SSL_CTX_get_tlsext_ticket_keys(self._ctx, keys, length), "SSL_CTX_get_tlsext_ticket_keys")
        return bytes(ffi.buffer(keys))

    @ticket_keys.setter
    def ticket_keys(self, keys: bytes) -> None:
        self._change_server("ticket_keys")
        if self._rotating_ticket_keys is not None:
            raise UsageError("the context has rotating_ticket_keys: its ticket_keys would not be used")
        needed = lib.SSL_CTX_get_tlsext_ticket_keys(self._ctx, ffi.NULL, 0)
        if not isinstance(keys, bytes) or len(keys) != needed:
            raise ValueError(f"ticket keys are {needed} bytes of secret randomness")
        check(lib.SSL_CTX_set_tlsext_ticket_keys(self._ctx, keys, needed), "SSL_CTX_set_tlsext_ticket_keys")

    @property
    def session_id_context(self) -> bytes:
        """1 to 32 bytes that keep a server's sessions apart from those of other contexts.

        Empty (the default): derived from the certificate and the verification settings at the first connection.  The
        derived value is the same in every process, except if the context has a verify callback or a chain callback, or
        a trust store with a directory, CRLs, flags or a time of its own.  Set it to let several processes resume such
        sessions; the program must then make sure that all of them have the same verification settings.  Setting it on
        a client's context raises ``UsageError``.  SSL_CTX_set_session_id_context(3)
        """
        return self._session_id_context

    @session_id_context.setter
    def session_id_context(self, identifier: bytes) -> None:
        self._change_server("session_id_context")
        if not isinstance(identifier, (bytes, bytearray)):
            raise TypeError(f"a session id context is bytes, not {type(identifier).__name__}")
        if not 1 <= len(identifier) <= lib.SSL_MAX_SID_CTX_LENGTH:
            raise ValueError(f"a session id context is 1 to {lib.SSL_MAX_SID_CTX_LENGTH} bytes, not {len(identifier)}")
        self._session_id_context = bytes(identifier)

    @property
    def new_session_callback(self) -> NewSessionCallback | None:
        """Called as ``callback(connection, session)`` with each new ``Session`` that can be resumed; None for none.

        In TLS 1.3 it is called after the handshake, once for each ticket that the server sends.
        SSL_CTX_sess_set_new_cb(3)
        """
        return self._callbacks.new_session

    @new_session_callback.setter
    def new_session_callback(self, callback: NewSessionCallback | None) -> None:
        self._change()
        function(callback, "a new session callback")
        self._callbacks.new_session = callback
        if not self.is_server:
            # OpenSSL calls back only if its cache is on.  A client never looks into the internal cache: it stays off.
            mode = lib.SSL_SESS_CACHE_CLIENT | lib.SSL_SESS_CACHE_NO_INTERNAL if callback else lib.SSL_SESS_CACHE_OFF
            lib.SSL_CTX_set_session_cache_mode(self._ctx, mode)
        lib.pyossl_set_callback(self._ctx, lib.PYOSSL_NEW_SESSION, callback is not None)

    def _limit_sessions(self) -> None:
        """Limits the memory of the sessions that a server keeps, if clients may have shown certificates.

        A context with a server name callback is limited too: OpenSSL keeps the sessions of the context that the
        callback chooses in the first context (docs/pitfalls.md, 13).
        """
        if lib.SSL_CTX_get_session_cache_mode(self._ctx) & lib.SSL_SESS_CACHE_NO_INTERNAL_STORE:
            return  # OpenSSL keeps none
        asks = lib.SSL_CTX_get_verify_mode(self._ctx) & lib.SSL_VERIFY_PEER
        if not asks and self._callbacks.servername is None:
            return
        if self._keeps_default_cache_size:
            usual = lib.SSL_CTX_sess_get_cache_size(self._ctx)
            lib.SSL_CTX_sess_set_cache_size(self._ctx, min(usual or MOST_SESSIONS, MOST_SESSIONS))
        if self._callbacks.new_session is None:
            lib.pyossl_limit_sessions(self._ctx)

    def _sessions_digest(self) -> bytes:
        """The session id context of a server that has none set: a digest of its certificate and its verification.

        It is the same in another process, so that processes with the same ticket keys resume each other's sessions.

        A resumed handshake does not verify the peer again.  So a context must not resume the sessions of a context
        that verifies less.  What a verify callback or a chain callback accepts is unknown: a context with one
        resumes only its own sessions.  (A server that verifies clients, and has no session id context, refuses every
        resumption.)  docs/pitfalls.md, 12
        """
        certificate = borrowed(lib.SSL_CTX_get0_certificate(self._ctx))
        parts = [
            b"pyossl",
            certificate.to_der() if certificate else self._raw_key,
            repr(self._configured).encode(),
        ]
        mode = lib.SSL_CTX_get_verify_mode(self._ctx)
        if mode & lib.SSL_VERIFY_PEER:
            asked = mode, self.verify_depth, int(self.verify_flags), self._purpose, self._verify_time
            parts.append(repr((*asked, self.security_level)).encode())
            if self._expected_keys:
                parts.append(self._expected_keys)
            if self._callbacks.verify is not None or self._callbacks.chain is not None:
                parts.append(os.urandom(16))
            if self._trust is not None:
                parts.append(self._trust.identity)
        return digest_of(*parts)

    def sessions_with(self, email: str) -> bytes:
        """The session id context of the connections whose client must also have the email address ``email``.

        Raises ``ValueError`` or ``TypeError`` for an invalid address.  docs/pitfalls.md, 12
        """
        return digest_of(b"pyossl", self._sessions, email_address(email))


def digest_of(*parts: bytes) -> bytes:
    """The SHA-256 of several byte strings, each preceded by its length.  EVP_Digest(3)"""
    return digest(b"".join(len(part).to_bytes(8, "big") + part for part in parts), "sha256")
