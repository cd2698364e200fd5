"""Pre-shared keys of TLS 1.3, with any identity and a hash of their own.

SSL_CTX_set_psk_use_session_callback(3), SSL_CTX_set_psk_find_session_callback(3)

The callbacks of pre_shared_keys.py serve TLS 1.2 as well.  There an identity is a C string, and in TLS 1.3 the hash is
always SHA-256.  If both are set, OpenSSL asks these first in TLS 1.3.
"""

from __future__ import annotations

from typing import Any

from pyossl.core import ffi, lib
from pyossl.core.arguments import function
from pyossl.core.errors import require
from pyossl.core.parked_exceptions import callback
from pyossl.tls.callbacks.callbacks import Callbacks, PSKFindSessionCallback, PSKUseSessionCallback
from pyossl.tls.sessions.pre_shared_key import DIGESTS, PreSharedKey
from pyossl.tls.sessions.pre_shared_keys import PSKSettings

_CLIENTS = "a client's callback for TLS 1.3 pre-shared keys"
_SERVERS = "a server's callback for TLS 1.3 pre-shared keys"


class PSKSessionSettings(PSKSettings):
    """The pre-shared keys of a context, of TLS 1.3 and of the versions before."""

    __slots__ = ()

    @property
    def psk_use_session_callback(self) -> PSKUseSessionCallback | None:
        """A client's callback for the key of TLS 1.3, ``callback(connection, digest)``; None for none.

        It returns a ``PreSharedKey``, or None to go on without one.  ``digest`` is None when the ClientHello is made.
        After a HelloRetryRequest the server has chosen the cipher suite, and the callback is called again with its
        hash, ``"sha256"`` or ``"sha384"``.  A key with another hash is left out then.

        The server may use the key, or show its certificate: then it is verified as always.  A server that proves to
        know the key needs no certificate, also if the context verifies: it is not asked for a name.

        Raises ``UnsupportedError`` if this OpenSSL has no TLS 1.3.  SSL_CTX_set_psk_use_session_callback(3)
        """
        return self._callbacks.psk_use_session

    @psk_use_session_callback.setter
    def psk_use_session_callback(self, callback: PSKUseSessionCallback | None) -> None:
        self._change()
        self._callbacks.psk_use_session = _supported(callback, _CLIENTS)
        lib.pyossl_set_psk_session_callback(self._ctx, False, callback is not None)

    @property
    def psk_find_session_callback(self) -> PSKFindSessionCallback | None:
        """A server's callback for the key of TLS 1.3, ``callback(connection, identity)``; None for none.

        ``identity`` is what the client has sent, all its bytes.  The callback returns the ``PreSharedKey`` with this
        identity, or None if it does not know it: the handshake goes on without it.  It is also called with session
        tickets, which it must not take for an error (docs/pitfalls.md, 57).

        The server chooses the cipher suite before it looks at the key.  A key with the hash of another suite is not
        used, so allow only suites with the hash of your keys: ``set_ciphersuites``.

        Raises ``UnsupportedError`` if this OpenSSL has no TLS 1.3.  Setting it on a client's context raises
        ``UsageError``.  SSL_CTX_set_psk_find_session_callback(3)
        """
        return self._callbacks.psk_find_session

    @psk_find_session_callback.setter
    def psk_find_session_callback(self, callback: PSKFindSessionCallback | None) -> None:
        self._change_server("psk_find_session_callback")
        self._callbacks.psk_find_session = _supported(callback, _SERVERS)
        lib.pyossl_set_psk_session_callback(self._ctx, True, callback is not None)


def _supported(callback: Any, what: str) -> Any:
    function(callback, what)
    if callback is not None:
        require(lib.HAVE_TLS1_3, "TLS 1.3")
    return callback


def _checked(answer: object, what: str) -> PreSharedKey | None:
    if answer is not None and not isinstance(answer, PreSharedKey):
        raise TypeError(f"{what} returns a PreSharedKey or None, not {type(answer).__name__}")
    return answer


@callback(0)
def pyossl_on_use_session(handle: Any, digest_size: int, identity: Any, length: Any, session: Any) -> int:
    callbacks: Callbacks = ffi.from_handle(handle)
    digest = DIGESTS.get(digest_size)

    def question(connection: Any) -> int:
        ask = callbacks.of_context.psk_use_session
        key = None if ask is None else _checked(ask(connection, digest), _CLIENTS)
        if key is None or (digest_size and key.digest != digest):
            return 1
        # OpenSSL copies the identity after this function has returned.
        connection._psk_identity = ffi.from_buffer("unsigned char[]", key.identity)
        identity[0], length[0] = connection._psk_identity, len(key.identity)
        return int(lib.pyossl_lend_session(session, key._session(connection._c.ssl)))

    return int(callbacks.ask(question, 0))


@callback(0)
def pyossl_on_find_session(handle: Any, identity: Any, length: int, session: Any) -> int:
    callbacks: Callbacks = ffi.from_handle(handle)
    name = bytes(ffi.buffer(identity, length)) if length else b""

    def question(connection: Any) -> int:
        ask = callbacks.of_context.psk_find_session
        key = None if ask is None else _checked(ask(connection, name), _SERVERS)
        if key is None:
            return 1
        if key.identity != name:
            raise ValueError(f"the client has the identity {name[:32]!r}, and the key is of {key.identity[:32]!r}")
        return int(lib.pyossl_lend_session(session, key._session(connection._c.ssl)))

    return int(callbacks.ask(question, 0))
