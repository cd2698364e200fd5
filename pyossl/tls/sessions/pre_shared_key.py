"""A pre-shared key of TLS 1.3: its identity, the secret, and the hash that belongs to it.  RFC 8446, 4.2.11"""

from __future__ import annotations

from typing import Any

from pyossl.core import lib, own
from pyossl.core.arguments import instance
from pyossl.core.copying import Uncopied
from pyossl.core.errors import check, check_ptr
from pyossl.core.outcome import take_records

_LONGEST_IDENTITY = 65535
_SUITES = {"sha256": b"\x13\x01", "sha384": b"\x13\x02"}
"""For each hash, a cipher suite that has it: TLS_AES_128_GCM_SHA256 and TLS_AES_256_GCM_SHA384."""
DIGESTS = {32: "sha256", 48: "sha384"}
"""The hashes of TLS 1.3's cipher suites, by their size in bytes."""


class PreSharedKey(Uncopied):
    """A key that both sides of a TLS 1.3 connection know, for the callbacks of a ``Context``.

    - ``identity``: 1 to 65,535 bytes of any value, which the client sends without encryption.  Together with the rest
      of the ClientHello they must fit into 65,535 bytes, so that about 65,000 are the most that can be used.
    - ``key``: the secret, ``bytes``, 32 random bytes for example.  OpenSSL takes 256 at most, later releases 512.
    - ``digest``: the hash that belongs to the key, ``"sha256"`` or ``"sha384"``.  The key can be used with the cipher
      suites that have this hash: TLS_AES_128_GCM_SHA256 and TLS_CHACHA20_POLY1305_SHA256, or TLS_AES_256_GCM_SHA384.

    Raises ``TypeError`` or ``ValueError`` for other values.  SSL_SESSION_set1_master_key(3)
    """

    __slots__ = ("_digest", "_identity", "_key")
    _instead = "they are secrets; make another one from the same arguments"

    def __init__(self, identity: bytes, key: bytes, digest: str = "sha256") -> None:
        if not 1 <= len(instance(identity, bytes, "the identity of a pre-shared key")) <= _LONGEST_IDENTITY:
            raise ValueError(f"an identity has 1 to {_LONGEST_IDENTITY} bytes, not {len(identity)}")
        if not instance(key, bytes, "a pre-shared key"):
            raise ValueError("a pre-shared key has at least one byte")
        if instance(digest, str, "the digest of a pre-shared key") not in _SUITES:
            raise ValueError(f"the digest of a pre-shared key is one of {sorted(_SUITES)}, not {digest!r}")
        self._identity, self._key, self._digest = identity, key, digest

    @property
    def identity(self) -> bytes:
        """The identity, by which the server finds the key."""
        return self._identity

    @property
    def key(self) -> bytes:
        """The secret."""
        return self._key

    @property
    def digest(self) -> str:
        """The hash that belongs to the key, ``"sha256"`` or ``"sha384"``."""
        return self._digest

    def __repr__(self) -> str:
        return f"<PreSharedKey {self.identity[:32]!r}, {self.digest}>"

    def _session(self, ssl: Any) -> Any:
        """The key as an ``SSL_SESSION *``, owned.  Raises ``ValueError`` if it is too long for this OpenSSL."""
        take_records()
        session = own(check_ptr(lib.SSL_SESSION_new(), "SSL_SESSION_new"), lib.SSL_SESSION_free)
        if lib.SSL_SESSION_set1_master_key(session, self.key, len(self.key)) != 1:
            take_records()
            raise ValueError(f"a pre-shared key of {len(self.key)} bytes is too long for this OpenSSL")
        suite = check_ptr(lib.SSL_CIPHER_find(ssl, _SUITES[self.digest]), "SSL_CIPHER_find")
        check(lib.SSL_SESSION_set_cipher(session, suite), "SSL_SESSION_set_cipher")
        check(lib.SSL_SESSION_set_protocol_version(session, lib.TLS1_3_VERSION), "SSL_SESSION_set_protocol_version")
        return session
