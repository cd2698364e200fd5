"""The short names of the kinds of BIO."""

from __future__ import annotations

from typing import Any

from pyossl.core import lib, text

_NAMES = {
    lib.BIO_TYPE_ACCEPT: "accept",
    lib.BIO_TYPE_BASE64: "base64",
    lib.BIO_TYPE_BIO: "pair",
    lib.BIO_TYPE_BUFFER: "buffer",
    lib.BIO_TYPE_CIPHER: "cipher",
    lib.BIO_TYPE_CONNECT: "connect",
    lib.BIO_TYPE_DGRAM: "datagram",
    lib.BIO_TYPE_FD: "fd",
    lib.BIO_TYPE_FILE: "file",
    lib.BIO_TYPE_MD: "digest",
    lib.BIO_TYPE_MEM: "memory",
    lib.BIO_TYPE_NULL: "null",
    lib.BIO_TYPE_SOCKET: "socket",
}
"""The names of the BIO types in the manual pages; BIO_method_name(3) has longer ones."""


def name_of(bio: Any) -> str:
    """The name of the type of a ``BIO *``; of a type without a manual page OpenSSL's own.  BIO_method_name(3)"""
    return _NAMES.get(lib.BIO_method_type(bio)) or text(lib.BIO_method_name(bio))
