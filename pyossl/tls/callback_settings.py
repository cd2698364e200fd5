"""The server name (SNI), info and keylog callbacks of a context.

verification.py has ``verify_callback``, alpn.py has ``alpn_callback``, and session_settings.py has
``new_session_callback``.  callbacks.py has the functions that OpenSSL calls, which call these.
"""

from __future__ import annotations

from pyossl.core import lib
from pyossl.core.arguments import function
from pyossl.tls.callbacks import InfoCallback, KeylogCallback, ServernameCallback
from pyossl.tls.context_state import ContextState


class CallbackSettings(ContextState):
    """The callbacks of a context that belong to no other setting."""

    __slots__ = ()

    @property
    def servername_callback(self) -> ServernameCallback | None:
        """A server's callback that chooses the context by SNI, ``callback(connection, name)``; None for none.

        ``name`` is the server name that the client sent, or None.  The callback returns None to go on with this
        context, or another server's ``Context``, which replaces it: its certificate, versions, ciphers, groups,
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
        lib.pyossl_set_callback(self._ctx, lib.PYOSSL_SERVERNAME, callback is not None)

    @property
    def info_callback(self) -> InfoCallback | None:
        """Called as ``callback(connection, where, value)`` at each step of a handshake and for alerts; None for none.

        ``where`` is a combination of ``InfoWhere``; ``value`` is OpenSSL's result, or the number of the alert.
        SSL_CTX_set_info_callback(3)
        """
        return self._callbacks.info

    @info_callback.setter
    def info_callback(self, callback: InfoCallback | None) -> None:
        self._change()
        function(callback, "an info callback")
        self._callbacks.info = callback
        lib.pyossl_set_callback(self._ctx, lib.PYOSSL_INFO, callback is not None)

    @property
    def keylog_callback(self) -> KeylogCallback | None:
        """Called as ``callback(connection, line)`` with each secret of a connection; None for none.

        ``line`` is text in the SSLKEYLOGFILE format, which Wireshark reads.  Anyone who has these lines can decrypt
        the connection.  SSL_CTX_set_keylog_callback(3)
        """
        return self._callbacks.keylog

    @keylog_callback.setter
    def keylog_callback(self, callback: KeylogCallback | None) -> None:
        self._change()
        function(callback, "a keylog callback")
        self._callbacks.keylog = callback
        lib.pyossl_set_callback(self._ctx, lib.PYOSSL_KEYLOG, callback is not None)
