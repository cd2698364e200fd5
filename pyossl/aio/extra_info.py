"""The names that ``Transport.get_extra_info`` answers from the TLS connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyossl.sockets.event_loop_steps import cipher_facts
from pyossl.tls.connection import Connection

EXTRA_INFO: dict[str, Callable[[Connection], Any]] = {
    "cipher": cipher_facts,
    "compression": lambda connection: None,
    "connection": lambda connection: connection,
    "peercert": lambda connection: connection.peer_certificate,
    "ssl_object": lambda connection: connection,
    "sslcontext": lambda connection: connection.context,
}
