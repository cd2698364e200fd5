"""The numbers of alerts and reasons; their texts differ between versions of OpenSSL (docs/pitfalls.md, 26)."""

from __future__ import annotations

import enum


class Alert(enum.IntEnum):
    """RFC 8446, 6.2, and RFC 7301, 3.2."""

    HANDSHAKE_FAILURE = 40
    BAD_CERTIFICATE = 42
    CERTIFICATE_REVOKED = 44
    CERTIFICATE_EXPIRED = 45
    CERTIFICATE_UNKNOWN = 46
    UNKNOWN_CA = 48
    ACCESS_DENIED = 49
    DECODE_ERROR = 50
    PROTOCOL_VERSION = 70
    CERTIFICATE_REQUIRED = 116


class Reason(enum.IntEnum):
    """SSL_R_x of <openssl/sslerr.h>, the same from 1.1.1 to 4.0."""

    PEER_DID_NOT_RETURN_A_CERTIFICATE = 199
    NO_APPLICATION_PROTOCOL = 235
    UNSUPPORTED_PROTOCOL = 258
