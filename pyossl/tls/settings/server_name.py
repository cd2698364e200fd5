"""The server name that a client sends (SNI), and the callback that chooses a server's context by it."""

from __future__ import annotations

from pyossl.core import lib
from pyossl.core.arguments import function
from pyossl.tls.callbacks.callbacks import ServernameCallback
from pyossl.tls.settings.context_state import ContextState

_WHOLE_MESSAGE = 2


class ServerNameSettings(ContextState):
    """How a server chooses its context."""

    __slots__ = ()

    @property
    def servername_callback(self) -> ServernameCallback | None:
        """A server's callback that chooses the context by SNI, ``callback(connection, name)``; None for none.

        ``name`` is the server name that the client sent, or None.  The callback returns None to go on with this
        context; an ``Alert``, for example ``Alert.UNRECOGNIZED_NAME``, to refuse the client with it; or another
        server's ``Context``, which replaces this one: its certificate, versions, ciphers, groups,
        signature algorithms, options and verification are in force then.  Two things stay this context's: its groups
        if it has set any and the other context has set none, and the groups of a section of openssl.cnf.  Setting it
        on a client's context raises ``UsageError``.  SSL_CTX_set_tlsext_servername_callback(3)
        """
        return self._callbacks.servername

    @servername_callback.setter
    def servername_callback(self, callback: ServernameCallback | None) -> None:
        self._change_server("servername_callback")
        function(callback, "a server name callback")
        self._callbacks.servername = callback
        self._call_for_client_hello()

    def _call_for_client_hello(self) -> None:
        """Lets C call Python for the server name, or for the whole ClientHello, as the callbacks that are set need."""
        callbacks = self._callbacks
        how = _WHOLE_MESSAGE if callbacks.client_hello is not None else int(callbacks.servername is not None)
        lib.pyossl_set_callback(self._ctx, lib.PYOSSL_SERVERNAME, how)
