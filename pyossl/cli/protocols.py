"""The versions of the protocol as the command line and people call them."""

from __future__ import annotations

from pyossl.tls.versions import Version

VERSIONS = {"1.2": Version.TLSv1_2, "1.3": Version.TLSv1_3}
"""What an option such as ``--tls`` takes."""

EVERY_VERSION = {"1.0": Version.TLSv1, "1.1": Version.TLSv1_1, **VERSIONS}
"""What ``--min`` and ``--max`` take: with ``--min`` a person says in so many words that an old one will do."""


def spelled(version: Version) -> str:
    """A version as OpenSSL spells it, such as ``TLSv1.3``.  SSL_get_version(3)"""
    return version.name.replace("_", ".")
