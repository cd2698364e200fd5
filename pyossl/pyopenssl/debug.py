"""``python -m OpenSSL.debug`` prints the versions and paths that belong into a bug report."""

from __future__ import annotations

import importlib.util
import platform
import sys

from pyossl.core.constants import constant, version_text
from pyossl.pyopenssl import version
from pyossl.tls import system_openssl


def _environment() -> str:
    facts = {
        "pyOpenSSL": f"{version.__version__} (the API, by pyossl)",
        "cryptography": "installed" if importlib.util.find_spec("cryptography") else "not installed",
        "OpenSSL at run time": version_text(constant("OPENSSL_VERSION")).decode(),
        "OpenSSL compiled against": system_openssl.headers(),
        "libssl": system_openssl.ssl_library(),
        "Python executable": sys.executable,
        "Python version": sys.version,
        "Platform": platform.platform(),
        "sys.path": sys.path,
    }
    return "\n".join(f"{name}: {fact}" for name, fact in facts.items())


_env_info = _environment()


if __name__ == "__main__":
    print(_env_info)
