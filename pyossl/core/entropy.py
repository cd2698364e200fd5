"""OpenSSL's random number generator.  RAND_add(3)"""

from __future__ import annotations

from pyossl.core import lib


def add_entropy(data: bytes, entropy: float) -> None:
    """Mixes ``data`` into the state of OpenSSL's random number generator.

    ``entropy`` is the estimated randomness of ``data``, in bytes.  RAND_add(3)
    """
    lib.RAND_add(data, len(data), entropy)


def is_seeded() -> bool:
    """Whether OpenSSL's random number generator has enough entropy.  RAND_status(3)"""
    return bool(lib.RAND_status() == 1)
