"""Pre-shared keys: the peers prove that they know the same secret, with or without certificates.

SSL_CTX_set_psk_client_callback(3), SSL_CTX_set_psk_server_callback(3)

The same callbacks serve TLS 1.2 and TLS 1.3.  In TLS 1.3 the key goes with the hash SHA-256, and so with the
ciphersuites TLS_AES_128_GCM_SHA256 and TLS_CHACHA20_POLY1305_SHA256.
"""

from __future__ import annotations

from typing import Any

from pyossl.core import ffi, lib
from pyossl.core.arguments import function
from pyossl.core.errors import check, require
from pyossl.core.outcome import take_records
from pyossl.core.parked_exceptions import callback
from pyossl.tls.callbacks.callbacks import Callbacks, PSKClientCallback, PSKServerCallback
from pyossl.tls.settings.context_state import ContextState


class PSKSettings(ContextState):
    """The pre-shared keys of a context."""

    __slots__ = ()

    @property
    def psk_client_callback(self) -> PSKClientCallback | None:
        """A client's callback for the pre-shared key, ``callback(connection, hint)``; None for none.

        ``hint`` is the identity hint that a TLS 1.2 server has sent, as bytes, or None.  The callback returns a tuple
        of two ``bytes``, the identity and the key, or None if there is no key.  Without a key a handshake of TLS 1.2
        that chose a PSK cipher fails, and TLS 1.3 goes on with certificates.

        A server that proves to know the key needs no certificate, also if the context verifies: it is not asked for a
        name then.  A server that shows a certificate is verified as always.  Such a session cannot be resumed in
        TLS 1.2.

        The identity has no NUL, and one byte less than ``PSK_MAX_IDENTITY_LEN``: 127 in OpenSSL 1.1.1, 255 in later
        releases.  A key has 256 bytes at most, or 512.  Other values fail the handshake.  Raises ``UnsupportedError``
        if this OpenSSL has no pre-shared keys.  SSL_CTX_set_psk_client_callback(3)
        """
        return self._callbacks.psk_client

    @psk_client_callback.setter
    def psk_client_callback(self, callback: PSKClientCallback | None) -> None:
        self._change()
        self._callbacks.psk_client = _supported(callback)
        lib.pyossl_set_psk_callback(self._ctx, False, callback is not None)

    @property
    def psk_server_callback(self) -> PSKServerCallback | None:
        """A server's callback for the pre-shared key, ``callback(connection, identity)``; None for none.

        ``identity`` is the identity that the client has sent, as bytes.  The callback returns the key, ``bytes``, or
        None for an identity that it does not know.  A TLS 1.2 handshake fails then.  In TLS 1.3 it goes on without the
        key; there the callback is also called with short session tickets, which it must not take for an error.

        Raises ``UnsupportedError`` if this OpenSSL has no pre-shared keys.  Setting it on a client's context raises
        ``UsageError``.  SSL_CTX_set_psk_server_callback(3)
        """
        return self._callbacks.psk_server

    @psk_server_callback.setter
    def psk_server_callback(self, callback: PSKServerCallback | None) -> None:
        self._change_server("psk_server_callback")
        self._callbacks.psk_server = _supported(callback)
        lib.pyossl_set_psk_callback(self._ctx, True, callback is not None)

    def set_psk_identity_hint(self, hint: bytes | None) -> None:
        """Sets the hint that a TLS 1.2 server sends, by which a client chooses its identity; None for none.

        ``hint`` is without a NUL.  Raises ``ValueError`` for one that is too long, 128 bytes in OpenSSL 1.1.1 and 256
        in later releases, ``UnsupportedError`` if this OpenSSL has no pre-shared keys, and ``UsageError`` on a client's
        context.  SSL_CTX_use_psk_identity_hint(3)
        """
        self._change_server("the identity hint")
        require(lib.HAVE_PSK, "pre-shared keys")
        if hint is not None:
            if not isinstance(hint, bytes):
                raise TypeError(f"an identity hint is bytes or None, not {type(hint).__name__}")
            if b"\0" in hint or len(hint) > lib.pyossl_longest_identity():
                raise ValueError(f"an identity hint is {lib.pyossl_longest_identity()} bytes at most, without a NUL")
        take_records()
        check(lib.pyossl_use_psk_hint(self._ctx, ffi.NULL if hint is None else hint), "SSL_CTX_use_psk_identity_hint")


def _supported(callback: Any) -> Any:
    function(callback, "a callback for pre-shared keys")
    if callback is not None:
        require(lib.HAVE_PSK, "pre-shared keys")
    return callback


def _text(pointer: Any) -> bytes | None:
    return None if pointer == ffi.NULL or not (value := ffi.string(pointer)) else bytes(value)


def _put_key(key: object, target: Any, room: int) -> int:
    """Copies a key to where OpenSSL wants it, and returns its length."""
    if not isinstance(key, bytes):
        raise TypeError(f"a pre-shared key is bytes, not {type(key).__name__}")
    if not 1 <= len(key) <= room:
        raise ValueError(f"a pre-shared key has 1 to {room} bytes, not {len(key)}")
    ffi.memmove(target, key, len(key))
    return len(key)


@callback(0)
def pyossl_on_client_key(handle: Any, hint: Any, identity: Any, identity_room: int, key: Any, room: int) -> int:
    callbacks: Callbacks = ffi.from_handle(handle)
    hinted = _text(hint)

    def question(connection: Any) -> int:
        ask = callbacks.of_context.psk_client
        answer = None if ask is None else ask(connection, hinted)
        if answer is None:
            return 0
        if not isinstance(answer, tuple) or len(answer) != 2 or not isinstance(answer[0], bytes):
            raise TypeError(f"a client's PSK callback returns identity and key, two bytes, or None, not {answer!r:.80}")
        name, secret = answer
        if b"\0" in name or len(name) >= identity_room:
            raise ValueError(f"an identity has {identity_room - 1} bytes at most, without a NUL")
        ffi.memmove(identity, name + b"\0", len(name) + 1)
        return _put_key(secret, key, room)

    return int(callbacks.ask(question, 0))


@callback(0)
def pyossl_on_server_key(handle: Any, identity: Any, key: Any, room: int) -> int:
    callbacks: Callbacks = ffi.from_handle(handle)
    name = _text(identity) or b""

    def question(connection: Any) -> int:
        ask = callbacks.of_context.psk_server
        answer = None if ask is None else ask(connection, name)
        return 0 if answer is None else _put_key(answer, key, room)

    return int(callbacks.ask(question, 0))
