"""Every function that OpenSSL's C calls in Python, and what becomes of an exception in one.

The life of a callback, in seven steps
--------------------------------------
1. The user gives a function to a ``Context`` or a ``Connection``, which keeps it in its ``ContextCallbacks`` or
   ``Callbacks``; the connection's know the context's.
2. The C side of the connection holds a handle to these ``Callbacks`` (``ffi.new_handle``), which lives as long as the
   SSL does, and is NULL afterwards.
3. OpenSSL calls a trampoline in pyossl/_c/tls/callbacks.c, which finds the handle from the ``SSL *``.  Where there is
   none, it answers with the failure.
4. The trampoline calls one of the functions below, which turns C values into Python's (copies: nothing borrowed
   leaves) and calls the user's function.
5. If that returns, its answer is checked, and goes back to C; an answer of the wrong type is a ``TypeError``.
6. If it raises, whatever it raises, the exception is parked, and C gets the explicit failure: the handshake fails
   closed.  The first exception is the one that is kept.  So is what a signal's handler raises where no ``try`` of ours
   has begun yet (``callback`` in pyossl/core/lock.py).
7. The call that the user made (``handshake``, ``read_into``, …) finds the parked exception when C returns, marks the
   connection dead and raises that very exception.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from pyossl.core.binding import ffi, lib, text
from pyossl.core.errors import TLSError
from pyossl.core.flags import InfoWhere
from pyossl.core.parked_exceptions import callback
from pyossl.tls.message import Message
from pyossl.x509.certificate import Certificate, borrowed, chain_of

if TYPE_CHECKING:
    from pyossl.tls.connection import Connection
    from pyossl.tls.context import Context
    from pyossl.tls.session import Session


class Verification(NamedTuple):
    """What OpenSSL found of one certificate of the peer's chain.  X509_STORE_CTX_get_error(3)

    ``ok`` is OpenSSL's own verdict, ``code`` the X509_V_ERR_x and ``reason`` its text, ``depth`` the certificate's
    place in ``chain`` (0 is the peer's own), which is the chain as far as it was built.
    """

    ok: bool
    code: int
    reason: str
    depth: int
    certificate: Certificate | None
    chain: tuple[Certificate, ...]


VerifyCallback = Callable[["Connection", Verification], bool]
ServernameCallback = Callable[["Connection", "str | None"], "Context | None"]
ALPNCallback = Callable[["Connection", Sequence[str]], "str | None"]
InfoCallback = Callable[["Connection", InfoWhere, int], object]
KeylogCallback = Callable[["Connection", str], object]
NewSessionCallback = Callable[["Connection", "Session"], object]
MessageCallback = Callable[[Message], object]


class ContextCallbacks:
    """The callbacks that all connections of one context share."""

    __slots__ = ("alpn", "info", "keylog", "new_session", "servername", "verify")

    def __init__(self) -> None:
        self.verify: VerifyCallback | None = None
        self.servername: ServernameCallback | None = None
        self.alpn: ALPNCallback | None = None
        self.info: InfoCallback | None = None
        self.keylog: KeylogCallback | None = None
        self.new_session: NewSessionCallback | None = None


class Callbacks:
    """One connection's callbacks, and the exception that one of them raised."""

    __slots__ = ("__weakref__", "connection", "is_named", "message", "of_context", "of_first", "parked")

    def __init__(self, connection: Connection, of_context: ContextCallbacks) -> None:
        self.connection: weakref.ref[Connection] = weakref.ref(connection)
        self.of_context = of_context
        # OpenSSL goes on with the first context's sessions when it has switched to another (docs/pitfalls.md, 13).
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
        """The answer of ``question``; ``failure`` once anything has been raised, which is parked."""
        connection = self.connection()
        if connection is None or self.parked is not None:
            return failure
        try:
            return question(connection)
        except BaseException as error:  # raised again by the call that the user made
            self.park(error)
            return failure


@callback()  # type: ignore[untyped-decorator]  # cffi's own
def pyossl_on_message(handle: Any, outgoing: int, version: int, content_type: int, data: Any, length: int) -> None:
    callbacks: Callbacks = ffi.from_handle(handle)
    if function := callbacks.message:
        message = Message(bool(outgoing), version, content_type, bytes(ffi.buffer(data, length)))
        callbacks.ask(lambda connection: function(message), None)


@callback(0)  # type: ignore[untyped-decorator]
def pyossl_on_verify(handle: Any, ok: int, store_context: Any) -> int:
    callbacks: Callbacks = ffi.from_handle(handle)
    code = lib.X509_STORE_CTX_get_error(store_context)
    verification = Verification(
        bool(ok),
        code,
        text(lib.X509_verify_cert_error_string(code)),
        lib.X509_STORE_CTX_get_error_depth(store_context),
        borrowed(lib.X509_STORE_CTX_get_current_cert(store_context)),
        chain_of(lib.X509_STORE_CTX_get0_chain(store_context)),
    )

    def question(connection: Connection) -> int:
        function = callbacks.of_context.verify
        answer = bool(ok) if function is None else function(connection, verification)
        if not isinstance(answer, bool):
            raise TypeError(f"a verify callback answers True or False, not {answer!r}")
        return int(answer)

    answer = int(callbacks.ask(question, 0))
    if answer and not ok:
        lib.X509_STORE_CTX_set_error(store_context, lib.X509_V_OK)
    elif ok and not answer:
        lib.X509_STORE_CTX_set_error(store_context, lib.X509_V_ERR_APPLICATION_VERIFICATION)
    return answer


@callback(0)  # type: ignore[untyped-decorator]
def pyossl_on_servername(handle: Any, alert: Any, name: Any, length: int) -> int:
    callbacks: Callbacks = ffi.from_handle(handle)
    indicated = bytes(ffi.buffer(name, length)).decode("utf-8", "backslashreplace") if length else None

    def question(connection: Connection) -> int:
        if callbacks.is_named:
            # A second ClientHello, after a HelloRetryRequest: what was chosen by the first name is not for another.
            if connection._indicated != indicated:
                alert[0] = lib.SSL_AD_ILLEGAL_PARAMETER
                raise TLSError(f"the client has changed the name from {connection._indicated!r} to {indicated!r}")
            return 1
        callbacks.is_named = True
        connection._indicated = indicated
        function = callbacks.of_context.servername
        context = None if function is None else function(connection, indicated)
        if context is not None:
            connection._switch_context(context)
        return 1

    return int(callbacks.ask(question, 0))


_NONE, _REFUSED = -1, -2


@callback(_REFUSED)  # type: ignore[untyped-decorator]
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
            raise TypeError(f"an ALPN callback answers with a protocol or None, not {answer!r}")
        if answer not in places:
            raise ValueError(f"the ALPN callback selected {answer!r}, which the client did not offer: {list(places)}")
        return places[answer]

    return int(callbacks.ask(question, _REFUSED))


@callback()  # type: ignore[untyped-decorator]
def pyossl_on_info(handle: Any, where: int, value: int) -> None:
    callbacks: Callbacks = ffi.from_handle(handle)
    if function := callbacks.of_context.info:
        callbacks.ask(lambda connection: function(connection, InfoWhere(where), value), None)


@callback()  # type: ignore[untyped-decorator]
def pyossl_on_keylog(handle: Any, line: Any) -> None:
    callbacks: Callbacks = ffi.from_handle(handle)
    if function := callbacks.of_context.keylog:
        entry = text(line)
        callbacks.ask(lambda connection: function(connection, entry), None)


@callback()  # type: ignore[untyped-decorator]
def pyossl_on_new_session(handle: Any, session: Any) -> None:
    callbacks: Callbacks = ffi.from_handle(handle)
    if function := callbacks.of_first.new_session:
        callbacks.ask(lambda connection: function(connection, connection._session_of(session)), None)
