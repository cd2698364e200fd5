"""The exceptions, and the one place where a ``Failure`` becomes one.

``check`` and ``check_ptr`` stand around the calls of OpenSSL that do no I/O; the calls that do come through
pyossl/tls/connection.py and end in ``exception_of``.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

from pyossl.core.binding import ffi, lib, text
from pyossl.core.outcome import Failure, Record, Want, take_records

if TYPE_CHECKING:
    from pyossl.x509.certificate import Certificate


class Error(Exception):
    """Whatever went wrong in OpenSSL or in the use of it; every exception of pyossl's own is one.

    ``failure`` holds the facts, or is None where OpenSSL was not asked.
    """

    failure: Failure | None

    def __init__(self, message: str, failure: Failure | None = None) -> None:
        super().__init__(message)
        self.failure = failure

    @property
    def records(self) -> tuple[Record, ...]:
        """The entries of OpenSSL's error queue that belong to this error, oldest first.  ERR_get_error_all(3)"""
        return self.failure.records if self.failure else ()

    def __reduce__(self) -> tuple[Any, ...]:
        return _remade, (type(self), self.args), self.__dict__


class TLSError(Error, OSError):
    """What the peer or the network did to a connection: what came is not TLS, or the two have nothing in common, …

    Programs that were written for sockets catch ``OSError``, and so this.  ``errno`` is None, except in a
    ``TransportError``.  SSL_get_error(3)
    """


def _remade(kind: type[Error], arguments: tuple[Any, ...]) -> Error:
    """An exception as it was before it was pickled or copied, but for what is in its ``__dict__``."""
    error = kind.__new__(kind, *arguments)
    (OSError if isinstance(error, OSError) else Exception).__init__(error, *arguments)
    return error


class CertificateError(TLSError):
    """A certificate was refused, the peer's or one given to ``Store.verify``.  SSL_get_verify_result(3)

    ``code`` is the X509_V_ERR_x, ``reason`` its text, ``depth`` the place in the chain (0 is the certificate
    itself) and ``certificate`` the one that was refused.  Where a client showed none, that is None, and ``code``
    X509_V_ERR_UNSPECIFIED.
    """

    def __init__(self, message: str, failure: Failure) -> None:
        super().__init__(message, failure)
        self.code: int = failure.verify_code or lib.X509_V_ERR_UNSPECIFIED
        self.reason: str = _verify_reason(failure)
        self.depth: int = failure.depth
        self.certificate: Certificate | None = failure.certificate


class AlertError(TLSError):
    """The peer sent a fatal alert.  ``number`` is RFC 8446's, ``description`` its text.  SSL_alert_type_string(3)"""

    def __init__(self, message: str, failure: Failure, number: int) -> None:
        super().__init__(message, failure)
        self.number: int = number
        self.description: str = alert_description(number)


class TruncationError(TLSError, EOFError):
    """The transport ended without a close_notify: what was received may have been cut short.  SSL_get_error(3)"""


class ClosedError(TLSError):
    """The peer closed the connection with a close_notify where a handshake or data was due."""


class TransportError(TLSError):
    """The transport, or a file, failed.  An instance is also of the ``OSError`` subclass of its errno."""

    def __init__(self, number: int, message: str, failure: Failure | None = None) -> None:
        OSError.__init__(self, number, message)
        self.failure = failure

    def __reduce__(self) -> tuple[Any, ...]:
        # Its type is made for its errno when there is need of it, and has no name to be found by.
        return transport_error, (self.errno, self.strerror, self.failure), self.__dict__


class WouldBlockError(Error, BlockingIOError):
    """A non-blocking socket would have to wait; ``want`` says for what.  The same call is to be repeated."""

    def __init__(self, want: Want) -> None:
        BlockingIOError.__init__(self, errno.EAGAIN, f"the operation did not complete ({want!r})")
        self.failure = None
        self.want: Want = want


class UsageError(Error, RuntimeError):
    """The API was used in a way, or at a time, that cannot work; nothing was sent."""


class NotDueError(TLSError, UsageError):
    """A call has to wait because of what the peer has sent or has not taken: ``unwrap`` where there is data to be read,
    a shutdown before the handshake is finished, another write than the one that the peer's silence has interrupted.

    It is a ``UsageError``, because the connection is as it was and the call can be made later (of a long ``sendall`` a
    part may have been sent, as where its time is up); and a ``TLSError``, because a peer can bring it about.
    """


class ClosedSocketError(UsageError, OSError):
    """``shutdown`` of a socket that the program has closed, for which any socket raises ``OSError`` with EBADF."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.errno = errno.EBADF

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self.args, self.__dict__


class UnsupportedError(Error, NotImplementedError):
    """This OpenSSL lacks the feature.  ``feature`` names it; ``pyossl.features`` tells beforehand."""

    def __init__(self, feature: str) -> None:
        super().__init__(f"{text(lib.OpenSSL_version(lib.OPENSSL_VERSION))} has no {feature}")
        self.feature: str = feature


class DecodeError(Error, ValueError):
    """A certificate, key or other encoded thing is malformed, or not what it was said to be."""


class PasswordError(DecodeError):
    """A private key is encrypted, and the password is missing or wrong."""


# The alerts that SSL_alert_desc_string_long(3) calls "unknown": the first three in every version, ECH's before 4.0.
_NAMELESS_ALERTS = {
    86: "inappropriate fallback",
    109: "missing extension",
    116: "certificate required",
    121: "ECH required",
}


def alert_description(number: int) -> str:
    """The name of an alert, such as ``unknown CA`` for 48.  SSL_alert_desc_string_long(3)"""
    return _NAMELESS_ALERTS.get(number) or text(lib.SSL_alert_desc_string_long(number))


_transport_errors: dict[type[OSError], type[TransportError]] = {}


def transport_error(number: int, message: str, failure: Failure | None = None) -> TransportError:
    """The ``TransportError`` that is also what Python makes of errno ``number``: ``ConnectionResetError``, …"""
    kind = type(OSError(number, message))
    if kind not in _transport_errors:
        bases = (TransportError,) if kind is OSError else (TransportError, kind)
        _transport_errors[kind] = type(
            kind.__name__, bases, {"__module__": TransportError.__module__, "__doc__": kind.__doc__}
        )
    return _transport_errors[kind](number, message, failure)


_MOST_SHOWN = 3
_LONGEST_SHOWN = 100


def certificate_error(failure: Failure) -> CertificateError:
    """A new exception for a certificate that was refused, or for none where there had to be one."""
    reason = _verify_reason(failure)
    if _showed_none(failure):
        return CertificateError(f"certificate verify failed: {reason}", failure)
    peer = f", for {failure.peer!r}" if failure.peer else ""
    return CertificateError(
        f"certificate verify failed: {reason} (depth {failure.depth}){peer}{_shown(failure)}", failure
    )


def _showed_none(failure: Failure) -> bool:
    return failure.has_reason(lib.SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)


def _verify_reason(failure: Failure) -> str:
    if _showed_none(failure):
        return "peer did not return a certificate"
    return text(lib.X509_verify_cert_error_string(failure.verify_code))


def _shown(failure: Failure) -> str:
    """What the certificate that was refused says of what it was refused for, bounded: the peer wrote it."""
    certificate, code = failure.certificate, failure.verify_code
    if certificate is None:
        return ""
    try:
        said = f"; the certificate is {_bounded(certificate.subject)}"
        if code in (lib.X509_V_ERR_HOSTNAME_MISMATCH, lib.X509_V_ERR_IP_ADDRESS_MISMATCH):
            names = [_bounded(str(name.value)) for name in certificate.subject_alt_names]
            more = f" and {len(names) - _MOST_SHOWN} more" if len(names) > _MOST_SHOWN else ""
            return f"{said}, for {', '.join(names[:_MOST_SHOWN])}{more}" if names else f"{said}, for no name at all"
        if code == lib.X509_V_ERR_CERT_HAS_EXPIRED:
            return f"{said}, valid until {certificate.not_after:%Y-%m-%d %H:%M:%S} UTC"
        if code == lib.X509_V_ERR_CERT_NOT_YET_VALID:
            return f"{said}, valid from {certificate.not_before:%Y-%m-%d %H:%M:%S} UTC"
        return said
    except Error:  # it is malformed, and the reason why it was refused is told already
        return ""


def _bounded(value: str) -> str:
    return repr(value if len(value) <= _LONGEST_SHOWN else f"{value[:_LONGEST_SHOWN]}…")


def exception_of(failure: Failure) -> TLSError:
    """A new exception for a fatal outcome, of the type that a person would want to catch."""
    what, whom = failure.operation, failure.with_whom()
    if failure.has_reason(lib.SSL_R_CERTIFICATE_VERIFY_FAILED) or _showed_none(failure):
        return certificate_error(failure)
    if (number := failure.alert) is not None:
        return AlertError(
            f"{what} failed: the peer sent alert {number} ({alert_description(number)}){whom}",
            failure,
            number,
        )
    if failure.is_truncation:
        return TruncationError(f"{what} failed: the transport ended without a close_notify{whom}", failure)
    if number := failure.system_errno:
        return transport_error(number, f"{os.strerror(number)}: {what} failed{whom}", failure)
    if failure.error == lib.SSL_ERROR_ZERO_RETURN:
        return ClosedError(f"{what} failed: the peer closed the connection{whom}", failure)
    return TLSError(f"{what} failed: {_reasons(failure)}{whom}", failure)


def _reasons(failure: Failure) -> str:
    if failure.reason:
        return failure.reason
    if not failure.records:
        return "OpenSSL gave no reason (its error queue is empty)"
    reason = "; ".join(dict.fromkeys(str(record) for record in failure.records))
    if any(failure.has_reason(code) for code in _NOT_TLS):
        return f"the peer does not seem to speak TLS: {reason}"
    return reason


_NOT_TLS = (
    lib.SSL_R_HTTP_REQUEST,
    lib.SSL_R_HTTPS_PROXY_REQUEST,
    lib.SSL_R_WRONG_VERSION_NUMBER,
)


def failed(operation: str, kind: type[Error] = Error) -> Error:
    """The exception for a call of OpenSSL without I/O that has just failed; empties the queue."""
    failure = Failure(operation, records=take_records())
    if kind in (Error, TLSError) and (number := failure.system_errno):
        return transport_error(number, f"{os.strerror(number)}: {operation} failed", failure)
    return kind(f"{operation} failed: {_reasons(failure)}", failure)


def check(result: int, operation: str) -> int:
    """``result`` of a call that answers 1 (or more) for success; raises ``Error`` for 0 and below."""
    if result <= 0:
        raise failed(operation)
    return result


def check_ptr(pointer: Any, operation: str, kind: type[Error] = Error) -> Any:
    """``pointer``, or ``kind`` where it is NULL."""
    if pointer == ffi.NULL:
        raise failed(operation, kind)
    return pointer


def require(have: int, feature: str) -> None:
    """Raises ``UnsupportedError`` unless ``have``, one of ``lib.HAVE_x``, is true."""
    if not have:
        raise UnsupportedError(feature)


for _exception in [kind for kind in globals().values() if isinstance(kind, type) and issubclass(kind, Error)]:
    _exception.__module__ = "pyossl.errors"  # programs import them from there: tracebacks and pickles have this name
