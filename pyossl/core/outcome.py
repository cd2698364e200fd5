"""The outcomes of an unfinished call: ``Want`` if it can be repeated, ``Failure`` if the connection has failed.

Both are values.  The core returns a ``Want`` and never waits.  A ``Failure`` holds the facts of a fatal outcome in one
place, and each API (sockets, asyncio, pyOpenSSL's and others) makes its own exceptions from it.
"""

from __future__ import annotations

import enum
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from pyossl.core import ffi, lib, text

if TYPE_CHECKING:
    from pyossl.x509.certificate import Certificate

__all__ = ["Failure", "Record", "VerifyCode", "Want"]


class Want(enum.Enum):
    """The reason why a call did not finish, and what to do before the same call is repeated.

    - ``READ``: OpenSSL needs bytes from the peer.  Wait until the transport is readable, or pass the bytes to
      ``receive_data``.
    - ``WRITE``: the transport has no room for the bytes to the peer.  Wait until it is writable.
    - ``CONNECT``: the BIO below is not connected yet.  Wait until its descriptor is writable.
    - ``ACCEPT``: the BIO below has not accepted a connection yet.  Wait until its descriptor is readable.
    - ``X509_LOOKUP``: the certificate callback has no answer yet.  Repeat the call when it has one.
    - ``CLIENT_HELLO``: the ClientHello callback has no answer yet.  Repeat the call when it has one.
    - ``RETRY_VERIFY``: the verify callback has no answer yet.  Repeat the call when it has one.  OpenSSL 3.0 or newer.
    - ``ASYNC``: an engine or provider has paused the handshake, which is in an asynchronous job (``Modes.ASYNC``).
      Repeat the call, in the same thread, when one of ``Connection.async_fds`` is readable.
    - ``ASYNC_JOB``: no asynchronous job was free.  Repeat the call later.

    SSL_get_error(3)
    """

    READ = lib.SSL_ERROR_WANT_READ
    WRITE = lib.SSL_ERROR_WANT_WRITE
    X509_LOOKUP = lib.SSL_ERROR_WANT_X509_LOOKUP
    CONNECT = lib.SSL_ERROR_WANT_CONNECT
    ACCEPT = lib.SSL_ERROR_WANT_ACCEPT
    ASYNC = lib.SSL_ERROR_WANT_ASYNC
    ASYNC_JOB = lib.SSL_ERROR_WANT_ASYNC_JOB
    CLIENT_HELLO = lib.SSL_ERROR_WANT_CLIENT_HELLO_CB
    RETRY_VERIFY = lib.SSL_ERROR_WANT_RETRY_VERIFY

    def __repr__(self) -> str:
        return f"Want.{self.name}"


class VerifyCode(enum.IntEnum):
    """The most frequent reasons why a certificate is refused: ``VerifyCode.CERT_HAS_EXPIRED`` is
    X509_V_ERR_CERT_HAS_EXPIRED.  A code that is not listed here is a plain ``int``.

    - ``UNABLE_TO_GET_ISSUER_CERT_LOCALLY``: the issuer of a certificate is not in the trust store.
    - ``UNABLE_TO_GET_ISSUER_CERT``: the issuer of a certificate from the trust store was not found.
    - ``UNABLE_TO_VERIFY_LEAF_SIGNATURE``: the chain has one certificate alone, and its issuer was not found.
    - ``DEPTH_ZERO_SELF_SIGNED_CERT``: the peer's certificate is self-signed and not trusted.
    - ``SELF_SIGNED_CERT_IN_CHAIN``: the chain ends in a self-signed root that is not trusted.
    - ``CERT_NOT_YET_VALID``, ``CERT_HAS_EXPIRED``: the time now is before, or after, the certificate's validity.
    - ``HOSTNAME_MISMATCH``, ``IP_ADDRESS_MISMATCH``: the certificate is not for this name or address.
    - ``EE_KEY_TOO_SMALL``, ``CA_KEY_TOO_SMALL``: the key of the peer, or of an issuer, is too short for the security
      level.
    - ``CA_MD_TOO_WEAK``: the digest of a signature is too weak for the security level.

    X509_STORE_CTX_get_error(3)
    """

    UNABLE_TO_GET_ISSUER_CERT_LOCALLY = lib.X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY
    DEPTH_ZERO_SELF_SIGNED_CERT = lib.X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT
    SELF_SIGNED_CERT_IN_CHAIN = lib.X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN
    CERT_NOT_YET_VALID = lib.X509_V_ERR_CERT_NOT_YET_VALID
    CERT_HAS_EXPIRED = lib.X509_V_ERR_CERT_HAS_EXPIRED
    HOSTNAME_MISMATCH = lib.X509_V_ERR_HOSTNAME_MISMATCH
    IP_ADDRESS_MISMATCH = lib.X509_V_ERR_IP_ADDRESS_MISMATCH
    UNABLE_TO_GET_ISSUER_CERT = lib.X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT
    UNABLE_TO_VERIFY_LEAF_SIGNATURE = lib.X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE
    EE_KEY_TOO_SMALL = lib.X509_V_ERR_EE_KEY_TOO_SMALL
    CA_KEY_TOO_SMALL = lib.X509_V_ERR_CA_KEY_TOO_SMALL
    CA_MD_TOO_WEAK = lib.X509_V_ERR_CA_MD_TOO_WEAK


class Record(NamedTuple):
    """One entry of OpenSSL's error queue.  ERR_get_error_all(3)"""

    code: int
    library_code: int
    reason_code: int
    library: str
    reason: str
    function: str
    file: str
    line: int
    data: str

    def __str__(self) -> str:
        """The reason, with the additional text in parentheses."""
        reason = self.reason or f"error {self.code:#010x}"
        return f"{reason} ({self.data})" if self.data else reason


Record.code.__doc__ = "The packed error code, which contains ``library_code`` and ``reason_code``.  ERR_get_error(3)"
Record.library_code.__doc__ = "The number of the part of OpenSSL, an ERR_LIB_x.  ERR_GET_LIB(3)"
Record.reason_code.__doc__ = "The number of the reason; of a system error the errno.  ERR_GET_REASON(3)"
Record.library.__doc__ = "The name of the part of OpenSSL, for example ``SSL routines``.  ERR_lib_error_string(3)"
Record.reason.__doc__ = "The text of the reason; empty if OpenSSL has none.  ERR_reason_error_string(3)"
Record.function.__doc__ = "The C function that failed; may be empty.  ERR_get_error_all(3)"
Record.file.__doc__ = "The file of OpenSSL's source; may be empty.  ERR_get_error_all(3)"
Record.line.__doc__ = "The line in that file.  ERR_get_error_all(3)"
Record.data.__doc__ = "Additional text, for example a file's name; may be empty.  ERR_add_error_data(3)"


def record_of(entry: Any) -> Record:
    """The ``Record`` of a ``pyossl_record``, the C struct of pyossl/_c/core/error_queue.c."""
    code = int(entry.code)
    library_code, reason_code = lib.ERR_GET_LIB(code), lib.ERR_GET_REASON(code)
    is_system = library_code == lib.ERR_LIB_SYS
    reason = os.strerror(reason_code) if is_system else text(lib.ERR_reason_error_string(code))
    return Record(
        code,
        library_code,
        reason_code,
        text(lib.ERR_lib_error_string(code)),
        reason,
        text(entry.function),
        text(entry.file),
        entry.line,
        text(entry.data),
    )


_ROOM = 32


def take_records() -> tuple[Record, ...]:
    """Empties this thread's error queue and returns its entries, oldest first.  ERR_get_error_all(3)"""
    if lib.ERR_peek_error() == 0:
        return ()
    entries = ffi.new("pyossl_record[]", _ROOM)
    return tuple(record_of(entries[n]) for n in range(lib.pyossl_take_errors(entries, _ROOM)))


class Failure(NamedTuple):
    """The facts of a fatal outcome, from which the exception is made: ``Error.failure``.  SSL_get_error(3)"""

    operation: str
    error: int = 0
    errno: int = 0
    records: tuple[Record, ...] = ()
    peer: str = ""
    verify_code: int = 0
    depth: int = 0
    certificate: Certificate | None = None
    reason: str = ""
    ech_retry_configs: bytes | None = None

    def has_reason(self, reason_code: int) -> bool:
        """Whether one of ``records`` has the reason ``reason_code`` of libssl, an SSL_R_x.  ERR_GET_REASON(3)"""
        return any(r.library_code == lib.ERR_LIB_SSL and r.reason_code == reason_code for r in self.records)

    @property
    def alert(self) -> int | None:
        """The number of the fatal alert that the peer sent, None if it sent none.  SSL_alert_type_string(3)"""
        for record in self.records:
            # An alert is one byte; above, from 3.0, are the reasons that all libraries share.
            number = record.reason_code - lib.SSL_AD_REASON_OFFSET
            if record.library_code == lib.ERR_LIB_SSL and 0 <= number <= 0xFF:
                return number
        return None

    @property
    def system_errno(self) -> int:
        """The errno of the transport, or of a system error in ``records``; 0 if there is none.  SSL_get_error(3)"""
        if self.error == lib.SSL_ERROR_SYSCALL and self.errno:
            return self.errno
        return next((r.reason_code for r in self.records if r.library_code == lib.ERR_LIB_SYS), 0)

    @property
    def is_truncation(self) -> bool:
        """Whether the transport ended without a close_notify alert.  SSL_get_error(3)"""
        if self.has_reason(lib.SSL_R_UNEXPECTED_EOF_WHILE_READING):
            return True
        return self.error == lib.SSL_ERROR_SYSCALL and not self.records and not self.errno

    def with_peer(self) -> str:
        """The peer, as the end of an error message; empty if it is not known."""
        return f", with {self.peer!r}" if self.peer else ""


Failure.operation.__doc__ = "The operation that failed, for example ``handshake``."
Failure.error.__doc__ = "The result of SSL_get_error(3), an SSL_ERROR_x; 0 if no SSL was used."
Failure.errno.__doc__ = "The errno of the transport; 0 if it did not fail."
Failure.records.__doc__ = "The entries of OpenSSL's error queue, oldest first.  ERR_get_error_all(3)"
Failure.peer.__doc__ = "The name or address of the peer; empty if it is not known."
Failure.verify_code.__doc__ = "Why a certificate was refused, an X509_V_ERR_x; 0 if none was.  SSL_get_verify_result(3)"
Failure.depth.__doc__ = "The place in the chain of the certificate that was refused; 0 is the peer's own."
Failure.certificate.__doc__ = "The ``Certificate`` that was refused, or None."
Failure.reason.__doc__ = "The reason, if pyossl and not OpenSSL reported the failure; else empty."
Failure.ech_retry_configs.__doc__ = (
    "The configurations of a verified server that refused Encrypted Client Hello, or None."
)
