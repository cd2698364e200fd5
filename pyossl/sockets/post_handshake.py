"""``update_keys``, ``renegotiate`` and ``request_certificate`` of a blocking socket."""

from __future__ import annotations

from pyossl.core import lib
from pyossl.sockets.recv_send import RecvSendMethods
from pyossl.tls.connection.post_handshake import key_update


class PostHandshakeMethods(RecvSendMethods):
    """The methods of ``Socket`` that begin something after the handshake."""

    def update_keys(self, *, request_peer: bool = False) -> None:
        """Changes the key with which this side encrypts; with ``request_peer`` the peer changes its key too.

        TLS 1.3 only.  It waits only for room in the transport, as ``send`` does.  Another thread may read or write
        meanwhile.  Raises the errors of ``Connection.update_keys`` and ``sendall``.  SSL_key_update(3)
        """
        self._post_handshake(key_update(request_peer))

    def renegotiate(self) -> None:
        """Does another handshake, if ``Context.allow_renegotiation`` allows one.  TLS 1.2 and older only.

        A client waits until it is finished.  A server only asks its client for it, and the handshake comes with later
        reads.  A client raises ``NotDueError`` if the server's data comes first and no other thread waits for it.
        After that, and after ``TimeoutError`` and ``WouldBlockError``, the renegotiation has begun: read the data, and
        call ``handshake``, which goes on with it.  Raises the errors of ``Connection.renegotiate``.  SSL_renegotiate(3)
        """
        self._post_handshake(lib.PYOSSL_RENEGOTIATE)

    def request_certificate(self) -> None:
        """On a server with ``verify="later"``, asks the client for its certificate.  TLS 1.3 only.

        The certificate comes with later reads: ``connection.peer_certificate`` is None until then.  Raises the errors
        of ``Connection.request_certificate``.  SSL_verify_client_post_handshake(3)
        """
        self._post_handshake(self.connection._certificate_request())

    def _post_handshake(self, what: int) -> None:
        self.connection.post_handshake(what, self._timeout)
