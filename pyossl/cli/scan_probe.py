"""One handshake of a scan: what was offered, and what came of it.

The answer to an offer is the ServerHello.  The handshake may fail after it, for example because the server wants a
client certificate: then the offer was accepted all the same.  A server that ends the connection instead of answering
has refused the offer, with an alert or without.  A server that cannot be reached, does not speak TLS, or stops
answering ends the scan.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from pyossl import (
    AlertError,
    Context,
    Error,
    Options,
    Session,
    TLSError,
    TransportError,
    TruncationError,
    Version,
    features,
)
from pyossl.cli.client_connection import ClientConnection, close_and_drain, connect
from pyossl.cli.handshake_facts import HandshakeFacts
from pyossl.cli.observed_handshake import ObservedHandshake

_MOST_TIMEOUTS = 3
_MOST_FIRST_TIMEOUTS = 2
"""The most handshakes without an answer: of a server that has answered others, and of one that never has."""
_TRIES = 3
_PAUSE = 0.5
"""The time in seconds before connecting again to a server that refused a TCP connection in the middle of a scan."""
_LEVEL = "@SECLEVEL=0"


class ScanError(Error):
    """The server does not speak TLS, or has stopped answering."""


class Answer(NamedTuple):
    """What came of a handshake.

    ``error`` is the error with which it failed, and ``later`` the one that ended the connection afterwards.
    ``session`` is a session that can be resumed, if the server gave one.
    """

    facts: HandshakeFacts
    error: Exception | None = None
    later: Exception | None = None
    is_resumed: bool = False
    session: Session | None = None
    ocsp_response: bytes | None = None
    peer: str | None = None

    @property
    def is_asked(self) -> bool:
        """Whether a ClientHello was sent; if not, this OpenSSL cannot make the offer."""
        return self.facts.offer is not None

    @property
    def is_accepted(self) -> bool:
        """Whether the server accepted the offer."""
        return self.facts.has_server_hello

    @property
    def why(self) -> str:
        """Why the handshake failed, in a few words; empty if it did not."""
        if self.error is None:
            return ""
        if isinstance(self.error, AlertError):
            return f"alert: {self.error.description}"
        if isinstance(self.error, TimeoutError):
            return "no answer"
        if isinstance(self.error, (TransportError, TruncationError)):
            return "the server ended the connection without an alert"
        return reason(self.error)


def reason(error: Exception) -> str:
    """Why OpenSSL ended a handshake, in a few words, from its error queue."""
    records = error.records if isinstance(error, Error) else ()
    return "; ".join(dict.fromkeys(str(record) for record in records)) or str(error)


def scan_context(
    oldest: Version,
    newest: Version,
    *,
    ciphers: str = "ALL:COMPLEMENTOFALL",
    ciphersuites: str = "",
    groups: str = "",
    signature_algorithms: str = "",
    alpn: list[str] | None = None,
    without_tickets: bool = False,
) -> Context:
    """A client's context that offers this, at security level 0.

    It verifies nothing, because it sends nothing.  Raises ``Error`` or ``ValueError`` if this OpenSSL cannot offer it.
    """
    context = Context.client(verify=False, minimum_version=oldest, maximum_version=newest, alpn=alpn or ())
    context.set_cipher_list(f"{ciphers}:{_LEVEL}")
    if ciphersuites:
        context.set_ciphersuites(ciphersuites)
    if groups:
        context.set_groups(groups)
    if signature_algorithms:
        context.set_sigalgs(signature_algorithms)
    context.options |= Options.LEGACY_SERVER_CONNECT
    if without_tickets:
        context.options |= Options.NO_TICKET
    if features.api_3_2:  # the scan reads the server's certificates from the message
        context.options |= Options.NO_RX_CERTIFICATE_COMPRESSION
    return context


class Target:
    """The server that is scanned: its address and name, and how many handshakes have been made with it."""

    def __init__(self, address: tuple[str, int], name: str, protocol: str | None, timeout: float) -> None:
        self.address = address
        self.name = name
        self.handshakes = 0
        self.offered_ciphers: set[int] = set()
        self.offered_groups: set[int] = set()
        self.offered_signature_algorithms: set[int] = set()
        """What the ClientHellos have offered, by number.  It may be less than what the contexts were set to."""
        self._protocol = protocol
        self._timeout = timeout
        self._timeouts = 0
        self.has_answered = False
        """Whether the server has ever sent a message of TLS."""

    def ask(self, context: Context, *, session: Session | None = None, drain: bool = False) -> Answer:
        """Makes a handshake.

        ``drain`` reads until the server closes, for what TLS 1.3 sends after the handshake.  Raises ``ScanError`` if
        the server does not speak TLS or has stopped answering, and ``OSError`` if it cannot be reached.
        """
        observed = ObservedHandshake(context)
        sessions: list[Session] = []
        if session is None:
            context.new_session_callback = lambda connection, new: sessions.append(new)
        try:
            connected = self._connected(context, observed, session)
        except (Error, OSError) as error:
            return self._failed(error, observed.facts)
        finally:
            self._note(observed.facts)
        self.has_answered = True
        with connected.tls as tls:
            connection = tls.connection
            later = close_and_drain(tls, self._timeout) if drain else None
            usable = next((each for each in reversed(sessions) if each.is_resumable), None)
            return Answer(
                observed.facts,
                None,
                later,
                connection.session_reused,
                usable,
                connection.ocsp_response,
                connected.peer,
            )

    def _note(self, facts: HandshakeFacts) -> None:
        if facts.offer is not None:
            self.offered_ciphers.update(facts.offer.ciphers)
            self.offered_groups.update(facts.offer.groups)
            self.offered_signature_algorithms.update(facts.offer.signature_algorithms)

    def _connected(self, context: Context, observed: ObservedHandshake, session: Session | None) -> ClientConnection:
        for left in reversed(range(_TRIES if self.has_answered else 1)):
            try:
                self.handshakes += 1
                return connect(
                    self.address,
                    context,
                    self.name,
                    protocol=self._protocol,
                    timeout=self._timeout,
                    message_callback=observed.add,
                    session=session,
                )
            except (Error, OSError) as error:
                self.handshakes -= 1 if observed.facts.offer is None else 0
                if observed.facts.offer is not None or isinstance(error, TLSError) or left == 0:
                    raise
                time.sleep(_PAUSE)  # the server may limit the rate of connections
        raise AssertionError("unreachable")

    def _failed(self, error: Exception, facts: HandshakeFacts) -> Answer:
        """The answer of a handshake that failed, or an exception if the scan cannot go on."""
        if facts.offer is None:
            if isinstance(error, TLSError) and not isinstance(error, TransportError):
                return Answer(facts, error)  # OpenSSL made no ClientHello from these settings
            raise error
        if isinstance(error, TimeoutError):
            self._timeouts += 1
            if not self.has_answered and self._timeouts >= _MOST_FIRST_TIMEOUTS:
                raise error
            if self._timeouts >= _MOST_TIMEOUTS:
                unanswered = f"{self._timeouts} handshakes had no answer within {self._timeout:g} s"
                raise ScanError(f"the server stopped answering: {unanswered}") from error
        elif facts.has_answer:
            self.has_answered = True
        elif not isinstance(error, (TransportError, TruncationError)) and not self.has_answered:
            hint = "" if self._protocol else "; if its protocol begins with plain text, use --starttls"
            raise ScanError(f"the server does not speak TLS: {reason(error)}{hint}") from error
        return Answer(facts, error)
