"""A message callback that records the messages of a connection: their times and sizes, and what they say."""

from __future__ import annotations

import threading
from collections.abc import Container, Mapping

from pyossl import Message
from pyossl.cli.handshake_facts import HandshakeFacts
from pyossl.cli.handshake_ladder import Ladder
from pyossl.cli.pre_shared_keys import identity_text
from pyossl.cli.screen import Screen
from pyossl.tls.context.context import Context
from pyossl.tls.settings.cipher_suite import CipherSuite


class ObservedHandshake:
    """The messages of a connection of ``context``.  If there is a screen, each one is printed as soon as it is added.

    ``identities`` are those of the pre-shared keys that the context knows.

    Two threads may add messages, one that reads and one that writes.
    """

    def __init__(self, context: Context, screen: Screen | None = None, identities: Container[bytes] = ()) -> None:
        self.ladder = Ladder()
        self.suites: Mapping[int, CipherSuite] = {suite.number: suite for suite in context.cipher_suites}
        self.facts = HandshakeFacts(self.suites)
        self._screen = screen
        self._identities = identities
        self._has_ended = False
        self._lock = threading.Lock()

    def add(self, message: Message) -> None:
        """Adds a message.  It is used as ``message_callback``."""
        with self._lock:
            if self._has_ended:
                return
            first = not self.ladder.rungs
            rung = self.ladder.add(message)
            self.facts.add(message)
            if rung is not None and self._screen is not None:
                if first:
                    self.ladder.draw_head(self._screen)
                self.ladder.draw_rung(rung, self._screen)

    @property
    def psk_identity(self) -> str | None:
        """The identity of the pre-shared key in use; None without one, and on a resumed connection."""
        # A client may add a NUL and more to the identity: OpenSSL looks up what is before the NUL.
        identity = (self.facts.identity or b"").partition(b"\0")[0]
        return identity_text(identity) if identity in self._identities else None

    def end(self) -> None:
        """Ignores all later messages.  Otherwise a peer that sends more and more of them needs more and more memory."""
        with self._lock:
            self._has_ended = True
