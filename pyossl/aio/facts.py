"""What ``get_extra_info`` asks of a connection, by asyncio's names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyossl.sockets.event_loop_steps import cipher_facts
from pyossl.tls.connection import Connection

FACTS: dict[str, Callable[[Connection], Any]] = {
    "cipher": cipher_facts,
    "compression": lambda connection: None,
    "connection": lambda connection: connection,
    "peercert": lambda connection: connection.peer_certificate,
    "ssl_object": lambda connection: connection,
    "sslcontext": lambda connection: connection.context,
}
