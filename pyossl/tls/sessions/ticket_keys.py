"""Keys of session tickets that several contexts and processes share, and that are replaced while connections live.

SSL_CTX_set_tlsext_ticket_key_evp_cb(3)

C has the keys, and finds the key of a ticket without Python (pyossl/_c/tls/sessions/ticket_keys.c).
"""

from __future__ import annotations

from collections.abc import Iterable

from pyossl.core import ffi, lib, own
from pyossl.core.arguments import LARGEST_INT, integer, iterated, octets
from pyossl.core.copying import Uncopied
from pyossl.core.errors import check
from pyossl.core.outcome import take_records

_MOST: int = lib.PYOSSL_MOST_TICKET_KEYS
_NAME: int = lib.PYOSSL_TICKET_KEY_NAME
_MAC: int = lib.PYOSSL_TICKET_KEY_MAC
_ADDED: int = lib.PYOSSL_PROTECTION


class TicketKeys(Uncopied):
    """Secret keys for session tickets: the first encrypts, all of them decrypt.

    - ``keys``: 1 to 32 keys of ``LENGTH`` bytes each, which is 80, the one to encrypt with first.  None for one new
      random key.

    Give the same object to ``Context.rotating_ticket_keys`` of any number of contexts, and the same keys to every
    process.  ``replace`` and ``rotate`` may be called at any time, from any thread, also while connections are in
    their handshakes.  A ticket of an older key is accepted and replaced by one of the first key.  A ticket of a key
    that is no longer there leads to a full handshake.

    The keys are as secret as a private key: with them, anyone can decrypt the tickets, impersonate the server in a
    resumed connection, and read recorded connections of TLS 1.2.  The bytes of a key are those of
    ``Context.ticket_keys``: 16 that name it, which are sent in clear, 32 for HMAC-SHA-256, and 32 for AES-256-CBC.

    Raises ``ValueError`` for a key of another length, for keys with the same name, for a key that is zeros, and for no
    or too many keys; ``TypeError`` for other types.  SSL_CTX_set_tlsext_ticket_key_evp_cb(3)
    """

    __slots__ = ("_keys",)

    LENGTH: int = lib.PYOSSL_TICKET_KEY
    """The number of bytes of a key: 80."""

    _instead = "they are secrets; give the value of `keys` to another process in a way that keeps it secret"

    def __init__(self, keys: Iterable[bytes] | None = None) -> None:
        """Makes a set of keys; see the class."""
        first = _checked_keys([self.generate()] if keys is None else keys)
        pointer = lib.pyossl_ticket_keys_new()
        if pointer == ffi.NULL:
            raise MemoryError("there is no memory for ticket keys")
        self._keys = own(pointer, lib.pyossl_ticket_keys_free)
        self._replace(first)

    @classmethod
    def generate(cls) -> bytes:
        """A new random key, 80 bytes.  Raises ``Error`` if there is no randomness.  RAND_bytes(3)"""
        room = ffi.new("unsigned char[]", cls.LENGTH)
        take_records()
        check(lib.RAND_bytes(room, cls.LENGTH), "RAND_bytes")
        return bytes(ffi.buffer(room))

    @property
    def keys(self) -> tuple[bytes, ...]:
        """All keys, the one that encrypts first: keep them secret."""
        room = ffi.new("unsigned char[]", _MOST * self.LENGTH)
        count = lib.pyossl_ticket_keys_copy(self._keys, room)
        copied = bytes(ffi.buffer(room, count * self.LENGTH))
        return tuple(copied[place : place + self.LENGTH] for place in range(0, len(copied), self.LENGTH))

    def replace(self, keys: Iterable[bytes]) -> None:
        """Replaces all keys at once.  Raises what the constructor raises, and changes nothing then.

        - ``keys``: the new keys, the one to encrypt with first.

        Let several processes know a key before one of them encrypts with it: first put the new key behind the present
        one, and only when all processes have it, in front.
        """
        self._replace(_checked_keys(keys))

    def rotate(self, key: bytes | None = None, kept: int = 2) -> None:
        """Puts a new key in front of the others, and forgets the oldest ones.

        - ``key``: the new key; None for a random one.
        - ``kept``: how many keys there are afterwards at most, the new one included; 1 to 32.

        With ``kept=2`` and one call each hour, a ticket is accepted for one to two hours.  Raises ``ValueError`` for a
        key of another length, for a key whose name another one has, and for a key that is zeros.
        """
        integer(kept, "a number of keys to keep", 1, _MOST)
        (new,) = _checked_keys([self.generate() if key is None else key])
        if new[:_NAME] in {old[:_NAME] for old in self.keys}:
            raise ValueError("one of the keys has the name of the new key, its first 16 bytes")
        lib.pyossl_ticket_keys_rotate(self._keys, new, kept)

    def encrypt(self, data: bytes, label: bytes = b"") -> bytes:
        """Encrypts and authenticates data with the first key, for example a session for an external cache.

        - ``data``: the bytes to encrypt.
        - ``label``: bytes that ``decrypt`` must be given too, for example the id of the session.  They are
          authenticated, and not part of the result.

        The result is 44 bytes longer: the name of the key, a random nonce, the data under AES-256-GCM, and the tag.
        The key is derived from the ticket key.  EVP_EncryptInit_ex(3)
        """
        _checked_size(data, "data")
        _checked_size(label, "a label")
        result = ffi.new("unsigned char[]", len(data) + _ADDED)
        take_records()
        done = lib.pyossl_ticket_keys_encrypt(self._keys, data, len(data), label, len(label), result)
        check(done, "encrypting with a ticket key")
        return bytes(ffi.buffer(result))

    def decrypt(self, data: bytes, label: bytes = b"") -> bytes | None:
        """Decrypts the result of ``encrypt``; None if it is of no key here, of another label, or was changed.

        - ``data``: the result of ``encrypt``, as it was stored.
        - ``label``: the bytes that were given to ``encrypt``.

        EVP_DecryptInit_ex(3)
        """
        _checked_size(data, "data")
        _checked_size(label, "a label")
        result = ffi.new("unsigned char[]", max(len(data) - _ADDED, 1))
        if lib.pyossl_ticket_keys_decrypt(self._keys, data, len(data), label, len(label), result) != 1:
            return None
        return bytes(ffi.buffer(result, len(data) - _ADDED))

    def _replace(self, keys: tuple[bytes, ...]) -> None:
        lib.pyossl_ticket_keys_replace(self._keys, b"".join(keys), len(keys))

    def __repr__(self) -> str:
        names = [key[:4].hex() for key in self.keys]
        return f"<TicketKeys {' '.join(names)}>"


def _checked_keys(keys: Iterable[bytes]) -> tuple[bytes, ...]:
    checked = tuple(octets(key, "a ticket key") for key in iterated(keys, "ticket keys"))
    if not 1 <= len(checked) <= _MOST:
        raise ValueError(f"there are 1 to {_MOST} ticket keys, not {len(checked)}")
    for place, key in enumerate(checked, 1):
        if len(key) != TicketKeys.LENGTH:
            raise ValueError(
                f"a ticket key is {TicketKeys.LENGTH} bytes of secret randomness: key {place} is {len(key)}"
            )
        if not any(key[_NAME : _NAME + _MAC]) or not any(key[_NAME + _MAC :]):
            raise ValueError(f"a ticket key is secret randomness: key {place} is zeros")
    if len({key[:_NAME] for key in checked}) < len(checked):
        raise ValueError("two ticket keys have the same name, their first 16 bytes")
    return checked


def _checked_size(data: bytes, what: str) -> None:
    if len(octets(data, what)) > LARGEST_INT - _ADDED:
        raise ValueError(f"{what} is too long to encrypt or decrypt: {len(data)} bytes")
