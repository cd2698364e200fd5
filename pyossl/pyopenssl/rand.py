"""``OpenSSL.rand``: OpenSSL's random number generator.  Deprecated, as in pyOpenSSL: use ``os.urandom``."""

from __future__ import annotations

import warnings

from pyossl.core.entropy import add_entropy, is_seeded

__all__ = ["add", "status"]

warnings.warn("OpenSSL.rand is deprecated - you should use os.urandom instead", DeprecationWarning, stacklevel=3)


def add(buffer: bytes, entropy: int) -> None:
    """Mixes ``buffer``, bytes, into the state of the generator.

    ``entropy`` is an estimate of how many bytes of it are random.  Raises ``TypeError`` for arguments of another type.
    RAND_add(3)
    """
    if not isinstance(buffer, bytes):
        raise TypeError("buffer must be a byte string")
    if not isinstance(entropy, int):
        raise TypeError("entropy must be an integer")
    add_entropy(buffer, entropy)


def status() -> int:
    """1 if the generator has been seeded, else 0.  RAND_status(3)"""
    return int(is_seeded())
