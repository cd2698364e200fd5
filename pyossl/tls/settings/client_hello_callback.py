"""The callback that sees a client's first message before the server uses it.  SSL_CTX_set_client_hello_cb(3)"""

from __future__ import annotations

from typing import Any

from pyossl.core import ffi, lib
from pyossl.core.arguments import function
from pyossl.core.errors import DecodeError, TLSError
from pyossl.core.outcome import Want
from pyossl.core.parked_exceptions import callback
from pyossl.tls.callbacks.alert import Alert
from pyossl.tls.callbacks.callbacks import Callbacks, ClientHelloCallback
from pyossl.tls.callbacks.client_hello import ClientHello
from pyossl.tls.callbacks.suspension import NO_ANSWER, answer_of
from pyossl.tls.settings.server_name import ServerNameSettings

_WHAT = "a ClientHello callback"


class ClientHelloSettings(ServerNameSettings):
    """What a server does with the first message of a client."""

    __slots__ = ()

    @property
    def client_hello_callback(self) -> ClientHelloCallback | None:
        """A server's callback for the first message of a client, ``callback(connection, hello)``; None for none.

        ``hello`` is a ``ClientHello``, with all extensions in their order.  OpenSSL has used nothing of the message
        yet.  The callback returns

        - None, to go on with this context;
        - another server's ``Context``, which replaces this one, as ``servername_callback`` describes.  That callback is
          not called then;
        - an ``Alert``, to refuse the client with it;
        - ``Want.CLIENT_HELLO``, if it has no answer yet: ``handshake`` returns it, and asks again when it is repeated;
        - with asyncio, trio or anyio an awaitable of one of these, so that it may be an ``async def`` function.

        A message that is malformed is refused before.  After a HelloRetryRequest, the client's second message is not
        passed to the callback; a client that changes the server name in it is refused.  Setting it on a client's
        context raises ``UsageError``.  SSL_CTX_set_client_hello_cb(3)
        """
        return self._callbacks.client_hello

    @client_hello_callback.setter
    def client_hello_callback(self, callback: ClientHelloCallback | None) -> None:
        self._change_server("client_hello_callback")
        self._callbacks.client_hello = function(callback, _WHAT)
        self._call_for_client_hello()


@callback(lib.PYOSSL_REFUSED)
def pyossl_on_client_hello(handle: Any, alert: Any, data: Any, length: int) -> int:
    callbacks: Callbacks = ffi.from_handle(handle)
    message = bytes(ffi.buffer(data, length)) if length else b""

    def question(connection: Any) -> int:
        ask = callbacks.of_context.client_hello
        if ask is None:
            return int(lib.PYOSSL_ACCEPTED)
        hello = _parsed(message, alert)
        answer = answer_of(connection, Want.CLIENT_HELLO, lambda: ask(connection, hello), _WHAT)
        if answer is NO_ANSWER:
            return int(lib.PYOSSL_NO_ANSWER)
        if isinstance(answer, Alert):
            alert[0] = int(answer)
            return int(lib.PYOSSL_REFUSED)
        if answer is not None:
            connection._switch_context(answer, _WHAT)
            connection._is_context_chosen = True
        return int(lib.PYOSSL_ACCEPTED)

    return int(callbacks.ask(question, lib.PYOSSL_REFUSED))


def _parsed(message: bytes, alert: Any) -> ClientHello:
    try:
        return ClientHello.parse(message)
    except DecodeError as error:  # what a peer sends is no mistake of the program's
        alert[0] = int(Alert.DECODE_ERROR)
        why = str(error) if message else "it has the form of SSL 2, or there is no memory for it"
        raise TLSError(f"the ClientHello cannot be used: {why}") from error
