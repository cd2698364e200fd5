"""The versions of installed packages."""

from __future__ import annotations

from importlib import metadata


def package_version(distribution: str) -> str:
    """The version of an installed distribution, or ``(not installed)`` if Python runs it from a source tree."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "(not installed)"
