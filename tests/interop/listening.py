"""Ports for servers that cannot say which one they have, or cannot be told to choose one."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from interop.programs import Program

_LISTENING = "0A"


def family_of(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


@contextlib.contextmanager
def reserved_port(host: str) -> Iterator[int]:
    """A port that is free for a server that sets SO_REUSEPORT too, and for nobody else meanwhile."""
    with socket.socket(family_of(host)) as placeholder:
        placeholder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        placeholder.bind((host, 0))
        yield placeholder.getsockname()[1]


def free_port(host: str) -> int:
    """A port that was free just now, for a server that neither shares one nor says which it has.

    The kernel goes through thousands before it gives the same again.
    """
    with socket.socket(family_of(host)) as passing:
        passing.bind((host, 0))
        return passing.getsockname()[1]


def port_of(program: Program, host: str) -> int:
    """The one TCP port on which the program listens in the host's family: proc(5), /proc/PID/net/tcp."""
    descriptors = Path(f"/proc/{program.pid}/fd")
    sockets = {os.readlink(descriptor) for descriptor in descriptors.iterdir()}
    table = Path(f"/proc/{program.pid}/net/{'tcp6' if ':' in host else 'tcp'}").read_text().splitlines()[1:]
    rows = [line.split() for line in table]
    ports = {
        int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == _LISTENING and f"socket:[{row[9]}]" in sockets
    }
    assert len(ports) == 1, f"{program} listens on {ports or 'no port'}"
    return ports.pop()
