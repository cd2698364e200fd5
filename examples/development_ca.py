"""Makes a CA and a server's certificate for development: python examples/development_ca.py [FOLDER [NAME...]].

Writes three files into FOLDER (default: ``development-ca``). ca.pem is the CA, which clients must trust. chain.pem and
key.pem are for the server with the given names (default: localhost, 127.0.0.1 and ::1). The CA's own key is not stored,
so that it cannot sign other certificates.

Prints:
    development-ca/ca.pem      CN=pyossl development CA
    development-ca/chain.pem   CN=localhost until …
    development-ca/key.pem     readable only by you
"""

import os
import sys
from pathlib import Path

import pyossl

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "development-ca")
names = sys.argv[2:] or ["localhost", "127.0.0.1", "::1"]

ca = pyossl.Authority()
own = ca.issue(*names)
folder.mkdir(parents=True, exist_ok=True)

(folder / "ca.pem").write_bytes(ca.certificate.to_pem())
(folder / "chain.pem").write_bytes(own.certificate_pem())
key_file = folder / "key.pem"
key_file.unlink(missing_ok=True)
with open(os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
    file.write(own.private_key.to_pem())

print(f"{folder}/ca.pem      {ca.certificate.subject}")
print(f"{folder}/chain.pem   {own.certificate.subject} until {own.certificate.not_after.date()}")
print(f"{folder}/key.pem     readable only by you")
