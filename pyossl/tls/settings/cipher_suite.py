"""A cipher suite by its names and its number.  SSL_CIPHER_get_name(3)"""

from __future__ import annotations

from typing import Any, NamedTuple

from pyossl.core import ffi, lib, text


class CipherSuite(NamedTuple):
    """A cipher suite.  SSL_CIPHER_get_name(3)"""

    number: int
    name: str
    standard_name: str
    version: str
    bits: int


def cipher_suite(cipher: Any) -> CipherSuite:
    """The cipher suite of an ``SSL_CIPHER *``."""
    return CipherSuite(
        lib.SSL_CIPHER_get_protocol_id(cipher),
        text(lib.SSL_CIPHER_get_name(cipher)),
        text(lib.SSL_CIPHER_standard_name(cipher)),
        text(lib.SSL_CIPHER_get_version(cipher)),
        lib.SSL_CIPHER_get_bits(cipher, ffi.NULL),
    )


CipherSuite.number.__doc__ = "The number on the wire, for example ``0x1301``.  SSL_CIPHER_get_protocol_id(3)"
CipherSuite.name.__doc__ = "OpenSSL's name, for example ``ECDHE-RSA-AES128-GCM-SHA256``.  SSL_CIPHER_get_name(3)"
CipherSuite.standard_name.__doc__ = (
    "The name of the RFCs, for example ``TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256``.  SSL_CIPHER_standard_name(3)"
)
CipherSuite.version.__doc__ = "The version that defined it, for example ``TLSv1.2``.  SSL_CIPHER_get_version(3)"
CipherSuite.bits.__doc__ = "Its strength in bits.  SSL_CIPHER_get_bits(3)"
