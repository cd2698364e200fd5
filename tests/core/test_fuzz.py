"""For random bytes, names and orders of calls, pyossl returns, or raises one of its exceptions (hypothesis)."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from pairs import shake_hands

import pyossl
from pyossl.x509.reference_name import reference_name

AUTHORITY = pyossl.Authority("fuzzed")
CREDENTIALS = AUTHORITY.issue("example.com")
CLIENT = pyossl.Context.client(trust=AUTHORITY.certificate)
SERVER = pyossl.Context.server(CREDENTIALS.certificate, CREDENTIALS.private_key)
DER, KEY = CREDENTIALS.certificate.to_der(), CREDENTIALS.private_key.to_pem()

fuzzed = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


@fuzzed
@given(st.lists(st.tuples(st.integers(0, len(DER) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_certificate_with_other_bytes_is_a_certificate_or_a_decode_error(
    changes: list[tuple[int, int]],
) -> None:
    data = bytearray(DER)
    for place, value in changes:
        data[place] = value
    try:
        certificate = pyossl.Certificate.load(bytes(data))
    except pyossl.DecodeError:
        return
    for question in ("subject", "issuer", "serial_number", "not_before", "not_after"):
        try:
            answer = getattr(certificate, question)
        except (pyossl.Error, ValueError):
            continue
        assert isinstance(answer, (str, int, datetime.datetime))
    assert pyossl.Certificate.load(certificate.to_pem()) == certificate


@fuzzed
@given(st.binary(max_size=300))
def test_any_bytes_are_refused_as_a_certificate_and_as_a_key(data: bytes) -> None:
    for load in (pyossl.load_certificates, pyossl.PrivateKey.load):
        with pytest.raises(pyossl.DecodeError):
            load(data)
        with pytest.raises(pyossl.DecodeError):
            load(b"-----BEGIN CERTIFICATE-----\n" + data)


@fuzzed
@given(st.integers(0, len(KEY) - 1), st.integers(0, 255))
def test_a_key_with_another_byte_in_it_is_a_key_or_a_decode_error(place: int, value: int) -> None:
    data = bytearray(KEY)
    data[place] = value
    said = ""
    try:
        pyossl.PrivateKey.load(bytes(data))
    except pyossl.DecodeError as error:
        said = str(error)
    assert KEY[60:80].decode() not in said


@fuzzed
@given(st.lists(st.binary(min_size=1, max_size=400), min_size=1, max_size=5))
def test_any_bytes_given_to_a_handshake_end_in_an_exception_or_in_a_wait(pieces: list[bytes]) -> None:
    for connection in (pyossl.Connection(CLIENT, "example.com"), pyossl.Connection(SERVER)):
        said, failure = "the handshake failed: ", None
        try:
            for piece in pieces:
                connection.receive_data(piece)
                assert connection.handshake() is pyossl.Want.READ
        except pyossl.Error as error:
            said, failure = str(error), error.failure
        assert said.startswith("the handshake failed: ")
        assert failure is connection.failure
        assert not connection.is_handshake_finished


@fuzzed
@given(st.binary(min_size=1, max_size=200), st.integers(20, 23))
def test_any_record_after_the_handshake_is_refused(data: bytes, content_type: int) -> None:
    client, server = pyossl.Connection(CLIENT, "example.com"), pyossl.Connection(SERVER)
    shake_hands(client, server)
    server.receive_data(bytes([content_type, 3, 3]) + len(data).to_bytes(2, "big") + data)
    try:
        read = server.read()
    except pyossl.Error:
        return
    assert read is pyossl.Want.READ, "nothing that was not encrypted is ever data"


@fuzzed
@given(st.text(max_size=80))
def test_any_text_is_a_name_or_a_value_error(text: str) -> None:
    try:
        name = reference_name(text)
    except ValueError:
        return
    assert name.text.isascii()
    assert "\0" not in name.text
    assert reference_name(name.text) == name, "what is accepted stays what it is"


STEPS = ["handshake", "read", "write", "empty write", "peek", "shutdown", "carry", "carry one", "pending", "repr"]


@fuzzed
@given(st.lists(st.tuples(st.booleans(), st.sampled_from(STEPS)), max_size=60))
def test_any_order_of_calls_answers_or_raises_one_of_pyossl_s(calls: list[tuple[bool, str]]) -> None:
    sides = pyossl.Connection(CLIENT, "example.com"), pyossl.Connection(SERVER)
    for is_server, step in calls:
        side, other = sides[is_server], sides[not is_server]
        try:
            if step == "handshake":
                side.handshake()
            elif step == "read":
                assert isinstance(side.read(), (bytes, pyossl.Want))
            elif step == "peek":
                assert isinstance(side.peek(3), (bytes, pyossl.Want))
            elif step == "write":
                assert side.write(b"data") in (4, *pyossl.Want)
            elif step == "empty write":
                assert side.write(b"") == 0
            elif step == "shutdown":
                assert side.shutdown() in (True, False, *pyossl.Want)
            elif step == "pending":
                assert side.pending >= 0
            elif step == "repr":
                assert repr(side)
            elif data := side.data_to_send(-1 if step == "carry" else 1):
                other.receive_data(data)
        except pyossl.UsageError:
            continue
        except pyossl.Error as error:
            pytest.fail(f"two honest sides fail in no order of calls: {error}")
