"""One bit is flipped at each position of a handshake, in both directions, with TLS 1.2 and 1.3.

Each position of each flight is tried, the tickets of TLS 1.3 included; the position determines which of the eight bits
is flipped.  In the ClientHello, which a server must parse from anyone, the highest and the lowest bit are tried too:
they change a length most and least.  The keys are Ed25519, whose signatures have one size: so the flights have the same
size each time, and no position is missed.

A flight fits only its own handshake, so each position has a new handshake.  If both sides wait after the flip, the test
ends the transport, and each side must raise an exception.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

import pyossl
from pyossl import lib

VERSIONS = [pyossl.Version.TLSv1_2, pyossl.Version.TLSv1_3]
CHANGE_CIPHER_SPEC = 20
FLIGHTS = 4
MESSAGE = b"a message, in each direction"
Contexts = tuple[pyossl.Context, pyossl.Context]


class Flip(NamedTuple):
    """Which bit: the number of the flight (0 is the ClientHello), and the position in it."""

    flight: int
    position: int
    bit: int


@pytest.fixture(params=VERSIONS, ids=lambda version: version.name)
def contexts(request: pytest.FixtureRequest) -> Contexts:
    keys = [pyossl.PrivateKey.generate("ED25519") for _ in range(2)]
    authority = pyossl.Authority("whoever flips bits", private_key=keys[0])
    credentials = authority.issue("example.com", private_key=keys[1])
    only = {"minimum_version": request.param, "maximum_version": request.param}
    client = pyossl.Context.client(trust=authority.certificate, alpn=["h2", "http/1.1"], **only)
    return client, pyossl.Context.server(credentials.certificate, credentials.private_key, alpn=["h2"], **only)


class Side:
    """A connection, what it received, and the first exception that it raised."""

    def __init__(self, connection: pyossl.Connection) -> None:
        self.connection = connection
        self.error: pyossl.Error | None = None
        self.received = b""

    def go_on(self) -> None:
        """Does the handshake, then reads; any exception that is not pyossl's fails the test."""
        self._try(self._shake_hands_and_read)

    def _shake_hands_and_read(self) -> None:
        if not self.connection.is_handshake_finished:
            self.connection.handshake()
        if self.connection.is_handshake_finished:
            while isinstance(data := self.connection.read(), bytes) and data:
                self.received += data

    def say_all(self) -> None:
        """Sends a message, and a close_notify after it."""
        self._try(lambda: (self.connection.write(MESSAGE), self.connection.shutdown()))

    def meets_the_end(self) -> None:
        """Ends the transport."""
        self.connection.receive_data(b"")
        self.go_on()

    def _try(self, operation: Callable[[], object]) -> None:
        error = None
        try:
            operation()
        except pyossl.Error as raised:
            error = raised
        if error is not None:
            assert str(error), "an exception that says nothing (docs/pitfalls.md, 4)"
            assert self.error is None or type(error) is type(self.error), (
                "the first failure stays (docs/pitfalls.md, 2)"
            )
            self.error = error
        assert lib.ERR_peek_error() == 0, "left in the error queue (docs/pitfalls.md, 1)"

    def view(self) -> tuple[object, ...]:
        """The properties of the connection on this side."""
        return self.connection.version, self.connection.cipher, self.connection.alpn, self.received


class Run:
    """One handshake with one bit flipped, then a message in each direction if it succeeds, then the end."""

    def __init__(self, contexts: Contexts, flip: Flip | None = None) -> None:
        self._flip = flip
        self.client = Side(pyossl.Connection(contexts[0], "example.com"))
        self.server = Side(pyossl.Connection(contexts[1]))
        self.flights: list[bytes] = []
        self._carry()
        self.size = len(self.flights)
        sides = (self.client, self.server)
        if all(side.connection.is_handshake_finished for side in sides):
            for side in sides:
                side.say_all()
                self._carry()
        for side in sides:
            side.meets_the_end()
            self._carry()
        self.views = [side.view() for side in sides]
        for side in sides:
            assert side.error is not None or side.connection.is_handshake_finished
            assert MESSAGE.startswith(side.received)
            side.connection.close()

    def _carry(self) -> None:
        """Carries bytes until neither side has any to send."""
        sender, receiver, silent = self.client, self.server, 0
        while silent < 2:
            sender.go_on()
            flight = sender.connection.data_to_send()
            silent = 0 if flight else silent + 1
            if flight:
                self._deliver(flight, receiver)
            sender, receiver = receiver, sender

    def _deliver(self, flight: bytes, receiver: Side) -> None:
        if self._flip is not None and self._flip.flight == len(self.flights):
            changed = bytearray(flight)
            changed[self._flip.position] ^= 1 << self._flip.bit
            receiver.connection.receive_data(bytes(changed))
        else:
            receiver.connection.receive_data(flight)
        self.flights.append(flight)
        assert len(self.flights) < 20, "the two never come to an end"

    @property
    def is_good(self) -> bool:
        """Whether neither side has raised; both must have seen the same then."""
        if self.client.error is None and self.server.error is None:
            assert self.views[0] == self.views[1]
            assert self.views[0][-1] == MESSAGE
            return True
        return False


def is_unprotected(flight: bytes, position: int) -> bool:
    """Whether TLS does not protect this byte: the version of a record, or a ChangeCipherSpec."""
    start = 0
    while start < len(flight):
        end = start + 5 + int.from_bytes(flight[start + 3 : start + 5], "big")
        if position < end:
            return position - start in (1, 2) or flight[start] == CHANGE_CIPHER_SPEC
        start = end
    return False


def goes_through(contexts: Contexts, flip: Flip) -> bool:
    """Whether the handshake succeeded, which is allowed only for a bit that does not matter."""
    run = Run(contexts, flip)
    if run.is_good:
        assert is_unprotected(run.flights[flip.flight], flip.position), f"{flip} went through"
    return run.is_good


def flips_of(flight: int, size: int) -> list[Flip]:
    always = {0, 7} if flight == 0 else set()
    return [Flip(flight, position, bit) for position in range(size) for bit in always | {position % 8}]


def test_without_a_flip_the_flights_have_the_same_sizes_each_time(contexts: Contexts) -> None:
    """The other tests rely on this."""
    runs = [Run(contexts) for _ in range(3)]
    assert all(run.is_good for run in runs)
    assert {run.size for run in runs} == {FLIGHTS}
    assert len({tuple(map(len, run.flights)) for run in runs}) == 1


@pytest.mark.parametrize("flight", range(FLIGHTS))
def test_a_bit_flipped_at_every_position(contexts: Contexts, flight: int) -> None:
    """One side raises an exception, or the bit does not matter and both sides have the same view."""
    size = len(Run(contexts).flights[flight])
    flips = flips_of(flight, size)
    good = sum(goes_through(contexts, flip) for flip in flips)
    assert good < len(flips) / 4
