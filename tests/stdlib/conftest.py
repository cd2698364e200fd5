"""Fixtures of the tests of ``pyossl.stdlib``."""

from stdlib.ssl_programs import folder as folder, run as run
