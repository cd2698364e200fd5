"""asyncio with its own TLS, the standard library's ``ssl``, over pyossl."""

import pyossl.stdlib

pyossl.stdlib.install()

from benchmarks.contenders.asyncio import Asyncio  # noqa: E402  # it imports ssl

contender = Asyncio
