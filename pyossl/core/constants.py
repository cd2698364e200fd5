"""OpenSSL's constants by their own names, for the faces, which do not touch ``lib``."""

from __future__ import annotations

from pyossl.core.binding import ffi, lib


def constant(name: str, default: int | None = None) -> int:
    """The value of a constant such as ``SSL_OP_NO_TICKET``.

    ``default`` is for a name that this OpenSSL has not; without one it is an ``AttributeError``.
    """
    return int(getattr(lib, name) if default is None else getattr(lib, name, default))


def version_text(kind: int) -> bytes:
    """What this OpenSSL says of itself, by an ``OPENSSL_x`` constant.  OpenSSL_version(3)"""
    return bytes(ffi.string(lib.OpenSSL_version(kind)))
