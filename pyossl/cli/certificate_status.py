"""What a server sent about its certificate: an OCSP response, and the timestamps of certificate logs (SCTs).

Both are read to be shown.  Of an OCSP response, it is also shown whether it passes ``OCSPResponse.verify``, if the
issuer is known; the signatures of the timestamps are not checked.  Everything here comes from the peer: malformed data
is shown as malformed, and never raises an exception.  RFC 6960, 4.2; RFC 6962, 3.2 and 3.3
"""

from __future__ import annotations

import datetime
from typing import Any, NamedTuple

from pyossl import Certificate, CertificateError, Error, OCSPResponse

_SEQUENCE, _OCTETS, _TIME = 0x30, 0x04, 0x18
_GOOD, _REVOKED, _UNKNOWN = 0x80, 0xA1, 0x82
_STATUS = {_GOOD: "good", _REVOKED: "revoked", _UNKNOWN: "unknown"}
_RESPONSE_STATUS = {
    1: "malformed request",
    2: "internal error",
    3: "try later",
    5: "signature required",
    6: "unauthorized",
}
_SCT_LIST_OID = "1.3.6.1.4.1.11129.2.4.2"
_MALFORMED = "malformed"
_SCT_HEAD = 1 + 32 + 8
_LATEST = 253402300799000  # the last millisecond of the year 9999


class _Element(NamedTuple):
    """A DER element: its tag and its contents."""

    tag: int
    contents: bytes


class _MalformedError(Exception):
    """The data is not what it should be."""


def _elements(data: bytes) -> list[_Element]:
    """The DER elements that follow one another in ``data``."""
    found: list[_Element] = []
    place = 0
    while place < len(data):
        if place + 2 > len(data):
            raise _MalformedError
        tag, length, start = data[place], data[place + 1], place + 2
        if length >= 0x80:
            start += length & 0x7F
            length = int.from_bytes(data[place + 2 : start], "big")
        if start + length > len(data):
            raise _MalformedError
        found.append(_Element(tag, data[start : start + length]))
        place = start + length
    return found


def _only(data: bytes, tag: int) -> bytes:
    """The contents of the element that ``data`` is."""
    elements = _elements(data)
    if len(elements) != 1 or elements[0].tag != tag:
        raise _MalformedError
    return elements[0].contents


def _time(element: _Element) -> datetime.datetime:
    try:
        read = datetime.datetime.strptime(element.contents.decode("ascii"), "%Y%m%d%H%M%SZ")
    except ValueError as error:
        raise _MalformedError from error
    if element.tag != _TIME:
        raise _MalformedError
    return read.replace(tzinfo=datetime.timezone.utc)


def ocsp_report(
    response: bytes | None, certificate: Certificate | None, issuer: Certificate | None = None
) -> dict[str, Any] | None:
    """The fields of a stapled OCSP response, as JSON values; None if there is none.

    ``status`` is ``good``, ``revoked`` or ``unknown``, an error of the responder, or ``malformed``.  ``is_current`` and
    ``is_for_certificate`` say whether the response is valid now, and has the serial number of ``certificate``.  With
    ``issuer``, ``is_verified`` says whether it passes ``OCSPResponse.verify``, and ``problem`` says why not.
    """
    if response is None:
        return None
    try:
        fields = _ocsp_fields(response, certificate, datetime.datetime.now(datetime.timezone.utc))
    except (_MalformedError, IndexError, ValueError):
        fields = {"status": _MALFORMED}
    if certificate is None or issuer is None:
        return fields
    problem = _ocsp_problem(response, certificate, issuer)
    return {**fields, "is_verified": problem is None, "problem": problem}


def _ocsp_problem(response: bytes, certificate: Certificate, issuer: Certificate) -> str | None:
    """Why the response does not show that the certificate is good; None if it does."""
    try:
        OCSPResponse.load(response).verify(certificate, issuer)
    except CertificateError as error:
        return (error.failure and error.failure.reason) or error.reason
    except Error as error:
        return str(error)
    return None


def _ocsp_fields(response: bytes, certificate: Certificate | None, now: datetime.datetime) -> dict[str, Any]:
    outer = _elements(_only(response, _SEQUENCE))
    if number := int.from_bytes(outer[0].contents, "big"):
        return {"status": _RESPONSE_STATUS.get(number, f"error {number}")}
    _, basic = _elements(_elements(outer[1].contents)[0].contents)
    data = _elements(_elements(_only(basic.contents, _SEQUENCE))[0].contents)
    if data[0].tag == 0xA0:  # the version, if it is not the default
        data = data[1:]
    answers = [_elements(each.contents) for each in _elements(data[2].contents)]
    serials = [int.from_bytes(_elements(each[0].contents)[3].contents, "big", signed=True) for each in answers]
    wanted = None if certificate is None else certificate.serial_number
    place = serials.index(wanted) if wanted in serials else 0
    answer = answers[place]
    this_update = _time(answer[2])
    next_update = next((_time(_elements(each.contents)[0]) for each in answer[3:] if each.tag == 0xA0), None)
    revoked = _time(_elements(answer[1].contents)[0]) if answer[1].tag == _REVOKED else None
    return {
        "status": _STATUS.get(answer[1].tag, _MALFORMED),
        "this_update": this_update.isoformat(),
        "next_update": next_update and next_update.isoformat(),
        "revoked_at": revoked and revoked.isoformat(),
        "is_current": this_update <= now and (next_update is None or now <= next_update),
        "is_for_certificate": None if wanted is None else serials[place] == wanted,
    }


def ocsp_text(report: dict[str, Any] | None) -> str:
    """The result of ``ocsp_report`` in one line."""
    if report is None:
        return "no response stapled"
    text = str(report["status"])
    if "this_update" not in report:
        return text
    checked = "signature not checked"
    if "is_verified" in report:
        checked = "verified" if report["is_verified"] else f"not accepted: {report['problem']}"
    text += f", from {report['this_update'][:10]}"
    text += f" to {report['next_update'][:10]}" if report["next_update"] else " on"
    text += "" if report["is_current"] else ", not valid now"
    text += ", but for another certificate" if report["is_for_certificate"] is False else ""
    return f"{text} ({checked})"


def scts_report(extension: bytes | None, certificate: Certificate | None) -> list[dict[str, Any]]:
    """The signed certificate timestamps in the server's extension and in its certificate, as JSON values.

    ``from`` says where each one was.  Their signatures are not checked.
    """
    found = [] if extension is None else _scts(extension, "TLS extension")
    embedded = None if certificate is None else _extension(certificate, _SCT_LIST_OID)
    if embedded is not None:
        try:
            found += _scts(_only(embedded, _OCTETS), "certificate")
        except _MalformedError:
            found.append({"from": "certificate", "malformed": True})
    return found


def _scts(data: bytes, origin: str) -> list[dict[str, Any]]:
    """The items of a SignedCertificateTimestampList."""
    found: list[dict[str, Any]] = []
    length, place = int.from_bytes(data[:2], "big"), 2
    is_whole = length == len(data) - 2 and length > 0
    while is_whole and place < len(data):
        size = int.from_bytes(data[place : place + 2], "big")
        item = data[place + 2 : place + 2 + size]
        place += 2 + size
        is_whole = len(item) == size > _SCT_HEAD and place <= len(data)
        milliseconds = int.from_bytes(item[33:_SCT_HEAD], "big")
        if is_whole and milliseconds <= _LATEST:
            time = datetime.datetime.fromtimestamp(milliseconds // 1000, datetime.timezone.utc)
            found.append({"from": origin, "log": item[1:33].hex(), "time": time.isoformat()})
        else:
            is_whole = False
    return found if is_whole else [*found, {"from": origin, "malformed": True}]


def scts_text(report: list[dict[str, Any]]) -> str:
    """The result of ``scts_report`` in one line."""
    if not report:
        return "none"
    origins = list(dict.fromkeys(each["from"] for each in report))
    text = ", ".join(f"{sum(each['from'] == origin for each in report)} in the {origin}" for origin in origins)
    return f"{text}, malformed" if any("malformed" in each for each in report) else text


def must_staple(certificate: Certificate) -> bool:
    """Whether the certificate says that its server staples an OCSP response.  RFC 7633"""
    try:
        return certificate.must_staple
    except Error:
        return False


def _extension(certificate: Certificate, oid: str) -> bytes | None:
    """The value of an extension, or None if the certificate does not have it."""
    try:
        return next((each.value for each in certificate.extensions if each.oid == oid), None)
    except Error:
        return None
