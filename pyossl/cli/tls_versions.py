"""The TLS versions as options and output write them."""

from __future__ import annotations

from pyossl.tls.settings.versions import Version

VERSIONS = {"1.2": Version.TLSv1_2, "1.3": Version.TLSv1_3}
"""The values of ``--tls``."""

ALL_VERSIONS = {"1.0": Version.TLSv1, "1.1": Version.TLSv1_1, **VERSIONS}
"""The values of ``--min`` and ``--max``.  A user has to allow an old version explicitly, with ``--min``."""


def version_name(version: Version) -> str:
    """The name of a version in OpenSSL, for example ``TLSv1.3``.  SSL_get_version(3)"""
    return version.name.replace("_", ".")
