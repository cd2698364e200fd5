"""A server whose certificate and key are URIs: of files, or of objects in a PKCS#11 token, which the key never leaves.

    python examples/key_by_uri.py
    python examples/key_by_uri.py 'pkcs11:token=mine;object=server;type=cert' 'pkcs11:token=mine;object=server'

With a token, openssl.cnf must load pkcs11-provider, the certificate must be for localhost, and the PIN is in the
environment variable TOKEN_PIN. Without arguments, it makes two files and uses their URIs.

Prints:
    TLSv1.3 with CN=localhost: hello
"""

import os
import sys
import tempfile
import threading
from pathlib import Path

import pyossl


def pin() -> str:
    """Called when the token asks for its PIN, and again in a child process that was forked."""
    return os.environ["TOKEN_PIN"]


with tempfile.TemporaryDirectory() as folder:
    if len(sys.argv) == 3:
        certificate, key = sys.argv[1:]
    else:
        made = pyossl.self_signed("localhost")
        Path(folder, "chain.pem").write_bytes(made.certificate_pem())
        Path(folder, "key.pem").write_bytes(made.private_key.to_pem())
        certificate, key = f"file:{folder}/chain.pem", f"file:{folder}/key.pem"
    context = pyossl.Context.server(certificate, key, password=pin)
    trusted = pyossl.load_uri(certificate, kind=pyossl.Certificate)


def greet(listener: pyossl.Listener) -> None:
    tls, _ = listener.accept()
    with tls:
        tls.sendall(b"hello")


with pyossl.listen(("127.0.0.1", 0), context) as listener:
    server = threading.Thread(target=greet, args=[listener])
    server.start()
    trusting = pyossl.Context.client(trust=trusted)
    with pyossl.connect(listener.address, trusting, server_hostname="localhost", timeout=10) as tls:
        print(f"{tls.version} with {tls.peer_certificate.subject}: {tls.recv(100).decode()}")
    server.join()
