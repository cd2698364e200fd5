"""``_ssl.SSLSession``: its C type asks the object that is made here."""

from __future__ import annotations

from typing import Any, NamedTuple

from pyossl.core import ffi, lib


class Proof(NamedTuple):
    """What a handshake has proved about the peer, or has to prove."""

    is_verified: bool
    """The peer's chain is verified."""
    name: str | None
    """The name that its certificate has; None if no name is checked."""

    def suffices(self, needed: Proof) -> bool:
        """Whether a connection that needs this much may resume the session.

        OpenSSL does not look at it, and resumes a session for any name.
        """
        return (self.is_verified or not needed.is_verified) and needed.name in (None, self.name)


class Session:
    """The state of an ``SSLSession``.

    - ``pointer``: an ``SSL_SESSION *``, owned.
    - ``context``: the state of the context that it was made with; a session is used with this context only.
    - ``proof``: what the connection has proved about the peer.
    """

    def __init__(self, pointer: Any, context: object, proof: Proof) -> None:
        self.pointer = pointer
        self.context = context
        self.proof = proof

    @property
    def time(self) -> int:
        """When the session was made, in seconds since 1970.  SSL_SESSION_get_time_ex(3)"""
        return int(lib.SSL_SESSION_get_time_ex(self.pointer))

    @property
    def timeout(self) -> int:
        """How long the session can be resumed, in seconds.  SSL_SESSION_get_timeout(3)"""
        return int(lib.SSL_SESSION_get_timeout(self.pointer))

    @property
    def ticket_lifetime_hint(self) -> int:
        """How long the server says that its ticket is valid, in seconds.  SSL_SESSION_get_ticket_lifetime_hint(3)"""
        return int(lib.SSL_SESSION_get_ticket_lifetime_hint(self.pointer))

    @property
    def has_ticket(self) -> bool:
        """Whether the session has a ticket.  SSL_SESSION_has_ticket(3)"""
        return bool(lib.SSL_SESSION_has_ticket(self.pointer))

    @property
    def id(self) -> bytes:
        """The id of the session.  SSL_SESSION_get_id(3)"""
        length = ffi.new("unsigned int *")
        pointer = lib.SSL_SESSION_get_id(self.pointer, length)
        return bytes(ffi.buffer(pointer, length[0])) if length[0] else b""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Session) and self.id == other.id
