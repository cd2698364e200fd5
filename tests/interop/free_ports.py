"""Free ports, for servers that cannot choose one themselves, or cannot report which one they have."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from interop.programs import Program

_LISTENING = "0A"


def family_of(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


@contextlib.contextmanager
def reserved_port(host: str) -> Iterator[int]:
    """A port that only a server that sets SO_REUSEPORT too can use in the meantime."""
    with socket.socket(family_of(host)) as placeholder:
        placeholder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        placeholder.bind((host, 0))
        yield placeholder.getsockname()[1]


def free_port(host: str) -> int:
    """A port that was free a moment ago, for a server that neither shares a port nor reports it.

    The kernel gives out thousands of others before it gives out the same one again.
    """
    with socket.socket(family_of(host)) as passing:
        passing.bind((host, 0))
        return passing.getsockname()[1]


def port_of(program: Program, host: str) -> int:
    """The only TCP port on which the program listens in the address family of the host: proc(5), /proc/PID/net/tcp."""
    descriptors = Path(f"/proc/{program.pid}/fd")
    sockets = {os.readlink(descriptor) for descriptor in descriptors.iterdir()}
    table = Path(f"/proc/{program.pid}/net/{'tcp6' if ':' in host else 'tcp'}").read_text().splitlines()[1:]
    rows = [line.split() for line in table]
    places = {row[1] for row in rows if row[3] == _LISTENING and f"socket:[{row[9]}]" in sockets}
    assert not any(int(place.rpartition(":")[0], 16) == 0 for place in places), f"{program} is open to everybody"
    ports = {int(place.rpartition(":")[2], 16) for place in places}
    assert len(ports) == 1, f"{program} listens on {ports or 'no port'}"
    return ports.pop()


@functools.cache
def kept_to_the_loopback() -> Mapping[str, str]:
    """The environment for a server that has no setting for its address and would listen on all addresses."""
    folder = Path(tempfile.mkdtemp(prefix="pyossl-loopback-"))
    atexit.register(shutil.rmtree, folder)
    library = folder / "loopback.so"
    source = Path(__file__).with_name("loopback.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return {"LD_PRELOAD": str(library)}
