"""TLSA records: their text, and the record of a certificate."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from interop.programs import Program, program, where_installed

import pyossl
from pyossl import DecodeError, TLSARecord

LARGEST = 65532


@pytest.fixture
def certificate(credentials: pyossl.Credentials) -> pyossl.Certificate:
    return credentials.certificate


def test_the_record_of_a_certificate(certificate: pyossl.Certificate) -> None:
    key = certificate.public_key.public_der()
    assert TLSARecord.of(certificate) == TLSARecord(3, 1, 1, hashlib.sha256(key).digest())
    for selector, whole in enumerate((certificate.to_der(), key)):
        for matching_type, data in enumerate((whole, hashlib.sha256(whole).digest(), hashlib.sha512(whole).digest())):
            for usage in range(4):
                record = TLSARecord.of(certificate, usage=usage, selector=selector, matching_type=matching_type)
                assert (record.usage, record.selector, record.matching_type) == (usage, selector, matching_type)
                assert record.data == data


@where_installed("danetool")
def test_danetool_makes_the_same_record(certificate: pyossl.Certificate, tmp_path: Any) -> None:
    (file := tmp_path / "certificate.pem").write_bytes(certificate.to_pem())
    for selector, options in enumerate((["--x509"], [])):
        command = ["--tlsa-rr", "--host", "example.com", "--load-certificate", file, "--domain", *options]
        with Program(program("danetool"), *command) as run:
            printed = run.finish().output.decode()
        usage, selected, matching_type, data = printed.rpartition("TLSA (")[2].strip(" )\n").split(None, 3)
        made = TLSARecord(int(usage, 16), int(selected, 16), int(matching_type, 16), bytes.fromhex(data))
        assert made == TLSARecord.of(certificate, selector=selector)


def test_text_is_read_and_written() -> None:
    record = TLSARecord(3, 1, 1, bytes.fromhex("00ff10"))
    assert str(record) == "3 1 1 00ff10"
    for text in "3 1 1 00ff10", " 3\t1  1 00FF10\n", "003 01 1 00 ff\t10", "3 1 1 00f f10".replace("f f", "ff"):
        assert TLSARecord.parse(text) == record
    assert TLSARecord.parse(str(TLSARecord(255, 255, 255, b"\0" * LARGEST))).data == b"\0" * LARGEST


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it has a usage, a selector, a matching type, and the data"),
        ("3 1 1", "it has a usage, a selector, a matching type, and the data"),
        ("x 1 1 ab", "its usage is a number from 0 to 255"),
        ("256 1 1 ab", "its usage is a number from 0 to 255"),
        ("-1 1 1 ab", "its usage is a number from 0 to 255"),
        ("³ 1 1 ab", "its usage is a number from 0 to 255"),
        ("3 1000000000000 1 ab", "its selector is a number from 0 to 255"),
        ("3 1 1.0 ab", "its matching type is a number from 0 to 255"),
        ("3 1 1 abc", "its data is hexadecimal"),
        ("3 1 1 xy", "its data is hexadecimal"),
        ("3 1 1 äb", "its data is hexadecimal"),
        ("3 1 0 " + "ab" * (LARGEST + 1), f"its data is hexadecimal, 1 to {LARGEST} bytes"),
    ],
)
def test_a_malformed_text_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(DecodeError, match=f"^the TLSA record '.*' is malformed: {why}"):
        TLSARecord.parse(text)


@pytest.mark.parametrize("wrong", [None, b"3 1 1 ab", 3, ("3 1 1 ab",)])
def test_only_text_is_read(wrong: Any) -> None:
    with pytest.raises(TypeError, match="the text of a TLSA record"):
        TLSARecord.parse(wrong)


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize(("wrong", "error"), [(-1, ValueError), (256, ValueError), ("3", TypeError), (True, TypeError)])
def test_the_numbers_are_those_of_the_dns(place: int, wrong: Any, error: type[Exception]) -> None:
    numbers: list[Any] = [3, 1, 1]
    numbers[place] = wrong
    with pytest.raises(error, match=r"the (usage|selector|matching type) of a TLSA record"):
        TLSARecord(*numbers, b"x")  # type: ignore[misc]  # wrong types are tried


@pytest.mark.parametrize(("wrong", "error"), [("ab", TypeError), (b"", ValueError), (bytes(LARGEST + 1), ValueError)])
def test_the_data_is_bytes(wrong: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="the data of a TLSA record"):
        TLSARecord(3, 1, 1, wrong)


def test_only_assigned_numbers_make_a_record_of_a_certificate(certificate: pyossl.Certificate) -> None:
    for wrong in {"usage": 4}, {"selector": 2}, {"matching_type": 3}:
        with pytest.raises(ValueError, match="of a TLSA record is 0 to "):
            TLSARecord.of(certificate, **wrong)
    with pytest.raises(TypeError, match="a Certificate"):
        TLSARecord.of(certificate.to_der())  # type: ignore[arg-type]  # that is tried


def test_records_are_values(certificate: pyossl.Certificate) -> None:
    record, same = TLSARecord.of(certificate), TLSARecord.of(certificate)
    assert record == same
    assert hash(record) == hash(same)
    assert record != TLSARecord.of(certificate, usage=2)
    assert record != str(record)
    assert {record, same} == {record}
    assert repr(TLSARecord(3, 1, 1, b"ab")) == "<TLSARecord 3 1 1 6162>"
    assert len(repr(TLSARecord.of(certificate, matching_type=0, selector=0))) < 200
    with pytest.raises(AttributeError):
        record.usage = 2  # type: ignore[misc]  # that is tried
