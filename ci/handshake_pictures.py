"""Draws the pictures of docs/handshakes.md: python ci/handshake_pictures.py [FOLDER].

For each picture, ``python -m pyossl server`` and ``python -m pyossl trace --svg`` run on the loopback.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pyossl

PICTURES = Path(__file__).resolve().parents[1] / "docs" / "handshakes"
PYOSSL = (sys.executable, "-m", "pyossl")
# Groups that every OpenSSL has, so that the pictures are the same with each.  TLS 1.2 needs the certificate's, too.
KINDS: dict[str, tuple[list[str], list[str]]] = {
    "tls-1.3": ([], ["--groups", "X25519"]),
    "tls-1.2": ([], ["--groups", "X25519:P-256", "--max", "1.2"]),
    "tls-1.3-and-1.2": ([], ["--groups", "X25519:P-256", "--compare", "1.2"]),
    "client-certificate": (["--ca", "ca.pem"], ["--groups", "X25519", "--cert", "chain.pem", "--key", "key.pem"]),
    "hello-retry-request": (["--groups", "P-256"], ["--groups", "X25519:P-256"]),
}
"""For each picture: the options of the server, and those of trace."""


def draw(folder: Path) -> None:
    """Draws all pictures into the folder."""
    with tempfile.TemporaryDirectory() as name:
        files = Path(name)
        authority = pyossl.Authority()
        credentials = authority.issue("localhost")
        (files / "ca.pem").write_bytes(authority.certificate.to_pem())
        (files / "chain.pem").write_bytes(credentials.certificate_pem())
        (files / "key.pem").write_bytes(credentials.private_key.to_pem())
        for kind, (of_server, of_trace) in KINDS.items():
            _draw_one(files, of_server, [*of_trace, "--svg", str(folder.resolve() / f"{kind}.svg")])


def _draw_one(files: Path, of_server: list[str], of_trace: list[str]) -> None:
    serve = [*PYOSSL, "server", "--port", "0", "--cert", "chain.pem", "--key", "key.pem", *of_server]
    with subprocess.Popen(serve, cwd=files, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            line = next(line for line in server.stdout if "Listening on " in line)
            where = line.partition("Listening on ")[2].split()[0].rstrip(",")
            trace = [*PYOSSL, "trace", where, "--servername", "localhost", "--ca", "ca.pem", *of_trace]
            subprocess.run(trace, cwd=files, check=True, stdout=subprocess.DEVNULL)
        finally:
            server.terminate()


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURES)
