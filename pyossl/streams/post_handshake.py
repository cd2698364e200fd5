"""``update_keys``, ``renegotiate`` and ``request_certificate`` of the streams of trio and anyio."""

from __future__ import annotations

from functools import partial

from pyossl.streams.async_stream import AsyncStream
from pyossl.tls.connection.connection import Connection
from pyossl.tls.connection.negotiated_summary import ChannelBindingsSummary
from pyossl.tls.connection.post_handshake import key_update


class AsyncPostHandshakeMethods(ChannelBindingsSummary):
    """The methods of a stream that begin something after the handshake."""

    connection: Connection
    _async_stream: AsyncStream

    async def update_keys(self, *, request_peer: bool = False) -> None:
        """Changes the key with which this side encrypts; with ``request_peer`` the peer changes its key too.

        TLS 1.3 only.  Another task may receive meanwhile, but not send.  Raises the errors of
        ``Connection.update_keys``.  SSL_key_update(3)
        """
        await self._async_stream.post_handshake(partial(self.connection._post_handshake, key_update(request_peer)))

    async def renegotiate(self) -> None:
        """Does another handshake, if ``Context.allow_renegotiation`` allows one.  TLS 1.2 and older only.

        A client waits until it is finished.  A server only asks its client for it: the handshake comes with later
        receives.  If the peer has sent data, a client raises ``NotDueError``, unless another task receives: the
        renegotiation has begun, and goes on when the data is received.  Raises the errors of
        ``Connection.renegotiate``.  SSL_renegotiate(3)
        """
        await self._async_stream.post_handshake(self.connection.renegotiate)

    async def request_certificate(self) -> None:
        """On a server with ``verify="later"``, asks the client for its certificate.  TLS 1.3 only.

        The certificate comes with later receives: ``connection.peer_certificate`` is None until then.  Raises the
        errors of ``Connection.request_certificate``.  SSL_verify_client_post_handshake(3)
        """
        await self._async_stream.post_handshake(self.connection.request_certificate)
