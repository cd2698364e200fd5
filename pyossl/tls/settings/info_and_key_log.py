"""The info and keylog callbacks of a context."""

from __future__ import annotations

from pyossl.core import lib
from pyossl.core.arguments import function
from pyossl.tls.callbacks.callbacks import InfoCallback, KeylogCallback
from pyossl.tls.settings.context_state import ContextState


class InfoAndKeyLogSettings(ContextState):
    """What a context reports about its handshakes, and their secrets."""

    __slots__ = ()

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
