"""Signatures on certificates, requests and CRLs: the digest for a key, and how weak a key may be."""

from __future__ import annotations

from typing import Any

from pyossl.core import ffi, lib
from pyossl.core.outcome import take_records
from pyossl.x509.keys import PrivateKey

LEAST_SECURITY_BITS = 112
"""The minimum of NIST SP 800-57 since 2014: RSA 2048, EC 224."""


def digest_for(key: PrivateKey) -> Any:
    """The digest for signatures with a key of this type; NULL if the signature algorithm includes one.

    EVP_PKEY_get_default_digest_nid(3)
    """
    nid = ffi.new("int *")
    known = lib.EVP_PKEY_get_default_digest_nid(key._key, nid) > 0
    take_records()
    return lib.EVP_get_digestbynid(nid[0]) if known and nid[0] != lib.NID_undef else ffi.NULL
