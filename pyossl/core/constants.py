"""OpenSSL's constants under their own names, for the modules that do not use ``lib`` directly."""

from __future__ import annotations

from pyossl.core import ffi, lib, text

openssl_version: str = text(lib.OpenSSL_version(lib.OPENSSL_VERSION))
"""The OpenSSL library in use, for example ``OpenSSL 3.0.19 27 Jan 2026``.  OpenSSL_version(3)"""


def constant(name: str, default: int | None = None) -> int:
    """The value of a constant, for example ``SSL_OP_NO_TICKET``.

    ``default`` is the result for a name that the OpenSSL in use does not have; without it, raises ``AttributeError``.
    """
    return int(getattr(lib, name) if default is None else getattr(lib, name, default))


def version_text(kind: int) -> bytes:
    """The text for ``kind``, an ``OPENSSL_x`` constant, for example ``OPENSSL_CFLAGS``.  OpenSSL_version(3)"""
    return bytes(ffi.string(lib.OpenSSL_version(kind)))
