"""What ``_ssl`` does differently in the releases of CPython, from 3.10 to 3.15: every fact is here, and only here.

tests/stdlib/test_surface.py and test_contexts.py ask the original of each Python that is at hand whether it is so.
"""

from __future__ import annotations

import sys

_VERSION = sys.version_info

FAILED_READ_IS_EOF = _VERSION < (3, 12, 3)
"""An SSL_ERROR_SYSCALL of a read or a write is an SSLEOFError, whatever errno says.  docs/pitfalls.md, 59"""
HAS_ERROR_TABLES = _VERSION < (3, 12)
"""``err_codes_to_names``, ``err_names_to_codes`` and ``lib_codes_to_names``."""
HAS_PSEUDO_RANDOM_BYTES = _VERSION < (3, 12)
"""``RAND_pseudo_bytes``."""
OPTIONS_ARE_SIGNED = _VERSION < (3, 12)
"""``options`` is a C long: a negative one is allowed, one of 64 bits is not."""
HAS_KTLS_OPTION = _VERSION >= (3, 12)
"""``OP_ENABLE_KTLS`` and ``OP_LEGACY_SERVER_CONNECT``."""
HAS_PSK = _VERSION >= (3, 13)
"""``HAS_PSK``, and the two methods that set the callbacks."""
CURVES_ARE_GROUPS = _VERSION >= (3, 11)
"""``set_ecdh_curve`` takes a group that is no elliptic curve of OpenSSL's EC_KEY, such as X25519."""
HAS_POST_HANDSHAKE = _VERSION >= (3, 14)
"""``HAS_PHA``."""
NEGATIVE_OPTIONS_ARE_VALUE_ERRORS = _VERSION >= (3, 14)
"""A negative ``options`` is a ValueError, and not an OverflowError.  gh-127298"""
FAILED_CALLBACK_KEEPS_OLD = _VERSION >= (3, 14)
"""``_msg_callback`` and ``sni_callback``: a value of the wrong type leaves the old one in place."""
UNKNOWN_ERRORS_HAVE_CODES = _VERSION >= (3, 14)
"""The text of an error that OpenSSL did not explain is ``unknown error (0x0)``, and not ``unknown error``."""
HAS_ALGORITHMS = _VERSION >= (3, 15)
"""``get_sigalgs``, ``HAS_PSK_TLS13``, and the methods for groups, ciphersuites and signature algorithms."""
LOADING_ERRORS_HAVE_NAMES = _VERSION >= (3, 15)
"""The OSError of ``load_cert_chain`` has the name of the file."""
WARNS_OF_LOST_BITS = _VERSION >= (3, 15)
"""An integer that is cut to the size of a C type is a DeprecationWarning."""
