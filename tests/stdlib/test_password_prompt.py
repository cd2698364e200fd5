"""OpenSSL asks for the password of a key on the terminal, and connections go on meanwhile."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from pathlib import Path

from stdlib.ssl_over_pyossl import SECONDS, credentials

import pyossl

ROOT = Path(__file__).parents[1]

# On a terminal of its own: the program that it starts reads the password there.
TERMINAL = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) != 0)"

PROGRAM = """
import os, sys, threading, time
from stdlib.ssl_over_pyossl import MemoryPair, client_context, ssl

certificate, key, encrypted, authority, go_on = sys.argv[1:]
server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
server.load_cert_chain(certificate, key)
client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
client.load_verify_locations(authority)
loading = threading.Thread(target=server.load_cert_chain, args=(certificate, encrypted), daemon=True)
loading.start()
while not os.path.exists(go_on):
    time.sleep(0.01)
MemoryPair(client, server).handshake()
print("a handshake meanwhile", flush=True)
loading.join()
MemoryPair(client, server).handshake()
print("a handshake afterwards", flush=True)
"""


class Terminal:
    """A program on a terminal, whose output is read until a text comes."""

    def __init__(self, *arguments: str) -> None:
        self.program = subprocess.Popen(
            [sys.executable, "-c", TERMINAL, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
            start_new_session=True,
        )
        self.output = b""

    def wait_for(self, words: bytes) -> None:
        assert self.program.stdout is not None
        end = time.monotonic() + SECONDS
        while words not in self.output:
            ready = select.select([self.program.stdout], [], [], max(end - time.monotonic(), 0))[0]
            assert ready, f"{words!r} has not come: {self.output!r}"
            data = os.read(self.program.stdout.fileno(), 4096)
            assert data, f"the program has ended: {self.output!r}"
            self.output += data

    def enter(self, line: bytes) -> None:
        assert self.program.stdin is not None
        self.program.stdin.write(line + b"\n")
        self.program.stdin.flush()

    def close(self) -> None:
        self.program.kill()
        self.program.communicate()


def test_connections_are_made_while_the_password_is_awaited(tmp_path: Path) -> None:
    certificate, key, authority = credentials()
    encrypted, go_on = tmp_path / "encrypted.pem", tmp_path / "go on"
    encrypted.write_bytes(pyossl.PrivateKey.load(key).to_pem(b"secret"))
    terminal = Terminal(sys.executable, "-c", PROGRAM, certificate, key, str(encrypted), authority, str(go_on))
    try:
        terminal.wait_for(b"pass phrase")
        go_on.touch()
        terminal.wait_for(b"a handshake meanwhile")
        terminal.enter(b"secret")
        terminal.wait_for(b"a handshake afterwards")
    finally:
        terminal.close()
