"""OCSP responses: what a responder says about certificates, and whether a program may believe it.  RFC 6960

A response is a status of its own (``successful``, ``tryLater``, …) and, if that is ``successful``, a signed list of
single responses, each about one certificate.  ``verify`` believes one if

1. the signer is the issuer of the certificate, or a responder whose certificate the same issuer has signed with the
   extended key usage OCSPSigning.  No other certificate counts, also if the system trusts it;
2. the digest and the keys meet the security level, as those of certificates must;
3. a single response is about the certificate: it has its serial number, and the name and the key of the issuer;
4. it is valid now.  One that does not say until when it is valid is refused: it could be sent for ever;
5. it says ``good``.

All single responses about the certificate must pass 4 and 5.
"""

from __future__ import annotations

import datetime
import enum
from collections.abc import Callable
from typing import Any, NamedTuple

from pyossl.core import ffi, lib, own
from pyossl.core.arguments import instance, pointer as checked_pointer, security_level as check_level
from pyossl.core.errors import CertificateError, DecodeError, certificate_error, check, check_ptr, require
from pyossl.core.flags import VerifyFlags
from pyossl.core.library_context import library_in_use
from pyossl.core.outcome import Failure, Record, take_records
from pyossl.x509.asn1 import integer, string_bytes, time
from pyossl.x509.certificate import Certificate, algorithm_name, chain_of, stack_of_certificates
from pyossl.x509.names import Name
from pyossl.x509.pem_and_der import Source, output_of, read_every
from pyossl.x509.trust_store import Store, seconds_of

TOLERANCE = datetime.timedelta(minutes=5)
_DAY = datetime.timedelta(days=1)
_LEAST_BITS = (0, 80, 112, 128, 192, 256)
"""The bits of security that each security level needs.  SSL_CTX_set_security_level(3)"""
_NO_REASON = -1


class OCSPResponseStatus(enum.IntEnum):
    """Whether a responder has answered: the status of a whole response (RFC 6960, 4.2.1).

    - ``SUCCESSFUL``: the response has statuses of certificates.
    - ``MALFORMED_REQUEST``: the responder could not read the request.
    - ``INTERNAL_ERROR``: the responder has a problem.
    - ``TRY_LATER``: the responder cannot answer now.
    - ``SIGNATURE_REQUIRED``: the responder answers only signed requests.
    - ``UNAUTHORIZED``: the responder does not answer this client, or not about this certificate.

    OCSP_response_status(3)
    """

    SUCCESSFUL = 0
    MALFORMED_REQUEST = 1
    INTERNAL_ERROR = 2
    TRY_LATER = 3
    SIGNATURE_REQUIRED = 5
    UNAUTHORIZED = 6


class OCSPStatus(enum.IntEnum):
    """What a responder says about one certificate.  OCSP_single_get0_status(3)

    - ``GOOD``: it is not revoked.
    - ``REVOKED``: it is revoked, for ever or for a time.
    - ``UNKNOWN``: the responder does not know it.
    """

    GOOD = 0
    REVOKED = 1
    UNKNOWN = 2


class OCSPSingleResponse(NamedTuple):
    """What an OCSP response says about one certificate.  OCSP_single_get0_status(3)"""

    serial_number: int
    status: OCSPStatus
    this_update: datetime.datetime
    next_update: datetime.datetime | None
    revoked_at: datetime.datetime | None
    reason: int | None


OCSPSingleResponse.serial_number.__doc__ = "The serial number of the certificate."
OCSPSingleResponse.status.__doc__ = "An ``OCSPStatus``: good, revoked or unknown."
OCSPSingleResponse.this_update.__doc__ = "The time at which this was known to be right, in UTC."
OCSPSingleResponse.next_update.__doc__ = "The time until which it may be used, in UTC; None if it does not say."
OCSPSingleResponse.revoked_at.__doc__ = "The time of the revocation, in UTC; None if the certificate is not revoked."
OCSPSingleResponse.reason.__doc__ = "The reason of the revocation, a number of ``RevocationReason``; None for none."


class OCSPResponse:
    """A response of an OCSP responder: the status of one certificate or of several (RFC 6960).

    ``verify`` checks that a certificate is good.  All else here reads what the response says, without a check.
    """

    def __init__(self, pointer: Any) -> None:
        """Makes a response of ``pointer``, an ``OCSP_RESPONSE *``, which is freed with its last reference.

        ``OCSPResponse.load`` takes a file or bytes.  Raises ``UnsupportedError`` if OpenSSL was built without OCSP, and
        ``DecodeError`` if the response is successful and its contents are malformed.
        """
        require(lib.HAVE_OCSP, "OCSP")
        self._response = checked_pointer(pointer, "OCSP_RESPONSE *", "make a response with OCSPResponse.load")
        self._basic: Any = None
        if self.status == OCSPResponseStatus.SUCCESSFUL:
            take_records()
            basic = lib.OCSP_response_get1_basic(pointer)
            self._basic = own(check_ptr(basic, "reading an OCSP response", DecodeError), lib.OCSP_BASICRESP_free)

    @classmethod
    def load(cls, source: Source) -> OCSPResponse:
        """The response in a file or in bytes, in DER or PEM.

        ``source`` is the path of a file, or the contents as ``bytes``.  Raises ``DecodeError`` if it is not one
        response, and ``UnsupportedError`` if OpenSSL was built without OCSP.  d2i_OCSP_RESPONSE(3)
        """
        require(lib.HAVE_OCSP, "OCSP")
        free, pem, d2i = lib.OCSP_RESPONSE_free, lib.pyossl_pem_ocsp_response, lib.d2i_OCSP_RESPONSE_bio
        pointers = read_every(source, "OCSP response", "OCSP RESPONSE", free, pem, d2i)
        if len(pointers) > 1:
            raise DecodeError("reading an OCSP response failed: there is more than one")
        return cls(pointers[0])

    def to_der(self) -> bytes:
        """The response in DER, as servers staple it.  i2d_OCSP_RESPONSE(3)"""
        return output_of(lib.i2d_OCSP_RESPONSE_bio, self._response)

    def __reduce__(self) -> tuple[Callable[[bytes], OCSPResponse], tuple[bytes]]:
        return OCSPResponse.load, (self.to_der(),)

    @property
    def text(self) -> str:
        """A description of the whole response, for people to read.  Do not parse it.

        Raises ``Error`` if OpenSSL cannot print it, for example because a time in it is malformed.
        OCSP_RESPONSE_print(3)
        """
        printed = output_of(lib.OCSP_RESPONSE_print, self._response, 0).decode("utf-8", "backslashreplace")
        take_records()
        return printed

    @property
    def status(self) -> OCSPResponseStatus | int:
        """Whether the responder has answered, an ``OCSPResponseStatus``; a plain number if that has no such member.

        OCSP_response_status(3)
        """
        number = int(lib.OCSP_response_status(self._response))
        try:
            return OCSPResponseStatus(number)
        except ValueError:
            return number

    @property
    def single_responses(self) -> tuple[OCSPSingleResponse, ...]:
        """What the response says about each certificate; empty if it is not successful.

        Raises ``DecodeError`` if a field is malformed.  OCSP_resp_get0(3)
        """
        return tuple(_single(pointer) for pointer in self._pointers())

    def _pointers(self) -> list[Any]:
        """The ``OCSP_SINGLERESP *``, which belong to the response."""
        if self._basic is None:
            return []
        return [lib.OCSP_resp_get0(self._basic, n) for n in range(lib.OCSP_resp_count(self._basic))]

    @property
    def produced_at(self) -> datetime.datetime | None:
        """The time at which the response was signed, in UTC; None if it is not successful.

        OCSP_resp_get0_produced_at(3)
        """
        return None if self._basic is None else _time(lib.OCSP_resp_get0_produced_at(self._basic))

    @property
    def responder_name(self) -> Name | None:
        """The subject's name of the signer's certificate; None if the response names its key instead.

        OCSP_resp_get0_id(3)
        """
        name = self._responder()[1]
        return None if name == ffi.NULL else Name.copied(name)

    @property
    def responder_key_hash(self) -> bytes | None:
        """The SHA-1 digest of the signer's public key; None if the response has the signer's name instead.

        OCSP_resp_get0_id(3)
        """
        key = self._responder()[0]
        return None if key == ffi.NULL else string_bytes(key)

    def _responder(self) -> tuple[Any, Any]:
        key, name = ffi.new("ASN1_OCTET_STRING **"), ffi.new("X509_NAME **")
        if self._basic is not None:
            lib.OCSP_resp_get0_id(self._basic, ffi.cast("const ASN1_OCTET_STRING **", key), name)
        return key[0], name[0]

    @property
    def certificates(self) -> tuple[Certificate, ...]:
        """The certificates in the response: usually that of a responder, if the issuer itself has not signed.

        OCSP_resp_get0_certs(3)
        """
        return () if self._basic is None else chain_of(lib.OCSP_resp_get0_certs(self._basic))

    @property
    def signature_algorithm(self) -> str | None:
        """The signature algorithm, by OpenSSL's long name: ``sha256WithRSAEncryption``; None if it is not successful.

        OCSP_resp_get0_tbs_sigalg(3)
        """
        return None if self._basic is None else algorithm_name(lib.OCSP_resp_get0_tbs_sigalg(self._basic))

    def find(self, certificate: Certificate, issuer: Certificate) -> OCSPSingleResponse | None:
        """What the response says about ``certificate``, which ``issuer`` has issued; None if it says nothing.

        Nothing is checked: ``verify`` does that.  Raises ``DecodeError`` if a field is malformed.
        OCSP_resp_find_status(3)
        """
        found = self._about(certificate, issuer)
        return _single(found[0]) if found else None

    def _about(self, certificate: Certificate, issuer: Certificate) -> list[Any]:
        leaf, above = instance(certificate, Certificate, "certificate"), instance(issuer, Certificate, "issuer")
        take_records()
        every = self._pointers()
        library = library_in_use(above._library_context)
        found = [each for each in every if lib.pyossl_ocsp_is_about(each, leaf._x509, above._x509, library)]
        take_records()
        return found

    def verify(
        self,
        certificate: Certificate,
        issuer: Certificate,
        *,
        moment: datetime.datetime | None = None,
        tolerance: datetime.timedelta = TOLERANCE,
        security_level: int | None = None,
    ) -> OCSPSingleResponse:
        """Checks that the response is valid and says that ``certificate`` is good; returns what it says about it.

        - ``certificate``: the certificate.
        - ``issuer``: the authority that has issued it, already verified.  It must have signed the response, or the
          certificate of the responder that did.  The signature is verified with the algorithms of the library context
          that this certificate belongs to.
        - ``moment``: the time of the check, an aware datetime; None for now.
        - ``tolerance``: how far the clocks of this system and the responder may differ: 0 seconds to one day.
        - ``security_level``: the level that the signature and the responder's key must meet, 0 to 5; None for 1.

        Raises ``CertificateError`` in all other cases: the message says why.  Its ``code`` is
        X509_V_ERR_CERT_REVOKED, X509_V_ERR_OCSP_CERT_UNKNOWN, or X509_V_ERR_OCSP_VERIFY_FAILED if the response cannot
        be believed.  OCSP_basic_verify(3), OCSP_check_validity(3)
        """
        instance(certificate, Certificate, "certificate")
        instance(issuer, Certificate, "issuer")
        level = 1 if security_level is None else check_level(security_level)
        leeway = checked_tolerance(tolerance)
        now = datetime.datetime.now(datetime.timezone.utc) if moment is None else moment
        seconds = seconds_of(now)
        if self._basic is None:
            raise refused(f"the OCSP responder has not answered: its status is {_words(self.status)}", certificate)
        self._check_signature(certificate, issuer, seconds, level)
        found = self._about(certificate, issuer)
        if not found:
            raise refused("the OCSP response is about other certificates", certificate)
        try:
            singles = [_single(each) for each in found]
        except DecodeError as error:
            raise refused(f"the OCSP response is malformed: {error}", certificate) from error
        for single in singles:
            _check(single, certificate, now, leeway)
        return singles[0]

    def _check_signature(self, certificate: Certificate, issuer: Certificate, seconds: int, level: int) -> None:
        if level and lib.pyossl_ocsp_digest_bits(self._basic) < _LEAST_BITS[level]:
            raise refused(
                f"the OCSP response is signed with {self.signature_algorithm}, which is too weak", certificate
            )
        # Only the issuer is trusted here, whether it is a root or not: so a responder's certificate must be its.
        store = Store.empty()
        store._library_context = library_context = issuer._library_context  # it may be closed
        store.add(issuer)
        parameters = lib.X509_STORE_get0_param(store._store)
        check(lib.X509_VERIFY_PARAM_set_flags(parameters, VerifyFlags.PARTIAL_CHAIN), "setting verify flags")
        lib.X509_VERIFY_PARAM_set_time(parameters, seconds)
        lib.X509_VERIFY_PARAM_set_auth_level(parameters, level)
        take_records()
        signers = stack_of_certificates((issuer,), library_context)
        verifying = self._basic, signers, store._store, lib.OCSP_NOEXPLICIT, library_in_use(library_context)
        is_valid = lib.pyossl_ocsp_verify(*verifying) == 1
        records = take_records()
        if not is_valid:
            reasons = "; ".join(dict.fromkeys(str(record) for record in records)) or "OpenSSL gave no reason"
            why = f"the OCSP response is not signed by the issuer or a responder of the issuer: {reasons}"
            raise refused(why, certificate, records=records)

    def __eq__(self, other: object) -> bool:
        return self.to_der() == other.to_der() if isinstance(other, OCSPResponse) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.to_der())

    def __repr__(self) -> str:
        return f"<OCSPResponse {_words(self.status)}, about {len(self._pointers())} certificates>"


def checked_tolerance(value: datetime.timedelta) -> datetime.timedelta:
    """A difference between two clocks that is not negative and at most a day."""
    if not isinstance(value, datetime.timedelta):
        raise TypeError(f"a tolerance is a timedelta, not {type(value).__name__}")
    if not datetime.timedelta(0) <= value <= _DAY:
        raise ValueError(f"a tolerance is 0 seconds to one day, not {value}")
    return value


def refused(
    why: str, certificate: Certificate | None, code: int | None = None, records: tuple[Record, ...] = ()
) -> CertificateError:
    """The exception for a certificate whose OCSP response is missing, says something else than good, or is not valid.

    ``code`` is an X509_V_ERR_x; None for X509_V_ERR_OCSP_VERIFY_FAILED.
    """
    code = lib.X509_V_ERR_OCSP_VERIFY_FAILED if code is None else code
    return certificate_error(
        Failure("OCSP_basic_verify", records=records, verify_code=code, certificate=certificate, reason=why)
    )


def refused_at(depth: int, error: CertificateError) -> CertificateError:
    """The same refusal of a certificate that is at this place of the peer's chain."""
    assert error.failure is not None
    return certificate_error(error.failure._replace(depth=depth))


def _check(
    single: OCSPSingleResponse, certificate: Certificate, now: datetime.datetime, leeway: datetime.timedelta
) -> None:
    """Raises ``CertificateError`` unless the single response is valid now and says good."""
    if single.this_update - now > leeway:
        raise refused(f"the OCSP response is valid only from {single.this_update:{_UTC}}", certificate)
    if single.next_update is None:
        raise refused("the OCSP response does not say until when it is valid", certificate)
    if now - single.next_update > leeway:
        raise refused(f"the OCSP response was valid until {single.next_update:{_UTC}}", certificate)
    if single.next_update < single.this_update:
        raise refused("the OCSP response ends before it begins", certificate)
    if single.status == OCSPStatus.REVOKED:
        since = "" if single.revoked_at is None else f" at {single.revoked_at:{_UTC}}"
        why = f"the OCSP response says that it was revoked{since}"
        raise refused(why, certificate, lib.X509_V_ERR_CERT_REVOKED)
    if single.status != OCSPStatus.GOOD:
        raise refused("the OCSP responder does not know it", certificate, lib.X509_V_ERR_OCSP_CERT_UNKNOWN)


_UTC = "%Y-%m-%d %H:%M:%S UTC"


def _single(pointer: Any) -> OCSPSingleResponse:
    """What an ``OCSP_SINGLERESP *`` says."""
    reason, times = ffi.new("int *", _NO_REASON), ffi.new("ASN1_GENERALIZEDTIME *[3]")
    take_records()
    status = lib.OCSP_single_get0_status(pointer, reason, times, times + 1, times + 2)
    if status not in tuple(OCSPStatus) or times[1] == ffi.NULL:
        raise DecodeError("a single response of an OCSP response is malformed")
    revoked = status == OCSPStatus.REVOKED
    return OCSPSingleResponse(
        integer(lib.pyossl_ocsp_serial(pointer)),
        OCSPStatus(status),
        _time(times[1]),
        None if times[2] == ffi.NULL else _time(times[2]),
        _time(times[0]) if revoked and times[0] != ffi.NULL else None,
        int(reason[0]) if revoked and reason[0] != _NO_REASON else None,
    )


def _time(pointer: Any) -> datetime.datetime:
    return time(ffi.cast("ASN1_TIME *", pointer))


def _words(status: OCSPResponseStatus | int) -> str:
    if isinstance(status, OCSPResponseStatus):
        return status.name.lower().replace("_", " ")
    return f"the unknown number {status}"


def response_der(response: object, what: str) -> bytes:
    """The DER of a response that a program gives, as an ``OCSPResponse`` or as ``bytes``."""
    if isinstance(response, OCSPResponse):
        return response.to_der()
    if not isinstance(response, bytes):
        raise TypeError(f"{what} is an OCSPResponse or bytes, not {type(response).__name__}")
    return response
