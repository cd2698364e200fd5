"""The exceptions of ``_ssl``, and the texts that it gives them: ``[SSL: CERTIFICATE_VERIFY_FAILED] certificate ...``.

The classes are the original's if Python's own ``_ssl`` has been loaded, so that every ``except`` and every tuple of
classes that a program has still holds; otherwise they are made here.  ``use`` decides; it is called before anything can
raise.  Import this module, and not its names.

OpenSSL's names of reasons are derived from its texts: it makes both from one list, in which few texts differ from their
names.  So no table is made, at import or later.
"""

from __future__ import annotations

from pyossl.core import lib, text
from pyossl.core.methods_in_c import new_ssl_error_type
from pyossl.stdlib import python_versions

TYPE_CHECKING = False  # as in typing, which takes longer to import than this module
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

LINE = 1000
"""The line of ``_ssl.c`` in the messages.  Programs only expect that there is one."""


class Exceptions:
    """The classes, as attributes."""

    SSLError: type[OSError]
    SSLCertVerificationError: type[OSError]
    SSLZeroReturnError: type[OSError]
    SSLWantReadError: type[OSError]
    SSLWantWriteError: type[OSError]
    SSLSyscallError: type[OSError]
    SSLEOFError: type[OSError]

    def __init__(self, classes: dict[str, type[OSError]]) -> None:
        self.__dict__.update(classes)

    def _asdict(self) -> dict[str, type[OSError]]:
        return dict(self.__dict__)


_DOCUMENTED = {
    "SSLCertVerificationError": "A certificate could not be verified.",
    "SSLZeroReturnError": "SSL/TLS session closed cleanly.",
    "SSLWantReadError": "The operation has to wait until the socket, which does not block, can be read.",
    "SSLWantWriteError": "The operation has to wait until the socket, which does not block, can be written.",
    "SSLSyscallError": "The system failed while TLS was in use.",
    "SSLEOFError": "The connection ended without TLS being closed.",
}


def _own() -> dict[str, type[OSError]]:
    base = new_ssl_error_type()
    made: dict[str, type[OSError]] = {"SSLError": base}
    for name, documentation in _DOCUMENTED.items():
        bases = (base, ValueError) if name == "SSLCertVerificationError" else (base,)
        made[name] = type(name, bases, {"__module__": "ssl", "__doc__": documentation})
    return made


def use(original: ModuleType | None) -> Exceptions:
    """Takes over the classes of the original module, or makes them once; returns them."""
    global SSLError, SSLCertVerificationError, SSLZeroReturnError, SSLSyscallError
    global SSLWantReadError, SSLWantWriteError, SSLEOFError
    if original is not None:
        _classes.update((name, getattr(original, name)) for name in ("SSLError", *_DOCUMENTED))
    elif not _classes:
        _classes.update(_own())
    SSLError, SSLCertVerificationError = _classes["SSLError"], _classes["SSLCertVerificationError"]
    SSLZeroReturnError, SSLSyscallError = _classes["SSLZeroReturnError"], _classes["SSLSyscallError"]
    SSLWantReadError, SSLWantWriteError = _classes["SSLWantReadError"], _classes["SSLWantWriteError"]
    SSLEOFError = _classes["SSLEOFError"]
    return Exceptions(_classes)


_classes: dict[str, type[OSError]] = {}

SSLError: type[OSError]
SSLCertVerificationError: type[OSError]
SSLZeroReturnError: type[OSError]
SSLWantReadError: type[OSError]
SSLWantWriteError: type[OSError]
SSLSyscallError: type[OSError]
SSLEOFError: type[OSError]

_LIBRARIES = """
    ASN1 ASYNC BIO BN BUF CMP CMS COMP CONF CRMF CRYPTO CT DH DSA DSO EC ECDH ECDSA ENGINE ESS EVP FIPS HMAC HTTP KDF
    NONE OBJ OCSP OSSL_DECODER OSSL_ENCODER OSSL_STORE PEM PKCS12 PKCS7 PROP PROV RAND RSA SM2 SSL SYS
    TS UI USER X509 X509V3
"""
_OTHER_NAMES = {
    ("DH", "invalid public key"): "INVALID_PUBKEY",
    ("DSA", "seed_len is less than the length of q"): "SEED_LEN_SMALL",
    ("DSO", "cleanup method function failed"): "FINISH_FAILED",
    ("DSO", "control command failed"): "CTRL_FAILED",
    ("DSO", "could not bind to the requested symbol name"): "SYM_FAILURE",
    ("DSO", "could not load the shared library"): "LOAD_FAILED",
    ("DSO", "a null shared library handle was used"): "NULL_HANDLE",
    ("DSO", "could not unload the shared library"): "UNLOAD_FAILED",
    ("DSO", "functionality not supported"): "UNSUPPORTED",
    ("DSO", "the meth_data stack is corrupt"): "STACK_ERROR",
    ("ENGINE", "'id' or 'name' missing"): "ID_OR_NAME_MISSING",
    ("ENGINE", "engine is not in the list"): "ENGINE_IS_NOT_IN_LIST",
    ("EVP", "expecting an ec key"): "EXPECTING_A_EC_KEY",
    ("EVP", "expecting an ecx key"): "EXPECTING_A_ECX_KEY",
    ("EVP", "partially overlapping buffers"): "PARTIALLY_OVERLAPPING",
    ("RAND", "Error writing file"): "FWRITE_ERROR",
    ("RAND", "Function not implemented"): "FUNC_NOT_IMPLEMENTED",
    ("RSA", "salt length check failed"): "SLEN_CHECK_FAILED",
    ("RSA", "salt length recovery failed"): "SLEN_RECOVERY_FAILED",
    (
        "SSL",
        "Peer haven't sent GOST certificate, required for selected ciphersuite",
    ): "NO_GOST_CERTIFICATE_SENT_BY_PEER",
    ("SSL", "at least (D)TLS 1.2 needed in Suite B mode"): "AT_LEAST_TLS_1_2_NEEDED_IN_SUITEB_MODE",
    ("SSL", "can't find SRP server param"): "MISSING_SRP_PARAM",
    ("SSL", "error with the srp params"): "SRP_A_CALC",
    ("SSL", "illegal Suite B digest"): "ILLEGAL_SUITEB_DIGEST",
    ("TS", "cannot find config variable"): "VAR_LOOKUP_FAILURE",
    ("TS", "cannot load certificate"): "CANNOT_LOAD_CERT",
    ("TS", "cannot load private key"): "CANNOT_LOAD_KEY",
    ("UI", "sys$assign error"): "SYSASSIGN_ERROR",
    ("UI", "sys$dassgn error"): "SYSDASSGN_ERROR",
    ("UI", "sys$qiow error"): "SYSQIOW_ERROR",
}
"""The reasons whose texts say something else than their names; for the others see ``reason_name``."""
_COMMON_REASONS = 0x80000
"""ERR_RFLAG_COMMON: a reason that all libraries share, which Python has no name for."""

_library_names: dict[int, str] = {}


def library_names() -> dict[int, str]:
    """The numbers of OpenSSL's libraries, with their names: ``lib_codes_to_names``."""
    if not _library_names:
        numbers = ((getattr(lib, f"ERR_LIB_{name}", None), name) for name in _LIBRARIES.split())
        _library_names.update((number, name) for number, name in numbers if number is not None)
    return _library_names


def reason_name(code: int) -> str | None:
    """The name of a code's reason, for example ``CERTIFICATE_VERIFY_FAILED``; None if it has none."""
    reason = lib.ERR_GET_REASON(code)
    words = text(lib.ERR_reason_error_string(code))
    if not words or reason & _COMMON_REASONS:
        return None
    library = library_names().get(lib.ERR_GET_LIB(code), "")
    if library == "SSL":
        # From 3.2 the texts of the oldest alerts say that they are not SSL 3.0's alone; in 4.0 they are TLS's.
        for newer in "ssl/tls alert ", "tls alert ":
            if words.startswith(newer):
                words = f"sslv3 alert {words.removeprefix(newer)}"
    return _OTHER_NAMES.get((library, words)) or "".join(c if c.isalnum() else "_" for c in words).upper()


class Verdict:
    """Why a certificate was refused: ``code``, an X509_V_ERR_x, and the text ``message``."""

    __slots__ = ("code", "message")

    def __init__(self, code: int, message: str) -> None:
        self.code = code
        self.message = message


def fill(kind: type[OSError], number: int, words: str | None, code: int = 0, verdict: Verdict | None = None) -> OSError:
    """An exception as ``_ssl`` makes it.

    - ``number``: its errno.
    - ``words``: the text; None for OpenSSL's text for ``code``.
    - ``code``: the entry of the error queue; 0 for none.
    - ``verdict``: for an SSLCertVerificationError, why the certificate was refused.
    """
    library = reason = None
    if code:
        library, reason = library_names().get(lib.ERR_GET_LIB(code)), reason_name(code)
    if words is None:
        words = (code and text(lib.ERR_reason_error_string(code))) or unknown(code)
    if verdict is not None and library and reason:
        words = f"[{library}: {reason}] {words}: {verdict.message}"
    elif library and reason:
        words = f"[{library}: {reason}] {words}"
    elif library:
        words = f"[{library}] {words}"
    error = kind(number, f"{words} (_ssl.c:{LINE})")
    error.reason, error.library = reason, library  # type: ignore[attr-defined]  # SSLError's own
    if verdict is not None:
        # type: ignore, because ``kind`` is SSLCertVerificationError then, which has these two, and OSError has not
        error.verify_code = verdict.code  # type: ignore[attr-defined]
        error.verify_message = verdict.message  # type: ignore[attr-defined]
    return error


def unknown(code: int) -> str:
    """The text of an error that OpenSSL does not explain."""
    return f"unknown error (0x{code:x})" if python_versions.UNKNOWN_ERRORS_HAVE_CODES else "unknown error"


def refused(words: str) -> OSError:
    """An SSLError with this text, whatever OpenSSL's reason is; empties the error queue."""
    lib.pyossl_clear_errors()
    return fill(SSLError, 0, words)


def of_queue() -> OSError:
    """An SSLError of the newest entry of this thread's error queue, which is emptied.  ERR_peek_last_error(3)"""
    code = lib.ERR_peek_last_error()
    lib.pyossl_clear_errors()
    return of_code(code)


def of_code(code: int) -> OSError:
    """An SSLError of this entry of the error queue; its errno is the number of the reason."""
    return fill(SSLError, lib.ERR_GET_REASON(code) if code else 0, None, code)


def error_tables() -> dict[str, dict[Any, Any]]:
    """``err_codes_to_names``, ``err_names_to_codes`` and ``lib_codes_to_names``, which 3.10 and 3.11 have."""
    codes: dict[tuple[int, int], str] = {}
    lib.SSL_CTX_free(lib.SSL_CTX_new(lib.TLS_method()))  # loads libssl's texts: docs/pitfalls.md, 61
    for library in library_names():
        for reason in range(100, 1200):
            if name := reason_name(lib.ERR_PACK(library, 0, reason)):
                codes[library, reason] = name
    return {
        "err_codes_to_names": codes,
        "err_names_to_codes": {name: code for code, name in codes.items()},
        "lib_codes_to_names": dict(library_names()),
    }
