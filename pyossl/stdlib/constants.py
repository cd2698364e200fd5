"""The constants of ``_ssl``: the running library's own values, and the numbers that Python itself has given.

They are listed by name, and not found by their prefix: looking through all names of ``lib`` takes longer than
everything else that ``import ssl`` does.
"""

from __future__ import annotations

import sys
from importlib import import_module

from pyossl.core import lib, text
from pyossl.stdlib import python_versions

TYPE_CHECKING = False  # as in typing, which takes longer to import than this module
if TYPE_CHECKING:
    from types import ModuleType

PROTOCOL_TLS, PROTOCOL_TLSv1, PROTOCOL_TLSv1_1, PROTOCOL_TLSv1_2, PROTOCOL_TLS_CLIENT, PROTOCOL_TLS_SERVER = (
    2, 3, 4, 5, 16, 17,
)  # fmt: skip
CERT_NONE, CERT_OPTIONAL, CERT_REQUIRED = 0, 1, 2
PROTO_MINIMUM_SUPPORTED, PROTO_MAXIMUM_SUPPORTED = -2, -1
PROTO_SSLv3 = 0x300
ENCODING_PEM, ENCODING_DER = 1, 2
SSL_ERROR_EOF = 8
"""An end of the transport: Python's own, as OpenSSL has no such number."""

_PYTHONS = {
    "CERT_NONE": CERT_NONE,
    "CERT_OPTIONAL": CERT_OPTIONAL,
    "CERT_REQUIRED": CERT_REQUIRED,
    "ENCODING_DER": ENCODING_DER,
    "ENCODING_PEM": ENCODING_PEM,
    "HAS_ALPN": True,
    "HAS_ECDH": True,
    "HAS_NPN": False,
    "HAS_SNI": True,
    "HAS_SSLv2": False,
    "HAS_SSLv3": False,
    "HAS_TLS_UNIQUE": True,
    "HAS_TLSv1": True,
    "HAS_TLSv1_1": True,
    "HAS_TLSv1_2": True,
    "PROTOCOL_SSLv23": PROTOCOL_TLS,
    "PROTOCOL_TLS": PROTOCOL_TLS,
    "PROTOCOL_TLS_CLIENT": PROTOCOL_TLS_CLIENT,
    "PROTOCOL_TLS_SERVER": PROTOCOL_TLS_SERVER,
    "PROTOCOL_TLSv1": PROTOCOL_TLSv1,
    "PROTOCOL_TLSv1_1": PROTOCOL_TLSv1_1,
    "PROTOCOL_TLSv1_2": PROTOCOL_TLSv1_2,
    "PROTO_MAXIMUM_SUPPORTED": PROTO_MAXIMUM_SUPPORTED,
    "PROTO_MINIMUM_SUPPORTED": PROTO_MINIMUM_SUPPORTED,
    "PROTO_SSLv3": PROTO_SSLv3,
    "SSL_ERROR_EOF": SSL_ERROR_EOF,
    "SSL_ERROR_INVALID_ERROR_CODE": 10,
    "VERIFY_DEFAULT": 0,
}
_LIBRARYS = {
    "HOSTFLAG_ALWAYS_CHECK_SUBJECT": "X509_CHECK_FLAG_ALWAYS_CHECK_SUBJECT",
    "HOSTFLAG_MULTI_LABEL_WILDCARDS": "X509_CHECK_FLAG_MULTI_LABEL_WILDCARDS",
    "HOSTFLAG_NEVER_CHECK_SUBJECT": "X509_CHECK_FLAG_NEVER_CHECK_SUBJECT",
    "HOSTFLAG_NO_PARTIAL_WILDCARDS": "X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS",
    "HOSTFLAG_NO_WILDCARDS": "X509_CHECK_FLAG_NO_WILDCARDS",
    "HOSTFLAG_SINGLE_LABEL_SUBDOMAINS": "X509_CHECK_FLAG_SINGLE_LABEL_SUBDOMAINS",
    "PROTO_TLSv1": "TLS1_VERSION",
    "PROTO_TLSv1_1": "TLS1_1_VERSION",
    "PROTO_TLSv1_2": "TLS1_2_VERSION",
    "PROTO_TLSv1_3": "TLS1_3_VERSION",
    "VERIFY_ALLOW_PROXY_CERTS": "X509_V_FLAG_ALLOW_PROXY_CERTS",
    "VERIFY_CRL_CHECK_LEAF": "X509_V_FLAG_CRL_CHECK",
    "VERIFY_X509_PARTIAL_CHAIN": "X509_V_FLAG_PARTIAL_CHAIN",
    "VERIFY_X509_STRICT": "X509_V_FLAG_X509_STRICT",
    "VERIFY_X509_TRUSTED_FIRST": "X509_V_FLAG_TRUSTED_FIRST",
}
_ALERTS = """
    ACCESS_DENIED BAD_CERTIFICATE BAD_CERTIFICATE_HASH_VALUE BAD_CERTIFICATE_STATUS_RESPONSE BAD_RECORD_MAC
    CERTIFICATE_EXPIRED CERTIFICATE_REVOKED CERTIFICATE_UNKNOWN CERTIFICATE_UNOBTAINABLE CLOSE_NOTIFY DECODE_ERROR
    DECOMPRESSION_FAILURE DECRYPT_ERROR HANDSHAKE_FAILURE ILLEGAL_PARAMETER INSUFFICIENT_SECURITY INTERNAL_ERROR
    NO_RENEGOTIATION PROTOCOL_VERSION RECORD_OVERFLOW UNEXPECTED_MESSAGE UNKNOWN_CA UNKNOWN_PSK_IDENTITY
    UNRECOGNIZED_NAME UNSUPPORTED_CERTIFICATE UNSUPPORTED_EXTENSION USER_CANCELLED
"""
_ERRORS = "SSL SYSCALL WANT_CONNECT WANT_READ WANT_WRITE WANT_X509_LOOKUP ZERO_RETURN"
_OPTIONS = """
    CIPHER_SERVER_PREFERENCE ENABLE_MIDDLEBOX_COMPAT NO_COMPRESSION NO_RENEGOTIATION NO_SSLv2 NO_SSLv3 NO_TICKET
    NO_TLSv1 NO_TLSv1_1 NO_TLSv1_2 NO_TLSv1_3 SINGLE_DH_USE SINGLE_ECDH_USE
"""

OWN_CIPHERS = "@SECLEVEL=2:ECDH+AESGCM:ECDH+CHACHA20:ECDH+AES:DHE+AES:!aNULL:!eNULL:!aDSS:!SHA1:!AESCCM"
"""The ciphers that a Python uses by itself; distributions can configure others."""
OPENSSLS_CIPHERS = "ALL:!COMPLEMENTOFDEFAULT:!eNULL"
"""SSL_DEFAULT_CIPHER_LIST, where a Python was configured to use what OpenSSL does: its versions are OpenSSL's too."""


def all_options() -> int:
    """``OP_ALL``.  SSL_CTX_set_options(3)"""
    return int(lib.SSL_OP_ALL & ~lib.SSL_OP_DONT_INSERT_EMPTY_FRAGMENTS)


def constants(original: ModuleType | None) -> dict[str, object]:
    """All constants of the running Python's ``_ssl``, by name; ``original`` is its own module if that was loaded."""
    names: dict[str, object] = dict(_PYTHONS)
    names.update((name, getattr(lib, value)) for name, value in _LIBRARYS.items())
    names.update((f"ALERT_DESCRIPTION_{name}", getattr(lib, f"SSL_AD_{name}")) for name in _ALERTS.split())
    names.update((f"SSL_ERROR_{name}", getattr(lib, f"SSL_ERROR_{name}")) for name in _ERRORS.split())
    names.update((f"OP_{name}", getattr(lib, f"SSL_OP_{name}")) for name in _OPTIONS.split())
    names["OP_ALL"] = all_options()
    names["VERIFY_CRL_CHECK_CHAIN"] = lib.X509_V_FLAG_CRL_CHECK | lib.X509_V_FLAG_CRL_CHECK_ALL
    names["HAS_TLSv1_3"] = bool(lib.HAVE_TLS1_3)
    if lib.HAVE_UNEXPECTED_EOF:
        names["OP_IGNORE_UNEXPECTED_EOF"] = lib.SSL_OP_IGNORE_UNEXPECTED_EOF
    if python_versions.HAS_KTLS_OPTION:
        names["OP_LEGACY_SERVER_CONNECT"] = lib.SSL_OP_LEGACY_SERVER_CONNECT
        if lib.HAVE_API_3_0:
            names["OP_ENABLE_KTLS"] = lib.SSL_OP_ENABLE_KTLS
    if python_versions.HAS_PSK:
        names["HAS_PSK"] = bool(lib.HAVE_PSK)
    if python_versions.HAS_POST_HANDSHAKE:
        names["HAS_PHA"] = bool(lib.HAVE_TLS1_3)
    if python_versions.HAS_ALGORITHMS:
        names["HAS_PSK_TLS13"] = bool(lib.HAVE_PSK and lib.HAVE_TLS1_3)
    names["OPENSSL_VERSION"] = text(lib.OpenSSL_version(lib.OPENSSL_VERSION))
    names["OPENSSL_VERSION_NUMBER"] = number = lib.OpenSSL_version_num()
    names["OPENSSL_VERSION_INFO"] = version_info(number)
    names["_OPENSSL_API_VERSION"] = version_info(lib.OPENSSL_VERSION_NUMBER)
    names["_DEFAULT_CIPHERS"] = default_ciphers(original)
    return names


def version_info(number: int) -> tuple[int, int, int, int, int]:
    """The parts of OpenSSL_version_num(3), cut at the same places for every version, as ``ssl`` has them."""
    return number >> 28 & 0xFF, number >> 20 & 0xFF, number >> 12 & 0xFF, number >> 4 & 0xFF, number & 0xF


def default_ciphers(original: ModuleType | None) -> str:
    """The cipher list that this Python was configured with (--with-ssl-default-suites)."""
    if original is not None:
        return str(original._DEFAULT_CIPHERS)
    settings = _build_settings()
    choice = settings.get("PY_SSL_DEFAULT_CIPHERS", 1)
    if choice == 0 and isinstance(own := settings.get("PY_SSL_DEFAULT_CIPHER_STRING"), str):
        return own
    return OPENSSLS_CIPHERS if choice == 2 else OWN_CIPHERS


def _build_settings() -> dict[str, object]:
    """The settings of Python's build, as ``sysconfig`` finds them: importing it would take longer."""
    machine = getattr(sys.implementation, "_multiarch", "")
    try:
        data = import_module(f"_sysconfigdata_{sys.abiflags}_{sys.platform}_{machine}")
    except ImportError:
        return {}
    settings: dict[str, object] = data.build_time_vars
    return settings
