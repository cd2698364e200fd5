"""Sessions: what a client remembers of a connection, to resume it.  SSL_SESSION_new(3)

OpenSSL resumes a session in any context and under any name without a look, and a resumed connection is not verified
again.  A ``Session`` therefore knows the context that it belongs to and what its peer was verified for, and a
``Connection`` takes it with that context, and where it would have verified no more than that, only.
"""

from __future__ import annotations

import datetime
from typing import Any

from pyossl.bio.bio import BIO
from pyossl.core.arguments import LARGEST_INT, instance, integer, pointer as checked_pointer
from pyossl.core.binding import ffi, lib, own, text
from pyossl.core.copying import Uncopied
from pyossl.core.errors import DecodeError, check, check_ptr, failed
from pyossl.core.outcome import take_records
from pyossl.tls.context import Context
from pyossl.x509.encoding import bio_contents, pem_text


class Session(Uncopied):
    """A session of one context.  SSL_SESSION_new(3)

    Had from ``Connection.session`` or the context's ``new_session_callback``, or loaded from DER or PEM.
    """

    _instead = "they hold keys; store what to_der() gives, and Session.load takes it back"

    def __init__(
        self,
        pointer: Any,
        context: Context,
        server_hostname: str | None,
        other_names: tuple[str, ...] = (),
        email: str | None = None,
    ) -> None:
        self._session = checked_pointer(pointer, "SSL_SESSION *", "a Session is had from a connection, or loaded")
        self._context = instance(context, Context, "the context of a session")
        for name in (server_hostname, email):
            if name is not None:
                instance(name, str, "the name that a session was verified for")
        self._verified_for = server_hostname, other_names, email

    @property
    def server_hostname(self) -> str | None:
        """The name that the session's connection was verified for, None for a server's or an unnamed one."""
        return self._verified_for[0]

    @property
    def other_names(self) -> tuple[str, ...]:
        """The names of which the certificate may have had one instead."""
        return self._verified_for[1]

    @property
    def email(self) -> str | None:
        """The address that the certificate had besides, where it had to have one."""
        return self._verified_for[2]

    @classmethod
    def load(cls, data: bytes, context: Context, server_hostname: str | None = None) -> Session:
        """A session from ``to_der`` or ``to_pem``, for ``context`` and, on a client that checks names, for one name.

        Whoever loads a session vouches for where it was kept: it holds the keys of its connections, and resuming it
        replaces the verification of the peer.  Raises ``DecodeError``.  d2i_SSL_SESSION(3)
        """
        if not isinstance(data, bytes):
            raise TypeError(f"a session is loaded from bytes, not {type(data).__name__}")
        if not isinstance(context, Context):
            raise TypeError(f"a session belongs to a Context, not to {type(context).__name__}")
        if server_hostname is not None and not isinstance(server_hostname, str):
            raise TypeError(f"server_hostname is a str or None, not {type(server_hostname).__name__}")
        what = f"reading a session from {len(data)} bytes"
        text = pem_text(data)
        take_records()
        if text:
            pointer = lib.PEM_read_bio_SSL_SESSION(
                BIO.memory(text)._bio, ffi.NULL, lib.pyossl_password_callback, ffi.NULL
            )
        else:
            buffer = ffi.from_buffer(data)
            place = ffi.new("const unsigned char **", buffer)
            pointer = lib.d2i_SSL_SESSION(ffi.NULL, place, len(data))
        owned = own(check_ptr(pointer, what, DecodeError), lib.SSL_SESSION_free)
        if not text and place[0] != buffer + len(data):
            raise DecodeError(f"{what} failed: they hold more than a session")
        return cls(owned, context, server_hostname)

    def to_der(self) -> bytes:
        """The session, its keys included, in DER.  i2d_SSL_SESSION(3)"""
        length = check(lib.i2d_SSL_SESSION(self._session, ffi.NULL), "i2d_SSL_SESSION")
        buffer = ffi.new("unsigned char[]", length)
        check(lib.i2d_SSL_SESSION(self._session, ffi.new("unsigned char **", buffer)), "i2d_SSL_SESSION")
        return bytes(ffi.buffer(buffer, length))

    def to_pem(self) -> bytes:
        """The session, its keys included, in PEM.  PEM_write_bio_SSL_SESSION(3)"""
        bio = BIO.memory()
        check(lib.PEM_write_bio_SSL_SESSION(bio._bio, self._session), "PEM_write_bio_SSL_SESSION")
        return bio_contents(bio)

    @property
    def context(self) -> Context:
        """The context that the session belongs to."""
        return self._context

    @property
    def id(self) -> bytes:
        """The session's id.  SSL_SESSION_get_id(3)"""
        length = ffi.new("unsigned int *")
        pointer = lib.SSL_SESSION_get_id(self._session, length)
        return bytes(ffi.buffer(pointer, length[0])) if length[0] else b""

    @property
    def is_resumable(self) -> bool:
        """Whether the session can be resumed at all.  SSL_SESSION_is_resumable(3)"""
        return bool(lib.SSL_SESSION_is_resumable(self._session))

    @property
    def has_ticket(self) -> bool:
        """Whether the server keeps the session in a ticket.  SSL_SESSION_has_ticket(3)"""
        return bool(lib.SSL_SESSION_has_ticket(self._session))

    @property
    def ticket_lifetime_hint(self) -> int:
        """How many seconds the server means to honour the ticket.  SSL_SESSION_get_ticket_lifetime_hint(3)"""
        return int(lib.SSL_SESSION_get_ticket_lifetime_hint(self._session))

    @property
    def time(self) -> datetime.datetime:
        """When the session was made, in UTC.  SSL_SESSION_get_time_ex(3)"""
        seconds = lib.SSL_SESSION_get_time_ex(self._session)
        return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)

    @property
    def timeout(self) -> int:
        """How many seconds after ``time`` the session can be resumed.  SSL_SESSION_get_timeout(3)"""
        return lib.SSL_SESSION_get_timeout(self._session)

    @timeout.setter
    def timeout(self, seconds: int) -> None:
        integer(seconds, "a session's timeout in seconds", 0, LARGEST_INT)
        check(lib.SSL_SESSION_set_timeout(self._session, seconds), "SSL_SESSION_set_timeout")

    @property
    def cipher(self) -> str | None:
        """The cipher's name.  SSL_SESSION_get0_cipher(3)"""
        cipher = lib.SSL_SESSION_get0_cipher(self._session)
        return None if cipher == ffi.NULL else text(lib.SSL_CIPHER_get_name(cipher))

    def __repr__(self) -> str:
        name = f" with {self.server_hostname!r}" if self.server_hostname else ""
        return f"<Session{name} of {self.time:%Y-%m-%d %H:%M:%S}{'' if self.is_resumable else ', not resumable'}>"


def session_of(
    pointer: Any, context: Context, server_hostname: str | None, other_names: tuple[str, ...], email: str | None
) -> Session:
    """A ``Session`` with a reference of its own to an ``SSL_SESSION *`` that OpenSSL keeps."""
    if lib.SSL_SESSION_up_ref(pointer) != 1:
        raise failed("SSL_SESSION_up_ref")
    return Session(own(pointer, lib.SSL_SESSION_free), context, server_hostname, other_names, email)
