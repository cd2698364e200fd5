"""Prints what a program sees of pyOpenSSL, case by case, as JSON.  It is run with pyOpenSSL and with pyossl.

Of random bytes only the length is printed; values that depend on the time are left out.
"""

from __future__ import annotations

import json
import sys
import warnings

import handshakes  # noqa: F401 - each module adds its cases to CASES
import objects  # noqa: F401
import refusals  # noqa: F401
import unusual_input  # noqa: F401
from cases import CASES, attempt
from OpenSSL import SSL

warnings.simplefilter("ignore")

results = {name: attempt(function) for name, function in CASES.items()}
json.dump({"openssl": SSL.OpenSSL_version(SSL.OPENSSL_VERSION).decode(), "cases": results}, sys.stdout)
