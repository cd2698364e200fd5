"""pyossl with ``SSL_MODE_RELEASE_BUFFERS``."""

from benchmarks.contenders.pyossl import Released

contender = Released
