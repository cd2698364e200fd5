"""Marks that many tests have: for each protocol version, for a feature that the OpenSSL in use has or lacks, and for
measurements that a sanitizer falsifies."""

from __future__ import annotations

import sysconfig

import pytest
from malloc_in_use import IS_REPLACED

from pyossl import Version, features

VERSIONS = pytest.mark.parametrize("version", [Version.TLSv1_2, Version.TLSv1_3], ids=lambda version: version.name)

measures_memory = pytest.mark.skipif(IS_REPLACED, reason="AddressSanitizer keeps freed memory for a while")
"""For a test of the size of the process."""


FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
"""Whether this Python was built without a global interpreter lock."""


def needs(*names: str) -> pytest.MarkDecorator:
    """Skips the test if this OpenSSL lacks one of the features, which are names of ``pyossl.features``."""
    lacking = " and no ".join(features.describe(name) for name in names if not features[name])
    return pytest.mark.skipif(bool(lacking), reason=f"this OpenSSL has no {lacking}")


def without(name: str) -> pytest.MarkDecorator:
    """Skips the test if this OpenSSL has the feature."""
    return pytest.mark.skipif(features[name], reason=f"this OpenSSL has {features.describe(name)}")
