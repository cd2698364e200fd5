"""The fingerprints of a client, from the first message that it sends."""

from __future__ import annotations

from pyossl import ClientHello, DecodeError, Message


class FirstHello:
    """Keeps the fingerprints of the first ClientHello of a connection.

    A client sends a second one after a HelloRetryRequest; it is a little different from the first.
    """

    def __init__(self) -> None:
        self.fingerprints = ""
        """Both fingerprints as text; empty before the ClientHello."""

    def add(self, message: Message) -> None:
        """Reads a message.  It is used as ``message_callback``."""
        if self.fingerprints or message.outgoing or message.name != "ClientHello":
            return
        try:
            hello = ClientHello.parse(message.data)
            self.fingerprints = f"JA3 {hello.ja3()}, JA4 {hello.ja4()}"
        except DecodeError as error:  # OpenSSL refuses the client, and says why
            self.fingerprints = f"no fingerprints: {error}"
