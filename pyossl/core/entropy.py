"""OpenSSL's random number generator.  RAND_add(3)"""

from __future__ import annotations

from pyossl.core.binding import lib


def add_entropy(data: bytes, entropy: float) -> None:
    """Mixes bytes into OpenSSL's generator of random numbers.  RAND_add(3)"""
    lib.RAND_add(data, len(data), entropy)


def is_seeded() -> bool:
    """Whether OpenSSL's generator of random numbers has enough to go on.  RAND_status(3)"""
    return bool(lib.RAND_status() == 1)
