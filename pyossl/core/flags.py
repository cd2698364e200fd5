"""OpenSSL's options, modes and flags under their own names, without the prefix: ``Options.NO_TICKET`` is
SSL_OP_NO_TICKET.

A flag that the OpenSSL in use does not have is not a member.  Nor is a flag that it still defines, as 0, but ignores.
"""

from __future__ import annotations

import enum

from pyossl.core import lib


class Options(enum.IntFlag):
    """Options of the protocol: ``Options.NO_TICKET`` is SSL_OP_NO_TICKET.

    The manual page describes each.  Two that are easily misunderstood:

    - ``NO_TICKET``: the server keeps the sessions and does not put them into tickets.  In TLS 1.3 it still sends
      tickets, which contain only the session's ID.
    - ``IGNORE_UNEXPECTED_EOF``: the end of the transport counts as a close_notify, which hides truncation.
      OpenSSL 3.0 or newer; no effect in 1.1.1.

    SSL_CTX_set_options(3)
    """

    LEGACY_SERVER_CONNECT = lib.SSL_OP_LEGACY_SERVER_CONNECT
    TLSEXT_PADDING = lib.SSL_OP_TLSEXT_PADDING
    SAFARI_ECDHE_ECDSA_BUG = lib.SSL_OP_SAFARI_ECDHE_ECDSA_BUG
    ALLOW_NO_DHE_KEX = lib.SSL_OP_ALLOW_NO_DHE_KEX
    DONT_INSERT_EMPTY_FRAGMENTS = lib.SSL_OP_DONT_INSERT_EMPTY_FRAGMENTS
    NO_QUERY_MTU = lib.SSL_OP_NO_QUERY_MTU
    COOKIE_EXCHANGE = lib.SSL_OP_COOKIE_EXCHANGE
    NO_TICKET = lib.SSL_OP_NO_TICKET
    CISCO_ANYCONNECT = lib.SSL_OP_CISCO_ANYCONNECT
    NO_SESSION_RESUMPTION_ON_RENEGOTIATION = lib.SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION
    NO_COMPRESSION = lib.SSL_OP_NO_COMPRESSION
    ALLOW_UNSAFE_LEGACY_RENEGOTIATION = lib.SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION
    NO_ENCRYPT_THEN_MAC = lib.SSL_OP_NO_ENCRYPT_THEN_MAC
    ENABLE_MIDDLEBOX_COMPAT = lib.SSL_OP_ENABLE_MIDDLEBOX_COMPAT
    PRIORITIZE_CHACHA = lib.SSL_OP_PRIORITIZE_CHACHA
    CIPHER_SERVER_PREFERENCE = lib.SSL_OP_CIPHER_SERVER_PREFERENCE
    TLS_ROLLBACK_BUG = lib.SSL_OP_TLS_ROLLBACK_BUG
    NO_ANTI_REPLAY = lib.SSL_OP_NO_ANTI_REPLAY
    NO_SSLv3 = lib.SSL_OP_NO_SSLv3
    NO_TLSv1 = lib.SSL_OP_NO_TLSv1
    NO_TLSv1_1 = lib.SSL_OP_NO_TLSv1_1
    NO_TLSv1_2 = lib.SSL_OP_NO_TLSv1_2
    NO_TLSv1_3 = lib.SSL_OP_NO_TLSv1_3
    NO_DTLSv1 = lib.SSL_OP_NO_DTLSv1
    NO_DTLSv1_2 = lib.SSL_OP_NO_DTLSv1_2
    NO_RENEGOTIATION = lib.SSL_OP_NO_RENEGOTIATION
    CRYPTOPRO_TLSEXT_BUG = lib.SSL_OP_CRYPTOPRO_TLSEXT_BUG
    NO_SSL_MASK = lib.SSL_OP_NO_SSL_MASK
    NO_DTLS_MASK = lib.SSL_OP_NO_DTLS_MASK
    ALL = lib.SSL_OP_ALL
    IGNORE_UNEXPECTED_EOF = lib.SSL_OP_IGNORE_UNEXPECTED_EOF
    if lib.HAVE_API_3_0:
        NO_EXTENDED_MASTER_SECRET = lib.SSL_OP_NO_EXTENDED_MASTER_SECRET
        CLEANSE_PLAINTEXT = lib.SSL_OP_CLEANSE_PLAINTEXT
        ENABLE_KTLS = lib.SSL_OP_ENABLE_KTLS
        ALLOW_CLIENT_RENEGOTIATION = lib.SSL_OP_ALLOW_CLIENT_RENEGOTIATION
        DISABLE_TLSEXT_CA_NAMES = lib.SSL_OP_DISABLE_TLSEXT_CA_NAMES
    if lib.HAVE_API_3_2:
        NO_TX_CERTIFICATE_COMPRESSION = lib.SSL_OP_NO_TX_CERTIFICATE_COMPRESSION
        NO_RX_CERTIFICATE_COMPRESSION = lib.SSL_OP_NO_RX_CERTIFICATE_COMPRESSION
        ENABLE_KTLS_TX_ZEROCOPY_SENDFILE = lib.SSL_OP_ENABLE_KTLS_TX_ZEROCOPY_SENDFILE
    if lib.HAVE_API_3_3:
        PREFER_NO_DHE_KEX = lib.SSL_OP_PREFER_NO_DHE_KEX
    if lib.HAVE_API_3_6:
        SERVER_PREFERENCE = lib.SSL_OP_SERVER_PREFERENCE
        LEGACY_EC_POINT_FORMATS = lib.SSL_OP_LEGACY_EC_POINT_FORMATS
    if lib.HAVE_ECH:
        ECH_GREASE = lib.SSL_OP_ECH_GREASE
        ECH_TRIALDECRYPT = lib.SSL_OP_ECH_TRIALDECRYPT
        ECH_IGNORE_CID = lib.SSL_OP_ECH_IGNORE_CID
        ECH_GREASE_RETRY_CONFIG = lib.SSL_OP_ECH_GREASE_RETRY_CONFIG


class Modes(enum.IntFlag):
    """Modes of the calls: ``Modes.AUTO_RETRY`` is SSL_MODE_AUTO_RETRY.

    The manual page describes each.  ``RELEASE_BUFFERS`` halves the memory of an idle connection and costs some work in
    each call; pyossl sets it unless the program clears it.  ``ASYNC`` is for the first handshake only: see
    ``Context.modes``.  SSL_CTX_set_mode(3)
    """

    ENABLE_PARTIAL_WRITE = lib.SSL_MODE_ENABLE_PARTIAL_WRITE
    ACCEPT_MOVING_WRITE_BUFFER = lib.SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
    AUTO_RETRY = lib.SSL_MODE_AUTO_RETRY
    NO_AUTO_CHAIN = lib.SSL_MODE_NO_AUTO_CHAIN
    RELEASE_BUFFERS = lib.SSL_MODE_RELEASE_BUFFERS
    SEND_CLIENTHELLO_TIME = lib.SSL_MODE_SEND_CLIENTHELLO_TIME
    SEND_SERVERHELLO_TIME = lib.SSL_MODE_SEND_SERVERHELLO_TIME
    SEND_FALLBACK_SCSV = lib.SSL_MODE_SEND_FALLBACK_SCSV
    ASYNC = lib.SSL_MODE_ASYNC
    DTLS_SCTP_LABEL_LENGTH_BUG = lib.SSL_MODE_DTLS_SCTP_LABEL_LENGTH_BUG


class VerifyFlags(enum.IntFlag):
    """Flags for the verification of a certificate chain: ``VerifyFlags.CRL_CHECK`` is X509_V_FLAG_CRL_CHECK.

    The manual page describes each.  ``PARTIAL_CHAIN``: a chain may end at any certificate of the trust store, and not
    at a root only.  X509_VERIFY_PARAM_set_flags(3)
    """

    USE_CHECK_TIME = lib.X509_V_FLAG_USE_CHECK_TIME
    CRL_CHECK = lib.X509_V_FLAG_CRL_CHECK
    CRL_CHECK_ALL = lib.X509_V_FLAG_CRL_CHECK_ALL
    IGNORE_CRITICAL = lib.X509_V_FLAG_IGNORE_CRITICAL
    X509_STRICT = lib.X509_V_FLAG_X509_STRICT
    ALLOW_PROXY_CERTS = lib.X509_V_FLAG_ALLOW_PROXY_CERTS
    POLICY_CHECK = lib.X509_V_FLAG_POLICY_CHECK
    EXPLICIT_POLICY = lib.X509_V_FLAG_EXPLICIT_POLICY
    INHIBIT_ANY = lib.X509_V_FLAG_INHIBIT_ANY
    INHIBIT_MAP = lib.X509_V_FLAG_INHIBIT_MAP
    NOTIFY_POLICY = lib.X509_V_FLAG_NOTIFY_POLICY
    EXTENDED_CRL_SUPPORT = lib.X509_V_FLAG_EXTENDED_CRL_SUPPORT
    USE_DELTAS = lib.X509_V_FLAG_USE_DELTAS
    CHECK_SS_SIGNATURE = lib.X509_V_FLAG_CHECK_SS_SIGNATURE
    TRUSTED_FIRST = lib.X509_V_FLAG_TRUSTED_FIRST
    SUITEB_128_LOS_ONLY = lib.X509_V_FLAG_SUITEB_128_LOS_ONLY
    SUITEB_192_LOS = lib.X509_V_FLAG_SUITEB_192_LOS
    SUITEB_128_LOS = lib.X509_V_FLAG_SUITEB_128_LOS
    PARTIAL_CHAIN = lib.X509_V_FLAG_PARTIAL_CHAIN
    NO_ALT_CHAINS = lib.X509_V_FLAG_NO_ALT_CHAINS
    NO_CHECK_TIME = lib.X509_V_FLAG_NO_CHECK_TIME
    if lib.HAVE_API_3_6:
        OCSP_RESP_CHECK = lib.X509_V_FLAG_OCSP_RESP_CHECK
        OCSP_RESP_CHECK_ALL = lib.X509_V_FLAG_OCSP_RESP_CHECK_ALL


class InfoWhere(enum.IntFlag):
    """The event for which an info callback is called: ``InfoWhere.ALERT`` is SSL_CB_ALERT.

    - ``HANDSHAKE_START``, ``HANDSHAKE_DONE``: a handshake begins, or is finished.
    - ``LOOP``: the state of the handshake changed.
    - ``EXIT``: a handshake function returns, because of an error or because it has to wait.
    - ``ALERT``: an alert was sent or received.
    - ``READ``, ``WRITE``: the direction; combined with the others.

    SSL_CTX_set_info_callback(3)
    """

    LOOP = lib.SSL_CB_LOOP
    EXIT = lib.SSL_CB_EXIT
    READ = lib.SSL_CB_READ
    WRITE = lib.SSL_CB_WRITE
    ALERT = lib.SSL_CB_ALERT
    HANDSHAKE_START = lib.SSL_CB_HANDSHAKE_START
    HANDSHAKE_DONE = lib.SSL_CB_HANDSHAKE_DONE


class ExtensionContext(enum.IntFlag):
    """The messages and versions that an extension is for: ``ExtensionContext.CLIENT_HELLO`` is SSL_EXT_CLIENT_HELLO.

    - ``CLIENT_HELLO``: the first message of a client.
    - ``TLS1_2_SERVER_HELLO``, ``TLS1_3_ENCRYPTED_EXTENSIONS``: a server's answer, in TLS 1.2 and in TLS 1.3.
    - ``TLS1_3_SERVER_HELLO``, ``TLS1_3_HELLO_RETRY_REQUEST``: other answers of a server, which are not encrypted.
    - ``TLS1_3_CERTIFICATE``: the certificates of both sides, each of which has extensions of its own.
    - ``TLS1_3_CERTIFICATE_REQUEST``: a server asks for the client's certificate.
    - ``TLS1_3_NEW_SESSION_TICKET``: a server's session ticket.
    - ``TLS_ONLY``, ``DTLS_ONLY``, ``TLS1_2_AND_BELOW_ONLY``, ``TLS1_3_ONLY``: only in these protocols.
    - ``IGNORE_ON_RESUMPTION``: not if a session is resumed.

    SSL_CTX_add_custom_ext(3)
    """

    TLS_ONLY = lib.SSL_EXT_TLS_ONLY
    DTLS_ONLY = lib.SSL_EXT_DTLS_ONLY
    TLS1_2_AND_BELOW_ONLY = lib.SSL_EXT_TLS1_2_AND_BELOW_ONLY
    TLS1_3_ONLY = lib.SSL_EXT_TLS1_3_ONLY
    IGNORE_ON_RESUMPTION = lib.SSL_EXT_IGNORE_ON_RESUMPTION
    CLIENT_HELLO = lib.SSL_EXT_CLIENT_HELLO
    TLS1_2_SERVER_HELLO = lib.SSL_EXT_TLS1_2_SERVER_HELLO
    TLS1_3_SERVER_HELLO = lib.SSL_EXT_TLS1_3_SERVER_HELLO
    TLS1_3_ENCRYPTED_EXTENSIONS = lib.SSL_EXT_TLS1_3_ENCRYPTED_EXTENSIONS
    TLS1_3_HELLO_RETRY_REQUEST = lib.SSL_EXT_TLS1_3_HELLO_RETRY_REQUEST
    TLS1_3_CERTIFICATE = lib.SSL_EXT_TLS1_3_CERTIFICATE
    TLS1_3_NEW_SESSION_TICKET = lib.SSL_EXT_TLS1_3_NEW_SESSION_TICKET
    TLS1_3_CERTIFICATE_REQUEST = lib.SSL_EXT_TLS1_3_CERTIFICATE_REQUEST
