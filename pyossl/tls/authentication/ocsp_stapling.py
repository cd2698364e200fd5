"""OCSP stapling: a server sends an OCSP response about its certificate, and a client checks it.

SSL_CTX_set_tlsext_status_cb(3), RFC 6066, 8, RFC 6960

OpenSSL calls one callback on both sides.  A server's is called if the client asks for a response.  A client's is called
before the end of the handshake, also if the server has sent none; not, or without a response, if a session is resumed,
because the server sends no certificate then.  OpenSSL itself checks nothing.

Where the check ends a handshake, the server gets the alert bad_certificate_status_response, and the call of the program
raises ``CertificateError``: the facts are kept on the connection (``_refused_status``), because OpenSSL has only one
error for all of them.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from pyossl.core import ffi, lib
from pyossl.core.arguments import flag, function
from pyossl.core.errors import CertificateError, DecodeError, UsageError, check, require
from pyossl.core.outcome import take_records
from pyossl.core.parked_exceptions import callback
from pyossl.tls.callbacks.callbacks import Callbacks, OCSPServerCallback, OCSPStaple
from pyossl.tls.settings.context_state import ContextState
from pyossl.x509.certificate import Certificate, borrowed
from pyossl.x509.ocsp_response import (
    TOLERANCE,
    OCSPResponse,
    OCSPResponseStatus,
    OCSPSingleResponse,
    checked_tolerance,
    refused,
    refused_at,
    response_der,
)
from pyossl.x509.pem_and_der import Source

_LARGEST = 0xFFFFFF
"""The length of a response has three bytes in TLS."""
_STAPLED, _NO_STAPLE, _STAPLE_FAILED = lib.SSL_TLSEXT_ERR_OK, lib.SSL_TLSEXT_ERR_NOACK, lib.SSL_TLSEXT_ERR_ALERT_FATAL


class OCSPSettings(ContextState):
    """OCSP stapling: what a server staples, and what a client does with it."""

    __slots__ = ()

    # A server

    def staple_ocsp(self, *responses: OCSPResponse | Source) -> None:
        """Sends this OCSP response to each client that asks for one.

        - ``responses``: the response about the server's certificate: an ``OCSPResponse``, the path of a file, or
          ``bytes``.  Several are for several certificates: the second one is about the next certificate of the chain,
          and so on.  Only TLS 1.3 clients get more than the first.

        A response must be successful, and about the certificate at its place.  It is for servers that end before
        the response does; ``ocsp_callback`` can give a newer one to each connection.  It replaces ``ocsp_callback``.

        Raises ``ValueError`` for a response that does not fit, ``DecodeError`` for one that is malformed, ``OSError``
        for a file that cannot be read, ``UsageError`` on a client's context, and ``UnsupportedError`` if OpenSSL was
        built without OCSP.  Several responses need OpenSSL 3.6 or newer; with older ones they raise
        ``UnsupportedError``.  SSL_set_tlsext_status_ocsp_resp(3), SSL_set0_tlsext_status_ocsp_resp_ex(3)
        """
        self._change_server("staple_ocsp")
        require(lib.HAVE_OCSP, "OCSP")
        if not responses:
            raise TypeError("staple_ocsp takes at least one OCSP response")
        if len(responses) > 1:
            require(lib.HAVE_OCSP_MULTI_STAPLING, "OCSP multi-stapling")
        loaded = [each if isinstance(each, OCSPResponse) else OCSPResponse.load(each) for each in responses]
        chain = self._own_chain()
        if len(loaded) > len(chain):
            raise ValueError(f"{len(loaded)} OCSP responses are more than the {len(chain)} certificates of this server")
        for response, certificate in zip(loaded, chain, strict=False):
            _check_fits(response, certificate)
        self._use_staple(_Fixed([_checked_size(each.to_der()) for each in loaded]))

    def _own_chain(self) -> list[Certificate]:
        """The certificates that this context sends, as far as they are set in it."""
        take_records()
        leaf = borrowed(lib.SSL_CTX_get0_certificate(self._ctx))
        stack = ffi.new("struct stack_st_X509 **")
        lib.SSL_CTX_get0_chain_certs(self._ctx, stack)
        above = [] if stack[0] == ffi.NULL else range(lib.sk_X509_num(stack[0]))
        chain = [leaf, *(borrowed(lib.sk_X509_value(stack[0], n)) for n in above)]
        return [each for each in chain if each is not None]

    @property
    def ocsp_callback(self) -> OCSPServerCallback | None:
        """A server's callback for the OCSP response, ``callback(connection)``; None for none.

        It is called for each connection whose client asks for a response.  It returns an ``OCSPResponse``, or the
        response in DER as ``bytes``, which is not checked; or a sequence of responses, as for ``staple_ocsp``; or None
        or ``b""`` for none.  It must not wait for the responder: the client waits.  An exception, and a value of
        another kind, ends the handshake.

        Setting it replaces what ``staple_ocsp`` has set.  Raises ``UnsupportedError`` if OpenSSL was built without
        OCSP, and ``UsageError`` on a client's context.  SSL_CTX_set_tlsext_status_cb(3)
        """
        given = self._callbacks.ocsp_server
        return None if isinstance(given, _Fixed) else given

    @ocsp_callback.setter
    def ocsp_callback(self, callback: OCSPServerCallback | None) -> None:
        self._change_server("ocsp_callback")
        function(callback, "an OCSP callback")
        if callback is not None:
            require(lib.HAVE_OCSP, "OCSP")
        self._use_staple(callback)

    def _use_staple(self, callback: OCSPServerCallback | None) -> None:
        self._callbacks.ocsp_server = callback
        if callback is not None:
            lib.pyossl_set_ocsp_callback(self._ctx)

    # A client

    def request_ocsp(self) -> None:
        """Asks servers to staple an OCSP response about their certificate.

        ``Connection.ocsp_response`` returns it after the handshake.  pyossl does not check it: ``verify_ocsp`` asks and
        checks.  Raises ``UsageError`` on a server's context, and ``UnsupportedError`` if OpenSSL was built without
        OCSP.  SSL_CTX_set_tlsext_status_type(3)
        """
        self._change_client("request_ocsp")
        require(lib.HAVE_OCSP, "OCSP")
        check(
            lib.SSL_CTX_set_tlsext_status_type(self._ctx, lib.TLSEXT_STATUSTYPE_ocsp), "SSL_CTX_set_tlsext_status_type"
        )

    def verify_ocsp(self, *, required: bool, tolerance: datetime.timedelta = TOLERANCE) -> None:
        """Asks servers to staple an OCSP response about their certificate, and checks it in the handshake.

        - ``required``: True refuses a server that staples none.  False accepts it, unless its certificate says that
          its server always staples one (``Certificate.must_staple``).
        - ``tolerance``: how far the clocks of this system and the responder may differ: 0 seconds to one day.

        The handshake fails with ``CertificateError`` unless the response passes ``OCSPResponse.verify``: signed by the
        issuer of the certificate or a responder of the issuer, about this certificate, valid now, and ``good``.  The
        message says why.  ``Connection.ocsp_status`` has what was checked.  With OpenSSL 3.6 or newer, responses about
        other certificates of the chain are checked too; they are never required.

        A resumed session is not checked again: its certificate was checked when it was made.  A server that proves to
        know a pre-shared key, or shows an expected raw public key, has no certificate to check: it is accepted without
        a response, also if one is required.

        Raises ``UsageError`` on a server's context and if the context does not verify, and ``UnsupportedError`` if
        OpenSSL was built without OCSP.  SSL_CTX_set_tlsext_status_cb(3)
        """
        self._change()
        flag(required, "required")
        leeway = checked_tolerance(tolerance)
        self._change_client("verify_ocsp")
        if not self._verifies_peers():
            raise UsageError("this context does not verify: an OCSP response needs the verified issuer")
        self.request_ocsp()
        self._callbacks.ocsp_client = partial(_is_accepted, required, leeway)
        lib.pyossl_set_ocsp_callback(self._ctx)

    def _verifies_peers(self) -> bool:
        return bool(lib.SSL_CTX_get_verify_mode(self._ctx) & lib.SSL_VERIFY_PEER)


class _Fixed:
    """The responses of ``staple_ocsp``, in DER, in the form of a callback."""

    __slots__ = ("_responses",)

    def __init__(self, responses: Sequence[bytes]) -> None:
        self._responses = responses

    def __call__(self, connection: Any) -> OCSPStaple:
        return self._responses


def _check_fits(response: OCSPResponse, certificate: Certificate) -> None:
    """Raises ``ValueError`` unless the response says something about the certificate."""
    if response.status != OCSPResponseStatus.SUCCESSFUL:
        raise ValueError(f"{response!r} has no status of a certificate: ask the responder again")
    number = certificate.serial_number
    numbers = [single.serial_number for single in response.single_responses]
    if number not in numbers:
        others = ", ".join(f"{each:x}" for each in numbers[:3])
        raise ValueError(
            f"the OCSP response is not about the certificate {certificate.subject!r} with the serial number "
            f"{number:x}, but about {others or 'none'}"
        )


def _checked_size(der: bytes) -> bytes:
    if len(der) > _LARGEST:
        raise ValueError(f"an OCSP response in TLS has {_LARGEST} bytes at most, not {len(der)}")
    return der


def _staple(answer: object) -> list[bytes]:
    """The responses that a server's callback has returned, in DER."""
    if answer is None:
        return []
    if isinstance(answer, (OCSPResponse, bytes)):
        answer = [answer]
    elif not isinstance(answer, (list, tuple)):
        raise TypeError(f"an OCSP callback answers with an OCSPResponse, bytes or None, not {type(answer).__name__}")
    responses = [_checked_size(response_der(each, "each answer of an OCSP callback")) for each in answer]
    if len(responses) > 1:
        require(lib.HAVE_OCSP_MULTI_STAPLING, "OCSP multi-stapling")
        if not all(responses):
            raise ValueError("one of several OCSP responses is empty")
        return responses
    return [each for each in responses if each]


@callback(_STAPLE_FAILED)
def pyossl_on_ocsp_request(handle: Any) -> int:
    callbacks: Callbacks = ffi.from_handle(handle)

    def question(connection: Any) -> int:
        give = callbacks.of_context.ocsp_server
        responses = _staple(None if give is None else give(connection))
        if not responses:
            return _NO_STAPLE
        ssl = connection._c.ssl
        take_records()
        if len(responses) == 1:
            check(lib.pyossl_set_ocsp_response(ssl, responses[0], len(responses[0])), "SSL_set_tlsext_status_ocsp_resp")
            return _STAPLED
        kept = [ffi.from_buffer("unsigned char[]", each) for each in responses]
        pointers, lengths = ffi.new("const unsigned char *[]", kept), ffi.new("long[]", [len(each) for each in kept])
        if lib.pyossl_set_ocsp_responses(ssl, pointers, lengths, len(kept)) != 1:
            take_records()
            raise DecodeError("one of several OCSP responses is malformed")
        return _STAPLED

    return int(callbacks.ask(question, _STAPLE_FAILED))


@callback(-1)
def pyossl_on_ocsp_response(handle: Any, response: Any, length: int) -> int:
    callbacks: Callbacks = ffi.from_handle(handle)
    data = bytes(ffi.buffer(response, length)) if length > 0 else b""

    def question(connection: Any) -> int:
        judge = callbacks.of_context.ocsp_client
        return 1 if judge is None else int(bool(judge(connection, data)))

    return int(callbacks.ask(question, -1))


def _is_accepted(required: bool, leeway: datetime.timedelta, connection: Any, response: bytes) -> bool:
    """The callback of ``verify_ocsp``: whether the handshake may go on."""
    if connection.session_reused or (certificate := connection.peer_certificate) is None:
        return True
    try:
        connection._ocsp_status = _checked(required, leeway, connection, certificate, response)
    except CertificateError as error:
        connection._refused_status = error.failure
        return False
    return True


def _checked(
    required: bool, leeway: datetime.timedelta, connection: Any, certificate: Certificate, response: bytes
) -> OCSPSingleResponse | None:
    """What the response says, or None if there is none and none is required."""
    try:
        must_staple = certificate.must_staple
    except DecodeError as error:
        raise refused(str(error), certificate) from error
    if not response:
        if not (required or must_staple):
            return None
        why = "the certificate says that its server staples an OCSP response, and" if must_staple else ""
        why = f"{why} the server has stapled none".strip() if must_staple else "the server has stapled no OCSP response"
        raise refused(why, certificate, lib.X509_V_ERR_OCSP_VERIFY_NEEDED)
    chain = connection.verified_chain
    level = connection._ask(lib.SSL_get_security_level)
    moment = _moment(connection.context)
    checked = _verified(response, certificate, chain, moment, leeway, level)
    for other, sent in zip(connection.ocsp_responses[1:], connection.peer_chain[1:], strict=False):
        if other and sent in chain:
            depth = chain.index(sent)
            try:
                _verified(other, sent, chain[depth:], moment, leeway, level)
            except CertificateError as error:
                raise refused_at(depth, error) from error
    return checked


def _moment(context: ContextState) -> datetime.datetime:
    """The time at which the peer's certificates are verified, in UTC: the context's, the trust store's, or now."""
    parameters = lib.X509_STORE_get0_param(lib.SSL_CTX_get_cert_store(context._ctx))
    if context._verify_time is not None:
        seconds: float = context._verify_time
    elif lib.X509_VERIFY_PARAM_get_flags(parameters) & lib.X509_V_FLAG_USE_CHECK_TIME:
        seconds = lib.X509_VERIFY_PARAM_get_time(parameters)
    else:
        seconds = time.time()
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)


def _verified(
    response: bytes,
    certificate: Certificate,
    chain: Sequence[Certificate],
    moment: datetime.datetime,
    leeway: datetime.timedelta,
    level: int,
) -> OCSPSingleResponse:
    """What the response says about the first certificate of ``chain``, whose issuer is the next one."""
    if len(chain) > 1:
        issuer = chain[1]
    elif certificate.is_self_signed:
        issuer = certificate
    else:
        raise refused("the issuer, who signs the OCSP response, is not in the verified chain", certificate)
    try:
        loaded = OCSPResponse.load(response)
    except DecodeError as error:
        raise refused(f"the OCSP response is malformed: {error}", certificate) from error
    return loaded.verify(certificate, issuer, moment=moment, tolerance=leeway, security_level=level)
