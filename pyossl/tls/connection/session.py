"""Sessions: the data that a client keeps of a connection, to resume it with a shorter handshake.  SSL_SESSION_new(3)

OpenSSL resumes a session in any context and for any name, without a check, and does not verify the peer of a resumed
connection again.  A ``Session`` therefore has the context that it belongs to, and the names that its peer was verified
for.  A ``Connection`` accepts it only if it is of the same context, and would not verify more than was verified then.
"""

from __future__ import annotations

import datetime
from typing import Any

from pyossl.bio.bio import BIO
from pyossl.core import ffi, lib, own, text
from pyossl.core.arguments import LARGEST_INT, instance, integer, pointer as checked_pointer
from pyossl.core.copying import Uncopied
from pyossl.core.errors import DecodeError, check, check_ptr, failed
from pyossl.core.outcome import take_records
from pyossl.tls.context.context import Context
from pyossl.x509.pem_and_der import bio_contents, pem_text


class Session(Uncopied):
    """A session of one context, which a client's ``Connection`` can resume.  SSL_SESSION_new(3)

    ``Connection.session`` and the context's ``new_session_callback`` give one; ``Session.load`` makes one of DER or
    PEM.
    """

    _instead = "they contain keys; store the result of to_der(), and load it with Session.load"

    def __init__(
        self,
        pointer: Any,
        context: Context,
        server_hostname: str | None,
        other_names: tuple[str, ...] = (),
        email: str | None = None,
    ) -> None:
        """Makes a session of ``pointer``, an ``SSL_SESSION *``, freed with its last reference, as by ``ffi.gc``.

        ``Session.load`` takes bytes.

        - ``context``: the context that the session belongs to.
        - ``server_hostname``, ``other_names``, ``email``: the names that the peer was verified for.
        """
        self._session = checked_pointer(
            pointer, "SSL_SESSION *", "a Session comes from a connection, or from Session.load"
        )
        self._context = instance(context, Context, "the context of a session")
        for name in (server_hostname, email):
            if name is not None:
                instance(name, str, "the name that a session was verified for")
        self._verified_for = server_hostname, other_names, email

    @property
    def server_hostname(self) -> str | None:
        """The name that the peer was verified for; None on a server, and if the connection had no name."""
        return self._verified_for[0]

    @property
    def other_names(self) -> tuple[str, ...]:
        """More names: the peer's certificate had ``server_hostname`` or one of these."""
        return self._verified_for[1]

    @property
    def email(self) -> str | None:
        """The email address that the peer's certificate also had to have; None if none was required."""
        return self._verified_for[2]

    @classmethod
    def load(cls, data: bytes, context: Context, server_hostname: str | None = None) -> Session:
        """Loads a session from the result of ``to_der`` or ``to_pem``.

        - ``data``: DER or PEM.
        - ``context``: the context that the session will belong to.
        - ``server_hostname``: the name that the peer was verified for; a client that checks names needs it.

        Load only sessions that were stored safely: a session holds the keys of its connections, and when it is resumed
        the peer is not verified again.  Raises ``DecodeError`` for data that is no session, and ``TypeError``.
        d2i_SSL_SESSION(3)
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
        """The session in DER, with its keys: keep it secret.  i2d_SSL_SESSION(3)"""
        length = check(lib.i2d_SSL_SESSION(self._session, ffi.NULL), "i2d_SSL_SESSION")
        buffer = ffi.new("unsigned char[]", length)
        check(lib.i2d_SSL_SESSION(self._session, ffi.new("unsigned char **", buffer)), "i2d_SSL_SESSION")
        return bytes(ffi.buffer(buffer, length))

    def to_pem(self) -> bytes:
        """The session in PEM, with its keys: keep it secret.  PEM_write_bio_SSL_SESSION(3)"""
        bio = BIO.memory()
        check(lib.PEM_write_bio_SSL_SESSION(bio._bio, self._session), "PEM_write_bio_SSL_SESSION")
        return bio_contents(bio)

    @property
    def context(self) -> Context:
        """The context that the session belongs to."""
        return self._context

    @property
    def id(self) -> bytes:
        """The id of the session; ``b""`` if it has none.  SSL_SESSION_get_id(3)"""
        length = ffi.new("unsigned int *")
        pointer = lib.SSL_SESSION_get_id(self._session, length)
        return bytes(ffi.buffer(pointer, length[0])) if length[0] else b""

    @property
    def is_resumable(self) -> bool:
        """Whether the session can be resumed.  SSL_SESSION_is_resumable(3)"""
        return bool(lib.SSL_SESSION_is_resumable(self._session))

    @property
    def has_ticket(self) -> bool:
        """Whether the session has a ticket of the server.  SSL_SESSION_has_ticket(3)"""
        return bool(lib.SSL_SESSION_has_ticket(self._session))

    @property
    def ticket_lifetime_hint(self) -> int:
        """How long the server will accept the ticket, in seconds.  SSL_SESSION_get_ticket_lifetime_hint(3)"""
        return int(lib.SSL_SESSION_get_ticket_lifetime_hint(self._session))

    @property
    def max_early_data(self) -> int:
        """The most bytes of early data that the server takes with this session; 0 for none.

        SSL_SESSION_get_max_early_data(3)
        """
        return int(lib.SSL_SESSION_get_max_early_data(self._session))

    @property
    def time(self) -> datetime.datetime:
        """The time at which the session was made, in UTC.  SSL_SESSION_get_time_ex(3)"""
        seconds = lib.SSL_SESSION_get_time_ex(self._session)
        return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)

    @property
    def timeout(self) -> int:
        """How long after ``time`` this side resumes the session, in seconds.  SSL_SESSION_get_timeout(3)

        The server may accept the ticket for a shorter time: ``ticket_lifetime_hint``.
        """
        return lib.SSL_SESSION_get_timeout(self._session)

    @timeout.setter
    def timeout(self, seconds: int) -> None:
        integer(seconds, "a session's timeout in seconds", 0, LARGEST_INT)
        check(lib.SSL_SESSION_set_timeout(self._session, seconds), "SSL_SESSION_set_timeout")

    @property
    def ticket_data(self) -> bytes:
        """On a server, the data that ``Context.generate_ticket_callback`` has put into the ticket; ``b""`` for none.

        The session of a connection has the data of its newest ticket, which a resumed connection may get too.
        SSL_SESSION_get0_ticket_appdata(3)
        """
        place, length = ffi.new("void **"), ffi.new("size_t *")
        check(lib.SSL_SESSION_get0_ticket_appdata(self._session, place, length), "SSL_SESSION_get0_ticket_appdata")
        return bytes(ffi.buffer(place[0], length[0])) if length[0] else b""

    @property
    def cipher(self) -> str | None:
        """The name of the cipher; None if it is unknown.  SSL_SESSION_get0_cipher(3)"""
        cipher = lib.SSL_SESSION_get0_cipher(self._session)
        return None if cipher == ffi.NULL else text(lib.SSL_CIPHER_get_name(cipher))

    def __repr__(self) -> str:
        name = f" with {self.server_hostname!r}" if self.server_hostname else ""
        return f"<Session{name} of {self.time:%Y-%m-%d %H:%M:%S}{'' if self.is_resumable else ', not resumable'}>"


def session_of(
    pointer: Any, context: Context, server_hostname: str | None, other_names: tuple[str, ...], email: str | None
) -> Session:
    """A ``Session`` of an ``SSL_SESSION *`` that OpenSSL owns; takes a reference of its own."""
    if lib.SSL_SESSION_up_ref(pointer) != 1:
        raise failed("SSL_SESSION_up_ref")
    return Session(own(pointer, lib.SSL_SESSION_free), context, server_hostname, other_names, email)
