"""ALPN, the choice of the application protocol: the protocols of a context, and a server's callback.

SSL_CTX_set_alpn_protos(3), SSL_CTX_set_alpn_select_cb(3)
"""

from __future__ import annotations

from collections.abc import Iterable

from pyossl.core import ffi, lib
from pyossl.core.arguments import function, iterated
from pyossl.core.errors import failed
from pyossl.tls.callbacks.callbacks import ALPNCallback
from pyossl.tls.settings.context_state import ContextState

_LONGEST_PROTOCOL = 255
_LONGEST_LIST = 0xFFFF


class ALPNSettings(ContextState):
    """The application protocols of a context."""

    __slots__ = ()

    def _set_alpn(self, protocols: bytes) -> None:
        if self.is_server:
            self._keep_alpn(protocols)
            self._select_alpn()
        elif lib.SSL_CTX_set_alpn_protos(self._ctx, protocols, len(protocols)) != 0:
            raise failed("SSL_CTX_set_alpn_protos")

    def _keep_alpn(self, protocols: bytes, *, goes_on: bool = False) -> None:
        buffer = ffi.new("unsigned char[]", protocols)
        alpn = {"protocols": buffer, "length": len(protocols), "goes_on": goes_on}
        self._alpn = ffi.new("pyossl_alpn *", alpn), buffer

    def _select_alpn(self) -> None:
        if self._alpn is not None:
            lib.pyossl_set_alpn_select(self._ctx, self._alpn[0])

    @property
    def alpn_callback(self) -> ALPNCallback | None:
        """A server's callback that selects the application protocol, ``callback(connection, offered)``; None for none.

        ``offered`` is the sequence of the protocols that the client offers.  The callback returns one of them, or None
        to go on without a protocol.  It replaces the argument ``alpn`` of ``Context.server``, which is in force again
        when this is set to None.  Setting it on a client's context raises ``UsageError``.
        SSL_CTX_set_alpn_select_cb(3)
        """
        return self._callbacks.alpn

    @alpn_callback.setter
    def alpn_callback(self, callback: ALPNCallback | None) -> None:
        self._change_server("alpn_callback")
        function(callback, "an ALPN callback")
        self._callbacks.alpn = callback
        lib.pyossl_set_callback(self._ctx, lib.PYOSSL_ALPN, callback is not None)
        if callback is None:
            self._select_alpn()


def checked_protocols(alpn: Iterable[str]) -> bytes:
    """The protocols in the format of SSL_CTX_set_alpn_protos(3); ``TypeError`` or ``ValueError`` for invalid ones."""
    if isinstance(alpn, (str, bytes)):
        raise TypeError(
            f"alpn is a sequence of protocol names, not one {type(alpn).__name__}: "
            f"pass a list, for example alpn=[{_as_text(alpn)!r:.80}]"
        )
    protocols: list[bytes] = []
    for protocol in iterated(alpn, "alpn"):
        if not isinstance(protocol, str):
            instead = f", for example {_as_text(protocol)!r:.80}" if isinstance(protocol, bytes) else ""
            raise TypeError(f"an ALPN protocol is a str, not {type(protocol).__name__}: pass its name{instead}")
        if not protocol.isascii():
            raise ValueError(f"an ALPN protocol is ASCII, not {protocol[:80]!a}")
        if not 1 <= len(protocol) <= _LONGEST_PROTOCOL:
            raise ValueError(f"an ALPN protocol has 1 to {_LONGEST_PROTOCOL} characters: {protocol[:80]!r}")
        protocols.append(protocol.encode("ascii"))
    wire = wire_format(protocols)
    if len(wire) > _LONGEST_LIST:
        raise ValueError(f"the ALPN protocols take {len(wire)} bytes together, more than {_LONGEST_LIST}")
    return wire


def _as_text(protocol: str | bytes) -> str:
    return protocol if isinstance(protocol, str) else protocol.decode("latin-1")


def wire_format(protocols: Iterable[bytes]) -> bytes:
    """The protocols in the format of SSL_CTX_set_alpn_protos(3): each follows one byte with its length."""
    return b"".join(bytes([len(protocol)]) + protocol for protocol in protocols)
