"""What a program sees of pyOpenSSL, case by case, as JSON: run with the original and with the face, and compared.

Random bytes are told by their length alone, and what depends on the moment not at all.
"""

from __future__ import annotations

import json
import sys
import warnings

import handshakes  # noqa: F401 - each has its cases, which it puts down in CASES
import objects  # noqa: F401
import refusals  # noqa: F401
import unusual_input  # noqa: F401
from cases import CASES, attempt
from OpenSSL import SSL

warnings.simplefilter("ignore")

told = {name: attempt(function) for name, function in CASES.items()}
json.dump({"openssl": SSL.OpenSSL_version(SSL.OPENSSL_VERSION).decode(), "cases": told}, sys.stdout)
