"""``OpenSSL.version``: the version of pyOpenSSL whose API this is, and facts about the package."""

__all__ = [
    "__author__",
    "__copyright__",
    "__email__",
    "__license__",
    "__summary__",
    "__title__",
    "__uri__",
    "__version__",
]

__version__ = "26.4.0"
__title__ = "pyOpenSSL"
__uri__ = "https://pyopenssl.org/"
__summary__ = "pyOpenSSL's API over the system's OpenSSL, by pyossl"
__author__ = "The pyossl developers"
__email__ = ""
__license__ = "Apache License, Version 2.0"
__copyright__ = f"Copyright 2026 {__author__}"
