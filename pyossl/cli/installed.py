"""Which releases are installed."""

from __future__ import annotations

from importlib import metadata


def version_of(distribution: str) -> str:
    """The version of an installed distribution; ``(not installed)`` where Python runs it from a source tree."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "(not installed)"
