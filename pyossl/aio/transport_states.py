"""The states of a transport.  A transport starts in the first and only goes to later ones.

``HANDSHAKE``  The protocol does not have the transport yet.  If the handshake succeeds, ``connection_made`` is called.
               If it fails, ``waiter`` gets the exception.
``OPEN``       Readable bytes are decrypted and delivered.  Written bytes are encrypted and sent at once as far as
               possible.  The rest stays in the write buffer, whose size flow control counts.
``RECEIVING``  A write has failed, and further writes are dropped.  The bytes that the peer has sent are delivered to
               their end.  Then ``connection_lost`` is called with the write's exception.
``FLUSHING``   ``close`` was called.  Nothing more is delivered, and the write buffer is sent.
``SHUTDOWN``   close_notify has been sent, and the peer's is awaited.  Data that comes before it is dropped.  It must be
               read: the kernel resets a connection that is closed with unread bytes, and the peer would lose what it
               has not read yet.
``CLOSED``     ``connection_lost`` has been called or will be in the loop's next turn.  Then everything is freed.
"""

from __future__ import annotations

HANDSHAKE, OPEN, RECEIVING, FLUSHING, SHUTDOWN, CLOSED = range(6)

STATE_NAMES = ("handshake", "open", "receiving", "flushing", "closing", "closed")
"""The names that the ``repr`` of a transport shows."""
