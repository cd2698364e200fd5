"""The exceptions that pyossl raises, and ``check`` and ``check_ptr`` for programs that call ``lib`` themselves."""

from pyossl.core.errors import (
    AlertError as AlertError,
    CertificateError as CertificateError,
    ClosedError as ClosedError,
    ClosedSocketError as ClosedSocketError,
    DecodeError as DecodeError,
    Error as Error,
    NotDueError as NotDueError,
    PasswordError as PasswordError,
    TLSError as TLSError,
    TransportError as TransportError,
    TruncationError as TruncationError,
    UnsupportedError as UnsupportedError,
    UsageError as UsageError,
    WouldBlockError as WouldBlockError,
    check as check,
    check_ptr as check_ptr,
)

__all__ = [
    "AlertError",
    "CertificateError",
    "ClosedError",
    "ClosedSocketError",
    "DecodeError",
    "Error",
    "NotDueError",
    "PasswordError",
    "TLSError",
    "TransportError",
    "TruncationError",
    "UnsupportedError",
    "UsageError",
    "WouldBlockError",
    "check",
    "check_ptr",
]
