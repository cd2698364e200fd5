"""What a program begins on an open connection: new keys, another handshake, a request for the client's certificate.

Each method does one step, and sends what there is to send.  If it returns a ``Want``, the step has begun:
``Connection.handshake`` goes on with it, and so do reads and writes (pyossl/_c/tls/connection/post_handshake.c).
"""

from __future__ import annotations

from pyossl.core import lib
from pyossl.core.arguments import flag
from pyossl.core.errors import UsageError
from pyossl.core.outcome import Want
from pyossl.tls.connection.connection_outcome import ConnectionOutcome

OPERATIONS: dict[int, str] = {
    lib.PYOSSL_UPDATE_KEYS: "SSL_key_update",
    lib.PYOSSL_UPDATE_BOTH_KEYS: "SSL_key_update",
    lib.PYOSSL_RENEGOTIATE: "SSL_renegotiate",
    lib.PYOSSL_REQUEST_CERTIFICATE: "SSL_verify_client_post_handshake",
}
"""The steps in C, and the function of OpenSSL that each calls."""


class PostHandshake(ConnectionOutcome):
    """The steps that a program begins after the handshake."""

    def update_keys(self, *, request_peer: bool = False) -> Want | None:
        """Changes the key with which this side encrypts.  TLS 1.3 only.

        - ``request_peer``: True asks the peer to change its key too, which it does before it sends again.

        Returns None when the message is sent, otherwise the ``Want`` for ``handshake``, which goes on.  OpenSSL changes
        no key by itself: docs/howto/key-update.md says when a program should.  Raises ``NotDueError`` before the
        handshake is finished and while a write must be repeated, ``Error`` in TLS 1.2, and the errors of a write.
        SSL_key_update(3)
        """
        return self._post_handshake(key_update(request_peer))

    def renegotiate(self) -> Want | None:
        """Begins another handshake, if ``Context.allow_renegotiation`` allows one.  TLS 1.2 and older only.

        A client returns None when the new handshake is finished.  A server returns None when it has asked its client
        for one, which comes with later reads.  Otherwise it returns the ``Want`` for ``handshake``, which goes on.  If
        the peer sends data meanwhile, read it first.  A peer that refuses ends the connection: OpenSSL treats that as a
        failure.  Raises ``NotDueError`` while a handshake is not finished, ``Error`` if no renegotiation is allowed
        (any more), or in TLS 1.3, and the errors of ``handshake``.  SSL_renegotiate(3)
        """
        return self._post_handshake(lib.PYOSSL_RENEGOTIATE)

    def request_certificate(self) -> Want | None:
        """On a server with ``verify="later"``, asks the client for its certificate, after the handshake.  TLS 1.3 only.

        Returns None when the request is sent, otherwise the ``Want`` for ``handshake``, which goes on.  The certificate
        comes with later reads: ``peer_certificate`` is None until then.  A client that has none, or one that does not
        verify, is refused by a read.  Raises ``Error`` if the client does not allow it, or in TLS 1.2, and
        ``UsageError`` on a client.  SSL_verify_client_post_handshake(3)
        """
        return self._post_handshake(self._certificate_request())

    def _post_handshake(self, what: int) -> Want | None:
        result = lib.pyossl_post_handshake(self._c, what)
        return None if result == 0 else self._unfinished(result, OPERATIONS[what])

    def _certificate_request(self) -> int:
        """The number of the step in C.  Raises ``UsageError`` on a client."""
        if not self._ask(lib.SSL_is_server):
            raise UsageError("request_certificate() is only for servers: this connection is a client's")
        number: int = lib.PYOSSL_REQUEST_CERTIFICATE
        return number


def key_update(request_peer: bool) -> int:
    """The number of the step in C.  Raises ``TypeError`` unless ``request_peer`` is a ``bool``."""
    number: int = lib.PYOSSL_UPDATE_BOTH_KEYS if flag(request_peer, "request_peer") else lib.PYOSSL_UPDATE_KEYS
    return number
