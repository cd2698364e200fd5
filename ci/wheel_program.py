"""Run by a Python of another platform to try a wheel: see wheel_runs.py.

Its argument is a JSON file with the value of each constant according to the headers of that platform's OpenSSL.  It
prints what it found as JSON.
"""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path

import pyossl
import pyossl._fast
from pyossl import ffi, lib

ROUND_TRIPS = 100


def wrong_values(expected: dict[str, int]) -> dict[str, tuple[int | None, int]]:
    """The constants whose value is not the expected one, or that are missing: their value, and the expected one."""
    return {
        name: (found, value)
        for name, value in expected.items()
        if (found := getattr(lib, name, None)) is None or (found - value) % 2**64 != 0
    }


def exchange(sender: pyossl.Connection, receiver: pyossl.Connection) -> None:
    receiver.receive_data(sender.data_to_send())


def talk() -> str:
    """Does a handshake in memory, sends data in both directions, and returns the version of TLS and the cipher."""
    authority = pyossl.Authority()
    own = authority.issue("localhost")
    server = pyossl.Connection(pyossl.Context.server(own.certificate, own.private_key))
    client = pyossl.Connection(pyossl.Context.client(trust=authority.certificate), "localhost")
    waiting = [client, server]
    while waiting:
        waiting = [each for each in waiting if each.handshake() is not None]
        for sender, receiver in ((client, server), (server, client)):
            if data := sender.data_to_send():
                receiver.receive_data(data)
    for number in range(ROUND_TRIPS):
        data = number.to_bytes(4, "big") * 1000
        client.write(data)
        exchange(client, server)
        received = server.read(len(data))
        assert received == data
        server.write(received)
        exchange(server, client)
        assert client.read(len(data)) == data
    return f"{client.version} {client.cipher}"


expected = json.loads(Path(sys.argv[1]).read_text())
report = {
    "python": f"{platform.python_version()} on {platform.machine()}",
    "openssl": ffi.string(lib.OpenSSL_version(lib.OPENSSL_VERSION)).decode(),
    "modules": [str(Path(module.__file__ or "").name) for module in (pyossl._openssl, pyossl._fast)],
    "values": len(expected),
    "wrong": wrong_values(expected),
    "talk": talk(),
}
print(json.dumps(report))
