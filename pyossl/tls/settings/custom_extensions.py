"""Extensions of TLS that OpenSSL does not know: the program writes and reads them.  SSL_CTX_add_custom_ext(3)

An extension has a number, and stands in one or more messages of the handshake.  For each message that is written,
OpenSSL asks the program for the bytes; for each one that is read, it gives the bytes to the program.  Both kinds of
function are kept in the context's callbacks, by the number of the extension.

A server's callback may choose another context when OpenSSL has found the extensions in the ClientHello, and before it
gives them to the program.  It has found those that the first context has, in the order in which they were added, and
then gives as many to the program as the second context has (docs/pitfalls.md, 87).  So the second context's extensions
must be those that were added first to the first one.  It always finds certificate timestamps, but counts them too.
"""

from __future__ import annotations

from typing import Any

from pyossl.core import ffi, lib
from pyossl.core.arguments import function, instance, integer
from pyossl.core.errors import UsageError, check
from pyossl.core.flags import ExtensionContext
from pyossl.core.outcome import take_records
from pyossl.core.parked_exceptions import callback
from pyossl.tls.callbacks.alert import Alert
from pyossl.tls.callbacks.callbacks import AddExtensionCallback, Callbacks, ContextCallbacks, ParseExtensionCallback
from pyossl.tls.callbacks.custom_extension import CustomExtension
from pyossl.tls.settings.context_state import ContextState
from pyossl.x509.certificate import borrowed

_NONE: tuple[None, None] = None, None
_LARGEST_TYPE = 0xFFFF
_SCTS = lib.TLSEXT_TYPE_signed_certificate_timestamp
_LONGEST = 0xFFFF
"""The length of an extension has two bytes in TLS."""
_USUAL = (
    ExtensionContext.CLIENT_HELLO | ExtensionContext.TLS1_2_SERVER_HELLO | ExtensionContext.TLS1_3_ENCRYPTED_EXTENSIONS
)
_ANSWERS = (
    ExtensionContext.TLS1_2_SERVER_HELLO
    | ExtensionContext.TLS1_3_SERVER_HELLO
    | ExtensionContext.TLS1_3_ENCRYPTED_EXTENSIONS
    | ExtensionContext.TLS1_3_HELLO_RETRY_REQUEST
)
_MESSAGES = (
    _ANSWERS
    | ExtensionContext.CLIENT_HELLO
    | ExtensionContext.TLS1_3_CERTIFICATE
    | ExtensionContext.TLS1_3_NEW_SESSION_TICKET
    | ExtensionContext.TLS1_3_CERTIFICATE_REQUEST
)
TIMESTAMP_MESSAGES = (
    ExtensionContext.CLIENT_HELLO | ExtensionContext.TLS1_2_SERVER_HELLO | ExtensionContext.TLS1_3_CERTIFICATE
)
"""The messages with the timestamps of certificate logs, which OpenSSL takes for an extension of the program's own."""


class CustomExtensionSettings(ContextState):
    """The extensions that a program adds to the handshakes of a context."""

    __slots__ = ()

    def add_extension(
        self,
        extension_type: int,
        *,
        add: AddExtensionCallback | None = None,
        parse: ParseExtensionCallback | None = None,
        messages: ExtensionContext = _USUAL,
    ) -> None:
        """Adds an extension of TLS to the handshakes of this context, which OpenSSL itself does not know.

        - ``extension_type``: its number, 0 to 65535.  65280 to 65535 are for private use.
        - ``add``: ``add(connection, extension)`` is called for each message that this side writes, with a
          ``CustomExtension``.  It returns the ``bytes`` to send, 65,535 at most and as many as there is room for in
          the message; or None to leave the extension out; or an ``Alert``, which ends the handshake.  Without it, a
          client sends an empty extension, and a server sends none.
        - ``parse``: ``parse(connection, extension)`` is called for each message of the peer that has the extension.  It
          returns None, or an ``Alert``, which ends the handshake.  Without it, what the peer sends is ignored.
        - ``messages``: the messages that may have the extension, a combination of ``ExtensionContext``.  The default is
          the request of a client and the answer of a server, in TLS 1.2 and 1.3.

        A server's answer, and the extensions of its certificates, are only sent to a client that has sent the
        extension.  A client's certificates have it only if the server's CertificateRequest had it.  An answer that the
        client has not asked for ends the handshake, and so does an extension in a message that ``messages`` does not
        have.  An exception in a callback, and an answer of another kind, end the handshake too.

        What a client sends is not encrypted, also with Encrypted Client Hello; there it cannot be left out.  A server's
        ``servername_callback`` and ``client_hello_callback`` may choose a context that has the same extensions, added
        in the same order, or none.

        Raises ``ValueError`` for a number whose extension this OpenSSL handles itself, and for ``messages`` without a
        message, or with an answer and without the message that asks for it; ``UsageError`` for a number that has been
        added already, and for timestamps of certificate logs (18) after ``verify_scts``.  SSL_CTX_add_custom_ext(3)
        """
        self._change()
        number = integer(extension_type, "the type of an extension", 0, _LARGEST_TYPE)
        function(add, "add")
        function(parse, "parse")
        contexts = _checked(instance(messages, ExtensionContext, "messages"))
        is_scts = number == _SCTS
        if lib.SSL_extension_supported(number) and not is_scts:
            raise ValueError(f"OpenSSL handles the extension {number} itself: a program cannot add it")
        if is_scts and lib.HAVE_CT and lib.SSL_CTX_ct_is_enabled(self._ctx):
            raise UsageError("verify_scts handles the extension 18 itself: it cannot be added too")
        if lib.SSL_CTX_has_client_custom_ext(self._ctx, number):
            raise UsageError(f"the extension {number} has been added to this context already")
        take_records()
        check(
            lib.pyossl_add_extension(self._ctx, number, contexts, add is not None, parse is not None),
            "SSL_CTX_add_custom_ext",
        )
        self._callbacks.extensions[number] = add, parse

    def _freeze_extensions(self) -> None:
        """Makes a place for the certificate timestamps of a context that is chosen instead of this one."""
        callbacks = self._callbacks
        if (callbacks.servername is None and callbacks.client_hello is None) or _SCTS in callbacks.extensions:
            return
        take_records()
        check(lib.pyossl_add_extension(self._ctx, _SCTS, TIMESTAMP_MESSAGES, False, False), "SSL_CTX_add_custom_ext")
        callbacks.extensions[_SCTS] = _NONE


def _checked(messages: ExtensionContext) -> ExtensionContext:
    if not messages & _MESSAGES:
        raise ValueError("messages has no message: it is, for example, ExtensionContext.CLIENT_HELLO")
    asked = ExtensionContext.CLIENT_HELLO
    if messages & _ANSWERS and not messages & asked:
        raise ValueError("messages has a server's answer, but no CLIENT_HELLO that asks for it")
    asked |= ExtensionContext.TLS1_3_CERTIFICATE_REQUEST
    if messages & ExtensionContext.TLS1_3_CERTIFICATE and not messages & asked:
        raise ValueError("messages has TLS1_3_CERTIFICATE, but no CLIENT_HELLO or TLS1_3_CERTIFICATE_REQUEST before it")
    return messages


def check_chosen(first: ContextCallbacks, chosen: ContextCallbacks) -> None:
    """Raises ``UsageError`` if a server cannot go on with the extensions of the context that a callback has chosen."""
    size = len(chosen.extensions)
    found = set([*first.extensions][:size])
    if len(found) == size and lib.HAVE_CT:
        found.add(_SCTS)  # OpenSSL knows this one itself, and finds it whatever its place
    if not chosen.extensions.keys() <= found:
        raise UsageError(
            f"the chosen context has the extensions {_listed(chosen)}, and the first one has {_listed(first)}: add the "
            "same extensions, in the same order, to all contexts between which a server chooses"
        )


def _listed(callbacks: ContextCallbacks) -> str:
    return ", ".join(map(str, callbacks.extensions)) or "none"


@callback(-1)
def pyossl_on_add_extension(handle: Any, number: int, message: int, x509: Any, depth: int, alert: Any) -> int:
    callbacks: Callbacks = ffi.from_handle(handle)

    def question(connection: Any) -> int:
        certificate = borrowed(x509, connection._context._library_context)
        add, _ = callbacks.of_context.extensions.get(number, _NONE)
        extension = CustomExtension(number, ExtensionContext(message), b"", certificate, depth)
        answer = None if add is None else add(connection, extension)
        if answer is None:
            if message & lib.SSL_EXT_CLIENT_HELLO and connection._ech is not None:
                raise UsageError(f"the extension {number} cannot be left out: it is a part of Encrypted Client Hello")
            return 0
        if isinstance(answer, Alert):
            alert[0] = int(answer)
            return -1
        if not isinstance(answer, bytes):
            raise TypeError(f"add returns the bytes of the extension, an Alert or None, not {type(answer).__name__}")
        if len(answer) > _LONGEST:
            raise ValueError(f"an extension has {_LONGEST} bytes at most, not {len(answer)}")
        if lib.pyossl_give_extension(connection._c, answer, len(answer)) != 1:
            raise MemoryError
        return 1

    return int(callbacks.ask(question, -1))


@callback(0)
def pyossl_on_parse_extension(
    handle: Any, number: int, message: int, data: Any, length: int, x509: Any, depth: int, alert: Any
) -> int:
    callbacks: Callbacks = ffi.from_handle(handle)
    received = bytes(ffi.buffer(data, length)) if length else b""

    def question(connection: Any) -> int:
        certificate = borrowed(x509, connection._context._library_context)
        extension = CustomExtension(number, ExtensionContext(message), received, certificate, depth)
        _, parse = callbacks.of_context.extensions.get(number, _NONE)
        answer = None if parse is None else parse(connection, extension)
        if isinstance(answer, Alert):
            alert[0] = int(answer)
            return 0
        if answer is not None:
            raise TypeError(f"parse returns an Alert or None, not {type(answer).__name__}")
        return 1

    return int(callbacks.ask(question, 0))
