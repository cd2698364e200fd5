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
from pyossl.tls.callbacks.callbacks import Verification
from pyossl.tls.mutable.mutable_connection import MutableConnection

if TYPE_CHECKING:
    from pyossl.tls.connection.connection import Connection as CoreConnection

_Socket = socket.socket
_T = TypeVar("_T")
_INSTEAD = (
    "for TLS inside TLS make a Connection without a socket, and carry its bytes over the other (bio_read and bio_write)"
)

VerifyCallback = Callable[["Connection", X509, int, int, int], bool]
InfoCallback = Callable[["Connection", int, int], None]


class _NoOverlappingProtocols:
    """The type of ``NO_OVERLAPPING_PROTOCOLS``, which an ALPN callback returns if it selects none of the protocols."""

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
        raise Error([("pyossl", "", "the Connection that this callback belongs to no longer exists")])
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
    """The settings that connections share.

    ``method`` is ``TLS_METHOD``, ``TLS_CLIENT_METHOD``, ``TLS_SERVER_METHOD`` or the same with ``DTLS``;
    ``SSLv23_METHOD`` means ``TLS_METHOD``.  ``TLSv1_METHOD``, ``TLSv1_1_METHOD`` and ``TLSv1_2_METHOD`` allow this
    version only.  Any other number raises ``ValueError``.

    A new context verifies no peer: call ``set_verify`` and ``set_default_verify_paths``.  Each method that changes the
    context raises ``ValueError`` after the first connection was made from it, and ``Error`` if OpenSSL refuses the
    change.  An exception in a callback is raised by the method of the connection that called it.  SSL_CTX_new(3)
    """

    # Callbacks

    @before_first_connection
    def set_verify(self, mode: int, callback: VerifyCallback | None = None) -> None:
        """Sets the verification mode and the callback for each certificate of the peer's chain.

        - ``mode``: a combination of ``VERIFY_*``.
        - ``callback``: called as ``callback(connection, certificate, code, depth, ok)``, it returns whether the
          certificate is accepted.  ``code`` is one of ``X509VerificationCodes``, ``depth`` is 0 for the peer's
          certificate, 1 for its issuer's and so on, ``ok`` is 1 if OpenSSL accepts the certificate, else 0.  Without a
          callback OpenSSL decides.

        Raises ``TypeError`` for arguments of another type.  SSL_CTX_set_verify(3)
        """
        checked_integer("mode", mode)
        if callback is not None and not callable(callback):
            raise TypeError("callback must be callable")
        self._core.set_verify(mode, None if callback is None else _core_verify_callback(callback))

    @before_first_connection
    def set_info_callback(self, callback: Callable[[Connection, int, int], None]) -> None:
        """Sets the callback for each step of a handshake and for each alert.

        It is called as ``callback(connection, where, value)``: ``where`` is a combination of ``SSL_CB_*`` and
        ``SSL_ST_*``, ``value`` an alert or the result of the step.  SSL_CTX_set_info_callback(3)
        """
        self._core.info_callback = _core_info_callback(callback)

    @before_first_connection
    def set_keylog_callback(self, callback: Callable[[Connection, bytes], None]) -> None:
        """Sets the callback for each secret of a connection: a program that has them can decrypt its records.

        It is called as ``callback(connection, line)`` with a line in the format of NSS key logs, which Wireshark reads.
        SSL_CTX_set_keylog_callback(3)
        """
        self._core.keylog_callback = lambda connection, line: callback(connection_of(connection), line.encode())

    @before_first_connection
    def set_tlsext_servername_callback(self, callback: Callable[[Connection], None]) -> None:
        """Sets a server's callback, called when a client has sent the name of the server that it wants (SNI).

        It is called as ``callback(connection)`` and may call ``connection.get_servername`` and
        ``connection.set_context``.  An exception in it is shown by ``sys.excepthook``, and the handshake fails with
        ``Error``.  SSL_CTX_set_tlsext_servername_callback(3)
        """

        def servername(connection: CoreConnection, _: str | None) -> None:
            try:
                callback(connection_of(connection))
            except Exception as error:
                sys.excepthook(type(error), error, error.__traceback__)
                raise Error(queue_with("callback failed")) from error

        self._core.servername_callback = servername

    @before_first_connection
    def set_alpn_select_callback(self, callback: ALPNSelectCallback) -> None:
        """Sets a server's callback that selects an application protocol.

        It is called as ``callback(connection, protocols)`` with the client's list of bytes, and returns one of them or
        ``NO_OVERLAPPING_PROTOCOLS``.  Anything else fails the handshake: bytes that the client did not offer with
        ``Error``, another type with ``TypeError``.  SSL_CTX_set_alpn_select_cb(3)
        """

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
        """Sets a server's callback that returns the OCSP response to staple, in DER; ``b""`` for none.

        It is called as ``callback(connection, data)`` if the client asks for a response.  If it does not return bytes,
        the handshake fails with ``TypeError``.  SSL_CTX_set_tlsext_status_cb(3)
        """

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
        """Sets a client's callback that checks the OCSP response that the server stapled.

        It is called as ``callback(connection, response, data)``; ``response`` is in DER, ``b""`` if the server sent
        none.  If it returns a false value, the handshake fails.  Call ``Connection.request_ocsp`` too.
        SSL_CTX_set_tlsext_status_cb(3)
        """
        self._core.set_ocsp_client_callback(
            lambda connection, response: bool(callback(connection_of(connection), response, data))
        )

    @before_first_connection
    def set_cookie_generate_callback(self, callback: Callable[[Connection], bytes]) -> None:
        """Sets the callback that returns the cookie, bytes, that a DTLS client has to send back.

        It is called as ``callback(connection)``.  SSL_CTX_set_cookie_generate_cb(3)
        """
        self._core.set_cookie_callback(lambda connection: callback(connection_of(connection)))

    @before_first_connection
    def set_cookie_verify_callback(self, callback: Callable[[Connection, bytes], bool]) -> None:
        """Sets the callback that returns whether a DTLS client has sent the right cookie back.

        It is called as ``callback(connection, cookie)``.  SSL_CTX_set_cookie_verify_cb(3)
        """
        self._core.set_cookie_verify_callback(
            lambda connection, cookie: bool(callback(connection_of(connection), cookie))
        )


def _descriptor(thing: Any) -> int:
    """The file descriptor of a socket, or the ``int`` itself."""
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
    """A TLS or DTLS connection.

    - ``context``: the ``Context``, which cannot be changed afterwards.
    - ``socket``: a socket, or any object with ``fileno()``.  Without it the connection is in memory: the program gives
      it the peer's bytes with ``bio_write`` and takes the bytes for the peer with ``bio_read``.

    An attribute that a connection does not have is looked up in its socket.  Call ``set_connect_state`` or
    ``set_accept_state`` first, then ``do_handshake``.

    The methods raise ``WantReadError`` or ``WantWriteError`` if the socket does not block and has no bytes or no room:
    repeat the call.  They raise ``ZeroReturnError`` after the peer's close_notify, ``SysCallError`` if the transport
    fails or ends without it, and ``Error`` for any other failure.  After a failure each further call raises it again.
    SSL_new(3)
    """

    if TYPE_CHECKING:
        _reverse_mapping: typing.ClassVar[weakref.WeakValueDictionary[Any, Connection]]
    else:
        # The connection of an SSL *, for callbacks of programs that call OpenSSL themselves.
        _reverse_mapping = weakref.WeakValueDictionary()

    def __init__(self, context: Context, socket: socket.socket | None = None) -> None:
        if not isinstance(context, Context):
            raise TypeError("context must be a Context instance")
        self._refuse_second_init()
        self._context = context
        self._socket = socket
        self._app_data = None
        context._used = True
        try:
            descriptor = None if socket is None else _descriptor(socket)
            kept = socket if isinstance(socket, _Socket) else None  # another object may not own its descriptor
            self._tls = MutableConnection(context._core, descriptor, kept)
            self._share(self._tls)
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
        """The ``SSL *``, for programs that call OpenSSL themselves: see ``_util``."""
        return self._tls._c.ssl

    def _raise_ssl_error(self, ssl: Any, result: int) -> None:
        """Raises the exception for the result of a function of OpenSSL, for programs that call OpenSSL themselves."""
        raise_ssl_error(ssl, result)

    # The context

    def get_context(self) -> Context:
        """The context of this connection.  SSL_get_SSL_CTX(3)"""
        return self._context

    def set_context(self, context: Context) -> None:
        """Uses the certificate, key and callbacks of another context from now on; for a server name callback.

        Raises ``TypeError`` if ``context`` is no ``Context``.  SSL_set_SSL_CTX(3)
        """
        if not isinstance(context, Context):
            raise TypeError("context must be a Context instance")
        with translated:
            self._tls.change_context(context._core)
        self._context = context
        context._used = True

    def set_verify(self, mode: int, callback: Callable[[Connection, X509, int, int, int], bool] | None = None) -> None:
        """Sets the verification mode and the callback for this connection alone.

        ``mode`` and ``callback`` are those of ``Context.set_verify``.  SSL_set_verify(3)
        """
        if not isinstance(mode, int):
            raise TypeError("mode must be an integer")
        if callback is not None and not callable(callback):
            raise TypeError("callback must be callable")
        self._tls.set_verify(mode, None if callback is None else _core_verify_callback(callback))

    def set_info_callback(self, callback: Callable[[Connection, int, int], None]) -> None:
        """Sets the callback for each step of a handshake and for each alert, for this connection alone.

        ``callback`` is called as in ``Context.set_info_callback``.  SSL_set_info_callback(3)
        """
        self._tls.set_info_callback(_core_info_callback(callback))

    # The socket

    def connect(self, addr: Any) -> None:
        """Connects the socket to ``addr`` and makes this the client's side.  It does no handshake.  connect(2)"""
        self.set_connect_state()
        self._sock.connect(addr)

    def connect_ex(self, addr: Any) -> int:
        """Like ``connect`` to ``addr``, but returns the errno of a failed connection, 0 for success.  connect(2)"""
        connect_ex = self._sock.connect_ex
        self.set_connect_state()
        return int(connect_ex(addr))

    def accept(self) -> tuple[Connection, Any]:
        """Accepts a client of a listening socket; returns a server's ``Connection`` for it, and its address.

        It does no handshake.  accept(2)
        """
        client, address = self._sock.accept()
        connection = Connection(self._context, client)
        connection.set_accept_state()
        return connection, address

    # Sessions

    def get_session(self) -> Session | None:
        """The session, which can be offered in a later connection; None if there is none.

        In TLS 1.3 the server sends it after the handshake: it is there after the first ``recv``.  SSL_get1_session(3)
        """
        session = self._tls.session
        return None if session is None else Session._of(session, self._context)

    def set_session(self, session: Session) -> None:
        """Offers ``session`` to the server, which may resume it.  Call it before the handshake.

        Raises ``TypeError`` if it is no ``Session``, and ``ValueError`` if it comes from another context.
        SSL_set_session(3)
        """
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
