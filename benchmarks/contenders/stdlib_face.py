"""The standard library's ``ssl`` over pyossl: ``pyossl.stdlib`` is installed before anything imports ``ssl``."""

import pyossl.stdlib

pyossl.stdlib.install()

from benchmarks.contenders.stdlib import Stdlib  # noqa: E402  # it imports ssl

contender = Stdlib
