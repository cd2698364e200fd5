"""A log of certificates for the tests, which signs timestamps with the package cryptography."""

from __future__ import annotations

import base64
import datetime
import hashlib
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import pyossl

NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
DAY = datetime.timedelta(days=1)


class Log:
    """A certificate log: a key that signs timestamps.  RFC 6962, 3.2"""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._public = self._key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.id = hashlib.sha256(self._public).digest()

    def timestamp(self, certificate: pyossl.Certificate, time: datetime.datetime = NOW - DAY) -> bytes:
        milliseconds = int(time.timestamp() * 1000).to_bytes(8, "big")
        entry = certificate.to_der()
        signed = b"\0\0" + milliseconds + b"\0\0" + len(entry).to_bytes(3, "big") + entry + b"\0\0"
        signature = self._key.sign(signed, ec.ECDSA(hashes.SHA256()))
        return b"\0" + self.id + milliseconds + b"\0\0" + b"\4\3" + len(signature).to_bytes(2, "big") + signature

    def list_in(self, path: Path) -> Path:
        key = base64.b64encode(self._public).decode()
        path.write_text(f"enabled_logs = ours\n[ours]\ndescription = ours\nkey = {key}\n")
        return path
