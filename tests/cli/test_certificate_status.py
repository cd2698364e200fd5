"""OCSP responses and certificate timestamps as the commands show them; malformed ones never raise an exception."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from cli.ocsp_making import DAY, NOW, ocsp_response, timestamp, timestamp_list
from cryptography import x509
from x509.certificate_making import make

import pyossl
from pyossl.cli.certificate_status import must_staple, ocsp_report, ocsp_text, scts_report, scts_text

OLD = datetime.datetime(2024, 5, 6, 7, 8, 9, tzinfo=datetime.timezone.utc)


def certificate_with(*extensions: x509.ExtensionType) -> pyossl.Certificate:
    made = make("localhost", extensions=[(each, False) for each in extensions])
    return pyossl.Certificate.load(made.pem)


def test_a_good_response_has_its_times(credentials: pyossl.Credentials, authority: pyossl.Authority) -> None:
    report = ocsp_report(ocsp_response(credentials, authority), credentials.certificate)
    assert report == {
        "status": "good",
        "this_update": (NOW - DAY).isoformat(),
        "next_update": (NOW + DAY).isoformat(),
        "revoked_at": None,
        "is_current": True,
        "is_for_certificate": True,
    }
    times = f"from {(NOW - DAY):%Y-%m-%d} to {(NOW + DAY):%Y-%m-%d}"
    assert ocsp_text(report) == f"good, {times} (signature not checked)"


def test_a_revoked_certificate_has_the_time_of_its_revocation(
    credentials: pyossl.Credentials, authority: pyossl.Authority
) -> None:
    report = ocsp_report(ocsp_response(credentials, authority, revoked=True), credentials.certificate)
    assert report is not None
    assert (report["status"], report["revoked_at"]) == ("revoked", (NOW - DAY).isoformat())


def test_a_response_that_is_over_says_so(credentials: pyossl.Credentials, authority: pyossl.Authority) -> None:
    response = ocsp_response(credentials, authority, this_update=OLD, next_update=OLD + DAY)
    report = ocsp_report(response, credentials.certificate)
    assert report is not None
    assert report["is_current"] is False
    assert ocsp_text(report) == "good, from 2024-05-06 to 2024-05-07, not valid now (signature not checked)"


def test_a_response_for_another_certificate_says_so(
    credentials: pyossl.Credentials, authority: pyossl.Authority
) -> None:
    other = authority.issue("other.example")
    text = ocsp_text(ocsp_report(ocsp_response(credentials, authority), other.certificate))
    assert "but for another certificate" in text


def test_an_error_of_the_responder_has_its_name() -> None:
    try_later = bytes.fromhex("30030a0103")
    assert ocsp_report(try_later, None) == {"status": "try later"}


def test_no_response_is_none() -> None:
    assert ocsp_report(None, None) is None
    assert ocsp_text(None) == "no response stapled"


def test_a_response_cut_at_any_length_is_malformed(
    credentials: pyossl.Credentials, authority: pyossl.Authority
) -> None:
    whole = ocsp_response(credentials, authority)
    for length in range(len(whole)):
        assert ocsp_report(whole[:length], credentials.certificate) == {"status": "malformed"}, length


def test_a_response_with_any_byte_changed_raises_nothing(
    credentials: pyossl.Credentials, authority: pyossl.Authority
) -> None:
    whole = bytearray(ocsp_response(credentials, authority))
    for place in range(len(whole)):
        for value in (0x00, 0x30, 0x80, 0xFF):
            changed = bytearray(whole)
            changed[place] = value
            ocsp_text(ocsp_report(bytes(changed), credentials.certificate))


def test_timestamps_of_the_extension_have_their_log_and_time() -> None:
    report = scts_report(timestamp_list(timestamp(1, OLD), timestamp(2, OLD)), None)
    assert report == [
        {"from": "TLS extension", "log": "01" * 32, "time": OLD.isoformat()},
        {"from": "TLS extension", "log": "02" * 32, "time": OLD.isoformat()},
    ]
    assert scts_text(report) == "2 in the TLS extension"


def test_timestamps_in_the_certificate_are_found() -> None:
    scts = timestamp_list(timestamp(7, OLD))
    oid = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
    wrapped = bytes([0x04, len(scts)]) + scts
    report = scts_report(None, certificate_with(x509.UnrecognizedExtension(oid, wrapped)))
    assert [(each["from"], each["log"]) for each in report] == [("certificate", "07" * 32)]


def test_a_list_of_timestamps_cut_at_any_length_is_malformed() -> None:
    whole = timestamp_list(timestamp(1, OLD), timestamp(2, OLD))
    for length in range(len(whole)):
        assert scts_text(scts_report(whole[:length], None)).endswith("malformed"), length


@pytest.mark.parametrize("value", [b"", b"\x04", b"\x04\x7fabc", b"\x30\x00"])
def test_a_malformed_list_in_the_certificate_is_shown_as_malformed(value: bytes) -> None:
    oid = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
    report: list[dict[str, Any]] = scts_report(None, certificate_with(x509.UnrecognizedExtension(oid, value)))
    assert report == [{"from": "certificate", "malformed": True}]


def test_a_certificate_may_demand_a_response() -> None:
    assert must_staple(certificate_with(x509.TLSFeature([x509.TLSFeatureType.status_request])))
    assert not must_staple(certificate_with())
