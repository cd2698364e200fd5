"""OpenSSL's options, modes and flags by their own names, without their prefix: ``Options.NO_TICKET`` is
SSL_OP_NO_TICKET."""

from __future__ import annotations

import enum

from pyossl._lib import lib


class Options(enum.IntFlag):
    """How the protocol is spoken.  SSL_CTX_set_options(3)"""

    NO_COMPRESSION = lib.SSL_OP_NO_COMPRESSION
    NO_RENEGOTIATION = lib.SSL_OP_NO_RENEGOTIATION
    NO_TICKET = lib.SSL_OP_NO_TICKET
    CIPHER_SERVER_PREFERENCE = lib.SSL_OP_CIPHER_SERVER_PREFERENCE
    IGNORE_UNEXPECTED_EOF = lib.SSL_OP_IGNORE_UNEXPECTED_EOF
    """Takes a transport's end for a clean close, and so hides truncation.  From OpenSSL 3.0; nothing before."""


class Modes(enum.IntFlag):
    """How calls behave.  SSL_CTX_set_mode(3)"""

    ENABLE_PARTIAL_WRITE = lib.SSL_MODE_ENABLE_PARTIAL_WRITE
    ACCEPT_MOVING_WRITE_BUFFER = lib.SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
    AUTO_RETRY = lib.SSL_MODE_AUTO_RETRY
    RELEASE_BUFFERS = lib.SSL_MODE_RELEASE_BUFFERS
    """Half the memory of an idle connection, for some more work at each call."""


class VerifyFlags(enum.IntFlag):
    """How a chain is verified.  X509_VERIFY_PARAM_set_flags(3)"""

    CRL_CHECK = lib.X509_V_FLAG_CRL_CHECK
    CRL_CHECK_ALL = lib.X509_V_FLAG_CRL_CHECK_ALL
    X509_STRICT = lib.X509_V_FLAG_X509_STRICT
    POLICY_CHECK = lib.X509_V_FLAG_POLICY_CHECK
    EXPLICIT_POLICY = lib.X509_V_FLAG_EXPLICIT_POLICY
    USE_DELTAS = lib.X509_V_FLAG_USE_DELTAS
    CHECK_SS_SIGNATURE = lib.X509_V_FLAG_CHECK_SS_SIGNATURE
    TRUSTED_FIRST = lib.X509_V_FLAG_TRUSTED_FIRST
    PARTIAL_CHAIN = lib.X509_V_FLAG_PARTIAL_CHAIN
    NO_ALT_CHAINS = lib.X509_V_FLAG_NO_ALT_CHAINS
    NO_CHECK_TIME = lib.X509_V_FLAG_NO_CHECK_TIME


class InfoWhere(enum.IntFlag):
    """What an info callback is told about.  SSL_CTX_set_info_callback(3)"""

    LOOP = lib.SSL_CB_LOOP
    EXIT = lib.SSL_CB_EXIT
    READ = lib.SSL_CB_READ
    WRITE = lib.SSL_CB_WRITE
    ALERT = lib.SSL_CB_ALERT
    HANDSHAKE_START = lib.SSL_CB_HANDSHAKE_START
    HANDSHAKE_DONE = lib.SSL_CB_HANDSHAKE_DONE
