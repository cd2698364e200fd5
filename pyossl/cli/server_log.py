"""The log of the command ``server``, as text or as JSON."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Sequence
from typing import Any

from pyossl import Certificate, Socket
from pyossl.cli.certificate_report import certificate_report
from pyossl.cli.connection_report import handshake_report, handshake_text
from pyossl.cli.failure_report import failure_report
from pyossl.cli.keying_material import Export, exported
from pyossl.cli.observed_handshake import ObservedHandshake
from pyossl.cli.screen import Screen


class Log:
    """Prints the lines of several threads on one screen: text, or with ``is_json`` one JSON object on each line."""

    def __init__(self, screen: Screen, *, is_json: bool = False, exports: Sequence[Export] = ()) -> None:
        self._screen = screen
        self._exports = exports
        self._is_json = is_json
        self._lock = threading.Lock()

    def handshake(self, client: str, tls: Socket, observed: ObservedHandshake) -> None:
        """Prints that a handshake is finished."""
        if self._is_json:
            self.record({"client": client, **handshake_report(tls.connection, observed, self._exports)})
            return
        self.line(client, handshake_text(tls.connection, observed))
        for each in exported(tls.connection, self._exports):
            self.line(client, f"exported {each['label']}: {each['hex']}")

    def failure(self, client: str, error: Exception, why: str, observed: ObservedHandshake | None) -> None:
        """Prints the failure of a connection; ``why`` is its text."""
        if self._is_json:
            offered = observed and observed.facts.offer and observed.facts.offer.as_json(observed.suites)
            self.record({"client": client, "offered": offered, "error": {**failure_report(error), "message": why}})
        else:
            self.line(client, why, "red")

    def certificate(self, client: str, certificate: Certificate) -> None:
        """Prints that a client has shown its certificate after the handshake."""
        event = f"client {certificate.subject}"
        if self._is_json:
            self.record({"client": client, "event": event, "certificate": certificate_report(certificate)})
        else:
            self.line(client, event)

    def line(self, client: str, event: str, style: str = "") -> None:
        """Prints an event and the address of its client."""
        if self._is_json:
            self.record({"client": client, "event": event})
            return
        with self._lock, contextlib.suppress(OSError):  # if the reader has closed the pipe, the server goes on
            self._screen.log(client, event, style)
            self._screen.flush()

    def record(self, values: dict[str, Any]) -> None:
        """Prints one JSON object."""
        with self._lock, contextlib.suppress(OSError):
            self._screen.data(json.dumps(values))
            self._screen.flush()
