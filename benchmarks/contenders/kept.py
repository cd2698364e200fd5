"""pyossl without ``SSL_MODE_RELEASE_BUFFERS``."""

from benchmarks.contenders.pyossl import Kept

contender = Kept
