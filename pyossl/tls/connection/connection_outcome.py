"""The result of a C call on a connection: a ``Want`` to wait for, or the exception to raise.

C returns a number: 0 or more if the call is done, the negative of a ``Want``, or a negative PYOSSL_x for misuse and
failure.  The facts of a failure are taken from C once, so that every later call raises the exception of the same one.
"""

from __future__ import annotations

from pyossl.core import lib
from pyossl.core.errors import NotDueError, UsageError, exception_of, failed
from pyossl.core.lock import INHERITED
from pyossl.core.outcome import Failure, Want, record_of
from pyossl.core.parked_exceptions import take_raised
from pyossl.tls.callbacks.callbacks import Callbacks
from pyossl.tls.connection.connection_call import ConnectionCall
from pyossl.tls.ech.ech import ECHOffer, ECHStatus, outcome_of, retry_configs_of
from pyossl.x509.certificate import borrowed

WANTS = {-want.value: want for want in Want}
_MISUSES = {
    lib.PYOSSL_CLOSED: "the connection is closed",
    lib.PYOSSL_INHERITED: f"the connection cannot be used: {INHERITED}",
    lib.PYOSSL_BUSY: "a callback cannot read from, write to or shut down its connection",
    lib.PYOSSL_ASKED: "this code runs inside a call about the connection, as a signal handler may, and cannot wait",
    lib.PYOSSL_OTHER_BIO: "receive_data and data_to_send are only for connections that were made without bio=",
    lib.PYOSSL_OTHER_WRITE: "a write of {pending} bytes must be repeated first, with the same bytes",
    lib.PYOSSL_WRITING: "this signal handler interrupted a write: it cannot write before that write has ended",
    lib.PYOSSL_WRITE_FIRST: "a write of {pending} bytes must be repeated before the shutdown",
    lib.PYOSSL_SHUT: "the connection has been shut down: nothing can be written any more",
    lib.PYOSSL_TOO_EARLY: "the handshake is not finished: there is nothing to shut down yet",
    lib.PYOSSL_EARLY_FIRST: "the client may send early data: call read_early_data until it returns b''",
    lib.PYOSSL_TOO_LATE: "the handshake has begun without early data: read_early_data comes first",
    lib.PYOSSL_OTHER_THREAD: "the handshake is paused in an asynchronous job: only the thread that began it can go on",
    lib.PYOSSL_READ_FIRST: "the peer has sent data in a renegotiation: read it before you write",
    lib.PYOSSL_UNFINISHED: "a handshake is not finished: finish it first",
}
_LOST = "bytes that had been sent or received are lost: there was no memory for them, or a signal handler raised"
_NOT_DUE = (
    lib.PYOSSL_OTHER_WRITE,
    lib.PYOSSL_WRITE_FIRST,
    lib.PYOSSL_TOO_EARLY,
    lib.PYOSSL_READ_FIRST,
    lib.PYOSSL_UNFINISHED,
    lib.PYOSSL_EARLY_FIRST,
)
"""The misuses that a peer can cause by sending nothing."""


class ConnectionOutcome(ConnectionCall):
    """A connection's failures, and the results of its calls."""

    _callbacks: Callbacks
    _ech: ECHOffer | None = None
    _failure: Failure | None = None
    _write_failure: Failure | None = None
    _refused_status: Failure | None = None
    """Why the server's OCSP response was refused: pyossl/tls/authentication/ocsp_stapling.py."""

    @property
    def failure(self) -> Failure | None:
        """The facts of the failure that ended the connection, or its writes alone; None if there is none."""
        return self._failure or self._write_failure

    def _unfinished(self, result: int, operation: str) -> Want:
        """The ``Want`` of a negative result; raises the exception of any other negative result."""
        want = WANTS.get(result)
        if want is None:
            raise self._error(result, operation)
        return want

    def _error(self, result: int, operation: str) -> BaseException:
        """The exception for a negative result that is no ``Want``."""
        if result == lib.PYOSSL_NO_MEMORY:
            return MemoryError("there is no memory for the bytes that this connection must keep")
        if result == lib.PYOSSL_RAISED:
            return take_raised()
        if result == lib.PYOSSL_DENIED:
            return failed(operation)
        if result == lib.PYOSSL_PARKED:
            error = self._callbacks.take_parked()
            if error is not None:
                self._fail(operation)
                return error
        if message := _MISUSES.get(result):
            kind = NotDueError if result in _NOT_DUE else UsageError
            return kind(message.format(pending=self._c.write_pending))
        return exception_of(self._fail_write(operation) if result == lib.PYOSSL_UNWRITTEN else self._fail(operation))

    def _fail(self, operation: str) -> Failure:
        """The facts of the failure that ended the connection, taken from C the first time."""

        def failure() -> Failure:
            if self._failure is None:
                self._failure = self._failure_of(operation)
            return self._failure

        return self._in_turn(failure)

    def _fail_write(self, operation: str) -> Failure:
        """The facts of the failure that ended the writes."""

        def failure() -> Failure:
            if self._write_failure is None:
                why = {"error": lib.SSL_ERROR_SYSCALL, "errno": self._c.write_errno, "records": (), "reason": ""}
                self._write_failure = self._failure_of(operation)._replace(**why)
            return self._write_failure

        return self._in_turn(failure)

    def _failure_of(self, operation: str) -> Failure:
        c = self._c
        verify_code = c.verify_error or (0 if c.closed else lib.SSL_get_verify_result(c.ssl))
        failure = Failure(
            operation,
            c.error,
            c.sys_errno,
            tuple(record_of(c.records[n]) for n in range(c.record_count)),
            self._name,
            verify_code,
            c.verify_depth,
            borrowed(c.verify_certificate, self._context._library_context),
            "" if c.error else _LOST if c.has_lost_bytes else "a callback raised an exception",
        )
        if self._refused_status is not None:
            failure = _with_refused_status(failure, self._refused_status)
        return failure if self._ech is None or c.closed else self._with_ech(failure, self._ech)

    def _with_ech(self, failure: Failure, offer: ECHOffer) -> Failure:
        """The failure of a connection that offered ``offer``, with the facts of a server that refused it."""
        ssl = self._c.ssl
        if outcome_of(ssl).status in (ECHStatus.SUCCESS, ECHStatus.BAD_NAME):
            return failure
        if failure.verify_code:  # the certificate was compared with the public name
            return failure._replace(peer=offer.outer_server_name or offer.configs[0].public_name)
        # Without verification anyone on the path could send configurations of its own, and read the true name.
        return failure._replace(ech_retry_configs=retry_configs_of(ssl)) if self._context.verifies else failure


def _with_refused_status(failure: Failure, refusal: Failure) -> Failure:
    """The failure of a connection whose peer's OCSP response was refused, with the reason."""
    if not failure.has_reason(lib.SSL_R_INVALID_STATUS_RESPONSE):
        return failure
    return failure._replace(
        verify_code=refusal.verify_code, depth=refusal.depth, certificate=refusal.certificate, reason=refusal.reason
    )
