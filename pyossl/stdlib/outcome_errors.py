"""The exceptions of a connection's calls, as ``_ssl`` raises them, from the results of pyossl's C functions.

C returns a number below 0: the negative of an SSL_ERROR_x, or a PYOSSL_x.  The facts of a failure stay in the C struct
of the connection, so that every later call raises the same.

A function here returns an exception, and the caller raises the result at once.  It must not keep it in a variable: its
traceback refers to the frame, and connections and contexts would live until the garbage collector finds the cycle.
"""

from __future__ import annotations

import os

from pyossl.core import lib, text
from pyossl.core.parked_exceptions import take_raised
from pyossl.stdlib import errors, python_versions
from pyossl.stdlib.constants import SSL_ERROR_EOF
from pyossl.tls.mutable.mutable_connection import MutableConnection

_WANTS = {
    -lib.SSL_ERROR_WANT_READ: "The operation did not complete (read)",
    -lib.SSL_ERROR_WANT_WRITE: "The operation did not complete (write)",
    -lib.SSL_ERROR_WANT_X509_LOOKUP: "The operation did not complete (X509 lookup)",
    -lib.SSL_ERROR_WANT_CONNECT: "The operation did not complete (connect)",
}
_NAMES = {"reading": "read", "writing": "write", "shutdown": "read"}
_MISUSES = {
    lib.PYOSSL_CLOSED: "the connection has been closed",
    lib.PYOSSL_INHERITED: "a thread of the parent process used the connection when this process was forked",
    lib.PYOSSL_BUSY: "a callback cannot use its own connection",
    lib.PYOSSL_ASKED: "this code runs inside a call about the connection, as a signal handler may, and cannot wait",
    lib.PYOSSL_READ_FIRST: "the peer has sent data in a renegotiation, which must be read first",
}
_REPEAT = (lib.PYOSSL_OTHER_WRITE, lib.PYOSSL_WRITING, lib.PYOSSL_WRITE_FIRST)
_CLOSED_BY_PEER = "TLS/SSL connection has been closed (EOF)"
_EOF = "EOF occurred in violation of protocol"


def error_of(tls: MutableConnection, name: str | None, result: int, operation: str) -> BaseException:
    """The exception for a result below 0.

    - ``tls``: the connection.
    - ``name``: the server name that it expects.
    - ``operation``: ``reading``, ``writing``, ``handshake`` or ``shutdown``.
    """
    if message := _WANTS.get(result):
        return _unfinished(-result, message)
    if result == lib.PYOSSL_TIMED_OUT:
        if operation == "handshake":
            return TimeoutError(f"_ssl.c:{errors.LINE}: The handshake operation timed out")
        return TimeoutError(f"The {_NAMES[operation]} operation timed out")
    if result == lib.PYOSSL_RAISED:
        return take_raised()
    if result == lib.PYOSSL_PARKED:
        parked = tls._callbacks.take_parked()
        if parked is not None:
            return parked
    if result == lib.PYOSSL_NO_MEMORY:
        return MemoryError()
    if message := _MISUSES.get(result):
        return errors.fill(errors.SSLError, lib.SSL_ERROR_SSL, message)
    if result in _REPEAT:
        return _of_reason(lib.SSL_R_BAD_WRITE_RETRY)
    if result == lib.PYOSSL_SHUT:
        return _of_reason(lib.SSL_R_PROTOCOL_IS_SHUTDOWN)
    c = tls._c
    if result == lib.PYOSSL_UNWRITTEN:
        return _of_errno(c.write_errno, operation)
    if result == -lib.SSL_ERROR_ZERO_RETURN and not c.dead:
        return errors.fill(errors.SSLZeroReturnError, lib.SSL_ERROR_ZERO_RETURN, _CLOSED_BY_PEER)
    return _of_failure(tls, name, operation)


def _unfinished(error: int, message: str) -> OSError:
    kind = errors.SSLError
    if error == lib.SSL_ERROR_WANT_READ:
        kind = errors.SSLWantReadError
    elif error == lib.SSL_ERROR_WANT_WRITE:
        kind = errors.SSLWantWriteError
    return errors.fill(kind, error, message)


def _of_reason(reason: int) -> OSError:
    return errors.fill(errors.SSLError, lib.SSL_ERROR_SSL, None, lib.ERR_PACK(lib.ERR_LIB_SSL, 0, reason))


def _of_errno(number: int, operation: str) -> OSError:
    """The transport has failed: with this errno, or with its end if it is 0."""
    if number and not (python_versions.FAILED_READ_IS_EOF and operation in ("reading", "writing")):
        return OSError(number, os.strerror(number))
    return errors.fill(errors.SSLEOFError, SSL_ERROR_EOF, _EOF)


def _of_failure(tls: MutableConnection, name: str | None, operation: str) -> OSError:
    """The exception for the failure that has ended the connection.  ``_ssl`` shows its newest record."""
    c = tls._c
    error = c.error
    code = int(c.records[c.record_count - 1].code) if c.record_count else 0
    if error == lib.SSL_ERROR_ZERO_RETURN:
        return errors.fill(errors.SSLZeroReturnError, lib.SSL_ERROR_ZERO_RETURN, _CLOSED_BY_PEER, code)
    if error == lib.SSL_ERROR_SYSCALL and not code:
        return _of_errno(c.sys_errno, operation)
    library, reason = (lib.ERR_GET_LIB(code), lib.ERR_GET_REASON(code)) if code else (0, 0)
    if library == lib.ERR_LIB_SYS:
        return OSError(reason, os.strerror(reason))
    if not code:
        return errors.fill(errors.SSLError, lib.SSL_ERROR_SSL, "A failure in the SSL library occurred")
    if library == lib.ERR_LIB_SSL and reason == lib.SSL_R_UNEXPECTED_EOF_WHILE_READING:
        return errors.fill(errors.SSLEOFError, SSL_ERROR_EOF, _EOF, code)
    if library == lib.ERR_LIB_SSL and reason == lib.SSL_R_CERTIFICATE_VERIFY_FAILED:
        return errors.fill(errors.SSLCertVerificationError, lib.SSL_ERROR_SSL, None, code, _verdict(tls, name))
    return errors.fill(errors.SSLError, lib.SSL_ERROR_SSL if error != lib.SSL_ERROR_SYSCALL else error, None, code)


def _verdict(tls: MutableConnection, name: str | None) -> errors.Verdict:
    """Why the peer's certificate was refused.  SSL_get_verify_result(3)"""
    code = tls.verify_code
    if code == lib.X509_V_ERR_HOSTNAME_MISMATCH:
        return errors.Verdict(code, f"Hostname mismatch, certificate is not valid for '{name}'.")
    if code == lib.X509_V_ERR_IP_ADDRESS_MISMATCH:
        return errors.Verdict(code, f"IP address mismatch, certificate is not valid for '{name}'.")
    return errors.Verdict(code, text(lib.X509_verify_cert_error_string(code)))
