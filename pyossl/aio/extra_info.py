"""The names that ``Transport.get_extra_info`` answers from the TLS connection."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from pyossl.sockets.event_loop_steps import cipher_facts
from pyossl.tls.connection.connection import Connection
from pyossl.tls.connection.negotiated_summary import NEGOTIATED

EXTRA_INFO: dict[str, Callable[[Connection], Any]] = {
    **{name: attrgetter(name) for name in NEGOTIATED},
    "cipher": cipher_facts,
    "compression": lambda connection: None,
    "connection": lambda connection: connection,
    "peercert": lambda connection: connection.peer_certificate,
    "ssl_object": lambda connection: connection,
    "sslcontext": lambda connection: connection.context,
}
