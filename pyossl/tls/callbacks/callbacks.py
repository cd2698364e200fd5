"""The functions that OpenSSL calls, which call the callbacks of the program, and the exceptions that these raise.

A program sets each callback in the file of its subject: that of SNI in pyossl/tls/settings/server_name.py, those for
DTLS cookies in pyossl/tls/mutable/mutable_context.py.  Some of these files also have the function that C calls, for
example where there may be no answer yet (suspension.py): pyossl/tls/settings/client_hello_callback.py,
certificate_callback.py and chain_callback.py in pyossl/tls/authentication.

The life of a callback, in seven steps
--------------------------------------
1. The program gives a function to a ``Context`` or a ``Connection``.  It is kept in the context's ``ContextCallbacks``
   or the connection's ``Callbacks``; the latter refers to the former.
2. The C side of the connection has a handle to these ``Callbacks`` (``ffi.new_handle``).  It is valid as long as the
   SSL exists, and NULL afterwards.
3. OpenSSL calls a function of pyossl/_c/tls/callbacks/callbacks.c, which finds the handle from the ``SSL *``.  If
   there is none, it returns the failure.
4. That function calls one of the functions below.  It converts the C values to Python's (copies: no borrowed pointer
   leaves it) and calls the program's function.
5. If the program's function returns, the result is checked and passed to C.  A result of the wrong type raises
   ``TypeError``.
6. If it raises an exception of any kind, the exception is parked and C gets the explicit failure: the handshake fails.
   If there is more than one exception, the first is kept.  An exception that a signal's handler raises before or after
   the ``try`` is parked too (``callback`` in pyossl/core/parked_exceptions.py).
7. The call that the program made (``handshake``, ``read_into``, …) finds the parked exception when C returns, marks the
   connection as dead and raises that exception itself.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from pyossl.core import ffi, lib, text
from pyossl.core.errors import TLSError
from pyossl.core.flags import InfoWhere
from pyossl.core.parked_exceptions import callback
from pyossl.tls.callbacks.alert import Alert
from pyossl.tls.callbacks.message import Message
from pyossl.x509.certificate import Certificate, borrowed, chain_of
from pyossl.x509.ocsp_response import OCSPResponse

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from pyossl.core.outcome import Want
    from pyossl.tls.callbacks.certificate_demand import CertificateDemand
    from pyossl.tls.callbacks.client_hello import ClientHello
    from pyossl.tls.callbacks.custom_extension import CustomExtension
    from pyossl.tls.connection.connection import Connection
    from pyossl.tls.connection.session import Session
    from pyossl.tls.context.context import Context
    from pyossl.tls.sessions.pre_shared_key import PreSharedKey
    from pyossl.x509.credentials import Credentials


class Verification(NamedTuple):
    """OpenSSL's result for one certificate of the peer's chain, for a verify callback.  X509_STORE_CTX_get_error(3)"""

    ok: bool
    code: int
    reason: str
    depth: int
    certificate: Certificate | None
    chain: tuple[Certificate, ...]


Verification.ok.__doc__ = "Whether OpenSSL accepts the certificate."
Verification.code.__doc__ = "The error, an ``X509_V_ERR_x``; 0 (``X509_V_OK``) for none."
Verification.reason.__doc__ = "The text of the error."
Verification.depth.__doc__ = "The position of the certificate in the chain; 0 is the peer's own certificate."
Verification.certificate.__doc__ = "The certificate; None if the error is of no certificate."
Verification.chain.__doc__ = "The chain as far as it is built, the peer's own certificate first."

OCSPStaple = OCSPResponse | bytes | Sequence["OCSPResponse | bytes"] | None
"""What a server's callback for OCSP stapling may return."""
VerifyCallback = Callable[["Connection", Verification], bool]
ServernameCallback = Callable[["Connection", "str | None"], "Context | Alert | None"]
ClientHelloCallback = Callable[
    ["Connection", "ClientHello"], "Context | Alert | Want | Awaitable[Context | Alert | None] | None"
]
CertificateCallback = Callable[
    ["Connection", "CertificateDemand"], "Credentials | Want | Awaitable[Credentials | None] | None"
]
ChainCallback = Callable[["Connection", "tuple[Certificate, ...]"], "bool | Want | Awaitable[bool]"]
IndicatedNameCallback = Callable[["Connection", "bytes | None"], "int | None"]
PSKClientCallback = Callable[["Connection", "bytes | None"], "tuple[bytes, bytes] | None"]
PSKServerCallback = Callable[["Connection", bytes], "bytes | None"]
AddExtensionCallback = Callable[["Connection", "CustomExtension"], "bytes | Alert | None"]
ParseExtensionCallback = Callable[["Connection", "CustomExtension"], "Alert | None"]
AllowEarlyDataCallback = Callable[["Connection", bytes], bool]
PSKUseSessionCallback = Callable[["Connection", "str | None"], "PreSharedKey | None"]
PSKFindSessionCallback = Callable[["Connection", bytes], "PreSharedKey | None"]
ALPNCallback = Callable[["Connection", Sequence[str]], "str | None"]
OCSPServerCallback = Callable[["Connection"], "OCSPStaple"]
OCSPClientCallback = Callable[["Connection", bytes], bool]
InfoCallback = Callable[["Connection", InfoWhere, int], object]
KeylogCallback = Callable[["Connection", str], object]
NewSessionCallback = Callable[["Connection", "Session"], object]
GetSessionCallback = Callable[["Connection", bytes], "Session | None"]
RemovedSessionCallback = Callable[["Connection", "Session"], object]
GenerateTicketCallback = Callable[["Connection"], "bytes | None"]
DecryptTicketCallback = Callable[["Connection", "Session"], bool]
MessageCallback = Callable[[Message], object]
RecordPaddingCallback = Callable[["Connection", int, int], int]
ContextMessageCallback = Callable[["Connection", Message], object]


class ContextCallbacks:
    """The callbacks that the connections of one context share, and what each connection must know of the context."""

    __slots__ = (
        "allow_early_data",
        "alpn",
        "certificate",
        "chain",
        "client_hello",
        "decrypt_ticket",
        "extensions",
        "generate_ticket",
        "get_session",
        "indicated_name",
        "info",
        "keylog",
        "message",
        "new_session",
        "ocsp_client",
        "ocsp_server",
        "psk_client",
        "psk_find_session",
        "psk_server",
        "psk_use_session",
        "record_padding",
        "removed_session",
        "requires_scts",
        "servername",
        "verify",
    )

    def __init__(self) -> None:
        self.verify: VerifyCallback | None = None
        self.client_hello: ClientHelloCallback | None = None
        self.certificate: CertificateCallback | None = None
        self.chain: ChainCallback | None = None
        self.servername: ServernameCallback | None = None
        self.indicated_name: IndicatedNameCallback | None = None
        self.message: ContextMessageCallback | None = None
        self.psk_client: PSKClientCallback | None = None
        self.psk_server: PSKServerCallback | None = None
        self.allow_early_data: AllowEarlyDataCallback | None = None
        self.record_padding: RecordPaddingCallback | None = None
        self.requires_scts = False
        self.extensions: dict[int, tuple[AddExtensionCallback | None, ParseExtensionCallback | None]] = {}
        self.psk_use_session: PSKUseSessionCallback | None = None
        self.psk_find_session: PSKFindSessionCallback | None = None
        self.alpn: ALPNCallback | None = None
        self.info: InfoCallback | None = None
        self.keylog: KeylogCallback | None = None
        self.new_session: NewSessionCallback | None = None
        self.get_session: GetSessionCallback | None = None
        self.removed_session: RemovedSessionCallback | None = None
        self.generate_ticket: GenerateTicketCallback | None = None
        self.decrypt_ticket: DecryptTicketCallback | None = None
        self.ocsp_client: OCSPClientCallback | None = None
        self.ocsp_server: OCSPServerCallback | None = None


class Callbacks:
    """The callbacks of one connection, and the exception that one of them raised."""

    __slots__ = ("__weakref__", "connection", "is_named", "message", "of_context", "of_first", "parked")

    def __init__(self, connection: Connection, of_context: ContextCallbacks) -> None:
        self.connection: weakref.ref[Connection] = weakref.ref(connection)
        self.of_context = of_context
        # After SSL_set_SSL_CTX(3) OpenSSL still uses the sessions of the first context (docs/pitfalls.md, 13).
        self.of_first = of_context
        self.is_named = False
        self.message: MessageCallback | None = None
        self.parked: BaseException | None = None

    def park(self, error: BaseException) -> None:
        connection = self.connection()
        if self.parked is None and connection is not None:
            self.parked = error
            connection._c.parked = 1

    def take_parked(self) -> BaseException | None:
        error, self.parked = self.parked, None
        return error

    def ask(self, question: Callable[[Connection], Any], failure: Any) -> Any:
        """Calls ``question`` and returns its result; parks what it raises, and returns ``failure`` then and later."""
        connection = self.connection()
        if connection is None or self.parked is not None:
            return failure
        try:
            return question(connection)
        except BaseException as error:  # raised again by the call that the user made
            self.park(error)
            return failure


@callback()
def pyossl_on_message(handle: Any, outgoing: int, version: int, content_type: int, data: Any, length: int) -> None:
    callbacks: Callbacks = ffi.from_handle(handle)
    function, of_context = callbacks.message, callbacks.of_context.message
    if function or of_context:
        message = Message(bool(outgoing), version, content_type, bytes(ffi.buffer(data, length)))

        def question(connection: Connection) -> None:
            if function:
                function(message)
            if of_context:
                of_context(connection, message)

        callbacks.ask(question, None)


@callback(0)
def pyossl_on_verify(handle: Any, ok: int, store_context: Any) -> int:
    callbacks: Callbacks = ffi.from_handle(handle)
    code = lib.X509_STORE_CTX_get_error(store_context)

    def question(connection: Connection) -> int:
        library_context = connection._context._library_context
        verification = Verification(
            bool(ok),
            code,
            text(lib.X509_verify_cert_error_string(code)),
            lib.X509_STORE_CTX_get_error_depth(store_context),
            borrowed(lib.X509_STORE_CTX_get_current_cert(store_context), library_context),
            chain_of(lib.X509_STORE_CTX_get0_chain(store_context), library_context),
        )
        function = callbacks.of_context.verify
        answer = bool(ok) if function is None else function(connection, verification)
        if not isinstance(answer, bool):
            raise TypeError(f"a verify callback returns True or False, not {answer!r}")
        return int(answer)

    answer = int(callbacks.ask(question, 0))
    if answer and not ok:
        lib.X509_STORE_CTX_set_error(store_context, lib.X509_V_OK)
    elif ok and not answer:
        lib.X509_STORE_CTX_set_error(store_context, lib.X509_V_ERR_APPLICATION_VERIFICATION)
    return answer


@callback(0)
def pyossl_on_servername(handle: Any, alert: Any, name: Any, length: int) -> int:
    callbacks: Callbacks = ffi.from_handle(handle)
    indicated = bytes(ffi.buffer(name, length)).decode("utf-8", "backslashreplace") if length else None

    def question(connection: Connection) -> int:
        if callbacks.is_named:
            # A second ClientHello, after a HelloRetryRequest.  The context was chosen by the first name.
            if connection._indicated != indicated:
                alert[0] = lib.SSL_AD_ILLEGAL_PARAMETER
                raise TLSError(f"the client has changed the name from {connection._indicated!r} to {indicated!r}")
            return 1
        callbacks.is_named = True
        connection._indicated = indicated
        function = None if connection._is_context_chosen else callbacks.of_context.servername
        context = None if function is None else function(connection, indicated)
        if isinstance(context, Alert):
            alert[0] = int(context)
            return 0
        if context is not None:
            connection._switch_context(context, "a server name callback")
        return 1

    return int(callbacks.ask(question, 0))


_LARGEST_ALERT = 255


@callback(0)
def pyossl_on_indicated_name(handle: Any, alert: Any, name: Any) -> int:
    callbacks: Callbacks = ffi.from_handle(handle)
    indicated = None if name == ffi.NULL else bytes(ffi.string(name))

    def question(connection: Connection) -> int:
        function = callbacks.of_context.indicated_name
        answer = None if function is None else function(connection, indicated)
        if answer is None:
            return 1
        if not isinstance(answer, int):
            raise TypeError(f"a server name callback returns the number of an alert or None, not {answer!r}")
        if not 0 <= answer <= _LARGEST_ALERT:
            raise ValueError(f"an alert is 0 to {_LARGEST_ALERT}, not {answer}")
        alert[0] = int(answer)
        return 0

    return int(callbacks.ask(question, 0))


_NONE, _REFUSED = -1, -2


@callback(_REFUSED)
def pyossl_on_alpn(handle: Any, offered: Any, length: int) -> int:
    callbacks: Callbacks = ffi.from_handle(handle)
    places: dict[str, int] = {}
    wire, place = bytes(ffi.buffer(offered, length)), 0
    while place < length:
        end = place + 1 + wire[place]
        places.setdefault(wire[place + 1 : end].decode("latin-1"), place)
        place = end

    def question(connection: Connection) -> int:
        function = callbacks.of_context.alpn
        answer = None if function is None else function(connection, tuple(places))
        if answer is None:
            return _NONE
        if not isinstance(answer, str):
            raise TypeError(f"an ALPN callback returns a protocol (a str) or None, not {answer!r}")
        if answer not in places:
            raise ValueError(f"the ALPN callback selected {answer!r}, which the client did not offer: {list(places)}")
        return places[answer]

    return int(callbacks.ask(question, _REFUSED))


@callback()
def pyossl_on_info(handle: Any, where: int, value: int) -> None:
    callbacks: Callbacks = ffi.from_handle(handle)
    if function := callbacks.of_context.info:
        callbacks.ask(lambda connection: function(connection, InfoWhere(where), value), None)


@callback()
def pyossl_on_keylog(handle: Any, line: Any) -> None:
    callbacks: Callbacks = ffi.from_handle(handle)
    if function := callbacks.of_context.keylog:
        entry = text(line)
        callbacks.ask(lambda connection: function(connection, entry), None)


@callback()
def pyossl_on_new_session(handle: Any, session: Any) -> None:
    callbacks: Callbacks = ffi.from_handle(handle)
    if function := callbacks.of_first.new_session:
        callbacks.ask(lambda connection: function(connection, connection._session_of(session)), None)
