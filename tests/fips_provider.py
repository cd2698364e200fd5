"""OpenSSL's FIPS provider.  Debian's package openssl-provider-fips has it; row 3.5 of ci/matrix installs it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from pyossl import lib

IN_ROW = "openssl-provider-fips" in os.environ.get("PYOSSL_ROW_PACKAGES", "").split()
"""Whether this is a row of ci/matrix that installs the provider."""


def provider_file() -> Path:
    """The module of the provider, which may not be there."""
    said = subprocess.run(["openssl", "version", "-m"], capture_output=True, text=True).stdout
    return Path(said.partition('"')[2].partition('"')[0]) / "fips.so"


def why_not() -> str:
    """Why there is no FIPS provider; "" if there is one."""
    if not lib.HAVE_PROVIDERS:
        return "OpenSSL has providers from 3.0 on"
    if not provider_file().exists():
        return f"there is no {provider_file()}: row 3.5 of ci/matrix installs openssl-provider-fips"
    return ""


def install(folder: Path) -> Path:
    """The configuration of the provider in ``folder``, after its self-tests.  openssl-fipsinstall(1)"""
    module = folder / "fipsmodule.cnf"
    subprocess.run(["openssl", "fipsinstall", "-module", provider_file(), "-out", module, "-quiet"], check=True)
    return module
