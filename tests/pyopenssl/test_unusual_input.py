"""Certificates, names, times and keys that no authority issues: pyossl does what pyOpenSSL does.

``ci/peers side-by-side`` compares more of them with pyOpenSSL: pyopenssl_programs/side_by_side/unusual_input.py.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import example, given, strategies
from pyopenssl.pyopenssl_pairs import CREDENTIALS, contexts
from pyopenssl.test_differences import over_sockets

import pyossl
from pyossl.pyopenssl import SSL, crypto

SEQUENCE, SET, INTEGER, BITS, OCTETS, OBJECT, UTF8, BMP = 0x30, 0x31, 0x02, 0x03, 0x04, 0x06, 0x0C, 0x1E
UTC, GENERALIZED = 0x17, 0x18
COMMON_NAME, UNKNOWN = "550403", "2b0601040182e6610b"
PUBLIC = CREDENTIALS.certificate.public_key.to_der()


@pytest.fixture(autouse=True)
def _deprecated() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    return bytes([tag]) + (bytes([size]) if size < 128 else bytes([0x82, size >> 8, size & 255])) + content


def name_of(*attributes: tuple[str, int, bytes]) -> bytes:
    pairs = (der(SEQUENCE, der(OBJECT, bytes.fromhex(kind)), der(tag, value)) for kind, tag, value in attributes)
    return der(SEQUENCE, *(der(SET, pair) for pair in pairs))


PLAIN = name_of((COMMON_NAME, UTF8, b"odd"))


def made(name: bytes = PLAIN, end: bytes = der(UTC, b"490101000000Z")) -> bytes:
    algorithm = der(SEQUENCE, der(OBJECT, bytes.fromhex("2a864886f70d01010b")), b"\5\0")
    times = der(SEQUENCE, der(UTC, b"200101000000Z"), end)
    signed = der(SEQUENCE, der(0xA0, b"\2\1\2"), der(INTEGER, b"\5"), algorithm, name, times, name, PUBLIC)
    return der(SEQUENCE, signed, algorithm, der(BITS, b"\0" + bytes(64)))


def loaded(data: bytes) -> crypto.X509:
    return crypto.load_certificate(crypto.FILETYPE_ASN1, data)


# Names


def test_an_attribute_is_found_beside_one_that_openssl_does_not_know() -> None:
    name = loaded(made(name_of((UNKNOWN, UTF8, b"x"), (COMMON_NAME, UTF8, b"behind")))).get_subject()
    assert (name.CN, name.commonName, name.O) == ("behind", "behind", None)


def test_an_attribute_that_openssl_does_not_know_is_undef_among_the_components() -> None:
    name = loaded(made(name_of((UNKNOWN, UTF8, b"x"), (COMMON_NAME, UTF8, b"y")))).get_subject()
    assert name.get_components() == [(b"UNDEF", b"x"), (b"CN", b"y")]


def test_an_attributes_name_beyond_latin_1_is_refused_as_in_the_original() -> None:
    name = loaded(made()).get_subject()
    with pytest.raises(UnicodeEncodeError):
        getattr(name, "日本")  # noqa: B009
    with pytest.raises(AttributeError):
        name.é  # noqa: B018


# Times


@pytest.mark.parametrize(
    ("end", "shown", "expired"),
    [
        (der(UTC, b"490101000000Z"), b"20490101000000Z", False),
        (der(UTC, b"500101000000Z"), b"19500101000000Z", True),
        (der(UTC, b"490101000000+0100"), b"20481231230000Z", False),
        (der(UTC, b"490101000000-0530"), b"20490101053000Z", False),
        (der(GENERALIZED, b"20500101000000Z"), b"20500101000000Z", False),
        (der(GENERALIZED, b"19500101000000Z"), b"19500101000000Z", True),
    ],
)
def test_a_time_is_shown_in_utc(end: bytes, shown: bytes, expired: bool) -> None:
    certificate = loaded(made(end=end))
    assert (certificate.get_notAfter(), certificate.has_expired()) == (shown, expired)


def test_a_time_without_seconds_has_none() -> None:
    try:
        certificate = loaded(made(end=der(UTC, b"4901010000Z")))
    except crypto.Error:
        return  # as of OpenSSL 4.0 it is not read at all
    assert (certificate.get_notAfter(), certificate.has_expired()) == (b"20490101000000Z", False)


@pytest.mark.parametrize("text", [b"20500101000000+0100", b"20500101000000.5Z"])
def test_a_generalized_time_that_is_not_in_utc_is_shown_and_not_compared(text: bytes) -> None:
    certificate = loaded(made(end=der(GENERALIZED, text)))
    assert certificate.get_notAfter() == text
    with pytest.raises(ValueError, match="does not match format"):
        certificate.has_expired()


@pytest.mark.parametrize("text", [b"491301000000Z", b"490230000000Z", b"tomorrow at 5"])
def test_an_invalid_time_raises_cryptos_error(text: bytes) -> None:
    certificate = loaded(made(end=der(UTC, text)))
    for ask in (certificate.get_notAfter, certificate.has_expired):
        with pytest.raises(crypto.Error) as caught:
            ask()
        assert "not a time" in caught.value.args[0][0][2]
    assert certificate.get_notBefore() == b"20200101000000Z"


@pytest.mark.parametrize("amount", [10**13, -(10**13), 2**63 - 1, -(2**63)])
def test_seconds_beyond_the_calendar_change_nothing(amount: int) -> None:
    certificate = crypto.X509()
    certificate.set_notBefore(b"20200101000000Z")
    certificate.set_notAfter(b"20300101000000Z")
    certificate.gmtime_adj_notBefore(amount)
    certificate.gmtime_adj_notAfter(amount)
    assert (certificate.get_notBefore(), certificate.get_notAfter()) == (b"20200101000000Z", b"20300101000000Z")


@pytest.mark.parametrize("amount", [2**63, -(2**63) - 1, 10**30])
def test_seconds_beyond_a_c_long_overflow(amount: int) -> None:
    for adjust in (crypto.X509().gmtime_adj_notBefore, crypto.X509().gmtime_adj_notAfter):
        with pytest.raises(OverflowError):
            adjust(amount)


# DER with bytes behind it


@pytest.mark.parametrize("behind", [b"x", bytes(9), made(), b"-----BEGIN CERTIFICATE-----\n"])
def test_bytes_behind_a_certificate_are_not_looked_at(behind: bytes) -> None:
    assert crypto.dump_certificate(crypto.FILETYPE_ASN1, loaded(made() + behind)) == made()


def test_bytes_behind_an_indefinite_length_are_not_looked_at() -> None:
    indefinite = b"\x30\x80" + made()[4:] + b"\0\0"
    assert crypto.dump_certificate(crypto.FILETYPE_ASN1, loaded(indefinite + b"behind")) == made()


@pytest.mark.parametrize("behind", [b"x", bytes(9)])
def test_bytes_behind_a_key_are_not_looked_at(behind: bytes) -> None:
    private = pyossl.PrivateKey.generate("RSA")
    traditional = crypto.dump_privatekey(
        crypto.FILETYPE_ASN1, crypto.load_privatekey(crypto.FILETYPE_PEM, private.to_pem())
    )
    for data in (private.to_der(), traditional):
        assert crypto.load_privatekey(crypto.FILETYPE_ASN1, data + behind).bits() == 2048
    assert crypto.load_publickey(crypto.FILETYPE_ASN1, private.public_der() + behind).bits() == 2048


@pytest.mark.parametrize("data", [b"", b"0", made()[:-1], made()[:4], b"\x30\x80" * 5000, b"\x30\xff" + b"\xff" * 200])
def test_truncated_data_raises_cryptos_error(data: bytes) -> None:
    for load in (loaded, lambda data: crypto.load_publickey(crypto.FILETYPE_ASN1, data)):
        with pytest.raises(crypto.Error):
            load(data)


# Any input raises what pyOpenSSL raises

MAY_BE_RAISED = (crypto.Error, ValueError, TypeError, AttributeError)


def ask_everything(certificate: crypto.X509) -> None:
    name = certificate.get_subject()
    asked: list[Callable[[], Any]] = [
        *(lambda attribute=attribute: getattr(name, attribute) for attribute in ("CN", "O", "DC", "2.5.4.3")),
        name.get_components,
        name.__repr__,
        name.hash,
        name.der,
        lambda: name == certificate.get_issuer(),
        lambda: name < certificate.get_issuer(),
        lambda: crypto.X509Name(name),
        certificate.get_notBefore,
        certificate.get_notAfter,
        certificate.has_expired,
        certificate.get_version,
        certificate.get_serial_number,
        certificate.get_signature_algorithm,
        certificate.subject_name_hash,
        certificate.get_extension_count,
        certificate.get_pubkey,
        lambda: certificate.digest("sha256"),
        lambda: crypto.dump_certificate(crypto.FILETYPE_PEM, certificate),
        lambda: crypto.dump_certificate(crypto.FILETYPE_TEXT, certificate),
        lambda: crypto.X509Store().add_cert(certificate),
        lambda: certificate.set_notAfter(b"20300101000000Z"),
        lambda: certificate.gmtime_adj_notAfter(10**13),
        lambda: setattr(name, "CN", "changed"),
        lambda: certificate.set_serial_number(5),
    ]
    for ask in asked:
        try:
            ask()
        except MAY_BE_RAISED:
            continue


@given(
    strategies.lists(
        strategies.tuples(
            strategies.sampled_from([COMMON_NAME, UNKNOWN, "55040a"]),
            strategies.sampled_from([INTEGER, OCTETS, UTF8, BMP, 0x13, 0x14, 0x16, 0x1C]),
            strategies.binary(max_size=9),
        ),
        max_size=3,
    ),
    strategies.sampled_from([UTC, GENERALIZED]),
    strategies.binary(max_size=20) | strategies.from_regex(rb"\A[0-9]{8,14}(Z|[+-][0-9]{4})?\Z"),
)
@example([(UNKNOWN, UTF8, b"x")], UTC, b"491301000000Z")
@example([(COMMON_NAME, UTF8, b"\xff")], GENERALIZED, b"\xff")
def test_any_name_and_time_raise_what_the_original_raises(
    attributes: list[tuple[str, int, bytes]], tag: int, text: bytes
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            certificate = loaded(made(name_of(*attributes), der(tag, text)))
        except crypto.Error:
            return
        ask_everything(certificate)


@given(strategies.integers(0, len(made()) - 1), strategies.integers(0, 255))
def test_any_changed_byte_raises_what_the_original_raises(place: int, value: int) -> None:
    data = bytearray(made())
    data[place] = value
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            certificate = loaded(bytes(data))
        except crypto.Error:
            return
        ask_everything(certificate)


# A shutdown while a send waits


def fill(connection: SSL.Connection, data: bytes) -> int:
    sent = 0
    try:
        while True:
            sent += connection.send(data)
    except SSL.WantWriteError:
        return sent


def drained(connection: SSL.Connection, limit: int | None = None) -> bytes:
    data = b""
    try:
        while limit is None or len(data) < limit:
            data += connection.recv(1 << 16)
    except (SSL.WantReadError, SSL.ZeroReturnError):
        pass
    return data


def test_a_shutdown_while_a_send_waits_waits_too_and_loses_nothing() -> None:
    with over_sockets() as (client, server):
        record = b"waits" * 2000
        sent = fill(client, record)
        for _ in range(3):
            with pytest.raises(SSL.WantWriteError):
                client.shutdown()
        got = b""
        while True:
            got += drained(server)
            try:
                assert client.shutdown() is False
            except SSL.WantWriteError:
                continue
            break
        got += drained(server)
        assert len(got) == sent + len(record)
        assert got == record * (len(got) // len(record))
        assert server.get_shutdown() & SSL.RECEIVED_SHUTDOWN
        with pytest.raises(SSL.Error, match="protocol is shutdown"):
            client.send(record)


def test_a_send_that_waits_can_be_repeated_after_a_shutdown_that_waits() -> None:
    with over_sockets() as (client, server):
        record = b"waits" * 2000
        sent = fill(client, record)
        with pytest.raises(SSL.WantWriteError):
            client.shutdown()
        got = drained(server)
        assert client.send(record) == len(record)
        assert client.shutdown() is False
        got += drained(server)
        assert len(got) == sent + len(record)


def test_a_shutdown_before_the_handshake_is_an_error_as_before() -> None:
    connection = SSL.Connection(contexts()[0])
    connection.set_connect_state()
    with pytest.raises(SSL.Error, match="shutdown while in init"):
        connection.shutdown()
