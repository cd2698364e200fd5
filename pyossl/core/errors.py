"""The exceptions, and the function that makes an exception from a ``Failure``.

``check`` and ``check_ptr`` test the results of OpenSSL's functions that do no I/O.  The calls that do I/O are made in
pyossl/tls/connection/connection.py, which raises the result of ``exception_of``.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

from pyossl.core import ffi, lib, text
from pyossl.core.outcome import Failure, Record, Want, take_records

if TYPE_CHECKING:
    from pyossl.x509.certificate import Certificate


class Error(Exception):
    """The base class of pyossl's exceptions: OpenSSL failed, or was used in a wrong way.

    ``failure`` is the ``Failure`` with the facts, or None if OpenSSL was not called.
    """

    failure: Failure | None

    def __init__(self, message: str, failure: Failure | None = None) -> None:
        """Makes an exception with the text ``message`` and the facts ``failure``."""
        super().__init__(message)
        self.failure = failure

    @property
    def records(self) -> tuple[Record, ...]:
        """The entries of OpenSSL's error queue that belong to this error, oldest first.  ERR_get_error_all(3)"""
        return self.failure.records if self.failure else ()

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (type(self), self.args), self.__dict__


class TLSError(Error, OSError):
    """The connection failed because of the peer or the network: for example, the peer does not speak TLS, or the two
    sides have no protocol version or cipher in common.

    It is an ``OSError``, which programs for sockets catch.  ``errno`` is None, except in a ``TransportError``.
    SSL_get_error(3)
    """


def _unpickled(kind: type[Error], arguments: tuple[Any, ...]) -> Error:
    """The exception that was pickled or copied, still without its ``__dict__``."""
    error = kind.__new__(kind, *arguments)
    (OSError if isinstance(error, OSError) else Exception).__init__(error, *arguments)
    return error


class CertificateError(TLSError):
    """A certificate was refused: the peer's, or one that was passed to ``Store.verify``.

    - ``code``: the reason, an X509_V_ERR_x; X509_V_ERR_UNSPECIFIED if a client sent no certificate.
    - ``reason``: the text of the code.
    - ``depth``: the place in the chain of the certificate that was refused; 0 is the peer's own.
    - ``certificate``: the ``Certificate`` that was refused; None if a client sent no certificate.

    SSL_get_verify_result(3)
    """

    def __init__(self, message: str, failure: Failure) -> None:
        super().__init__(message, failure)
        self.code: int = failure.verify_code or lib.X509_V_ERR_UNSPECIFIED
        self.reason: str = _verify_reason(failure)
        self.depth: int = failure.depth
        self.certificate: Certificate | None = failure.certificate


class AlertError(TLSError):
    """The peer sent a fatal alert.

    ``number`` is the alert's number in RFC 8446, for example 48; ``description`` is its text, for example
    ``unknown CA``.  SSL_alert_type_string(3)
    """

    def __init__(self, message: str, failure: Failure, number: int) -> None:
        super().__init__(message, failure)
        self.number: int = number
        self.description: str = alert_description(number)


class TruncationError(TLSError, EOFError):
    """The transport ended without a close_notify alert: the data that was received may be incomplete.
    SSL_get_error(3)
    """


class ClosedError(TLSError):
    """The peer closed the connection with a close_notify alert when a handshake or data was expected.
    SSL_get_error(3)
    """


class ECHError(TLSError):
    """The server did not accept Encrypted Client Hello.  Nothing was sent to it but the encrypted ClientHello.

    ``retry_configs`` is the list of its present configurations, for one more connection, as ``bytes``; None if it sent
    none, or if its certificate for the public name was not verified.  Do not connect without encryption instead.
    SSL_ech_get1_retry_config(3)
    """

    @property
    def retry_configs(self) -> bytes | None:
        """The configurations to try again with; None if there are none that are authentic."""
        return self.failure.ech_retry_configs if self.failure else None


class TransportError(TLSError):
    """The transport, or a file, failed; ``errno`` and ``strerror`` give the reason.

    An instance is also one of the ``OSError`` subclass for its errno, for example ``ConnectionResetError``.
    SSL_get_error(3)
    """

    def __init__(self, number: int, message: str, failure: Failure | None = None) -> None:
        """Makes an exception with the errno ``number``, the text ``message`` and the facts ``failure``."""
        OSError.__init__(self, number, message)
        self.failure = failure

    def __reduce__(self) -> tuple[Any, ...]:
        # The class is made at run time for an errno: pickle cannot find it by name.
        return transport_error, (self.errno, self.strerror, self.failure), self.__dict__


class WouldBlockError(Error, BlockingIOError):
    """A call of a non-blocking socket would have to wait: repeat the same call later.

    ``want`` is the ``Want`` that says what to wait for; ``errno`` is EAGAIN.  SSL_get_error(3)
    """

    def __init__(self, want: Want) -> None:
        BlockingIOError.__init__(self, errno.EAGAIN, f"the operation did not complete ({want!r})")
        self.failure = None
        self.want: Want = want


class UsageError(Error, RuntimeError):
    """The API was used in a way, or at a time, that cannot work; nothing was sent."""


class NotDueError(TLSError, UsageError):
    """The call must be made later, because of data that the peer has sent or has not read yet.

    Examples: ``unwrap`` while there is data to read; a shutdown before the handshake is finished; a new write while an
    earlier one is interrupted, because the peer did not read.

    It is a ``UsageError``, because the connection is unchanged and the call can be made later (a part of a long
    ``sendall`` may have been sent, as after a timeout).  It is also a ``TLSError``, because a peer can cause it.
    """


class ClosedSocketError(UsageError, OSError):
    """``shutdown`` was called on a socket that the program has closed; ``errno`` is EBADF, as for any other socket."""

    def __init__(self, message: str) -> None:
        """Makes an exception with the text ``message``."""
        super().__init__(message)
        self.errno = errno.EBADF

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self.args, self.__dict__


class UnsupportedError(Error, NotImplementedError):
    """The OpenSSL in use does not have the feature.

    ``feature`` is the feature's name; ``pyossl.features`` shows beforehand which features there are.
    """

    def __init__(self, feature: str) -> None:
        super().__init__(f"{text(lib.OpenSSL_version(lib.OPENSSL_VERSION))} has no {feature}")
        self.feature: str = feature


class DecodeError(Error, ValueError):
    """A certificate, a key or other encoded data is malformed, or is not of the expected kind."""


class PasswordError(DecodeError):
    """A private key is encrypted, and the password is missing or wrong."""


# The alerts that SSL_alert_desc_string_long(3) calls "unknown": the first three in each version, ECH's before 4.0.
_NAMELESS_ALERTS = {
    86: "inappropriate fallback",
    109: "missing extension",
    116: "certificate required",
    121: "ECH required",
}


def alert_description(number: int) -> str:
    """The name of an alert, for example ``unknown CA`` for 48.  SSL_alert_desc_string_long(3)"""
    return _NAMELESS_ALERTS.get(number) or text(lib.SSL_alert_desc_string_long(number))


_transport_errors: dict[type[OSError], type[TransportError]] = {}


def transport_error(number: int, message: str, failure: Failure | None = None) -> TransportError:
    """A ``TransportError`` that is also of Python's class for this errno, for example ``ConnectionResetError``."""
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
    """A new exception for a certificate that was refused, or that was required and not sent."""
    reason = _verify_reason(failure)
    if _sent_no_certificate(failure):
        return CertificateError(f"certificate verify failed: {reason}", failure)
    peer = f", for {failure.peer!r}" if failure.peer else ""
    why = f": {failure.reason}" if failure.reason else ""
    return CertificateError(
        f"certificate verify failed: {reason}{why} (depth {failure.depth}){peer}{_shown(failure)}", failure
    )


def _sent_no_certificate(failure: Failure) -> bool:
    return failure.has_reason(lib.SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)


def _verify_reason(failure: Failure) -> str:
    if _sent_no_certificate(failure):
        return "peer did not return a certificate"
    return text(lib.X509_verify_cert_error_string(failure.verify_code))


def _shown(failure: Failure) -> str:
    """The fields of the refused certificate that explain the refusal, shortened, because the peer chose the text."""
    certificate, code = failure.certificate, failure.verify_code
    if certificate is None:
        return ""
    try:
        said = f"; the certificate is {_shortened(certificate.subject)}"
        if code in (lib.X509_V_ERR_HOSTNAME_MISMATCH, lib.X509_V_ERR_IP_ADDRESS_MISMATCH):
            names = [_shortened(str(name.value)) for name in certificate.subject_alt_names]
            more = f" and {len(names) - _MOST_SHOWN} more" if len(names) > _MOST_SHOWN else ""
            return f"{said}, for {', '.join(names[:_MOST_SHOWN])}{more}" if names else f"{said}, which has no name"
        if code == lib.X509_V_ERR_CERT_HAS_EXPIRED:
            return f"{said}, valid until {certificate.not_after:%Y-%m-%d %H:%M:%S} UTC"
        if code == lib.X509_V_ERR_CERT_NOT_YET_VALID:
            return f"{said}, valid from {certificate.not_before:%Y-%m-%d %H:%M:%S} UTC"
        return said
    except Error:  # the certificate is malformed: the message then has the reason alone
        return ""


def _shortened(value: str) -> str:
    return repr(value if len(value) <= _LONGEST_SHOWN else f"{value[:_LONGEST_SHOWN]}…")


def exception_of(failure: Failure) -> TLSError:
    """A new exception for a fatal outcome, of the most specific class."""
    operation, with_peer = failure.operation, failure.with_peer()
    if failure.has_reason(lib.SSL_R_CERTIFICATE_VERIFY_FAILED) or _sent_no_certificate(failure):
        return certificate_error(failure)
    if lib.HAVE_ECH and failure.has_reason(lib.SSL_R_ECH_REQUIRED):
        again = "try its newer configurations" if failure.ech_retry_configs else "there is no authentic configuration"
        return ECHError(f"{operation} failed: the server did not accept ECH, {again}{with_peer}", failure)
    if failure.has_reason(lib.SSL_R_INVALID_STATUS_RESPONSE) and failure.reason:
        return certificate_error(failure)  # pyossl has refused the OCSP response
    if failure.verify_code == lib.X509_V_ERR_NO_VALID_SCTS and failure.has_reason(lib.SSL_R_CALLBACK_FAILED):
        return certificate_error(failure)
    if (number := failure.alert) is not None:
        return AlertError(
            f"{operation} failed: the peer sent alert {number} ({alert_description(number)}){with_peer}",
            failure,
            number,
        )
    if failure.is_truncation:
        return TruncationError(f"{operation} failed: the transport ended without a close_notify{with_peer}", failure)
    if number := failure.system_errno:
        return transport_error(number, f"{os.strerror(number)}: {operation} failed{with_peer}", failure)
    if failure.error == lib.SSL_ERROR_ZERO_RETURN:
        return ClosedError(f"{operation} failed: the peer closed the connection{with_peer}", failure)
    return TLSError(f"{operation} failed: {_reasons(failure)}{with_peer}", failure)


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


def failed(operation: str, kind: type[Error] = Error, records: tuple[Record, ...] | None = None) -> Error:
    """Empties the error queue and returns the exception for a call without I/O that has just failed.

    ``records`` are the entries that were taken from the queue before; None for those that are there now.
    """
    failure = Failure(operation, records=take_records() if records is None else records)
    if kind in (Error, TLSError) and (number := failure.system_errno):
        return transport_error(number, f"{os.strerror(number)}: {operation} failed", failure)
    return kind(f"{operation} failed: {_reasons(failure)}", failure)


def check(result: int, operation: str) -> int:
    """Returns ``result``, the return value of a function of OpenSSL, if it is 1 or more.

    For 0 and less it empties this thread's error queue and raises ``Error``, or ``TransportError`` for a system error,
    with the queue's entries in ``records``.
    ``operation`` begins the message: ``"SSL_CTX_set_cipher_list failed: …"``.  ERR_get_error_all(3)
    """
    if result <= 0:
        raise failed(operation)
    return result


def check_ptr(pointer: Any, operation: str, kind: type[Error] = Error) -> Any:
    """Returns ``pointer`` if it is not NULL.

    For NULL it empties this thread's error queue and raises ``kind``, a subclass of ``Error``, with the queue's entries
    in ``records``.  If ``kind`` is ``Error`` or ``TLSError``, a system error raises ``TransportError``.
    ``operation`` begins the message.  ERR_get_error_all(3)
    """
    if pointer == ffi.NULL:
        raise failed(operation, kind)
    return pointer


def require(have: int, feature: str) -> None:
    """Raises ``UnsupportedError`` for ``feature`` if ``have``, a ``lib.HAVE_x``, is 0."""
    if not have:
        raise UnsupportedError(feature)


for _exception in [kind for kind in globals().values() if isinstance(kind, type) and issubclass(kind, Error)]:
    _exception.__module__ = "pyossl.errors"  # where programs import them from; tracebacks and pickles show this name
