"""What a call came to: a ``Want`` when it must be repeated, a ``Failure`` when the connection is dead.

Both are values.  The core returns a ``Want`` and never waits; a ``Failure`` holds the facts of a fatal outcome, once,
from which each face makes the exceptions that its users expect.
"""

from __future__ import annotations

import enum
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from pyossl.core.binding import ffi, lib, text

if TYPE_CHECKING:
    from pyossl.x509.certificate import Certificate


class Want(enum.Enum):
    """Why a call did not finish, and what must happen before it is repeated.  SSL_get_error(3)"""

    READ = lib.SSL_ERROR_WANT_READ
    """Bytes from the peer: wait until the transport is readable, or give ``receive_data`` more."""
    WRITE = lib.SSL_ERROR_WANT_WRITE
    """Room towards the peer: wait until the transport is writable."""
    X509_LOOKUP = lib.SSL_ERROR_WANT_X509_LOOKUP
    """The certificate callback asked to be called again."""
    CONNECT = lib.SSL_ERROR_WANT_CONNECT
    """The BIO below is not connected yet."""
    ACCEPT = lib.SSL_ERROR_WANT_ACCEPT
    """The BIO below has accepted nobody yet."""
    ASYNC = lib.SSL_ERROR_WANT_ASYNC
    """An asynchronous engine or provider is still at work."""
    ASYNC_JOB = lib.SSL_ERROR_WANT_ASYNC_JOB
    """No asynchronous job was free."""
    CLIENT_HELLO = lib.SSL_ERROR_WANT_CLIENT_HELLO_CB
    """The ClientHello callback asked to be called again."""
    RETRY_VERIFY = lib.SSL_ERROR_WANT_RETRY_VERIFY
    """The verify callback asked to be called again.  From OpenSSL 3.0."""

    def __repr__(self) -> str:
        return f"Want.{self.name}"


class VerifyCode(enum.IntEnum):
    """Why a certificate is refused: ``VerifyCode.CERT_HAS_EXPIRED`` is X509_V_ERR_CERT_HAS_EXPIRED.

    Any other code than these is a number.  X509_STORE_CTX_get_error(3)
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
        reason = self.reason or f"error {self.code:#010x}"
        return f"{reason} ({self.data})" if self.data else reason


def record_of(entry: Any) -> Record:
    """The ``Record`` of a ``pyossl_record``."""
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
    """Empties this thread's error queue; its entries, oldest first.  ERR_get_error_all(3)"""
    if lib.ERR_peek_error() == 0:
        return ()
    entries = ffi.new("pyossl_record[]", _ROOM)
    return tuple(record_of(entries[n]) for n in range(lib.pyossl_take_errors(entries, _ROOM)))


class Failure(NamedTuple):
    """The facts of a fatal outcome, from which every exception is made.

    ``error`` is SSL_get_error(3)'s answer (0 where no SSL was involved), ``errno`` the transport's (0 if it had
    none), ``records`` the queue, oldest first.  Where the peer's certificate was refused, ``verify_code`` is the
    X509_V_ERR_x, and ``depth`` and ``certificate`` tell which certificate of the chain it was.  ``reason`` stands
    in for the queue where it was not OpenSSL that gave up.
    """

    operation: str
    error: int = 0
    errno: int = 0
    records: tuple[Record, ...] = ()
    peer: str = ""
    verify_code: int = 0
    depth: int = 0
    certificate: Certificate | None = None
    reason: str = ""

    def has_reason(self, reason_code: int) -> bool:
        """Whether libssl gave this reason, compared by code: texts differ between versions."""
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
        """The errno of the transport or of a record of the system's, 0 if there is none."""
        if self.error == lib.SSL_ERROR_SYSCALL and self.errno:
            return self.errno
        return next((r.reason_code for r in self.records if r.library_code == lib.ERR_LIB_SYS), 0)

    @property
    def is_truncation(self) -> bool:
        """Whether the transport ended without a close_notify."""
        if self.has_reason(lib.SSL_R_UNEXPECTED_EOF_WHILE_READING):
            return True
        return self.error == lib.SSL_ERROR_SYSCALL and not self.records and not self.errno

    def with_whom(self) -> str:
        return f", with {self.peer!r}" if self.peer else ""
