"""``Context`` and ``Connection`` of ``OpenSSL.SSL``, over ``MutableContext`` and ``MutableConnection``.

They are in one file because each names the other: the callbacks of a context get a connection, and a connection has a
context.  The methods that need only one of them are in context_settings.py, connection_settings.py, connection_io.py
and negotiated.py.
"""

from __future__ import annotations

import socket
import sys
import typing
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from pyossl.core import errors
from pyossl.core.descriptors import require_plain
from pyossl.pyopenssl.certificates import X509
from pyossl.pyopenssl.connection_io import ConnectionIO
from pyossl.pyopenssl.connection_settings import ConnectionSettings
from pyossl.pyopenssl.context_settings import ContextSettings, before_first_connection, checked_integer
from pyossl.pyopenssl.exceptions import Error, queue_of, queue_with, translate_methods, translated
from pyossl.pyopenssl.negotiated import Negotiated
from pyossl.pyopenssl.private_functions import raise_ssl_error
from pyossl.pyopenssl.sessions import Session
from pyossl.tls.callbacks import Verification
from pyossl.tls.mutable_connection import MutableConnection

if TYPE_CHECKING:
    from pyossl.tls.connection import Connection as CoreConnection

_Socket = socket.socket
_T = TypeVar("_T")
_INSTEAD = (
    "for TLS inside TLS make a Connection without a socket, and carry its bytes over the other (bio_read and bio_write)"
)

VerifyCallback = Callable[["Connection", X509, int, int, int], bool]
InfoCallback = Callable[["Connection", int, int], None]


class _NoOverlappingProtocols:
    def __reduce__(self) -> str:
        return "NO_OVERLAPPING_PROTOCOLS"  # there is only one object, and programs compare by identity

    def __repr__(self) -> str:
        return "NO_OVERLAPPING_PROTOCOLS"


NO_OVERLAPPING_PROTOCOLS = _NoOverlappingProtocols()
"""An ALPN callback returns this if it selects none of the client's protocols."""

ALPNSelectCallback = Callable[["Connection", list[bytes]], bytes | _NoOverlappingProtocols]


def connection_of(core: CoreConnection) -> Connection:
    """The ``Connection`` for a connection of the core that calls a callback."""
    connection: Connection | None = getattr(core, "face", lambda: None)()
    if connection is None:
        raise Error([("pyossl", "", "the connection that calls back is gone")])
    return connection


def _core_verify_callback(callback: VerifyCallback) -> Callable[[CoreConnection, Verification], bool]:
    def verify(connection: CoreConnection, found: Verification) -> bool:
        shown = found.certificate
        certificate = X509() if shown is None else X509._of(shown)
        return bool(callback(connection_of(connection), certificate, found.code, found.depth, int(found.ok)))

    return verify


def _core_info_callback(callback: InfoCallback) -> Callable[[CoreConnection, int, int], None]:
    return lambda connection, where, value: callback(connection_of(connection), int(where), value)


class Context(ContextSettings):
    """What connections have in common; it cannot be changed once there is one."""

    # Callbacks

    @before_first_connection
    def set_verify(self, mode: int, callback: VerifyCallback | None = None) -> None:
        """Whether the peer is verified, and who is asked about each certificate."""
        checked_integer("mode", mode)
        if callback is not None and not callable(callback):
            raise TypeError("callback must be callable")
        self._core.set_verify(mode, None if callback is None else _core_verify_callback(callback))

    @before_first_connection
    def set_info_callback(self, callback: Callable[[Connection, int, int], None]) -> None:
        """Called at each step of a handshake and for alerts."""
        self._core.info_callback = _core_info_callback(callback)

    @before_first_connection
    def set_keylog_callback(self, callback: Callable[[Connection, bytes], None]) -> None:
        """Called with each secret, in the format that Wireshark reads."""
        self._core.keylog_callback = lambda connection, line: callback(connection_of(connection), line.encode())

    @before_first_connection
    def set_tlsext_servername_callback(self, callback: Callable[[Connection], None]) -> None:
        """A server's, called when a client has said whom it means; it may call ``Connection.set_context``."""

        def servername(connection: CoreConnection, _: str | None) -> None:
            try:
                callback(connection_of(connection))
            except Exception as error:
                sys.excepthook(type(error), error, error.__traceback__)
                raise Error(queue_with("callback failed")) from error

        self._core.servername_callback = servername

    @before_first_connection
    def set_alpn_select_callback(self, callback: ALPNSelectCallback) -> None:
        """A server's, called with what the client offers; it answers with one of these."""

        def select(connection: CoreConnection, offered: Sequence[str]) -> str | None:
            answer = callback(connection_of(connection), [protocol.encode("latin-1") for protocol in offered])
            if answer is NO_OVERLAPPING_PROTOCOLS:
                return None
            if not isinstance(answer, bytes):
                raise TypeError(
                    "ALPN callback must return a bytestring or the special NO_OVERLAPPING_PROTOCOLS sentinel value."
                )
            selected = answer.decode("latin-1")
            if selected not in offered:
                raise Error([("SSL routines", "", f"the ALPN callback selected {answer!r}, which was not offered")])
            return selected

        self._core.alpn_callback = select

    @before_first_connection
    def set_ocsp_server_callback(
        self, callback: Callable[[Connection, _T | None], bytes], data: _T | None = None
    ) -> None:
        """Called for the response to staple; ``b""`` for none."""

        def staple(connection: CoreConnection) -> bytes:
            response = callback(connection_of(connection), data)
            if not isinstance(response, bytes):
                raise TypeError("OCSP callback must return a bytestring.")
            return response

        self._core.set_ocsp_server_callback(staple)

    @before_first_connection
    def set_ocsp_client_callback(
        self, callback: Callable[[Connection, bytes, _T | None], bool], data: _T | None = None
    ) -> None:
        """Called with the response that was stapled; False ends the handshake."""
        self._core.set_ocsp_client_callback(
            lambda connection, response: bool(callback(connection_of(connection), response, data))
        )

    @before_first_connection
    def set_cookie_generate_callback(self, callback: Callable[[Connection], bytes]) -> None:
        """Called for the cookie that a DTLS client must send back."""
        self._core.set_cookie_callback(lambda connection: callback(connection_of(connection)))

    @before_first_connection
    def set_cookie_verify_callback(self, callback: Callable[[Connection, bytes], bool]) -> None:
        """Called with the cookie that came back; whether it is ours."""
        self._core.set_cookie_verify_callback(
            lambda connection, cookie: bool(callback(connection_of(connection), cookie))
        )


def _descriptor(thing: Any) -> int:
    fileno = getattr(thing, "fileno", None)
    if fileno is not None:
        require_plain(thing, _INSTEAD)
    found = thing if fileno is None else fileno()
    if not isinstance(found, int):
        raise TypeError("argument must be an int, or have a fileno() method.")
    if found < 0:
        raise ValueError(f"file descriptor cannot be a negative integer ({found})")
    return found


class Connection(ConnectionSettings, ConnectionIO, Negotiated):
    """One connection over a socket, or over bytes that the caller carries (``bio_read``, ``bio_write``)."""

    if TYPE_CHECKING:
        _reverse_mapping: typing.ClassVar[weakref.WeakValueDictionary[Any, Connection]]
    else:
        # The connection of an SSL *, for callbacks of programs that call OpenSSL themselves.
        _reverse_mapping = weakref.WeakValueDictionary()

    def __init__(self, context: Context, socket: socket.socket | None = None) -> None:
        if not isinstance(context, Context):
            raise TypeError("context must be a Context instance")
        self._context = context
        self._socket = socket
        self._app_data = None
        context._used = True
        try:
            descriptor = None if socket is None else _descriptor(socket)
            kept = socket if isinstance(socket, _Socket) else None  # another object may not own its descriptor
            self._tls = MutableConnection(context._core, descriptor, kept)
        except errors.Error as error:
            raise Error(queue_of(error)) from error
        self._tls.face = weakref.ref(self)
        self._reverse_mapping[self._ssl] = self

    def __repr__(self) -> str:
        if "_tls" not in vars(self):
            return object.__repr__(self)
        place = "in memory" if self._socket is None else f"over {self._socket!r}"
        return f"<Connection object {place}, {self._condition}>"

    @property
    def _condition(self) -> str:
        try:
            if self._tls.is_handshake_finished:
                return f"{self._tls.protocol_name} with {self._tls.cipher}"
        except errors.UsageError:
            return "of the parent process"
        return "handshake not finished"

    def __getattr__(self, name: str) -> Any:
        if name == "_socket" or self._socket is None:
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
        return getattr(self._socket, name)

    @property
    def _ssl(self) -> Any:
        """The SSL, for programs that reach below: see ``_util``."""
        return self._tls._c.ssl

    def _raise_ssl_error(self, ssl: Any, result: int) -> None:
        """For programs that reach below."""
        raise_ssl_error(ssl, result)

    # The context

    def get_context(self) -> Context:
        """The context."""
        return self._context

    def set_context(self, context: Context) -> None:
        """Goes on with another context, from a server name callback."""
        if not isinstance(context, Context):
            raise TypeError("context must be a Context instance")
        with translated:
            self._tls.change_context(context._core)
        self._context = context
        context._used = True

    def set_verify(self, mode: int, callback: Callable[[Connection, X509, int, int, int], bool] | None = None) -> None:
        """Whether the peer is verified, and who is asked about each certificate."""
        if not isinstance(mode, int):
            raise TypeError("mode must be an integer")
        if callback is not None and not callable(callback):
            raise TypeError("callback must be callable")
        self._tls.set_verify(mode, None if callback is None else _core_verify_callback(callback))

    def set_info_callback(self, callback: Callable[[Connection, int, int], None]) -> None:
        """Called at each step of a handshake and for alerts."""
        self._tls.set_info_callback(_core_info_callback(callback))

    # The socket

    def connect(self, addr: Any) -> None:
        """Connects the socket; this is the client's side."""
        self.set_connect_state()
        self._sock.connect(addr)

    def connect_ex(self, addr: Any) -> int:
        """Connects the socket; this is the client's side.  The errno, 0 for none."""
        connect_ex = self._sock.connect_ex
        self.set_connect_state()
        return int(connect_ex(addr))

    def accept(self) -> tuple[Connection, Any]:
        """The next client of a listening socket, as the server's side of a connection."""
        client, address = self._sock.accept()
        connection = Connection(self._context, client)
        connection.set_accept_state()
        return connection, address

    # Sessions

    def get_session(self) -> Session | None:
        """The session, None while there is none."""
        session = self._tls.session
        return None if session is None else Session._of(session, self._context)

    def set_session(self, session: Session) -> None:
        """Offers a session of the same context for resumption."""
        if not isinstance(session, Session):
            raise TypeError("session must be a Session instance")
        if session._context is not self._context:
            raise ValueError("session must have been created by a Connection using the same Context as this one")
        try:
            self._tls.use_session(session._core)
        except errors.Error as error:
            raise Error(queue_of(error)) from error


# These methods translate exceptions themselves, or need no translation.
translate_methods(Connection, but=frozenset(("get_context", "set_session")))
